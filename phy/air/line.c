#include "phy/air/line.h"

#include <stdbool.h>
#include <string.h>

#include "phy/air/simd_math.h"

enum { LANES = PHY_LINE_LANES };

/* Vectors of the compiler's own, of eight where there is AVX2 and of four, which every processor that we know has. */
typedef float eight __attribute__((vector_size(32)));
typedef float four __attribute__((vector_size(16)));

/* --- the delay line --- */

/* Taps for the stretch in which one phasor holds, with that phasor in their gains: real parts in all lanes; imaginary parts negated
 * for the even lanes, which make real parts. */
struct turned_taps {
    _Alignas(32) float re[PHY_FADING_MAX_TAPS][LANES];
    _Alignas(32) float im[PHY_FADING_MAX_TAPS][LANES];
    _Alignas(32) float re_step[PHY_FADING_MAX_TAPS][LANES];
    _Alignas(32) float im_step[PHY_FADING_MAX_TAPS][LANES];
    const float *in[PHY_FADING_MAX_TAPS]; /* what the first sample of the stretch hears through each */
    uint32_t n;
    float first_k;
};

struct stretch {
    struct turned_taps taps;
    const float *turn_re, *turn_im;
    float *out;
    size_t n;
};

PHY_ALWAYS_INLINE void set_gain(float re, float im, float c, float s, float *restrict re_out, float *restrict im_out)
{
    float turned_re = re * c - im * s, turned_im = re * s + im * c;
    for (unsigned i = 0; i < LANES; i += 2) {
        re_out[i] = re_out[i + 1] = turned_re;
        im_out[i] = -turned_im;
        im_out[i + 1] = turned_im;
    }
}

/* Up to the next 64th sample. A sample turns by the product of two phasors: one of the 64 samples that it lies in, which goes into the
 * gains, and one of its place among them. */
PHY_ALWAYS_INLINE void begin_stretch(const struct phy_line *line, uint64_t start, const float complex *in, float complex *out, size_t n,
                                     size_t done, struct stretch *st)
{
    size_t place = (size_t)((start + done) % PHY_LINE_TURNS);
    float c, s;
    phy_cos_sin_turns((uint32_t)(line->turns->increment * (start + done - place) >> 32), &c, &s);
    st->turn_re = line->turns->re + 2 * place;
    st->turn_im = line->turns->im + 2 * place;
    st->out = (float *)(out + done);
    st->n = PHY_LINE_TURNS - place < n - done ? PHY_LINE_TURNS - place : n - done;
    st->taps.n = line->n_taps;
    st->taps.first_k = line->first_k + (float)(int32_t)done;
    for (uint32_t t = 0; t < line->n_taps; t++) {
        st->taps.in[t] = (const float *)(in + done - line->delay[t]);
        set_gain(line->re[t], line->im[t], c, s, st->taps.re[t], st->taps.im[t]);
        if (line->moving)
            set_gain(line->re_step[t], line->im_step[t], c, s, st->taps.re_step[t], st->taps.im_step[t]);
    }
}

/* One sample, summed as the vectors below sum it. */
PHY_ALWAYS_INLINE void add_sample(const struct stretch *st, size_t k, bool moving)
{
    const struct turned_taps *taps = &st->taps;
    float at = taps->first_k + (float)(int32_t)k, sum[2] = {0};
    for (uint32_t t = 0; t < taps->n; t++) {
        const float *x = taps->in[t] + 2 * k;
        for (unsigned part = 0; part < 2; part++) {
            float re = taps->re[t][part], im = taps->im[t][part];
            re = moving ? re + at * taps->re_step[t][part] : re;
            im = moving ? im + at * taps->im_step[t][part] : im;
            sum[part] += re * x[part] + im * x[1 - part];
        }
    }
    const float *turn_re = st->turn_re + 2 * k, *turn_im = st->turn_im + 2 * k;
    st->out[2 * k] += sum[0] * turn_re[0] + sum[1] * turn_im[0];
    st->out[2 * k + 1] += sum[1] * turn_re[1] + sum[0] * turn_im[1];
}

