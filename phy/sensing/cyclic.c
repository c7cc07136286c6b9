#include "phy/sensing/cyclic.h"
#include "phy/sensing/energy.h"
#include "phy/sensing/normal.h"

#include <errno.h>
#include <math.h>

int phy_cyclic_init(struct phy_cyclic_detector *d, uint32_t lag_samples, uint64_t n_products, double p_fa)
{
    if (lag_samples == 0 || n_products == 0 || !(p_fa > 0.0 && p_fa < 1.0))
        return -EINVAL;
    d->lag_samples = lag_samples;
    d->n_products = n_products;
    d->threshold = phy_normal_threshold(p_fa) / sqrt(2.0 * (double)n_products);
    return 0;
}

/* Sum of Re a b*: the parts are two real sequences, multiplied value by value. */
static double sum_products(const float complex *samples, size_t lag, size_t n)
{
    enum { N_LANES = 16, CHUNK = 1024 };
    const float *a = (const float *)samples, *b = (const float *)(samples + lag);
    size_t n_values = 2 * n, at = 0;
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
        for (size_t k = 0; k < N_LANES; k++)
            sum += (double)lanes[k];
        total += sum;
        at += n_here;
    }
    return total;
}

struct phy_verdict phy_cyclic_judge(const struct phy_cyclic_detector *d, const float complex *samples)
{
    size_t n = (size_t)d->n_products, lag = d->lag_samples;
    double energy = 0.5 * (phy_energy_sum(samples, n) + phy_energy_sum(samples + lag, n));
    double statistic = energy > 0.0 ? sum_products(samples, lag, n) / energy : 0.0;
    return (struct phy_verdict){statistic, d->threshold, statistic > d->threshold};
}

double phy_cyclic_p_fa(uint64_t n_products, double threshold)
{
    return 0.5 * erfc(sqrt((double)n_products) * threshold);
}

double phy_cyclic_p_d(uint64_t n_products, double threshold, double rho)
{
    return 0.5 * erfc(sqrt((double)n_products) * (threshold - rho) / (1.0 - rho * rho));
}
