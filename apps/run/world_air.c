/* The air of a run as its scenario describes it: links, fading, clocks, front ends, jammers, synthetic primary users. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/emitter_frame.h"
#include "apps/run/world.h"
#include "phy/air/key.h"
#include "phy/air/primary.h"
#include "phy/air/propagation.h"

enum { SPEED_OF_LIGHT = 299792458, PURPOSE_PPM = 0x70706d };

/* --- links --- */

struct place {
    double x_m, y_m, snr_db, power_dbm;
    bool station;
};

static struct place place_of(const struct app_world *w, uint32_t node)
{
    const struct app_scenario *sc = &w->scenario;
    if (node < sc->n_stations)
        return (struct place){sc->stations[node].x_m, sc->stations[node].y_m, sc->link_snr_db, sc->path_loss.power_dbm, true};
    if (node < world_jammer_node(w, 0)) {
        const struct app_scenario_primary *p = &sc->primaries[node - sc->n_stations];
        return (struct place){p->x_m, p->y_m, p->snr_db, p->power_dbm, false};
    }
    const struct app_scenario_jammer *j = &sc->jammers[node - world_jammer_node(w, 0)];
    return (struct place){j->x_m, j->y_m, j->snr_db, j->power_dbm, false};
}

/* Without path loss every emitter arrives with the scenario's SNR, and only delays between stations follow from positions. */
static struct phy_air_link describe_link(const struct app_world *w, uint32_t emitter, uint32_t listener)
{
    const struct app_scenario *sc = &w->scenario;
    struct place from = place_of(w, emitter), to = place_of(w, listener);
    double distance_m = hypot(from.x_m - to.x_m, from.y_m - to.y_m), snr_db = from.snr_db;
    bool lossy = sc->path_loss.exponent > 0;
    if (!lossy && !(from.station && to.station))
        distance_m = 0;
    if (lossy) {
        struct phy_path_loss loss = {.exponent = sc->path_loss.exponent,
                                     .reference_m = sc->path_loss.reference_m,
                                     .reference_db = (double)NAN,
                                     .frequency_hz = sc->channels[sc->control_channel].low_hz,
                                     .shadowing_db = sc->path_loss.shadowing_db};
        snr_db = from.power_dbm - phy_path_loss_db(&loss, distance_m, w->seed, emitter, listener) -
                 phy_thermal_noise_dbm(w->rate_hz, sc->path_loss.noise_figure_db);
    }
    double delay = distance_m / SPEED_OF_LIGHT * w->rate_hz;
    return (struct phy_air_link){.gain_db = (float)(sc->noise_dbfs + snr_db), .delay_samples = (uint32_t)lround(delay)};
}

static void describe_fading(struct app_world *w)
{
    const struct app_scenario *sc = &w->scenario;
    struct phy_fading *f = &w->fading;
    f->kind = strcmp(sc->fading.kind, "fixed") == 0      ? PHY_FADING_FIXED
              : strcmp(sc->fading.kind, "rayleigh") == 0 ? PHY_FADING_RAYLEIGH
                                                         : PHY_FADING_RICIAN;
    f->k_db = sc->fading.k_db;
    f->doppler_hz = sc->fading.doppler_hz;
    f->per_emission = strcmp(sc->fading.change, "frame") == 0;
    f->n_taps = sc->fading.n_taps;
    for (uint32_t i = 0; i < f->n_taps; i++) {
        double delay = (double)sc->fading.taps[i].delay_ns * 1e-9 * w->rate_hz;
        f->taps[i] = (struct phy_fading_tap){(uint32_t)lround(delay), (float)sc->fading.taps[i].power_db};
    }
    if (f->n_taps == 0)
        f->n_taps = phy_fading_exponential((double)sc->fading.rms_spread_ns, w->rate_hz, f->taps);
    for (size_t i = 0; i < PHY_AIR_MAX_NODES * PHY_AIR_MAX_NODES; i++)
        w->fadings[i] = f;
}

/* A station's oscillator: what the scenario says, and something drawn. */
static double oscillator_ppm(const struct app_world *w, uint32_t station)
{
    double drawn = 2.0 * phy_key_uniform(phy_key(phy_key(w->seed, PURPOSE_PPM), station)) - 1.0;
    return w->scenario.stations[station].carrier_ppm + w->scenario.front_end.ppm * drawn;
}

