/* Cooperative sensing: a ledger's verdicts against the stations' reports and the truth, with liars among them. */
#include "apps/options.h"
#include "apps/validate/ledger_drive.h"
#include "apps/validate/signals.h"
#include "apps/validate/validate.h"
#include "chain/ledger_fuse.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum stream { TRUTH = 41, SENSED = 42, PLAN = 43 }; /* purposes of draws */

/* How liars lie. Those that collude or turn pool what they sense first, so that they look better than they are. */
enum manner { FLIP, COLLUDE, TURN, N_MANNERS };

static const double q_d_bound = .98, q_f_bound = .02;
static const uint64_t least_bounded_rounds = 200;

struct fusion {
    uint64_t seed, run;
    uint32_t n, n_liars, n_channels;
    double p_d, p_fa;
    enum manner manner;
    double lying_share;      /* COLLUDE: of windows */
    uint64_t turn_at;        /* TURN: window */
    struct app_drive *drive;
};

/* Decisions while the band was taken, and while it was not, and how many said "occupied". */
struct tally {
    uint64_t n[2], occupied[2];
};

static double draw_unit(const struct fusion *f, enum stream purpose, uint64_t window, uint64_t counter)
{
    return (double)(app_validate_draw(f->seed, purpose, f->run * 1000003 + window, counter) >> 11) * 0x1p-53;
}

static bool is_occupied(const struct fusion *f, uint64_t window, uint32_t channel)
{
    return draw_unit(f, TRUTH, window, channel) < .5;
}

static bool is_lying(const struct fusion *f, uint64_t window)
{
    if (f->manner == COLLUDE)
        return draw_unit(f, PLAN, window, 1) < f->lying_share;
    return f->manner == FLIP || window >= f->turn_at;
}

static bool sense(const struct fusion *f, uint64_t window, uint32_t channel, uint32_t station)
{
    double p = is_occupied(f, window, channel) ? f->p_d : f->p_fa;
    return draw_unit(f, SENSED, window, station * CHAIN_MAX_CHANNELS + channel) < p;
}

/* Liars are the first stations. */
static bool report_of(const struct fusion *f, uint64_t window, uint32_t channel, uint32_t station)
{
    if (station >= f->n_liars)
        return sense(f, window, channel, station);
    if (f->manner == FLIP)
        return !sense(f, window, channel, station);
    uint32_t n_positive = 0;
    for (uint32_t i = 0; i < f->n_liars; i++)
        n_positive += sense(f, window, channel, i);
    return (2 * n_positive > f->n_liars) != is_lying(f, window);
}

static struct chain_op make_reveal(const struct fusion *f, uint64_t window, uint32_t station)
{
    struct chain_op op = {.kind = CHAIN_OP_SENSE_REVEAL};
    op.reveal.window = (uint64_t)(f->drive->genesis.time_ns / f->drive->genesis.quiet_period_ns) + 1 + window;
    op.reveal.n_channels = f->n_channels;
    for (uint32_t c = 0; c < f->n_channels; c++)
        op.reveal.occupied[c] = report_of(f, window, c, station);
    op.reveal.salt[0] = (uint8_t)station;
    return op;
}

/* What a station says in the block behind a window: its report of the one before, its commitment for this one. */
static bool add_station(struct fusion *f, uint64_t window, uint64_t n_windows, uint32_t station)
{
    struct chain_op ops[2];
    size_t n = 0;
    if (window > 0)
        ops[n++] = make_reveal(f, window - 1, station);
    if (window < n_windows) {
        struct chain_op reveal = make_reveal(f, window, station);
        ops[n] = (struct chain_op){.kind = CHAIN_OP_SENSE_COMMIT, .commit = {.window = reveal.reveal.window}};
        if (chain_sense_commitment(station, &reveal.reveal, &ops[n++].commit.commitment) != 0)
            return false;
    }
    uint64_t nonce = f->drive->next_nonce[station];
    f->drive->next_nonce[station] += n;
    return app_drive_add(f->drive, station, nonce, ops, n);
}

/* False where a window was not decided as it should be: by all stations, in its block. */
static bool count_verdicts(const struct fusion *f, uint64_t window, struct tally *tally)
{
    uint32_t n_fused = 0;
    for (size_t i = 0; i < f->drive->n_events; i++) {
        const struct chain_ledger_event *e = &f->drive->events[i];
        if (e->kind == CHAIN_LE_REFUSED)
            return false;
        if (e->kind != CHAIN_LE_WINDOW_FUSED)
            continue;
        if (e->n_reports != f->n || e->code != CHAIN_SUCCESS)
            return false;
        bool truth = is_occupied(f, window, e->channel);
        tally->n[truth]++;
        tally->occupied[truth] += e->occupied;
        n_fused++;
    }
    return n_fused == f->n_channels;
}

