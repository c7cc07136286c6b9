#include "chain/ledger_fuse.h"

enum { GAIN_AGREED = 10, LOSS_FALSE_ALARM = 50, LOSS_MISS = 25 };

int64_t chain_fuse_ln_micro(uint64_t x)
{
    if (x <= 1)
        return 0;
    uint32_t exponent = 63;
    while (!(x >> exponent & 1))
        exponent--;
    /* mantissa in [1, 2) with 31 fraction bits; each squaring yields the next bit of the binary logarithm */
    uint64_t mantissa = exponent >= 31 ? x >> (exponent - 31) : x << (31 - exponent);
    uint64_t log2_q32 = (uint64_t)exponent << 32;
    for (int bit = 31; bit >= 0; bit--) {
        mantissa = mantissa * mantissa >> 31;
        if (mantissa >> 32) {
            mantissa >>= 1;
            log2_q32 |= UINT64_C(1) << bit;
        }
    }
    return (int64_t)(log2_q32 * 693147 >> 32); /* ln 2 = 0.693147 */
}

struct chain_fuse_weights chain_fuse_weights_of(uint32_t local_p_fa_ppb)
{
    return (struct chain_fuse_weights){
        .occupied_micro = chain_fuse_ln_micro(CHAIN_FUSE_P_D_PPB) - chain_fuse_ln_micro(local_p_fa_ppb),
        .free_micro = chain_fuse_ln_micro(1000000000 - CHAIN_FUSE_P_D_PPB) - chain_fuse_ln_micro(1000000000 - local_p_fa_ppb),
    };
}

bool chain_fuse_occupied(const struct chain_fuse_weights *weights, uint32_t min_positive, const struct chain_fuse_vote *votes,
                         size_t n)
{
    int64_t sum = 0; /* 64 votes of at most 500 times 21e6: far inside */
    uint32_t n_positive = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t weight = votes[i].reputation < CHAIN_REPUTATION_START ? votes[i].reputation : CHAIN_REPUTATION_START;
        sum += (int64_t)weight * (votes[i].occupied ? weights->occupied_micro : weights->free_micro);
        n_positive += votes[i].occupied && weight > 0;
    }
    return sum > 0 && n_positive >= min_positive;
}

uint32_t chain_fuse_reputation(uint32_t reputation, uint32_t n_false_alarms, uint32_t n_misses)
{
    if (n_false_alarms == 0 && n_misses == 0)
        return reputation + GAIN_AGREED < CHAIN_REPUTATION_MAX ? reputation + GAIN_AGREED : CHAIN_REPUTATION_MAX;
    uint32_t loss = n_false_alarms * LOSS_FALSE_ALARM + n_misses * LOSS_MISS;
    return reputation > loss ? reputation - loss : 0;
}
