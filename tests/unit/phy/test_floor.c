#define SUITE_NAME "phy noise floor and bandwidth"
#include "tests/unit/check_main.h"

#include "phy/air/awgn.h"
#include "phy/sensing/bandwidth.h"
#include "phy/sensing/floor.h"
#include "phy/sensing/welch.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { N_SAMPLES = 400000, N_FFT = 256 };

static float complex air[N_SAMPLES];

static void add_noise(uint64_t seed, size_t start, size_t n, double power_db)
{
    static struct phy_awgn g;
    phy_awgn_init(&g, seed, 0, PHY_SIMD_BASELINE);
    phy_awgn_add(&g, 0, (float)pow(10, power_db / 10), air + start, n);
}

static double estimate_db(size_t n, double *idle_share_out)
{
    static struct phy_floor f;
    struct phy_floor_estimate estimate;
    phy_floor_init(&f);
    phy_floor_push(&f, air, n);
    phy_floor_estimate(&f, &estimate);
    *idle_share_out = estimate.idle_share;
    return 10 * log10(estimate.power);
}

/* Noise at -70 dB, under signals that fill a share of the time at 10 to 50 dB above it. */
START_TEST(the_floor_is_found_whatever_share_is_occupied)
{
    static const double shares[] = {0, .3, .7, .9, .97};
    for (size_t k = 0; k < 5; k++) {
        memset(air, 0, sizeof air);
        add_noise(k, 0, N_SAMPLES, -70);
        for (size_t i = 0; i < 100; i++)
            add_noise(100 + i, i * 4000, (size_t)(shares[k] * 4000), -60 + (double)(i % 5) * 10);
        double idle_share, floor_db = estimate_db(N_SAMPLES, &idle_share);
        printf("occupied %.2f: floor %.2f dB, idle %.3f\n", shares[k], floor_db, idle_share);
        ck_assert_double_eq_tol(floor_db, -70, .15);
        ck_assert_double_eq_tol(idle_share, 1 - shares[k], .02);
    }
}
END_TEST

START_TEST(digital_silence_does_not_count_as_the_receivers_noise)
{
    memset(air, 0, sizeof air);
    add_noise(1, 0, N_SAMPLES / 2, -70);
    double idle_share;
    ck_assert_double_eq_tol(estimate_db(N_SAMPLES, &idle_share), -70, .15);
    ck_assert_double_eq_tol(idle_share, .5, .02);
    memset(air, 0, sizeof air);
    ck_assert(isinf(estimate_db(N_SAMPLES, &idle_share)));
}
END_TEST

static uint64_t make_psd(float *psd, size_t n)
{
    struct phy_welch *w;
    ck_assert_int_eq(phy_welch_open(&w, N_FFT, PHY_SIMD_AUTO), 0);
    phy_welch_push(w, air, n);
    uint64_t n_segments = phy_welch_psd(w, psd);
    phy_welch_close(w);
    return n_segments;
}

/* Tones every half bin with fixed phases: a flat band from low to high, in fractions of the sample rate. */
static void add_band(double low, double high, double power_db)
{
    enum { PER_RATE = 512 };
    int first = (int)ceil(low * PER_RATE), last = (int)floor(high * PER_RATE);
    double amplitude = sqrt(pow(10, power_db / 10) / (last - first + 1));
    for (size_t i = 0; i < N_SAMPLES / 10; i++) {
        double complex sum = 0;
        for (int k = first; k <= last; k++) {
            double phase = 6.283185307179586 * ((double)k * (double)i / PER_RATE + .37 * k * k);
            sum += cos(phase) + (double complex)I * sin(phase);
        }
        air[i] += (float complex)(amplitude * sum);
    }
}

START_TEST(a_signal_that_never_ends_leaves_its_floor_in_the_quiet_part_of_the_spectrum)
{
    float psd[N_FFT] = {0};
    memset(air, 0, sizeof air);
    add_noise(3, 0, N_SAMPLES / 10, -70);
    add_band(-.2, .3, -30);
    double idle_share, in_time = estimate_db(N_SAMPLES / 10, &idle_share);
    ck_assert_double_gt(in_time, -40);
    make_psd(psd, N_SAMPLES / 10);
    ck_assert_double_eq_tol(10 * log10(phy_floor_in_band(psd, N_FFT)), -70, 1);
}
END_TEST

START_TEST(the_occupied_band_is_the_one_that_was_filled)
{
    float psd[N_FFT] = {0};
    double low, high;
    memset(air, 0, sizeof air);
    add_noise(4, 0, N_SAMPLES / 10, -70);
    add_band(-.2, .3, -40);
    uint64_t n_segments = make_psd(psd, N_SAMPLES / 10);
    ck_assert_int_eq(phy_bandwidth(psd, N_FFT, n_segments, 1e-7, &low, &high), 0);
    /* half a percent of the power lies outside of either edge: .0025 of the rate */
    ck_assert_double_eq_tol(low, -.2 + .0025, 1.5 / N_FFT);
    ck_assert_double_eq_tol(high, .3 - .0025, 1.5 / N_FFT);
}
END_TEST

START_TEST(the_receivers_dc_leak_is_not_the_signal)
{
    float psd[N_FFT] = {0};
    double low, high;
    memset(air, 0, sizeof air);
    add_noise(5, 0, N_SAMPLES / 10, -70);
    add_band(.1, .3, -40);
    for (size_t i = 0; i < N_SAMPLES / 10; i++)
        air[i] += .1f;
    uint64_t n_segments = make_psd(psd, N_SAMPLES / 10);
    ck_assert_int_eq(phy_bandwidth(psd, N_FFT, n_segments, 1e-7, &low, &high), 0);
    ck_assert_double_eq_tol(low, .1, 1.5 / N_FFT);
    ck_assert_double_eq_tol(high, .3, 1.5 / N_FFT);
}
END_TEST

START_TEST(noise_has_no_band)
{
    float psd[N_FFT] = {0};
    double low, high;
    memset(air, 0, sizeof air);
    ck_assert_int_eq(phy_bandwidth(psd, 4, 10, 1e-7, &low, &high), -ENODATA);
    add_noise(6, 0, N_SAMPLES / 10, -70);
    uint64_t n_segments = make_psd(psd, N_SAMPLES / 10);
    ck_assert_int_eq(phy_bandwidth(psd, N_FFT, 0, 1e-7, &low, &high), -ENODATA);
    ck_assert_int_eq(phy_bandwidth(psd, N_FFT, n_segments, 2e-7, &low, &high), -ENODATA);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("floor");
    tcase_add_test(tc, the_floor_is_found_whatever_share_is_occupied);
    tcase_add_test(tc, digital_silence_does_not_count_as_the_receivers_noise);
    tcase_add_test(tc, a_signal_that_never_ends_leaves_its_floor_in_the_quiet_part_of_the_spectrum);
    tcase_add_test(tc, the_occupied_band_is_the_one_that_was_filled);
    tcase_add_test(tc, the_receivers_dc_leak_is_not_the_signal);
    tcase_add_test(tc, noise_has_no_band);
    suite_add_tcase(suite, tc);
}
