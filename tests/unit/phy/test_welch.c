#define SUITE_NAME "phy welch"
#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/sensing/energy.h"
#include "phy/sensing/welch.h"
#include "tests/unit/check_main.h"

enum { N_FFT = 256, N = 100000 };

static struct phy_welch *open_welch(size_t n_fft)
{
    struct phy_welch *w = NULL;
    ck_assert_int_eq(phy_welch_open(&w, n_fft, PHY_SIMD_AUTO), 0);
    return w;
}

START_TEST(only_powers_of_two_from_16_to_65536_are_taken)
{
    struct phy_welch *w = NULL;
    const size_t bad[] = {0, 1, 8, 15, 17, 100, 1000, 65537, 131072};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(phy_welch_open(&w, bad[i], PHY_SIMD_AUTO), -EINVAL);
    const size_t good[] = {16, 1024, 65536};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        phy_welch_close(open_welch(good[i]));
}
END_TEST

START_TEST(a_tone_stands_in_its_bin_with_its_power)
{
    struct phy_welch *w = open_welch(N_FFT);
    float complex *x = malloc(N * sizeof *x);
    for (size_t i = 0; i < N; i++)
        x[i] = 0.5f * cexpf((float complex)I * (float)(2.0 * acos(-1.0) * fmod(-40.0 / N_FFT * (double)i, 1.0)));
    phy_welch_push(w, x, N);
    float psd[N_FFT];
    ck_assert_uint_eq(phy_welch_psd(w, psd), (N - N_FFT) / (N_FFT / 2) + 1);
    size_t peak = 0;
    double total = 0.0;
    for (size_t i = 0; i < N_FFT; i++) {
        total += (double)psd[i];
        peak = psd[i] > psd[peak] ? i : peak;
    }
    ck_assert_uint_eq(peak, N_FFT / 2 - 40);
    ck_assert_double_eq_tol(total, 0.25, 1e-5);
    ck_assert_double_eq_tol((double)psd[peak] / 0.25, 2.0 / 3.0, 1e-4); /* Hann: 2/3 in the bin, 1/6 in each neighbour */
    for (size_t i = 0; i < N_FFT; i++)
        if (i + 2 < peak || i > peak + 2)
            ck_assert_double_le((double)psd[i], 1e-10);
    phy_welch_close(w);
    free(x);
}
END_TEST

START_TEST(white_noise_is_flat_and_its_bins_add_up_to_its_power)
{
    static struct phy_awgn g;
    struct phy_welch *w = open_welch(N_FFT);
    float complex *x = calloc(N, sizeof *x);
    phy_awgn_init(&g, 1, 1, phy_simd_best());
    phy_awgn_add(&g, 0, 1.0f, x, N);
    phy_welch_push(w, x, N);
    float psd[N_FFT];
    uint64_t n_segments = phy_welch_psd(w, psd);
    /* with half overlap and Hann's window the variance of a bin is 19/18 of that of independent segments */
    double bin_stderr = sqrt(19.0 / 18.0 / (double)n_segments) / N_FFT, worst = 0.0, total = 0.0;
    for (size_t i = 0; i < N_FFT; i++) {
        total += (double)psd[i];
        worst = fmax(worst, fabs((double)psd[i] - 1.0 / N_FFT) / bin_stderr);
    }
    printf("%llu segments, worst of %d bins %.2f standard errors, total %.5f, mean power %.5f\n",
           (unsigned long long)n_segments, N_FFT, worst, total, phy_energy_sum(x, N) / N);
    ck_assert_double_le(worst, 4.6); /* 3.5 for one; this for the worst of 256 */
    ck_assert_double_eq_tol(total, phy_energy_sum(x, N) / N, 3e-3);
    phy_welch_close(w);
    free(x);
}
END_TEST

START_TEST(the_spectrum_does_not_depend_on_how_samples_are_cut)
{
    static struct phy_awgn g;
    float complex *x = calloc(N, sizeof *x);
    phy_awgn_init(&g, 2, 1, phy_simd_best());
    phy_awgn_add(&g, 0, 1.0f, x, N);
    struct phy_welch *whole = open_welch(N_FFT), *cut = open_welch(N_FFT);
    phy_welch_push(whole, x, N);
    uint64_t state = 1;
    for (size_t at = 0; at < N;) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t n = (size_t)(state >> 33) % 700;
        n = n < N - at ? n : N - at;
        phy_welch_push(cut, x + at, n);
        at += n;
    }
    float a[N_FFT], b[N_FFT];
    ck_assert_uint_eq(phy_welch_psd(whole, a), phy_welch_psd(cut, b));
    ck_assert_mem_eq(a, b, sizeof a);
    phy_welch_reset(cut);
    ck_assert_uint_eq(phy_welch_psd(cut, b), 0);
    ck_assert_float_eq(b[3], 0.0f);
    phy_welch_push(cut, x, N);
    phy_welch_psd(cut, b);
    ck_assert_mem_eq(a, b, sizeof a);
    phy_welch_close(whole);
    phy_welch_close(cut);
    free(x);
}
END_TEST

START_TEST(plain_c_and_the_processors_best_give_the_same_bits)
{
    static struct phy_awgn g;
    float complex *x = calloc(N, sizeof *x);
    phy_awgn_init(&g, 3, 1, phy_simd_best());
    phy_awgn_add(&g, 0, 1.0f, x, N);
    const size_t sizes[] = {16, 256, 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct phy_welch *plain = NULL, *best = NULL;
        float a[1024], b[1024];
        ck_assert_int_eq(phy_welch_open(&plain, sizes[i], PHY_SIMD_BASELINE), 0);
        ck_assert_int_eq(phy_welch_open(&best, sizes[i], PHY_SIMD_AUTO), 0);
        phy_welch_push(plain, x, N);
        phy_welch_push(best, x, N);
        ck_assert_uint_eq(phy_welch_psd(plain, a), phy_welch_psd(best, b));
        ck_assert_mem_eq(a, b, sizes[i] * sizeof *a);
        phy_welch_close(plain);
        phy_welch_close(best);
    }
    free(x);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("welch");
    tcase_add_test(tcase, only_powers_of_two_from_16_to_65536_are_taken);
    tcase_add_test(tcase, a_tone_stands_in_its_bin_with_its_power);
    tcase_add_test(tcase, white_noise_is_flat_and_its_bins_add_up_to_its_power);
    tcase_add_test(tcase, the_spectrum_does_not_depend_on_how_samples_are_cut);
    tcase_add_test(tcase, plain_c_and_the_processors_best_give_the_same_bits);
    suite_add_tcase(suite, tcase);
}
