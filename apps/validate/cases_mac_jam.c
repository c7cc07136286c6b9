/* A sender that offers frames whatever becomes of them, a receiver, and noise in pulses. */
#include "apps/options.h"
#include "apps/ether.h"
#include "apps/validate/signals.h"
#include "apps/validate/validate.h"

#include <math.h>
#include <stdio.h>

enum { DRAW_ARRIVAL = 0x6a61, DRAW_PULSE = 0x6a70 };
enum kind { PERIODIC, POISSON, EXPONENTIAL, REACTIVE };

/* The forms know no space between frames: what the MAC waits for before it sends is a few of these. */
static const int64_t nothing_ns = 1;

struct jam {
    enum kind kind;
    uint64_t seed;
    int64_t frame_ns, pulse_ns, period_ns, overlap_ns;
    double gap_ns;   /* mean from a pulse's end (exponential) or beginning (Poisson) to the next one's beginning */
    bool defer;
    int64_t at_ns;   /* where the next gap begins */
    uint64_t n_pulses;
    uint64_t n_received, n_reported;
};

static double draw_unit(uint64_t seed, uint64_t purpose, uint64_t i)
{
    return ((double)(app_validate_draw(seed, purpose, i, 0) >> 11) + .5) * 0x1p-53;
}

static int fail(const char *name, const char *why)
{
    fprintf(stderr, "airdeed validate %s: %s\n", name, why);
    return APP_BAD_USAGE;
}

static bool next_pulse(void *ctx, int64_t *from_ns, int64_t *to_ns)
{
    struct jam *j = ctx;
    int64_t gap_ns = j->kind == PERIODIC ? j->period_ns : (int64_t)(-j->gap_ns * log(draw_unit(j->seed, DRAW_PULSE, j->n_pulses)));
    *from_ns = j->at_ns + gap_ns;
    *to_ns = *from_ns + j->pulse_ns;
    j->at_ns = j->kind == EXPONENTIAL ? *to_ns : *from_ns;
    j->n_pulses++;
    return true;
}

static void on_delivery(void *ctx, size_t station, const struct mac_delivery *delivery)
{
    struct jam *j = ctx;
    (void)delivery;
    j->n_received += station == 1;
}

static void on_report(void *ctx, size_t station, const struct mac_report *report)
{
    struct jam *j = ctx;
    (void)station;
    j->n_reported += report->result == MAC_SENT;
}

static int64_t airtime(void *ctx, size_t mpdu_len, unsigned rate_index)
{
    const struct jam *j = ctx;
    (void)mpdu_len, (void)rate_index;
    return j->frame_ns;
}

/* Frames lie several cycles of the jammer apart, by a draw over several more: no two meet one pulse, and none knows the other's phase. */
static int64_t next_arrival(const struct jam *j, uint64_t i, int64_t now_ns)
{
    double cycle_ns = j->kind == PERIODIC ? (double)j->period_ns : j->kind == REACTIVE ? 0 : j->gap_ns + (double)j->pulse_ns;
    double wait_ns = (double)(j->frame_ns + j->pulse_ns) + cycle_ns * (4 + 8 * draw_unit(j->seed, DRAW_ARRIVAL, i));
    return now_ns + 1000 + (int64_t)wait_ns;
}

static int run(struct app_validate *v, const char *name, struct jam *j, const struct app_ether_jammer *jammer, double per)
{
    static const bool only_receiver[2] = {false, true};
    static const uint8_t message[64] = {'f'};
    struct app_ether_config cfg = {.n = 2, .mac = app_ether_config_11a(), .jammer = *jammer, .ctx = j, .on_delivery = on_delivery, .on_report = on_report};
    struct mac_profile *p = &cfg.mac.profile;
    cfg.jammer.ctx = j;
    cfg.jammer.overlap_ns = j->overlap_ns;
    cfg.jammer.heard = j->defer ? NULL : only_receiver;
    cfg.mac.seed = j->seed = v->seed;
    cfg.mac.airtime_ns = airtime;
    cfg.mac.airtime_ctx = j;
    p->sifs_ns = p->slot_ns = nothing_ns;
    p->rx_start_delay_ns = 0;
    p->cw_min[MAC_CAT_DATA] = 1;
    const char *why;
    struct app_ether *e = app_ether_open(&cfg, &why);
    if (!e)
        return fail(name, why);
    bool sent = true;
    for (uint64_t i = 0; i < v->trials && sent; i++) {
        app_ether_run(e, next_arrival(j, i, app_ether_now(e)));
        sent = app_ether_send(e, 0, &mac_broadcast, MAC_CAT_DATA, message, sizeof message, i) == 0;
        while (sent && j->n_reported <= i && app_ether_run_instant(e))
            continue;
        sent = sent && j->n_reported == i + 1;
    }
    app_ether_run(e, app_ether_now(e) + 1000);
    struct app_ether_stats stats;
    app_ether_stats(e, &stats);
    app_ether_close(e);
    if (!sent || stats.n_pulses_dropped > 0)
        return fail(name, "more than 256 pulses would be on the air at once");
    app_validate_proportion(v, "per", v->trials - j->n_received, v->trials, per);
    return 0;
}

