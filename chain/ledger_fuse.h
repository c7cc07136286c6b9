/* Cooperative sensing: one verdict from many (Chair and Varshney, 1986), in integers. */
#ifndef CHAIN_LEDGER_FUSE_H
#define CHAIN_LEDGER_FUSE_H

#include "chain/types.h"

enum {
    CHAIN_FUSE_P_D_PPB = 990000000, /* detection probability that the weights assume of one station */
    CHAIN_REPUTATION_START = 500,   /* full weight from here on */
    CHAIN_REPUTATION_MAX = 1000
};

/* Natural logarithm of x >= 1 in millionths, to within 10 millionths. */
int64_t chain_fuse_ln_micro(uint64_t x);

struct chain_fuse_weights {
    int64_t occupied_micro; /* ln(P_d / P_fa) > 0: what a vote "occupied" adds */
    int64_t free_micro;     /* ln((1 - P_d) / (1 - P_fa)) < 0: what a vote "free" adds */
};
struct chain_fuse_weights chain_fuse_weights_of(uint32_t local_p_fa_ppb);

/* One station's word; its weight is min(reputation, 500) / 500. */
struct chain_fuse_vote {
    bool occupied;
    uint32_t reputation;
};
/* Occupied if the weighted sum is positive and min_positive stations that still have a weight say so. */
bool chain_fuse_occupied(const struct chain_fuse_weights *weights, uint32_t min_positive, const struct chain_fuse_vote *votes,
                         size_t n);
/* After a window: agreed with every verdict, or contradicted so many. */
uint32_t chain_fuse_reputation(uint32_t reputation, uint32_t n_false_alarms, uint32_t n_misses);
#endif
