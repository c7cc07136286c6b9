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

/* A short message of another member: an array of numbers and truths. */
static int answer(struct bench *b, uint8_t kind, uint32_t author, uint64_t seq, uint64_t number, int n_truths, const bool truths[2], bool first)
{
    uint8_t body[32];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    chain_cbor_put_array(&w, (size_t)n_truths + 1);
    if (first)
        chain_cbor_put_uint(&w, number);
    for (int i = 0; i < n_truths; i++)
        chain_cbor_put_bool(&w, truths[i]);
    if (!first)
        chain_cbor_put_uint(&w, number);
    uint64_t term = kind == CHAIN_MSG_RAFT_TIMEOUT_NOW ? 1 : 2;
    struct chain_msg msg = {.kind = kind, .author = author, .view = term, .seq = seq, .body = body, .body_len = w.len};
    return bench_receive(b, &chain_raft_ops, msg);
}

/* Figure 8 of the paper: an entry of an older term that a majority holds may still be overwritten, until one of the leader's own is there. */
START_TEST(an_entry_of_an_older_term_commits_only_below_one_of_the_leaders_own)
{
    static const bool granted[2][2] = {{true, true}, {false, true}}, plain[2] = {false, false};
    uint8_t body[512];
    struct bench *b = bench_new(&chain_raft_ops, 5, 0);
    struct chain_event tick = {.kind = CHAIN_EV_TICK};
    ck_assert_int_eq(bench_step(b, &chain_raft_ops, tick), 0);
    ck_assert_int_eq(bench_receive(b, &chain_raft_ops, append_msg(1, 1, 0, 0, 0, true, body, sizeof body)), 0);
    persist_all(b);
    ck_assert_int_eq(answer(b, CHAIN_MSG_RAFT_TIMEOUT_NOW, 1, 1, 100, 0, plain, true), 0); /* 1 hands over */
    persist_all(b);
    for (int round = 0; round < 2; round++) { /* pre-votes, then votes */
        for (uint32_t i = 2; i <= 3; i++)
            ck_assert_int_eq(answer(b, CHAIN_MSG_RAFT_VOTE_REPLY, i, 0, round == 0 ? (uint64_t)b->now_ns : 0, 2, granted[round], false), 0);
        persist_all(b);
    }
    ck_assert(bench_stats(b, &chain_raft_ops).is_leader);
    persist_all(b);
    for (uint32_t i = 2; i <= 3; i++) {
        ck_assert_int_eq(answer(b, CHAIN_MSG_RAFT_APPEND_REPLY, i, 1, 1, 2, plain, true), 0); /* they hold the old entry */
        ck_assert_uint_eq(b->out.n_commits, 0);
    }
    size_t n_commits = 0;
    for (uint32_t i = 2; i <= 3; i++) {
        ck_assert_int_eq(answer(b, CHAIN_MSG_RAFT_APPEND_REPLY, i, 2, 1, 2, plain, true), 0); /* and ours */
        n_commits += b->out.n_commits;
    }
    ck_assert_uint_eq(n_commits, 2);
    bench_free(b);
}
END_TEST

/* What it forgot may be counted against its own vote; and what it is told then may be more than it holds itself. */
START_TEST(a_candidate_counts_its_own_vote_once_nothing_that_it_lost_can_count_and_its_log_is_as_long_as_what_it_is_told)
{
    static const bool granted[2][2] = {{true, true}, {false, true}};
    struct bench *b = bench_new(&chain_raft_ops, 5, 0);
    struct chain_event tick = {.kind = CHAIN_EV_TICK}, voter = {.kind = CHAIN_EV_VOTER, .floor = {.term = 1, .lost_counts = true}};
    ck_assert_int_eq(bench_step(b, &chain_raft_ops, voter), 0);
    persist_all(b);
    b->now_ns += MS(900);
    ck_assert_int_eq(bench_step(b, &chain_raft_ops, tick), 0);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 1; i <= 2; i++)
            ck_assert_int_eq(answer(b, CHAIN_MSG_RAFT_VOTE_REPLY, i, 0, round == 0 ? (uint64_t)b->now_ns : 0, 2, granted[round], false), 0);
        persist_all(b);
    }
    ck_assert_uint_eq(bench_stats(b, &chain_raft_ops).view, 2);
    ck_assert(!bench_stats(b, &chain_raft_ops).is_leader);
    uint64_t log = _i == 0 ? 0 : 1;
    voter = (struct chain_event){.kind = CHAIN_EV_VOTER, .floor = {.log_term = log, .log_index = log}};
    ck_assert_int_eq(bench_step(b, &chain_raft_ops, voter), 0);
    ck_assert_int_eq(bench_stats(b, &chain_raft_ops).is_leader, _i == 0);
    if (_i == 1)
        ck_assert_int_eq(answer(b, CHAIN_MSG_RAFT_VOTE_REPLY, 3, 0, 0, 2, granted[1], false), -EBADMSG); /* it does not stand any more */
    bench_free(b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("raft_base");
    tcase_add_test(tc, a_follower_takes_an_unknown_term_for_nothing_but_what_it_knows_to_be_committed);
    tcase_add_test(tc, a_restart_does_not_make_a_bound_exact);
    tcase_add_test(tc, an_entry_of_an_older_term_commits_only_below_one_of_the_leaders_own);
    tcase_add_loop_test(tc, a_candidate_counts_its_own_vote_once_nothing_that_it_lost_can_count_and_its_log_is_as_long_as_what_it_is_told, 0, 2);
    suite_add_tcase(suite, tc);
}
