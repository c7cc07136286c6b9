/* What may enter: nonces, fields of one operation, transactions for the mempool, batches to vote for. */
#include <errno.h>
#include <string.h>

#include "chain/ledger_state.h"
#include "chain/place.h"

int chain_ledger_nonce_check(const struct chain_nonces *nonces, uint64_t first, uint64_t n)
{
    if (first > UINT64_MAX - n)
        return -EALREADY; /* the last one's successor could not be counted */
    for (uint64_t nonce = first; nonce < first + n && nonce < nonces->top; nonce++) {
        uint64_t below = nonces->top - 1 - nonce;
        if (below >= CHAIN_NONCE_WINDOW || (nonces->used[below / 64] >> (below % 64) & 1))
            return -EALREADY;
    }
    return 0;
}

/* Moves the window's bits up; what leaves at the top is forgotten. */
static void shift(uint64_t used[CHAIN_NONCE_WORDS], uint64_t by)
{
    size_t words = by >= CHAIN_NONCE_WINDOW ? CHAIN_NONCE_WORDS : (size_t)(by / 64);
    unsigned bits = (unsigned)(by % 64);
    for (size_t i = CHAIN_NONCE_WORDS; i-- > 0;) {
        uint64_t low = i > words ? used[i - words - 1] : 0, high = i >= words ? used[i - words] : 0;
        used[i] = bits == 0 ? high : high << bits | low >> (64 - bits);
    }
}

void chain_ledger_nonce_take(struct chain_nonces *nonces, uint64_t first, uint64_t n)
{
    if (first + n > nonces->top) {
        shift(nonces->used, first + n - nonces->top);
        nonces->top = first + n;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t below = nonces->top - 1 - (first + i);
        nonces->used[below / 64] |= UINT64_C(1) << (below % 64);
    }
}

static bool is_place(int32_t lat_e7, int32_t lon_e7, int32_t height_cm)
{
    struct chain_place place = {.lat_e7 = lat_e7, .lon_e7 = lon_e7};
    return chain_place_valid(&place) && height_cm >= -10000000 && height_cm <= 10000000;
}

static enum chain_response check_register(const struct chain_op *op)
{
    for (const char *c = op->reg.call_sign; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            return CHAIN_INVALID_VALUE;
    return op->reg.call_sign[0] && is_place(op->reg.lat_e7, op->reg.lon_e7, op->reg.height_cm) ? CHAIN_SUCCESS : CHAIN_INVALID_VALUE;
}

static enum chain_response check_evidence(const struct chain_ledger *l, const struct chain_op *op)
{
    bool ok = op->evidence.channel < l->genesis.n_channels && op->evidence.from_ns >= 0 &&
              op->evidence.from_ns <= op->evidence.at_ns && op->evidence.at_ns <= CHAIN_MAX_TIME_NS &&
              op->evidence.kind != CHAIN_EVIDENCE_UNAUTHORISED && op->evidence.confidence_permille <= 1000 && op->evidence.n_good <= op->evidence.n_frames;
    return ok ? CHAIN_SUCCESS : CHAIN_INVALID_VALUE;
}

static bool unauthorised_ok(const struct chain_ledger *l, const struct chain_op *op)
{
    return op->unauthorised.channel < l->genesis.n_channels && op->unauthorised.from_ns >= 0 &&
           op->unauthorised.from_ns <= op->unauthorised.at_ns && op->unauthorised.at_ns <= CHAIN_MAX_TIME_NS;
}

/* Only what an honest member says once a height, or once a view: a second one differs in digest alone. */
static bool equivocation_ok(const struct chain_equivocation *e)
{
    bool once = e->kind == CHAIN_MSG_HEADER_VOTE || e->kind == CHAIN_MSG_PBFT_PRE_PREPARE || e->kind == CHAIN_MSG_PBFT_PREPARE ||
                e->kind == CHAIN_MSG_PBFT_COMMIT || (e->kind == CHAIN_MSG_PBFT_VIEW_CHANGE && e->seq == 0);
    return once && memcmp(&e->digest[0], &e->digest[1], sizeof e->digest[0]) != 0;
}

static bool admit_ok(const uint8_t key[CHAIN_KEY_BYTES])
{
    static const uint8_t nothing[CHAIN_KEY_BYTES];
    return memcmp(key, nothing, CHAIN_KEY_BYTES) != 0;
}

static bool spectrum_ok(const struct chain_spectrum *s)
{
    return (s->kind == CHAIN_SPECTRUM_INCUMBENT || s->kind == CHAIN_SPECTRUM_WHITE_SPACE) && s->low_hz < s->high_hz && s->from_ns >= 0 &&
           s->from_ns < s->until_ns && s->until_ns <= CHAIN_MAX_TIME_NS && is_place(s->lat_e7, s->lon_e7, 0) &&
           s->protection_cdbm_mhz >= -20000 && s->protection_cdbm_mhz <= 20000;
}

static enum chain_response valid(bool ok)
{
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
    case CHAIN_OP_ADMIT:
        return valid(admit_ok(op->admit.key));
    case CHAIN_OP_MOVE:
        return valid(is_place(op->move.lat_e7, op->move.lon_e7, op->move.height_cm));
    case CHAIN_OP_EQUIVOCATION:
        return valid(equivocation_ok(&op->equivocation));
    case CHAIN_OP_SPECTRUM:
        return valid(spectrum_ok(&op->spectrum));
    case CHAIN_OP_PUT:
        return valid(op->put.key < l->genesis.put_keys);
    case CHAIN_OP_UNAUTHORISED:
        return valid(unauthorised_ok(l, op));
    case CHAIN_OP_PAY:
        return valid(op->pay.amount > 0);
    case CHAIN_OP_HOP_EPOCH:
        return valid(chain_genesis_hop_set(&l->genesis) != 0 && op->hop.epoch > 0 && op->hop.mask != 0 &&
                     (op->hop.mask & ~chain_genesis_hop_set(&l->genesis)) == 0 && op->hop.from_ns > 0 && op->hop.from_ns <= CHAIN_MAX_TIME_NS);
    default:
        return CHAIN_SUCCESS;
    }
}

