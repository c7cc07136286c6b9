/* A wide band split into equal channels, all at once: liquid's polyphase channeliser (firpfbch). Each channel comes out at
 * sample_rate / n_channels and feeds a PHY machine or a detector of its own.
 *
 * Channel k is centred at (k - (n_channels - 1) / 2) sample_rate / n_channels: the channels fill the band from -1/2 to 1/2 in
 * order, and for an even number none lies across DC or the band's ends. The filters are 6 dB down at a channel's edge, flat to
 * .2 dB over the middle 88 % and more than 60 dB down from 56 % of a channel's width on: what lies in that outer ring folds into the outer
 * 12 % of the channel, which OFDM leaves empty. That is why outputs need not be oversampled (firpfbch2 gives 2 x, and each
 * stream would have to be filtered again to come down to the waveform's rate).
 * Heap objects of liquid-dsp; nothing is allocated after open. */
#ifndef PHY_WIDEBAND_H
#define PHY_WIDEBAND_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PHY_WIDEBAND_MAX_CHANNELS = 64,
    PHY_WIDEBAND_SEMI_LENGTH = 20 /* of the filters, in samples of a channel: also their delay */
};

struct phy_wideband;

/* n_channels: 2 .. PHY_WIDEBAND_MAX_CHANNELS. Returns 0, -EINVAL or -ENOMEM. */
__attribute__((warn_unused_result)) int phy_wideband_open(struct phy_wideband **out, unsigned n_channels);
/* Samples that each channel gets from the next n of the wide band, at most n / n_channels + 1. */
size_t phy_wideband_outputs(const struct phy_wideband *w, size_t n);
/* channels: n_channels rows of phy_wideband_outputs(w, n) samples, row k at channels + k * stride. Sample m of a channel is of
 * the instant (m - PHY_WIDEBAND_SEMI_LENGTH) n_channels of the wide band. A signal of one channel keeps its power. Results do
 * not depend on how samples are cut into calls. Returns how many samples a row got. */
size_t phy_wideband_push(struct phy_wideband *w, const float complex *samples, size_t n, float complex *channels, size_t stride);
/* Centre of a channel, as a fraction of the wide band's sample rate. */
double phy_wideband_center(unsigned n_channels, unsigned channel);
/* Power of white noise in a channel over that in the whole band: a little less than 1 / n_channels, for the filters' edges. */
double phy_wideband_noise_gain(const struct phy_wideband *w);
/* Forgets what was pushed: the next sample does not follow the last one. */
void phy_wideband_reset(struct phy_wideband *w);
void phy_wideband_close(struct phy_wideband *w);
#endif
