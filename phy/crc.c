#include "phy/crc.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Remainders of the 16 values of a nibble times x^32 modulo 0xedb88320: 64 octets of table, two steps an octet. */
static const uint32_t nibble_table[16] = {
    0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
    0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
};

static uint32_t run_plain(uint32_t crc, const uint8_t *data, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ nibble_table[crc & 15];
        crc = (crc >> 4) ^ nibble_table[crc & 15];
    }
    return crc;
}

uint32_t phy_crc32_plain(const uint8_t *data, size_t len_bytes)
{
    return ~run_plain(0xffffffffu, data, len_bytes);
}

#if defined(__x86_64__)

enum { LANE = 16, LANES = 4 };

/* Moves a lane by as many bits as the two remainders stand for, onto the octets there. */
__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i lane, __m128i remainders, __m128i onto)
{
    __m128i low = _mm_clmulepi64_si128(lane, remainders, 0x00), high = _mm_clmulepi64_si128(lane, remainders, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), onto);
}

__attribute__((target("pclmul,sse4.1"))) static inline __m128i load(const uint8_t *data)
{
    return _mm_loadu_si128((const __m128i *)(const void *)data);
}

/* Four lanes of 128 bits are folded over the octets, then into one, which is a message with the same remainder (Gopal et al., Fast
 * CRC computation using PCLMULQDQ, 2009; reflected, so that a product stands one bit too low and the powers are one less).
 * Needs 64 octets. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t run_folded(uint32_t crc, const uint8_t *data, size_t len_bytes)
{
    const __m128i by_512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4); /* x^(512 - 32), x^(512 + 32) modulo the polynomial */
    const __m128i by_128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    __m128i lanes[LANES];
    for (int i = 0; i < LANES; i++)
        lanes[i] = load(data + i * LANE);
    lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128((int)crc));
    size_t at = LANES * LANE;
    for (; at + LANES * LANE <= len_bytes; at += LANES * LANE)
        for (int i = 0; i < LANES; i++)
            lanes[i] = fold(lanes[i], by_512, load(data + at + (size_t)i * LANE));
    for (int i = 1; i < LANES; i++)
        lanes[0] = fold(lanes[0], by_128, lanes[i]);
    for (; at + LANE <= len_bytes; at += LANE)
        lanes[0] = fold(lanes[0], by_128, load(data + at));
    uint8_t rest[LANE];
    _mm_storeu_si128((__m128i *)(void *)rest, lanes[0]);
    return run_plain(run_plain(0, rest, sizeof rest), data + at, len_bytes - at);
}

#endif

uint32_t phy_crc32(const uint8_t *data, size_t len_bytes)
{
#if defined(__x86_64__)
    if (len_bytes >= LANES * LANE && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"))
        return ~run_folded(0xffffffffu, data, len_bytes);
#endif
    return phy_crc32_plain(data, len_bytes);
}
