/* Changing the view: what it costs, whom it depends on, how soon it comes. */
#define SUITE_NAME "chain/pbft view changes"
#include "tests/unit/check_main.h"

#include "chain/pbft.h"
#include "tests/sim/engine_bench.h"

static const struct chain_engine_ops *const pbft = &chain_pbft_ops;

static struct pbft *engine_of(const struct cluster *c, uint32_t id)
{
    return (struct pbft *)c->nodes[id].engine;
}

static bool hold_back_all(const struct cluster *c, const struct cluster_node *node, uint32_t request)
{
    (void)c, (void)node, (void)request;
    return true;
}

/* Nothing but the view change happens within the first heartbeat after it. */
static struct cluster_config slow_heartbeat(uint32_t n)
{
    struct cluster_config cfg = calm_config(pbft, n, n);
    cfg.heartbeat_ns = MS(200);
    cfg.batch_txs = 1;
    return cfg;
}

START_TEST(an_idle_view_change_costs_no_more_frames_than_there_are_members_and_one)
{
    for (uint32_t n = 4; n <= 13; n++) {
        struct cluster_config cfg = slow_heartbeat(n);
        struct cluster *c = cluster_new(&cfg);
        for (uint32_t i = 0; i < n; i++)
            c->nodes[i].holds_back = hold_back_all;
        cluster_request(c);
        cluster_run(c, c->now_ns + MS(500));
        ck_holds(c);
        for (uint32_t i = 0; i < n; i++)
            ck_assert(cluster_stats(c, i).view == 1 && cluster_stats(c, i).leader == 1);
        printf("n=%u: idle view change of %lu frames\n", n, (unsigned long)c->n_bundles);
        ck_assert_uint_eq(c->n_bundles, n + 1);
        cluster_free(c);
    }
}
END_TEST

/* All are prepared for eight heights when a blackout swallows every COMMIT. */
static struct cluster *stop_before_commits(uint32_t n)
{
    struct cluster_config cfg = slow_heartbeat(n);
    struct cluster *c = cluster_new(&cfg);
    int64_t start_ns = c->now_ns;
    c->blackout_from_ns = start_ns + MS(11) / 10;
    c->blackout_to_ns = start_ns + MS(390);
    for (int i = 0; i < CHAIN_WINDOW; i++)
        cluster_request(c);
    cluster_run(c, start_ns + MS(395));
    ck_holds(c);
    for (uint32_t i = 0; i < n; i++)
        for (uint64_t height = 1; height <= CHAIN_WINDOW; height++)
            ck_assert(chain_pbft_slot(engine_of(c, i), height)->cert.have);
    ck_assert_uint_eq(c->highest, 0);
    return c;
}

START_TEST(a_view_change_with_eight_heights_in_flight_costs_three_frames_a_member)
{
    for (uint32_t n = 4; n <= CHAIN_MAX_MEMBERS; n += n == 13 ? CHAIN_MAX_MEMBERS - 13 : 1) {
        struct cluster *c = stop_before_commits(n);
        uint64_t before = c->n_bundles, octets = engine_of(c, 0)->quorum * CHAIN_SIG_BYTES * CHAIN_WINDOW;
        ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(20)), "not all that was prepared is committed");
        cluster_run(c, c->now_ns + MS(2));
        ck_assert_uint_eq(cluster_stats(c, 0).view, 1);
        ck_assert_uint_eq(c->highest, CHAIN_WINDOW);
        ck_assert_uint_eq(c->n_repeated, 0);
        size_t longest = 0;
        for (uint32_t i = 0; i < n; i++)
            longest = engine_of(c, i)->peers[i].change.len > longest ? engine_of(c, i)->peers[i].change.len : longest;
        printf("n=%u: view change with 8 heights in flight of %lu frames, a VIEW-CHANGE of %zu octets\n", n,
               (unsigned long)(c->n_bundles - before), longest);
        ck_assert_uint_le(c->n_bundles - before, 3 * (n + 1));
        /* 64 octets a signer, and for each height a preimage, bitmaps and the lengths of these */
        ck_assert_uint_le(longest, octets + CHAIN_WINDOW * 64);
        cluster_free(c);
    }
}
END_TEST

