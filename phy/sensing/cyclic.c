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

struct phy_verdict phy_cyclic_judge(const struct phy_cyclic_detector *d, const float complex *samples)
{
    size_t n = (size_t)d->n_products, lag = d->lag_samples;
    double energy = 0.5 * (phy_energy_sum(samples, n) + phy_energy_sum(samples + lag, n));
    double statistic = energy > 0.0 ? phy_energy_products(samples, lag, n) / energy : 0.0;
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
