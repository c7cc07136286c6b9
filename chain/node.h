/* A ledger node: engine + mempool + ledger + catching up, as one pure machine. What it wants done comes back in its update;
 * the caller carries it out in the order persist, send, apply, deliver (apps/carry.h).
 * The node itself keeps what an engine marked after_persist and gives it out in the update of the PERSISTED step, so that
 * everything in `sends` may leave as soon as the caller sees it: a vote that is not on disk has not been cast. */
#ifndef CHAIN_NODE_H
#define CHAIN_NODE_H

#include "chain/engine.h"
#include "chain/ledger.h"
#include "chain/proof.h"

struct chain_node_block { /* a row for the store; a later one for the same height replaces the certificate */
    uint64_t height;
    const uint8_t *batch, *header, *cert; /* batch and header NULL when only the certificate is new; cert NULL while it lacks */
    size_t batch_len, header_len, cert_len;
    uint32_t n_signers;
};

struct chain_node_snapshot { /* of a certified height, in the store */
    uint64_t height;
    size_t len;          /* of the whole */
    const uint8_t *part;
    size_t part_len;
};

/* The node has got a snapshot from others: of a height above its blocks, which it takes the place of, engine rows aside; or of one that it had
 * executed, for the sake of the certificate, which those before it lack: what lies above stays. */
struct chain_node_install {
    struct chain_node_block block; /* of its height, certified, without its batch */
    const uint8_t *snapshot, *epochs; /* epochs: [header, certificate, members, path] of each epoch's end on the way (chain/proof.h), one after the other */
    size_t len, epochs_len, n_epochs;
    const struct chain_ledger *ledger;
};

struct chain_node_config {
    uint64_t seed;
    uint32_t self;                       /* key id; without a seat it follows by fetching blocks, until it gets one */
    const struct chain_genesis *genesis; /* outlives the node */
    struct chain_signer signer;
    bool proven_links; /* the transport proves who sends, to everybody: Raft's own messages, which nobody relays, carry no signature */
    const struct chain_engine_ops *engine;
    bool overheard;      /* the transport is a broadcast medium: answers to a leader may reach all; of all members alike */
    int64_t engine_heartbeat_ns, engine_timeout_ns, engine_timeout_max_ns;
    int64_t gossip_ns;      /* own unexecuted transactions are sent again after this, doubling up to 4x */
    int64_t status_ns;      /* tip header vote is repeated at this interval (jittered by key) */
    uint32_t window;        /* batches under way at once, 1 .. CHAIN_WINDOW; 0: CHAIN_WINDOW */
    int64_t notice_ns;      /* as chain_engine_config's */
    int64_t vote_wait_ns;   /* header votes wait this long, jittered by key, for something to ride with; 0: 12 ms, as suits a shared medium */
    /* Where a sync takes longer than executing a block: what others wait for goes to disk, and leaves, before blocks that nobody waits for here are
     * executed. The leader's clients do wait for its. */
    bool records_first;
    int64_t propose_delay_ns; /* leader waits this long after the first pending transaction for more */
    size_t mempool_txs;     /* bound, 4 .. 65536; of one author a quarter of it */
    size_t max_bundle_bytes; /* of a send, unless a single message is longer; 0: CHAIN_MAX_MSG_BYTES */
    size_t mempool_octets;  /* bound; of one author a quarter of it; 0: 1024 for each transaction, at least 512 KiB */
    bool trust_disk;    /* do not ask others what this node signed before it started: only where its disk cannot have lost anything */
    bool distrust_disk; /* it has: votes only once all that others saw of us lies behind */
    /* Blocks that left memory, for members that were away for long. 0, -ENOENT or another negative errno; the pointers are
     * valid until the next call. NULL: only what memory holds is served. */
    int (*read_block)(void *ctx, uint64_t height, struct chain_node_block *out);
    /* What stands for blocks that are gone, for members that lack them. Height 0: the newest snapshot. A part from offset on, of at most
     * `most` octets, at least one if most is not 0. 0, or -ENOENT; pointers as read_block's. NULL: there never is one. */
    int (*read_snapshot)(void *ctx, uint64_t height, size_t offset, size_t most, struct chain_node_snapshot *out);
    /* How an epoch ended. 0, -ENOENT; pointers are valid until the next call. */
    int (*read_epoch)(void *ctx, uint64_t epoch, uint64_t *height_out, struct chain_proof_epoch *out);
    void *read_block_ctx; /* of all three */
    uint32_t serve_blocks; /* so many of the newest ones are served from memory; 0: all that it holds */
};

