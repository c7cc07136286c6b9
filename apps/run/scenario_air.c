/* What must hold for the air of a scenario: fading, front ends, and the kinds of jammers and primary users. */
#include "apps/run/scenario_table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/air/emitter.h"
#include "phy/air/fading.h"
#include "phy/air/primary.h"

enum { MIN_DOPPLER_RATIO = 2000 };

static const char *const iq_only = "is for fidelity: iq, the tables of packet fidelity do not know it";
static const char *const power_rules = "goes without path_loss; with it power_dbm and the position say how it arrives";

int app_scenario_check_fading(void *root, void *item, const char **field_out, char *why_out)
{
    (void)item;
    const struct app_scenario *s = root;
    if (strcmp(s->fading.kind, "none") == 0)
        return 0;
    if (app_scenario_is_packet(s))
        return app_scenario_refuse(field_out, "kind", why_out, "%s", iq_only);
    if (s->fading.doppler_hz * MIN_DOPPLER_RATIO > s->sample_rate_hz)
        return app_scenario_refuse(field_out, "doppler", why_out, "must be at most sample_rate / %d", MIN_DOPPLER_RATIO);
    if (s->fading.doppler_hz > 0 && strcmp(s->fading.kind, "fixed") == 0)
        return app_scenario_refuse(field_out, "doppler", why_out, "fixed taps do not move");
    if (s->fading.n_taps > 0 && s->fading.rms_spread_ns > 0)
        return app_scenario_refuse(field_out, "rms_spread taps", why_out, "give either taps or their rms_spread");
    for (uint32_t i = 0; i < s->fading.n_taps; i++) {
        double delay = (double)s->fading.taps[i].delay_ns * 1e-9 * s->sample_rate_hz;
        double before = i > 0 ? (double)s->fading.taps[i - 1].delay_ns * 1e-9 * s->sample_rate_hz : -1;
        if (lround(delay) > PHY_FADING_MAX_DELAY)
            return app_scenario_refuse(field_out, "taps", why_out, "a delay is longer than %d samples", PHY_FADING_MAX_DELAY);
        if (lround(delay) <= lround(before))
            return app_scenario_refuse(field_out, "taps", why_out, "delays must rise by a sample (%.12gns) or more from tap to tap",
                                       1e9 / s->sample_rate_hz);
    }
    return 0;
}

int app_scenario_check_front_end(void *root, void *item, const char **field_out, char *why_out)
{
    (void)item;
    const struct app_scenario *s = root;
    if (s->front_end.adc_bits > 0 && s->front_end.adc_bits < 4)
        return app_scenario_refuse(field_out, "adc_bits", why_out, "must be 4 to 16, or 0 for the preset's");
    bool plain = strcmp(s->front_end.preset, "ideal") == 0 && s->front_end.adc_bits == 0;
    if (app_scenario_is_packet(s) && !plain)
        return app_scenario_refuse(field_out, "preset adc_bits", why_out, "%s", iq_only);
    if (app_scenario_is_packet(s) && strcmp(s->front_end.clocks, "drift") == 0)
        return app_scenario_refuse(field_out, "clocks", why_out, "%s", iq_only);
    return 0;
}

static bool is_in_channel(const struct app_scenario *s, double offset_hz)
{
    return fabs(offset_hz) <= s->sample_rate_hz / 2.0;
}

bool app_scenario_jams(const struct app_scenario_jammer *j, uint32_t channel)
{
    for (uint32_t i = 0; i < j->n_channels; i++)
        if (j->channels[i] == channel)
            return true;
    return false;
}

int app_scenario_check_jammer_channels(const struct app_scenario *s, struct app_scenario_jammer *j, const char **field_out, char *why_out)
{
    enum phy_emitter_kind kind = (enum phy_emitter_kind)phy_emitter_kind_of(j->kind);
    bool given = j->channel_line > 0 || j->channels_line > 0;
    if (kind == PHY_EMITTER_INSIDER && given)
        return app_scenario_refuse(field_out, "channel channels", why_out, "an insider knows which channel the control traffic uses, and jams that one");
    for (uint32_t c = 0; c < s->n_channels && kind == PHY_EMITTER_INSIDER; c++)
        if (app_scenario_shares(s, c))
            j->channels[j->n_channels++] = c;
    if (!given && kind != PHY_EMITTER_INSIDER)
        return app_scenario_refuse(field_out, "channel", why_out, "missing, and so is channels");
    if (j->channel_line > 0 && j->channels_line > 0)
        return app_scenario_refuse(field_out, "channels", why_out, "give either channel or channels");
    if (j->channel_line > 0)
        j->n_channels = 1;
    for (uint32_t i = 0; i < j->n_channels; i++)
        for (uint32_t k = 0; k < i; k++)
            if (j->channels[i] == j->channels[k])
                return app_scenario_refuse(field_out, "channels", why_out, "channel '%s' stands there twice", s->channels[j->channels[i]].name);
    if (kind == PHY_EMITTER_REACTIVE && j->n_channels > 1)
        return app_scenario_refuse(field_out, "channels", why_out, "a reactive jammer listens on one channel; kind follower looks at several");
    return 0;
}

