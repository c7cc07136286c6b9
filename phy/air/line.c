#include "phy/air/line.h"

#include <string.h>

#include "phy/air/simd_math.h"

struct planar {
    _Alignas(64) float re[PHY_LINE_PIECE];
    _Alignas(64) float im[PHY_LINE_PIECE];
};

PHY_ALWAYS_INLINE void add_still_tap(const struct phy_line *line, uint32_t tap, const float *restrict in_re,
                                     const float *restrict in_im, struct planar *restrict sum, size_t n)
{
    float h_re = line->re[tap], h_im = line->im[tap];
    for (size_t k = 0; k < n; k++) {
        sum->re[k] += h_re * in_re[k] - h_im * in_im[k];
        sum->im[k] += h_re * in_im[k] + h_im * in_re[k];
    }
}

PHY_ALWAYS_INLINE void add_moving_tap(const struct phy_line *line, uint32_t tap, const float *restrict in_re,
                                      const float *restrict in_im, struct planar *restrict sum, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        float at = line->first_k + (float)(int32_t)k;
        float h_re = line->re[tap] + at * line->re_step[tap], h_im = line->im[tap] + at * line->im_step[tap];
        sum->re[k] += h_re * in_re[k] - h_im * in_im[k];
        sum->im[k] += h_re * in_im[k] + h_im * in_re[k];
    }
}

PHY_ALWAYS_INLINE void add_rotated(const struct planar *restrict sum, uint64_t phase, uint64_t increment, float *restrict out, size_t n)
{
    _Alignas(64) uint32_t turns[PHY_LINE_PIECE];
    for (size_t k = 0; k < n; k++) {
        turns[k] = (uint32_t)(phase >> 32);
        phase += increment;
    }
    for (size_t k = 0; k < n; k++) {
        float c, s;
        phy_cos_sin_turns(turns[k], &c, &s);
        out[2 * k] += sum->re[k] * c - sum->im[k] * s;
        out[2 * k + 1] += sum->re[k] * s + sum->im[k] * c;
    }
}

PHY_ALWAYS_INLINE void add_line(const struct phy_line *line, uint64_t start, const float *in_re, const float *in_im, float *out, size_t n)
{
    struct planar sum;
    memset(sum.re, 0, n * sizeof *sum.re);
    memset(sum.im, 0, n * sizeof *sum.im);
    for (uint32_t tap = 0; tap < line->n_taps; tap++) {
        uint32_t delay = line->delay[tap];
        if (line->moving)
            add_moving_tap(line, tap, in_re - delay, in_im - delay, &sum, n);
        else
            add_still_tap(line, tap, in_re - delay, in_im - delay, &sum, n);
    }
    add_rotated(&sum, line->increment * start, line->increment, out, n);
}

PHY_ALWAYS_INLINE void split(const float *restrict in, float *restrict re, float *restrict im, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        re[k] = in[2 * k];
        im[k] = in[2 * k + 1];
    }
}

PHY_ALWAYS_INLINE void interpolate(const struct phy_fractional_stretch *s, unsigned first_j, const float *restrict in_re,
                                   const float *restrict in_im, float *restrict out_re, float *restrict out_im, size_t n)
{
    memset(out_re, 0, n * sizeof *out_re);
    memset(out_im, 0, n * sizeof *out_im);
    for (unsigned k = 0; k < PHY_FRACTIONAL_TAPS; k++)
        for (size_t j = 0; j < n; j++) {
            float weight = s->first[k] + (float)(int32_t)(first_j + j) * s->step[k];
            out_re[j] += weight * in_re[j + k];
            out_im[j] += weight * in_im[j + k];
        }
}

static void add_scalar(const struct phy_line *line, uint64_t start, const float *in_re, const float *in_im, float *out, size_t n)
{
    add_line(line, start, in_re, in_im, out, n);
}

static void split_scalar(const float *in, float *re, float *im, size_t n)
{
    split(in, re, im, n);
}

static void interpolate_scalar(const struct phy_fractional_stretch *s, unsigned first_j, const float *in_re, const float *in_im,
                               float *out_re, float *out_im, size_t n)
{
    interpolate(s, first_j, in_re, in_im, out_re, out_im, n);
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
