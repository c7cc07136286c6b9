#include "apps/live/loop.h"

#include "apps/carry.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS_AT_ONE_INSTANT = 100000 };

/* --- time ------------------------------------------------------------------------------------------------------------------------ */

static int64_t sample_ns(const struct app_live_loop *l, uint64_t sample)
{
    uint64_t rate = l->cfg.radio->sample_rate_hz;
    return (int64_t)(sample / rate * 1000000000u + sample % rate * 1000000000u / rate);
}

/* First sample not before t_ns. */
static uint64_t sample_at(const struct app_live_loop *l, int64_t t_ns)
{
    uint64_t t = t_ns < 0 ? 0 : (uint64_t)t_ns, rate = l->cfg.radio->sample_rate_hz;
    return t / 1000000000u * rate + (t % 1000000000u * rate + 999999999u) / 1000000000u;
}

int64_t app_live_loop_now_ns(const struct app_live_loop *l)
{
    return sample_ns(l, l->now);
}

static int64_t monotonic_ns(const struct app_live_loop *l)
{
    struct app_radio_clocks clocks;
    l->cfg.clocks(&clocks);
    return clocks.monotonic_ns;
}

/* --- sending --------------------------------------------------------------------------------------------------------------------- */

static int fail_radio(struct app_live_loop *l, int err)
{
    const struct phy_radio *radio = l->cfg.radio;
    const char *text = radio->ops->last_error ? radio->ops->last_error(radio) : "";
    snprintf(l->error, sizeof l->error, "the radio %s: %.300s", err == -ENODEV ? "is gone" : "failed", *text ? text : strerror(-err));
    return err == -ENODEV ? err : -EIO;
}

/* A burst's samples at the level that was asked for. */
static int scale_burst(struct app_live_loop *l, const struct app_station_emission *e)
{
    if (e->burst_len > l->burst_cap) {
        float complex *longer = realloc(l->burst, e->burst_len * sizeof *longer);
        if (!longer)
            return -ENOMEM;
        l->burst = longer;
        l->burst_cap = e->burst_len;
    }
    for (size_t i = 0; i < e->burst_len; i++)
        l->burst[i] = e->burst[i] * l->amplitude;
    return 0;
}

static void remember_own(struct app_live_loop *l, uint64_t start, uint64_t end)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < l->n_own; i++)
        if (l->own[i].end > l->now)
            l->own[n_kept++] = l->own[i];
    l->n_own = n_kept;
    if (l->n_own == APP_LIVE_OWN_BURSTS) /* a station sends one at a time: this does not happen */
        l->n_own--;
    l->own[l->n_own].start = start;
    l->own[l->n_own++].end = end;
}

/* May it leave? Counts why not. */
static bool passes_gates(struct app_live_loop *l, const struct app_station_emission *e, int64_t start_ns, int64_t end_ns)
{
    enum app_gate_verdict verdict =
        app_gate_check(l->cfg.station, e->channel, sample_ns(l, l->now), start_ns, end_ns, e->is_response);
    if (verdict != APP_GATE_OPEN) {
        l->counts.gate[verdict]++;
        return false;
    }
    if (!l->cfg.radiates)
        return true;
    struct app_radio_deed deeds[APP_STATION_MAX_DEEDS];
    size_t n_deeds = app_radio_deeds(l->cfg.station, l->cfg.genesis, e->is_response, deeds);
    struct app_radio_emission emission = {.start_ns = start_ns,
                                          .end_ns = end_ns,
                                          .center_hz = l->cfg.radio->center_hz,
                                          .occupied_hz = l->cfg.radio->sample_rate_hz};
    return app_radio_gate_admit(&l->gate, monotonic_ns(l), &emission, deeds, n_deeds) == APP_RADIO_OPEN;
}

/* What the radio said to a burst that it did not take. 0: the station goes on. */
static int count_refusal(struct app_live_loop *l, const struct app_station_emission *e, int rc)
{
    switch (rc) {
    case -ETIME:
        *(e->is_response ? &l->counts.late_responses : &l->counts.late_frames) += 1;
        return 0;
    case -EBUSY:
        l->counts.overlapping++;
        return 0;
    case -EPERM:
        l->counts.not_allowed++;
        return 0;
    case -ENOBUFS:
    case -EAGAIN:
        l->counts.not_taken++;
        return 0;
    default:
        return fail_radio(l, rc);
    }
}

