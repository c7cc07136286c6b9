#include "chain/ledger_fuse.h"

enum { CERTAIN_PPB = 1000000000 };

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

void chain_fuse_start(struct chain_fuse_record *record, uint32_t local_p_fa_ppb)
{
    *record = (struct chain_fuse_record){.p_d_ppb = CHAIN_FUSE_P_D_PPB, .p_fa_ppb = local_p_fa_ppb};
}

bool chain_fuse_record_valid(const struct chain_fuse_record *record)
{
    return record->p_d_ppb <= CERTAIN_PPB && record->p_fa_ppb <= CERTAIN_PPB && record->agreed <= CHAIN_FUSE_PROBATION;
}

static uint32_t move_towards(uint32_t from_ppb, uint32_t to_ppb)
{
    return (uint32_t)(from_ppb + ((int64_t)to_ppb - from_ppb) / CHAIN_FUSE_MEMORY);
}

void chain_fuse_learn(struct chain_fuse_record *record, bool said, bool is)
{
    uint32_t *average_ppb = is ? &record->p_d_ppb : &record->p_fa_ppb;
    *average_ppb = move_towards(*average_ppb, said ? CERTAIN_PPB : 0);
}

void chain_fuse_agree(struct chain_fuse_record *record)
{
    record->agreed += record->agreed < CHAIN_FUSE_PROBATION;
}

void chain_fuse_forgive(struct chain_fuse_record *record, uint32_t local_p_fa_ppb)
{
    record->p_d_ppb = move_towards(record->p_d_ppb, CHAIN_FUSE_P_D_PPB);
    record->p_fa_ppb = move_towards(record->p_fa_ppb, local_p_fa_ppb);
}

/* Nobody is credited with more than genesis assumes, so that a perfect past buys nobody more than one voice. */
static void credit(const struct chain_fuse_record *record, uint32_t local_p_fa_ppb, uint32_t *p_d_ppb_out, uint32_t *p_fa_ppb_out)
{
    *p_d_ppb_out = record->p_d_ppb < CHAIN_FUSE_P_D_PPB ? record->p_d_ppb : CHAIN_FUSE_P_D_PPB;
    *p_fa_ppb_out = record->p_fa_ppb > local_p_fa_ppb ? record->p_fa_ppb : local_p_fa_ppb;
}

static uint32_t share_of_full(const struct chain_fuse_record *record)
{
    return CHAIN_FUSE_FULL - CHAIN_FUSE_PROBATION + record->agreed;
}

uint32_t chain_fuse_reputation(const struct chain_fuse_record *record, uint32_t local_p_fa_ppb)
{
    uint32_t p_d_ppb, p_fa_ppb;
    credit(record, local_p_fa_ppb, &p_d_ppb, &p_fa_ppb);
    if (p_d_ppb <= p_fa_ppb)
        return 0;
    uint64_t gain = (uint64_t)(p_d_ppb - p_fa_ppb) * share_of_full(record) * CHAIN_REPUTATION_MAX;
    return (uint32_t)(gain / ((uint64_t)(CHAIN_FUSE_P_D_PPB - local_p_fa_ppb) * CHAIN_FUSE_FULL));
}

struct chain_fuse_weights chain_fuse_weights_of(const struct chain_fuse_record *record, uint32_t local_p_fa_ppb)
{
    uint32_t p_d_ppb, p_fa_ppb;
    credit(record, local_p_fa_ppb, &p_d_ppb, &p_fa_ppb);
    if (p_d_ppb <= p_fa_ppb)
        return (struct chain_fuse_weights){0};
    int64_t share = share_of_full(record);
    return (struct chain_fuse_weights){
        .occupied = share * (chain_fuse_ln_micro(p_d_ppb) - chain_fuse_ln_micro(p_fa_ppb)),
        .free = share * (chain_fuse_ln_micro(CERTAIN_PPB - p_d_ppb) - chain_fuse_ln_micro(CERTAIN_PPB - p_fa_ppb)),
        .say = share * (p_d_ppb - p_fa_ppb),
    };
}

static bool is_positive(const struct chain_fuse_vote *votes, size_t n)
{
    int64_t sum = 0, say = 0, say_occupied = 0; /* 64 votes of at most 32 times 21e6, and 32 times 1e9: far inside */
    for (size_t i = 0; i < n; i++) {
        sum += votes[i].occupied ? votes[i].weights.occupied : votes[i].weights.free;
        say += votes[i].weights.say;
        say_occupied += votes[i].occupied ? votes[i].weights.say : 0;
    }
    if (3 * say_occupied <= say)
        return false;
    return sum > 0 || 3 * (say - say_occupied) <= say;
}

bool chain_fuse_occupied(uint32_t min_positive, const struct chain_fuse_vote *votes, size_t n)
{
    int64_t greatest = 0;
    uint32_t n_positive = 0;
    for (size_t i = 0; i < n; i++)
        greatest = votes[i].weights.occupied > greatest ? votes[i].weights.occupied : greatest;
    for (size_t i = 0; i < n; i++)
        n_positive += votes[i].occupied && votes[i].weights.occupied > 0 && 4 * votes[i].weights.occupied >= greatest;
    return n_positive >= min_positive && is_positive(votes, n);
}
