/* What is said twice, too late, by two tongues, or by one that may not vote. */
#define SUITE_NAME "chain/pbft faults"
#include "tests/unit/check_main.h"

#include "chain/pbft.h"
#include "tests/sim/engine_bench.h"

static const struct chain_engine_ops *const pbft = &chain_pbft_ops;

/* ---- replays */

enum { MAX_RECORDED = 20000 };

struct recording {
    size_t n;
    struct {
        uint8_t *data;
        size_t len;
    } messages[MAX_RECORDED];
};

static void record(void *ctx, uint32_t from, const uint8_t *data, size_t len)
{
    struct recording *r = ctx;
    (void)from;
    ck_assert_uint_lt(r->n, MAX_RECORDED);
    r->messages[r->n].data = copy_octets(data, len);
    r->messages[r->n++].len = len;
}

/* All that a member is bound to and has done. */
struct state {
    uint64_t committed, stable, view, promised, next, equivocations;
    bool active;
};

static struct state read_state(const struct cluster *c, uint32_t id)
{
    const struct pbft *m = (const struct pbft *)c->nodes[id].engine;
    return (struct state){.committed = m->committed, .stable = m->stable, .view = m->view, .promised = m->promised, .next = m->next,
                          .equivocations = m->base.stats.equivocations, .active = m->active};
}

static void ck_same_state(const struct state *a, const struct state *b)
{
    ck_assert_uint_eq(a->committed, b->committed);
    ck_assert_uint_eq(a->stable, b->stable);
    ck_assert_uint_eq(a->view, b->view);
    ck_assert_uint_eq(a->promised, b->promised);
    ck_assert_uint_eq(a->next, b->next);
    ck_assert_uint_eq(a->equivocations, b->equivocations);
    ck_assert(a->active == b->active);
}

/* Nothing happens but that somebody is answered. */
static void replay(struct cluster *c, uint32_t id, const struct recording *r, size_t i)
{
    struct chain_msg msg;
    struct chain_event event = {.kind = CHAIN_EV_MESSAGE, .now_ns = c->now_ns, .msg = &msg};
    ck_assert_int_eq(chain_msg_decode(&c->members, r->messages[i].data, r->messages[i].len, &msg, NULL), 0);
    (void)pbft->step(c->nodes[id].engine, &event, &c->update);
    ck_assert_uint_eq(c->update.n_commits + c->update.n_proofs + c->update.n_records, 0);
    for (size_t k = 0; k < c->update.n_msgs; k++)
        ck_assert_uint_eq(c->update.msgs[k].to, msg.author);
}

START_TEST(messages_of_a_long_run_that_come_again_in_any_order_change_nothing)
{
    struct recording *r = calloc(1, sizeof *r);
    struct cluster_config cfg = lossy_config(pbft, 4, 3);
    struct cluster *c = cluster_new(&cfg);
    c->tap = record;
    c->tap_ctx = r;
    for (uint32_t round = 0; round < 10; round++) {
        uint32_t dead = cluster_leader(c) % 4;
        commit_in_turn(c, 3, MS(5000));
        cluster_crash(c, dead); /* so that there are view changes among it */
        cluster_request(c);
        cluster_request(c);
        ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(8000)), "no commit without the leader");
        cluster_restart(c, dead);
        ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(8000)), "the restarted one does not catch up");
    }
    c->cfg.loss_permille = 0;
    commit_in_turn(c, 2, MS(5000));
    cluster_run(c, c->now_ns + MS(3000));
    c->tap = NULL;
    struct state before[4], after;
    for (uint32_t i = 0; i < 4; i++)
        before[i] = read_state(c, i);
    ck_assert_uint_ge(before[0].view, 9);
    for (size_t k = 0; k < 4 * r->n; k++) {
        c->now_ns += MS(30) / 100;
        replay(c, (uint32_t)(k % 4), r, cluster_draw(c, r->n));
    }
    for (uint32_t i = 0; i < 4; i++) {
        after = read_state(c, i);
        ck_same_state(&before[i], &after);
    }
    for (size_t k = r->n; k > 0; k--) /* and from the last to the first */
        for (uint32_t i = 0; i < 4; i++)
            replay(c, i, r, k - 1);
    printf("%zu messages replayed in two orders to four members in view %lu, height %lu\n", r->n, (unsigned long)before[0].view,
           (unsigned long)before[0].committed);
    commit_in_turn(c, 3, MS(500)); /* as if nothing had been */
    after = read_state(c, 0);
    ck_assert_uint_eq(after.view, before[0].view);
    for (size_t k = 0; k < r->n; k++)
        free(r->messages[k].data);
    free(r);
    cluster_free(c);
}
END_TEST

