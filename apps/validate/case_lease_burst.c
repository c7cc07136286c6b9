/* A jam burst against a lease: does the holder's next heartbeat come through before its gate has to close? And leases of two holders
 * under everything that may go wrong: does either ever send when it may not? */
#include "apps/options.h"
#include "apps/validate/lease_world.h"
#include "apps/validate/signals.h"
#include "apps/validate/validate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum stream { PHASE = 61, WORLD = 62 }; /* purposes of draws */

static int fail(const char *why, int code)
{
    fprintf(stderr, "airdeed validate lease-burst: %s\n", why);
    return code;
}

/* stop : expire is 60 : 240; what the formula's e consists of is in the same proportion at any scale. */
static struct app_lease_times scaled_times(const struct app_validate *v)
{
    double ns = 1e9 / v->values[VALIDATE_TIME_SCALE];
    struct app_lease_times t = {.expire_ns = (int64_t)(v->values[VALIDATE_EXPIRE_S] * ns),
                                .heartbeat_ns = (int64_t)(v->values[VALIDATE_HEARTBEAT_S] * ns)};
    t.stop_ns = t.expire_ns / 4;
    t.skew_ns = t.expire_ns / 240;
    t.guard_ns = t.expire_ns / 2400;
    t.ahead_ns = t.stop_ns;
    t.retry_ns = t.heartbeat_ns / 10;
    t.latency_ns = t.heartbeat_ns / 60;
    t.grant_ns = 100 * t.expire_ns;
    return t;
}

/* The gate closes expire - close_early after the last heartbeat that came through was sent: the guard, and what a clock off by
 * max_skew may cost beyond the latency. */
static int64_t close_early_ns(const struct app_lease_times *t)
{
    return t->guard_ns + (t->skew_ns > t->latency_ns ? t->skew_ns - t->latency_ns : 0);
}

/* e, from sending: a heartbeat goes out at s, the next one at s + H is the first that the burst takes, and then one each retry interval.
 * The last of them that is executed in time goes out at s + H + A', A' being the multiple of the interval at or below
 * A = T - close_early - H - latency. A burst that begins x behind the execution of the first, x uniform on (0, H), ends by then if
 * latency + x + J <= H + A': P = (H + A' - latency - J) / H = (T - e - J) / H. */
static int64_t derive_e_ns(const struct app_lease_times *t)
{
    int64_t a_ns = t->expire_ns - close_early_ns(t) - t->heartbeat_ns - t->latency_ns;
    return a_ns < 0 ? -1 : t->expire_ns - t->heartbeat_ns - a_ns / t->retry_ns * t->retry_ns + t->latency_ns;
}

static double draw_unit(const struct app_validate *v, enum stream purpose, uint64_t trial)
{
    return (double)(app_validate_draw(v->seed, purpose, trial, 0) >> 11) * 0x1p-53;
}

/* --- the ramp --- */

static int run_bursts(const struct app_validate *v, const struct app_lease_times *t, uint64_t *n_survived_out, uint64_t *n_violations)
{
    const char *why;
    int64_t burst_ns = (int64_t)(v->values[VALIDATE_BURST_S] * 1e9 / v->values[VALIDATE_TIME_SCALE]);
    struct app_lease_config cfg = {.times = *t, .n_holders = 1};
    struct app_lease_world *w = app_lease_open(&cfg, &why);
    if (!w)
        return fail(why, strcmp(why, "memory") == 0 ? APP_SYSTEM_FAILED : APP_BAD_USAGE);
    int code = 0;
    *n_survived_out = 0;
    for (uint64_t i = 0; i < v->trials && !code; i++) {
        cfg.seed = i;
        cfg.jam_from_ns = 5 * t->heartbeat_ns + (int64_t)(draw_unit(v, PHASE, i) * (double)t->heartbeat_ns);
        cfg.jam_until_ns = cfg.jam_from_ns + burst_ns;
        bool began = app_lease_begin(w, &cfg);
        app_lease_run(w, cfg.jam_from_ns);
        if (!began || !app_lease_on_air(w, 0) || app_lease_counts(w)->gaps > 0)
            code = fail("a holder without a jam has no lease", APP_SYSTEM_FAILED);
        app_lease_run(w, cfg.jam_until_ns + t->retry_ns + 3 * t->latency_ns);
        *n_survived_out += app_lease_counts(w)->gaps == 0 && app_lease_on_air(w, 0);
        *n_violations += app_lease_counts(w)->after_stop;
    }
    app_lease_close(w);
    return code;
}

