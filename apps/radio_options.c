#include "apps/radio_options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void app_radio_options_init(struct app_radio_options *o)
{
    *o = (struct app_radio_options){.radio = "uhd",
                                    .rate_hz = 1e6,
                                    .gain_db = (double)NAN,
                                    .tx_gain_db = (double)NAN,
                                    .max_tx_gain_db = 0,
                                    .bandwidth_hz = 0,
                                    .duration_ns = 0};
}

size_t app_radio_options_rows(struct app_radio_options *o, unsigned groups, struct app_option *rows)
{
    const struct {
        unsigned group;
        struct app_option row;
    } all[] = {
        {APP_RADIO_ASK_RECEIVE, {"radio", APP_TEXT, &o->radio, "URI", "uhd, uhd:ARGS or zmq:tx=ENDPOINT,rx=ENDPOINT (default uhd)", 0, 0, NULL}},
        {APP_RADIO_ASK_RECEIVE, {"args", APP_TEXT, &o->args, "ARGS", "device arguments, the same as uhd:ARGS", 0, 0, NULL}},
        {APP_RADIO_ASK_RECEIVE, {"freq", APP_FREQ_HZ, &o->freq_hz, "HZ", "center frequency", 0, 1e12, &o->freq_given}},
        {APP_RADIO_ASK_RECEIVE, {"rate", APP_FREQ_HZ, &o->rate_hz, "HZ", "samples a second (default 1M)", 1e3, 250e6, NULL}},
        {APP_RADIO_ASK_RECEIVE, {"gain", APP_REAL, &o->gain_db, "DB", "receive gain (default: the radio's)", -50, 150, NULL}},
        {APP_RADIO_ASK_RECEIVE, {"ant", APP_TEXT, &o->antenna, "NAME", "receive antenna (default: the radio's)", 0, 0, NULL}},
        {APP_RADIO_ASK_RECEIVE, {"subdev", APP_TEXT, &o->subdev, "SPEC", "subdevice, for instance A:A", 0, 0, NULL}},
        {APP_RADIO_ASK_RECEIVE, {"channel", APP_U64, &o->channel, "N", "of the radio (default 0)", 0, 63, NULL}},
        {APP_RADIO_ASK_RECEIVE, {"bw", APP_FREQ_HZ, &o->bandwidth_hz, "HZ", "analog bandwidth (default: the radio's)", 0, 1e9, NULL}},
        {APP_RADIO_ASK_RECEIVE, {"ref", APP_TEXT, &o->clock_source, "SOURCE", "clock reference: internal, external, gpsdo", 0, 0, NULL}},
        {APP_RADIO_ASK_RECEIVE, {"pps", APP_TEXT, &o->time_source, "SOURCE", "pulse a second: internal, external, gpsdo", 0, 0, NULL}},
        {APP_RADIO_ASK_RECEIVE, {"wirefmt", APP_TEXT, &o->wire_format, "FORMAT", "samples on the wire: sc16 (default), sc12, sc8", 0, 0, NULL}},
        {APP_RADIO_ASK_RECEIVE, {"lo-offset", APP_FREQ_HZ, &o->lo_offset_hz, "HZ", "local oscillator this far above the center", -1e9, 1e9, NULL}},
        {APP_RADIO_ASK_TRANSMIT, {"tx", APP_FLAG, &o->transmit, NULL, "transmit; without it nothing is sent", 0, 0, NULL}},
        {APP_RADIO_ASK_TRANSMIT, {"tx-gain", APP_REAL, &o->tx_gain_db, "DB", "transmit gain (default 0), at most --max-tx-gain", -50, 150, NULL}},
        {APP_RADIO_ASK_TRANSMIT, {"max-tx-gain", APP_REAL, &o->max_tx_gain_db, "DB", "a larger --tx-gain is refused (default 0)", -50, 150, NULL}},
        {APP_RADIO_ASK_TRANSMIT, {"tx-ant", APP_TEXT, &o->tx_antenna, "NAME", "transmit antenna (default: the radio's)", 0, 0, NULL}},
        {APP_RADIO_ASK_TRANSMIT, {"band", APP_TEXT, &o->band, "LOW:HIGH", "that may be used, whole bandwidth inside (default: none)", 0, 0, NULL}},
        {APP_RADIO_ASK_CONDUCTED, {"conducted", APP_FLAG, &o->conducted, NULL, "the transmitter is on a cable with attenuators", 0, 0, NULL}},
        {APP_RADIO_ASK_LENGTH, {"nsamps", APP_U64, &o->n_samples, "N", "samples to take; 0 (default): until interrupted", 0, 1e15, NULL}},
        {APP_RADIO_ASK_LENGTH, {"duration", APP_DURATION_NS, &o->duration_ns, "TIME", "time to take, instead of --nsamps", 0, 1e15, NULL}},
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (groups & all[i].group)
            rows[n++] = all[i].row;
    return n;
}

bool app_radio_radiates(const char *uri)
{
    return strncmp(uri, "zmq", 3) != 0 || (uri[3] != ':' && uri[3] != '\0');
}

int app_parse_band(const char *text, double *low_hz_out, double *high_hz_out)
{
    char low[48];
    const char *colon = strchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof low)
        return -EINVAL;
    memcpy(low, text, (size_t)(colon - text));
    low[colon - text] = '\0';
    if (app_parse_freq(low, low_hz_out) != 0 || app_parse_freq(colon + 1, high_hz_out) != 0)
        return -EINVAL;
    return *low_hz_out >= 0 && *low_hz_out < *high_hz_out ? 0 : -EINVAL;
}

