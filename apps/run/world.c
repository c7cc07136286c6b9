#include "apps/run/world.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/calibrate/tables.h"
#include "apps/embedded.h"
#include "apps/run/scenario_table.h"
#include "phy/air/play.h"

#define allocate app_world_allocate
#define fail app_world_fail

enum { APP_WIDE_SEARCH_HZ = 2000000, ALIGN = 64, MAX_PLAY_SAMPLES = 1 << 24 };
/* virtual time 0: 2020-01-01T00:00:00Z */
static const int64_t epoch_ns = 1577836800000000000;

void *app_world_allocate(size_t n)
{
    return aligned_alloc(ALIGN, (n + ALIGN - 1) / ALIGN * ALIGN);
}

int app_world_fail(struct app_world *w, int rc, const char *what, const char *detail)
{
    snprintf(w->error, sizeof w->error, "%.150s: %.240s", what, detail);
    return rc;
}

/* 32 octets that depend on the run's seed and a station, for its key. */
static void derive_key(uint64_t seed, uint32_t station, uint8_t out[32])
{
    uint8_t octets[32] = "airdeed-virtual-key";
    for (size_t i = 0; i < 8; i++)
        octets[20 + i] = (uint8_t)(seed >> (8 * i));
    octets[28] = (uint8_t)station;
    struct chain_hash hash;
    chain_hash_of(octets, sizeof octets, &hash);
    memcpy(out, hash.octets, 32);
}

static void describe_genesis(struct app_world *w)
{
    const struct app_scenario *sc = &w->scenario;
    struct chain_genesis *g = &w->genesis;
    memset(g, 0, sizeof *g);
    snprintf(g->name, sizeof g->name, "%.31s", sc->name);
    snprintf(g->engine, sizeof g->engine, "%.7s", sc->consensus);
    g->time_ns = epoch_ns;
    g->members.n = g->members.n_keys = sc->n_stations;
    g->n_channels = sc->n_channels;
    for (uint32_t c = 0; c < sc->n_channels; c++) {
        g->channels[c].low_hz = (uint64_t)sc->channels[c].low_hz;
        g->channels[c].high_hz = (uint64_t)sc->channels[c].high_hz;
        g->channels[c].control = c == sc->control_channel;
        g->channels[c].quiet_phase_ns = sc->quiet.phase_ns;
        g->channels[c].hop = c != sc->control_channel && app_scenario_shares(sc, c);
    }
    if (sc->hop.n_channels > 0) {
        g->hop_dwell_ns = sc->hop.dwell_ns;
        g->hop_rendezvous_every = sc->hop.rendezvous_every;
        g->hop_hold_off_ns = sc->hop.hold_off_ns;
    }
    g->quiet_period_ns = sc->quiet.period_ns;
    g->quiet_length_ns = sc->quiet.length_ns;
    g->max_skew_ns = sc->lease.max_skew_ns;
    g->transmit_expire_ns = sc->lease.transmit_expire_ns;
    g->heartbeat_ns = sc->lease.heartbeat_ns;
    g->stop_ns = sc->lease.stop_ns;
    g->grant_ns = sc->lease.grant_ns;
    g->drift_guard_ns = sc->lease.drift_guard_ns;
    g->abandon_ns = sc->lease.abandon_line ? sc->lease.abandon_ns : 2 * sc->lease.transmit_expire_ns;
    g->reuse_m = sc->lease.reuse_m;
    g->max_eirp_cdbm_mhz = (int32_t)(sc->lease.max_eirp_dbm_mhz * 100.0);
    g->local_p_fa_ppb = (uint32_t)(sc->sensing.p_fa * 1e9 + .5);
    g->fuse_min_positive = sc->sensing.min_positive;
    g->white_after = sc->sensing.white_after;
    g->fuse_plain = sc->sensing.plain;
    g->fuse_after_ns = sc->sensing.decide_after_ns;
    app_genesis_set_rules(g, &sc->rules, app_scenario_authority(sc));
    g->min_block_interval_ns = sc->engine.min_block_interval_ns;
    int64_t tail_ns = g->stop_ns + g->max_skew_ns + 2 * g->drift_guard_ns;
    g->max_ahead_ns = tail_ns < 20000000 ? tail_ns : 20000000;
    g->max_batch_bytes = 16384;
}

