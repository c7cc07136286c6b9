/* Feeds an engine a conversation: messages one after the other, each kind, author, view, seq (an octet each), length (two octets,
 * little-endian), body. A vote is for the batch proposed last. Every signature counts as valid, so that the octets behind it get their turn. */
#ifndef TESTS_FUZZ_ENGINE_FEED_H
#define TESTS_FUZZ_ENGINE_FEED_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "chain/engine.h"

static int sign_nothing(void *ctx, const struct chain_members *members, struct chain_msg *msg)
{
    (void)ctx, (void)members;
    memset(msg->sig, 0, sizeof msg->sig);
    return 0;
}

static int verify_nothing(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    (void)ctx;
    return msg->author < members->n ? 0 : -1;
}

static int check_nothing(void *ctx, uint64_t height, const uint8_t *batch, size_t len, int64_t now_ns)
{
    (void)ctx, (void)height, (void)batch, (void)len, (void)now_ns;
    return 0;
}

/* Commits come in order whatever is said. */
static inline void step_engine(const struct chain_engine_ops *ops, struct chain_engine *engine, const struct chain_event *event,
                        struct chain_update *out, uint64_t *height)
{
    ops->step(engine, event, out);
    for (size_t i = 0; i < out->n_commits; i++)
        assert(out->commits[i].height == ++*height);
    if (out->persist_seq > 0) {
        struct chain_event persisted = {.kind = CHAIN_EV_PERSISTED, .now_ns = event->now_ns, .persisted_seq = out->persist_seq};
        ops->step(engine, &persisted, out);
        for (size_t i = 0; i < out->n_commits; i++)
            assert(out->commits[i].height == ++*height);
    }
}

static inline int feed_engine(const struct chain_engine_ops *ops, const uint8_t *data, size_t len)
{
    static const struct chain_members members = {.n = 4, .n_keys = 4};
    static const struct chain_signer signer = {.sign = sign_nothing, .verify = verify_nothing};
    static struct chain_update out;
    struct chain_engine_config cfg = {.self = 2, .members = &members, .signer = &signer, .check_batch = check_nothing,
                                      .heartbeat_ns = 50000000, .timeout_ns = 400000000, .timeout_max_ns = 1600000000};
    void *mem = malloc(ops->bytes(&cfg));
    struct chain_engine *engine;
    assert(mem && ops->init(mem, ops->bytes(&cfg), &cfg, &engine, NULL) == 0);
    uint64_t height = 0;
    int64_t now_ns = 0;
    struct chain_hash proposed = {0};
    while (len >= 6) {
        struct chain_msg msg = {.kind = data[0], .author = data[1] % 4, .view = data[2], .seq = data[3]};
        msg.body_len = (size_t)data[4] | (size_t)data[5] << 8;
        data += 6, len -= 6;
        msg.body_len = msg.body_len < len ? msg.body_len : len;
        msg.body = msg.body_len > 0 ? data : NULL;
        bool has_body = msg.body_len > 0 || msg.kind == CHAIN_MSG_PBFT_PRE_PREPARE;
        data += msg.body_len, len -= msg.body_len;
        if (has_body && chain_msg_digest(&members, msg.kind, msg.body, msg.body_len, &msg.digest) != 0)
            continue;
        if (msg.kind == CHAIN_MSG_PBFT_PRE_PREPARE)
            proposed = msg.digest;
        else if (!has_body)
            msg.digest = proposed;
        now_ns += 7000000;
        struct chain_event event = {.kind = CHAIN_EV_MESSAGE, .now_ns = now_ns, .msg = &msg};
        step_engine(ops, engine, &event, &out, &height);
        struct chain_event tick = {.kind = CHAIN_EV_TICK, .now_ns = now_ns};
        if (ops->deadline(engine) <= now_ns)
            step_engine(ops, engine, &tick, &out, &height);
    }
    ops->close(engine);
    free(mem);
    return 0;
}
#endif
