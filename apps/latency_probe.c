/* airdeed latency-probe: how soon a radio can answer, and the MAC's timing that follows. */
#include "apps/latency.h"
#include "apps/latency_work.h"
#include "apps/profile.h"
#include "apps/radio_options.h"
#include "apps/sense.h"
#include "mac/frame.h"
#include "mac/mac.h"
#include "phy/crc.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RECEIVE_SAMPLES = 4096, DECODE_SAMPLES = 80 /* a frame is known a symbol after its end, at most */ };

struct command {
    struct app_radio_options radio_options;
    const char *waveform_name;
    uint64_t n_trials;
    int64_t burst_ns;
    bool json, no_hidden_stations;
    const struct phy_waveform *waveform;
    struct phy_radio *radio;
    struct app_latency_work *work;
    struct app_radio_gate gate;
    struct app_latency_result result;
    int64_t turnaround_ns;
    struct mac_profile profile;
    const char *why; /* the profile is refused */
    const char *wanted; /* NULL: none in particular */
    char unheld[APP_PROFILE_MAX_WHY]; /* why the radio does not hold that one; "": it does */
};

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t monotonic_ns(void *ctx)
{
    (void)ctx;
    return read_clock(CLOCK_MONOTONIC);
}

static int64_t wall_ns(void *ctx)
{
    (void)ctx;
    return read_clock(CLOCK_REALTIME);
}

static bool is_interrupted(void *ctx)
{
    struct command *c = ctx;
    if (!app_sense_interrupted())
        return false;
    app_radio_gate_stop(&c->gate);
    return true;
}

static void prepare(void *ctx)
{
    app_latency_work_prepare(((struct command *)ctx)->work);
}

static void work(void *ctx)
{
    app_latency_work_run(((struct command *)ctx)->work);
}

/* 0 to go on, 1 to leave with *exit_out */
static int parse(int argc, char **argv, struct command *c, int *exit_out)
{
    app_radio_options_init(&c->radio_options);
    c->waveform_name = "wifi";
    c->n_trials = 200;
    c->burst_ns = 200000;
    struct app_option options[APP_RADIO_MAX_ROWS + 8];
    size_t n = app_radio_options_rows(&c->radio_options, APP_RADIO_ASK_RECEIVE | APP_RADIO_ASK_TRANSMIT | APP_RADIO_ASK_CONDUCTED, options);
    const struct app_option own[] = {
        {"trials", APP_U64, &c->n_trials, "N", "bursts without a late one that make a lead good (default 200)", 10, 100000, NULL},
        {"burst", APP_DURATION_NS, &c->burst_ns, "TIME", "length of a burst (default 200us)", 1e4, 1e8, NULL},
        {"waveform", APP_TEXT, &c->waveform_name, "NAME", "whose decoding is part of a turnaround (default wifi)", 0, 0, NULL},
        {"profile", APP_TEXT, &c->wanted, "NAME", "tell whether the radio holds this profile, for instance dot11-10", 0, 0, NULL},
        {"no-hidden-stations", APP_FLAG, &c->no_hidden_stations, NULL, "everyone hears everyone: a longer turnaround will do", 0, 0, NULL},
        {"json", APP_FLAG, &c->json, NULL, "print one JSON object", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL}};
    memcpy(options + n, own, sizeof own);
    int n_positional;
    if (app_options_parse(argc, argv, options, "latency-probe --radio URI --tx [--conducted --band LOW:HIGH] [options]",
                          "Measures by how much a burst has to be handed to a radio ahead of its time, and tells the MAC's timing that\n"
                          "follows. It transmits: on a radio that radiates only with --conducted, into a cable with attenuators.",
                          &n_positional, exit_out))
        return 1;
    *exit_out = APP_BAD_USAGE;
    if (n_positional > 0) {
        fprintf(stderr, "airdeed latency-probe: '%s' is not expected\n", argv[1]);
        return 1;
    }
    c->waveform = phy_waveform_find(c->waveform_name);
    if (!c->waveform)
        fprintf(stderr, "airdeed latency-probe: option '--waveform': no waveform is called '%s'\n", c->waveform_name);
    return !c->waveform;
}

static int check_consent(const struct command *c)
{
    if (!c->radio_options.transmit || (app_radio_radiates(c->radio_options.radio) && !c->radio_options.conducted)) {
        fprintf(stderr, "airdeed latency-probe: it transmits and so needs --tx%s\n",
                app_radio_radiates(c->radio_options.radio) ? " --conducted, with the transmitter on a cable with attenuators" : "");
        return APP_BAD_USAGE;
    }
    return APP_OK;
}

