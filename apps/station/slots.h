/* Which messages of the ledger reserve vote slots, and which: an engine says of a proposal how many rounds of answers it asks of all
 * (chain/node.h); everybody gets a slot in each. Pure. */
#ifndef APPS_STATION_SLOTS_H
#define APPS_STATION_SLOTS_H

#include "chain/node.h"
#include "mac/mac.h"

struct app_slots_config {
    uint32_t self, n_stations;  /* stations are members 0 .. n - 1 */
    const struct mac_profile *profile;
    unsigned rate_index;        /* of the votes */
    int64_t (*airtime_ns)(void *ctx, size_t mpdu_len, unsigned rate_index);
    void *airtime_ctx;
    size_t vote_octets;         /* of a bundle with one vote */
    int64_t verify_ns, sign_ns, persist_ns; /* what the slowest member takes for one */
    int64_t grid_ns;            /* a member takes up what it heard so much later at most; 0: at once */
};

/* False: this message reserves none. */
bool app_slots_plan(const struct app_slots_config *cfg, const struct chain_node_send *send, struct mac_slot_plan *out);
/* Octets of a bundle with one vote of an engine, at most, while heights stay below 2^32. */
size_t app_slots_vote_octets(const struct chain_engine_ops *engine);
#endif
