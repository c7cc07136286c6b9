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

static struct pool open_pool(size_t max_txs, size_t per_author)
{
    struct pool t = {.bench = bench_open(4)};
    struct chain_mempool_config cfg = {.max_txs = max_txs, .max_per_author = per_author, .max_age_ns = 10 * MS, .max_own_age_ns = 60 * MS};
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

static int add(struct pool *t, uint32_t author, uint64_t nonce, enum chain_op_kind kind, uint64_t content, int64_t now_ns,
               struct chain_mempool_tx **out)
{
    uint8_t body[CHAIN_MAX_OP_BYTES + 1], octets[CHAIN_MEMPOOL_TX_BYTES];
    struct chain_op op = make_op(kind, content);
    const struct chain_members *members = &t->bench->genesis.members;
    long len = chain_tx_encode(&op, 1, body, sizeof body);
    ck_assert_int_gt(len, 0);
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = author, .seq = nonce, .body = body, .body_len = (size_t)len};
    len = chain_msg_encode(members, &msg, octets, sizeof octets);
    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(chain_msg_decode(members, octets, (size_t)len, &msg, NULL), 0);
    return chain_mempool_add(t->p, &msg, kind, octets, (size_t)len, now_ns, out);
}

START_TEST(what_must_not_wait_comes_first)
{
    struct pool t = open_pool(16, 16);
    ck_assert_int_eq(add(&t, 1, 5, CHAIN_OP_SENSE_COMMIT, 1, 0, NULL), 0);
    ck_assert_int_eq(add(&t, 2, 9, CHAIN_OP_REGISTER, 1, 0, NULL), 0);
    ck_assert_int_eq(add(&t, 1, 7, CHAIN_OP_REGISTER, 2, 0, NULL), 0);
    ck_assert_int_eq(add(&t, 3, 1, CHAIN_OP_EVIDENCE, 1, 0, NULL), 0);
    ck_assert_int_eq(add(&t, 3, 2, CHAIN_OP_HEARTBEAT, 1, 0, NULL), 0);
    ck_assert_int_eq(add(&t, 1, 6, CHAIN_OP_REGISTER, 3, 0, NULL), 0);
    static const struct {
        uint32_t author;
        uint64_t nonce;
    } expected[] = {{3, 2}, {3, 1}, {1, 6}, {1, 7}, {2, 9}, {1, 5}};
    ck_assert_uint_eq(chain_mempool_size(t.p), 6);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_uint_eq(chain_mempool_at(t.p, i)->msg.author, expected[i].author);
        ck_assert_uint_eq(chain_mempool_at(t.p, i)->msg.seq, expected[i].nonce);
    }
    close_pool(&t);
}
END_TEST

START_TEST(one_name_has_one_content)
{
    struct pool t = open_pool(16, 16);
    ck_assert_int_eq(add(&t, 1, 5, CHAIN_OP_REGISTER, 1, 0, NULL), 0);
    ck_assert_int_eq(add(&t, 1, 5, CHAIN_OP_REGISTER, 1, 0, NULL), -EALREADY);
    ck_assert_int_eq(add(&t, 1, 5, CHAIN_OP_REGISTER, 2, 0, NULL), -EEXIST);
    ck_assert_int_eq(add(&t, 1, 5, CHAIN_OP_HEARTBEAT, 1, 0, NULL), -EEXIST); /* in another class, too */
    ck_assert_uint_eq(chain_mempool_size(t.p), 1);
    ck_assert(chain_mempool_remove(t.p, 1, 5));
    ck_assert(!chain_mempool_remove(t.p, 1, 5));
    ck_assert_int_eq(add(&t, 1, 5, CHAIN_OP_HEARTBEAT, 1, 0, NULL), 0);
    close_pool(&t);
}
END_TEST

