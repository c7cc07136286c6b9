#include "apps/validate/stretch_replay.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/ether.h"
#include "apps/validate/signals.h"
#include "mac/detector.h"

enum { MAX_STATIONS = 32, MAX_WAITING = 64, PURPOSE = 0x7265706c };
enum purpose { DRAW_OFFER, DRAW_PIECE = 100, DRAW_SHAPE, DRAW_ON, DRAW_OFF };
/* Where a queue cannot move is for the detector to know; here it never can, which is the harder case. */
static const int64_t blocked_ns = 1000000000, shape_ns = 204800;
static const int64_t longest_on_ns = 20000000000, longest_off_ns = 600000000;

struct frame {
    int64_t from_ns, to_ns;
    bool own, is_short;
};

/* Somebody's emission; the next one follows from it and its number. */
struct emission {
    uint64_t i;
    int64_t on_ns, off_ns;
};

struct replay {
    const struct app_replay *cfg;
    struct app_replayed *out;
    struct app_ether *ether;
    struct mac_jam jam;
    enum mac_jam_kind opinion;
    bool busy;                       /* as the detector was told */
    struct frame waiting[MAX_WAITING]; /* handed out, not yet begun */
    size_t n_waiting;
    struct frame stretch;            /* that goes on; from_ns < 0: none */
    unsigned n_in_stretch;
    int64_t heard_ns;                /* the detector knows of all before this */
    int64_t pulse_ns;                /* next one of somebody's */
    struct emission ether_knows, ears_know;
    int64_t told_on_ns;              /* of it the detector was told until here; INT64_MAX: it is off */
    uint64_t n_draws[DRAW_SHAPE + 1];
    int64_t offer_ns[MAX_STATIONS];
    uint64_t n_offers[MAX_STATIONS];
};

static double draw(struct replay *r, unsigned purpose)
{
    uint64_t bits = app_validate_draw(r->cfg->seed, PURPOSE + purpose, r->cfg->number, r->n_draws[purpose]++);
    return (double)(bits >> 11) * 0x1p-53;
}

static void find_next(const struct app_replay *cfg, struct emission *e)
{
    const int64_t least_ns = 1000000;
    uint64_t off = app_validate_draw(cfg->seed, PURPOSE + DRAW_OFF, cfg->number, e->i);
    uint64_t on = app_validate_draw(cfg->seed, PURPOSE + DRAW_ON, cfg->number, e->i++);
    e->on_ns = e->off_ns + least_ns + (int64_t)(off % (uint64_t)longest_off_ns);
    e->off_ns = e->on_ns + least_ns + (int64_t)(on % (uint64_t)longest_on_ns);
}

/* --- what the detector is told --- */

static void observe(struct replay *r, struct mac_jam_observation *seen)
{
    struct mac_jam_verdict verdict;
    seen->blocked_ns = blocked_ns;
    if (!mac_jam_observe(&r->jam, seen, &verdict))
        return;
    bool accuses = mac_jam_is_attack(verdict.kind) && !mac_jam_is_attack(r->opinion);
    if (accuses && r->out->n_accused == 0)
        r->out->first = verdict;
    r->out->n_accused += accuses;
    r->out->n_verdicts++;
    r->opinion = verdict.kind;
}

static void tell(struct replay *r, struct mac_jam_observation *seen)
{
    for (int64_t due_ns; (due_ns = mac_jam_deadline(&r->jam)) <= seen->now_ns;) {
        struct mac_jam_observation tick = {.kind = MAC_JAM_SEEN_TICK, .now_ns = due_ns};
        enum mac_jam_kind before = r->opinion;
        observe(r, &tick);
        if (r->opinion == before)
            break;
    }
    r->out->n_heard += seen->kind != MAC_JAM_SEEN_SENT;
    observe(r, seen);
}

static void tell_carrier(struct replay *r, bool busy, int64_t now_ns)
{
    struct mac_jam_observation seen = {.kind = busy ? MAC_JAM_SEEN_BUSY : MAC_JAM_SEEN_IDLE, .now_ns = now_ns};
    if (r->busy != busy)
        tell(r, &seen);
    r->busy = busy;
}