PHY_ALWAYS_INLINE void add_by_fours(const struct stretch *st, bool moving)
{
    const struct turned_taps *taps = &st->taps;
    const four places = {0, 0, 1, 1};
    size_t k = 0;
    for (; k + 2 <= st->n; k += 2) {
        four sum = {0}, x, re, im, step, y, at = places + (taps->first_k + (float)(int32_t)k);
        for (uint32_t t = 0; t < taps->n; t++) {
            memcpy(&x, taps->in[t] + 2 * k, sizeof x);
            memcpy(&re, taps->re[t], sizeof re);
            memcpy(&im, taps->im[t], sizeof im);
            if (moving) {
                memcpy(&step, taps->re_step[t], sizeof step);
                re += at * step;
                memcpy(&step, taps->im_step[t], sizeof step);
                im += at * step;
            }
            sum += re * x + im * __builtin_shufflevector(x, x, 1, 0, 3, 2);
        }
        memcpy(&re, st->turn_re + 2 * k, sizeof re);
        memcpy(&im, st->turn_im + 2 * k, sizeof im);
        memcpy(&y, st->out + 2 * k, sizeof y);
        y += sum * re + __builtin_shufflevector(sum, sum, 1, 0, 3, 2) * im;
        memcpy(st->out + 2 * k, &y, sizeof y);
    }
    for (; k < st->n; k++)
        add_sample(st, k, moving);
}

static void add_plain(const struct phy_line *line, uint64_t start, const float complex *in, float complex *out, size_t n)
{
    struct stretch st;
    for (size_t done = 0; done < n; done += st.n) {
        begin_stretch(line, start, in, out, n, done, &st);
        if (line->moving)
            add_by_fours(&st, true);
        else
            add_by_fours(&st, false);
    }
}

#if PHY_HAVE_AVX2
/* n_taps: those of the stretch; a number that the compiler knows keeps gains in registers. */
PHY_ALWAYS_INLINE void add_by_eights(const struct stretch *st, uint32_t n_taps, bool moving)
{
    const struct turned_taps *taps = &st->taps;
    const eight places = {0, 0, 1, 1, 2, 2, 3, 3};
    size_t k = 0;
    for (; k + 4 <= st->n; k += 4) {
        eight sum = {0}, x, re, im, step, y, at = places + (taps->first_k + (float)(int32_t)k);
        for (uint32_t t = 0; t < n_taps; t++) {
            memcpy(&x, taps->in[t] + 2 * k, sizeof x);
            memcpy(&re, taps->re[t], sizeof re);
            memcpy(&im, taps->im[t], sizeof im);
            if (moving) {
                memcpy(&step, taps->re_step[t], sizeof step);
                re += at * step;
                memcpy(&step, taps->im_step[t], sizeof step);
                im += at * step;
            }
            sum += re * x + im * __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6);
        }
        memcpy(&re, st->turn_re + 2 * k, sizeof re);
        memcpy(&im, st->turn_im + 2 * k, sizeof im);
        memcpy(&y, st->out + 2 * k, sizeof y);
        y += sum * re + __builtin_shufflevector(sum, sum, 1, 0, 3, 2, 5, 4, 7, 6) * im;
        memcpy(st->out + 2 * k, &y, sizeof y);
    }
    for (; k < st->n; k++)
        add_sample(st, k, moving);
}

PHY_TARGET_AVX2 static void add_avx2(const struct phy_line *line, uint64_t start, const float complex *in, float complex *out, size_t n)
{
    struct stretch st;
    for (size_t done = 0; done < n; done += st.n) {
        begin_stretch(line, start, in, out, n, done, &st);
        if (line->moving)
            add_by_eights(&st, st.taps.n, true);
        else if (st.taps.n == 1)
            add_by_eights(&st, 1, false);
        else if (st.taps.n == 3)
            add_by_eights(&st, 3, false);
        else
            add_by_eights(&st, st.taps.n, false);
    }
}
#else
#define add_avx2 add_plain
#endif

