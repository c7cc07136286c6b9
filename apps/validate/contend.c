#include "apps/validate/contend.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/validate/stations.h"
#include "apps/validate/signals.h"
#include "phy/air/air.h"
#include "phy/packet/air.h"

enum {
    MAX = APP_CONTEND_MAX_STATIONS,
    N_SENT = 2,         /* a station's ACK may follow its frame while the echo of that is still in nobody's way */
    PURPOSE = 0x636f6e74   /* "cont" */
};
static const double noise_dbfs = -60;

struct sent {
    float complex *samples[N_SENT];
    unsigned i_next;
};

struct world {
    const struct app_contend *cfg;
    struct app_stations stations;
    struct sent sent[MAX];
    void *air_memory;
    struct phy_air *air;               /* iq fidelity */
    struct phy_packet_air *packet_air; /* packet fidelity */
    struct app_batches batches;
    uint64_t block_start;              /* what came before it has been heard by all */
    float complex block[APP_STATIONS_BLOCK];
    struct phy_arrival arrivals[PHY_PACKET_MAX_ARRIVALS];
    uint8_t message[1500];
};

/* --- what is on the air --- */

static int emit(void *ctx, uint32_t i)
{
    struct world *w = ctx;
    const struct app_driven_station *s = &w->stations.each[i];
    const struct phy_update *u = &w->stations.phy_update;
    w->batches.attempts += !w->stations.mac_update.is_response;
    if (w->packet_air) {
        phy_packet_air_forget(w->packet_air, w->block_start);
        const struct phy_packet_emission e = {.emitter = i, .start_sample = s->send_start, .end_sample = s->send_end, .power = 1.0,
                                              .kind = PHY_INTERFERENCE_OFDM, .psdu = u->psdu, .psdu_len = u->psdu_len,
                                              .rate_index = w->stations.mac_update.rate_index};
        return phy_packet_air_emit(w->packet_air, &e);
    }
    phy_air_forget(w->air, w->block_start);
    float complex *samples = w->sent[i].samples[w->sent[i].i_next++ % N_SENT];
    memcpy(samples, u->burst, u->burst_len * sizeof *samples);
    long id = phy_air_emit(w->air, i, 0, s->send_start, samples, u->burst_len, 1.0f);
    return id < 0 ? (int)id : 0;
}

/* --- stations --- */

static int offer(struct world *w, uint32_t i, int64_t now_ns)
{
    struct mac_event event = {.kind = MAC_EV_SEND, .now_ns = now_ns};
    event.send.to = mac_address_of(1 + (i + 1) % w->cfg->n);
    event.send.category = MAC_CAT_DATA;
    event.send.message = w->message;
    event.send.len_bytes = w->cfg->payload - 4;
    return app_stations_feed(&w->stations, i, &event);
}

/* A report makes room for the next message, whose SEND reports nothing. */
static int took(void *ctx, uint32_t i, int64_t now_ns)
{
    struct world *w = ctx;
    size_t n_reports = w->stations.mac_update.n_reports;
    int rc = 0;
    for (size_t k = 0; k < n_reports; k++)
        w->batches.acked += w->stations.mac_update.reports[k].result == MAC_ACKED;
    for (size_t k = 0; k < n_reports && rc == 0; k++)
        rc = offer(w, i, now_ns);
    return rc;
}

/* As `airdeed run` does it: while it sends, a receiver of samples hears silence, one of arrivals is away. */
static int hear(struct world *w, uint32_t i, uint64_t t, size_t n)
{
    bool deaf = app_stations_is_deaf(&w->stations, i, t);
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
    return app_stations_hear(&w->stations, i, &event);
}

static int run(struct world *w)
{
    const uint32_t n = w->cfg->n;
    uint64_t t = app_stations_sample(APP_STATIONS_FIRST_NS);
    int rc = 0;
    for (uint32_t i = 0; i < 2 * n && rc == 0; i++)
        rc = offer(w, i % n, APP_STATIONS_FIRST_NS);
    while (rc == 0 && !app_batches_turn(&w->batches, app_stations_ns(t), 8.0 * w->cfg->payload)) {
        uint64_t next = app_stations_boundary(&w->stations, t, UINT64_MAX);
        w->block_start = t;
        for (uint32_t i = 0; i < n && rc == 0; i++)
            rc = hear(w, i, t, (size_t)(next - t));
        for (uint32_t i = 0; i < n && rc == 0; i++)
            rc = app_stations_work(&w->stations, i, next);
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
    struct sent *sent = &w->sent[i];
    const struct phy_waveform *waveform = w->stations.waveform;
    struct phy_config phy = {.waveform = waveform, .sample_rate_hz = APP_CONTEND_RATE_HZ, .noise_dbfs = noise_dbfs, .cca_energy_db = 8.0,
                             .cca_samples = APP_STATIONS_BLOCK, .first_sample = app_stations_sample(APP_STATIONS_FIRST_NS), .packet = w->cfg->tables,
                             .seed = w->cfg->seed, .stream = i};
    struct mac_profile profile = mac_profile_dot11_10(app_stations_ns(waveform->lock_delay_samples));
    profile.data_rate = w->cfg->rate;
    profile.lifetime_ns = INT64_MAX / 4;
    struct mac_config mac = {.seed = w->cfg->seed, .station_id = 1 + i, .profile = profile, .airtime_ns = app_stations_airtime_ns,
                             .airtime_ctx = (void *)(uintptr_t)waveform, .queue_messages = 4, .queue_bytes = 8192, .max_peers = MAX,
                             .reassembly_ns = 500000000, .jam = {.window_ns = 250000000, .min_frames = 6, .noise_dbfs = noise_dbfs}};
    *why_out = "memory";
    for (size_t k = 0; k < N_SENT; k++)
        if (!(sent->samples[k] = aligned_alloc(64, w->stations.burst_cap * sizeof(float complex))))
            return -ENOMEM;
    return app_stations_open(&w->stations, i, &phy, &mac, why_out);
}

static void close_world(struct world *w)
{
    app_stations_close(&w->stations);
    for (uint32_t i = 0; i < w->cfg->n; i++)
        for (size_t k = 0; k < N_SENT; k++)
            free(w->sent[i].samples[k]);
    free(w->air_memory);
    free(w);
}

int app_contend_run(const struct app_contend *cfg, struct app_saturated *out, const char **why_out)
{
    struct world *w = calloc(1, sizeof *w);
    *why_out = "memory";
    if (!w)
        return -ENOMEM;
    const struct phy_waveform *waveform = phy_waveform_wifi();
    w->cfg = cfg;
    w->stations = (struct app_stations){.waveform = waveform, .burst_cap = (waveform->frame_samples(PHY_MAX_PSDU_BYTES, 0) + 63) / 64 * 64,
                                  .emit = emit, .took = took, .ctx = w, .n = cfg->n};
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
