/* Energy detection, complex samples: T = mean |y|^2 over n samples, thresholds over noise power.
 * P_fa = Q(n, n thr), P_d = Q(n, n thr / (1 + snr)), Q the regularised upper incomplete gamma function. */
#ifndef PHY_ENERGY_H
#define PHY_ENERGY_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

/* Threshold over noise power for a target false-alarm probability, exact. n >= 1, 0 < p_fa < 1. */
double phy_energy_threshold(uint64_t n, double p_fa);
/* Its inverse: how often the mean over n samples of noise passes the threshold. */
double phy_energy_p_fa(uint64_t n, double threshold);
/* Sum |y|^2, compensated enough for 1e9 samples. */
double phy_energy_sum(const float complex *samples, size_t n);
#endif
