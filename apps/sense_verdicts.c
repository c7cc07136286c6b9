/* airdeed sense --method and --channels: the detectors on every channel of the recording, a decision an interval. */
#include "apps/options.h"
#include "apps/sense.h"
#include "phy/sensing/cyclic.h"
#include "phy/sensing/eigenvalue.h"
#include "phy/sensing/energy.h"
#include "phy/sensing/occupancy.h"
#include "phy/sensing/welch.h"
#include "phy/sensing/wideband.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum method { ENERGY, WELCH, CP, MME, N_METHODS };
enum { SMOOTHING = 8, N_CALIBRATION = 20000, MAX_CALIBRATED = 20000, MAX_WINDOW_SAMPLES = 1 << 22 };

static const char *const method_names[N_METHODS] = {"energy", "welch", "cp", "mme"};

struct verdicts {
    struct app_sense *s;
    enum method method;
    unsigned n_channels;
    double rate_hz; /* of a channel */
    size_t n;       /* samples of a window in a channel */
    uint64_t start_sample; /* of the window in progress, in the recording */
    size_t n_held, n_early; /* n_early: of the filters' delay, still to be left out */
    float complex *windows; /* n_channels rows of n + APP_SENSE_BLOCK */
    size_t stride;
    uint64_t n_decisions, n_occupied[PHY_WIDEBAND_MAX_CHANNELS];
    struct phy_wideband *bank; /* NULL for one channel */
    struct phy_welch *welch;
    float *psd, *scratch;
    struct phy_energy_detector energy;
    struct phy_cyclic_detector cyclic;
    struct phy_eigenvalue_detector eigenvalue;
    struct phy_occupancy_detector occupancy;
};

static int refuse(const struct verdicts *v, const char *why)
{
    fprintf(stderr, "airdeed sense: %s: %zu samples a decision at %.6g Msps: %s\n", v->s->options.path, v->n, v->rate_hz / 1e6, why);
    return APP_BAD_USAGE;
}

static int open_eigenvalue(struct verdicts *v)
{
    struct phy_eigenvalue_config cfg = {1, SMOOTHING, v->n - (SMOOTHING - 1), v->s->options.p_fa, 1, N_CALIBRATION};
    const char *bad_field = "memory";
    if (cfg.n_samples > MAX_CALIBRATED)
        return refuse(v, "too many to calibrate mme with; see --interval");
    size_t len = phy_eigenvalue_bytes(&cfg);
    void *mem = malloc(len ? len : 1);
    int err = mem ? phy_eigenvalue_init(mem, len, &cfg, &v->eigenvalue, &bad_field) : -ENOMEM;
    free(mem);
    if (!err)
        return 0;
    fprintf(stderr, "airdeed sense: mme cannot be calibrated: %s\n", bad_field);
    return err == -ENOMEM ? APP_SYSTEM_FAILED : APP_BAD_USAGE;
}

static int open_welch(struct verdicts *v)
{
    size_t n_fft = (size_t)v->s->options.n_fft;
    const char *bad_field;
    if (v->n < n_fft + n_fft / 2)
        return refuse(v, "too few for two spectra; see --fft and --interval");
    struct phy_occupancy_config cfg = {n_fft, (v->n - n_fft) / (n_fft / 2) + 1, v->s->options.p_fa, 0, 1};
    if (phy_occupancy_init(&v->occupancy, &cfg, &bad_field)) {
        fprintf(stderr, "airdeed sense: welch cannot be set up: %s is out of bounds\n", bad_field);
        return APP_BAD_USAGE;
    }
    v->psd = malloc(n_fft * sizeof *v->psd);
    v->scratch = malloc(n_fft * sizeof *v->scratch);
    return v->psd && v->scratch && phy_welch_open(&v->welch, n_fft, PHY_SIMD_AUTO) == 0 ? 0 : APP_SYSTEM_FAILED;
}

static int open_detector(struct verdicts *v)
{
    const struct app_sense_options *o = &v->s->options;
    double noise = v->s->scan.noise_power * (v->bank ? phy_wideband_noise_gain(v->bank) : 1);
    switch (v->method) {
    case ENERGY:
        if (noise <= 0)
            return refuse(v, "every sample is zero, and a silent recording has no noise floor");
        return phy_energy_init(&v->energy, v->n, noise, o->uncertainty_db, o->p_fa) ? APP_BAD_USAGE : 0;
    case WELCH: return open_welch(v);
    case CP:
        if (v->n <= 2 * o->lag_samples)
            return refuse(v, "too few for --lag; see --interval");
        return phy_cyclic_init(&v->cyclic, (uint32_t)o->lag_samples, v->n - o->lag_samples, o->p_fa) ? APP_BAD_USAGE : 0;
    case MME:
        if (v->n < 3 * SMOOTHING)
            return refuse(v, "too few for mme; see --interval");
        return open_eigenvalue(v);
    case N_METHODS: break;
    }
    return APP_BAD_USAGE;
}