/* --- adversity --- */

struct adversity {
    uint64_t leases, handovers, violations;
    double on_air_share;
};

static int run_adversity(const struct app_validate *v, const struct app_lease_times *t, struct adversity *out)
{
    const char *why;
    struct app_lease_config cfg = {.times = *t, .n_holders = 2, .adverse = true, .loss = .2, .length_ns = 60 * t->expire_ns};
    cfg.times.grant_ns = 6 * t->expire_ns;
    struct app_lease_world *w = app_lease_open(&cfg, &why);
    if (!w)
        return fail(why, strcmp(why, "memory") == 0 ? APP_SYSTEM_FAILED : APP_BAD_USAGE);
    int64_t on_air_ns = 0, total_ns = 0;
    int code = 0;
    for (uint64_t i = 0; out->leases < v->trials && !code; i++) {
        cfg.seed = app_validate_draw(v->seed, WORLD, i, 0);
        bool began = app_lease_begin(w, &cfg);
        app_lease_run(w, cfg.length_ns);
        const struct app_lease_count *count = app_lease_counts(w);
        if (!began || count->leases == 0)
            code = fail("no lease was ever given", APP_SYSTEM_FAILED);
        out->leases += count->leases;
        out->handovers += count->handovers;
        out->violations += count->after_stop + count->two_holders;
        on_air_ns += count->on_air_ns;
        total_ns += cfg.length_ns;
    }
    out->on_air_share = (double)on_air_ns / (double)total_ns;
    app_lease_close(w);
    return code;
}

static int run_lease_burst(struct app_validate *v)
{
    struct app_lease_times t = scaled_times(v);
    double scale = v->values[VALIDATE_TIME_SCALE], in_s = 1e-9 * scale;
    int64_t e_ns = t.latency_ns > 0 ? derive_e_ns(&t) : -1;
    if (e_ns < 0)
        return fail("--heartbeat-s leaves no time to repeat one within --expire-s", APP_BAD_USAGE);
    uint64_t n_survived, n_violations = 0;
    struct adversity adversity = {0};
    int code = run_bursts(v, &t, &n_survived, &n_violations);
    code = code ? code : run_adversity(v, &t, &adversity);
    if (code)
        return code;
    double ramp = ((double)(t.expire_ns - e_ns) * in_s - v->values[VALIDATE_BURST_S]) / ((double)t.heartbeat_ns * in_s);
    app_validate_constant(v, "e_s", (double)e_ns * in_s);
    app_validate_constant(v, "retry_s", (double)t.retry_ns * in_s);
    app_validate_constant(v, "commit_latency_s", (double)t.latency_ns * in_s);
    app_validate_constant(v, "drift_guard_s", (double)t.guard_ns * in_s);
    app_validate_constant(v, "stop_s", (double)t.stop_ns * in_s);
    app_validate_constant(v, "leases", (double)adversity.leases);
    app_validate_constant(v, "handovers", (double)adversity.handovers);
    app_validate_constant(v, "on_air_share", adversity.on_air_share);
    app_validate_proportion(v, "p_survive", n_survived, v->trials, fmin(fmax(ramp, 0), 1));
    app_validate_never(v, "violations", n_violations + adversity.violations);
    return 0;
}

const struct app_validate_case app_validate_lease_burst = {
    "lease-burst",
    "the lease holder (chain/holder.h) and the ledger's leases, one that orders transactions, and a jam that lets nothing pass; then two holders "
    "of one band under loss, partitions, crashes, clocks off by max_skew and drifting, and block times pushed to the limit, for --trials leases",
    "p_survive = (T - e - J) / H within 0..1, e printed: at most retry interval + 2 commit latencies + guard; violations, never: emissions after "
    "transmitExpireTime + stop, or of two holders at once",
    {{VALIDATE_BURST_S, 200, 1e-3, 1e5}, {VALIDATE_EXPIRE_S, 240, 1e-2, 1e5}, {VALIDATE_HEARTBEAT_S, 60, 1e-3, 1e5},
     {VALIDATE_TIME_SCALE, 100, 1e-3, 1e4}, {VALIDATE_TRIALS, 10000, 10, 1e6}},
    run_lease_burst,
};
