/* The MAC on an ideal medium: saturated stations, the storm of votes, Aloha. */
#include "apps/options.h"
#include "apps/ether.h"
#include "apps/validate/saturate.h"
#include "apps/validate/signals.h"
#include "apps/validate/validate.h"

#include <math.h>
#include <stdio.h>

static int fail(const char *name, const char *why, int code)
{
    fprintf(stderr, "airdeed validate %s: %s\n", name, why);
    return code;
}

/* --- saturation --- */

/* What others measured: ns-3.37, three seeds, at the defaults of the flags. */
static const struct published {
    uint32_t n;
    bool hidden, rts;
    double s_mbps, p, tolerance; /* p NAN: not published */
} published[] = {
    {2, false, false, 4.8845, .1107, .005},
    {10, false, false, 4.1750, .3669, .005},
    {50, false, false, 3.2253, .6117, .005},
    {2, true, false, 1.274, .810, .015},
    {2, true, true, 4.651, NAN, .005},
};

static const struct published *find_published(const struct app_saturate *cfg)
{
    if (cfg->payload != 1000 || cfg->rate != 0 || cfg->cw != 15 || cfg->attempts != 7)
        return NULL;
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++)
        if (published[i].n == cfg->n && published[i].hidden == cfg->hidden && published[i].rts == cfg->rts)
            return &published[i];
    return NULL;
}

/* Held against the reference by the standard error of both, and against a published figure by the tolerance where the run is long
 * enough to tell. */
static void hold(struct app_validate *v, const char *quantity, double measured, double error, double expected, double expected_error,
                 double tolerance, double figure)
{
    double both = fmax(sqrt(error * error + expected_error * expected_error), 1e-9);
    app_validate_estimate(v, quantity, measured, expected, both);
    v->results[v->n_results - 1].broken = 3.5 * both <= tolerance && fabs(measured - figure) > tolerance; /* no figure is NAN */
}

static int compare(struct app_validate *v, const char *name, const struct app_saturate *cfg, const char *const quantities[2],
                   const char *const constants[2])
{
    struct app_saturated run, reference;
    struct app_saturate longer = *cfg;
    longer.trials *= 4;
    longer.seed = app_validate_draw(cfg->seed, 0x7265666572656e63, 0, 0);
    if (app_saturate_mac(cfg, &run) != 0 || app_saturate_reference(&longer, &reference) != 0)
        return fail(name, "not enough memory", APP_SYSTEM_FAILED);
    const struct published *known = find_published(cfg);
    double s = known ? known->s_mbps : NAN, p = known ? known->p : NAN, tolerance = known ? known->tolerance : .005;
    if (known)
        app_validate_constant(v, constants[0], s);
    if (known && !isnan(p))
        app_validate_constant(v, constants[1], p);
    hold(v, quantities[0], run.s_mbps, run.s_mbps_error, reference.s_mbps, reference.s_mbps_error, tolerance * reference.s_mbps, s);
    hold(v, quantities[1], run.p, run.p_error, reference.p, reference.p_error, .005, p);
    return 0;
}

static const char *const plain[2] = {"s_mbps", "p_collision"}, *const ns3[2] = {"ns3_s_mbps", "ns3_p_collision"};

static int read_flags(const struct app_validate *v, const char *name, struct app_saturate *cfg)
{
    int rate = app_ether_rate_11a(v->values[VALIDATE_RATE]);
    if (rate < 0)
        return fail(name, "--rate is none of 6, 9, 12, 18, 24, 36, 48, 54", APP_BAD_USAGE);
    cfg->rate = (unsigned)rate;
    cfg->payload = (uint32_t)v->values[VALIDATE_PAYLOAD];
    cfg->cw = (uint32_t)v->values[VALIDATE_CW];
    cfg->seed = v->seed;
    cfg->trials = v->trials;
    if (cfg->trials < 400 * (uint64_t)cfg->n)
        return fail(name, "--trials are less than 400 for each of --n: too few to settle", APP_BAD_USAGE);
    if ((cfg->cw & (cfg->cw + 1)) != 0)
        return fail(name, "--cw is no window: 1, 3, 7, 15, ... 1023", APP_BAD_USAGE);
    return 0;
}

static int run_all_heard(struct app_validate *v, const char *name, bool rts)
{
    struct app_saturate cfg = {.n = (uint32_t)v->values[VALIDATE_N], .attempts = (uint32_t)v->values[VALIDATE_RETRIES] + 1, .rts = rts};
    int code = read_flags(v, name, &cfg);
    return code ? code : compare(v, name, &cfg, plain, ns3);
}

static int run_dcf(struct app_validate *v)
{
    return run_all_heard(v, "dcf", false);
}

