/* The virtual loop: t' = the next deadline of any station, the next edge of an emission, or the end of the CCA block, whichever is first;
 * render [t, t') for every listener, let the stations work until nothing is due at t', put what they send through the gate. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/carry.h"
#include "apps/frame_json.h"
#include "apps/gate.h"
#include "apps/run/world.h"

#include "phy/air/adc.h"
#include "phy/decibel.h"

enum { MAX_STEPS_AT_ONE_INSTANT = 100000, TICK_BLOCKS = 4096 };

/* Longer than any frame: whatever is stamped with its beginning is known this much later. */
static const uint64_t SETTLE_SAMPLES = 500000;

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Of a block that would end at `next`, the part that is done first: all of it, or up to a random sample. */
static uint64_t cut_at_random(const struct app_world *w, uint64_t t, uint64_t next)
{
    if (w->cut_seed == 0)
        return next;
    uint64_t hash = (t + w->cut_seed) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 32;
    return t + 1 + hash % (next - t);
}

/* At packet fidelity time passes in one step where nothing is on the air and nobody measures. */
static uint64_t end_of_block(const struct app_world *w, uint64_t t)
{
    enum { LINGER_SAMPLES = 1024 }; /* longer than a receiver takes to tell what it heard */
    uint64_t next = t / APP_BLOCK_SAMPLES + 1;
    if (w->packet_air && w->scenario.n_jammers == 0) {
        uint64_t quiet = phy_packet_air_quiet_until(w->packet_air, t, LINGER_SAMPLES);
        for (uint32_t i = 0; i < w->scenario.n_stations; i++)
            quiet = earlier(quiet, app_station_phy_deadline(w->stations[i].station));
        quiet = earlier(quiet, t + PHY_MAX_STEP_SAMPLES - APP_BLOCK_SAMPLES);
        if (quiet > t)
            next = (quiet + APP_BLOCK_SAMPLES - 1) / APP_BLOCK_SAMPLES;
        if (next * APP_BLOCK_SAMPLES <= t)
            next = t / APP_BLOCK_SAMPLES + 1;
    }
    return next * APP_BLOCK_SAMPLES;
}

/* Samples strictly after t that end a block at the latest. */
static uint64_t next_boundary(const struct app_world *w, uint64_t t)
{
    uint64_t next = end_of_block(w, t);
    for (uint32_t i = 0; i < w->scenario.n_stations; i++) {
        const struct world_station *ws = &w->stations[i];
        int64_t deadline_ns = app_station_deadline(ws->station);
        if (deadline_ns != INT64_MAX) {
            uint64_t deadline = world_sample(w, deadline_ns);
            next = earlier(next, deadline > t ? deadline : t + 1);
        }
        if (ws->sending && ws->send_start > t)
            next = earlier(next, ws->send_start);
        if (ws->sending && ws->send_end > t)
            next = earlier(next, ws->send_end);
    }
    for (uint32_t j = 0; j < w->scenario.n_jammers; j++)
        if (w->jammers[j].start_sample > t)
            next = earlier(next, w->jammers[j].start_sample);
    for (uint32_t p = 0; p < w->scenario.n_primaries; p++)
        if (w->primaries[p].next_on > t)
            next = earlier(next, w->primaries[p].next_on);
    return next;
}

static uint64_t fold_word(uint64_t fold, uint64_t word)
{
    fold = (fold ^ word) * 0x9e3779b97f4a7c15u;
    return fold ^ fold >> 29;
}

/* A running digest of what a listener was given: multiply and rotate, one word a sample. Four of them take turns by sample index,
 * so that one multiplication need not wait for the last. */
static void fold_samples(uint64_t fold[WORLD_FOLDS], uint64_t first, const float complex *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t word, *lane = &fold[(first + i) % WORLD_FOLDS];
        memcpy(&word, &samples[i], sizeof word);
        *lane = fold_word(*lane, word);
    }
}

static void record_block(struct app_world *w, uint32_t station, uint32_t channel, size_t n)
{
    char error[PHY_SIGMF_MAX_ERROR];
    if (!w->recording || station != w->recorded || channel != w->scenario.control_channel)
        return;
    if (phy_sigmf_write(w->recording, w->block, n, error) != 0) {
        phy_sigmf_abort(w->recording);
        w->recording = NULL;
        snprintf(w->error, sizeof w->error, "%.390s", error);
    }
}

