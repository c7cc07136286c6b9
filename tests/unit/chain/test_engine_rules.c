#define SUITE_NAME "chain/engine rules"
#include "tests/unit/check_main.h"

#include <errno.h>

#include "chain/cbor.h"
#include "chain/pbft.h"
#include "chain/raft.h"
#include "tests/sim/engine_bench.h"

static const struct chain_engine_ops *const raft = &chain_raft_ops, *const pbft = &chain_pbft_ops;

/* ---- what a new PBFT view starts from */

START_TEST(the_certificate_of_the_highest_view_is_what_a_new_view_proposes_again)
{
    struct bench *b = bench_new(pbft, 4, 0);
    struct pbft_claim claims[3] = {{.author = 0, .committed = 5, .n_certs = 1},
                                   {.author = 1, .committed = 5, .n_certs = 1},
                                   {.author = 2, .committed = 4}};
    struct pbft_choice choice;
    uint32_t offender;
    claims[0].certs[0].height = claims[1].certs[0].height = 6;
    claims[0].certs[0].view = 2;
    claims[1].certs[0].view = 3;
    claims[1].certs[0].digest.octets[0] = 7;
    for (int swapped = 0; swapped < 2; swapped++) {
        ck_assert(chain_pbft_choose((struct pbft *)b->engine, claims, 3, &choice, &offender));
        ck_assert_uint_eq(choice.low, 5);
        ck_assert(choice.required[0].have && !choice.required[1].have);
        ck_assert_uint_eq(choice.required[0].digest.octets[0], 7);
        struct pbft_claim first = claims[0];
        claims[0] = claims[1];
        claims[1] = first;
    }
    bench_free(b);
}
END_TEST

START_TEST(a_claim_that_leaves_open_what_was_committed_decides_nothing)
{
    struct bench *b = bench_new(pbft, 4, 0);
    struct pbft_claim claims[3] = {{.author = 0, .base = 5, .committed = 5}, {.author = 1, .committed = 4}, {.author = 2, .committed = 4}};
    struct pbft_choice choice;
    uint32_t offender = 9;
    ck_assert(!chain_pbft_choose((struct pbft *)b->engine, claims, 3, &choice, &offender));
    ck_assert_uint_eq(offender, 0);
    claims[0].base = 4; /* it shows what it committed */
    claims[0].n_certs = 1;
    claims[0].certs[0].height = 5;
    ck_assert(chain_pbft_choose((struct pbft *)b->engine, claims, 3, &choice, &offender));
    ck_assert_uint_eq(choice.low, 4);
    ck_assert(choice.required[0].have);
    claims[0].committed = claims[0].base = 1000; /* a boast */
    ck_assert(!chain_pbft_choose((struct pbft *)b->engine, claims, 3, &choice, &offender));
    bench_free(b);
}
END_TEST

START_TEST(a_height_that_nobody_shows_below_one_that_somebody_shows_is_proposed_empty)
{
    struct bench *b = bench_new(pbft, 4, 0);
    struct pbft_claim claims[3] = {{.author = 0, .committed = 4, .n_certs = 1}, {.author = 1, .committed = 4}, {.author = 2, .committed = 4}};
    struct pbft_choice choice;
    struct chain_hash empty;
    uint32_t offender;
    claims[0].certs[0].height = 7;
    ck_assert_int_eq(chain_msg_digest(&b->members, CHAIN_MSG_PBFT_PRE_PREPARE, NULL, 0, &empty), 0);
    ck_assert(chain_pbft_choose((struct pbft *)b->engine, claims, 3, &choice, &offender));
    for (size_t i = 0; i < CHAIN_WINDOW; i++)
        ck_assert(choice.required[i].have == (i < 3));
    ck_assert_mem_eq(choice.required[0].digest.octets, empty.octets, sizeof empty.octets);
    ck_assert_mem_eq(choice.required[1].digest.octets, empty.octets, sizeof empty.octets);
    bench_free(b);
}
END_TEST

