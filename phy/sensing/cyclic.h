/* Cyclic-prefix detection: OFDM repeats the end of each symbol before it, so y(t) and y(t + lag) look alike, lag the length of
 * the symbol without prefix (Chaudhari, Koivunen and Poor, "Autocorrelation-based decentralized sequential detection of OFDM
 * signals in cognitive radios", 2009). No noise power is needed, no timing either: the mean runs over all samples.
 *
 * T = mean Re y(t) y*(t + lag) / mean (|y(t)|^2 + |y(t + lag)|^2) / 2 over n_products products. Noise alone gives variance
 * 1 / (2 n_products): P_fa = erfc(sqrt(n_products) threshold) / 2. A signal with the mean coefficient rho = prefix /
 * (lag + prefix) snr / (1 + snr) gives P_d = erfc(sqrt(n_products) (threshold - rho) / (1 - rho^2)) / 2. Both are the normal
 * law, to 1 % of P_fa = .05 from 400 products on. */
#ifndef PHY_CYCLIC_H
#define PHY_CYCLIC_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

#include "phy/sensing/verdict.h"

struct phy_cyclic_detector {
    uint32_t lag_samples;
    uint64_t n_products;
    double threshold;
};

/* Returns 0, or -EINVAL for a lag or number of products of 0 or a p_fa outside (0, 1). */
__attribute__((warn_unused_result)) int phy_cyclic_init(struct phy_cyclic_detector *d, uint32_t lag_samples, uint64_t n_products,
                                                        double p_fa);
/* samples: n_products + lag_samples of them. Digital silence has the statistic 0. */
struct phy_verdict phy_cyclic_judge(const struct phy_cyclic_detector *d, const float complex *samples);
double phy_cyclic_p_fa(uint64_t n_products, double threshold);
double phy_cyclic_p_d(uint64_t n_products, double threshold, double rho);
#endif