/* ---- two tongues */

static void ck_proves(const struct bench *b, uint8_t kind, uint32_t author, uint64_t view, uint64_t seq)
{
    ck_assert_uint_eq(b->out.n_proofs, 1);
    const struct chain_equivocation *proof = &b->out.proofs[0];
    ck_assert(proof->kind == kind && proof->author == author && proof->view == view && proof->seq == seq);
    ck_assert(!chain_pbft_same(&proof->digest[0], &proof->digest[1]));
    for (size_t i = 0; i < 2; i++) {
        struct chain_msg said = {.kind = kind, .author = author, .view = view, .seq = seq, .digest = proof->digest[i]};
        memcpy(said.sig, proof->sig[i], sizeof said.sig);
        ck_assert_int_eq(verify_fast(NULL, &b->members, &said), 0);
    }
}

START_TEST(two_view_changes_of_one_member_for_one_view_are_a_proof_and_for_two_views_none)
{
    struct bench *b = bench_new(pbft, 7, 2);
    uint8_t idle[] = {0x83, 0, 0, 0x80}, other[] = {0x83, 0, 1, 0x80};
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .author = 4, .view = 1, .body = idle, .body_len = sizeof idle};
    ck_assert_int_eq(bench_receive(b, pbft, msg), 0);
    ck_assert_int_eq(bench_receive(b, pbft, msg), 0); /* again */
    ck_assert_uint_eq(b->out.n_proofs, 0);
    msg.view = 2;
    msg.body = other;
    ck_assert_int_eq(bench_receive(b, pbft, msg), 0); /* on to the next one */
    ck_assert_uint_eq(b->out.n_proofs, 0);
    msg.body = idle;
    ck_assert_int_eq(bench_receive(b, pbft, msg), 0);
    ck_proves(b, CHAIN_MSG_PBFT_VIEW_CHANGE, 4, 2, 0);
    bench_free(b);
}
END_TEST

START_TEST(two_commits_of_one_member_are_a_proof_also_after_the_height_is_committed)
{
    struct bench *b = bench_new(pbft, 4, 2);
    uint8_t batch[64];
    struct chain_hash digest;
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = 0, .seq = 1, .body = batch, .body_len = put_batch(batch, sizeof batch, 1)};
    ck_assert_int_eq(chain_batch_digest(&b->members, batch, msg.body_len, &digest), 0);
    ck_assert_int_eq(bench_receive(b, pbft, msg), 0);
    struct chain_msg vote = {.kind = CHAIN_MSG_PBFT_COMMIT, .seq = 1, .digest = digest};
    for (vote.author = 0; vote.author < 4; vote.author++)
        if (vote.author != 2)
            ck_assert_int_eq(bench_receive(b, pbft, vote), 0);
    ck_assert_uint_eq(bench_stats(b, pbft).committed, 1);
    vote.author = 3;
    vote.digest.octets[0] ^= 1;
    ck_assert_int_eq(bench_receive(b, pbft, vote), 0);
    ck_proves(b, CHAIN_MSG_PBFT_COMMIT, 3, 0, 1);
    bench_free(b);
}
END_TEST

/* Whoever is accused in a cluster with liars is one. */
static struct {
    uint32_t n_proofs, n_innocent, of[CHAIN_MAX_MEMBERS];
} court;

