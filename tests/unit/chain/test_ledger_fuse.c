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

/* A station that senses as genesis assumes, its probation behind it. */
static struct chain_fuse_record proven(uint32_t p_fa_ppb)
{
    struct chain_fuse_record record;
    chain_fuse_start(&record, p_fa_ppb);
    record.agreed = CHAIN_FUSE_PROBATION;
    return record;
}

START_TEST(weights_are_those_of_chair_and_varshney)
{
    for (uint32_t ppb = 1; ppb <= 500000000; ppb = ppb * 3 + 1) {
        struct chain_fuse_record record = proven(ppb);
        struct chain_fuse_weights w = chain_fuse_weights_of(&record, ppb);
        double p_fa = ppb * 1e-9;
        ck_assert_double_le(fabs((double)w.occupied / 32 * 1e-6 - log(0.9 / p_fa)), 20e-6);
        ck_assert_double_le(fabs((double)w.free / 32 * 1e-6 - log(0.1 / (1 - p_fa))), 20e-6);
    }
    struct chain_fuse_record record = {.p_d_ppb = 600000000, .p_fa_ppb = 300000000, .agreed = 12}; /* half a weight */
    struct chain_fuse_weights w = chain_fuse_weights_of(&record, 100000000);
    ck_assert_double_le(fabs((double)w.occupied / 16 * 1e-6 - log(2)), 20e-6);
    ck_assert_double_le(fabs((double)w.free / 16 * 1e-6 - log(.4 / .7)), 20e-6);
}
END_TEST

/* The probability that n stations, each saying "occupied" with probability p, make a fused "occupied": every pattern of their
 * verdicts goes through the production rule. */
