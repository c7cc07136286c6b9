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

/* Bit i of the four becomes the top bit of octet 2 i of a word (of octet 2 i + 1 for the second), in the machine's order of octets. */
static void make_spread(uint64_t first[16], uint64_t second[16])
{
    for (unsigned value = 0; value < 16; value++) {
        uint8_t octets[9] = {0};
        for (unsigned i = 0; i < 4; i++)
            octets[2 * i + 1] = (uint8_t)((value >> i & 1) << 7);
        memcpy(&first[value], octets + 1, 8);
        memcpy(&second[value], octets, 8);
    }
}

int32_t phy_wifi_count_corrected(const int8_t *soft, const uint8_t *packed, size_t n_bits)
{
    const uint64_t top = UINT64_C(0x8080808080808080), rest = ~top;
    uint64_t first[16], second[16];
    make_spread(first, second);
    int32_t n = 0;
    for (size_t octet = 0; octet * 8 < n_bits; octet++) {
        unsigned x = (unsigned)packed[octet] << 8 | (octet ? packed[octet - 1] : 0u);
        unsigned a = (x ^ x << 2 ^ x << 3 ^ x << 5 ^ x << 6) >> 8; /* bit i: code bit A of the octet's bit i; what lies above is not used */
        unsigned b = (x ^ x << 1 ^ x << 2 ^ x << 3 ^ x << 6) >> 8;
        size_t n_left = n_bits - octet * 8;
        if (n_left >= 8) {
            for (unsigned half = 0; half < 8; half += 4) {
                uint64_t y = load_8(soft + 16 * octet + 2 * half);
                uint64_t known = y | ((y & rest) + rest);
                uint64_t wrong = (y ^ (first[a >> half & 15] | second[b >> half & 15])) & known & top;
                n += (int32_t)((wrong >> 7) * UINT64_C(0x0101010101010101) >> 56);
            }
        } else {
            for (size_t i = 0; i < 2 * n_left; i++) {
                unsigned coded = (i % 2 ? b : a) >> i / 2 & 1;
                n += soft[16 * octet + i] != 0 && (soft[16 * octet + i] < 0) != coded;
            }
        }
    }
    return n;
}
