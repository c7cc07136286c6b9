#include "phy/sensing/welch.h"

#include <errno.h>
#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct phy_welch {
    size_t n_fft;
    size_t n_held;         /* samples of the segment in progress */
    uint64_t n_segments;
    float scale;           /* of |X|^2, so that the bins add up to the mean power */
    float complex *held;   /* n_fft */
    float complex *work;   /* n_fft: windowed, then transformed in place */
    float *window;         /* n_fft */
    double *sum;           /* n_fft, DC first */
    fftwf_plan plan;
};

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

int phy_welch_open(struct phy_welch **out, size_t n_fft)
{
    if (n_fft < 16 || n_fft > 65536 || (n_fft & (n_fft - 1)) != 0)
        return -EINVAL;
    struct phy_welch *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->n_fft = n_fft;
    w->held = aligned_alloc(64, n_fft * sizeof *w->held);
    w->work = aligned_alloc(64, n_fft * sizeof *w->work);
    w->window = aligned_alloc(64, n_fft * sizeof *w->window);
    w->sum = aligned_alloc(64, n_fft * sizeof *w->sum);
    if (w->held && w->work && w->window && w->sum)
        w->plan = fftwf_plan_dft_1d((int)n_fft, w->work, w->work, FFTW_FORWARD, FFTW_ESTIMATE);
    if (!w->plan) {
        phy_welch_close(w);
        return -ENOMEM;
    }
    make_window(w);
    phy_welch_reset(w);
    *out = w;
    return 0;
}

static void add_segment(struct phy_welch *w, const float complex *samples)
{
    const float *restrict in = (const float *)samples;
    float *restrict work = (float *)w->work;
    for (size_t i = 0; i < w->n_fft; i++) {
        work[2 * i] = in[2 * i] * w->window[i];
        work[2 * i + 1] = in[2 * i + 1] * w->window[i];
    }
    fftwf_execute(w->plan);
    for (size_t i = 0; i < w->n_fft; i++)
        w->sum[i] += (double)(work[2 * i] * work[2 * i] + work[2 * i + 1] * work[2 * i + 1]);
    w->n_segments++;
}

void phy_welch_push(struct phy_welch *w, const float complex *samples, size_t n)
{
    size_t hop = w->n_fft / 2;
    size_t n_given = n;
    while (n > 0) {
        if (w->n_held == 0 && n >= w->n_fft) { /* straight from the caller's samples */
            add_segment(w, samples);
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
            add_segment(w, w->held);
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
        psd_out[(i + w->n_fft / 2) % w->n_fft] = (float)(w->sum[i] * scale);
    return w->n_segments;
}

void phy_welch_reset(struct phy_welch *w)
{
    w->n_held = 0;
    w->n_segments = 0;
    memset(w->sum, 0, w->n_fft * sizeof *w->sum);
}

void phy_welch_close(struct phy_welch *w)
{
    if (!w)
        return;
    if (w->plan)
        fftwf_destroy_plan(w->plan);
    free(w->held);
    free(w->work);
    free(w->window);
    free(w->sum);
    free(w);
}
