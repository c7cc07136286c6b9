/* A message to all through lossy frames: what its repair costs, against an ideal erasure code and ideal repetition. */
#include "apps/ether.h"
#include "apps/options.h"
#include "apps/validate/signals.h"
#include "apps/validate/validate.h"

#include "mac/fragment.h"
#include "mac/repair.h"
#include "mac/repair_wire.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STATIONS = 64 };
static const int64_t step_ns = 20000, patience_ns = 2000000000;
static const uint64_t loss_key = 0x6c6f7373, octets_key = 0x6f637465;

static int fail(const char *why, int code)
{
    fprintf(stderr, "airdeed validate repair: %s\n", why);
    return code;
}

/* --- the forms --- */

/* Mean number of pieces until each of n receivers has k different ones of an endless code, each piece arriving with p: sum over t of
 * P(not all have k of t). */
static double ideal_coded(unsigned n, unsigned k, double p)
{
    double mean = 0;
    for (unsigned t = 0; t < 100000; t++) {
        double lacks = 0; /* fewer than k of t arrived */
        for (unsigned i = 0; i < k && i <= t; i++)
            lacks += exp(lgamma(t + 1.0) - lgamma(i + 1.0) - lgamma(t - i + 1.0) + i * log(p) + (t - i) * log1p(-p));
        double some = t < k ? 1 : -expm1(n * log1p(-fmin(lacks, 1)));
        mean += some;
        if (some < 1e-12)
            break;
    }
    return mean;
}

/* The same where each of k pieces is sent until all have it. */
static double ideal_repeated(unsigned n, unsigned k, double p)
{
    double mean = 0, some = 1;
    for (unsigned t = 1; some > 1e-12; t++) {
        mean += some;
        some = -expm1(n * log1p(-pow(1 - p, t)));
    }
    return k * mean;
}

/* --- the run --- */

struct station {
    struct mac_repair *repair;
    bool has_message;
};

struct world {
    struct app_ether *ether;
    struct mac_config mac;
    uint32_t n;
    struct station stations[MAX_STATIONS];
    uint8_t *message;
    size_t message_len;
    uint32_t n_arrived;
    bool spoilt; /* a message arrived that was not sent */
    int64_t airtime_ns;
};

static void step(struct world *w, uint32_t i, struct mac_repair_event event)
{
    struct mac_repair_update update;
    struct station *st = &w->stations[i];
    event.now_ns = app_ether_now(w->ether);
    if (mac_repair_step(st->repair, &event, &update) != 0)
        w->spoilt = true;
    if (update.has_delivery) {
        w->n_arrived += !st->has_message;
        st->has_message = true;
        w->spoilt |= update.message_len != w->message_len || memcmp(update.message, w->message, w->message_len) != 0;
    }
    if (update.has_frame && app_ether_send(w->ether, i, &mac_broadcast, update.category, update.frame, update.frame_len, 1) != 0)
        w->spoilt = true;
}

static void serve(struct world *w)
{
    for (uint32_t i = 0; i < w->n; i++)
        while (mac_repair_deadline(w->stations[i].repair) <= app_ether_now(w->ether))
            step(w, i, (struct mac_repair_event){.kind = MAC_REPAIR_EV_TICK});
}

static void on_report(void *ctx, size_t station, const struct mac_report *report)
{
    (void)report;
    step(ctx, (uint32_t)station, (struct mac_repair_event){.kind = MAC_REPAIR_EV_LEFT});
    while (mac_repair_deadline(((struct world *)ctx)->stations[station].repair) <= app_ether_now(((struct world *)ctx)->ether))
        step(ctx, (uint32_t)station, (struct mac_repair_event){.kind = MAC_REPAIR_EV_TICK});
}

static void on_delivery(void *ctx, size_t station, const struct mac_delivery *delivery)
{
    step(ctx, (uint32_t)station,
         (struct mac_repair_event){.kind = MAC_REPAIR_EV_HEARD, .from = mac_station_of(&delivery->from), .octets = delivery->message,
                                   .len_bytes = delivery->len_bytes});
}

static void on_frame(void *ctx, size_t station, int64_t start_ns, const uint8_t *mpdu, size_t len_bytes, bool is_response)
{
    struct world *w = ctx;
    (void)station;
    (void)start_ns;
    (void)mpdu;
    (void)is_response;
    w->airtime_ns += w->mac.airtime_ns(w->mac.airtime_ctx, len_bytes, w->mac.profile.basic_rate);
}

