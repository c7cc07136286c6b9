#include "apps/validate/ledger_drive.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const int64_t ms_ns = 1000000;

static int accept_signature(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    (void)ctx, (void)members, (void)msg;
    return 0;
}

struct chain_genesis app_drive_genesis(uint32_t n, int64_t time_ns)
{
    struct chain_genesis g = {.name = "validate",
                              .engine = "raft",
                              .time_ns = time_ns,
                              .n_channels = 1,
                              .quiet_period_ns = 100 * ms_ns,
                              .quiet_length_ns = 10 * ms_ns,
                              .transmit_expire_ns = 2400 * ms_ns,
                              .heartbeat_ns = 600 * ms_ns,
                              .stop_ns = 600 * ms_ns,
                              .grant_ns = 3600 * 1000 * ms_ns,
                              .drift_guard_ns = ms_ns,
                              .max_skew_ns = ms_ns,
                              .max_eirp_cdbm_mhz = 2000,
                              .local_p_fa_ppb = 100000000,
                              .fuse_min_positive = 1,
                              .white_after = 1,
                              .fuse_after_ns = 400 * ms_ns,
                              .max_ahead_ns = ms_ns,
                              .max_batch_bytes = CHAIN_MAX_BATCH_BYTES};
    g.members.n = g.members.n_keys = n;
    for (uint32_t i = 0; i < n; i++)
        g.members.keys[i][0] = (uint8_t)(i + 1); /* nobody signs */
    for (uint32_t c = 0; c < CHAIN_MAX_CHANNELS; c++)
        g.channels[c] = (struct chain_channel){.low_hz = UINT64_C(5000000000) + c * UINT64_C(10000000),
                                               .high_hz = UINT64_C(5010000000) + c * UINT64_C(10000000)};
    return g;
}

void app_drive_restart(struct app_drive *d)
{
    const char *why = NULL;
    int rc = chain_ledger_init(d->mem, d->mem_len, &d->genesis, &d->signer, &d->ledger, &why);
    assert(rc == 0); /* it was taken before */
    (void)rc;
    memset(d->next_nonce, 0, sizeof d->next_nonce);
    d->view.n_txs = 0;
    d->txs_len = d->n_events = 0;
}

struct app_drive *app_drive_open(const struct chain_genesis *genesis, const char **why_out)
{
    *why_out = "memory";
    struct app_drive *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->genesis = *genesis;
    d->signer = (struct chain_signer){.verify = accept_signature};
    d->mem_len = chain_ledger_bytes(genesis);
    d->mem = malloc(d->mem_len);
    d->txs = malloc(CHAIN_MAX_BATCH_BYTES);
    d->batch = malloc(CHAIN_MAX_BATCH_BYTES);
    d->events = malloc(CHAIN_MAX_LEDGER_EVENTS * sizeof *d->events);
    if (d->mem && d->txs && d->batch && d->events && chain_genesis_finish(&d->genesis, NULL, why_out) == 0 &&
        chain_ledger_init(d->mem, d->mem_len, &d->genesis, &d->signer, &d->ledger, why_out) == 0)
        return d;
    app_drive_close(d);
    return NULL;
}

void app_drive_close(struct app_drive *d)
{
    if (!d)
        return;
    free(d->mem);
    free(d->txs);
    free(d->batch);
    free(d->events);
    free(d);
}

bool app_drive_add(struct app_drive *d, uint32_t author, uint64_t nonce, const struct chain_op *ops, size_t n)
{
    uint8_t body[CHAIN_MAX_TX_BYTES];
    long len = chain_tx_encode(ops, n, body, sizeof body);
    if (len < 0 || d->view.n_txs == CHAIN_MAX_BATCH_TXS)
        return false;
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = author, .seq = nonce, .body = body, .body_len = (size_t)len};
    if (chain_msg_digest(&d->genesis.members, msg.kind, msg.body, msg.body_len, &msg.digest) != 0)
        return false;
    uint8_t *at = d->txs + d->txs_len;
    len = chain_msg_encode(&d->genesis.members, &msg, at, CHAIN_MAX_BATCH_BYTES - d->txs_len);
    if (len < 0)
        return false;
    d->view.txs[d->view.n_txs].data = at;
    d->view.txs[d->view.n_txs++].len = (size_t)len;
    d->txs_len += (size_t)len;
    return true;
}

void app_drive_apply(struct app_drive *d, const uint8_t *batch, size_t len)
{
    struct chain_header header;
    int rc = chain_ledger_apply(d->ledger, batch, len, false, &header, d->events, CHAIN_MAX_LEDGER_EVENTS, &d->n_events);
    assert(rc == 0); /* it was encoded here */
    (void)rc;
}

void app_drive_block(struct app_drive *d, int64_t time_ns)
{
    d->view.time_ns = time_ns;
    long len = chain_batch_encode(&d->view, d->batch, CHAIN_MAX_BATCH_BYTES);
    assert(len > 0); /* a case adds less than fits */
    d->batch_len = (size_t)len;
    app_drive_apply(d, d->batch, d->batch_len);
    d->view.n_txs = 0;
    d->txs_len = 0;
}

bool app_drive_register(struct app_drive *d, int64_t time_ns)
{
    struct chain_op op = {.kind = CHAIN_OP_REGISTER, .reg = {.call_sign = "STATION", .lat_e7 = 521234567, .lon_e7 = 131234567}};
    for (uint32_t i = 0; i < d->genesis.members.n_keys; i++)
        if (!app_drive_add(d, i, d->next_nonce[i]++, &op, 1))
            return false;
    app_drive_block(d, time_ns);
    for (uint32_t i = 0; i < d->genesis.members.n_keys; i++)
        if (!chain_ledger_registered(d->ledger, i))
            return false;
    return true;
}
