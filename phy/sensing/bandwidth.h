/* Occupied bandwidth (ITU-R SM.443: the band outside of which half a percent of the power lies on either side) from a power
 * spectral density. Pure. */
#ifndef PHY_BANDWIDTH_H
#define PHY_BANDWIDTH_H

#include <stddef.h>
#include <stdint.h>

/* psd: n values that sum to the mean power, DC in the middle (phy/welch.h), averaged over n_segments. Bins that noise of
 * noise_power (mean |x|^2 in the full sample rate) explains are left out, the noise in the others is taken off. The receiver's
 * own DC leak is masked: the three middle bins count as their neighbours do. Edges are fractions of the sample rate, -.5 .. .5.
 * Returns 0, or -ENODATA where no bin stands out. */
__attribute__((warn_unused_result)) int phy_bandwidth(const float *psd, size_t n, uint64_t n_segments, double noise_power,
                                                      double *low_out, double *high_out);
#endif
