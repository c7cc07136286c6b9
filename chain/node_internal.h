/* What the files of the node share. Not for others. */
#ifndef CHAIN_NODE_INTERNAL_H
#define CHAIN_NODE_INTERNAL_H

#include "chain/cbor.h"
#include "chain/mempool.h"
#include "chain/node.h"

enum {
    NODE_INBOX_MSGS = 256,
    NODE_INBOX_BYTES = 4 * CHAIN_MAX_MSG_BYTES,
    NODE_OUTBOX_MSGS = 256,
    NODE_OUTBOX_BYTES = 8 * CHAIN_MAX_MSG_BYTES,
    NODE_BUNDLE_BYTES = 4 * CHAIN_MAX_MSG_BYTES,
    NODE_BUNDLE_MSGS = 64,
    NODE_SEEN = 4096,         /* signatures verified lately */
    NODE_MAX_UNPERSISTED = 64,
    NODE_FETCH_BLOCKS = 16,
    NODE_PATIENCE = 4, /* what is repeated on a timer is so many intervals late while own messages wait for the medium */
    NODE_STATUS_VOTES = 8,
    NODE_LATE_VOTES = 64,
    NODE_BATCH_OVERHEAD = 24, /* octets of a batch around its transactions, and around each */
    NODE_TX_OVERHEAD = 3
};

enum node_purpose { NODE_JITTER_VOTE = 1, NODE_JITTER_STATUS, NODE_JITTER_GOSSIP, NODE_JITTER_FETCH, NODE_JITTER_SEEN, NODE_JITTER_PULL, NODE_PURPOSES };

struct node_block { /* one executed block; slot height % CHAIN_NODE_RING */
    uint64_t height; /* 0: none yet */
    struct chain_header header;
    struct chain_hash hash;
    size_t header_len, batch_len, cert_len;
    uint32_t n_signers;
    uint64_t persist_seq; /* its row is on disk once this is */
    bool signed_by_us;
    uint32_t signed_epoch;
    uint8_t own_sig[CHAIN_SIG_BYTES];
    uint8_t header_octets[CHAIN_MAX_HEADER_BYTES];
    uint8_t cert[CHAIN_MAX_CERT_BYTES];
    uint8_t *batch; /* max_batch_bytes */
};

struct node_votes { /* verified header votes for one height above the certified one; slot height % CHAIN_NODE_MAX_OPEN */
    uint64_t height;
    uint32_t have; /* bitmap of members */
    struct chain_hash hash[CHAIN_MAX_MEMBERS];
    uint8_t sig[CHAIN_MAX_MEMBERS][CHAIN_SIG_BYTES];
};

struct node_seen { /* a message whose signature was found good */
    uint8_t kind;
    uint32_t epoch;
    uint32_t author;
    uint64_t view, seq;
    struct chain_hash digest;
    uint8_t sig[CHAIN_SIG_BYTES];
};

enum node_heard_by { NODE_HEARD_VIEW, NODE_HEARD_HEIGHT, NODE_HEARD_HEADER, NODE_HEARD_KINDS };

/* What a key signed last, of what binds it: by view, by height, and of headers. kind 0: nothing. */
struct node_heard {
    uint32_t epoch;
    struct node_signed {
        uint8_t kind;
        uint64_t view, seq;
        struct chain_hash digest;
        uint8_t sig[CHAIN_SIG_BYTES];
    } latest[NODE_HEARD_KINDS];
};

/* What others hold from us, in the latest epoch that they do. */
struct node_lost {
    uint32_t epoch;
    uint64_t view, height;
};

/* How far those are that answered, in the latest epoch of theirs: the highest term that one leads, the highest term or view that one is bound to, the
 * longest log, and the most that is known to be committed. */
struct node_claim {
    uint32_t epoch;
    uint64_t led_term, promised, log_term, log_index, committed;
};

enum { NODE_PULL_EPOCHS_BYTES = 1 << 20 }; /* ends of epochs on the way to one snapshot: some hundreds */

