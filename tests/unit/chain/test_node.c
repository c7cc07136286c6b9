/* Nodes around the least engine: bundling, certificates, catching up, refusals. */
#define SUITE_NAME "chain node"
#include "tests/unit/check_main.h"

#include "tests/unit/chain/cluster.h"
#include "tests/unit/chain/fixed_leader.h"

static const struct chain_engine_ops *const engines[] = {&fixed_leader_ops, &chain_raft_ops, &chain_pbft_ops};
enum { N_ENGINES = 3 };

static void submit_paced(struct cluster *c, uint32_t n, int64_t every_ns)
{
    for (uint32_t k = 0; k < n; k++) {
        struct chain_op op = evidence_op(c, k);
        ck_assert_int_eq(cluster_submit(c, k % c->n, &op), CHAIN_SUCCESS);
        cluster_run(c, every_ns);
    }
}

static bool all_applied(const struct cluster *c, uint64_t n_txs)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (c->nodes[i] && c->n_applied[i] < n_txs)
            return false;
    return true;
}

/* All nodes applied all n transactions once, on one certified chain. */
static void expect_agreement(struct cluster *c, uint64_t n_txs, uint64_t least_height)
{
    for (int64_t end_ns = c->now_ns + 5000 * MS; c->now_ns < end_ns && !all_applied(c, n_txs);)
        cluster_run(c, 5 * MS);
    ck_assert(cluster_settle(c, 5000 * MS));
    ck_assert_uint_ge(cluster_height(c), least_height);
    for (uint32_t i = 0; i < c->n; i++)
        if (c->nodes[i])
            ck_assert_msg(c->n_applied[i] == n_txs, "node %u applied %llu of %llu", i, (unsigned long long)c->n_applied[i],
                          (unsigned long long)n_txs);
}

static void report(const struct cluster *c, const char *what)
{
    struct chain_node_stats s = cluster_stats(c, 0);
    printf("%s, %s: height %llu, %llu sends, %llu octets, %llu lost, %llu steps; node 0: %llu verified, %llu signed, view %llu, "
           "%llu fetched\n",
           what, c->ops->name, (unsigned long long)s.height, (unsigned long long)c->n_sent, (unsigned long long)c->n_octets,
           (unsigned long long)c->n_lost, (unsigned long long)c->n_steps, (unsigned long long)s.verified,
           (unsigned long long)s.signed_, (unsigned long long)s.engine.view, (unsigned long long)s.blocks_fetched);
    fflush(stdout);
}

START_TEST(four_nodes_execute_the_same_blocks)
{
    struct cluster *c = cluster_open_registered(engines[_i], 4, 1, 1000 * MS, 300 * MS);
    submit_paced(c, 50, 30 * MS);
    report(c, "no loss");
    expect_agreement(c, 54, 50);
    cluster_close(c);
}
END_TEST

START_TEST(a_tenth_of_the_frames_lost_costs_no_transaction)
{
    struct cluster *c = cluster_open(engines[_i], 4, 2);
    c->loss_permille = 100;
    cluster_run(c, 1000 * MS);
    cluster_register_all(c);
    cluster_run(c, 1000 * MS);
    submit_paced(c, 60, 60 * MS);
    report(c, "loss 10 %");
    expect_agreement(c, 64, 50);
    cluster_close(c);
}
END_TEST

START_TEST(a_second_of_silence_costs_no_transaction)
{
    struct cluster *c = cluster_open(engines[_i], 4, 3);
    c->loss_permille = 50;
    cluster_run(c, 1000 * MS);
    cluster_register_all(c);
    cluster_run(c, 1000 * MS);
    submit_paced(c, 8, 40 * MS);
    c->blackout = true;
    submit_paced(c, 8, 125 * MS);
    uint64_t height = cluster_height(c);
    c->blackout = false;
    cluster_run(c, 2500 * MS);
    report(c, "after a blackout");
    expect_agreement(c, 20, height + 1);
    cluster_close(c);
}
END_TEST

