/* airdeed sense --waterfall: the spectrum over time, as a PNG. Time runs downwards.
 *
 * The picture has at most N_ROWS spectra, whatever the recording's length. A row of many segments shows the largest of the
 * averages over HOLD_SAMPLES: an average alone would hide bursts, the largest segment alone would lift the noise. */
#include "apps/canvas.h"
#include "apps/options.h"
#include "apps/sense.h"
#include "phy/sensing/welch.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_ROWS = 720, N_COLUMNS = 1024, HOLD_SAMPLES = 4096, MIN_FFT = 16, AUTO_MIN_FFT = 128, AUTO_MAX_FFT = 1024 };
enum { LEFT = 110, TOP = 46, BOTTOM = 60, BAR_GAP = 24, BAR_WIDTH = 22, RIGHT = 150, TICK = 8 };

static const struct app_colour paper = {250, 250, 250}, ink = {20, 20, 24};

struct waterfall {
    struct app_sense *s;
    size_t n_fft, n_rows;
    double step; /* samples from row to row */
    struct phy_welch *welch;
    float complex *samples;
    float *psd, *rows; /* n_rows of n_fft: largest power of each bin */
    double low_db, high_db;
};

/* Rows overlap where the recording is short: a row's hop then is an eighth of its window or more, so that the picture is as sharp
 * in time as in frequency. */
static void choose_grid(struct waterfall *w)
{
    uint64_t n = w->s->meta.n_samples;
    double hop = (double)n / N_ROWS;
    w->n_fft = (size_t)w->s->options.n_fft;
    if (!w->s->options.n_fft_given)
        for (w->n_fft = AUTO_MIN_FFT; w->n_fft < AUTO_MAX_FFT && (double)w->n_fft < 4 * hop;)
            w->n_fft *= 2;
    while (!w->s->options.n_fft_given && w->n_fft > MIN_FFT && w->n_fft > n)
        w->n_fft /= 2;
    uint64_t n_starts = n >= w->n_fft ? n - w->n_fft + 1 : 0;
    w->n_rows = n_starts < N_ROWS ? (size_t)n_starts : N_ROWS;
    w->step = w->n_rows ? (double)n_starts / (double)w->n_rows : 0;
}

static int measure_row(struct waterfall *w, size_t i_row)
{
    float *row = w->rows + i_row * w->n_fft;
    uint64_t at = (uint64_t)((double)i_row * w->step), end = (uint64_t)((double)(i_row + 1) * w->step);
    end = end > at + w->n_fft ? end : at + w->n_fft;
    size_t hold = w->n_fft > HOLD_SAMPLES ? w->n_fft : HOLD_SAMPLES;
    while (at + w->n_fft <= end) {
        size_t n_read, want = end - at < hold ? (size_t)(end - at) : hold;
        int err = phy_sigmf_read_at(w->s->radio, at, w->samples, want, &n_read);
        if (err)
            return app_sense_fail_to_read(w->s, err);
        phy_welch_reset(w->welch);
        phy_welch_push(w->welch, w->samples, n_read);
        if (phy_welch_psd(w->welch, w->psd) > 0)
            for (size_t i = 0; i < w->n_fft; i++)
                row[i] = fmaxf(row[i], w->psd[i]);
        at += want;
    }
    return 0;
}

static int measure(struct waterfall *w)
{
    for (size_t i = 0; i < w->n_rows; i++) {
        int code = app_sense_interrupted() ? APP_SYSTEM_FAILED : measure_row(w, i);
        if (code)
            return code;
        app_sense_progress(w->s, "waterfall", (uint64_t)((double)i * w->step) / APP_SENSE_BLOCK * APP_SENSE_BLOCK, false);
    }
    app_sense_progress(w->s, "", 0, true);
    return 0;
}

/* From a little below the noise floor to the strongest bin; at least 20, at most 90 dB. */
static void choose_scale(struct waterfall *w)
{
    const double below_floor_db = 3, min_span_db = 20, max_span_db = 90;
    float largest = 0;
    for (size_t i = 0; i < w->n_rows * w->n_fft; i++)
        largest = fmaxf(largest, w->rows[i]);
    w->high_db = largest > 0 ? ceil(10 * log10((double)largest)) : 0;
    double noise = w->s->scan.noise_power / (double)w->n_fft;
    w->low_db = noise > 0 ? floor(10 * log10(noise) - below_floor_db) : w->high_db - max_span_db;
    w->low_db = fmax(fmin(w->low_db, w->high_db - min_span_db), w->high_db - max_span_db);
}

