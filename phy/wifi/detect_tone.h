/* A steady tone, measured in a stretch of samples and taken out of it, so that a preamble beneath it can be seen. Same bits at
 * every SIMD level. */
#ifndef PHY_WIFI_DETECT_TONE_H
#define PHY_WIFI_DETECT_TONE_H

#include <complex.h>
#include <stdint.h>

#include "phy/simd.h"
#include "phy/wifi/fft.h"

enum {
    PHY_WIFI_TONE_BLOCKS = 6, /* of 64 samples */
    PHY_WIFI_TONE_FIT = PHY_WIFI_TONE_BLOCKS * PHY_WIFI_N_FFT,
    PHY_WIFI_TONE_RECENT = PHY_WIFI_TONE_FIT / 2
};

struct phy_wifi_tone {
    uint32_t step; /* turns a sample / 2^32 */
    float re, im;  /* at the stretch's first sample */
    float share;   /* of the energy of the PHY_WIFI_TONE_RECENT latest samples, what goes away with the tone; 0: no tone */
};

/* Keeps the spectra of a stretch's blocks for the next stretch, 64 samples later. */
struct phy_wifi_tone_fit {
    enum phy_simd simd;
    struct phy_wifi_fft fft;
    struct phy_wifi_bins spectra[PHY_WIFI_TONE_BLOCKS];
    uint64_t next; /* where the stretch begins whose first blocks are known */
};

void phy_wifi_tone_init(struct phy_wifi_tone_fit *f, enum phy_simd simd);
/* The stream breaks. */
void phy_wifi_tone_restart(struct phy_wifi_tone_fit *f);
/* The strongest tone of samples[0..PHY_WIFI_TONE_FIT), the first of which is number `first` of the stream. */
struct phy_wifi_tone phy_wifi_tone_measure(struct phy_wifi_tone_fit *f, const float complex *samples, uint64_t first);
/* out[i] = samples[i] without the tone, for i in [begin, end), multiples of 8; both start with the stretch, which may have gone on
 * since. */
void phy_wifi_tone_subtract(const struct phy_wifi_tone_fit *f, const struct phy_wifi_tone *tone, const float complex *samples,
                            uint32_t begin, uint32_t end, float complex *out);
#endif
