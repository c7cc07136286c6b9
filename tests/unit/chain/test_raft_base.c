#define SUITE_NAME "chain/raft_base"
#include "tests/unit/check_main.h"

#include "tests/sim/engine_bench.h"

/* Blocks that came from elsewhere tell no term: the one a member knew there before may be that of another entry, which a follower still
 * holds and would take for committed. */

static struct chain_msg append_msg(uint32_t leader, uint64_t term, uint64_t prev, uint64_t prev_term, uint64_t committed, bool entry,
                                   uint8_t *body, size_t cap)
{
    uint8_t batch[64];
    struct chain_cbor_writer w = {.out = body, .cap = cap};
    chain_cbor_put_array(&w, 5);
    chain_cbor_put_uint(&w, 10 * term + prev + entry);
    chain_cbor_put_uint(&w, committed);
    chain_cbor_put_uint(&w, prev_term);
    chain_cbor_put_bool(&w, true);
    chain_cbor_put_array(&w, entry ? 1 : 0);
    if (entry) {
        chain_cbor_put_array(&w, 2);
        chain_cbor_put_uint(&w, term);
        chain_cbor_put_bytes(&w, batch, put_batch(batch, sizeof batch, (int64_t)term));
    }
    return (struct chain_msg){.kind = CHAIN_MSG_RAFT_APPEND, .author = leader, .view = term, .seq = prev, .body = body, .body_len = w.len};
}

static void persist_all(struct bench *b)
{
    struct chain_event event = {.kind = CHAIN_EV_PERSISTED, .persisted_seq = b->out.persist_seq};
    if (b->out.persist_seq > 0)
        ck_assert_int_eq(bench_step(b, &chain_raft_ops, event), 0);
}

START_TEST(a_follower_takes_an_unknown_term_for_nothing_but_what_it_knows_to_be_committed)
{
    uint8_t body[512];
    struct bench *b = bench_new(&chain_raft_ops, 3, 1);
    struct chain_event tick = {.kind = CHAIN_EV_TICK};
    ck_assert_int_eq(bench_step(b, &chain_raft_ops, tick), 0);
    ck_assert_int_eq(bench_receive(b, &chain_raft_ops, append_msg(0, 1, 0, 0, 0, true, body, sizeof body)), 0);
    persist_all(b);
    /* the same leader, which has fetched another block 1 meanwhile */
    ck_assert_int_eq(bench_receive(b, &chain_raft_ops, append_msg(0, 1, 1, 0, 1, true, body, sizeof body)), 0);
    ck_assert_uint_eq(b->out.n_commits, 0);
    persist_all(b);
    ck_assert_uint_eq(bench_stats(b, &chain_raft_ops).committed, 0);
    bench_free(b);
}
END_TEST

START_TEST(a_restart_does_not_make_a_bound_exact)
{
    struct bench *b = bench_new(&chain_raft_ops, 3, 1);
    struct chain_event tick = {.kind = CHAIN_EV_TICK}, synced = {.kind = CHAIN_EV_SYNCED, .height = 3};
    ck_assert_int_eq(bench_step(b, &chain_raft_ops, tick), 0);
    ck_assert_int_eq(bench_step(b, &chain_raft_ops, synced), 0);
    ck_assert_uint_eq(b->out.n_records, 1);
    ck_assert_uint_eq(b->out.records[0].key, 2);
    ck_assert_uint_eq(b->out.records[0].data[b->out.records[0].len - 1], 0xf4); /* exact: false */
    bench_free(b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("raft_base");
    tcase_add_test(tc, a_follower_takes_an_unknown_term_for_nothing_but_what_it_knows_to_be_committed);
    tcase_add_test(tc, a_restart_does_not_make_a_bound_exact);
    suite_add_tcase(suite, tc);
}
