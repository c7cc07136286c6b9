/* A station's file: its table, and what holds between its fields, the cluster's and the radio. */
#include "apps/live/config.h"

#include "apps/radio_options.h"
#include "mac/frame.h"
#include "phy/crc.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MIN_BLOCK = 256, MAX_BLOCK = 1 << 16, MIN_CCA_SAMPLES = 32, MAX_CCA_SAMPLES = 1024 };

#define AT(member) .offset = offsetof(struct app_live_config, member)
#define TEXT(field, member) {.name = field, .kind = APP_YAML_TEXT, AT(member), .cap = sizeof((struct app_live_config *)0)->member}
#define DB(field, member, low, high) {.name = field, .kind = APP_YAML_REAL, AT(member), .min = low, .max = high, .unit = "dB"}

static const char *const waveforms[] = {"wifi", "flex", NULL};

/* Nested mappings lie at offset 0, so that their rows may reach anywhere. */
static const struct app_yaml_field radio_fields[] = {
    {.name = "uri", .kind = APP_YAML_TEXT, .required = true, AT(uri), .cap = APP_LIVE_URI},
    {.name = "sample_rate", .kind = APP_YAML_FREQ_U32_HZ, .required = true, AT(radio.sample_rate_hz), .min = 1e5, .max = 1e8},
    {.name = "block", .kind = APP_YAML_U32, AT(block_samples), .min = 32, .max = MAX_BLOCK, .unit = "samples"},
    DB("rx_gain", radio.rx_gain_db, 0, 150),
    DB("tx_gain", radio.tx_gain_db, 0, 150),
    DB("max_tx_gain", radio.max_tx_gain_db, 0, 150),
    TEXT("antenna_rx", radio.antenna_rx),
    TEXT("antenna_tx", radio.antenna_tx),
    TEXT("subdev", radio.subdev),
    TEXT("clock_source", radio.clock_source),
    TEXT("time_source", radio.time_source),
    TEXT("wire_format", radio.wire_format),
    {.name = "channel", .kind = APP_YAML_U32, AT(radio.channel), .min = 0, .max = 7},
    {.name = "bandwidth", .kind = APP_YAML_FREQ_HZ, AT(radio.bandwidth_hz), .min = 1e5, .max = 2e8},
    {.name = "lo_offset", .kind = APP_YAML_FREQ_HZ, AT(radio.lo_offset_hz), .min = -1e8, .max = 1e8},
    {.name = ""},
};
static const struct app_yaml_field profile_fields[] = {
    {.name = "turnaround", .kind = APP_YAML_DURATION_NS, .required = true, AT(turnaround_ns), .min = 1e4, .max = 1e9},
    {.name = "no_hidden_stations", .kind = APP_YAML_BOOL, AT(no_hidden_stations)},
    {.name = ""},
};
static const struct app_yaml_field transmit_fields[] = {
    {.name = "low", .kind = APP_YAML_FREQ_HZ, .required = true, AT(band_low_hz), .min = 1, .max = 1e12},
    {.name = "high", .kind = APP_YAML_FREQ_HZ, .required = true, AT(band_high_hz), .min = 1, .max = 1e12},
    {.name = "max_burst", .kind = APP_YAML_DURATION_NS, AT(max_burst_ns), .min = 1e5, .max = 5e8},
    {.name = "duty", .kind = APP_YAML_REAL, AT(duty), .min = 1e-3, .max = 1},
    {.name = ""},
};
static const struct app_yaml_field station_fields[] = {
    APP_NODE_CONFIG_ROWS,
    {.name = "radio", .kind = APP_YAML_MAP, .required = true, .fields = radio_fields},
    {.name = "waveform", .kind = APP_YAML_TEXT, AT(waveform), .cap = 16, .choices = waveforms},
    {.name = "noise_dbfs", .kind = APP_YAML_REAL, AT(noise_dbfs), .min = -150, .max = -3, .unit = "dBFS"},
    {.name = "tx_dbfs", .kind = APP_YAML_REAL, AT(tx_dbfs), .min = -80, .max = -6, .unit = "dBFS"},
    {.name = "time", .kind = APP_YAML_TEXT, AT(time), .cap = APP_NODE_ENDPOINT},
    {.name = "profile", .kind = APP_YAML_MAP, .required = true, .fields = profile_fields},
    {.name = "transmit", .kind = APP_YAML_MAP, .fields = transmit_fields},
    {.name = "x_m", .kind = APP_YAML_REAL, AT(x_m), .min = -1e5, .max = 1e5, .unit = "m"},
    {.name = "y_m", .kind = APP_YAML_REAL, AT(y_m), .min = -1e5, .max = 1e5, .unit = "m"},
    {.name = ""},
};

static int check_station(void *root, void *item, const char **field_out, char *why)
{
    const struct app_live_config *c = root;
    int err = app_node_config_check(root, item, field_out, why);
    if (err)
        return err;
    if (strcmp(c->time, "wall") != 0 && strcmp(c->time, "samples") != 0 && !app_node_endpoint_ok(c->time)) {
        *field_out = "time";
        snprintf(why, APP_YAML_MAX_WHY, "it is wall, samples, or the clock of an airdeed air, as tcp://127.0.0.1:7500");
        return -EINVAL;
    }
    if (strcmp(c->time, "samples") == 0 && app_live_radiates(c)) {
        *field_out = "time";
        snprintf(why, APP_YAML_MAX_WHY, "the samples of this radio are not those of other stations: wall");
        return -EINVAL;
    }
    if (c->band_high_hz < c->band_low_hz) {
        *field_out = "transmit.high";
        snprintf(why, APP_YAML_MAX_WHY, "must be above transmit.low");
        return -EINVAL;
    }
    return 0;
}