/* Packet fidelity: each arrival is folded once, when it begins. */
static void hear_arrivals(struct app_world *w, uint32_t i, uint32_t channel, uint64_t t, size_t n)
{
    struct world_station *ws = &w->stations[i];
    size_t n_arrivals = phy_packet_air_arrivals(w->packet_air, i, channel, t, n, w->arrivals, PHY_PACKET_MAX_ARRIVALS);
    for (size_t k = 0; k < n_arrivals; k++)
        if (w->arrivals[k].start_sample >= t) {
            ws->fold[channel][0] = fold_word(ws->fold[channel][0], w->arrivals[k].start_sample);
            ws->fold[channel][1] = fold_word(ws->fold[channel][1], w->arrivals[k].end_sample);
        }
    app_station_hear_arrivals(ws->station, channel, w->arrivals, n_arrivals, n);
}

static void hear_channel(struct app_world *w, uint32_t i, uint32_t channel, uint64_t t, size_t n)
{
    struct world_station *ws = &w->stations[i];
    bool deaf = ws->sending && t >= ws->send_start && t < ws->send_end;
    bool control = deaf && channel == app_station_control_channel(ws->station, world_ns(w, t));
    if (!app_station_listens(ws->station, channel, world_ns(w, t)) || (deaf && (!control || w->packet_air))) {
        app_station_skip(ws->station, channel, n);
        if (w->front_ends[i][channel])
            phy_front_end_skip(w->front_ends[i][channel], n, deaf);
        return;
    }
    if (w->packet_air) {
        hear_arrivals(w, i, channel, t, n);
        return;
    }
    if (deaf) { /* half duplex: the control receiver runs on and hears nothing */
        memset(w->block, 0, n * sizeof *w->block);
        if (w->front_ends[i][channel])
            phy_front_end_skip(w->front_ends[i][channel], n, true);
    } else {
        phy_air_render(w->air, i, channel, t, n, w->block);
        if (w->front_ends[i][channel])
            phy_front_end_receive(w->front_ends[i][channel], w->block, n, w->block);
        phy_adc_quantise(w->block, n);
        fold_samples(ws->fold[channel], t, w->block, n);
    }
    record_block(w, i, channel, n);
    app_station_hear(ws->station, channel, w->block, n);
}

static void capture(struct app_world *w, uint32_t station, uint32_t channel, uint64_t start_sample, const uint8_t *psdu, size_t len,
                    uint32_t rate_kbps, double signal_dbfs, bool fcs_bad, bool sent)
{
    const struct app_scenario_channel *band = &w->scenario.channels[channel];
    char comment[64];
    snprintf(comment, sizeof comment, "{\"fcs_ok\":false,\"length_octets\":%zu}", len);
    struct app_pcapng_frame frame = {.interface = station,
                                     .unix_ns = w->genesis.time_ns + world_ns(w, start_sample),
                                     .rate_kbps = rate_kbps,
                                     .channel_center_hz = (band->low_hz + band->high_hz) / 2,
                                     .signal_dbfs = signal_dbfs,
                                     .noise_dbfs = w->scenario.noise_dbfs,
                                     .fcs_bad = fcs_bad,
                                     .sent = sent,
                                     /* octets that failed their check would only be dissected into nonsense */
                                     .psdu = fcs_bad ? NULL : psdu,
                                     .psdu_len = fcs_bad ? 0 : len,
                                     .comment = fcs_bad ? comment : NULL};
    app_pcapng_write(w->pcap, &frame);
}

static void account_heard(struct app_world *w, uint32_t i)
{
    const struct app_station_received *heard;
    uint8_t sha256[32];
    size_t n = app_station_heard(w->stations[i].station, &heard);
    for (size_t k = 0; k < n; k++) {
        const struct phy_frame *f = &heard[k].frame;
        app_accounts_received(&w->accounts, i, &heard[k], world_ns(w, f->start_sample));
        if (f->header_ok && f->psdu_len > 0)
            capture(w, i, heard[k].channel, f->start_sample, f->psdu, f->psdu_len, f->rate_kbps, f->rssi_dbfs, !f->fcs_ok, false);
        if (w->expectation && i == w->recorded && heard[k].channel == w->scenario.control_channel && f->header_ok)
            app_frame_json(w->expectation, f, -1, false, sha256);
    }
}

static void render(struct app_world *w, uint64_t t, size_t n)
{
    for (uint32_t i = 0; i < w->scenario.n_stations; i++) {
        for (uint32_t c = 0; c < w->scenario.n_channels; c++)
            hear_channel(w, i, c, t, n);
        account_heard(w, i);
    }
}

