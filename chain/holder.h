/* The machine of one lease holder: wants a band, keeps a lease alive by heartbeats, falls silent in time, moves on. Pure.
 * The gate closes at the earlier of the ledger's expiry and the own time of the last heartbeat sent plus the granted
 * duration, less drift. */
#ifndef CHAIN_HOLDER_H
#define CHAIN_HOLDER_H

#include "chain/ledger.h"

struct chain_holder_config {
    uint32_t self;
    const struct chain_genesis *genesis;
    uint32_t n_peers, peers[8];
    uint32_t n_wanted, wanted[CHAIN_MAX_CHANNELS]; /* channels in order of preference */
    int64_t want_from_ns, want_until_ns;           /* block time */
    int64_t retry_ns;                              /* between attempts that got no answer */
};

enum chain_holder_state { CHAIN_HOLDER_IDLE, CHAIN_HOLDER_REQUESTED, CHAIN_HOLDER_GRANTED, CHAIN_HOLDER_AUTHORIZED, CHAIN_HOLDER_SUSPENDED };

enum chain_holder_event_kind { CHAIN_HOLDER_TICK, CHAIN_HOLDER_LEDGER /* an executed block's event */ };
struct chain_holder_event {
    enum chain_holder_event_kind kind;
    int64_t now_ns;                            /* own clock, block time scale */
    const struct chain_ledger *ledger;         /* after the block */
    const struct chain_ledger_event *event;
};

struct chain_holder_update {
    bool submit;          /* one operation to sign and send */
    struct chain_op op;
};

struct chain_holder {     /* public: small, and the caller's to place; read only through the functions */
    struct chain_holder_config cfg;
    enum chain_holder_state state;
    uint64_t grant_id;
    uint32_t channel;
    int64_t last_request_ns, last_heartbeat_sent_ns, confirmed_heartbeat_ns, ledger_expire_ns, next_ns;
    bool heartbeat_open;
};

int chain_holder_init(struct chain_holder *h, const struct chain_holder_config *cfg);
int chain_holder_step(struct chain_holder *h, const struct chain_holder_event *in, struct chain_holder_update *out);
int64_t chain_holder_deadline(const struct chain_holder *h);
/* May the holder transmit on which channel, and until when (own clock)? Returns false when silent. */
bool chain_holder_may_transmit(const struct chain_holder *h, int64_t now_ns, uint32_t *channel_out, int64_t *until_ns_out);
#endif
