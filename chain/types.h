/* What all of chain shares: bounds, identities, hashes, and a cursor over caller's memory. */
#ifndef CHAIN_TYPES_H
#define CHAIN_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHAIN_HASH_BYTES = 32, /* BLAKE2b-256 */
    CHAIN_KEY_BYTES = 32,  /* Ed25519 public key */
    CHAIN_SECRET_BYTES = 64,
    CHAIN_SIG_BYTES = 64,
    CHAIN_MAX_MEMBERS = 32, /* ledger members; ids 0..n-1 in genesis order */
    CHAIN_MAX_KEYS = 64,    /* members, then admitted stations that do not vote; ids go on */
    CHAIN_WINDOW = 8,       /* sequence numbers above the last stable height that an engine works on */
    CHAIN_MAX_BATCH_BYTES = 32768,
    CHAIN_MAX_MSG_BYTES = 49152
};

struct chain_hash {
    uint8_t octets[CHAIN_HASH_BYTES];
};

/* Who runs the ledger. Fixed for an epoch; from the genesis block. */
struct chain_members {
    uint32_t n;      /* voting members */
    uint32_t n_keys; /* >= n: who may send transactions */
    uint32_t epoch;
    uint8_t chain_id[8]; /* first octets of the genesis hash */
    uint8_t keys[CHAIN_MAX_KEYS][CHAIN_KEY_BYTES];
};

/* Block times lie in [0, 2^62] (year 2116), so that sums of a few of them and of durations never overflow. */
#define CHAIN_MAX_TIME_NS (INT64_C(1) << 62)

/* n for Raft is a majority; for PBFT floor((n+f)/2)+1 with f = floor((n-1)/3). */
uint32_t chain_majority(uint32_t n);
uint32_t chain_pbft_f(uint32_t n);
uint32_t chain_pbft_quorum(uint32_t n);
#endif
