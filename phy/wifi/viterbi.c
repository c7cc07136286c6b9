#include "phy/wifi/viterbi.h"

#include <assert.h>
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

/* A state is the last six bits, the newest in bit 0: states i and i + 32 lead to 2 i (with a 0) and 2 i + 1 (with a 1). Both
 * generators hold the newest and the oldest bit, so that of these four branches two carry the same coded bits and the other two
 * their complements.
 *
 * Path metrics are 16 bits: those of any two states differ by at most 12 * 254, since six steps lead from the best one anywhere,
 * and a step changes one by 254 at most. They are brought back to zero every 64 steps, which leaves room enough. */
enum { N_STATES = 64, NORMALISE_STEPS = 64, UNREACHED = -4096 };

struct phy_viterbi {
    size_t max_bits;
    enum phy_simd simd;
    uint64_t *decisions; /* one a step; bit s: the survivor of state s came from the upper half */
};

static size_t round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

size_t phy_viterbi_bytes(size_t max_bits)
{
    return round_up(sizeof(struct phy_viterbi)) + round_up(max_bits * sizeof(uint64_t));
}

struct phy_viterbi *phy_viterbi_init(void *mem, size_t max_bits, enum phy_simd simd)
{
    struct phy_viterbi *v = mem;
    *v = (struct phy_viterbi){max_bits, phy_simd_choose(simd), NULL};
    v->decisions = (uint64_t *)(void *)((char *)mem + round_up(sizeof *v));
    return v;
}

/* Sign with which generator A (B) takes part in the branch from state i < 32 by a 0: -1 where it codes a 1. The states i, i + 8 and so on
 * up to i + 31 show its pattern again, or its negative. */
#define SIGNS_A 1, 1, -1, -1, -1, -1, 1, 1
#define MINUS_SIGNS_A -1, -1, 1, 1, 1, 1, -1, -1
#define SIGNS_B 1, -1, -1, 1, -1, 1, 1, -1
static const int16_t signs_a[N_STATES / 2] = {SIGNS_A, SIGNS_A, MINUS_SIGNS_A, MINUS_SIGNS_A};
static const int16_t signs_b[N_STATES / 2] = {SIGNS_B, SIGNS_B, SIGNS_B, SIGNS_B};

/* One step in plain C, in loops that compilers turn into vectors. upper[s]: 255 where the survivor came from the upper half. */
static void step(const int16_t *restrict metrics, int16_t *restrict next, int16_t a, int16_t b, uint8_t *restrict upper)
{
    for (unsigned i = 0; i < N_STATES / 2; i++) {
        int16_t branch = (int16_t)(signs_a[i] * a + signs_b[i] * b);
        int16_t low_0 = (int16_t)(metrics[i] + branch), high_0 = (int16_t)(metrics[i + N_STATES / 2] - branch);
        int16_t low_1 = (int16_t)(metrics[i] - branch), high_1 = (int16_t)(metrics[i + N_STATES / 2] + branch);
        next[2 * i] = high_0 > low_0 ? high_0 : low_0;
        next[2 * i + 1] = high_1 > low_1 ? high_1 : low_1;
        upper[2 * i] = high_0 > low_0 ? 255 : 0;
        upper[2 * i + 1] = high_1 > low_1 ? 255 : 0;
    }
}

/* 64 octets of 0 or 255 to 64 bits, the first in bit 0. */
static uint64_t pack(const uint8_t *flags)
{
    uint64_t bits = 0;
#if defined __x86_64__
    for (unsigned i = 0; i < N_STATES; i += 16) {
        __m128i sixteen = _mm_loadu_si128((const __m128i *)(const void *)(flags + i));
        bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(sixteen) << i;
    }
#else
    for (unsigned i = 0; i < N_STATES; i++)
        bits |= (uint64_t)(flags[i] & 1u) << i;
#endif
    return bits;
}

static void run_plain(uint64_t *decisions, const int8_t *soft, size_t n_bits, int16_t *metrics)
{
    int16_t sides[2][N_STATES];
    uint8_t upper[N_STATES];
    memcpy(sides[0], metrics, sizeof sides[0]);
    for (size_t i = 0; i < n_bits; i++) {
        int16_t *next = sides[(i + 1) % 2];
        step(sides[i % 2], next, soft[2 * i], soft[2 * i + 1], upper);
        decisions[i] = pack(upper);
        if (i % NORMALISE_STEPS == NORMALISE_STEPS - 1)
            for (unsigned s = N_STATES; s-- > 0;)
                next[s] = (int16_t)(next[s] - next[0]);
    }
    memcpy(metrics, sides[n_bits % 2], sizeof sides[0]);
}

#if defined __x86_64__
/* Signs of A and B for 16 states, in turn. */
#define PATTERN(x) \
    x, 1, x, -1, -(x), -1, -(x), 1, -(x), -1, -(x), 1, x, 1, x, -1, x, 1, x, -1, -(x), -1, -(x), 1, -(x), -1, -(x), 1, x, 1, x, -1

