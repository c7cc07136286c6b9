/* airdeed replay: the receiver on a recording, one JSON object a frame. */
#include "apps/frame_json.h"
#include "apps/options.h"
#include "apps/replay.h"
#include "apps/replay_capture.h"
#include "apps/sense.h"
#include "phy/sensing/wideband.h"
#include "phy/waveform.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct replay_options {
    const char *path, *expect, *waveform, *pcapng;
    uint64_t tolerance_samples, n_channels;
    bool psdu, payload, json;
    double floor_dbfs;
};

struct replay {
    struct replay_options options;
    struct app_sense source; /* the recording, and its noise floor */
    const struct phy_waveform *waveform;
    unsigned n_channels;
    struct phy_wideband *bank; /* NULL for one channel */
    float complex *streams;    /* with a bank: n_channels rows of PHY_MAX_STEP_SAMPLES */
    size_t n_early;            /* of the bank's delay, still to be left out */
    void *mem[PHY_WIDEBAND_MAX_CHANNELS];
    struct phy *phy[PHY_WIDEBAND_MAX_CHANNELS]; /* NULL before the first sample and after a change of frequency */
    struct phy_update update;
    struct app_replay_expectation expectation;
    struct app_replay_capture capture;
    uint64_t n_locks, n_frames, n_fcs_ok, n_header_bad;
};

static int parse_options(int argc, char **argv, struct replay_options *o, int *exit_out)
{
    *o = (struct replay_options){.tolerance_samples = 8, .n_channels = 1, .floor_dbfs = NAN};
    const struct app_option options[] = {
        {"expect", APP_TEXT, &o->expect, "FILE", "JSON Lines that replay printed: exit 1 if the frames differ", 0, 0, NULL},
        {"tolerance", APP_U64, &o->tolerance_samples, "SAMPLES", "by how much start_sample may differ (default 8)", 0, 1e9, NULL},
        {"waveform", APP_TEXT, &o->waveform, "NAME", "where the recording names none: wifi (default) or flex", 0, 0, NULL},
        {"channels", APP_U64, &o->n_channels, "K", "receive on K equal channels of the band at once (default 1)", 1,
         PHY_WIDEBAND_MAX_CHANNELS, NULL},
        {"psdu", APP_FLAG, &o->psdu, NULL, "print each frame's octets, too", 0, 0, NULL},
        {"pcapng", APP_TEXT, &o->pcapng, "FILE", "write the frames for Wireshark, too: levels, rates, MAC headers", 0, 0, NULL},
        {"payload", APP_FLAG, &o->payload, NULL, "with --pcapng: whole frames, not their MAC headers alone", 0, 0, NULL},
        {"floor", APP_REAL, &o->floor_dbfs, "DBFS", "noise floor (default: the recording's, else estimated)", -200, 99, NULL},
        {"json", APP_FLAG, &o->json, NULL, "print JSON Lines, as it does anyway", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL}};
    int n_positional;
    if (app_options_parse(argc, argv, options, "replay FILE.sigmf-meta [options]",
                          "Runs the receiver on a SigMF recording and prints the frames as JSON Lines, a summary last.",
                          &n_positional, exit_out))
        return 1;
    if (o->payload && !o->pcapng) {
        fprintf(stderr, "airdeed replay: option '--payload' goes with --pcapng FILE\n");
        *exit_out = APP_BAD_USAGE;
        return 1;
    }
    if (n_positional == 1) {
        o->path = argv[1];
        return 0;
    }
    fprintf(stderr, "airdeed replay: %s; 'airdeed replay --help' tells how\n",
            n_positional ? "takes one recording" : "which recording?");
    *exit_out = APP_BAD_USAGE;
    return 1;
}

/* What the recording says of itself comes first. */
static int choose_waveform(struct replay *r)
{
    const char *declared = r->source.meta.waveform, *asked = r->options.waveform;
    const char *name = *declared ? declared : asked ? asked : "wifi";
    if (*declared && asked && strcmp(declared, asked) != 0)
        fprintf(stderr, "airdeed replay: warning: the recording names waveform '%s', --waveform %s is not used\n", declared, asked);
    r->waveform = phy_waveform_find(name);
    if (r->waveform)
        return 0;
    fprintf(stderr, "airdeed replay: %s: waveform '%.40s' is not known; known: wifi, flex\n",
            *declared ? r->options.path : "option '--waveform'", name);
    return APP_BAD_USAGE;
}

