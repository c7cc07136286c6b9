#define SUITE_NAME "chain/engine"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <stddef.h>

#include "chain/cbor.h"
#include "chain/pbft.h"
#include "tests/sim/engine_bench.h"

static const struct chain_engine_ops *const engines[] = {&chain_raft_ops, &chain_pbft_ops};

START_TEST(an_engine_is_found_by_its_name)
{
    ck_assert_ptr_eq(chain_engine_find("raft"), &chain_raft_ops);
    ck_assert_ptr_eq(chain_engine_find("pbft"), &chain_pbft_ops);
    ck_assert_ptr_null(chain_engine_find("paxos"));
    ck_assert(!chain_raft_ops.byzantine && chain_pbft_ops.byzantine);
}
END_TEST

START_TEST(a_configuration_that_cannot_work_is_refused_by_the_name_of_its_field)
{
    const struct chain_engine_ops *ops = engines[_i];
    struct bench *b = bench_new(ops, 4, 0);
    const char *bad = NULL;
    struct chain_engine *engine;
    size_t len = ops->bytes(&b->node.cfg);
    struct chain_engine_config cfg = b->node.cfg;
    cfg.self = 4;
    ck_assert_int_eq(ops->init(b->node.mem, len, &cfg, &engine, &bad), -EINVAL);
    ck_assert_str_eq(bad, "self");
    cfg = b->node.cfg;
    cfg.timeout_ns = cfg.heartbeat_ns;
    ck_assert_int_eq(ops->init(b->node.mem, len, &cfg, &engine, &bad), -EINVAL);
    ck_assert_str_eq(bad, "timeout_ns");
    cfg = b->node.cfg;
    cfg.timeout_max_ns = cfg.timeout_ns - 1;
    ck_assert_int_eq(ops->init(b->node.mem, len, &cfg, &engine, &bad), -EINVAL);
    ck_assert_str_eq(bad, "timeout_max_ns");
    ck_assert_int_eq(ops->init(b->node.mem, len - 1, &b->node.cfg, &engine, &bad), -ENOSPC);
    bench_free(b);
}
END_TEST

START_TEST(octets_that_are_no_body_are_refused_and_counted)
{
    const struct chain_engine_ops *ops = engines[_i];
    static const uint8_t kinds[] = {16, 17, 18, 19, 35, 36, 39, 99};
    struct bench *b = bench_new(ops, 4, 2);
    uint8_t body[64];
    for (uint64_t k = 0; k < 2000; k++) {
        uint64_t before = bench_stats(b, ops).refused_malformed + bench_stats(b, ops).refused_stale;
        crypto_generichash(body, sizeof body, (const uint8_t *)&k, sizeof k, NULL, 0);
        struct chain_msg msg = {.kind = kinds[k % sizeof kinds], .author = 1, .view = 1, .seq = 1, .body = body, .body_len = 1 + k % 64};
        ck_assert_int_eq(bench_receive(b, ops, msg), -EBADMSG);
        ck_assert_uint_eq(bench_stats(b, ops).refused_malformed + bench_stats(b, ops).refused_stale, before + 1);
    }
    ck_assert_uint_eq(bench_stats(b, ops).committed, 0);
    bench_free(b);
}
END_TEST

START_TEST(a_second_proposal_and_a_second_vote_of_one_author_are_refused_and_counted)
{
    struct bench *b = bench_new(&chain_pbft_ops, 4, 2);
    uint8_t one[64], other[64];
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = 0, .seq = 1, .body = one, .body_len = put_batch(one, sizeof one, 1)};
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, msg), 0);
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, msg), 0); /* the same again is a duplicate */
    msg.body = other;
    msg.body_len = put_batch(other, sizeof other, 2);
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, msg), 0); /* refused, and told */
    ck_assert_uint_eq(b->out.n_msgs + b->out.n_records, 0);
    ck_assert_uint_eq(b->out.n_proofs, 1);
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, msg), -EBADMSG); /* once */
    ck_assert_uint_eq(bench_stats(b, &chain_pbft_ops).equivocations, 2);
    struct chain_msg vote = {.kind = CHAIN_MSG_PBFT_PREPARE, .author = 1, .seq = 1, .digest = {{1}}};
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, vote), 0);
    vote.digest.octets[0] = 2;
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, vote), 0);
    ck_assert_uint_eq(b->out.n_proofs, 1);
    const struct chain_equivocation *proof = &b->out.proofs[0];
    ck_assert(proof->kind == CHAIN_MSG_PBFT_PREPARE && proof->author == 1 && proof->view == 0 && proof->seq == 1);
    for (size_t i = 0; i < 2; i++) {
        struct chain_msg said = {.kind = proof->kind, .author = 1, .seq = 1, .digest = proof->digest[i]};
        memcpy(said.sig, proof->sig[i], sizeof said.sig);
        ck_assert_int_eq(verify_fast(NULL, &b->members, &said), 0);
        ck_assert_uint_eq(proof->digest[i].octets[0], 1 + i);
    }
    ck_assert_uint_eq(bench_stats(b, &chain_pbft_ops).equivocations, 3);
    bench_free(b);
}
END_TEST

