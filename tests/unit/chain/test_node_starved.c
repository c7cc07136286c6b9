/* A primary that holds a lease itself leaves a rival's heartbeats out of its batches, and orders everything else: the rival's lease lives on,
 * because a request that every replica holds replaces such a primary within one timeout. */
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

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("starved");
    tcase_set_timeout(tc, 20);
    tcase_add_loop_test(tc, a_rival_whose_heartbeats_are_left_out_keeps_its_lease, 0, 8);
    suite_add_tcase(suite, tc);
}
