#include "phy/wifi/viterbi.h"

#include <stdbool.h>
#include <string.h>

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

/* Whether generator A (B) codes a 0 from state i < 32 as 1. */
static const uint32_t ones_a = 0xc3c33c3c, ones_b = 0x96969696;

static uint64_t step(int16_t *metrics, int a, int b)
{
    int16_t next[N_STATES];
    uint64_t decisions = 0;
    for (unsigned i = 0; i < N_STATES / 2; i++) {
        int same = (ones_a >> i & 1u ? -a : a) + (ones_b >> i & 1u ? -b : b);
        int low = metrics[i], high = metrics[i + N_STATES / 2];
        bool from_high_0 = high - same > low + same, from_high_1 = high + same > low - same;
        next[2 * i] = (int16_t)(from_high_0 ? high - same : low + same);
        next[2 * i + 1] = (int16_t)(from_high_1 ? high + same : low - same);
        decisions |= (uint64_t)(from_high_0 | from_high_1 << 1) << 2 * i;
    }
    memcpy(metrics, next, sizeof next);
    return decisions;
}

static void run_forward(struct phy_viterbi *v, const int8_t *soft, size_t n_bits, int16_t *metrics)
{
    for (size_t i = 0; i < n_bits; i++) {
        v->decisions[i] = step(metrics, soft[2 * i], soft[2 * i + 1]);
        if (i % NORMALISE_STEPS == NORMALISE_STEPS - 1)
            for (unsigned s = N_STATES; s-- > 0;)
                metrics[s] = (int16_t)(metrics[s] - metrics[0]);
    }
}

static unsigned find_best(const int16_t *metrics)
{
    unsigned best = 0;
    for (unsigned s = 1; s < N_STATES; s++)
        if (metrics[s] > metrics[best])
            best = s;
    return best;
}

static void trace_back(const uint64_t *decisions, size_t n_bits, unsigned state, uint8_t *packed_out)
{
    memset(packed_out, 0, (n_bits + 7) / 8);
    for (size_t i = n_bits; i-- > 0;) {
        packed_out[i / 8] |= (uint8_t)((state & 1u) << i % 8);
        state = state >> 1 | (unsigned)(decisions[i] >> state & 1u) << 5;
    }
}

void phy_viterbi_decode(struct phy_viterbi *v, const int8_t *soft, size_t n_bits, int terminated, uint8_t *packed_out)
{
    int16_t metrics[N_STATES];
    for (unsigned s = 0; s < N_STATES; s++)
        metrics[s] = s ? UNREACHED : 0;
    run_forward(v, soft, n_bits, metrics);
    trace_back(v->decisions, n_bits, terminated ? 0 : find_best(metrics), packed_out);
}
