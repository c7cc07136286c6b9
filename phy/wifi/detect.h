/* Finds clause 17 preambles in a stream: lag-16 correlation in blocks, then a check against the known training fields, since lag
 * correlation alone rings on a tone; lag-64 correlation for those whose short training field is missing. Works on a stretch of
 * contiguous samples that the caller keeps; what it finds does not depend on how the stream is cut, since it advances by fixed blocks
 * at absolute multiples. */
#ifndef PHY_WIFI_DETECT_H
#define PHY_WIFI_DETECT_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "phy/simd.h"

enum {
    PHY_WIFI_DETECT_HISTORY = 512, /* at most so many of the samples before `end` are still needed after a call */
    /* a frame whose first sample is s is confirmed when samples up to s + this have come (and not much earlier) */
    PHY_WIFI_DETECT_DELAY = 416,
    /* and this where the short training field is missing, s being where it would have begun */
    PHY_WIFI_DETECT_BARE_DELAY = 544
};

/* A preamble whose check passed: this is the event that detection and false alarm mean. */
struct phy_wifi_preamble {
    uint64_t start_sample; /* first of the short training field; where that was cut away, where it would have begun (modulo 2^64) */
    uint64_t long_sample;  /* first sample of the first of the two 64-sample long training symbols, guard excluded */
    uint64_t known_sample; /* the first `end` with which phy_wifi_detect tells it */
    float cfo;             /* carrier offset, turns a sample: rx = tx exp(+j 2 pi cfo i); integer part (subcarriers) included */
    float quality;         /* normalised correlation with the long training symbols, 0..1 */
    float power;           /* mean |x|^2 over the long training field */
};

struct phy_wifi_detect_config {
    enum phy_simd simd;
    int max_subcarriers;   /* 0: offsets to +-1.5 subcarriers; 4: an integer search to +-4 */
    uint64_t first_sample; /* nothing before it exists */
};

struct phy_wifi_detect;
size_t phy_wifi_detect_bytes(void);
struct phy_wifi_detect *phy_wifi_detect_init(void *mem, const struct phy_wifi_detect_config *cfg);
/* samples[i] is sample base + i; base <= phy_wifi_detect_needs(). Looks on from the cursor up to `end`; true with the next
 * preamble, false when every whole block before `end` was looked at. Call again after true. */
bool phy_wifi_detect(struct phy_wifi_detect *d, const float complex *samples, uint64_t base, uint64_t end,
                     struct phy_wifi_preamble *out);
/* First sample that the detector may still read. */
uint64_t phy_wifi_detect_needs(const struct phy_wifi_detect *d);
/* The stream breaks: the next sample is `sample`. */
void phy_wifi_detect_restart(struct phy_wifi_detect *d, uint64_t sample);
#endif
