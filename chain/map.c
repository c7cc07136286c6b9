/* A crit-bit tree in two arrays. Each node knows its parent, so that insertion, removal and hashing walk instead of recursing. */
#include "chain/map.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdalign.h>
#include <string.h>

enum { KEY_BITS = 256 };
static const uint8_t LEAF_PREFIX = 0x00;
static const uint8_t NODE_PREFIX = 0x01;
static const uint32_t NONE = UINT32_MAX;
static const uint32_t INNER = UINT32_C(1) << 31; /* set in the reference of an inner node */

struct leaf {
    struct chain_hash key, value;
    uint32_t parent; /* next free one, when it is free */
};

struct inner {
    struct chain_hash hash;
    uint32_t child[2], parent;
    uint8_t bit;
    bool dirty; /* then every one above it is, too */
};

struct chain_map {
    uint32_t max_leaves, n, root;
    uint32_t free_leaf, free_inner;   /* chains of what was given back */
    uint32_t fresh_leaf, fresh_inner; /* the first that was never used */
    struct leaf *leaves;
    struct inner *inners;
};

size_t chain_map_bytes(size_t max_leaves)
{
    return sizeof(struct chain_map) + max_leaves * (sizeof(struct leaf) + sizeof(struct inner));
}

int chain_map_init(void *mem, size_t len, size_t max_leaves, struct chain_map **out)
{
    if (!mem || max_leaves == 0 || max_leaves >= INNER || len < chain_map_bytes(max_leaves) ||
        (uintptr_t)mem % alignof(struct chain_map) != 0)
        return -EINVAL;
    struct chain_map *map = mem;
    map->max_leaves = (uint32_t)max_leaves;
    map->leaves = (struct leaf *)(void *)(map + 1);
    map->inners = (struct inner *)(void *)(map->leaves + max_leaves);
    chain_map_clear(map);
    *out = map;
    return 0;
}

void chain_map_clear(struct chain_map *map)
{
    map->n = 0;
    map->root = NONE;
    map->free_leaf = map->free_inner = NONE;
    map->fresh_leaf = map->fresh_inner = 0;
}

size_t chain_map_n(const struct chain_map *map)
{
    return map->n;
}

static unsigned bit_of(const struct chain_hash *key, unsigned bit)
{
    return (unsigned)key->octets[bit / 8] >> (7 - bit % 8) & 1U;
}

static unsigned first_difference(const struct chain_hash *a, const struct chain_hash *b)
{
    unsigned i = 0;
    while (i < CHAIN_HASH_BYTES && a->octets[i] == b->octets[i])
        i++;
    if (i == CHAIN_HASH_BYTES)
        return KEY_BITS;
    unsigned bit = 8 * i;
    for (unsigned x = a->octets[i] ^ b->octets[i]; !(x & 0x80U); x <<= 1)
        bit++;
    return bit;
}

static struct inner *inner_of(const struct chain_map *map, uint32_t ref)
{
    return &map->inners[ref & ~INNER];
}

static uint32_t *parent_of(struct chain_map *map, uint32_t ref)
{
    return ref & INNER ? &inner_of(map, ref)->parent : &map->leaves[ref].parent;
}

/* The leaf where the search for a key ends. The map is not empty. */
static uint32_t find(const struct chain_map *map, const struct chain_hash *key)
{
    uint32_t ref = map->root;
    while (ref & INNER)
        ref = inner_of(map, ref)->child[bit_of(key, inner_of(map, ref)->bit)];
    return ref;
}

static void mark(struct chain_map *map, uint32_t ref)
{
    for (; ref != NONE && !inner_of(map, ref)->dirty; ref = inner_of(map, ref)->parent)
        inner_of(map, ref)->dirty = true;
}

/* Puts a reference where another one hung. */
static void hang(struct chain_map *map, uint32_t parent, uint32_t instead_of, uint32_t ref)
{
    *parent_of(map, ref) = parent;
    if (parent == NONE)
        map->root = ref;
    else
        inner_of(map, parent)->child[inner_of(map, parent)->child[1] == instead_of] = ref;
}

