/* airdeed sense, second pass: bursts, their bandwidth, and the annotations that mark them. */
#include "apps/sense.h"
#include "apps/options.h"
#include "phy/sensing/bandwidth.h"
#include "phy/sensing/burst.h"
#include "phy/sensing/welch.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_FFT_LOG2 = 4, MAX_FFT_LOG2 = 16, SEGMENTS_WANTED = 8, BAND_SAMPLES = 1 << 20, LABEL_BYTES = 24 };

struct note {
    uint64_t start_sample, n_samples;
    double low_hz, high_hz;
    char label[LABEL_BYTES];
};

/* What on_burst needs while the finder runs. */
struct pass {
    struct app_sense *s;
    struct phy_welch *welch[MAX_FFT_LOG2 + 1]; /* opened when first needed */
    float *psd;
    float complex *samples; /* of a burst, read again for its spectrum */
    uint64_t n_bursts, n_occupied;
    struct note *notes;
    size_t n_notes, cap_notes;
    int code;
};

/* The finest spectrum that still averages some segments over the burst. */
static unsigned choose_fft(const struct app_sense *s, uint64_t n_samples)
{
    unsigned log2 = MIN_FFT_LOG2;
    while (log2 < MAX_FFT_LOG2 && (uint64_t)2 << log2 <= s->options.n_fft && (uint64_t)2 << log2 <= n_samples / SEGMENTS_WANTED)
        log2++;
    return log2;
}

/* Spectrum of the burst, or of its beginning where it is very long; leaves has_band false where it is too short. */
static int measure_band(struct pass *p, struct app_sense_burst *burst)
{
    struct app_sense *s = p->s;
    unsigned log2 = choose_fft(s, burst->n_samples);
    size_t n_fft = (size_t)1 << log2;
    if (burst->n_samples < n_fft)
        return 0;
    if (!p->welch[log2] && phy_welch_open(&p->welch[log2], n_fft, PHY_SIMD_AUTO))
        return -ENOMEM;
    struct phy_welch *welch = p->welch[log2];
    phy_welch_reset(welch);
    uint64_t n = burst->n_samples < BAND_SAMPLES ? burst->n_samples : BAND_SAMPLES;
    for (uint64_t at = 0; at < n;) {
        size_t n_read, want = n - at < APP_SENSE_BLOCK ? (size_t)(n - at) : APP_SENSE_BLOCK;
        int err = phy_sigmf_read_at(s->radio, burst->file_sample + at, p->samples, want, &n_read);
        if (err)
            return err;
        phy_welch_push(welch, p->samples, n_read);
        at += n_read;
        if (n_read < want)
            break;
    }
    uint64_t n_segments = phy_welch_psd(welch, p->psd);
    double low, high;
    if (phy_bandwidth(p->psd, n_fft, n_segments, s->scan.noise_power, &low, &high))
        return 0;
    burst->has_band = true;
    burst->low_hz = low * s->meta.sample_rate_hz;
    burst->high_hz = high * s->meta.sample_rate_hz;
    return 0;
}

static double center_of(const struct phy_sigmf_meta *meta, uint64_t file_sample)
{
    size_t i = meta->n_captures - 1;
    while (i > 0 && meta->captures[i].sample_start > file_sample)
        i--;
    return isfinite(meta->captures[i].frequency_hz) ? meta->captures[i].frequency_hz : 0;
}

static int keep_note(struct pass *p, const struct app_sense_burst *burst)
{
    if (p->n_notes == APP_SENSE_MAX_ANNOTATIONS)
        return 0;
    if (p->n_notes == p->cap_notes) {
        size_t cap = p->cap_notes ? 2 * p->cap_notes : 64;
        struct note *more = realloc(p->notes, cap * sizeof *more);
        if (!more)
            return -ENOMEM;
        p->notes = more;
        p->cap_notes = cap;
    }
    /* the specification wants edges relative to baseband where the frequency is unknown */
    double center = center_of(&p->s->meta, burst->file_sample);
    struct note *note = &p->notes[p->n_notes++];
    *note = (struct note){burst->file_sample, burst->n_samples, burst->has_band ? round(center + burst->low_hz) : NAN,
                          burst->has_band ? round(center + burst->high_hz) : NAN, ""};
    snprintf(note->label, sizeof note->label, "burst %.1f dBFS", burst->mean_dbfs);
    return 0;
}

