/* Fading: the gains of a tapped delay line, each a function of (key, tap, sample index) and of nothing else.
 *
 * A tap of a moving receiver is a sum of 16 plane waves whose directions are spread over the circle (one in each sixteenth, at a
 * drawn place) with drawn phases: h(i) = N^-1/2 sum_n exp(j (2 pi f_d cos(a_n) i / fs + p_n)). Its autocorrelation is Jakes'
 * J0(2 pi f_d t), exactly, over the draws (Clarke 1968; Jakes 1974; Zheng and Xiao 2003); its mean |h|^4 is 2 - 1/16 where
 * Rayleigh's law has 2. A tap that stands still is one complex Gaussian draw. In the Rician case the first tap has one more wave of
 * its own direction, K times as strong as the rest. Mean power over all taps is 1. Pure. */
#ifndef PHY_FADING_H
#define PHY_FADING_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PHY_FADING_MAX_TAPS = 8, PHY_FADING_MAX_DELAY = 512, PHY_FADING_WAVES = 16 };

enum phy_fading_kind {
    PHY_FADING_FIXED,    /* taps of phase zero: plain multipath */
    PHY_FADING_RAYLEIGH,
    PHY_FADING_RICIAN
};

struct phy_fading_tap {
    uint32_t delay_samples; /* up to PHY_FADING_MAX_DELAY, rising from tap to tap */
    float power_db;         /* one to another; the sum is scaled to 1 */
};

struct phy_fading {
    enum phy_fading_kind kind;
    uint32_t n_taps;        /* 1..PHY_FADING_MAX_TAPS */
    struct phy_fading_tap taps[PHY_FADING_MAX_TAPS];
    double k_db;            /* Rician: the steady wave over the scattered rest of the first tap, -40..60 */
    double doppler_hz;      /* largest shift; 0: gains stay. At most the sample rate / 2000 */
    bool per_emission;      /* drawn anew for each emission; else for the whole run */
};

/* NULL, or the name of the field that is out of range. */
const char *phy_fading_check(const struct phy_fading *f, uint32_t sample_rate_hz);
/* Taps of an exponential power-delay profile of this rms delay spread, one a sample, down to 30 dB below the first, at most
 * PHY_FADING_MAX_TAPS; returns how many. With a spread of 0: one tap. */
uint32_t phy_fading_exponential(double rms_spread_ns, uint32_t sample_rate_hz, struct phy_fading_tap *taps_out);
/* A key for a link: the same in both directions, since the medium is. start: of the emission where each has gains of its own, else 0. */
uint64_t phy_fading_key(uint64_t seed, uint32_t a, uint32_t b, uint32_t channel, uint64_t start);
/* All draws of a link. */
struct phy_fading_draws {
    float amplitude[PHY_FADING_MAX_TAPS];
    float complex still[PHY_FADING_MAX_TAPS];  /* gain of a tap that does not move */
    float steady, rest;                        /* weights in the first tap of its own wave, and of the others */
    uint64_t phase[PHY_FADING_MAX_TAPS][PHY_FADING_WAVES + 1]; /* 2^64 a turn, at sample 0; the last one is the steady wave's */
    uint64_t increment[PHY_FADING_MAX_TAPS][PHY_FADING_WAVES + 1];
};
void phy_fading_draw(const struct phy_fading *f, uint64_t key, uint32_t sample_rate_hz, struct phy_fading_draws *out);
/* Gains of all taps at a sample. */
void phy_fading_gains(const struct phy_fading *f, const struct phy_fading_draws *draws, uint64_t sample, float complex *gains_out);
/* Samples, a power of two, over which gains may be carried on in a straight line (error 70 dB below them); 0: for good. */
uint32_t phy_fading_grid(const struct phy_fading *f, uint32_t sample_rate_hz);
#endif
