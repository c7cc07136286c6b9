/* Inside of the PBFT engine (Castro and Liskov, OSDI 1999); docs/consensus.md says what differs and why. Not for users of engines. */
#ifndef CHAIN_PBFT_H
#define CHAIN_PBFT_H

#include "chain/cbor.h"
#include "chain/engine_base.h"

enum {
    PBFT_SLOTS = 2 * CHAIN_WINDOW,
    PBFT_VIEW_CHANGE_BYTES = 4096, /* at n = 32 two certificates of 22 signatures take 3.4 kB */
    PBFT_CERTS = 2,
    PBFT_SCRATCH_BYTES = 320 * 1024,
    PBFT_KEY_VIEW = 1,
    PBFT_KEY_NEW_VIEW = 2,
    PBFT_KEY_SLOTS = 16
};

struct pbft_vote {
    bool have;
    uint64_t view;
    struct chain_hash digest;
    uint8_t sig[CHAIN_SIG_BYTES];
};

/* Signatures of distinct members over (view, height, digest): a quorum of PRE-PREPARE, PREPARE and COMMIT says "prepared",
 * a quorum of COMMIT alone "committed". */
struct pbft_cert {
    bool have;
    uint64_t view, height;
    struct chain_hash digest;
    uint32_t n;
    struct {
        uint8_t author, kind, sig[CHAIN_SIG_BYTES];
    } sigs[CHAIN_MAX_MEMBERS];
};

struct pbft_batch {
    size_t len;
    uint8_t octets[CHAIN_MAX_BATCH_BYTES];
};

struct pbft_slot {
    uint64_t height; /* 0: free */
    /* the proposal of prop_view; ours to vote for only while that is the view */
    bool have_prop, accepted, refused, committed;
    uint64_t prop_view;
    struct chain_hash prop_digest;
    uint8_t prop_sig[CHAIN_SIG_BYTES];
    int64_t opened_ns;
    struct pbft_vote prepares[CHAIN_MAX_MEMBERS], commits[CHAIN_MAX_MEMBERS];
    struct pbft_cert cert; /* the newest, over views */
    struct pbft_batch prop, cert_batch;
};

struct pbft_view_change {
    bool have;
    uint64_t view, seq;
    uint8_t sig[CHAIN_SIG_BYTES];
    size_t len;
    uint8_t body[PBFT_VIEW_CHANGE_BYTES];
};

struct pbft_peer {
    uint64_t height; /* the highest it works on */
    uint64_t view;   /* the highest it was seen active in */
    uint64_t suspect; /* the view it would go to, or went to */
    int64_t answered_ns, new_view_ns;
    struct pbft_view_change change;
};

/* What a VIEW-CHANGE says. */
struct pbft_claim {
    uint32_t author;
    uint64_t committed;
    uint32_t n_certs;
    struct {
        uint64_t height, view;
        struct chain_hash digest;
    } certs[PBFT_CERTS];
};

/* What a new view starts from: batches at low + 1 and low + 2 that have to be proposed again. */
struct pbft_choice {
    uint64_t low;
    struct {
        bool have;
        uint64_t view;
        struct chain_hash digest;
    } required[PBFT_CERTS];
};

struct pbft {
    struct chain_engine_base base; /* first */
    uint32_t n, self, f, quorum;
    uint64_t committed, stable, certified, forgotten;
    uint64_t view;
    bool active; /* in view; else our VIEW-CHANGE for it is out */
    bool suspecting, progressed, committed_now, changed;
    uint32_t n_failed; /* views in a row without a commit */
    struct pbft_choice choice;
    int64_t pending_since_ns, progress_ns, view_since_ns, timeout_ns;
    int64_t resend_ns;
    uint32_t resend_step, n_asked;
    struct pbft_slot slots[PBFT_SLOTS];
    struct pbft_peer peers[CHAIN_MAX_MEMBERS];
    struct {
        bool have;
        struct chain_msg msg;
        uint8_t body[CHAIN_MAX_MSG_BYTES];
    } new_view;
    uint8_t scratch[PBFT_SCRATCH_BYTES];
};

