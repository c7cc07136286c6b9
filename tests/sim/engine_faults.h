/* Ready-made clusters and questions about them, for the suites of both engines. */
#ifndef TESTS_SIM_ENGINE_FAULTS_H
#define TESTS_SIM_ENGINE_FAULTS_H

#include <check.h>
#include <inttypes.h>

#include "tests/sim/engine_cluster.c"

#define MS(x) ((int64_t)(x) * INT64_C(1000000))

static const uint32_t cluster_sizes[] = {1, 3, 4, 5, 7};
enum { N_CLUSTER_SIZES = 5 };

/* Timers as over the air; frames take .3 ms, nothing is lost. */
static inline struct cluster_config calm_config(const struct chain_engine_ops *ops, uint32_t n, uint64_t seed)
{
    return (struct cluster_config){.ops = ops, .n = n, .seed = seed, .delay_min_ns = MS(3) / 10, .delay_max_ns = MS(3) / 10,
                                   .persist_ns = MS(2) / 10, .heartbeat_ns = MS(50), .timeout_ns = MS(400), .timeout_max_ns = MS(1600),
                                   .fetch_ns = MS(500), .certify_ns = MS(5)};
}

/* One in ten lost, some twice, each up to 3 ms late. */
static inline struct cluster_config lossy_config(const struct chain_engine_ops *ops, uint32_t n, uint64_t seed)
{
    struct cluster_config cfg = calm_config(ops, n, seed);
    cfg.loss_permille = 100;
    cfg.repeat_permille = 20;
    cfg.delay_max_ns = MS(3);
    return cfg;
}

#define ck_holds(c)                                                                                                       \
    ck_assert_msg((c)->failure[0] == 0, "%s n=%u seed=%" PRIu64 ": %s", (c)->cfg.ops->name, (c)->cfg.n, (c)->cfg.seed,     \
                  (c)->failure)
#define ck_reached(c, reached, what)                                                                                      \
    do {                                                                                                                  \
        bool reached_ = (reached);                                                                                        \
        ck_holds(c);                                                                                                      \
        ck_assert_msg(reached_, "%s n=%u seed=%" PRIu64 ": %s", (c)->cfg.ops->name, (c)->cfg.n, (c)->cfg.seed, what);      \
    } while (0)

/* A leader, and nothing on its way. */
static inline void warm_up(struct cluster *c)
{
    cluster_run(c, c->now_ns + MS(1500));
    ck_holds(c);
    ck_assert_uint_lt(cluster_leader(c), c->cfg.n);
}

/* Requests one after the other, each executed everywhere before the next. */
static inline void commit_in_turn(struct cluster *c, int n_requests, int64_t within_ns)
{
    for (int i = 0; i < n_requests; i++) {
        cluster_request(c);
        ck_reached(c, cluster_run_to_quiet(c, c->now_ns + within_ns), "a request was not executed in time");
    }
}

static inline void heal(struct cluster *c)
{
    memset(c->cut, 0, sizeof c->cut);
    c->blackout_to_ns = c->blackout_from_ns;
    for (uint32_t i = 0; i < c->cfg.n; i++)
        if (!c->nodes[i].alive)
            cluster_restart(c, i);
}

static inline void cut_in_two(struct cluster *c)
{
    uint64_t side = cluster_draw(c, UINT64_C(1) << c->cfg.n);
    for (uint32_t i = 0; i < c->cfg.n; i++)
        for (uint32_t k = 0; k < c->cfg.n; k++)
            c->cut[i][k] = (side >> i & 1) != (side >> k & 1);
}

/* One direction between two members. */
static inline void cut_a_link(struct cluster *c)
{
    c->cut[cluster_draw(c, c->cfg.n)][cluster_draw(c, c->cfg.n)] = true;
}

