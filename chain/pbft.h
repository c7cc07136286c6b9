/* Inside of the PBFT engine (Castro and Liskov, OSDI 1999); docs/consensus.md says what differs and why. Not for users of engines. */
#ifndef CHAIN_PBFT_H
#define CHAIN_PBFT_H

#include "chain/cbor.h"
#include "chain/engine_base.h"

enum {
    PBFT_SLOTS = 2 * CHAIN_WINDOW,  /* heights from the stable one on: a window that is committed, a window that is open */
    PBFT_VIEW_CHANGE_BYTES = 12288, /* at n = 32 eight certificates of 22 signatures take 11.8 kB */
    PBFT_NEW_VIEW_BYTES = 16 + CHAIN_MAX_MEMBERS * CHAIN_HASH_BYTES,
    PBFT_SCRATCH_BYTES = 384 * 1024, /* a new view's rows at n = 32, or two batches */
    PBFT_KEY_VIEW = 1,
    PBFT_KEY_NEW_VIEW = 2,
    PBFT_KEY_CHANGES = 32, /* one a member */
    PBFT_KEY_SLOTS = 64
};

struct pbft_vote {
    bool have;
    uint64_t view;
    struct chain_hash digest;
    uint8_t sig[CHAIN_SIG_BYTES];
};

enum pbft_phase { PBFT_PROPOSED, PBFT_PREPARED, PBFT_COMMITTED, PBFT_PHASES };

/* Signatures of distinct members over (view, height, digest): a quorum of PRE-PREPARE, PREPARE and COMMIT says "prepared",
 * a quorum of COMMIT alone "committed". */
struct pbft_cert {
    bool have;
    uint64_t view, height;
    struct chain_hash digest;
    uint32_t signers[PBFT_PHASES]; /* disjoint bitmaps of seats: whose signature is over which kind of message */
    uint8_t sigs[CHAIN_MAX_MEMBERS][CHAIN_SIG_BYTES];
};

/* One height. There is room for one batch: what is prepared but may no longer be committed goes when a new view says so. */
struct pbft_slot {
    uint64_t height; /* 0: free */
    /* the proposal of prop_view; ours to vote for only while that is the view. A new view proposes again without a signature */
    bool have_prop, prop_signed, accepted, refused;
    bool decided;    /* cert is a quorum of COMMITs */
    bool have_batch, batch_saved, cert_saved; /* saved: the row on disk says the same */
    uint64_t prop_view;
    struct chain_hash prop_digest, batch_digest;
    uint8_t prop_sig[CHAIN_SIG_BYTES];
    int64_t opened_ns;
    uint64_t commit_seq; /* our COMMIT counts once this is on disk */
    struct pbft_vote prepares[CHAIN_MAX_MEMBERS], commits[CHAIN_MAX_MEMBERS];
    struct pbft_cert cert; /* the newest, over views */
    size_t batch_len;
    uint8_t batch[CHAIN_MAX_BATCH_BYTES]; /* last: never cleared */
};

struct pbft_view_change {
    bool have;
    uint64_t view;
    struct chain_hash digest;
    uint8_t sig[CHAIN_SIG_BYTES];
    size_t len;
    uint8_t body[PBFT_VIEW_CHANGE_BYTES]; /* last: never cleared */
};

struct pbft_peer {
    uint64_t height;    /* the highest it votes on */
    uint64_t committed; /* what its latest VIEW-CHANGE claims */
    uint64_t view;      /* the highest it was seen active in */
    int64_t answered_ns, new_view_ns;
    struct pbft_view_change change; /* of the highest view it would go to, or went to */
};

/* What a VIEW-CHANGE says. Certificates of every height above base that its author has seen prepared, ascending. */
struct pbft_claim {
    uint32_t author;
    uint64_t base, committed;
    uint32_t n_certs;
    struct {
        uint64_t height, view;
        struct chain_hash digest;
    } certs[CHAIN_WINDOW];
};

/* What a new view starts from: batches at low + 1 .. low + 8 that are proposed again, null ones in holes; free above the last. */
struct pbft_choice {
    uint64_t low;
    struct {
        bool have;
        uint64_t view;
        struct chain_hash digest;
    } required[CHAIN_WINDOW];
};

