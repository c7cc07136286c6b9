/* What emitters send that imitate, or aim at, a waveform: prepared frames, and where its pilots are. For a scenario's jammers and for the
 * emitters of `airdeed air`. */
#ifndef APPS_EMITTER_FRAME_H
#define APPS_EMITTER_FRAME_H

#include <complex.h>
#include <stdbool.h>
#include <stdint.h>

#include "phy/waveform.h"

/* Samples of a whole frame of the waveform, or of its preamble: 802.11's two training fields, liquid's three symbols. The frame is data to
 * everybody from nobody. How many; the caller frees *out. Negative errno, -ENOMEM among them: *out may be NULL then. */
__attribute__((warn_unused_result)) long app_emitter_frame(const struct phy_waveform *waveform, uint32_t rate_hz, uint64_t seed, bool whole,
                                                           float complex **out);
/* Cycles a sample of the subcarriers that carry its pilots, at most PHY_EMITTER_MAX_TONES; how many. */
uint32_t app_emitter_pilots(const struct phy_waveform *waveform, double *tones_out);
#endif