START_TEST(a_node_that_starts_again_catches_up)
{
    struct cluster *c = cluster_open_registered(engines[_i], 4, 4, 1000 * MS, 300 * MS);
    cluster_stop(c, 3);
    for (uint32_t k = 0; k < 30; k++) {
        struct chain_op op = evidence_op(c, k);
        ck_assert_int_eq(cluster_submit(c, k % 3, &op), CHAIN_SUCCESS);
        cluster_run(c, 25 * MS);
    }
    uint64_t height = cluster_height(c);
    ck_assert_uint_ge(height, 25);
    cluster_start(c, 3);
    cluster_run(c, 1500 * MS);
    ck_assert(cluster_settle(c, 1000 * MS));
    ck_assert_uint_ge(cluster_height(c), height);
    struct chain_op op = evidence_op(c, 99);
    ck_assert_int_eq(cluster_submit(c, 3, &op), CHAIN_SUCCESS);
    cluster_run(c, 500 * MS);
    ck_assert(cluster_settle(c, 1000 * MS));
    ck_assert_uint_gt(cluster_height(c), height);
    cluster_close(c);
}
END_TEST

/* Raft's messages go unsigned where every link proves its sender; the word of a link that proves nothing then counts nothing. */
START_TEST(a_proven_link_stands_for_the_signature_of_raft_messages_alone)
{
    struct cluster *c = cluster_open(&chain_raft_ops, 3, 14);
    for (uint32_t i = 0; i < 3; i++)
        cluster_stop(c, i);
    c->proven_links = true;
    c->proves_from = 3; /* member 2's does not */
    for (uint32_t i = 0; i < 3; i++)
        cluster_start(c, i);
    cluster_run(c, 2000 * MS);
    cluster_register_all(c);
    cluster_run(c, 500 * MS);
    ck_assert_uint_ge(cluster_height(c), 1);
    struct chain_node_stats s = cluster_stats(c, 0);
    ck_assert_uint_lt(s.leader, 2);
    ck_assert_uint_gt(s.refused_signature, 0); /* what member 2 says as an engine */
    ck_assert_uint_ge(s.certified_height, 1);  /* header votes are signed */
    ck_assert_uint_lt(cluster_stats(c, s.leader).signed_, 40);
    c->proves_from = 0;
    uint64_t height = cluster_height(c);
    cluster_register_all(c);
    cluster_run(c, 4000 * MS);
    ck_assert_uint_eq(cluster_height(c), height);
    cluster_close(c);
}
END_TEST

START_TEST(records_that_others_wait_for_go_to_disk_and_leave_before_blocks_are_executed)
{
    struct cluster *c = cluster_open(engines[_i], 4, 18);
    for (uint32_t i = 0; i < 4; i++)
        cluster_stop(c, i);
    c->records_first = true; /* cluster_step then looks at each update */
    for (uint32_t i = 0; i < 4; i++)
        cluster_start(c, i);
    cluster_run(c, 1500 * MS);
    cluster_register_all(c);
    cluster_run(c, 500 * MS);
    submit_paced(c, 60, 3 * MS);
    cluster_run(c, 1000 * MS);
    expect_agreement(c, 64, 10);
    ck_assert_uint_ge(c->n_sent_first, 30);
    cluster_close(c);
}
END_TEST

START_TEST(a_node_alone_is_a_ledger_too)
{
    struct cluster *c = cluster_open(engines[_i], 1, 5);
    cluster_run(c, 1000 * MS);
    cluster_register_all(c);
    submit_paced(c, 5, 30 * MS);
    cluster_run(c, 100 * MS);
    expect_agreement(c, 6, 5);
    ck_assert_uint_eq(c->n_octets, 0); /* nobody to tell */
    cluster_close(c);
}
END_TEST

static int receive(struct cluster *c, uint32_t i, const uint8_t *data, size_t len)
{
    struct chain_node_event event = {.kind = CHAIN_NODE_RECEIVE, .bytes = {.data = data, .len = len}};
    return cluster_step(c, i, &event);
}

/* A bundle of one message, signed with key number `by` whoever its author. */
static size_t make_bundle(struct cluster *c, struct chain_msg msg, uint32_t by, uint8_t *out, size_t cap)
{
    struct chain_signer signer = chain_signer_ed25519(&c->ring.keys[by]);
    if (msg.body_len > 0)
        ck_assert_int_eq(chain_msg_digest(&c->ring.members, msg.kind, msg.body, msg.body_len, &msg.digest), 0);
    ck_assert_int_eq(signer.sign(signer.ctx, &c->ring.members, &msg), 0);
    out[0] = 0x81;
    long len = chain_msg_encode(&c->ring.members, &msg, out + 1, cap - 1);
    ck_assert_int_gt(len, 0);
    return (size_t)len + 1;
}

