/* What may enter: nonces, fields of one operation, transactions for the mempool, batches to vote for. */
#include <errno.h>
#include <string.h>

#include "chain/ledger_state.h"

int chain_ledger_nonce_check(const struct chain_nonces *nonces, uint64_t nonce)
{
    if (nonce == UINT64_MAX)
        return -EALREADY; /* its successor could not be counted */
    if (nonce >= nonces->top)
        return 0;
    uint64_t below = nonces->top - 1 - nonce;
    return below >= CHAIN_NONCE_WINDOW || (nonces->used >> below & 1) ? -EALREADY : 0;
}

void chain_ledger_nonce_take(struct chain_nonces *nonces, uint64_t nonce)
{
    if (nonce < nonces->top) {
        nonces->used |= UINT64_C(1) << (nonces->top - 1 - nonce);
        return;
    }
    uint64_t by = nonce + 1 - nonces->top;
    nonces->used = by >= CHAIN_NONCE_WINDOW ? 1 : nonces->used << by | 1;
    nonces->top = nonce + 1;
}

static enum chain_response check_register(const struct chain_op *op)
{
    for (const char *c = op->reg.call_sign; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            return CHAIN_INVALID_VALUE;
    bool place_ok = op->reg.lat_e7 >= -900000000 && op->reg.lat_e7 <= 900000000 && op->reg.lon_e7 >= -1800000000 &&
                    op->reg.lon_e7 <= 1800000000 && op->reg.height_cm >= -10000000 && op->reg.height_cm <= 10000000;
    return op->reg.call_sign[0] && place_ok ? CHAIN_SUCCESS : CHAIN_INVALID_VALUE;
}

static enum chain_response check_evidence(const struct chain_ledger *l, const struct chain_op *op)
{
    bool ok = op->evidence.channel < l->genesis.n_channels && op->evidence.from_ns >= 0 &&
              op->evidence.from_ns <= op->evidence.at_ns && op->evidence.at_ns <= CHAIN_MAX_TIME_NS &&
              op->evidence.confidence_permille <= 1000 && op->evidence.n_good <= op->evidence.n_frames;
    return ok ? CHAIN_SUCCESS : CHAIN_INVALID_VALUE;
}

enum chain_response chain_ledger_check_op(const struct chain_ledger *l, const struct chain_op *op)
{
    switch (op->kind) {
    case CHAIN_OP_REGISTER:
        return check_register(op);
    case CHAIN_OP_SENSE_REVEAL:
        return op->reveal.n_channels == l->genesis.n_channels ? CHAIN_SUCCESS : CHAIN_INVALID_VALUE;
    case CHAIN_OP_GRANT:
        return op->grant.low_hz < op->grant.high_hz ? CHAIN_SUCCESS : CHAIN_INVALID_VALUE;
    case CHAIN_OP_EVIDENCE:
        return check_evidence(l, op);
    default:
        return CHAIN_SUCCESS;
    }
}

int chain_ledger_check_tx(const struct chain_ledger *l, const struct chain_msg *tx)
{
    struct chain_op op;
    if (tx->kind != CHAIN_MSG_TX || tx->author >= l->genesis.members.n_keys || chain_op_decode(&op, tx->body, tx->body_len) != 0)
        return CHAIN_MISSING_PARAM;
    if (chain_ledger_nonce_check(&l->nonces[tx->author], tx->seq) != 0)
        return -EALREADY;
    return (int)chain_ledger_check_op(l, &op);
}

int chain_ledger_check_batch(const struct chain_ledger *l, const uint8_t *batch, size_t len, int64_t now_ns)
{
    struct chain_batch_view view;
    if (chain_batch_decode(&view, batch, len) != 0)
        return -EBADMSG;
    if (len == 0)
        return 0;
    /* not a sum with now_ns, which is the caller's clock and may be anything */
    if (view.time_ns <= l->tip.time_ns || (now_ns < view.time_ns && view.time_ns - l->genesis.max_ahead_ns > now_ns))
        return -ETIME;
    struct chain_nonces nonces[CHAIN_MAX_KEYS];
    memcpy(nonces, l->nonces, sizeof nonces);
    for (size_t i = 0; i < view.n_txs; i++) {
        struct chain_msg tx;
        size_t consumed;
        if (chain_msg_decode(&l->genesis.members, view.txs[i].data, view.txs[i].len, &tx, &consumed) != 0 ||
            consumed != view.txs[i].len || tx.kind != CHAIN_MSG_TX)
            return -EBADMSG;
        if (chain_ledger_nonce_check(&nonces[tx.author], tx.seq) != 0)
            return -EALREADY;
        chain_ledger_nonce_take(&nonces[tx.author], tx.seq);
        if (l->signer.verify(l->signer.ctx, &l->genesis.members, &tx) != 0)
            return -EBADMSG;
    }
    return 0;
}
