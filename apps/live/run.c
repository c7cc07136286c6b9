/* airdeed station: opens everything in the order in which it may fail harmlessly, then turns the loop. */
#include "apps/live/live.h"
#include "apps/node_open.h"
#include "apps/options.h"
#include "apps/radio_options.h"

#include "phy/sensing/floor.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ALIGN = 64 };
static const int64_t wait_ns = 100000000;       /* for samples, before signals and clients are looked at again */
static const int64_t door_every_ns = 10000000;
static const int64_t measure_ns = 100000000;    /* of samples, for the noise floor */
static const int64_t tell_waiting_ns = 1250000000; /* a device that is silent for 1 s is first asked whether it is there */
static const int64_t least_jam_window_ns = 250000000;

static int64_t read_clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t app_live_wall_ns(void)
{
    return read_clock_ns(CLOCK_REALTIME);
}

static void read_clocks(struct app_radio_clocks *out)
{
    out->monotonic_ns = read_clock_ns(CLOCK_MONOTONIC);
    out->wall_ns = read_clock_ns(CLOCK_REALTIME);
}

static int open_radio(struct app_live *live)
{
    const struct app_live_config *c = live->config;
    char error[APP_NODE_MAX_ERROR];
    _Static_assert((int)APP_NODE_MAX_ERROR >= (int)PHY_RADIO_MAX_ERROR, "either's error fits");
    live->waveform = phy_waveform_find(c->waveform);
    if (!live->waveform) {
        app_node_log(&live->log, "waveform %s: there is none of this name in this build", c->waveform);
        return APP_BAD_USAGE;
    }
    struct phy_radio_config cfg = c->radio;
    cfg.transmit = live->options->transmit || !app_live_radiates(c);
    app_radio_quiet_libraries();
    int err = phy_radio_open(c->uri, &cfg, &live->radio, error);
    if (err) {
        live->radio = NULL;
        app_node_log(&live->log, "radio: %s", error);
        return app_node_code_of(err);
    }
    uint64_t lead = live->radio->ops->lead_samples ? live->radio->ops->lead_samples(live->radio) : 0;
    if (live->radio->sample_rate_hz != c->radio.sample_rate_hz) {
        app_node_log(&live->log, "radio: it runs at %u samples/s where %u were asked for", (unsigned)live->radio->sample_rate_hz,
                     (unsigned)c->radio.sample_rate_hz);
        return APP_BAD_USAGE;
    }
    if (app_live_profile(c, live->waveform, lead, &live->profile, error) != 0) {
        app_node_log(&live->log, "%s", error);
        return APP_BAD_USAGE;
    }
    if (!cfg.transmit)
        app_node_log(&live->log, "transmission is off: without --tx this station only listens");
    else if (app_live_radiates(c) && c->band_high_hz == 0)
        app_node_log(&live->log, "transmission is off: the file names no band that may be used (transmit)");
    return 0;
}

/* The first samples say that there is a radio, when that was, and how loud its noise is. */
struct first_samples {
    float complex *block;
    struct phy_floor floor;
    uint64_t n;
};

static int take_first(struct app_live *live, struct first_samples *f)
{
    struct phy_radio_block block;
    int64_t begin_ns = read_clock_ns(CLOCK_MONOTONIC);
    bool told = false, measure = isnan(live->config->noise_dbfs);
    uint64_t n_wanted = measure ? (uint64_t)((double)live->radio->sample_rate_hz * (double)measure_ns * 1e-9) : 1;
    while (f->n < n_wanted && !app_node_asked_to_stop(live->signal_fd)) {
        int rc = live->radio->ops->receive(live->radio, f->block, app_live_block_samples(live->config), wait_ns, &block);
        if (rc == -EAGAIN && !told && read_clock_ns(CLOCK_MONOTONIC) - begin_ns > tell_waiting_ns) {
            told = true;
            app_node_log(&live->log, "waiting for the first samples of %s", live->config->uri);
        }
        if (rc == -EAGAIN)
            continue;
        if (rc != 0) {
            const char *text = live->radio->ops->last_error ? live->radio->ops->last_error(live->radio) : "";
            app_node_log(&live->log, "stopped: the radio %s: %s", rc == -ENODEV ? "is gone" : "failed", *text ? text : strerror(-rc));
            return APP_SYSTEM_FAILED;
        }
        phy_floor_push(&f->floor, f->block, block.n);
        f->n += block.n;
        live->next_sample = block.start_sample + block.n;
    }
    return f->n < n_wanted ? -EINTR : 0;
}

