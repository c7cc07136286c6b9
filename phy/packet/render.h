/* Samples at packet fidelity, for the few stretches whose shape somebody wants to know. */
#ifndef PHY_PACKET_RENDER_H
#define PHY_PACKET_RENDER_H

#include "phy/air/awgn.h"
#include "phy/phy.h"

enum { PHY_PACKET_RENDER_SYMBOLS = 16, PHY_PACKET_RENDER_FRAME = PHY_PACKET_RENDER_SYMBOLS * 80 };

struct phy_packet_render {
    struct phy_awgn noise;
    double noise_power;
    float complex frame[PHY_PACKET_RENDER_FRAME]; /* OFDM as of clause 17, mean power 1: stands for all frames, again and again */
};

void phy_packet_render_init(struct phy_packet_render *r, uint64_t seed, uint64_t stream, enum phy_simd simd, double noise_power);
/* Is there anything in [start, start + n) at all? */
bool phy_packet_arrives(const struct phy_arrival *arrivals, size_t n_arrivals, uint64_t start, uint64_t n);
/* Writes what a receiver gets in [start, start + n), noise included. False, and nothing of use, where there is something that is no
 * frame and of which no samples are known. */
bool phy_packet_render(struct phy_packet_render *r, const struct phy_arrival *arrivals, size_t n_arrivals, uint64_t start, size_t n,
                       float complex *out);
#endif