/* --- drawing --- */

/* Level of a column of pixels: the largest of several bins, or between two. */
static double column_db(const struct waterfall *w, const float *row, size_t column)
{
    double width = (double)w->n_fft / N_COLUMNS, power = 0;
    if (width > 1) {
        for (size_t i = (size_t)((double)column * width); i < (size_t)((double)(column + 1) * width); i++)
            power = fmax(power, (double)row[i]);
    } else {
        double at = fmin(fmax(((double)column + .5) * width - .5, 0), (double)w->n_fft - 1);
        size_t below = (size_t)at, above = below + 1 < w->n_fft ? below + 1 : below;
        power = (double)row[below] + (at - (double)below) * ((double)row[above] - (double)row[below]);
    }
    return 10 * log10(fmax(power, 1e-30));
}

static void draw_plot(const struct waterfall *w, struct app_canvas *c)
{
    enum { N_COLOURS = 512 };
    struct app_colour colours[N_COLOURS];
    for (int i = 0; i < N_COLOURS; i++)
        colours[i] = app_colour_map((double)i / (N_COLOURS - 1));
    for (size_t y = 0; y < N_ROWS; y++) {
        const float *row = w->rows + y * w->n_rows / N_ROWS * w->n_fft;
        struct app_colour *pixels = c->pixels + (TOP + y) * c->width + LEFT;
        for (size_t x = 0; x < N_COLUMNS; x++) {
            double share = (column_db(w, row, x) - w->low_db) / (w->high_db - w->low_db);
            pixels[x] = colours[(int)lround(fmin(fmax(share, 0), 1) * (N_COLOURS - 1))];
        }
    }
}

static int text_width(const char *text)
{
    return (int)strlen(text) * APP_TEXT_ADVANCE;
}

/* 1, 2 or 5 times a power of ten, so that at most n_max steps cover the span. */
static double choose_step(double span, int n_max)
{
    double least = span / n_max, decade = pow(10, floor(log10(least)));
    return decade * (least <= decade ? 1 : least <= 2 * decade ? 2 : least <= 5 * decade ? 5 : 10);
}

struct axis {
    double first, last; /* values at the ends */
    double step;
    int digits;
};

static struct axis make_axis(double first, double last, int n_max)
{
    struct axis a = {first, last, choose_step(last - first, n_max), 0};
    a.digits = (int)fmax(0, ceil(-log10(a.step) - 1e-9));
    return a;
}

static size_t count_ticks(const struct axis *a, double *first_out)
{
    *first_out = ceil(a->first / a->step - 1e-9) * a->step;
    return *first_out > a->last ? 0 : (size_t)((a->last - *first_out) / a->step + 1e-9) + 1;
}

static void label_tick(const struct axis *a, double value, char text[32])
{
    snprintf(text, 32, "%.*f", a->digits, fabs(value) < a->step / 1e3 ? 0 : value);
}

static void draw_frequency_axis(const struct waterfall *w, struct app_canvas *c)
{
    double rate = w->s->meta.sample_rate_hz, center = w->s->meta.captures[0].frequency_hz;
    bool known = isfinite(center);
    double unit = rate >= 2e5 || (known && fabs(center) >= 1e6) ? 1e6 : rate >= 200 ? 1e3 : 1;
    center = known ? center : 0;
    struct axis a = make_axis((center - rate / 2) / unit, (center + rate / 2) / unit, 8);
    double value, first;
    size_t n = count_ticks(&a, &first);
    char text[80];
    for (size_t i = 0; i < n; i++) {
        value = first + (double)i * a.step;
        int x = LEFT + (int)lround((value - a.first) / (a.last - a.first) * (N_COLUMNS - 1));
        app_canvas_box(c, x, TOP + N_ROWS, 2, TICK, ink);
        label_tick(&a, value, text);
        app_canvas_text(c, x - text_width(text) / 2, TOP + N_ROWS + TICK + 4, text, ink);
    }
    snprintf(text, sizeof text, "%s, %s", known ? "frequency" : "offset", unit > 1e5 ? "MHz" : unit > 10 ? "kHz" : "Hz");
    app_canvas_text(c, LEFT + (N_COLUMNS - text_width(text)) / 2, TOP + N_ROWS + TICK + 26, text, ink);
}

