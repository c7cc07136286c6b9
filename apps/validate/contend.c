#include "apps/validate/contend.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/station/quality.h"
#include "apps/validate/signals.h"
#include "mac/mac.h"
#include "phy/air/air.h"
#include "phy/packet/air.h"
#include "phy/waveform.h"

enum {
    BLOCK = 80,         /* CCA assesses so many samples, 8 us */
    MAX = APP_CONTEND_MAX_STATIONS,
    N_SENT = 2,         /* a station's ACK may follow its frame while the echo of that is still in nobody's way */
    MAX_SIGNALS = 16,
    NS_PER_SAMPLE = 1000000000 / APP_CONTEND_RATE_HZ,
    FIRST_NS = 1000000000, /* the MACs' time 0 is no instant at which anything happens */
    PURPOSE = 0x636f6e74   /* "cont" */
};
static const double noise_dbfs = -60;

struct station {
    void *phy_memory, *mac_memory;
    struct phy *phy;
    struct mac *mac;
    int64_t deadline_ns;
    float complex *sent[N_SENT];
    unsigned i_sent;
    uint64_t send_start, send_end; /* of what is on the air */
    bool sending;
};

struct world {
    const struct app_contend *cfg;
    const struct phy_waveform *waveform;
    struct station stations[MAX];
    size_t sent_cap;
    void *air_memory;
    struct phy_air *air;               /* iq fidelity */
    struct phy_packet_air *packet_air; /* packet fidelity */
    struct app_batches batches;
    uint64_t block_start;              /* what came before it has been heard by all */
    struct phy_update phy_update;
    struct mac_update mac_update;
    float complex block[BLOCK];
    struct phy_arrival arrivals[PHY_PACKET_MAX_ARRIVALS];
    uint8_t message[1500];
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
    const struct world *w = ctx;
    return ns_of(w->waveform->frame_samples(mpdu_len + 4, rate_index));
}

/* --- what is on the air --- */

static int put_on_air(struct world *w, uint32_t i, unsigned rate_index)
{
    struct station *s = &w->stations[i];
    const struct phy_update *u = &w->phy_update;
    if (w->packet_air) {
        phy_packet_air_forget(w->packet_air, w->block_start);
        const struct phy_packet_emission e = {.emitter = i, .start_sample = s->send_start, .end_sample = s->send_end, .power = 1.0,
                                              .kind = PHY_INTERFERENCE_OFDM, .psdu = u->psdu, .psdu_len = u->psdu_len,
                                              .rate_index = rate_index};
        return phy_packet_air_emit(w->packet_air, &e);
    }
    phy_air_forget(w->air, w->block_start);
    float complex *samples = s->sent[s->i_sent++ % N_SENT];
    memcpy(samples, u->burst, u->burst_len * sizeof *samples);
    long id = phy_air_emit(w->air, i, 0, s->send_start, samples, u->burst_len, 1.0f);
    return id < 0 ? (int)id : 0;
}

static int transmit(struct world *w, uint32_t i)
{
    struct station *s = &w->stations[i];
    const struct mac_update *mu = &w->mac_update;
    unsigned rate_index = mu->rate_index;
    struct phy_event event = {.kind = PHY_EV_TRANSMIT};
    event.transmit.start_sample = sample_of(mu->start_ns);
    event.transmit.mpdu = mu->mpdu;
    event.transmit.len_bytes = mu->mpdu_len;
    event.transmit.rate_index = rate_index;
    w->batches.attempts += !mu->is_response;
    int rc = phy_step(s->phy, &event, &w->phy_update);
    if (rc != 0 || s->sending || w->phy_update.burst_len > w->sent_cap)
        return -EPROTO;
    s->sending = true;
    s->send_start = event.transmit.start_sample;
    s->send_end = s->send_start + w->phy_update.burst_len;
    return put_on_air(w, i, rate_index);
}

/* --- stations --- */

static int feed(struct world *w, uint32_t i, const struct mac_event *event);

static int offer(struct world *w, uint32_t i, int64_t now_ns)
{
    struct mac_event event = {.kind = MAC_EV_SEND, .now_ns = now_ns};
    event.send.to = mac_address_of(1 + (i + 1) % w->cfg->n);
    event.send.category = MAC_CAT_DATA;
    event.send.message = w->message;
    event.send.len_bytes = w->cfg->payload - 4;
    return feed(w, i, &event);
}