/* --- decisions --- */

static void print_decision(const struct verdicts *v, unsigned channel, struct phy_verdict verdict, const struct phy_occupancy *bands)
{
    FILE *out = v->s->report;
    double offset_hz = v->n_channels > 1 ? phy_wideband_center(v->n_channels, channel) * v->s->meta.sample_rate_hz : 0;
    double start_us = (double)(v->start_sample - v->s->meta.captures[0].global_index) / v->s->meta.sample_rate_hz * 1e6;
    bool json = v->s->options.format == APP_SENSE_JSON;
    if (json)
        fprintf(out,
                "%s\n  {\"start_us\": %.3f, \"channel\": %u, \"offset_hz\": %.0f, \"statistic\": %.6g, \"threshold\": %.6g, \"occupied\": %s",
                v->n_decisions || channel ? "," : "", start_us, channel, offset_hz, verdict.statistic, verdict.threshold,
                verdict.occupied ? "true" : "false");
    else
        fprintf(out, "%14.2f %8u %11.0f %12.5g %12.5g  %s", start_us, channel, offset_hz / 1e3, verdict.statistic, verdict.threshold,
                verdict.occupied ? "occupied" : "idle");
    if (json && bands)
        fprintf(out, ", \"bands_hz\": [");
    for (size_t i = 0; bands && i < bands->n_bands; i++) {
        double low = offset_hz + bands->bands[i].low * v->rate_hz, high = offset_hz + bands->bands[i].high * v->rate_hz;
        fprintf(out, json ? "%s[%.0f, %.0f]" : "%s %.0f..%.0f kHz", !i ? "" : json ? ", " : ",", json ? low : low / 1e3, json ? high : high / 1e3);
    }
    fprintf(out, json && bands ? "]}" : json ? "}" : "\n");
}

static void decide(struct verdicts *v)
{
    for (unsigned k = 0; k < v->n_channels; k++) {
        const float complex *window = v->windows + k * v->stride;
        struct phy_verdict verdict = {0};
        struct phy_occupancy bands;
        switch (v->method) {
        case ENERGY: verdict = phy_energy_judge(&v->energy, window); break;
        case CP: verdict = phy_cyclic_judge(&v->cyclic, window); break;
        case MME: verdict = phy_eigenvalue_judge(&v->eigenvalue, &window); break;
        case WELCH:
            phy_welch_reset(v->welch);
            phy_welch_push(v->welch, window, v->n);
            phy_welch_psd(v->welch, v->psd);
            phy_occupancy_judge(&v->occupancy, v->psd, v->scratch, &bands);
            verdict = bands.verdict;
            break;
        case N_METHODS: break;
        }
        print_decision(v, k, verdict, v->method == WELCH ? &bands : NULL);
        v->n_occupied[k] += verdict.occupied;
    }
    v->n_decisions++;
}

/* What follows does not follow what is held. */
static void begin_anew(struct verdicts *v, uint64_t start_sample)
{
    v->n_held = 0;
    v->start_sample = start_sample;
    v->n_early = v->bank ? PHY_WIDEBAND_SEMI_LENGTH : 0;
    if (v->bank)
        phy_wideband_reset(v->bank);
}

static void drop(struct verdicts *v, size_t n)
{
    v->n_held -= n;
    for (unsigned k = 0; n > 0 && k < v->n_channels; k++)
        memmove(v->windows + k * v->stride, v->windows + k * v->stride + n, v->n_held * sizeof *v->windows);
}

static void take(struct verdicts *v, const struct phy_radio_block *block)
{
    if (v->bank) {
        v->n_held += phy_wideband_push(v->bank, v->s->block, block->n, v->windows + v->n_held, v->stride);
    } else {
        memcpy(v->windows + v->n_held, v->s->block, block->n * sizeof *v->windows);
        v->n_held += block->n;
    }
    size_t n_early = v->n_early < v->n_held ? v->n_early : v->n_held;
    v->n_early -= n_early;
    drop(v, n_early);
    while (v->n_held >= v->n) {
        decide(v);
        drop(v, v->n);
        v->start_sample += (uint64_t)v->n * v->n_channels;
    }
}

