/* Clause 17 frames as samples. */
#ifndef PHY_WIFI_MODULATE_H
#define PHY_WIFI_MODULATE_H

#include <complex.h>

#include "phy/wifi/wifi.h"

struct phy_wifi_modulate {
    unsigned rate_index;
    uint8_t scrambler;  /* initial state, 1..127 (X1 in bit 0): the standard wants it to change from frame to frame */
    unsigned window;    /* samples by which neighbouring symbols overlap, raised cosine as 17.3.2.5: 0 or 1 (the standard's example) .. 8 */
};

/* psdu includes the FCS. Writes phy_wifi_frame_samples(...) samples (one more for each sample of window) of mean power 1.0 over the
 * body; returns how many, -EINVAL, or -ENOBUFS. */
long phy_wifi_modulate(const struct phy_wifi_modulate *cfg, const uint8_t *psdu, size_t psdu_len, float complex *out, size_t cap);
#endif
