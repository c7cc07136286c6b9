/* The mempool: bounds, order, names, ages. */
#define SUITE_NAME "chain mempool"
#include "tests/unit/check_main.h"

#include <errno.h>

#include "chain/mempool.h"
#include "tests/unit/chain/ledger_fixture.h"

struct pool {
    struct bench *bench;
    struct chain_mempool *p;
    void *mem;
};

static struct pool open_pool(size_t max_txs, size_t txs_of_one, size_t octets)
{
    struct pool t = {.bench = bench_open(4)};
    struct chain_mempool_config cfg = {.max_txs = max_txs, .max_octets = octets, .max_tx_octets = CHAIN_MAX_TX_BYTES, .max_txs_of_one = txs_of_one,
                                       .max_ops_of_one = 128, .max_age_ns = 10 * MS, .max_own_age_ns = 60 * MS};
    const char *bad = NULL;
    size_t len = chain_mempool_bytes(&cfg);
    t.mem = malloc(len);
    ck_assert_msg(chain_mempool_init(t.mem, len, &cfg, &t.p, &bad) == 0, "%s", bad ? bad : "");
    return t;
}

static void close_pool(struct pool *t)
{
    free(t->mem);
    bench_close(t->bench);
}

static struct chain_op make_op(enum chain_op_kind kind, uint64_t content)
{
    struct chain_op op = {.kind = kind};
    if (kind == CHAIN_OP_HEARTBEAT || kind == CHAIN_OP_RELINQUISH)
        op.lease.grant_id = content;
    else if (kind == CHAIN_OP_SENSE_COMMIT)
        op.commit.window = content;
    else if (kind == CHAIN_OP_EVIDENCE)
        op.evidence.n_frames = (uint32_t)content;
    else if (kind == CHAIN_OP_REGISTER)
        snprintf(op.reg.call_sign, sizeof op.reg.call_sign, "s%u", (unsigned)content);
    return op;
}

/* An envelope of n operations, encoded. */
static size_t encode(struct pool *t, uint32_t author, uint64_t nonce, const struct chain_op *ops, size_t n, struct chain_msg *msg, uint8_t *octets)
{
    static uint8_t body[CHAIN_MAX_TX_BYTES];
    const struct chain_members *members = &t->bench->genesis.members;
    long len = chain_tx_encode(ops, n, body, sizeof body);
    ck_assert_int_gt(len, 0);
    *msg = (struct chain_msg){.kind = CHAIN_MSG_TX, .author = author, .seq = nonce, .body = body, .body_len = (size_t)len};
    len = chain_msg_encode(members, msg, octets, CHAIN_MAX_TX_BYTES);
    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(chain_msg_decode(members, octets, (size_t)len, msg, NULL), 0);
    return (size_t)len;
}

static int add_ops(struct pool *t, uint32_t author, uint64_t nonce, const struct chain_op *ops, size_t n, bool own, int64_t now_ns)
{
    static uint8_t octets[CHAIN_MAX_TX_BYTES];
    struct chain_msg msg;
    size_t len = encode(t, author, nonce, ops, n, &msg, octets);
    enum chain_mempool_class class;
    ck_assert_int_eq(chain_mempool_classify(msg.body, msg.body_len, &class), (int)n);
    int admits = chain_mempool_admits(t->p, &msg, class, (uint32_t)n, len);
    int rc = chain_mempool_add(t->p, &msg, class, (uint32_t)n, octets, len, own, now_ns, NULL);
    ck_assert(admits == rc || (admits == 0 && rc == -ENOBUFS));
    return rc;
}

static int add(struct pool *t, uint32_t author, uint64_t nonce, enum chain_op_kind kind, uint64_t content)
{
    struct chain_op op = make_op(kind, content);
    return add_ops(t, author, nonce, &op, 1, false, 0);
}

static size_t choose(struct pool *t, uint64_t height, const struct chain_mempool_tx **chosen)
{
    return chain_mempool_choose(t->p, height, 30000, 3, chosen);
}

