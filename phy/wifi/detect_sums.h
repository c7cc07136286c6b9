/* First stage of the detector, over every sample: what correlates with itself 16 samples before. Same bits at every SIMD level. */
#ifndef PHY_WIFI_DETECT_SUMS_H
#define PHY_WIFI_DETECT_SUMS_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>

#include "phy/simd.h"

enum {
    PHY_WIFI_LAG = 16,
    PHY_WIFI_BLOCK = 16,      /* samples */
    PHY_WIFI_SHORT_WINDOW = 4, /* blocks: finds what is left of a short training field, and one behind a stronger frame */
    PHY_WIFI_LONG_WINDOW = 8, /* blocks: of the 144 samples of the field that repeat their predecessors, wherever it begins */
    PHY_WIFI_CHUNK = 32       /* blocks at a time */
};

/* Of each block the sum of x[i] conj(x[i - 16]) and of |x[i]|^2: the latest PHY_WIFI_LONG_WINDOW blocks, then those of the chunk. */
struct phy_wifi_sums {
    _Alignas(32) float re[PHY_WIFI_LONG_WINDOW + PHY_WIFI_CHUNK];
    _Alignas(32) float im[PHY_WIFI_LONG_WINDOW + PHY_WIFI_CHUNK];
    _Alignas(32) float power[PHY_WIFI_LONG_WINDOW + PHY_WIFI_CHUNK];
};

struct phy_wifi_window {
    float score;          /* products times squared normalised correlation: exponential with mean 1 in noise */
    float re, im;         /* of the correlation */
    unsigned n_samples;
};

/* Sums n_blocks (1..PHY_WIFI_CHUNK) blocks that begin at samples[0]; samples[-16] is read, too. True if a window that ends with one of
 * them may score more than min_score; false if surely none does. */
bool phy_wifi_sums_add(struct phy_wifi_sums *s, enum phy_simd simd, const float complex *samples, size_t n_blocks, float min_score);
/* The window ending with block i of the chunk, long or short, that scores more; false if neither is above min_score. */
bool phy_wifi_sums_window(const struct phy_wifi_sums *s, size_t i, float min_score, struct phy_wifi_window *out);
/* Makes room for the next chunk. */
void phy_wifi_sums_shift(struct phy_wifi_sums *s, size_t n_blocks);
#endif