/* A NEW-VIEW and the VIEW-CHANGEs that it names. */
struct pbft_new_view {
    bool have;
    struct chain_msg msg;
    uint8_t body[PBFT_NEW_VIEW_BYTES];
    uint32_t named;                            /* bitmap of seats */
    struct chain_hash digests[CHAIN_MAX_MEMBERS];
    struct pbft_view_change changes[CHAIN_MAX_MEMBERS];
};

struct pbft {
    struct chain_engine_base base; /* first */
    uint32_t n, self, f, quorum, window;
    bool learner;
    uint32_t convicted, accused; /* bitmaps */
    struct chain_hash null_digest;
    uint64_t committed, stable, forgotten, voted;
    uint64_t next; /* height of our next proposal as primary */
    uint64_t view;
    uint64_t promised; /* the view of our latest VIEW-CHANGE: no COMMIT of ours in a lower one */
    uint64_t spoken;   /* the highest view of which our rows hold all that we said: a learner follows further */
    bool active; /* in view; else enough members left for it, and its NEW-VIEW is not there */
    bool suspecting, progressed, fresh, committed_now, changed, restored, running;
    uint32_t n_failed; /* views in a row that served nobody */
    struct pbft_choice choice;
    int64_t pending_ns, waiting_since_ns, progress_ns, view_since_ns, timeout_ns;
    int64_t resend_ns, change_sent_ns;
    uint32_t resend_step, n_asked, n_view_asks;
    uint32_t current; /* which of new_views is installed; the other one waits for what it names */
    struct pbft_slot slots[PBFT_SLOTS];
    struct pbft_peer peers[CHAIN_MAX_MEMBERS];
    struct pbft_new_view new_views[2];
    struct pbft_view_change previous; /* our own but latest: a NEW-VIEW may come that names it */
    struct pbft_claim claims[CHAIN_MAX_MEMBERS]; /* while choosing */
    uint8_t scratch[PBFT_SCRATCH_BYTES];
};

/* pbft_slot.c */
uint32_t chain_pbft_primary(const struct pbft *m, uint64_t view);
bool chain_pbft_counts(const struct pbft *m, uint32_t seat); /* not convicted */
struct pbft_slot *chain_pbft_slot(struct pbft *m, uint64_t height);       /* NULL: not in use */
struct pbft_slot *chain_pbft_open_slot(struct pbft *m, uint64_t height);  /* height in the window */
/* Its proposal is right: this member votes for it. */
void chain_pbft_accept(struct pbft *m, struct pbft_slot *slot);
bool chain_pbft_in_window(struct pbft *m, uint64_t height);               /* messages for it are kept */
const struct chain_hash *chain_pbft_required(const struct pbft *m, uint64_t height); /* NULL: free */
uint64_t chain_pbft_top(const struct pbft *m); /* the last required height, or low */
bool chain_pbft_same(const struct chain_hash *a, const struct chain_hash *b);
bool chain_pbft_holds_batch(const struct pbft_slot *slot, const struct chain_hash *digest);
bool chain_pbft_holds_prop(const struct pbft *m, const struct pbft_slot *slot); /* of this view */
bool chain_pbft_prepared(const struct pbft *m, const struct pbft_slot *slot);   /* in this view */
/* false: the slot needs the batch that it has. */
bool chain_pbft_store_batch(const struct pbft *m, struct pbft_slot *slot, const struct chain_hash *digest, const uint8_t *batch, size_t len);
void chain_pbft_store_prop(struct pbft_slot *slot, uint64_t view, const struct chain_hash *digest, const uint8_t *sig);
void chain_pbft_drop_dead(struct pbft *m);

/* pbft_normal.c */
bool chain_pbft_may_propose(const struct pbft *m);
int chain_pbft_on_propose(struct pbft *m, const uint8_t *batch, size_t len);
int chain_pbft_on_pre_prepare(struct pbft *m, const struct chain_msg *msg);
int chain_pbft_on_vote(struct pbft *m, const struct chain_msg *msg);
bool chain_pbft_is_surplus(const struct chain_engine *engine, const struct chain_msg *msg);
bool chain_pbft_waits_for_check(const struct pbft *m);
void chain_pbft_advance(struct pbft *m); /* whatever the open slots allow now */

/* pbft_commit.c */
void chain_pbft_commit_ready(struct pbft *m);
bool chain_pbft_find_committed(const struct pbft *m, const struct pbft_slot *slot, struct pbft_cert *cert);
void chain_pbft_synced(struct pbft *m, uint64_t height);
void chain_pbft_on_stable(struct pbft *m, uint64_t height);
void chain_pbft_on_pending(struct pbft *m, int64_t pending_ns);