static double fused_probability(uint32_t n, uint32_t p_fa_ppb, uint32_t min_positive, double p)
{
    struct chain_fuse_record record = proven(p_fa_ppb);
    struct chain_fuse_weights weights = chain_fuse_weights_of(&record, p_fa_ppb);
    double sum = 0;
    for (uint32_t pattern = 0; pattern < UINT32_C(1) << n; pattern++) {
        struct chain_fuse_vote votes[16];
        double probability = 1;
        for (uint32_t i = 0; i < n; i++) {
            votes[i].occupied = pattern >> i & 1;
            votes[i].weights = weights;
            probability *= votes[i].occupied ? p : 1 - p;
        }
        if (chain_fuse_occupied(min_positive, votes, n))
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

/* The majority of 6 of 10 follows from P_d .9 and P_fa .1 by itself: a tie of five is "free". */
START_TEST(equal_sensors_of_nine_in_ten_fuse_by_majority)
{
    ck_assert_double_eq_tol(fused_probability(10, 100000000, 1, .9), .998365, 1e-6);
    ck_assert_double_eq_tol(fused_probability(10, 100000000, 1, .1), .000147, 1e-6);
}
END_TEST

START_TEST(the_least_number_of_positives_guards_small_groups)
{
    struct chain_fuse_record record = proven(100000);
    struct chain_fuse_weights w = chain_fuse_weights_of(&record, 100000);
    struct chain_fuse_vote votes[2] = {{true, w}, {false, w}};
    ck_assert(chain_fuse_occupied(1, votes, 2)); /* the sum alone would say so */
    ck_assert(!chain_fuse_occupied(2, votes, 2));
    record.agreed = 3; /* below a quarter of the other's weight: no second word */
    votes[1] = (struct chain_fuse_vote){true, chain_fuse_weights_of(&record, 100000)};
    ck_assert(!chain_fuse_occupied(2, votes, 2));
    record.agreed = 4;
    votes[1].weights = chain_fuse_weights_of(&record, 100000);
    ck_assert(chain_fuse_occupied(2, votes, 2));
    ck_assert(!chain_fuse_occupied(2, votes, 0));
}
END_TEST

/* n stations of full weight, the first n_positive of which say "occupied" */
static bool fused_of_equals(uint32_t n, uint32_t n_positive, uint32_t p_fa_ppb)
{
    struct chain_fuse_record record = proven(p_fa_ppb);
    struct chain_fuse_vote votes[32];
    for (uint32_t i = 0; i < n; i++)
        votes[i] = (struct chain_fuse_vote){i < n_positive, chain_fuse_weights_of(&record, p_fa_ppb)};
    return chain_fuse_occupied(1, votes, n);
}

START_TEST(fewer_than_a_third_make_no_verdict_against_the_rest)
{
    for (uint32_t p_fa_ppb = 1; p_fa_ppb <= 500000000; p_fa_ppb = p_fa_ppb * 3 + 1)
        for (uint32_t n = 2; n <= 32; n++)
            for (uint32_t b = 0; 3 * b < n; b++) {
                ck_assert(!fused_of_equals(n, b, p_fa_ppb));
                ck_assert(fused_of_equals(n, n - b, p_fa_ppb));
            }
    ck_assert(!fused_of_equals(9, 3, 1000)); /* 3 x 6.8 against 6 x 2.3 */
    ck_assert(fused_of_equals(9, 4, 1000));
    ck_assert(!fused_of_equals(9, 5, 500000000)); /* 5 x .59 against 4 x 1.6 */
    ck_assert(fused_of_equals(9, 6, 500000000));
}
END_TEST

START_TEST(the_third_is_of_what_stations_have_to_say_not_of_heads)
{
    struct chain_fuse_record record = proven(1000000);
    struct chain_fuse_vote votes[10];
    for (int i = 0; i < 10; i++)
        votes[i] = (struct chain_fuse_vote){i < 3, chain_fuse_weights_of(&record, 1000000)};
    ck_assert(!chain_fuse_occupied(1, votes, 10));
    record.agreed = 0; /* seven newcomers, an eighth of a voice each: less than one proven station */
    for (int i = 3; i < 10; i++)
        votes[i].weights = chain_fuse_weights_of(&record, 1000000);
    ck_assert(chain_fuse_occupied(1, votes, 10));
    for (int i = 0; i < 10; i++)
        votes[i].occupied = !votes[i].occupied;
    ck_assert(!chain_fuse_occupied(1, votes, 10));
}
END_TEST

START_TEST(a_station_whose_word_tells_nothing_has_no_weight)
{
    struct chain_fuse_record record = {.p_d_ppb = 100000000, .p_fa_ppb = 900000000, .agreed = CHAIN_FUSE_PROBATION};
    struct chain_fuse_weights w = chain_fuse_weights_of(&record, 100000);
    ck_assert_int_eq(w.occupied, 0);
    ck_assert_int_eq(w.free, 0);
    ck_assert_int_eq(w.say, 0);
    ck_assert_uint_eq(chain_fuse_reputation(&record, 100000), 0);
    record.p_d_ppb = record.p_fa_ppb;
    ck_assert_int_eq(chain_fuse_weights_of(&record, 100000).occupied, 0);
}
END_TEST

START_TEST(nobody_is_credited_with_more_than_genesis_assumes)
{
    struct chain_fuse_record record = proven(1000), start = record;
    for (int i = 0; i < 10000; i++) {
        chain_fuse_learn(&record, true, true);
        chain_fuse_learn(&record, false, false);
        chain_fuse_agree(&record);
    }
    ck_assert_uint_gt(record.p_d_ppb, 999999000);
    ck_assert_uint_lt(record.p_fa_ppb, 1000);
    ck_assert_int_eq(chain_fuse_weights_of(&record, 1000).free, chain_fuse_weights_of(&start, 1000).free);
    ck_assert_int_eq(chain_fuse_weights_of(&record, 1000).occupied, chain_fuse_weights_of(&start, 1000).occupied);
    ck_assert_uint_eq(chain_fuse_reputation(&record, 1000), CHAIN_REPUTATION_MAX);
}
END_TEST

START_TEST(a_liar_that_turns_is_down_to_nothing_within_thirty_verdicts)
{
    struct chain_fuse_record record = proven(100000000);
    int n = 0;
    for (; chain_fuse_reputation(&record, 100000000) > 0; n++) {
        chain_fuse_learn(&record, false, true);
        chain_fuse_learn(&record, true, false);
    }
    ck_assert_int_le(n, 30);
    for (int i = 0; i < 100000; i++) {
        chain_fuse_learn(&record, false, true);
        chain_fuse_learn(&record, true, false);
    }
    ck_assert_uint_le(record.p_fa_ppb, 1000000000);
    ck_assert_uint_lt(record.p_d_ppb, 1000000000);
    for (int i = 0; i < 1000; i++)
        chain_fuse_forgive(&record, 100000000);
    ck_assert_uint_ge(chain_fuse_reputation(&record, 100000000), 999);
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

/* A false alarm in 10000 is too rare to watch: the stations are wrong in 2 % of their verdicts, and genesis says so. Whole blocks,
 * commitments and reveals, through the ledger. A run of errors lowers a station's weight for a while and makes the sum more careful, so
 * that the closed form for full weights is an upper bound, and one that is nearly reached. */
START_TEST(fused_false_alarms_of_a_running_ledger_stay_below_the_closed_form)
{
    enum { N_WARM = 50, N_WINDOWS = 5000 };
    const double p = 0.02;
    struct bench *b = bench_open(4);
    b->genesis.local_p_fa_ppb = 20000000;
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    b->ring.members = b->genesis.members;
    bench_start(b);
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
    }
    double full = fused_probability(4, 20000000, 2, p);
    double measured = (double)n_occupied / (double)n_decisions;
    double stderr_ = sqrt(full * (1 - full) / (double)n_decisions);
    printf("fused P_fa: %zu decisions, measured %.5f, closed form for full weights %.5f, standard error %.5f\n", n_decisions,
           measured, full, stderr_);
    ck_assert_double_le(measured, full + 3.5 * stderr_);
    ck_assert_double_ge(measured, full / 2 - 3.5 * stderr_);
    bench_close(b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("fuse");
    tcase_add_test(tc, logarithms_are_right_to_ten_millionths);
    tcase_add_test(tc, weights_are_those_of_chair_and_varshney);
    tcase_add_test(tc, four_stations_with_a_false_alarm_in_10000_fuse_to_less_than_one_in_a_million);
    tcase_add_test(tc, the_least_number_of_positives_guards_small_groups);
    tcase_add_test(tc, equal_sensors_of_nine_in_ten_fuse_by_majority);
    tcase_add_test(tc, fewer_than_a_third_make_no_verdict_against_the_rest);
    tcase_add_test(tc, the_third_is_of_what_stations_have_to_say_not_of_heads);
    tcase_add_test(tc, a_station_whose_word_tells_nothing_has_no_weight);
    tcase_add_test(tc, nobody_is_credited_with_more_than_genesis_assumes);
    tcase_add_test(tc, a_liar_that_turns_is_down_to_nothing_within_thirty_verdicts);
    tcase_add_test(tc, fused_false_alarms_of_a_running_ledger_stay_below_the_closed_form);
    suite_add_tcase(suite, tc);
}