/* One ledger from its genesis on; decisions from window `from` on count. */
static bool run_ledger(struct fusion *f, uint64_t n_windows, uint64_t from, struct tally *tally)
{
    const struct chain_genesis *g = &f->drive->genesis;
    app_drive_restart(f->drive);
    if (!app_drive_register(f->drive, g->time_ns + 1))
        return false;
    struct tally unused = {0};
    for (uint64_t w = 0; w <= n_windows; w++) {
        for (uint32_t i = 0; i < f->n; i++)
            if (!add_station(f, w, n_windows, i))
                return false;
        app_drive_block(f->drive, g->time_ns + (int64_t)(w + 1) * g->quiet_period_ns + g->quiet_length_ns + 1);
        if (w > 0 && !count_verdicts(f, w - 1, w > from ? tally : &unused))
            return false;
    }
    return true;
}

static int fail(const char *why, int code)
{
    fprintf(stderr, "airdeed validate fusion: %s\n", why);
    return code;
}

static int open_fusion(struct fusion *f, const struct app_validate *v, uint32_t n_channels, uint32_t k)
{
    *f = (struct fusion){.seed = v->seed,
                         .n = (uint32_t)v->values[VALIDATE_N],
                         .n_liars = (uint32_t)v->values[VALIDATE_LIARS],
                         .n_channels = n_channels,
                         .p_d = v->values[VALIDATE_PD],
                         .p_fa = v->values[VALIDATE_PFA]};
    if (f->n_liars > f->n)
        return fail("--liars: more than --n stations", APP_BAD_USAGE);
    if (k > f->n)
        return fail("--k: more than --n stations", APP_BAD_USAGE);
    struct chain_genesis g = app_drive_genesis(f->n, 0);
    g.n_channels = n_channels;
    g.local_p_fa_ppb = (uint32_t)lround(f->p_fa * 1e9);
    g.fuse_plain = k > 0;
    g.fuse_min_positive = k > 0 ? k : 1;
    const char *why;
    f->drive = app_drive_open(&g, &why);
    if (!f->drive)
        return fail(why, strcmp(why, "memory") == 0 ? APP_SYSTEM_FAILED : APP_BAD_USAGE);
    return 0;
}

/* --- rounds 0: a plain count, K of N --- */

static double choose(uint32_t n, uint32_t k)
{
    double product = 1;
    for (uint32_t i = 1; i <= k; i++)
        product *= (double)(n - k + i) / i;
    return product;
}

static double pmf(uint32_t n, uint32_t k, double p)
{
    return k > n ? 0 : choose(n, k) * pow(p, k) * pow(1 - p, n - k);
}

/* P(at least k of n say so), b of which say the opposite of what they sense */
static double count_tail(uint32_t n, uint32_t b, uint32_t k, double p)
{
    double sum = 0;
    for (uint32_t i = 0; i <= n - b; i++)
        for (uint32_t j = 0; j <= b; j++)
            if (i + j >= k)
                sum += pmf(n - b, i, p) * pmf(b, j, 1 - p);
    return fmin(sum, 1);
}

static int run_plain(struct app_validate *v)
{
    struct fusion f;
    uint32_t k = (uint32_t)v->values[VALIDATE_K];
    int code = open_fusion(&f, v, CHAIN_MAX_CHANNELS, k);
    if (code)
        return code;
    struct tally tally = {0};
    uint64_t n_windows = (v->trials + CHAIN_MAX_CHANNELS - 1) / CHAIN_MAX_CHANNELS;
    bool ran = run_ledger(&f, n_windows, 0, &tally);
    app_drive_close(f.drive);
    if (!ran || tally.n[0] == 0 || tally.n[1] == 0)
        return fail("a window was not decided by all stations", APP_SYSTEM_FAILED);
    app_validate_constant(v, "decisions_a_window", CHAIN_MAX_CHANNELS);
    app_validate_proportion(v, "q_d", tally.occupied[1], tally.n[1], count_tail(f.n, f.n_liars, k, f.p_d));
    app_validate_proportion(v, "q_f", tally.occupied[0], tally.n[0], count_tail(f.n, f.n_liars, k, f.p_fa));
    return 0;
}

/* --- rounds > 0: weighted by reputation --- */

/* The least count of n equal stations that fuses to "occupied" (docs/ledger.md): a positive sum from more than a third, or two thirds. */
static uint32_t fused_k(uint32_t n, double p_fa)
{
    const double p_d = CHAIN_FUSE_P_D_PPB * 1e-9;
    uint32_t k = n / 3 + 1;
    while (3 * k < 2 * n && k * log(p_d / p_fa) <= (n - k) * log((1 - p_fa) / (1 - p_d)))
        k++;
    return k;
}

/* Are liars fewer than a third, and the ledger past its beginnings? Do the honest among themselves err half as often as the bounds
 * allow, and stay within them where liars of full weight all lie against them as often as the rule credits a station with an error? */