/* A sample on the antenna waits for its block to be full, and what it causes is the lead after that block's end. */
static void derive_profile(struct command *c)
{
    double ns = 1e9 / c->radio->sample_rate_hz;
    const struct phy_waveform *w = c->waveform;
    c->turnaround_ns = (int64_t)((double)(c->result.block_samples + c->result.lead_samples + DECODE_SAMPLES) * ns) + 1;
    struct mac_host_timing timing = {.turnaround_ns = c->turnaround_ns,
                                     .cca_delay_ns = (int64_t)((double)w->cca_delay_samples * ns),
                                     .rx_start_delay_ns = (int64_t)((double)w->lock_delay_samples * ns),
                                     .ack_ns = (int64_t)((double)w->frame_samples(MAC_ACK_BYTES + PHY_FCS_BYTES, 0) * ns),
                                     .no_hidden_stations = c->no_hidden_stations};
    if (mac_profile_host(&timing, &c->profile, &c->why) == 0)
        c->why = NULL;
    struct mac_profile wanted;
    if (c->wanted && app_profile_find(c->wanted, &timing, true, &wanted, c->unheld) == 0)
        c->unheld[0] = '\0';
}

static double us(int64_t ns)
{
    return (double)ns / 1000;
}

/* A stream between programs goes as fast as they do: when its blocks arrive says nothing about a lead. */
static bool has_own_clock(const struct command *c)
{
    return app_radio_radiates(c->radio_options.radio);
}

static json_t *describe_jitter(const struct command *c)
{
    const struct app_latency_result *r = &c->result;
    if (!has_own_clock(c))
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:I}", "p50", us(app_latency_quantile_ns(r, .5)), "p99", us(app_latency_quantile_ns(r, .99)), "max",
                     us(app_latency_quantile_ns(r, 1)), "blocks", (json_int_t)r->n_jitter);
}

static void print_text(const struct command *c)
{
    const struct app_latency_result *r = &c->result;
    const struct mac_profile *p = &c->profile;
    double sample_us = 1e6 / c->radio->sample_rate_hz;
    printf("radio           %s, %u Hz, blocks of %zu samples (%.0f us)\n", c->radio->ops->name, c->radio->sample_rate_hz, r->block_samples,
           (double)r->block_samples * sample_us);
    if (has_own_clock(c))
        printf("receive jitter  blocks arrive %.0f us (median), %.0f us (99 %%), %.0f us (worst of %zu) behind the earliest\n",
               us(app_latency_quantile_ns(r, .5)), us(app_latency_quantile_ns(r, .99)), us(app_latency_quantile_ns(r, 1)), r->n_jitter);
    if (r->n_lost > 0)
        printf("lost            %llu samples\n", (unsigned long long)r->n_lost);
    printf("lead            %llu samples (%.0f us): 0 of %u bursts late, that is at most %.2g %% with 95 %% confidence\n",
           (unsigned long long)r->lead_samples, (double)r->lead_samples * sample_us, r->n_trials, 300.0 / r->n_trials);
    printf("                %u bursts in all, %u late, %u failed otherwise\n", r->n_sent, r->n_late, r->n_other);
    printf("turnaround      %.0f us: a block, a symbol to decode, the lead\n", us(c->turnaround_ns));
    if (c->wanted)
        printf("%-15s %s\n", c->wanted, c->unheld[0] ? c->unheld : "holds");
    if (c->why) {
        printf("MAC profile     none holds: %s\n", c->why);
        return;
    }
    printf("MAC profile     slot %.0f us, SIFS %.0f us, DIFS %.0f us, ACK timeout %.0f us\n", us(p->slot_ns), us(p->sifs_ns),
           us(p->sifs_ns + 2 * p->slot_ns), us(p->sifs_ns + p->slot_ns + p->rx_start_delay_ns));
    printf("\n# for a station's file\nprofile:\n  turnaround: %lldus\n", (long long)(p->sifs_ns / 1000));
}

static json_t *describe_profile(const struct command *c)
{
    const struct mac_profile *p = &c->profile;
    if (c->why)
        return json_pack("{s:s}", "refused", c->why);
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f}", "name", p->name, "turnaround_us", us(p->sifs_ns), "slot_us", us(p->slot_ns),
                     "sifs_us", us(p->sifs_ns), "difs_us", us(p->sifs_ns + 2 * p->slot_ns), "ack_timeout_us",
                     us(p->sifs_ns + p->slot_ns + p->rx_start_delay_ns), "rx_start_delay_us", us(p->rx_start_delay_ns));
}

static json_t *describe_counters(const struct phy_radio *radio)
{
    struct phy_radio_counter counters[PHY_RADIO_MAX_COUNTERS];
    size_t n = radio->ops->counters ? radio->ops->counters(radio, counters, PHY_RADIO_MAX_COUNTERS) : 0;
    json_t *object = json_object();
    for (size_t i = 0; i < n; i++)
        json_object_set_new(object, counters[i].name, json_integer((json_int_t)counters[i].count));
    return object;
}

