#include "apps/validate/jam_world.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/emitter_frame.h"
#include "apps/validate/stations.h"
#include "apps/validate/signals.h"
#include "phy/air/air.h"

enum {
    NODES = APP_JAM_MAX_STATIONS + 1, /* the last: jammer or primary user */
    OTHER = NODES - 1,
    N_BURSTS = 48,
    PIECE = 4096,           /* of a jammer without pause */
    PURPOSE = 0x6a616d      /* "jam" */
};
static const double noise_dbfs = -60;

struct burst {
    float complex *samples;
    uint64_t free_after;
};

struct client {
    float complex *sent;           /* what its station has on the air */
    unsigned n_pending;            /* messages offered and not reported */
    uint64_t next_offer, n_offers;
};

struct app_jam_world {
    struct app_stations stations;
    struct client clients[APP_JAM_MAX_STATIONS];
    void *air_memory, *jammer_memory;
    struct phy_air *air;
    struct phy_emitter *jammer;
    float complex *prepared[2];    /* a preamble, a whole frame */
    long n_prepared[2];
    struct burst bursts[N_BURSTS];
    uint64_t jam_until;            /* end of the latest burst that has begun */
    uint64_t next_start[N_BURSTS], next_end[N_BURSTS];
    float complex *loop;
    size_t n_loop;
    struct app_jam_episode e;
    struct app_jam_outcome out;
    app_jam_on_verdict *on_verdict;
    void *ctx;
    bool stopped;
    uint64_t block_start;          /* what came before it has been heard by all */
    float complex block[APP_STATIONS_BLOCK];
};

/* --- what is on the air --- */

static struct burst *take_burst(struct app_jam_world *w, uint64_t now, uint64_t end)
{
    for (size_t i = 0; i < N_BURSTS; i++)
        if (w->bursts[i].free_after <= now) {
            w->bursts[i].free_after = end + phy_air_tail(w->air, APP_JAM_MAX_BURST) + 1;
            w->next_start[i] = UINT64_MAX;
            return &w->bursts[i];
        }
    return NULL;
}

static void fill_burst(struct app_jam_world *w, const struct phy_emitter_burst *b, float complex *out)
{
    if (!w->e.alternate) {
        phy_emitter_fill(w->jammer, b, out);
        return;
    }
    double cycles = (double)(app_validate_draw(w->e.seed, PURPOSE + 1, w->e.episode, b->start_sample) >> 11) * 0x1p-53 * 0.7 - 0.35;
    for (uint64_t i = 0; i < b->n_samples; i++)
        out[i] = cexpf((float complex)I * (float)(6.283185307179586 * fmod(cycles * (double)i, 1.0)));
}

static int jam(struct app_jam_world *w, uint64_t t, size_t n)
{
    struct phy_emitter_update update;
    if (w->e.jammer.kind == PHY_EMITTER_REACTIVE)
        phy_air_render(w->air, OTHER, 0, t, n, w->block);
    int rc = phy_emitter_step(w->jammer, w->block, n, &update);
    for (size_t k = 0; k < update.n_bursts && rc == 0; k++) {
        const struct phy_emitter_burst *b = &update.bursts[k];
        phy_air_forget(w->air, t + n);
        struct burst *burst = b->n_samples <= APP_JAM_MAX_BURST ? take_burst(w, t + n, b->start_sample + b->n_samples) : NULL;
        if (!burst)
            return -ENOBUFS;
        fill_burst(w, b, burst->samples);
        long id = phy_air_emit(w->air, OTHER, 0, b->start_sample, burst->samples, b->n_samples, 1.0f);
        if (id < 0)
            return (int)id;
        w->next_start[burst - w->bursts] = b->start_sample;
        w->next_end[burst - w->bursts] = b->start_sample + b->n_samples;
    }
    return rc;
}

/* First sample in [t, t + n) at which jammer or primary user is on, or UINT64_MAX. */
static uint64_t first_on(const struct app_jam_world *w, uint64_t t, size_t n)
{
    uint64_t first = UINT64_MAX;
    if (w->e.has_primary)
        return app_stations_ns(t + n) > w->e.start_ns ? t : UINT64_MAX;
    for (size_t i = 0; i < N_BURSTS && w->e.has_jammer; i++) {
        uint64_t from = w->next_start[i] > t ? w->next_start[i] : t;
        if (w->next_start[i] != UINT64_MAX && from < w->next_end[i] && from < t + n && from < first)
            first = from;
    }
    return first;
}

static void note_exposure(struct app_jam_world *w, uint64_t t, size_t n)
{
    if (w->out.exposed_ns != INT64_MAX)
        return;
    uint64_t first = first_on(w, t, n);
    for (uint32_t i = 0; i < w->e.n_stations && first != UINT64_MAX; i++)
        if (w->clients[i].n_pending > 0) {
            w->out.exposed_ns = app_stations_ns(first);
            return;
        }
}