/* pbft_cert.c */
uint32_t chain_pbft_cert_count(const struct pbft_cert *cert);
void chain_pbft_cert_put(struct chain_cbor_writer *w, const struct pbft_cert *cert);
void chain_pbft_cert_get(struct chain_cbor_reader *r, struct pbft_cert *cert);
bool chain_pbft_cert_check(struct pbft *m, const struct pbft_cert *cert);
bool chain_pbft_cert_is_commit(const struct pbft_cert *cert);

/* pbft_claim.c */
void chain_pbft_claim_put(struct pbft *m, struct chain_cbor_writer *w);
/* Reads a VIEW-CHANGE's body and, if check, verifies its certificates. 0 or -EBADMSG. */
int chain_pbft_claim_get(struct pbft *m, const uint8_t *body, size_t len, bool check, struct pbft_claim *out);
/* false: these claims do not decide what may have been committed; *offender_out is the one to leave out. */
bool chain_pbft_choose(const struct pbft *m, const struct pbft_claim *claims, uint32_t n_claims, struct pbft_choice *out,
                       uint32_t *offender_out);

/* pbft_view.c */
void chain_pbft_start_view(struct pbft *m, uint64_t view);
void chain_pbft_suspect(struct pbft *m);
void chain_pbft_become_voter(struct pbft *m);
int chain_pbft_on_view_change(struct pbft *m, const struct chain_msg *msg);
struct chain_msg chain_pbft_change_msg(const struct pbft_view_change *change, uint32_t author);
void chain_pbft_store_change(struct pbft_view_change *change, const struct chain_msg *msg);
bool chain_pbft_may_leave(const struct pbft *m); /* a quorum is where we are: the view timer runs */

/* pbft_new_view.c */
void chain_pbft_try_new_view(struct pbft *m);
int chain_pbft_on_new_view(struct pbft *m, const struct chain_msg *msg);
void chain_pbft_send_new_view(struct pbft *m, uint32_t to);
struct pbft_new_view *chain_pbft_waiting_view(struct pbft *m); /* NULL: none */
uint32_t chain_pbft_missing_changes(const struct pbft_new_view *nv);
bool chain_pbft_is_named(struct pbft *m, const struct chain_msg *change); /* by the NEW-VIEW that waits */
void chain_pbft_take_named(struct pbft *m, const struct chain_msg *change);
bool chain_pbft_read_new_view(const struct pbft *m, struct pbft_new_view *nv);

/* pbft_evidence.c */
int chain_pbft_accuse(struct pbft *m, const struct chain_msg *msg, const struct chain_hash *digest, const uint8_t *sig);
void chain_pbft_convict(struct pbft *m, uint32_t seat);
bool chain_pbft_refuses(struct pbft *m, const struct chain_msg *msg);

/* pbft_repair.c */
bool chain_pbft_something_open(struct pbft *m);
void chain_pbft_resend(struct pbft *m);
void chain_pbft_resend_soon(struct pbft *m); /* another one's VIEW-CHANGE came through */
void chain_pbft_note_peer(struct pbft *m, const struct chain_msg *msg);

/* pbft_answer.c */
int chain_pbft_on_ask(struct pbft *m, const struct chain_msg *msg);
int chain_pbft_on_proof(struct pbft *m, const struct chain_msg *msg);
struct chain_msg chain_pbft_make_proposal(const struct pbft *m, const struct pbft_slot *slot);
bool chain_pbft_latest_vote(const struct pbft *m, const struct pbft_slot *slot, struct chain_msg *out);

/* pbft_record.c */
void chain_pbft_record_prop(struct pbft *m, struct pbft_slot *slot);
void chain_pbft_record_cert(struct pbft *m, struct pbft_slot *slot);
void chain_pbft_record_view(struct pbft *m);
void chain_pbft_record_new_view(struct pbft *m);

/* pbft_restore.c */
int chain_pbft_restore(struct pbft *m, uint64_t key, const uint8_t *data, size_t len);
void chain_pbft_restored(struct pbft *m); /* before the first event after the rows */
enum { PBFT_KEYS_A_SLOT = 4, PBFT_OF_PROP = 0, PBFT_OF_CERT = 1, PBFT_OF_BATCH = 2 };
#endif