static int copy_text(const char *command, const char *option, const char *text, char *out, size_t cap)
{
    if (!text)
        return APP_OK;
    size_t len = strlen(text);
    if (len >= cap) {
        fprintf(stderr, "airdeed %s: option '--%s': '%.40s...' is longer than %zu characters\n", command, option, text, cap - 1);
        return APP_BAD_USAGE;
    }
    memcpy(out, text, len + 1);
    return APP_OK;
}

/* What no radio takes is refused before one is opened. */
static int check_receive(const struct app_radio_options *o, const char *command)
{
    static const char *const formats[] = {"sc16", "sc12", "sc8"};
    bool known = !o->wire_format;
    if (fabs(o->rate_hz - round(o->rate_hz)) > 1e-3) {
        fprintf(stderr, "airdeed %s: option '--rate': %.12g is no whole number of Hz\n", command, o->rate_hz);
        return APP_BAD_USAGE;
    }
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        known = known || strcmp(o->wire_format, formats[i]) == 0;
    if (known)
        return APP_OK;
    fprintf(stderr, "airdeed %s: option '--wirefmt': '%s' is none of sc16, sc12, sc8\n", command, o->wire_format);
    return APP_BAD_USAGE;
}

static int check_transmit(const struct app_radio_options *o, const char *command)
{
    if (!(o->config.tx_gain_db <= o->max_tx_gain_db)) {
        fprintf(stderr, "airdeed %s: --tx-gain %g is above the cap of %g dB; --max-tx-gain raises it\n", command, o->config.tx_gain_db,
                o->max_tx_gain_db);
        return APP_BAD_USAGE;
    }
    if (!o->transmit || !app_radio_radiates(o->radio))
        return APP_OK;
    if (!o->band) {
        fprintf(stderr, "airdeed %s: --tx needs --band LOW:HIGH, the band that you may use; the default is none\n", command);
        return APP_BAD_USAGE;
    }
    if (o->freq_hz - o->rate_hz / 2 < o->band_low_hz || o->freq_hz + o->rate_hz / 2 > o->band_high_hz) {
        fprintf(stderr, "airdeed %s: %.0f Hz +- %.0f Hz does not lie inside the band %s\n", command, o->freq_hz, o->rate_hz / 2,
                o->band);
        return APP_BAD_USAGE;
    }
    return APP_OK;
}

