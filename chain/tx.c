#include "chain/tx.h"

#include <errno.h>

#include "chain/cbor.h"

long chain_tx_encode(const struct chain_op *ops, size_t n, uint8_t *out, size_t cap)
{
    if (n == 0 || n > CHAIN_MAX_TX_OPS)
        return -EINVAL;
    size_t most = CHAIN_MAX_TX_BYTES - CHAIN_TX_OVERHEAD;
    struct chain_cbor_writer w = {.out = out, .cap = cap < most ? cap : most};
    chain_cbor_put_array(&w, n);
    for (size_t i = 0; i < n && !w.full; i++) {
        long len = chain_op_encode(&ops[i], out + w.len, w.cap - w.len);
        if (len < 0)
            return len;
        w.len += (size_t)len;
    }
    return chain_cbor_finish(&w);
}

int chain_tx_begin(struct chain_tx_reader *r, const uint8_t *body, size_t len)
{
    struct chain_cbor_reader head = {.data = body, .len = len};
    if (len == 0 || len > CHAIN_MAX_TX_BYTES - CHAIN_TX_OVERHEAD)
        return -EBADMSG;
    size_t n = chain_cbor_get_array(&head, CHAIN_MAX_TX_OPS);
    if (head.bad || n == 0)
        return -EBADMSG;
    *r = (struct chain_tx_reader){.at = body + head.pos, .left = len - head.pos, .n_left = n};
    return (int)n;
}

int chain_tx_next(struct chain_tx_reader *r, struct chain_op *out)
{
    size_t used;
    if (r->n_left == 0 || chain_op_decode_prefix(out, r->at, r->left, &used) != 0)
        return -EBADMSG;
    r->at += used;
    r->left -= used;
    r->n_left--;
    return r->n_left == 0 && r->left > 0 ? -EBADMSG : 0;
}

int chain_tx_count(const uint8_t *body, size_t len)
{
    struct chain_tx_reader r;
    struct chain_op op;
    int n = chain_tx_begin(&r, body, len);
    for (int i = 0; i < n; i++)
        if (chain_tx_next(&r, &op) != 0)
            return -EBADMSG;
    return n;
}
