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

/* All nodes applied all n transactions once, on one certified chain. */
static void expect_agreement(struct cluster *c, uint64_t n_txs, uint64_t least_height)
{
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
    struct cluster *c = cluster_open(engines[_i], 4, 1);
    cluster_run(c, 1000 * MS);
    cluster_register_all(c);
    cluster_run(c, 300 * MS);
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

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("node");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, four_nodes_execute_the_same_blocks, 0, N_ENGINES);
    tcase_add_loop_test(tc, a_tenth_of_the_frames_lost_costs_no_transaction, 0, N_ENGINES);
    suite_add_tcase(suite, tc);
}