static void draw_time_axis(const struct waterfall *w, struct app_canvas *c)
{
    double span_s = (double)w->s->meta.n_samples / w->s->meta.sample_rate_hz;
    double unit = span_s >= 2 ? 1 : span_s >= 2e-3 ? 1e-3 : 1e-6;
    struct axis a = make_axis(0, span_s / unit, 12);
    double first;
    size_t n = count_ticks(&a, &first);
    char text[32];
    for (size_t i = 0; i < n; i++) {
        double value = first + (double)i * a.step;
        int y = TOP + (int)lround(value / a.last * (N_ROWS - 1));
        app_canvas_box(c, LEFT - TICK, y, TICK, 2, ink);
        label_tick(&a, value, text);
        app_canvas_text(c, LEFT - TICK - 4 - text_width(text), y - APP_TEXT_HEIGHT / 2 + 1, text, ink);
    }
    snprintf(text, sizeof text, "time, %s", unit > .5 ? "s" : unit > 1e-4 ? "ms" : "us");
    app_canvas_text(c, 10, TOP - 32, text, ink);
}

static void draw_bar(const struct waterfall *w, struct app_canvas *c)
{
    int x = LEFT + N_COLUMNS + BAR_GAP;
    for (int y = 0; y < N_ROWS; y++)
        app_canvas_box(c, x, TOP + y, BAR_WIDTH, 1, app_colour_map(1 - (double)y / (N_ROWS - 1)));
    struct axis a = make_axis(w->low_db, w->high_db, 10);
    double first;
    size_t n = count_ticks(&a, &first);
    char text[32];
    for (size_t i = 0; i < n; i++) {
        double value = first + (double)i * a.step;
        int y = TOP + (int)lround((a.last - value) / (a.last - a.first) * (N_ROWS - 1));
        app_canvas_box(c, x + BAR_WIDTH, y, TICK, 2, ink);
        label_tick(&a, value, text);
        app_canvas_text(c, x + BAR_WIDTH + TICK + 4, y - APP_TEXT_HEIGHT / 2 + 1, text, ink);
    }
    app_canvas_text(c, x - 40, TOP - 32, "dBFS a bin", ink);
}

static int draw(struct waterfall *w)
{
    struct app_canvas c;
    struct app_sense_out out;
    if (app_canvas_open(&c, LEFT + N_COLUMNS + RIGHT, TOP + N_ROWS + BOTTOM, paper)) {
        fprintf(stderr, "airdeed sense: no memory for the waterfall\n");
        return APP_SYSTEM_FAILED;
    }
    choose_scale(w);
    draw_plot(w, &c);
    draw_frequency_axis(w, &c);
    draw_time_axis(w, &c);
    draw_bar(w, &c);
    int code = app_sense_out_open(&out, w->s->options.waterfall);
    if (!code) {
        int err = app_canvas_write_png(&c, out.file);
        if (err)
            fprintf(stderr, "airdeed sense: %s: cannot write: %s\n", w->s->options.waterfall, strerror(-err));
        code = app_sense_out_close(&out, err ? APP_SYSTEM_FAILED : 0);
    }
    app_canvas_close(&c);
    return code;
}

int app_sense_draw_waterfall(struct app_sense *s)
{
    struct waterfall w = {.s = s};
    choose_grid(&w);
    if (w.n_rows == 0) {
        fprintf(stderr, "airdeed sense: %s: %llu samples are too few for a spectrum of %zu bins; see --fft\n", s->options.path,
                (unsigned long long)s->meta.n_samples, w.n_fft);
        return APP_BAD_USAGE;
    }
    for (size_t i = 1; i < s->meta.n_captures; i++)
        if (fabs(s->meta.captures[i].frequency_hz - s->meta.captures[0].frequency_hz) > 0) {
            fprintf(stderr, "airdeed sense: warning: %s: is retuned; the waterfall's frequencies are those of the first capture\n",
                    s->options.path);
            break;
        }
    w.samples = malloc((w.n_fft > HOLD_SAMPLES ? w.n_fft : HOLD_SAMPLES) * sizeof *w.samples);
    w.psd = malloc(w.n_fft * sizeof *w.psd);
    w.rows = calloc(w.n_rows * w.n_fft, sizeof *w.rows);
    int code = APP_SYSTEM_FAILED;
    if (w.samples && w.psd && w.rows && phy_welch_open(&w.welch, w.n_fft, PHY_SIMD_AUTO) == 0)
        code = measure(&w);
    else
        fprintf(stderr, "airdeed sense: no memory for a waterfall of %zu bins\n", w.n_fft);
    if (!code)
        code = draw(&w);
    phy_welch_close(w.welch);
    free(w.samples);
    free(w.psd);
    free(w.rows);
    return code;
}