void app_world_describe_links(struct app_world *w)
{
    const struct app_scenario *sc = &w->scenario;
    double center_hz = sc->channels[sc->control_channel].low_hz;
    for (uint32_t e = 0; e < w->n_nodes; e++) {
        double ppm = e < sc->n_stations ? oscillator_ppm(w, e) : 0;
        w->noise_dbfs[e] = sc->noise_dbfs;
        w->carrier_hz[e] = ppm * 1e-6 * center_hz;
        w->clock_ppm[e] = strcmp(sc->front_end.clocks, "drift") == 0 ? ppm : 0;
        for (uint32_t l = 0; l < w->n_nodes; l++) {
            struct phy_air_link link = describe_link(w, e, l);
            w->links[e * w->n_nodes + l] = link;
            if (link.delay_samples > w->max_delay)
                w->max_delay = link.delay_samples;
        }
    }
    describe_fading(w);
}

/* --- receivers --- */

static int open_front_end(struct app_world *w, uint32_t station, uint32_t channel)
{
    const struct app_scenario *sc = &w->scenario;
    struct phy_front_end_config cfg;
    double center_hz = (sc->channels[channel].low_hz + sc->channels[channel].high_hz) / 2.0;
    if (phy_front_end_preset(sc->front_end.preset, center_hz, w->rate_hz, &cfg) != 0)
        return app_world_fail(w, -EINVAL, sc->file, "unknown front end");
    cfg.seed = w->seed;
    cfg.stream = (uint64_t)1 << 63 | (uint64_t)station << 32 | channel;
    cfg.ppm = 0; /* offsets of carrier and clock are the air's, link by link */
    if (sc->front_end.adc_bits > 0)
        cfg.adc_bits = sc->front_end.adc_bits;
    void *mem = app_world_allocate(phy_front_end_bytes());
    const char *bad_field = "";
    if (!mem)
        return app_world_fail(w, -EIO, "memory", strerror(ENOMEM));
    w->front_ends[station][channel] = mem;
    if (phy_front_end_init(mem, phy_front_end_bytes(), &cfg, &w->front_ends[station][channel], &bad_field) != 0)
        return app_world_fail(w, -EINVAL, "front end", bad_field);
    return 0;
}

int app_world_open_front_ends(struct app_world *w)
{
    const struct app_scenario *sc = &w->scenario;
    if (strcmp(sc->front_end.preset, "ideal") == 0 && sc->front_end.adc_bits == 0)
        return 0;
    int rc = 0;
    for (uint32_t i = 0; i < sc->n_stations; i++)
        for (uint32_t c = 0; c < sc->n_channels && rc == 0; c++)
            rc = open_front_end(w, i, c);
    return rc;
}

/* --- jammers --- */

static double per_sample(const struct app_world *w, double hz)
{
    double cycles = hz / w->rate_hz;
    return cycles > 0.5 ? 0.5 : cycles < -0.5 ? -0.5 : cycles;
}

static struct phy_emitter_config describe_jammer(const struct app_world *w, uint32_t i)
{
    enum { PIECE = 4096, SHORT_PIECE = 512 };
    const struct app_scenario_jammer *j = &w->scenario.jammers[i];
    struct phy_emitter_config cfg = {.kind = (enum phy_emitter_kind)phy_emitter_kind_of(j->kind),
                                     .seed = w->seed,
                                     .stream = (uint64_t)world_jammer_node(w, i) << 40,
                                     .power_dbfs = 0,
                                     .first_sample = world_sample(w, j->start_ns),
                                     .from_sample = world_sample(w, j->start_ns),
                                     .to_sample = world_sample(w, j->stop_ns),
                                     .burst_samples = (uint32_t)world_sample(w, j->burst_ns),
                                     .period_samples = (uint32_t)world_sample(w, j->period_ns),
                                     .mean_on_samples = (double)world_sample(w, j->mean_on_ns),
                                     .mean_off_samples = (double)world_sample(w, j->mean_off_ns),
                                     .react_samples = 2 * APP_BLOCK_SAMPLES,
                                     .block_samples = APP_BLOCK_SAMPLES,
                                     .noise_dbfs = w->scenario.noise_dbfs,
                                     .threshold_db = 8.0,
                                     .offset = per_sample(w, j->offset_hz),
                                     .bandwidth = j->bandwidth_hz / w->rate_hz,
                                     .sweep_low = per_sample(w, j->sweep_low_hz),
                                     .sweep_high = per_sample(w, j->sweep_high_hz),
                                     .sweep_samples = (uint32_t)world_sample(w, j->sweep_ns)};
    cfg.n_tones = app_emitter_pilots(w->waveform, cfg.tones);
    cfg.n_channels = j->n_channels;
    cfg.dwell_samples = world_sample(w, j->dwell_ns);
    cfg.retune_samples = world_sample(w, j->retune_ns);
    if (cfg.kind == PHY_EMITTER_REACTIVE || cfg.kind == PHY_EMITTER_FOLLOWER)
        cfg.react_samples = (uint32_t)world_sample(w, j->react_ns);
    if (cfg.kind == PHY_EMITTER_INSIDER)
        cfg.burst_samples = SHORT_PIECE; /* each on the channel that is in use when it is decided */
    else if (cfg.kind != PHY_EMITTER_REACTIVE && phy_emitter_schedule(cfg.kind) != PHY_EMITTER_PERIODIC)
        cfg.burst_samples = PIECE;
    return cfg;
}

