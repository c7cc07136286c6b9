/* Everything that was ever said is said again, in any order: it is counted and changes nothing. */
#define SUITE_NAME "chain/raft replays"
#include "tests/unit/check_main.h"

#include "tests/sim/engine_bench.h"
#include "tests/sim/raft_check.h"

static const struct chain_engine_ops *const raft = &chain_raft_ops;

/* A long run with several leaders, crashes, handovers, losses and reads, all frames kept; at its end all is quiet. */
static struct cluster *run_long(uint32_t n, uint64_t seed)
{
    struct cluster_config cfg = lossy_config(raft, n, seed);
    cfg.record = true;
    cfg.batch_txs = 1;
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    for (int i = 0; i < 100; i++) {
        one_fault(c);
        read_and_hand_over(c);
        for (uint64_t k = cluster_draw(c, 6); k > 0; k--)
            cluster_request(c);
        cluster_run(c, c->now_ns + (int64_t)cluster_draw(c, (uint64_t)MS(500)));
    }
    heal(c);
    c->cfg.loss_permille = c->cfg.repeat_permille = 0;
    cluster_request(c);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(30000)), "no convergence after the faults");
    cluster_run(c, c->now_ns + MS(2000));
    ck_holds(c);
    return c;
}

/* In order, backwards, or shuffled. */
static size_t pick(const struct cluster *c, int order, size_t i)
{
    size_t n = c->n_recorded;
    if (order < 2)
        return order == 0 ? i : n - 1 - i;
    uint64_t in[2] = {(uint64_t)order, i}, out[2];
    crypto_generichash((uint8_t *)out, 16, (const uint8_t *)in, sizeof in, NULL, 0);
    return out[0] % n;
}

static uint64_t count_refused(const struct chain_engine_stats *s)
{
    return s->refused_stale + s->refused_malformed + s->refused_window;
}

/* True if it was refused. Whatever the engine answers, nothing about it may change. */
static bool replay(struct cluster *c, uint32_t id, const struct cluster_frame *frame, bool knows_leader)
{
    struct chain_msg msg;
    struct chain_event event = {.kind = CHAIN_EV_MESSAGE, .now_ns = c->now_ns, .msg = &msg};
    struct chain_engine_stats before = cluster_stats(c, id), after;
    int64_t deadline_ns = raft->deadline(c->nodes[id].engine);
    ck_assert_int_eq(chain_msg_decode(&c->members, frame->data, frame->len, &msg, NULL), 0);
    int rc = raft->step(c->nodes[id].engine, &event, &c->update);
    ck_assert_uint_eq(c->update.n_records + c->update.n_commits + c->update.n_reads, 0);
    after = cluster_stats(c, id);
    ck_assert_int_eq(raft->deadline(c->nodes[id].engine), deadline_ns);
    ck_assert_uint_eq(after.view, before.view);
    ck_assert_uint_eq(after.committed, before.committed);
    ck_assert_uint_eq(after.is_leader, before.is_leader);
    ck_assert(!knows_leader || after.leader == before.leader);
    if (rc != 0)
        ck_assert_uint_eq(count_refused(&after), count_refused(&before) + 1);
    return count_refused(&after) > count_refused(&before);
}

static void replay_all(struct cluster *c, bool knows_leader)
{
    uint64_t n_replayed = 0, n_refused = 0;
    for (int order = 0; order < 4; order++)
        for (uint32_t id = 0; id < c->cfg.n; id++)
            for (size_t i = 0; i < c->n_recorded; i++) {
                const struct cluster_frame *frame = &c->recorded[pick(c, order, i)];
                if (frame->from == id)
                    continue;
                n_replayed++;
                n_refused += replay(c, id, frame, knows_leader);
            }
    printf("raft n=%u: %" PRIu64 " frames replayed, %" PRIu64 " of them refused and counted\n", c->cfg.n, n_replayed, n_refused);
    ck_assert_uint_ge(n_refused, n_replayed * 9 / 10);
}

START_TEST(every_frame_of_a_long_run_said_again_in_any_order_changes_nothing)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        for (uint32_t n = 3; n <= 5; n += 2) {
            struct cluster *c = run_long(n, seed);
            replay_all(c, true);
            cluster_request(c);
            ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(500)), "replays did harm");
            cluster_free(c);
        }
}
END_TEST

