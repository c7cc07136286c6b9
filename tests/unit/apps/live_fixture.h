/* Stations on radios that live in memory: each hears the sum of what the others sent, sample by sample. A radio refuses what comes
 * after the silence that it was promised, as a stream back end has to, and can be told to misbehave. */
#ifndef TESTS_UNIT_APPS_LIVE_FIXTURE_H
#define TESTS_UNIT_APPS_LIVE_FIXTURE_H

#include "apps/live/loop.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LIVE_RATE = 1000000, LIVE_MAX = 4, LIVE_BURSTS = 4096, LIVE_CCA = 32, LIVE_LEAD = 512 };
static const int64_t live_turnaround_ns = 1200000;

struct live_burst {
    uint32_t from;
    uint64_t start;
    size_t n;
    float complex *samples;
};

struct live_air;

struct live_radio {
    struct phy_radio radio; /* first */
    struct live_air *air;
    uint32_t index;
    uint64_t next;          /* sample that receive gives next */
    uint64_t promised;      /* silence up to here */
    bool hears_itself, is_gone, refuses_responses, goes_back;
    bool loses_responses;   /* takes them, then says that they were late at the device */
    uint64_t late_at, n_late_told; /* sample of a report that waits; 0 none */
    uint64_t lose_at, n_lose;
    uint64_t n_late, n_taken;
};

struct live_station {
    struct live_radio radio;
    struct chain_ed25519 key;
    struct app_station_config cfg;
    struct app_station *station;
    void *memory;
    struct app_live_loop loop;
    uint64_t n_fcs_ok, n_events;
};

struct live_air {
    uint32_t n;
    struct chain_genesis genesis;
    struct live_burst bursts[LIVE_BURSTS];
    size_t n_bursts;
    struct live_station stations[LIVE_MAX];
    struct app_radio_clocks clocks; /* what the loops read */
};

static struct live_air live;
static const char *live_waveform = "flex";

static inline int live_receive(struct phy_radio *r, float complex *out, size_t cap, int64_t timeout_ns, struct phy_radio_block *block)
{
    struct live_radio *radio = (struct live_radio *)r;
    (void)timeout_ns;
    *block = (struct phy_radio_block){0};
    if (radio->is_gone)
        return -ENODEV;
    if (radio->n_lose && radio->next >= radio->lose_at) {
        block->n_lost = radio->n_lose;
        radio->next += radio->n_lose;
        radio->n_lose = 0;
    }
    block->start_sample = radio->goes_back ? 0 : radio->next;
    block->n = cap;
    memset(out, 0, cap * sizeof *out);
    for (size_t i = 0; i < radio->air->n_bursts; i++) {
        const struct live_burst *b = &radio->air->bursts[i];
        if (b->from == radio->index && !radio->hears_itself)
            continue;
        uint64_t from = b->start > radio->next ? b->start : radio->next;
        uint64_t to = b->start + b->n < radio->next + cap ? b->start + b->n : radio->next + cap;
        for (uint64_t s = from; s < to; s++)
            out[s - radio->next] += b->samples[s - b->start];
    }
    radio->next += cap;
    return 0;
}

static inline int live_transmit(struct phy_radio *r, uint64_t start, const float complex *samples, size_t n)
{
    struct live_radio *radio = (struct live_radio *)r;
    struct live_air *air = radio->air;
    /* an ACK is the one frame of 14 octets: nothing else is as short */
    bool is_ack = n <= phy_waveform_find(live_waveform)->frame_samples(14, 0);
    if (start < radio->promised || start < radio->next || (radio->refuses_responses && is_ack)) {
        radio->n_late++;
        return -ETIME;
    }
    if (radio->loses_responses && is_ack) {
        radio->late_at = start + 3;
        radio->n_late_told++;
        return 0;
    }
    ck_assert_uint_lt(air->n_bursts, LIVE_BURSTS);
    struct live_burst *b = &air->bursts[air->n_bursts++];
    *b = (struct live_burst){.from = radio->index, .start = start, .n = n, .samples = malloc(n * sizeof *samples)};
    memcpy(b->samples, samples, n * sizeof *samples);
    radio->n_taken++;
    return 0;
}

static inline int live_idle_until(struct phy_radio *r, uint64_t sample)
{
    struct live_radio *radio = (struct live_radio *)r;
    ck_assert_uint_ge(sample, radio->promised);
    radio->promised = sample;
    return 0;
}

static inline int live_report(struct phy_radio *r, struct phy_radio_report *out)
{
    struct live_radio *radio = (struct live_radio *)r;
    if (radio->late_at == 0 || radio->late_at > radio->next)
        return 0;
    *out = (struct phy_radio_report){PHY_RADIO_LATE, radio->late_at};
    radio->late_at = 0;
    return 1;
}

static inline uint64_t live_lead(const struct phy_radio *r)
{
    (void)r;
    return LIVE_LEAD;
}

static inline const char *live_error(const struct phy_radio *r)
{
    return ((const struct live_radio *)r)->is_gone ? "memory: the device vanished" : "";
}

static inline void live_clocks(struct app_radio_clocks *out)
{
    *out = live.clocks;
}

static inline void live_heard(void *ctx, const struct app_station_received *frame)
{
    ((struct live_station *)ctx)->n_fcs_ok += frame->frame.fcs_ok;
}

static inline void live_event(void *ctx, const struct chain_ledger_event *event)
{
    (void)event;
    ((struct live_station *)ctx)->n_events++;
}

