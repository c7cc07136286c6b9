#define SUITE_NAME "phy energy"
#include <math.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/sensing/energy.h"
#include "phy/phy.h"
#include "phy/waveform.h"
#include "tests/unit/check_main.h"

/* Signal and noise together are noise of a higher power. */
static double p_d(uint64_t n, double threshold, double snr)
{
    return phy_energy_p_fa(n, threshold / (1.0 + snr));
}

/* Worked values of the closed form in phy/energy.h: N = 100 at P_fa .1, -5 dB; N = 1000 at P_fa .1, -10 dB. */
START_TEST(thresholds_and_detection_match_the_closed_form)
{
    double t100 = phy_energy_threshold(100, 0.1), t1000 = phy_energy_threshold(1000, 0.1);
    ck_assert_double_eq_tol(t100, 1.1301, 5e-5);
    ck_assert_double_eq_tol(t1000, 1.0407, 5e-5);
    ck_assert_double_eq_tol(p_d(100, t100, pow(10.0, -0.5)), 0.9269, 5e-5);
    ck_assert_double_eq_tol(p_d(1000, t1000, 0.1), 0.9577, 5e-5);
}
END_TEST

START_TEST(one_sample_gives_the_exponential_law)
{
    for (int i = 1; i < 12; i++) {
        double p_fa = pow(10.0, -i);
        ck_assert_double_eq_tol(phy_energy_threshold(1, p_fa), -log(p_fa), 1e-11 * i);
    }
}
END_TEST

/* Q(2, x) = (1 + x) exp(-x), Q(3, x) = (1 + x + x^2 / 2) exp(-x) */
START_TEST(few_samples_give_the_sums_of_erlang)
{
    for (double x = 0.05; x < 60.0; x *= 1.3) {
        double two = (1.0 + x) * exp(-x), three = (1.0 + x + x * x / 2.0) * exp(-x);
        ck_assert_double_eq_tol(phy_energy_p_fa(2, x / 2.0) / two, 1.0, 1e-11);
        ck_assert_double_eq_tol(phy_energy_p_fa(3, x / 3.0) / three, 1.0, 1e-11);
    }
}
END_TEST

START_TEST(the_inverse_inverts_from_one_sample_to_a_million)
{
    const double p_fas[] = {0.9, 0.5, 0.1, 1e-3, 1e-6, 1e-9, 1e-12};
    for (uint64_t n = 1; n <= 1000000; n = n * 7 + 1) {
        for (size_t i = 0; i < sizeof p_fas / sizeof *p_fas; i++) {
            double threshold = phy_energy_threshold(n, p_fas[i]);
            ck_assert_double_eq_tol(phy_energy_p_fa(n, threshold) / p_fas[i], 1.0, 1e-7);
        }
    }
}
END_TEST


START_TEST(large_n_agrees_with_the_normal_law)
{
    double n = 1e6;
    for (double z = -4.0; z <= 4.0; z += 1.0) {
        double cube = 1.0 - 1.0 / (9.0 * n) + z / (3.0 * sqrt(n)); /* Wilson and Hilferty */
        double q = 0.5 * erfc(z / sqrt(2.0));
        ck_assert_double_eq_tol(phy_energy_p_fa(1000000, cube * cube * cube) / q, 1.0, 1e-4);
    }
}
END_TEST

START_TEST(the_sum_is_exact_to_seven_digits_over_long_inputs)
{
    enum { N = 100003 };
    float complex *x = malloc(N * sizeof *x);
    ck_assert_ptr_nonnull(x);
    double expected = 0.0;
    for (size_t i = 0; i < N; i++) {
        x[i] = (float)(i % 17) * 0.25f + (float)(i % 5) * 0.5f * (float complex)I;
        expected += (double)crealf(x[i]) * (double)crealf(x[i]) + (double)cimagf(x[i]) * (double)cimagf(x[i]);
    }
    ck_assert_double_eq_tol(phy_energy_sum(x, N) / expected, 1.0, 1e-7);
    ck_assert_double_eq(phy_energy_sum(x, 0), 0.0);
    free(x);
}
END_TEST