START_TEST(no_author_fills_it_and_the_urgent_displace_the_rest)
{
    struct pool t = open_pool(8, 4);
    for (uint64_t k = 0; k < 4; k++)
        ck_assert_int_eq(add(&t, 0, k, CHAIN_OP_SENSE_COMMIT, k, 0, NULL), 0);
    ck_assert_int_eq(add(&t, 0, 9, CHAIN_OP_HEARTBEAT, 1, 0, NULL), -ENOBUFS); /* its own quarter */
    for (uint64_t k = 0; k < 4; k++)
        ck_assert_int_eq(add(&t, 1, k, CHAIN_OP_SENSE_COMMIT, k, 0, NULL), 0);
    ck_assert_int_eq(add(&t, 2, 1, CHAIN_OP_SENSE_COMMIT, 1, 0, NULL), -ENOBUFS);
    ck_assert_int_eq(add(&t, 2, 2, CHAIN_OP_HEARTBEAT, 1, 0, NULL), 0);
    ck_assert_uint_eq(chain_mempool_size(t.p), 8);
    ck_assert_uint_eq(chain_mempool_evicted(t.p), 1);
    ck_assert_uint_eq(chain_mempool_at(t.p, 0)->msg.author, 2);
    ck_assert(!chain_mempool_remove(t.p, 1, 3)); /* the last in order went */
    close_pool(&t);
}
END_TEST

START_TEST(what_grows_old_leaves_and_stalls_nothing)
{
    struct pool t = open_pool(8, 8);
    struct chain_mempool_tx *own, *stuck;
    ck_assert_int_eq(chain_mempool_pending_since(t.p), INT64_MAX);
    ck_assert_int_eq(add(&t, 0, 1, CHAIN_OP_REGISTER, 1, 1 * MS, &stuck), 0);
    ck_assert_int_eq(add(&t, 1, 1, CHAIN_OP_REGISTER, 1, 2 * MS, &own), 0);
    own->own = true;
    stuck->executable = false;
    ck_assert_int_eq(chain_mempool_pending_since(t.p), 2 * MS); /* the other one holds nobody up */
    ck_assert_uint_eq(chain_mempool_expire(t.p, 11 * MS - 1), 0);
    ck_assert_int_eq(chain_mempool_expires_at(t.p), 11 * MS);
    ck_assert_uint_eq(chain_mempool_expire(t.p, 11 * MS), 1);
    ck_assert_uint_eq(chain_mempool_size(t.p), 1);
    ck_assert_int_eq(chain_mempool_expires_at(t.p), 62 * MS);
    ck_assert_uint_eq(chain_mempool_expire(t.p, 62 * MS), 1);
    ck_assert_int_eq(chain_mempool_pending_since(t.p), INT64_MAX);
    close_pool(&t);
}
END_TEST

START_TEST(what_the_ledger_used_is_forgotten)
{
    struct pool t = open_pool(8, 8);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_int_eq(add(&t, i, 1, CHAIN_OP_REGISTER, i, 0, NULL), 0);
    uint8_t octets[CHAIN_MEMPOOL_TX_BYTES];
    struct chain_mempool_tx *tx = chain_mempool_at(t.p, 1);
    size_t len = tx->len;
    memcpy(octets, tx->octets, len);
    struct chain_batch_view batch = {.time_ns = T0 + MS, .n_txs = 1};
    batch.txs[0].data = octets;
    batch.txs[0].len = len;
    uint8_t encoded[2048];
    long encoded_len = chain_batch_encode(&batch, encoded, sizeof encoded);
    ck_assert_int_gt(encoded_len, 0);
    struct chain_header header;
    size_t n_events;
    ck_assert_int_eq(chain_ledger_apply(t.bench->ledger, encoded, (size_t)encoded_len, false, &header, t.bench->events,
                                        CHAIN_MAX_LEDGER_EVENTS, &n_events), 0);
    chain_mempool_recheck(t.p, t.bench->ledger);
    ck_assert_uint_eq(chain_mempool_size(t.p), 2);
    ck_assert_uint_eq(chain_mempool_at(t.p, 0)->msg.author, 0);
    ck_assert_uint_eq(chain_mempool_at(t.p, 1)->msg.author, 2);
    close_pool(&t);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("mempool");
    tcase_add_test(tc, what_must_not_wait_comes_first);
    tcase_add_test(tc, one_name_has_one_content);
    tcase_add_test(tc, no_author_fills_it_and_the_urgent_displace_the_rest);
    tcase_add_test(tc, what_grows_old_leaves_and_stalls_nothing);
    tcase_add_test(tc, what_the_ledger_used_is_forgotten);
    suite_add_tcase(suite, tc);
}
