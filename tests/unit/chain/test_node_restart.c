/* Starting again: nobody votes before others have told what they saw of it, and a disk that forgot does no harm. */
#define SUITE_NAME "chain node restart"
#include "tests/unit/check_main.h"

#include "tests/unit/chain/cluster.h"

static const struct chain_engine_ops *const engines[] = {&chain_raft_ops, &chain_pbft_ops};

static bool all_vote(const struct cluster *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (c->nodes[i] && !cluster_stats(c, i).votes)
            return false;
    return true;
}

static void load(struct cluster *c, uint32_t at, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        struct chain_op op = evidence_op(c, k);
        ck_assert_int_eq(cluster_submit(c, at, &op), CHAIN_SUCCESS);
        cluster_run(c, 20 * MS);
    }
}

static const uint8_t claims_nothing[] = {0x83, 0, 0, 0x80}; /* body of a VIEW-CHANGE */

/* A message of its own comes to a member as others hand it on. */
static void hand_on(struct cluster *c, uint32_t i, struct chain_msg *msg)
{
    uint8_t wire[512];
    struct chain_signer signer = chain_signer_ed25519(&c->ring.keys[i]);
    if (msg->body_len > 0)
        ck_assert_int_eq(chain_msg_digest(&c->genesis.members, msg->kind, msg->body, msg->body_len, &msg->digest), 0);
    ck_assert_int_eq(signer.sign(signer.ctx, &c->genesis.members, msg), 0);
    struct chain_cbor_writer w = {.out = wire, .cap = sizeof wire};
    chain_cbor_put_array(&w, 1);
    long len = chain_msg_encode(&c->genesis.members, msg, wire + w.len, sizeof wire - w.len);
    ck_assert_int_gt(len, 0);
    struct chain_node_event event = {.kind = CHAIN_NODE_RECEIVE, .bytes = {.data = wire, .len = w.len + (size_t)len, .from = (i + 1) % c->n}};
    ck_assert_int_eq(cluster_step(c, i, &event), 0);
}

START_TEST(a_fresh_cluster_votes_after_one_exchange)
{
    for (uint32_t n = 1; n <= 7; n++) {
        struct cluster *c = cluster_open(engines[_i], n, 30 + n);
        cluster_run(c, 25 * MS);
        ck_assert_msg(all_vote(c), "n = %u", n);
        cluster_close(c);
    }
}
END_TEST

START_TEST(nobody_votes_before_enough_of_the_others_have_answered)
{
    struct cluster *c = cluster_open(&chain_raft_ops, 3, 40);
    cluster_stop(c, 1);
    cluster_stop(c, 2);
    cluster_run(c, 3000 * MS);
    ck_assert(!cluster_stats(c, 0).votes);
    ck_assert_uint_eq(cluster_stats(c, 0).engine.view, 0);
    cluster_start(c, 1);
    cluster_run(c, 3000 * MS);
    ck_assert(!cluster_stats(c, 0).votes && !cluster_stats(c, 1).votes); /* a quorum of two may have held what both forgot */
    cluster_start(c, 2);
    cluster_run(c, 600 * MS);
    ck_assert(all_vote(c));
    cluster_register_all(c);
    cluster_run(c, 1000 * MS);
    ck_assert(cluster_agrees(c));
    ck_assert_uint_gt(cluster_height(c), 0);
    cluster_close(c);
}
END_TEST

START_TEST(a_disk_that_is_trusted_asks_nobody)
{
    struct cluster *c = cluster_open_registered(&chain_raft_ops, 3, 41, 500 * MS, 500 * MS);
    cluster_stop(c, 0);
    cluster_stop(c, 1);
    c->trust_disk = true;
    cluster_start(c, 1);
    ck_assert(cluster_stats(c, 1).votes);
    uint64_t height = cluster_height(c);
    cluster_run(c, 1500 * MS);
    load(c, 1, 5);
    cluster_run(c, 1000 * MS);
    ck_assert_uint_gt(cluster_height(c), height);
    cluster_close(c);
}
END_TEST