START_TEST(a_primary_that_dies_with_eight_heights_in_flight_takes_none_of_them_with_it)
{
    for (uint32_t n = 4; n <= 10; n += 3) {
        struct cluster *c = stop_before_commits(n);
        cluster_crash(c, 0);
        ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(20)), "not all that was prepared is committed");
        ck_assert_uint_eq(c->highest, CHAIN_WINDOW);
        cluster_restart(c, 0);
        cluster_request(c);
        ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(2000)), "the old primary does not catch up");
        cluster_free(c);
    }
}
END_TEST

/* What each member was sent of one kind. */
struct ear {
    const struct cluster *c;
    uint64_t n_changes, n_new_views, n_asks;
};

static void listen(void *ctx, uint32_t from, const uint8_t *data, size_t len)
{
    struct ear *ear = ctx;
    struct chain_msg msg;
    (void)from;
    ck_assert_int_eq(chain_msg_decode(&ear->c->members, data, len, &msg, NULL), 0);
    ear->n_changes += msg.kind == CHAIN_MSG_PBFT_VIEW_CHANGE;
    ear->n_new_views += msg.kind == CHAIN_MSG_PBFT_NEW_VIEW;
    ear->n_asks += msg.kind == CHAIN_MSG_PBFT_ASK;
}

START_TEST(who_missed_view_changes_that_a_new_view_names_asks_for_just_those)
{
    struct cluster_config cfg = slow_heartbeat(7);
    cfg.heartbeat_ns = MS(100);
    struct cluster *c = cluster_new(&cfg);
    struct ear ear = {.c = c};
    for (uint32_t i = 0; i < 7; i++)
        c->nodes[i].holds_back = hold_back_all;
    c->cut[2][6] = c->cut[3][6] = true; /* 6 does not hear these two */
    c->tap = listen;
    c->tap_ctx = &ear;
    cluster_request(c);
    cluster_run(c, c->now_ns + MS(440));
    ck_assert_uint_eq(ear.n_changes, 7);
    ck_assert_uint_eq(cluster_stats(c, 5).leader, 1);
    ck_assert_uint_eq(cluster_stats(c, 6).leader, CHAIN_TO_ALL);
    cluster_run(c, c->now_ns + MS(120));
    ck_assert_uint_eq(cluster_stats(c, 6).leader, 1);
    ck_assert_uint_eq(ear.n_asks, 1);
    ck_assert_uint_eq(ear.n_new_views, 1);
    ck_assert_uint_eq(ear.n_changes, 7 + 2);
    ck_holds(c);
    cluster_free(c);
}
END_TEST

/* ---- how soon */

static bool hold_back_first(const struct cluster *c, const struct cluster_node *node, uint32_t request)
{
    (void)c;
    return node->id == 0 && request == 0;
}

/* A request every 20 ms, which the primary serves at once; when is the first one executed by all? */
static int64_t serve_in_time(struct cluster *c, int64_t within_ns)
{
    int64_t start_ns = c->now_ns;
    bool all = false;
    cluster_request(c);
    while (!all && c->now_ns < start_ns + within_ns) {
        cluster_run(c, c->now_ns + MS(20));
        cluster_request(c);
        all = true;
        for (uint32_t i = 0; i < c->cfg.n; i++)
            all = all && (c->nodes[i].executed[0] || !c->nodes[i].alive);
    }
    ck_holds(c);
    ck_assert_msg(all, "n=%u: not executed within %ld ms", c->cfg.n, (long)(within_ns / MS(1)));
    return c->now_ns - start_ns;
}

