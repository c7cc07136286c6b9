/* Occupied bandwidth of a power spectral density. */
#include "phy/sensing/bandwidth.h"
#include "phy/sensing/energy.h"

#include <errno.h>

static const double outside_share = .005; /* of the power, on either side */

struct spectrum {
    const float *psd;
    size_t n;
    double noise, limit; /* a bin */
};

/* Signal power in a bin. */
static double signal_in(const struct spectrum *s, size_t i)
{
    size_t dc = s->n / 2;
    double power = (double)s->psd[i];
    if (i + 1 >= dc && i <= dc + 1)
        power = ((double)s->psd[dc - 2] + (double)s->psd[dc + 2]) / 2;
    return power > s->limit ? power - s->noise : 0;
}

int phy_bandwidth(const float *psd, size_t n, uint64_t n_segments, double noise_power, double *low_out, double *high_out)
{
    enum { MIN_BINS = 8 };
    *low_out = *high_out = 0;
    if (n < MIN_BINS || n_segments == 0)
        return -ENODATA;
    double noise = noise_power / (double)n;
    struct spectrum s = {.psd = psd, .n = n, .noise = noise, .limit = noise * phy_energy_threshold(n_segments, 1e-3)};
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += signal_in(&s, i);
    if (!(total > 0))
        return -ENODATA;
    /* where the running sum passes each share, between the edges of a bin; bin i reaches from i - 1/2 to i + 1/2 */
    const double shares[2] = {outside_share * total, (1 - outside_share) * total};
    double *edges[2] = {low_out, high_out};
    double sum = 0;
    for (size_t i = 0, k = 0; i < n && k < 2; i++) {
        double power = signal_in(&s, i);
        for (; k < 2 && power > 0 && sum + power >= shares[k]; k++)
            *edges[k] = ((double)i - .5 + (shares[k] - sum) / power) / (double)n - .5;
        sum += power;
    }
    /* half of the first bin lies beyond the band; rounding may leave the last share just unpassed */
    if (*low_out < -.5)
        *low_out = -.5;
    if (*high_out < *low_out)
        *high_out = .5;
    return 0;
}
