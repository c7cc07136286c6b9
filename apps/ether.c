/* The list of events, the MACs' deadlines, and what a MAC wants done. */
#include "apps/ether_internal.h"
#include "mac/draw.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64, MAX_STATIONS = 4096 };

/* --- the list: a binary heap --- */

static bool is_before(const struct app_ether_entry *a, const struct app_ether_entry *b)
{
    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns;
    return a->kind != b->kind ? a->kind < b->kind : a->index < b->index;
}

/* A frame has at most TX_DONE, END, TELL and one of LEAVE, ARRIVE on the list, a pulse one. */
static size_t heap_room(size_t n)
{
    return 8 * n + ETHER_MAX_PULSES;
}

void app_ether_push(struct app_ether *e, int64_t at_ns, enum app_ether_kind kind, uint32_t index)
{
    assert(e->n_heap < heap_room(e->cfg.n));
    struct app_ether_entry entry = {.at_ns = at_ns, .kind = kind, .index = index};
    size_t i = e->n_heap++;
    for (; i > 0 && is_before(&entry, &e->heap[(i - 1) / 2]); i = (i - 1) / 2)
        e->heap[i] = e->heap[(i - 1) / 2];
    e->heap[i] = entry;
}

static struct app_ether_entry pop(struct app_ether *e)
{
    struct app_ether_entry first = e->heap[0], last = e->heap[--e->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < e->n_heap; i = child) {
        if (child + 1 < e->n_heap && is_before(&e->heap[child + 1], &e->heap[child]))
            child++;
        if (!is_before(&e->heap[child], &last))
            break;
        e->heap[i] = e->heap[child];
    }
    e->heap[i] = last;
    return first;
}

static bool is_due(const struct app_ether *e, enum app_ether_kind last_kind)
{
    return e->n_heap > 0 && e->heap[0].at_ns <= e->now_ns && e->heap[0].kind <= (uint32_t)last_kind;
}

/* --- what a MAC wants done --- */

double app_ether_draw(const struct app_ether *e, uint32_t purpose, uint64_t i)
{
    struct mac_draw_key key = {.seed = e->cfg.mac.seed, .station_id = UINT32_MAX, .channel = purpose};
    return (double)(mac_draw(&key, MAC_DRAW_BACKOFF, i) >> 11) * 0x1p-53;
}

static void hand_out(struct app_ether *e, size_t i, const struct mac_update *out)
{
    assert(out->start_ns >= e->now_ns);
    uint32_t index = (uint32_t)(2 * i + e->which[i]);
    struct app_ether_frame *f = &e->frames[index];
    e->which[i] ^= 1;
    f->start_ns = out->start_ns;
    f->end_ns = out->start_ns + e->cfg.mac.airtime_ns(e->cfg.mac.airtime_ctx, out->mpdu_len, out->rate_index);
    f->len_bytes = out->mpdu_len;
    f->is_response = out->is_response;
    f->checked = false;
    memcpy(f->octets, out->mpdu, out->mpdu_len);
    uint32_t fcs = phy_crc32(f->octets, f->len_bytes);
    for (unsigned k = 0; k < PHY_FCS_BYTES; k++)
        f->octets[f->len_bytes + k] = (uint8_t)(fcs >> 8 * k);
    app_ether_push(e, f->start_ns, ETHER_LEAVE, index);
}

void app_ether_carry_out(struct app_ether *e, size_t i, const struct mac_update *out)
{
    const struct app_ether_config *cfg = &e->cfg;
    bool refused = out->transmit && cfg->gate && !cfg->gate(cfg->ctx, i, out);
    if (out->transmit && !refused)
        hand_out(e, i, out);
    for (size_t k = 0; k < out->n_deliveries && cfg->on_delivery; k++)
        cfg->on_delivery(cfg->ctx, i, &out->deliveries[k]);
    if (out->has_verdict && cfg->on_verdict)
        cfg->on_verdict(cfg->ctx, i, &out->verdict);
    for (size_t k = 0; k < out->n_reports && cfg->on_report; k++)
        cfg->on_report(cfg->ctx, i, &out->reports[k]);
    if (refused) {
        struct mac_event done = {.kind = MAC_EV_TX_DONE};
        int rc = app_ether_step(e, i, &done);
        assert(rc == 0);
        (void)rc;
    }
}

/* --- time --- */

static int64_t next_ns(const struct app_ether *e)
{
    int64_t next = e->n_heap > 0 ? e->heap[0].at_ns : INT64_MAX;
    const int64_t *deadline = e->deadline_ns;
    for (size_t i = 0; i < e->cfg.n; i++)
        next = deadline[i] < next ? deadline[i] : next;
    return next > e->now_ns ? next : next == INT64_MAX ? next : e->now_ns;
}

