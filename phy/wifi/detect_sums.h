/* First stage of the detector: sums over blocks of 16 samples. Same bits at every SIMD level. */
#ifndef PHY_WIFI_DETECT_SUMS_H
#define PHY_WIFI_DETECT_SUMS_H

#include <complex.h>
#include <stddef.h>

#include "phy/simd.h"

enum { PHY_WIFI_LAG = 16, PHY_WIFI_BLOCK = 16 };

/* Of n_blocks blocks that begin at samples[0]; samples[-16] is read, too. re and im: sum of x[i] conj(x[i - 16]); power: sum of
 * |x[i]|^2. */
void phy_wifi_detect_sums(enum phy_simd simd, const float complex *samples, size_t n_blocks, float *re, float *im, float *power);
#endif