static void read_noise(struct app_live *live, const struct phy_floor *floor)
{
    struct phy_floor_estimate estimate;
    phy_floor_estimate(floor, &estimate);
    live->noise_dbfs = live->config->noise_dbfs;
    if (!isnan(live->noise_dbfs))
        return;
    live->noise_dbfs = estimate.power > 1e-15 ? 10 * log10(estimate.power) : -150;
    app_node_log(&live->log, "noise floor: %.1f dBFS, measured over %lld ms", live->noise_dbfs, (long long)(measure_ns / 1000000));
}

static int set_clock(struct app_live *live)
{
    char error[APP_NODE_MAX_ERROR];
    struct app_live_clock_config cfg = {.time = live->config->time,
                                        .genesis_ns = live->config->node.cluster.genesis.time_ns,
                                        .sample_rate_hz = live->radio->sample_rate_hz,
                                        .next_sample = live->next_sample,
                                        .wall_ns = app_live_wall_ns()};
    int err = app_live_clock_set(&cfg, &live->clock, error);
    if (!err)
        return 0;
    app_node_log(&live->log, "%s", error);
    return err == -EINVAL ? APP_BAD_USAGE : APP_SYSTEM_FAILED;
}

/* 0, an exit code, or -EINTR: a signal came first */
static int begin_samples(struct app_live *live)
{
    struct first_samples *f = calloc(1, sizeof *f);
    if (!f || !(f->block = malloc(app_live_block_samples(live->config) * sizeof *f->block))) {
        free(f);
        app_node_log(&live->log, "not enough memory");
        return APP_SYSTEM_FAILED;
    }
    phy_floor_init(&f->floor);
    int code = take_first(live, f);
    if (!code) {
        read_noise(live, &f->floor);
        code = set_clock(live);
    }
    free(f->block);
    free(f);
    return code;
}

static int64_t samples_ns(const struct app_live *live, uint64_t n)
{
    return (int64_t)(n * 1000000000u / live->radio->sample_rate_hz);
}

static struct chain_node_config describe_node(struct app_live *live)
{
    const struct app_node_config *own = &live->config->node;
    const struct app_node_cluster *cluster = &own->cluster;
    return (struct chain_node_config){.self = own->self,
                                      .trust_disk = own->trust_disk,
                                      .genesis = &cluster->genesis,
                                      .signer = chain_signer_ed25519(&live->signing_key),
                                      .engine = chain_engine_find(cluster->genesis.engine),
                                      .engine_heartbeat_ns = cluster->heartbeat_ns,
                                      .engine_timeout_ns = cluster->timeout_ns,
                                      .engine_timeout_max_ns = cluster->timeout_max_ns,
                                      .gossip_ns = cluster->gossip_ns,
                                      .status_ns = cluster->status_ns,
                                      .propose_delay_ns = cluster->propose_delay_ns,
                                      .mempool_txs = cluster->mempool_txs,
                                      .read_block = chain_store_read_block, .read_snapshot = chain_store_read_part,
                                      .read_epoch = chain_store_read_epoch,
                                      .read_block_ctx = live->store};
}

static struct app_station_config describe_station(struct app_live *live)
{
    const struct app_live_config *c = live->config;
    const struct chain_genesis *genesis = &c->node.cluster.genesis;
    int64_t many_slots_ns = 64 * live->profile.slot_ns;
    struct app_station_config cfg = {
        .id = c->node.self,
        .genesis = genesis,
        .node = describe_node(live),
        .waveform = live->waveform,
        .sample_rate_hz = live->radio->sample_rate_hz,
        .first_sample = live->clock.first_sample + live->next_sample,
        .noise_dbfs = live->noise_dbfs,
        .profile = live->profile,
        .cca_ns = samples_ns(live, app_live_cca_samples(live->radio->sample_rate_hz)),
        .reassembly_ns = live->profile.lifetime_ns,
        .jam_window_ns = many_slots_ns > least_jam_window_ns ? many_slots_ns : least_jam_window_ns,
        .clock_offset_ns = live->clock.unix_ns - genesis->time_ns,
        .settle_from_ns = INT64_MAX,
        .settle_from_height = live->options->n_blocks,
        .x_cm = (int32_t)(c->x_m * 100),
        .y_cm = (int32_t)(c->y_m * 100),
        /* the disk's answer falls into a later turn than the rows; what the processor takes it takes */
        .processing = {.persist_ns = samples_ns(live, app_live_block_samples(c)) + 1}};
    /* nobody may foresee a live station's timeouts, slots and salts */
    randombytes_buf(&cfg.seed, sizeof cfg.seed);
    randombytes_buf(&cfg.node.seed, sizeof cfg.node.seed);
    randombytes_buf(&cfg.boot, sizeof cfg.boot);
    cfg.boot |= 1; /* it may have run before */
    snprintf(cfg.call_sign, sizeof cfg.call_sign, "%.31s", c->node.member);
    return cfg;
}

