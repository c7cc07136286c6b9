/* Primaries that let others' leases lapse. One that holds a lease itself leaves a rival's heartbeats out of its batches, and orders everything
 * else: a request that every replica holds replaces such a primary within one timeout. One holds block time back: what it proposes is refused. */
#define SUITE_NAME "chain node starved"
#include "tests/unit/check_main.h"

#include "tests/unit/chain/living.h"

enum { RIVAL = 1, BYSTANDER = 2, BOUND_MS = 260 }; /* the engine's timeout of 200 ms, three messages with their syncs, and a block's pace */

static int64_t expiry_at(const struct cluster *c, uint32_t node, uint64_t grant_id)
{
    const struct chain_ledger *l = chain_node_ledger(c->nodes[node]);
    for (size_t i = 0; i < chain_ledger_n_grants(l); i++)
        if (chain_ledger_grant(l, i)->id == grant_id)
            return chain_ledger_grant(l, i)->transmit_expire_ns;
    return 0;
}

static void take_leases(struct cluster *c)
{
    cluster_run(c, 700 * MS);
    cluster_register_all(c);
    cluster_run(c, 100 * MS);
    for (int k = 0; k < 3; k++)
        living_sense(c, 0);
    living_submit(c, RIVAL, living_grant_op(c, 2));
    living_submit(c, RIVAL, living_lease_op(CHAIN_OP_HEARTBEAT, 1));
    living_submit(c, 0, living_grant_op(c, 3));
    living_submit(c, 0, living_lease_op(CHAIN_OP_HEARTBEAT, 2));
    ck_assert_int_gt(expiry_at(c, RIVAL, 1), 0);
}

/* How long until the rival's heartbeat is executed where it was submitted, while the bystander keeps the primary busy. */
static int64_t heartbeat_ms(struct cluster *c, uint32_t *k)
{
    int64_t before_ns = expiry_at(c, RIVAL, 1), from_ns = c->now_ns;
    struct chain_op heartbeat = living_lease_op(CHAIN_OP_HEARTBEAT, 1);
    ck_assert_int_eq(cluster_submit(c, RIVAL, &heartbeat), CHAIN_SUCCESS);
    while (expiry_at(c, RIVAL, 1) == before_ns && c->now_ns - from_ns < 2000 * MS) {
        struct chain_op busy = evidence_op(c, ++*k);
        (void)cluster_submit(c, BYSTANDER, &busy);
        cluster_run(c, 10 * MS);
    }
    return (c->now_ns - from_ns) / MS;
}

START_TEST(a_rival_whose_heartbeats_are_left_out_keeps_its_lease)
{
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 20 + (uint64_t)_i);
    uint32_t k = 0;
    take_leases(c);
    ck_assert_uint_eq(cluster_stats(c, 0).engine.leader, 0);
    c->ignores[0] = 1U << RIVAL;
    uint64_t height = cluster_stats(c, 0).height;
    int64_t waited_ms = heartbeat_ms(c, &k);
    ck_assert_msg(waited_ms <= BOUND_MS, "seed %d: executed after %lld ms", 20 + _i, (long long)waited_ms);
    ck_assert_uint_ne(cluster_stats(c, RIVAL).engine.leader, 0);
    ck_assert_uint_gt(cluster_stats(c, RIVAL).height, height + 1); /* the primary did order others' operations meanwhile */
    for (int i = 0; i < 4; i++) {
        cluster_run(c, 500 * MS);
        waited_ms = heartbeat_ms(c, &k);
        ck_assert_msg(waited_ms <= BOUND_MS, "seed %d: heartbeat %d after %lld ms", 20 + _i, i, (long long)waited_ms);
        ck_assert_int_gt(expiry_at(c, RIVAL, 1), c->now_ns);
    }
    cluster_close(c);
}
END_TEST

/* Its blocks would be a nanosecond apart: no lease would end, none would go on. */
START_TEST(a_primary_that_holds_block_time_back_is_replaced)
{
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 40 + (uint64_t)_i);
    uint32_t k = 0;
    int64_t behind_ns = 0;
    take_leases(c);
    ck_assert_uint_eq(cluster_stats(c, 0).engine.leader, 0);
    for (int turn = 0; turn < 600; turn++) {
        struct chain_op busy = evidence_op(c, ++k);
        (void)cluster_submit(c, BYSTANDER, &busy);
        cluster_run(c, 10 * MS);
        c->behind_ns[0] += 9 * MS; /* its clock runs at a tenth */
        int64_t lag_ns = c->now_ns - chain_ledger_tip(chain_node_ledger(c->nodes[BYSTANDER]))->time_ns;
        behind_ns = lag_ns > behind_ns ? lag_ns : behind_ns;
    }
    /* the engine's longest timeout until what it proposes is refused, and one timeout until it is replaced */
    ck_assert_msg(behind_ns <= 2000 * MS + BOUND_MS * MS + 100 * MS, "seed %d: block time was %lld ms behind", 40 + _i, (long long)(behind_ns / MS));
    ck_assert_uint_ne(cluster_stats(c, BYSTANDER).engine.leader, 0);
    ck_assert_uint_gt(cluster_stats(c, BYSTANDER).height, 40);
    cluster_close(c);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("starved");
    tcase_add_loop_test(tc, a_rival_whose_heartbeats_are_left_out_keeps_its_lease, 0, 8);
    tcase_add_loop_test(tc, a_primary_that_holds_block_time_back_is_replaced, 0, 8);
    suite_add_tcase(suite, tc);
}
