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
    CHAIN_MAX_BATCH_BYTES = 131072, /* genesis bounds it further */
    CHAIN_MAX_MSG_BYTES = 163840
};

struct chain_hash {
    uint8_t octets[CHAIN_HASH_BYTES];
};

/* Who runs the ledger. n, seats and epoch are fixed for an epoch; keys are only ever added.
 * Two kinds of identity: a key id (0 .. n_keys - 1, for good) names a station; a seat (0 .. n - 1, for an epoch) names a vote. In the
 * genesis epoch seat i is held by key i. */
struct chain_members {
    uint32_t n;      /* seats */
    uint32_t n_keys; /* >= n: who may send transactions */
    uint32_t epoch;
    uint8_t chain_id[8]; /* first octets of the genesis hash */
    uint8_t seats[CHAIN_MAX_MEMBERS]; /* key id of each seat's holder, ascending */
    uint8_t keys[CHAIN_MAX_KEYS][CHAIN_KEY_BYTES];
};

/* Block times lie in [0, 2^62] (year 2116), so that sums of a few of them and of durations never overflow. */
#define CHAIN_MAX_TIME_NS (INT64_C(1) << 62)

/* n for Raft is a majority; for PBFT floor((n+f)/2)+1 with f = floor((n-1)/3). */
uint32_t chain_majority(uint32_t n);
uint32_t chain_pbft_f(uint32_t n);
uint32_t chain_pbft_quorum(uint32_t n);
/* The genesis epoch: seat i is held by key i. */
void chain_members_seat_in_order(struct chain_members *members);
/* The seat that a key holds; CHAIN_MAX_MEMBERS if it has none. */
uint32_t chain_members_seat(const struct chain_members *members, uint32_t key_id);
#endif