START_TEST(strangers_forgers_and_echoes_are_counted_and_change_nothing)
{
    struct cluster *c = cluster_open(&fixed_leader_ops, 4, 6);
    uint8_t bundle[1024];
    struct chain_msg vote = {.kind = CHAIN_MSG_HEADER_VOTE, .author = 2, .seq = 1, .digest = {{7}}};
    size_t len = make_bundle(c, vote, 2, bundle, sizeof bundle);
    ck_assert_int_eq(receive(c, 1, bundle, len), 0);
    uint64_t verified = cluster_stats(c, 1).verified;
    for (int k = 0; k < 5; k++)
        ck_assert_int_eq(receive(c, 1, bundle, len), 0);
    ck_assert_uint_eq(cluster_stats(c, 1).duplicates, 5);
    ck_assert_uint_eq(cluster_stats(c, 1).verified, verified); /* an echo costs no signature check */

    len = make_bundle(c, (struct chain_msg){.kind = CHAIN_MSG_HEADER_VOTE, .author = 3, .seq = 1, .digest = {{7}}}, 2, bundle, sizeof bundle);
    ck_assert_int_eq(receive(c, 1, bundle, len), 0);
    ck_assert_uint_eq(cluster_stats(c, 1).refused_signature, 1);

    vote.digest.octets[0] = 8; /* member 2 says something else of the same height */
    len = make_bundle(c, vote, 2, bundle, sizeof bundle);
    ck_assert_int_eq(receive(c, 1, bundle, len), 0);
    ck_assert_uint_eq(cluster_stats(c, 1).refused_conflict, 1);

    struct keyring others;
    make_keyring(&others, 6, 6);
    struct chain_msg stranger = {.kind = CHAIN_MSG_HEADER_VOTE, .author = 5, .seq = 1};
    memcpy(others.members.chain_id, c->ring.members.chain_id, 8);
    sign_msg(&others, &stranger);
    bundle[0] = 0x81;
    long encoded = chain_msg_encode(&others.members, &stranger, bundle + 1, sizeof bundle - 1);
    ck_assert_int_eq(receive(c, 1, bundle, (size_t)encoded + 1), -EBADMSG);
    ck_assert_uint_eq(cluster_stats(c, 1).refused_stranger, 1);
    others.members.epoch = 3;
    stranger.author = 2;
    encoded = chain_msg_encode(&others.members, &stranger, bundle + 1, sizeof bundle - 1);
    ck_assert_int_eq(receive(c, 1, bundle, (size_t)encoded + 1), -EBADMSG);
    ck_assert_uint_eq(cluster_stats(c, 1).refused_epoch, 1);
    ck_assert_int_eq(receive(c, 1, (const uint8_t *)"\x82\x00", 2), -EBADMSG);
    ck_assert_uint_eq(cluster_stats(c, 1).refused_malformed, 1);

    cluster_register_all(c);
    submit_paced(c, 3, 30 * MS);
    cluster_run(c, 200 * MS);
    ck_assert_uint_ge(cluster_stats(c, 1).deviating_votes, 1);
    expect_agreement(c, 8, 3); /* one of them the accusation of who signed two headers */
    cluster_close(c);
}
END_TEST

START_TEST(refused_octets_change_nothing_even_when_something_is_due)
{
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 15);
    struct chain_op op = register_op(0);
    cluster_run(c, 100 * MS);
    ck_assert_int_eq(cluster_submit(c, 0, &op), CHAIN_SUCCESS);
    c->now_ns += 50 * MS; /* the primary's proposal is overdue */
    ck_assert_int_le(chain_node_deadline(c->nodes[0]), c->now_ns);
    ck_assert_int_eq(receive(c, 0, (const uint8_t *)"\x82\x00", 2), -EBADMSG);
    ck_assert_uint_eq(c->update->persist_seq + c->update->n_records + c->update->n_sends, 0);
    ck_assert_int_le(chain_node_deadline(c->nodes[0]), c->now_ns);
    struct chain_node_event tick = {.kind = CHAIN_NODE_TICK};
    ck_assert_int_eq(cluster_step(c, 0, &tick), 0);
    ck_assert_uint_ne(c->update->persist_seq, 0);
    cluster_close(c);
}
END_TEST