/* Blocks that only 0 and 1 ever held; 1 forgets them and 0 goes away. The two that are left must not decide those heights again. */
START_TEST(a_raft_member_that_forgot_elects_nobody_who_lacks_what_it_promised)
{
    for (uint64_t seed = 50; seed < 58; seed++) {
        struct cluster *c = cluster_open_registered(&chain_raft_ops, 3, seed, 600 * MS, 600 * MS);
        cluster_stop(c, 2);
        struct cluster_disk *old = cluster_copy_disk(c->disks[1]);
        cluster_run(c, 800 * MS);
        load(c, 0, 8);
        cluster_run(c, 500 * MS);
        uint64_t promised = cluster_stats(c, 0).height;
        ck_assert_uint_gt(promised, old->height);
        cluster_stop(c, 1);
        cluster_roll_back(c, 1, old);
        cluster_start(c, 1);
        cluster_start(c, 2);
        for (int k = 0; k < 400 && !(cluster_stats(c, 1).votes && cluster_stats(c, 2).votes); k++)
            cluster_run(c, MS);
        ck_assert(cluster_stats(c, 1).votes && cluster_stats(c, 2).votes);
        cluster_stop(c, 0);
        cluster_run(c, 3000 * MS);
        uint64_t n_before = cluster_height(c);
        if (n_before < promised) { /* neither had fetched them yet */
            struct chain_op op = evidence_op(c, 99);
            ck_assert_int_eq(cluster_submit(c, 2, &op), CHAIN_SUCCESS);
            cluster_run(c, 3000 * MS);
            ck_assert_uint_lt(cluster_height(c), promised);
        }
        cluster_start(c, 0);
        cluster_run(c, 4000 * MS);
        ck_assert(cluster_agrees(c));
        ck_assert_uint_ge(cluster_height(c), promised);
        ck_assert(all_vote(c));
        cluster_close(c);
    }
}
END_TEST

/* Everybody who starts hears of an entry that one member alone holds; then that one is gone, or its disk is. What nobody holds any more
 * binds nobody for ever. */
START_TEST(raft_members_do_not_wait_for_a_log_that_nobody_holds_any_more)
{
    for (uint64_t seed = 90; seed < 94; seed++) {
        struct cluster *c = cluster_open_registered(&chain_raft_ops, 4, seed, 1000 * MS, 1000 * MS);
        uint32_t leader = cluster_stats(c, 0).engine.leader;
        struct cluster_disk *old = cluster_copy_disk(c->disks[leader]);
        c->blackout = true;
        load(c, leader, 1);
        for (uint32_t i = 0; i < c->n; i++)
            cluster_stop(c, i);
        c->blackout = false;
        for (uint32_t i = 0; i < c->n; i++)
            cluster_start(c, i);
        for (int k = 0; k < 100 && !all_vote(c); k++)
            cluster_run(c, MS);
        ck_assert(all_vote(c));
        struct chain_engine_stats held = cluster_stats(c, leader).engine;
        for (uint32_t i = 0; i < c->n; i++)
            ck_assert(i == leader || cluster_stats(c, i).engine.log_index < held.log_index);
        cluster_stop(c, leader);
        if (_i == 1) {
            cluster_roll_back(c, leader, old);
            cluster_start(c, leader);
        } else {
            cluster_free_disk(old);
        }
        uint64_t height = cluster_height(c);
        uint32_t other = (leader + 1) % c->n;
        cluster_run(c, 3000 * MS);
        load(c, other, 4);
        cluster_run(c, 1000 * MS);
        ck_assert_msg(cluster_agrees(c) && cluster_height(c) > height, "seed %u", (unsigned)seed);
        cluster_close(c);
    }
}
END_TEST

