#include "phy/wifi/payload.h"

#include <string.h>

#include "phy/wifi/wifi.h"

enum { PERIOD = 127 }; /* bits after which the scrambler repeats, and so octets after which its octets do */

void phy_wifi_descramble(const uint8_t *packed, size_t psdu_len, uint8_t *psdu_out)
{
    uint8_t mask[PERIOD];
    unsigned history = 0; /* the last seven bits, the newest in bit 0 */
    for (unsigned i = 0; i < 7; i++)
        history = history << 1 | (packed[0] >> i & 1);
    for (unsigned i = 0; i < 7; i++) /* back to before the first: bit n-7 is bit n xor bit n-4 */
        history = history >> 1 | ((history ^ history >> 4) & 1) << 6;
    for (unsigned octet = 0; octet < PERIOD; octet++) {
        mask[octet] = 0;
        for (unsigned i = 0; i < 8; i++) {
            unsigned bit = (history >> 6 ^ history >> 3) & 1;
            history = history << 1 | bit;
            mask[octet] |= (uint8_t)(bit << i);
        }
    }
    const size_t service = PHY_WIFI_SERVICE_BITS / 8;
    for (size_t i = 0; i < psdu_len; i++)
        psdu_out[i] = packed[service + i] ^ mask[(service + i) % PERIOD];
}

static uint64_t load_8(const int8_t *at)
{
    uint64_t x;
    memcpy(&x, at, sizeof x);
    return x;
}

/* Bit i of the eight becomes the top bit of octet i of a word, in the machine's order of octets. */
static void make_spread(uint64_t spread[256])
{
    for (unsigned value = 0; value < 256; value++) {
        uint8_t octets[8];
        for (unsigned i = 0; i < 8; i++)
            octets[i] = (uint8_t)((value >> i & 1) << 7);
        memcpy(&spread[value], octets, 8);
    }
}

/* Code bits of the bits of an octet, A in even places and B in odd ones; earlier: the octet before. */
static unsigned encode_octet(unsigned octet, unsigned earlier)
{
    unsigned x = octet << 8 | earlier, out = 0; /* bit 8 + i is the i-th, bit 8 + i - d the one d before */
    unsigned a = (x ^ x << 2 ^ x << 3 ^ x << 5 ^ x << 6) >> 8 & 0xff;
    unsigned b = (x ^ x << 1 ^ x << 2 ^ x << 3 ^ x << 6) >> 8 & 0xff;
    for (unsigned i = 0; i < 8; i++)
        out |= (a >> i & 1) << 2 * i | (b >> i & 1) << (2 * i + 1);
    return out;
}

int32_t phy_wifi_count_corrected(const int8_t *soft, const uint8_t *packed, size_t n_bits)
{
    const uint64_t top = UINT64_C(0x8080808080808080), rest = ~top;
    uint64_t spread[256];
    make_spread(spread);
    int32_t n = 0;
    for (size_t octet = 0; octet * 8 < n_bits; octet++) {
        unsigned coded = encode_octet(packed[octet], octet ? packed[octet - 1] : 0);
        size_t n_left = n_bits - octet * 8;
        if (n_left >= 8) {
            for (unsigned half = 0; half < 2; half++) {
                uint64_t x = load_8(soft + 16 * octet + 8 * half);
                uint64_t known = x | ((x & rest) + rest);
                uint64_t wrong = (x ^ spread[coded >> 8 * half & 0xff]) & known & top;
                n += (int32_t)((wrong >> 7) * UINT64_C(0x0101010101010101) >> 56);
            }
        } else {
            for (size_t i = 0; i < 2 * n_left; i++)
                n += soft[16 * octet + i] != 0 && (soft[16 * octet + i] < 0) != (coded >> i & 1);
        }
    }
    return n;
}