static void fill_defaults(struct app_live_config *c)
{
    memset(c, 0, sizeof *c);
    strcpy(c->waveform, "wifi");
    strcpy(c->time, "wall");
    c->noise_dbfs = (double)NAN;
    c->tx_dbfs = -20;
    c->radio.max_tx_gain_db = (double)NAN;
    c->max_burst_ns = 100000000;
    c->duty = 0.5;
}

int app_live_config_read_text(const char *name, const void *text, size_t len, struct app_live_config *out, char *error_out)
{
    fill_defaults(out);
    return app_yaml_read_text(name, text, len, station_fields, check_station, out, error_out);
}

bool app_live_radiates(const struct app_live_config *c)
{
    return app_radio_radiates(c->uri);
}

uint32_t app_live_control(const struct app_live_config *c)
{
    const struct chain_genesis *g = &c->node.cluster.genesis;
    for (uint32_t i = 0; i < g->n_channels; i++)
        if (g->channels[i].control)
            return i;
    return g->n_channels;
}

uint32_t app_live_block_samples(const struct app_live_config *c)
{
    if (c->block_samples)
        return c->block_samples;
    uint32_t n = c->radio.sample_rate_hz / 1000;
    return n < MIN_BLOCK ? MIN_BLOCK : n > MAX_BLOCK ? MAX_BLOCK : n;
}

uint32_t app_live_cca_samples(uint32_t sample_rate_hz)
{
    uint32_t n = (uint32_t)((uint64_t)sample_rate_hz * 8 / 1000000);
    return n < MIN_CCA_SAMPLES ? MIN_CCA_SAMPLES : n > MAX_CCA_SAMPLES ? MAX_CCA_SAMPLES : n;
}

static int refuse(char *error_out, const char *path, const char *field, const char *why)
{
    snprintf(error_out, APP_NODE_MAX_ERROR, "%.120s: field %s: %.200s", path, field, why);
    return -EINVAL;
}

/* The whole sampled bandwidth has to lie in the control channel: what is occupied within it is the waveform's affair. */
static int check_channel(const char *path, struct app_live_config *c, char *error_out)
{
    const struct chain_genesis *g = &c->node.cluster.genesis;
    uint32_t control = app_live_control(c);
    if (control == g->n_channels)
        return refuse(error_out, path, "cluster", "no channel there is marked as control: stations would have nothing to meet on");
    const struct chain_channel *channel = &g->channels[control];
    c->radio.center_hz = (double)channel->low_hz / 2 + (double)channel->high_hz / 2;
    if (c->radio.sample_rate_hz > channel->high_hz - channel->low_hz)
        return refuse(error_out, path, "radio.sample_rate", "wider than the control channel of the cluster file");
    return 0;
}

int app_live_config_read(const char *path, struct app_live_config *out, char *error_out)
{
    fill_defaults(out);
    int err = app_yaml_read(path, station_fields, check_station, out, error_out);
    if (!err)
        err = app_node_config_finish(path, true, &out->node, error_out);
    return err ? err : check_channel(path, out, error_out);
}

static int64_t samples_ns(uint64_t n, uint32_t rate_hz)
{
    return (int64_t)((n * 1000000000u + rate_hz - 1) / rate_hz);
}

/* The gate would refuse a whole fragment each time. */
static int check_longest(const struct app_live_config *c, const struct phy_waveform *waveform, const struct mac_profile *profile,
                         char *error_out)
{
    size_t longest = MAC_DATA_HEADER_BYTES + profile->fragment_bytes + PHY_FCS_BYTES;
    int64_t longest_ns = samples_ns(waveform->frame_samples(longest, profile->basic_rate), c->radio.sample_rate_hz);
    if (!app_live_radiates(c) || longest_ns <= c->max_burst_ns)
        return 0;
    snprintf(error_out, APP_NODE_MAX_ERROR, "field transmit.max_burst: a frame takes up to %lld ms at this sample_rate",
             (long long)((longest_ns + 999999) / 1000000));
    return -EINVAL;
}

int app_live_profile(const struct app_live_config *c, const struct phy_waveform *waveform, uint64_t lead_samples,
                     struct mac_profile *out, char *error_out)
{
    enum { ACK_BYTES = 10 + PHY_FCS_BYTES };
    uint32_t rate_hz = c->radio.sample_rate_hz;
    /* a frame is known a symbol after its end, a block has to be full before anybody looks at it, and what it causes has to be
     * handed over the lead before it is on the air */
    int64_t needed_ns = samples_ns(APP_LIVE_DECODE_SAMPLES + app_live_block_samples(c) + lead_samples, rate_hz);
    if (c->turnaround_ns < needed_ns) {
        snprintf(error_out, APP_NODE_MAX_ERROR,
                 "field profile.turnaround: %lld us are less than this radio needs: %lld us for a block of %u samples and a lead of %llu",
                 (long long)(c->turnaround_ns / 1000), (long long)((needed_ns + 999) / 1000), (unsigned)app_live_block_samples(c),
                 (unsigned long long)lead_samples);
        return -EINVAL;
    }
    struct mac_host_timing timing = {
        .turnaround_ns = c->turnaround_ns,
        .cca_delay_ns = samples_ns(waveform->cca_delay_samples + 2 * app_live_cca_samples(rate_hz), rate_hz),
        .rx_start_delay_ns = samples_ns(waveform->lock_delay_samples, rate_hz),
        .ack_ns = samples_ns(waveform->frame_samples(ACK_BYTES, 0), rate_hz),
        .no_hidden_stations = c->no_hidden_stations};
    const char *why;
    if (mac_profile_host(&timing, out, &why) == 0)
        return check_longest(c, waveform, out, error_out);
    snprintf(error_out, APP_NODE_MAX_ERROR, "field profile.turnaround: %s", why);
    return -EINVAL;
}