/* A report makes room for the next message, whose SEND reports nothing: feed and offer call each other once. */
static int feed(struct world *w, uint32_t i, const struct mac_event *event)
{
    struct station *s = &w->stations[i];
    int rc = mac_step(s->mac, event, &w->mac_update);
    s->deadline_ns = mac_deadline(s->mac);
    if (rc != 0)
        return rc;
    size_t n_reports = w->mac_update.n_reports;
    for (size_t k = 0; k < n_reports; k++)
        w->batches.acked += w->mac_update.reports[k].result == MAC_ACKED;
    if (w->mac_update.transmit)
        rc = transmit(w, i);
    for (size_t k = 0; k < n_reports && rc == 0; k++)
        rc = offer(w, i, event->now_ns);
    return rc;
}

static int work(struct world *w, uint32_t i, uint64_t now)
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
    return rc;
}

/* As `airdeed run` does it: while it sends, a receiver of samples hears silence, one of arrivals is away. */
static int hear_air(struct world *w, uint32_t i, uint64_t t, size_t n)
{
    struct station *s = &w->stations[i];
    bool deaf = s->sending && t >= s->send_start && t < s->send_end;
    struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {w->block, n}};
    if (w->packet_air && deaf) {
        event = (struct phy_event){.kind = PHY_EV_SKIP, .skip.n = n};
    } else if (w->packet_air) {
        size_t n_arrivals = phy_packet_air_arrivals(w->packet_air, i, 0, t, n, w->arrivals, PHY_PACKET_MAX_ARRIVALS);
        event = (struct phy_event){.kind = PHY_EV_ARRIVALS, .arrivals = {n, w->arrivals, n_arrivals}};
    } else if (deaf) {
        memset(w->block, 0, n * sizeof *w->block);
    } else {
        phy_air_render(w->air, i, 0, t, n, w->block);
    }
    return phy_step(s->phy, &event, &w->phy_update);
}

static int hear(struct world *w, uint32_t i, uint64_t t, size_t n)
{
    struct phy_signal signals[MAX_SIGNALS];
    int rc = hear_air(w, i, t, n);
    size_t n_signals = w->phy_update.n_signals;
    if (rc != 0 || n_signals > MAX_SIGNALS)
        return rc != 0 ? rc : -EPROTO;
    memcpy(signals, w->phy_update.signals, n_signals * sizeof *signals);
    for (size_t k = 0; k < n_signals && rc == 0; k++) {
        struct mac_event event;
        if (app_mac_event(&signals[k], APP_CONTEND_RATE_HZ, &event))
            rc = feed(w, i, &event);
    }
    return rc;
}

static uint64_t next_boundary(const struct world *w, uint64_t t)
{
    uint64_t next = (t / BLOCK + 1) * BLOCK;
    for (uint32_t i = 0; i < w->cfg->n; i++) {
        const struct station *s = &w->stations[i];
        uint64_t edges[3] = {s->sending ? s->send_start : 0, s->sending ? s->send_end : 0,
                             s->deadline_ns < ns_of(next) ? sample_of(s->deadline_ns) : UINT64_MAX};
        for (size_t k = 0; k < 3; k++)
            if (edges[k] > t && edges[k] < next)
                next = edges[k];
        if (s->deadline_ns <= ns_of(t))
            next = t + 1;
    }
    return next;
}

static int run(struct world *w)
{
    const uint32_t n = w->cfg->n;
    uint64_t t = sample_of(FIRST_NS);
    int rc = 0;
    for (uint32_t i = 0; i < 2 * n && rc == 0; i++)
        rc = offer(w, i % n, FIRST_NS);
    while (rc == 0 && !app_batches_turn(&w->batches, ns_of(t), 8.0 * w->cfg->payload)) {
        uint64_t next = next_boundary(w, t);
        w->block_start = t;
        for (uint32_t i = 0; i < n && rc == 0; i++)
            rc = hear(w, i, t, (size_t)(next - t));
        for (uint32_t i = 0; i < n && rc == 0; i++)
            rc = work(w, i, next);
        t = next;
    }
    return rc;
}

/* --- opening and closing --- */

static double draw(const struct world *w, uint32_t what, uint64_t i)
{
    return (double)(app_validate_draw(w->cfg->seed, PURPOSE, what, i) >> 11) * 0x1p-53;
}

