/* What a transaction's body holds: one signed envelope around 1 to CHAIN_MAX_TX_OPS operations, CBOR [operation, ...].
 * The message's seq is the first of n nonces: operation i has nonce seq + i. An envelope enters a block whole; its operations succeed
 * or fail one by one. */
#ifndef CHAIN_TX_H
#define CHAIN_TX_H

#include "chain/op.h"

enum {
    CHAIN_MAX_TX_OPS = 64,
    CHAIN_TX_OVERHEAD = 192, /* a message's octets around its body, at most */
    CHAIN_MAX_TX_BYTES = 28 * 1024
};

/* Octets, -ENOSPC, or -EINVAL for no operation, too many, or one that has no encoding. */
long chain_tx_encode(const struct chain_op *ops, size_t n, uint8_t *out, size_t cap);

/* Goes over a body's operations. begin: how many there are, or -EBADMSG; next: 0 or -EBADMSG (also once all were given). */
struct chain_tx_reader {
    const uint8_t *at;
    size_t left, n_left;
};
int chain_tx_begin(struct chain_tx_reader *r, const uint8_t *body, size_t len);
__attribute__((warn_unused_result)) int chain_tx_next(struct chain_tx_reader *r, struct chain_op *out);
/* Number of operations of a well-formed body, all of which decode; or -EBADMSG. */
int chain_tx_count(const uint8_t *body, size_t len);
#endif