static void tell_heard(struct replay *r, const struct app_heard *h, int64_t from_ns, int64_t limit_ns)
{
    struct mac_rx_quality quality = h->quality;
    struct mac_jam_observation seen = {.now_ns = from_ns + h->at_ns < limit_ns ? from_ns + h->at_ns : limit_ns};
    switch (h->kind) {
    case MAC_EV_CCA_BUSY:
    case MAC_EV_CCA_IDLE:
        tell_carrier(r, h->kind == MAC_EV_CCA_BUSY, seen.now_ns);
        return;
    case MAC_EV_LOCK:
        seen.kind = MAC_JAM_SEEN_LOCK;
        break;
    case MAC_EV_FRAME:
        quality.start_ns += from_ns;
        quality.end_ns += from_ns;
        seen.kind = MAC_JAM_SEEN_FRAME;
        seen.quality = &quality;
        break;
    default:
        seen.kind = MAC_JAM_SEEN_SHAPE;
        seen.shape = &h->shape;
        break;
    }
    tell(r, &seen);
}

/* One stretch or pulse, of which nothing is told later than limit_ns. */
static void tell_piece(struct replay *r, enum app_stretch_kind kind, int64_t from_ns, int64_t limit_ns)
{
    struct app_stretch piece = app_stretch_pick(r->cfg->log, r->cfg->group, kind, draw(r, DRAW_PIECE));
    for (size_t i = 0; i < piece.n; i++)
        tell_heard(r, &piece.heard[i], from_ns, limit_ns);
    if (r->busy && r->told_on_ns == INT64_MAX && piece.n > 0)
        tell_carrier(r, false, limit_ns);
    r->out->n_stretches++;
}

/* Nobody here sends in [heard_ns, until_ns). */
static void tell_gap(struct replay *r, int64_t until_ns)
{
    for (; r->cfg->period_ns > 0 && r->pulse_ns < until_ns; r->pulse_ns += r->cfg->period_ns)
        if (r->pulse_ns >= r->heard_ns) {
            int64_t next_ns = r->pulse_ns + r->cfg->period_ns;
            tell_piece(r, STRETCH_PULSE, r->pulse_ns, next_ns < until_ns ? next_ns : until_ns);
        }
    struct emission *e = &r->ears_know;
    while (r->told_on_ns < until_ns && r->told_on_ns < e->off_ns) {
        struct mac_jam_observation seen = {.kind = MAC_JAM_SEEN_SHAPE, .now_ns = r->told_on_ns};
        struct mac_shape shape;
        tell_carrier(r, true, r->told_on_ns);
        seen.shape = &shape;
        if (app_stretch_shape(r->cfg->log, r->cfg->group, draw(r, DRAW_SHAPE), &shape))
            tell(r, &seen);
        r->told_on_ns += shape_ns;
    }
    if (r->told_on_ns != INT64_MAX && e->off_ns <= until_ns) {
        tell_carrier(r, false, e->off_ns);
        r->told_on_ns = INT64_MAX;
        find_next(r->cfg, e);
    }
    r->heard_ns = until_ns > r->heard_ns ? until_ns : r->heard_ns;
}

/* --- stretches --- */

static void end_stretch(struct replay *r, int64_t limit_ns)
{
    struct frame *s = &r->stretch;
    if (s->from_ns < 0)
        return;
    tell_gap(r, s->from_ns);
    if (s->own) {
        struct mac_jam_observation seen = {.kind = MAC_JAM_SEEN_SENT, .now_ns = s->to_ns};
        tell(r, &seen);
    } else {
        enum app_stretch_kind one = s->is_short ? STRETCH_SHORT : STRETCH_DATA;
        tell_piece(r, r->n_in_stretch > 2 ? STRETCH_CROWD : r->n_in_stretch == 2 ? STRETCH_PAIR : one, s->from_ns, limit_ns);
    }
    r->heard_ns = s->to_ns > r->heard_ns ? s->to_ns : r->heard_ns;
    s->from_ns = -1;
}

static void begin_frame(struct replay *r, const struct frame *f)
{
    struct frame *s = &r->stretch;
    r->out->n_frames++;
    if (s->from_ns >= 0 && f->from_ns < s->to_ns) {
        s->to_ns = f->to_ns > s->to_ns ? f->to_ns : s->to_ns;
        s->own |= f->own;
        r->n_in_stretch++;
        return;
    }
    end_stretch(r, f->from_ns);
    *s = *f;
    r->n_in_stretch = 1;
}

/* Takes the frames that have begun, in the order of their beginnings. */
static void advance(struct replay *r, int64_t now_ns)
{
    for (;;) {
        size_t first = 0;
        for (size_t i = 1; i < r->n_waiting; i++)
            if (r->waiting[i].from_ns < r->waiting[first].from_ns)
                first = i;
        if (r->n_waiting == 0 || r->waiting[first].from_ns >= now_ns)
            return;
        struct frame f = r->waiting[first];
        r->waiting[first] = r->waiting[--r->n_waiting];
        begin_frame(r, &f);
    }
}