/* A snapshot on its way to us (node_pull.c). */
struct node_pull {
    bool active, alone;     /* alone: one member tells all of it, since what several told did not hold */
    uint64_t holders, barred; /* keys: who says that it pruned what we asked for; who told nonsense since */
    uint32_t target, attempts;
    int64_t due_ns;
    struct chain_light light; /* knows the members of the epoch that was reached */
    uint64_t height;          /* 0: not known yet */
    size_t total, have;       /* octets */
    uint64_t sources;         /* keys that told them */
    struct chain_hash hash;
    size_t header_len, cert_len, epochs_len, n_epochs;
    uint32_t n_signers;
    uint8_t header[CHAIN_MAX_HEADER_BYTES], cert[CHAIN_MAX_CERT_BYTES];
};

struct node_pull_served { /* a question that was answered */
    bool used;
    uint64_t height, epoch, offset;
    int64_t at_ns;
};

struct node_outbox_entry {
    uint32_t to;
    enum chain_node_urgency urgency;
    uint64_t after_seq; /* leaves once this is on disk; 0: at once */
    unsigned rounds;    /* as chain_out_msg's */
    size_t at, len;
};

struct node_unpersisted {
    uint64_t seq, engine_seq;
};

struct chain_node {
    struct chain_node_config cfg;
    struct chain_members epoch_members; /* who votes on the blocks of this epoch; keys are added as the ledger adds them */
    const struct chain_members *members; /* the same */
    uint32_t seat;         /* CHAIN_MAX_MEMBERS: none, and no engine */
    uint64_t epoch_end;    /* height that changed the members, executed and not yet certified: nothing beyond it is executed; 0: none */
    bool epoch_turns;      /* it is certified: the next step begins with the new epoch */
    bool later_epoch;      /* somebody speaks of a later epoch than ours */
    uint32_t convicted, accused; /* seats: on the ledger, as the engine was told; by us */
    struct chain_signer signer; /* counts, and remembers what it verified */
    uint32_t quorum;            /* signatures of a certificate */
    uint32_t witness;           /* signatures that prove that an honest member executed a block */
    int64_t now_ns;
    bool started;
    int fatal;
    uint64_t fatal_height;
    struct chain_node_stats stats;
    uint64_t n_draws[NODE_PURPOSES];

    struct chain_ledger *ledger;
    struct chain_mempool *pool;
    struct chain_engine *engine; /* NULL until the height to start from is known */
    struct chain_engine_config engine_cfg;
    void *engine_mem;
    size_t engine_bytes;
    struct chain_update engine_out;
    size_t next_commit;     /* of engine_out.commits: the rest waits for the next steps */
    int64_t told_pending_ns; /* what the engine last heard by PENDING */
    uint64_t tell_stable, tell_synced, tell_persisted; /* 0: nothing to tell */
    uint32_t tell_successor;                           /* seat; CHAIN_MAX_MEMBERS: none */
    bool tell_access, gossip_waits;                    /* for the medium */
    int64_t waiting_since_ns;                          /* votes and proposals do; INT64_MAX */
    bool kick;              /* the state a check_batch depends on has changed: step the engine */

    uint64_t persist_seq, persisted_seq;
    uint64_t engine_seq; /* of the last update with records of the engine */
    bool engine_waits;   /* for this step's records */
    uint64_t hurried_seq; /* of the last update that somebody waits for */
    size_t n_unpersisted;
    struct node_unpersisted unpersisted[NODE_MAX_UNPERSISTED];

    struct node_block blocks[CHAIN_NODE_RING];
    struct node_votes votes[CHAIN_NODE_MAX_OPEN];
    uint64_t certified; /* every block up to it has its certificate */
    uint64_t reported[CHAIN_MAX_KEYS]; /* highest height that the key's holder signed a header of */
    uint64_t reported_top;             /* and of all others */
    uint64_t vote_next; /* first height whose own vote has not left */
    uint64_t sign_next; /* first height that may lack our signature */
    size_t n_late;      /* others' votes that are looked at once nothing else is to be done */
    int64_t vote_due_ns, status_due_ns;
    int64_t certify_due_ns; /* a certificate is complete and not written */

