#define SUITE_NAME "page"
#include "tests/unit/check_main.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/run/run.h"

static char folder[40], events[60], page[1 << 14];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/airdeed-page-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(events, sizeof events, "%s/events.jsonl", folder);
}

static void remove_folder(void)
{
    unlink(events);
    rmdir(folder);
}

static void print_page(const char *journal, const char *summary_text)
{
    FILE *file = fopen(events, "wb");
    ck_assert_ptr_nonnull(file);
    fputs(journal, file);
    ck_assert_int_eq(fclose(file), 0);
    json_t *summary = json_loads(summary_text, 0, NULL);
    ck_assert_ptr_nonnull(summary);
    FILE *out = fmemopen(page, sizeof page, "w");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(app_page_print(out, folder, summary), 0);
    fclose(out);
    json_decref(summary);
}

static void check_says(const char *text)
{
    ck_assert_msg(strstr(page, text) != NULL, "the page does not say '%s':\n%s", text, page);
}

START_TEST(a_number_that_is_not_there_leaves_its_label)
{
    print_page("", "{\"commits\":{\"count\":0,\"p50_ms\":null,\"p99_ms\":null,\"max_ms\":null,\"over_shortest\":null},\"delivery\":null,"
                   "\"sensing\":{\"decisions\":0,\"fused_pd\":null,\"local_pfa\":0.5,\"void\":2,\"undecided\":7},"
                   "\"jam\":{\"episodes\":1,\"delivery_during\":null,\"p50_to_verdict_ms\":null}}");
    check_says("p50 -, p99 -, max -; median over the shortest possible -\n");
    check_says("delivery - of (frame, receiver) pairs");
    check_says("0 fused decisions, 2 void, 7 windows undecided; P_d -, P_fa -; one station alone: P_d -, P_fa 0.50000\n");
    check_says("delivery meanwhile -; named after -\n");
}
END_TEST

START_TEST(numbers_stand_with_their_units)
{
    print_page("", "{\"commits\":{\"count\":9,\"p50_ms\":7.5,\"p99_ms\":94.5,\"max_ms\":130,\"over_shortest\":1.7},"
                   "\"data\":{\"sent\":395,\"received\":395,\"acked\":391,\"lost\":3,\"unanswered\":1}}");
    check_says("p50 7.50 ms, p99 94.50 ms, max 130.00 ms; median over the shortest possible 1.70\n");
    check_says("395 sent, 395 received; 391 acknowledged, 3 lost, 1 unanswered at the end\n");
}
END_TEST

START_TEST(the_end_of_a_grant_is_told_from_the_end_of_its_authorization)
{
    print_page("{\"t_ns\":1000000000,\"event\":\"expired\",\"channel\":0,\"id\":4,\"by\":\"a\",\"code\":500}\n"
               "{\"t_ns\":1000000000,\"event\":\"expired\",\"channel\":0,\"id\":5,\"by\":\"a\",\"code\":0}\n",
               "{}");
    check_says("grant 4 of a on channel : grantExpireTime passed: the grant ended (-> IDLE)");
    check_says("grant 5 of a on channel : transmitExpireTime passed (AUTHORIZED -> GRANTED)");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *t = tcase_create("page");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, a_number_that_is_not_there_leaves_its_label);
    tcase_add_test(t, numbers_stand_with_their_units);
    tcase_add_test(t, the_end_of_a_grant_is_told_from_the_end_of_its_authorization);
    suite_add_tcase(suite, t);
}
