/* Occupancy of a band by its spectrum (phy/sensing/welch.h): each bin against the noise floor of the same spectrum (CFAR).
 *
 * The floor is the mean of the bins that noise explains, found by forward consecutive mean excision from the weakest fifth on,
 * so that up to some 80 % of the band may be occupied. The three bins around DC are the receiver's own leak and are masked. The
 * statistic is the largest bin over the floor; the threshold holds the false-alarm probability of the whole decision, not of a
 * bin. Neighbouring bins are alike by r = .46 (Hann window, half overlap); that is reckoned with by the bivariate gamma law
 * (Kibble 1941) from bin to bin. Measured P_fa is 1.03 to 1.13 times the one asked for (test_occupancy.c). */
#ifndef PHY_OCCUPANCY_H
#define PHY_OCCUPANCY_H

#include <stddef.h>
#include <stdint.h>

#include "phy/sensing/verdict.h"

enum { PHY_OCCUPANCY_MAX_BANDS = 64 };

struct phy_occupancy_config {
    size_t n_fft;         /* 16 .. 65536 */
    uint64_t n_segments;  /* of Welch's mean, half overlapping, at least 2 */
    double p_fa;          /* per decision over the whole band, 1e-9 .. .5 */
    double floor_power;   /* absolute floor, mean |x|^2 in the full sample rate: the noise is never taken to be less; 0: none */
    double floor_ratio;   /* relative floor: a bin counts only this far above the noise, whatever p_fa says; 1: none. For filters
                           * that are not flat, and windows so long that the noise is known to a hundredth of a dB */
};

struct phy_occupancy_detector {
    struct phy_occupancy_config cfg;
    double threshold_ratio; /* over the floor, a bin */
    double excision_ratio;  /* bins above are not of the floor */
    double excision_mean;   /* of noise below that, over the mean of noise */
};

/* Edges are fractions of the sample rate, -.5 .. .5. */
struct phy_band {
    double low, high;
    double power; /* |x|^2 in it, noise taken off */
};

struct phy_occupancy {
    struct phy_verdict verdict; /* largest bin over the noise floor */
    double noise_power;         /* mean |x|^2 in the full sample rate; 0 where all is silent */
    double occupied_share;      /* of the bins */
    size_t n_bands;             /* listed; what is beyond PHY_OCCUPANCY_MAX_BANDS is in occupied_share only */
    struct phy_band bands[PHY_OCCUPANCY_MAX_BANDS];
};

/* Returns 0 or -EINVAL with the offending field's name. */
__attribute__((warn_unused_result)) int phy_occupancy_init(struct phy_occupancy_detector *d, const struct phy_occupancy_config *cfg,
                                                           const char **bad_field_out);
/* psd: n_fft values as phy_welch_psd gives them, DC in the middle; scratch: n_fft floats of the caller's. */
void phy_occupancy_judge(const struct phy_occupancy_detector *d, const float *psd, float *scratch, struct phy_occupancy *out);
#endif
