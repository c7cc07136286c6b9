/* Consensus over a medium that loses: one shot of Raft and of PBFT, jamming that all links share, elections. */
#include "apps/options.h"
#include "apps/validate/shot.h"
#include "apps/validate/signals.h"
#include "apps/validate/validate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum stream { ERASURE = 31, JAM = 32, REPLY = 33 }; /* purposes of draws */

static const int64_t ms_ns = 1000000;

static int fail(const char *why)
{
    fprintf(stderr, "airdeed validate: %s\n", why);
    return APP_SYSTEM_FAILED;
}

/* --- the law of counts --- */

static double choose(uint32_t n, uint32_t k)
{
    double product = 1;
    for (uint32_t i = 1; i <= k; i++)
        product *= (double)(n - k + i) / i;
    return product;
}

static double binomial(uint32_t n, uint32_t k, double p)
{
    return k > n ? 0 : choose(n, k) * pow(p, k) * pow(1 - p, n - k);
}

/* P(at least k of n); k may be negative */
static double tail(uint32_t n, int32_t k, double p)
{
    double sum = 0;
    for (uint32_t i = k > 0 ? (uint32_t)k : 0; i <= n; i++)
        sum += binomial(n, i, p);
    return sum < 1 ? sum : 1;
}

/* --- the medium --- */

struct medium {
    struct app_shot *shot;
    uint64_t seed, trial;
    double p;
    bool lossy;
};

static double draw_unit(uint64_t seed, uint64_t purpose, uint64_t trial, uint64_t counter)
{
    return (double)(app_validate_draw(seed, purpose, trial, counter) >> 11) * 0x1p-53;
}

static bool arrives(void *ctx, const struct app_shot_frame *frame, uint32_t receiver)
{
    const struct medium *m = ctx;
    (void)frame, (void)receiver;
    return !m->lossy || draw_unit(m->seed, ERASURE, m->trial, m->shot->n_asked) < m->p;
}

/* Repetition, elections and checks of quorum are ordinary timers: far away here. */
static struct app_shot_config one_shot(const struct app_validate *v, const struct chain_engine_ops *ops)
{
    return (struct app_shot_config){.ops = ops,
                                    .n = (uint32_t)v->values[VALIDATE_N],
                                    .seed = v->seed,
                                    .delay_ns = ms_ns,
                                    .heartbeat_ns = 3600 * 1000 * ms_ns,
                                    .timeout_ns = 1000000000 * ms_ns,
                                    .timeout_max_ns = 2000000000 * ms_ns,
                                    .strict_votes = true};
}

static struct app_shot_config production(const struct app_validate *v, const struct chain_engine_ops *ops)
{
    struct app_shot_config cfg = one_shot(v, ops);
    cfg.heartbeat_ns = 50 * ms_ns;
    cfg.timeout_ns = 400 * ms_ns;
    cfg.timeout_max_ns = 1600 * ms_ns;
    cfg.strict_votes = false;
    return cfg;
}

static const int64_t horizon_ms = 1000; /* of the rows with production settings */

static int open_medium(struct medium *m, const struct app_validate *v, const struct app_shot_config *cfg)
{
    *m = (struct medium){.seed = v->seed, .p = v->values[VALIDATE_P], .shot = app_shot_open(cfg)};
    if (!m->shot)
        return fail("no memory for the engines");
    m->shot->arrives = arrives;
    m->shot->arrives_ctx = m;
    return 0;
}

static const uint8_t batch[] = {0x82, 0x00, 0x80}; /* opaque to engines: an empty list of transactions */

static bool check_frames(bool good, uint64_t trial)
{
    if (!good)
        fprintf(stderr, "airdeed validate: trial %llu: other frames were sent than one shot consists of\n", (unsigned long long)trial);
    return good;
}

/* --- raft --- */

