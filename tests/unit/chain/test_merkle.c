#include <errno.h>

#include "chain/merkle.h"

#include <string.h>

#include "chain/batch.h"

#define SUITE_NAME "chain/merkle"
#include "tests/unit/check_main.h"

enum { MAX_LEAVES = 70 };
static uint8_t leaves[MAX_LEAVES][5];
static const uint8_t *data[MAX_LEAVES];
static size_t lens[MAX_LEAVES];

static void set_up(void)
{
    for (size_t i = 0; i < MAX_LEAVES; i++) {
        memset(leaves[i], (int)i, sizeof leaves[i]);
        data[i] = leaves[i];
        lens[i] = i % 6;
    }
}

/* MTH as RFC 9162 section 2.1.1 writes it down: split at the largest power of two below n. */
static void tree_hash(size_t from, size_t n, struct chain_hash *out)
{
    uint8_t node[1 + 2 * CHAIN_HASH_BYTES] = {0};
    if (n == 0) {
        chain_hash_of(NULL, 0, out);
    } else if (n == 1) {
        if (lens[from] > 0)
            memcpy(node + 1, data[from], lens[from]);
        chain_hash_of(node, 1 + lens[from], out);
    } else {
        size_t k = 1;
        while (2 * k < n)
            k *= 2;
        struct chain_hash half;
        node[0] = 1;
        tree_hash(from, k, &half);
        memcpy(node + 1, half.octets, CHAIN_HASH_BYTES);
        tree_hash(from + k, n - k, &half);
        memcpy(node + 1 + CHAIN_HASH_BYTES, half.octets, CHAIN_HASH_BYTES);
        chain_hash_of(node, sizeof node, out);
    }
}

START_TEST(roots_equal_the_recursive_definition_for_every_count)
{
    struct chain_hash root, expected;
    for (size_t n = 0; n <= MAX_LEAVES; n++) {
        chain_merkle_root(data, lens, n, &root);
        tree_hash(0, n, &expected);
        ck_assert_mem_eq(root.octets, expected.octets, CHAIN_HASH_BYTES);
    }
}
END_TEST

START_TEST(the_root_of_nothing_is_blake2b_256_of_nothing)
{
    static const uint8_t head[] = {0x0e, 0x57, 0x51, 0xc0, 0x26, 0xe5, 0x43, 0xb2};
    struct chain_hash root;
    chain_merkle_root(NULL, NULL, 0, &root);
    ck_assert_mem_eq(root.octets, head, sizeof head);
}
END_TEST

START_TEST(a_leaf_may_come_in_two_pieces)
{
    struct chain_merkle whole, pieces;
    chain_merkle_init(&whole);
    chain_merkle_init(&pieces);
    chain_merkle_add(&whole, "abcdef", 6, NULL, 0);
    chain_merkle_add(&pieces, "abc", 3, "def", 3);
    struct chain_hash a, b;
    chain_merkle_finish(&whole, &a);
    chain_merkle_finish(&pieces, &b);
    ck_assert_mem_eq(a.octets, b.octets, CHAIN_HASH_BYTES);
}
END_TEST

START_TEST(moving_an_octet_between_leaves_changes_the_root)
{
    static const uint8_t text[] = "abcdef";
    const uint8_t *split[] = {text, text + 3};
    size_t even[] = {3, 3}, odd[] = {3, 2};
    struct chain_hash a, b;
    chain_merkle_root(split, even, 2, &a);
    chain_merkle_root(split, odd, 2, &b);
    ck_assert_mem_ne(a.octets, b.octets, CHAIN_HASH_BYTES);
}
END_TEST