struct half {
    __m256i first, second; /* new states 0..15 and 16..31, or 32..63 */
    uint32_t decisions;
};

/* From old states i..i+15 and i+32..i+47 to 2 i .. 2 i + 31. */
__attribute__((target("avx2"), always_inline)) static inline struct half step_half(__m256i low, __m256i high, __m256i branch)
{
    const __m256i odd_octets = _mm256_set1_epi16((short)0xff00);
    __m256i low_0 = _mm256_add_epi16(low, branch), high_0 = _mm256_sub_epi16(high, branch);
    __m256i low_1 = _mm256_sub_epi16(low, branch), high_1 = _mm256_add_epi16(high, branch);
    __m256i even = _mm256_max_epi16(low_0, high_0), odd = _mm256_max_epi16(low_1, high_1);
    __m256i upper = _mm256_blendv_epi8(_mm256_cmpgt_epi16(high_0, low_0), _mm256_cmpgt_epi16(high_1, low_1), odd_octets);
    __m256i left = _mm256_unpacklo_epi16(even, odd), right = _mm256_unpackhi_epi16(even, odd);
    return (struct half){_mm256_permute2x128_si256(left, right, 0x20), _mm256_permute2x128_si256(left, right, 0x31),
                         (uint32_t)_mm256_movemask_epi8(upper)};
}

__attribute__((target("avx2"))) static void run_avx2(uint64_t *decisions, const int8_t *soft, size_t n_bits, int16_t *metrics)
{
    const __m256i ones = _mm256_set1_epi8(1);
    const __m256i signs_0 = _mm256_setr_epi8(PATTERN(1)), signs_1 = _mm256_setr_epi8(PATTERN(-1));
    __m256i m[4];
    for (size_t k = 0; k < 4; k++)
        m[k] = _mm256_loadu_si256((const __m256i *)(const void *)(metrics + 16 * k));
    for (size_t i = 0; i < n_bits; i++) {
        int16_t pair;
        memcpy(&pair, soft + 2 * i, sizeof pair);
        __m256i received = _mm256_set1_epi16(pair);
        __m256i branch_0 = _mm256_maddubs_epi16(ones, _mm256_sign_epi8(received, signs_0));
        __m256i branch_1 = _mm256_maddubs_epi16(ones, _mm256_sign_epi8(received, signs_1));
        struct half lower = step_half(m[0], m[2], branch_0), upper = step_half(m[1], m[3], branch_1);
        m[0] = lower.first, m[1] = lower.second, m[2] = upper.first, m[3] = upper.second;
        decisions[i] = lower.decisions | (uint64_t)upper.decisions << 32;
        if (i % NORMALISE_STEPS == NORMALISE_STEPS - 1) {
            __m256i base = _mm256_broadcastw_epi16(_mm256_castsi256_si128(m[0]));
            for (size_t k = 0; k < 4; k++)
                m[k] = _mm256_sub_epi16(m[k], base);
        }
    }
    for (size_t k = 0; k < 4; k++)
        _mm256_storeu_si256((__m256i *)(void *)(metrics + 16 * k), m[k]);
}
#endif

static void run_forward(struct phy_viterbi *v, const int8_t *soft, size_t n_bits, int16_t *metrics)
{
#if defined __x86_64__
    if (v->simd == PHY_SIMD_AVX2) {
        run_avx2(v->decisions, soft, n_bits, metrics);
        return;
    }
#endif
    run_plain(v->decisions, soft, n_bits, metrics);
}

static unsigned find_best(const int16_t *metrics)
{
    unsigned best = 0;
    for (unsigned s = 1; s < N_STATES; s++)
        if (metrics[s] > metrics[best])
            best = s;
    return best;
}

/* The decision at a step is the bit six steps before: with it at the top, the state moves one back. */
static unsigned go_back(unsigned state, uint64_t decisions)
{
    return state >> 1 | (unsigned)(decisions >> state & 1u) << 5;
}

static void trace_back(const uint64_t *decisions, size_t n_bits, unsigned state, uint8_t *packed_out)
{
    unsigned octet = 0;
    for (size_t i = n_bits; i-- > 0;) {
        octet = octet << 1 | (state & 1u);
        state = go_back(state, decisions[i]);
        if (i % 8 == 0)
            packed_out[i / 8] = (uint8_t)octet; /* what is above the octet's eight bits falls off */
    }
}

void phy_viterbi_decode(struct phy_viterbi *v, const int8_t *soft, size_t n_bits, int terminated, uint8_t *packed_out)
{
    int16_t metrics[N_STATES];
    assert(n_bits <= v->max_bits);
    for (unsigned s = 0; s < N_STATES; s++)
        metrics[s] = s ? UNREACHED : 0;
    run_forward(v, soft, n_bits, metrics);
    trace_back(v->decisions, n_bits, terminated ? 0 : find_best(metrics), packed_out);
}
