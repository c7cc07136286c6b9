/* Makes the loop that a primary user plays from a recording: resampled to the channel, shifted, of mean power 1. */
#ifndef PHY_PLAY_H
#define PHY_PLAY_H

#include <complex.h>
#include <stddef.h>

/* Samples of room that phy_play_prepare needs for n samples of a recording; 0 if a rate is unusable. */
size_t phy_play_capacity(size_t n, double rate_in_hz, double rate_out_hz);
/* offset_hz is rounded to a whole number of cycles a loop, so that the loop closes; samples that are not finite count as zero.
 * Returns 0 with *n_out samples in out; -EINVAL for rates that are not positive or differ by more than 1000, n = 0 or an
 * offset beyond half the channel's rate; -ENOBUFS when cap is below phy_play_capacity; -ENODATA for silence; -ENOMEM. */
__attribute__((warn_unused_result)) int phy_play_prepare(const float complex *in, size_t n, double rate_in_hz,
                                                         double rate_out_hz, double offset_hz, float complex *out, size_t cap,
                                                         size_t *n_out);
/* Shifts a loop in frequency by this many cycles a sample, rounded so that it still closes. */
void phy_play_shift(float complex *out, size_t n, double turns_per_sample);
#endif