static void print_json(const struct command *c)
{
    const struct app_latency_result *r = &c->result;
    json_t *object = json_pack(
        "{s:s, s:I, s:s, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:o}", "radio", c->radio->ops->name,
        "rate_hz", (json_int_t)c->radio->sample_rate_hz, "waveform", c->waveform->name, "block_samples", (json_int_t)r->block_samples,
        "receive_jitter_us", describe_jitter(c), "lost_samples", (json_int_t)r->n_lost, "lead_samples",
        (json_int_t)r->lead_samples, "late_below_samples", (json_int_t)r->late_below_samples, "trials", (json_int_t)r->n_trials, "bursts",
        (json_int_t)r->n_sent, "late", (json_int_t)r->n_late, "failed", (json_int_t)r->n_other, "turnaround_us", us(c->turnaround_ns),
        "profile", describe_profile(c), "counters", describe_counters(c->radio));
    if (c->wanted)
        json_object_set_new(object, "wanted_profile",
                            json_pack("{s:s, s:s?}", "name", c->wanted, "refused", c->unheld[0] ? c->unheld : NULL));
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
    printf("\n");
    json_decref(object);
}

static int measure(struct command *c)
{
    struct app_radio_limits limits = app_radio_limits_default();
    app_radio_options_limit(&c->radio_options, &limits);
    app_radio_gate_init(&c->gate, &limits);
    uint64_t n_burst = (uint64_t)c->burst_ns * c->radio->sample_rate_hz / 1000000000u;
    struct app_latency_config cfg = {
        .radio = c->radio,
        .n_burst = n_burst < 16 ? 16 : (size_t)n_burst,
        .n_search = 10,
        .n_trials = (unsigned)c->n_trials,
        .cap = RECEIVE_SAMPLES,
        .max_lead_samples = c->radio->sample_rate_hz / 2,
        .gate = app_radio_radiates(c->radio_options.radio) ? &c->gate : NULL,
        .deed = {.low_hz = limits.band_low_hz, .high_hz = limits.band_high_hz, .until_ns = INT64_MAX},
        .now_ns = monotonic_ns,
        .wall_ns = wall_ns,
        .work = work,
        .prepare = prepare,
        .interrupted = is_interrupted,
        .ctx = c,
    };
    char error[APP_LATENCY_MAX_ERROR];
    int rc = app_latency_measure(&cfg, &c->result, error);
    app_radio_print_counters(c->radio, "latency-probe");
    if (rc != 0) {
        fprintf(stderr, "airdeed latency-probe: %s\n", error);
        return APP_SYSTEM_FAILED;
    }
    if (app_latency_work_decoded(c->work) == 0) {
        fprintf(stderr, "airdeed latency-probe: the frame to decode meanwhile was not decoded\n");
        return APP_SYSTEM_FAILED;
    }
    derive_profile(c);
    c->json ? print_json(c) : print_text(c);
    return c->why || c->unheld[0] ? APP_EXPECTATION_FAILED : APP_OK;
}

static int open_and_measure(struct command *c)
{
    int code = app_radio_options_open(&c->radio_options, "latency-probe", &c->radio);
    if (code)
        return code;
    size_t block = c->radio->sample_rate_hz / 1000;
    code = APP_SYSTEM_FAILED;
    if (!c->radio->ops->transmit)
        fprintf(stderr, "airdeed latency-probe: this radio cannot transmit\n");
    else if (app_latency_work_open(c->waveform, c->radio->sample_rate_hz, block, &c->work) != 0)
        fprintf(stderr, "airdeed latency-probe: a frame of '%s' cannot be made at this rate\n", c->waveform_name);
    else
        code = measure(c);
    if (c->work)
        app_latency_work_close(c->work);
    c->radio->ops->close(c->radio);
    return code;
}

static int latency_probe(int argc, char **argv)
{
    struct command *c = calloc(1, sizeof *c);
    int code = APP_SYSTEM_FAILED;
    if (!c) {
        fprintf(stderr, "airdeed latency-probe: not enough memory\n");
        return code;
    }
    if (!parse(argc, argv, c, &code)) {
        code = check_consent(c);
        code = code ? code : app_radio_options_resolve(&c->radio_options, "latency-probe");
        sigset_t before;
        app_sense_hold_signals(&before);
        code = code ? code : open_and_measure(c);
        app_radio_release_signals(&before);
    }
    free(c);
    return code;
}

const struct app_command app_command_latency_probe = {"latency-probe", "measures how soon a radio can answer, and the MAC's timing", latency_probe};