/* It has forgotten the counters; its disk tells the term. */
START_TEST(nor_does_it_change_anything_in_members_that_have_just_restarted)
{
    struct cluster *c = run_long(5, 9);
    for (uint32_t id = 0; id < 5; id++) {
        cluster_crash(c, id);
        cluster_restart(c, id);
    }
    replay_all(c, false);
    cluster_request(c);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(5000)), "replays did harm");
    cluster_free(c);
}
END_TEST

/* Somebody repeats what a dead leader said, all the time, to all of the others; one of them has just restarted. */
START_TEST(replays_keep_no_dead_leader_in_office)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct cluster *c = run_long(seed % 2 ? 3 : 5, seed);
        uint32_t dead = cluster_leader(c), n = c->cfg.n, restarted = (dead + 1) % n;
        uint64_t n_said = 0;
        size_t n_recorded = c->n_recorded;
        cluster_crash(c, dead);
        cluster_crash(c, restarted);
        cluster_restart(c, restarted);
        cluster_request(c);
        int64_t until_ns = c->now_ns + 4 * c->cfg.timeout_ns;
        while (c->now_ns < until_ns) {
            cluster_run(c, c->now_ns + MS(1));
            for (uint32_t id = 0; id < n; id++)
                for (int k = 0; k < 5; k++) {
                    struct cluster_frame frame = c->recorded[pick(c, 7, n_said++) % n_recorded];
                    frame.to = id;
                    if (frame.from == dead && id != dead)
                        deliver(c, &frame);
                }
            ck_holds(c);
        }
        ck_reached(c, cluster_run_to_quiet(c, c->now_ns), "the dead leader was not replaced in time");
        ck_assert_uint_ne(cluster_leader(c), dead);
        cluster_free(c);
    }
}
END_TEST

/* An answer to a pre-vote of long ago wins no election now. */
START_TEST(an_old_yes_to_a_pre_vote_is_worth_nothing_in_a_later_round)
{
    struct bench *b = bench_new(raft, 3, 2);
    uint8_t body[32];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    ck_assert_int_eq(bench_step(b, raft, (struct chain_event){.kind = CHAIN_EV_TICK}), 0);
    b->now_ns = raft->deadline(b->engine);
    ck_assert_int_eq(bench_step(b, raft, (struct chain_event){.kind = CHAIN_EV_TICK}), 0);
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_bool(&w, true);
    chain_cbor_put_bool(&w, true);
    chain_cbor_put_uint(&w, (uint64_t)b->now_ns);
    struct chain_msg yes = {.kind = CHAIN_MSG_RAFT_VOTE_REPLY, .author = 1, .view = 1, .body = body, .body_len = w.len};
    b->now_ns += MS(900); /* its election timeout is over: it asks anew */
    ck_assert_int_eq(bench_step(b, raft, (struct chain_event){.kind = CHAIN_EV_TICK}), 0);
    ck_assert_int_eq(bench_receive(b, raft, yes), -EBADMSG);
    ck_assert_uint_eq(bench_stats(b, raft).refused_stale, 1);
    ck_assert_uint_eq(bench_stats(b, raft).view, 0);
    bench_free(b);
}
END_TEST

START_TEST(strangers_and_kinds_that_nobody_knows_are_counted_as_malformed)
{
    struct bench *b = bench_new(raft, 3, 2);
    static const uint8_t kinds[] = {CHAIN_MSG_RAFT_APPEND, CHAIN_MSG_RAFT_APPEND_REPLY, CHAIN_MSG_RAFT_VOTE, CHAIN_MSG_RAFT_VOTE_REPLY,
                                    CHAIN_MSG_RAFT_TIMEOUT_NOW, 21, 40};
    for (size_t i = 0; i < sizeof kinds; i++) {
        struct chain_msg msg = {.kind = kinds[i], .author = i < 5 ? 3 : 1, .view = 1, .seq = 1};
        struct chain_event event = {.kind = CHAIN_EV_MESSAGE, .msg = &msg};
        ck_assert_int_eq(bench_step(b, raft, event), -EBADMSG);
        ck_assert_uint_eq(bench_stats(b, raft).refused_malformed, i + 1);
    }
    bench_free(b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("replays");
    tcase_add_test(tc, every_frame_of_a_long_run_said_again_in_any_order_changes_nothing);
    tcase_add_test(tc, nor_does_it_change_anything_in_members_that_have_just_restarted);
    tcase_add_test(tc, replays_keep_no_dead_leader_in_office);
    tcase_add_test(tc, an_old_yes_to_a_pre_vote_is_worth_nothing_in_a_later_round);
    tcase_add_test(tc, strangers_and_kinds_that_nobody_knows_are_counted_as_malformed);
    suite_add_tcase(suite, tc);
}