enum chain_node_event_kind {
    CHAIN_NODE_TICK,
    CHAIN_NODE_RESTORE_SNAPSHOT, /* from the store, first of all or not at all: blocks follow from the next height on */
    CHAIN_NODE_RESTORE_BLOCK,  /* from the store, in height order; the update's events and ledger tell what it did */
    CHAIN_NODE_RESTORE_RECORD, /* then the engine's rows, in key order */
    CHAIN_NODE_START,          /* then this, once; nothing comes of it before the next step */
    CHAIN_NODE_RECEIVE,        /* octets from a transport: one bundle */
    CHAIN_NODE_SUBMIT,         /* an operation of our own: signed with the next nonce */
    CHAIN_NODE_SUBMIT_BODY,    /* several, as the body of one transaction (chain/tx.h): signed with the next nonces */
    CHAIN_NODE_SUBMIT_TX,      /* an encoded, signed transaction of a client */
    CHAIN_NODE_PERSISTED,
    CHAIN_NODE_HAND_OVER,      /* a Raft leader that is to stop: another member shall lead; nothing comes of it anywhere else */
    CHAIN_NODE_READ,           /* which state may a read be served from? the answer comes in reads */
    CHAIN_NODE_ACCESS          /* own messages wait for the medium, or no longer do: gossip and status are repeated later, by four times their interval,
                                * and the engine hears of it */
};

struct chain_node_event {
    enum chain_node_event_kind kind;
    int64_t now_ns; /* own clock, Unix ns */
    union {
        struct {
            uint64_t height;
            const uint8_t *batch, *header, *cert;
            size_t batch_len, header_len, cert_len;
        } block;
        struct {
            const uint8_t *data;
            size_t len; /* chain/snapshot.h; of a certified height */
        } snapshot;
        struct {
            uint64_t key;
            const uint8_t *data;
            size_t len;
        } record;
        struct {
            const uint8_t *data;
            size_t len;
            bool proven;   /* RECEIVE: the transport proved that it comes from; SUBMIT_TX: the caller has verified the signature */
            uint32_t from; /* RECEIVE: this key id */
            const struct chain_msg *tx; /* SUBMIT_TX, proven: what data decodes to, or NULL */
        } bytes; /* RECEIVE: bundle; SUBMIT_BODY: CBOR [operation, ...]; SUBMIT_TX: encoded chain_msg */
        const struct chain_op *op;
        uint64_t persisted_seq;
        uint32_t successor; /* HAND_OVER: key id */
        struct {
            int64_t since_ns; /* of votes and proposals, own clock; INT64_MAX: none waits */
            bool gossip;      /* gossip waits */
        } access;
        uint64_t read_id; /* of the caller's choice */
    };
};

enum chain_node_urgency { CHAIN_URGENT_VOTE, CHAIN_URGENT_PROPOSAL, CHAIN_URGENT_GOSSIP };

/* A bundle on the wire is a CBOR array of encoded messages; header votes ride with whatever leaves next. */
struct chain_node_send {
    uint32_t to; /* key id or CHAIN_TO_ALL */
    enum chain_node_urgency urgency;
    unsigned rounds;     /* of answers that it asks of all seats: 1, those of the others; 2, those and then everybody's; 0: none */
    unsigned signatures; /* where it asks for any: those that a receiver verifies before it answers, its transactions' included */
    const uint8_t *data; /* valid until the next step */
    size_t len;
};

enum {
    CHAIN_NODE_MAX_SENDS = 32,
    CHAIN_NODE_MAX_BLOCKS = 16,
    CHAIN_NODE_MAX_OWN = CHAIN_NONCE_WINDOW - 2 * CHAIN_MAX_TX_OPS, /* unexecuted operations of one author: stays inside the ledger's window */
    CHAIN_NODE_RING = 128,    /* blocks kept in memory; no more are executed without their certificates */
    CHAIN_NODE_MAX_OPEN = 32  /* heights above the last certificate of which votes are kept, and blocks taken from others */
};

