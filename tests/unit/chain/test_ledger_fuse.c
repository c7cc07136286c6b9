#include "chain/ledger_fuse.h"

#include <math.h>

#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger_fuse"
#include "tests/unit/check_main.h"

START_TEST(logarithms_are_right_to_ten_millionths)
{
    double worst = 0;
    uint64_t x = 1;
    for (int i = 0; i < 2000; i++) {
        double error = fabs((double)chain_fuse_ln_micro(x) - 1e6 * log((double)x));
        worst = error > worst ? error : worst;
        x = x + x / 61 + 1;
        if (x > 2000000000)
            x = (uint64_t)i;
    }
    printf("worst error of ln in millionths: %.2f\n", worst);
    ck_assert_double_le(worst, 10);
    ck_assert_int_eq(chain_fuse_ln_micro(0), 0);
    ck_assert_int_gt(chain_fuse_ln_micro(UINT64_MAX), 44361000);
}
END_TEST

START_TEST(weights_are_those_of_chair_and_varshney)
{
    for (uint32_t ppb = 1; ppb <= 500000000; ppb = ppb * 3 + 1) {
        struct chain_fuse_weights w = chain_fuse_weights_of(ppb);
        double p_fa = ppb * 1e-9;
        ck_assert_double_le(fabs((double)w.occupied_micro * 1e-6 - log(0.99 / p_fa)), 20e-6);
        ck_assert_double_le(fabs((double)w.free_micro * 1e-6 - log(0.01 / (1 - p_fa))), 20e-6);
    }
}
END_TEST

/* The probability that n stations, each saying "occupied" with probability p, make a fused "occupied": every pattern of their
 * verdicts goes through the production rule. */
static double fused_probability(uint32_t n, uint32_t p_fa_ppb, uint32_t min_positive, double p)
{
    struct chain_fuse_weights weights = chain_fuse_weights_of(p_fa_ppb);
    double sum = 0;
    for (uint32_t pattern = 0; pattern < UINT32_C(1) << n; pattern++) {
        struct chain_fuse_vote votes[16];
        double probability = 1;
        for (uint32_t i = 0; i < n; i++) {
            votes[i].occupied = pattern >> i & 1;
            votes[i].reputation = CHAIN_REPUTATION_START;
            probability *= votes[i].occupied ? p : 1 - p;
        }
        if (chain_fuse_occupied(&weights, min_positive, votes, n))
            sum += probability;
    }
    return sum;
}

START_TEST(four_stations_with_a_false_alarm_in_10000_fuse_to_less_than_one_in_a_million)
{
    double p = 1e-4, q = 1 - p;
    double two_or_more = 6 * p * p * q * q + 4 * p * p * p * q + p * p * p * p;
    ck_assert_double_eq_tol(fused_probability(4, 100000, 2, p), two_or_more, 1e-14);
    ck_assert_double_le(two_or_more, 1e-6);
    printf("fused P_fa, n = 4: %.4e, fused P_d for local .99: %.8f, .9: %.6f\n", two_or_more,
           fused_probability(4, 100000, 2, .99), fused_probability(4, 100000, 2, .9));
    for (uint32_t n = 2; n <= 14; n++)
        ck_assert_double_le(fused_probability(n, 100000, 2, p), 1e-6);
    ck_assert_double_ge(fused_probability(4, 100000, 2, .99), .99999);
    ck_assert_double_ge(fused_probability(4, 100000, 2, .9), .996);
}
END_TEST

START_TEST(the_least_number_of_positives_guards_small_groups)
{
    struct chain_fuse_weights weights = chain_fuse_weights_of(100000);
    struct chain_fuse_vote votes[2] = {{true, 500}, {false, 500}};
    ck_assert(chain_fuse_occupied(&weights, 1, votes, 2)); /* the sum alone would say so */
    ck_assert(!chain_fuse_occupied(&weights, 2, votes, 2));
}
END_TEST

