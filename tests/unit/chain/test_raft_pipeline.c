#define SUITE_NAME "chain/raft pipeline"
#include "tests/unit/check_main.h"

#include "tests/sim/engine_bench.h"
#include "tests/sim/raft_check.h"

static const struct chain_engine_ops *const raft = &chain_raft_ops;

/* A disk and a medium so slow that heights pile up; heartbeats so rare that nothing is repaired by them. */
static struct cluster_config slow_config(uint32_t n, uint32_t window)
{
    struct cluster_config cfg = calm_config(raft, n, 1);
    cfg.window = window;
    cfg.batch_txs = 1;
    cfg.delay_min_ns = cfg.delay_max_ns = MS(5);
    cfg.persist_ns = MS(20);
    cfg.certify_ns = MS(1);
    cfg.heartbeat_ns = MS(1000);
    cfg.timeout_ns = MS(8000);
    cfg.timeout_max_ns = MS(16000);
    cfg.fetch_ns = 0;
    cfg.check = check_raft;
    return cfg;
}

static struct cluster *start_slow(uint32_t n, uint32_t window)
{
    struct cluster_config cfg = slow_config(n, window);
    struct cluster *c = cluster_new(&cfg);
    cluster_run(c, c->now_ns + MS(20000));
    ck_assert_uint_lt(cluster_leader(c), n);
    return c;
}

START_TEST(as_many_heights_as_the_window_allows_are_in_flight)
{
    for (uint32_t window = 1; window <= CHAIN_WINDOW; window++) {
        struct cluster *c = start_slow(3, window);
        uint32_t leader = cluster_leader(c);
        for (int i = 0; i < 12; i++)
            cluster_request(c);
        ck_assert_uint_eq(raft_of(c, leader)->last_index, window);
        ck_assert_uint_eq(raft_of(c, leader)->committed, 0);
        ck_assert_uint_eq(cluster_stats(c, leader).proposes, 0);
        ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(4000)), "the window did not move on");
        ck_assert_uint_eq(c->highest, 12);
        ck_assert_uint_eq(c->n_repeated, 0);
        cluster_free(c);
    }
}
END_TEST

/* One way there, the followers' disks, one way back: eight heights take what one takes. */
START_TEST(a_full_window_commits_in_the_time_of_one_height)
{
    int64_t took_ns[2];
    for (int many = 0; many < 2; many++) {
        struct cluster *c = start_slow(5, 8);
        for (int i = 0; i < (many ? 8 : 1); i++)
            cluster_request(c);
        int64_t from_ns = c->now_ns;
        uint32_t leader = cluster_leader(c);
        while (c->nodes[leader].tip < (many ? 8 : 1))
            cluster_run(c, c->now_ns + MS(1));
        took_ns[many] = c->now_ns - from_ns;
        cluster_free(c);
    }
    ck_assert_int_eq(took_ns[0], MS(30));
    ck_assert_int_eq(took_ns[1], MS(30));
}
END_TEST

START_TEST(a_window_of_one_waits_for_the_certificate)
{
    struct cluster *c = start_slow(3, 1);
    cluster_request(c);
    cluster_request(c);
    while (c->nodes[cluster_leader(c)].tip == 0)
        cluster_run(c, c->now_ns + MS(1));
    ck_assert_uint_eq(raft_of(c, cluster_leader(c))->last_index, 1);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(1000)), "it never went on");
    cluster_free(c);
}
END_TEST

/* The first answer that tells of the gap brings the entry, long before any timer. */
START_TEST(an_append_that_is_lost_in_the_flow_is_repaired_at_once)
{
    struct cluster *c = start_slow(3, 8);
    uint32_t leader = cluster_leader(c), deaf = (leader + 1) % 3;
    cluster_request(c);
    c->cut[leader][deaf] = true;
    cluster_request(c);
    c->cut[leader][deaf] = false;
    for (int i = 0; i < 4; i++)
        cluster_request(c);
    int64_t from_ns = c->now_ns;
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(500)), "no repair without a timer");
    ck_assert_uint_eq(c->nodes[deaf].tip, 6);
    /* there, back with the bad news, there again, its disk, back */
    ck_assert_int_le(c->now_ns - from_ns, MS(5 + 5 + 5 + 20 + 5 + 20 + 25));
    ck_assert_uint_eq(cluster_stats(c, leader).retransmitted, 1);
    cluster_free(c);
}
END_TEST

