/* Cooperative sensing: one verdict from many (Chair and Varshney, 1986), in integers, with what is known of each station. */
#ifndef CHAIN_LEDGER_FUSE_H
#define CHAIN_LEDGER_FUSE_H

#include "chain/types.h"

enum {
    CHAIN_FUSE_P_D_PPB = 900000000, /* detection probability that is assumed of a station, and the most that it is credited with */
    CHAIN_FUSE_MEMORY = 32,         /* verdicts over which a station's two probabilities are averaged */
    CHAIN_FUSE_PROBATION = 28,      /* windows in which a newcomer must have agreed before its word counts in full */
    CHAIN_FUSE_FULL = 32,           /* a newcomer begins at (FULL - PROBATION) / FULL of a full weight */
    CHAIN_REPUTATION_MAX = 1000
};

/* Natural logarithm of x >= 1 in millionths, to within 10 millionths. */
int64_t chain_fuse_ln_micro(uint64_t x);

/* What the verdicts say of one station: exponential averages over those that were "occupied" (p_d) and "free" (p_fa). */
struct chain_fuse_record {
    uint32_t p_d_ppb, p_fa_ppb;
    uint32_t agreed; /* windows in which it agreed with every verdict, up to CHAIN_FUSE_PROBATION */
};
/* A station of which nothing is known is taken for one that senses as the genesis block assumes. */
void chain_fuse_start(struct chain_fuse_record *record, uint32_t local_p_fa_ppb);
/* What a snapshot claims may be anything. */
bool chain_fuse_record_valid(const struct chain_fuse_record *record);
/* After a verdict: the station said `said`, fusion found `is`. */
void chain_fuse_learn(struct chain_fuse_record *record, bool said, bool is);
void chain_fuse_agree(struct chain_fuse_record *record);
/* After a window in which too few had a say, of one that had none: what is held against it fades as it came. */
void chain_fuse_forgive(struct chain_fuse_record *record, uint32_t local_p_fa_ppb);
/* 0..1000 in thousandths of a full say: (p_d - p_fa) over what genesis assumes, times the share of a full weight in probation. */
uint32_t chain_fuse_reputation(const struct chain_fuse_record *record, uint32_t local_p_fa_ppb);

/* All are 0 of a station whose word tells nothing (p_d <= p_fa). */
struct chain_fuse_weights {
    int64_t occupied; /* 32nds of millionths, ln(P_d / P_fa) > 0: what its vote "occupied" adds */
    int64_t free;     /* the same, ln((1 - P_d) / (1 - P_fa)) < 0: what its vote "free" adds */
    int64_t say;      /* 32nds of 1e-9, P_d - P_fa: its part of the electorate, whatever it votes */
};
struct chain_fuse_weights chain_fuse_weights_of(const struct chain_fuse_record *record, uint32_t local_p_fa_ppb);

struct chain_fuse_vote {
    bool occupied;
    struct chain_fuse_weights weights;
};
/* The sum's sign decides, but up to a third of the say carries nothing against the rest: with a small P_fa one "occupied" outweighs
 * several "free", and a few liars would make every verdict. Occupied also needs min_positive stations that say so and whose word has
 * at least a quarter of the greatest weight among all that vote. */
bool chain_fuse_occupied(uint32_t min_positive, const struct chain_fuse_vote *votes, size_t n);
#endif
