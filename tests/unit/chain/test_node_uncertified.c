/* A member that commits with the others and hears of no certificate: it comes by them all the same, however many it has missed. */
#define SUITE_NAME "chain node uncertified"
#include "tests/unit/check_main.h"

#include "tests/unit/chain/cluster.h"

START_TEST(who_missed_more_certificates_than_memory_has_blocks_gets_them_in_the_end)
{
    enum { DEAF = 2, ROUND = 55 };
    struct cluster *c = cluster_open(&chain_raft_ops, 3, 90);
    cluster_run(c, 600 * MS);
    cluster_register_all(c);
    cluster_run(c, 600 * MS);
    ck_assert(cluster_agrees(c));
    ck_assert_uint_ne(cluster_stats(c, 0).engine.leader, DEAF);
    uint64_t certified = cluster_stats(c, DEAF).certified_height;
    c->uncertified = 1u << DEAF;
    /* an engine waits for certificates, but takes up where a restart finds it */
    for (uint32_t k = 0; k < 4 * ROUND; k++) {
        struct chain_op op = evidence_op(c, k);
        (void)cluster_submit(c, 0, &op);
        cluster_run(c, 10 * MS);
        if (k % ROUND == ROUND - 1) {
            cluster_stop(c, DEAF);
            cluster_start(c, DEAF);
            cluster_run(c, 100 * MS);
        }
    }
    struct chain_node_stats s = cluster_stats(c, DEAF);
    ck_assert_uint_eq(s.certified_height, certified);
    ck_assert_uint_eq(s.height, certified + CHAIN_NODE_RING); /* and no further: what its memory forgets nobody can certify */
    c->uncertified = 0;
    cluster_run(c, 8000 * MS);
    ck_assert(cluster_agrees(c));
    ck_assert_uint_eq(cluster_stats(c, DEAF).certified_height, cluster_stats(c, 0).height);
    cluster_close(c);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("uncertified");
    tcase_add_test(tc, who_missed_more_certificates_than_memory_has_blocks_gets_them_in_the_end);
    suite_add_tcase(suite, tc);
}