/* While entries keep coming, no answer is to the newest of them: the follower's own word that it lacks one has to do. */
START_TEST(a_loss_is_repaired_though_the_flow_never_ends)
{
    struct cluster_config cfg = slow_config(3, 8);
    cfg.persist_ns = MS(1);
    struct cluster *c = cluster_new(&cfg);
    cluster_run(c, c->now_ns + MS(20000));
    uint32_t leader = cluster_leader(c), deaf = (leader + 1) % 3;
    for (int i = 0; i < 60; i++) {
        c->cut[leader][deaf] = i >= 20 && i < 30;
        cluster_request(c);
        cluster_run(c, c->now_ns + MS(2));
        ck_assert_uint_gt(raft_of(c, leader)->last_index, raft_of(c, leader)->committed);
    }
    ck_holds(c);
    ck_assert_uint_ge(c->nodes[leader].tip, 35);
    ck_assert_uint_ge(c->nodes[deaf].tip, c->nodes[leader].tip - CHAIN_WINDOW);
    ck_assert_uint_ge(cluster_stats(c, leader).retransmitted, 1);
    cluster_free(c);
}
END_TEST

START_TEST(who_missed_several_entries_gets_them_in_one_message)
{
    struct cluster *c = start_slow(3, 8);
    uint32_t leader = cluster_leader(c), deaf = (leader + 1) % 3;
    c->cut[leader][deaf] = true;
    for (int i = 0; i < 5; i++)
        cluster_request(c);
    cluster_run(c, c->now_ns + MS(200));
    ck_assert_uint_eq(c->nodes[deaf].tip, 0);
    c->cut[leader][deaf] = false;
    cluster_request(c);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(500)), "it did not catch up");
    ck_assert_uint_eq(cluster_stats(c, leader).retransmitted, 1);
    cluster_free(c);
}
END_TEST

START_TEST(nothing_new_is_proposed_while_something_has_to_be_repeated)
{
    struct cluster_config cfg = calm_config(raft, 3, 1);
    cfg.batch_txs = 1;
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    uint32_t leader = cluster_leader(c);
    for (uint32_t i = 0; i < 3; i++)
        c->cut[leader][i] = true;
    cluster_request(c);
    cluster_run(c, c->now_ns + MS(100));
    cluster_request(c);
    ck_assert_uint_eq(raft_of(c, leader)->last_index, 1);
    memset(c->cut, 0, sizeof c->cut);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(500)), "it did not go on");
    ck_assert_uint_eq(c->highest, 2);
    cluster_free(c);
}
END_TEST

/* ---- one engine by itself */

static void persist(struct bench *b)
{
    if (b->out.persist_seq > 0)
        ck_assert_int_eq(bench_step(b, raft, (struct chain_event){.kind = CHAIN_EV_PERSISTED, .persisted_seq = b->out.persist_seq}), 0);
}

static int acknowledge(struct bench *b, uint32_t author, uint64_t match, uint64_t counter)
{
    uint8_t body[16];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, counter);
    chain_cbor_put_bool(&w, false);
    chain_cbor_put_bool(&w, false);
    uint64_t term = bench_stats(b, raft).view;
    return bench_receive(b, raft, (struct chain_msg){.kind = CHAIN_MSG_RAFT_APPEND_REPLY, .author = author, .view = term, .seq = match,
                                                     .body = body, .body_len = w.len});
}

static void grant(struct bench *b, bool pre)
{
    uint8_t body[32];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_bool(&w, pre);
    chain_cbor_put_bool(&w, true);
    chain_cbor_put_uint(&w, pre ? (uint64_t)b->now_ns : 0);
    uint64_t term = bench_stats(b, raft).view + pre;
    struct chain_msg msg = {.kind = CHAIN_MSG_RAFT_VOTE_REPLY, .author = 1, .view = term, .body = body, .body_len = w.len};
    ck_assert_int_eq(bench_receive(b, raft, msg), 0);
    persist(b);
}

static struct bench *new_leader(void)
{
    struct bench *b = bench_new(raft, 3, 2);
    ck_assert_int_eq(bench_step(b, raft, (struct chain_event){.kind = CHAIN_EV_TICK}), 0);
    b->now_ns = raft->deadline(b->engine);
    ck_assert_int_eq(bench_step(b, raft, (struct chain_event){.kind = CHAIN_EV_TICK}), 0);
    grant(b, true);
    grant(b, false);
    ck_assert(bench_stats(b, raft).is_leader);
    return b;
}

static int propose(struct bench *b, const uint8_t *batch, size_t len)
{
    struct chain_event event = {.kind = CHAIN_EV_PROPOSE};
    event.propose.batch = batch;
    event.propose.len = len;
    return bench_step(b, raft, event);
}

