#define SUITE_NAME "phy eigenvalue"
#include "phy/sensing/eigenvalue.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/sensing/eigen.h"
#include "tests/unit/check_main.h"

START_TEST(extremes_of_matrices_with_known_eigenvalues)
{
    double least, largest;
    double complex one[PHY_EIGEN_MAX][PHY_EIGEN_MAX] = {{7}};
    phy_eigen_extremes(one, 1, &least, &largest);
    ck_assert_double_eq(least, 7);
    ck_assert_double_eq(largest, 7);
    double complex two[PHY_EIGEN_MAX][PHY_EIGEN_MAX] = {{2, CMPLX(1, 2)}, {CMPLX(1, -2), -1}};
    phy_eigen_extremes(two, 2, &least, &largest); /* (1 +- sqrt 29) / 2 */
    ck_assert_double_eq_tol(least, (1 - sqrt(29)) / 2, 1e-14);
    ck_assert_double_eq_tol(largest, (1 + sqrt(29)) / 2, 1e-14);
    for (unsigned n = 3; n <= PHY_EIGEN_MAX; n++) { /* j above, -j below the diagonal: 2 cos(k pi / (n + 1)) */
        double complex a[PHY_EIGEN_MAX][PHY_EIGEN_MAX] = {{0}};
        for (unsigned i = 0; i + 1 < n; i++) {
            a[i][i + 1] = CMPLX(0, 1);
            a[i + 1][i] = CMPLX(0, -1);
        }
        phy_eigen_extremes(a, n, &least, &largest);
        ck_assert_double_eq_tol(largest, 2 * cos(acos(-1) / (n + 1)), 1e-13);
        ck_assert_double_eq_tol(least, -largest, 1e-13);
    }
}
END_TEST

START_TEST(quantiles_of_tracy_and_widom_are_the_published_ones)
{
    /* order 2: the values of Bejan (2005) and Chiani (2014) to their three digits */
    ck_assert_double_eq_tol(phy_tracy_widom_threshold(.1), -.597, 1e-3);
    ck_assert_double_eq_tol(phy_tracy_widom_threshold(.05), -.232, 1e-3);
    ck_assert_double_eq_tol(phy_tracy_widom_threshold(.01), .478, 1e-3);
    ck_assert_double_eq_tol(phy_tracy_widom_threshold(.07), -.4033, 2e-3); /* between entries, from the determinant */
    ck_assert_double_eq(phy_tracy_widom_threshold(.9), phy_tracy_widom_threshold(.5));
    ck_assert_double_eq_tol(phy_tracy_widom_threshold(1e-9), 2.0347, 1e-9);
}
END_TEST

static struct phy_eigenvalue_detector calibrate(unsigned n_antennas, unsigned smoothing, uint64_t n, double p_fa, uint32_t n_draws)
{
    struct phy_eigenvalue_config cfg = {n_antennas, smoothing, n, p_fa, 5, n_draws};
    struct phy_eigenvalue_detector d;
    const char *bad_field;
    size_t len = phy_eigenvalue_bytes(&cfg);
    void *mem = malloc(len);
    ck_assert_int_eq(phy_eigenvalue_init(mem, len, &cfg, &d, &bad_field), 0);
    free(mem);
    return d;
}

/* Two antennas without smoothing give a Wishart matrix of order 2, whose eigenvalue ratio has a density in closed form (James
 * 1964): of q = largest / trace, with s = 1 + 2 snr the signal's eigenvalue. */
static double density(double q, double n, double s)
{
    double power = exp((n - 2) * log(4 * q * (1 - q)));
    if (s <= 1)
        return power * (2 * q - 1) * (2 * q - 1);
    double a = exp(-(2 * n - 1) * log(2 * (q / s + 1 - q))), b = exp(-(2 * n - 1) * log(2 * (q + (1 - q) / s)));
    return power * (2 * q - 1) * (a - b);
}

static double exact_p(double n, double threshold, double s)
{
    enum { STEPS = 200000 };
    double whole = 0, above = 0, limit = threshold / (1 + threshold);
    for (int i = 0; i < STEPS; i++) {
        double q = .5 + .5 * (i + .5) / STEPS, f = density(q, n, s);
        whole += f;
        above += q > limit ? f : 0;
    }
    return above / whole;
}

START_TEST(two_antennas_follow_the_exact_law_of_wishart_matrices)
{
    enum { N = 100, TRIALS = 20000, DRAWS = 20000 };
    const double p_fa = .1, snr = .1;
    struct phy_eigenvalue_detector d = calibrate(2, 1, N, p_fa, DRAWS);
    double false_alarms = exact_p(N, d.threshold, 1), p_d = exact_p(N, d.threshold, 1 + 2 * snr);
    static struct phy_awgn noise, signal;
    static float complex x[2 * N], s[N];
    unsigned n_false = 0, n_detected = 0;
    phy_awgn_init(&noise, 6, 1, PHY_SIMD_AUTO);
    phy_awgn_init(&signal, 6, 2, PHY_SIMD_AUTO);
    const float complex *const streams[2] = {x, x + N};
    for (uint64_t i = 0; i < TRIALS; i++) {
        memset(x, 0, sizeof x);
        memset(s, 0, sizeof s);
        phy_awgn_add(&noise, i * 2 * N, 1, x, 2 * N);
        n_false += phy_eigenvalue_judge(&d, streams).occupied;
        phy_awgn_add(&signal, i * N, (float)snr, s, N);
        for (size_t k = 0; k < N; k++) {
            x[k] += s[k];
            x[k + N] += s[k] * CMPLXF(0, 1); /* another path's phase */
        }
        n_detected += phy_eigenvalue_judge(&d, streams).occupied;
    }
    double z_calibrated = (false_alarms - p_fa) / sqrt(p_fa * (1 - p_fa) / DRAWS);
    double z_false = ((double)n_false / TRIALS - false_alarms) / sqrt(false_alarms * (1 - false_alarms) / TRIALS);
    double z_detected = ((double)n_detected / TRIALS - p_d) / sqrt(p_d * (1 - p_d) / TRIALS);
    printf("threshold %.4f: P_fa exact %.4f (z %.2f), measured %.4f (z %.2f); P_d exact %.4f, measured %.4f (z %.2f)\n",
           d.threshold, false_alarms, z_calibrated, (double)n_false / TRIALS, z_false, p_d, (double)n_detected / TRIALS, z_detected);
    ck_assert_double_le(fabs(z_calibrated), 3.5);
    ck_assert_double_le(fabs(z_false), 3.5);
    ck_assert_double_le(fabs(z_detected), 3.5);
}
END_TEST