int app_scenario_check_jammer_wave(const struct app_scenario *s, const struct app_scenario_jammer *j, const char **field_out,
                                   char *why_out)
{
    enum phy_emitter_kind kind = (enum phy_emitter_kind)phy_emitter_kind_of(j->kind);
    bool in_tables = kind == PHY_EMITTER_TONE || kind == PHY_EMITTER_NOISE || kind == PHY_EMITTER_PULSE ||
                     kind == PHY_EMITTER_RANDOM || kind == PHY_EMITTER_REACTIVE || kind == PHY_EMITTER_FOLLOWER ||
                     kind == PHY_EMITTER_INSIDER;
    if (app_scenario_is_packet(s) && !in_tables)
        return app_scenario_refuse(field_out, "kind", why_out, "%s", iq_only);
    if (app_scenario_is_packet(s) && j->bandwidth_hz > 0)
        return app_scenario_refuse(field_out, "bandwidth", why_out, "%s", iq_only);
    if (j->snr_line > 0 && s->path_loss.exponent > 0)
        return app_scenario_refuse(field_out, "snr_db", why_out, "%s", power_rules);
    if (j->period_line > 0 && phy_emitter_schedule(kind) != PHY_EMITTER_PERIODIC)
        return app_scenario_refuse(field_out, "period", why_out, "goes with kinds pulse, preamble and deceptive");
    if ((j->dwell_line > 0 || j->retune_line > 0) && kind != PHY_EMITTER_FOLLOWER)
        return app_scenario_refuse(field_out, "dwell retune", why_out, "goes with kind follower");
    if (kind == PHY_EMITTER_PULSE && j->period_ns < j->burst_ns)
        return app_scenario_refuse(field_out, "period burst", why_out, "period must not be shorter than burst");
    if (!is_in_channel(s, j->offset_hz))
        return app_scenario_refuse(field_out, "offset", why_out, "must lie within the channel, +-sample_rate/2");
    if (j->bandwidth_hz > s->sample_rate_hz)
        return app_scenario_refuse(field_out, "bandwidth", why_out, "must not exceed sample_rate");
    if (kind != PHY_EMITTER_TONE && j->bandwidth_hz > 0 && !is_in_channel(s, fabs(j->offset_hz) + j->bandwidth_hz / 2.0))
        return app_scenario_refuse(field_out, "offset bandwidth", why_out, "half the bandwidth to either side of offset must lie within the channel");
    if (kind == PHY_EMITTER_SWEEP && !is_in_channel(s, j->sweep_low_hz))
        return app_scenario_refuse(field_out, "sweep_low", why_out, "must lie within the channel, +-sample_rate/2");
    if (kind == PHY_EMITTER_SWEEP && !is_in_channel(s, j->sweep_high_hz))
        return app_scenario_refuse(field_out, "sweep_high", why_out, "must lie within the channel, +-sample_rate/2");
    return 0;
}

int app_scenario_check_primary_wave(const struct app_scenario *s, const struct app_scenario_primary *p, const char **field_out,
                                    char *why_out)
{
    bool recorded = strcmp(p->kind, "recording") == 0;
    if (recorded && *p->recording == '\0')
        return app_scenario_refuse(field_out, "recording", why_out, "must name a .sigmf-meta file, unless kind says what else it sends");
    if (!recorded && *p->recording != '\0')
        return app_scenario_refuse(field_out, "recording", why_out, "goes with kind: recording");
    if (p->off_ns > 0 && p->on_ns == 0)
        return app_scenario_refuse(field_out, "off", why_out, "goes with on: for so long it stays each time");
    if (p->on_ns > 0 && p->off_ns == 0)
        return app_scenario_refuse(field_out, "on", why_out, "goes with off: for so long it is away each time");
    if (p->snr_line > 0 && s->path_loss.exponent > 0)
        return app_scenario_refuse(field_out, "snr_db", why_out, "%s", power_rules);
    if (p->bandwidth_hz > 0.95 * s->sample_rate_hz)
        return app_scenario_refuse(field_out, "bandwidth", why_out, "must be at most 95 %% of sample_rate");
    if (strcmp(p->kind, "ofdm") == 0 && p->bandwidth_hz > 0 && p->bandwidth_hz < s->sample_rate_hz / 32.0)
        return app_scenario_refuse(field_out, "bandwidth", why_out, "must be at least sample_rate/32: two subcarriers of 64");
    if (strcmp(p->kind, "narrowband") == 0 && p->bandwidth_hz > 0 && p->bandwidth_hz < s->sample_rate_hz / 256.0)
        return app_scenario_refuse(field_out, "bandwidth", why_out, "must be at least sample_rate/256");
    if (strcmp(p->kind, "radar") != 0)
        return 0;
    if (p->period_ns < p->pulse_ns)
        return app_scenario_refuse(field_out, "period pulse", why_out, "period must not be shorter than pulse");
    if (p->scan_ns > 0 && p->scan_ns < p->period_ns)
        return app_scenario_refuse(field_out, "scan period", why_out, "scan must not be shorter than period");
    if ((double)p->scan_ns * 1e-9 * s->sample_rate_hz > PHY_PRIMARY_MAX_SAMPLES)
        return app_scenario_refuse(field_out, "scan", why_out, "must be at most %d samples", PHY_PRIMARY_MAX_SAMPLES);
    if (p->scan_ns > 0 && (p->dwell_ns == 0 || p->dwell_ns > p->scan_ns))
        return app_scenario_refuse(field_out, "dwell scan", why_out, "dwell must be given, and not be longer than scan");
    return 0;
}

