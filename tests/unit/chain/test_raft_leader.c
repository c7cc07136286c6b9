#define SUITE_NAME "chain/raft leadership"
#include "tests/unit/check_main.h"

#include "tests/sim/engine_bench.h"
#include "tests/sim/raft_check.h"

static const struct chain_engine_ops *const raft = &chain_raft_ops;

static struct cluster *start_calm(uint32_t n, uint64_t seed, uint32_t learners)
{
    struct cluster_config cfg = calm_config(raft, n, seed);
    cfg.batch_txs = 1;
    cfg.learners = learners;
    cfg.check = check_raft;
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    return c;
}

static void cut_off(struct cluster *c, uint32_t id, bool off)
{
    for (uint32_t i = 0; i < c->cfg.n; i++)
        c->cut[i][id] = c->cut[id][i] = off;
}

/* ---- a medium that keeps own messages waiting */

/* The leader is dead, and nobody else gets at the medium for so long: an election needs that time more, up to timeout_max_ns in all. */
START_TEST(an_election_timer_stands_still_while_own_messages_wait_but_not_for_ever)
{
    static const int64_t waits_ms[] = {0, 300, 5000};
    int64_t stood_ms[3];
    for (int k = 0; k < 3; k++) {
        struct cluster *c = start_calm(3, 5, 0);
        commit_in_turn(c, 1, MS(500));
        uint32_t leader = cluster_leader(c);
        uint64_t term = cluster_stats(c, leader).view;
        cluster_crash(c, leader);
        int64_t start_ns = c->now_ns;
        for (int told = 0; told < 2; told++) {
            if (told == 1)
                cluster_run(c, start_ns + MS(waits_ms[k] < 2500 ? waits_ms[k] : 2500));
            struct chain_event event = {.kind = CHAIN_EV_ACCESS, .now_ns = c->now_ns, .waiting_since_ns = told == 0 ? c->now_ns : INT64_MAX};
            for (uint32_t i = 0; i < 3; i++)
                if (i != leader && cluster_stats(c, i).view == term)
                    ck_assert_int_eq(raft->step(c->nodes[i].engine, &event, &c->update), 0);
            if (cluster_leader(c) != leader && cluster_leader(c) < 3)
                break;
        }
        while (cluster_stats(c, (leader + 1) % 3).view == term && c->now_ns < start_ns + MS(4000))
            cluster_run(c, c->now_ns + MS(1));
        stood_ms[k] = (c->now_ns - start_ns) / MS(1);
        cluster_free(c);
    }
    ck_assert_int_le(stood_ms[0], 800);
    ck_assert_msg(llabs(stood_ms[1] - stood_ms[0] - 300) <= 5, "%lld ms, and %lld", (long long)stood_ms[0], (long long)stood_ms[1]);
    ck_assert_msg(stood_ms[2] > 1500, "%lld ms", (long long)stood_ms[2]);
}
END_TEST

/* ---- answers that are overheard */

/* The leader is deaf: it learns of no answer, and tells nobody of a commit. Returns how many others have committed what it proposed. */
static uint32_t count_committed_without_leader(uint32_t n, bool overheard, uint32_t n_answer)
{
    struct cluster_config cfg = calm_config(raft, n, n);
    cfg.batch_txs = 1;
    cfg.overheard = overheard;
    cfg.check = check_raft;
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    commit_in_turn(c, 2, MS(500));
    uint32_t leader = cluster_leader(c), n_cut = 0, n_committed = 0;
    for (uint32_t i = 0; i < n; i++) {
        c->cut[i][leader] = true;
        if (i != leader && n_cut + n_answer < n - 1) {
            cut_off(c, i, true);
            n_cut++;
        }
    }
    uint64_t before = c->highest;
    cluster_request(c);
    cluster_run(c, c->now_ns + 3 * c->cfg.delay_max_ns + 2 * c->cfg.persist_ns);
    ck_holds(c);
    ck_assert_uint_eq(cluster_stats(c, leader).committed, before);
    for (uint32_t i = 0; i < n; i++)
        n_committed += cluster_stats(c, i).committed == before + 1;
    cluster_free(c);
    return n_committed;
}