static double channel_noise(const struct replay *r)
{
    return r->source.scan.noise_power * (r->bank ? phy_wideband_noise_gain(r->bank) : 1);
}

/* Is the noise floor of the recording more than an estimate? */
static bool floor_is_known(const struct replay *r)
{
    const char *method = r->source.scan.floor_method;
    return strcmp(method, "declared") == 0 || strcmp(method, "given") == 0;
}

/* An estimate is one number for a whole recording, and may be the weakest signal's; then what the frame itself shows goes before it. */
static void set_noise(const struct replay *r, struct phy_frame *frame)
{
    double noise_power = channel_noise(r);
    if (floor_is_known(r) || isnan(frame->noise_dbfs)) {
        frame->noise_dbfs = noise_power > 0 ? 10 * log10(noise_power) : NAN;
        return;
    }
    double snr = pow(10, (frame->rssi_dbfs - frame->noise_dbfs) / 10) - 1;
    frame->snr_db = snr > 0 ? 10 * log10(snr) : NAN;
}

static int open_phy(struct replay *r, unsigned channel, uint64_t first_sample)
{
    double noise_power = channel_noise(r);
    struct phy_config cfg = {
        .waveform = r->waveform,
        .sample_rate_hz = r->source.radio->sample_rate_hz / r->n_channels,
        .noise_dbfs = noise_power > 0 ? fmin(fmax(10 * log10(noise_power), -249), 99) : -200,
        .cca_energy_db = 10,
        .cca_samples = 64,
        /* an estimate may be too high where the recording has no quiet stretch: then look everywhere */
        .squelch_db = floor_is_known(r) ? 0 : -1,
        .first_sample = first_sample,
    };
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    if (!r->mem[channel])
        r->mem[channel] = aligned_alloc(64, len);
    const char *bad_field = "memory";
    if (r->mem[channel] && phy_init(r->mem[channel], len, &cfg, &r->phy[channel], &bad_field) == 0)
        return 0;
    r->phy[channel] = NULL;
    fprintf(stderr, "airdeed replay: %s: the receiver cannot start: %s\n", r->options.path, bad_field);
    return APP_SYSTEM_FAILED;
}

static void print_frame(struct replay *r, unsigned channel, const struct phy_frame *found)
{
    struct phy_frame frame = *found;
    double offset_hz = r->bank ? phy_wideband_center(r->n_channels, channel) * r->source.meta.sample_rate_hz : 0;
    frame.start_sample *= r->n_channels; /* in the recording */
    frame.end_sample *= r->n_channels;
    set_noise(r, &frame);
    struct app_replay_key key = {.start_sample = frame.start_sample, .decoded = frame.format != PHY_FORMAT_HT};
    app_frame_json(stdout, &frame, r->bank ? (int)channel : -1, r->options.psdu, key.psdu_sha256);
    app_replay_capture_frame(&r->capture, &frame, r->source.radio->center_hz + offset_hz);
    r->n_frames++;
    r->n_fcs_ok += frame.fcs_ok;
    if (r->options.expect)
        app_replay_expect_frame(&r->expectation, &key);
}

static void take_signals(struct replay *r, unsigned channel, const struct phy_update *update)
{
    for (size_t i = 0; i < update->n_signals; i++) {
        const struct phy_signal *signal = &update->signals[i];
        r->n_locks += signal->kind == PHY_LOCK;
        if (signal->kind != PHY_FRAME)
            continue;
        if (signal->frame.header_ok)
            print_frame(r, channel, &signal->frame);
        else
            r->n_header_bad++;
    }
}

static int step(struct replay *r, unsigned channel, const struct phy_event *event)
{
    int err = phy_step(r->phy[channel], event, &r->update);
    if (err) {
        fprintf(stderr, "airdeed replay: %s: the receiver refused samples: %s\n", r->options.path, strerror(-err));
        return APP_SYSTEM_FAILED;
    }
    take_signals(r, channel, &r->update);
    return 0;
}

