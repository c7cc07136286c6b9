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

START_TEST(a_commit_takes_two_frames_a_member_from_four_members_on)
{
    for (uint32_t n = 1; n <= 13; n++) {
        double frames = measure_frames_a_commit(&chain_pbft_ops, n);
        printf("pbft n=%u: %.2f frames a commit\n", n, frames);
        /* up to three members the primary's and the own word are a quorum: no PREPARE is sent */
        ck_assert_double_eq(frames, n == 1 ? 0 : n < 4 ? n + 1 : 2 * n);
    }
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

START_TEST(one_seed_gives_one_trace_and_another_seed_another)
{
    uint8_t first[32], again[32], other[32];
    fill_trace(&chain_pbft_ops, 5, 3, first);
    fill_trace(&chain_pbft_ops, 5, 3, again);
    fill_trace(&chain_pbft_ops, 5, 4, other);
    ck_assert_mem_eq(first, again, 32);
    ck_assert_mem_ne(first, other, 32);
}
END_TEST

START_TEST(the_others_go_on_when_the_leader_dies_and_it_comes_back)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        survive_dead_leader(&chain_pbft_ops, cluster_sizes[_i], seed, MS(6000));
}
END_TEST

START_TEST(a_member_that_was_cut_off_comes_back_without_a_change_of_leader)
{
    for (uint64_t seed = 1; seed <= 5; seed++)
        survive_a_deaf_backup(&chain_pbft_ops, cluster_sizes[_i], seed);
}
END_TEST

START_TEST(agreement_resumes_by_itself_after_a_blackout_of_one_second)
{
    int64_t median_ns;
    int64_t most_ns = report_blackouts(&chain_pbft_ops, cluster_sizes[_i], 60, &median_ns);
    ck_assert_int_le(median_ns, MS(700));
    ck_assert_int_le(most_ns, MS(4000));
}
END_TEST

/* Crashes that lose what was not synced, partitions, deaf links, blackouts, loss; then all heals and has to converge. */
START_TEST(no_fault_makes_two_members_disagree_and_all_converge_afterwards)
{
    for (uint64_t seed = 1; seed <= 150; seed++)
        live_through_faults(&chain_pbft_ops, cluster_sizes[_i], seed, 40, false, 0, NULL);
}
END_TEST

START_TEST(the_same_holds_with_real_signatures)
{
    live_through_faults(&chain_pbft_ops, 4, 1001, 12, true, 0, NULL);
    live_through_faults(&chain_pbft_ops, 3, 1002, 12, true, 0, NULL);
}
END_TEST

/* The primary shows one batch to the even and another to the odd members, votes for both and claims what it cannot show. */
static void survive_a_liar(uint32_t n, uint32_t liar, uint64_t seed)
{
    struct cluster_config cfg = lossy_config(&chain_pbft_ops, n, seed);
    cfg.loss_permille = seed % 2 == 0 ? 100 : 0;
    struct cluster *c = cluster_new(&cfg);
    c->nodes[liar].liar = true;
    for (int i = 0; i < 5; i++) {
        cluster_request(c);
        ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(15000)), "a liar keeps the others from committing");
    }
    cluster_free(c);
}

START_TEST(a_primary_that_says_two_things_splits_nobody_and_is_deposed)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        survive_a_liar(4, (uint32_t)(seed % 2), seed);
        survive_a_liar(7, (uint32_t)(seed % 3), seed);
    }
}
END_TEST

START_TEST(no_fault_and_f_liars_together_make_two_honest_members_disagree)
{
    for (uint64_t seed = 1; seed <= 40; seed++)
        live_through_faults(&chain_pbft_ops, cluster_sizes[_i], seed, 30, false, chain_pbft_f(cluster_sizes[_i]), NULL);
}
END_TEST

START_TEST(two_liars_of_seven_split_nobody)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct cluster_config cfg = lossy_config(&chain_pbft_ops, 7, seed);
        struct cluster *c = cluster_new(&cfg);
        c->nodes[0].liar = c->nodes[1].liar = true;
        for (int i = 0; i < 3; i++) {
            cluster_request(c);
            ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(30000)), "two liars keep the others from committing");
        }
        cluster_free(c);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("pbft");
    tcase_add_loop_test(tc, a_request_is_committed_by_every_member_of_a_calm_cluster, 0, N_CLUSTER_SIZES);
    tcase_add_test(tc, a_commit_takes_two_frames_a_member_from_four_members_on);
    tcase_add_loop_test(tc, requests_are_committed_though_one_frame_in_ten_is_lost, 0, N_CLUSTER_SIZES);
    tcase_add_test(tc, one_seed_gives_one_trace_and_another_seed_another);
    tcase_add_loop_test(tc, the_others_go_on_when_the_leader_dies_and_it_comes_back, 2, N_CLUSTER_SIZES);
    tcase_add_loop_test(tc, a_member_that_was_cut_off_comes_back_without_a_change_of_leader, 1, N_CLUSTER_SIZES);
    tcase_add_loop_test(tc, agreement_resumes_by_itself_after_a_blackout_of_one_second, 1, N_CLUSTER_SIZES);
    tcase_add_loop_test(tc, no_fault_makes_two_members_disagree_and_all_converge_afterwards, 0, N_CLUSTER_SIZES);
    tcase_add_test(tc, the_same_holds_with_real_signatures);
    tcase_add_test(tc, a_primary_that_says_two_things_splits_nobody_and_is_deposed);
    tcase_add_loop_test(tc, no_fault_and_f_liars_together_make_two_honest_members_disagree, 2, N_CLUSTER_SIZES);
    tcase_add_test(tc, two_liars_of_seven_split_nobody);
    suite_add_tcase(suite, tc);
}
