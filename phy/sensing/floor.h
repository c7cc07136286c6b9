/* The noise floor of a stretch of samples in which an unknown share is occupied.
 *
 * Powers of short windows go into a histogram. The estimate starts from the weakest windows and takes in, round by round,
 * all that noise of the present estimate would explain (forward consecutive mean excision: Saarnisaari et al., "FCME
 * algorithms", 2005). It holds as long as one window in a hundred is idle, whatever the rest contains; where nothing is idle
 * it finds the weakest signal instead, which a look at the spectrum tells (phy_floor_in_band). Pure. */
#ifndef PHY_FLOOR_H
#define PHY_FLOOR_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

enum { PHY_FLOOR_WINDOW = 16, PHY_FLOOR_BINS = 4096 };

struct phy_floor {
    double sum[PHY_FLOOR_BINS]; /* of the window powers in a bin of .1 dB */
    uint64_t count[PHY_FLOOR_BINS];
    uint64_t n_windows; /* with any power; digital silence says nothing about a receiver */
    uint64_t n_silent;
    double window_sum; /* of the window that is being filled */
    size_t window_n;
};

struct phy_floor_estimate {
    double power;      /* mean |x|^2 of the noise, full scale 1.0; 0 if there was no window */
    double idle_share; /* of the windows that noise explains */
};

void phy_floor_init(struct phy_floor *f);
void phy_floor_push(struct phy_floor *f, const float complex *samples, size_t n);
/* Drops the window that is being filled: the next sample does not follow the last one. */
void phy_floor_cut(struct phy_floor *f);
void phy_floor_estimate(const struct phy_floor *f, struct phy_floor_estimate *out);
/* The floor as the quiet part of a spectrum shows it: a fifth of the bins, scaled to the full sample rate. psd: n values
 * (phy/welch.h), sorted in place. */
double phy_floor_in_band(float *psd, size_t n);
#endif
