/* Second stage of the detector: comparison with the training fields. Same bits at every SIMD level. */
#ifndef PHY_WIFI_DETECT_MATCH_H
#define PHY_WIFI_DETECT_MATCH_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>

#include "phy/simd.h"
#include "phy/wifi/fft.h"

enum {
    PHY_WIFI_MATCH_PLACES = 16,    /* places for the first long symbol that one call tries */
    PHY_WIFI_MATCH_SPREAD = 8,     /* taps over which a channel's energy is gathered */
    PHY_WIFI_MATCH_SPAN = PHY_WIFI_MATCH_PLACES + PHY_WIFI_MATCH_SPREAD + 2 * PHY_WIFI_N_FFT /* samples that it reads */
};

/* The training symbols in time, mean power 1. */
struct phy_wifi_training {
    float long_re[PHY_WIFI_N_FFT], long_im[PHY_WIFI_N_FFT];
    float short_re[16], short_im[16];
    struct phy_wifi_fft fft;
};

struct phy_wifi_match {
    float share; /* of the energy, what two long symbols through a channel of PHY_WIFI_MATCH_SPREAD taps explain, 0..1 */
    float peak;  /* what the strongest tap alone explains */
    size_t place; /* of the first path */
};

void phy_wifi_training_make(struct phy_wifi_training *t);
/* Share of the energy of samples[0..n), n a multiple of 16, that a short training symbol repeated with this carrier offset
 * (turns a sample) explains, at the best of its 16 phases, after samples 16 apart were added up. A tone cannot pass 1/12. */
float phy_wifi_match_short(const struct phy_wifi_training *t, enum phy_simd simd, const float complex *samples, size_t n, double cfo);
/* The best place among the first PHY_WIFI_MATCH_PLACES of PHY_WIFI_MATCH_SPAN samples. */
struct phy_wifi_match phy_wifi_match_long(const struct phy_wifi_training *t, enum phy_simd simd, const float complex *samples,
                                          double cfo);
#endif