int app_radio_options_resolve(struct app_radio_options *o, const char *command)
{
    struct phy_radio_config *c = &o->config;
    *c = (struct phy_radio_config){.sample_rate_hz = (uint32_t)lround(o->rate_hz),
                                   .center_hz = o->freq_given ? o->freq_hz : (double)NAN,
                                   .rx_gain_db = o->gain_db,
                                   .tx_gain_db = isnan(o->tx_gain_db) ? fmin(0, o->max_tx_gain_db) : o->tx_gain_db,
                                   .channel = (uint32_t)o->channel,
                                   .bandwidth_hz = o->bandwidth_hz,
                                   .lo_offset_hz = o->lo_offset_hz,
                                   .transmit = o->transmit,
                                   .max_tx_gain_db = o->max_tx_gain_db};
    if (o->args && strchr(o->radio, ':')) {
        fprintf(stderr, "airdeed %s: --args and '--radio %s' exclude each other: both carry arguments\n", command, o->radio);
        return APP_BAD_USAGE;
    }
    if (check_receive(o, command))
        return APP_BAD_USAGE;
    if (copy_text(command, "args", o->args, c->address, sizeof c->address) ||
        copy_text(command, "ant", o->antenna, c->antenna_rx, sizeof c->antenna_rx) ||
        copy_text(command, "tx-ant", o->tx_antenna, c->antenna_tx, sizeof c->antenna_tx) ||
        copy_text(command, "subdev", o->subdev, c->subdev, sizeof c->subdev) ||
        copy_text(command, "ref", o->clock_source, c->clock_source, sizeof c->clock_source) ||
        copy_text(command, "pps", o->time_source, c->time_source, sizeof c->time_source) ||
        copy_text(command, "wirefmt", o->wire_format, c->wire_format, sizeof c->wire_format))
        return APP_BAD_USAGE;
    if (o->band && app_parse_band(o->band, &o->band_low_hz, &o->band_high_hz) != 0) {
        fprintf(stderr, "airdeed %s: option '--band': '%s' is not LOW:HIGH such as 5.17G:5.19G\n", command, o->band);
        return APP_BAD_USAGE;
    }
    if (app_radio_radiates(o->radio) && !o->freq_given) {
        fprintf(stderr, "airdeed %s: --freq is missing: which center frequency?\n", command);
        return APP_BAD_USAGE;
    }
    return check_transmit(o, command);
}

void app_radio_options_limit(const struct app_radio_options *o, struct app_radio_limits *limits)
{
    limits->transmit = o->transmit;
    limits->band_low_hz = o->band_low_hz;
    limits->band_high_hz = o->band_high_hz;
}

void app_radio_quiet_libraries(void)
{
    setenv("UHD_LOG_FASTPATH_DISABLE", "1", 0); /* the letters O, D, U, S, L: each is a counter here */
    setenv("UHD_LOG_CONSOLE_LEVEL", "fatal", 0); /* what fails is told once, by us, with libuhd's words */
}

int app_radio_options_open(const struct app_radio_options *o, const char *command, struct phy_radio **out)
{
    char error[PHY_RADIO_MAX_ERROR];
    app_radio_quiet_libraries();
    int err = phy_radio_open(o->radio, &o->config, out, error);
    if (!err)
        return APP_OK;
    fprintf(stderr, "airdeed %s: %s\n", command, error);
    return err == -EINVAL ? APP_BAD_USAGE : APP_SYSTEM_FAILED;
}

void app_radio_print_counters(const struct phy_radio *r, const char *command)
{
    struct phy_radio_counter counters[PHY_RADIO_MAX_COUNTERS];
    size_t n = r->ops->counters ? r->ops->counters(r, counters, PHY_RADIO_MAX_COUNTERS) : 0;
    for (size_t i = 0; i < n; i++)
        if (counters[i].count)
            fprintf(stderr, "airdeed %s: %s %llu: %s\n", command, counters[i].name, (unsigned long long)counters[i].count,
                    counters[i].words);
}

void app_radio_release_signals(const sigset_t *before)
{
    sigset_t stop;
    struct timespec at_once = {0, 0};
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    while (sigtimedwait(&stop, NULL, &at_once) > 0)
        ;
    sigprocmask(SIG_SETMASK, before, NULL);
}
