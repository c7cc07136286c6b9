/* Snapshots from any octets: refused, or a state that encodes to the same octets again and goes on. */
#include <stdlib.h>
#include <string.h>

#include "chain/ledger_entries.h"
#include "chain/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static int accept_signature(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    (void)ctx, (void)members, (void)msg;
    return 0;
}

static const struct chain_genesis *make_genesis(void)
{
    static struct chain_genesis g;
    if (g.n_channels)
        return &g;
    g = (struct chain_genesis){.name = "fuzz", .engine = "pbft", .members = {.n = 4, .n_keys = 6}, .n_channels = 2};
    for (uint32_t i = 0; i < 6; i++)
        g.members.keys[i][0] = (uint8_t)(i + 1);
    for (uint32_t c = 0; c < 2; c++)
        g.channels[c] = (struct chain_channel){.low_hz = c, .high_hz = c + 1, .control = c == 0};
    g.quiet_period_ns = g.fuse_after_ns = g.transmit_expire_ns = g.grant_ns = 1000;
    g.quiet_length_ns = g.heartbeat_ns = 10;
    g.local_p_fa_ppb = 100000;
    g.fuse_min_positive = g.white_after = 1;
    g.max_batch_bytes = CHAIN_MAX_BATCH_BYTES;
    require(chain_genesis_finish(&g, NULL, NULL) == 0);
    return &g;
}

static struct chain_ledger *make_ledger(void)
{
    static struct chain_ledger *l;
    const char *bad = NULL;
    struct chain_signer signer = {.verify = accept_signature};
    size_t len = chain_ledger_bytes(make_genesis());
    if (!l)
        require(chain_ledger_init(malloc(len), len, make_genesis(), &signer, &l, &bad) == 0);
    return l;
}

/* What loaded must be safe to execute on. */
static void go_on(struct chain_ledger *l)
{
    static struct chain_ledger_event events[CHAIN_MAX_LEDGER_EVENTS];
    struct chain_batch_view view = {.n_txs = 0};
    struct chain_header header;
    uint8_t batch[64];
    size_t n;
    view.time_ns = chain_ledger_tip(l)->time_ns < CHAIN_MAX_TIME_NS / 2 && chain_ledger_tip(l)->time_ns >= 0 ? chain_ledger_tip(l)->time_ns + 5000 : 1;
    long len = chain_batch_encode(&view, batch, sizeof batch);
    require(chain_ledger_apply(l, batch, (size_t)len, false, &header, events, CHAIN_MAX_LEDGER_EVENTS, &n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct chain_ledger *l = make_ledger();
    struct chain_header header;
    if (chain_snapshot_load(l, data, len) == 0) {
        size_t cap = chain_snapshot_bytes(l);
        uint8_t *again = malloc(cap);
        require(again && chain_snapshot_encode(l, again, cap) == (long)len && memcmp(again, data, len) == 0);
        free(again);
        go_on(l);
    }
    require(chain_snapshot_header(data, len, &header) == 0 || chain_snapshot_load(l, data, len) != 0);
    /* the entries alone, whatever the root: table, id, sub, then the value */
    if (len < 3)
        return 0;
    chain_ledger_clear(l);
    (void)chain_ledger_load_entry(l, data[0] % CHAIN_TABLES, data[1], data[2], data + 3, len - 3);
    return 0;
}