/* Every leaf of every tree up to 40, and every beginning; the oracle is the tree that is built leaf by leaf. */
START_TEST(every_leaf_and_every_beginning_is_proved_and_nothing_else)
{
    enum { N = 40 };
    static struct chain_hash hashes[N], roots[N + 1];
    struct chain_merkle tree;
    chain_merkle_init(&tree);
    for (uint8_t i = 0; i < N; i++) {
        chain_merkle_leaf(&i, 1, &hashes[i]);
        chain_merkle_finish(&tree, &roots[i]);
        chain_merkle_add(&tree, &i, 1, NULL, 0);
    }
    chain_merkle_finish(&tree, &roots[N]);
    for (uint64_t n = 1; n <= N; n++) {
        struct chain_merkle_leaves known = {.hashes = hashes, .n = n};
        struct chain_merkle_path path, bad;
        for (uint64_t i = 0; i < n; i++) {
            ck_assert_int_eq(chain_merkle_prove(&known, i, &path), 0);
            ck_assert(chain_merkle_check(&path, i, n, &hashes[i], &roots[n]));
            ck_assert(!chain_merkle_check(&path, i, n, &hashes[(i + 1) % N], &roots[n]));
            ck_assert(n == 1 || !chain_merkle_check(&path, (i + 1) % n, n, &hashes[i], &roots[n]));
            ck_assert(!chain_merkle_check(&path, i, n, &hashes[i], &roots[n - 1]));
            for (size_t k = 0; k < path.n; k++) {
                bad = path;
                bad.nodes[k].octets[k % 32] ^= 1;
                ck_assert(!chain_merkle_check(&bad, i, n, &hashes[i], &roots[n]));
            }
            bad = path;
            bad.n++;
            ck_assert(!chain_merkle_check(&bad, i, n, &hashes[i], &roots[n]));
        }
        ck_assert_int_eq(chain_merkle_prove(&known, n, &path), -ENOENT);
        for (uint64_t m = 1; m <= n; m++) {
            ck_assert_int_eq(chain_merkle_prove_consistency(&known, m, &path), 0);
            ck_assert(chain_merkle_check_consistency(&path, m, &roots[m], n, &roots[n]));
            ck_assert(!chain_merkle_check_consistency(&path, m, &roots[m - 1], n, &roots[n]));
            ck_assert(!chain_merkle_check_consistency(&path, m, &roots[m], n, &roots[n - 1]));
            for (size_t k = 0; k < path.n; k++) {
                bad = path;
                bad.nodes[k].octets[0] ^= 4;
                ck_assert(!chain_merkle_check_consistency(&bad, m, &roots[m], n, &roots[n]));
            }
        }
        ck_assert_int_eq(chain_merkle_prove_consistency(&known, 0, &path), -ENOENT);
    }
}
END_TEST

/* What was pruned is known as the subtrees that it forms: later beginnings are proved all the same. */
START_TEST(a_pruned_tree_proves_what_lies_above_its_base)
{
    enum { N = 40 };
    static struct chain_hash hashes[N];
    for (uint8_t i = 0; i < N; i++)
        chain_merkle_leaf(&i, 1, &hashes[i]);
    for (uint64_t base = 1; base < N; base++) {
        struct chain_merkle below;
        chain_merkle_init(&below);
        for (uint64_t i = 0; i < base; i++)
            chain_merkle_add_hash(&below, &hashes[i]);
        for (uint64_t n = base + 1; n <= N; n += 7) {
            struct chain_merkle_leaves all = {.hashes = hashes, .n = n}, some = {.below = &below, .hashes = hashes + base, .n = n};
            struct chain_merkle_path path, same;
            for (uint64_t i = base; i < n; i++) {
                ck_assert_int_eq(chain_merkle_prove(&all, i, &path), 0);
                ck_assert_int_eq(chain_merkle_prove(&some, i, &same), 0);
                ck_assert_uint_eq(path.n, same.n);
                ck_assert_mem_eq(path.nodes, same.nodes, path.n * sizeof *path.nodes);
                ck_assert_int_eq(chain_merkle_prove_consistency(&all, i, &path), 0);
                ck_assert_int_eq(chain_merkle_prove_consistency(&some, i, &same), 0);
                ck_assert_uint_eq(path.n, same.n);
                ck_assert_mem_eq(path.nodes, same.nodes, path.n * sizeof *path.nodes);
            }
        }
        if (base > 2) {
            struct chain_merkle_leaves some = {.below = &below, .hashes = hashes + base, .n = N};
            struct chain_merkle_path path;
            ck_assert_int_eq(chain_merkle_prove(&some, 0, &path), -ENOENT);
        }
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("merkle");
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, roots_equal_the_recursive_definition_for_every_count);
    tcase_add_test(tc, the_root_of_nothing_is_blake2b_256_of_nothing);
    tcase_add_test(tc, a_leaf_may_come_in_two_pieces);
    tcase_add_test(tc, moving_an_octet_between_leaves_changes_the_root);
    tcase_add_test(tc, every_leaf_and_every_beginning_is_proved_and_nothing_else);
    tcase_add_test(tc, a_pruned_tree_proves_what_lies_above_its_base);
    suite_add_tcase(suite, tc);
}
