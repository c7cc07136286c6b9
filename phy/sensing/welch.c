#include "phy/sensing/welch.h"
#include "phy/air/simd_math.h"

#include <errno.h>
#include <fftw3.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_SEGMENTS = 32 }; /* added up in float before they go into the double sum */

struct phy_welch {
    size_t n_fft;
    size_t n_held;           /* samples of the segment in progress */
    uint64_t n_segments;
    float scale;             /* of |X|^2, so that the bins add up to the mean power */
    bool avx2;
    float complex *held;     /* n_fft */
    float complex *work;     /* n_fft: windowed */
    float complex *spectrum; /* n_fft: a transform in place would be copied within FFTW */
    float *window;           /* n_fft */
    float *run;              /* 2 n_fft: squares of both parts, of the last n_segments % RUN_SEGMENTS */
    double *sum;             /* n_fft, DC first, of the runs before */
    fftwf_plan plan;
};

/* --- the loops, compiled twice; both round alike --- */

PHY_ALWAYS_INLINE void apply_body(float *restrict out, const float *restrict in, const float *restrict window, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = in[2 * i] * window[i];
        out[2 * i + 1] = in[2 * i + 1] * window[i];
    }
}

PHY_ALWAYS_INLINE void square_body(float *restrict run, const float *restrict spectrum, size_t n)
{
    for (size_t i = 0; i < n; i++)
        run[i] += spectrum[i] * spectrum[i];
}

static void apply_plain(float *out, const float *in, const float *window, size_t n)
{
    apply_body(out, in, window, n);
}

static void square_plain(float *run, const float *spectrum, size_t n)
{
    square_body(run, spectrum, n);
}

#if PHY_HAVE_AVX2
PHY_TARGET_AVX2 static void apply_avx2(float *out, const float *in, const float *window, size_t n)
{
    apply_body(out, in, window, n);
}

PHY_TARGET_AVX2 static void square_avx2(float *run, const float *spectrum, size_t n)
{
    square_body(run, spectrum, n);
}
#else
#define apply_avx2 apply_plain
#define square_avx2 square_plain
#endif

/* --- life --- */

static void make_window(struct phy_welch *w)
{
    double power = 0.0;
    for (size_t i = 0; i < w->n_fft; i++) {
        double h = 0.5 - 0.5 * cos(2.0 * acos(-1.0) * (double)i / (double)w->n_fft);
        w->window[i] = (float)h;
        power += h * h;
    }
    w->scale = (float)(1.0 / ((double)w->n_fft * power));
}

int phy_welch_open(struct phy_welch **out, size_t n_fft, enum phy_simd simd)
{
    if (n_fft < 16 || n_fft > 65536 || (n_fft & (n_fft - 1)) != 0)
        return -EINVAL;
    struct phy_welch *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->n_fft = n_fft;
    w->avx2 = phy_simd_choose(simd) == PHY_SIMD_AVX2;
    w->held = aligned_alloc(64, n_fft * sizeof *w->held);
    w->work = aligned_alloc(64, n_fft * sizeof *w->work);
    w->spectrum = aligned_alloc(64, n_fft * sizeof *w->spectrum);
    w->window = aligned_alloc(64, n_fft * sizeof *w->window);
    w->run = aligned_alloc(64, 2 * n_fft * sizeof *w->run);
    w->sum = aligned_alloc(64, n_fft * sizeof *w->sum);
    if (w->held && w->work && w->spectrum && w->window && w->run && w->sum)
        w->plan = fftwf_plan_dft_1d((int)n_fft, w->work, w->spectrum, FFTW_FORWARD, FFTW_ESTIMATE);
    if (!w->plan) {
        phy_welch_close(w);
        return -ENOMEM;
    }
    make_window(w);
    phy_welch_reset(w);
    *out = w;
    return 0;
}

/* --- samples --- */

static void end_run(struct phy_welch *w)
{
    for (size_t i = 0; i < w->n_fft; i++)
        w->sum[i] += (double)w->run[2 * i] + (double)w->run[2 * i + 1];
    memset(w->run, 0, 2 * w->n_fft * sizeof *w->run);
}

static void fetch_ahead(const float complex *samples, size_t n)
{
    enum { LINE_SAMPLES = 8 };
    for (size_t i = 0; i < n; i += LINE_SAMPLES)
        __builtin_prefetch(samples + i);
}

/* n_behind: samples that lie behind the segment. Those of the next one come into the cache while this one is transformed. */
static void add_segment(struct phy_welch *w, const float complex *samples, size_t n_behind)
{
    (w->avx2 ? apply_avx2 : apply_plain)((float *)w->work, (const float *)samples, w->window, w->n_fft);
    fetch_ahead(samples + w->n_fft, n_behind < w->n_fft / 2 ? n_behind : w->n_fft / 2);
    fftwf_execute(w->plan);
    (w->avx2 ? square_avx2 : square_plain)(w->run, (const float *)w->spectrum, 2 * w->n_fft);
    if (++w->n_segments % RUN_SEGMENTS == 0)
        end_run(w);
}

void phy_welch_push(struct phy_welch *w, const float complex *samples, size_t n)
{
    size_t hop = w->n_fft / 2;
    size_t n_given = n;
    while (n > 0) {
        if (w->n_held == 0 && n >= w->n_fft) { /* straight from the caller's samples */
            add_segment(w, samples, n - w->n_fft);
            samples += hop;
            n -= hop;
            continue;
        }
        size_t n_take = w->n_fft - w->n_held < n ? w->n_fft - w->n_held : n;
        memcpy(w->held + w->n_held, samples, n_take * sizeof *samples);
        w->n_held += n_take;
        samples += n_take;
        n -= n_take;
        if (w->n_held == w->n_fft) {
            add_segment(w, w->held, 0);
            if (n_given - n >= hop) { /* the second half is still in the caller's hands */
                samples -= hop;
                n += hop;
                w->n_held = 0;
            } else {
                memmove(w->held, w->held + hop, hop * sizeof *w->held);
                w->n_held = hop;
            }
        }
    }
}

uint64_t phy_welch_psd(const struct phy_welch *w, float *psd_out)
{
    double scale = w->n_segments > 0 ? (double)w->scale / (double)w->n_segments : 0.0;
    for (size_t i = 0; i < w->n_fft; i++)
        psd_out[(i + w->n_fft / 2) % w->n_fft] = (float)((w->sum[i] + (double)w->run[2 * i] + (double)w->run[2 * i + 1]) * scale);
    return w->n_segments;
}

void phy_welch_reset(struct phy_welch *w)
{
    w->n_held = 0;
    w->n_segments = 0;
    memset(w->sum, 0, w->n_fft * sizeof *w->sum);
    memset(w->run, 0, 2 * w->n_fft * sizeof *w->run);
}

void phy_welch_close(struct phy_welch *w)
{
    if (!w)
        return;
    if (w->plan)
        fftwf_destroy_plan(w->plan);
    free(w->held);
    free(w->work);
    free(w->spectrum);
    free(w->window);
    free(w->run);
    free(w->sum);
    free(w);
}
