/* Inside of the Raft engine (Ongaro and Ousterhout, USENIX ATC 2014; pre-vote and check-quorum: Ongaro's thesis, 9.6 and 6.2);
 * docs/consensus.md says what differs and why. Not for users of engines. */
#ifndef CHAIN_RAFT_H
#define CHAIN_RAFT_H

#include "chain/cbor.h"
#include "chain/engine_base.h"

enum {
    RAFT_SLOTS = 4 * CHAIN_WINDOW,
    RAFT_KEPT = CHAIN_WINDOW, /* entries kept below the stable height, for followers that missed little */
    RAFT_MAX_ENTRIES = 8,     /* in one APPEND */
    RAFT_BODY_BYTES = CHAIN_MAX_MSG_BYTES - 256,
    RAFT_KEY_TERM = 1,
    RAFT_KEY_BASE = 2,
    RAFT_KEY_ENTRIES = 16
};

enum raft_role { RAFT_FOLLOWER, RAFT_PRE_CANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

struct raft_entry {
    uint64_t index, term;
    uint64_t persist_seq;
    size_t len;
    uint8_t batch[CHAIN_MAX_BATCH_BYTES];
};

struct raft_peer {
    uint64_t match;
    int64_t heard_ns, repaired_ns;
    bool granted;
};

struct raft {
    struct chain_engine_base base; /* first */
    uint32_t n, self, majority;
    enum raft_role role;
    uint64_t term;
    uint32_t voted_for, leader; /* CHAIN_TO_ALL: none */
    /* The log: entries base_index + 1 .. last_index; what is below is committed and in the store. base_term is the term at
     * base_index, or a lower bound of it after blocks came from elsewhere (see docs/consensus.md). */
    uint64_t base_index, base_term, last_index;
    uint64_t committed, stable, commit_target;
    uint64_t counter;       /* of our last message as leader, or of the leader's last that we heeded, in this term */
    uint64_t entry_counter; /* of the last one that carried the newest entry to all */
    bool started, reply_due;
    int64_t election_ns, heard_leader_ns, beat_ns, resend_ns;
    uint32_t beat_step, resend_step;
    struct raft_peer peers[CHAIN_MAX_MEMBERS];
    struct raft_entry entries[RAFT_SLOTS];
    uint8_t scratch[2 * CHAIN_MAX_MSG_BYTES];
};

/* A decoded APPEND. */
struct raft_append {
    uint64_t counter, committed, prev_index, prev_term;
    bool want_reply;
    size_t n_entries;
    struct {
        uint64_t term;
        const uint8_t *batch;
        size_t len;
    } entries[RAFT_MAX_ENTRIES];
};

/* raft_log.c */
uint64_t chain_raft_term_at(const struct raft *m, uint64_t index); /* base_index .. last_index */
uint64_t chain_raft_last_term(const struct raft *m);
const struct raft_entry *chain_raft_entry(const struct raft *m, uint64_t index);
bool chain_raft_has_room(const struct raft *m);
void chain_raft_push(struct raft *m, uint64_t term, const uint8_t *batch, size_t len);
void chain_raft_cut(struct raft *m, uint64_t first_gone);
void chain_raft_emit_commits(struct raft *m);
void chain_raft_on_stable(struct raft *m, uint64_t height);
void chain_raft_on_synced(struct raft *m, uint64_t height);
uint64_t chain_raft_own_match(const struct raft *m); /* what of our log is on disk */

/* raft_record.c */
void chain_raft_record_term(struct raft *m);
void chain_raft_record_base(struct raft *m);
void chain_raft_record_entry(struct raft *m, const struct raft_entry *entry);
void chain_raft_forget(struct raft *m, uint64_t from, uint64_t to);
int chain_raft_restore(struct raft *m, uint64_t key, const uint8_t *data, size_t len);

/* raft_election.c */
void chain_raft_follow(struct raft *m, uint64_t term, uint32_t leader);
void chain_raft_reset_election(struct raft *m);
void chain_raft_start_pre_vote(struct raft *m);
void chain_raft_resend_vote(struct raft *m);
int chain_raft_on_vote(struct raft *m, const struct chain_msg *msg);
int chain_raft_on_vote_reply(struct raft *m, const struct chain_msg *msg);

/* raft_leader.c */
bool chain_raft_may_propose(const struct raft *m);
void chain_raft_lead(struct raft *m);
int chain_raft_on_propose(struct raft *m, const uint8_t *batch, size_t len);
int chain_raft_on_reply(struct raft *m, const struct chain_msg *msg);
void chain_raft_count_acks(struct raft *m);
void chain_raft_beat(struct raft *m);
void chain_raft_schedule_beat(struct raft *m);

/* raft_follower.c */
int chain_raft_on_append(struct raft *m, const struct chain_msg *msg);
void chain_raft_reply_when_settled(struct raft *m);
int chain_raft_append_get(const uint8_t *body, size_t len, uint64_t prev_index, struct raft_append *out);
#endif