static int step_and_judge(struct chain_engine *engine, const struct chain_event *in, struct chain_update *out)
{
    int rc = pbft->step(engine, in, out);
    for (size_t i = 0; i < out->n_proofs; i++) {
        court.n_proofs++;
        court.n_innocent += out->proofs[i].author != 0;
        court.of[out->proofs[i].author]++;
    }
    return rc;
}

START_TEST(a_liar_is_accused_by_those_who_hear_both_tongues_and_nobody_else_ever)
{
    struct chain_engine_ops judging = *pbft;
    judging.step = step_and_judge;
    memset(&court, 0, sizeof court);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster_config cfg = lossy_config(&judging, 4, seed);
        struct cluster *c = cluster_new(&cfg);
        c->nodes[0].liar = true;
        for (int i = 0; i < 20; i++) {
            cluster_request(c);
            if (i % 5 == 2)
                one_fault(c);
            cluster_run(c, c->now_ns + MS(200));
            ck_holds(c);
        }
        cluster_free(c);
    }
    printf("%u proofs against the liar, %u against others\n", court.n_proofs, court.n_innocent);
    ck_assert_uint_gt(court.n_proofs, 0);
    ck_assert_uint_eq(court.n_innocent, 0);
}
END_TEST

/* ---- learners */

static void say_kinds(void *ctx, uint32_t from, const uint8_t *data, size_t len)
{
    uint64_t *kinds_of = ctx;
    struct chain_msg msg;
    static const struct chain_members members = {.n = 4, .n_keys = 4, .chain_id = "cluster1"};
    ck_assert_int_eq(chain_msg_decode(&members, data, len, &msg, NULL), 0);
    kinds_of[from] |= UINT64_C(1) << msg.kind;
}

START_TEST(a_learner_follows_through_views_says_nothing_but_questions_and_votes_once_it_is_told_to)
{
    uint64_t kinds_of[CHAIN_MAX_MEMBERS] = {0}, question = UINT64_C(1) << CHAIN_MSG_PBFT_ASK;
    struct cluster_config cfg = lossy_config(pbft, 4, 5);
    struct cluster *c = cluster_new(&cfg);
    cluster_crash(c, 3);
    c->nodes[3].cfg.learner = true;
    cluster_restart(c, 3);
    c->tap = say_kinds;
    c->tap_ctx = kinds_of;
    commit_in_turn(c, 5, MS(5000));
    struct chain_event convict = {.kind = CHAIN_EV_CONVICT, .now_ns = c->now_ns, .member = 0}; /* a new view */
    for (uint32_t i = 0; i < 4; i++) {
        convict.now_ns = c->now_ns;
        feed(c, &c->nodes[i], &convict);
    }
    cluster_run(c, c->now_ns + MS(500));
    ck_assert_uint_eq(cluster_stats(c, 3).view, 1);
    ck_assert_uint_eq(kinds_of[3] & ~question, 0);
    struct chain_event voter = {.kind = CHAIN_EV_VOTER, .now_ns = c->now_ns};
    feed(c, &c->nodes[3], &voter); /* without it the two others would be no quorum */
    commit_in_turn(c, 5, MS(5000));
    ck_assert_uint_ne(kinds_of[3] & UINT64_C(1) << CHAIN_MSG_PBFT_COMMIT, 0);
    cluster_free(c);
}
END_TEST

START_TEST(who_becomes_a_voter_while_the_others_leave_a_view_leaves_with_them)
{
    struct bench *b = bench_new(pbft, 4, 2);
    uint8_t idle[] = {0x83, 0, 0, 0x80};
    b->node.cfg.learner = true;
    ck_assert_int_eq(pbft->init(b->node.mem, pbft->bytes(&b->node.cfg), &b->node.cfg, &b->engine, NULL), 0);
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .view = 1, .body = idle, .body_len = sizeof idle};
    for (msg.author = 0; msg.author < 2; msg.author++) {
        ck_assert_int_eq(bench_receive(b, pbft, msg), 0);
        ck_assert_uint_eq(b->out.n_msgs, 0);
    }
    ck_assert_int_eq(bench_step(b, pbft, (struct chain_event){.kind = CHAIN_EV_VOTER}), 0);
    ck_assert_uint_eq(b->out.n_msgs, 1);
    ck_assert(b->out.msgs[0].msg.kind == CHAIN_MSG_PBFT_VIEW_CHANGE && b->out.msgs[0].msg.view == 1);
    bench_free(b);
}
END_TEST