/* pbft_slot.c */
uint32_t chain_pbft_primary(const struct pbft *m, uint64_t view);
struct pbft_slot *chain_pbft_slot(struct pbft *m, uint64_t height);       /* NULL: not in use */
struct pbft_slot *chain_pbft_open_slot(struct pbft *m, uint64_t height);  /* height in the window */
bool chain_pbft_in_window(const struct pbft *m, uint64_t height);
const struct chain_hash *chain_pbft_required(const struct pbft *m, uint64_t height); /* NULL: free */
bool chain_pbft_same(const struct chain_hash *a, const struct chain_hash *b);
const struct pbft_batch *chain_pbft_batch(const struct pbft_slot *slot, const struct chain_hash *digest);
bool chain_pbft_prepared(const struct pbft *m, const struct pbft_slot *slot);
void chain_pbft_store_prop(struct pbft_slot *slot, uint64_t view, const struct chain_hash *digest, const uint8_t *batch, size_t len);

/* pbft_normal.c */
bool chain_pbft_may_propose(const struct pbft *m);
int chain_pbft_on_propose(struct pbft *m, const uint8_t *batch, size_t len);
int chain_pbft_on_pre_prepare(struct pbft *m, const struct chain_msg *msg);
int chain_pbft_on_vote(struct pbft *m, const struct chain_msg *msg);
void chain_pbft_advance(struct pbft *m); /* whatever the open slot allows now */

/* pbft_commit.c */
void chain_pbft_commit_ready(struct pbft *m);
void chain_pbft_commit_by_cert(struct pbft *m, const struct pbft_cert *cert, const uint8_t *batch, size_t len);
void chain_pbft_synced(struct pbft *m, uint64_t height);

/* pbft_proof.c */
void chain_pbft_cert_put(struct chain_cbor_writer *w, const struct pbft_cert *cert);
void chain_pbft_cert_get(struct chain_cbor_reader *r, struct pbft_cert *cert);
bool chain_pbft_cert_check(const struct pbft *m, const struct pbft_cert *cert, bool committed);
bool chain_pbft_cert_is_commit(const struct pbft *m, const struct pbft_cert *cert);
void chain_pbft_claim_put(struct pbft *m, struct chain_cbor_writer *w);
/* Reads a VIEW-CHANGE's body and, if check, verifies its certificates. 0 or -EBADMSG. */
int chain_pbft_claim_get(const struct pbft *m, const uint8_t *body, size_t len, bool check, struct pbft_claim *out);
/* false: these claims do not decide what may have been committed; *offender_out is the one to leave out. */
bool chain_pbft_choose(const struct pbft *m, const struct pbft_claim *claims, uint32_t n_claims, struct pbft_choice *out,
                       uint32_t *offender_out);

/* pbft_view.c */
void chain_pbft_start_view(struct pbft *m, uint64_t view);
void chain_pbft_suspect(struct pbft *m);
void chain_pbft_send_suspect(struct pbft *m);
int chain_pbft_on_suspect(struct pbft *m, const struct chain_msg *msg);
int chain_pbft_on_view_change(struct pbft *m, const struct chain_msg *msg);
void chain_pbft_own_view_change(struct pbft *m, struct chain_msg *out); /* as stored */
bool chain_pbft_may_leave(const struct pbft *m);                        /* a quorum is where we are: the view timer runs */

/* pbft_new_view.c */
void chain_pbft_try_new_view(struct pbft *m);
int chain_pbft_on_new_view(struct pbft *m, const struct chain_msg *msg);
void chain_pbft_send_new_view(struct pbft *m, uint32_t to);

/* pbft_repair.c */
bool chain_pbft_something_open(const struct pbft *m);
void chain_pbft_resend(struct pbft *m);
int chain_pbft_on_ask(struct pbft *m, const struct chain_msg *msg);
int chain_pbft_on_proof(struct pbft *m, const struct chain_msg *msg);
void chain_pbft_note_peer(struct pbft *m, const struct chain_msg *msg);

/* pbft_record.c */
void chain_pbft_record_prop(struct pbft *m, const struct pbft_slot *slot);
void chain_pbft_record_cert(struct pbft *m, const struct pbft_slot *slot);
void chain_pbft_record_view(struct pbft *m);
void chain_pbft_record_new_view(struct pbft *m);
void chain_pbft_forget(struct pbft *m, uint64_t height);
int chain_pbft_restore(struct pbft *m, uint64_t key, const uint8_t *data, size_t len);
#endif