static bool on_frame(void *ctx, size_t station, const struct mac_update *out)
{
    struct replay *r = ctx;
    const struct mac_config *mac = r->cfg->mac;
    advance(r, app_ether_now(r->ether));
    if (r->n_waiting < MAX_WAITING)
        r->waiting[r->n_waiting++] = (struct frame){out->start_ns, out->start_ns + mac->airtime_ns(mac->airtime_ctx, out->mpdu_len, out->rate_index),
                                                    station == 0, out->mpdu_len <= STRETCH_SHORT_BYTES};
    return true;
}

static bool next_emission(void *ctx, int64_t *from_ns, int64_t *to_ns)
{
    struct replay *r = ctx;
    find_next(r->cfg, &r->ether_knows);
    *from_ns = r->ether_knows.on_ns;
    *to_ns = r->ether_knows.off_ns;
    return true;
}

/* --- traffic --- */

static void plan_offer(struct replay *r, uint32_t i)
{
    double interval_ns = 1e9 * r->cfg->n_stations / r->cfg->frames_per_s;
    uint64_t bits = app_validate_draw(r->cfg->seed, PURPOSE + DRAW_OFFER + i, r->cfg->number, r->n_offers[i]);
    r->offer_ns[i] = (int64_t)(((double)r->n_offers[i] + (double)(bits >> 11) * 0x1p-53) * interval_ns);
    r->n_offers[i]++;
}

static uint32_t first_offer(const struct replay *r)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < r->cfg->n_stations; i++)
        if (r->offer_ns[i] < r->offer_ns[first])
            first = i;
    return first;
}

/* Somebody's emission has begun, and whatever was on the air is over. */
static void hear_emission(struct replay *r, int64_t now_ns)
{
    const struct emission *e = &r->ears_know;
    if (r->cfg->comes_and_goes && r->told_on_ns == INT64_MAX && e->on_ns <= now_ns) {
        end_stretch(r, e->on_ns);
        r->told_on_ns = e->on_ns > r->heard_ns ? e->on_ns : r->heard_ns;
    }
    if (r->stretch.from_ns < 0)
        tell_gap(r, now_ns);
}

static void run(struct replay *r)
{
    static const uint8_t message[2048] = {0x5a};
    for (uint32_t i; r->offer_ns[i = first_offer(r)] < r->cfg->length_ns;) {
        struct mac_address to = mac_address_of((i + 1) % r->cfg->n_stations);
        app_ether_run(r->ether, r->offer_ns[i]);
        advance(r, r->offer_ns[i]);
        hear_emission(r, r->offer_ns[i]);
        int rc = app_ether_send(r->ether, i, &to, MAC_CAT_DATA, message, r->cfg->message_bytes, r->n_offers[i]);
        (void)rc; /* a full queue is what congestion means */
        plan_offer(r, i);
    }
}

int app_replay_run(const struct app_replay *cfg, struct app_replayed *out)
{
    struct replay *r = calloc(1, sizeof *r);
    const char *why;
    *out = (struct app_replayed){0};
    if (!r || cfg->n_stations > MAX_STATIONS) {
        free(r);
        return -ENOMEM;
    }
    *r = (struct replay){.cfg = cfg, .out = out, .stretch.from_ns = -1, .told_on_ns = INT64_MAX};
    struct mac_jam_config jam = cfg->mac->jam;
    jam.collision_ns = jam.collision_ns ? jam.collision_ns : 2 * cfg->mac->profile.slot_ns;
    mac_jam_init(&r->jam, &jam, 0);
    struct app_ether_config ether = {.n = cfg->n_stations, .mac = *cfg->mac, .cca_latency_ns = 8000, .energy = true,
                                     .loss = app_stretch_loss(cfg->log, cfg->group), .ctx = r, .gate = on_frame};
    ether.mac.seed = app_validate_draw(cfg->seed, PURPOSE, cfg->number, 0);
    find_next(cfg, &r->ears_know);
    if (cfg->comes_and_goes)
        ether.jammer = (struct app_ether_jammer){.next = next_emission, .ctx = r};
    for (uint32_t i = 0; i < cfg->n_stations; i++)
        plan_offer(r, i);
    r->ether = app_ether_open(&ether, &why);
    if (r->ether) {
        run(r);
        end_stretch(r, cfg->length_ns);
    }
    int rc = r->ether ? 0 : -ENOMEM;
    app_ether_close(r->ether);
    free(r);
    return rc;
}
