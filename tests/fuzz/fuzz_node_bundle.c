/* Whatever a transport brings to a node: bundles, one after another, with the clock and the disk going on between them. Signatures
 * count as good, so that what lies behind them is reached. Input: octet 0 chooses the engine (bit 0), and whether the node's store has
 * pruned its blocks and has a snapshot to tell of (bit 1); then pieces of two octets of length (big endian) and content; a piece of length
 * 0 lets 20 ms pass. */
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "chain/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const int64_t MS = 1000000, T0 = 1577836800000000000;

static int sign_nothing(void *ctx, const struct chain_members *members, struct chain_msg *msg)
{
    (void)ctx;
    (void)members;
    memset(msg->sig, 0x5a, sizeof msg->sig);
    return 0;
}

static int accept_all(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    (void)ctx;
    (void)members;
    (void)msg;
    return 0;
}

static void make_genesis(struct chain_genesis *g, bool raft)
{
    const char *bad_field;
    *g = (struct chain_genesis){.name = "fuzz", .time_ns = T0, .members = {.n = 4, .n_keys = 5}, .n_channels = 2,
                                .quiet_period_ns = 250 * MS, .quiet_length_ns = 10 * MS, .max_skew_ns = MS,
                                .transmit_expire_ns = 2400 * MS, .heartbeat_ns = 600 * MS, .stop_ns = 600 * MS,
                                .grant_ns = 60000 * MS, .drift_guard_ns = MS, .max_eirp_cdbm_mhz = 3000,
                                .local_p_fa_ppb = 100000, .fuse_min_positive = 2, .white_after = 3, .fuse_after_ns = 150 * MS,
                                .min_block_interval_ns = 5 * MS, .max_ahead_ns = 20 * MS, .max_batch_bytes = 4096};
    strcpy(g->engine, raft ? "raft" : "pbft");
    for (uint32_t i = 0; i < 5; i++)
        memset(g->members.keys[i], (int)(0x10 + i), CHAIN_KEY_BYTES);
    for (uint32_t c = 0; c < 2; c++)
        g->channels[c] = (struct chain_channel){.low_hz = 5180000000 + c * UINT64_C(10000000),
                                                .high_hz = 5190000000 + c * UINT64_C(10000000),
                                                .control = c == 0,
                                                .quiet_phase_ns = 100 * MS};
    int rc = chain_genesis_finish(g, NULL, &bad_field);
    assert(rc == 0);
}

/* A store that has pruned: what it tells is read by others, not by the node that sends it. */
static const uint8_t stored[1500] = {1, 2, 3};
enum { STORED_HEIGHT = 3 };

static int read_block(void *ctx, uint64_t height, struct chain_node_block *out)
{
    (void)ctx;
    *out = (struct chain_node_block){.height = height, .header = stored, .header_len = 200, .cert = stored, .cert_len = 100, .n_signers = 3};
    return height == STORED_HEIGHT ? 0 : -ENOENT;
}

static int read_snapshot(void *ctx, uint64_t height, size_t offset, size_t most, struct chain_node_snapshot *out)
{
    (void)ctx;
    size_t left = offset < sizeof stored ? sizeof stored - offset : 0;
    *out = (struct chain_node_snapshot){.height = STORED_HEIGHT, .len = sizeof stored, .part = stored + offset, .part_len = left < most ? left : most};
    return left > 0 && (height == 0 || height == STORED_HEIGHT) ? 0 : -ENOENT;
}

static int read_epoch(void *ctx, uint64_t epoch, uint64_t *height_out, struct chain_proof_epoch *out)
{
    static const struct chain_map_proof path = {.n_steps = 2};
    (void)ctx;
    *height_out = STORED_HEIGHT - 1;
    *out = (struct chain_proof_epoch){.header = stored, .header_len = 200, .cert = stored, .cert_len = 100, .members = stored, .members_len = 50,
                                      .path = &path};
    return epoch < 2 ? 0 : -ENOENT;
}

