#include "apps/validate/jam_world.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/emitter_frame.h"
#include "apps/station/quality.h"
#include "apps/validate/signals.h"
#include "phy/air/air.h"
#include "phy/waveform.h"

enum {
    BLOCK = 80,             /* CCA assesses so many samples, 8 us */
    NODES = APP_JAM_MAX_STATIONS + 1, /* the last: jammer or primary user */
    OTHER = NODES - 1,
    N_BURSTS = 48,
    PIECE = 4096,           /* of a jammer without pause */
    NS_PER_SAMPLE = 1000000000 / APP_JAM_RATE_HZ,
    FIRST_NS = 1000000000,  /* the MACs' time 0 is no instant at which anything happens */
    PURPOSE = 0x6a616d      /* "jam" */
};
static const double noise_dbfs = -60;

struct burst {
    float complex *samples;
    uint64_t free_after;
};

struct station {
    void *phy_memory, *mac_memory;
    struct phy *phy;
    struct mac *mac;
    int64_t deadline_ns;
    float complex *sent;
    uint64_t send_start, send_end; /* of what is on the air */
    bool sending;
    unsigned n_pending;            /* messages offered and not reported */
    uint64_t next_offer, n_offers;
};

struct app_jam_world {
    const struct phy_waveform *waveform;
    struct station stations[APP_JAM_MAX_STATIONS];
    size_t sent_cap;
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
    struct phy_update phy_update;
    struct mac_update mac_update;
    float complex block[BLOCK];
};

static int64_t ns_of(uint64_t sample)
{
    return (int64_t)sample * NS_PER_SAMPLE;
}

static uint64_t sample_of(int64_t ns)
{
    return (uint64_t)((ns + NS_PER_SAMPLE - 1) / NS_PER_SAMPLE);
}

static int64_t airtime_ns(void *ctx, size_t mpdu_len, unsigned rate_index)
{
    const struct app_jam_world *w = ctx;
    return ns_of(w->waveform->frame_samples(mpdu_len + 4, rate_index));
}

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
        return ns_of(t + n) > w->e.start_ns ? t : UINT64_MAX;
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
        if (w->stations[i].n_pending > 0) {
            w->out.exposed_ns = ns_of(first);
            return;
        }
}

/* --- stations --- */

static int transmit(struct app_jam_world *w, uint32_t i)
{
    struct station *s = &w->stations[i];
    const struct mac_update *mu = &w->mac_update;
    struct phy_event event = {.kind = PHY_EV_TRANSMIT};
    event.transmit.start_sample = sample_of(mu->start_ns);
    event.transmit.mpdu = mu->mpdu;
    event.transmit.len_bytes = mu->mpdu_len;
    event.transmit.rate_index = mu->rate_index;
    int rc = phy_step(s->phy, &event, &w->phy_update);
    if (rc != 0 || s->sending || w->phy_update.burst_len > w->sent_cap)
        return -EPROTO;
    phy_air_forget(w->air, w->block_start);
    memcpy(s->sent, w->phy_update.burst, w->phy_update.burst_len * sizeof *s->sent);
    s->sending = true;
    s->send_start = event.transmit.start_sample;
    s->send_end = s->send_start + w->phy_update.burst_len;
    if (w->e.on_sent)
        w->e.on_sent(w->ctx, i, ns_of(s->send_start), ns_of(s->send_end), mu);
    long id = phy_air_emit(w->air, i, 0, s->send_start, s->sent, w->phy_update.burst_len, 1.0f);
    return id < 0 ? (int)id : 0;
}

static int feed(struct app_jam_world *w, uint32_t i, const struct mac_event *event)
{
    struct station *s = &w->stations[i];
    int rc = mac_step(s->mac, event, &w->mac_update);
    s->deadline_ns = mac_deadline(s->mac);
    if (rc == -ENOBUFS)
        return 0;
    if (rc != 0)
        return rc;
    const struct mac_update *mu = &w->mac_update;
    for (size_t k = 0; k < mu->n_reports; k++) {
        s->n_pending -= s->n_pending > 0;
        w->out.n_acked += mu->reports[k].result == MAC_ACKED;
        w->out.n_lost += mu->reports[k].result != MAC_ACKED;
    }
    if (mu->has_verdict && i == 0 && !w->on_verdict(w->ctx, &mu->verdict))
        w->stopped = true;
    return mu->transmit ? transmit(w, i) : 0;
}

/* Evenly jittered: one message in each interval, anywhere in it. */
static void plan_offer(struct app_jam_world *w, uint32_t i)
{
    struct station *s = &w->stations[i];
    double interval_ns = 1e9 * w->e.n_stations / w->e.frames_per_s;
    double u = (double)(app_validate_draw(w->e.seed, PURPOSE + 2 + i, w->e.episode, s->n_offers) >> 11) * 0x1p-53;
    s->next_offer = sample_of(FIRST_NS + (int64_t)(((double)s->n_offers + u) * interval_ns));
    s->n_offers++;
}

