/* The jam detector on innocent traffic, for long: congestion, weak links, primary users. On samples first; what its receiver heard there is
 * what the same detector hears in a run of hours at packet fidelity. */
#include "apps/options.h"
#include "apps/validate/jam_episodes.h"
#include "apps/validate/signals.h"
#include "apps/validate/stretch_replay.h"
#include "apps/validate/validate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GROUPS = 50, PURPOSE = 0x696e6e6f };
static const double packet_over_iq = 60; /* seconds at the one fidelity for one at the other */
static const double allowed_per_hour = 1, surely = .95;

/* One situation of one kind. */
struct group {
    enum app_jam_class class;
    struct app_jam_episode e;
    int log;
};

/* What the watched ears heard, at one fidelity. */
struct heard {
    double s;
    uint64_t n_frames, n_signals;
    uint64_t n_changes; /* of opinion, but for the first of each situation: situations on samples are short */
};

struct innocent {
    struct app_jam_world *world;
    struct app_stretch_log *log;
    struct group groups[GROUPS];
    uint64_t n_iq, n_packet; /* accusations */
    struct heard iq[JAM_N_CLASSES], packet[JAM_N_CLASSES];
    int64_t group_ns, length_ns; /* of one situation on samples, at packet fidelity */
    const struct group *now;
    enum mac_jam_kind opinion;
    uint64_t n_verdicts; /* in it */
};

static void on_signal(void *ctx, const struct mac_event *signal)
{
    struct innocent *t = ctx;
    t->iq[t->now->class].n_signals++;
    app_stretch_signal(t->log, signal);
}

static void on_sent(void *ctx, uint32_t station, int64_t from_ns, int64_t to_ns, const struct mac_update *frame)
{
    struct innocent *t = ctx;
    t->iq[t->now->class].n_frames++;
    app_stretch_sent(t->log, station == 0, from_ns, to_ns, frame->mpdu_len);
}

static void complain(const char *fidelity, const struct group *g, const struct mac_jam_verdict *v)
{
    fprintf(stderr, "airdeed validate jam-innocent: at %s fidelity %s is called %s after %.3f s\n", fidelity, app_jam_class_name(g->class),
            mac_jam_kind_name(v->kind), (double)v->at_ns / 1e9);
}

static bool on_verdict(void *ctx, const struct mac_jam_verdict *v)
{
    struct innocent *t = ctx;
    if (mac_jam_is_attack(v->kind) && !mac_jam_is_attack(t->opinion)) {
        t->n_iq++;
        complain("iq", t->now, v);
    }
    t->iq[t->now->class].n_changes += t->n_verdicts++ > 0;
    t->opinion = v->kind;
    return true;
}

/* --- on samples --- */

static void draw_group(struct group *g, int i, uint64_t seed, int64_t group_ns)
{
    static const enum app_jam_class kinds[] = {JAM_CLASS_CONGESTION, JAM_CLASS_WEAK_LINK, JAM_CLASS_FOREIGN};
    const uint64_t number = (uint64_t)i / 3;
    double unused;
    g->class = kinds[i % 3];
    app_jam_draw(g->class, false, seed, number, &g->e, &unused);
    g->e.end_ns = group_ns;
    g->e.start_ns = g->e.start_ns < group_ns / 2 ? g->e.start_ns : group_ns / 2;
    g->e.on_signal = on_signal;
    g->e.on_sent = on_sent;
    if (g->class == JAM_CLASS_CONGESTION) /* from a tenth of what they would need, to twice of what there is */
        g->e.frames_per_s *= .05 + .95 * (double)(number + 1) / (GROUPS / 3 + 1);
}

static int listen(struct innocent *t, struct group *g)
{
    struct app_jam_outcome out;
    const char *why = "memory";
    t->now = g;
    t->iq[g->class].s += (double)t->group_ns / 1e9;
    t->opinion = MAC_JAM_NONE;
    t->n_verdicts = 0;
    app_stretch_begin(t->log);
    int rc = app_jam_run(t->world, &g->e, on_verdict, t, &out, &why);
    g->log = rc == 0 ? app_stretch_finish(t->log) : rc;
    if (g->log >= 0)
        return 0;
    fprintf(stderr, "airdeed validate jam-innocent: %s, %s: %s\n", app_jam_class_name(g->class), why, strerror(-g->log));
    return APP_SYSTEM_FAILED;
}

/* --- at packet fidelity --- */

