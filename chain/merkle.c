#include "chain/merkle.h"

#include <sodium.h>

#include "chain/batch.h"

static const uint8_t LEAF_PREFIX = 0x00;
static const uint8_t NODE_PREFIX = 0x01;

static void hash_pieces(uint8_t prefix, const void *a, size_t a_len, const void *b, size_t b_len, struct chain_hash *out)
{
    crypto_generichash_blake2b_state state;
    crypto_generichash_blake2b_init(&state, NULL, 0, CHAIN_HASH_BYTES);
    crypto_generichash_blake2b_update(&state, &prefix, 1);
    if (a_len > 0)
        crypto_generichash_blake2b_update(&state, a, a_len);
    if (b_len > 0)
        crypto_generichash_blake2b_update(&state, b, b_len);
    crypto_generichash_blake2b_final(&state, out->octets, CHAIN_HASH_BYTES);
}

static unsigned count_bits(uint64_t n)
{
    unsigned count = 0;
    for (; n; n &= n - 1)
        count++;
    return count;
}

void chain_hash_of(const void *data, size_t len, struct chain_hash *out)
{
    crypto_generichash_blake2b(out->octets, CHAIN_HASH_BYTES, len > 0 ? data : NULL, len, NULL, 0);
}

void chain_merkle_init(struct chain_merkle *tree)
{
    tree->n = 0;
}

void chain_merkle_add(struct chain_merkle *tree, const void *a, size_t a_len, const void *b, size_t b_len)
{
    struct chain_hash hash;
    hash_pieces(LEAF_PREFIX, a, a_len, b, b_len, &hash);
    unsigned top = count_bits(tree->n);
    /* like a carry: each trailing one of n is a full subtree that now has a sibling of its size */
    for (uint64_t bits = tree->n; bits & 1; bits >>= 1) {
        top--;
        hash_pieces(NODE_PREFIX, tree->stack[top].octets, CHAIN_HASH_BYTES, hash.octets, CHAIN_HASH_BYTES, &hash);
    }
    tree->stack[top] = hash;
    tree->n++;
}

void chain_merkle_finish(const struct chain_merkle *tree, struct chain_hash *root_out)
{
    if (tree->n == 0) {
        chain_hash_of(NULL, 0, root_out);
        return;
    }
    unsigned top = count_bits(tree->n) - 1;
    struct chain_hash hash = tree->stack[top];
    while (top > 0) {
        top--;
        hash_pieces(NODE_PREFIX, tree->stack[top].octets, CHAIN_HASH_BYTES, hash.octets, CHAIN_HASH_BYTES, &hash);
    }
    *root_out = hash;
}

void chain_merkle_root(const uint8_t *const *data, const size_t *len, size_t n, struct chain_hash *out)
{
    struct chain_merkle tree;
    chain_merkle_init(&tree);
    for (size_t i = 0; i < n; i++)
        chain_merkle_add(&tree, data[i], len[i], NULL, 0);
    chain_merkle_finish(&tree, out);
}