static int run(struct verdicts *v)
{
    struct app_sense *s = v->s;
    uint64_t n_done = 0, expected = 0;
    double center_hz = NAN;
    for (;;) {
        struct phy_radio_block block;
        int code = app_sense_next_block(s, APP_SENSE_BLOCK, &block);
        if (code)
            return code;
        if (block.n == 0)
            break;
        bool retuned = s->radio->center_hz != center_hz && !(isnan(center_hz) && isnan(s->radio->center_hz));
        if (n_done == 0 || block.start_sample != expected || retuned)
            begin_anew(v, block.start_sample);
        center_hz = s->radio->center_hz;
        expected = block.start_sample + block.n;
        take(v, &block);
        app_sense_progress(s, "decisions", n_done += block.n, false);
    }
    app_sense_progress(s, "", n_done, true);
    return 0;
}

static void print_head(const struct verdicts *v)
{
    const struct app_sense_options *o = &v->s->options;
    if (o->format == APP_SENSE_JSON) {
        fprintf(v->s->report, "{\"method\": \"%s\", \"p_fa\": %g, \"channels\": %u, \"channel_rate_hz\": %.0f, \"samples\": %zu,\n \"decisions\": [",
                method_names[v->method], o->p_fa, v->n_channels, v->rate_hz, v->n);
        return;
    }
    fprintf(v->s->report, "%s, %zu samples a decision at %.6g Msps, %u channel%s, P_fa %g\n\n%14s %8s %11s %12s %12s\n",
            method_names[v->method], v->n, v->rate_hz / 1e6, v->n_channels, v->n_channels == 1 ? "" : "s", o->p_fa, "start_us", "channel",
            "offset_khz", "statistic", "threshold");
}

static void print_tail(const struct verdicts *v)
{
    bool json = v->s->options.format == APP_SENSE_JSON;
    fprintf(v->s->report, json ? "],\n \"occupied_share\": [" : "\n");
    for (unsigned k = 0; k < v->n_channels; k++) {
        double share = v->n_decisions ? (double)v->n_occupied[k] / (double)v->n_decisions : 0;
        if (json)
            fprintf(v->s->report, "%s%.6f", k ? ", " : "", share);
        else
            fprintf(v->s->report, "channel %u: occupied in %llu of %llu decisions\n", k, (unsigned long long)v->n_occupied[k],
                    (unsigned long long)v->n_decisions);
    }
    if (json)
        fprintf(v->s->report, "]}\n");
}

static int find_method(const char *name, enum method *out)
{
    for (*out = 0; *out < N_METHODS; ++*out)
        if (strcmp(name, method_names[*out]) == 0)
            return 0;
    fprintf(stderr, "airdeed sense: option '--method': '%s' is none of energy, welch, cp, mme\n", name);
    return APP_BAD_USAGE;
}

static int open_windows(struct verdicts *v)
{
    double n = (double)v->s->options.interval_ns * 1e-9 * v->rate_hz;
    v->n = n < 1 ? 0 : n > 1e15 ? (size_t)1e15 : (size_t)n;
    if (n < 1 || n * v->n_channels > MAX_WINDOW_SAMPLES)
        return refuse(v, n < 1 ? "too few; see --interval" : "too many to hold; see --interval");
    if (v->s->meta.n_samples < v->n * v->n_channels)
        return refuse(v, "the recording is shorter than that; see --interval");
    v->stride = v->n + APP_SENSE_BLOCK;
    v->windows = malloc(v->n_channels * v->stride * sizeof *v->windows);
    if (v->windows && (v->n_channels == 1 || phy_wideband_open(&v->bank, v->n_channels) == 0))
        return 0;
    fprintf(stderr, "airdeed sense: no memory for windows of %zu samples\n", v->n);
    return APP_SYSTEM_FAILED;
}

int app_sense_report_verdicts(struct app_sense *s)
{
    struct verdicts v = {.s = s, .n_channels = (unsigned)s->options.n_channels};
    v.rate_hz = s->meta.sample_rate_hz / v.n_channels;
    int code = find_method(s->options.method ? s->options.method : "energy", &v.method);
    if (!code)
        code = open_windows(&v);
    if (!code)
        code = open_detector(&v);
    if (!code) {
        print_head(&v);
        code = run(&v);
    }
    if (!code)
        print_tail(&v);
    phy_wideband_close(v.bank);
    phy_welch_close(v.welch);
    free(v.windows);
    free(v.psd);
    free(v.scratch);
    return code;
}