/* --- stations --- */

static int emit(void *ctx, uint32_t i)
{
    struct app_jam_world *w = ctx;
    const struct app_driven_station *s = &w->stations.each[i];
    const struct phy_update *u = &w->stations.phy_update;
    float complex *sent = w->clients[i].sent;
    phy_air_forget(w->air, w->block_start);
    memcpy(sent, u->burst, u->burst_len * sizeof *sent);
    if (w->e.on_sent)
        w->e.on_sent(w->ctx, i, app_stations_ns(s->send_start), app_stations_ns(s->send_end), &w->stations.mac_update);
    long id = phy_air_emit(w->air, i, 0, s->send_start, sent, u->burst_len, 1.0f);
    return id < 0 ? (int)id : 0;
}

static int took(void *ctx, uint32_t i, int64_t now_ns)
{
    struct app_jam_world *w = ctx;
    struct client *c = &w->clients[i];
    const struct mac_update *mu = &w->stations.mac_update;
    (void)now_ns;
    for (size_t k = 0; k < mu->n_reports; k++) {
        c->n_pending -= c->n_pending > 0;
        w->out.n_acked += mu->reports[k].result == MAC_ACKED;
        w->out.n_lost += mu->reports[k].result != MAC_ACKED;
    }
    if (mu->has_verdict && i == 0 && !w->on_verdict(w->ctx, &mu->verdict))
        w->stopped = true;
    return 0;
}

static void tell_signal(void *ctx, uint32_t i, const struct mac_event *signal)
{
    struct app_jam_world *w = ctx;
    if (i == 0 && w->e.on_signal)
        w->e.on_signal(w->ctx, signal);
}

/* Evenly jittered: one message in each interval, anywhere in it. */
static void plan_offer(struct app_jam_world *w, uint32_t i)
{
    struct client *c = &w->clients[i];
    double interval_ns = 1e9 * w->e.n_stations / w->e.frames_per_s;
    double u = (double)(app_validate_draw(w->e.seed, PURPOSE + 2 + i, w->e.episode, c->n_offers) >> 11) * 0x1p-53;
    c->next_offer = app_stations_sample(APP_STATIONS_FIRST_NS + (int64_t)(((double)c->n_offers + u) * interval_ns));
    c->n_offers++;
}

static int offer(struct app_jam_world *w, uint32_t i, uint64_t now)
{
    static const uint8_t message[2048] = {0x5a};
    struct client *c = &w->clients[i];
    struct mac_event event = {.kind = MAC_EV_SEND, .now_ns = app_stations_ns(now)};
    event.send.id = c->n_offers;
    event.send.to = mac_address_of(1 + (i + 1) % w->e.n_stations);
    event.send.category = MAC_CAT_DATA;
    event.send.message = message;
    event.send.len_bytes = w->e.message_bytes;
    c->n_pending++;
    w->out.n_offered += w->out.exposed_ns != INT64_MAX;
    plan_offer(w, i);
    int rc = app_stations_feed(&w->stations, i, &event);
    rc = rc == -ENOBUFS ? 0 : rc;
    if (w->stations.mac_update.n_reports == 0 && rc == 0) /* a full queue says nothing more of it */
        c->n_pending = c->n_pending > 16 ? 16 : c->n_pending;
    return rc;
}

static int work(struct app_jam_world *w, uint32_t i, uint64_t now)
{
    int rc = app_stations_work(&w->stations, i, now);
    while (rc == 0 && w->clients[i].next_offer <= now)
        rc = offer(w, i, now);
    return rc;
}

static int hear(struct app_jam_world *w, uint32_t i, uint64_t t, size_t n)
{
    if (app_stations_is_deaf(&w->stations, i, t))
        memset(w->block, 0, n * sizeof *w->block);
    else
        phy_air_render(w->air, i, 0, t, n, w->block);
    const struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {w->block, n}};
    return app_stations_hear(&w->stations, i, &event);
}

static uint64_t next_offer(const struct app_jam_world *w, uint64_t t)
{
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < w->e.n_stations; i++)
        if (w->clients[i].next_offer > t && w->clients[i].next_offer < next)
            next = w->clients[i].next_offer;
    return next;
}

