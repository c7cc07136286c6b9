#define SUITE_NAME "chain/pbft_proofs"
#include "tests/unit/check_main.h"

#include "chain/cbor.h"
#include "chain/pbft.h"
#include "tests/sim/engine_bench.h"

/* What counts as proof: so many distinct members, and under strict votes no COMMIT for a PREPARE. */

static void restart_strict(struct bench *b)
{
    b->node.cfg.strict_votes = true;
    ck_assert_int_eq(chain_pbft_ops.init(b->node.mem, chain_pbft_ops.bytes(&b->node.cfg), &b->node.cfg, &b->engine, NULL), 0);
}

static struct chain_hash propose(struct bench *b)
{
    uint8_t batch[64];
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = 0, .seq = 1, .body = batch, .body_len = put_batch(batch, sizeof batch, 1)};
    struct chain_hash digest;
    ck_assert_int_eq(chain_msg_digest(&b->members, msg.kind, msg.body, msg.body_len, &digest), 0);
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, msg), 0);
    return digest;
}

static size_t commit_by(struct bench *b, const struct chain_hash *digest, uint32_t author)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_COMMIT, .author = author, .seq = 1, .digest = *digest};
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, msg), 0);
    return b->out.n_commits;
}

START_TEST(under_strict_votes_a_quorum_of_commits_waits_for_the_prepares)
{
    for (int strict = 0; strict < 2; strict++) {
        struct bench *b = bench_new(&chain_pbft_ops, 4, 1);
        if (strict)
            restart_strict(b);
        struct chain_hash digest = propose(b);
        size_t n_commits = commit_by(b, &digest, 0) + commit_by(b, &digest, 2) + commit_by(b, &digest, 3);
        ck_assert_uint_eq(n_commits, strict ? 0 : 1);
        struct chain_msg prepare = {.kind = CHAIN_MSG_PBFT_PREPARE, .author = 2, .seq = 1, .digest = digest};
        if (strict) {
            ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, prepare), 0);
            ck_assert_uint_eq(b->out.n_commits, 1);
        }
        bench_free(b);
    }
}
END_TEST

/* Whoever crashes forgets a COMMIT that was not on its disk, while a client may have been told. */
START_TEST(the_own_commit_counts_once_it_is_on_disk)
{
    struct bench *b = bench_new(&chain_pbft_ops, 4, 1);
    struct chain_hash digest = propose(b);
    ck_assert(b->out.hurry);
    ck_assert_uint_eq(commit_by(b, &digest, 2), 0);
    ck_assert(b->out.n_records > 0 && b->out.hurry);
    struct chain_event persisted = {.kind = CHAIN_EV_PERSISTED, .persisted_seq = b->out.persist_seq - 1};
    ck_assert_uint_eq(commit_by(b, &digest, 0), 0);
    ck_assert_int_eq(bench_step(b, &chain_pbft_ops, persisted), 0);
    ck_assert_uint_eq(b->out.n_commits, 0);
    persisted.persisted_seq++;
    ck_assert_int_eq(bench_step(b, &chain_pbft_ops, persisted), 0);
    ck_assert_uint_eq(b->out.n_commits, 1);
    ck_assert(b->out.n_records > 0 && !b->out.hurry); /* the proof for others, which no message of ours waits for */
    bench_free(b);
}
END_TEST

static void put_sig(const struct bench *b, struct chain_msg msg, uint8_t *out)
{
    sign_fast(NULL, &b->members, &msg);
    memcpy(out, msg.sig, CHAIN_SIG_BYTES);
}