/* A fresh cluster with a leader, elected while nothing was lost. */
static uint32_t begin_led(struct medium *m, const struct app_shot_config *cfg, uint64_t trial)
{
    m->trial = trial;
    m->lossy = false;
    app_shot_begin(m->shot, cfg, trial);
    while (app_shot_leader(m->shot) == CHAIN_TO_ALL) {
        app_shot_run(m->shot, app_shot_deadline(m->shot));
        app_shot_drain(m->shot);
    }
    memset(m->shot->by_kind, 0, sizeof m->shot->by_kind);
    memset(m->shot->committed, 0, sizeof m->shot->committed);
    m->shot->n_asked = 0;
    m->lossy = true;
    return app_shot_leader(m->shot);
}

/* rounds passes: an append to all who lack it, acks to it. Adds 1 to *n_committed if the leader committed; false: wrong frames. */
static bool shoot_raft(struct medium *m, const struct app_shot_config *cfg, uint64_t trial, uint64_t rounds, uint64_t *n_committed)
{
    struct app_shot *s = m->shot;
    uint32_t leader = begin_led(m, cfg, trial);
    if (!app_shot_propose(s, leader, batch, sizeof batch))
        return check_frames(false, trial);
    const struct app_shot_count *appends = &s->by_kind[CHAIN_MSG_RAFT_APPEND], *acks = &s->by_kind[CHAIN_MSG_RAFT_APPEND_REPLY];
    for (uint64_t i = 1;; i++) {
        uint64_t n_appends = appends->sent;
        app_shot_drain(s);
        if (s->committed[leader]) /* the last append is the notice; nobody answers it */
            break;
        if (!check_frames(n_appends == i && appends->sent == i && acks->sent == appends->received, trial))
            return false;
        if (i == rounds)
            break;
        app_shot_run(s, app_shot_deadline(s)); /* the leader's: it says it again to who has not answered */
    }
    *n_committed += s->committed[leader];
    return true;
}

static bool run_raft_in_production(struct medium *m, const struct app_validate *v, uint64_t trial, uint64_t *n_committed)
{
    struct app_shot_config cfg = production(v, &chain_raft_ops);
    uint32_t leader = begin_led(m, &cfg, trial);
    if (!app_shot_propose(m->shot, leader, batch, sizeof batch))
        return false;
    app_shot_run(m->shot, m->shot->now_ns + horizon_ms * ms_ns);
    *n_committed += app_shot_count_committed(m->shot) >= chain_majority(cfg.n);
    return true;
}

static int run_raft_loss(struct app_validate *v)
{
    struct app_shot_config cfg = one_shot(v, &chain_raft_ops);
    uint64_t rounds = (uint64_t)v->values[VALIDATE_ROUNDS], n_committed = 0, n_in_production = 0;
    struct medium m;
    int code = open_medium(&m, v, &cfg);
    for (uint64_t i = 0; i < v->trials && !code; i++)
        code = shoot_raft(&m, &cfg, i, rounds, &n_committed) && run_raft_in_production(&m, v, i, &n_in_production) ? 0
                                                                                                                  : APP_EXPECTATION_FAILED;
    app_shot_close(m.shot);
    if (code)
        return code;
    double q = 1 - pow(1 - m.p * m.p, (double)rounds);
    app_validate_constant(v, "q", q);
    app_validate_constant(v, "production_horizon_ms", (double)horizon_ms);
    app_validate_proportion(v, "p_commit", n_committed, v->trials, tail(cfg.n - 1, (int32_t)(cfg.n / 2), q));
    app_validate_observation(v, "p_commit_production", n_in_production, v->trials);
    return 0;
}

const struct app_validate_case app_validate_raft_loss = {
    "raft-loss",
    "the Raft engine (chain/raft.c): one append to all and the acks to it, --rounds passes; then with production timers, known to a majority within a second",
    "p_commit = P(at least floor(n/2) of n - 1 followers), each with 1 - (1 - p^2)^rounds; exact; frames sent are checked",
    {{VALIDATE_N, 5, 1, 31}, {VALIDATE_P, .9, .001, 1}, {VALIDATE_ROUNDS, 1, 1, 32}, {VALIDATE_TRIALS, 20000, 10, 1e7}},
    run_raft_loss,
};

/* --- jamming that all links share --- */