START_TEST(a_recorded_conversation_played_again_changes_nothing)
{
    struct cluster *c = cluster_open_registered(engines[_i], 4, 8, 1000 * MS, 300 * MS);
    struct {
        uint8_t *data;
        size_t len;
    } tape[4000];
    size_t n = 0;
    for (uint32_t k = 0; k < 20; k++) {
        struct chain_op op = evidence_op(c, k);
        ck_assert_int_eq(cluster_submit(c, k % 4, &op), CHAIN_SUCCESS);
        for (int64_t end_ns = c->now_ns + 30 * MS; cluster_advance(c, end_ns);)
            if (c->n_flying > 0 && n < 4000) {
                const struct cluster_flying *f = &c->flying[c->n_flying - 1];
                if (f->data) {
                    tape[n].data = cluster_copy(f->data, f->len);
                    tape[n++].len = f->len;
                }
            }
    }
    ck_assert(cluster_settle(c, 1000 * MS));
    ck_assert_uint_gt(n, 100);
    uint64_t height = cluster_height(c);
    for (size_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < 4; i++)
            (void)receive(c, i, tape[k].data, tape[k].len);
    cluster_run(c, 1000 * MS);
    ck_assert(cluster_settle(c, 1000 * MS));
    ck_assert_uint_le(cluster_height(c), height + 1); /* Raft may have had an election */
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_eq(c->n_applied[i], 24);
    for (size_t k = 0; k < n; k++)
        free(tape[k].data);
    cluster_close(c);
}
END_TEST

START_TEST(a_full_mempool_says_so)
{
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 9);
    c->blackout = true; /* nothing is ever ordered */
    int n_taken = 0, rc = 0;
    for (uint32_t k = 0; k < 40; k++) {
        struct chain_op op = evidence_op(c, k);
        rc = cluster_submit(c, 1, &op);
        n_taken += rc == CHAIN_SUCCESS;
    }
    ck_assert_int_eq(rc, -ENOBUFS);
    ck_assert_int_eq(n_taken, 16); /* a quarter of 64 */
    ck_assert_uint_eq(cluster_stats(c, 1).mempool_full, 24);
    struct chain_op bad = {.kind = CHAIN_OP_EVIDENCE, .evidence = {.channel = 77}};
    ck_assert_int_eq(cluster_submit(c, 1, &bad), CHAIN_INVALID_VALUE);
    cluster_close(c);
}
END_TEST

START_TEST(a_client_s_transaction_is_taken_once_and_only_with_its_signature)
{
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 10);
    cluster_run(c, 300 * MS);
    uint8_t body[CHAIN_MAX_OP_BYTES + 1], bundle[1024];
    struct chain_op op = register_op(2);
    long len = chain_tx_encode(&op, 1, body, sizeof body);
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = 2, .seq = 1, .body = body, .body_len = (size_t)len};
    size_t forged = make_bundle(c, msg, 3, bundle, sizeof bundle);
    struct chain_node_event event = {.kind = CHAIN_NODE_SUBMIT_TX, .bytes = {.data = bundle + 1, .len = forged - 1}};
    cluster_step(c, 1, &event);
    ck_assert_int_eq(c->update->submit_result, -EBADMSG);
    size_t good = make_bundle(c, msg, 2, bundle, sizeof bundle);
    event.bytes.len = good - 1;
    cluster_step(c, 1, &event);
    ck_assert_int_eq(c->update->submit_result, CHAIN_SUCCESS);
    cluster_step(c, 1, &event);
    ck_assert_int_eq(c->update->submit_result, -EALREADY);
    event.bytes.len = good - 3;
    cluster_step(c, 1, &event);
    ck_assert_int_eq(c->update->submit_result, -EBADMSG);
    cluster_run(c, 300 * MS);
    expect_agreement(c, 1, 1);
    event.bytes.len = good - 1;
    cluster_step(c, 1, &event); /* executed by now */
    ck_assert_int_eq(c->update->submit_result, -EALREADY);
    cluster_close(c);
}
END_TEST