static uint32_t take_leaf(struct chain_map *map)
{
    uint32_t leaf = map->free_leaf;
    if (leaf == NONE)
        return map->fresh_leaf++;
    map->free_leaf = map->leaves[leaf].parent;
    return leaf;
}

static uint32_t take_inner(struct chain_map *map)
{
    uint32_t inner = map->free_inner;
    if (inner == NONE)
        return map->fresh_inner++;
    map->free_inner = map->inners[inner].parent;
    return inner;
}

int chain_map_put(struct chain_map *map, const struct chain_hash *key, const struct chain_hash *value)
{
    uint32_t near = map->n > 0 ? find(map, key) : NONE;
    unsigned bit = map->n > 0 ? first_difference(&map->leaves[near].key, key) : KEY_BITS;
    if (map->n > 0 && bit == KEY_BITS) {
        map->leaves[near].value = *value;
        mark(map, map->leaves[near].parent);
        return 0;
    }
    if (map->n == map->max_leaves)
        return -ENOSPC;
    uint32_t leaf = take_leaf(map);
    map->leaves[leaf] = (struct leaf){.key = *key, .value = *value, .parent = NONE};
    map->n++;
    if (map->n == 1) {
        map->root = leaf;
        return 0;
    }
    /* the new inner node goes above every one that tests a later bit */
    uint32_t below = near, above = map->leaves[near].parent;
    while (above != NONE && inner_of(map, above)->bit > bit) {
        below = above;
        above = inner_of(map, above)->parent;
    }
    uint32_t at = take_inner(map) | INNER;
    struct inner *inner = inner_of(map, at);
    *inner = (struct inner){.bit = (uint8_t)bit};
    hang(map, above, below, at);
    inner->child[bit_of(key, bit)] = leaf;
    inner->child[1 - bit_of(key, bit)] = below;
    map->leaves[leaf].parent = at;
    *parent_of(map, below) = at;
    mark(map, at);
    return 0;
}

void chain_map_remove(struct chain_map *map, const struct chain_hash *key)
{
    if (map->n == 0)
        return;
    uint32_t leaf = find(map, key);
    if (memcmp(&map->leaves[leaf].key, key, sizeof *key) != 0)
        return;
    uint32_t parent = map->leaves[leaf].parent;
    map->leaves[leaf].parent = map->free_leaf;
    map->free_leaf = leaf;
    map->n--;
    if (parent == NONE) {
        map->root = NONE;
        return;
    }
    struct inner *inner = inner_of(map, parent);
    uint32_t above = inner->parent;
    hang(map, above, parent, inner->child[inner->child[0] == leaf]);
    mark(map, above);
    inner->parent = map->free_inner;
    map->free_inner = parent & ~INNER;
}

static void hash_leaf(const struct chain_hash *key, const struct chain_hash *value, struct chain_hash *out)
{
    uint8_t octets[1 + 2 * CHAIN_HASH_BYTES];
    octets[0] = LEAF_PREFIX;
    memcpy(octets + 1, key->octets, CHAIN_HASH_BYTES);
    memcpy(octets + 1 + CHAIN_HASH_BYTES, value->octets, CHAIN_HASH_BYTES);
    crypto_generichash_blake2b(out->octets, CHAIN_HASH_BYTES, octets, sizeof octets, NULL, 0);
}

static void hash_inner(uint8_t bit, const struct chain_hash *left, const struct chain_hash *right, struct chain_hash *out)
{
    uint8_t octets[2 + 2 * CHAIN_HASH_BYTES];
    octets[0] = NODE_PREFIX;
    octets[1] = bit;
    memcpy(octets + 2, left->octets, CHAIN_HASH_BYTES);
    memcpy(octets + 2 + CHAIN_HASH_BYTES, right->octets, CHAIN_HASH_BYTES);
    crypto_generichash_blake2b(out->octets, CHAIN_HASH_BYTES, octets, sizeof octets, NULL, 0);
}

