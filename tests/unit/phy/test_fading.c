#define SUITE_NAME "phy fading"
#include <math.h>
#include <string.h>

#include "phy/air/fading.h"
#include "tests/unit/check_main.h"

enum { FS = 10000000, N_KEYS = 20000 };

static struct phy_fading one_tap(enum phy_fading_kind kind, double doppler_hz, double k_db)
{
    return (struct phy_fading){.kind = kind, .n_taps = 1, .doppler_hz = doppler_hz, .k_db = k_db};
}

static float complex gain_at(const struct phy_fading *f, uint64_t key, uint64_t sample)
{
    float complex gains[PHY_FADING_MAX_TAPS];
    struct phy_fading_draws draws;
    phy_fading_draw(f, key, FS, &draws);
    phy_fading_gains(f, &draws, sample, gains);
    return gains[0];
}

static void check_mean(const char *what, double measured, double expected, double variance, double n)
{
    double error = sqrt(variance / n);
    printf("%s: %.5f, expected %.5f, n %.0f, z %.2f\n", what, measured, expected, n, (measured - expected) / error);
    ck_assert_double_le(fabs(measured - expected), 3.5 * error);
}

static double square(float complex h)
{
    return (double)crealf(h) * (double)crealf(h) + (double)cimagf(h) * (double)cimagf(h);
}

/* Over many links: E h(i) h*(i + lag) is J0(2 pi f_d lag / fs), whatever the sample. */
START_TEST(a_moving_tap_correlates_as_jakes_says)
{
    struct phy_fading f = one_tap(PHY_FADING_RAYLEIGH, 200.0, 0.0);
    static const double at_lag[] = {0.0, 0.1, 0.25, 0.3827, 0.7, 1.5}; /* f_d t; J0's first zero lies at .3827 */
    const uint64_t first = UINT64_C(123456789);
    for (size_t k = 0; k < 6; k++) {
        uint64_t lag = (uint64_t)llround(at_lag[k] / f.doppler_hz * FS);
        double re = 0.0, im = 0.0;
        for (uint64_t key = 0; key < N_KEYS; key++) {
            uint64_t link = phy_fading_key(1, (uint32_t)key, 70000, 0, 0);
            double complex product = (double complex)(gain_at(&f, link, first) * conjf(gain_at(&f, link, first + lag)));
            re += creal(product);
            im += cimag(product);
        }
        double expected = j0(2.0 * acos(-1.0) * f.doppler_hz * (double)lag / FS);
        char what[40];
        snprintf(what, sizeof what, "correlation at f_d t = %.3f", at_lag[k]);
        check_mean(what, re / N_KEYS, expected, 1.0, N_KEYS);
        check_mean("  its imaginary part", im / N_KEYS, 0.0, 1.0, N_KEYS);
    }
}
END_TEST

/* Sixteen waves: E|h|^4 = 2 - 1/16; P(|h|^2 < 1/10) is close to Rayleigh's 1 - exp(-1/10). */
START_TEST(a_moving_tap_has_nearly_rayleighs_law)
{
    struct phy_fading f = one_tap(PHY_FADING_RAYLEIGH, 100.0, 0.0);
    double power = 0.0, fourth = 0.0, deep = 0.0;
    for (uint64_t key = 0; key < N_KEYS; key++) {
        double p = square(gain_at(&f, phy_fading_key(2, (uint32_t)key, 70000, 0, 0), 777));
        power += p;
        fourth += p * p;
        deep += p < 0.1;
    }
    check_mean("power", power / N_KEYS, 1.0, 1.0 - 1.0 / 16, N_KEYS);
    check_mean("fourth moment", fourth / N_KEYS, 2.0 - 1.0 / 16, 20.0, N_KEYS);
    ck_assert_double_le(fabs(deep / N_KEYS - (1.0 - exp(-0.1))), 0.01);
}
END_TEST

START_TEST(a_tap_that_stands_still_has_rayleighs_law)
{
    struct phy_fading f = one_tap(PHY_FADING_RAYLEIGH, 0.0, 0.0);
    double below[4] = {0};
    static const double level[] = {0.01, 0.1, 1.0, 4.0};
    for (uint64_t key = 0; key < N_KEYS; key++)
        for (size_t k = 0; k < 4; k++)
            below[k] += square(gain_at(&f, phy_fading_key(3, (uint32_t)key, 70000, 0, 0), 5)) < level[k];
    for (size_t k = 0; k < 4; k++) {
        double p = 1.0 - exp(-level[k]);
        check_mean("P(|h|^2 below level)", below[k] / N_KEYS, p, p * (1.0 - p), N_KEYS);
    }
}
END_TEST

/* Rice: E|h|^4 = (2 + 4 K + K^2) / (1 + K)^2 for a steady wave K times as strong as a Gaussian rest. */
START_TEST(a_rician_tap_has_the_moments_of_its_k)
{
    struct phy_fading f = one_tap(PHY_FADING_RICIAN, 0.0, 6.0);
    double k = pow(10.0, 0.6), power = 0.0, fourth = 0.0;
    for (uint64_t key = 0; key < N_KEYS; key++) {
        double p = square(gain_at(&f, phy_fading_key(4, (uint32_t)key, 70000, 0, 0), 5));
        power += p;
        fourth += p * p;
    }
    double expected = (2.0 + 4.0 * k + k * k) / ((1.0 + k) * (1.0 + k));
    check_mean("power", power / N_KEYS, 1.0, expected - 1.0, N_KEYS);
    check_mean("fourth moment", fourth / N_KEYS, expected, 6.0, N_KEYS);
}
END_TEST

