#include "phy/sensing/eigenvalue.h"
#include "phy/air/awgn.h"
#include "phy/sensing/eigen.h"
#include "phy/sensing/normal.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef double complex matrix[PHY_EIGEN_MAX][PHY_EIGEN_MAX];

/* Sum of a b*. */
static double complex sum_products(const float complex *samples_a, const float complex *samples_b, size_t n)
{
    enum { N_LANES = 8, CHUNK = 512 };
    const float *a = (const float *)samples_a, *b = (const float *)samples_b;
    double re = 0.0, im = 0.0;
    for (size_t at = 0; at < n; at += CHUNK) {
        size_t end = n - at < CHUNK ? n : at + CHUNK, i = at;
        float re_lanes[N_LANES] = {0}, im_lanes[N_LANES] = {0};
        for (; i + N_LANES <= end; i += N_LANES)
            for (size_t k = 0; k < N_LANES; k++) {
                float ar = a[2 * (i + k)], ai = a[2 * (i + k) + 1], br = b[2 * (i + k)], bi = b[2 * (i + k) + 1];
                re_lanes[k] += ar * br + ai * bi;
                im_lanes[k] += ai * br - ar * bi;
            }
        for (size_t k = 0; i + k < end; k++) {
            float ar = a[2 * (i + k)], ai = a[2 * (i + k) + 1], br = b[2 * (i + k)], bi = b[2 * (i + k) + 1];
            re_lanes[k] += ar * br + ai * bi;
            im_lanes[k] += ai * br - ar * bi;
        }
        for (size_t k = 0; k < N_LANES; k++) {
            re += (double)re_lanes[k];
            im += (double)im_lanes[k];
        }
    }
    return CMPLX(re, im);
}

static double complex product(float complex a, float complex b)
{
    return (double complex)a * conj((double complex)b);
}

/* r[a L + i][b L + j] = sum over n of y_a(n + L - 1 - i) y_b*(n + L - 1 - j). Down a diagonal of a block each entry differs from
 * the one before by the sum's two ends. */
static void add_up(const struct phy_eigenvalue_detector *d, const float complex *const *streams, matrix r)
{
    size_t n = (size_t)d->n_samples, last = d->smoothing - 1;
    for (unsigned block_a = 0; block_a < d->n_antennas; block_a++)
        for (unsigned block_b = 0; block_b < d->n_antennas; block_b++) {
            const float complex *a = streams[block_a], *b = streams[block_b];
            unsigned row = block_a * d->smoothing, col = block_b * d->smoothing;
            for (unsigned lag = 0; lag <= last; lag++) {
                double complex sum = sum_products(a + last, b + last - lag, n);
                for (unsigned i = 0;; i++) {
                    unsigned j = i + lag;
                    r[row + i][col + j] = sum;
                    r[col + j][row + i] = conj(sum);
                    if (j == last)
                        break;
                    sum += product(a[last - 1 - i], b[last - 1 - j]) - product(a[n + last - 1 - i], b[n + last - 1 - j]);
                }
            }
        }
}

static double find_statistic(const struct phy_eigenvalue_detector *d, const float complex *const *streams)
{
    matrix r;
    double least, largest;
    add_up(d, streams, r);
    phy_eigen_extremes(r, d->n_antennas * d->smoothing, &least, &largest);
    if (!(largest > 0.0))
        return 1.0;
    /* rounding bounds the least one from below */
    return largest / fmax(least, 1e-12 * largest);
}

struct phy_verdict phy_eigenvalue_judge(const struct phy_eigenvalue_detector *d, const float complex *const *streams)
{
    double statistic = find_statistic(d, streams);
    return (struct phy_verdict){statistic, d->threshold, statistic > d->threshold};
}

/* --- calibration --- */

static const char *find_bad_field(const struct phy_eigenvalue_config *cfg)
{
    if (cfg->n_antennas < 1 || cfg->n_antennas > PHY_EIGENVALUE_MAX_ANTENNAS)
        return "n_antennas";
    if (cfg->smoothing < 1 || cfg->smoothing > PHY_EIGEN_MAX || cfg->n_antennas * cfg->smoothing < 2 ||
        cfg->n_antennas * cfg->smoothing > PHY_EIGEN_MAX)
        return "smoothing";
    if (cfg->n_samples < 2 * cfg->n_antennas * cfg->smoothing || cfg->n_samples > (uint64_t)1 << 20)
        return "n_samples";
    if (cfg->n_calibration < 100 || cfg->n_calibration > 10000000)
        return "n_calibration";
    if (!(cfg->p_fa >= 10.0 / cfg->n_calibration && cfg->p_fa < 1.0))
        return "p_fa";
    return NULL;
}

