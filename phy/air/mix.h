/* Adds one emission to a listener's samples: gain and carrier rotation. */
#ifndef PHY_MIX_H
#define PHY_MIX_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

#include "phy/air/awgn.h"

struct phy_mix {
    float gain;
    uint64_t increment; /* of the carrier's phase a sample, 2^64 a turn; 0: no rotation */
    enum phy_simd simd;
};

/* out[k] += gain in[k] exp(j 2 pi increment (start + k) / 2^64). The same bits at every level and for every cut. */
void phy_mix_add(const struct phy_mix *mix, uint64_t start, const float complex *in, float complex *out, size_t n);
#endif