START_TEST(what_must_not_wait_is_chosen_first_and_sorted_by_author_and_nonce)
{
    struct pool t = open_pool(16, 16, 65536);
    const struct chain_mempool_tx *chosen[CHAIN_MAX_BATCH_TXS];
    ck_assert_int_eq(add(&t, 1, 5, CHAIN_OP_SENSE_COMMIT, 1), 0);
    ck_assert_int_eq(add(&t, 2, 9, CHAIN_OP_REGISTER, 1), 0);
    ck_assert_int_eq(add(&t, 1, 7, CHAIN_OP_REGISTER, 2), 0);
    ck_assert_int_eq(add(&t, 3, 1, CHAIN_OP_EVIDENCE, 1), 0);
    ck_assert_int_eq(add(&t, 3, 2, CHAIN_OP_HEARTBEAT, 1), 0);
    ck_assert_int_eq(add(&t, 1, 6, CHAIN_OP_REGISTER, 3), 0);
    ck_assert_uint_eq(chain_mempool_waiting_ops(t.p), 6);
    size_t two = chain_mempool_choose(t.p, 1, 260, 3, chosen); /* room for two */
    ck_assert_uint_eq(two, 2);
    ck_assert_uint_eq(chosen[0]->author, 3);
    ck_assert_uint_eq(chosen[0]->seq, 1);
    ck_assert_uint_eq(chosen[1]->seq, 2);
    static const struct {
        uint32_t author;
        uint64_t nonce;
    } expected[] = {{1, 5}, {1, 6}, {1, 7}, {2, 9}};
    ck_assert_uint_eq(choose(&t, 2, chosen), 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(chosen[i]->author, expected[i].author);
        ck_assert_uint_eq(chosen[i]->seq, expected[i].nonce);
    }
    ck_assert_uint_eq(chain_mempool_waiting_ops(t.p), 0);
    ck_assert_uint_eq(chain_mempool_size(t.p), 6);
    close_pool(&t);
}
END_TEST

START_TEST(a_transaction_is_in_one_batch_and_waits_again_when_its_height_passes_without_it)
{
    struct pool t = open_pool(16, 16, 65536);
    const struct chain_mempool_tx *chosen[CHAIN_MAX_BATCH_TXS];
    for (uint64_t k = 1; k <= 3; k++)
        ck_assert_int_eq(add(&t, 1, k, CHAIN_OP_REGISTER, k), 0);
    ck_assert_uint_eq(choose(&t, 7, chosen), 3);
    ck_assert_uint_eq(choose(&t, 8, chosen), 0);
    ck_assert_int_eq(add(&t, 1, 4, CHAIN_OP_REGISTER, 4), 0);
    ck_assert_uint_eq(choose(&t, 8, chosen), 1);
    chain_mempool_used(t.p, 1, 2);
    chain_mempool_release(t.p, 7); /* 1 and 3 came back, 4 is under way still */
    ck_assert_uint_eq(chain_mempool_waiting_ops(t.p), 2);
    ck_assert_uint_eq(choose(&t, 9, chosen), 2);
    ck_assert_uint_eq(chosen[0]->seq, 1);
    ck_assert_uint_eq(chosen[1]->seq, 3);
    chain_mempool_release(t.p, UINT64_MAX);
    ck_assert_uint_eq(choose(&t, 9, chosen), 3);
    close_pool(&t);
}
END_TEST