static int64_t frame_ns(const struct mac_config *mac, size_t len_bytes)
{
    const struct mac_profile *p = &mac->profile;
    return p->sifs_ns + 2 * p->slot_ns + p->cw_min[0] / 2 * p->slot_ns +
           mac->airtime_ns(mac->airtime_ctx, MAC_DATA_OVERHEAD_BYTES + len_bytes, p->basic_rate);
}

struct cost {
    double time_ns, airtime_ns, time_square;
    uint64_t n_asks; /* sent by all, over all messages */
    uint64_t n_lost;
    bool spoilt;
};

static bool open_stations(struct world *w, const struct app_validate *v, uint64_t seed, bool repeat, uint8_t *memory, size_t each)
{
    struct mac_repair_config cfg = {.seed = seed, .first_serial = 1, .n_messages = 2, .keep_ns = patience_ns, .max_asks = 40, .repeat = repeat};
    cfg.piece_bytes = (size_t)v->values[VALIDATE_PAYLOAD];
    cfg.max_message_bytes = w->message_len;
    cfg.piece_ns = frame_ns(&w->mac, cfg.piece_bytes + MAC_REPAIR_HEADER_BYTES);
    cfg.ask_ns = frame_ns(&w->mac, MAC_REPAIR_ASK_BYTES);
    for (uint32_t i = 0; i < w->n; i++) {
        const char *bad_field;
        cfg.station_id = i;
        w->stations[i].has_message = i == 0;
        if (mac_repair_bytes(&cfg) > each || mac_repair_init(memory + i * each, each, &cfg, &w->stations[i].repair, &bad_field) != 0)
            return false;
    }
    return true;
}

/* One message from station 0 to all others; false where the memory does not suffice. */
static bool send_once(struct world *w, const struct app_validate *v, uint64_t seed, double loss, bool repeat, uint8_t *memory, size_t each,
                      struct cost *cost)
{
    const char *why;
    struct app_ether_config cfg = {.n = w->n, .mac = w->mac, .loss = loss, .ctx = w, .on_report = on_report, .on_delivery = on_delivery,
                                   .on_frame = on_frame};
    cfg.mac.seed = seed;
    w->n_arrived = 0;
    w->airtime_ns = 0;
    w->ether = app_ether_open(&cfg, &why);
    if (!w->ether || !open_stations(w, v, seed, repeat, memory, each)) {
        app_ether_close(w->ether);
        return false;
    }
    step(w, 0, (struct mac_repair_event){.kind = MAC_REPAIR_EV_SEND, .category = MAC_CAT_PROPOSAL, .octets = w->message,
                                         .len_bytes = w->message_len});
    while (w->n_arrived < w->n - 1 && app_ether_now(w->ether) < patience_ns) {
        serve(w);
        app_ether_run(w->ether, app_ether_now(w->ether) + step_ns);
    }
    double time_ns = (double)app_ether_now(w->ether);
    cost->n_lost += w->n_arrived < w->n - 1;
    cost->time_ns += time_ns;
    cost->time_square += time_ns * time_ns;
    cost->airtime_ns += (double)w->airtime_ns;
    for (uint32_t i = 0; i < w->n; i++) {
        struct mac_repair_stats stats;
        mac_repair_stats(w->stations[i].repair, &stats);
        cost->n_asks += stats.asks;
    }
    app_ether_close(w->ether);
    return true;
}

static bool send_many(struct world *w, const struct app_validate *v, double loss, bool repeat, struct cost *cost)
{
    size_t each = (w->message_len + 4096) * 4 + (1 << 14);
    uint8_t *memory = aligned_alloc(64, (each + 63) / 64 * 64 * w->n);
    bool ok = memory != NULL;
    *cost = (struct cost){0};
    for (uint64_t t = 0; ok && t < v->trials; t++)
        ok = send_once(w, v, app_validate_draw(v->seed, loss_key, t, 0), loss, repeat, memory, (each + 63) / 64 * 64, cost);
    free(memory);
    cost->spoilt = w->spoilt;
    return ok;
}