static inline void one_fault(struct cluster *c)
{
    uint32_t id = (uint32_t)cluster_draw(c, c->cfg.n);
    switch (cluster_draw(c, 9)) {
    case 0:
    case 1:
        if (c->nodes[id].alive)
            cluster_crash(c, id);
        else
            cluster_restart(c, id);
        break;
    case 2:
        cut_in_two(c);
        break;
    case 3:
        cut_a_link(c);
        break;
    case 4:
        memset(c->cut, 0, sizeof c->cut);
        break;
    case 5:
        c->blackout_from_ns = c->now_ns;
        c->blackout_to_ns = c->now_ns + (int64_t)cluster_draw(c, (uint64_t)MS(1000));
        break;
    case 6: /* the power fails everywhere */
        for (uint32_t i = 0; i < c->cfg.n; i++)
            if (c->nodes[i].alive && cluster_draw(c, 2) == 0)
                cluster_crash(c, i);
        break;
    default:
        for (uint32_t i = 0; i < c->cfg.n; i++)
            if (!c->nodes[i].alive && cluster_draw(c, 2) == 0)
                cluster_restart(c, i);
    }
}

/* Raft: reads at anybody who takes one, and a leader that hands over. */
static inline void read_and_hand_over(struct cluster *c)
{
    uint32_t id = (uint32_t)cluster_draw(c, c->cfg.n);
    for (int i = 0; i < 2 && c->n_reads < CLUSTER_MAX_READS; i++)
        cluster_read(c, i == 0 || cluster_leader(c) >= c->cfg.n ? id : cluster_leader(c));
    if (cluster_draw(c, 4) == 0)
        cluster_transfer(c, id, (uint32_t)cluster_draw(c, c->cfg.n));
}

/* First every fault, with the invariants after each event; then none but loss, and all has to converge. The first n_liars lie. */
static inline void live_through_faults(const struct chain_engine_ops *ops, uint32_t n, uint64_t seed, int n_faults, bool ed25519,
                                       uint32_t n_liars, void (*check)(struct cluster *c, uint64_t n_events))
{
    struct cluster_config cfg = lossy_config(ops, n, seed);
    cfg.loss_permille = (uint32_t)(seed % 4) * 80;
    cfg.delay_max_ns = seed % 3 == 0 ? MS(60) : MS(3);
    cfg.persist_ns = seed % 5 == 0 ? MS(20) : MS(1);
    cfg.fetch_ns = seed % 2 == 0 ? MS(500) : MS(5000);
    cfg.certify_ns = seed % 7 == 0 ? MS(400) : MS(5);
    cfg.batch_txs = seed % 2 == 0 ? 4 : 1; /* 1: several heights in flight */
    cfg.ed25519 = ed25519;
    cfg.check = check;
    cfg.overheard = seed % 2 == 1;
    struct cluster *c = cluster_new(&cfg);
    for (uint32_t i = 0; i < n_liars; i++)
        c->nodes[i].liar = true;
    cluster_run(c, c->now_ns + MS(300));
    for (int i = 0; i < n_faults; i++) {
        one_fault(c);
        for (uint64_t k = cluster_draw(c, 6); k > 0; k--)
            cluster_request(c);
        if (!ops->byzantine)
            read_and_hand_over(c);
        /* short pauses strike in the middle of a commit, long ones let timers run out */
        cluster_run(c, c->now_ns + (int64_t)cluster_draw(c, (uint64_t)(cluster_draw(c, 2) == 0 ? MS(600) : MS(6))));
        ck_holds(c);
    }
    heal(c);
    c->cfg.loss_permille = 50;
    c->cfg.delay_max_ns = MS(3);
    cluster_request(c);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(30000)), "no convergence after the faults");
    cluster_free(c);
}

/* Frames that one commit takes on a medium that loses nothing, everything until the last member knows. */
static inline double measure_frames_a_commit(const struct chain_engine_ops *ops, uint32_t n)
{
    enum { N_COMMITS = 50 };
    struct cluster_config cfg = calm_config(ops, n, 1);
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    uint64_t before = c->n_sent;
    for (int i = 0; i < N_COMMITS; i++) {
        cluster_request(c);
        ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(500)), "a calm commit takes too long");
        cluster_run(c, c->now_ns + MS(2)); /* votes beyond the quorum */
    }
    double frames = (double)(c->n_sent - before) / N_COMMITS;
    cluster_free(c);
    return frames;
}

