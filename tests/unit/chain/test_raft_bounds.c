/* How soon a leader is replaced that is of no use any more; docs/consensus.md states these bounds. */
#define SUITE_NAME "chain/raft bounds"
#include "tests/unit/check_main.h"

#include "tests/sim/engine_faults.h"
#include "tests/sim/raft_check.h"

enum { N_SEEDS = 60 };
static const uint32_t sizes[] = {3, 5, 7};

/* What becomes of the leader: the jam of MS(1000) hits all, the others the leader alone. */
enum trouble { DEAD, DEAD_IN_A_JAM, MUTE, DEAF };

/* From the trouble, or the jam's end, until a request that came with it is executed by all others. */
static int64_t measure_ns(uint32_t n, uint64_t seed, enum trouble trouble)
{
    struct cluster_config cfg = lossy_config(&chain_raft_ops, n, seed);
    cfg.check = check_raft;
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    commit_in_turn(c, 2, MS(5000));
    cluster_run(c, c->now_ns + (int64_t)cluster_draw(c, (uint64_t)MS(200)));
    uint32_t leader = cluster_leader(c);
    int64_t from_ns = c->now_ns;
    if (trouble == DEAD_IN_A_JAM) {
        c->blackout_from_ns = c->now_ns;
        c->blackout_to_ns = from_ns = c->now_ns + MS(1000);
        cluster_run(c, c->now_ns + (int64_t)cluster_draw(c, (uint64_t)MS(900)));
    }
    if (trouble == DEAD || trouble == DEAD_IN_A_JAM)
        cluster_crash(c, leader);
    for (uint32_t i = 0; i < n; i++) {
        c->cut[leader][i] = trouble == MUTE;
        c->cut[i][leader] = trouble == DEAF;
    }
    cluster_request(c);
    for (bool done = false; !done;) {
        ck_assert(turn(c, from_ns + MS(30000)));
        ck_holds(c);
        done = true;
        for (uint32_t i = 0; i < n; i++)
            done = done && (i == leader || c->nodes[i].executed[2]);
    }
    int64_t took_ns = c->now_ns - from_ns;
    cluster_free(c);
    return took_ns;
}

static void hold_to(const char *what, enum trouble trouble, int64_t bound_ns)
{
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        int64_t took_ns[N_SEEDS];
        for (int i = 0; i < N_SEEDS; i++)
            took_ns[i] = measure_ns(sizes[k], (uint64_t)i + 1, trouble);
        qsort(took_ns, N_SEEDS, sizeof took_ns[0], compare_ns);
        printf("raft n=%u, %s: replaced over %d seeds: median %.0f ms, max %.0f ms, bound %.0f ms\n", sizes[k], what, N_SEEDS,
               (double)took_ns[N_SEEDS / 2] / 1e6, (double)took_ns[N_SEEDS - 1] / 1e6, (double)bound_ns / 1e6);
        ck_assert_int_le(took_ns[N_SEEDS - 1], bound_ns);
    }
}

START_TEST(a_dead_leader_is_replaced_within_four_election_timeouts)
{
    hold_to("dead leader", DEAD, 4 * MS(400));
}
END_TEST

START_TEST(a_leader_that_dies_in_a_jam_is_replaced_within_four_election_timeouts_of_its_end)
{
    hold_to("leader dead in a jam", DEAD_IN_A_JAM, 4 * MS(400));
}
END_TEST

/* A rival holder that never leaves it the air: nothing of it gets out, and it hears everything. */
START_TEST(a_leader_whose_heartbeats_starve_is_replaced_within_four_election_timeouts)
{
    hold_to("starved heartbeats", MUTE, 4 * MS(400));
}
END_TEST

/* Its heartbeats keep the others quiet until it gives up by itself. */
START_TEST(a_leader_that_hears_nobody_is_replaced_four_election_timeouts_after_check_quorum)
{
    hold_to("deaf leader", DEAF, MS(1600) + 4 * MS(400));
}
END_TEST

/* It comes back with the old term and follows; nobody is disturbed again. */
START_TEST(a_leader_that_was_mute_follows_its_successor_once_it_is_heard)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster_config cfg = calm_config(&chain_raft_ops, 5, seed);
        struct cluster *c = cluster_new(&cfg);
        warm_up(c);
        uint32_t old = cluster_leader(c);
        for (uint32_t i = 0; i < 5; i++)
            c->cut[old][i] = true;
        cluster_run(c, c->now_ns + MS(3000));
        uint32_t next = cluster_leader(c);
        uint64_t view = cluster_stats(c, next).view;
        ck_assert_uint_ne(next, old);
        memset(c->cut, 0, sizeof c->cut);
        cluster_run(c, c->now_ns + MS(2000));
        for (uint32_t i = 0; i < 5; i++) {
            ck_assert_uint_eq(cluster_stats(c, i).leader, next);
            ck_assert_uint_eq(cluster_stats(c, i).view, view);
        }
        cluster_free(c);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("bounds");
    tcase_add_test(tc, a_dead_leader_is_replaced_within_four_election_timeouts);
    tcase_add_test(tc, a_leader_that_dies_in_a_jam_is_replaced_within_four_election_timeouts_of_its_end);
    tcase_add_test(tc, a_leader_whose_heartbeats_starve_is_replaced_within_four_election_timeouts);
    tcase_add_test(tc, a_leader_that_hears_nobody_is_replaced_four_election_timeouts_after_check_quorum);
    tcase_add_test(tc, a_leader_that_was_mute_follows_its_successor_once_it_is_heard);
    suite_add_tcase(suite, tc);
}