bool chain_ledger_nonce_used(const struct chain_ledger *l, uint32_t author, uint64_t first, uint64_t n)
{
    return author >= CHAIN_MAX_KEYS || chain_ledger_nonce_check(&l->nonces[author], first, n) != 0;
}

int chain_ledger_check_tx(const struct chain_ledger *l, const struct chain_msg *tx)
{
    struct chain_tx_reader r;
    struct chain_op op;
    int n = tx->kind == CHAIN_MSG_TX && tx->author < l->genesis.members.n_keys ? chain_tx_begin(&r, tx->body, tx->body_len) : -EBADMSG;
    if (n < 0)
        return CHAIN_MISSING_PARAM;
    if (chain_ledger_nonce_check(&l->nonces[tx->author], tx->seq, (uint64_t)n) != 0)
        return -EALREADY;
    enum chain_response first = CHAIN_SUCCESS;
    for (int i = 0; i < n; i++) {
        if (chain_tx_next(&r, &op) != 0)
            return CHAIN_MISSING_PARAM;
        if (first == CHAIN_SUCCESS)
            first = chain_ledger_check_op(l, &op);
    }
    return n == 1 ? (int)first : CHAIN_SUCCESS; /* of several, each gets its own answer */
}

/* One envelope of a batch: well-formed, unused nonces, a good signature unless that is known. n_ops: of the batch so far. */
static int check_batch_tx(const struct chain_ledger *l, const uint8_t *data, size_t len, bool known, struct chain_nonces nonces[CHAIN_MAX_KEYS],
                          size_t *n_ops)
{
    struct chain_msg tx;
    size_t consumed;
    if (chain_msg_read(&l->genesis.members, data, len, &tx, &consumed) != 0 || consumed != len || tx.kind != CHAIN_MSG_TX)
        return -EBADMSG;
    int n = chain_tx_count(tx.body, tx.body_len);
    if (n < 0 || (*n_ops += (size_t)n) > CHAIN_MAX_BATCH_OPS)
        return -EBADMSG;
    if (nonces) {
        if (chain_ledger_nonce_check(&nonces[tx.author], tx.seq, (uint64_t)n) != 0)
            return -EALREADY;
        chain_ledger_nonce_take(&nonces[tx.author], tx.seq, (uint64_t)n);
    }
    if (known)
        return 0;
    bool good = chain_msg_digest(&l->genesis.members, tx.kind, tx.body, tx.body_len, &tx.digest) == 0 &&
                l->signer.verify(l->signer.ctx, &l->genesis.members, &tx) == 0;
    return good ? 0 : -EBADMSG;
}

static int check_batch(const struct chain_ledger *l, const uint8_t *batch, size_t len, int64_t now_ns, bool is_next, bool known)
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
    if (is_next)
        memcpy(nonces, l->nonces, sizeof nonces);
    size_t n_ops = 0;
    for (size_t i = 0; i < view.n_txs; i++) {
        int rc = check_batch_tx(l, view.txs[i].data, view.txs[i].len, known, is_next ? nonces : NULL, &n_ops);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int chain_ledger_check_batch(const struct chain_ledger *l, const uint8_t *batch, size_t len, int64_t now_ns, bool is_next)
{
    return check_batch(l, batch, len, now_ns, is_next, false);
}

int chain_ledger_check_own_batch(const struct chain_ledger *l, const uint8_t *batch, size_t len, int64_t now_ns, bool is_next)
{
    return check_batch(l, batch, len, now_ns, is_next, true);
}