static int emit(struct app_live_loop *l, const struct app_station_emission *e)
{
    struct phy_radio *radio = l->cfg.radio;
    uint64_t end = e->start_sample + e->burst_len;
    int64_t now_ns = sample_ns(l, l->now);
    bool may = passes_gates(l, e, sample_ns(l, e->start_sample), sample_ns(l, end));
    int rc = may ? scale_burst(l, e) : -ECANCELED;
    if (rc == -ENOMEM) {
        snprintf(l->error, sizeof l->error, "not enough memory for a burst");
        return -EIO;
    }
    if (may)
        rc = radio->ops->transmit ? radio->ops->transmit(radio, e->start_sample - l->cfg.first_sample, l->burst, e->burst_len) : -EPERM;
    if (rc != 0) {
        app_station_refused(l->cfg.station, e->channel, now_ns);
        return may ? count_refusal(l, e, rc) : 0;
    }
    l->counts.sent++;
    l->counts.sent_responses += e->is_response;
    remember_own(l, e->start_sample, end);
    l->recent[l->n_recent % APP_LIVE_RECENT].start = e->start_sample;
    l->recent[l->n_recent++ % APP_LIVE_RECENT].is_response = e->is_response;
    if (l->cfg.hooks.sent)
        l->cfg.hooks.sent(l->cfg.hooks.ctx, e);
    app_station_sent(l->cfg.station, e->channel, sample_ns(l, end));
    return 0;
}

/* --- working --------------------------------------------------------------------------------------------------------------------- */

static int carry_out(struct app_live_loop *l, const struct app_station_update *u)
{
    const struct app_live_hooks *hooks = &l->cfg.hooks;
    if (u->chain && l->cfg.store && app_carry_write(l->cfg.store, u->chain, &l->turn_open, l->error) != 0)
        return -EIO;
    for (size_t i = 0; u->chain && hooks->ledger_event && i < u->chain->n_events; i++)
        hooks->ledger_event(hooks->ctx, &u->chain->events[i]);
    for (size_t i = 0; hooks->note && i < u->n_notes; i++)
        hooks->note(hooks->ctx, &u->notes[i]);
    return u->has_emission ? emit(l, &u->emission) : 0;
}

static int stop_station(struct app_live_loop *l, int rc)
{
    if (l->error[0] == 0)
        snprintf(l->error, sizeof l->error, "%s",
                 rc == -EILSEQ ? "members signed another header than this station computed: it stops, and its database stays as it is"
                               : strerror(-rc));
    return rc;
}

static int work(struct app_live_loop *l)
{
    struct app_station_update update;
    int64_t now_ns = sample_ns(l, l->now);
    for (size_t steps = 0; app_station_deadline(l->cfg.station) <= now_ns; steps++) {
        if (steps == MAX_STEPS_AT_ONE_INSTANT) {
            snprintf(l->error, sizeof l->error, "the station has work without end at %lld ns", (long long)now_ns);
            return -EIO;
        }
        int rc = app_station_step(l->cfg.station, now_ns, &update);
        if (rc == 0)
            rc = carry_out(l, &update);
        if (rc != 0)
            return stop_station(l, rc);
    }
    return 0;
}

/* Ends the store's turn: from here on what was written may be acted on. */
static int sync_turn(struct app_live_loop *l)
{
    if (!l->turn_open)
        return 0;
    l->counts.syncs++;
    return app_carry_commit(l->cfg.store, &l->turn_open, l->error) == 0 ? 0 : -EIO;
}

static void skip_others(struct app_live_loop *l, uint64_t n)
{
    for (uint32_t c = 0; c < l->cfg.genesis->n_channels; c++)
        if (c != l->cfg.control)
            app_station_skip(l->cfg.station, c, n);
}

static void tell_heard(struct app_live_loop *l)
{
    const struct app_station_received *heard;
    size_t n = app_station_heard(l->cfg.station, &heard);
    for (size_t i = 0; i < n && l->cfg.hooks.heard; i++)
        l->cfg.hooks.heard(l->cfg.hooks.ctx, &heard[i]);
}

/* Where the piece that begins now ends at the latest. */
static uint64_t piece_end(const struct app_live_loop *l, uint64_t block_end)
{
    uint64_t end = (l->now / l->cfg.cca_samples + 1) * l->cfg.cca_samples;
    int64_t deadline_ns = app_station_deadline(l->cfg.station);
    if (deadline_ns != INT64_MAX) {
        uint64_t deadline = sample_at(l, deadline_ns);
        deadline = deadline > l->now ? deadline : l->now + 1;
        end = deadline < end ? deadline : end;
    }
    return end < block_end ? end : block_end;
}

/* Half duplex: while it sends the receiver runs on and hears nothing. */
static void blank_own(struct app_live_loop *l, size_t n)
{
    for (size_t i = 0; i < l->n_own; i++) {
        uint64_t from = l->own[i].start > l->now ? l->own[i].start - l->now : 0;
        uint64_t to = l->own[i].end > l->now ? l->own[i].end - l->now : 0;
        to = to < n ? to : n;
        if (from < to)
            memset(l->block + from, 0, (size_t)(to - from) * sizeof *l->block);
    }
}

static int hear_block(struct app_live_loop *l, size_t n)
{
    uint64_t begin = l->now, block_end = begin + n;
    blank_own(l, n);
    while (l->now < block_end) {
        uint64_t end = piece_end(l, block_end);
        app_station_hear(l->cfg.station, l->cfg.control, l->block + (l->now - begin), (size_t)(end - l->now));
        tell_heard(l);
        skip_others(l, end - l->now);
        l->now = end;
        int rc = work(l);
        if (rc != 0)
            return rc;
    }
    return sync_turn(l);
}

