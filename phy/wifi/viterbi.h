/* Maximum-likelihood decoder of the K = 7 code (133, 171) on soft bits. */
#ifndef PHY_WIFI_VITERBI_H
#define PHY_WIFI_VITERBI_H

#include <stddef.h>
#include <stdint.h>

#include "phy/simd.h"

struct phy_viterbi;

size_t phy_viterbi_bytes(size_t max_bits);
/* mem: phy_viterbi_bytes(max_bits), 64-byte aligned. */
struct phy_viterbi *phy_viterbi_init(void *mem, size_t max_bits, enum phy_simd simd);
/* soft: 2 n_bits values, those of A and B of each bit: positive for 0, negative for 1, 0 for a bit that was not sent; -127..127.
 * The encoder started in state 0 and, with `terminated`, ended there. Bits come out packed, the first in bit 0 of octet 0.
 * Same bits at every SIMD level. n_bits <= max_bits. */
void phy_viterbi_decode(struct phy_viterbi *v, const int8_t *soft, size_t n_bits, int terminated, uint8_t *packed_out);
#endif