static int offer(struct app_jam_world *w, uint32_t i, uint64_t now)
{
    static const uint8_t message[2048] = {0x5a};
    struct station *s = &w->stations[i];
    struct mac_event event = {.kind = MAC_EV_SEND, .now_ns = ns_of(now)};
    event.send.id = s->n_offers;
    event.send.to = mac_address_of(1 + (i + 1) % w->e.n_stations);
    event.send.category = MAC_CAT_DATA;
    event.send.message = message;
    event.send.len_bytes = w->e.message_bytes;
    s->n_pending++;
    w->out.n_offered += w->out.exposed_ns != INT64_MAX;
    plan_offer(w, i);
    int rc = feed(w, i, &event);
    if (w->mac_update.n_reports == 0 && rc == 0) /* a full queue says nothing more of it */
        s->n_pending = s->n_pending > 16 ? 16 : s->n_pending;
    return rc;
}

static int work(struct app_jam_world *w, uint32_t i, uint64_t now)
{
    struct station *s = &w->stations[i];
    int rc = 0;
    if (s->sending && s->send_end <= now) {
        struct mac_event done = {.kind = MAC_EV_TX_DONE, .now_ns = ns_of(s->send_end)};
        s->sending = false;
        rc = feed(w, i, &done);
    }
    for (int steps = 0; rc == 0 && s->deadline_ns <= ns_of(now) && steps < 100; steps++) {
        struct mac_event tick = {.kind = MAC_EV_TICK, .now_ns = ns_of(now)};
        rc = feed(w, i, &tick);
    }
    while (rc == 0 && s->next_offer <= now)
        rc = offer(w, i, now);
    return rc;
}

static int hear(struct app_jam_world *w, uint32_t i, uint64_t t, size_t n)
{
    struct station *s = &w->stations[i];
    if (s->sending && t >= s->send_start && t < s->send_end)
        memset(w->block, 0, n * sizeof *w->block); /* half duplex */
    else
        phy_air_render(w->air, i, 0, t, n, w->block);
    struct phy_event event = {.kind = PHY_EV_SAMPLES};
    event.samples.samples = w->block;
    event.samples.n = n;
    struct phy_update *u = &w->phy_update;
    int rc = phy_step(s->phy, &event, u);
    size_t n_signals = u->n_signals;
    struct phy_signal signals[8];
    if (n_signals > sizeof signals / sizeof *signals)
        return -EPROTO;
    memcpy(signals, u->signals, n_signals * sizeof *signals);
    for (size_t k = 0; k < n_signals && rc == 0; k++) {
        struct mac_event mac_event;
        if (!app_mac_event(&signals[k], APP_JAM_RATE_HZ, &mac_event))
            continue;
        if (i == 0 && w->e.on_signal)
            w->e.on_signal(w->ctx, &mac_event);
        rc = feed(w, i, &mac_event);
    }
    return rc;
}

static uint64_t next_boundary(const struct app_jam_world *w, uint64_t t)
{
    uint64_t next = (t / BLOCK + 1) * BLOCK;
    for (uint32_t i = 0; i < w->e.n_stations; i++) {
        const struct station *s = &w->stations[i];
        uint64_t edges[4] = {s->next_offer, s->sending ? s->send_start : 0, s->sending ? s->send_end : 0,
                             s->deadline_ns < ns_of(next) ? sample_of(s->deadline_ns) : UINT64_MAX};
        for (size_t k = 0; k < 4; k++)
            if (edges[k] > t && edges[k] < next)
                next = edges[k];
        if (s->deadline_ns <= ns_of(t))
            next = t + 1;
    }
    return next;
}