static int replay(struct innocent *t, const struct group *g, uint64_t seed)
{
    struct mac_config mac;
    struct app_replayed out;
    bool is_radar = g->e.has_primary && g->e.primary.kind == PHY_PRIMARY_RADAR;
    app_jam_mac(t->world, &mac);
    struct app_replay cfg = {.log = t->log, .group = g->log, .seed = app_validate_draw(seed, PURPOSE, 0, 0), .number = (uint64_t)g->log,
                             .n_stations = g->e.n_stations, .frames_per_s = g->e.frames_per_s, .message_bytes = g->e.message_bytes, .mac = &mac,
                             .period_ns = is_radar ? (int64_t)g->e.primary.period_samples * (1000000000 / APP_JAM_RATE_HZ) : 0,
                             .comes_and_goes = g->e.has_primary && !is_radar, .length_ns = t->length_ns};
    if (app_replay_run(&cfg, &out) != 0) {
        fprintf(stderr, "airdeed validate jam-innocent: memory\n");
        return APP_SYSTEM_FAILED;
    }
    struct heard *h = &t->packet[g->class];
    h->s += (double)t->length_ns / 1e9;
    h->n_frames += out.n_frames;
    h->n_signals += out.n_heard;
    h->n_changes += out.n_verdicts - (out.n_verdicts > 0);
    if (out.n_accused)
        complain("packet", g, &out.first);
    t->n_packet += out.n_accused;
    return 0;
}

/* The rate at which so few events in so many hours would be this unlikely: P(X <= k) = 1 - surely for X ~ Poisson(rate hours). */
static double bound_per_hour(uint64_t k, double hours)
{
    double low = 0, high = 10.0 * (double)(k + 3);
    for (int i = 0; i < 100; i++) {
        double mean = (low + high) / 2, term = exp(-mean), sum = term;
        for (uint64_t n = 1; n <= k; n++) {
            term *= mean / (double)n;
            sum += term;
        }
        *(sum > 1 - surely ? &low : &high) = mean;
    }
    return high / hours;
}

static int run_groups(struct innocent *t, const struct app_validate *v)
{
    t->length_ns = (int64_t)((double)v->trials * 1e9 / GROUPS);
    t->group_ns = (int64_t)((double)t->length_ns / packet_over_iq);
    t->world = app_jam_open();
    t->log = app_stretch_open();
    if (!t->world || !t->log) {
        fprintf(stderr, "airdeed validate jam-innocent: memory\n");
        return APP_SYSTEM_FAILED;
    }
    int code = 0;
    for (int i = 0; i < GROUPS && code == 0; i++) {
        draw_group(&t->groups[i], i, v->seed, t->group_ns);
        code = listen(t, &t->groups[i]);
    }
    for (int i = 0; i < GROUPS && code == 0; i++)
        code = replay(t, &t->groups[i], v->seed);
    return code;
}

/* How alike the two fidelities are; for a reader, on standard error. */
static void print_details(const struct innocent *t)
{
    fprintf(stderr, "              seconds      frames/s   signals/s  changes/min\n");
    for (int c = 0; c < JAM_N_CLASSES; c++)
        for (int k = 0; k < 2 && t->iq[c].s > 0; k++) {
            const struct heard *h = k ? &t->packet[c] : &t->iq[c];
            fprintf(stderr, "%-10s %-6s %6.0f %10.1f %10.1f %10.1f\n", app_jam_class_name((enum app_jam_class)c), k ? "packet" : "iq", h->s,
                    (double)h->n_frames / h->s, (double)h->n_signals / h->s, (double)h->n_changes * 60 / h->s);
        }
}

static int run(struct app_validate *v)
{
    struct innocent t = {0};
    int code = run_groups(&t, v);
    if (code == 0) {
        print_details(&t);
        double hours = (double)v->trials / 3600, iq_s = (double)v->trials / packet_over_iq;
        app_validate_constant(v, "iq_s", iq_s);
        app_validate_constant(v, "situations", GROUPS);
        app_validate_constant(v, "stretches_of_data", (double)app_stretch_count(t.log, STRETCH_DATA));
        app_validate_constant(v, "collisions", (double)(app_stretch_count(t.log, STRETCH_PAIR) + app_stretch_count(t.log, STRETCH_CROWD)));
        app_validate_constant(v, "pulses", (double)app_stretch_count(t.log, STRETCH_PULSE));
        app_validate_never(v, "false_iq", t.n_iq);
        app_validate_limit(v, "false_per_hour", (double)t.n_packet / hours, allowed_per_hour);
        app_validate_number(v, "false_per_hour_at_most", bound_per_hour(t.n_packet, hours));
    }
    app_stretch_close(t.log);
    app_jam_close(t.world);
    return code;
}

const struct app_validate_case app_validate_jam_innocent = {
    .name = "jam-innocent",
    .drives = "the jam detector on innocent traffic: on samples, then --trials seconds at packet fidelity with what was heard there",
    .formula = "at most one false accusation an hour; beside it the rate that the exact Poisson tail excludes with 95 %",
    .uses = {{VALIDATE_TRIALS, 14000, 60, 1e6}},
    .run = run,
};
