#include "phy/sensing/energy.h"
#include "phy/sensing/gamma.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

double phy_energy_p_fa(uint64_t n, double threshold)
{
    assert(n >= 1);
    return phy_gamma_upper((double)n, (double)n * threshold);
}

double phy_energy_threshold(uint64_t n, double p_fa)
{
    assert(n >= 1 && p_fa > 0.0 && p_fa < 1.0);
    return phy_gamma_threshold((double)n, p_fa);
}

/* Two real sequences, multiplied value by value; inlined, so that one that is both is read once. */
static inline double sum_products(const float *a, const float *b, size_t n_values)
{
    enum { N_LANES = 16, CHUNK = 1024 };
    size_t at = 0;
    double total = 0.0;
    while (at < n_values) { /* short sums in float lanes, long ones in double */
        size_t n_here = n_values - at < CHUNK ? n_values - at : CHUNK;
        float lanes[N_LANES] = {0};
        size_t i = 0;
        for (; i + N_LANES <= n_here; i += N_LANES)
            for (size_t k = 0; k < N_LANES; k++)
                lanes[k] += a[at + i + k] * b[at + i + k];
        double sum = 0.0;
        for (; i < n_here; i++)
            sum += (double)a[at + i] * (double)b[at + i];
        double pairs[N_LANES / 2]; /* a tree: one long chain of additions would cost as much as a short block's samples */
        for (size_t k = 0; k < N_LANES / 2; k++)
            pairs[k] = (double)lanes[k] + (double)lanes[k + N_LANES / 2];
        total += sum + (((pairs[0] + pairs[4]) + (pairs[2] + pairs[6])) + ((pairs[1] + pairs[5]) + (pairs[3] + pairs[7])));
        at += n_here;
    }
    return total;
}

double phy_energy_sum(const float complex *samples, size_t n)
{
    return sum_products((const float *)samples, (const float *)samples, 2 * n);
}

double phy_energy_products(const float complex *samples, size_t lag, size_t n)
{
    return sum_products((const float *)samples, (const float *)(samples + lag), 2 * n);
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