START_TEST(one_name_has_one_content)
{
    struct pool t = open_pool(16, 16, 65536);
    struct chain_op ops[4];
    for (uint64_t i = 0; i < 4; i++)
        ops[i] = make_op(CHAIN_OP_REGISTER, i);
    ck_assert_int_eq(add_ops(&t, 1, 5, ops, 4, false, 0), 0); /* 5 to 8 */
    ck_assert_int_eq(add_ops(&t, 1, 5, ops, 4, false, 0), -EALREADY);
    ck_assert_int_eq(add_ops(&t, 1, 5, ops, 3, false, 0), -EEXIST);
    ck_assert_int_eq(add(&t, 1, 5, CHAIN_OP_HEARTBEAT, 1), -EEXIST);
    ck_assert_int_eq(add(&t, 1, 8, CHAIN_OP_HEARTBEAT, 1), -EEXIST);
    ck_assert_int_eq(add_ops(&t, 1, 2, ops, 4, false, 0), -EEXIST); /* 2 to 5 */
    ck_assert_int_eq(add_ops(&t, 1, 2, ops, 3, false, 0), 0);
    ck_assert_int_eq(add(&t, 1, 9, CHAIN_OP_HEARTBEAT, 1), 0);
    ck_assert_int_eq(add(&t, 2, 5, CHAIN_OP_HEARTBEAT, 1), 0); /* another author's */
    ck_assert_uint_eq(chain_mempool_size(t.p), 4);
    chain_mempool_used(t.p, 1, 7);
    chain_mempool_used(t.p, 1, 7);
    ck_assert_uint_eq(chain_mempool_size(t.p), 3);
    ck_assert_int_eq(add(&t, 1, 5, CHAIN_OP_HEARTBEAT, 1), 0);
    chain_mempool_used(t.p, 1, 9 + CHAIN_NONCE_WINDOW); /* 9 is just above the window's end, 5 below */
    ck_assert_uint_eq(chain_mempool_size(t.p), 1);
    close_pool(&t);
}
END_TEST

START_TEST(an_envelope_has_the_class_of_its_least_urgent_operation)
{
    struct chain_op ops[2] = {make_op(CHAIN_OP_HEARTBEAT, 1), make_op(CHAIN_OP_SENSE_COMMIT, 1)};
    static uint8_t body[256];
    enum chain_mempool_class class;
    size_t len = (size_t)chain_tx_encode(ops, 2, body, sizeof body);
    ck_assert_int_eq(chain_mempool_classify(body, len, &class), 2);
    ck_assert_int_eq(class, CHAIN_CLASS_SENSING);
    len = (size_t)chain_tx_encode(ops, 1, body, sizeof body);
    ck_assert_int_eq(chain_mempool_classify(body, len, &class), 1);
    ck_assert_int_eq(class, CHAIN_CLASS_HEARTBEAT);
    ck_assert_int_eq(chain_mempool_classify(body, len - 1, &class), -EBADMSG);
}
END_TEST

START_TEST(no_author_fills_it_and_the_urgent_displace_the_rest)
{
    struct pool t = open_pool(8, 4, 65536);
    for (uint64_t k = 0; k < 4; k++)
        ck_assert_int_eq(add(&t, 0, k, CHAIN_OP_SENSE_COMMIT, k), 0);
    ck_assert_int_eq(add(&t, 0, 9, CHAIN_OP_SENSE_COMMIT, 9), -ENOBUFS); /* its own quarter */
    ck_assert_int_eq(add(&t, 0, 9, CHAIN_OP_HEARTBEAT, 1), 0);           /* in the place of what it sent last and least urgent */
    ck_assert_int_eq(add(&t, 0, 3, CHAIN_OP_SENSE_COMMIT, 3), -ENOBUFS);
    ck_assert_uint_eq(chain_mempool_evicted(t.p), 1);
    for (uint64_t k = 0; k < 4; k++)
        ck_assert_int_eq(add(&t, 1, k, CHAIN_OP_SENSE_COMMIT, k), 0);
    ck_assert_int_eq(add(&t, 2, 1, CHAIN_OP_SENSE_COMMIT, 1), -ENOBUFS);
    ck_assert_int_eq(add(&t, 2, 2, CHAIN_OP_HEARTBEAT, 1), 0);
    ck_assert_uint_eq(chain_mempool_size(t.p), 8);
    ck_assert_uint_eq(chain_mempool_evicted(t.p), 2);
    ck_assert_int_eq(add(&t, 1, 3, CHAIN_OP_SENSE_COMMIT, 3), -ENOBUFS); /* the last in order went, and comes not back */
    close_pool(&t);
}
END_TEST