static int open_station(struct app_live *live)
{
    memcpy(live->signing_key.secret, live->config->node.key.ledger_secret, CHAIN_SECRET_BYTES);
    struct app_station_config cfg = describe_station(live);
    const char *bad = "memory";
    size_t n = (app_station_bytes(&cfg) + ALIGN - 1) / ALIGN * ALIGN;
    live->station_memory = aligned_alloc(ALIGN, n);
    if (!live->station_memory || app_station_init(live->station_memory, n, &cfg, &live->station, &bad) != 0) {
        live->station = NULL;
        app_node_log(&live->log, "the station does not start with this %s", bad);
        return live->station_memory ? APP_BAD_USAGE : APP_SYSTEM_FAILED;
    }
    char error[CHAIN_STORE_MAX_ERROR];
    int64_t block_ns = live->clock.unix_ns + app_live_loop_now_ns(&live->loop);
    int err = chain_store_restore(live->store, app_station_node(live->station), block_ns, error);
    if (!err)
        return 0;
    app_node_log(&live->log, "%s", error);
    return app_node_code_of(err);
}

static int open_loop(struct app_live *live)
{
    const struct app_live_config *c = live->config;
    struct app_live_loop_config cfg = {.radio = live->radio,
                                       .store = live->store,
                                       .genesis = &c->node.cluster.genesis,
                                       .control = app_live_control(c),
                                       .first_sample = live->clock.first_sample,
                                       .next_sample = live->next_sample,
                                       .block_samples = app_live_block_samples(c),
                                       .cca_samples = app_live_cca_samples(live->radio->sample_rate_hz),
                                       .silence_ns = live->profile.turnaround_ns - samples_ns(live, APP_LIVE_DECODE_SAMPLES),
                                       .tx_dbfs = c->tx_dbfs,
                                       .radiates = app_live_radiates(c),
                                       .limits = app_radio_limits_default(),
                                       .clocks = read_clocks};
    cfg.limits.transmit = live->options->transmit;
    cfg.limits.band_low_hz = c->band_low_hz;
    cfg.limits.band_high_hz = c->band_high_hz;
    cfg.limits.max_burst_ns = c->max_burst_ns;
    cfg.limits.duty_on_ns = (int64_t)((double)cfg.limits.duty_window_ns * c->duty);
    app_live_describe_hooks(live, &cfg.hooks);
    if (app_live_loop_open(&live->loop, &cfg) != 0) {
        app_node_log(&live->log, "not enough memory");
        return APP_SYSTEM_FAILED;
    }
    live->begin_ns = app_live_loop_now_ns(&live->loop);
    int code = open_station(live);
    live->loop.cfg.station = live->station;
    return code;
}

static int open_capture(struct app_live *live)
{
    const char *path = live->options->pcapng, *name = live->config->node.member;
    if (!path)
        return 0;
    int err = app_pcapng_open(path, &name, 1, &live->pcap);
    if (!err)
        return 0;
    live->pcap = NULL;
    app_node_log(&live->log, "%s: cannot write: %s", path, strerror(-err));
    return app_node_code_of(err);
}

/* 0, an exit code, or -EINTR */
static int open_all(struct app_live *live)
{
    int err = app_node_open_signals(&live->signal_fd); /* before any thread starts */
    if (err) {
        app_node_log(&live->log, "signals: %s", strerror(-err));
        return APP_SYSTEM_FAILED;
    }
    int code = app_node_open_store(&live->config->node, &live->log, &live->store);
    if (!code)
        code = open_capture(live);
    if (!code)
        code = open_radio(live);
    if (!code)
        code = begin_samples(live);
    if (!code)
        code = open_loop(live);
    if (!code && app_live_clock_watch_open(&live->watch, live->config->time) != 0) {
        app_node_log(&live->log, "time %s: cannot be watched", live->config->time);
        code = APP_SYSTEM_FAILED;
    }
    return code ? code : app_live_door_open(live);
}