    uint64_t last_nonce;
    bool nonce_used; /* in this run */
    int64_t gossip_due_ns;
    uint64_t proposed_height, proposed_view; /* the latest proposal, 0 if none of this view */
    bool holds_back;                         /* new members wait for an entry of the leader's own term to be committed */
    int64_t proposed_ns;
    unsigned proposed_txs; /* in the batch proposed last */
    int64_t propose_not_before_ns; /* the engine had no use for the last proposal */

    int64_t fetch_due_ns;
    uint32_t fetch_attempts, fetch_target[2]; /* whom we asked last: [0] for certificates, [1] for blocks */
    uint64_t fetch_tip, fetch_certified; /* where we stood when fetch_due_ns was set */
    bool syncing;                        /* the last block came from another member */
    int64_t served_ns[CHAIN_MAX_KEYS];
    uint64_t served_height[CHAIN_MAX_KEYS];

    size_t n_tell_reads; /* that the engine has not heard of */
    uint64_t tell_reads[CHAIN_MAX_READS];

    struct node_pull pull;
    struct chain_node_install install; /* what the last update points to */
    struct chain_ledger *spare;        /* a snapshot is tried out there; NULL before the first one */
    void *spare_mem;
    size_t pull_cap;
    uint8_t *pull_octets, *pull_epochs;
    struct node_pull_served pull_served[CHAIN_MAX_KEYS];

    size_t n_reads; /* whose height is known and not executed */
    struct node_read {
        uint64_t id, height;
    } reads[CHAIN_MAX_READS];

    struct node_heard heard[CHAIN_MAX_KEYS];
    bool votes_allowed;      /* what others saw of us lies behind us */
    bool asks_again;         /* Raft: votes, and asks for another floor */
    bool whole;              /* Raft: nothing that our disk may have lost can count any more */
    uint64_t lost_term;      /* Raft: what it may have lost is of this term or an earlier one */
    uint64_t beyond;         /* bitmap of keys that answered our question from a later one */
    uint64_t disk_view, disk_height; /* promised, by our disk when we started */
    uint64_t ask_number, answered;   /* our question; bitmap of keys that answered it */
    int64_t ask_due_ns, ask_wait_ns;
    struct node_lost lost;
    struct node_claim claim;
    uint64_t asked_number[CHAIN_MAX_KEYS]; /* others' questions; 0: none */
    int64_t asked_ns[CHAIN_MAX_KEYS], answer_due_ns;

    size_t inbox_first, n_inbox, inbox_len;
    size_t n_outbox, outbox_len;
    uint64_t seen_used[NODE_SEEN / 64]; /* bitmap: what is not in it was never written */
    struct chain_ledger_event *events; /* CHAIN_MAX_LEDGER_EVENTS */
    uint8_t *inbox_octets, *outbox_octets, *bundle_octets, *scratch, *proposal;
    /* what is not cleared: a count or the bitmap says what was ever written */
    struct node_inbox_entry {
        struct chain_msg msg;
        const uint8_t *octets;
        size_t len;
        uint32_t proven_from; /* key id; UINT32_MAX: nobody proved anything */
    } inbox[NODE_INBOX_MSGS];
    struct node_outbox_entry outbox[NODE_OUTBOX_MSGS];
    struct chain_msg late[NODE_LATE_VOTES];
    struct node_seen seen[NODE_SEEN];
};

/* node_verify.c */
void node_signer_init(struct chain_node *m);
bool node_verify(struct chain_node *m, const struct chain_msg *msg);
/* As if it had been verified here. */
void node_note_verified(struct chain_node *m, const struct chain_msg *msg);
/* Raft's own kinds (16 to 31): between members only, never relayed, no part of any proof. */
bool node_is_raft_kind(uint8_t kind);

/* node_out.c: messages that leave. after_seq: not before that is on disk. */
void node_put_octets(struct chain_node *m, const uint8_t *octets, size_t len, uint32_t to, enum chain_node_urgency urgency,
                     uint64_t after_seq);
void node_put(struct chain_node *m, const struct chain_msg *msg, uint32_t to, enum chain_node_urgency urgency,
              uint64_t after_seq);
