/* airdeed air: its emitters, from times and frequencies to samples. */
#include "apps/air.h"
#include "apps/emitter_frame.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    HEARD_SAMPLES = 80,  /* over which a reactive emitter measures power */
    AHEAD_SAMPLES = 256, /* the others tell their bursts so far ahead */
    PIECE_SAMPLES = 4096, /* in which they tell what has no pause */
    MAX_REACT_BURSTS = 60
};

static uint64_t count_samples(uint32_t rate_hz, int64_t ns)
{
    return (uint64_t)llround((double)ns * 1e-9 * rate_hz);
}

static bool is_in_band(double hz, uint32_t rate_hz)
{
    return isnan(hz) || fabs(hz) <= rate_hz / 2.0;
}

static const char *find_bad_time(const struct app_air_emitter *e, enum phy_emitter_kind kind, uint32_t rate_hz, char *why_out, size_t n_why)
{
    double shortest_us = PHY_EMITTER_MIN_BURST * 1e6 / rate_hz;
    snprintf(why_out, n_why, "must be at least %d samples, %.12gus at this rate", PHY_EMITTER_MIN_BURST, shortest_us);
    bool bursts = kind == PHY_EMITTER_PULSE || kind == PHY_EMITTER_REACTIVE;
    if (bursts && count_samples(rate_hz, e->burst_ns) < PHY_EMITTER_MIN_BURST)
        return "burst";
    if (kind == PHY_EMITTER_RANDOM && count_samples(rate_hz, e->mean_on_ns) < PHY_EMITTER_MIN_BURST)
        return "mean_on";
    if (kind == PHY_EMITTER_RANDOM && count_samples(rate_hz, e->mean_off_ns) < PHY_EMITTER_MIN_BURST)
        return "mean_off";
    snprintf(why_out, n_why, "must be at least 2 samples");
    if (kind == PHY_EMITTER_SWEEP && count_samples(rate_hz, e->sweep_ns) < 2)
        return "sweep";
    snprintf(why_out, n_why, "period is shorter than burst");
    if (kind == PHY_EMITTER_PULSE && e->period_ns < e->burst_ns)
        return "period burst";
    snprintf(why_out, n_why, "react must not be longer than %d bursts", MAX_REACT_BURSTS);
    return kind == PHY_EMITTER_REACTIVE && e->react_ns > MAX_REACT_BURSTS * e->burst_ns ? "react burst" : NULL;
}

const char *app_air_find_bad_emitter(const struct app_air_emitter *e, uint32_t rate_hz, char *why_out, size_t n_why)
{
    enum phy_emitter_kind kind = (enum phy_emitter_kind)phy_emitter_kind_of(e->kind);
    snprintf(why_out, n_why, "is not after start");
    if (e->stop_ns && e->stop_ns <= e->start_ns)
        return "stop";
    snprintf(why_out, n_why, "must lie within +-rate/2");
    if (!is_in_band(e->offset_hz, rate_hz))
        return "offset";
    if (!is_in_band(e->sweep_low_hz, rate_hz))
        return "sweep_low";
    if (!is_in_band(e->sweep_high_hz, rate_hz))
        return "sweep_high";
    snprintf(why_out, n_why, "must not exceed the rate");
    if (e->bandwidth_hz > rate_hz)
        return "bandwidth";
    return find_bad_time(e, kind, rate_hz, why_out, n_why);
}

static int prepare(const struct app_air_config *cfg, const struct phy_waveform *waveform, struct phy_emitter_config *out,
                   float complex **prepared_out)
{
    long n = app_emitter_frame(waveform, cfg->rate_hz, cfg->seed, out->kind == PHY_EMITTER_DECEPTIVE, prepared_out);
    if (n < 0)
        return (int)n;
    out->prepared = *prepared_out;
    out->burst_samples = (uint32_t)n;
    if (out->period_samples < out->burst_samples)
        out->period_samples = out->burst_samples;
    return 0;
}

/* A reactive one decides a block and more ahead, so that no burst begins in a block that is mixed already; the others know theirs. */
int app_air_describe_emitter(const struct app_air_config *cfg, uint32_t i, struct phy_emitter_config *out, float complex **prepared_out)
{
    const struct app_air_emitter *e = &cfg->emitters[i];
    uint32_t rate = cfg->rate_hz, react = (uint32_t)count_samples(rate, e->react_ns);
    const struct phy_waveform *waveform = phy_waveform_find(e->waveform);
    *prepared_out = NULL;
    *out = (struct phy_emitter_config){
        .kind = (enum phy_emitter_kind)phy_emitter_kind_of(e->kind),
        .seed = cfg->seed,
        .stream = (uint64_t)(cfg->n_ports + i) << 40,
        .power_dbfs = e->power_dbfs,
        .from_sample = count_samples(rate, e->start_ns),
        .to_sample = e->stop_ns ? count_samples(rate, e->stop_ns) : UINT64_MAX / 2,
        .burst_samples = (uint32_t)count_samples(rate, e->burst_ns),
        .period_samples = (uint32_t)count_samples(rate, e->period_ns),
        .mean_on_samples = (double)e->mean_on_ns * 1e-9 * rate,
        .mean_off_samples = (double)e->mean_off_ns * 1e-9 * rate,
        .react_samples = AHEAD_SAMPLES,
        .block_samples = cfg->block_samples < HEARD_SAMPLES ? cfg->block_samples : HEARD_SAMPLES,
        .noise_dbfs = isfinite(cfg->common_noise_dbfs) ? cfg->common_noise_dbfs : -100,
        .threshold_db = e->threshold_db,
        .offset = e->offset_hz / rate,
        .bandwidth = e->bandwidth_hz / rate,
        .sweep_low = isnan(e->sweep_low_hz) ? -0.4 : e->sweep_low_hz / rate,
        .sweep_high = isnan(e->sweep_high_hz) ? 0.4 : e->sweep_high_hz / rate,
        .sweep_samples = (uint32_t)count_samples(rate, e->sweep_ns),
    };
    if (!waveform)
        return -EINVAL;
    out->n_tones = app_emitter_pilots(waveform, out->tones);
    if (out->kind == PHY_EMITTER_REACTIVE)
        out->react_samples = react > cfg->block_samples ? react : cfg->block_samples;
    else if (phy_emitter_schedule(out->kind) != PHY_EMITTER_PERIODIC)
        out->burst_samples = PIECE_SAMPLES;
    bool prepared = out->kind == PHY_EMITTER_PREAMBLE || out->kind == PHY_EMITTER_DECEPTIVE;
    return prepared ? prepare(cfg, waveform, out, prepared_out) : 0;
}