START_TEST(followers_that_overhear_a_majority_commit_without_the_leaders_word_and_fewer_do_not)
{
    for (uint32_t n = 4; n <= 7; n++) {
        uint32_t majority = n / 2 + 1;
        ck_assert_uint_eq(count_committed_without_leader(n, true, n - 1), n - 1);
        ck_assert_uint_eq(count_committed_without_leader(n, true, majority), majority);
        ck_assert_uint_eq(count_committed_without_leader(n, true, majority - 1), 0);
        ck_assert_uint_eq(count_committed_without_leader(n, false, n - 1), 0);
    }
}
END_TEST

/* ---- leader transfer */

START_TEST(leadership_goes_to_whoever_it_is_handed_to_within_five_frames_and_three_syncs)
{
    for (uint32_t n = 2; n <= 7; n++) {
        struct cluster *c = start_calm(n, n, 0);
        commit_in_turn(c, 2, MS(500));
        for (uint32_t to = 0; to < n; to++) {
            uint32_t from = cluster_leader(c);
            uint64_t view = cluster_stats(c, from).view;
            ck_assert_int_eq(cluster_transfer(c, from, to), from != to);
            if (from == to)
                continue;
            cluster_run(c, c->now_ns + 5 * c->cfg.delay_max_ns + 3 * c->cfg.persist_ns);
            ck_holds(c);
            ck_assert(cluster_stats(c, to).is_leader);
            ck_assert_uint_eq(cluster_stats(c, to).view, view + 1);
            commit_in_turn(c, 1, MS(500));
        }
        cluster_free(c);
    }
}
END_TEST

START_TEST(a_successor_is_brought_up_first_and_nothing_under_way_is_lost)
{
    struct cluster *c = start_calm(3, 2, 0);
    uint32_t from = cluster_leader(c), to = (from + 1) % 3;
    cut_off(c, to, true);
    for (int i = 0; i < 5; i++) {
        cluster_request(c);
        cluster_run(c, c->now_ns + MS(10));
    }
    ck_assert_uint_eq(c->nodes[to].tip, 0);
    cut_off(c, to, false);
    for (int i = 0; i < 3; i++)
        cluster_request(c);
    ck_assert(cluster_transfer(c, from, to));
    ck_assert(!cluster_stats(c, from).may_propose);
    cluster_request(c); /* waits for the next leader */
    cluster_run(c, c->now_ns + MS(20));
    ck_assert(cluster_stats(c, to).is_leader);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(500)), "a request was lost");
    ck_assert_uint_eq(c->n_repeated, 0);
    cluster_free(c);
}
END_TEST

START_TEST(who_does_not_get_there_in_an_election_timeout_is_given_up)
{
    struct cluster *c = start_calm(3, 4, 0);
    uint32_t from = cluster_leader(c), to = (from + 1) % 3;
    uint64_t view = cluster_stats(c, from).view;
    cluster_crash(c, to);
    ck_assert(cluster_transfer(c, from, to));
    cluster_request(c);
    cluster_run(c, c->now_ns + c->cfg.timeout_ns - MS(1));
    ck_assert(!cluster_stats(c, from).may_propose);
    ck_assert_uint_eq(c->highest, 0);
    cluster_run(c, c->now_ns + MS(10));
    ck_assert_uint_eq(c->highest, 1);
    ck_assert_uint_eq(cluster_stats(c, from).view, view);
    cluster_free(c);
}
END_TEST

/* As in a rolling restart: it has asked by then whether its leader lives, so that old words cannot make it stand. */
START_TEST(a_member_that_restarted_may_be_handed_leadership_three_heartbeats_later)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster *c = start_calm(3, seed, 0);
        commit_in_turn(c, 2, MS(500));
        uint32_t from = cluster_leader(c), to = (from + 1) % 3;
        uint64_t view = cluster_stats(c, from).view;
        cluster_crash(c, to);
        cluster_restart(c, to);
        cluster_run(c, c->now_ns + 3 * c->cfg.heartbeat_ns);
        ck_assert_uint_eq(cluster_stats(c, from).view, view); /* asking disturbs nobody */
        ck_assert_uint_eq(cluster_stats(c, to).leader, from);
        ck_assert(cluster_transfer(c, from, to));
        cluster_run(c, c->now_ns + MS(10));
        ck_assert(cluster_stats(c, to).is_leader);
        ck_holds(c);
        cluster_free(c);
    }
}
END_TEST

