#define SUITE_NAME "chain/pbft"
#include "tests/unit/check_main.h"

#include "tests/sim/engine_faults.h"

START_TEST(a_request_is_committed_by_every_member_of_a_calm_cluster)
{
    struct cluster_config cfg = calm_config(&chain_pbft_ops, cluster_sizes[_i], 1);
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    commit_in_turn(c, 20, MS(500));
    ck_assert_uint_eq(c->highest, 20);
    cluster_free(c);
}
END_TEST

START_TEST(requests_are_committed_though_one_frame_in_ten_is_lost)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct cluster_config cfg = lossy_config(&chain_pbft_ops, cluster_sizes[_i], seed);
        struct cluster *c = cluster_new(&cfg);
        warm_up(c);
        commit_in_turn(c, 8, MS(5000));
        cluster_free(c);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("pbft");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_request_is_committed_by_every_member_of_a_calm_cluster, 0, N_CLUSTER_SIZES);
    tcase_add_loop_test(tc, requests_are_committed_though_one_frame_in_ten_is_lost, 0, N_CLUSTER_SIZES);
    suite_add_tcase(suite, tc);
}