static struct world_burst *take_burst(struct app_world *w, uint64_t now, uint64_t end)
{
    for (size_t i = 0; i < WORLD_BURSTS; i++)
        if (w->bursts[i].free_after <= now) {
            w->bursts[i].free_after = end + phy_air_tail(w->air, w->burst_cap) + 1;
            return &w->bursts[i];
        }
    return NULL;
}

static int emit_packet(struct app_world *w, uint32_t node, uint64_t now, const struct app_station_emission *e)
{
    phy_packet_air_forget(w->packet_air, now);
    const struct phy_packet_emission emission = {.emitter = node,
                                                 .channel = e->channel,
                                                 .start_sample = e->start_sample,
                                                 .end_sample = e->start_sample + e->burst_len,
                                                 .power = 1.0,
                                                 .kind = PHY_INTERFERENCE_OFDM,
                                                 .psdu = e->psdu,
                                                 .psdu_len = e->psdu_len,
                                                 .rate_index = e->rate_index};
    return phy_packet_air_emit(w->packet_air, &emission);
}

static int put_on_air(struct app_world *w, uint32_t node, uint64_t now, const struct app_station_emission *e)
{
    if (w->packet_air)
        return emit_packet(w, node, now, e);
    phy_air_forget(w->air, now);
    struct world_burst *burst = e->burst_len <= w->burst_cap ? take_burst(w, now, e->start_sample + e->burst_len) : NULL;
    if (!burst)
        return -ENOBUFS;
    memcpy(burst->samples, e->burst, e->burst_len * sizeof *e->burst);
    long id = phy_air_emit(w->air, node, e->channel, e->start_sample, burst->samples, e->burst_len, 1.0f);
    return id < 0 ? (int)id : 0;
}

/* Other people's frames on a jammer's channel while it sends: what it does is measured against offered traffic. */
static bool traffic_at(const struct app_world *w, uint32_t channel, uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < w->scenario.n_stations; i++) {
        const struct world_station *ws = &w->stations[i];
        if (ws->sending && ws->send_channel == channel && ws->send_start < end && ws->send_end > start)
            return true;
    }
    return false;
}

/* The channels on which a jammer's burst is sent, all of its own but for those that choose one. */
static uint32_t channels_of_burst(struct app_world *w, uint32_t i, const struct phy_emitter_burst *b, const uint32_t **channels_out)
{
    const struct app_scenario_jammer *j = &w->scenario.jammers[i];
    uint32_t *known = &w->jammers[i].known_channel;
    enum phy_emitter_kind kind = (enum phy_emitter_kind)phy_emitter_kind_of(j->kind);
    if (kind == PHY_EMITTER_INSIDER) /* as well as the first member */
        *known = app_station_control_channel(w->stations[0].station, world_ns(w, b->start_sample));
    *channels_out = kind == PHY_EMITTER_FOLLOWER ? &j->channels[b->channel] : kind == PHY_EMITTER_INSIDER ? known : j->channels;
    return kind == PHY_EMITTER_FOLLOWER || kind == PHY_EMITTER_INSIDER ? 1 : j->n_channels;
}

static int put_jam_on_air(struct app_world *w, uint32_t i, uint64_t now, const struct phy_emitter_burst *b, const uint32_t *channels,
                          uint32_t n_channels)
{
    struct world_jammer *jammer = &w->jammers[i];
    uint32_t node = world_jammer_node(w, i);
    int rc = 0;
    size_t k = 0;
    while (k < jammer->n_bursts && jammer->free_after[k] > now)
        k++;
    if (k == jammer->n_bursts)
        return -ENOBUFS;
    float complex *samples = jammer->bursts[k];
    jammer->free_after[k] = b->start_sample + b->n_samples + 1 + (w->packet_air ? w->max_delay : phy_air_tail(w->air, b->n_samples));
    phy_emitter_fill(jammer->machine, b, samples);
    for (uint32_t c = 0; c < n_channels && w->packet_air && rc == 0; c++) {
        const struct phy_packet_emission emission = {.emitter = node,
                                                     .channel = channels[c],
                                                     .start_sample = b->start_sample,
                                                     .end_sample = b->start_sample + b->n_samples,
                                                     .power = 1.0,
                                                     .kind = strcmp(w->scenario.jammers[i].kind, "tone") == 0
                                                                 ? PHY_INTERFERENCE_TONE
                                                                 : PHY_INTERFERENCE_NOISE,
                                                     .samples = samples};
        phy_packet_air_forget(w->packet_air, now);
        rc = phy_packet_air_emit(w->packet_air, &emission);
    }
    if (w->packet_air)
        return rc;
    phy_air_forget(w->air, now);
    for (uint32_t c = 0; c < n_channels && rc == 0; c++) {
        long id = phy_air_emit(w->air, node, channels[c], b->start_sample, samples, b->n_samples, 1.0f);
        rc = id < 0 ? (int)id : 0;
    }
    return rc;
}