/* Samples that never came. */
static int skip_gap(struct app_live_loop *l, uint64_t n)
{
    l->counts.gaps++;
    l->counts.lost_samples += n;
    app_station_skip(l->cfg.station, l->cfg.control, n);
    tell_heard(l);
    skip_others(l, n);
    l->now += n;
    int rc = work(l);
    return rc != 0 ? rc : sync_turn(l);
}

/* --- turns ----------------------------------------------------------------------------------------------------------------------- */

static int tick_gate(struct app_live_loop *l)
{
    if (!l->cfg.radiates)
        return 0;
    struct app_radio_clocks clocks;
    l->cfg.clocks(&clocks);
    clocks.sample_ns = sample_ns(l, l->now);
    if (app_radio_gate_tick(&l->gate, &clocks) != APP_RADIO_CLOCK_STEP)
        return 0;
    snprintf(l->error, sizeof l->error, "a clock jumped: what is known of deeds and quiet periods no longer holds; start the station again");
    return -ETIME;
}

/* A device says when it noticed: at the burst's start or soon after. */
static void count_late_at_device(struct app_live_loop *l, uint64_t sample)
{
    size_t n = l->n_recent < APP_LIVE_RECENT ? l->n_recent : APP_LIVE_RECENT, late = 0;
    uint64_t start = 0;
    for (size_t i = 0; i < n; i++)
        if (l->recent[i].start <= sample + l->cfg.first_sample && l->recent[i].start >= start) {
            start = l->recent[i].start;
            late = i;
        }
    if (n > 0 && l->recent[late].is_response)
        l->counts.device_late_responses++;
    else
        l->counts.device_late_frames++;
}

static void take_reports(struct app_live_loop *l)
{
    struct phy_radio *radio = l->cfg.radio;
    struct phy_radio_report report;
    while (radio->ops->report && radio->ops->report(radio, &report) == 1) {
        if ((unsigned)report.kind <= PHY_RADIO_FAULT)
            l->counts.reports[report.kind]++;
        if (report.kind == PHY_RADIO_LATE)
            count_late_at_device(l, report.sample);
    }
}

static int promise_silence(struct app_live_loop *l)
{
    struct phy_radio *radio = l->cfg.radio;
    if (!radio->ops->idle_until)
        return 0;
    uint64_t until = sample_at(l, sample_ns(l, l->now) + l->cfg.silence_ns) - l->cfg.first_sample;
    int rc = radio->ops->idle_until(radio, until);
    return rc == 0 || rc == -EAGAIN ? 0 : fail_radio(l, rc);
}

int app_live_loop_turn(struct app_live_loop *l, int64_t timeout_ns)
{
    struct phy_radio *radio = l->cfg.radio;
    struct phy_radio_block block = {0};
    int rc = radio->ops->receive(radio, l->block, l->cfg.block_samples, timeout_ns, &block);
    l->counts.turns++;
    take_reports(l);
    if (rc == -EAGAIN) {
        l->counts.timeouts++;
        return tick_gate(l);
    }
    if (rc != 0)
        return fail_radio(l, rc);
    l->counts.clipped_samples += block.n_clipped;
    l->counts.nonfinite_samples += block.n_nonfinite;
    uint64_t start = block.start_sample + l->cfg.first_sample;
    rc = tick_gate(l);
    if (start < l->now) {
        snprintf(l->error, sizeof l->error, "the radio's sample count went back");
        return -ETIME;
    }
    if (rc == 0 && start > l->now) /* what n_lost says, too */
        rc = skip_gap(l, start - l->now);
    if (rc == 0)
        rc = hear_block(l, block.n);
    return rc == 0 ? promise_silence(l) : rc;
}

int app_live_loop_submit(struct app_live_loop *l, const uint8_t *tx, size_t len, int *result_out)
{
    struct app_station_update update;
    int rc = app_station_submit(l->cfg.station, sample_ns(l, l->now), tx, len, &update, result_out);
    if (rc == 0)
        rc = carry_out(l, &update);
    if (rc == 0)
        rc = sync_turn(l);
    return rc == 0 ? 0 : stop_station(l, rc);
}

int app_live_loop_open(struct app_live_loop *l, const struct app_live_loop_config *cfg)
{
    memset(l, 0, sizeof *l);
    l->cfg = *cfg;
    l->amplitude = (float)pow(10.0, cfg->tx_dbfs / 20.0);
    l->now = cfg->first_sample + cfg->next_sample;
    l->block = malloc(cfg->block_samples * sizeof *l->block);
    if (!l->block)
        return -ENOMEM;
    if (cfg->radiates)
        app_radio_gate_init(&l->gate, &cfg->limits);
    return 0;
}

void app_live_loop_close(struct app_live_loop *l)
{
    free(l->block);
    free(l->burst);
    l->block = l->burst = NULL;
}