START_TEST(a_quorum_for_another_header_stops_the_node)
{
    struct cluster *c = cluster_open(&fixed_leader_ops, 4, 11);
    cluster_run(c, 100 * MS);
    struct chain_op op = register_op(0);
    c->blackout = true;
    ck_assert_int_eq(cluster_submit(c, 0, &op), CHAIN_SUCCESS);
    cluster_run(c, 50 * MS); /* member 0 alone executed block 1 */
    ck_assert_uint_eq(cluster_stats(c, 0).height, 1);
    for (uint32_t i = 1; i < 4; i++) {
        uint8_t bundle[1024];
        size_t len = make_bundle(c, (struct chain_msg){.kind = CHAIN_MSG_HEADER_VOTE, .author = i, .seq = 1, .digest = {{9}}}, i, bundle,
                                 sizeof bundle);
        struct chain_node_event event = {.kind = CHAIN_NODE_RECEIVE, .now_ns = c->now_ns, .bytes = {.data = bundle, .len = len}};
        int rc = chain_node_step(c->nodes[0], &event, c->update);
        ck_assert_int_eq(rc, i < 3 ? 0 : -EILSEQ); /* a majority of four is three */
    }
    ck_assert_int_eq(c->update->fatal, -EILSEQ);
    ck_assert_uint_eq(c->update->fatal_height, 1);
    ck_assert_uint_eq(c->update->n_sends, 0);
    ck_assert_uint_eq(cluster_stats(c, 0).deviating_votes, 3);
    ck_assert_int_eq(chain_node_deadline(c->nodes[0]), INT64_MAX);
    struct chain_node_event tick = {.kind = CHAIN_NODE_TICK, .now_ns = c->now_ns};
    ck_assert_int_eq(chain_node_step(c->nodes[0], &tick, c->update), -EILSEQ);
    cluster_close(c);
}
END_TEST

START_TEST(nothing_that_waits_for_the_disk_leaves_before_it)
{
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 12);
    c->persist_ns = 3600000 * MS; /* the disk never answers */
    cluster_run(c, 500 * MS);
    for (uint32_t i = 0; i < 4; i++) {
        struct chain_op op = register_op(i);
        ck_assert_int_eq(cluster_submit(c, i, &op), CHAIN_SUCCESS);
    }
    cluster_run(c, 100 * MS);
    for (size_t k = 0; k < c->n_flying; k++) { /* what is on the way: transactions, nobody's vote */
        if (!c->flying[k].data)
            continue;
        struct chain_msg msg;
        ck_assert_int_eq(chain_msg_decode(&c->ring.members, c->flying[k].data + 1, c->flying[k].len - 1, &msg, NULL), 0);
        ck_assert_uint_eq(msg.kind, CHAIN_MSG_TX);
    }
    ck_assert_uint_eq(cluster_stats(c, 0).proposed, 1);
    ck_assert_uint_eq(cluster_height(c), 0);
    cluster_close(c);
}
END_TEST

START_TEST(one_seed_gives_one_run)
{
    uint64_t octets[2], steps[2];
    struct chain_header tip[2];
    for (int k = 0; k < 2; k++) {
        struct cluster *c = cluster_open(engines[_i], 4, 13);
        c->loss_permille = 100;
        cluster_run(c, 1000 * MS);
        cluster_register_all(c);
        submit_paced(c, 10, 50 * MS);
        octets[k] = c->n_octets;
        steps[k] = c->n_steps;
        tip[k] = *chain_ledger_tip(chain_node_ledger(c->nodes[2]));
        cluster_close(c);
    }
    ck_assert_uint_eq(octets[0], octets[1]);
    ck_assert_uint_eq(steps[0], steps[1]);
    ck_assert_mem_eq(&tip[0], &tip[1], sizeof tip[0]);
}
END_TEST

/* What it proposes is committed at once, and two empty batches with it. */
static int burst_step(struct chain_engine *m, const struct chain_event *in, struct chain_update *out)
{
    int rc = fixed_step(m, in, out);
    for (int i = 0; i < 2 && rc == 0 && in->kind == CHAIN_EV_PROPOSE; i++) {
        struct fixed_leader *e = (struct fixed_leader *)(void *)m;
        out->commits[out->n_commits++] = (struct chain_commit){.height = ++e->committed};
    }
    return rc;
}