static int send_jam(struct app_world *w, uint32_t i, uint64_t now, const struct phy_emitter_burst *b)
{
    const uint32_t *channels;
    uint32_t n_channels = channels_of_burst(w, i, b, &channels);
    int rc = put_jam_on_air(w, i, now, b, channels, n_channels);
    if (rc < 0)
        return rc;
    uint64_t end = b->start_sample + b->n_samples;
    for (uint32_t c = 0; c < n_channels; c++)
        app_accounts_jam_burst(&w->accounts, i, channels[c], world_ns(w, b->start_sample), world_ns(w, end),
                               traffic_at(w, channels[c], b->start_sample, end));
    return 0;
}

/* What a jammer hears: at packet fidelity samples of the power that arrives, noise included, for its energy detector. */
static void hear_jammed_channel(struct app_world *w, uint32_t i, uint32_t channel, uint64_t t, size_t n, float complex *out)
{
    uint32_t node = world_jammer_node(w, i);
    if (!w->packet_air) {
        phy_air_render(w->air, node, channel, t, n, out);
        return;
    }
    double power[WORLD_BLOCK];
    for (size_t k = 0; k < n; k++)
        power[k] = phy_from_db(w->scenario.noise_dbfs);
    size_t n_arrivals = phy_packet_air_arrivals(w->packet_air, node, channel, t, n, w->arrivals, PHY_PACKET_MAX_ARRIVALS);
    for (size_t a = 0; a < n_arrivals; a++)
        for (size_t k = 0; k < n; k++)
            if (t + k >= w->arrivals[a].start_sample && t + k < w->arrivals[a].end_sample)
                power[k] += w->arrivals[a].power;
    for (size_t k = 0; k < n; k++)
        out[k] = (float)sqrt(power[k]);
}

static int run_jammer(struct app_world *w, uint32_t i, uint64_t t, size_t n)
{
    struct world_jammer *jammer = &w->jammers[i];
    if (t < jammer->start_sample || t >= jammer->stop_sample)
        return 0;
    const struct app_scenario_jammer *j = &w->scenario.jammers[i];
    enum phy_emitter_schedule schedule = phy_emitter_schedule((enum phy_emitter_kind)phy_emitter_kind_of(j->kind));
    bool listens = schedule == PHY_EMITTER_ON_POWER || schedule == PHY_EMITTER_FOLLOWS;
    for (uint32_t c = 0; c < j->n_channels && listens; c++)
        hear_jammed_channel(w, i, j->channels[c], t, n, w->block + c * n);
    struct phy_emitter_update update;
    int rc = phy_emitter_step(jammer->machine, w->block, n, &update);
    for (size_t k = 0; k < update.n_bursts && rc == 0; k++)
        rc = send_jam(w, i, t + n, &update.bursts[k]);
    return rc;
}

static int emit(struct app_world *w, uint32_t i, uint64_t now, const struct app_station_emission *e)
{
    struct world_station *ws = &w->stations[i];
    uint64_t end = e->start_sample + e->burst_len;
    int64_t now_ns = world_ns(w, now), start_ns = world_ns(w, e->start_sample), end_ns = world_ns(w, end);
    enum app_gate_verdict verdict = app_gate_check(ws->station, e->channel, now_ns, start_ns, end_ns, e->is_response);
    if (verdict != APP_GATE_OPEN) {
        app_accounts_refused(&w->accounts, i, e->channel, now_ns, app_gate_name(verdict));
        app_station_refused(ws->station, e->channel, now_ns);
        return 0;
    }
    int rc = put_on_air(w, i, now, e);
    if (rc != 0)
        return rc;
    ws->sending = true;
    ws->send_start = e->start_sample;
    ws->send_channel = e->channel;
    ws->send_end = end;
    app_accounts_emission(&w->accounts, i, e, start_ns, end_ns);
    uint32_t rate_kbps = (uint32_t)((uint64_t)w->waveform->rate_kbps_at_1msps[e->rate_index] * w->rate_hz / 1000000u);
    capture(w, i, e->channel, e->start_sample, e->psdu, e->psdu_len, rate_kbps, (double)NAN, false, true);
    app_station_sent(ws->station, e->channel, end_ns);
    return 0;
}

