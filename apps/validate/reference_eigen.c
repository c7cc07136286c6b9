#include "apps/validate/reference_eigen.h"
#include "apps/validate/signals.h"

#include <complex.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { MAX = 16 };

static double complex draw_normal(uint64_t seed, uint64_t purpose, uint64_t trial, uint64_t i)
{
    double u = ((double)(app_validate_draw(seed, purpose, trial, 2 * i) >> 11) + .5) * 0x1p-53;
    double turn = (double)(app_validate_draw(seed, purpose, trial, 2 * i + 1) >> 11) * 0x1p-53;
    return sqrt(-log(u)) * cexp(CMPLX(0, 2 * acos(-1) * turn));
}

static void make_window(const struct app_reference_eigen *r, uint64_t trial, double complex *y)
{
    const uint64_t noise_purpose = 0x7265666e, signal_purpose = 0x72656673; /* "refn", "refs" */
    double complex recent[VALIDATE_MA_TAPS] = {0};
    double level = sqrt(r->signal_power / VALIDATE_MA_TAPS);
    for (uint64_t i = 0; i < r->n_samples + r->smoothing - 1 + VALIDATE_MA_TAPS - 1; i++) {
        recent[i % VALIDATE_MA_TAPS] = draw_normal(r->seed, signal_purpose, trial, i);
        if (i < VALIDATE_MA_TAPS - 1)
            continue;
        double complex sum = 0;
        for (unsigned k = 0; k < VALIDATE_MA_TAPS; k++)
            sum += recent[k];
        y[i - (VALIDATE_MA_TAPS - 1)] = level * sum + draw_normal(r->seed, noise_purpose, trial, i);
    }
}

static void make_covariance(const struct app_reference_eigen *r, const double complex *y, double complex cov[MAX][MAX])
{
    for (unsigned i = 0; i < r->smoothing; i++)
        for (unsigned j = 0; j <= i; j++) {
            double re = 0, im = 0;
            for (uint64_t n = 0; n < r->n_samples; n++) {
                double ar = creal(y[n + i]), ai = cimag(y[n + i]), br = creal(y[n + j]), bi = cimag(y[n + j]);
                re += ar * br + ai * bi;
                im += ai * br - ar * bi;
            }
            cov[i][j] = CMPLX(re, im);
            cov[j][i] = CMPLX(re, -im);
        }
}

/* How many eigenvalues lie below x: negative pivots of R - x = L D L^H. */
static unsigned count_below(double complex cov[MAX][MAX], unsigned n, double x)
{
    double complex a[MAX][MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < n; j++)
            a[i][j] = cov[i][j] - (i == j ? x : 0);
    for (unsigned k = 0; k < n; k++) {
        double pivot = creal(a[k][k]);
        count += pivot < 0;
        for (unsigned i = k + 1; i < n; i++) {
            double complex factor = a[i][k] / (fabs(pivot) > 1e-300 ? pivot : 1e-300);
            for (unsigned j = k + 1; j < n; j++)
                a[i][j] -= factor * a[k][j];
        }
    }
    return count;
}

static bool passes(const struct app_reference_eigen *r, double complex cov[MAX][MAX])
{
    double low = 0, high = creal(cov[0][0]); /* the least is at most any diagonal entry */
    for (int i = 0; i < 40; i++) {
        double x = (low + high) / 2;
        if (count_below(cov, r->smoothing, x))
            high = x;
        else
            low = x;
    }
    return count_below(cov, r->smoothing, r->threshold * (low + high) / 2) < r->smoothing;
}

int64_t app_reference_eigen_count(const struct app_reference_eigen *r, uint64_t n_trials)
{
    double complex cov[MAX][MAX];
    double complex *y = malloc((r->n_samples + r->smoothing - 1) * sizeof *y);
    int64_t count = 0;
    if (!y)
        return -ENOMEM;
    for (uint64_t i = 0; i < n_trials; i++) {
        make_window(r, i, y);
        make_covariance(r, y, cov);
        count += passes(r, cov);
    }
    free(y);
    return count;
}