START_TEST(a_primary_that_serves_everybody_but_one_is_replaced_within_a_timeout)
{
    for (uint32_t n = 4; n <= 10; n += 3) {
        struct cluster_config cfg = calm_config(pbft, n, n);
        struct cluster *c = cluster_new(&cfg);
        c->nodes[0].holds_back = hold_back_first;
        int64_t took_ns = serve_in_time(c, MS(430));
        printf("n=%u: censored request executed after %ld ms\n", n, (long)(took_ns / MS(1)));
        ck_assert_uint_eq(cluster_stats(c, 1).view, 1);
        ck_assert_uint_gt(c->highest, 15); /* the others were served all the while */
        cluster_free(c);
    }
}
END_TEST

/* Each request waits for most of a timeout, though others are ordered every 20 ms. */
static bool hold_back_young(const struct cluster *c, const struct cluster_node *node, uint32_t request)
{
    return node->id == 0 && request % 16 == 0 && c->now_ns < c->requested_ns[request] + MS(1000);
}

START_TEST(a_primary_that_lets_the_oldest_wait_is_replaced_whatever_else_it_orders)
{
    for (uint32_t n = 4; n <= 10; n += 3) {
        struct cluster_config cfg = calm_config(pbft, n, n);
        struct cluster *c = cluster_new(&cfg);
        c->nodes[0].holds_back = hold_back_young;
        int64_t took_ns = serve_in_time(c, MS(430));
        ck_assert_int_ge(took_ns, MS(400));
        ck_assert_uint_eq(cluster_stats(c, 1).view, 1);
        cluster_free(c);
    }
}
END_TEST

START_TEST(a_busy_primary_is_not_replaced_as_long_as_the_oldest_request_is_served)
{
    struct cluster_config cfg = calm_config(pbft, 4, 1);
    cfg.window = 1;
    cfg.batch_txs = 1;
    cfg.certify_ns = MS(3);
    struct cluster *c = cluster_new(&cfg);
    for (int i = 0; i < 300; i++) { /* a backlog of far more than a timeout */
        cluster_request(c);
        cluster_run(c, c->now_ns + 1);
    }
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(5000)), "the backlog was not worked off");
    ck_assert_int_gt(c->now_ns - c->requested_ns[299], MS(800));
    ck_assert_uint_eq(cluster_stats(c, 1).view, 0);
    cluster_free(c);
}
END_TEST

/* The primary dies in a jam that all suffer. VIEW-CHANGEs are repeated every two heartbeats, give or take a quarter. */
START_TEST(a_primary_that_died_in_a_jam_is_replaced_two_heartbeats_and_a_half_after_it_ends)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct cluster_config cfg = calm_config(pbft, 4 + (uint32_t)(seed % 4), seed);
        struct cluster *c = cluster_new(&cfg);
        warm_up(c);
        commit_in_turn(c, 1, MS(500));
        c->blackout_from_ns = c->now_ns;
        c->blackout_to_ns = c->now_ns + MS(500) + (int64_t)cluster_draw(c, (uint64_t)MS(2000));
        cluster_request(c);
        cluster_crash(c, 0);
        cluster_run(c, c->blackout_to_ns);
        ck_reached(c, cluster_run_to_quiet(c, c->now_ns + 5 * cfg.heartbeat_ns / 2 + MS(10)), "the dead primary is still not replaced");
        cluster_free(c);
    }
}
END_TEST

