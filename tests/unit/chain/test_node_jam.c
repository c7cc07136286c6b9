/* Nodes under a medium that is jammed time and again: what honest members propose is never refused, and once the air is clear all agree soon. */
#define SUITE_NAME "chain node jam"
#include "tests/unit/check_main.h"

#include "tests/unit/chain/cluster.h"

/* In each turn requests of everybody, then silence for longer than the engine's timeout, then air that loses one frame in five. */
static void jam_and_clear(struct cluster *c, uint32_t turn)
{
    for (uint32_t k = 0; k < 12; k++) {
        struct chain_op op = evidence_op(c, 100 * turn + k);
        (void)cluster_submit(c, k % c->n, &op);
        cluster_run(c, 4 * MS);
    }
    c->blackout = true;
    cluster_run(c, 250 * MS);
    c->blackout = false;
    cluster_run(c, 300 * MS);
}

START_TEST(a_new_primary_proposes_nothing_that_the_heights_before_hold)
{
    struct cluster *c = cluster_open_registered(&chain_pbft_ops, 4, 60 + (uint64_t)_i, 400 * MS, 200 * MS);
    c->loss_permille = 200;
    for (uint32_t turn = 1; turn <= 12; turn++)
        jam_and_clear(c, turn);
    c->loss_permille = 0;
    ck_assert(cluster_settle(c, 3000 * MS));
    uint64_t refused = 0, view = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        refused += cluster_stats(c, i).engine.refused_batch;
        view = cluster_stats(c, i).engine.view;
    }
    ck_assert_uint_gt(view, 0);
    ck_assert_msg(refused == 0, "seed %d: %llu batches of honest primaries refused in %llu views", 60 + _i, (unsigned long long)refused,
                  (unsigned long long)view);
    cluster_close(c);
}
END_TEST

/* Transactions and status of a node whose sends nobody hears, over a second. */
static uint64_t count_sends(int64_t since_ns, bool gossip)
{
    struct cluster *c = cluster_open_registered(&chain_pbft_ops, 4, 70, 400 * MS, 400 * MS);
    c->blackout = true;
    struct chain_node_event event = {.kind = CHAIN_NODE_ACCESS, .access = {.since_ns = since_ns, .gossip = gossip}};
    ck_assert_int_eq(cluster_step(c, 3, &event), 0);
    for (uint32_t i = 0; i < 3; i++)
        cluster_stop(c, i);
    struct chain_op op = evidence_op(c, 1);
    ck_assert_int_eq(cluster_submit(c, 3, &op), CHAIN_SUCCESS);
    uint64_t before = c->n_lost;
    cluster_run(c, 1000 * MS);
    uint64_t sent = (c->n_lost - before) / 3;
    cluster_close(c);
    return sent;
}

START_TEST(what_waits_for_the_medium_is_not_repeated_so_often_and_not_never)
{
    uint64_t often = count_sends(INT64_MAX, false), seldom = count_sends(INT64_MAX, true), rarely = count_sends(T0, true);
    ck_assert_msg(rarely < seldom && seldom < often && rarely > 0, "%llu, %llu, %llu", (unsigned long long)often, (unsigned long long)seldom,
                  (unsigned long long)rarely);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("jam");
    tcase_add_loop_test(tc, a_new_primary_proposes_nothing_that_the_heights_before_hold, 0, 8);
    tcase_add_test(tc, what_waits_for_the_medium_is_not_repeated_so_often_and_not_never);
    suite_add_tcase(suite, tc);
}