/* So many that the first is off the air, everywhere, when the last but one is decided. */
static size_t buffers_of(const struct phy_emitter_config *cfg)
{
    enum { LONGEST_TAIL = 2048 };
    uint32_t apart = cfg->burst_samples;
    if (phy_emitter_schedule(cfg->kind) == PHY_EMITTER_ON_OFF)
        return WORLD_JAM_BURSTS;
    if (phy_emitter_schedule(cfg->kind) == PHY_EMITTER_PERIODIC)
        apart = cfg->period_samples;
    size_t n = 3 + (cfg->react_samples + LONGEST_TAIL) / apart;
    return n < WORLD_JAM_BURSTS ? n : WORLD_JAM_BURSTS;
}

static int prepare_jammer(struct app_world *w, uint32_t i, struct phy_emitter_config *cfg)
{
    struct world_jammer *jammer = &w->jammers[i];
    if (cfg->kind != PHY_EMITTER_PREAMBLE && cfg->kind != PHY_EMITTER_DECEPTIVE)
        return 0;
    long n = app_emitter_frame(w->waveform, w->rate_hz, w->seed, cfg->kind == PHY_EMITTER_DECEPTIVE, &jammer->prepared);
    if (n < 0)
        return app_world_fail(w, -EIO, "a jammer's frame", strerror((int)-n));
    cfg->prepared = jammer->prepared;
    cfg->burst_samples = (uint32_t)n;
    if (cfg->period_samples < cfg->burst_samples)
        cfg->period_samples = cfg->burst_samples;
    return 0;
}

int app_world_open_jammer(struct app_world *w, uint32_t i)
{
    const struct app_scenario_jammer *j = &w->scenario.jammers[i];
    struct world_jammer *jammer = &w->jammers[i];
    struct phy_emitter_config cfg = describe_jammer(w, i);
    jammer->start_sample = cfg.from_sample;
    jammer->stop_sample = cfg.to_sample;
    int rc = prepare_jammer(w, i, &cfg);
    if (rc != 0)
        return rc;
    const char *bad_field = "";
    jammer->memory = app_world_allocate(phy_emitter_bytes());
    if (!jammer->memory)
        return app_world_fail(w, -EIO, "memory", strerror(ENOMEM));
    if (phy_emitter_init(jammer->memory, phy_emitter_bytes(), &cfg, &jammer->machine, &bad_field) != 0)
        return app_world_fail(w, -EINVAL, j->name, bad_field);
    jammer->n_bursts = buffers_of(&cfg);
    for (size_t k = 0; k < jammer->n_bursts; k++) {
        jammer->bursts[k] = app_world_allocate(cfg.burst_samples * sizeof *jammer->bursts[k]);
        if (!jammer->bursts[k])
            return app_world_fail(w, -EIO, "memory", strerror(ENOMEM));
    }
    return 0;
}

/* --- synthetic primary users --- */

int app_world_synthesise(struct app_world *w, uint32_t primary)
{
    const struct app_scenario_primary *p = &w->scenario.primaries[primary];
    struct phy_primary made = {.kind = (enum phy_primary_kind)phy_primary_kind_of(p->kind),
                               .seed = w->seed,
                               .stream = (uint64_t)world_primary_node(w, primary) << 40,
                               .bandwidth = p->bandwidth_hz / w->rate_hz,
                               .offset = per_sample(w, p->offset_hz),
                               .pulse_samples = (uint32_t)world_sample(w, p->pulse_ns),
                               .period_samples = (uint32_t)world_sample(w, p->period_ns),
                               .scan_samples = (uint32_t)world_sample(w, p->scan_ns),
                               .dwell_samples = (uint32_t)world_sample(w, p->dwell_ns)};
    if (made.kind != PHY_PRIMARY_RADAR && !(p->bandwidth_hz > 0))
        made.bandwidth = made.kind == PHY_PRIMARY_OFDM ? 0.8 : 0.02;
    const char *bad_field = "";
    struct world_primary *out = &w->primaries[primary];
    out->n = phy_primary_samples(&made, &bad_field);
    if (out->n == 0)
        return app_world_fail(w, -EINVAL, p->name, bad_field);
    out->loop = app_world_allocate(out->n * sizeof *out->loop);
    if (!out->loop)
        return app_world_fail(w, -EIO, "memory", strerror(ENOMEM));
    phy_primary_make(&made, out->loop);
    return 0;
}