static size_t stream_samples(const struct phy_eigenvalue_config *cfg)
{
    return (size_t)cfg->n_samples + cfg->smoothing - 1;
}

size_t phy_eigenvalue_bytes(const struct phy_eigenvalue_config *cfg)
{
    if (find_bad_field(cfg))
        return 0;
    return cfg->n_calibration * sizeof(double) + cfg->n_antennas * stream_samples(cfg) * sizeof(float complex);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Fresh noise passes the k-th of n draws in order with probability (n + 1 - k) / (n + 1), whatever the law. */
static double pick(double *draws, uint32_t n, double p_fa)
{
    qsort(draws, n, sizeof *draws, compare);
    double rank = ((double)n + 1.0) * (1.0 - p_fa) - 1.0;
    uint32_t below = rank > 0.0 ? (uint32_t)rank : 0;
    if (below >= n - 1)
        return draws[n - 1];
    double share = rank > 0.0 ? rank - below : 0.0;
    return draws[below] + share * (draws[below + 1] - draws[below]);
}

int phy_eigenvalue_init(void *mem, size_t len, const struct phy_eigenvalue_config *cfg, struct phy_eigenvalue_detector *d,
                        const char **bad_field_out)
{
    *bad_field_out = find_bad_field(cfg);
    if (*bad_field_out)
        return -EINVAL;
    assert(len >= phy_eigenvalue_bytes(cfg));
    *d = (struct phy_eigenvalue_detector){.n_antennas = cfg->n_antennas, .smoothing = cfg->smoothing, .n_samples = cfg->n_samples};
    d->asymptotic = phy_eigenvalue_asymptotic(cfg->n_samples, cfg->n_antennas * cfg->smoothing, cfg->p_fa);
    double *draws = mem;
    float complex *noise = (float complex *)(draws + cfg->n_calibration);
    const float complex *streams[PHY_EIGENVALUE_MAX_ANTENNAS];
    size_t n = stream_samples(cfg);
    for (unsigned i = 0; i < cfg->n_antennas; i++)
        streams[i] = noise + i * n;
    const uint64_t purpose = 0x6d6d65; /* "mme" */
    struct phy_awgn g;
    phy_awgn_init(&g, cfg->seed, purpose, PHY_SIMD_AUTO);
    for (uint32_t i = 0; i < cfg->n_calibration; i++) {
        memset(noise, 0, cfg->n_antennas * n * sizeof *noise);
        phy_awgn_add(&g, (uint64_t)i * cfg->n_antennas * n, 1.0f, noise, cfg->n_antennas * n);
        draws[i] = find_statistic(d, streams);
    }
    d->threshold = pick(draws, cfg->n_calibration, cfg->p_fa);
    return 0;
}

/* --- the asymptotic law --- */

/* F(s) = det(1 - K) with Airy's kernel on (s, infinity), by Gauss and Legendre's quadrature (Bornemann, "On the numerical
 * evaluation of Fredholm determinants", 2010) with 30 nodes; .1, .05 and .01 agree with the published tables. */
static const struct quantile {
    double p, s;
} quantiles[] = {
    {0.5, -1.8049},   {0.4, -1.5754},  {0.3, -1.3249},   {0.2, -1.0250},   {0.1, -0.5969},   {0.05, -0.2325},  {0.02, 0.1894},
    {0.01, 0.4776},   {0.005, 0.7462}, {0.002, 1.0778},  {0.001, 1.3144},  {0.0005, 1.5408}, {0.0002, 1.8269}, {0.0001, 2.0347},
};

/* Straight lines between quantiles, drawn over the normal law's. */
double phy_tracy_widom_threshold(double p)
{
    enum { N = sizeof quantiles / sizeof *quantiles };
    size_t i = 1;
    while (i < N - 1 && p < quantiles[i].p)
        i++;
    double left = phy_normal_threshold(quantiles[i - 1].p), right = phy_normal_threshold(quantiles[i].p);
    double share = (phy_normal_threshold(fmin(fmax(p, quantiles[N - 1].p), quantiles[0].p)) - left) / (right - left);
    return quantiles[i - 1].s + share * (quantiles[i].s - quantiles[i - 1].s);
}

double phy_eigenvalue_asymptotic(uint64_t n_samples, unsigned k, double p_fa)
{
    double n = (double)n_samples, root_n = sqrt(n), root_k = sqrt((double)k);
    double edge = (root_n + root_k) / (root_n - root_k);
    double width = pow(root_n + root_k, -2.0 / 3.0) / pow(n * k, 1.0 / 6.0);
    return edge * edge * (1.0 + width * phy_tracy_widom_threshold(p_fa));
}