/* The radio first: whatever it was sending ends here. */
static int close_all(struct app_live *live)
{
    int code = 0;
    if (live->radio)
        live->radio->ops->close(live->radio);
    app_live_door_close(live);
    app_live_clock_watch_close(&live->watch);
    app_live_loop_close(&live->loop);
    if (live->station)
        app_station_close(live->station);
    if (live->store)
        chain_store_close(live->store);
    if (live->pcap && app_pcapng_close(live->pcap) != 0) {
        app_node_log(&live->log, "%s: cannot write all of it", live->options->pcapng);
        code = APP_SYSTEM_FAILED;
    }
    if (live->signal_fd >= 0)
        close(live->signal_fd);
    sodium_memzero(&live->signing_key, sizeof live->signing_key);
    free(live->station_memory);
    return code;
}

static bool is_done(const struct app_live *live)
{
    int64_t duration_ns = live->options->duration_ns;
    return duration_ns && app_live_loop_now_ns(&live->loop) - live->begin_ns >= duration_ns;
}

/* An air that went on without this station: what its stream lacks becomes a gap at the next block. */
static void watch_clock(struct app_live *live)
{
    struct app_live_clock said;
    if (app_live_clock_watch_look(&live->watch, &said) != 1 || said.first_sample <= live->loop.cfg.first_sample)
        return;
    app_node_log(&live->log, "the air went on without this station for %" PRIu64 " samples",
                 said.first_sample - live->loop.cfg.first_sample);
    live->loop.cfg.first_sample = said.first_sample;
}

/* An air that stands still, or is gone: said once, and again when samples come. */
static void watch_samples(struct app_live *live, bool came, int64_t now_ns)
{
    if (came && live->waiting)
        app_node_log(&live->log, "samples come again, after %.1f s", (double)(now_ns - live->sampled_ns) * 1e-9);
    if (came) {
        live->waiting = false;
        live->sampled_ns = now_ns;
    } else if (!live->waiting && now_ns - live->sampled_ns > tell_waiting_ns) {
        live->waiting = true;
        app_node_log(&live->log, "waiting for samples of %s", live->config->uri);
    }
}

/* 0: asked to stop, or the duration is over; else an exit code */
static int turn_loop(struct app_live *live)
{
    int64_t look_ns = 0;
    live->sampled_ns = read_clock_ns(CLOCK_MONOTONIC);
    while (!is_done(live)) {
        uint64_t from = live->loop.now;
        if (app_live_loop_turn(&live->loop, wait_ns) != 0) {
            app_node_log(&live->log, "stopped: %s", live->loop.error);
            return APP_SYSTEM_FAILED;
        }
        int64_t now_ns = read_clock_ns(CLOCK_MONOTONIC);
        watch_samples(live, live->loop.now != from, now_ns);
        if (now_ns < look_ns)
            continue;
        look_ns = now_ns + door_every_ns;
        char error[CHAIN_STORE_MAX_ERROR];
        if (chain_store_work(live->store, error) < 0) {
            app_node_log(&live->log, "stopped: %s", error);
            return APP_SYSTEM_FAILED;
        }
        int code = app_live_door_serve(live);
        if (code)
            return code;
        app_live_report(live);
        watch_clock(live);
        if (app_node_asked_to_stop(live->signal_fd))
            break;
    }
    return 0;
}

int app_live_run(const struct app_live_config *config, const struct app_live_options *options)
{
    struct app_live *live = calloc(1, sizeof *live);
    if (!live) {
        fprintf(stderr, "airdeed station: not enough memory\n");
        return APP_SYSTEM_FAILED;
    }
    live->config = config;
    live->options = options;
    live->signal_fd = -1;
    live->begin_wall_ns = app_live_wall_ns();
    app_node_log_init(&live->log, &config->node.cluster, config->node.self);
    int code = open_all(live);
    if (!code) {
        code = turn_loop(live);
        if (!code)
            app_live_summary(live);
    }
    if (code == -EINTR)
        code = APP_OK;
    int close_code = close_all(live);
    free(live);
    return code ? code : close_code;
}
