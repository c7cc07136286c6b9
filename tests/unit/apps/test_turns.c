#define SUITE_NAME "turns"
#include "tests/unit/check_main.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "apps/turns.h"

struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t turn_ns, deadline_ns, period_ns;
};

static struct attr read_attr(void)
{
    struct attr attr = {0};
    ck_assert_int_eq(syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0), 0);
    return attr;
}

static void *read_turn(void *out)
{
    *(uint64_t *)out = read_attr().turn_ns;
    return NULL;
}

START_TEST(a_threads_turns_are_as_long_as_told_and_those_of_threads_that_it_starts)
{
    struct attr before = read_attr(), now;
    if (before.turn_ns == 0)
        return; /* a kernel before 6.12 */
    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, before.nice + 1), 0);
    app_turns_set(200000);
    now = read_attr();
    ck_assert_uint_eq(now.turn_ns, 200000);
    ck_assert_uint_eq(now.policy, before.policy);
    ck_assert_int_eq(now.nice, before.nice + 1);
    pthread_t thread;
    uint64_t inherited_ns = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, read_turn, &inherited_ns), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(inherited_ns, 200000);
    app_turns_set(0);
    ck_assert_uint_eq(read_attr().turn_ns, before.turn_ns);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("turns");
    tcase_add_test(tc, a_threads_turns_are_as_long_as_told_and_those_of_threads_that_it_starts);
    suite_add_tcase(suite, tc);
}