static int open_air(struct world *w, const char **why_out)
{
    const uint32_t n = w->cfg->n;
    double noise[MAX], offset_hz[MAX];
    struct phy_air_link links[MAX * MAX];
    for (uint32_t from = 0; from < n; from++) {
        noise[from] = noise_dbfs;
        offset_hz[from] = 6000.0 * (2.0 * draw(w, 0, from) - 1.0); /* a ppm or so of a 5 GHz carrier */
        for (uint32_t to = 0; to < n; to++) {
            uint32_t low = from < to ? from : to, high = from < to ? to : from;
            double db = w->cfg->snr_db + w->cfg->spread_db * (2.0 * draw(w, 1, low * MAX + high) - 1.0);
            links[from * n + to] = (struct phy_air_link){.gain_db = (float)(noise_dbfs + db)};
        }
    }
    struct phy_air_config cfg = {.seed = w->cfg->seed, .n_nodes = n, .n_channels = 1, .sample_rate_hz = APP_CONTEND_RATE_HZ,
                                 .noise_dbfs = noise, .carrier_offset_hz = offset_hz, .links = links, .max_emissions = N_SENT * MAX};
    size_t len = w->cfg->tables ? phy_packet_air_bytes(&cfg) : phy_air_bytes(&cfg);
    *why_out = "memory";
    w->air_memory = aligned_alloc(64, (len + 63) / 64 * 64);
    if (!w->air_memory)
        return -ENOMEM;
    if (!w->cfg->tables)
        return phy_air_init(w->air_memory, len, &cfg, &w->air, why_out);
    w->packet_air = phy_packet_air_init(w->air_memory, &cfg);
    return 0;
}

static int open_station(struct world *w, uint32_t i, const char **why_out)
{
    struct station *s = &w->stations[i];
    struct phy_config phy = {.waveform = w->waveform, .sample_rate_hz = APP_CONTEND_RATE_HZ, .noise_dbfs = noise_dbfs, .cca_energy_db = 8.0,
                             .cca_samples = BLOCK, .first_sample = sample_of(FIRST_NS), .packet = w->cfg->tables, .seed = w->cfg->seed,
                             .stream = i};
    struct mac_profile profile = mac_profile_dot11_10(ns_of(w->waveform->lock_delay_samples));
    profile.data_rate = w->cfg->rate;
    profile.lifetime_ns = INT64_MAX / 4;
    struct mac_config mac = {.seed = w->cfg->seed, .station_id = 1 + i, .profile = profile, .airtime_ns = airtime_ns, .airtime_ctx = w,
                             .queue_messages = 4, .queue_bytes = 8192, .max_peers = MAX, .reassembly_ns = 500000000,
                             .jam = {.window_ns = 250000000, .min_frames = 6, .noise_dbfs = noise_dbfs}};
    size_t n_phy = (phy_bytes(&phy) + 63) / 64 * 64, n_mac = (mac_bytes(&mac) + 63) / 64 * 64;
    *why_out = "memory";
    s->phy_memory = aligned_alloc(64, n_phy);
    s->mac_memory = aligned_alloc(64, n_mac);
    for (size_t k = 0; k < N_SENT; k++)
        s->sent[k] = aligned_alloc(64, w->sent_cap * sizeof *s->sent[k]);
    if (!s->phy_memory || !s->mac_memory || !s->sent[0] || !s->sent[1])
        return -ENOMEM;
    int rc = phy_init(s->phy_memory, n_phy, &phy, &s->phy, why_out);
    if (rc == 0)
        rc = mac_init(s->mac_memory, n_mac, &mac, &s->mac, why_out);
    if (rc == 0)
        s->deadline_ns = mac_deadline(s->mac);
    return rc;
}

static void close_world(struct world *w)
{
    for (uint32_t i = 0; i < w->cfg->n; i++) {
        struct station *s = &w->stations[i];
        if (s->phy)
            phy_close(s->phy);
        if (s->mac)
            mac_close(s->mac);
        free(s->phy_memory);
        free(s->mac_memory);
        for (size_t k = 0; k < N_SENT; k++)
            free(s->sent[k]);
    }
    free(w->air_memory);
    free(w);
}

int app_contend_run(const struct app_contend *cfg, struct app_saturated *out, const char **why_out)
{
    struct world *w = calloc(1, sizeof *w);
    *why_out = "memory";
    if (!w)
        return -ENOMEM;
    w->cfg = cfg;
    w->waveform = phy_waveform_wifi();
    w->sent_cap = (w->waveform->frame_samples(PHY_MAX_PSDU_BYTES, 0) + 63) / 64 * 64;
    w->batches = (struct app_batches){.trials = cfg->trials, .n = -1};
    int rc = open_air(w, why_out);
    for (uint32_t i = 0; i < cfg->n && rc == 0; i++)
        rc = open_station(w, i, why_out);
    if (rc == 0) {
        *why_out = "the run";
        rc = run(w);
    }
    if (rc == 0)
        app_batches_result(&w->batches, out);
    close_world(w);
    return rc;
}
