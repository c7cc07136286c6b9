/* The consensus port: Raft and PBFT order opaque batches behind one event/update interface. Pure machines.
 *
 * Index of a batch = height of the block it becomes; heights start at 1 and have no holes. An empty batch (len 0) is legal: a new
 * Raft leader's first entry, a null request of a PBFT view change; it becomes an empty block.
 * The node (chain/node.h) authenticates messages before an engine sees them, executes what is committed, and tells the engine which
 * height is stable (certified by enough header votes).
 * Members are seats of one epoch. An engine lives for one epoch: the node closes it at the epoch's last, certified height and makes
 * the next one there. */
#ifndef CHAIN_ENGINE_H
#define CHAIN_ENGINE_H

#include "chain/msg.h"

enum { CHAIN_MAX_OUT_MSGS = 32, CHAIN_MAX_RECORDS = 64, CHAIN_MAX_COMMITS = 16, CHAIN_MAX_READS = 16, CHAIN_MAX_PROOFS = 4 };
#define CHAIN_TO_ALL UINT32_MAX

struct chain_engine_config {
    uint64_t seed;
    uint32_t self;
    const struct chain_members *members; /* outlives the engine */
    const struct chain_signer *signer;   /* sign own messages (their signatures enter proofs), verify proofs' votes */
    /* Would this replica vote for the batch at this height now? 0, or negative errno with a counted reason. Pure function of the
     * node's state (PBFT backups call it before PREPARE; -EAGAIN: not yet, ask again on the next event). The height may lie above
     * the next one to execute: then what the state decides (nonces, the parent's time) is left to execution. */
    int (*check_batch)(void *ctx, uint64_t height, const uint8_t *batch, size_t len, int64_t now_ns);
    void *check_ctx;
    int64_t heartbeat_ns;       /* Raft: leader's; PBFT: retransmission of own latest messages while something is open */
    int64_t notice_ns;          /* Raft: a leader tells of a commit so much later, if no entry leaves before; 0: at once */
    int64_t timeout_ns;         /* Raft: election timeout T0; PBFT: view timer, doubles per view */
    int64_t spread_ns;          /* Raft: election timeouts are uniform in [T0, T0 + spread]; 0: as much as T0 */
    int64_t timeout_max_ns;
    uint64_t stable_height;     /* at start: height of the last block in the store */
    uint32_t window;            /* heights proposed and not yet stable, 1 .. CHAIN_WINDOW; 0 is CHAIN_WINDOW */
    bool learner;               /* follows and never votes, leads or counts, until CHAIN_EV_VOTER */
    uint32_t convicted;         /* bitmap of seats whose word counts nothing in this epoch; each is one of the f */
    bool overheard;             /* Raft: followers hear each other's answers to the leader, and commit by them */
    bool strict_votes;          /* PBFT: a COMMIT does not stand for a PREPARE, and nobody commits what it has not prepared */
};

enum chain_event_kind {
    CHAIN_EV_TICK,      /* a deadline passed */
    CHAIN_EV_RESTORE,   /* one record read back from the store, before the first other event; in key order */
    CHAIN_EV_MESSAGE,   /* an authenticated engine message */
    CHAIN_EV_PROPOSE,   /* the node has a batch: only the leader/primary uses it. Raft: the empty one is not judged */
    CHAIN_EV_PENDING,   /* since when this node holds an unexecuted request (INT64_MAX: none): feeds PBFT's view timer */
    CHAIN_EV_PERSISTED, /* records up to seq are on disk */
    CHAIN_EV_STABLE,    /* height is certified and in the store: below it nothing is needed any more */
    CHAIN_EV_SYNCED,    /* the node took blocks up to height from others: go on from there */
    CHAIN_EV_TRANSFER,  /* Raft leader: hand over to a member as soon as its log is as long; -EBADMSG from others */
    CHAIN_EV_READ,      /* which height does a read have to see? the answer comes in reads. Raft: from the leader, -EBADMSG from others; PBFT:
                         * from everybody, and a quorum has to say the same */
    CHAIN_EV_CONVICT,   /* a member's equivocation is on the ledger */
    CHAIN_EV_VOTER,     /* this learner votes from here on */
    CHAIN_EV_ACCESS     /* this member's own messages wait for the medium, since when; or they no longer do. Its election or view timer stands still
                         * meanwhile, but runs out after timeout_max_ns at the latest */
};

