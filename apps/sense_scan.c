/* airdeed sense, first pass: the noise floor and what is wrong with the samples; and spectra as rtl_power prints them. */
#include "apps/sense.h"
#include "apps/options.h"
#include "phy/sensing/floor.h"
#include "phy/sensing/welch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STRETCH_SPECTRA = 256 /* apart; as many again overlap them */, MAX_STRETCHES = 1024 };

int app_sense_fail_to_read(const struct app_sense *s, int err)
{
    fprintf(stderr, "airdeed %s: %s: cannot read: %s\n", s->options.command, s->options.path, strerror(-err));
    return APP_SYSTEM_FAILED;
}

int app_sense_next_block(struct app_sense *s, size_t most, struct phy_radio_block *block_out)
{
    int err = s->radio->ops->receive(s->radio, s->block, most, 0, block_out);
    if (err)
        return app_sense_fail_to_read(s, err);
    return app_sense_interrupted() ? APP_SYSTEM_FAILED : 0;
}

static int open_welch(const struct app_sense *s, struct phy_welch **out)
{
    if (phy_welch_open(out, s->options.n_fft, PHY_SIMD_AUTO) == 0)
        return 0;
    fprintf(stderr, "airdeed %s: no memory for a spectrum of %llu bins\n", s->options.command,
            (unsigned long long)s->options.n_fft);
    return APP_SYSTEM_FAILED;
}

/* The quiet part of the spectrum, stretch by stretch: a burst across the band spoils those that it touches, and no more. */
struct quiet_band {
    struct phy_welch *welch;
    float *psd;
    uint64_t stretch_samples, n_samples; /* of the stretch in progress */
    double powers[MAX_STRETCHES];
    size_t n;
};

static void end_stretch(struct quiet_band *q, size_t n_fft)
{
    uint64_t n_spectra = phy_welch_psd(q->welch, q->psd);
    /* a fifth of the averages of n spectra of noise lies .84 standard deviations, of 1 / sqrt(n), below their mean */
    double power = n_spectra > 0 ? phy_floor_in_band(q->psd, n_fft) / (1 - .84 / sqrt((double)n_spectra)) : 0;
    if (power > 0 && q->n < MAX_STRETCHES)
        q->powers[q->n++] = power;
    phy_welch_reset(q->welch);
    q->n_samples = 0;
}

