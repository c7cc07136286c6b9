#include "chain/merkle.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "chain/batch.h"

static const uint8_t LEAF_PREFIX = 0x00;
static const uint8_t NODE_PREFIX = 0x01;

static void hash_pieces(uint8_t prefix, const void *a, size_t a_len, const void *b, size_t b_len, struct chain_hash *out)
{
    uint8_t whole[512]; /* in one piece it costs less than a state that is set up and cleared */
    if (a_len < sizeof whole && b_len < sizeof whole - a_len) {
        whole[0] = prefix;
        if (a_len > 0)
            memcpy(whole + 1, a, a_len);
        if (b_len > 0)
            memcpy(whole + 1 + a_len, b, b_len);
        crypto_generichash_blake2b(out->octets, CHAIN_HASH_BYTES, whole, 1 + a_len + b_len, NULL, 0);
        return;
    }
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
    chain_merkle_add_hash(tree, &hash);
}

void chain_hash_tagged(uint8_t tag, const void *data, size_t len, struct chain_hash *out)
{
    hash_pieces(tag, data, len, NULL, 0, out);
}

void chain_merkle_leaf(const void *data, size_t len, struct chain_hash *out)
{
    hash_pieces(LEAF_PREFIX, data, len, NULL, 0, out);
}

void chain_merkle_add_hash(struct chain_merkle *tree, const struct chain_hash *leaf_hash)
{
    struct chain_hash hash = *leaf_hash;
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

static void hash_node(const struct chain_hash *left, const struct chain_hash *right, struct chain_hash *out)
{
    hash_pieces(NODE_PREFIX, left->octets, CHAIN_HASH_BYTES, right->octets, CHAIN_HASH_BYTES, out);
}

/* The root over leaves begin .. end - 1, where begin is the beginning of a subtree. False: not known. */
static bool hash_range(const struct chain_merkle_leaves *leaves, uint64_t begin, uint64_t end, struct chain_hash *out)
{
    uint64_t n_below = leaves->below ? leaves->below->n : 0;
    struct chain_merkle tree = {0};
    uint64_t at = 0;
    for (unsigned bit = 64, i = 0; bit-- > 0 && at < n_below;) {
        if (!(n_below >> bit & 1))
            continue;
        if (at >= begin && at + (UINT64_C(1) << bit) <= end) {
            tree.stack[count_bits(tree.n)] = leaves->below->stack[i];
            tree.n += UINT64_C(1) << bit;
        } else if (at + (UINT64_C(1) << bit) > begin && at < end) {
            return false; /* a part of what is known only as a whole */
        }
        at += UINT64_C(1) << bit;
        i++;
    }
    for (at = begin > n_below ? begin : n_below; at < end; at++)
        chain_merkle_add_hash(&tree, &leaves->hashes[at - n_below]);
    chain_merkle_finish(&tree, out);
    return true;
}

static uint64_t largest_power_below(uint64_t n)
{
    uint64_t k = 1;
    while (k < n - k)
        k *= 2;
    return k;
}

static void reverse(struct chain_merkle_path *path)
{
    for (size_t i = 0; i < path->n / 2; i++) {
        struct chain_hash other = path->nodes[i];
        path->nodes[i] = path->nodes[path->n - 1 - i];
        path->nodes[path->n - 1 - i] = other;
    }
}

/* One level down, to the half that has the leaf: the path gets the other half's root. */
static bool go_down(const struct chain_merkle_leaves *leaves, uint64_t leaf, uint64_t *low, uint64_t *high, struct chain_merkle_path *out)
{
    uint64_t middle = *low + largest_power_below(*high - *low);
    bool left = leaf < middle;
    if (!hash_range(leaves, left ? middle : *low, left ? *high : middle, &out->nodes[out->n++]))
        return false;
    *(left ? high : low) = middle;
    return true;
}

int chain_merkle_prove(const struct chain_merkle_leaves *leaves, uint64_t index, struct chain_merkle_path *out)
{
    uint64_t low = 0, high = leaves->n;
    out->n = 0;
    if (index >= high)
        return -ENOENT;
    while (high - low > 1)
        if (!go_down(leaves, index, &low, &high, out))
            return -ENOENT;
    reverse(out);
    return 0;
}

int chain_merkle_prove_consistency(const struct chain_merkle_leaves *leaves, uint64_t first, struct chain_merkle_path *out)
{
    uint64_t low = 0, high = leaves->n;
    out->n = 0;
    if (first == 0 || first > high)
        return -ENOENT;
    while (first != high)
        if (!go_down(leaves, first - 1, &low, &high, out))
            return -ENOENT;
    /* the subtree that ends with the first leaves is known to who checks when it is all of them */
    if (low > 0 && !hash_range(leaves, low, high, &out->nodes[out->n++]))
        return -ENOENT;
    reverse(out);
    return 0;
}

/* From node `at` of a level that ends with `last` up to the root, with the path's nodes from i on. old: of the tree that node `at` ends, or NULL.
 * False: the path has another length. */
static bool go_up(const struct chain_merkle_path *path, size_t i, uint64_t at, uint64_t last, struct chain_hash *old, struct chain_hash *hash)
{
    for (; i < path->n; i++) {
        if (last == 0)
            return false;
        if (at & 1 || at == last) {
            hash_node(&path->nodes[i], hash, hash);
            if (old)
                hash_node(&path->nodes[i], old, old);
            for (; !(at & 1) && at != 0; at >>= 1)
                last >>= 1;
        } else {
            hash_node(hash, &path->nodes[i], hash);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0;
}

bool chain_merkle_check(const struct chain_merkle_path *path, uint64_t index, uint64_t n, const struct chain_hash *leaf_hash,
                        const struct chain_hash *root)
{
    struct chain_hash hash = *leaf_hash;
    return index < n && path->n <= CHAIN_MERKLE_MAX_PATH && go_up(path, 0, index, n - 1, NULL, &hash) && memcmp(&hash, root, sizeof hash) == 0;
}

bool chain_merkle_check_consistency(const struct chain_merkle_path *path, uint64_t first, const struct chain_hash *first_root, uint64_t n,
                                    const struct chain_hash *root)
{
    if (first == 0 || first > n || path->n > CHAIN_MERKLE_MAX_PATH)
        return false;
    if (first == n)
        return path->n == 0 && memcmp(first_root, root, sizeof *root) == 0;
    bool whole = (first & (first - 1)) == 0;
    if (!whole && path->n == 0)
        return false;
    uint64_t at = first - 1, last = n - 1;
    for (; at & 1; at >>= 1)
        last >>= 1;
    struct chain_hash old = whole ? *first_root : path->nodes[0], new = old;
    return go_up(path, !whole, at, last, &old, &new) && memcmp(&old, first_root, sizeof old) == 0 && memcmp(&new, root, sizeof new) == 0;
}
