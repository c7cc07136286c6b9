#include "phy/wifi/code.h"

/* --- scrambler and convolutional code --- */

void phy_wifi_scramble(uint8_t *bits, size_t n, uint8_t state)
{
    unsigned x = state;
    for (size_t i = 0; i < n; i++) {
        unsigned feedback = (x >> 6 ^ x >> 3) & 1u;
        bits[i] ^= (uint8_t)feedback;
        x = (x << 1 | feedback) & 0x7fu;
    }
}

enum { GENERATOR_A = 0x6d, GENERATOR_B = 0x4f }; /* 133 and 171 octal with the newest bit in bit 0 */

unsigned phy_wifi_encode_from(unsigned state, const uint8_t *bits, size_t n, uint8_t *coded_out)
{
    for (size_t i = 0; i < n; i++) {
        unsigned window = state << 1 | bits[i];
        coded_out[2 * i] = (uint8_t)__builtin_parity(window & GENERATOR_A);
        coded_out[2 * i + 1] = (uint8_t)__builtin_parity(window & GENERATOR_B);
        state = window & 0x3fu;
    }
    return state;
}

void phy_wifi_encode(const uint8_t *bits, size_t n, uint8_t *coded_out)
{
    phy_wifi_encode_from(0, bits, n, coded_out);
}

/* 17.3.5.6, Figure 17-9 */
const uint8_t *phy_wifi_puncture_pattern(unsigned rate_index, unsigned *period_out)
{
    static const uint8_t half[2] = {1, 1}, two_thirds[4] = {1, 1, 1, 0}, three_quarters[6] = {1, 1, 1, 0, 0, 1};
    const struct phy_wifi_rate *rate = phy_wifi_rate(rate_index);
    *period_out = 2 * rate->code_num;
    return rate->code_num == 1 ? half : rate->code_num == 2 ? two_thirds : three_quarters;
}

/* --- interleaver: the two permutations of 17.3.5.7, composed --- */

#define FIRST(n, k) ((n) / 16 * ((k) % 16) + (k) / 16)
#define SECOND(n, s, i) ((s) * ((i) / (s)) + ((i) + (n) - 16 * (i) / (n)) % (s))
#define PLACE(n, s, k) SECOND(n, s, FIRST(n, k))
#define ROW(n, s, r) /* coded bits 16 r to 16 r + 15 */ \
    PLACE(n, s, 16 * (r)), PLACE(n, s, 16 * (r) + 1), PLACE(n, s, 16 * (r) + 2), PLACE(n, s, 16 * (r) + 3), \
    PLACE(n, s, 16 * (r) + 4), PLACE(n, s, 16 * (r) + 5), PLACE(n, s, 16 * (r) + 6), PLACE(n, s, 16 * (r) + 7), \
    PLACE(n, s, 16 * (r) + 8), PLACE(n, s, 16 * (r) + 9), PLACE(n, s, 16 * (r) + 10), PLACE(n, s, 16 * (r) + 11), \
    PLACE(n, s, 16 * (r) + 12), PLACE(n, s, 16 * (r) + 13), PLACE(n, s, 16 * (r) + 14), PLACE(n, s, 16 * (r) + 15)
#define ROWS3(n, s, r) ROW(n, s, r), ROW(n, s, (r) + 1), ROW(n, s, (r) + 2)
#define ROWS6(n, s, r) ROWS3(n, s, r), ROWS3(n, s, (r) + 3)

const uint16_t *phy_wifi_interleaver(unsigned rate_index)
{
    static const uint16_t bpsk[48] = {ROWS3(48, 1, 0)}, qpsk[96] = {ROWS6(96, 1, 0)}, qam16[192] = {ROWS6(192, 2, 0), ROWS6(192, 2, 6)},
                          qam64[288] = {ROWS6(288, 3, 0), ROWS6(288, 3, 6), ROWS6(288, 3, 12)};
    switch (phy_wifi_rate(rate_index)->n_bpsc) {
    case 1: return bpsk;
    case 2: return qpsk;
    case 4: return qam16;
    default: return qam64;
    }
}

/* --- constellations --- */

/* Amplitudes by Gray-coded bits, the first in bit 0: Tables 17-8 to 17-11; then all points with one value of the bits of Q. */
#define LEVELS4(point, k, q) point(k, -3, q), point(k, 3, q), point(k, -1, q), point(k, 1, q)
#define LEVELS8(point, k, q) point(k, -7, q), point(k, 7, q), point(k, -1, q), point(k, 1, q), \
    point(k, -5, q), point(k, 5, q), point(k, -3, q), point(k, 3, q)
#define POINT(k, i, q) CMPLXF((i) * (k), (q) * (k))
#define K_QPSK 0.707106781f /* 1/sqrt(2) */
#define K_16QAM 0.316227766f /* 1/sqrt(10) */
#define K_64QAM 0.15430335f /* 1/sqrt(42) */

const float complex *phy_wifi_constellation(unsigned n_bpsc)
{
    static const float complex bpsk[2] = {-1.0f, 1.0f};
    static const float complex qpsk[4] = {
        POINT(K_QPSK, -1, -1), POINT(K_QPSK, 1, -1), POINT(K_QPSK, -1, 1), POINT(K_QPSK, 1, 1)};
    static const float complex qam16[16] = {
        LEVELS4(POINT, K_16QAM, -3), LEVELS4(POINT, K_16QAM, 3), LEVELS4(POINT, K_16QAM, -1), LEVELS4(POINT, K_16QAM, 1)};
    static const float complex qam64[64] = {
        LEVELS8(POINT, K_64QAM, -7), LEVELS8(POINT, K_64QAM, 7), LEVELS8(POINT, K_64QAM, -1), LEVELS8(POINT, K_64QAM, 1),
        LEVELS8(POINT, K_64QAM, -5), LEVELS8(POINT, K_64QAM, 5), LEVELS8(POINT, K_64QAM, -3), LEVELS8(POINT, K_64QAM, 3)};
    switch (n_bpsc) {
    case 1: return bpsk;
    case 2: return qpsk;
    case 4: return qam16;
    default: return qam64;
    }
}

/* --- subcarriers, FFT order --- */

const uint8_t phy_wifi_data_bin[PHY_WIFI_N_DATA] = {
    38, 39, 40, 41, 42, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 58, 59, 60, 61, 62, 63,
    1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 25, 26};
const uint8_t phy_wifi_pilot_bin[4] = {43, 57, 7, 21};
const float phy_wifi_pilot_value[4] = {1, 1, 1, -1};
const float phy_wifi_long_training[PHY_WIFI_N_FFT] = {
    0, 1, -1, -1, 1, 1, -1, 1, -1, 1, -1, -1, -1, -1, -1, 1, 1, -1, -1, 1, -1, 1, -1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 1, 1, -1, -1, 1, 1, -1, 1, -1, 1, 1, 1, 1, 1, 1, -1, -1, 1, 1, -1, 1, -1, 1, 1, 1, 1};
