/* The machine of one member of a chain that hops: opens what was sealed to it, knows the channel of a slot, and brings the next epoch when one is
 * due. Pure. Whoever has no key for the epoch in force is on the control channel in every slot and meets the others there in each rendezvous.
 *
 * Of the members, one after the other gets its turn to bring a due epoch, the one whose turn it is first at once. An epoch counts from the start
 * of a rendezvous on, at least a round after it was brought and further away with each attempt that failed, so that most have its block by
 * then; who has not, hops on with the epoch before. */
#ifndef CHAIN_HOPPER_H
#define CHAIN_HOPPER_H

#include "chain/ledger.h"

struct chain_hopper_config {
    uint32_t self;                       /* key id */
    const struct chain_genesis *genesis; /* outlives the machine; with a hop set */
    struct chain_signer signer;          /* with draw and unseal; without draw it brings no epoch */
    int64_t turn_ns;                     /* how long each member has before the next one tries */
};

struct chain_hopper_key {
    bool good;                           /* false: nothing opened */
    struct chain_hop_epoch epoch;
    uint8_t key[CHAIN_HOP_KEY_BYTES];
};

struct chain_hopper {     /* public: small, and the caller's to place; read only through the functions */
    struct chain_hopper_config cfg;
    struct chain_hopper_key former, latest;
    bool brings;                         /* one is due, or its own is no good */
    uint32_t for_epoch;                  /* the one that it would bring */
    int64_t next_ns;
    unsigned attempts;
    uint8_t boxes[CHAIN_MAX_MEMBERS * CHAIN_HOP_BOX_BYTES];
    uint64_t n_brought, n_useless;       /* epochs that it asked for; that did not open */
};

struct chain_hopper_update {
    bool submit;          /* one operation to sign and send; its boxes lie in the machine until the next step */
    struct chain_op op;
};

__attribute__((warn_unused_result)) int chain_hopper_init(struct chain_hopper *h, const struct chain_hopper_config *cfg);
/* now_ns: own clock, block time scale. To be called after blocks, and now and then: a channel's hold-off ends without one. */
void chain_hopper_step(struct chain_hopper *h, const struct chain_ledger *ledger, int64_t now_ns, struct chain_hopper_update *out);
/* Where to be in the slot that holds this instant. */
uint32_t chain_hopper_channel(const struct chain_hopper *h, int64_t block_ns);
/* Has it the key of the epoch that is in force then? */
bool chain_hopper_in_step(const struct chain_hopper *h, int64_t block_ns);
#endif
