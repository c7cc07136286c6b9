/* What Raft and PBFT share inside: the update being filled, memory for what it points to, keyed draws. Not for users of engines. */
#ifndef CHAIN_ENGINE_BASE_H
#define CHAIN_ENGINE_BASE_H

#include "chain/engine.h"

struct chain_engine {
    const struct chain_engine_ops *ops;
};

enum { CHAIN_BASE_WAITS = 32 };

struct chain_engine_base {
    struct chain_engine head;
    struct chain_engine_config cfg;
    struct chain_engine_stats stats;
    struct chain_update *out; /* during a step */
    int64_t now_ns;
    uint64_t n_draws;
    uint64_t written_seq, persisted_seq; /* of updates that hold records */
    bool waits;                          /* own messages wait for the medium; the latest of those below lasts */
    uint32_t n_waits;                    /* so far; the latest CHAIN_BASE_WAITS are kept */
    struct {
        int64_t from_ns, to_ns;
    } waited[CHAIN_BASE_WAITS];
    size_t scratch_len, scratch_cap;
    uint8_t *scratch; /* the engine's: bodies and records of the last update */
};

/* scratch lies in the engine's own memory and holds what its largest update points to. */
int chain_base_init(struct chain_engine_base *b, const struct chain_engine_ops *ops, const struct chain_engine_config *cfg,
                    uint8_t *scratch, size_t scratch_cap, const char **bad_field_out);
void chain_base_begin(struct chain_engine_base *b, const struct chain_event *in, struct chain_update *out);

/* ACCESS. True: what waited does no longer. */
bool chain_base_access(struct chain_engine_base *b, int64_t waiting_since_ns);
/* When a timer that was set at since_ns runs out: after timeout_ns and the time in which this member could not have sent, but no later than after
 * timeout_max_ns, unless timeout_ns is more. */
int64_t chain_base_patience(const struct chain_engine_base *b, int64_t since_ns, int64_t timeout_ns);

/* Nothing that was written still waits for the disk. */
bool chain_base_settled(const struct chain_engine_base *b);

/* The free rest of the scratch memory; take() keeps its first len octets. */
uint8_t *chain_base_room(struct chain_engine_base *b, size_t *cap_out);
void chain_base_take(struct chain_engine_base *b, size_t len);

/* A message of our own. body is in the scratch memory or outlives the update; sig_out may be NULL. false: no room. */
/* Says of the message sent last, if it went to all, how many rounds of answers follow. */
void chain_base_expect(struct chain_engine_base *b, unsigned rounds);
bool chain_base_send(struct chain_engine_base *b, struct chain_msg *msg, uint32_t to, bool after_persist);
/* Somebody's signed message, ours or not. */
bool chain_base_relay(struct chain_engine_base *b, const struct chain_msg *msg, uint32_t to, bool after_persist);
/* Fills author, digest (if there is a body) and signature. */
void chain_base_sign(struct chain_engine_base *b, struct chain_msg *msg);

void chain_base_record(struct chain_engine_base *b, uint64_t key, const uint8_t *data, size_t len);
void chain_base_delete(struct chain_engine_base *b, uint64_t key, uint64_t key_end);
void chain_base_commit(struct chain_engine_base *b, uint64_t height, const uint8_t *batch, size_t len);

/* Uniform in [0, 2^64) by (seed, purpose, self, counter). */
uint64_t chain_base_draw(struct chain_engine_base *b, const char *purpose);
/* Uniform in [3/4, 5/4] of ns: members that heard the same frame shall not answer in the same slot. */
int64_t chain_base_jitter(struct chain_engine_base *b, int64_t ns);
/* a + b without overflow, a >= 0 */
int64_t chain_base_later(int64_t at_ns, int64_t delay_ns);
#endif