static int run(struct app_jam_world *w)
{
    uint64_t t = app_stations_sample(APP_STATIONS_FIRST_NS), end = app_stations_sample(w->e.end_ns);
    int rc = 0;
    while (t < end && rc == 0 && !w->stopped) {
        uint64_t next = app_stations_boundary(&w->stations, t, next_offer(w, t));
        size_t n = (size_t)(next - t);
        w->block_start = t;
        for (uint32_t i = 0; i < w->e.n_stations && rc == 0; i++)
            rc = hear(w, i, t, n);
        note_exposure(w, t, n);
        if (rc == 0 && w->e.has_jammer)
            rc = jam(w, t, n);
        for (uint32_t i = 0; i < w->e.n_stations && rc == 0; i++)
            rc = work(w, i, next);
        t = next;
    }
    return rc;
}

/* --- opening --- */

static int open_air(struct app_jam_world *w, const char **why_out)
{
    double noise[NODES], offset_hz[NODES] = {0};
    struct phy_air_link links[NODES * NODES];
    for (uint32_t from = 0; from < NODES; from++) {
        noise[from] = noise_dbfs;
        /* a ppm or so of a 5 GHz carrier */
        offset_hz[from] = 6000.0 * ((double)(app_validate_draw(w->e.seed, PURPOSE + 100, w->e.episode, from) >> 11) * 0x1p-52 - 1.0);
        for (uint32_t to = 0; to < NODES; to++) {
            double db = from == OTHER ? w->e.inr_db : w->e.snr_db;
            links[from * NODES + to] = (struct phy_air_link){.gain_db = (float)(noise_dbfs + db)};
        }
    }
    struct phy_air_config cfg = {.seed = app_validate_draw(w->e.seed, PURPOSE, w->e.episode, 0),
                                 .n_nodes = NODES,
                                 .n_channels = 1,
                                 .sample_rate_hz = APP_JAM_RATE_HZ,
                                 .noise_dbfs = noise,
                                 .carrier_offset_hz = offset_hz,
                                 .links = links,
                                 .max_emissions = N_BURSTS + APP_JAM_MAX_STATIONS + 2};
    if (!w->air_memory)
        w->air_memory = aligned_alloc(64, (phy_air_bytes(&cfg) + 63) / 64 * 64);
    return w->air_memory ? phy_air_init(w->air_memory, phy_air_bytes(&cfg), &cfg, &w->air, why_out) : -ENOMEM;
}

void app_jam_mac(struct app_jam_world *w, struct mac_config *out)
{
    const struct phy_waveform *waveform = w->stations.waveform;
    *out = (struct mac_config){.profile = mac_profile_dot11_10(app_stations_ns(waveform->lock_delay_samples)),
                               .airtime_ns = app_stations_airtime_ns, .airtime_ctx = (void *)(uintptr_t)waveform,
                               .queue_messages = 16, .queue_bytes = 65536, .max_peers = APP_JAM_MAX_STATIONS, .reassembly_ns = 500000000,
                               .jam = {.window_ns = 250000000, .min_frames = 6, .noise_dbfs = noise_dbfs}};
    out->profile.data_rate = w->stations.waveform->data_rate;
}

static int open_station(struct app_jam_world *w, uint32_t i, const char **why_out)
{
    struct client *c = &w->clients[i];
    uint64_t key = app_validate_draw(w->e.seed, PURPOSE, w->e.episode, 1);
    struct phy_config phy = {.waveform = w->stations.waveform, .sample_rate_hz = APP_JAM_RATE_HZ, .noise_dbfs = noise_dbfs, .cca_energy_db = 8.0,
                             .cca_samples = APP_STATIONS_BLOCK, .first_sample = app_stations_sample(APP_STATIONS_FIRST_NS), .seed = key, .stream = i};
    struct mac_config mac;
    app_jam_mac(w, &mac);
    mac.seed = key;
    mac.station_id = 1 + i;
    mac.jam.nameless = w->e.nameless;
    *c = (struct client){.sent = c->sent ? c->sent : aligned_alloc(64, w->stations.burst_cap * sizeof *c->sent)};
    *why_out = "memory";
    int rc = c->sent ? app_stations_open(&w->stations, i, &phy, &mac, why_out) : -ENOMEM;
    plan_offer(w, i);
    return rc;
}