struct chain_event {
    enum chain_event_kind kind;
    int64_t now_ns;
    union {
        struct {
            uint64_t key;
            const uint8_t *data;
            size_t len;
        } restore;
        const struct chain_msg *msg;
        struct {
            const uint8_t *batch;
            size_t len;
        } propose;
        int64_t pending_since_ns;
        uint64_t persisted_seq;
        uint64_t height; /* STABLE, SYNCED */
        uint32_t member; /* TRANSFER, CONVICT */
        /* VOTER, for Raft, whose disk may have lost what it promised: it grants no vote in a term up to this one, and neither votes
         * for nor becomes a candidate with less than this log and this commit index. Where what
         * it acknowledged and lost may still be counted, it gives no vote at all yet. A second VOTER replaces all but the term. */
        struct {
            uint64_t term, log_term, log_index, committed;
            bool lost_counts;
        } floor;
        uint64_t read_id;
        int64_t waiting_since_ns; /* ACCESS; INT64_MAX: nothing waits */
    };
};

struct chain_out_msg {
    struct chain_msg msg;  /* signed; body valid until the next step */
    uint32_t to;           /* member id or CHAIN_TO_ALL */
    bool after_persist;    /* false: leaves at once */
    unsigned rounds;       /* of answers that it asks of all: 1, the others'; 2, the others' and then everybody's; 0: none */
};

/* A row of the engine's own table. Persisted before anything marked after_persist of the same update leaves. */
struct chain_record {
    uint64_t key;
    const uint8_t *data; /* NULL: delete every row with this key or a higher one up to key_end */
    size_t len;
    uint64_t key_end;    /* deletes only, inclusive */
};

struct chain_commit {
    uint64_t height;
    const uint8_t *batch; /* valid until the next step */
    size_t len;
};

struct chain_update {
    size_t n_msgs;
    struct chain_out_msg msgs[CHAIN_MAX_OUT_MSGS];
    size_t n_records;
    struct chain_record records[CHAIN_MAX_RECORDS];
    uint64_t persist_seq;   /* PERSISTED with this number releases what this update wrote; 0 if it wrote nothing */
    bool hurry;             /* false: nobody waits for these records, they may go to disk with the next ones */
    size_t n_commits;
    struct chain_commit commits[CHAIN_MAX_COMMITS]; /* in order, each height once */
    size_t n_reads;
    struct {
        uint64_t id, height; /* serve the read from a state at or above height; UINT64_MAX: ask another leader */
    } reads[CHAIN_MAX_READS];
    size_t n_proofs;         /* of equivocation, found in this step */
    struct chain_equivocation proofs[CHAIN_MAX_PROOFS];
    bool below_floor;        /* Raft: an election was due, and this log is less than VOTER's floor. Another VOTER with a fresh one may follow */
};

struct chain_engine_stats {
    uint64_t view;           /* or term */
    uint32_t leader;         /* CHAIN_TO_ALL if unknown */
    bool is_leader;
    bool may_propose;        /* leader, and room in the window */
    uint64_t promised;       /* highest view or term that anything on disk binds this member to */
    uint64_t voted;          /* PBFT: highest height that it has voted on */
    uint64_t log_term, log_index; /* Raft: how far its log reaches */
    uint64_t committed;      /* last height committed */
    uint64_t proposes;       /* the height that a proposal made now would have; 0: none may be made */
    uint64_t view_changes;   /* or elections started */
    bool own_term_committed; /* Raft leader: an entry of its term is. A reconfiguration is not to be proposed before */
    uint64_t sent, retransmitted, refused_stale, refused_window, refused_batch, refused_malformed, refused_convicted, equivocations;
};

struct chain_engine; /* first member of each engine's own struct points to its ops */

struct chain_engine_ops {
    const char *name; /* "raft", "pbft" */
    bool byzantine;
    uint32_t (*quorum)(uint32_t n); /* signatures that a block's certificate needs */
    size_t (*bytes)(const struct chain_engine_config *cfg);
    int (*init)(void *mem, size_t len, const struct chain_engine_config *cfg, struct chain_engine **out,
                const char **bad_field_out);
    /* 0; -EAGAIN: no room in out's bounds, state unchanged; -EBADMSG with a counted reason. Where it is not 0, out is empty. */
    int (*step)(struct chain_engine *m, const struct chain_event *in, struct chain_update *out);
    /* A vote that says what this member has a quorum for already: it need not be verified. NULL: there is no such message. */
    bool (*is_surplus)(const struct chain_engine *m, const struct chain_msg *msg);
    int64_t (*deadline)(const struct chain_engine *m);
    void (*stats)(const struct chain_engine *m, struct chain_engine_stats *out);
    void (*close)(struct chain_engine *m);
};

extern const struct chain_engine_ops chain_raft_ops;
extern const struct chain_engine_ops chain_pbft_ops;
const struct chain_engine_ops *chain_engine_find(const char *name); /* NULL if there is none */
#endif