void phy_line_turns_init(struct phy_line_turns *turns, uint64_t increment)
{
    turns->increment = increment;
    for (unsigned k = 0; k < PHY_LINE_TURNS; k++) {
        float c, s;
        phy_cos_sin_turns((uint32_t)(increment * k >> 32), &c, &s);
        turns->re[2 * k] = turns->re[2 * k + 1] = c;
        turns->im[2 * k] = -s;
        turns->im[2 * k + 1] = s;
    }
}

void phy_line_add(const struct phy_line *line, uint64_t start, const float complex *in, float complex *out, size_t n)
{
    if (line->simd == PHY_SIMD_AVX2)
        add_avx2(line, start, in, out, n);
    else
        add_plain(line, start, in, out, n);
}

/* --- between samples --- */

static void interpolate_plain(const struct phy_fractional_stretch *s, unsigned first_j, const float *restrict in_re,
                              const float *restrict in_im, float *restrict out, size_t n)
{
    float re[PHY_FRACTIONAL_GRID] = {0}, im[PHY_FRACTIONAL_GRID] = {0};
    for (unsigned k = 0; k < PHY_FRACTIONAL_TAPS; k++)
        for (size_t j = 0; j < n; j++) {
            float weight = s->first[k] + (float)((int32_t)first_j + (int32_t)j) * s->step[k];
            re[j] += weight * in_re[j + k];
            im[j] += weight * in_im[j + k];
        }
    for (size_t j = 0; j < n; j++) {
        out[2 * j] = re[j];
        out[2 * j + 1] = im[j];
    }
}

PHY_ALWAYS_INLINE void split(const float *restrict in, float *restrict re, float *restrict im, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        re[k] = in[2 * k];
        im[k] = in[2 * k + 1];
    }
}

PHY_ALWAYS_INLINE void interpolate(const struct phy_fractional_stretch *s, unsigned first_j, const float *in_re, const float *in_im,
                                   float *out, size_t n)
{
    for (size_t j = 0; j < n; j += LANES) {
        eight re = {0}, im = {0}, at, x_re, x_im;
        for (int k = 0; k < LANES; k++)
            at[k] = (float)((int32_t)(first_j + j) + k);
        for (unsigned k = 0; k < PHY_FRACTIONAL_TAPS; k++) {
            eight weight = s->first[k] + at * s->step[k];
            memcpy(&x_re, in_re + j + k, sizeof x_re);
            memcpy(&x_im, in_im + j + k, sizeof x_im);
            re += weight * x_re;
            im += weight * x_im;
        }
        eight both[2] = {__builtin_shufflevector(re, im, 0, 8, 1, 9, 2, 10, 3, 11),
                         __builtin_shufflevector(re, im, 4, 12, 5, 13, 6, 14, 7, 15)};
        size_t n_here = n - j < LANES ? n - j : LANES;
        if (n_here == LANES)
            memcpy(out + 2 * j, both, sizeof both);
        else
            memcpy(out + 2 * j, both, n_here * 2 * sizeof *out);
    }
}

static void split_plain(const float *in, float *re, float *im, size_t n)
{
    split(in, re, im, n);
}

#if PHY_HAVE_AVX2
PHY_TARGET_AVX2 static void split_avx2(const float *in, float *re, float *im, size_t n)
{
    split(in, re, im, n);
}

PHY_TARGET_AVX2 static void interpolate_avx2(const struct phy_fractional_stretch *s, unsigned first_j, const float *in_re,
                                             const float *in_im, float *out, size_t n)
{
    interpolate(s, first_j, in_re, in_im, out, n);
}
#else
#define split_avx2 split_plain
#define interpolate_avx2 interpolate_plain
#endif

void phy_line_split(enum phy_simd simd, const float complex *in, float *re, float *im, size_t n)
{
    if (simd == PHY_SIMD_AVX2)
        split_avx2((const float *)in, re, im, n);
    else
        split_plain((const float *)in, re, im, n);
}

void phy_line_interpolate(enum phy_simd simd, const struct phy_fractional_stretch *s, unsigned first_j, const float *in_re,
                          const float *in_im, float complex *out, size_t n)
{
    if (simd == PHY_SIMD_AVX2)
        interpolate_avx2(s, first_j, in_re, in_im, (float *)out, n);
    else
        interpolate_plain(s, first_j, in_re, in_im, (float *)out, n);
}