static void on_burst(void *ctx, const struct phy_burst *found)
{
    struct pass *p = ctx;
    struct app_sense *s = p->s;
    double noise = s->scan.noise_power;
    struct app_sense_burst burst = {
        .start_sample = found->start_sample,
        .file_sample = phy_sigmf_file_sample(&s->meta, found->start_sample),
        .n_samples = found->n_samples,
        .mean_dbfs = 10 * log10(found->mean_power),
        .peak_dbfs = 10 * log10(found->peak_power),
        .snr_db = found->mean_power > noise ? 10 * log10((found->mean_power - noise) / noise) : -INFINITY,
    };
    int err = measure_band(p, &burst);
    if (!err && s->options.annotate)
        err = keep_note(p, &burst);
    if (err) {
        p->code = APP_SYSTEM_FAILED;
        fprintf(stderr, "airdeed sense: %s: cannot measure a burst: %s\n", s->options.path, strerror(-err));
        return;
    }
    app_sense_print_burst(s, p->n_bursts++, &burst);
    p->n_occupied += burst.n_samples;
}

static int run_finder(struct pass *p, struct phy_burst_finder *finder)
{
    struct app_sense *s = p->s;
    uint64_t n_done = 0;
    double center_hz = NAN;
    while (!p->code) {
        struct phy_radio_block block;
        int code = app_sense_next_block(s, APP_SENSE_BLOCK, &block);
        if (code)
            return code;
        /* another frequency is another piece of spectrum */
        bool retuned = n_done > 0 && s->radio->center_hz != center_hz && !(isnan(center_hz) && isnan(s->radio->center_hz));
        if (block.n == 0 || block.n_lost || retuned)
            phy_burst_skip(finder, block.n_lost);
        if (block.n == 0)
            break;
        center_hz = s->radio->center_hz;
        phy_burst_push(finder, s->block, block.n);
        app_sense_progress(s, "bursts", n_done += block.n, false);
    }
    app_sense_progress(s, "", n_done, true);
    return p->code;
}

static int find_bursts(struct pass *p)
{
    struct app_sense *s = p->s;
    /* a recording of zeros has no floor and no burst */
    if (s->scan.noise_power <= 0)
        return 0;
    struct phy_burst_config cfg = {
        .sample_rate_hz = s->meta.sample_rate_hz,
        .noise_power = s->scan.noise_power,
        .p_fa = s->options.p_fa,
        .join_us = (double)s->options.join_ns / 1e3,
        .min_us = (double)s->options.min_ns / 1e3,
        .first_sample = s->meta.captures[0].global_index,
        .on_burst = on_burst,
        .ctx = p,
    };
    size_t bytes = phy_burst_bytes(&cfg);
    void *mem = bytes ? malloc(bytes) : NULL;
    struct phy_burst_finder *finder;
    const char *bad_field = "memory";
    if (!mem || phy_burst_init(mem, bytes, &cfg, &finder, &bad_field)) {
        fprintf(stderr, "airdeed sense: bursts cannot be sought: %s\n", bad_field);
        free(mem);
        return APP_SYSTEM_FAILED;
    }
    int code = run_finder(p, finder);
    free(mem);
    return code;
}

static int write_notes(const struct pass *p)
{
    const struct app_sense_options *o = &p->s->options;
    struct phy_sigmf_annotation *annotations = calloc(p->n_notes ? p->n_notes : 1, sizeof *annotations);
    if (!annotations)
        return APP_SYSTEM_FAILED;
    for (size_t i = 0; i < p->n_notes; i++) {
        const struct note *n = &p->notes[i];
        annotations[i] = (struct phy_sigmf_annotation){n->start_sample, n->n_samples, n->low_hz, n->high_hz, n->label, NULL};
    }
    char error[PHY_SIGMF_MAX_ERROR];
    sigset_t before;
    app_sense_hold_signals(&before); /* the new file gets its name, or goes */
    int err = phy_sigmf_annotate(o->path, o->out, "airdeed sense", annotations, p->n_notes, error);
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(annotations);
    if (err)
        fprintf(stderr, "airdeed sense: %s%s\n", error, err == -EPERM ? "; --out FILE writes a copy" : "");
    else if (p->n_bursts > p->n_notes)
        fprintf(stderr, "airdeed sense: only the first %zu of %llu bursts are annotated\n", p->n_notes,
                (unsigned long long)p->n_bursts);
    return err == -EINVAL || err == -EPERM ? APP_BAD_USAGE : err ? APP_SYSTEM_FAILED : 0;
}

int app_sense_report_bursts(struct app_sense *s)
{
    struct pass p = {.s = s};
    p.psd = malloc((size_t)1 << MAX_FFT_LOG2 << 2);
    p.samples = malloc(APP_SENSE_BLOCK * sizeof *p.samples);
    int code = p.psd && p.samples ? 0 : APP_SYSTEM_FAILED;
    if (!code) {
        app_sense_print_head(s);
        code = find_bursts(&p);
    }
    if (!code)
        app_sense_print_tail(s, p.n_bursts, (double)p.n_occupied / (double)s->meta.n_samples);
    if (!code && s->options.annotate)
        code = write_notes(&p);
    for (size_t i = 0; i <= MAX_FFT_LOG2; i++)
        phy_welch_close(p.welch[i]);
    free(p.psd);
    free(p.samples);
    free(p.notes);
    return code;
}