START_TEST(the_covariance_is_that_of_its_definition)
{
    enum { N = 50, L = 4, M = 3, K = M * L };
    static struct phy_awgn g;
    static float complex x[M][N + L - 1];
    memset(x, 0, sizeof x);
    phy_awgn_init(&g, 8, 1, PHY_SIMD_AUTO);
    for (unsigned a = 0; a < M; a++)
        phy_awgn_add(&g, a * 1000, 1, x[a], N + L - 1);
    double complex r[PHY_EIGEN_MAX][PHY_EIGEN_MAX] = {{0}};
    for (size_t n = 0; n < N; n++)
        for (unsigned i = 0; i < K; i++)
            for (unsigned j = 0; j < K; j++)
                r[i][j] += (double complex)x[i / L][n + L - 1 - i % L] * conj((double complex)x[j / L][n + L - 1 - j % L]);
    double least, largest;
    phy_eigen_extremes(r, K, &least, &largest);
    struct phy_eigenvalue_detector d = {M, L, N, 1, 1};
    const float complex *const streams[M] = {x[0], x[1], x[2]};
    ck_assert_double_eq_tol(phy_eigenvalue_judge(&d, streams).statistic / (largest / least), 1, 1e-4);
}
END_TEST

START_TEST(silence_is_no_signal_and_a_tone_is_one)
{
    static float complex x[1007];
    const float complex *stream = x;
    struct phy_eigenvalue_detector d = calibrate(1, 8, 1000, .1, 200);
    ck_assert(!phy_eigenvalue_judge(&d, &stream).occupied);
    for (size_t i = 0; i < 1007; i++)
        x[i] = cexpf((float complex)I * (float)(.7 * (double)i));
    ck_assert(phy_eigenvalue_judge(&d, &stream).occupied);
}
END_TEST

START_TEST(the_asymptotic_threshold_is_near_and_not_the_verdicts)
{
    struct phy_eigenvalue_detector d = calibrate(1, 8, 10000, .1, 2000);
    /* ((sqrt n + sqrt 8) / (sqrt n - sqrt 8))^2 = 1.1198, times 1 + .0070 (-.5969) */
    ck_assert_double_eq(d.asymptotic, phy_eigenvalue_asymptotic(10000, 8, .1));
    ck_assert_double_eq_tol(d.asymptotic, 1.1198 * (1 - .5969 * pow(100 + sqrt(8), -2. / 3) / pow(80000, 1. / 6)), 1e-4);
    ck_assert_double_gt(fabs(d.threshold - d.asymptotic), 1e-4);
    ck_assert_double_eq_tol(d.threshold, d.asymptotic, .02);
}
END_TEST

START_TEST(a_configuration_out_of_bounds_is_named)
{
    const struct phy_eigenvalue_config good = {1, 8, 1000, .1, 1, 1000};
    struct phy_eigenvalue_config bad[6] = {good, good, good, good, good, good};
    const char *const fields[] = {"n_antennas", "smoothing", "smoothing", "n_samples", "p_fa", "n_calibration"};
    bad[0].n_antennas = 5;
    bad[1].smoothing = 17;
    bad[2].n_antennas = 3; /* 24 in all */
    bad[3].n_samples = 15;
    bad[4].p_fa = .009; /* fewer than ten of the draws */
    bad[5].n_calibration = 99;
    for (size_t i = 0; i < 6; i++) {
        struct phy_eigenvalue_detector d;
        const char *bad_field;
        ck_assert_uint_eq(phy_eigenvalue_bytes(&bad[i]), 0);
        ck_assert_int_eq(phy_eigenvalue_init(&d, 0, &bad[i], &d, &bad_field), -EINVAL);
        ck_assert_str_eq(bad_field, fields[i]);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("eigenvalue");
    tcase_add_test(tcase, extremes_of_matrices_with_known_eigenvalues);
    tcase_add_test(tcase, quantiles_of_tracy_and_widom_are_the_published_ones);
    tcase_add_test(tcase, two_antennas_follow_the_exact_law_of_wishart_matrices);
    tcase_add_test(tcase, the_covariance_is_that_of_its_definition);
    tcase_add_test(tcase, silence_is_no_signal_and_a_tone_is_one);
    tcase_add_test(tcase, the_asymptotic_threshold_is_near_and_not_the_verdicts);
    tcase_add_test(tcase, a_configuration_out_of_bounds_is_named);
    suite_add_tcase(suite, tcase);
}
