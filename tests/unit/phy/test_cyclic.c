#define SUITE_NAME "phy cyclic prefix"
#include "phy/sensing/cyclic.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/sensing/normal.h"
#include "tests/unit/check_main.h"

START_TEST(threshold_and_detection_match_the_closed_form)
{
    struct phy_cyclic_detector d;
    ck_assert_int_eq(phy_cyclic_init(&d, 64, 8000, .05), 0);
    ck_assert_double_eq_tol(d.threshold, .0130, 5e-5);
    double rho = 16. / 80 * .1 / 1.1;
    ck_assert_double_eq_tol(phy_cyclic_p_d(8000, d.threshold, rho), .7438, 5e-5);
    ck_assert_double_eq_tol(phy_cyclic_p_fa(8000, d.threshold), .05, 1e-12);
}
END_TEST

START_TEST(normal_thresholds_invert_their_tail)
{
    ck_assert_double_eq_tol(phy_normal_threshold(.5), 0, 1e-15);
    ck_assert_double_eq_tol(phy_normal_threshold(.025), 1.959963984540054, 1e-13);
    ck_assert_double_eq_tol(phy_normal_threshold(.975), -1.959963984540054, 1e-13);
    for (double p = 1e-300; p < .5; p *= 37)
        ck_assert_double_eq_tol(phy_normal_tail(phy_normal_threshold(p)) / p, 1, 1e-11);
}
END_TEST

START_TEST(what_makes_no_detector_is_refused)
{
    struct phy_cyclic_detector d;
    ck_assert_int_eq(phy_cyclic_init(&d, 0, 100, .1), -EINVAL);
    ck_assert_int_eq(phy_cyclic_init(&d, 64, 0, .1), -EINVAL);
    ck_assert_int_eq(phy_cyclic_init(&d, 64, 100, 0), -EINVAL);
    ck_assert_int_eq(phy_cyclic_init(&d, 64, 100, 1), -EINVAL);
    ck_assert_int_eq(phy_cyclic_init(&d, 64, 100, NAN), -EINVAL);
}
END_TEST

START_TEST(repeated_samples_have_coefficient_one_and_silence_has_none)
{
    static struct phy_awgn g;
    struct phy_cyclic_detector d;
    float complex x[300] = {0};
    ck_assert_int_eq(phy_cyclic_init(&d, 7, 293, .1), 0);
    struct phy_verdict v = phy_cyclic_judge(&d, x);
    ck_assert_double_eq(v.statistic, 0);
    ck_assert(!v.occupied);
    phy_awgn_init(&g, 3, 1, PHY_SIMD_AUTO);
    phy_awgn_add(&g, 0, 1e-9f, x, 7);
    for (size_t i = 7; i < 300; i++)
        x[i] = x[i - 7];
    v = phy_cyclic_judge(&d, x);
    ck_assert_double_eq_tol(v.statistic, 1, 1e-5);
    ck_assert(v.occupied);
}
END_TEST

START_TEST(the_statistic_is_the_sum_of_its_definition)
{
    static struct phy_awgn g;
    static float complex x[3000];
    struct phy_cyclic_detector d;
    memset(x, 0, sizeof x);
    phy_awgn_init(&g, 4, 1, PHY_SIMD_AUTO);
    phy_awgn_add(&g, 0, 2.0f, x, 3000);
    for (uint32_t lag = 1; lag < 1000; lag += 333) {
        size_t n = 3000 - lag;
        double products = 0, energy = 0;
        for (size_t i = 0; i < n; i++) {
            double complex a = (double complex)x[i], b = (double complex)x[i + lag];
            products += creal(a * conj(b));
            energy += (creal(a * conj(a)) + creal(b * conj(b))) / 2;
        }
        ck_assert_int_eq(phy_cyclic_init(&d, lag, n, .1), 0);
        ck_assert_double_eq_tol(phy_cyclic_judge(&d, x).statistic, products / energy, 1e-6);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("cyclic");
    tcase_add_test(tcase, threshold_and_detection_match_the_closed_form);
    tcase_add_test(tcase, normal_thresholds_invert_their_tail);
    tcase_add_test(tcase, what_makes_no_detector_is_refused);
    tcase_add_test(tcase, repeated_samples_have_coefficient_one_and_silence_has_none);
    tcase_add_test(tcase, the_statistic_is_the_sum_of_its_definition);
    suite_add_tcase(suite, tcase);
}
