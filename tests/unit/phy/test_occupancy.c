#define SUITE_NAME "phy occupancy"
#include "phy/sensing/occupancy.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/sensing/gamma.h"
#include "phy/sensing/welch.h"
#include "tests/unit/check_main.h"

static struct phy_occupancy_detector open_detector(size_t n_fft, uint64_t n_segments, double p_fa)
{
    const struct phy_occupancy_config cfg = {n_fft, n_segments, p_fa, 0, 1};
    struct phy_occupancy_detector d;
    const char *bad_field;
    ck_assert_int_eq(phy_occupancy_init(&d, &cfg, &bad_field), 0);
    return d;
}

struct window {
    struct phy_awgn noise;
    struct phy_welch *welch;
    float complex *samples;
    size_t n_fft, n;
    float psd[1024], scratch[1024];
};

static void open_window(struct window *w, size_t n_fft, uint64_t n_segments, uint64_t seed)
{
    w->n_fft = n_fft;
    w->n = n_fft + (size_t)(n_segments - 1) * n_fft / 2;
    w->samples = malloc(w->n * sizeof *w->samples);
    phy_awgn_init(&w->noise, seed, 1, PHY_SIMD_AUTO);
    ck_assert_int_eq(phy_welch_open(&w->welch, n_fft, PHY_SIMD_AUTO), 0);
}

static void close_window(struct window *w)
{
    phy_welch_close(w->welch);
    free(w->samples);
}

static void draw_noise(struct window *w, uint64_t trial, float power)
{
    memset(w->samples, 0, w->n * sizeof *w->samples);
    phy_awgn_add(&w->noise, trial * w->n, power, w->samples, w->n);
}

static void add_tone(struct window *w, double frequency, double power)
{
    for (size_t i = 0; i < w->n; i++)
        w->samples[i] += (float)sqrt(power) * cexpf((float complex)I * (float)(2 * acos(-1) * fmod(frequency * (double)i, 1)));
}

static void judge(struct window *w, const struct phy_occupancy_detector *d, struct phy_occupancy *out)
{
    phy_welch_reset(w->welch);
    phy_welch_push(w->welch, w->samples, w->n);
    ck_assert_uint_eq(phy_welch_psd(w->welch, w->psd), d->cfg.n_segments);
    phy_occupancy_judge(d, w->psd, w->scratch, out);
}

START_TEST(a_decision_over_the_whole_band_has_the_false_alarms_asked_for)
{
    static const struct {
        size_t n_fft;
        uint64_t n_segments;
        double p_fa;
        unsigned n_trials;
    } rows[] = {{64, 20, .1, 20000}, {64, 100, .01, 10000}, {256, 16, .05, 10000}, {1024, 8, .1, 4000}, {16, 200, .2, 4000}};
    static struct window w;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct phy_occupancy_detector d = open_detector(rows[i].n_fft, rows[i].n_segments, rows[i].p_fa);
        unsigned n_false = 0, n_trials = rows[i].n_trials;
        open_window(&w, rows[i].n_fft, rows[i].n_segments, 40 + i);
        for (unsigned k = 0; k < n_trials; k++) {
            struct phy_occupancy out;
            draw_noise(&w, k, 1e-4f);
            judge(&w, &d, &out);
            n_false += out.verdict.occupied;
            ck_assert_int_eq(out.verdict.occupied, out.occupied_share > 0);
        }
        double p = rows[i].p_fa, std_error = sqrt(p * (1 - p) / n_trials), measured = (double)n_false / n_trials;
        printf("%zu bins, %llu segments: P_fa %.4f, asked %.4f, %u trials, z %.2f\n", rows[i].n_fft,
               (unsigned long long)rows[i].n_segments, measured, p, n_trials, (measured - p) / std_error);
        ck_assert_double_le(fabs(measured - p), 3.5 * std_error);
        close_window(&w);
    }
}
END_TEST

START_TEST(edges_and_power_of_what_occupies_the_band_are_told)
{
    static struct window w;
    struct phy_occupancy out;
    struct phy_occupancy_detector d = open_detector(256, 200, 1e-3);
    open_window(&w, 256, 200, 50);
    draw_noise(&w, 0, 1e-4f);
    add_tone(&w, .25, 1e-3);
    add_tone(&w, -.125 - 4. / 256, 1e-3);
    judge(&w, &d, &out);
    ck_assert(out.verdict.occupied);
    ck_assert_uint_eq(out.n_bands, 2);
    ck_assert_double_eq_tol(out.bands[0].low, -.125 - 5.5 / 256, 1e-9); /* Hann: a bin on either side */
    ck_assert_double_eq_tol(out.bands[0].high, -.125 - 2.5 / 256, 1e-9);
    ck_assert_double_eq_tol(out.bands[1].low, .25 - 1.5 / 256, 1e-9);
    ck_assert_double_eq_tol(out.bands[1].power / 1e-3, 1, .02);
    ck_assert_double_eq_tol(out.noise_power / 1e-4, 1, .02);
    ck_assert_double_eq_tol(out.occupied_share, 6. / 256, 1e-9);
    close_window(&w);
}
END_TEST

