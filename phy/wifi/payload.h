/* What is done with decoded bits: descrambling, and counting what the decoder changed. */
#ifndef PHY_WIFI_PAYLOAD_H
#define PHY_WIFI_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

/* packed: decoded bits, the first in bit 0 of octet 0: SERVICE, then the PSDU, which comes out of the scrambling that the first seven
 * bits of SERVICE, sent as 0, give away (17.3.5.5). */
void phy_wifi_descramble(const uint8_t *packed, size_t psdu_len, uint8_t *psdu_out);
/* soft: as the decoder took them; packed: the n_bits that it gave. How many signs differ from what it decided, where any is known. */
int32_t phy_wifi_count_corrected(const int8_t *soft, const uint8_t *packed, size_t n_bits);
#endif