static int run(struct app_jam_world *w)
{
    uint64_t t = sample_of(FIRST_NS), end = sample_of(w->e.end_ns);
    int rc = 0;
    while (t < end && rc == 0 && !w->stopped) {
        uint64_t next = next_boundary(w, t);
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
    *out = (struct mac_config){.profile = mac_profile_dot11_10(ns_of(w->waveform->lock_delay_samples)),
                               .airtime_ns = airtime_ns, .airtime_ctx = w,
                               .queue_messages = 16, .queue_bytes = 65536, .max_peers = APP_JAM_MAX_STATIONS, .reassembly_ns = 500000000,
                               .jam = {.window_ns = 250000000, .min_frames = 6, .noise_dbfs = noise_dbfs}};
    out->profile.data_rate = w->waveform->data_rate;
}

static int open_station(struct app_jam_world *w, uint32_t i, const char **why_out)
{
    struct station *s = &w->stations[i];
    uint64_t key = app_validate_draw(w->e.seed, PURPOSE, w->e.episode, 1);
    struct phy_config phy = {.waveform = w->waveform, .sample_rate_hz = APP_JAM_RATE_HZ, .noise_dbfs = noise_dbfs, .cca_energy_db = 8.0,
                             .cca_samples = BLOCK, .first_sample = sample_of(FIRST_NS), .seed = key, .stream = i};
    struct mac_config mac;
    app_jam_mac(w, &mac);
    mac.seed = key;
    mac.station_id = 1 + i;
    mac.jam.nameless = w->e.nameless;
    size_t n_phy = (phy_bytes(&phy) + 63) / 64 * 64, n_mac = (mac_bytes(&mac) + 63) / 64 * 64;
    void *phy_memory = s->phy_memory ? s->phy_memory : aligned_alloc(64, n_phy);
    void *mac_memory = s->mac_memory ? s->mac_memory : aligned_alloc(64, n_mac);
    s->sent = s->sent ? s->sent : aligned_alloc(64, w->sent_cap * sizeof *s->sent);
    *s = (struct station){.phy_memory = phy_memory, .mac_memory = mac_memory, .sent = s->sent};
    *why_out = "memory";
    if (!phy_memory || !mac_memory || !s->sent)
        return -ENOMEM;
    int rc = phy_init(phy_memory, n_phy, &phy, &s->phy, why_out);
    if (rc == 0)
        rc = mac_init(mac_memory, n_mac, &mac, &s->mac, why_out);
    if (rc == 0)
        s->deadline_ns = mac_deadline(s->mac);
    plan_offer(w, i);
    return rc;
}

static int open_jammer(struct app_jam_world *w, const char **why_out)
{
    struct phy_emitter_config cfg = w->e.jammer;
    cfg.seed = app_validate_draw(w->e.seed, PURPOSE, w->e.episode, 2);
    cfg.first_sample = sample_of(FIRST_NS);
    cfg.from_sample = sample_of(w->e.start_ns);
    cfg.to_sample = sample_of(w->e.end_ns);
    cfg.noise_dbfs = noise_dbfs;
    cfg.threshold_db = 8.0;
    cfg.block_samples = BLOCK;
    if (cfg.kind != PHY_EMITTER_REACTIVE)
        cfg.react_samples = 2 * BLOCK;
    if (phy_emitter_schedule(cfg.kind) == PHY_EMITTER_ALWAYS || cfg.kind == PHY_EMITTER_RANDOM)
        cfg.burst_samples = PIECE;
    if (cfg.kind == PHY_EMITTER_PILOT)
        cfg.n_tones = app_emitter_pilots(w->waveform, cfg.tones);
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
    long id = phy_air_emit_loop(w->air, OTHER, 0, sample_of(w->e.start_ns), sample_of(w->e.end_ns), w->loop, n, 0, 1.0f);
    return id < 0 ? (int)id : 0;
}

int app_jam_run(struct app_jam_world *w, const struct app_jam_episode *e, app_jam_on_verdict *on_verdict, void *ctx,
                struct app_jam_outcome *out, const char **why_out)
{
    w->e = *e;
    w->e.start_ns += FIRST_NS;
    w->e.end_ns += FIRST_NS;
    w->on_verdict = on_verdict;
    w->ctx = ctx;
    w->stopped = false;
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
    w->waveform = phy_waveform_wifi();
    w->sent_cap = (w->waveform->frame_samples(PHY_MAX_PSDU_BYTES, 0) + 63) / 64 * 64;
    w->jammer_memory = aligned_alloc(64, phy_emitter_bytes());
    bool ok = w->jammer_memory != NULL;
    for (size_t i = 0; i < N_BURSTS && ok; i++)
        ok = (w->bursts[i].samples = aligned_alloc(64, APP_JAM_MAX_BURST * sizeof(float complex))) != NULL;
    for (int whole = 0; whole < 2 && ok; whole++)
        ok = (w->n_prepared[whole] = app_emitter_frame(w->waveform, APP_JAM_RATE_HZ, 1, whole, &w->prepared[whole])) > 0;
    if (ok)
        return w;
    app_jam_close(w);
    return NULL;
}

void app_jam_close(struct app_jam_world *w)
{
    if (!w)
        return;
    for (uint32_t i = 0; i < APP_JAM_MAX_STATIONS; i++) {
        free(w->stations[i].phy_memory);
        free(w->stations[i].mac_memory);
        free(w->stations[i].sent);
    }
    for (size_t i = 0; i < N_BURSTS; i++)
        free(w->bursts[i].samples);
    free(w->prepared[0]);
    free(w->prepared[1]);
    free(w->loop);
    free(w->air_memory);
    free(w->jammer_memory);
    free(w);
}