START_TEST(a_member_that_left_a_view_votes_in_it_no_more_after_a_restart)
{
    struct bench *b = bench_new(pbft, 4, 2);
    uint8_t batch[64];
    uint8_t idle[] = {0x83, 0, 0, 0x80}; /* a claim: nothing committed, nothing prepared */
    for (uint32_t author = 1; author <= 3; author += 2) {
        struct chain_msg change = {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .author = author, .view = 1, .body = idle, .body_len = sizeof idle};
        ck_assert_int_eq(bench_receive(b, pbft, change), 0);
    }
    ck_assert_uint_eq(bench_stats(b, pbft).view, 1);
    ck_assert_uint_gt(b->out.n_records, 0);
    bench_restart(b, pbft);
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = 0, .seq = 1, .body = batch, .body_len = put_batch(batch, sizeof batch, 1)};
    ck_assert_int_eq(bench_receive(b, pbft, msg), -EBADMSG);
    ck_assert_uint_eq(b->out.n_msgs, 0);
    ck_assert_uint_eq(bench_stats(b, pbft).view, 1);
    bench_free(b);
}
END_TEST

START_TEST(strict_votes_send_every_prepare_and_still_commit)
{
    struct cluster_config cfg = calm_config(pbft, 3, 1);
    cfg.strict_votes = true;
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    uint64_t before = c->n_sent;
    commit_in_turn(c, 1, MS(500));
    cluster_run(c, c->now_ns + MS(2));
    ck_assert_uint_eq(c->n_sent - before, 6);
    cluster_free(c);
}
END_TEST

/* ---- Raft */

static struct chain_msg make_vote(uint8_t *body, size_t cap, uint32_t author, uint64_t term, uint64_t last_index, uint64_t last_term, bool pre)
{
    struct chain_cbor_writer w = {.out = body, .cap = cap};
    chain_cbor_put_array(&w, 4);
    chain_cbor_put_bool(&w, pre);
    chain_cbor_put_bool(&w, false);
    chain_cbor_put_uint(&w, last_term);
    chain_cbor_put_uint(&w, 0);
    return (struct chain_msg){.kind = CHAIN_MSG_RAFT_VOTE, .author = author, .view = term, .seq = last_index, .body = body, .body_len = w.len};
}

static struct chain_msg make_grant(uint8_t *body, size_t cap, uint32_t author, uint64_t term, bool pre, uint64_t round)
{
    struct chain_cbor_writer w = {.out = body, .cap = cap};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_bool(&w, pre);
    chain_cbor_put_bool(&w, true);
    chain_cbor_put_uint(&w, round);
    return (struct chain_msg){.kind = CHAIN_MSG_RAFT_VOTE_REPLY, .author = author, .view = term, .body = body, .body_len = w.len};
}

/* One entry of term after prev. */
static struct chain_msg make_append(uint8_t *body, size_t cap, uint32_t author, uint64_t term, uint64_t prev, uint64_t entry_term)
{
    struct chain_cbor_writer w = {.out = body, .cap = cap};
    chain_cbor_put_array(&w, 5);
    chain_cbor_put_uint(&w, 1);
    chain_cbor_put_uint(&w, 0);
    chain_cbor_put_uint(&w, 0);
    chain_cbor_put_bool(&w, true);
    chain_cbor_put_array(&w, 1);
    chain_cbor_put_array(&w, 2);
    chain_cbor_put_uint(&w, entry_term);
    chain_cbor_put_bytes(&w, NULL, 0);
    return (struct chain_msg){.kind = CHAIN_MSG_RAFT_APPEND, .author = author, .view = term, .seq = prev, .body = body, .body_len = w.len};
}

START_TEST(a_vote_once_given_is_not_given_to_another_after_a_restart)
{
    struct bench *b = bench_new(raft, 3, 2);
    uint8_t body[32];
    ck_assert_int_eq(bench_receive(b, raft, make_vote(body, sizeof body, 0, 1, 0, 0, false)), 0);
    ck_assert_uint_eq(b->out.n_msgs, 1);
    ck_assert(b->out.msgs[0].after_persist);
    bench_restart(b, raft);
    ck_assert_int_eq(bench_receive(b, raft, make_vote(body, sizeof body, 1, 1, 0, 0, false)), 0);
    ck_assert_uint_eq(b->out.n_msgs, 0);
    ck_assert_int_eq(bench_receive(b, raft, make_vote(body, sizeof body, 0, 1, 0, 0, false)), 0);
    ck_assert_uint_eq(b->out.n_msgs, 1); /* the same candidate may ask again */
    bench_free(b);
}
END_TEST

