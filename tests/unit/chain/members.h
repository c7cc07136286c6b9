/* Members with real Ed25519 keys that follow from their number. */
#ifndef TESTS_UNIT_CHAIN_MEMBERS_H
#define TESTS_UNIT_CHAIN_MEMBERS_H

#include <string.h>

#include "chain/msg.h"

struct keyring {
    struct chain_members members;
    struct chain_ed25519 keys[CHAIN_MAX_KEYS];
};

static inline void make_keyring(struct keyring *ring, uint32_t n, uint32_t n_keys)
{
    memset(ring, 0, sizeof *ring);
    ring->members.n = n;
    chain_members_seat_in_order(&ring->members);
    ring->members.n_keys = n_keys;
    memcpy(ring->members.chain_id, "airdeed1", 8);
    for (uint32_t i = 0; i < n_keys; i++) {
        uint8_t seed[32] = {(uint8_t)i, 0x5a};
        chain_ed25519_from_seed(seed, ring->members.keys[i], ring->keys[i].secret);
    }
}

static inline void sign_msg(struct keyring *ring, struct chain_msg *msg)
{
    struct chain_signer signer = chain_signer_ed25519(&ring->keys[msg->author]);
    signer.sign(signer.ctx, &ring->members, msg);
}
#endif