bool node_outbox_has_room(const struct chain_node *m);
bool node_outbox_ready(const struct chain_node *m);
size_t node_max_bundle(const struct chain_node *m);
void node_assemble(struct chain_node *m, struct chain_node_update *out);

/* node_epoch.c */
/* The ledger's members vote from here on: at genesis, at a snapshot, at an epoch's certified end. */
void node_seat_members(struct chain_node *m);
/* After a block: keys that were admitted, and whether it ended the epoch. */
void node_follow_members(struct chain_node *m);
/* After a restored block: a certified end of an epoch is behind us. */
void node_restore_epoch(struct chain_node *m);
/* Once the last block of the epoch is certified, in two steps. */
void node_end_epoch(struct chain_node *m, struct chain_node_update *out);
int node_begin_epoch(struct chain_node *m);
/* A message of another epoch. */
void node_tell_of_epoch(struct chain_node *m, uint64_t epoch);

/* node_seen.c */
void node_note_heard(struct chain_node *m, const struct chain_members *members, const struct chain_msg *msg);
bool node_has_forgotten(const struct chain_node *m);
bool node_must_ask(const struct chain_node *m);
void node_seen_start(struct chain_node *m);
/* Another engine, with other members: whose answers were enough may not be among them. */
void node_seen_go_on(struct chain_node *m);
/* Raft: whoever held the log that others told of may have lost it, or be gone: asks anew how far they are. */
void node_seen_again(struct chain_node *m);
void node_seen_timer(struct chain_node *m, const struct chain_node_update *out);
void node_seen_follow(struct chain_node *m); /* the engine may have come to another term */
int64_t node_seen_deadline(const struct chain_node *m);
void node_take_seen_ask(struct chain_node *m, const struct chain_msg *msg);
void node_take_seen(struct chain_node *m, const struct chain_msg *msg);
/* Our own, that somebody handed on. */
void node_take_own_word(struct chain_node *m, const struct chain_msg *msg);
/* Tells the engine once it may vote; true if it was told now. */
bool node_become_voter(struct chain_node *m, struct chain_node_update *out);

/* node_engine.c */
/* Without an engine: no leader, nothing to propose. */
void node_engine_stats(const struct chain_node *m, struct chain_engine_stats *out);
int node_engine_start(struct chain_node *m);
void node_engine_step(struct chain_node *m, const struct chain_event *event, struct chain_node_update *out);
int node_check_batch(void *ctx, uint64_t height, const uint8_t *batch, size_t len, int64_t now_ns);
/* Lets the engine know one thing that happened. False when it is up to date. */
bool node_tell_engine(struct chain_node *m, struct chain_node_update *out);
void node_hand_over(struct chain_node *m, uint32_t successor);
/* A read: the engine says what it has to see, or, with PBFT, the client asks a quorum. */
void node_ask_to_read(struct chain_node *m, uint64_t id, struct chain_node_update *out);
/* Reads whose height is executed. */
void node_answer_reads(struct chain_node *m, struct chain_node_update *out);
int64_t node_engine_deadline(const struct chain_node *m);

/* node_block.c: executing */
struct node_block *node_find_block(struct chain_node *m, uint64_t height);
uint64_t node_tip(const struct chain_node *m);
/* Executes the next block: its row, its events. NULL after a failure that stops the node, which it also is when expected is given
 * and differs from what came out. */
struct node_block *node_execute(struct chain_node *m, const uint8_t *batch, size_t len, const struct chain_header *expected,
                                struct chain_node_update *out);
int node_restore_snapshot(struct chain_node *m, const struct chain_node_event *in);
int node_restore_block(struct chain_node *m, const struct chain_node_event *in, struct chain_node_update *out);

/* node_vote.c: header votes and certificates */
/* The key's holder has come to this height. */
void node_note_reported(struct chain_node *m, uint32_t key, uint64_t height);
void node_take_vote(struct chain_node *m, const struct chain_msg *msg);
/* Signatures for and under headers make nobody wait: others' are put aside and ours are not made while a message may leave, the inbox holds
 * something else, or somebody waits for the disk. */
