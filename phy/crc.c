#include "phy/crc.h"

/* Remainders of the 16 values of a nibble times x^32 modulo 0xedb88320: 64 octets of table, two steps an octet. */
static const uint32_t nibble_table[16] = {
    0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
    0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
};

uint32_t phy_crc32(const uint8_t *data, size_t len_bytes)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < len_bytes; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ nibble_table[crc & 15];
        crc = (crc >> 4) ^ nibble_table[crc & 15];
    }
    return ~crc;
}
