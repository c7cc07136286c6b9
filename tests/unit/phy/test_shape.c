/* What energy without frames looks like to the PHY. */
#define SUITE_NAME "phy shape"
#include "tests/unit/check_main.h"

#include <math.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "tests/unit/phy/link.h"

enum { N = 65536, MAX_SHAPES = 64 };

static float complex signal[N];

struct shapes {
    size_t n;
    struct phy_signal at[MAX_SHAPES];
};

static void add_noise(double power)
{
    struct phy_awgn noise;
    phy_awgn_init(&noise, 5, 1, phy_simd_best());
    phy_awgn_add(&noise, 0, (float)power, signal, N);
}

/* In calls of `step` samples, or of anything up to it. */
static struct shapes look(size_t step, bool uneven)
{
    struct phy_config cfg = link_config();
    cfg.waveform = phy_waveform_wifi();
    cfg.noise_dbfs = -60;
    cfg.cca_energy_db = 8;
    cfg.cca_samples = 80;
    struct link_phy l = link_open(&cfg);
    struct shapes out = {0};
    size_t at = 0, k = 0;
    while (at < N) {
        size_t n = uneven ? 1 + (k++ * 7919) % step : step;
        n = N - at < n ? N - at : n;
        struct phy_event event = {.kind = PHY_EV_SAMPLES};
        event.samples.samples = signal + at;
        event.samples.n = n;
        struct phy_update update;
        ck_assert_int_eq(phy_step(l.phy, &event, &update), 0);
        for (size_t i = 0; i < update.n_signals; i++)
            if (update.signals[i].kind == PHY_SHAPE && out.n < MAX_SHAPES)
                out.at[out.n++] = update.signals[i];
        at += n;
    }
    link_close(&l);
    return out;
}

START_TEST(a_carrier_has_a_steady_envelope_and_one_frequency)
{
    for (size_t i = 0; i < N; i++)
        signal[i] = 0.1f * cexpf((float complex)I * (float)(6.283185307179586 * fmod(0.123 * (double)i, 1.0)));
    add_noise(1e-6);
    struct shapes s = look(4096, false);
    ck_assert_uint_ge(s.n, N / 2048 - 2);
    for (size_t i = 0; i < s.n; i++) {
        ck_assert_double_eq_tol(s.at[i].shape.kurtosis, 1.0, 0.01);
        ck_assert_double_eq_tol(s.at[i].shape.narrow, 1.0, 0.01);
        ck_assert_double_eq_tol(s.at[i].shape.centre_hz, 0.123 * LINK_FS, 0.001 * LINK_FS);
        ck_assert_double_eq_tol(s.at[i].shape.power_dbfs, -20.0, 0.1);
    }
}
END_TEST

START_TEST(noise_has_a_kurtosis_of_two_and_no_memory)
{
    memset(signal, 0, sizeof signal);
    add_noise(1e-3);
    struct shapes s = look(4096, false);
    double kurtosis = 0;
    ck_assert_uint_ge(s.n, 20);
    for (size_t i = 0; i < s.n; i++) {
        kurtosis += s.at[i].shape.kurtosis / (double)s.n;
        ck_assert_double_lt(s.at[i].shape.narrow, 0.2);
        ck_assert_double_lt(s.at[i].shape.repeat, 0.2);
    }
    ck_assert_double_eq_tol(kurtosis, 2.0, 3.5 * 4.5 / sqrt(512.0 * (double)s.n)); /* its standard deviation: sqrt(20 / n) */
}
END_TEST

START_TEST(silence_and_what_comes_and_goes_within_it_have_no_shape)
{
    memset(signal, 0, sizeof signal);
    add_noise(1e-6);
    ck_assert_uint_eq(look(4096, false).n, 0);
    for (size_t i = 0; i < N; i++)
        if (i % 400 < 200)
            signal[i] += 0.1f;
    ck_assert_uint_eq(look(4096, false).n, 0);
}
END_TEST

START_TEST(shapes_do_not_depend_on_how_samples_are_cut)
{
    memset(signal, 0, sizeof signal);
    add_noise(1e-6);
    for (size_t i = 0; i < N; i++)
        if (i / 3000 % 3 != 0)
            signal[i] += 0.1f * cexpf((float complex)I * (float)(6.283185307179586 * fmod(1e-7 * (double)i * (double)i, 1.0)));
    struct shapes whole = look(4096, false), pieces = look(80, false), bits = look(700, true);
    ck_assert_uint_ge(whole.n, 10);
    ck_assert_uint_eq(whole.n, pieces.n);
    ck_assert_uint_eq(whole.n, bits.n);
    for (size_t i = 0; i < whole.n; i++) {
        ck_assert_uint_eq(whole.at[i].sample, pieces.at[i].sample);
        ck_assert_uint_eq(whole.at[i].sample, bits.at[i].sample);
        ck_assert(memcmp(&whole.at[i].shape, &pieces.at[i].shape, sizeof whole.at[i].shape) == 0);
        ck_assert(memcmp(&whole.at[i].shape, &bits.at[i].shape, sizeof whole.at[i].shape) == 0);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("shape");
    tcase_add_test(tc, a_carrier_has_a_steady_envelope_and_one_frequency);
    tcase_add_test(tc, noise_has_a_kurtosis_of_two_and_no_memory);
    tcase_add_test(tc, silence_and_what_comes_and_goes_within_it_have_no_shape);
    tcase_add_test(tc, shapes_do_not_depend_on_how_samples_are_cut);
    suite_add_tcase(suite, tc);
}