/* Before a block: the receiver starts, or learns of what was lost, or starts anew on another frequency. A channeliser starts anew
 * in both cases. */
static int prepare(struct replay *r, unsigned channel, const struct phy_radio_block *block, bool retuned)
{
    if (r->phy[channel] && (block->n_lost || retuned)) {
        struct phy_event skip = {.kind = PHY_EV_SKIP, .skip.n = block->n_lost ? block->n_lost : 1};
        int code = step(r, channel, &skip);
        if (code)
            return code;
    }
    if (r->phy[channel] && (retuned || (r->bank && block->n_lost))) {
        phy_close(r->phy[channel]);
        r->phy[channel] = NULL;
    }
    return r->phy[channel] ? 0 : open_phy(r, channel, block->start_sample / r->n_channels);
}

/* The samples of each channel: samples_out of them, a row each. */
static const float complex *split(struct replay *r, const struct phy_radio_block *block, bool anew, size_t *n_out)
{
    *n_out = block->n;
    if (!r->bank)
        return r->source.block;
    if (anew) {
        phy_wideband_reset(r->bank);
        r->n_early = PHY_WIDEBAND_SEMI_LENGTH;
    }
    size_t n = phy_wideband_push(r->bank, r->source.block, block->n, r->streams, PHY_MAX_STEP_SAMPLES);
    size_t n_early = r->n_early < n ? r->n_early : n;
    r->n_early -= n_early;
    *n_out = n - n_early;
    return r->streams + n_early;
}

static int take_block(struct replay *r, const struct phy_radio_block *block, bool first, bool retuned)
{
    size_t n;
    const float complex *streams = split(r, block, first || retuned || block->n_lost, &n);
    for (unsigned k = 0; k < r->n_channels; k++) {
        struct phy_event samples = {.kind = PHY_EV_SAMPLES, .samples = {streams + k * PHY_MAX_STEP_SAMPLES, n}};
        int code = prepare(r, k, block, retuned);
        if (!code)
            code = step(r, k, &samples);
        if (code)
            return code;
    }
    return 0;
}

/* The recording ends as if samples were lost: a frame that lacks its last ones is told as far as it came. */
static int flush(struct replay *r)
{
    const struct phy_event end = {.kind = PHY_EV_SKIP, .skip.n = 1};
    int code = 0;
    for (unsigned k = 0; k < r->n_channels && !code; k++)
        code = r->phy[k] ? step(r, k, &end) : 0;
    return code;
}

static int run(struct replay *r)
{
    struct app_sense *source = &r->source;
    struct phy_radio *radio = source->radio;
    uint64_t n_done = 0;
    for (;;) {
        struct phy_radio_block block;
        double center_hz = radio->center_hz;
        int err = radio->ops->receive(radio, source->block, PHY_MAX_STEP_SAMPLES, 0, &block);
        if (err)
            return app_sense_fail_to_read(source, err);
        if (block.n == 0)
            break;
        bool retuned = center_hz != radio->center_hz && !(isnan(center_hz) && isnan(radio->center_hz));
        int code = take_block(r, &block, n_done == 0, retuned);
        if (code)
            return code;
        app_sense_progress(source, "replay", n_done += block.n, false);
    }
    app_sense_progress(source, "", n_done, true);
    return flush(r);
}

static int finish(struct replay *r)
{
    const struct app_sense *source = &r->source;
    printf("{\"summary\": {\"waveform\": \"%s\", \"n_samples\": %llu, \"lost_samples\": %llu", r->waveform->name,
           (unsigned long long)source->meta.n_samples, (unsigned long long)source->scan.n_lost);
    printf(", \"clipped_samples\": %llu", (unsigned long long)source->scan.n_clipped);
    app_json_number(stdout, "noise_dbfs", 2, source->scan.noise_power > 0 ? 10 * log10(source->scan.noise_power) : NAN);
    printf(", \"locks\": %llu, \"header_bad\": %llu, \"frames\": %llu, \"fcs_ok\": %llu}}\n", (unsigned long long)r->n_locks,
           (unsigned long long)r->n_header_bad, (unsigned long long)r->n_frames, (unsigned long long)r->n_fcs_ok);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "airdeed replay: standard output: cannot write: %s\n", strerror(errno));
        return APP_SYSTEM_FAILED;
    }
    if (source->scan.n_clipped)
        fprintf(stderr, "airdeed replay: warning: %s: %llu sample%s at full scale: the receiver may have been overdriven\n", r->options.path,
                (unsigned long long)source->scan.n_clipped, source->scan.n_clipped == 1 ? "" : "s");
    if (!r->options.expect)
        return APP_OK;
    app_replay_expect_end(&r->expectation);
    if (r->expectation.n_differences == 0)
        return APP_OK;
    fprintf(stderr, "airdeed replay: %llu difference%s from %s\n", (unsigned long long)r->expectation.n_differences,
            r->expectation.n_differences == 1 ? "" : "s", r->options.expect);
    return APP_EXPECTATION_FAILED;
}

