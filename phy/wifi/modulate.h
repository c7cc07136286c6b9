/* Clause 17 frames as samples, and the steps on the way there. */
#ifndef PHY_WIFI_MODULATE_H
#define PHY_WIFI_MODULATE_H

#include <complex.h>

#include "phy/wifi/wifi.h"

enum { PHY_WIFI_MAX_WINDOW = 8, PHY_WIFI_SIGNAL_BITS = 24 };

struct phy_wifi_modulate {
    unsigned rate_index;
    uint8_t scrambler;  /* initial state, 1..127 (X1 in bit 0): the standard wants it to change from frame to frame */
    unsigned window;    /* samples by which neighbouring symbols overlap, raised cosine as 17.3.2.5: 0 or 1 (the standard's example) .. 8 */
};

/* psdu includes the FCS. Writes phy_wifi_frame_samples(...) samples (one more for each sample of window) of mean power 1.0 over the
 * body; returns how many, -EINVAL (a field out of range, psdu_len not 1..PHY_WIFI_MAX_PSDU), or -ENOBUFS. Each symbol stands where it
 * would without a window: the ramp up lies in its guard interval, the ramp down behind its end. */
long phy_wifi_modulate(const struct phy_wifi_modulate *cfg, const uint8_t *psdu, size_t psdu_len, float complex *out, size_t cap);
/* A scrambler state, 1..127, that is a function of the octets: same frame, same samples; another frame, another state. */
uint8_t phy_wifi_scrambler_of(const uint8_t *psdu, size_t psdu_len);

/* Bits are octets of 0 or 1. 17.3.4: the SIGNAL field, tail included. */
void phy_wifi_signal_bits(unsigned rate_index, size_t psdu_len, uint8_t bits_out[PHY_WIFI_SIGNAL_BITS]);
/* 17.3.5: the DATA field, SERVICE to pad, scrambled and its tail set to 0: n_symbols * n_dbps bits, returned. */
size_t phy_wifi_data_bits(unsigned rate_index, uint8_t scrambler, const uint8_t *psdu, size_t psdu_len, uint8_t *bits_out);
/* One symbol of n_dbps bits: coded on from *state, punctured, interleaved, mapped, with pilots; bins in FFT order, unit mean power of
 * those used. i_symbol: 0 for SIGNAL (rate index 0), 1 for the first of DATA. */
void phy_wifi_map_symbol(unsigned rate_index, unsigned i_symbol, const uint8_t *bits, unsigned *state,
                         float complex bins_out[PHY_WIFI_N_FFT]);
#endif
