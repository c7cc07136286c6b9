/* RFC 9162 section 2.1.1 Merkle tree, built leaf by leaf: SHA-256 of the RFC is BLAKE2b-256 here, the prefixes and the shape are
 * the RFC's (leaf 0x00, node 0x01, left subtree the largest power of two below n). */
#ifndef CHAIN_MERKLE_H
#define CHAIN_MERKLE_H

#include "chain/types.h"

struct chain_merkle {
    uint64_t n;                   /* leaves so far */
    struct chain_hash stack[64];  /* one full subtree per set bit of n, largest first */
};
void chain_merkle_init(struct chain_merkle *tree);
/* The leaf is the two pieces after each other; b may be NULL with b_len 0. */
void chain_merkle_add(struct chain_merkle *tree, const void *a, size_t a_len, const void *b, size_t b_len);
void chain_merkle_finish(const struct chain_merkle *tree, struct chain_hash *root_out);
#endif