/* Reads every octet that an update shows, so that a sanitizer sees what is not there. */
static void touch(const struct chain_node_update *u)
{
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < u->n_sends; i++)
        for (size_t k = 0; k < u->sends[i].len; k++)
            sum = (uint8_t)(sum + u->sends[i].data[k]);
    for (size_t i = 0; i < u->n_records; i++)
        for (size_t k = 0; u->records[i].data && k < u->records[i].len; k++)
            sum = (uint8_t)(sum + u->records[i].data[k]);
    for (size_t k = 0; u->install && k < u->install->len; k++)
        sum = (uint8_t)(sum + u->install->snapshot[k]);
    for (size_t k = 0; u->install && k < u->install->epochs_len; k++)
        sum = (uint8_t)(sum + u->install->epochs[k]);
    for (size_t i = 0; i < u->n_blocks; i++) {
        for (size_t k = 0; u->blocks[i].header && k < u->blocks[i].batch_len; k++)
            sum = (uint8_t)(sum + u->blocks[i].batch[k]);
        for (size_t k = 0; k < u->blocks[i].cert_len; k++)
            sum = (uint8_t)(sum + u->blocks[i].cert[k]);
    }
}

/* False once the node has stopped: with signatures that mean nothing a fork is a possible input. */
static bool step(struct chain_node *node, struct chain_node_event event, int64_t now_ns, struct chain_node_update *u)
{
    event.now_ns = now_ns;
    int rc = chain_node_step(node, &event, u);
    assert(rc == 0 || rc == -EBADMSG || rc == -EILSEQ);
    if (rc == -EILSEQ)
        return false;
    touch(u);
    for (int k = 0; k < 1000 && (u->persist_seq > 0 || chain_node_deadline(node) <= now_ns); k++) {
        struct chain_node_event next = {.kind = u->persist_seq > 0 ? CHAIN_NODE_PERSISTED : CHAIN_NODE_TICK, .now_ns = now_ns};
        if (u->persist_seq > 0)
            next.persisted_seq = u->persist_seq;
        if (chain_node_step(node, &next, u) == -EILSEQ)
            return false;
        touch(u);
    }
    return true;
}

static void feed(struct chain_node *node, const uint8_t *data, size_t len, struct chain_node_update *u)
{
    int64_t now_ns = T0 + 1000 * MS;
    bool alive = step(node, (struct chain_node_event){.kind = CHAIN_NODE_START}, now_ns, u);
    for (size_t at = 0; alive && at + 2 <= len;) {
        size_t piece = (size_t)data[at] << 8 | data[at + 1];
        at += 2;
        piece = piece < len - at ? piece : len - at;
        now_ns += piece > 0 ? MS : 20 * MS;
        struct chain_node_event event = {.kind = CHAIN_NODE_TICK};
        if (piece > 0) {
            event.kind = CHAIN_NODE_RECEIVE;
            event.bytes.data = data + at;
            event.bytes.len = piece;
        }
        alive = step(node, event, now_ns, u);
        at += piece;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1 || sodium_init() < 0)
        return 0;
    struct chain_genesis genesis;
    make_genesis(&genesis, data[0] & 1);
    struct chain_node_config cfg = {.seed = 1, .self = 1, .genesis = &genesis, .signer = {.sign = sign_nothing, .verify = accept_all},
                                    .engine = chain_engine_find(genesis.engine), .engine_heartbeat_ns = 20 * MS,
                                    .engine_timeout_ns = 150 * MS, .engine_timeout_max_ns = 1000 * MS, .gossip_ns = 50 * MS,
                                    .status_ns = 200 * MS, .propose_delay_ns = 2 * MS, .mempool_txs = 16};
    if (data[0] & 2) {
        cfg.read_block = read_block;
        cfg.read_snapshot = read_snapshot;
        cfg.read_epoch = read_epoch;
    }
    size_t bytes = chain_node_bytes(&cfg);
    void *mem = malloc(bytes);
    struct chain_node_update *u = malloc(sizeof *u);
    struct chain_node *node;
    const char *bad_field;
    assert(mem && u);
    int rc = chain_node_init(mem, bytes, &cfg, &node, &bad_field);
    assert(rc == 0);
    feed(node, data + 1, len - 1, u);
    chain_node_close(node);
    free(u);
    free(mem);
    return 0;
}
