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
/* The same with the leaf's hash. */
void chain_merkle_add_hash(struct chain_merkle *tree, const struct chain_hash *leaf_hash);
void chain_merkle_leaf(const void *data, size_t len, struct chain_hash *out);

/* Leaves to prove something of: the first ones may be known as the full subtrees that they form alone (of a pruned chain). */
struct chain_merkle_leaves {
    const struct chain_merkle *below; /* NULL: every leaf is known */
    const struct chain_hash *hashes;  /* of the leaves after those */
    uint64_t n;                       /* leaves in all */
};
enum { CHAIN_MERKLE_MAX_PATH = 64 };
struct chain_merkle_path {
    size_t n;
    struct chain_hash nodes[CHAIN_MERKLE_MAX_PATH];
};
/* RFC 9162 section 2.1.3.1. 0, or -ENOENT: there is no such leaf, or it is not known. */
int chain_merkle_prove(const struct chain_merkle_leaves *leaves, uint64_t index, struct chain_merkle_path *out);
/* Section 2.1.4.1: the first `first` leaves are a beginning of all. 0, or -ENOENT: there are fewer, or they are not known. */
int chain_merkle_prove_consistency(const struct chain_merkle_leaves *leaves, uint64_t first, struct chain_merkle_path *out);
/* Sections 2.1.3.2 and 2.1.4.2. */
bool chain_merkle_check(const struct chain_merkle_path *path, uint64_t index, uint64_t n, const struct chain_hash *leaf_hash,
                        const struct chain_hash *root);
bool chain_merkle_check_consistency(const struct chain_merkle_path *path, uint64_t first, const struct chain_hash *first_root, uint64_t n,
                                    const struct chain_hash *root);
#endif