void node_put_vote_aside(struct chain_node *m, const struct chain_msg *msg);
bool node_has_late_work(const struct chain_node *m);
/* One piece of that. False: there is none. */
bool node_do_late_work(struct chain_node *m);
/* A verified vote. Heights that no certificate is open for are only noted as reported. */
void node_add_vote(struct chain_node *m, uint32_t member, uint64_t height, const struct chain_hash *hash,
                   const uint8_t sig[CHAIN_SIG_BYTES]);
void node_clear_votes(struct chain_node *m);
/* Counts the votes that came before the block and are for another header. */
void node_judge_votes(struct chain_node *m, const struct node_block *block);
bool node_has_vote(const struct chain_node *m, uint32_t member, uint64_t height, const struct chain_hash *hash);
uint32_t node_count_votes(const struct chain_node *m, uint64_t height, const struct chain_hash *hash);
/* This node's own vote for a block that it executed: it counts at once, and is signed when somebody has to see it. */
void node_vote_for(struct chain_node *m, struct node_block *block);
/* Fails the node when a quorum signed another header than ours. */
void node_check_fork(struct chain_node *m);
/* Completes certificates in height order; rows into out while it has room. */
void node_certify(struct chain_node *m, struct chain_node_update *out);
bool node_certify_waits(const struct chain_node *m);
/* What is known of a block's certificate, complete or not. */
void node_gather_cert(struct chain_node *m, struct node_block *block, struct chain_certificate *out);
void node_set_cert(struct node_block *block, const struct chain_certificate *cert);
/* Own votes that have not left, and the status when it is due. */
void node_put_votes(struct chain_node *m, enum chain_node_urgency urgency);
void node_vote_timers(struct chain_node *m);
int64_t node_vote_deadline(const struct chain_node *m);

/* node_fetch.c: asking for and serving blocks; node_take.c: taking them */
void node_serve(struct chain_node *m, const struct chain_msg *msg);
void node_fetch_timer(struct chain_node *m);
/* True if a block was executed. */
bool node_take_block(struct chain_node *m, const struct chain_msg *msg, struct chain_node_update *out);

/* node_pull.c: snapshots, where blocks are gone */
/* Somebody asks for a block that we pruned: what we have instead, unless it lies below the height. */
void node_tell_pruned(struct chain_node *m, uint64_t height, uint32_t to);
void node_take_snapshot_ask(struct chain_node *m, const struct chain_msg *msg);
/* True if a snapshot was installed. */
bool node_take_snapshot(struct chain_node *m, const struct chain_msg *msg, struct chain_node_update *out);
/* Blocks are to be had after all. */
void node_pull_stop(struct chain_node *m);
void node_pull_timer(struct chain_node *m);

/* node_submit.c: transactions */
void node_submit_body(struct chain_node *m, const uint8_t *body, size_t len, struct chain_node_update *out);
void node_submit(struct chain_node *m, const struct chain_op *op, struct chain_node_update *out);
/* Puts a proof of equivocation on the ledger, once a seat and epoch. */
void node_accuse(struct chain_node *m, const struct chain_equivocation *proof);
int node_submit_tx(struct chain_node *m, const struct chain_node_event *in);
void node_take_tx(struct chain_node *m, const struct node_inbox_entry *entry);
int64_t node_gossip_deadline(const struct chain_node *m);
void node_gossip_timer(struct chain_node *m);

/* node_propose.c */
int64_t node_propose_at(const struct chain_node *m);
bool node_propose(struct chain_node *m, struct chain_node_update *out);
/* After an engine step: what was proposed in a view that is over waits again. */
void node_follow_view(struct chain_node *m);

/* node_in.c */
int node_receive(struct chain_node *m, const struct chain_node_event *in);
/* Handles the oldest message of the inbox. True if a block was executed. */
bool node_take_next(struct chain_node *m, struct chain_node_update *out);

/* node.c */
void node_fail(struct chain_node *m, uint64_t height);
/* Uniform in [3/4, 5/4) of base, a keyed function of seed, member, purpose and count. */
int64_t node_jitter(struct chain_node *m, enum node_purpose purpose, int64_t base_ns);
#endif
