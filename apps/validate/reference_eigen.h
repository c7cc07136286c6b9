/* A second implementation of the max-min eigenvalue test, as far from phy/sensing/eigenvalue.c as can be: another generator
 * (Box and Muller in double), the covariance by its definition, no eigenvalues but the inertia of R - x (Sylvester). */
#ifndef APPS_VALIDATE_REFERENCE_EIGEN_H
#define APPS_VALIDATE_REFERENCE_EIGEN_H

#include <stdint.h>

enum { VALIDATE_MA_TAPS = 4 }; /* the signal: white noise summed over so many samples */

struct app_reference_eigen {
    unsigned smoothing; /* 2 .. 16 */
    uint64_t n_samples;
    double signal_power; /* over noise of power 1 */
    double threshold;
    uint64_t seed;
};

/* How many of n_trials windows pass the threshold; 0 .. n_trials, or -ENOMEM. */
int64_t app_reference_eigen_count(const struct app_reference_eigen *r, uint64_t n_trials);
#endif