START_TEST(a_pbft_member_that_forgot_learns_and_votes_again_once_that_lies_behind)
{
    uint32_t i = (uint32_t)_i;
    struct cluster *c = cluster_open_registered(&chain_pbft_ops, 4, 60, 300 * MS, 300 * MS);
    struct cluster_disk *old = cluster_copy_disk(c->disks[i]);
    load(c, 1, 8);
    cluster_stop(c, i);
    cluster_roll_back(c, i, old);
    cluster_start(c, i);
    for (int k = 0; k < 100 && !cluster_stats(c, i).forgot; k++)
        cluster_run(c, MS);
    ck_assert(cluster_stats(c, i).forgot && !cluster_stats(c, i).votes);
    load(c, 1, 4); /* it follows, and the other three do without its vote */
    cluster_run(c, 2000 * MS);
    ck_assert(cluster_agrees(c));
    ck_assert(cluster_stats(c, i).votes);
    ck_assert_int_eq(cluster_stats(c, 1).engine.view > 0, i == 0); /* in the same view, unless it led it */
    cluster_stop(c, (i + 1) % 4); /* now its vote is needed */
    uint64_t height = cluster_height(c);
    load(c, (i + 2) % 4, 4);
    cluster_run(c, 3000 * MS);
    ck_assert_uint_gt(cluster_height(c), height);
    ck_assert_uint_eq(cluster_stats(c, (i + 2) % 4).engine.equivocations, 0);
    cluster_close(c);
}
END_TEST

/* Following brings its disk to the view in which it had voted, and not what it said there. */
START_TEST(a_pbft_member_that_forgot_and_starts_once_more_goes_on_learning)
{
    struct cluster *c = cluster_open_registered(&chain_pbft_ops, 4, 61, 300 * MS, 300 * MS);
    struct cluster_disk *old = cluster_copy_disk(c->disks[3]);
    cluster_stop(c, 0); /* leads view 0 */
    load(c, 1, 1);
    cluster_run(c, 3000 * MS);
    uint64_t view = cluster_stats(c, 3).engine.view;
    ck_assert_uint_gt(view, 0);
    cluster_start(c, 0);
    cluster_run(c, 600 * MS);
    cluster_stop(c, 3);
    cluster_roll_back(c, 3, old);
    struct chain_msg suspicion = {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .author = 3, .view = view + 1, .body = claims_nothing, .body_len = sizeof claims_nothing};
    cluster_start(c, 3);
    hand_on(c, 3, &suspicion);
    load(c, 1, 1);
    cluster_run(c, 1000 * MS);
    ck_assert(!cluster_stats(c, 3).votes);
    ck_assert_uint_eq(cluster_stats(c, 3).engine.view, view);
    cluster_stop(c, 3);
    cluster_start(c, 3);
    hand_on(c, 3, &suspicion);
    cluster_run(c, 1000 * MS);
    ck_assert_uint_eq(cluster_stats(c, 3).engine.view, view);
    ck_assert(!cluster_stats(c, 3).votes);
    ck_assert(cluster_stats(c, 3).forgot);
    c->blackout = true;
    load(c, 1, 1);
    cluster_run(c, 1500 * MS);
    c->blackout = false;
    cluster_run(c, 4000 * MS);
    ck_assert_uint_gt(cluster_stats(c, 3).engine.view, view);
    ck_assert(cluster_stats(c, 3).votes);
    cluster_stop(c, 3); /* what it says from then on is on its disk */
    cluster_start(c, 3);
    cluster_run(c, 200 * MS);
    ck_assert(cluster_stats(c, 3).votes);
    ck_assert(cluster_agrees(c));
    cluster_close(c);
}
END_TEST