static int replay_recording(struct replay *r)
{
    int code = choose_waveform(r);
    if (!code && r->options.expect)
        code = app_replay_expect_read(r->options.expect, &r->expectation);
    r->expectation.tolerance_samples = r->options.tolerance_samples;
    r->source.block = malloc(APP_SENSE_BLOCK * sizeof *r->source.block);
    if (!code && !r->source.block)
        code = APP_SYSTEM_FAILED;
    if (!code)
        code = app_sense_make_scan(&r->source);
    if (code)
        return code;
    phy_sigmf_rewind(r->source.radio);
    r->n_channels = (unsigned)r->options.n_channels;
    if (r->source.radio->sample_rate_hz < r->n_channels) {
        fprintf(stderr, "airdeed replay: %s: %u Hz cannot be split into %u channels\n", r->options.path,
                (unsigned)r->source.radio->sample_rate_hz, r->n_channels);
        return APP_BAD_USAGE;
    }
    if (r->n_channels > 1) {
        r->streams = malloc(r->n_channels * PHY_MAX_STEP_SAMPLES * sizeof *r->streams);
        if (!r->streams || phy_wideband_open(&r->bank, r->n_channels)) {
            fprintf(stderr, "airdeed replay: no memory for %u channels\n", r->n_channels);
            return APP_SYSTEM_FAILED;
        }
    }
    r->capture = (struct app_replay_capture){.path = r->options.pcapng, .with_payload = r->options.payload};
    code = app_replay_capture_open(&r->capture, &r->source.meta);
    if (!code)
        code = run(r);
    int capture_code = app_replay_capture_close(&r->capture);
    return code ? code : capture_code ? capture_code : finish(r);
}

static int open_and_replay(struct replay *r)
{
    struct app_sense *source = &r->source;
    source->options = (struct app_sense_options){
        .command = "replay", .path = r->options.path, .n_fft = 256, .floor_dbfs = r->options.floor_dbfs};
    char error[PHY_SIGMF_MAX_ERROR];
    int err = phy_sigmf_open(r->options.path, &source->radio, &source->meta, error);
    if (err) {
        fprintf(stderr, "airdeed replay: %s\n", error);
        return err == -ENOMEM || err == -EIO ? APP_SYSTEM_FAILED : APP_BAD_USAGE;
    }
    if (source->meta.warning[0])
        fprintf(stderr, "airdeed replay: warning: %s\n", source->meta.warning);
    int code = replay_recording(r);
    for (unsigned k = 0; k < PHY_WIDEBAND_MAX_CHANNELS; k++) {
        phy_close(r->phy[k]);
        free(r->mem[k]);
    }
    phy_wideband_close(r->bank);
    free(r->streams);
    free(source->block);
    app_replay_expect_free(&r->expectation);
    source->radio->ops->close(source->radio);
    return code;
}

static int replay(int argc, char **argv)
{
    struct replay *r = calloc(1, sizeof *r);
    if (!r) {
        fprintf(stderr, "airdeed replay: not enough memory\n");
        return APP_SYSTEM_FAILED;
    }
    int code;
    if (!parse_options(argc, argv, &r->options, &code))
        code = open_and_replay(r);
    free(r);
    return code;
}

const struct app_command app_command_replay = {"replay", "runs the receiver on a SigMF recording, prints the frames", replay};