START_TEST(a_timeout_doubles_from_view_to_view_and_is_fixed_within_one)
{
    struct cluster_config cfg = calm_config(pbft, 4, 1);
    cfg.timeout_max_ns = MS(3200);
    struct cluster *c = cluster_new(&cfg);
    for (uint32_t i = 0; i < 4; i++)
        c->nodes[i].holds_back = hold_back_all;
    int64_t start_ns = c->now_ns, last_ns = MS(400), at_ns = 0;
    cluster_request(c);
    for (uint64_t view = 0; view < 5; view++) {
        int64_t timeout_ns = engine_of(c, 0)->timeout_ns;
        ck_assert_int_eq(timeout_ns, last_ns);
        at_ns += timeout_ns;
        cluster_run(c, start_ns + at_ns - MS(1));
        ck_assert_uint_eq(cluster_stats(c, 0).view, view);
        ck_assert_int_eq(engine_of(c, 0)->timeout_ns, timeout_ns);
        at_ns += MS(10); /* for the view change */
        cluster_run(c, start_ns + at_ns);
        ck_assert_uint_eq(cluster_stats(c, 0).view, view + 1);
        last_ns = last_ns < MS(3200) ? 2 * last_ns : last_ns;
        at_ns = engine_of(c, 0)->view_since_ns - start_ns;
    }
    cluster_free(c);
}
END_TEST

static void tell_access(struct cluster *c, int64_t waiting_since_ns)
{
    for (uint32_t i = 1; i < c->cfg.n; i++) {
        struct chain_event event = {.kind = CHAIN_EV_ACCESS, .now_ns = c->now_ns, .waiting_since_ns = waiting_since_ns};
        ck_assert_int_eq(pbft->step(c->nodes[i].engine, &event, &c->update), 0);
    }
}

/* The primary is dead; the others cannot get at the medium in [from, to), again and again. */
START_TEST(a_view_timer_stands_still_while_own_messages_wait_but_not_for_ever)
{
    static const struct {
        int64_t from_ms, to_ms, every_ms, replaced_ms;
    } cases[] = {{1000, 2000, 5000, 400}, {100, 250, 5000, 550}, {100, 199, 200, 697}, {100, 5000, 10000, 1600}, {0, 190, 200, 1600}};
    struct cluster_config cfg = calm_config(pbft, 4, 1);
    cfg.timeout_max_ns = MS(1600);
    struct cluster *c = cluster_new(&cfg);
    cluster_run(c, c->now_ns + MS(10));
    cluster_crash(c, 0);
    int64_t start_ns = c->now_ns, ms = 0;
    cluster_request(c);
    for (; cluster_stats(c, 1).view == 0 && ms < 3000; ms++) {
        int64_t turn_ms = ms % cases[_i].every_ms;
        if (turn_ms == cases[_i].from_ms)
            tell_access(c, c->now_ns);
        if (turn_ms == cases[_i].to_ms)
            tell_access(c, INT64_MAX);
        cluster_run(c, start_ns + MS(ms + 1));
    }
    ck_assert_msg(ms >= cases[_i].replaced_ms && ms <= cases[_i].replaced_ms + 20, "replaced after %lld ms", (long long)ms);
    ck_assert_int_eq(engine_of(c, 1)->timeout_ns, MS(800)); /* doubled from what is configured */
    cluster_free(c);
}
END_TEST

/* Gossip alone waits and leaves, every few milliseconds: the engine is told the same again. */
static uint32_t count_repetitions(int64_t told_every_ms)
{
    struct bench *b = bench_new(pbft, 4, 2);
    uint32_t n = 0;
    ck_assert_int_eq(bench_step(b, pbft, (struct chain_event){.kind = CHAIN_EV_PENDING, .pending_since_ns = b->now_ns}), 0);
    for (int64_t ms = 0; ms < 2000; ms++, b->now_ns += MS(1)) {
        struct chain_event event = {.kind = ms % told_every_ms == 0 ? CHAIN_EV_ACCESS : CHAIN_EV_TICK};
        if (event.kind == CHAIN_EV_ACCESS)
            event.waiting_since_ns = INT64_MAX;
        ck_assert_int_eq(bench_step(b, pbft, event), 0);
        n += b->out.n_msgs > 0;
        if (b->out.persist_seq > 0)
            ck_assert_int_eq(bench_step(b, pbft, (struct chain_event){.kind = CHAIN_EV_PERSISTED, .persisted_seq = b->out.persist_seq}), 0);
    }
    bench_free(b);
    return n;
}

