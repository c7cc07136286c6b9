#include "phy/air/line.h"

#include <stdbool.h>
#include <string.h>

#include "phy/air/simd_math.h"

enum { LANES = PHY_LINE_LANES };

struct planar {
    _Alignas(64) float re[PHY_LINE_PIECE];
    _Alignas(64) float im[PHY_LINE_PIECE];
};

/* Vectors of the compiler's own: it makes of them what the processor has. */
typedef float lanes __attribute__((vector_size(4 * LANES)));

PHY_ALWAYS_INLINE void load(lanes *v, const float *from)
{
    memcpy(v, from, sizeof *v);
}

PHY_ALWAYS_INLINE void sum_taps(const struct phy_line *line, const float *in_re, const float *in_im, size_t first, float *sum_re,
                                float *sum_im, bool moving)
{
    lanes re = {0}, im = {0}, at, x_re, x_im;
    for (int k = 0; k < LANES; k++)
        at[k] = line->first_k + (float)((int32_t)first + k);
    for (uint32_t tap = 0; tap < line->n_taps; tap++) {
        load(&x_re, in_re + first - line->delay[tap]);
        load(&x_im, in_im + first - line->delay[tap]);
        if (moving) {
            lanes h_re = line->re[tap] + at * line->re_step[tap], h_im = line->im[tap] + at * line->im_step[tap];
            re += h_re * x_re - h_im * x_im;
            im += h_re * x_im + h_im * x_re;
        } else {
            re += line->re[tap] * x_re - line->im[tap] * x_im;
            im += line->re[tap] * x_im + line->im[tap] * x_re;
        }
    }
    memcpy(sum_re + first, &re, sizeof re);
    memcpy(sum_im + first, &im, sizeof im);
}

/* In whole vectors: in_re and in_im may be read up to LANES - 1 beyond n, what comes of it is not used. */
PHY_ALWAYS_INLINE void sum_line(const struct phy_line *line, const float *in_re, const float *in_im, struct planar *sum, size_t n,
                                bool moving)
{
    for (size_t k = 0; k < n; k += LANES)
        sum_taps(line, in_re, in_im, k, sum->re, sum->im, moving);
}

/* Sample i turns by the product of two phasors: one of the 64 samples that it lies in, one of its place among them. */
PHY_ALWAYS_INLINE void add_rotated(const struct phy_line_turns *turns, const float *restrict sum_re, const float *restrict sum_im,
                                   uint64_t start, float *restrict out, size_t n)
{
    while (n > 0) {
        size_t place = (size_t)(start % PHY_LINE_TURNS);
        size_t n_here = PHY_LINE_TURNS - place < n ? PHY_LINE_TURNS - place : n;
        float c, s;
        phy_cos_sin_turns((uint32_t)(turns->increment * (start - place) >> 32), &c, &s);
        const float *restrict turn_re = turns->re + place, *restrict turn_im = turns->im + place;
        for (size_t k = 0; k < n_here; k++) {
            float re = c * turn_re[k] - s * turn_im[k], im = c * turn_im[k] + s * turn_re[k];
            out[2 * k] += sum_re[k] * re - sum_im[k] * im;
            out[2 * k + 1] += sum_re[k] * im + sum_im[k] * re;
        }
        start += n_here;
        sum_re += n_here;
        sum_im += n_here;
        out += 2 * n_here;
        n -= n_here;
    }
}

/* The plain form: the same sums in the same order, a tap at a time. */
static void sum_line_plain(const struct phy_line *line, const float *in_re, const float *in_im, struct planar *restrict sum, size_t n)
{
    memset(sum->re, 0, n * sizeof *sum->re);
    memset(sum->im, 0, n * sizeof *sum->im);
    for (uint32_t tap = 0; tap < line->n_taps; tap++) {
        const float *restrict x_re = in_re - line->delay[tap], *restrict x_im = in_im - line->delay[tap];
        float re = line->re[tap], im = line->im[tap];
        float re_step = line->moving ? line->re_step[tap] : 0.0f, im_step = line->moving ? line->im_step[tap] : 0.0f;
        for (size_t k = 0; k < n; k++) {
            float at = line->first_k + (float)(int32_t)k;
            float h_re = re + at * re_step, h_im = im + at * im_step;
            sum->re[k] += h_re * x_re[k] - h_im * x_im[k];
            sum->im[k] += h_re * x_im[k] + h_im * x_re[k];
        }
    }
}

