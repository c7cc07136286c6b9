/* Rows of an engine's table as a damaged disk may give them back: first octet, which engine; then key (8 octets, little-endian), length (two),
 * octets, one row after the other. The engine takes or refuses each, and then has to run. */
#include "tests/fuzz/engine_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    const struct chain_engine_ops *ops = data[0] % 2 ? &chain_pbft_ops : &chain_raft_ops;
    static const struct chain_members members = {.n = 4, .n_keys = 4};
    static const struct chain_signer signer = {.sign = sign_nothing, .verify = verify_nothing};
    static struct chain_update out;
    struct chain_engine_config cfg = {.self = 2, .members = &members, .signer = &signer, .check_batch = check_nothing,
                                      .heartbeat_ns = 50000000, .timeout_ns = 400000000, .timeout_max_ns = 1600000000,
                                      .stable_height = data[0] / 2 % 8};
    void *mem = malloc(ops->bytes(&cfg));
    struct chain_engine *engine;
    assert(mem && ops->init(mem, ops->bytes(&cfg), &cfg, &engine, NULL) == 0);
    data++, len--;
    while (len >= 10) {
        struct chain_event event = {.kind = CHAIN_EV_RESTORE};
        for (int i = 0; i < 8; i++)
            event.restore.key |= (uint64_t)data[i] << (8 * i);
        event.restore.len = (size_t)data[8] | (size_t)data[9] << 8;
        data += 10, len -= 10;
        event.restore.len = event.restore.len < len ? event.restore.len : len;
        event.restore.data = data;
        data += event.restore.len, len -= event.restore.len;
        (void)ops->step(engine, &event, &out);
    }
    for (int64_t now_ns = 1; now_ns < INT64_C(4000000000); now_ns += 100000000) {
        struct chain_event tick = {.kind = CHAIN_EV_TICK, .now_ns = now_ns};
        ops->step(engine, &tick, &out);
        if (out.persist_seq > 0) {
            struct chain_event persisted = {.kind = CHAIN_EV_PERSISTED, .now_ns = now_ns, .persisted_seq = out.persist_seq};
            ops->step(engine, &persisted, &out);
        }
    }
    ops->close(engine);
    free(mem);
    return 0;
}
