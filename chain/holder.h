/* The machine of one lease holder: wants a band, keeps a lease alive by heartbeats, falls silent in time, moves on. Pure.
 * The gate closes at the earlier of the ledger's expiry (less max_skew: its clock is another's) and the own time at which the
 * confirmed heartbeat was sent plus the granted duration, both less the drift guard.
 *
 * What it holds is what the ledger says it holds: every step compares. An own live grant on a wanted channel is taken up (also after
 * a restart), every other own live grant is relinquished, so that lost answers and late ones need no memory. */
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

/* IDLE asks when it may; SUSPENDED is IDLE that has just lost its lease to an incumbent and not yet asked again. */
enum chain_holder_state { CHAIN_HOLDER_IDLE, CHAIN_HOLDER_REQUESTED, CHAIN_HOLDER_GRANTED, CHAIN_HOLDER_AUTHORIZED, CHAIN_HOLDER_SUSPENDED };

enum chain_holder_event_kind {
    CHAIN_HOLDER_TICK,
    CHAIN_HOLDER_LEDGER,   /* an executed block's event: every one of it may come, those of others are passed over */
    CHAIN_HOLDER_SUBMITTED /* the nonce under which an operation of this holder was signed, in the order of the steps. Without it,
                            * a confirmation counts for the oldest open heartbeat, which is safe and sooner over */
};
struct chain_holder_event {
    enum chain_holder_event_kind kind;
    int64_t now_ns;                            /* own clock, block time scale */
    const struct chain_ledger *ledger;         /* as executed so far; NULL: nothing but heartbeats is sent */
    const struct chain_ledger_event *event;    /* LEDGER */
    uint32_t avoid;                            /* bit c: channel c is no good now, for instance jammed. It is left, and not asked for, as long as
                                                * the ledger would grant another wanted one that is not avoided */
    enum chain_op_kind op;                     /* SUBMITTED */
    uint64_t nonce;                            /* SUBMITTED */
};

struct chain_holder_update {
    bool submit;          /* one operation to sign and send */
    struct chain_op op;
};

enum { CHAIN_HOLDER_MAX_OPEN = 16 };

struct chain_holder {     /* public: small, and the caller's to place; read only through the functions */
    struct chain_holder_config cfg;
    enum chain_holder_state state;
    uint64_t grant_id;    /* 0: none */
    uint32_t channel;
    int64_t last_request_ns, last_heartbeat_sent_ns, confirmed_heartbeat_ns, ledger_expire_ns;
    int64_t next_ns;      /* no request before */
    bool heartbeat_open;  /* the last heartbeat has no answer yet */
    uint32_t avoid;       /* as of this step: channels to stay away from */
    uint32_t start_at;    /* where in `wanted` the next search begins: behind a channel that was refused */
    uint64_t leaving_id;  /* the last grant that was relinquished, again after retry_ns */
    int64_t leaving_next_ns;
    int64_t deadline_ns;
    uint32_t n_open;      /* heartbeats without an answer, oldest first */
    struct {
        int64_t sent_ns;
        uint64_t nonce;
        bool has_nonce;
    } open[CHAIN_HOLDER_MAX_OPEN];
};

/* -EINVAL: a channel that cannot be leased, a peer without a key, a time that is none. cfg is copied, its genesis outlives h. */
int chain_holder_init(struct chain_holder *h, const struct chain_holder_config *cfg);
/* At most one operation a step; while more is due, the deadline is now. */
int chain_holder_step(struct chain_holder *h, const struct chain_holder_event *in, struct chain_holder_update *out);
int64_t chain_holder_deadline(const struct chain_holder *h);
/* May the holder transmit on which channel, and until when (own clock)? Returns false when silent. */
bool chain_holder_may_transmit(const struct chain_holder *h, int64_t now_ns, uint32_t *channel_out, int64_t *until_ns_out);
#endif