START_TEST(taps_are_independent_and_share_a_power_of_one)
{
    struct phy_fading f = {.kind = PHY_FADING_RAYLEIGH, .n_taps = 3, .taps = {{0, 0.0f}, {3, -3.0f}, {7, -6.0f}}};
    double power[3] = {0}, cross = 0.0, total = 1.0 + pow(10.0, -0.3) + pow(10.0, -0.6);
    for (uint64_t key = 0; key < N_KEYS; key++) {
        float complex h[PHY_FADING_MAX_TAPS];
        struct phy_fading_draws draws;
        phy_fading_draw(&f, phy_fading_key(5, (uint32_t)key, 70000, 0, 0), FS, &draws);
        phy_fading_gains(&f, &draws, 0, h);
        for (size_t t = 0; t < 3; t++)
            power[t] += square(h[t]);
        cross += (double)crealf(h[0] * conjf(h[1]));
    }
    for (size_t t = 0; t < 3; t++) {
        double p = pow(10.0, -0.3 * (double)t) / total;
        check_mean("tap power", power[t] / N_KEYS, p, p * p, N_KEYS);
    }
    check_mean("taps' correlation", cross / N_KEYS, 0.0, 0.5 * pow(10.0, -0.3) / total / total, N_KEYS);
}
END_TEST

START_TEST(a_link_fades_alike_both_ways_and_unlike_any_other)
{
    uint64_t key = phy_fading_key(9, 3, 5, 1, 0);
    ck_assert_uint_eq(key, phy_fading_key(9, 5, 3, 1, 0));
    ck_assert_uint_ne(key, phy_fading_key(8, 3, 5, 1, 0));
    ck_assert_uint_ne(key, phy_fading_key(9, 3, 4, 1, 0));
    ck_assert_uint_ne(key, phy_fading_key(9, 3, 5, 2, 0));
    ck_assert_uint_ne(key, phy_fading_key(9, 3, 5, 1, 100)); /* an emission with gains of its own */
}
END_TEST

START_TEST(an_exponential_profile_has_its_spread)
{
    struct phy_fading_tap taps[PHY_FADING_MAX_TAPS];
    uint32_t n = phy_fading_exponential(100.0, FS, taps); /* one sample */
    ck_assert_uint_eq(n, 7);
    ck_assert_double_le(fabs((double)taps[1].power_db + 4.3429), 1e-3);
    double sum = 0.0, mean = 0.0, square_sum = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        double p = pow(10.0, (double)taps[i].power_db / 10.0);
        sum += p;
        mean += p * taps[i].delay_samples;
        square_sum += p * taps[i].delay_samples * taps[i].delay_samples;
    }
    double spread_ns = sqrt(square_sum / sum - mean * mean / sum / sum) * 100.0;
    ck_assert_double_le(fabs(spread_ns - 93.4), 1.0); /* sqrt(q) / (1 - q) samples at q = 1/e is 95.9, less what lies below -30 dB */
    ck_assert_uint_eq(phy_fading_exponential(0.0, FS, taps), 1);
}
END_TEST

START_TEST(what_no_link_can_have_is_refused_by_name)
{
    struct phy_fading f = one_tap(PHY_FADING_RICIAN, 0.0, 6.0);
    ck_assert_ptr_null(phy_fading_check(&f, FS));
    f.k_db = (double)NAN;
    ck_assert_str_eq(phy_fading_check(&f, FS), "k_db");
    f = one_tap(PHY_FADING_RAYLEIGH, 6000.0, 0.0);
    ck_assert_str_eq(phy_fading_check(&f, FS), "doppler_hz");
    f = (struct phy_fading){.kind = PHY_FADING_RAYLEIGH, .n_taps = 2, .taps = {{3, 0.0f}, {3, 0.0f}}};
    ck_assert_str_eq(phy_fading_check(&f, FS), "delay_samples");
    f.n_taps = 0;
    ck_assert_str_eq(phy_fading_check(&f, FS), "n_taps");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("fading");
    tcase_add_test(tcase, a_moving_tap_correlates_as_jakes_says);
    tcase_add_test(tcase, a_moving_tap_has_nearly_rayleighs_law);
    tcase_add_test(tcase, a_tap_that_stands_still_has_rayleighs_law);
    tcase_add_test(tcase, a_rician_tap_has_the_moments_of_its_k);
    tcase_add_test(tcase, taps_are_independent_and_share_a_power_of_one);
    tcase_add_test(tcase, a_link_fades_alike_both_ways_and_unlike_any_other);
    tcase_add_test(tcase, an_exponential_profile_has_its_spread);
    tcase_add_test(tcase, what_no_link_can_have_is_refused_by_name);
    suite_add_tcase(suite, tcase);
}