START_TEST(reputation_weighs_and_zero_does_not_count)
{
    struct chain_fuse_weights weights = chain_fuse_weights_of(100000);
    struct chain_fuse_vote votes[4] = {{true, 500}, {true, 500}, {false, 500}, {false, 500}};
    ck_assert(chain_fuse_occupied(&weights, 2, votes, 4));
    votes[0].reputation = 0;
    ck_assert(!chain_fuse_occupied(&weights, 2, votes, 4));
    votes[0].reputation = 1;
    votes[1].reputation = 1;
    ck_assert(!chain_fuse_occupied(&weights, 2, votes, 4));
    votes[0].reputation = votes[1].reputation = CHAIN_REPUTATION_MAX; /* no more than full weight */
    for (int i = 2; i < 4; i++)
        votes[i].reputation = CHAIN_REPUTATION_MAX;
    ck_assert(chain_fuse_occupied(&weights, 2, votes, 4));
    ck_assert(!chain_fuse_occupied(&weights, 2, votes, 0));
}
END_TEST

START_TEST(reputation_stays_within_its_bounds)
{
    ck_assert_uint_eq(chain_fuse_reputation(500, 0, 0), 510);
    ck_assert_uint_eq(chain_fuse_reputation(995, 0, 0), 1000);
    ck_assert_uint_eq(chain_fuse_reputation(1000, 0, 0), 1000);
    ck_assert_uint_eq(chain_fuse_reputation(500, 1, 1), 425);
    ck_assert_uint_eq(chain_fuse_reputation(60, 1, 1), 0);
    ck_assert_uint_eq(chain_fuse_reputation(0, 8, 0), 0);
}
END_TEST

/* splitmix64 of a key: every draw is a function of its number */
static double draw(uint64_t key)
{
    uint64_t z = key * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x1234567);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* A false alarm in 10000 is too rare to watch: the stations are wrong in 2 % of their verdicts instead, while the weights are those
 * for 1e-4, and have earned a reputation before, so that theirs are full all the time. Whole blocks, commitments and reveals, through the ledger. */
START_TEST(fused_false_alarms_of_a_running_ledger_follow_the_closed_form)
{
    enum { N_WARM = 50, N_WINDOWS = 5000 };
    const double p = 0.02;
    struct bench *b = bench_open(4);
    register_all(b, 1 * MS);
    sense_windows(b, 0, N_WARM, 0);
    size_t n_decisions = 0, n_occupied = 0;
    uint64_t key = 0;
    for (uint64_t k = N_WARM; k < N_WARM + N_WINDOWS; k++) {
        uint32_t bits[4] = {0};
        for (uint32_t i = 0; i < 4; i++)
            for (uint32_t c = 0; c < 4; c++)
                bits[i] |= (uint32_t)(draw(key++) < p) << c;
        sense_window(b, k, 15, bits);
        for (uint32_t c = 0; c < 4; c++) {
            const struct chain_ledger_event *event = find_event(b, CHAIN_LE_WINDOW_FUSED, c);
            ck_assert_ptr_nonnull(event);
            n_decisions++;
            n_occupied += event->occupied;
        }
        for (uint32_t i = 0; i < 4; i++)
            ck_assert_uint_ge(chain_ledger_reputation(b->ledger, i), CHAIN_REPUTATION_START);
    }
    double expected = fused_probability(4, 100000, 2, p);
    double measured = (double)n_occupied / (double)n_decisions;
    double stderr_ = sqrt(expected * (1 - expected) / (double)n_decisions);
    printf("fused P_fa: %zu decisions, measured %.5f, closed form %.5f, standard error %.5f\n", n_decisions, measured, expected,
           stderr_);
    ck_assert_double_le(fabs(measured - expected), 3.5 * stderr_);
    bench_close(b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("fuse");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, logarithms_are_right_to_ten_millionths);
    tcase_add_test(tc, weights_are_those_of_chair_and_varshney);
    tcase_add_test(tc, four_stations_with_a_false_alarm_in_10000_fuse_to_less_than_one_in_a_million);
    tcase_add_test(tc, the_least_number_of_positives_guards_small_groups);
    tcase_add_test(tc, reputation_weighs_and_zero_does_not_count);
    tcase_add_test(tc, reputation_stays_within_its_bounds);
    tcase_add_test(tc, fused_false_alarms_of_a_running_ledger_follow_the_closed_form);
    suite_add_tcase(suite, tc);
}
