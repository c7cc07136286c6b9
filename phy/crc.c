#include "phy/crc.h"

#include <string.h>

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
#define CLMUL __attribute__((target("pclmul,sse4.1")))

/* Moves a lane by as many bits as the two remainders stand for, onto the octets there. */
CLMUL static inline __m128i fold(__m128i lane, __m128i remainders, __m128i onto)
{
    __m128i low = _mm_clmulepi64_si128(lane, remainders, 0x00), high = _mm_clmulepi64_si128(lane, remainders, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), onto);
}

CLMUL static inline __m128i load(const uint8_t *data)
{
    return _mm_loadu_si128((const __m128i *)(const void *)data);
}

/* The remainder of one lane: to 96 bits, to 64, then by the quotient (Barrett). */
CLMUL static uint32_t reduce(__m128i lane, __m128i by_128)
{
    const __m128i by_64 = _mm_cvtsi64_si128(0x163cd6124), quotient = _mm_cvtsi64_si128(0x1f7011641);
    const __m128i polynomial = _mm_cvtsi64_si128(0x1db710641), low_32 = _mm_set_epi32(0, 0, 0, -1);
    lane = _mm_xor_si128(_mm_srli_si128(lane, 8), _mm_clmulepi64_si128(lane, by_128, 0x10));
    lane = _mm_xor_si128(_mm_srli_si128(lane, 4), _mm_clmulepi64_si128(_mm_and_si128(lane, low_32), by_64, 0x00));
    __m128i t = _mm_clmulepi64_si128(_mm_and_si128(lane, low_32), quotient, 0x00);
    t = _mm_clmulepi64_si128(_mm_and_si128(t, low_32), polynomial, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(lane, t), 1);
}

#define CLMUL_WIDE __attribute__((target("vpclmulqdq,pclmul,avx2")))

CLMUL_WIDE static inline __m256i fold_pair(__m256i pair, __m256i remainders, __m256i onto)
{
    __m256i low = _mm256_clmulepi64_epi128(pair, remainders, 0x00), high = _mm256_clmulepi64_epi128(pair, remainders, 0x11);
    return _mm256_xor_si256(_mm256_xor_si256(low, high), onto);
}

CLMUL_WIDE static inline __m256i load_pair(const uint8_t *data)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)data);
}

/* The same with four pairs of lanes: the first *i_out lanes come to the lane that is returned. data: the lane behind the head's two, n: of
 * all, at least 16. */
CLMUL_WIDE static __m128i fold_pairs(const uint8_t *head, const uint8_t *data, size_t n, size_t *i_out)
{
    /* x^(1024 -+ 32), x^(256 -+ 32), x^(128 -+ 32) modulo the polynomial */
    const __m256i by_1024 = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x14a7fe880, 0x1e88ef372));
    const __m256i by_256 = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x15a546366, 0x0f1da05aa));
    const __m128i by_128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    __m256i pairs[LANES] = {load_pair(head), load_pair(data), load_pair(data + 2 * LANE), load_pair(data + 4 * LANE)};
    size_t i = 2 * LANES;
    for (data += 6 * LANE; i + 2 * LANES <= n; i += 2 * LANES, data += 2 * LANES * LANE)
        for (size_t k = 0; k < LANES; k++)
            pairs[k] = fold_pair(pairs[k], by_1024, load_pair(data + 2 * k * LANE));
    for (size_t k = 1; k < LANES; k++)
        pairs[k] = fold_pair(pairs[k - 1], by_256, pairs[k]);
    *i_out = i;
    __m128i low = _mm256_castsi256_si128(pairs[LANES - 1]), high = _mm256_extracti128_si256(pairs[LANES - 1], 1);
    return fold(low, by_128, high);
}

/* Four lanes of 128 bits are folded over the octets, then into one (Gopal et al., Fast CRC computation using PCLMULQDQ, 2009;
 * reflected, so that a product stands one bit too low and the powers are one less). Zeros in front make the length a whole number of
 * lanes: they do not change a remainder that begins with 0, and the ones that it begins with here stand behind them. Needs 4 octets. */
CLMUL static uint32_t run_folded(const uint8_t *data, size_t len_bytes)
{
    const __m128i by_512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4); /* x^(512 - 32), x^(512 + 32) modulo the polynomial */
    const __m128i by_128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    size_t n = (len_bytes + LANE - 1) / LANE, pad = n * LANE - len_bytes, i = 1;
    uint8_t head[2 * LANE] = {0};
    size_t n_head = len_bytes < sizeof head - pad ? len_bytes : sizeof head - pad;
    memcpy(head + pad, data, n_head);
    for (size_t k = 0; k < 4; k++)
        head[pad + k] ^= 0xff;
    __m128i lane = load(head);
    if (n >= 4 * LANES && __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("avx2")) {
        lane = fold_pairs(head, data + 2 * LANE - pad, n, &i);
    } else if (n >= 2 * LANES) {
        __m128i lanes[LANES] = {lane, load(head + LANE), load(data + 2 * LANE - pad), load(data + 3 * LANE - pad)};
        for (i = LANES; i + LANES <= n; i += LANES)
            for (size_t k = 0; k < LANES; k++)
                lanes[k] = fold(lanes[k], by_512, load(data + (i + k) * LANE - pad));
        for (size_t k = 1; k < LANES; k++)
            lanes[k] = fold(lanes[k - 1], by_128, lanes[k]);
        lane = lanes[LANES - 1];
    }
    for (; i < n; i++)
        lane = fold(lane, by_128, i == 1 ? load(head + LANE) : load(data + i * LANE - pad));
    return reduce(lane, by_128);
}

#endif

uint32_t phy_crc32(const uint8_t *data, size_t len_bytes)
{
#if defined(__x86_64__)
    if (len_bytes >= 4 && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"))
        return ~run_folded(data, len_bytes);
#endif
    return phy_crc32_plain(data, len_bytes);
}