/* What it took over what one pass without loss takes; above the bound it does not pass. */
static void hold(struct app_validate *v, const char *quantity, double sum_ns, double clean_ns, double square, double bound)
{
    double n = (double)v->trials, mean = sum_ns / n, clean = clean_ns / n;
    double error = square > 0 ? sqrt(fmax(square / n - mean * mean, 0) / n) / clean : 0;
    app_validate_observation(v, quantity, 0, v->trials);
    struct app_validate_result *r = &v->results[v->n_results - 1];
    r->measured = mean / clean;
    r->std_error = error;
    r->broken = r->measured > bound;
    if (isfinite(bound)) {
        r->expected = bound;
        r->z = r->broken ? (r->measured - bound) / fmax(error, 1e-9) : 0;
    }
}

static int run_repair(struct app_validate *v)
{
    int rate = app_ether_rate_11a(v->values[VALIDATE_RATE]);
    if (rate < 0)
        return fail("--rate is none of 6, 9, 12, 18, 24, 36, 48, 54", APP_BAD_USAGE);
    uint32_t n = (uint32_t)v->values[VALIDATE_N];
    unsigned k = (unsigned)v->values[VALIDATE_K];
    double p = v->values[VALIDATE_P];
    struct world w = {.n = n, .mac = app_ether_config_11a()};
    w.mac.profile.basic_rate = (unsigned)rate;
    w.message_len = k * (size_t)v->values[VALIDATE_PAYLOAD];
    w.message = malloc(w.message_len);
    if (!w.message)
        return fail("not enough memory", APP_SYSTEM_FAILED);
    for (size_t i = 0; i < w.message_len; i++)
        w.message[i] = (uint8_t)app_validate_draw(v->seed, octets_key, i, 0);
    struct cost clean, coded, repeated;
    bool ok = send_many(&w, v, 0, false, &clean) && send_many(&w, v, 1 - p, false, &coded) && send_many(&w, v, 1 - p, true, &repeated);
    free(w.message);
    if (!ok)
        return fail("not enough memory", APP_SYSTEM_FAILED);
    bool bounded = n == 11 && k == 10 && p == .9;
    double bound = bounded ? 1.5 : INFINITY, plain_bound = bounded ? 2 : INFINITY;
    double best = ideal_coded(n - 1, k, p) / k, plain = ideal_repeated(n - 1, k, p) / k;
    app_validate_constant(v, "ideal_code", best);
    app_validate_constant(v, "ideal_repetition", plain);
    app_validate_constant(v, "clean_pass_ms", clean.time_ns / (double)v->trials / 1e6);
    hold(v, "cost_coded", coded.time_ns, clean.time_ns, coded.time_square, bound);
    hold(v, "airtime_coded", coded.airtime_ns, clean.airtime_ns, 0, bound);
    hold(v, "cost_repeated", repeated.time_ns, clean.time_ns, repeated.time_square, rate == 0 ? plain_bound : INFINITY);
    hold(v, "airtime_repeated", repeated.airtime_ns, clean.airtime_ns, 0, plain_bound);
    hold(v, "asks_coded", (double)coded.n_asks, (double)v->trials, 0, INFINITY);
    hold(v, "asks_repeated", (double)repeated.n_asks, (double)v->trials, 0, INFINITY);
    app_validate_never(v, "not_whole", coded.n_lost + repeated.n_lost + clean.n_lost + w.spoilt);
    return 0;
}

const struct app_validate_case app_validate_repair = {
    "repair",
    "the repair of messages to all (mac/repair.h) over the MAC on the ether, 802.11a: time from handing in until all have the message, and "
    "airtime, asks included, over those of a pass without loss",
    "at most 1.50 at ten pieces, ten receivers and 10 % loss, and repetition, shown beside it, at most 2.00 of airtime, at 6 Mb/s of time as well; params names what an ideal code and ideal "
    "repetition with free feedback would cost; all messages arrive, octet for octet",
    {{VALIDATE_N, 11, 2, MAX_STATIONS},
     {VALIDATE_P, .9, .7, .999},
     {VALIDATE_RATE, 6, 6, 54},
     {VALIDATE_PAYLOAD, 1000, 100, 1400},
     {VALIDATE_K, 10, 2, 64},
     {VALIDATE_TRIALS, 300, 20, 1e6}},
    run_repair,
};