static int carry_out(struct app_world *w, uint32_t i, uint64_t now, const struct app_station_update *u)
{
    int rc = 0;
    if (u->chain) {
        char error[CHAIN_STORE_MAX_ERROR];
        rc = app_carry_rows(w->stations[i].store, u->chain, error);
        if (rc != 0) {
            snprintf(w->error, sizeof w->error, "%.390s", error);
            return -EIO;
        }
        app_accounts_chain(&w->accounts, i, u->chain, world_ns(w, now));
    }
    for (size_t k = 0; k < u->n_notes; k++)
        app_accounts_note(&w->accounts, i, &u->notes[k]);
    if (u->has_emission)
        rc = emit(w, i, now, &u->emission);
    return rc;
}

static int work(struct app_world *w, uint32_t i, uint64_t now)
{
    static const size_t limit = MAX_STEPS_AT_ONE_INSTANT;
    struct world_station *ws = &w->stations[i];
    int64_t now_ns = world_ns(w, now);
    if (ws->sending && ws->send_end <= now)
        ws->sending = false;
    struct app_station_update update;
    for (size_t steps = 0; app_station_deadline(ws->station) <= now_ns; steps++) {
        if (steps == limit) {
            snprintf(w->error, sizeof w->error, "station %s has work without end at %lld ns (seed %llu)", w->scenario.stations[i].name,
                     (long long)now_ns, (unsigned long long)w->seed);
            return -ELOOP;
        }
        int rc = app_station_step(ws->station, now_ns, &update);
        if (rc == 0)
            rc = carry_out(w, i, now, &update);
        if (rc == 0)
            continue;
        if (w->error[0] == 0)
            snprintf(w->error, sizeof w->error, "station %s stopped at %lld ns: %s (seed %llu)", w->scenario.stations[i].name,
                     (long long)now_ns, rc == -EILSEQ ? "two header hashes at one height" : strerror(-rc),
                     (unsigned long long)w->seed);
        return rc;
    }
    return 0;
}

static int run_block(struct app_world *w, uint64_t t, uint64_t next)
{
    int rc = 0;
    size_t n = (size_t)(next - t);
    for (uint32_t p = 0; p < w->scenario.n_primaries && rc == 0; p++)
        rc = app_world_play(w, p, t);
    if (n > 0 && rc == 0)
        render(w, t, n);
    if (w->error[0])
        return -EIO; /* the recording could not be written */
    for (uint32_t i = 0; i < w->scenario.n_jammers && rc == 0 && n > 0; i++)
        rc = run_jammer(w, i, t, n);
    for (uint32_t i = 0; i < w->scenario.n_stations && rc == 0; i++)
        rc = work(w, i, next);
    return rc;
}

int app_loop_run(struct app_world *w, int (*tick)(void *ctx, int64_t now_ns), void *ctx)
{
    uint64_t end = world_sample(w, w->scenario.duration_ns), t = 0;
    int64_t settle_ns = world_ns(w, SETTLE_SAMPLES);
    int rc = run_block(w, 0, 0); /* everybody starts */
    for (size_t block = 0; t < end && rc == 0; block++) {
        uint64_t next = cut_at_random(w, t, earlier(next_boundary(w, t), end));
        app_accounts_edges(&w->accounts, world_ns(w, t), world_ns(w, next));
        rc = run_block(w, t, next);
        t = next;
        if (block % TICK_BLOCKS == 0) {
            if (w->air)
                phy_air_forget(w->air, t);
            app_journal_settle(w->journal, world_ns(w, t) - settle_ns);
            app_pcapng_settle(w->pcap, w->genesis.time_ns + world_ns(w, t) - settle_ns);
            if (rc == 0 && tick(ctx, world_ns(w, t)) != 0)
                break;
        }
    }
    if (rc != 0 && w->error[0] == 0)
        snprintf(w->error, sizeof w->error, "the run stopped at %lld ns: %s (seed %llu)", (long long)world_ns(w, t), strerror(-rc),
                 (unsigned long long)w->seed);
    return rc;
}