/* ---- in flight */

START_TEST(eight_heights_are_in_flight_and_none_beyond_the_window)
{
    struct bench *b = bench_new(pbft, 4, 0);
    uint8_t batch[64];
    for (uint64_t height = 1; height <= CHAIN_WINDOW; height++) {
        ck_assert_uint_eq(bench_stats(b, pbft).proposes, height);
        struct chain_event event = {.kind = CHAIN_EV_PROPOSE, .propose = {batch, put_batch(batch, sizeof batch, (int64_t)height)}};
        ck_assert_int_eq(bench_step(b, pbft, event), 0);
        ck_assert(b->out.n_msgs == 1 && b->out.msgs[0].msg.seq == height);
        ck_assert_ptr_eq(b->out.msgs[0].msg.body, b->out.records[b->out.n_records - 1].data); /* one copy for disk and air */
    }
    ck_assert(!bench_stats(b, pbft).may_propose && bench_stats(b, pbft).proposes == 0);
    struct chain_event event = {.kind = CHAIN_EV_PROPOSE, .propose = {batch, sizeof batch}};
    ck_assert_int_eq(bench_step(b, pbft, event), -EAGAIN);
    bench_free(b);
    b = bench_new(pbft, 4, 1);
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = 0, .seq = CHAIN_WINDOW + 1, .body = batch};
    msg.body_len = put_batch(batch, sizeof batch, 1);
    ck_assert_int_eq(bench_receive(b, pbft, msg), -EBADMSG);
    ck_assert_uint_eq(bench_stats(b, pbft).refused_window, 1);
    bench_free(b);
}
END_TEST

START_TEST(heights_commit_in_order_though_their_votes_come_in_the_reverse_one)
{
    struct bench *b = bench_new(pbft, 4, 2);
    uint8_t batch[64];
    uint64_t n_committed = 0;
    for (uint64_t height = CHAIN_WINDOW; height > 0; height--) {
        struct chain_hash digest;
        struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = 0, .seq = height, .body = batch};
        msg.body_len = put_batch(batch, sizeof batch, (int64_t)height);
        ck_assert_int_eq(chain_batch_digest(&b->members, batch, msg.body_len, &digest), 0);
        ck_assert_int_eq(bench_receive(b, pbft, msg), 0);
        for (uint32_t author = 0; author < 4; author++) {
            struct chain_msg vote = {.kind = CHAIN_MSG_PBFT_COMMIT, .author = author, .seq = height, .digest = digest};
            if (author == 2)
                continue;
            ck_assert_int_eq(bench_receive(b, pbft, vote), 0);
            for (size_t i = 0; i < b->out.n_commits; i++)
                ck_assert_uint_eq(b->out.commits[i].height, ++n_committed);
        }
        ck_assert_uint_eq(n_committed, height == 1 ? CHAIN_WINDOW : 0);
    }
    bench_free(b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("faults");
    tcase_add_test(tc, messages_of_a_long_run_that_come_again_in_any_order_change_nothing);
    tcase_add_test(tc, two_view_changes_of_one_member_for_one_view_are_a_proof_and_for_two_views_none);
    tcase_add_test(tc, two_commits_of_one_member_are_a_proof_also_after_the_height_is_committed);
    tcase_add_test(tc, a_liar_is_accused_by_those_who_hear_both_tongues_and_nobody_else_ever);
    tcase_add_test(tc, a_learner_follows_through_views_says_nothing_but_questions_and_votes_once_it_is_told_to);
    tcase_add_test(tc, who_becomes_a_voter_while_the_others_leave_a_view_leaves_with_them);
    tcase_add_test(tc, eight_heights_are_in_flight_and_none_beyond_the_window);
    tcase_add_test(tc, heights_commit_in_order_though_their_votes_come_in_the_reverse_one);
    suite_add_tcase(suite, tc);
}