static int64_t flag_ns(const struct app_validate *v, enum app_validate_flag flag)
{
    return (int64_t)llround(v->values[flag] * 1000);
}

/* What every case reads. m of 0 is any overlap. */
static int read_flags(const struct app_validate *v, const char *name, struct jam *j)
{
    j->frame_ns = flag_ns(v, VALIDATE_FRAME_US);
    j->pulse_ns = flag_ns(v, VALIDATE_PULSE_US);
    j->overlap_ns = flag_ns(v, VALIDATE_OVERLAP_US);
    j->defer = v->values[VALIDATE_DEFER] != 0;
    if (j->overlap_ns > j->pulse_ns || j->overlap_ns > j->frame_ns)
        return fail(name, "--overlap-us is more than a pulse or a frame: nothing could be destroyed");
    return 0;
}

/* --- a fixed period --- */

static int run_periodic(struct app_validate *v)
{
    struct jam j = {.kind = PERIODIC, .period_ns = flag_ns(v, VALIDATE_PERIOD_US)};
    int code = read_flags(v, "jam-periodic", &j);
    if (code)
        return code;
    if (j.pulse_ns >= j.period_ns)
        return fail("jam-periodic", "--pulse-us is not shorter than --period-us: the jammer would never be off");
    int64_t span_ns = j.frame_ns + (j.defer ? -j.overlap_ns : j.pulse_ns - 2 * j.overlap_ns);
    if (j.defer && span_ns > j.period_ns - j.pulse_ns - 10 * nothing_ns)
        return fail("jam-periodic", "--defer: a frame does not fit between two pulses, and the form asks for that");
    const struct app_ether_jammer jammer = {.next = next_pulse};
    return run(v, "jam-periodic", &j, &jammer, fmin(1, (double)span_ns / (double)j.period_ns));
}

const struct app_validate_case app_validate_jam_periodic = {
    "jam-periodic",
    "the MAC's broadcasts at open load against pulses of a fixed period; by --defer the sender hears them, too",
    "PER = min(1, (T + L - 2 m) / P), frame T, pulse L, period P, m the overlap that destroys (0: any); a sender that defers: (T - m) / P",
    {{VALIDATE_FRAME_US, 1408, 1, 1e5},
     {VALIDATE_PULSE_US, 100, .1, 1e6},
     {VALIDATE_PERIOD_US, 3000, 1, 1e7},
     {VALIDATE_OVERLAP_US, 0, 0, 1e5},
     {VALIDATE_DEFER, 0, 0, 1},
     {VALIDATE_TRIALS, 100000, 10, 1e8}},
    run_periodic,
};

/* --- pulses that begin at any time --- */

static int run_poisson(struct app_validate *v)
{
    double duty = v->values[VALIDATE_DUTY];
    struct jam j = {.kind = POISSON};
    int code = read_flags(v, "jam-poisson", &j);
    if (code)
        return code;
    j.gap_ns = (double)j.pulse_ns / -log1p(-duty);
    if (j.defer && j.gap_ns < 100)
        return fail("jam-poisson", "--defer: gaps are too short to be told from none");
    double span_ns = (double)(j.frame_ns + (j.defer ? -j.overlap_ns : j.pulse_ns - 2 * j.overlap_ns));
    app_validate_constant(v, "pulses_per_s", 1e9 / j.gap_ns);
    const struct app_ether_jammer jammer = {.next = next_pulse};
    return run(v, "jam-poisson", &j, &jammer, span_ns > 0 ? -expm1(-span_ns / j.gap_ns) : 0);
}

