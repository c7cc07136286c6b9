#include "phy/sensing/energy.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

/* log of x^a exp(-x) / Gamma(a + 1) without cancelling large terms: Stirling's series around x = a. */
static double log_prefactor(double a, double x)
{
    if (a < 20.0) {
        double log_factorial = 0.0;
        for (double k = 2.0; k <= a; k += 1.0)
            log_factorial += log(k);
        return a * log(x) - x - log_factorial;
    }
    double mu = (x - a) / a;
    double exponent = -a * (mu - log1p(mu));
    double r = 1.0 / (a * a);
    double stirling = (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r / 1680.0))) / a;
    return exponent - 0.5 * log(2.0 * acos(-1.0) * a) - stirling;
}

/* P(a, x) / prefactor = 1 + x/(a+1) + x^2/((a+1)(a+2)) + ... for x <= a (DLMF 8.7.1) */
static double sum_lower(double a, double x)
{
    double term = 1.0, sum = 1.0;
    for (double k = a + 1.0; term > sum * 1e-17; k += 1.0) {
        term *= x / k;
        sum += term;
    }
    return sum;
}

/* Q(a, x) / (prefactor a) by the continued fraction DLMF 8.9.2, Lentz's way; converges for x > a. */
static double fraction_upper(double a, double x)
{
    enum { MAX_TERMS = 10000000 };
    const double tiny = 1e-300;
    double b = x + 1.0 - a;
    double c = 1.0 / tiny;
    double d = 1.0 / (b == 0.0 ? tiny : b);
    double h = d;
    for (int i = 1; i < MAX_TERMS; i++) {
        double an = -(double)i * ((double)i - a);
        b += 2.0;
        d = an * d + b;
        c = b + an / c;
        d = 1.0 / (d == 0.0 ? tiny : d);
        double change = d * (c == 0.0 ? tiny : c);
        h *= change;
        if (fabs(change - 1.0) < 1e-15)
            break;
    }
    return h;
}

/* Regularised upper incomplete gamma function for whole a >= 1. */
static double upper_gamma(double a, double x)
{
    if (x <= 0.0)
        return 1.0;
    double prefactor = exp(log_prefactor(a, x));
    if (x <= a)
        return 1.0 - prefactor * sum_lower(a, x);
    return prefactor * a * fraction_upper(a, x);
}

double phy_energy_p_fa(uint64_t n, double threshold)
{
    assert(n >= 1);
    return upper_gamma((double)n, (double)n * threshold);
}

/* Newton on log Q, kept inside a bracket that bisection narrows. */
double phy_energy_threshold(uint64_t n, double p_fa)
{
    assert(n >= 1 && p_fa > 0.0 && p_fa < 1.0);
    double a = (double)n, low = 0.0, high = 2.0;
    while (phy_energy_p_fa(n, high) > p_fa) {
        low = high;
        high *= 2.0;
    }
    double t = low > 0.0 ? 0.5 * (low + high) : 1.0;
    for (int i = 0; i < 200 && high - low > 1e-15 * high; i++) {
        double q = phy_energy_p_fa(n, t);
        if (q > p_fa)
            low = t;
        else
            high = t;
        double density = exp(log_prefactor(a, a * t)) * a / t; /* -dQ/dt */
        double next = t + (q > 0.0 ? q * log(q / p_fa) / density : -HUGE_VAL);
        if (!(next > low && next < high))
            next = 0.5 * (low + high);
        if (fabs(next - t) <= 1e-15 * t)
            return next;
        t = next;
    }
    return t;
}

double phy_energy_sum(const float complex *samples, size_t n)
{
    enum { N_LANES = 16, CHUNK = 1024 };
    const float *x = (const float *)samples;
    size_t n_values = 2 * n, at = 0;
    double total = 0.0;
    while (at < n_values) { /* short sums in float lanes, long ones in double */
        size_t n_here = n_values - at < CHUNK ? n_values - at : CHUNK;
        float lanes[N_LANES] = {0};
        size_t i = 0;
        for (; i + N_LANES <= n_here; i += N_LANES)
            for (size_t k = 0; k < N_LANES; k++)
                lanes[k] += x[at + i + k] * x[at + i + k];
        double sum = 0.0;
        for (; i < n_here; i++)
            sum += (double)x[at + i] * (double)x[at + i];
        double pairs[N_LANES / 2]; /* a tree: one long chain of additions would cost as much as a short block's samples */
        for (size_t k = 0; k < N_LANES / 2; k++)
            pairs[k] = (double)lanes[k] + (double)lanes[k + N_LANES / 2];
        total += sum + (((pairs[0] + pairs[4]) + (pairs[2] + pairs[6])) + ((pairs[1] + pairs[5]) + (pairs[3] + pairs[7])));
        at += n_here;
    }
    return total;
}

int phy_energy_init(struct phy_energy_detector *d, uint64_t n_samples, double noise_power, double uncertainty_db, double p_fa)
{
    const double max_uncertainty_db = 60.0;
    if (n_samples == 0 || !(noise_power > 0.0 && isfinite(noise_power)) || !(p_fa > 0.0 && p_fa < 1.0) ||
        !(uncertainty_db >= 0.0 && uncertainty_db <= max_uncertainty_db))
        return -EINVAL;
    d->n_samples = n_samples;
    d->noise_power = noise_power;
    d->threshold_ratio = phy_energy_threshold(n_samples, p_fa) * pow(10.0, uncertainty_db / 10.0);
    return 0;
}

struct phy_verdict phy_energy_judge_sum(const struct phy_energy_detector *d, double sum)
{
    double ratio = sum / ((double)d->n_samples * d->noise_power);
    return (struct phy_verdict){ratio, d->threshold_ratio, ratio > d->threshold_ratio};
}

struct phy_verdict phy_energy_judge(const struct phy_energy_detector *d, const float complex *samples)
{
    return phy_energy_judge_sum(d, phy_energy_sum(samples, (size_t)d->n_samples));
}

double phy_energy_wall(double uncertainty_db)
{
    double rho = pow(10.0, uncertainty_db / 10.0);
    return (rho * rho - 1.0) / rho;
}