START_TEST(an_append_leaves_before_the_own_disk_and_an_ack_after_it)
{
    struct bench *b = new_leader();
    uint8_t batch[64];
    ck_assert_int_eq(propose(b, batch, put_batch(batch, sizeof batch, 1)), 0);
    ck_assert_uint_eq(b->out.n_msgs, 1);
    ck_assert(!b->out.msgs[0].after_persist);
    ck_assert_uint_eq(b->out.msgs[0].to, CHAIN_TO_ALL);
    ck_assert_uint_gt(b->out.persist_seq, 0);
    static uint8_t append[256];
    struct chain_msg msg = b->out.msgs[0].msg;
    memcpy(append, msg.body, msg.body_len);
    msg.body = append;
    struct bench *follower = bench_new(raft, 3, 0);
    ck_assert_int_eq(bench_receive(follower, raft, msg), 0);
    ck_assert_uint_eq(follower->out.n_msgs, 1);
    ck_assert(follower->out.msgs[0].after_persist);
    ck_assert_uint_eq(follower->out.msgs[0].msg.seq, 1);
    bench_free(follower);
    bench_free(b);
}
END_TEST

static struct chain_msg make_append(uint8_t *body, size_t cap, uint64_t term, uint64_t counter, uint64_t prev, uint64_t prev_term, size_t n)
{
    struct chain_cbor_writer w = {.out = body, .cap = cap};
    chain_cbor_put_array(&w, 5);
    chain_cbor_put_uint(&w, counter);
    chain_cbor_put_uint(&w, 0);
    chain_cbor_put_uint(&w, prev_term);
    chain_cbor_put_bool(&w, true);
    chain_cbor_put_array(&w, n);
    for (size_t i = 0; i < n; i++) {
        chain_cbor_put_array(&w, 2);
        chain_cbor_put_uint(&w, term);
        chain_cbor_put_bytes(&w, NULL, 0);
    }
    return (struct chain_msg){.kind = CHAIN_MSG_RAFT_APPEND, .author = (uint32_t)(term % 2), .view = term, .seq = prev,
                              .body = body, .body_len = w.len};
}

/* What an older leader left beyond is nobody's, and one that builds on what we do not have hears so. */
START_TEST(a_follower_acknowledges_no_more_than_is_surely_its_leaders)
{
    struct bench *b = bench_new(raft, 3, 2);
    uint8_t body[64];
    ck_assert_int_eq(bench_receive(b, raft, make_append(body, sizeof body, 1, 1, 0, 0, 3)), 0);
    ck_assert_uint_eq(b->out.msgs[0].msg.seq, 3);
    persist(b);
    ck_assert_int_eq(bench_receive(b, raft, make_append(body, sizeof body, 2, 1, 1, 1, 0)), 0);
    persist(b);
    ck_assert_int_eq(bench_receive(b, raft, make_append(body, sizeof body, 2, 2, 1, 1, 0)), 0);
    ck_assert_uint_eq(b->out.n_msgs, 1);
    ck_assert_uint_eq(b->out.msgs[0].msg.seq, 1);
    ck_assert_int_eq(bench_receive(b, raft, make_append(body, sizeof body, 2, 3, 3, 2, 1)), 0); /* its 3 is another */
    ck_assert_uint_eq(b->out.msgs[0].msg.seq, 1);
    ck_assert_uint_eq(b->out.n_records, 0);
    ck_assert_int_eq(bench_receive(b, raft, make_append(body, sizeof body, 2, 4, 1, 1, 1)), 0);
    ck_assert_uint_eq(b->out.msgs[0].msg.seq, 2);
    ck_assert_uint_eq(((const struct raft *)b->engine)->last_index, 2); /* the rest is cut */
    bench_free(b);
}
END_TEST