/* Those that answer have restarted too and know nothing; one that goes by its VIEW-CHANGE hands that on, and would convict it for a second one. */
START_TEST(what_others_hand_on_of_a_member_tells_it_what_it_forgot)
{
    struct chain_msg said[] = {
        {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .author = 3, .view = 2, .body = claims_nothing, .body_len = sizeof claims_nothing},
        {.kind = CHAIN_MSG_PBFT_PREPARE, .author = 3, .seq = 3},
        {.kind = CHAIN_MSG_PBFT_COMMIT, .author = 3, .view = 1, .seq = 2},
    };
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 62);
    if (_i < 3)
        hand_on(c, 3, &said[_i]);
    cluster_run(c, 300 * MS);
    ck_assert(cluster_stats(c, 0).votes && cluster_stats(c, 1).votes && cluster_stats(c, 2).votes);
    ck_assert_int_eq(cluster_stats(c, 3).votes, _i == 3);
    ck_assert_int_eq(cluster_stats(c, 3).forgot, _i < 3);
    cluster_close(c);
}
END_TEST

/* Nobody keeps a member from voting by words that it never said. */
START_TEST(what_others_make_up_of_a_member_changes_nothing)
{
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 62);
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PREPARE, .author = 3, .view = 3, .seq = 5};
    uint8_t wire[256] = {0x81};
    struct chain_signer signer = chain_signer_ed25519(&c->ring.keys[1]);
    ck_assert_int_eq(signer.sign(signer.ctx, &c->genesis.members, &msg), 0);
    long len = chain_msg_encode(&c->genesis.members, &msg, wire + 1, sizeof wire - 1);
    struct chain_node_event event = {.kind = CHAIN_NODE_RECEIVE, .bytes = {.data = wire, .len = 1 + (size_t)len, .from = 1}};
    ck_assert_int_eq(cluster_step(c, 3, &event), 0);
    cluster_run(c, 300 * MS);
    ck_assert(all_vote(c));
    cluster_close(c);
}
END_TEST

START_TEST(a_member_whose_disk_is_whole_votes_at_once)
{
    struct cluster *c = cluster_open(engines[_i], 4, 70);
    cluster_run(c, 600 * MS);
    cluster_register_all(c);
    for (uint32_t i = 0; i < 4; i++) {
        load(c, (i + 1) % 4, 4);
        cluster_stop(c, i);
        cluster_run(c, 100 * MS);
        cluster_start(c, i);
        cluster_run(c, 30 * MS);
        ck_assert(all_vote(c));
        cluster_run(c, 600 * MS);
    }
    ck_assert(cluster_agrees(c));
    cluster_close(c);
}
END_TEST

START_TEST(a_disk_that_is_known_to_have_lost_something_votes_later)
{
    struct cluster *c = cluster_open_registered(&chain_pbft_ops, 4, 80, 300 * MS, 300 * MS);
    cluster_stop(c, 2);
    c->distrust_disk = true;
    cluster_start(c, 2);
    load(c, 0, 4);
    cluster_run(c, 500 * MS);
    ck_assert(!cluster_stats(c, 2).votes);
    ck_assert(cluster_agrees(c));
    cluster_close(c);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("restart");
    tcase_add_loop_test(tc, a_fresh_cluster_votes_after_one_exchange, 0, 2);
    tcase_add_test(tc, nobody_votes_before_enough_of_the_others_have_answered);
    tcase_add_test(tc, a_disk_that_is_trusted_asks_nobody);
    tcase_add_test(tc, a_raft_member_that_forgot_elects_nobody_who_lacks_what_it_promised);
    tcase_add_loop_test(tc, raft_members_do_not_wait_for_a_log_that_nobody_holds_any_more, 0, 2);
    tcase_add_loop_test(tc, a_pbft_member_that_forgot_learns_and_votes_again_once_that_lies_behind, 0, 4);
    tcase_add_test(tc, a_pbft_member_that_forgot_and_starts_once_more_goes_on_learning);
    tcase_add_loop_test(tc, what_others_hand_on_of_a_member_tells_it_what_it_forgot, 0, 4);
    tcase_add_test(tc, what_others_make_up_of_a_member_changes_nothing);
    tcase_add_loop_test(tc, a_member_whose_disk_is_whole_votes_at_once, 0, 2);
    tcase_add_test(tc, a_disk_that_is_known_to_have_lost_something_votes_later);
    suite_add_tcase(suite, tc);
}
