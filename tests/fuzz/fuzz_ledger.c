/* A ledger with every rule in force, and operations of anybody's choice: what holds in every state holds, the root that was kept up to
 * date is the one of the entries, and a snapshot of it is the same state. The input is a list of records: author, ms since the one
 * before (the highest bit: in a new block), length, and an operation's octets. */
#include <stdlib.h>
#include <string.h>

#include "chain/ledger_entries.h"
#include "chain/snapshot.h"

enum { N_KEYS = 6, MAX_RECORDS = 96, MAX_SNAPSHOT = 1 << 18 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* The last octet says whether a signature holds. */
static int judge_signature(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    (void)ctx, (void)members;
    return msg->sig[CHAIN_SIG_BYTES - 1] & 1 ? -1 : 0;
}

static const struct chain_genesis *make_genesis(void)
{
    static struct chain_genesis g;
    if (g.n_channels)
        return &g;
    g = (struct chain_genesis){.name = "fuzz", .engine = "pbft", .members = {.n = 4, .n_keys = N_KEYS}, .n_channels = 3};
    for (uint32_t i = 0; i < N_KEYS; i++)
        g.members.keys[i][0] = (uint8_t)(i + 1);
    for (uint32_t c = 0; c < 3; c++)
        g.channels[c] = (struct chain_channel){.low_hz = c, .high_hz = c + 1, .control = c == 0};
    g.quiet_period_ns = g.fuse_after_ns = 100000000;
    g.quiet_length_ns = 10000000;
    g.transmit_expire_ns = 300000000;
    g.grant_ns = 2000000000;
    g.heartbeat_ns = g.stop_ns = 75000000;
    g.local_p_fa_ppb = 100000;
    g.fuse_min_positive = 1;
    g.max_batch_bytes = CHAIN_MAX_BATCH_BYTES;
    g.has_authority = true;
    g.authority = 5;
    g.admit_votes = 2;
    g.witness_range_m = 10000;
    g.access_threshold = 3;
    g.access_window_ns = 1000000000;
    g.bar_ns = 500000000;
    g.supply = 1000;
    g.endowment = 100;
    g.grant_price = 30;
    g.share_rebate = 20;
    g.refund_permille = 900;
    g.sense_reward = g.accuse_reward = 7;
    g.put_keys = 2;
    require(chain_genesis_finish(&g, NULL, NULL) == 0);
    return &g;
}

struct run {
    struct chain_ledger *ledger;
    struct chain_batch_view view;
    int64_t time_ns;
    uint64_t nonce;
    size_t txs_len;
    uint8_t txs[MAX_RECORDS * 640], batch[CHAIN_MAX_BATCH_BYTES];
    struct chain_ledger_event events[CHAIN_MAX_LEDGER_EVENTS];
};

static void end_block(struct run *r)
{
    struct chain_header header;
    struct chain_hash root;
    size_t n_events;
    r->view.time_ns = r->time_ns;
    uint32_t epoch = chain_ledger_members(r->ledger)->epoch;
    long len = chain_batch_encode(&r->view, r->batch, sizeof r->batch);
    require(len > 0);
    require(chain_ledger_apply(r->ledger, r->batch, (size_t)len, false, &header, r->events, CHAIN_MAX_LEDGER_EVENTS, &n_events) == 0);
    require(n_events <= chain_ledger_events_bound(r->view.n_txs));
    require(chain_ledger_members(r->ledger)->epoch - epoch <= 1);
    require(!chain_ledger_audit(r->ledger));
    chain_ledger_rebuild_root(r->ledger, &root);
    require(memcmp(&root, &header.state_root, sizeof root) == 0);
    r->view.n_txs = 0;
    r->txs_len = 0;
}

static void add(struct run *r, uint32_t author, const uint8_t *octets, size_t len)
{
    uint8_t body[CHAIN_MAX_OP_BYTES + 8];
    struct chain_op op;
    if (chain_op_decode(&op, octets, len) != 0)
        return;
    long body_len = chain_tx_encode(&op, 1, body, sizeof body);
    require(body_len > 0);
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = author, .seq = ++r->nonce, .body = body, .body_len = (size_t)body_len};
    require(chain_msg_digest(chain_ledger_members(r->ledger), msg.kind, body, msg.body_len, &msg.digest) == 0);
    long n = chain_msg_encode(chain_ledger_members(r->ledger), &msg, r->txs + r->txs_len, sizeof r->txs - r->txs_len);
    require(n > 0);
    r->view.txs[r->view.n_txs].data = r->txs + r->txs_len;
    r->view.txs[r->view.n_txs++].len = (size_t)n;
    r->txs_len += (size_t)n;
}

static void load_again(struct run *r)
{
    static uint8_t snapshot[MAX_SNAPSHOT];
    long len = chain_snapshot_encode(r->ledger, snapshot, sizeof snapshot);
    require(len > 0);
    require(chain_snapshot_load(r->ledger, snapshot, (size_t)len) == 0);
    require(!chain_ledger_audit(r->ledger));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct chain_genesis *g = make_genesis();
    struct chain_signer signer = {.verify = judge_signature};
    struct run *r = calloc(1, sizeof *r);
    void *mem = malloc(chain_ledger_bytes(g));
    require(r && mem);
    require(chain_ledger_init(mem, chain_ledger_bytes(g), g, &signer, &r->ledger, NULL) == 0);
    r->time_ns = 1;
    for (size_t at = 0, n = 0; at + 3 <= len && n < MAX_RECORDS; n++) {
        size_t op_len = data[at + 2] < len - at - 3 ? data[at + 2] : len - at - 3;
        if (data[at + 1] & 0x80)
            end_block(r);
        r->time_ns += (data[at + 1] & 0x7f) * INT64_C(1000000);
        add(r, data[at] % chain_ledger_members(r->ledger)->n_keys, data + at + 3, op_len);
        at += 3 + op_len;
    }
    end_block(r);
    load_again(r);
    end_block(r);
    free(mem);
    free(r);
    return 0;
}