static void persist(struct bench *b)
{
    struct chain_event event = {.kind = CHAIN_EV_PERSISTED, .persisted_seq = b->out.persist_seq};
    if (b->out.persist_seq > 0)
        ck_assert_int_eq(bench_step(b, raft, event), 0);
}

/* b, a follower, runs out of patience and is elected for term by member 1. */
static void get_elected(struct bench *b, uint64_t term)
{
    uint8_t body[32];
    b->now_ns = raft->deadline(b->engine);
    ck_assert_int_eq(bench_step(b, raft, (struct chain_event){.kind = CHAIN_EV_TICK}), 0);
    ck_assert_int_eq(bench_receive(b, raft, make_grant(body, sizeof body, 1, term, true, (uint64_t)b->now_ns)), 0);
    persist(b);
    ck_assert_int_eq(bench_receive(b, raft, make_grant(body, sizeof body, 1, term, false, 0)), 0);
    ck_assert(bench_stats(b, raft).is_leader);
}

static int acknowledge(struct bench *b, uint32_t author, uint64_t term, uint64_t match)
{
    uint8_t body[8];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, 1);
    chain_cbor_put_bool(&w, false);
    chain_cbor_put_bool(&w, false);
    return bench_receive(b, raft, (struct chain_msg){.kind = CHAIN_MSG_RAFT_APPEND_REPLY, .author = author, .view = term, .seq = match,
                                                     .body = body, .body_len = w.len});
}

START_TEST(an_entry_of_an_older_term_commits_only_with_one_of_the_own_term)
{
    struct bench *b = bench_new(raft, 3, 2);
    uint8_t body[64];
    ck_assert_int_eq(bench_receive(b, raft, make_append(body, sizeof body, 0, 1, 0, 1)), 0);
    persist(b);
    get_elected(b, 2);
    persist(b);
    ck_assert_int_eq(acknowledge(b, 1, 2, 1), 0); /* a majority holds it, and it may still be lost (figure 8 of the paper) */
    ck_assert_uint_eq(b->out.n_commits, 0);
    ck_assert_int_eq(acknowledge(b, 1, 2, 2), 0);
    ck_assert_uint_eq(b->out.n_commits, 2);
    bench_free(b);
}
END_TEST

START_TEST(a_leader_that_took_blocks_from_elsewhere_hands_on_no_entry_from_below_them)
{
    struct bench *b = bench_new(raft, 3, 2);
    uint8_t body[64];
    ck_assert_int_eq(bench_receive(b, raft, make_append(body, sizeof body, 0, 1, 0, 1)), 0); /* never committed */
    persist(b);
    ck_assert_int_eq(bench_step(b, raft, (struct chain_event){.kind = CHAIN_EV_SYNCED, .height = 1}), 0);
    persist(b);
    get_elected(b, 2);
    persist(b);
    ck_assert_int_eq(acknowledge(b, 1, 2, 0), 0);
    for (size_t i = 0; i < b->out.n_msgs; i++)
        ck_assert(b->out.msgs[i].msg.kind != CHAIN_MSG_RAFT_APPEND || b->out.msgs[i].msg.seq >= 1);
    const struct raft *m = (const struct raft *)b->engine;
    ck_assert_uint_eq(m->base_index, 1);
    bench_free(b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("rules");
    tcase_add_test(tc, the_certificate_of_the_highest_view_is_what_a_new_view_proposes_again);
    tcase_add_test(tc, a_claim_that_leaves_open_what_was_committed_decides_nothing);
    tcase_add_test(tc, a_height_that_nobody_shows_below_one_that_somebody_shows_is_proposed_empty);
    tcase_add_test(tc, a_member_that_left_a_view_votes_in_it_no_more_after_a_restart);
    tcase_add_test(tc, strict_votes_send_every_prepare_and_still_commit);
    tcase_add_test(tc, a_vote_once_given_is_not_given_to_another_after_a_restart);
    tcase_add_test(tc, an_entry_of_an_older_term_commits_only_with_one_of_the_own_term);
    tcase_add_test(tc, a_leader_that_took_blocks_from_elsewhere_hands_on_no_entry_from_below_them);
    suite_add_tcase(suite, tc);
}