static void keep_deadlines(struct app_ether *e)
{
    for (size_t i = 0; i < e->cfg.n; i++)
        for (unsigned n_ticks = 0; e->deadline_ns[i] <= e->now_ns; n_ticks++) {
            assert(n_ticks < 100); /* a deadline that a tick does not move is a loop */
            struct mac_event tick = {.kind = MAC_EV_TICK};
            int rc = app_ether_step(e, i, &tick);
            app_ether_look(e, i);
            assert(rc == 0);
            (void)rc;
        }
}

static void tx_done(struct app_ether *e, uint32_t frame)
{
    struct mac_event done = {.kind = MAC_EV_TX_DONE};
    e->receivers[frame / 2].on_air = false;
    int rc = app_ether_step(e, frame / 2, &done);
    app_ether_look(e, frame / 2);
    assert(rc == 0);
    (void)rc;
}

static size_t take_batch(struct app_ether *e, enum app_ether_kind kind)
{
    size_t n = 0;
    while (is_due(e, kind) && e->heap[0].kind == (uint32_t)kind)
        e->batch[n++] = pop(e).index;
    return n;
}

static void run_instant(struct app_ether *e)
{
    while (is_due(e, ETHER_PULSE_END)) {
        struct app_ether_entry entry = pop(e);
        if (entry.kind == ETHER_TX_DONE)
            tx_done(e, entry.index);
        else if (entry.kind == ETHER_END)
            app_ether_end(e, entry.index);
        else
            app_ether_pulse_end(e, entry.index);
    }
    keep_deadlines(e);
    size_t n = take_batch(e, ETHER_LEAVE);
    app_ether_leave(e, n);
    if (e->cfg.propagation_ns > 0)
        n = take_batch(e, ETHER_ARRIVE);
    if (n > 0)
        app_ether_arrive(e, n);
    while (is_due(e, ETHER_TELL)) {
        struct app_ether_entry entry = pop(e);
        if (entry.kind == ETHER_PULSE_BEGIN)
            app_ether_pulse_begin(e, entry.index);
        else if (entry.kind == ETHER_TELL)
            app_ether_tell(e, entry.index);
        else { /* ended or began in no time: the next round of this instant takes it */
            app_ether_push(e, entry.at_ns, (enum app_ether_kind)entry.kind, entry.index);
            break;
        }
    }
}

void app_ether_run(struct app_ether *e, int64_t until_ns)
{
    for (int64_t next; (next = next_ns(e)) <= until_ns && next != INT64_MAX;) {
        e->now_ns = next;
        run_instant(e);
    }
    e->now_ns = until_ns > e->now_ns ? until_ns : e->now_ns;
}

bool app_ether_run_instant(struct app_ether *e)
{
    int64_t next = next_ns(e);
    if (next == INT64_MAX)
        return false;
    e->now_ns = next;
    run_instant(e);
    return true;
}

int64_t app_ether_now(const struct app_ether *e)
{
    return e->now_ns;
}

int app_ether_feed(struct app_ether *e, size_t station, struct mac_event *event)
{
    int rc = app_ether_step(e, station, event);
    app_ether_look(e, station);
    return rc;
}

int app_ether_send(struct app_ether *e, size_t station, const struct mac_address *to, enum mac_category category, const uint8_t *message,
                   size_t len_bytes, uint64_t id)
{
    struct mac_event event = {.kind = MAC_EV_SEND};
    event.send.id = id;
    event.send.to = *to;
    event.send.category = category;
    event.send.message = message;
    event.send.len_bytes = len_bytes;
    return app_ether_feed(e, station, &event);
}

void app_ether_mac_stats(const struct app_ether *e, size_t station, struct mac_stats *out)
{
    mac_stats(e->receivers[station].mac, out);
}

void app_ether_stats(const struct app_ether *e, struct app_ether_stats *out)
{
    *out = e->stats;
}

/* --- open and close --- */

static const char *find_bad_field(const struct app_ether_config *cfg)
{
    const struct app_ether_jammer *j = &cfg->jammer;
    if (cfg->n == 0 || cfg->n > MAX_STATIONS)
        return "n";
    if (cfg->propagation_ns < 0 || cfg->propagation_ns >= cfg->mac.profile.sifs_ns)
        return "propagation_ns";
    if (cfg->cca_latency_ns < 0)
        return "cca_latency_ns";
    if (!(cfg->loss >= 0 && cfg->loss <= 1))
        return "loss";
    if (j->overlap_ns < 0 || j->react_ns < 0 || j->burst_ns < 0 || !(j->p_detect >= 0 && j->p_detect <= 1))
        return "jammer";
    return NULL;
}