/* Of t from the first of turns on, each `on` long and then nothing until it is `turn` long. */
static int64_t time_in_turns(int64_t t_ns, int64_t on_ns, int64_t turn_ns)
{
    int64_t rest_ns = t_ns % turn_ns;
    return t_ns / turn_ns * on_ns + (rest_ns < on_ns ? rest_ns : on_ns);
}

static bool comes_and_goes(const struct app_scenario_primary *p)
{
    return p->on_ns > 0 && p->off_ns > 0;
}

/* Time on air in [start, start + t). */
static int64_t time_on(const struct app_scenario_primary *p, int64_t t_ns)
{
    return comes_and_goes(p) ? time_in_turns(t_ns, p->on_ns, p->on_ns + p->off_ns) : t_ns;
}

int app_scenario_primary_on(const struct app_scenario_primary *p, int64_t from_ns, int64_t to_ns)
{
    int64_t first_ns = from_ns > p->start_ns ? from_ns : p->start_ns, last_ns = to_ns < p->stop_ns ? to_ns : p->stop_ns;
    if (first_ns >= last_ns)
        return 0;
    int64_t on_ns = time_on(p, last_ns - p->start_ns) - time_on(p, first_ns - p->start_ns);
    return on_ns == 0 ? 0 : on_ns == to_ns - from_ns ? 2 : 1;
}

static int64_t whole_samples_ns(int64_t t_ns, uint32_t rate_hz)
{
    double samples = ceil((double)t_ns * 1e-9 * rate_hz - 1e-6);
    return llround(samples * 1e9 / rate_hz);
}

/* Of a radar that looks this way all of [from, to), counted from when its loop began: is a pulse in it? */
static bool has_pulse(const struct app_scenario_primary *p, int64_t period_ns, int64_t from_ns, int64_t to_ns)
{
    int64_t into_ns = from_ns % period_ns;
    return into_ns < p->pulse_ns || to_ns - from_ns > period_ns - into_ns;
}

int app_scenario_primary_sends(const struct app_scenario_primary *p, uint32_t rate_hz, int64_t from_ns, int64_t to_ns)
{
    int on = app_scenario_primary_on(p, from_ns, to_ns);
    if (on != 2 || strcmp(p->kind, "radar") != 0)
        return on;
    int64_t since_ns = from_ns - p->start_ns; /* each coming begins the loop anew */
    if (comes_and_goes(p))
        since_ns %= p->on_ns + p->off_ns;
    int64_t until_ns = since_ns + (to_ns - from_ns), period_ns = whole_samples_ns(p->period_ns, rate_hz);
    if (p->scan_ns > 0) { /* the loop is a turn of whole periods, see phy/air/primary.h */
        int64_t turn_ns = p->scan_ns / period_ns * period_ns;
        int64_t looks_ns = time_in_turns(until_ns, p->dwell_ns, turn_ns) - time_in_turns(since_ns, p->dwell_ns, turn_ns);
        if (looks_ns < to_ns - from_ns)
            return looks_ns == 0 ? 0 : 1;
        since_ns %= turn_ns;
        until_ns = since_ns + (to_ns - from_ns);
    }
    return has_pulse(p, period_ns, since_ns, until_ns) ? 2 : 0;
}

int64_t app_scenario_primary_edge(const struct app_scenario_primary *p, int64_t from_ns, bool *comes_out)
{
    *comes_out = from_ns <= p->start_ns;
    if (from_ns <= p->start_ns)
        return p->start_ns < p->stop_ns ? p->start_ns : INT64_MAX;
    int64_t next_ns = p->stop_ns;
    if (comes_and_goes(p)) {
        int64_t turn_ns = p->on_ns + p->off_ns, since_ns = from_ns - p->start_ns;
        int64_t into_ns = since_ns % turn_ns;
        *comes_out = into_ns == 0 || into_ns > p->on_ns;
        next_ns = from_ns - into_ns + (into_ns == 0 ? 0 : *comes_out ? turn_ns : p->on_ns);
        if (next_ns >= p->stop_ns && *comes_out)
            return INT64_MAX; /* it has gone before */
        next_ns = next_ns < p->stop_ns ? next_ns : p->stop_ns;
    }
    return from_ns <= p->stop_ns ? next_ns : INT64_MAX;
}