/* A VIEW-CHANGE of member 3 that shows height 1 prepared by the primary, by 2, and with n = 3 by 3 as well; signature number `spoilt` is none. */
static int show_prepared(struct bench *b, uint32_t n, uint32_t spoilt)
{
    uint8_t body[512], sigs[3 * CHAIN_SIG_BYTES];
    struct chain_hash digest = {{7}};
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    struct chain_msg word = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = 0, .seq = 1, .digest = digest};
    put_sig(b, word, sigs);
    word.kind = CHAIN_MSG_PBFT_PREPARE;
    for (uint32_t i = 1; i < n; i++) {
        word.author = i + 1;
        put_sig(b, word, sigs + (size_t)i * CHAIN_SIG_BYTES);
    }
    if (spoilt < n)
        sigs[spoilt * CHAIN_SIG_BYTES] ^= 1;
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, 0);
    chain_cbor_put_uint(&w, 0);
    chain_cbor_put_array(&w, 1);
    chain_cbor_put_array(&w, 7);
    chain_cbor_put_uint(&w, 0);
    chain_cbor_put_uint(&w, 1);
    chain_cbor_put_bytes(&w, digest.octets, sizeof digest.octets);
    chain_cbor_put_uint(&w, 1);
    chain_cbor_put_uint(&w, n == 3 ? 0xc : 0x4);
    chain_cbor_put_uint(&w, 0);
    chain_cbor_put_bytes(&w, sigs, n * CHAIN_SIG_BYTES);
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .author = 3, .view = 1, .body = body, .body_len = w.len};
    return bench_receive(b, &chain_pbft_ops, msg);
}

START_TEST(a_certificate_of_fewer_than_a_quorum_proves_nothing)
{
    struct bench *b = bench_new(&chain_pbft_ops, 4, 1);
    ck_assert_int_eq(show_prepared(b, 2, 2), -EBADMSG);
    ck_assert_uint_eq(bench_stats(b, &chain_pbft_ops).refused_malformed, 1);
    ck_assert_int_eq(show_prepared(b, 3, 3), 0);
    bench_free(b);
}
END_TEST

START_TEST(a_certificate_with_a_signature_that_is_none_proves_nothing)
{
    struct bench *b = bench_new(&chain_pbft_ops, 4, 1);
    for (uint32_t spoilt = 0; spoilt < 3; spoilt++)
        ck_assert_int_eq(show_prepared(b, 3, spoilt), -EBADMSG);
    ck_assert_int_eq(show_prepared(b, 3, 3), 0);
    bench_free(b);
}
END_TEST

static struct chain_msg make_proposal(uint8_t *batch, size_t cap, int64_t time_ns)
{
    return (struct chain_msg){.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = 0, .seq = 2, .body = batch, .body_len = put_batch(batch, cap, time_ns)};
}

/* That 0, 2 and 3 committed to it at height 2, without the batch. */
static int prove_commit(struct bench *b, const struct chain_msg *proposal)
{
    uint8_t body[512];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    struct pbft_cert cert = {.have = true, .height = 2, .signers = {[PBFT_COMMITTED] = 0xd}};
    ck_assert_int_eq(chain_msg_digest(&b->members, proposal->kind, proposal->body, proposal->body_len, &cert.digest), 0);
    for (uint32_t i = 0; i < 4; i++)
        put_sig(b, (struct chain_msg){.kind = CHAIN_MSG_PBFT_COMMIT, .author = i, .seq = 2, .digest = cert.digest}, cert.sigs[i]);
    chain_cbor_put_array(&w, 2);
    chain_pbft_cert_put(&w, &cert);
    chain_cbor_put_null(&w);
    return bench_receive(b, &chain_pbft_ops, (struct chain_msg){.kind = CHAIN_MSG_PBFT_PROOF, .author = 2, .seq = 2, .body = body, .body_len = w.len});
}

static bool hears_prepare(const struct bench *b)
{
    for (size_t i = 0; i < b->out.n_msgs; i++)
        if (b->out.msgs[i].msg.kind == CHAIN_MSG_PBFT_PREPARE && b->out.msgs[i].msg.author == 1 && b->out.msgs[i].msg.seq == 2)
            return true;
    return false;
}