static int run_common_jam(struct app_validate *v)
{
    struct app_shot_config cfg = one_shot(v, &chain_raft_ops);
    double duty = v->values[VALIDATE_DUTY], p = v->values[VALIDATE_P];
    uint64_t n_committed = 0, n_jammed = 0;
    struct medium m;
    int code = open_medium(&m, v, &cfg);
    for (uint64_t i = 0; i < v->trials && !code; i++) {
        bool jammed = draw_unit(v->seed, JAM, i, 0) < duty;
        n_jammed += jammed;
        m.p = jammed ? 0 : p;
        code = shoot_raft(&m, &cfg, i, 1, &n_committed) ? 0 : APP_EXPECTATION_FAILED;
    }
    app_shot_close(m.shot);
    if (code)
        return code;
    int32_t needed = (int32_t)(cfg.n / 2);
    double clear = p * (1 - duty);
    app_validate_constant(v, "jammed_share", (double)n_jammed / (double)v->trials);
    app_validate_constant(v, "p_commit_if_links_were_independent", tail(cfg.n - 1, needed, clear * clear));
    double expected = (1 - duty) * tail(cfg.n - 1, needed, p * p) + duty * tail(cfg.n - 1, needed, 0);
    app_validate_proportion(v, "p_commit", n_committed, v->trials, expected);
    return 0;
}

const struct app_validate_case app_validate_raft_common_jam = {
    "raft-common-jam",
    "the Raft engine (chain/raft.c), one shot, on a medium whose jammer is on for all links or for none",
    "p_commit = (1 - duty) P(at least floor(n/2) of n - 1 followers, each p^2) for n >= 2, else 1; exact; links jammed independently would give what params names",
    {{VALIDATE_N, 5, 1, 31}, {VALIDATE_P, .99, .001, 1}, {VALIDATE_DUTY, .3, 0, 1}, {VALIDATE_TRIALS, 20000, 10, 1e7}},
    run_common_jam,
};

/* --- pbft --- */

struct pbft_law {
    double quorum, f_plus_1, client;
};

/* Sums over K1 holders of the PRE-PREPARE, K2 prepared, K3 committed. */
static struct pbft_law find_pbft_law(uint32_t n, uint32_t n_silent, double p)
{
    struct pbft_law law = {0, 0, 0};
    uint32_t n_backups = n - 1 - n_silent;
    int32_t quorum = (int32_t)chain_pbft_quorum(n), weak = (int32_t)chain_pbft_f(n) + 1;
    for (uint32_t k1 = 0; k1 <= n_backups; k1++) {
        double backup = k1 > 0 ? tail(k1 - 1, quorum - 2, p) : 0, primary = tail(k1, quorum - 1, p);
        for (uint32_t k2 = 0; k2 <= k1 + 1; k2++) {
            double p_k2 = binomial(k1, k2, backup) * (1 - primary) + (k2 > 0 ? binomial(k1, k2 - 1, backup) * primary : 0);
            double each = k2 > 0 ? tail(k2 - 1, quorum - 1, p) : 0, weight = binomial(n_backups, k1, p) * p_k2;
            law.quorum += weight * tail(k2, quorum, each);
            law.f_plus_1 += weight * tail(k2, weak, each);
            for (uint32_t k3 = 0; k3 <= k2; k3++)
                law.client += weight * binomial(k2, k3, each) * tail(k3, weak, p);
        }
    }
    return law;
}

static void begin_pbft(struct medium *m, const struct app_shot_config *cfg, uint64_t trial, uint32_t n_silent)
{
    m->trial = trial;
    m->lossy = true;
    app_shot_begin(m->shot, cfg, trial);
    for (uint32_t i = 0; i < n_silent; i++)
        m->shot->dead[cfg->n - 1 - i] = true;
}

/* Replies of those who committed, each erased like any message. */
static uint32_t count_replies(const struct medium *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->shot->cfg.n; i++)
        n += m->shot->committed[i] && draw_unit(m->seed, REPLY, m->trial, i) < m->p;
    return n;
}

