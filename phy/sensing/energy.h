/* Energy detection, complex samples: T = mean |y|^2 over n samples, thresholds over noise power.
 * P_fa = Q(n, n thr), P_d = Q(n, n thr / (1 + snr)), Q the regularised upper incomplete gamma function. */
#ifndef PHY_ENERGY_H
#define PHY_ENERGY_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

#include "phy/sensing/verdict.h"

/* Threshold over noise power for a target false-alarm probability, exact. n >= 1, 0 < p_fa < 1. */
double phy_energy_threshold(uint64_t n, double p_fa);
/* Its inverse: how often the mean over n samples of noise passes the threshold. */
double phy_energy_p_fa(uint64_t n, double threshold);
/* Sum |y|^2, compensated enough for 1e9 samples. */
double phy_energy_sum(const float complex *samples, size_t n);
/* Sum of Re y[i] y*[i + lag], in the same way: lag + n samples are read. */
double phy_energy_products(const float complex *samples, size_t lag, size_t n);

/* A detector for windows of one length. The noise power is known to +-uncertainty_db only: the threshold holds p_fa at the
 * strongest noise that this allows, and so no signal below the SNR wall is found, however long the window (Tandra and Sahai,
 * "SNR walls for signal detection", 2008). */
struct phy_energy_detector {
    uint64_t n_samples;
    double noise_power;     /* nominal */
    double threshold_ratio; /* over noise_power */
};

/* Returns 0, or -EINVAL for n_samples 0, a noise power that is not positive, an uncertainty outside 0 .. 60 dB, or a p_fa
 * outside (0, 1). */
__attribute__((warn_unused_result)) int phy_energy_init(struct phy_energy_detector *d, uint64_t n_samples, double noise_power,
                                                        double uncertainty_db, double p_fa);
/* Statistic and threshold: mean power over the nominal noise power. samples: n_samples of them. */
struct phy_verdict phy_energy_judge(const struct phy_energy_detector *d, const float complex *samples);
/* The same for a window that was summed in pieces: sum |y|^2 over its n_samples. */
struct phy_verdict phy_energy_judge_sum(const struct phy_energy_detector *d, double sum);
/* Least SNR over the nominal noise that can be found at all: (rho^2 - 1) / rho, rho = 10^(uncertainty_db / 10). */
double phy_energy_wall(double uncertainty_db);
#endif