START_TEST(a_proof_takes_a_proposals_place_and_what_comes_then_gets_no_second_prepare)
{
    struct bench *b = bench_new(&chain_pbft_ops, 4, 1);
    uint8_t batches[2][64];
    struct chain_msg first = make_proposal(batches[0], sizeof batches[0], 1), second = make_proposal(batches[1], sizeof batches[1], 2);
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, first), 0);
    ck_assert(hears_prepare(b));
    ck_assert_int_eq(prove_commit(b, &second), 0);
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, second), 0);
    ck_assert(!hears_prepare(b));
    bench_free(b);
}
END_TEST

START_TEST(what_somebody_proved_is_nothing_that_one_has_voted_on)
{
    struct bench *b = bench_new(&chain_pbft_ops, 4, 1);
    uint8_t batch[64];
    struct chain_msg proposal = make_proposal(batch, sizeof batch, 1);
    ck_assert_int_eq(prove_commit(b, &proposal), 0);
    ck_assert_uint_eq(bench_stats(b, &chain_pbft_ops).voted, 0);
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, proposal), 0);
    ck_assert(hears_prepare(b));
    ck_assert_uint_eq(bench_stats(b, &chain_pbft_ops).voted, 2);
    bench_free(b);
}
END_TEST

/* For view 1, with no certificate. */
static void claim(struct bench *b, uint32_t author, uint64_t committed)
{
    uint8_t body[32];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, 0);
    chain_cbor_put_uint(&w, committed);
    chain_cbor_put_array(&w, 0);
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .author = author, .view = 1, .body = body, .body_len = w.len};
    ck_assert_int_eq(bench_receive(b, &chain_pbft_ops, msg), 0);
}

START_TEST(one_claim_to_be_far_ahead_moves_no_new_view)
{
    struct bench *b = bench_new(&chain_pbft_ops, 4, 1);
    claim(b, 0, 5);
    claim(b, 2, 0);
    size_t n_new_views = 0;
    for (size_t i = 0; i < b->out.n_msgs; i++) {
        if (b->out.msgs[i].msg.kind != CHAIN_MSG_PBFT_NEW_VIEW)
            continue;
        n_new_views++;
        ck_assert_uint_eq(b->out.msgs[i].msg.seq, 0);
    }
    ck_assert_uint_eq(n_new_views, 1);
    bench_free(b);
}
END_TEST

/* An older certificate may be of what was never committed; of two views the later one saw the earlier one's. */
START_TEST(of_two_certificates_for_a_height_the_later_view_counts)
{
    struct pbft *m = calloc(1, sizeof *m);
    struct pbft_claim *claims = calloc(3, sizeof *claims);
    struct pbft_choice choice;
    uint32_t offender;
    m->f = 1;
    for (uint32_t i = 0; i < 2; i++) {
        claims[i].n_certs = 1;
        claims[i].certs[0].height = 1;
        claims[i].certs[0].view = _i == 0 ? 3 + i : 4 - i;
        claims[i].certs[0].digest.octets[0] = (uint8_t)claims[i].certs[0].view;
    }
    ck_assert(chain_pbft_choose(m, claims, 3, &choice, &offender));
    ck_assert(choice.required[0].have && !choice.required[1].have);
    ck_assert_uint_eq(choice.required[0].view, 4);
    ck_assert_uint_eq(choice.required[0].digest.octets[0], 4);
    free(claims);
    free(m);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("pbft_proofs");
    tcase_add_test(tc, one_claim_to_be_far_ahead_moves_no_new_view);
    tcase_add_loop_test(tc, of_two_certificates_for_a_height_the_later_view_counts, 0, 2);
    tcase_add_test(tc, what_somebody_proved_is_nothing_that_one_has_voted_on);
    tcase_add_test(tc, a_proof_takes_a_proposals_place_and_what_comes_then_gets_no_second_prepare);
    tcase_add_test(tc, under_strict_votes_a_quorum_of_commits_waits_for_the_prepares);
    tcase_add_test(tc, the_own_commit_counts_once_it_is_on_disk);
    tcase_add_test(tc, a_certificate_of_fewer_than_a_quorum_proves_nothing);
    tcase_add_test(tc, a_certificate_with_a_signature_that_is_none_proves_nothing);
    suite_add_tcase(suite, tc);
}