static inline void live_make_genesis(uint32_t n, const char *engine, uint32_t n_channels)
{
    struct chain_genesis *g = &live.genesis;
    *g = (struct chain_genesis){.name = "live", .time_ns = 1577836800000000000, .n_channels = n_channels, .quiet_period_ns = 400000000,
                                .quiet_length_ns = 14000000, .max_skew_ns = 1000000, .transmit_expire_ns = 2400000000,
                                .heartbeat_ns = 600000000, .stop_ns = 600000000, .grant_ns = 36000000000, .drift_guard_ns = 1000000,
                                .max_eirp_cdbm_mhz = 2000, .local_p_fa_ppb = 100000, .fuse_min_positive = 1, .white_after = 1,
                                .fuse_after_ns = 200000000, .min_block_interval_ns = 10000000, .max_ahead_ns = 200000000,
                                .max_batch_bytes = 16384};
    strcpy(g->engine, engine);
    g->channels[0] = (struct chain_channel){.low_hz = 5180000000, .high_hz = 5190000000, .control = true};
    g->channels[1] = (struct chain_channel){.low_hz = 5190000000, .high_hz = 5200000000}; /* the radio never hears it */
    g->members.n = g->members.n_keys = n;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1)};
        chain_ed25519_from_seed(seed, g->members.keys[i], live.stations[i].key.secret);
    }
    const char *bad;
    ck_assert_int_eq(chain_genesis_finish(g, NULL, &bad), 0);
}

static inline struct mac_profile live_profile(void)
{
    struct mac_host_timing timing = {.turnaround_ns = live_turnaround_ns, .cca_delay_ns = 150000, .rx_start_delay_ns = 400000,
                                     .ack_ns = 1500000};
    struct mac_profile profile;
    const char *why;
    ck_assert_int_eq(mac_profile_host(&timing, &profile, &why), 0);
    return profile;
}

static inline void live_open_station(uint32_t i, size_t block)
{
    static const struct phy_radio_ops ops = {.name = "memory", .receive = live_receive, .transmit = live_transmit,
                                             .idle_until = live_idle_until, .lead_samples = live_lead, .report = live_report, .last_error = live_error};
    struct live_station *s = &live.stations[i];
    s->radio = (struct live_radio){.radio = {&ops, LIVE_RATE, 5185e6}, .air = &live, .index = i};
    s->cfg = (struct app_station_config){
        .seed = 7 + i, .id = i, .genesis = &live.genesis, .waveform = phy_waveform_find(live_waveform), .sample_rate_hz = LIVE_RATE,
        .noise_dbfs = -60, .profile = live_profile(), .cca_ns = LIVE_CCA * 1000, .reassembly_ns = 1000000000,
        .jam_window_ns = 1000000000, .settle_from_ns = INT64_MAX, .call_sign = "live",
        .processing = {.persist_ns = 600000}, /* longer than any block in here */
        .node = {.seed = 3 + i, .self = i, .genesis = &live.genesis, .signer = chain_signer_ed25519(&s->key),
                 .engine = chain_engine_find(live.genesis.engine), .engine_heartbeat_ns = 150000000, .engine_timeout_ns = 600000000,
                 .engine_timeout_max_ns = 6000000000, .gossip_ns = 400000000, .status_ns = 500000000, .propose_delay_ns = 5000000,
                 .mempool_txs = 64}};
    size_t n = (app_station_bytes(&s->cfg) + 63) / 64 * 64;
    const char *bad;
    s->memory = aligned_alloc(64, n);
    ck_assert_int_eq(app_station_init(s->memory, n, &s->cfg, &s->station, &bad), 0);
    struct app_live_loop_config cfg = {.radio = &s->radio.radio, .station = s->station, .genesis = &live.genesis, .block_samples = block,
                                       .cca_samples = LIVE_CCA, .silence_ns = live_turnaround_ns - 80000, .tx_dbfs = -20,
                                       .clocks = live_clocks,
                                       .hooks = {.ctx = s, .heard = live_heard, .ledger_event = live_event}};
    ck_assert_int_eq(app_live_loop_open(&s->loop, &cfg), 0);
}

static inline void live_open_channels(uint32_t n, const char *engine, size_t block, uint32_t n_channels)
{
    memset(&live, 0, sizeof live);
    live.n = n;
    live_make_genesis(n, engine, n_channels);
    for (uint32_t i = 0; i < n; i++)
        live_open_station(i, block);
}

static inline void live_open(uint32_t n, const char *engine, size_t block)
{
    live_open_channels(n, engine, block, 1);
}

/* The one that is furthest behind turns, until all have that many samples; the first error ends it. */
static inline int live_run(uint64_t until)
{
    for (;;) {
        uint32_t last = 0;
        for (uint32_t i = 1; i < live.n; i++)
            if (live.stations[i].loop.now < live.stations[last].loop.now)
                last = i;
        if (live.stations[last].loop.now >= until)
            return 0;
        int rc = app_live_loop_turn(&live.stations[last].loop, 0);
        if (rc != 0)
            return rc;
    }
}

static inline uint64_t live_height(uint32_t i)
{
    struct chain_node_stats stats;
    chain_node_stats(app_station_node(live.stations[i].station), &stats);
    return stats.height;
}

static inline struct mac_stats live_mac(uint32_t i)
{
    struct mac_stats stats;
    app_station_mac_stats(live.stations[i].station, 0, &stats);
    return stats;
}

static inline void live_close(void)
{
    for (uint32_t i = 0; i < live.n; i++) {
        app_live_loop_close(&live.stations[i].loop);
        app_station_close(live.stations[i].station);
        free(live.stations[i].memory);
    }
    for (size_t i = 0; i < live.n_bursts; i++)
        free(live.bursts[i].samples);
    live.n = 0;
    live.n_bursts = 0;
}
#endif