/* From the end of a total blackout of one second, in which requests arrived, until all of them are executed everywhere. */
static inline int64_t measure_blackout_ns(const struct chain_engine_ops *ops, uint32_t n, uint64_t seed)
{
    struct cluster_config cfg = lossy_config(ops, n, seed);
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    commit_in_turn(c, 2, MS(5000));
    cluster_request(c);
    cluster_run(c, c->now_ns + (int64_t)cluster_draw(c, (uint64_t)MS(4))); /* any phase of a commit */
    c->blackout_from_ns = c->now_ns;
    c->blackout_to_ns = c->now_ns + MS(1000);
    for (int i = 0; i < 4; i++) {
        cluster_request(c);
        cluster_run(c, c->now_ns + MS(200));
    }
    cluster_run(c, c->blackout_to_ns);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(20000)), "no recovery from the blackout");
    int64_t recovery_ns = c->now_ns - c->blackout_to_ns;
    cluster_free(c);
    return recovery_ns;
}

static inline int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static inline int64_t report_blackouts(const struct chain_engine_ops *ops, uint32_t n, int n_seeds, int64_t *median_out)
{
    int64_t *took_ns = calloc((size_t)n_seeds, sizeof *took_ns);
    ck_assert_ptr_nonnull(took_ns);
    for (int i = 0; i < n_seeds; i++)
        took_ns[i] = measure_blackout_ns(ops, n, (uint64_t)i + 1);
    qsort(took_ns, (size_t)n_seeds, sizeof *took_ns, compare_ns);
    int64_t most_ns = took_ns[n_seeds - 1];
    *median_out = took_ns[n_seeds / 2];
    printf("%s n=%u: recovery from a blackout of 1 s over %d seeds: median %.1f ms, p90 %.1f ms, max %.1f ms\n", ops->name, n, n_seeds,
           (double)*median_out / 1e6, (double)took_ns[n_seeds * 9 / 10] / 1e6, (double)most_ns / 1e6);
    free(took_ns);
    return most_ns;
}

static inline void fill_trace(const struct chain_engine_ops *ops, uint32_t n, uint64_t seed, uint8_t out[32])
{
    struct cluster_config cfg = lossy_config(ops, n, seed);
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    for (int i = 0; i < 6; i++) {
        cluster_request(c);
        one_fault(c);
        cluster_run(c, c->now_ns + MS(300));
    }
    cluster_trace(c, out);
    cluster_free(c);
}

/* The leader dies with a request on its way; within_ns later the others have executed everything. */
static inline void survive_dead_leader(const struct chain_engine_ops *ops, uint32_t n, uint64_t seed, int64_t within_ns)
{
    struct cluster_config cfg = lossy_config(ops, n, seed);
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    commit_in_turn(c, 2, MS(5000));
    uint32_t dead = cluster_leader(c);
    cluster_request(c);
    cluster_run(c, c->now_ns + (int64_t)cluster_draw(c, (uint64_t)MS(4)));
    cluster_crash(c, dead);
    cluster_request(c);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + within_ns), "the others did not go on");
    ck_assert_uint_ne(cluster_leader(c), dead);
    cluster_restart(c, dead);
    cluster_request(c);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + within_ns), "the old leader did not catch up");
    cluster_free(c);
}

/* One member hears and is heard by nobody for a while; the others neither wait for it nor change their leader when it is back. */
static inline void survive_a_deaf_backup(const struct chain_engine_ops *ops, uint32_t n, uint64_t seed)
{
    struct cluster_config cfg = calm_config(ops, n, seed);
    struct cluster *c = cluster_new(&cfg);
    warm_up(c);
    uint64_t view = cluster_stats(c, cluster_leader(c)).view;
    uint32_t deaf = (cluster_leader(c) + 1) % n;
    for (uint32_t i = 0; i < n; i++)
        c->cut[i][deaf] = c->cut[deaf][i] = true;
    for (int i = 0; i < 3; i++) {
        cluster_request(c);
        cluster_run(c, c->now_ns + MS(700));
    }
    memset(c->cut, 0, sizeof c->cut);
    ck_reached(c, cluster_run_to_quiet(c, c->now_ns + MS(1500)), "the deaf one did not catch up");
    cluster_run(c, c->now_ns + MS(2000));
    for (uint32_t i = 0; i < n; i++)
        ck_assert_msg(cluster_stats(c, i).view == view, "%s n=%u seed=%" PRIu64 ": member %u is in view %" PRIu64 ", not %" PRIu64,
                      ops->name, n, seed, i, cluster_stats(c, i).view, view);
    cluster_free(c);
}
#endif
