/* One period of something that repeats after 64 samples, compared with the long training symbol at all of its 64 shifts at once: a
 * thirtieth of what it takes to try places one by one. Same bits at every SIMD level. */
#ifndef PHY_WIFI_DETECT_PERIOD_H
#define PHY_WIFI_DETECT_PERIOD_H

#include <complex.h>

#include "phy/simd.h"
#include "phy/wifi/fft.h"

struct phy_wifi_period {
    struct phy_wifi_bins spectrum;
    float energy; /* of the spectrum */
};

/* Of samples[0..128), two periods, which are added up; cfo, turns a sample, is taken out of them. */
void phy_wifi_period_take(struct phy_wifi_period *p, const struct phy_wifi_fft *fft, enum phy_simd simd, const float complex *samples,
                          double cfo);
/* Share of its energy that the symbol explains at the best shift, `subcarriers` higher than without, through a channel of
 * PHY_WIFI_MATCH_SPREAD taps, 0..1. Mean of anything else: 1/8. */
float phy_wifi_period_share(const struct phy_wifi_period *p, const struct phy_wifi_fft *fft, enum phy_simd simd, int subcarriers);
#endif
