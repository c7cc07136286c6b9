/* Rate choice over a channel that is a table: a share of frames arrives at each rate. */
#define SUITE_NAME "mac rate"
#include "tests/unit/check_main.h"

#include "mac/frame.h"
#include "mac/rate.h"

#include <string.h>

enum { N_RATES = 8, ATTEMPTS = 7 };
#define MS INT64_C(1000000)

/* 802.11a: 6 to 54 Mb/s */
static int64_t airtime_11a(void *ctx, size_t mpdu_len, unsigned rate)
{
    static const int64_t bits[N_RATES] = {24, 36, 48, 72, 96, 144, 192, 216};
    (void)ctx;
    return 20000 + (16 + 8 * ((int64_t)mpdu_len + 4) + 6 + bits[rate] - 1) / bits[rate] * 4000;
}

static struct mac_rate_peer peers[4];
static struct mac_rate rate;
static uint64_t n_draws;

static void open_rate(uint64_t seed)
{
    struct mac_config cfg = {.seed = seed, .airtime_ns = airtime_11a, .max_peers = 4, .profile = {.n_rates = N_RATES}};
    mac_rate_init(&rate, &cfg, 60000, peers);
    n_draws = 0;
}

static bool arrives(const unsigned *permille, unsigned at)
{
    struct mac_draw_key key = {.seed = 77};
    return (mac_draw(&key, MAC_DRAW_BACKOFF, n_draws++) >> 32) * 1000 >> 32 < permille[at];
}

/* A message every 2 ms, each tried up to seven times; returns octets that arrived a second of air, over what the best rate alone would. */
static double drive(uint32_t to, const unsigned *permille, int64_t from_ns, int64_t until_ns)
{
    struct mac_address address = mac_address_of(to);
    int64_t air_ns = 0;
    double n_arrived = 0, best = 0;
    for (int64_t now_ns = from_ns; now_ns < until_ns; now_ns += 2 * MS) {
        bool done = false;
        for (unsigned tries = 0; tries < ATTEMPTS && !done; tries++) {
            unsigned at = mac_rate_choose(&rate, &address, tries);
            ck_assert_uint_lt(at, N_RATES);
            done = arrives(permille, at);
            air_ns += airtime_11a(NULL, 800, at) + 60000;
            mac_rate_report(&rate, &address, at, done, now_ns);
        }
        n_arrived += done;
    }
    for (unsigned i = 0; i < N_RATES; i++) {
        double one = permille[i] / 1000.0 / (double)(airtime_11a(NULL, 800, i) + 60000);
        best = one > best ? one : best;
    }
    return n_arrived / (double)air_ns / best;
}

static unsigned best_of(uint32_t to)
{
    for (size_t i = 0; i < 4; i++) {
        struct mac_address address = mac_address_of(to);
        if (peers[i].used_ns != INT64_MIN && mac_address_equal(&peers[i].address, &address))
            return peers[i].best;
    }
    return UINT32_MAX;
}

static const unsigned near_link[N_RATES] = {1000, 1000, 1000, 1000, 1000, 990, 980, 970};
static const unsigned middle_link[N_RATES] = {1000, 1000, 990, 980, 900, 300, 10, 0};
static const unsigned far_link[N_RATES] = {950, 500, 20, 0, 0, 0, 0, 0};

START_TEST(it_finds_the_rate_that_carries_most)
{
    unsigned n_best = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        open_rate(seed);
        (void)drive(1, near_link, 0, 1000 * MS);
        (void)drive(2, middle_link, 1000 * MS, 2000 * MS);
        (void)drive(3, far_link, 2000 * MS, 3000 * MS);
        n_best += best_of(1) == 7;
        n_best += best_of(2) == 4;
        n_best += best_of(3) == 0;
        ck_assert_uint_ge(best_of(1), 5); /* within a second; a few lost samples make it hesitate */
        ck_assert_uint_ge(best_of(2), 2);
        double shares[3] = {drive(1, near_link, 3000 * MS, 7000 * MS), drive(2, middle_link, 7000 * MS, 11000 * MS),
                            drive(3, far_link, 11000 * MS, 15000 * MS)};
        if (seed == 1)
            printf("of the best rate's throughput: near %.3f, middle %.3f, far %.3f\n", shares[0], shares[1], shares[2]);
        ck_assert_double_ge(shares[0], .95);
        ck_assert_double_ge(shares[1], .88);
        ck_assert_double_ge(shares[2], .80);
    }
    printf("the best rate within a second: %u of 60\n", n_best);
    ck_assert_uint_ge(n_best, 51);
}
END_TEST

START_TEST(it_follows_a_link_that_becomes_worse_and_better_again)
{
    open_rate(3);
    (void)drive(1, near_link, 0, 2000 * MS);
    ck_assert_uint_eq(best_of(1), 7);
    (void)drive(1, far_link, 2000 * MS, 3000 * MS);
    ck_assert_uint_eq(best_of(1), 0);
    (void)drive(1, middle_link, 3000 * MS, 5000 * MS);
    ck_assert_uint_ge(best_of(1), 3);
    ck_assert_uint_le(best_of(1), 4);
}
END_TEST

START_TEST(group_frames_go_at_the_slowest_rate_that_a_neighbour_needs)
{
    open_rate(4);
    ck_assert_uint_eq(mac_rate_group(&rate, 0), 0); /* nobody is known */
    (void)drive(1, near_link, 0, 2000 * MS);
    ck_assert_uint_eq(mac_rate_group(&rate, 0), 7);
    struct mac_address second = mac_address_of(2), third = mac_address_of(3);
    mac_rate_heard(&rate, &second, 2000 * MS); /* a neighbour that nothing is known of */
    ck_assert_uint_eq(mac_rate_group(&rate, 0), 0);
    (void)drive(2, middle_link, 2000 * MS, 4000 * MS);
    unsigned at = mac_rate_group(&rate, 0);
    ck_assert_uint_ge(at, 2);
    ck_assert_uint_le(at, 4); /* sure to arrive, which 24 Mb/s is only just */
    mac_rate_heard(&rate, &third, 4000 * MS);
    ck_assert_uint_eq(mac_rate_group(&rate, 0), 0);
    (void)drive(1, near_link, 4000 * MS, 16000 * MS); /* the others have not been heard for long */
    ck_assert_uint_eq(mac_rate_group(&rate, 0), 7);
}
END_TEST

START_TEST(more_neighbours_than_it_remembers_cost_no_more_memory)
{
    open_rate(5);
    for (uint32_t i = 0; i < 10000; i++) {
        struct mac_address address = mac_address_of(i);
        mac_rate_heard(&rate, &address, i * MS);
        ck_assert_uint_lt(mac_rate_choose(&rate, &address, i % ATTEMPTS), N_RATES);
    }
    ck_assert_uint_eq(mac_rate_group(&rate, 0), 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("sampling");
    tcase_add_test(tc, it_finds_the_rate_that_carries_most);
    tcase_add_test(tc, it_follows_a_link_that_becomes_worse_and_better_again);
    tcase_add_test(tc, group_frames_go_at_the_slowest_rate_that_a_neighbour_needs);
    tcase_add_test(tc, more_neighbours_than_it_remembers_cost_no_more_memory);
    suite_add_tcase(suite, tc);
}
