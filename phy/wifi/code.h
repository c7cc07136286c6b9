/* The bit processing of clause 17: scrambler, convolutional code with puncturing, interleaver, constellations.
 * Bits are octets of value 0 or 1, in the order in which they are sent, unless said otherwise. */
#ifndef PHY_WIFI_CODE_H
#define PHY_WIFI_CODE_H

#include <complex.h>

#include "phy/wifi/wifi.h"

/* 17.3.5.5: the 127-bit sequence x^7 + x^4 + 1 from a 7-bit state (X1 in bit 0 .. X7 in bit 6; not 0), xored onto bits. */
void phy_wifi_scramble(uint8_t *bits, size_t n, uint8_t state);
/* 17.3.5.6: rate 1/2, K = 7, generators 133 and 171 octal, from the zero state; out: 2 n bits, A then B of each. */
void phy_wifi_encode(const uint8_t *bits, size_t n, uint8_t *coded_out);
/* The same piece by piece: from a state of 6 bits (the newest in bit 0) to the state that it returns. */
unsigned phy_wifi_encode_from(unsigned state, const uint8_t *bits, size_t n, uint8_t *coded_out);
/* Table of which of the 2 n_data coded bits of a rate are sent, one period: out_kept[i] for i < *period_out (<= 6). */
const uint8_t *phy_wifi_puncture_pattern(unsigned rate_index, unsigned *period_out);
/* 17.3.5.7: interleaver of one symbol: coded bit k goes to place table[k]. table: n_cbps entries. */
const uint16_t *phy_wifi_interleaver(unsigned rate_index);
/* 17.3.5.8: point of n_bpsc bits (first bit in bit 0 of the index), mean power 1. */
const float complex *phy_wifi_constellation(unsigned n_bpsc);
/* Index in FFT order (0 = DC, 1..26, 38..63) of data subcarrier 0..47 and of pilot 0..3 (subcarriers -21, -7, 7, 21). */
extern const uint8_t phy_wifi_data_bin[PHY_WIFI_N_DATA];
extern const uint8_t phy_wifi_pilot_bin[4];
extern const float phy_wifi_pilot_value[4];        /* 1, 1, 1, -1 */
extern const float phy_wifi_long_training[PHY_WIFI_N_FFT]; /* FFT order, +-1, 0 where nothing is sent */
#endif
