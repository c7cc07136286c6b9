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
#endif
