/* Batches, headers and certificates from any octets; a batch that decodes is executed, whatever its transactions are. */
#include <stdlib.h>
#include <string.h>

#include "chain/ledger.h"

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

static void execute(const uint8_t *data, size_t len)
{
    const struct chain_genesis *g = make_genesis();
    static struct chain_ledger_event events[CHAIN_MAX_LEDGER_EVENTS];
    struct chain_signer signer = {.verify = accept_signature};
    struct chain_ledger *l = NULL;
    size_t n_events, bytes = chain_ledger_bytes(g);
    void *mem = malloc(bytes);
    struct chain_header header;
    struct chain_batch_view view;
    require(mem != NULL);
    require(chain_ledger_init(mem, bytes, g, &signer, &l, NULL) == 0);
    (void)chain_ledger_check_batch(l, data, len, 1000, true);
    int rc = chain_ledger_apply(l, data, len, true, &header, events, CHAIN_MAX_LEDGER_EVENTS, &n_events);
    require(rc == chain_batch_decode(&view, data, len));
    require(chain_ledger_height(l) == (rc == 0));
    free(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t again[CHAIN_MAX_BATCH_BYTES];
    struct chain_batch_view view;
    struct chain_header header;
    struct chain_certificate cert;
    if (len > 0 && chain_batch_decode(&view, data, len) == 0)
        require(chain_batch_encode(&view, again, sizeof again) == (long)len && memcmp(again, data, len) == 0);
    if (chain_header_decode(&header, data, len) == 0)
        require(chain_header_encode(&header, again, sizeof again) == (long)len && memcmp(again, data, len) == 0);
    if (chain_certificate_decode(&cert, data, len) == 0)
        require(chain_certificate_encode(&cert, again, sizeof again) == (long)len && memcmp(again, data, len) == 0);
    execute(data, len);
    return 0;
}