START_TEST(operations_and_octets_are_bounded_too)
{
    struct pool t = open_pool(64, 64, 32 * 1024);
    struct chain_op ops[CHAIN_MAX_TX_OPS];
    for (uint64_t i = 0; i < CHAIN_MAX_TX_OPS; i++)
        ops[i] = make_op(CHAIN_OP_HEARTBEAT, i);
    ck_assert_int_eq(add_ops(&t, 0, 0, ops, 64, false, 0), 0);
    ck_assert_int_eq(add_ops(&t, 0, 64, ops, 64, false, 0), 0);
    ck_assert_int_eq(add_ops(&t, 0, 128, ops, 1, false, 0), -ENOBUFS); /* 128 operations of one */
    for (uint64_t i = 0; i < CHAIN_MAX_TX_OPS; i++)
        ops[i] = make_op(CHAIN_OP_SENSE_COMMIT, i);
    size_t n = 0;
    for (uint32_t author = 1; author < 4; author++)
        for (uint64_t k = 0; k < 8; k++)
            n += add_ops(&t, author, 64 * k, ops, 40, false, 0) == 0; /* about 1600 octets: 4 pieces of 64 */
    ck_assert_uint_eq(n, 3 * 3);                                     /* 120 operations of one */
    ck_assert_uint_eq(chain_mempool_waiting_octets(t.p) / 1000, 14);
    for (uint64_t i = 0; i < CHAIN_MAX_TX_OPS; i++)
        ops[i] = make_op(CHAIN_OP_REGISTER, i);
    ck_assert_int_eq(add_ops(&t, 3, 1000, ops, 40, false, 0), 0); /* displaces one of its own */
    ck_assert_uint_eq(chain_mempool_evicted(t.p), 1);
    close_pool(&t);
}
END_TEST

START_TEST(octets_come_back_as_they_were)
{
    struct pool t = open_pool(8, 8, 256 * 1024);
    static uint8_t octets[CHAIN_MAX_TX_BYTES], back[CHAIN_MAX_TX_BYTES];
    const struct chain_mempool_tx *chosen[CHAIN_MAX_BATCH_TXS];
    for (size_t n = 1; n <= CHAIN_MAX_TX_OPS; n++) {
        struct chain_op ops[CHAIN_MAX_TX_OPS];
        for (size_t i = 0; i < n; i++)
            ops[i] = make_op(CHAIN_OP_REGISTER, 1000 * n + i);
        ck_assert_int_eq(add_ops(&t, 1, n * 64, ops, n, false, 0), 0);
        struct chain_msg msg;
        size_t len = encode(&t, 1, n * 64, ops, n, &msg, octets);
        ck_assert_uint_eq(choose(&t, 1, chosen), 1);
        ck_assert_uint_eq(chosen[0]->len, len);
        chain_mempool_copy(t.p, chosen[0], back);
        ck_assert_mem_eq(back, octets, len);
        chain_mempool_used(t.p, 1, n * 64 + n - 1);
        ck_assert_uint_eq(chain_mempool_size(t.p), 0);
    }
    close_pool(&t);
}
END_TEST

START_TEST(what_grows_old_leaves_and_stalls_nothing)
{
    struct pool t = open_pool(8, 8, 65536);
    struct chain_op op = make_op(CHAIN_OP_REGISTER, 1);
    ck_assert_int_eq(chain_mempool_pending_since(t.p), INT64_MAX);
    ck_assert_int_eq(add_ops(&t, 0, 1, &op, 1, false, 1 * MS), 0);
    ck_assert_int_eq(add_ops(&t, 1, 1, &op, 1, true, 2 * MS), 0);
    ck_assert_int_eq(chain_mempool_pending_since(t.p), 1 * MS);
    ck_assert_uint_eq(chain_mempool_expire(t.p, 11 * MS - 1), 0);
    ck_assert_int_eq(chain_mempool_expires_at(t.p), 11 * MS);
    ck_assert_uint_eq(chain_mempool_expire(t.p, 11 * MS), 1);
    ck_assert_int_eq(chain_mempool_pending_since(t.p), 2 * MS);
    ck_assert_int_eq(chain_mempool_expires_at(t.p), 62 * MS);
    ck_assert_ptr_nonnull(chain_mempool_first_own(t.p));
    ck_assert_ptr_null(chain_mempool_next_own(t.p, chain_mempool_first_own(t.p)));
    ck_assert_uint_eq(chain_mempool_expire(t.p, 62 * MS), 1);
    ck_assert_int_eq(chain_mempool_pending_since(t.p), INT64_MAX);
    close_pool(&t);
}
END_TEST

