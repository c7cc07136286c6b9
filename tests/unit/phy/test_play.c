#define SUITE_NAME "phy play"
#include <errno.h>

#include "phy/sensing/energy.h"
#include "phy/air/play.h"
#include "phy/sensing/welch.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/link.h"

enum { N = 20000 };

static float complex *make_tone(double turns_per_sample)
{
    float complex *x = malloc(N * sizeof *x);
    for (size_t i = 0; i < N; i++)
        x[i] = 0.1f * (float complex)cexp(2.0 * I * acos(-1.0) * fmod(turns_per_sample * (double)i, 1.0));
    return x;
}

/* The frequency, as a share of the rate, of the strongest bin of the loop played twice: the seam is part of it. */
static double find_peak(const float complex *loop, size_t n, float *peak_share_out)
{
    enum { N_FFT = 1024 };
    struct phy_welch *w;
    float psd[N_FFT];
    ck_assert_int_eq(phy_welch_open(&w, N_FFT, PHY_SIMD_AUTO), 0);
    phy_welch_push(w, loop, n);
    phy_welch_push(w, loop, n);
    phy_welch_psd(w, psd);
    phy_welch_close(w);
    size_t peak = 0;
    for (size_t i = 1; i < N_FFT; i++)
        peak = psd[i] > psd[peak] ? i : peak;
    *peak_share_out = 0.0f;
    for (size_t i = peak < 3 ? 0 : peak - 3; i <= peak + 3 && i < N_FFT; i++)
        *peak_share_out += psd[i];
    return ((double)peak - N_FFT / 2) / N_FFT;
}

START_TEST(a_tone_keeps_its_frequency_through_every_ratio)
{
    const double rates_in[] = {10e6, 2.4e6, 2e6, 20e6, 61.44e6, 3.3e6};
    for (size_t i = 0; i < sizeof rates_in / sizeof *rates_in; i++) {
        double tone_hz = 200e3, offset_hz = 1e6;
        size_t n_cycles = (size_t)(tone_hz / rates_in[i] * N);
        float complex *x = make_tone((double)n_cycles / N); /* whole cycles: a loop without seam */
        size_t cap = phy_play_capacity(N, rates_in[i], 10e6), n_out;
        float complex *out = malloc(cap * sizeof *out);
        ck_assert_int_eq(phy_play_prepare(x, N, rates_in[i], 10e6, offset_hz, out, cap, &n_out), 0);
        ck_assert_uint_le(n_out, cap);
        ck_assert_uint_ge(n_out + 1, cap - 1);
        ck_assert_double_eq_tol(phy_energy_sum(out, n_out) / (double)n_out, 1.0, 1e-4);
        float share;
        double found_hz = find_peak(out, n_out, &share) * 10e6;
        printf("from %.2f Msps: %zu samples, tone at %.0f Hz, %.4f of the power\n", rates_in[i] / 1e6, n_out, found_hz,
               (double)share);
        ck_assert_double_eq_tol(found_hz, tone_hz + offset_hz, 10e6 / 1024);
        ck_assert_float_ge(share, 0.99f);
        free(x);
        free(out);
    }
}
END_TEST

START_TEST(the_loop_closes_without_a_jump)
{
    float complex *x = make_tone(400.0 / N);
    size_t cap = phy_play_capacity(N, 2e6, 10e6), n_out;
    float complex *out = malloc(cap * sizeof *out);
    ck_assert_int_eq(phy_play_prepare(x, N, 2e6, 10e6, 123456.7, out, cap, &n_out), 0);
    double largest = 0.0;
    for (size_t i = 1; i < n_out; i++)
        largest = fmax(largest, (double)cabsf(out[i] - out[i - 1]));
    ck_assert_double_le((double)cabsf(out[0] - out[n_out - 1]), 1.5 * largest);
    free(x);
    free(out);
}
END_TEST

START_TEST(the_same_rate_only_scales)
{
    float complex *x = make_tone(0.01), *out = malloc(N * sizeof *out + 8);
    x[7] = NAN;
    size_t n_out;
    ck_assert_int_eq(phy_play_prepare(x, N, 1e6, 1e6, 0.0, out, N + 1, &n_out), 0);
    ck_assert_uint_eq(n_out, N);
    ck_assert_float_eq(cabsf(out[7]), 0.0f);
    for (size_t i = 8; i < N; i++)
        ck_assert_float_le(cabsf(out[i] - 10.0f * x[i]), 1e-3f);
    free(x);
    free(out);
}
END_TEST

START_TEST(unusable_input_is_refused)
{
    float complex x[100] = {0}, out[200];
    size_t n_out;
    ck_assert_int_eq(phy_play_prepare(x, 100, 1e6, 1e6, 0.0, out, 200, &n_out), -ENODATA);
    x[3] = 1.0f;
    ck_assert_int_eq(phy_play_prepare(x, 0, 1e6, 1e6, 0.0, out, 200, &n_out), -EINVAL);
    ck_assert_int_eq(phy_play_prepare(x, 100, 0.0, 1e6, 0.0, out, 200, &n_out), -EINVAL);
    ck_assert_int_eq(phy_play_prepare(x, 100, 1e6, NAN, 0.0, out, 200, &n_out), -EINVAL);
    ck_assert_int_eq(phy_play_prepare(x, 100, 1.0, 1e6, 0.0, out, 200, &n_out), -EINVAL);
    ck_assert_int_eq(phy_play_prepare(x, 100, 1e6, 1e6, 6e5, out, 200, &n_out), -EINVAL);
    ck_assert_int_eq(phy_play_prepare(x, 100, 1e6, 1e6, NAN, out, 200, &n_out), -EINVAL);
    ck_assert_int_eq(phy_play_prepare(x, 100, 1e6, 3e6, 0.0, out, 200, &n_out), -ENOBUFS);
    ck_assert_int_eq(phy_play_prepare(x, 1, 1e6, 5e5, 0.0, out, 200, &n_out), -EINVAL);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("play");
    tcase_add_test(tcase, a_tone_keeps_its_frequency_through_every_ratio);
    tcase_add_test(tcase, the_loop_closes_without_a_jump);
    tcase_add_test(tcase, the_same_rate_only_scales);
    tcase_add_test(tcase, unusable_input_is_refused);
    suite_add_tcase(suite, tcase);
}