static bool shoot_pbft(struct medium *m, const struct app_shot_config *cfg, uint64_t trial, uint32_t n_silent)
{
    struct app_shot *s = m->shot;
    begin_pbft(m, cfg, trial, n_silent);
    if (!app_shot_propose(s, 0, batch, sizeof batch))
        return check_frames(false, trial);
    app_shot_drain(s);
    const struct app_shot_count *proposals = &s->by_kind[CHAIN_MSG_PBFT_PRE_PREPARE], *prepares = &s->by_kind[CHAIN_MSG_PBFT_PREPARE];
    const struct app_shot_count *commits = &s->by_kind[CHAIN_MSG_PBFT_COMMIT];
    uint64_t n_sent = 0;
    for (int kind = 0; kind < 256; kind++)
        n_sent += s->by_kind[kind].sent;
    bool few = cfg->n == 1 ? n_sent == 0 : proposals->sent == 1 && prepares->sent == proposals->received;
    return check_frames(few && n_sent == proposals->sent + prepares->sent + commits->sent && commits->sent <= prepares->sent + 1
                            && commits->sent + (cfg->n == 1) >= app_shot_count_committed(s),
                        trial);
}

static bool run_pbft_in_production(struct medium *m, const struct app_validate *v, uint64_t trial, uint32_t n_silent, uint64_t *n_quorum)
{
    struct app_shot_config cfg = production(v, &chain_pbft_ops);
    begin_pbft(m, &cfg, trial, n_silent);
    app_shot_pending(m->shot);
    if (!app_shot_propose(m->shot, 0, batch, sizeof batch))
        return false;
    app_shot_run(m->shot, horizon_ms * ms_ns);
    *n_quorum += app_shot_count_committed(m->shot) >= chain_pbft_quorum(cfg.n);
    return true;
}

static int run_pbft_loss(struct app_validate *v)
{
    struct app_shot_config cfg = one_shot(v, &chain_pbft_ops);
    uint32_t n_silent = (uint32_t)v->values[VALIDATE_SILENT], quorum = chain_pbft_quorum(cfg.n), weak = chain_pbft_f(cfg.n) + 1;
    uint64_t n_quorum = 0, n_weak = 0, n_client = 0, n_in_production = 0;
    if (n_silent >= cfg.n) {
        fprintf(stderr, "airdeed validate pbft-loss: --silent %u: of --n %u members the primary speaks, %u backups can be silent\n", n_silent,
                cfg.n, cfg.n - 1);
        return APP_BAD_USAGE;
    }
    struct medium m;
    int code = open_medium(&m, v, &cfg);
    for (uint64_t i = 0; i < v->trials && !code; i++) {
        if (!shoot_pbft(&m, &cfg, i, n_silent)) {
            code = APP_EXPECTATION_FAILED;
            break;
        }
        uint32_t n_committed = app_shot_count_committed(m.shot);
        n_quorum += n_committed >= quorum;
        n_weak += n_committed >= weak;
        n_client += count_replies(&m) >= weak;
        code = run_pbft_in_production(&m, v, i, n_silent, &n_in_production) ? 0 : APP_EXPECTATION_FAILED;
    }
    app_shot_close(m.shot);
    if (code)
        return code;
    struct pbft_law law = find_pbft_law(cfg.n, n_silent, m.p);
    app_validate_constant(v, "quorum", quorum);
    app_validate_constant(v, "production_horizon_ms", (double)horizon_ms);
    app_validate_proportion(v, "p_quorum", n_quorum, v->trials, law.quorum);
    app_validate_proportion(v, "p_f_plus_1", n_weak, v->trials, law.f_plus_1);
    app_validate_proportion(v, "p_client", n_client, v->trials, law.client);
    app_validate_observation(v, "p_quorum_production", n_in_production, v->trials);
    return 0;
}

const struct app_validate_case app_validate_pbft_loss = {
    "pbft-loss",
    "the PBFT engine (chain/pbft.c), one shot with strict votes; then with production timers and votes, a quorum within a second",
    "sums over holders of the PRE-PREPARE, prepared, committed: p_quorum, p_f_plus_1 members commit, p_client f + 1 replies arrive; exact; frames sent are checked",
    {{VALIDATE_N, 7, 1, 31}, {VALIDATE_P, .9, .001, 1}, {VALIDATE_SILENT, 0, 0, 30}, {VALIDATE_TRIALS, 10000, 10, 1e7}},
    run_pbft_loss,
};

/* --- elections --- */