START_TEST(a_vote_is_written_in_the_same_update_and_leaves_after_it)
{
    struct bench *b = bench_new(&chain_pbft_ops, 4, 2);
    uint8_t batch[64];
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = 0, .seq = 1, .body = batch, .body_len = put_batch(batch, sizeof batch, 1)};
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, msg), 0);
    ck_assert_uint_eq(b->out.n_msgs, 1);
    ck_assert_uint_eq(b->out.msgs[0].msg.kind, CHAIN_MSG_PBFT_PREPARE);
    ck_assert(b->out.msgs[0].after_persist);
    ck_assert_uint_gt(b->out.n_records, 0);
    ck_assert_uint_eq(b->out.persist_seq, 1);
    /* until it is on disk nothing goes out again, however long that takes */
    b->now_ns += MS(300);
    struct chain_event tick = {.kind = CHAIN_EV_TICK, .now_ns = b->now_ns};
    ck_assert_int_eq(chain_pbft_ops.step(b->engine, &tick, &b->out), 0);
    ck_assert_uint_eq(b->out.n_msgs, 0);
    struct chain_event persisted = {.kind = CHAIN_EV_PERSISTED, .now_ns = b->now_ns, .persisted_seq = 1};
    ck_assert_int_eq(chain_pbft_ops.step(b->engine, &persisted, &b->out), 0);
    ck_assert_uint_ge(b->out.n_msgs, 1);
    ck_assert_uint_eq(b->out.msgs[0].msg.kind, CHAIN_MSG_PBFT_PREPARE);
    bench_free(b);
}
END_TEST

START_TEST(a_batch_that_cannot_be_judged_yet_is_kept_and_one_that_is_bad_is_refused)
{
    struct bench *b = bench_new(&chain_pbft_ops, 4, 2);
    uint8_t batch[64];
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = 0, .seq = 1, .body = batch, .body_len = put_batch(batch, sizeof batch, 1)};
    b->verdict = -EAGAIN;
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, msg), 0);
    ck_assert_uint_eq(b->out.n_msgs, 0);
    b->verdict = 0;
    struct chain_event tick = {.kind = CHAIN_EV_TICK, .now_ns = b->now_ns};
    ck_assert_int_eq(chain_pbft_ops.step(b->engine, &tick, &b->out), 0);
    ck_assert_uint_eq(b->out.n_msgs, 1);
    bench_free(b);
    b = bench_new(&chain_pbft_ops, 4, 2);
    b->verdict = -EINVAL;
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, msg), 0);
    ck_assert_uint_eq(b->out.n_msgs, 0);
    ck_assert_uint_eq(bench_stats(b, &chain_pbft_ops).refused_batch, 1);
    b->verdict = 0;
    ck_assert_int_eq(chain_pbft_ops.step(b->engine, &tick, &b->out), 0);
    ck_assert_uint_eq(b->out.n_msgs, 0); /* refused stays refused */
    bench_free(b);
}
END_TEST

START_TEST(a_proof_with_too_few_or_foreign_signatures_commits_nothing)
{
    struct bench *b = bench_new(&chain_pbft_ops, 4, 2);
    static struct pbft_cert cert;
    static uint8_t body[4096];
    uint8_t batch[64];
    size_t len = put_batch(batch, sizeof batch, 1);
    cert = (struct pbft_cert){.have = true, .height = 1};
    ck_assert_int_eq(chain_batch_digest(&b->members, batch, len, &cert.digest), 0);
    for (int round = 0; round < 4; round++) {
        cert.signers[PBFT_COMMITTED] = round == 0 ? 3 : round == 1 ? 1 << 4 | 3 : 7; /* too few, a stranger, three members */
        for (uint32_t i = 0; i < 5; i++) {
            struct chain_msg vote = {.kind = CHAIN_MSG_PBFT_COMMIT, .author = i, .seq = 1, .digest = cert.digest};
            sign_fast(NULL, &b->members, &vote);
            memcpy(cert.sigs[i], vote.sig, sizeof vote.sig);
        }
        if (round == 2)
            cert.sigs[1][0] ^= 1;
        struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
        chain_cbor_put_array(&w, 2);
        chain_pbft_cert_put(&w, &cert);
        chain_cbor_put_bytes(&w, batch, len);
        struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PROOF, .author = 1, .seq = 1, .body = body, .body_len = w.len};
        int rc = bench_receive(b, &chain_pbft_ops, msg);
        ck_assert_uint_eq(bench_stats(b, &chain_pbft_ops).committed, round == 3);
        ck_assert_int_eq(rc, round == 3 ? 0 : -EBADMSG);
    }
    bench_free(b);
}
END_TEST

