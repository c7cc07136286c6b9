/* The frame check sequence of IEEE 802.11 (clause 9.2.4.8): CRC-32, reflected, ones' complement at both ends. */
#ifndef PHY_CRC_H
#define PHY_CRC_H

#include <stddef.h>
#include <stdint.h>

enum { PHY_FCS_BYTES = 4 };

/* By carry-less multiplication where the processor has it. */
uint32_t phy_crc32(const uint8_t *data, size_t len_bytes);
/* The same everywhere, four bits a step. */
uint32_t phy_crc32_plain(const uint8_t *data, size_t len_bytes);
#endif
