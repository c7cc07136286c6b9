/* Complex Gaussian noise by key: sample i of a stream depends on (seed, stream, i) and on nothing else. */
#ifndef PHY_AWGN_H
#define PHY_AWGN_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

#include "phy/simd.h"

enum { PHY_AWGN_BLOCK = 1024 };

/* One block is cached, so that reading a stream in order in small pieces costs what reading it whole does. */
struct phy_awgn {
    uint64_t seed, stream;
    enum phy_simd simd;
    uint64_t block_index; /* of the cached block, UINT64_MAX if none */
    _Alignas(64) float complex block[PHY_AWGN_BLOCK];
};

/* stream: for instance (listener << 32 | channel). */
void phy_awgn_init(struct phy_awgn *g, uint64_t seed, uint64_t stream, enum phy_simd simd);
/* Adds samples of variance `power` (E|z|^2, half in each part) to out[0..n), for indices start..start+n-1. */
void phy_awgn_add(struct phy_awgn *g, uint64_t start, float power, float complex *out, size_t n);
#endif