static bool open_macs(struct app_ether *e, const char **why_out)
{
    /* an odd number of lines apart, so that what is alike in all MACs does not fall in the same few cache sets */
    size_t len = mac_bytes(&e->cfg.mac), stride = (len + ALIGN - 1) / ALIGN;
    stride = (stride | 1) * ALIGN;
    uint8_t *memory = e->macs = aligned_alloc(ALIGN, stride * e->cfg.n);
    *why_out = "memory";
    if (!memory)
        return false;
    for (size_t i = 0; i < e->cfg.n; i++) {
        struct mac_config own = e->cfg.mac;
        own.station_id = (uint32_t)i;
        e->receivers[i].locked_on = ETHER_NOBODY;
        if (mac_init(memory + i * stride, len, &own, &e->receivers[i].mac, why_out) != 0)
            return false;
        e->deadline_ns[i] = mac_deadline(e->receivers[i].mac);
    }
    return true;
}

struct app_ether *app_ether_open(const struct app_ether_config *cfg, const char **why_out)
{
    *why_out = find_bad_field(cfg);
    if (*why_out)
        return NULL;
    *why_out = "memory";
    struct app_ether *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->cfg = *cfg;
    e->busy.kind = MAC_EV_CCA_BUSY;
    e->lock.kind = MAC_EV_LOCK;
    e->idle.kind = MAC_EV_CCA_IDLE;
    e->receivers = calloc(cfg->n, sizeof *e->receivers);
    e->deadline_ns = calloc(cfg->n, sizeof *e->deadline_ns);
    e->frames = calloc(2 * cfg->n, sizeof *e->frames);
    e->which = calloc(cfg->n, sizeof *e->which);
    e->batch = calloc(2 * cfg->n, sizeof *e->batch);
    e->heap = calloc(heap_room(cfg->n), sizeof *e->heap);
    if (!e->receivers || !e->deadline_ns || !e->frames || !e->which || !e->batch || !e->heap || !open_macs(e, why_out)) {
        app_ether_close(e);
        return NULL;
    }
    app_ether_next_pulse(e);
    return e;
}

void app_ether_close(struct app_ether *e)
{
    for (size_t i = 0; e->receivers && i < e->cfg.n; i++)
        if (e->receivers[i].mac)
            mac_close(e->receivers[i].mac);
    free(e->macs);
    free(e->heap);
    free(e->batch);
    free(e->which);
    free(e->frames);
    free(e->deadline_ns);
    free(e->receivers);
    free(e);
}

/* --- 802.11a --- */

static const double rates_mbps[] = {6, 9, 12, 18, 24, 36, 48, 54};
enum { N_RATES = sizeof rates_mbps / sizeof rates_mbps[0] };

int64_t app_ether_airtime_11a(void *ctx, size_t mpdu_len, unsigned rate_index)
{
    static const int64_t bits_a_symbol[N_RATES] = {24, 36, 48, 72, 96, 144, 192, 216};
    (void)ctx;
    int64_t bits = 16 + 8 * ((int64_t)mpdu_len + PHY_FCS_BYTES) + 6, n = bits_a_symbol[rate_index < N_RATES ? rate_index : 0];
    return 20000 + (bits + n - 1) / n * 4000;
}

int app_ether_rate_11a(double mbps)
{
    for (int i = 0; i < N_RATES; i++)
        if (fabs(rates_mbps[i] - mbps) < 1e-9)
            return i;
    return -1;
}

struct mac_config app_ether_config_11a(void)
{
    struct mac_config cfg = {
        .seed = 1,
        .airtime_ns = app_ether_airtime_11a,
        .queue_messages = 4,
        .queue_bytes = 1 << 14,
        .max_peers = 4,
        .reassembly_ns = 1000000000,
        .jam = {.window_ns = 250000000, .min_frames = 6, .noise_dbfs = -90},
    };
    int rc = mac_profile_by_name("dot11a-20", 20000, &cfg.profile);
    assert(rc == 0);
    (void)rc;
    for (size_t i = 0; i < MAC_N_CATEGORIES; i++)
        cfg.profile.cw_min[i] = 15;
    cfg.profile.lifetime_ns = INT64_MAX / 4;
    cfg.profile.data_rate = cfg.profile.basic_rate = 0;
    cfg.profile.fragment_bytes = MAC_MAX_MPDU_BYTES - 24;
    return cfg;
}