START_TEST(a_read_takes_the_place_of_no_commit_that_waits)
{
    struct chain_engine_ops burst = fixed_leader_ops;
    burst.step = burst_step;
    struct cluster *c = cluster_open(&burst, 1, 15);
    cluster_run(c, 300 * MS);
    cluster_register_all(c);
    for (int i = 0; i < 1000 && cluster_stats(c, 0).height == 0; i++)
        cluster_advance(c, c->now_ns + MS);
    ck_assert_uint_eq(cluster_stats(c, 0).height, 1); /* one block a step: two commits wait */
    struct chain_node_event event = {.kind = CHAIN_NODE_READ, .read_id = 7};
    cluster_step(c, 0, &event);
    cluster_run(c, 100 * MS);
    ck_assert_uint_eq(cluster_stats(c, 0).height, 3);
    cluster_close(c);
}
END_TEST

START_TEST(a_bad_configuration_is_named)
{
    struct cluster *c = cluster_open(&fixed_leader_ops, 4, 14);
    struct chain_node_config good = {.genesis = &c->genesis, .signer = chain_signer_ed25519(&c->ring.keys[0]), .engine = c->ops,
                                     .engine_heartbeat_ns = MS, .engine_timeout_ns = MS, .engine_timeout_max_ns = MS, .gossip_ns = MS,
                                     .status_ns = MS, .mempool_txs = 16};
    const char *bad = NULL;
    struct chain_node *node;
    size_t len = chain_node_bytes(&good);
    void *mem = malloc(len);
    ck_assert_int_eq(chain_node_init(mem, len, &good, &node, &bad), 0);
    struct chain_node_config cfg = good;
    cfg.self = CHAIN_MAX_KEYS;
    ck_assert_int_eq(chain_node_init(mem, len, &cfg, &node, &bad), -EINVAL);
    ck_assert_str_eq(bad, "self");
    cfg = good;
    cfg.mempool_txs = 3;
    ck_assert_int_eq(chain_node_init(mem, len, &cfg, &node, &bad), -EINVAL);
    ck_assert_str_eq(bad, "mempool_txs");
    cfg = good;
    cfg.gossip_ns = 0;
    ck_assert_int_eq(chain_node_init(mem, len, &cfg, &node, &bad), -EINVAL);
    ck_assert_str_eq(bad, "gossip_ns");
    free(mem);
    cluster_close(c);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("node");
    tcase_add_loop_test(tc, four_nodes_execute_the_same_blocks, 0, N_ENGINES);
    tcase_add_loop_test(tc, a_tenth_of_the_frames_lost_costs_no_transaction, 0, N_ENGINES);
    tcase_add_loop_test(tc, a_second_of_silence_costs_no_transaction, 1, N_ENGINES);
    tcase_add_loop_test(tc, a_node_that_starts_again_catches_up, 0, N_ENGINES);
    tcase_add_test(tc, a_proven_link_stands_for_the_signature_of_raft_messages_alone);
    tcase_add_loop_test(tc, records_that_others_wait_for_go_to_disk_and_leave_before_blocks_are_executed, 0, N_ENGINES);
    tcase_add_loop_test(tc, a_node_alone_is_a_ledger_too, 0, N_ENGINES);
    tcase_add_test(tc, strangers_forgers_and_echoes_are_counted_and_change_nothing);
    tcase_add_test(tc, refused_octets_change_nothing_even_when_something_is_due);
    tcase_add_loop_test(tc, a_recorded_conversation_played_again_changes_nothing, 1, N_ENGINES);
    tcase_add_test(tc, a_full_mempool_says_so);
    tcase_add_test(tc, a_client_s_transaction_is_taken_once_and_only_with_its_signature);
    tcase_add_test(tc, a_quorum_for_another_header_stops_the_node);
    tcase_add_test(tc, nothing_that_waits_for_the_disk_leaves_before_it);
    tcase_add_loop_test(tc, one_seed_gives_one_run, 0, N_ENGINES);
    tcase_add_test(tc, a_read_takes_the_place_of_no_commit_that_waits);
    tcase_add_test(tc, a_bad_configuration_is_named);
    suite_add_tcase(suite, tc);
}
