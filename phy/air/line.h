/* A tapped delay line in the mixer's inner loops. The same bits at every level and for every cut. */
#ifndef PHY_LINE_H
#define PHY_LINE_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

#include "phy/air/fading.h"
#include "phy/air/fractional.h"
#include "phy/simd.h"

enum { PHY_LINE_PIECE = 256, PHY_LINE_LANES = 8, PHY_LINE_TURNS = 64 };

/* How a link's carrier offset turns samples: what depends on a sample's place among 64 is worked out once. */
struct phy_line_turns {
    uint64_t increment;     /* of the phase a sample, 2^64 a turn */
    /* exp(j 2 pi place increment) as vectors of whole samples take it: real parts twice, imaginary parts negated, then plain */
    float re[2 * PHY_LINE_TURNS], im[2 * PHY_LINE_TURNS];
};
void phy_line_turns_init(struct phy_line_turns *turns, uint64_t increment);

struct phy_line {
    uint32_t n_taps;
    uint32_t delay[PHY_FADING_MAX_TAPS];
    /* at sample k of a stretch: re + k * re_step, k whole */
    float re[PHY_FADING_MAX_TAPS], im[PHY_FADING_MAX_TAPS];
    float re_step[PHY_FADING_MAX_TAPS], im_step[PHY_FADING_MAX_TAPS];
    float first_k;          /* of the first sample of a call */
    int moving;             /* 0: steps are all zero */
    const struct phy_line_turns *turns;
    enum phy_simd simd;
};

/* out[k] += sum over taps gain(k) in[k - delay] * exp(j 2 pi turns->increment (start + k) / 2^64) */
void phy_line_add(const struct phy_line *line, uint64_t start, const float complex *in, float complex *out, size_t n);
/* Real and imaginary parts apart (planar), as the interpolation takes them. */
void phy_line_split(enum phy_simd simd, const float complex *in, float *re, float *im, size_t n);
/* out[j] = sum_k (first[k] + (first_j + j) step[k]) in[j + k], n <= PHY_FRACTIONAL_GRID; in has
 * n + PHY_FRACTIONAL_TAPS - 1 values and room after them for PHY_LINE_LANES more that do not matter. */
void phy_line_interpolate(enum phy_simd simd, const struct phy_fractional_stretch *s, unsigned first_j, const float *in_re,
                          const float *in_im, float complex *out, size_t n);
#endif