START_TEST(the_receivers_own_dc_is_nobodys_signal)
{
    static struct window w;
    struct phy_occupancy out;
    struct phy_occupancy_detector d = open_detector(256, 50, 1e-6);
    open_window(&w, 256, 50, 51);
    draw_noise(&w, 0, 1e-4f);
    add_tone(&w, 0, 1e-1);
    judge(&w, &d, &out);
    ck_assert(!out.verdict.occupied);
    ck_assert_double_eq_tol(out.noise_power / 1e-4, 1, .05);
    add_tone(&w, 2. / 256, 1e-3); /* two bins beside it somebody is */
    judge(&w, &d, &out);
    ck_assert(out.verdict.occupied);
    close_window(&w);
}
END_TEST

START_TEST(the_floor_is_found_with_most_of_the_band_occupied)
{
    static struct window w;
    struct phy_occupancy out;
    struct phy_occupancy_detector d = open_detector(64, 400, 1e-3);
    open_window(&w, 64, 400, 52);
    draw_noise(&w, 0, 1e-4f);
    for (int bin = -24; bin < 24; bin++)
        if (bin != 0)
            add_tone(&w, (bin + .01 * (bin % 7)) / 64., 1e-4);
    judge(&w, &d, &out);
    ck_assert_uint_eq(out.n_bands, 1); /* through DC */
    ck_assert_double_eq_tol(out.bands[0].low, -25.5 / 64, 1.1 / 64);
    ck_assert_double_eq_tol(out.bands[0].high, 24.5 / 64, 1.1 / 64);
    ck_assert_double_eq_tol(10 * log10(out.noise_power / 1e-4), 0, .5);
    close_window(&w);
}
END_TEST

START_TEST(absolute_and_relative_floors_hold_back_what_is_too_weak)
{
    static struct window w;
    struct phy_occupancy out;
    struct phy_occupancy_config cfg = {256, 500, 1e-3, 0, 1};
    struct phy_occupancy_detector d;
    const char *bad_field;
    open_window(&w, 256, 500, 53);
    draw_noise(&w, 0, 1e-4f);
    add_tone(&w, .25, 1e-6); /* a bin 4 dB over the noise */
    ck_assert_int_eq(phy_occupancy_init(&d, &cfg, &bad_field), 0);
    judge(&w, &d, &out);
    ck_assert(out.verdict.occupied);
    cfg.floor_ratio = 4; /* 6 dB */
    ck_assert_int_eq(phy_occupancy_init(&d, &cfg, &bad_field), 0);
    judge(&w, &d, &out);
    ck_assert(!out.verdict.occupied);
    ck_assert_double_eq(out.verdict.threshold, 4);
    cfg.floor_ratio = 1;
    cfg.floor_power = 1e-3;
    ck_assert_int_eq(phy_occupancy_init(&d, &cfg, &bad_field), 0);
    judge(&w, &d, &out);
    ck_assert(!out.verdict.occupied);
    ck_assert_double_eq_tol(out.noise_power, 1e-3, 1e-12);
    close_window(&w);
}
END_TEST

START_TEST(silence_is_not_occupied_and_bad_values_are_named)
{
    static const float psd[64];
    float scratch[64];
    struct phy_occupancy out;
    struct phy_occupancy_detector d = open_detector(64, 10, .1);
    phy_occupancy_judge(&d, psd, scratch, &out);
    ck_assert(!out.verdict.occupied);
    ck_assert_uint_eq(out.n_bands, 0);
    const struct phy_occupancy_config bad[] = {{8, 10, .1, 0, 1}, {64, 1, .1, 0, 1}, {64, 10, .6, 0, 1}, {64, 10, .1, -1, 1}, {64, 10, .1, 0, .5}};
    const char *const fields[] = {"n_fft", "n_segments", "p_fa", "floor_power", "floor_ratio"};
    for (size_t i = 0; i < 5; i++) {
        const char *bad_field;
        ck_assert_int_eq(phy_occupancy_init(&d, &bad[i], &bad_field), -EINVAL);
        ck_assert_str_eq(bad_field, fields[i]);
    }
}
END_TEST

START_TEST(gamma_tails_of_shapes_that_are_no_whole_numbers)
{
    /* half a chi-square law of 3 degrees: Q(3/2, x) = erfc(sqrt x) + 2 sqrt(x / pi) exp(-x) */
    for (double x = .1; x < 30; x *= 1.7)
        ck_assert_double_eq_tol(phy_gamma_upper(1.5, x) / (erfc(sqrt(x)) + 2 * sqrt(x / acos(-1)) * exp(-x)), 1, 1e-12);
    for (double a = 1.3; a < 1e5; a *= 3.1)
        for (double p = 1e-9; p < 1; p *= 31)
            ck_assert_double_eq_tol(phy_gamma_upper(a, a * phy_gamma_threshold(a, p)) / p, 1, 1e-9);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("occupancy");
    tcase_add_test(tcase, a_decision_over_the_whole_band_has_the_false_alarms_asked_for);
    tcase_add_test(tcase, edges_and_power_of_what_occupies_the_band_are_told);
    tcase_add_test(tcase, the_receivers_own_dc_is_nobodys_signal);
    tcase_add_test(tcase, the_floor_is_found_with_most_of_the_band_occupied);
    tcase_add_test(tcase, absolute_and_relative_floors_hold_back_what_is_too_weak);
    tcase_add_test(tcase, silence_is_not_occupied_and_bad_values_are_named);
    tcase_add_test(tcase, gamma_tails_of_shapes_that_are_no_whole_numbers);
    suite_add_tcase(suite, tcase);
}
