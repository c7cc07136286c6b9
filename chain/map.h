/* A path-compressed sparse Merkle map: 256-bit keys to hashes of values. Its root follows from its content alone, whatever the order in which
 * that came about, and a change costs the path above it. Pure; memory is the caller's, leaves are bounded, nothing recurses.
 *
 * With H = BLAKE2b-256 and bit 0 the highest bit of a key's first octet:
 *   leaf    H(0x00, key, value hash)
 *   inner   H(0x01, bit, left, right)   bit: one octet, the first bit in which keys below it differ; left: those where it is 0
 *   empty   H()
 * The prefixes are RFC 9162's. Since an inner node names its bit, a path shows where a key would have to lie: a path that ends in the leaf
 * of another key proves that the key is absent. */
#ifndef CHAIN_MAP_H
#define CHAIN_MAP_H

#include "chain/types.h"

enum { CHAIN_MAP_MAX_STEPS = 256 };

struct chain_map;

size_t chain_map_bytes(size_t max_leaves);
/* 0, or -EINVAL: memory too small or not aligned as a pointer is. */
__attribute__((warn_unused_result)) int chain_map_init(void *mem, size_t len, size_t max_leaves, struct chain_map **out);
void chain_map_clear(struct chain_map *map);
size_t chain_map_n(const struct chain_map *map);
/* Adds or replaces. 0, or -ENOSPC: max_leaves are there. */
__attribute__((warn_unused_result)) int chain_map_put(struct chain_map *map, const struct chain_hash *key, const struct chain_hash *value);
/* Absent already is fine. */
void chain_map_remove(struct chain_map *map, const struct chain_hash *key);
/* Hashes what changed since the last call. */
void chain_map_root(struct chain_map *map, struct chain_hash *out);

struct chain_map_proof {
    bool empty;                   /* the map has no leaf: all below is void */
    struct chain_hash key, value; /* of the leaf where the search for the key ends */
    size_t n_steps;               /* from the root down: bits ascend */
    struct {
        uint8_t bit;
        struct chain_hash sibling;
    } steps[CHAIN_MAP_MAX_STEPS];
};
/* Of the map as chain_map_root gave it last; nothing may have changed since. */
void chain_map_prove(const struct chain_map *map, const struct chain_hash *key, struct chain_map_proof *out);
enum chain_map_answer { CHAIN_MAP_UNPROVED, CHAIN_MAP_PRESENT, CHAIN_MAP_ABSENT };
/* What a proof says of the key under this root. PRESENT: with the proof's value. */
enum chain_map_answer chain_map_check(const struct chain_map_proof *proof, const struct chain_hash *key, const struct chain_hash *root);
#endif