START_TEST(a_leader_hands_over_to_no_learner_nor_to_a_stranger)
{
    struct cluster *c = start_calm(3, 1, 1);
    uint32_t from = cluster_leader(c);
    ck_assert_uint_ne(from, 0);
    ck_assert(!cluster_transfer(c, from, 0));
    ck_assert(!cluster_transfer(c, from, 3));
    ck_assert(!cluster_transfer(c, 0, from));
    cluster_free(c);
}
END_TEST

static int say_timeout_now(struct bench *b, uint32_t author, uint64_t term, uint64_t last_index, uint64_t counter)
{
    uint8_t body[16];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    chain_cbor_put_array(&w, 1);
    chain_cbor_put_uint(&w, counter);
    return bench_receive(b, raft, (struct chain_msg){.kind = CHAIN_MSG_RAFT_TIMEOUT_NOW, .author = author, .view = term, .seq = last_index,
                                                     .body = body, .body_len = w.len});
}

START_TEST(only_a_fresh_word_of_the_own_leader_makes_a_member_stand_at_once)
{
    struct bench *b = bench_new(raft, 3, 2);
    uint8_t body[32];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    static const uint64_t numbers[] = {5, 0, 0}; /* counter, committed, term before */
    chain_cbor_put_array(&w, 5);
    for (size_t i = 0; i < 3; i++)
        chain_cbor_put_uint(&w, numbers[i]);
    chain_cbor_put_bool(&w, false);
    chain_cbor_put_array(&w, 0);
    struct chain_msg append = {.kind = CHAIN_MSG_RAFT_APPEND, .author = 0, .view = 3, .body = body, .body_len = w.len};
    ck_assert_int_eq(bench_receive(b, raft, append), 0);
    ck_assert_int_eq(say_timeout_now(b, 0, 3, 0, 5), -EBADMSG); /* a replay */
    ck_assert_int_eq(say_timeout_now(b, 0, 2, 0, 9), -EBADMSG);
    ck_assert_int_eq(say_timeout_now(b, 1, 3, 0, 6), -EBADMSG);
    ck_assert_int_eq(say_timeout_now(b, 0, 3, 1, 6), -EBADMSG); /* our log is shorter */
    ck_assert_uint_eq(bench_stats(b, raft).refused_stale, 4);
    ck_assert_uint_eq(bench_stats(b, raft).view, 3);
    ck_assert_int_eq(say_timeout_now(b, 0, 3, 0, 6), 0);
    ck_assert_uint_eq(b->out.n_msgs, 1);
    ck_assert_uint_eq(b->out.msgs[0].msg.kind, CHAIN_MSG_RAFT_VOTE);
    ck_assert_uint_eq(b->out.msgs[0].msg.view, 4);
    ck_assert_uint_eq(b->out.msgs[0].msg.body[1], 0xf5); /* it asks first, */
    ck_assert_uint_eq(b->out.msgs[0].msg.body[2], 0xf5); /* and says who sends it */
    bench_free(b);
}
END_TEST

/* ---- read index */

START_TEST(a_read_sees_what_was_committed_before_it_and_costs_one_round)
{
    struct cluster *c = start_calm(5, 1, 0);
    commit_in_turn(c, 3, MS(500));
    cluster_run(c, c->now_ns + MS(2));
    uint64_t sent = c->n_sent;
    for (int i = 0; i < 10; i++)
        ck_assert(cluster_read(c, cluster_leader(c)));
    cluster_run(c, c->now_ns + 5 * c->cfg.delay_max_ns);
    for (size_t i = 0; i < c->n_reads; i++)
        ck_assert_uint_eq(c->reads[i].height, 3);
    ck_assert_uint_eq(c->n_sent - sent, 2 * 5); /* the first alone, the nine behind it together */
    ck_holds(c);
    cluster_free(c);
}
END_TEST