static void interpolate_plain(const struct phy_fractional_stretch *s, unsigned first_j, const float *restrict in_re,
                              const float *restrict in_im, float *restrict out_re, float *restrict out_im, size_t n)
{
    memset(out_re, 0, n * sizeof *out_re);
    memset(out_im, 0, n * sizeof *out_im);
    for (unsigned k = 0; k < PHY_FRACTIONAL_TAPS; k++)
        for (size_t j = 0; j < n; j++) {
            float weight = s->first[k] + (float)((int32_t)first_j + (int32_t)j) * s->step[k];
            out_re[j] += weight * in_re[j + k];
            out_im[j] += weight * in_im[j + k];
        }
}

PHY_ALWAYS_INLINE void add_line(const struct phy_line *line, uint64_t start, const float *in_re, const float *in_im, float *out, size_t n)
{
    struct planar sum;
    if (line->moving)
        sum_line(line, in_re, in_im, &sum, n, true);
    else
        sum_line(line, in_re, in_im, &sum, n, false);
    add_rotated(line->turns, sum.re, sum.im, start, out, n);
}

PHY_ALWAYS_INLINE void split(const float *restrict in, float *restrict re, float *restrict im, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        re[k] = in[2 * k];
        im[k] = in[2 * k + 1];
    }
}

PHY_ALWAYS_INLINE void interpolate(const struct phy_fractional_stretch *s, unsigned first_j, const float *in_re, const float *in_im,
                                   float *out_re, float *out_im, size_t n)
{
    for (size_t j = 0; j < n; j += LANES) {
        lanes re = {0}, im = {0}, at, x_re, x_im;
        for (int k = 0; k < LANES; k++)
            at[k] = (float)((int32_t)(first_j + j) + k);
        for (unsigned k = 0; k < PHY_FRACTIONAL_TAPS; k++) {
            lanes weight = s->first[k] + at * s->step[k];
            load(&x_re, in_re + j + k);
            load(&x_im, in_im + j + k);
            re += weight * x_re;
            im += weight * x_im;
        }
        memcpy(out_re + j, &re, sizeof re);
        memcpy(out_im + j, &im, sizeof im);
    }
}

static void add_scalar(const struct phy_line *line, uint64_t start, const float *in_re, const float *in_im, float *out, size_t n)
{
    struct planar sum;
    sum_line_plain(line, in_re, in_im, &sum, n);
    add_rotated(line->turns, sum.re, sum.im, start, out, n);
}

static void split_scalar(const float *in, float *re, float *im, size_t n)
{
    split(in, re, im, n);
}

static void interpolate_scalar(const struct phy_fractional_stretch *s, unsigned first_j, const float *in_re, const float *in_im,
                               float *out_re, float *out_im, size_t n)
{
    interpolate_plain(s, first_j, in_re, in_im, out_re, out_im, n);
}

#if PHY_HAVE_AVX2
PHY_TARGET_AVX2 static void add_avx2(const struct phy_line *line, uint64_t start, const float *in_re, const float *in_im, float *out,
                                     size_t n)
{
    add_line(line, start, in_re, in_im, out, n);
}

PHY_TARGET_AVX2 static void split_avx2(const float *in, float *re, float *im, size_t n)
{
    split(in, re, im, n);
}

PHY_TARGET_AVX2 static void interpolate_avx2(const struct phy_fractional_stretch *s, unsigned first_j, const float *in_re,
                                             const float *in_im, float *out_re, float *out_im, size_t n)
{
    interpolate(s, first_j, in_re, in_im, out_re, out_im, n);
}
#else
#define add_avx2 add_scalar
#define split_avx2 split_scalar
#define interpolate_avx2 interpolate_scalar
#endif

void phy_line_turns_init(struct phy_line_turns *turns, uint64_t increment)
{
    turns->increment = increment;
    for (unsigned k = 0; k < PHY_LINE_TURNS; k++)
        phy_cos_sin_turns((uint32_t)(increment * k >> 32), &turns->re[k], &turns->im[k]);
}

void phy_line_add(const struct phy_line *line, uint64_t start, const float *in_re, const float *in_im, float complex *out, size_t n)
{
    if (line->simd == PHY_SIMD_AVX2)
        add_avx2(line, start, in_re, in_im, (float *)out, n);
    else
        add_scalar(line, start, in_re, in_im, (float *)out, n);
}

void phy_line_split(enum phy_simd simd, const float complex *in, float *re, float *im, size_t n)
{
    if (simd == PHY_SIMD_AVX2)
        split_avx2((const float *)in, re, im, n);
    else
        split_scalar((const float *)in, re, im, n);
}

void phy_line_interpolate(enum phy_simd simd, const struct phy_fractional_stretch *s, unsigned first_j, const float *in_re,
                          const float *in_im, float *out_re, float *out_im, size_t n)
{
    if (simd == PHY_SIMD_AVX2)
        interpolate_avx2(s, first_j, in_re, in_im, out_re, out_im, n);
    else
        interpolate_scalar(s, first_j, in_re, in_im, out_re, out_im, n);
}
