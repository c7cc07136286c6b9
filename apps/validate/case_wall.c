/* The SNR wall of the energy detector, found by driving it with ever longer windows. */
#include "apps/options.h"
#include "apps/validate/validate.h"
#include "phy/air/awgn.h"
#include "phy/sensing/energy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_LENGTHS = 5, LENGTH_FACTOR = 4 };

/* One window length: the least SNR that is detected as often as wanted, though the noise may be anywhere within its bounds. */
struct point {
    double x; /* 1 / sqrt N */
    double snr, std_error;
};

struct search {
    struct phy_energy_detector detector;
    struct phy_awgn noise, signal;
    float complex *n, *s, *y;
    double *levels;
    double noise_power; /* the least that the uncertainty allows */
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool fires(struct search *w, double snr)
{
    float level = (float)sqrt(snr);
    for (size_t i = 0; i < w->detector.n_samples; i++)
        w->y[i] = w->n[i] + level * w->s[i];
    return phy_energy_judge(&w->detector, w->y).occupied;
}

/* The SNR (over nominal noise) from which on the detector fires in one window. */
static double find_level(struct search *w, uint64_t trial)
{
    enum { STEPS = 24 };
    size_t n = (size_t)w->detector.n_samples;
    memset(w->n, 0, n * sizeof *w->n);
    memset(w->s, 0, n * sizeof *w->s);
    phy_awgn_add(&w->noise, trial * n, (float)w->noise_power, w->n, n);
    phy_awgn_add(&w->signal, trial * n, 1.0f, w->s, n);
    double low = 0, high = 1;
    while (!fires(w, high) && high < 1e6) {
        low = high;
        high *= 2;
    }
    for (int i = 0; i < STEPS; i++) {
        double snr = (low + high) / 2;
        if (fires(w, snr))
            high = snr;
        else
            low = snr;
    }
    return high;
}

/* Slope of P_d over SNR, for the standard error only. */
static double slope(const struct search *w, double snr)
{
    const double step = 1e-3 * (w->noise_power + snr);
    uint64_t n = w->detector.n_samples;
    double ratio = w->detector.threshold_ratio;
    return (phy_energy_p_fa(n, ratio / (w->noise_power + snr + step)) - phy_energy_p_fa(n, ratio / (w->noise_power + snr - step))) / (2 * step);
}

static int find_point(const struct app_validate *v, uint64_t n, uint64_t stream, struct search *w, struct point *out)
{
    double uncertainty_db = v->values[VALIDATE_UNCERTAINTY_DB], p_d = v->values[VALIDATE_PD];
    if (phy_energy_init(&w->detector, n, 1, uncertainty_db, v->values[VALIDATE_PFA]))
        return APP_SYSTEM_FAILED;
    phy_awgn_init(&w->noise, v->seed, 2 * stream, PHY_SIMD_AUTO);
    phy_awgn_init(&w->signal, v->seed, 2 * stream + 1, PHY_SIMD_AUTO);
    w->noise_power = pow(10, -uncertainty_db / 10);
    for (uint64_t i = 0; i < v->trials; i++)
        w->levels[i] = find_level(w, i);
    qsort(w->levels, v->trials, sizeof *w->levels, compare);
    double rank = p_d * ((double)v->trials + 1) - 1; /* P_d(level) is the share of windows that fire by then */
    size_t below = (size_t)rank;
    out->x = 1 / sqrt((double)n);
    out->snr = w->levels[below] + (rank - (double)below) * (w->levels[below + 1] - w->levels[below]);
    out->std_error = sqrt(p_d * (1 - p_d) / (double)v->trials) / slope(w, out->snr);
    return 0;
}

/* Weighted least squares of snr = a + b x + c x^2; a is what no length of window gets below. */
static void extrapolate(const struct point *points, double *a_out, double *std_error_out)
{
    double m[3][4] = {{0}}, inverse[3] = {1, 0, 0}; /* first column of the inverse: its first entry is the variance of a */
    for (size_t i = 0; i < N_LENGTHS; i++) {
        const struct point *p = &points[i];
        const double basis[3] = {1, p->x, p->x * p->x}, weight = 1 / (p->std_error * p->std_error);
        for (size_t r = 0; r < 3; r++) {
            for (size_t c = 0; c < 3; c++)
                m[r][c] += weight * basis[r] * basis[c];
            m[r][3] += weight * basis[r] * p->snr;
        }
    }
    for (size_t k = 0; k < 3; k++) /* Gauss and Jordan; the matrix is positive definite */
        for (size_t r = 0; r < 3; r++) {
            if (r == k)
                continue;
            double factor = m[r][k] / m[k][k];
            for (size_t c = 0; c < 4; c++)
                m[r][c] -= factor * m[k][c];
            inverse[r] -= factor * inverse[k];
        }
    *a_out = m[0][3] / m[0][0];
    *std_error_out = sqrt(inverse[0] / m[0][0]);
}

static int search_wall(struct app_validate *v, struct search *w)
{
    struct point points[N_LENGTHS];
    uint64_t n = (uint64_t)v->values[VALIDATE_SAMPLES];
    for (uint64_t i = 0; i < N_LENGTHS; i++) {
        int code = find_point(v, n, i + 1, w, &points[i]);
        if (code)
            return code;
        n /= LENGTH_FACTOR;
    }
    double wall, std_error, expected = phy_energy_wall(v->values[VALIDATE_UNCERTAINTY_DB]);
    extrapolate(points, &wall, &std_error);
    app_validate_constant(v, "least_snr_db_at_samples", 10 * log10(points[0].snr));
    app_validate_estimate(v, "snr_wall_db", 10 * log10(wall), 10 * log10(expected), 10 / log(10) * std_error / wall);
    return 0;
}

static int run_wall(struct app_validate *v)
{
    struct search w;
    size_t bytes = (size_t)v->values[VALIDATE_SAMPLES] * sizeof *w.n;
    w.n = malloc(bytes);
    w.s = malloc(bytes);
    w.y = malloc(bytes);
    w.levels = malloc((v->trials + 1) * sizeof *w.levels);
    int code = w.n && w.s && w.y && w.levels ? search_wall(v, &w) : APP_SYSTEM_FAILED;
    free(w.n);
    free(w.s);
    free(w.y);
    free(w.levels);
    if (code)
        fprintf(stderr, "airdeed validate: no memory for windows of that length\n");
    return code;
}

const struct app_validate_case app_validate_wall = {
    "wall",
    "the energy detector with a noise power known to +-U dB: the least SNR that it finds in windows of --samples, a fourth of that ... "
    "a 256th, extrapolated to endless windows",
    "(rho^2 - 1) / rho, rho = 10^(U / 10); threshold for the strongest noise, detection in the weakest",
    {{VALIDATE_SAMPLES, 65536, 4096, 1048576}, {VALIDATE_UNCERTAINTY_DB, 1, .1, 10}, {VALIDATE_PFA, .1, 1e-6, .4},
     {VALIDATE_PD, .9, .6, .99}, {VALIDATE_TRIALS, 400, 100, 100000}},
    run_wall,
};