static bool is_bounded(const struct fusion *f, uint64_t rounds)
{
    uint32_t n_honest = f->n - f->n_liars;
    if (rounds < least_bounded_rounds || 3 * f->n_liars >= f->n)
        return false;
    uint32_t k = fused_k(n_honest, f->p_fa), k_all = fused_k(f->n, f->p_fa);
    double miss = 1 - count_tail(n_honest, 0, k, f->p_d), alarm = count_tail(n_honest, 0, k, f->p_fa);
    double miss_against = 1 - count_tail(n_honest, 0, k_all, f->p_d);
    double alarm_against = count_tail(n_honest, 0, k_all - f->n_liars, f->p_fa);
    const double covered_miss = 1 - CHAIN_FUSE_P_D_PPB * 1e-9, covered_alarm = f->p_fa;
    return miss <= (1 - q_d_bound) / 2 && alarm <= q_f_bound / 2 &&
           (1 - covered_miss) * miss + covered_miss * miss_against <= 1 - q_d_bound &&
           (1 - covered_alarm) * alarm + covered_alarm * alarm_against <= q_f_bound;
}

static void add_rows(struct app_validate *v, const char *d, const char *fa, const struct tally *t, bool bounded)
{
    if (bounded) {
        app_validate_bound(v, d, t->occupied[1], t->n[1], q_d_bound, true);
        app_validate_bound(v, fa, t->occupied[0], t->n[0], q_f_bound, false);
    } else {
        app_validate_observation(v, d, t->occupied[1], t->n[1]);
        app_validate_observation(v, fa, t->occupied[0], t->n[0]);
    }
}

static int run_weighted(struct app_validate *v)
{
    static const char *const names[N_MANNERS][2] = {{"q_d_flip", "q_f_flip"}, {"q_d_collude", "q_f_collude"}, {"q_d_turn", "q_f_turn"}};
    struct fusion f;
    uint64_t rounds = (uint64_t)v->values[VALIDATE_ROUNDS], from = rounds / 5;
    int code = open_fusion(&f, v, 1, 0);
    if (code)
        return code;
    uint32_t n_manners = f.n_liars > 0 ? N_MANNERS : 1;
    uint64_t n_runs = (v->trials + rounds - from - 1) / (rounds - from);
    n_runs = (n_runs + n_manners - 1) / n_manners * n_manners;
    struct tally all = {0}, by_manner[N_MANNERS] = {0};
    bool ran = true;
    for (f.run = 0; f.run < n_runs && ran; f.run++) {
        f.manner = (enum manner)(f.run % n_manners);
        f.lying_share = .05 + .45 * draw_unit(&f, PLAN, 0, 2);
        f.turn_at = from + (uint64_t)(draw_unit(&f, PLAN, 0, 3) * (double)(rounds / 2 - from));
        ran = run_ledger(&f, rounds, from, &by_manner[f.manner]);
    }
    app_drive_close(f.drive);
    for (uint32_t m = 0; m < n_manners; m++)
        for (int truth = 0; truth < 2; truth++) {
            all.n[truth] += by_manner[m].n[truth];
            all.occupied[truth] += by_manner[m].occupied[truth];
            ran = ran && by_manner[m].n[truth] > 0;
        }
    if (!ran)
        return fail("a window was not decided by all stations", APP_SYSTEM_FAILED);
    app_validate_constant(v, "first_round", (double)from);
    app_validate_constant(v, "ledgers", (double)n_runs);
    bool bounded = is_bounded(&f, rounds);
    app_validate_constant(v, "bounded", bounded);
    add_rows(v, "q_d", "q_f", &all, bounded);
    for (uint32_t m = 0; m < n_manners && n_manners > 1; m++)
        add_rows(v, names[m][0], names[m][1], &by_manner[m], bounded);
    return 0;
}

static int run_fusion(struct app_validate *v)
{
    if (v->values[VALIDATE_ROUNDS] > 0 && v->values[VALIDATE_ROUNDS] < 10)
        return fail("--rounds: 0, or at least 10", APP_BAD_USAGE);
    return v->values[VALIDATE_ROUNDS] > 0 ? run_weighted(v) : run_plain(v);
}

const struct app_validate_case app_validate_fusion = {
    "fusion",
    "the ledger's sensing windows (chain/ledger_sense.c, ledger_fuse.c): whole blocks of commitments and reports, one a station and window",
    "--rounds 0: q_d and q_f of K of N, Tail over N - b honest and b flipping ones; --rounds R: weighted by reputation, over rounds R/5 to R, "
    "q_d >= .98 and q_f <= .02 with liars that flip, collude on some windows, or turn; only reported (bounded 0) where liars "
    "are a third or more, R < 200, or --pd and --pfa leave the honest no margin",
    {{VALIDATE_N, 10, 2, 32}, {VALIDATE_ROUNDS, 0, 0, 100000}, {VALIDATE_PFA, .1, 1e-6, .5}, {VALIDATE_PD, .9, .5, 1},
     {VALIDATE_LIARS, 0, 0, 32}, {VALIDATE_K, 6, 1, 32}, {VALIDATE_TRIALS, 40000, 100, 1e7}},
    run_fusion,
};
