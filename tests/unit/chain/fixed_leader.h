/* The least engine: member 0 orders alone, whatever it says is committed. Enough to test what is around an engine. */
#ifndef TESTS_UNIT_CHAIN_FIXED_LEADER_H
#define TESTS_UNIT_CHAIN_FIXED_LEADER_H

#include <errno.h>
#include <string.h>

#include "chain/engine.h"

struct fixed_leader {
    const struct chain_engine_ops *ops;
    struct chain_engine_config cfg;
    uint64_t committed, stable, n_persist;
    uint64_t n_refused;
    int last_check;
    uint8_t batch[CHAIN_MAX_BATCH_BYTES];
    uint8_t record[8];
};

static inline uint32_t fixed_quorum(uint32_t n)
{
    return chain_majority(n);
}

static inline size_t fixed_bytes(const struct chain_engine_config *cfg)
{
    (void)cfg;
    return sizeof(struct fixed_leader);
}

static inline void fixed_commit(struct fixed_leader *e, const uint8_t *batch, size_t len, struct chain_update *out)
{
    memcpy(e->batch, batch, len);
    e->committed++;
    for (int i = 0; i < 8; i++)
        e->record[i] = (uint8_t)(e->committed >> (8 * i));
    out->records[out->n_records++] = (struct chain_record){.key = 1, .data = e->record, .len = 8};
    out->persist_seq = ++e->n_persist;
    out->commits[out->n_commits++] = (struct chain_commit){.height = e->committed, .batch = e->batch, .len = len};
}

static inline int fixed_step(struct chain_engine *m, const struct chain_event *in, struct chain_update *out)
{
    struct fixed_leader *e = (struct fixed_leader *)(void *)m;
    if (in->kind == CHAIN_EV_STABLE)
        e->stable = in->height;
    if (in->kind == CHAIN_EV_SYNCED && in->height > e->committed)
        e->committed = in->height;
    if (in->kind == CHAIN_EV_PROPOSE && e->cfg.self == 0) {
        fixed_commit(e, in->propose.batch, in->propose.len, out);
        struct chain_msg msg = {.kind = CHAIN_MSG_RAFT_APPEND, .seq = e->committed, .body = e->batch, .body_len = in->propose.len};
        if (chain_msg_digest(e->cfg.members, msg.kind, msg.body, msg.body_len, &msg.digest) != 0 ||
            e->cfg.signer->sign(e->cfg.signer->ctx, e->cfg.members, &msg) != 0)
            return -EBADMSG;
        out->msgs[out->n_msgs++] = (struct chain_out_msg){.msg = msg, .to = CHAIN_TO_ALL, .after_persist = true};
    }
    if (in->kind == CHAIN_EV_MESSAGE) {
        if (in->msg->author != 0 || in->msg->seq != e->committed + 1 || in->msg->kind != CHAIN_MSG_RAFT_APPEND)
            return -EBADMSG;
        e->last_check = e->cfg.check_batch(e->cfg.check_ctx, in->msg->seq, in->msg->body, in->msg->body_len, in->now_ns);
        if (e->last_check != 0) {
            e->n_refused++;
            return -EBADMSG;
        }
        fixed_commit(e, in->msg->body, in->msg->body_len, out);
    }
    return 0;
}

static inline int64_t fixed_deadline(const struct chain_engine *m)
{
    (void)m;
    return INT64_MAX;
}

static inline void fixed_stats(const struct chain_engine *m, struct chain_engine_stats *out)
{
    const struct fixed_leader *e = (const struct fixed_leader *)(const void *)m;
    memset(out, 0, sizeof *out);
    out->is_leader = out->may_propose = e->cfg.self == 0;
    out->committed = e->committed;
    if (e->committed >= e->stable + CHAIN_WINDOW)
        out->may_propose = false;
    out->proposes = out->may_propose ? e->committed + 1 : 0;
}

static inline void fixed_close(struct chain_engine *m)
{
    (void)m;
}

static inline int fixed_init(void *mem, size_t len, const struct chain_engine_config *cfg, struct chain_engine **out,
                             const char **bad_field_out);

static const struct chain_engine_ops fixed_leader_ops = {.name = "fixed",
                                                         .byzantine = false,
                                                         .quorum = fixed_quorum,
                                                         .bytes = fixed_bytes,
                                                         .init = fixed_init,
                                                         .step = fixed_step,
                                                         .deadline = fixed_deadline,
                                                         .stats = fixed_stats,
                                                         .close = fixed_close};

static inline int fixed_init(void *mem, size_t len, const struct chain_engine_config *cfg, struct chain_engine **out,
                             const char **bad_field_out)
{
    if (len < sizeof(struct fixed_leader)) {
        *bad_field_out = "len";
        return -EINVAL;
    }
    struct fixed_leader *e = mem;
    memset(e, 0, sizeof *e);
    e->ops = &fixed_leader_ops;
    e->cfg = *cfg;
    e->committed = e->stable = cfg->stable_height;
    *out = (struct chain_engine *)(void *)e;
    return 0;
}
#endif