static int make_genesis(struct app_world *w)
{
    describe_genesis(w);
    for (uint32_t i = 0; i < w->scenario.n_stations; i++) {
        uint8_t seed[32];
        derive_key(w->seed, i, seed);
        chain_ed25519_from_seed(seed, w->genesis.members.keys[i], w->stations[i].key.secret);
    }
    struct chain_hash hash;
    const char *bad_field = "";
    if (chain_genesis_finish(&w->genesis, &hash, &bad_field) != 0) {
        snprintf(w->error, sizeof w->error, "%s: its ledger cannot start: %s is out of range", w->scenario.file, bad_field);
        return -EINVAL;
    }
    return 0;
}

static int open_air(struct app_world *w)
{
    w->n_nodes = w->scenario.n_stations + w->scenario.n_primaries + w->scenario.n_jammers;
    app_world_describe_links(w);
    struct phy_air_config cfg = {.seed = w->seed,
                                 .n_nodes = w->n_nodes,
                                 .n_channels = w->scenario.n_channels,
                                 .sample_rate_hz = w->rate_hz,
                                 .noise_dbfs = w->noise_dbfs,
                                 .carrier_offset_hz = w->carrier_hz,
                                 .links = w->links,
                                 .fading = strcmp(w->scenario.fading.kind, "none") == 0 ? NULL : w->fadings,
                                 .clock_ppm = w->clock_ppm,
                                 .max_emissions =
                                     WORLD_BURSTS + 2 * APP_MAX_PRIMARIES + WORLD_JAM_EMISSIONS * w->scenario.n_jammers};
    size_t n = w->tables ? phy_packet_air_bytes(&cfg) : phy_air_bytes(&cfg);
    const char *bad_field = "";
    w->air_memory = allocate(n);
    w->block = allocate(WORLD_BLOCK * sizeof(float complex));
    if (!w->air_memory || !w->block)
        return fail(w, -EIO, "memory", strerror(ENOMEM));
    if (w->tables) {
        w->packet_air = phy_packet_air_init(w->air_memory, &cfg);
        return 0;
    }
    if (phy_air_init(w->air_memory, n, &cfg, &w->air, &bad_field) != 0)
        return fail(w, -EINVAL, "the virtual air", bad_field);
    w->burst_cap = w->waveform->frame_samples(PHY_MAX_PSDU_BYTES, 0) + WORLD_BLOCK;
    for (size_t i = 0; i < WORLD_BURSTS; i++) {
        w->bursts[i].samples = allocate(w->burst_cap * sizeof(float complex));
        if (!w->bursts[i].samples)
            return fail(w, -EIO, "memory", strerror(ENOMEM));
    }
    return 0;
}