struct chain_node_update {
    size_t n_records;
    struct chain_record records[CHAIN_MAX_RECORDS];
    size_t n_blocks;
    struct chain_node_block blocks[CHAIN_NODE_MAX_BLOCKS];
    uint64_t persist_seq;  /* 0: nothing to persist. Otherwise feed PERSISTED(persist_seq) once all of the above is on disk */
    bool hurry;            /* a message or the engine waits for that; otherwise these rows may join what is written next */
    const struct chain_node_install *install; /* or NULL; comes before records, and with no blocks; valid until the next step */
    size_t n_sends;
    struct chain_node_send sends[CHAIN_NODE_MAX_SENDS];
    size_t n_events;
    const struct chain_ledger_event *events; /* of the block executed in this step, at most one; valid until the next step */
    const struct chain_ledger *ledger; /* state after that block; NULL when none was executed */
    /* A linearizable read is served from the ledger as it is now; good is false where a Raft node is no leader, or ceased to be, or too many
     * wait. PBFT: it holds once a quorum of members answered the same. */
    size_t n_reads;
    struct chain_node_read {
        uint64_t id, height;
        bool good;
        struct chain_hash state_root;
    } reads[CHAIN_MAX_READS];
    uint64_t submitted_nonce; /* SUBMIT, SUBMIT_BODY: the first operation's nonce */
    int submit_result;        /* SUBMIT*: chain_response, or negative errno; -ENOBUFS: no room, -EMSGSIZE: never, -EALREADY: known or executed */
    /* work done in this step, for charging processing time */
    uint32_t n_verified, n_signed, n_executed;
    int fatal;                /* -EILSEQ: two header hashes at one height: stop the node */
    uint64_t fatal_height;
};

struct chain_node_stats {
    struct chain_engine_stats engine;
    uint64_t height, certified_height;
    uint64_t mempool, received, refused_malformed, refused_signature, refused_stranger, refused_epoch, duplicates, mempool_full;
    uint64_t blocks_fetched, fetches_served;
    uint64_t snapshots_installed, parts_taken, parts_served;
    uint64_t refused_snapshot;  /* answers that did not hold: an epoch's end, a certificate, a part, or the whole state */
    uint64_t refused_engine;    /* by the engine, its reasons are in engine */
    uint64_t refused_stale;     /* below what is certified, or of an older view; not verified */
    uint64_t refused_conflict;  /* one author and nonce, or one voter and height, with two contents */
    uint64_t refused_block;     /* offered blocks without enough signatures or not next */
    uint64_t deviating_votes;   /* votes of members for another header than ours */
    uint64_t inbox_full, outbox_full, mempool_expired, mempool_evicted;
    uint64_t verified, signed_; /* signatures, since the start */
    uint64_t proposed;
    uint64_t accusations;       /* of equivocation, by this node */
    uint64_t epochs;            /* begun since the start, without the first */
    bool votes;                 /* false: learner, or no seat */
    bool forgot;                /* PBFT: others hold newer votes of ours than our disk does; no vote until they lie behind */
    bool later_epoch;           /* somebody speaks of a later epoch than ours: who is how far ahead is not known */
    uint32_t epoch, seat;       /* CHAIN_MAX_MEMBERS: none */
    uint32_t leader;            /* key id of who leads; CHAIN_TO_ALL: nobody is known to. (engine.leader is a seat of this epoch) */
};

struct chain_node;

size_t chain_node_bytes(const struct chain_node_config *cfg);
__attribute__((warn_unused_result)) int chain_node_init(void *mem, size_t len, const struct chain_node_config *cfg,
                                                        struct chain_node **out, const char **bad_field_out);
/* 0; -EBADMSG with a counted reason (nothing changed); -EILSEQ fatal, for good.
 * Nothing is proposed in the step of a submission: what is handed in before the next step goes into one batch.
 * One step executes at most one block and hands out at most one engine update; while more is at hand, chain_node_deadline is not
 * after the step's now_ns and a TICK goes on. Only counts and pointers of the update are cleared, never its arrays. */
__attribute__((warn_unused_result)) int chain_node_step(struct chain_node *m, const struct chain_node_event *in,
                                                        struct chain_node_update *out);
int64_t chain_node_deadline(const struct chain_node *m);
void chain_node_stats(const struct chain_node *m, struct chain_node_stats *out);
/* The height up to which a member says it has executed, by its latest header vote; member: key id. */
uint64_t chain_node_reported(const struct chain_node *m, uint32_t member);
const struct chain_ledger *chain_node_ledger(const struct chain_node *m);
void chain_node_close(struct chain_node *m);
#endif