static int open_jammer(struct app_jam_world *w, const char **why_out)
{
    struct phy_emitter_config cfg = w->e.jammer;
    cfg.seed = app_validate_draw(w->e.seed, PURPOSE, w->e.episode, 2);
    cfg.first_sample = app_stations_sample(APP_STATIONS_FIRST_NS);
    cfg.from_sample = app_stations_sample(w->e.start_ns);
    cfg.to_sample = app_stations_sample(w->e.end_ns);
    cfg.noise_dbfs = noise_dbfs;
    cfg.threshold_db = 8.0;
    cfg.block_samples = APP_STATIONS_BLOCK;
    if (cfg.kind != PHY_EMITTER_REACTIVE)
        cfg.react_samples = 2 * APP_STATIONS_BLOCK;
    if (phy_emitter_schedule(cfg.kind) == PHY_EMITTER_ALWAYS || cfg.kind == PHY_EMITTER_RANDOM)
        cfg.burst_samples = PIECE;
    if (cfg.kind == PHY_EMITTER_PILOT)
        cfg.n_tones = app_emitter_pilots(w->stations.waveform, cfg.tones);
    if (cfg.kind == PHY_EMITTER_PREAMBLE || cfg.kind == PHY_EMITTER_DECEPTIVE) {
        bool whole = cfg.kind == PHY_EMITTER_DECEPTIVE;
        cfg.prepared = w->prepared[whole];
        cfg.burst_samples = (uint32_t)w->n_prepared[whole];
        if (cfg.period_samples < cfg.burst_samples)
            cfg.period_samples = cfg.burst_samples;
    }
    return phy_emitter_init(w->jammer_memory, phy_emitter_bytes(), &cfg, &w->jammer, why_out);
}

static int open_primary(struct app_jam_world *w, const char **why_out)
{
    struct phy_primary primary = w->e.primary;
    primary.seed = app_validate_draw(w->e.seed, PURPOSE, w->e.episode, 3);
    size_t n = phy_primary_samples(&primary, why_out);
    if (n == 0)
        return -EINVAL;
    free(w->loop);
    w->loop = aligned_alloc(64, (n * sizeof *w->loop + 63) / 64 * 64);
    *why_out = "memory";
    if (!w->loop)
        return -ENOMEM;
    phy_primary_make(&primary, w->loop);
    long id = phy_air_emit_loop(w->air, OTHER, 0, app_stations_sample(w->e.start_ns), app_stations_sample(w->e.end_ns), w->loop, n, 0, 1.0f);
    return id < 0 ? (int)id : 0;
}

int app_jam_run(struct app_jam_world *w, const struct app_jam_episode *e, app_jam_on_verdict *on_verdict, void *ctx,
                struct app_jam_outcome *out, const char **why_out)
{
    w->e = *e;
    w->e.start_ns += APP_STATIONS_FIRST_NS;
    w->e.end_ns += APP_STATIONS_FIRST_NS;
    w->on_verdict = on_verdict;
    w->ctx = ctx;
    w->stopped = false;
    w->stations.n = e->n_stations;
    w->out = (struct app_jam_outcome){.exposed_ns = INT64_MAX};
    for (size_t i = 0; i < N_BURSTS; i++) {
        w->bursts[i].free_after = 0;
        w->next_start[i] = UINT64_MAX;
    }
    int rc = open_air(w, why_out);
    for (uint32_t i = 0; i < e->n_stations && rc == 0; i++)
        rc = open_station(w, i, why_out);
    if (rc == 0 && e->has_jammer)
        rc = open_jammer(w, why_out);
    if (rc == 0 && e->has_primary)
        rc = open_primary(w, why_out);
    if (rc == 0) {
        *why_out = "the episode";
        rc = run(w);
    }
    *out = w->out;
    return rc;
}

struct app_jam_world *app_jam_open(void)
{
    struct app_jam_world *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    const struct phy_waveform *waveform = phy_waveform_wifi();
    w->stations = (struct app_stations){.waveform = waveform, .burst_cap = (waveform->frame_samples(PHY_MAX_PSDU_BYTES, 0) + 63) / 64 * 64,
                                  .emit = emit, .took = took, .signal = tell_signal, .ctx = w};
    w->jammer_memory = aligned_alloc(64, phy_emitter_bytes());
    bool ok = w->jammer_memory != NULL;
    for (size_t i = 0; i < N_BURSTS && ok; i++)
        ok = (w->bursts[i].samples = aligned_alloc(64, APP_JAM_MAX_BURST * sizeof(float complex))) != NULL;
    for (int whole = 0; whole < 2 && ok; whole++)
        ok = (w->n_prepared[whole] = app_emitter_frame(waveform, APP_JAM_RATE_HZ, 1, whole, &w->prepared[whole])) > 0;
    if (ok)
        return w;
    app_jam_close(w);
    return NULL;
}

void app_jam_close(struct app_jam_world *w)
{
    if (!w)
        return;
    app_stations_close(&w->stations);
    for (uint32_t i = 0; i < APP_JAM_MAX_STATIONS; i++)
        free(w->clients[i].sent);
    for (size_t i = 0; i < N_BURSTS; i++)
        free(w->bursts[i].samples);
    free(w->prepared[0]);
    free(w->prepared[1]);
    free(w->loop);
    free(w->air_memory);
    free(w->jammer_memory);
    free(w);
}