const struct app_validate_case app_validate_jam_poisson = {
    "jam-poisson",
    "the MAC's broadcasts at open load against pulses that begin as a Poisson process; by --defer the sender hears them, too",
    "PER = 1 - exp(-lam (T + L - 2 m)), the duty d = 1 - exp(-lam L), so that at m = 0 PER = 1 - (1 - d)^(1 + T/L); a sender that defers: "
    "1 - exp(-lam (T - m))",
    {{VALIDATE_FRAME_US, 1408, 1, 1e5},
     {VALIDATE_PULSE_US, 500, .1, 1e6},
     {VALIDATE_DUTY, .1, 1e-4, .99},
     {VALIDATE_OVERLAP_US, 0, 0, 1e5},
     {VALIDATE_DEFER, 0, 0, 1},
     {VALIDATE_TRIALS, 100000, 10, 1e8}},
    run_poisson,
};

/* --- pulses with exponential gaps --- */

/* A frame that begins in a gap lives if the gap lasts for T - m more; one that begins in a pulse, if that ends within m and the gap
 * behind it then lasts to T - m: together (1 - d) exp(-(T - 2 m) / G). */
static int run_exponential(struct app_validate *v)
{
    struct jam j = {.kind = EXPONENTIAL};
    int code = read_flags(v, "jam-exponential", &j);
    if (code)
        return code;
    j.gap_ns = v->values[VALIDATE_GAP_US] * 1000;
    if (j.frame_ns < 2 * j.overlap_ns)
        return fail("jam-exponential", "--overlap-us is more than half a frame: the form does not hold there");
    double span_ns = (double)(j.frame_ns - (j.defer ? 1 : 2) * j.overlap_ns), off = j.gap_ns / (j.gap_ns + (double)j.pulse_ns);
    const struct app_ether_jammer jammer = {.next = next_pulse};
    return run(v, "jam-exponential", &j, &jammer, 1 - (j.defer ? 1 : off) * exp(-span_ns / j.gap_ns));
}

const struct app_validate_case app_validate_jam_exponential = {
    "jam-exponential",
    "the MAC's broadcasts at open load against pulses of one length with exponential gaps; by --defer the sender hears them, too",
    "PER = 1 - (1 - d) exp(-(T - 2 m) / G), mean gap G, duty d = L / (L + G); a sender that defers: 1 - exp(-(T - m) / G)",
    {{VALIDATE_FRAME_US, 1408, 1, 1e5},
     {VALIDATE_PULSE_US, 500, .1, 1e6},
     {VALIDATE_GAP_US, 5000, 1, 1e7},
     {VALIDATE_OVERLAP_US, 0, 0, 1e5},
     {VALIDATE_DEFER, 0, 0, 1},
     {VALIDATE_TRIALS, 100000, 10, 1e8}},
    run_exponential,
};

/* --- a jammer that answers frames --- */

static int run_reactive(struct app_validate *v)
{
    struct jam j = {.kind = REACTIVE,
                    .frame_ns = flag_ns(v, VALIDATE_FRAME_US),
                    .overlap_ns = flag_ns(v, VALIDATE_OVERLAP_US)};
    struct app_ether_jammer jammer = {.react_ns = flag_ns(v, VALIDATE_REACT_US),
                                      .burst_ns = flag_ns(v, VALIDATE_BURST_US),
                                      .p_detect = v->values[VALIDATE_PD]};
    j.pulse_ns = jammer.burst_ns + jammer.react_ns;
    int64_t m_ns = j.overlap_ns > 0 ? j.overlap_ns : 1;
    bool reaches = jammer.react_ns + m_ns <= j.frame_ns && m_ns <= jammer.burst_ns;
    return run(v, "jam-reactive", &j, &jammer, reaches ? jammer.p_detect : 0);
}

const struct app_validate_case app_validate_jam_reactive = {
    "jam-reactive",
    "the MAC's broadcasts at open load against a jammer that answers a frame with a burst",
    "PER = p_d [e + m <= T] [m <= J]: --pd detected, answered after e by a burst of J; frames shorter than e + m are safe (m = 0: 1 ns)",
    {{VALIDATE_PD, .9, 0, 1},
     {VALIDATE_FRAME_US, 1408, 1, 1e5},
     {VALIDATE_OVERLAP_US, 0, 0, 1e6},
     {VALIDATE_REACT_US, 50, 0, 1e6},
     {VALIDATE_BURST_US, 200, .1, 1e6},
     {VALIDATE_TRIALS, 100000, 10, 1e8}},
    run_reactive,
};