START_TEST(gossip_that_waits_and_leaves_holds_no_repetition_back)
{
    uint32_t calm = count_repetitions(100000), told = count_repetitions(20);
    ck_assert_msg(calm >= 10 && told == calm, "said %u times, and %u", calm, told);
}
END_TEST

START_TEST(gossip_that_waits_and_leaves_shortens_no_patience)
{
    int64_t deadline_ns[2];
    for (int told = 0; told < 2; told++) {
        struct bench *b = bench_new(pbft, 4, 2);
        struct chain_event waits = {.kind = CHAIN_EV_ACCESS, .waiting_since_ns = b->now_ns};
        ck_assert_int_eq(bench_step(b, pbft, (struct chain_event){.kind = CHAIN_EV_PENDING, .pending_since_ns = b->now_ns}), 0);
        for (int ms = 0; ms < 1000; ms += 10, b->now_ns += MS(10))
            if (ms == 0 || told == 1)
                ck_assert_int_eq(bench_step(b, pbft, waits), 0);
        ck_assert_int_eq(bench_step(b, pbft, (struct chain_event){.kind = CHAIN_EV_ACCESS, .waiting_since_ns = INT64_MAX}), 0);
        deadline_ns[told] = pbft->deadline(b->engine);
        bench_free(b);
    }
    ck_assert_int_eq(deadline_ns[0], MS(1000 + 400 + 1000));
    ck_assert_int_eq(deadline_ns[1], deadline_ns[0]);
}
END_TEST

/* ---- what a VIEW-CHANGE binds to */

static struct chain_msg make_commit(uint32_t author, uint64_t height, const struct chain_hash *digest)
{
    return (struct chain_msg){.kind = CHAIN_MSG_PBFT_COMMIT, .author = author, .seq = height, .digest = *digest};
}

START_TEST(who_suspects_gives_no_commit_in_the_view_but_goes_on_to_take_part_and_to_follow)
{
    struct bench *b = bench_new(pbft, 4, 2);
    uint8_t batch[64];
    struct chain_hash digest;
    ck_assert_int_eq(bench_step(b, pbft, (struct chain_event){.kind = CHAIN_EV_PENDING, .pending_since_ns = b->now_ns}), 0);
    b->now_ns = pbft->deadline(b->engine);
    ck_assert_int_eq(bench_step(b, pbft, (struct chain_event){.kind = CHAIN_EV_TICK}), 0);
    ck_assert_uint_eq(b->out.n_msgs, 1);
    ck_assert(b->out.msgs[0].msg.kind == CHAIN_MSG_PBFT_VIEW_CHANGE && b->out.msgs[0].after_persist && b->out.n_records > 0);
    bench_restart(b, pbft); /* a promise survives */
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = 0, .seq = 1, .body = batch, .body_len = put_batch(batch, sizeof batch, 1)};
    ck_assert_int_eq(chain_batch_digest(&b->members, batch, msg.body_len, &digest), 0);
    ck_assert_int_eq(bench_receive(b, pbft, msg), 0);
    ck_assert_uint_eq(b->out.n_msgs, 1);
    ck_assert_uint_eq(b->out.msgs[0].msg.kind, CHAIN_MSG_PBFT_PREPARE);
    uint64_t n_committed = 0;
    for (uint32_t author = 0; author < 4; author++) {
        if (author == 2)
            continue;
        ck_assert_int_eq(bench_receive(b, pbft, make_commit(author, 1, &digest)), 0);
        n_committed += b->out.n_commits;
        for (size_t i = 0; i < b->out.n_msgs; i++)
            ck_assert_uint_ne(b->out.msgs[i].msg.kind, CHAIN_MSG_PBFT_COMMIT);
    }
    ck_assert_uint_eq(n_committed, 1);
    bench_free(b);
}
END_TEST