/* Runs windows of n samples through the machine's sensor; returns the share that it calls occupied. */
static double share_occupied(uint64_t n, double p_fa, double snr, unsigned n_trials, uint64_t seed)
{
    struct phy_config cfg = {
        .waveform = phy_waveform_flex(), .sample_rate_hz = 10000000, .noise_dbfs = -90.0, .cca_energy_db = 20.0, .cca_samples = 90,
    };
    const char *bad_field;
    struct phy *phy;
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    void *mem = aligned_alloc(64, len);
    static struct phy_awgn noise, signal;
    static struct phy_update update;
    static float complex samples[4096];
    ck_assert_int_eq(phy_init(mem, len, &cfg, &phy, &bad_field), 0);
    phy_awgn_init(&noise, seed, 1, phy_simd_best());
    phy_awgn_init(&signal, seed, 2, phy_simd_best());
    unsigned n_occupied = 0, n_sensed = 0;
    uint64_t at = 0;
    for (unsigned i = 0; i < n_trials; i++) {
        struct phy_event sense = {.kind = PHY_EV_SENSE, .sense = {at + i % 50, n, p_fa}};
        ck_assert_int_eq(phy_step(phy, &sense, &update), 0);
        size_t n_due = (size_t)n + i % 50;
        memset(samples, 0, sizeof samples);
        phy_awgn_add(&noise, at, 1e-9f, samples, n_due);
        if (snr > 0.0)
            phy_awgn_add(&signal, at, (float)(1e-9 * snr), samples, n_due);
        struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {samples, n_due}};
        ck_assert_int_eq(phy_step(phy, &event, &update), 0);
        at += n_due;
        for (size_t k = 0; k < update.n_signals; k++) {
            n_sensed += update.signals[k].kind == PHY_SENSED;
            n_occupied += update.signals[k].kind == PHY_SENSED && update.signals[k].sense.occupied;
        }
    }
    ck_assert_uint_eq(n_sensed, n_trials);
    phy_close(phy);
    free(mem);
    return (double)n_occupied / n_trials;
}

static void check_share(double measured, double expected, unsigned n_trials, const char *what)
{
    double stderr_of_mean = sqrt(expected * (1.0 - expected) / n_trials);
    printf("%s: %.5f, closed form %.5f, %u trials, z %.2f\n", what, measured, expected, n_trials,
           (measured - expected) / stderr_of_mean);
    ck_assert_double_le(fabs(measured - expected), 3.5 * stderr_of_mean);
}

START_TEST(the_sensor_raises_false_alarms_as_often_as_asked)
{
    check_share(share_occupied(100, 0.1, 0.0, 20000, 11), 0.1, 20000, "P_fa n=100");
    check_share(share_occupied(1000, 0.01, 0.0, 20000, 12), 0.01, 20000, "P_fa n=1000");
}
END_TEST

START_TEST(the_sensor_detects_as_often_as_the_closed_form_says)
{
    double t100 = phy_energy_threshold(100, 0.1), t1000 = phy_energy_threshold(1000, 0.1);
    check_share(share_occupied(100, 0.1, pow(10.0, -0.5), 20000, 13), p_d(100, t100, pow(10.0, -0.5)), 20000,
                "P_d n=100 at -5 dB");
    check_share(share_occupied(1000, 0.1, 0.1, 20000, 14), p_d(1000, t1000, 0.1), 20000, "P_d n=1000 at -10 dB");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("energy");
    tcase_add_test(tcase, thresholds_and_detection_match_the_closed_form);
    tcase_add_test(tcase, one_sample_gives_the_exponential_law);
    tcase_add_test(tcase, few_samples_give_the_sums_of_erlang);
    tcase_add_test(tcase, the_inverse_inverts_from_one_sample_to_a_million);
    tcase_add_test(tcase, large_n_agrees_with_the_normal_law);
    tcase_add_test(tcase, the_sum_is_exact_to_seven_digits_over_long_inputs);
    tcase_add_test(tcase, the_sensor_raises_false_alarms_as_often_as_asked);
    tcase_add_test(tcase, the_sensor_detects_as_often_as_the_closed_form_says);
    suite_add_tcase(suite, tcase);
}