static size_t put_append(uint8_t *out, size_t cap, uint64_t counter)
{
    struct chain_cbor_writer w = {.out = out, .cap = cap};
    chain_cbor_put_array(&w, 5);
    chain_cbor_put_uint(&w, counter);
    chain_cbor_put_uint(&w, 0);
    chain_cbor_put_uint(&w, 0);
    chain_cbor_put_bool(&w, false);
    chain_cbor_put_array(&w, 0);
    return w.len;
}

START_TEST(only_a_higher_counter_of_the_leader_resets_the_election_timer)
{
    struct bench *b = bench_new(&chain_raft_ops, 3, 2);
    uint8_t body[64];
    struct chain_msg msg = {.kind = CHAIN_MSG_RAFT_APPEND, .author = 0, .view = 1, .body = body, .body_len = put_append(body, sizeof body, 5)};
    ck_assert_int_eq(bench_receive(b, &chain_raft_ops, msg), 0);
    int64_t first_ns = chain_raft_ops.deadline(b->engine);
    b->now_ns += MS(300);
    ck_assert_int_eq(bench_receive(b, &chain_raft_ops, msg), -EBADMSG);
    ck_assert_uint_eq(bench_stats(b, &chain_raft_ops).refused_stale, 1);
    ck_assert_int_eq(chain_raft_ops.deadline(b->engine), first_ns); /* a replay */
    msg.body_len = put_append(body, sizeof body, 6);
    ck_assert_int_eq(bench_receive(b, &chain_raft_ops, msg), 0);
    ck_assert_int_ge(chain_raft_ops.deadline(b->engine), b->now_ns + MS(400));
    bench_free(b);
}
END_TEST

START_TEST(a_raft_leader_counts_its_own_ack_only_once_it_is_on_disk)
{
    struct bench *b = bench_new(&chain_raft_ops, 1, 0);
    struct chain_event event = {.kind = CHAIN_EV_TICK, .now_ns = b->now_ns};
    ck_assert_int_eq(chain_raft_ops.step(b->engine, &event, &b->out), 0);
    event.now_ns = b->now_ns = chain_raft_ops.deadline(b->engine);
    ck_assert_int_eq(chain_raft_ops.step(b->engine, &event, &b->out), 0);
    ck_assert(bench_stats(b, &chain_raft_ops).is_leader);
    uint8_t batch[64];
    event.kind = CHAIN_EV_PROPOSE;
    event.propose.batch = batch;
    event.propose.len = put_batch(batch, sizeof batch, 1);
    ck_assert_int_eq(chain_raft_ops.step(b->engine, &event, &b->out), 0);
    ck_assert_uint_eq(b->out.n_commits, 0);
    event = (struct chain_event){.kind = CHAIN_EV_PERSISTED, .now_ns = b->now_ns, .persisted_seq = b->out.persist_seq};
    ck_assert_int_eq(chain_raft_ops.step(b->engine, &event, &b->out), 0);
    ck_assert_uint_eq(b->out.n_commits, 1);
    ck_assert_uint_eq(b->out.commits[0].height, 1);
    bench_free(b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("engine");
    tcase_add_test(tc, an_engine_is_found_by_its_name);
    tcase_add_loop_test(tc, a_configuration_that_cannot_work_is_refused_by_the_name_of_its_field, 0, 2);
    tcase_add_loop_test(tc, octets_that_are_no_body_are_refused_and_counted, 0, 2);
    tcase_add_test(tc, a_second_proposal_and_a_second_vote_of_one_author_are_refused_and_counted);
    tcase_add_test(tc, a_vote_is_written_in_the_same_update_and_leaves_after_it);
    tcase_add_test(tc, a_batch_that_cannot_be_judged_yet_is_kept_and_one_that_is_bad_is_refused);
    tcase_add_test(tc, a_proof_with_too_few_or_foreign_signatures_commits_nothing);
    tcase_add_test(tc, only_a_higher_counter_of_the_leader_resets_the_election_timer);
    tcase_add_test(tc, a_raft_leader_counts_its_own_ack_only_once_it_is_on_disk);
    suite_add_tcase(suite, tc);
}
