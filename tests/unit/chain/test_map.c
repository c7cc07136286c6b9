#include "chain/map.h"

#include <check.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SUITE_NAME "chain/map"
#include "tests/unit/check_main.h"

enum { MAX_LEAVES = 600 };

static struct chain_map *map;
static void *mem;

/* What the map should hold, sorted by key. */
static struct pair {
    struct chain_hash key, value;
} pairs[MAX_LEAVES];
static size_t n_pairs;

static void set_up(void)
{
    mem = malloc(chain_map_bytes(MAX_LEAVES));
    ck_assert_int_eq(chain_map_init(mem, chain_map_bytes(MAX_LEAVES), MAX_LEAVES, &map), 0);
    n_pairs = 0;
}

static void tear_down(void)
{
    free(mem);
}

static struct chain_hash hash_number(uint64_t n)
{
    struct chain_hash out;
    crypto_generichash_blake2b(out.octets, sizeof out.octets, (const uint8_t *)&n, sizeof n, NULL, 0);
    return out;
}

static int compare_pairs(const void *a, const void *b)
{
    return memcmp(a, b, CHAIN_HASH_BYTES);
}

static void put(const struct chain_hash *key, const struct chain_hash *value)
{
    size_t i = 0;
    ck_assert_int_eq(chain_map_put(map, key, value), 0);
    while (i < n_pairs && memcmp(&pairs[i].key, key, sizeof *key) != 0)
        i++;
    pairs[i].key = *key;
    pairs[i].value = *value;
    n_pairs += i == n_pairs;
    qsort(pairs, n_pairs, sizeof *pairs, compare_pairs);
}

static void take_out(const struct chain_hash *key)
{
    chain_map_remove(map, key);
    for (size_t i = 0; i < n_pairs; i++)
        if (memcmp(&pairs[i].key, key, sizeof *key) == 0) {
            memmove(&pairs[i], &pairs[i + 1], (n_pairs - i - 1) * sizeof *pairs);
            n_pairs--;
            return;
        }
}

static bool bit_is_set(const struct chain_hash *key, unsigned bit)
{
    return key->octets[bit / 8] >> (7 - bit % 8) & 1;
}

/* The definition, word by word, over sorted pairs. */
static void define_root(const struct pair *p, size_t n, struct chain_hash *out)
{
    uint8_t octets[2 + 2 * CHAIN_HASH_BYTES] = {0};
    if (n == 0) {
        crypto_generichash_blake2b(out->octets, CHAIN_HASH_BYTES, NULL, 0, NULL, 0);
        return;
    }
    if (n == 1) {
        memcpy(octets + 1, p, 2 * CHAIN_HASH_BYTES);
        crypto_generichash_blake2b(out->octets, CHAIN_HASH_BYTES, octets, 1 + 2 * CHAIN_HASH_BYTES, NULL, 0);
        return;
    }
    unsigned bit = 0;
    while (bit_is_set(&p[0].key, bit) == bit_is_set(&p[n - 1].key, bit))
        bit++;
    size_t left = 0;
    while (!bit_is_set(&p[left].key, bit))
        left++;
    struct chain_hash below[2];
    define_root(p, left, &below[0]);
    define_root(p + left, n - left, &below[1]);
    octets[0] = 1;
    octets[1] = (uint8_t)bit;
    memcpy(octets + 2, below, sizeof below);
    crypto_generichash_blake2b(out->octets, CHAIN_HASH_BYTES, octets, sizeof octets, NULL, 0);
}

static struct chain_hash check_root(void)
{
    struct chain_hash root, defined;
    chain_map_root(map, &root);
    define_root(pairs, n_pairs, &defined);
    ck_assert_mem_eq(root.octets, defined.octets, CHAIN_HASH_BYTES);
    ck_assert_uint_eq(chain_map_n(map), n_pairs);
    return root;
}

START_TEST(small_maps_have_the_roots_that_the_format_fixes)
{
    static const char *const expected[] = {"0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8",
                                           "7760849c00c1f8e86af85878b5fa9f6fd0b4a6d69bce832713d37d60f726260f",
                                           "4e1fd47780cd80abeb059cab04be07879955522605d7db2b6fc86773da66817b",
                                           "83c2acc2f9fed7d99a4eab93a0ced378e7e986e41c32a393fa8bb9edd76c713f"};
    for (uint64_t n = 0; n < 4; n++) {
        struct chain_hash root = check_root(), key = hash_number(n), value = hash_number(100 + n);
        char hex[2 * CHAIN_HASH_BYTES + 1];
        ck_assert_str_eq(sodium_bin2hex(hex, sizeof hex, root.octets, sizeof root.octets), expected[n]);
        put(&key, &value);
    }
}
END_TEST

START_TEST(a_root_follows_from_the_content_whatever_happened_before)
{
    uint64_t z = (uint64_t)_i * 7919;
    for (int round = 0; round < 400; round++) {
        for (int i = 0; i < 5; i++) {
            z = z * UINT64_C(6364136223846793005) + 1442695040888963407;
            struct chain_hash key = hash_number((z >> 33) % 300), value = hash_number(z);
            if (z >> 62 && n_pairs < MAX_LEAVES)
                put(&key, &value);
            else
                take_out(&key);
        }
        check_root();
    }
    while (n_pairs > 0) {
        struct chain_hash key = pairs[(z >> 40) % n_pairs].key;
        take_out(&key);
        check_root();
    }
}
END_TEST

