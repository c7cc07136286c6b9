/* Finds long training fields before which no short training field is left, as at the beginning of a stretch that was cut out of a
 * stream: two equal symbols of 64 samples that look like the known one. Same bits at every SIMD level. */
#ifndef PHY_WIFI_DETECT_LONG_H
#define PHY_WIFI_DETECT_LONG_H

#include <complex.h>
#include <stdbool.h>
#include <stdint.h>

#include "phy/simd.h"
#include "phy/wifi/detect_match.h"

enum {
    PHY_WIFI_LONG_STEP = 48,   /* samples from one gate to the next */
    PHY_WIFI_LONG_DELAY = 224, /* samples behind a gate's first: when it is looked at. By then a short training field has told. */
    PHY_WIFI_LONG_BACK = 144   /* samples before a gate's first that are read, or that a field which passed it may begin with */
};

struct phy_wifi_long {
    uint64_t first_sample; /* nothing before it is read */
    uint64_t gate;         /* first sample of the next */
    uint64_t taken;        /* gates before it speak of a field that is known already */
    double max_cfo;        /* turns a sample */
};

struct phy_wifi_long_found {
    uint64_t long_sample; /* first of the two symbols, guard excluded */
    uint64_t known_sample;
    double cfo;           /* turns a sample */
    float share;          /* as of struct phy_wifi_match */
};

void phy_wifi_long_restart(struct phy_wifi_long *l, uint64_t sample, double max_cfo);
/* A field was found at long_sample: it is not to be found again. */
void phy_wifi_long_skip(struct phy_wifi_long *l, uint64_t long_sample);
/* Looks on with what may be known up to `end`. samples[i] is sample base + i; base <= phy_wifi_long_needs(). */
bool phy_wifi_long_find(struct phy_wifi_long *l, const struct phy_wifi_training *t, enum phy_simd simd, const float complex *samples,
                        uint64_t base, uint64_t end, struct phy_wifi_long_found *out);
/* First sample that may still be read, and from which a field that is still to be found may begin. */
uint64_t phy_wifi_long_needs(const struct phy_wifi_long *l);
#endif