START_TEST(a_single_member_answers_a_read_by_itself)
{
    struct cluster *c = start_calm(1, 1, 0);
    commit_in_turn(c, 2, MS(500));
    ck_assert(cluster_read(c, 0));
    ck_assert_uint_eq(c->reads[0].height, 2);
    cluster_free(c);
}
END_TEST

START_TEST(the_first_read_of_a_term_waits_for_an_entry_of_that_term)
{
    struct cluster *c = start_calm(3, 1, 0);
    commit_in_turn(c, 2, MS(500));
    uint32_t from = cluster_leader(c), to = (from + 1) % 3;
    ck_assert(cluster_stats(c, from).own_term_committed);
    ck_assert(cluster_transfer(c, from, to));
    cluster_run(c, c->now_ns + MS(10));
    ck_assert(cluster_stats(c, to).is_leader);
    ck_assert(!cluster_stats(c, to).own_term_committed);
    ck_assert(!cluster_stats(c, from).own_term_committed);
    ck_assert(cluster_read(c, to));
    ck_assert_uint_eq(c->reads[0].height, 0);
    cluster_run(c, c->now_ns + MS(10));
    ck_assert_uint_eq(c->reads[0].height, 3); /* the empty block */
    ck_assert(cluster_stats(c, to).own_term_committed);
    ck_holds(c);
    cluster_free(c);
}
END_TEST

START_TEST(a_leader_that_was_cut_off_answers_no_read)
{
    struct cluster *c = start_calm(5, 3, 0);
    commit_in_turn(c, 2, MS(500));
    uint32_t old = cluster_leader(c);
    cut_off(c, old, true);
    ck_assert(cluster_read(c, old));
    cluster_run(c, c->now_ns + MS(1200)); /* the others elect one and commit */
    ck_assert(cluster_stats(c, old).is_leader);
    cluster_request(c);
    cluster_run(c, c->now_ns + MS(100));
    ck_assert_uint_ge(c->highest, 3);
    ck_assert(cluster_read(c, old));
    cluster_run(c, c->now_ns + MS(1000));
    ck_assert(!cluster_stats(c, old).is_leader);
    for (size_t i = 0; i < 2; i++)
        ck_assert_uint_eq(c->reads[i].height, UINT64_MAX);
    ck_assert(!cluster_read(c, old));
    cut_off(c, old, false);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(4000)), "it did not come back");
    cluster_free(c);
}
END_TEST

START_TEST(reads_are_bounded_and_survive_lost_frames)
{
    struct cluster *c = start_calm(3, 3, 0);
    commit_in_turn(c, 1, MS(500));
    c->blackout_from_ns = c->now_ns;
    c->blackout_to_ns = c->now_ns + MS(100);
    uint32_t leader = cluster_leader(c);
    for (int i = 0; i < CHAIN_MAX_READS; i++)
        ck_assert(cluster_read(c, leader));
    ck_assert(!cluster_read(c, leader)); /* -EAGAIN */
    cluster_run(c, c->now_ns + MS(100 + 250));
    for (size_t i = 0; i < CHAIN_MAX_READS; i++)
        ck_assert_uint_eq(c->reads[i].height, 1);
    ck_assert(cluster_read(c, leader));
    cluster_free(c);
}
END_TEST

/* ---- learners */

START_TEST(a_learner_follows_and_its_answers_commit_nothing)
{
    struct cluster *c = start_calm(3, 1, 1 << 2);
    commit_in_turn(c, 4, MS(500));
    ck_assert_uint_eq(c->nodes[2].tip, 4);
    uint32_t leader = cluster_leader(c), voter = 1 - leader;
    ck_assert_uint_ne(leader, 2);
    cut_off(c, voter, true);
    cluster_request(c);
    cluster_run(c, c->now_ns + MS(300));
    ck_assert_uint_eq(raft_of(c, 2)->last_index, 5); /* it has the entry */
    ck_assert_uint_eq(c->highest_tip, 4);
    ck_assert(cluster_read(c, leader));
    cluster_run(c, c->now_ns + MS(200));
    ck_assert_uint_eq(c->reads[0].height, 0);
    cluster_make_voter(c, 2);
    cluster_run(c, c->now_ns + MS(300)); /* its next answer counts */
    ck_assert_uint_eq(c->highest_tip, 5);
    ck_assert_uint_ge(c->reads[0].height, 4);
    ck_holds(c);
    cluster_free(c);
}
END_TEST

