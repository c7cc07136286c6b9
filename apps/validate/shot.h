/* Consensus engines on a broadcast medium that erases: what the consensus cases drive. Production engines, virtual time, disks that
 * take no time. A fresh cluster a trial; every message takes the same delay, and each (message, receiver) pair is asked about once. */
#ifndef APPS_VALIDATE_SHOT_H
#define APPS_VALIDATE_SHOT_H

#include "chain/engine.h"

struct app_shot_config {
    const struct chain_engine_ops *ops;
    uint32_t n;
    uint64_t seed; /* with the trial, of all the engines draw */
    int64_t delay_ns, heartbeat_ns, timeout_ns, spread_ns, timeout_max_ns;
    bool strict_votes;
};

struct app_shot_frame {
    int64_t at_ns;
    uint32_t from, to;
    struct chain_msg msg; /* owns its body */
};

struct app_shot_count {
    uint64_t sent, received; /* frames, and (frame, receiver) pairs that arrived */
};

struct app_shot {
    struct app_shot_config cfg;
    struct chain_members members;
    struct chain_signer signer;
    struct chain_engine *engines[CHAIN_MAX_MEMBERS];
    void *mem[CHAIN_MAX_MEMBERS];
    struct chain_update *update;
    bool dead[CHAIN_MAX_MEMBERS];      /* neither hears nor speaks nor wakes */
    bool committed[CHAIN_MAX_MEMBERS]; /* anything, since begin */
    int64_t first_sent_ns[CHAIN_MAX_MEMBERS]; /* since it was last set to INT64_MAX */
    struct app_shot_count by_kind[256];
    int64_t now_ns;
    uint64_t n_asked; /* of `arrives`, in this trial */
    /* Does the frame reach the receiver? NULL: always. */
    bool (*arrives)(void *ctx, const struct app_shot_frame *frame, uint32_t receiver);
    void *arrives_ctx;
    size_t first, n_frames, cap_frames; /* a ring in the order of arrival */
    struct app_shot_frame *frames;
};

/* NULL without memory. Room for cfg->n engines of cfg->ops; begin may change everything else. */
struct app_shot *app_shot_open(const struct app_shot_config *cfg);
void app_shot_close(struct app_shot *s);
/* A fresh cluster at time 0: nothing on the way, all alive, all counts zero. */
void app_shot_begin(struct app_shot *s, const struct app_shot_config *cfg, uint64_t trial);
/* Until no frame is on the way, without letting a timer run out. */
void app_shot_drain(struct app_shot *s);
/* Everything that happens up to a time, timers too. */
void app_shot_run(struct app_shot *s, int64_t until_ns);
/* The earliest timer of a living engine; INT64_MAX: none. */
int64_t app_shot_deadline(const struct app_shot *s);
/* The living leader that most know; CHAIN_TO_ALL if there is none. */
uint32_t app_shot_leader(const struct app_shot *s);
/* False if the engine refuses it. */
bool app_shot_propose(struct app_shot *s, uint32_t node, const uint8_t *batch, size_t len);
/* A request waits at every living node. */
void app_shot_pending(struct app_shot *s);
uint32_t app_shot_count_committed(const struct app_shot *s);
#endif