/* Acks of later heights may come first; a height commits with all below it. */
START_TEST(heights_commit_in_order_whatever_the_order_of_acks)
{
    struct bench *b = new_leader();
    uint8_t batch[64];
    for (int i = 1; i <= 5; i++) {
        ck_assert_int_eq(propose(b, batch, put_batch(batch, sizeof batch, i)), 0);
        persist(b);
        ck_assert_uint_eq(b->out.n_commits, 0);
    }
    const struct raft *m = (const struct raft *)b->engine;
    ck_assert_int_eq(acknowledge(b, 1, 3, m->counter - 2), 0);
    ck_assert_uint_eq(b->out.n_commits, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(b->out.commits[i].height, i + 1);
    ck_assert_uint_eq(b->out.n_msgs, 0); /* what is under way tells */
    ck_assert_int_eq(acknowledge(b, 0, 5, m->counter), 0);
    ck_assert_uint_eq(b->out.n_commits, 2);
    ck_assert_uint_eq(b->out.n_msgs, 1); /* nothing is: the notice */
    bench_free(b);
}
END_TEST

/* Each batch of the test below is one octet over and over, which its index tells. */
static void check_whole_log(const struct raft *m)
{
    for (uint64_t index = m->base_index + 1; index <= m->last_index; index++) {
        const struct raft_entry *entry = chain_raft_entry(m, index);
        const uint8_t *batch = m->arena + entry->at + entry->head_len;
        ck_assert_uint_eq(entry->index, index);
        ck_assert_uint_eq(batch[0], (index - 1) % 251);
        ck_assert_uint_eq(batch[entry->len / 2], (index - 1) % 251);
        ck_assert_uint_eq(batch[entry->len - 1], (index - 1) % 251);
    }
}

START_TEST(a_window_of_the_largest_batches_fits_at_any_place_of_the_ring)
{
    static uint8_t batch[CHAIN_MAX_BATCH_BYTES];
    struct bench *b = new_leader();
    const struct raft *m = (const struct raft *)b->engine;
    uint64_t n_draws = 0, height = 0;
    for (int round = 0; round < 40; round++) {
        for (uint32_t k = 0; k < CHAIN_WINDOW; k++) {
            struct cluster draws = {.cfg.seed = 7, .n_drawn = n_draws++};
            size_t len = round % 3 == 0 ? sizeof batch : 1 + cluster_draw(&draws, sizeof batch);
            memset(batch, (int)(m->last_index % 251), len);
            ck_assert_uint_eq(bench_stats(b, raft).proposes, m->last_index + 1);
            ck_assert_int_eq(propose(b, batch, len), 0);
            ck_assert_uint_le(b->out.n_records, 3);
            persist(b);
            check_whole_log(m);
        }
        ck_assert_uint_eq(bench_stats(b, raft).proposes, 0);
        ck_assert_int_eq(acknowledge(b, 1, m->last_index, m->counter), 0);
        ck_assert_uint_eq(b->out.n_commits, CHAIN_WINDOW);
        for (size_t i = 0; i < b->out.n_commits; i++) {
            const struct chain_commit *commit = &b->out.commits[i];
            ck_assert_uint_eq(commit->height, ++height);
            ck_assert_uint_eq(commit->batch[0], (commit->height - 1) % 251);
            ck_assert_uint_eq(commit->batch[commit->len - 1], (commit->height - 1) % 251);
        }
        ck_assert_int_eq(bench_step(b, raft, (struct chain_event){.kind = CHAIN_EV_STABLE, .height = height}), 0);
        ck_assert_uint_eq(b->out.n_records, 0); /* no sync for it alone */
    }
    ck_assert_uint_ge(m->base_index, height - RAFT_SLOTS);
    bench_free(b);
}
END_TEST

/* What the disk holds after any number of updates is a log without holes that a new engine takes. */
START_TEST(a_compacted_log_is_read_back_as_it_was)
{
    struct cluster_config cfg = calm_config(raft, 3, 3);
    cfg.batch_txs = 1;
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    for (int i = 0; i < 20; i++) {
        for (int k = 0; k < 10; k++)
            cluster_request(c);
        ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(1000)), "requests were not executed in time");
    }
    uint32_t id = (cluster_leader(c) + 1) % 3;
    uint64_t base = raft_of(c, id)->base_index, last = raft_of(c, id)->last_index;
    ck_assert_uint_eq(last, 200);
    ck_assert_uint_ge(base, last - RAFT_SLOTS);
    ck_assert_uint_gt(base, 0);
    ck_assert_uint_eq(c->nodes[id].n_rows, 2 + last - base);
    cluster_crash(c, id);
    cluster_restart(c, id);
    ck_assert_uint_eq(cluster_stats(c, id).refused_malformed, 0);
    ck_assert_uint_eq(raft_of(c, id)->last_index, last);
    cluster_request(c);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(1000)), "it does not go on after a restart");
    cluster_free(c);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("pipeline");
    tcase_add_test(tc, as_many_heights_as_the_window_allows_are_in_flight);
    tcase_add_test(tc, a_full_window_commits_in_the_time_of_one_height);
    tcase_add_test(tc, a_window_of_one_waits_for_the_certificate);
    tcase_add_test(tc, an_append_that_is_lost_in_the_flow_is_repaired_at_once);
    tcase_add_test(tc, a_loss_is_repaired_though_the_flow_never_ends);
    tcase_add_test(tc, who_missed_several_entries_gets_them_in_one_message);
    tcase_add_test(tc, nothing_new_is_proposed_while_something_has_to_be_repeated);
    tcase_add_test(tc, an_append_leaves_before_the_own_disk_and_an_ack_after_it);
    tcase_add_test(tc, a_follower_acknowledges_no_more_than_is_surely_its_leaders);
    tcase_add_test(tc, heights_commit_in_order_whatever_the_order_of_acks);
    tcase_add_test(tc, a_window_of_the_largest_batches_fits_at_any_place_of_the_ring);
    tcase_add_test(tc, a_compacted_log_is_read_back_as_it_was);
    suite_add_tcase(suite, tc);
}
