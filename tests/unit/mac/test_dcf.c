/* Saturated DCF on the ether against what ns-3 found (802.11a, 6 Mb/s, 1000 octets) and against an independent count of the rules. */
#define SUITE_NAME "mac dcf"
#include "apps/validate/saturate.h"
#include "tests/unit/check_main.h"

#include <math.h>
#include <stdio.h>

static struct app_saturate configure(uint32_t n, uint64_t trials)
{
    return (struct app_saturate){.n = n, .payload = 1000, .cw = 15, .attempts = 7, .trials = trials, .seed = 7};
}

/* The published figures are rounded and have an error of their own, of three runs: .1 % of S. */
static void check_saturation(uint32_t n, double s_mbps, double p)
{
    struct app_saturated got;
    struct app_saturate cfg = configure(n, 60000);
    ck_assert_int_eq(app_saturate_mac(&cfg, &got), 0);
    printf("n = %u: S %.4f Mb/s (%.4f), p %.4f (%.4f), %llu attempts\n", n, got.s_mbps, s_mbps, got.p, p, (unsigned long long)got.trials);
    ck_assert_double_eq_tol(got.s_mbps, s_mbps, 3.5 * got.s_mbps_error + .001 * s_mbps);
    ck_assert_double_eq_tol(got.p, p, 3.5 * got.p_error + .001);
}

START_TEST(two_saturated_stations_share_the_channel_as_the_standard_lets_them)
{
    check_saturation(2, 4.8845, .1107);
}
END_TEST

START_TEST(ten_saturated_stations_share_the_channel_as_the_standard_lets_them)
{
    check_saturation(10, 4.1750, .3669);
}
END_TEST

START_TEST(fifty_saturated_stations_share_the_channel_as_the_standard_lets_them)
{
    check_saturation(50, 3.2253, .6117);
}
END_TEST

START_TEST(the_independent_count_finds_the_published_figures)
{
    static const struct {
        uint32_t n;
        bool hidden, rts;
        double s_mbps, tolerance;
    } known[] = {{2, false, false, 4.8845, .002}, {10, false, false, 4.1750, .002}, {50, false, false, 3.2253, .002},
                 {2, true, false, 1.274, .01}, {2, true, true, 4.651, .002}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct app_saturated got;
        struct app_saturate cfg = configure(known[i].n, 1000000);
        cfg.hidden = known[i].hidden;
        cfg.rts = known[i].rts;
        ck_assert_int_eq(app_saturate_reference(&cfg, &got), 0);
        printf("n = %u hidden %d rts %d: S %.4f +- %.4f (%.4f), p %.4f\n", known[i].n, known[i].hidden, known[i].rts, got.s_mbps,
               got.s_mbps_error, known[i].s_mbps, got.p);
        ck_assert_double_eq_tol(got.s_mbps, known[i].s_mbps, known[i].tolerance * known[i].s_mbps);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("saturated");
    tcase_add_test(tc, two_saturated_stations_share_the_channel_as_the_standard_lets_them);
    tcase_add_test(tc, ten_saturated_stations_share_the_channel_as_the_standard_lets_them);
    tcase_add_test(tc, fifty_saturated_stations_share_the_channel_as_the_standard_lets_them);
    tcase_add_test(tc, the_independent_count_finds_the_published_figures);
    suite_add_tcase(suite, tc);
}
