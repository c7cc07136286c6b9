/* Inside of the Raft engine (Ongaro and Ousterhout, USENIX ATC 2014; pre-vote, check-quorum, leader transfer, read index: Ongaro's
 * thesis, 9.6, 6.2, 3.10, 6.4); docs/consensus.md says what differs and why. Not for users of engines. */
#ifndef CHAIN_RAFT_H
#define CHAIN_RAFT_H

#include "chain/cbor.h"
#include "chain/engine_base.h"

enum {
    RAFT_SLOTS = 8 * CHAIN_WINDOW, /* entries in memory: those above the stable height, and below it as many as there is room for */
    RAFT_ROW_BYTES = CHAIN_MAX_BATCH_BYTES + 16,
    RAFT_ARENA_BYTES = 2 * (CHAIN_WINDOW + 1) * RAFT_ROW_BYTES, /* a window of the largest batches fits wherever the ring breaks */
    RAFT_MAX_ENTRIES = CHAIN_WINDOW, /* in one APPEND */
    RAFT_BODY_BYTES = CHAIN_MAX_MSG_BYTES - 256,
    RAFT_SMALL_BYTES = 4096,         /* all that one event may bring about beside one large APPEND */
    RAFT_SCRATCH_BYTES = RAFT_BODY_BYTES + RAFT_SMALL_BYTES,
    RAFT_KEY_TERM = 1,
    RAFT_KEY_BASE = 2,
    RAFT_KEY_ENTRIES = 16
};

enum raft_role { RAFT_FOLLOWER, RAFT_PRE_CANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

/* One entry of the log. Its row, CBOR [term, batch], lies in the arena as it goes to disk and into APPENDs. */
struct raft_entry {
    uint64_t index, term;
    uint64_t persist_seq;
    size_t at, head_len, len; /* the row is at .. at + head_len + len, the batch its last len octets */
};

struct raft_peer {
    uint64_t match;    /* its log is ours up to there, on its disk */
    uint64_t answered; /* counter of our newest message that it answered */
    uint64_t repaired_from;
    int64_t heard_ns, repaired_ns;
    bool granted;
    bool learner; /* by its own word: its answers count nothing */
};

struct raft_read {
    uint64_t id, height; /* height 0: not known before an entry of our term is committed */
    uint64_t counter;    /* answers to messages beyond it confirm that we still led when the read came */
};

struct raft {
    struct chain_engine_base base; /* first */
    uint32_t n, self, majority, window;
    enum raft_role role;
    bool learner;
    uint64_t term;
    uint64_t pre_voted; /* the highest term that it helped somebody to stand in; on disk like the vote */
    uint32_t voted_for, leader; /* CHAIN_TO_ALL: none */
    /* The log: entries base_index + 1 .. last_index; what is below is committed and in the store. base_term is the term at
     * base_index, or where base_exact is false a lower bound of it: blocks came from elsewhere (see docs/consensus.md). */
    uint64_t base_index, base_term, last_index;
    uint64_t committed;     /* handed out */
    uint64_t commit_target; /* known to be committed; committed <= commit_target <= last_index */
    uint64_t stable;        /* <= committed */
    uint64_t floor_log_term, floor_log_index, floor_committed; /* a candidate has at least that: we may have forgotten more than we hold */
    uint64_t own_index;     /* leader: its first entry of this term; 0: none yet */
    uint64_t agreed;        /* follower: its log is the leader's up to there */
    uint64_t counter;       /* of our last message as leader, or of the leader's last that we heeded, in this term */
    uint64_t entry_counter; /* of the last one that carried entries to all */
    uint64_t asked_counter; /* of the last one to all that wants an answer */
    uint64_t round;         /* of our pre-vote: answers to older ones count nothing */
    bool base_exact;
    bool started, reply_due, lacking, handed_over;
    bool whole; /* no acknowledgement that the disk may have lost can count any more: before that it gives no vote, not even to itself */
    bool proven; /* what this term's leader says may show that it lives: not after a restart within the term, when replays might */
    bool hurried; /* stood early in this term, as a candidate with a shorter log was about */
    int64_t election_ns, election_set_ns, heard_leader_ns, beat_ns, notice_ns, resend_ns, told_ns;
    uint32_t beat_step, resend_step;
    uint32_t transfer_to; /* CHAIN_TO_ALL: nobody */
    int64_t transfer_until_ns;
    size_t n_reads;
    struct raft_read reads[CHAIN_MAX_READS];
    struct raft_peer peers[CHAIN_MAX_MEMBERS];
    struct raft_entry entries[RAFT_SLOTS];
    uint8_t arena[RAFT_ARENA_BYTES]; /* a ring of rows */
    uint8_t scratch[RAFT_SCRATCH_BYTES];
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
/* Entries below the stable height go where there is no room. false: none even so. */
bool chain_raft_push(struct raft *m, uint64_t term, const uint8_t *batch, size_t len);
/* An entry that is on disk already. */
bool chain_raft_push_restored(struct raft *m, uint64_t term, const uint8_t *batch, size_t len);
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
bool chain_raft_meets_floor(const struct raft *m, uint64_t last_index, uint64_t last_term);
void chain_raft_follow(struct raft *m, uint64_t term, uint32_t leader);
void chain_raft_reset_election(struct raft *m);
void chain_raft_start_pre_vote(struct raft *m, bool handed_over);
void chain_raft_count_votes(struct raft *m);
void chain_raft_resend_vote(struct raft *m);
bool chain_raft_may_tell(struct raft *m); /* not more often than each half heartbeat to those of another term */
int chain_raft_on_vote(struct raft *m, const struct chain_msg *msg);
int chain_raft_on_vote_reply(struct raft *m, const struct chain_msg *msg);

/* raft_leader.c */
bool chain_raft_may_propose(const struct raft *m);
bool chain_raft_own_term_committed(const struct raft *m);
void chain_raft_lead(struct raft *m);
int chain_raft_on_propose(struct raft *m, const uint8_t *batch, size_t len);
bool chain_raft_propose_empty(struct raft *m); /* false: no room */
void chain_raft_ask_all(struct raft *m);       /* an APPEND without entries that wants an answer */
int chain_raft_on_reply(struct raft *m, const struct chain_msg *msg);
void chain_raft_count_acks(struct raft *m);
void chain_raft_repair(struct raft *m, uint32_t member, uint64_t from);
void chain_raft_beat(struct raft *m);
/* Tells all that everything is committed. */
void chain_raft_notice(struct raft *m);
void chain_raft_schedule_beat(struct raft *m);

/* raft_read.c */
int chain_raft_on_read(struct raft *m, uint64_t id);
void chain_raft_answer_reads(struct raft *m);
void chain_raft_refuse_reads(struct raft *m);

/* raft_transfer.c */
int chain_raft_on_transfer(struct raft *m, uint32_t member);
void chain_raft_hand_over(struct raft *m); /* once the successor's log is as long as ours */
int chain_raft_on_timeout_now(struct raft *m, const struct chain_msg *msg);

/* raft_follower.c */
int chain_raft_on_append(struct raft *m, const struct chain_msg *msg);
void chain_raft_reply_when_settled(struct raft *m);
/* What a majority of followers has said to hold is committed, whoever it was said to. */
void chain_raft_count_overheard(struct raft *m);
int chain_raft_append_get(const uint8_t *body, size_t len, uint64_t prev_index, struct raft_append *out);
#endif