/* A model: a plain array of what should be there. */
START_TEST(thousands_of_random_operations_leave_its_lists_and_counts_whole)
{
    struct pool t = open_pool(64, 32, 64 * 1024);
    const struct chain_mempool_tx *chosen[CHAIN_MAX_BATCH_TXS];
    struct chain_op ops[CHAIN_MAX_TX_OPS];
    static const enum chain_op_kind kinds[] = {CHAIN_OP_HEARTBEAT, CHAIN_OP_EVIDENCE, CHAIN_OP_REGISTER, CHAIN_OP_SENSE_COMMIT};
    uint64_t height = 1, x = 88172645463325252U;
    size_t n_added = 0, n_refused = 0;
    for (int step = 0; step < 20000; step++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        uint32_t author = (uint32_t)(x >> 8) % 4;
        uint64_t nonce = 1000 + (uint64_t)step + (x >> 16) % 80;
        if (x % 8 < 5) {
            size_t n = 1 + (x >> 24) % 12;
            for (size_t i = 0; i < n; i++)
                ops[i] = make_op(kinds[(x >> 32) % 4], i);
            int rc = add_ops(&t, author, nonce, ops, n, x >> 40 & 1, step * 1000);
            n_added += rc == 0;
            n_refused += rc == -ENOBUFS;
        } else if (x % 8 == 5) {
            choose(&t, height++, chosen);
        } else if (x % 8 == 6) {
            for (uint64_t back = 0; back < 64; back++)
                chain_mempool_used(t.p, author, nonce - back);
            chain_mempool_release(t.p, height > 4 ? height - 4 : 0);
        } else {
            chain_mempool_expire(t.p, step * 1000 - 5 * MS);
        }
        if (height % 8 == 0)
            chain_mempool_release(t.p, UINT64_MAX), height++;
    }
    ck_assert_uint_gt(n_added, 2000);
    ck_assert_uint_gt(n_refused, 100);
    chain_mempool_release(t.p, UINT64_MAX);
    size_t n = chain_mempool_size(t.p), n_ops = chain_mempool_waiting_ops(t.p), n_octets = chain_mempool_waiting_octets(t.p);
    size_t n_chosen = 0, chosen_ops = 0, chosen_octets = 0;
    for (size_t k; (k = choose(&t, 1000000 + n_chosen, chosen)) > 0; n_chosen += k)
        for (size_t i = 0; i < k; i++) {
            chosen_ops += chosen[i]->n_ops;
            chosen_octets += chosen[i]->len;
            ck_assert(i == 0 || chosen[i - 1]->author < chosen[i]->author ||
                      (chosen[i - 1]->author == chosen[i]->author && chosen[i - 1]->seq + chosen[i - 1]->n_ops <= chosen[i]->seq));
        }
    ck_assert_uint_eq(n_chosen, n);
    ck_assert_uint_eq(chosen_ops, n_ops);
    ck_assert_uint_eq(chosen_octets, n_octets);
    ck_assert_uint_eq(chain_mempool_expire(t.p, INT64_MAX - 1), n);
    for (uint64_t k = 0; k < 32; k++) /* and all of its room is there again */
        for (uint32_t author = 0; author < 2; author++)
            ck_assert_int_eq(add(&t, author, 10 * k, CHAIN_OP_REGISTER, k), 0);
    close_pool(&t);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("mempool");
    tcase_add_test(tc, what_must_not_wait_is_chosen_first_and_sorted_by_author_and_nonce);
    tcase_add_test(tc, a_transaction_is_in_one_batch_and_waits_again_when_its_height_passes_without_it);
    tcase_add_test(tc, one_name_has_one_content);
    tcase_add_test(tc, an_envelope_has_the_class_of_its_least_urgent_operation);
    tcase_add_test(tc, no_author_fills_it_and_the_urgent_displace_the_rest);
    tcase_add_test(tc, operations_and_octets_are_bounded_too);
    tcase_add_test(tc, octets_come_back_as_they_were);
    tcase_add_test(tc, what_grows_old_leaves_and_stalls_nothing);
    tcase_add_test(tc, thousands_of_random_operations_leave_its_lists_and_counts_whole);
    suite_add_tcase(suite, tc);
}
