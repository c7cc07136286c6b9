#define SUITE_NAME "phy awgn"
#include <math.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "tests/unit/check_main.h"

enum { N = 1 << 21 };

static float complex *make_noise(uint64_t seed, uint64_t stream, enum phy_simd simd, uint64_t start, size_t n)
{
    static struct phy_awgn g;
    float complex *x = calloc(n, sizeof *x);
    ck_assert_ptr_nonnull(x);
    phy_awgn_init(&g, seed, stream, simd);
    phy_awgn_add(&g, start, 2.0f, x, n); /* variance 1 in each part */
    return x;
}

static void check_mean(const char *what, double measured, double expected, double variance, double n)
{
    double stderr_of_mean = sqrt(variance / n);
    printf("%s: %.6f, expected %.6f, n %.0f, z %.2f\n", what, measured, expected, n, (measured - expected) / stderr_of_mean);
    ck_assert_double_le(fabs(measured - expected), 3.5 * stderr_of_mean);
}

START_TEST(every_instruction_set_gives_the_same_bits)
{
    float complex *plain = make_noise(7, 9, PHY_SIMD_BASELINE, 1000, 50000);
    float complex *best = make_noise(7, 9, phy_simd_best(), 1000, 50000);
    printf("scalar against %s\n", phy_simd_name(phy_simd_best()));
    ck_assert_mem_eq(plain, best, 50000 * sizeof *plain);
    free(plain);
    free(best);
}
END_TEST

START_TEST(moments_to_the_fourth_order_are_those_of_a_normal_law)
{
    float complex *x = make_noise(1, 2, phy_simd_best(), 0, N);
    double m[5] = {0}, cross = 0.0, power = 0.0;
    for (size_t i = 0; i < N; i++) {
        double re = (double)crealf(x[i]), im = (double)cimagf(x[i]);
        cross += re * im;
        power += (re * re + im * im) / 2.0;
        double p = 1.0, q = 1.0;
        for (int k = 1; k <= 4; k++) {
            p *= re;
            q *= im;
            m[k] += p + q;
        }
    }
    double n = 2.0 * N;
    check_mean("mean", m[1] / n, 0.0, 1.0, n);
    check_mean("variance", m[2] / n, 1.0, 2.0, n);
    check_mean("third moment", m[3] / n, 0.0, 15.0, n);
    check_mean("fourth moment", m[4] / n, 3.0, 96.0, n);
    check_mean("parts' correlation", cross / N, 0.0, 1.0, N);
    check_mean("power", power / N, 1.0, 1.0, N);
    free(x);
}
END_TEST

START_TEST(tails_to_five_sigma_are_those_of_a_normal_law)
{
    static struct phy_awgn g;
    static float complex block[4096];
    enum { N_BLOCKS = 4096 }; /* 33.5 million values: 19 beyond 5 sigma */
    double n_beyond[6] = {0};
    phy_awgn_init(&g, 3, 4, phy_simd_best());
    for (uint64_t b = 0; b < N_BLOCKS; b++) {
        memset(block, 0, sizeof block);
        phy_awgn_add(&g, b * 4096, 2.0f, block, 4096);
        const float *v = (const float *)block;
        for (size_t i = 0; i < 8192; i++)
            for (int k = 1; k <= 5; k++)
                n_beyond[k] += fabsf(v[i]) > (float)k;
    }
    double n = 8192.0 * N_BLOCKS;
    for (int k = 1; k <= 5; k++) {
        double p = erfc(k / sqrt(2.0));
        char what[32];
        snprintf(what, sizeof what, "beyond %d sigma", k);
        check_mean(what, n_beyond[k] / n, p, p * (1.0 - p), n);
    }
}
END_TEST

static double correlation(const float complex *a, const float complex *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)crealf(a[i] * conjf(b[i]));
    return sum / (double)n;
}

START_TEST(streams_seeds_neighbours_and_blocks_are_uncorrelated)
{
    float complex *x = make_noise(1, 2, phy_simd_best(), 0, N);
    float complex *other_stream = make_noise(1, 3, phy_simd_best(), 0, N);
    float complex *other_channel = make_noise(1, UINT64_C(1) << 32 | 2, phy_simd_best(), 0, N);
    float complex *other_seed = make_noise(2, 2, phy_simd_best(), 0, N);
    check_mean("stream", correlation(x, other_stream, N), 0.0, 2.0, N);
    check_mean("listener", correlation(x, other_channel, N), 0.0, 2.0, N);
    check_mean("seed", correlation(x, other_seed, N), 0.0, 2.0, N);
    const size_t lags[] = {1, 2, 8, 16, 31, 32, 33, 64, 512, 1024, 2048};
    for (size_t i = 0; i < sizeof lags / sizeof *lags; i++) {
        char what[32];
        snprintf(what, sizeof what, "lag %zu", lags[i]);
        check_mean(what, correlation(x, x + lags[i], N - lags[i]), 0.0, 2.0, (double)(N - lags[i]));
    }
    free(x);
    free(other_stream);
    free(other_channel);
    free(other_seed);
}
END_TEST

START_TEST(a_sample_depends_on_its_index_and_not_on_the_reading_order)
{
    enum { LEN = 10000 };
    float complex *whole = make_noise(5, 6, phy_simd_best(), 12345, LEN);
    static struct phy_awgn g;
    phy_awgn_init(&g, 5, 6, phy_simd_best());
    for (size_t k = 0; k < LEN; k++) {
        size_t i = (k * 7919) % LEN;
        float complex x = 0.0f;
        phy_awgn_add(&g, 12345 + i, 2.0f, &x, 1);
        ck_assert_mem_eq(&x, &whole[i], sizeof x);
    }
    free(whole);
}
END_TEST

START_TEST(noise_is_added_with_the_power_asked_for)
{
    static struct phy_awgn g;
    float complex *x = malloc(N * sizeof *x);
    for (size_t i = 0; i < N; i++)
        x[i] = 3.0f;
    phy_awgn_init(&g, 8, 1, phy_simd_best());
    phy_awgn_add(&g, 0, 0.25f, x, N);
    double mean = 0.0, power = 0.0;
    for (size_t i = 0; i < N; i++) {
        float complex d = x[i] - 3.0f;
        mean += (double)crealf(d);
        power += (double)(crealf(d) * crealf(d) + cimagf(d) * cimagf(d));
    }
    check_mean("mean", mean / N, 0.0, 0.125, N);
    check_mean("power", power / N, 0.25, 0.0625, N);
    free(x);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("awgn");
    tcase_add_test(tcase, every_instruction_set_gives_the_same_bits);
    tcase_add_test(tcase, moments_to_the_fourth_order_are_those_of_a_normal_law);
    tcase_add_test(tcase, tails_to_five_sigma_are_those_of_a_normal_law);
    tcase_add_test(tcase, streams_seeds_neighbours_and_blocks_are_uncorrelated);
    tcase_add_test(tcase, a_sample_depends_on_its_index_and_not_on_the_reading_order);
    tcase_add_test(tcase, noise_is_added_with_the_power_asked_for);
    suite_add_tcase(suite, tcase);
}