START_TEST(a_convicted_primary_is_left_at_once_and_its_later_views_are_skipped)
{
    struct cluster_config cfg = calm_config(pbft, 7, 1);
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    commit_in_turn(c, 2, MS(500));
    for (uint32_t convict = 0; convict < 2; convict++)
        for (uint32_t i = 0; i < 7; i++) {
            struct chain_event event = {.kind = CHAIN_EV_CONVICT, .now_ns = c->now_ns, .member = 1 - convict};
            feed(c, &c->nodes[i], &event);
        }
    cluster_run(c, c->now_ns + MS(5));
    for (uint32_t i = 2; i < 7; i++)
        ck_assert_uint_eq(cluster_stats(c, i).leader, 2);
    cluster_request(c);
    cluster_run(c, c->now_ns + MS(5));
    ck_assert_uint_eq(c->nodes[2].disk_height, 3);
    uint64_t refused = cluster_stats(c, 3).refused_convicted;
    struct chain_event event = {.kind = CHAIN_EV_MESSAGE, .now_ns = c->now_ns};
    struct chain_msg vote = make_commit(0, 4, &(struct chain_hash){{1}});
    sign_fast(NULL, &c->members, &vote);
    event.msg = &vote;
    ck_assert_int_ne(pbft->step(c->nodes[3].engine, &event, &c->update), 0);
    ck_assert_uint_eq(cluster_stats(c, 3).refused_convicted, refused + 1);
    ck_holds(c);
    cluster_free(c);
}
END_TEST

START_TEST(a_conviction_that_would_leave_no_quorum_is_not_followed)
{
    struct bench *b = bench_new(pbft, 2, 0);
    ck_assert_int_eq(bench_step(b, pbft, (struct chain_event){.kind = CHAIN_EV_CONVICT, .member = 1}), 0);
    ck_assert_uint_eq(((struct pbft *)b->engine)->convicted, 0);
    bench_free(b);
    b = bench_new(pbft, 4, 0);
    for (uint32_t seat = 1; seat < 4; seat++)
        ck_assert_int_eq(bench_step(b, pbft, (struct chain_event){.kind = CHAIN_EV_CONVICT, .member = seat}), 0);
    ck_assert_uint_eq(((struct pbft *)b->engine)->convicted, 2);
    bench_free(b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("view");
    tcase_add_test(tc, an_idle_view_change_costs_no_more_frames_than_there_are_members_and_one);
    tcase_add_test(tc, a_view_change_with_eight_heights_in_flight_costs_three_frames_a_member);
    tcase_add_test(tc, a_primary_that_dies_with_eight_heights_in_flight_takes_none_of_them_with_it);
    tcase_add_test(tc, who_missed_view_changes_that_a_new_view_names_asks_for_just_those);
    tcase_add_test(tc, a_primary_that_serves_everybody_but_one_is_replaced_within_a_timeout);
    tcase_add_test(tc, a_primary_that_lets_the_oldest_wait_is_replaced_whatever_else_it_orders);
    tcase_add_test(tc, a_busy_primary_is_not_replaced_as_long_as_the_oldest_request_is_served);
    tcase_add_test(tc, a_primary_that_died_in_a_jam_is_replaced_two_heartbeats_and_a_half_after_it_ends);
    tcase_add_test(tc, a_timeout_doubles_from_view_to_view_and_is_fixed_within_one);
    tcase_add_loop_test(tc, a_view_timer_stands_still_while_own_messages_wait_but_not_for_ever, 0, 5);
    tcase_add_test(tc, gossip_that_waits_and_leaves_holds_no_repetition_back);
    tcase_add_test(tc, gossip_that_waits_and_leaves_shortens_no_patience);
    tcase_add_test(tc, who_suspects_gives_no_commit_in_the_view_but_goes_on_to_take_part_and_to_follow);
    tcase_add_test(tc, a_convicted_primary_is_left_at_once_and_its_later_views_are_skipped);
    tcase_add_test(tc, a_conviction_that_would_leave_no_quorum_is_not_followed);
    suite_add_tcase(suite, tc);
}