/* Neighbours: keys that share all but a few bits, so that paths are long and every bit is a branch. */
START_TEST(keys_that_differ_in_one_bit_each_make_a_path_through_all_bits)
{
    struct chain_hash base = hash_number(1), value = hash_number(2);
    put(&base, &value);
    for (unsigned bit = 0; bit < 256; bit++) {
        struct chain_hash key = base;
        key.octets[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        put(&key, &value);
    }
    struct chain_hash root = check_root();
    struct chain_map_proof proof;
    chain_map_prove(map, &base, &proof);
    ck_assert_uint_eq(proof.n_steps, 256);
    ck_assert_int_eq(chain_map_check(&proof, &base, &root), CHAIN_MAP_PRESENT);
}
END_TEST

START_TEST(every_key_is_proved_present_or_absent_and_nothing_else)
{
    struct chain_hash key, value;
    struct chain_map_proof proof;
    struct chain_hash root = check_root();
    key = hash_number(0);
    chain_map_prove(map, &key, &proof);
    ck_assert_int_eq(chain_map_check(&proof, &key, &root), CHAIN_MAP_ABSENT);
    for (uint64_t i = 0; i < 200; i++) {
        key = hash_number(i);
        value = hash_number(1000 + i);
        put(&key, &value);
    }
    root = check_root();
    for (uint64_t i = 0; i < 400; i++) {
        key = hash_number(i);
        value = hash_number(1000 + i);
        chain_map_prove(map, &key, &proof);
        ck_assert_int_eq(chain_map_check(&proof, &key, &root), i < 200 ? CHAIN_MAP_PRESENT : CHAIN_MAP_ABSENT);
        ck_assert(i >= 200 || memcmp(&proof.value, &value, sizeof value) == 0);
    }
}
END_TEST

START_TEST(a_proof_with_anything_changed_proves_nothing)
{
    for (uint64_t i = 0; i < 50; i++) {
        struct chain_hash key = hash_number(i), value = hash_number(1000 + i);
        put(&key, &value);
    }
    struct chain_hash root = check_root();
    for (uint64_t i = 0; i < 100; i++) {
        struct chain_hash key = hash_number(i), other = hash_number(i + 7);
        struct chain_map_proof proof, bad;
        chain_map_prove(map, &key, &proof);
        enum chain_map_answer truth = chain_map_check(&proof, &key, &root);
        ck_assert_int_ne(truth, CHAIN_MAP_UNPROVED);
        bad = proof;
        bad.value.octets[i % 32] ^= 1;
        ck_assert_int_eq(chain_map_check(&bad, &key, &root), CHAIN_MAP_UNPROVED);
        bad = proof;
        bad.key = i < 50 ? other : key; /* as if it were another one's */
        ck_assert_int_eq(chain_map_check(&bad, &bad.key, &root), CHAIN_MAP_UNPROVED);
        for (size_t k = 0; k < proof.n_steps; k++) {
            bad = proof;
            bad.steps[k].sibling.octets[k % 32] ^= 0x10;
            ck_assert_int_eq(chain_map_check(&bad, &key, &root), CHAIN_MAP_UNPROVED);
            bad = proof;
            bad.steps[k].bit ^= 1;
            ck_assert_int_eq(chain_map_check(&bad, &key, &root), CHAIN_MAP_UNPROVED);
        }
        bad = proof;
        bad.n_steps--;
        ck_assert_int_eq(chain_map_check(&bad, &key, &root), CHAIN_MAP_UNPROVED);
        bad.empty = true;
        ck_assert_int_eq(chain_map_check(&bad, &key, &root), CHAIN_MAP_UNPROVED);
        /* where another key is, says nothing of one that lies elsewhere; present is never absent */
        struct chain_hash elsewhere = hash_number((i + 13) % 50);
        if (memcmp(&elsewhere, &proof.key, sizeof elsewhere) != 0)
            ck_assert_int_eq(chain_map_check(&proof, &elsewhere, &root), CHAIN_MAP_UNPROVED);
    }
}
END_TEST

START_TEST(a_full_map_refuses_one_more_and_takes_it_once_there_is_room)
{
    struct chain_hash value = hash_number(5), key;
    for (uint64_t i = 0; i < MAX_LEAVES; i++) {
        key = hash_number(i);
        put(&key, &value);
    }
    key = hash_number(MAX_LEAVES);
    ck_assert_int_eq(chain_map_put(map, &key, &value), -ENOSPC);
    check_root();
    struct chain_hash first = hash_number(0);
    put(&first, &key);
    take_out(&first);
    put(&key, &value);
    check_root();
    chain_map_clear(map);
    n_pairs = 0;
    check_root();
    uint8_t small[8];
    struct chain_map *none;
    ck_assert_int_eq(chain_map_init(small, sizeof small, 1, &none), -EINVAL);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("map");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, small_maps_have_the_roots_that_the_format_fixes);
    tcase_add_loop_test(tc, a_root_follows_from_the_content_whatever_happened_before, 0, 4);
    tcase_add_test(tc, keys_that_differ_in_one_bit_each_make_a_path_through_all_bits);
    tcase_add_test(tc, every_key_is_proved_present_or_absent_and_nothing_else);
    tcase_add_test(tc, a_proof_with_anything_changed_proves_nothing);
    tcase_add_test(tc, a_full_map_refuses_one_more_and_takes_it_once_there_is_room);
    suite_add_tcase(suite, tc);
}