static int compare_powers(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The lower quartile: three of four stretches may have bursts. 0 where nothing but silence was seen. */
static double find_quiet_band(struct quiet_band *q)
{
    qsort(q->powers, q->n, sizeof *q->powers, compare_powers);
    return q->n ? q->powers[q->n / 4] : 0;
}

/* The whole recording through floor and spectrum. */
static int read_through(struct app_sense *s, struct phy_floor *floor, struct quiet_band *quiet)
{
    uint64_t n_done = 0;
    for (;;) {
        struct phy_radio_block block;
        int code = app_sense_next_block(s, APP_SENSE_BLOCK, &block);
        if (code)
            return code;
        if (block.n == 0)
            break;
        if (block.n_lost)
            phy_floor_cut(floor);
        phy_floor_push(floor, s->block, block.n);
        phy_welch_push(quiet->welch, s->block, block.n);
        quiet->n_samples += block.n;
        if (quiet->n_samples >= quiet->stretch_samples)
            end_stretch(quiet, s->options.n_fft);
        s->scan.n_clipped += block.n_clipped;
        s->scan.n_lost += block.n_lost;
        app_sense_progress(s, "noise floor", n_done += block.n, false);
    }
    app_sense_progress(s, "", n_done, true);
    /* an end too short for an average is left out */
    if (quiet->n == 0 || quiet->n_samples >= quiet->stretch_samples / 2)
        end_stretch(quiet, s->options.n_fft);
    return 0;
}

/* Where the weakest windows are 6 dB above the quiet part of the spectrum, they are not the noise: something is on all the time. */
static void choose_floor(struct app_sense *s, const struct phy_floor *floor, double in_band)
{
    const double ratio = 4;
    struct phy_floor_estimate estimate;
    phy_floor_estimate(floor, &estimate);
    uint64_t n_windows = floor->n_windows + floor->n_silent;
    s->scan.silent_share = n_windows ? (double)floor->n_silent / (double)n_windows : 0;
    bool always_on = in_band > 0 && estimate.power > ratio * in_band;
    s->scan.noise_power = always_on ? in_band : estimate.power;
    s->scan.floor_method = always_on ? "quiet band" : "quiet time";
    if (s->scan.noise_power <= 0)
        return;
    if (isfinite(s->meta.noise_dbfs)) {
        s->scan.noise_power = pow(10, s->meta.noise_dbfs / 10);
        s->scan.floor_method = "declared";
    }
    if (isfinite(s->options.floor_dbfs)) {
        s->scan.noise_power = pow(10, s->options.floor_dbfs / 10);
        s->scan.floor_method = "given";
    }
}

int app_sense_make_scan(struct app_sense *s)
{
    if (s->meta.n_samples < PHY_FLOOR_WINDOW) {
        fprintf(stderr, "airdeed %s: %s: %llu sample%s too few to sense; at least %d are needed\n", s->options.command,
                s->options.path, (unsigned long long)s->meta.n_samples, s->meta.n_samples == 1 ? " is" : "s are", PHY_FLOOR_WINDOW);
        return APP_BAD_USAGE;
    }
    struct phy_floor *floor = malloc(sizeof *floor);
    struct quiet_band *quiet = calloc(1, sizeof *quiet);
    if (quiet) {
        quiet->psd = malloc(s->options.n_fft * sizeof *quiet->psd);
        quiet->stretch_samples = STRETCH_SPECTRA * s->options.n_fft + s->meta.n_samples / MAX_STRETCHES;
    }
    int code = floor && quiet && quiet->psd ? open_welch(s, &quiet->welch) : APP_SYSTEM_FAILED;
    if (!code) {
        phy_floor_init(floor);
        code = read_through(s, floor, quiet);
    }
    if (!code)
        choose_floor(s, floor, find_quiet_band(quiet));
    if (quiet) {
        phy_welch_close(quiet->welch);
        free(quiet->psd);
    }
    free(quiet);
    free(floor);
    return code;
}

/* "2020-01-01T00:00:00.5Z" plus seconds; where the recording has no time its first sample is 1970-01-01 00:00:00. */
static void format_time(const char *datetime, double offset_s, char *out, size_t cap)
{
    struct tm tm = {.tm_year = 70, .tm_mday = 1};
    double fraction_s = 0;
    if (*datetime) {
        tm.tm_year = (int)strtol(datetime, NULL, 10) - 1900;
        tm.tm_mon = (int)strtol(datetime + 5, NULL, 10) - 1;
        tm.tm_mday = (int)strtol(datetime + 8, NULL, 10);
        tm.tm_hour = (int)strtol(datetime + 11, NULL, 10);
        tm.tm_min = (int)strtol(datetime + 14, NULL, 10);
        fraction_s = strtod(datetime + 17, NULL);
    }
    time_t start = timegm(&tm) + (time_t)fmin(floor(fraction_s + offset_s), 1e15); /* an index may be 2^63 */
    if (!gmtime_r(&start, &tm) || strftime(out, cap, "%Y-%m-%d, %H:%M:%S", &tm) == 0)
        snprintf(out, cap, "1970-01-01, 00:00:00");
}

/* date, time, Hz low, Hz high, Hz step, samples, dB, dB, ... */
static void print_row(const struct app_sense *s, uint64_t start_sample, uint64_t n_samples, double center_hz, const float *psd)
{
    char when[40];
    double rate = s->meta.sample_rate_hz, center = isfinite(center_hz) ? center_hz : 0;
    format_time(s->meta.datetime, (double)(start_sample - s->meta.captures[0].global_index) / rate, when, sizeof when);
    fprintf(s->report, "%s, %.0f, %.0f, %.2f, %llu", when, center - rate / 2, center + rate / 2,
            rate / (double)s->options.n_fft, (unsigned long long)n_samples);
    for (size_t i = 0; i < s->options.n_fft; i++)
        fprintf(s->report, ", %.2f", 10 * log10(fmax((double)psd[i], 1e-30)));
    fputc('\n', s->report);
}

struct row {
    uint64_t start_sample, n_samples;
    double center_hz;
};

/* Ends a row, if it holds a whole segment. */
static void end_row(const struct app_sense *s, struct row *row, struct phy_welch *welch, float *psd)
{
    if (phy_welch_psd(welch, psd) > 0)
        print_row(s, row->start_sample, row->n_samples, row->center_hz, psd);
    phy_welch_reset(welch);
    row->n_samples = 0;
}

static int print_rows(struct app_sense *s, struct phy_welch *welch, float *psd)
{
    uint64_t per_row = (uint64_t)fmax((double)s->options.interval_ns * 1e-9 * s->meta.sample_rate_hz, (double)s->options.n_fft);
    struct row row = {0};
    uint64_t n_done = 0, expected = 0;
    for (;;) {
        struct phy_radio_block block;
        uint64_t left = per_row - row.n_samples;
        int code = app_sense_next_block(s, left < APP_SENSE_BLOCK ? (size_t)left : APP_SENSE_BLOCK, &block);
        if (code)
            return code;
        double center_hz = isfinite(s->radio->center_hz) ? s->radio->center_hz : 0;
        bool cut = block.n == 0 || block.start_sample != expected || center_hz != row.center_hz;
        if (row.n_samples > 0 && cut)
            end_row(s, &row, welch, psd);
        if (block.n == 0)
            break;
        if (row.n_samples == 0) {
            row.start_sample = block.start_sample;
            row.center_hz = center_hz;
        }
        phy_welch_push(welch, s->block, block.n);
        row.n_samples += block.n;
        expected = block.start_sample + block.n;
        if (row.n_samples == per_row)
            end_row(s, &row, welch, psd);
        app_sense_progress(s, "spectra", n_done += block.n, false);
    }
    app_sense_progress(s, "", n_done, true);
    return 0;
}

int app_sense_report_rtl_power(struct app_sense *s)
{
    if (s->meta.n_samples < s->options.n_fft) {
        fprintf(stderr, "airdeed sense: %s: %llu sample%s too few for a spectrum of %llu bins; see --fft\n", s->options.path,
                (unsigned long long)s->meta.n_samples, s->meta.n_samples == 1 ? " is" : "s are", (unsigned long long)s->options.n_fft);
        return APP_BAD_USAGE;
    }
    struct phy_welch *welch = NULL;
    float *psd = malloc(s->options.n_fft * sizeof *psd);
    int code = psd ? open_welch(s, &welch) : APP_SYSTEM_FAILED;
    if (!code)
        code = print_rows(s, welch, psd);
    phy_welch_close(welch);
    free(psd);
    return code;
}
