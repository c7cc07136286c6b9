/* Nodes around the least engine: bundling, certificates, catching up, refusals. */
#define SUITE_NAME "chain node"
#include "tests/unit/check_main.h"

#include "tests/unit/chain/cluster.h"
#include "tests/unit/chain/fixed_leader.h"

START_TEST(four_nodes_execute_the_same_blocks)
{
    struct cluster *c = cluster_open(&fixed_leader_ops, 4, 1);
    cluster_register_all(c);
    cluster_run(c, 100 * MS);
    for (uint32_t k = 0; k < 40; k++) {
        struct chain_op op = evidence_op(c, k);
        ck_assert_int_eq(cluster_submit(c, k % 4, &op), CHAIN_SUCCESS);
        cluster_run(c, 20 * MS);
    }
    ck_assert(cluster_settle(c, 1000 * MS));
    ck_assert_uint_ge(cluster_height(c), 40);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_eq(c->n_applied[i], 44);
    cluster_close(c);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("node");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, four_nodes_execute_the_same_blocks);
    suite_add_tcase(suite, tc);
}
