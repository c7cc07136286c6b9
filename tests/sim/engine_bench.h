#ifndef TESTS_SIM_ENGINE_BENCH_H
#define TESTS_SIM_ENGINE_BENCH_H

#include "tests/sim/engine_faults.h"

/* One engine by itself. */
struct bench {
    struct cluster_node node;
    struct chain_members members;
    struct chain_engine *engine;
    struct chain_update out;
    int verdict; /* what check_batch says */
    int64_t now_ns;
};

static int say_verdict(void *ctx, uint64_t height, const uint8_t *batch, size_t len, int64_t now_ns)
{
    const struct bench *b = ctx;
    (void)height, (void)batch, (void)len, (void)now_ns;
    return b->verdict;
}

static inline struct bench *bench_new(const struct chain_engine_ops *ops, uint32_t n, uint32_t self)
{
    struct bench *b = calloc(1, sizeof *b);
    ck_assert_ptr_nonnull(b);
    b->members.n = b->members.n_keys = n;
    chain_members_seat_in_order(&b->members);
    b->node.id = self;
    b->now_ns = MS(1000);
    b->node.signer = (struct chain_signer){.ctx = &b->node, .sign = sign_fast, .verify = verify_fast};
    b->node.cfg = (struct chain_engine_config){.seed = 1, .self = self, .members = &b->members, .signer = &b->node.signer,
                                               .check_batch = say_verdict, .check_ctx = b, .heartbeat_ns = MS(50),
                                               .timeout_ns = MS(400), .timeout_max_ns = MS(1600)};
    b->node.mem = malloc(ops->bytes(&b->node.cfg));
    ck_assert_ptr_nonnull(b->node.mem);
    ck_assert_int_eq(ops->init(b->node.mem, ops->bytes(&b->node.cfg), &b->node.cfg, &b->engine, NULL), 0);
    return b;
}

static inline void bench_free(struct bench *b)
{
    free(b->node.mem);
    free(b);
}

static inline int bench_receive(struct bench *b, const struct chain_engine_ops *ops, struct chain_msg msg)
{
    if (msg.body_len > 0 || msg.kind == CHAIN_MSG_PBFT_PRE_PREPARE)
        ck_assert_int_eq(chain_msg_digest(&b->members, msg.kind, msg.body, msg.body_len, &msg.digest), 0);
    sign_fast(NULL, &b->members, &msg);
    struct chain_event event = {.kind = CHAIN_EV_MESSAGE, .now_ns = b->now_ns, .msg = &msg};
    return ops->step(b->engine, &event, &b->out);
}

static inline struct chain_engine_stats bench_stats(const struct bench *b, const struct chain_engine_ops *ops)
{
    struct chain_engine_stats stats;
    ops->stats(b->engine, &stats);
    return stats;
}

static inline size_t put_batch(uint8_t *out, size_t cap, int64_t time_ns)
{
    struct chain_batch_view view = {.time_ns = time_ns};
    long len = chain_batch_encode(&view, out, cap);
    ck_assert_int_gt(len, 0);
    return (size_t)len;
}

static inline int bench_step(struct bench *b, const struct chain_engine_ops *ops, struct chain_event event)
{
    event.now_ns = b->now_ns;
    return ops->step(b->engine, &event, &b->out);
}

/* A new engine of the same configuration that reads the rows of the last update. */
static inline void bench_restart(struct bench *b, const struct chain_engine_ops *ops)
{
    static uint8_t rows[CHAIN_MAX_RECORDS][65536];
    struct chain_record records[CHAIN_MAX_RECORDS];
    size_t n_records = b->out.n_records;
    for (size_t i = 0; i < n_records; i++) {
        records[i] = b->out.records[i];
        ck_assert_uint_le(records[i].len, sizeof rows[i]);
        if (records[i].data)
            memcpy(rows[i], records[i].data, records[i].len);
    }
    ck_assert_int_eq(ops->init(b->node.mem, ops->bytes(&b->node.cfg), &b->node.cfg, &b->engine, NULL), 0);
    for (size_t i = 0; i < n_records; i++) {
        if (!records[i].data)
            continue;
        struct chain_event event = {.kind = CHAIN_EV_RESTORE};
        event.restore.key = records[i].key;
        event.restore.data = rows[i];
        event.restore.len = records[i].len;
        ck_assert_int_eq(bench_step(b, ops, event), 0);
    }
}
#endif