static const struct app_embedded_file *find_embedded(const char *stem, const char *suffix)
{
    char name[APP_MAX_TEXT + 16];
    snprintf(name, sizeof name, "%.255s%s", stem, suffix);
    for (const struct app_embedded_file *f = app_embedded_files; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

__attribute__((format(printf, 3, 4))) static int fail_recording(struct app_world *w, uint32_t primary, const char *format, ...)
{
    char why[PHY_SIGMF_MAX_ERROR];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    snprintf(w->error, sizeof w->error, "%.100s:%u: field primaries[%u].recording: %.230s", w->scenario.file,
             w->scenario.primaries[primary].recording_line, primary, why);
    return -EINVAL;
}

/* PATH.sigmf-meta or PATH.sigmf-data is there. */
static bool is_on_disk(const char *path)
{
    static const char *const suffixes[] = {".sigmf-meta", ".sigmf-data"};
    char name[2 * APP_MAX_TEXT + 16];
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        if (access(name, F_OK) == 0)
            return true;
    }
    return false;
}

/* Beside the scenario file first; then an embedded one of this name, which is all that an embedded scenario knows. */
static int open_recording(struct app_world *w, uint32_t i, struct phy_radio **out, struct phy_sigmf_meta *meta)
{
    const char *name = w->scenario.primaries[i].recording, *folder = w->scenario.folder;
    char path[2 * APP_MAX_TEXT], error[PHY_SIGMF_MAX_ERROR];
    bool absolute = name[0] == '/' || folder[0] == 0;
    snprintf(path, sizeof path, "%s%s%s", absolute ? "" : folder, absolute ? "" : "/", name);
    char *last = strrchr(path, '/'), *dot = strstr(last ? last : path, ".sigmf");
    if (dot)
        *dot = 0;
    const char *stem = last ? last + 1 : path;
    const struct app_embedded_file *head = find_embedded(stem, ".sigmf-meta"), *data = find_embedded(stem, ".sigmf-data");
    int rc;
    if (head && data && (folder[0] == 0 || !is_on_disk(path)))
        rc = phy_sigmf_open_memory(name, head->data, head->n_bytes, data->data, data->n_bytes, out, meta, error);
    else
        rc = phy_sigmf_open(path, out, meta, error);
    return rc == 0 ? 0 : fail_recording(w, i, "%s", error);
}

static long read_all(struct phy_radio *radio, float complex *out, size_t cap)
{
    size_t n = 0;
    struct phy_radio_block block;
    do {
        int rc = radio->ops->receive(radio, out + n, cap - n, 0, &block);
        if (rc != 0)
            return rc;
        n += block.n;
    } while (block.n > 0 && n < cap);
    return (long)n;
}

/* A primary user plays a recording: resampled to the channel, in a loop. */
static int prepare_loop(struct app_world *w, uint32_t i, struct phy_radio *radio, const struct phy_sigmf_meta *meta)
{
    const struct app_scenario_primary *p = &w->scenario.primaries[i];
    size_t n_in = meta->n_samples < MAX_PLAY_SAMPLES ? (size_t)meta->n_samples : MAX_PLAY_SAMPLES;
    size_t cap = phy_play_capacity(n_in, meta->sample_rate_hz, w->rate_hz);
    float complex *in = allocate(n_in * sizeof *in);
    w->primaries[i].loop = allocate(cap * sizeof *in);
    if (!in || !w->primaries[i].loop) {
        free(in);
        return fail(w, -EIO, "memory", strerror(ENOMEM));
    }
    long n_read = read_all(radio, in, n_in);
    int rc = n_read < 0 ? (int)n_read
                        : phy_play_prepare(in, (size_t)n_read, meta->sample_rate_hz, w->rate_hz, p->offset_hz,
                                           w->primaries[i].loop, cap, &w->primaries[i].n);
    free(in);
    if (rc == 0)
        return 0;
    if (rc == -ENODATA)
        return fail_recording(w, i, "%s is silent, every sample is zero", p->recording);
    return fail_recording(w, i, "%s cannot be played at %u samples/s", p->recording, w->rate_hz);
}

/* At packet fidelity what it plays is its power over time. */
static int play_runs(struct app_world *w, uint32_t i, uint64_t start, uint64_t end)
{
    enum { MAX_RUNS = 4096 };
    const struct app_scenario_primary *p = &w->scenario.primaries[i];
    if (!w->runs[i]) {
        w->runs[i] = allocate(MAX_RUNS * sizeof *w->runs[i]);
        if (!w->runs[i])
            return fail(w, -EIO, "memory", strerror(ENOMEM));
        w->n_runs[i] = phy_packet_runs(w->primaries[i].loop, w->primaries[i].n, w->runs[i], MAX_RUNS);
    }
    struct phy_packet_emission emission = {.emitter = world_primary_node(w, i),
                                           .channel = p->channel,
                                           .start_sample = start,
                                           .end_sample = end,
                                           .power = 1.0,
                                           .kind = strcmp(p->kind, "narrowband") == 0 ? PHY_INTERFERENCE_TONE
                                                   : strcmp(p->kind, "radar") == 0    ? PHY_INTERFERENCE_PULSED
                                                                                      : PHY_INTERFERENCE_OFDM,
                                           .samples = w->primaries[i].loop,
                                           .runs = w->runs[i],
                                           .n_runs = w->n_runs[i]};
    return phy_packet_air_emit(w->packet_air, &emission) ? fail(w, -EINVAL, p->name, "does not fit on the air") : 0;
}

int app_world_play(struct app_world *w, uint32_t i, uint64_t t)
{
    const struct app_scenario_primary *p = &w->scenario.primaries[i];
    struct world_primary *primary = &w->primaries[i];
    uint64_t start = primary->next_on, end = world_sample(w, p->stop_ns);
    if (start > t)
        return 0;
    primary->next_on = UINT64_MAX;
    if (p->on_ns > 0 && p->off_ns > 0) {
        int64_t n_before = (world_ns(w, start) - p->start_ns + p->off_ns) / (p->on_ns + p->off_ns);
        int64_t came_ns = p->start_ns + n_before * (p->on_ns + p->off_ns), next_ns = came_ns + p->on_ns + p->off_ns;
        if (came_ns + p->on_ns < p->stop_ns)
            end = world_sample(w, came_ns + p->on_ns);
        if (next_ns < p->stop_ns)
            primary->next_on = world_sample(w, next_ns);
    }
    if (w->packet_air) {
        if (t < UINT64_MAX - 1)
            phy_packet_air_forget(w->packet_air, t);
        return play_runs(w, i, start, end);
    }
    if (t < UINT64_MAX - 1)
        phy_air_forget(w->air, t);
    /* a loop counts from sample 0 of the air; a radar's turn begins when it comes, as at packet fidelity */
    size_t phase = strcmp(p->kind, "radar") == 0 ? primary->n - (size_t)(start % primary->n) : 0;
    long id = phy_air_emit_loop(w->air, world_primary_node(w, i), p->channel, start, end, primary->loop, primary->n, phase, 1.0f);
    return id < 0 ? fail(w, -EINVAL, p->name, "does not fit on the air") : 0;
}

static int open_primary(struct app_world *w, uint32_t i)
{
    const struct app_scenario_primary *p = &w->scenario.primaries[i];
    struct phy_radio *radio;
    struct phy_sigmf_meta meta;
    w->primaries[i].next_on = UINT64_MAX;
    if (p->start_ns >= p->stop_ns)
        return 0; /* the run ends before it appears */
    int rc;
    if (strcmp(p->kind, "recording") != 0) {
        rc = app_world_synthesise(w, i);
    } else {
        rc = open_recording(w, i, &radio, &meta);
        if (rc != 0)
            return rc;
        rc = prepare_loop(w, i, radio, &meta);
        radio->ops->close(radio);
    }
    if (rc != 0)
        return rc;
    w->primaries[i].next_on = world_sample(w, p->start_ns);
    return p->on_ns > 0 && p->off_ns > 0 ? 0 : app_world_play(w, i, UINT64_MAX - 1);
}

static void describe_traffic(const struct app_world *w, uint32_t station, struct app_station_traffic *out)
{
    for (uint32_t i = 0; i < w->scenario.n_traffic; i++) {
        const struct app_scenario_traffic *t = &w->scenario.traffic[i];
        if (t->from != station)
            continue;
        *out = (struct app_station_traffic){.start_ns = t->start_ns,
                                            .stop_ns = t->stop_ns,
                                            .interval_ns = t->interval_ns,
                                            .to = t->to,
                                            .payload_bytes = t->payload_bytes,
                                            .n_wanted = t->n_wanted};
        memcpy(out->wanted, t->wanted, sizeof t->wanted);
    }
}

static struct mac_profile describe_profile(const struct app_world *w)
{
    struct mac_profile profile;
    char why[APP_YAML_MAX_WHY];
    int rc = app_scenario_profile(&w->scenario, &profile, why);
    assert(rc == 0); /* a scenario that was loaded has one that holds */
    (void)rc;
    return profile;
}

static struct app_station_config describe_station(struct app_world *w, uint32_t i)
{
    const struct app_scenario *sc = &w->scenario;
    struct app_station_config cfg = {
        .seed = w->seed,
        .id = i,
        .genesis = &w->genesis,
        .waveform = w->waveform,
        .packet = w->tables,
        .sample_rate_hz = w->rate_hz,
        .noise_dbfs = sc->noise_dbfs,
        .profile = describe_profile(w),
        .vote_slots = sc->mac.vote_slots,
        .repair = sc->mac.repair,
        .responses = sc->responses,
        .retune_ns = sc->hop.n_channels > 0 ? sc->hop.retune_ns : 0,
        .cca_ns = APP_SCENARIO_CCA_NS,
        .reassembly_ns = 200000000,
        .jam_window_ns = 250000000,
        .clock_offset_ns = sc->stations[i].clock_offset_ns,
        .settle_from_ns = sc->duration_ns - sc->settle_ns,
        .x_cm = (int32_t)(sc->stations[i].x_m * 100),
        .y_cm = (int32_t)(sc->stations[i].y_m * 100),
        .processing = {sc->processing.verify_ns, sc->processing.sign_ns, sc->processing.execute_ns, sc->processing.persist_ns},
        .node = {.seed = w->seed,
                 .self = i,
                 .genesis = &w->genesis,
                 .signer = chain_signer_ed25519(&w->stations[i].key),
                 .engine = chain_engine_find(sc->consensus),
                 .overheard = sc->mac.vote_slots,
                 .engine_heartbeat_ns = sc->engine.heartbeat_ns,
                 .engine_timeout_ns = sc->engine.timeout_ns,
                 .engine_timeout_max_ns = sc->engine.timeout_max_ns,
                 .gossip_ns = sc->engine.gossip_ns,
                 .status_ns = sc->engine.status_ns,
                 .propose_delay_ns = sc->engine.propose_delay_ns,
                 .mempool_txs = 256,
                 .read_block = chain_store_read_block, .read_snapshot = chain_store_read_part,
                 .read_epoch = chain_store_read_epoch,
                 .read_block_ctx = w->stations[i].store}};
    snprintf(cfg.call_sign, sizeof cfg.call_sign, "%.31s", sc->stations[i].name);
    describe_traffic(w, i, &cfg.traffic);
    cfg.copied = app_scenario_copied(sc, i);
    cfg.copies = cfg.copied < sc->n_stations;
    return cfg;
}

static int open_store(struct app_world *w, uint32_t i, const char *folder)
{
    char path[640], error[CHAIN_STORE_MAX_ERROR];
    snprintf(path, sizeof path, "%.550s/ledger-%.31s.db", folder, w->scenario.stations[i].name);
    struct chain_store_owner owner = {i, w->scenario.stations[i].name};
    if (chain_store_open(path, &w->genesis, &owner, CHAIN_STORE_SYNC_OFF, &w->stations[i].store, error) == 0)
        return 0;
    w->stations[i].store = NULL;
    return fail(w, -EIO, "ledger database", error);
}

static int open_station(struct app_world *w, uint32_t i, const char *folder)
{
    struct world_station *ws = &w->stations[i];
    int rc = open_store(w, i, folder);
    if (rc != 0)
        return rc;
    struct app_station_config cfg = describe_station(w, i);
    const char *bad_field = "";
    size_t n = app_station_bytes(&cfg);
    ws->memory = allocate(n);
    if (!ws->memory)
        return fail(w, -EIO, "memory", strerror(ENOMEM));
    if (app_station_init(ws->memory, n, &cfg, &ws->station, &bad_field) == 0)
        return 0;
    ws->station = NULL;
    snprintf(w->error, sizeof w->error, "%.150s: station %.31s cannot work like this: %.80s is out of range", w->scenario.file,
             w->scenario.stations[i].name, bad_field);
    return -EINVAL;
}

/* What a shortened run does not reach is not part of it. */
static void normalise(struct app_scenario *sc)
{
    uint32_t n_jammers = 0;
    for (uint32_t i = 0; i < sc->n_jammers; i++)
        if (sc->jammers[i].start_ns < sc->duration_ns)
            sc->jammers[n_jammers++] = sc->jammers[i];
    sc->n_jammers = n_jammers;
    for (uint32_t i = 0; i < sc->n_jammers; i++)
        if (sc->jammers[i].stop_ns == 0 || sc->jammers[i].stop_ns > sc->duration_ns)
            sc->jammers[i].stop_ns = sc->duration_ns;
    for (uint32_t i = 0; i < sc->n_primaries; i++)
        if (sc->primaries[i].stop_ns == 0 || sc->primaries[i].stop_ns > sc->duration_ns)
            sc->primaries[i].stop_ns = sc->duration_ns;
    for (uint32_t i = 0; i < sc->n_traffic; i++)
        if (sc->traffic[i].stop_ns == 0)
            sc->traffic[i].stop_ns = sc->duration_ns;
}

static int load_tables(struct app_world *w)
{
    const struct app_scenario *sc = &w->scenario;
    char path[2 * APP_MAX_TEXT] = "", error[APP_TABLES_MAX_ERROR];
    uint32_t rate_hz = 0;
    if (*sc->tables)
        snprintf(path, sizeof path, "%s%s%s", sc->tables[0] == '/' ? "" : sc->folder, sc->tables[0] == '/' || !*sc->folder ? "" : "/",
                 sc->tables);
    w->tables = allocate(sizeof *w->tables);
    if (!w->tables)
        return fail(w, -EIO, "memory", strerror(ENOMEM));
    if (app_tables_load(path, sc->waveform, w->tables, &rate_hz, error) != 0)
        return fail(w, -EINVAL, sc->file, error);
    if ((rate_hz > APP_WIDE_SEARCH_HZ) != (sc->sample_rate_hz > APP_WIDE_SEARCH_HZ))
        return fail(w, -EINVAL, sc->file, "field tables: they were measured at 2 Msps or below, where the receiver searches further");
    if (strcmp(w->tables->waveform, sc->waveform) != 0)
        return fail(w, -EINVAL, sc->file, "field tables: they were measured for another waveform");
    return 0;
}

int app_world_open(struct app_world *w, const char *folder)
{
    normalise(&w->scenario);
    w->rate_hz = w->scenario.sample_rate_hz;
    w->waveform = phy_waveform_find(w->scenario.waveform);
    if (!w->waveform)
        return fail(w, -EINVAL, w->scenario.file, "unknown waveform");
    int rc = app_scenario_is_packet(&w->scenario) ? load_tables(w) : 0;
    if (rc == 0)
        rc = make_genesis(w);
    if (rc == 0)
        rc = open_air(w);
    for (uint32_t i = 0; i < w->scenario.n_primaries && rc == 0; i++)
        rc = open_primary(w, i);
    if (rc == 0)
        rc = app_world_open_front_ends(w);
    for (uint32_t i = 0; i < w->scenario.n_jammers && rc == 0; i++)
        rc = app_world_open_jammer(w, i);
    for (uint32_t i = 0; i < w->scenario.n_stations && rc == 0; i++)
        rc = open_station(w, i, folder);
    return rc;
}

void app_world_close(struct app_world *w)
{
    for (uint32_t i = 0; i < w->scenario.n_stations; i++) {
        struct world_station *ws = &w->stations[i];
        if (ws->store)
            chain_store_close(ws->store);
        if (ws->station)
            app_station_close(ws->station);
        free(ws->memory);
        ws->store = NULL;
        ws->station = NULL;
        ws->memory = NULL;
    }
    for (uint32_t i = 0; i < APP_MAX_STATIONS; i++)
        for (uint32_t c = 0; c < APP_MAX_CHANNELS; c++)
            free(w->front_ends[i][c]);
    for (uint32_t i = 0; i < APP_MAX_JAMMERS; i++) {
        for (size_t k = 0; k < WORLD_JAM_BURSTS; k++)
            free(w->jammers[i].bursts[k]);
        free(w->jammers[i].prepared);
        free(w->jammers[i].memory);
    }
    for (uint32_t i = 0; i < APP_MAX_PRIMARIES; i++) {
        free(w->primaries[i].loop);
        free(w->runs[i]);
    }
    free(w->tables);
    for (size_t i = 0; i < WORLD_BURSTS; i++)
        free(w->bursts[i].samples);
    free(w->block);
    free(w->air_memory);
}