/* The leader's last word reaches all others at one moment, where their timers start. Returns how long the first one waits and whether
 * it was the only one to start before its word reached the others. */
static int64_t wait_for_candidate(struct medium *m, const struct app_shot_config *cfg, uint64_t trial, int64_t vote_delay_ns, bool *leads_out)
{
    struct app_shot *s = m->shot;
    uint32_t leader = begin_led(m, cfg, trial), n_candidates = 0;
    m->lossy = false;
    for (uint64_t n_beats = s->by_kind[CHAIN_MSG_RAFT_APPEND].sent; s->by_kind[CHAIN_MSG_RAFT_APPEND].sent == n_beats;)
        app_shot_run(s, app_shot_deadline(s));
    s->dead[leader] = true;
    int64_t from_ns = s->now_ns + s->cfg.delay_ns;
    app_shot_run(s, from_ns);
    s->cfg.delay_ns = vote_delay_ns;
    for (uint32_t i = 0; i < cfg->n; i++)
        s->first_sent_ns[i] = INT64_MAX;
    app_shot_run(s, app_shot_deadline(s));
    int64_t first_ns = s->now_ns;
    app_shot_run(s, first_ns + vote_delay_ns - 1);
    for (uint32_t i = 0; i < cfg->n; i++)
        n_candidates += s->first_sent_ns[i] != INT64_MAX;
    *leads_out = n_candidates == 1;
    return first_ns - from_ns;
}

static int run_election(struct app_validate *v)
{
    struct app_shot_config cfg = one_shot(v, &chain_raft_ops);
    double spread_ms = v->values[VALIDATE_SPREAD_MS], sum_ms = 0, sum_squares = 0;
    int64_t vote_delay_ns = (int64_t)llround(v->values[VALIDATE_VOTE_DELAY_MS] * (double)ms_ns);
    cfg.delay_ns = 1; /* while the leader that will die is elected */
    cfg.timeout_ns = (int64_t)llround(v->values[VALIDATE_T0_MS] * (double)ms_ns);
    cfg.heartbeat_ns = cfg.timeout_ns / 8;
    cfg.spread_ns = (int64_t)llround(spread_ms * (double)ms_ns);
    cfg.timeout_max_ns = cfg.timeout_ns + cfg.spread_ns;
    uint64_t n_first = 0;
    struct medium m;
    int code = open_medium(&m, v, &cfg);
    for (uint64_t trial = 0; trial < v->trials && !code; trial++) {
        bool leads;
        double waited_ms = (double)wait_for_candidate(&m, &cfg, trial, vote_delay_ns, &leads) / (double)ms_ns;
        n_first += leads;
        sum_ms += waited_ms;
        sum_squares += waited_ms * waited_ms;
    }
    app_shot_close(m.shot);
    if (code)
        return code;
    double live = cfg.n - 1, n = (double)v->trials, mean = sum_ms / n, variance = (sum_squares - n * mean * mean) / (n - 1);
    double share = 1 - v->values[VALIDATE_VOTE_DELAY_MS] / spread_ms;
    app_validate_constant(v, "live_candidates", live);
    app_validate_proportion(v, "p_first_leads", n_first, v->trials, share > 0 ? pow(share, live) : 0);
    app_validate_estimate(v, "mean_first_timeout_ms", mean, v->values[VALIDATE_T0_MS] + spread_ms / (live + 1), sqrt(variance / n));
    return 0;
}

const struct app_validate_case app_validate_election = {
    "election",
    "the Raft engine's election timers (chain/raft_election.c): a leader of n dies, its last word reached all others at once",
    "m = n - 1 live candidates, timeouts uniform in [T0, T0 + R]: nobody else starts within the delay d of a vote (1 - d/R)^m, mean T0 + R/(m + 1); exact",
    {{VALIDATE_N, 5, 3, 31},
     {VALIDATE_T0_MS, 150, 1, 1e6},
     {VALIDATE_SPREAD_MS, 150, .1, 1e6},
     {VALIDATE_VOTE_DELAY_MS, 10, .001, 1e6},
     {VALIDATE_TRIALS, 20000, 10, 1e7}},
    run_election,
};
