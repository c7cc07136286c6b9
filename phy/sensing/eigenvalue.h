/* Max-min eigenvalue detection (Zeng and Liang, "Eigenvalue-based spectrum sensing algorithms for cognitive radio", 2009):
 * noise is white, so the eigenvalues of its covariance matrix are equal; a signal that is correlated in time or between
 * antennas parts them. Neither the noise power nor anything about the signal is needed.
 *
 * T = largest over least eigenvalue of the sample covariance of n_samples vectors, each of `smoothing` consecutive samples of
 * every antenna. The threshold is calibrated: the statistic of keyed noise, n_calibration times. The asymptotic one (Tracy and
 * Widom's law of order 2) stands beside it for comparison only: with smoothing in time the vectors overlap and the matrix is
 * no Wishart matrix. */
#ifndef PHY_EIGENVALUE_H
#define PHY_EIGENVALUE_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

#include "phy/sensing/verdict.h"

enum { PHY_EIGENVALUE_MAX_ANTENNAS = 4 };

struct phy_eigenvalue_config {
    unsigned n_antennas;    /* 1 .. PHY_EIGENVALUE_MAX_ANTENNAS */
    unsigned smoothing;     /* samples in time; n_antennas * smoothing is 2 .. 16 */
    uint64_t n_samples;     /* vectors, 2 * n_antennas * smoothing .. 2^20 */
    double p_fa;            /* at least 10 / n_calibration */
    uint64_t seed;          /* of the calibration */
    uint32_t n_calibration; /* draws, 100 .. 10^7; P_fa then has a standard error of sqrt(p_fa (1 - p_fa) / n_calibration) */
};

struct phy_eigenvalue_detector {
    unsigned n_antennas, smoothing;
    uint64_t n_samples;
    double threshold;  /* calibrated */
    double asymptotic; /* Zeng and Liang's formula for complex samples */
};

/* Bytes for the calibration, 0 for a configuration that phy_eigenvalue_init would refuse. */
size_t phy_eigenvalue_bytes(const struct phy_eigenvalue_config *cfg);
/* Calibrates: 1,000 draws of 1,000 samples smoothed over 8 take some 20 ms. mem: phy_eigenvalue_bytes(cfg), aligned for
 * double, needed during this call only. Returns 0 or -EINVAL with the offending field's name. */
__attribute__((warn_unused_result)) int phy_eigenvalue_init(void *mem, size_t len, const struct phy_eigenvalue_config *cfg,
                                                            struct phy_eigenvalue_detector *d, const char **bad_field_out);
/* streams: one of n_samples + smoothing - 1 samples for each antenna. Digital silence has the statistic 1. */
struct phy_verdict phy_eigenvalue_judge(const struct phy_eigenvalue_detector *d, const float complex *const *streams);
/* ((sqrt n + sqrt k) / (sqrt n - sqrt k))^2 (1 + (sqrt n + sqrt k)^(-2/3) / (n k)^(1/6) F^-1(1 - p_fa)), k = antennas times
 * smoothing < n, F the law of order 2 (phy_tracy_widom_threshold). */
double phy_eigenvalue_asymptotic(uint64_t n_samples, unsigned k, double p_fa);
/* Where the law of order 2 (complex samples) is passed with probability p, 1e-4 .. .5 (clamped), to .002. */
double phy_tracy_widom_threshold(double p);
#endif