const struct app_validate_case app_validate_dcf = {
    "dcf",
    "the MAC's DCF (mac/mac.h), n saturated stations of 802.11a on the ether, real frames, all receivers; control frames at 6 Mb/s",
    "an independent count of the same rules; at the defaults also ns-3.37's figures for n = 2, 10, 50, within .5 % of S and .005 of p",
    {{VALIDATE_N, 10, 1, 500},
     {VALIDATE_RATE, 6, 6, 54},
     {VALIDATE_PAYLOAD, 1000, 5, 2300},
     {VALIDATE_CW, 15, 1, 1023},
     {VALIDATE_RETRIES, 6, 0, 100},
     {VALIDATE_TRIALS, 400000, 4000, 1e8}},
    run_dcf,
};

static int run_rts(struct app_validate *v)
{
    return run_all_heard(v, "rts", true);
}

const struct app_validate_case app_validate_rts = {
    "rts",
    "the MAC's RTS/CTS before each frame, n saturated stations of 802.11a on the ether; RTS are repeated without end, --retries counts data frames",
    "an independent count of the same rules; p is the share of RTS without a CTS",
    {{VALIDATE_N, 10, 1, 500},
     {VALIDATE_RATE, 6, 6, 54},
     {VALIDATE_PAYLOAD, 1000, 5, 2300},
     {VALIDATE_CW, 15, 1, 1023},
     {VALIDATE_RETRIES, 6, 0, 100},
     {VALIDATE_TRIALS, 200000, 4000, 1e8}},
    run_rts,
};

static int run_hidden(struct app_validate *v)
{
    static const char *const with_rts[2] = {"s_mbps_rts", "p_collision_rts"}, *const ns3_rts[2] = {"ns3_s_mbps_rts", "ns3_p_collision_rts"};
    struct app_saturate cfg = {.n = 2, .hidden = true, .attempts = (uint32_t)v->values[VALIDATE_RETRIES] + 1};
    int code = read_flags(v, "hidden", &cfg);
    code = code ? code : compare(v, "hidden", &cfg, plain, ns3);
    cfg.rts = true;
    return code ? code : compare(v, "hidden", &cfg, with_rts, ns3_rts);
}

const struct app_validate_case app_validate_hidden = {
    "hidden",
    "the MAC between two saturated stations that do not hear each other and the one in the middle that both send to, 802.11a on the ether; "
    "then with RTS/CTS, RTS repeated without end",
    "an independent count of the same rules; at the defaults also ns-3.37's figures, S within 1.5 % (RTS .5 %), p within .005",
    {{VALIDATE_RATE, 6, 6, 54},
     {VALIDATE_PAYLOAD, 1000, 5, 2300},
     {VALIDATE_CW, 15, 1, 1023},
     {VALIDATE_RETRIES, 6, 0, 100},
     {VALIDATE_TRIALS, 400000, 4000, 1e8}},
    run_hidden,
};

/* --- slotted Aloha --- */

struct aloha {
    struct app_ether *ether;
    size_t listener;
    uint64_t n_received;
};

static void offer(struct aloha *a, size_t station)
{
    static const uint8_t message[100] = {'a'};
    int rc = app_ether_send(a->ether, station, &mac_broadcast, MAC_CAT_DATA, message, sizeof message, 0);
    (void)rc; /* a station has one message behind the one that goes: a place is free */
}

static void offer_again(void *ctx, size_t station, const struct mac_report *report)
{
    (void)report;
    offer(ctx, station);
}

static void count_received(void *ctx, size_t station, const struct mac_delivery *delivery)
{
    struct aloha *a = ctx;
    (void)delivery;
    a->n_received += station == a->listener;
}

static int run_aloha(struct app_validate *v)
{
    const int64_t slot_ns = 1000000, settle = 10;
    unsigned n = (unsigned)v->values[VALIDATE_N];
    struct aloha a = {.listener = n};
    struct app_ether_config cfg = {
        .n = n + 1, .mac = app_ether_config_11a(), .ctx = &a, .on_report = offer_again, .on_delivery = count_received};
    cfg.mac.seed = v->seed;
    cfg.mac.max_peers = 1;
    cfg.mac.profile.access = MAC_ACCESS_SLOTTED_ALOHA;
    cfg.mac.profile.aloha_slot_ns = slot_ns;
    cfg.mac.profile.aloha_one_in = n;
    const char *why;
    a.ether = app_ether_open(&cfg, &why);
    if (!a.ether)
        return fail("aloha", why, APP_SYSTEM_FAILED);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            offer(&a, i);
    app_ether_run(a.ether, settle * slot_ns - 1);
    a.n_received = 0;
    app_ether_run(a.ether, (settle + (int64_t)v->trials) * slot_ns - 1);
    app_ether_close(a.ether);
    app_validate_proportion(v, "s", a.n_received, v->trials, pow(1 - 1.0 / n, n - 1.0));
    return 0;
}

const struct app_validate_case app_validate_aloha = {
    "aloha",
    "the MAC's slotted Aloha, n saturated stations that each send in a slot with probability 1/n, and one that listens, on the ether; trials are slots",
    "s, frames a slot: (1 - 1/n)^(n-1)",
    {{VALIDATE_N, 10, 1, 500}, {VALIDATE_TRIALS, 100000, 10, 1e8}},
    run_aloha,
};