START_TEST(a_leader_whom_learners_alone_answer_steps_down)
{
    struct cluster *c = start_calm(3, 1, 1 << 2);
    uint32_t leader = cluster_leader(c), voter = 1 - leader;
    cut_off(c, voter, true);
    cluster_run(c, c->now_ns + c->cfg.timeout_max_ns + MS(300));
    ck_assert(!cluster_stats(c, leader).is_leader);
    cluster_free(c);
}
END_TEST

START_TEST(a_learner_votes_for_nobody_and_never_stands)
{
    struct cluster *c = start_calm(3, 1, 1 << 2);
    commit_in_turn(c, 1, MS(500));
    uint32_t leader = cluster_leader(c), voter = 1 - leader;
    cluster_crash(c, leader);
    uint64_t view = cluster_stats(c, 2).view;
    cluster_run(c, c->now_ns + MS(10000));
    ck_assert_uint_eq(cluster_stats(c, 2).view, view);
    ck_assert_uint_eq(cluster_stats(c, 2).view_changes, 0);
    ck_assert(!cluster_stats(c, voter).is_leader);
    cluster_make_voter(c, 2);
    cluster_request(c);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(3000)), "two voters of three did not go on");
    cluster_free(c);
}
END_TEST

START_TEST(the_empty_batch_is_proposed_without_a_judge)
{
    struct bench *b = bench_new(raft, 1, 0);
    b->verdict = -EINVAL;
    ck_assert_int_eq(bench_step(b, raft, (struct chain_event){.kind = CHAIN_EV_TICK}), 0);
    b->now_ns = raft->deadline(b->engine);
    ck_assert_int_eq(bench_step(b, raft, (struct chain_event){.kind = CHAIN_EV_TICK}), 0);
    uint8_t batch[64];
    struct chain_event event = {.kind = CHAIN_EV_PROPOSE};
    ck_assert_int_eq(bench_step(b, raft, event), 0);
    ck_assert_uint_gt(b->out.n_records, 0);
    event.propose.batch = batch;
    event.propose.len = put_batch(batch, sizeof batch, 1);
    ck_assert_int_eq(bench_step(b, raft, event), -EBADMSG);
    ck_assert_uint_eq(bench_stats(b, raft).refused_batch, 1);
    bench_free(b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("leadership");
    tcase_add_test(tc, an_election_timer_stands_still_while_own_messages_wait_but_not_for_ever);
    tcase_add_test(tc, followers_that_overhear_a_majority_commit_without_the_leaders_word_and_fewer_do_not);
    tcase_add_test(tc, leadership_goes_to_whoever_it_is_handed_to_within_five_frames_and_three_syncs);
    tcase_add_test(tc, a_successor_is_brought_up_first_and_nothing_under_way_is_lost);
    tcase_add_test(tc, who_does_not_get_there_in_an_election_timeout_is_given_up);
    tcase_add_test(tc, a_member_that_restarted_may_be_handed_leadership_three_heartbeats_later);
    tcase_add_test(tc, a_leader_hands_over_to_no_learner_nor_to_a_stranger);
    tcase_add_test(tc, only_a_fresh_word_of_the_own_leader_makes_a_member_stand_at_once);
    tcase_add_test(tc, a_read_sees_what_was_committed_before_it_and_costs_one_round);
    tcase_add_test(tc, a_single_member_answers_a_read_by_itself);
    tcase_add_test(tc, the_first_read_of_a_term_waits_for_an_entry_of_that_term);
    tcase_add_test(tc, a_leader_that_was_cut_off_answers_no_read);
    tcase_add_test(tc, reads_are_bounded_and_survive_lost_frames);
    tcase_add_test(tc, a_learner_follows_and_its_answers_commit_nothing);
    tcase_add_test(tc, a_leader_whom_learners_alone_answer_steps_down);
    tcase_add_test(tc, a_learner_votes_for_nobody_and_never_stands);
    tcase_add_test(tc, the_empty_batch_is_proposed_without_a_judge);
    suite_add_tcase(suite, tc);
}