static void hash_of(const struct chain_map *map, uint32_t ref, struct chain_hash *out)
{
    if (ref & INNER)
        *out = inner_of(map, ref)->hash;
    else
        hash_leaf(&map->leaves[ref].key, &map->leaves[ref].value, out);
}

static bool is_dirty(const struct chain_map *map, uint32_t ref)
{
    return ref & INNER && inner_of(map, ref)->dirty;
}

void chain_map_root(struct chain_map *map, struct chain_hash *out)
{
    if (map->root == NONE) {
        crypto_generichash_blake2b(out->octets, CHAIN_HASH_BYTES, NULL, 0, NULL, 0);
        return;
    }
    /* children before parents: down into what is dirty, up once nothing below is */
    for (uint32_t at = is_dirty(map, map->root) ? map->root : NONE; at != NONE;) {
        struct inner *inner = inner_of(map, at);
        if (is_dirty(map, inner->child[0])) {
            at = inner->child[0];
        } else if (is_dirty(map, inner->child[1])) {
            at = inner->child[1];
        } else {
            struct chain_hash left, right;
            hash_of(map, inner->child[0], &left);
            hash_of(map, inner->child[1], &right);
            hash_inner(inner->bit, &left, &right, &inner->hash);
            inner->dirty = false;
            at = inner->parent;
        }
    }
    hash_of(map, map->root, out);
}

void chain_map_prove(const struct chain_map *map, const struct chain_hash *key, struct chain_map_proof *out)
{
    out->empty = map->root == NONE;
    out->n_steps = 0;
    if (out->empty)
        return;
    uint32_t ref = map->root;
    while (ref & INNER) {
        const struct inner *inner = inner_of(map, ref);
        unsigned side = bit_of(key, inner->bit);
        assert(out->n_steps < CHAIN_MAP_MAX_STEPS && !inner->dirty);
        out->steps[out->n_steps].bit = inner->bit;
        hash_of(map, inner->child[1 - side], &out->steps[out->n_steps].sibling);
        out->n_steps++;
        ref = inner->child[side];
    }
    out->key = map->leaves[ref].key;
    out->value = map->leaves[ref].value;
}

enum chain_map_answer chain_map_check(const struct chain_map_proof *proof, const struct chain_hash *key, const struct chain_hash *root)
{
    struct chain_hash hash;
    if (proof->n_steps > CHAIN_MAP_MAX_STEPS)
        return CHAIN_MAP_UNPROVED;
    if (proof->empty) {
        crypto_generichash_blake2b(hash.octets, CHAIN_HASH_BYTES, NULL, 0, NULL, 0);
        return memcmp(&hash, root, sizeof hash) == 0 ? CHAIN_MAP_ABSENT : CHAIN_MAP_UNPROVED;
    }
    hash_leaf(&proof->key, &proof->value, &hash);
    for (size_t i = proof->n_steps; i-- > 0;) {
        uint8_t bit = proof->steps[i].bit;
        if (i > 0 && proof->steps[i - 1].bit >= bit)
            return CHAIN_MAP_UNPROVED;
        /* the leaf lies where the search for the key goes */
        unsigned side = bit_of(key, bit);
        if (bit_of(&proof->key, bit) != side)
            return CHAIN_MAP_UNPROVED;
        const struct chain_hash *sibling = &proof->steps[i].sibling;
        hash_inner(bit, side ? sibling : &hash, side ? &hash : sibling, &hash);
    }
    if (memcmp(&hash, root, sizeof hash) != 0)
        return CHAIN_MAP_UNPROVED;
    return memcmp(&proof->key, key, sizeof *key) == 0 ? CHAIN_MAP_PRESENT : CHAIN_MAP_ABSENT;
}
