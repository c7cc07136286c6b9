/* What the tests of the preamble detector share: an air of samples, frames put on it, and all preambles that are found there. */
#ifndef TESTS_UNIT_PHY_WIFI_PREAMBLES_H
#define TESTS_UNIT_PHY_WIFI_PREAMBLES_H
#include <check.h>
#include <complex.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/wifi/detect.h"
#include "phy/wifi/modulate.h"
#include "phy/wifi/wifi.h"

enum { LEN = 1 << 17, MAX_FOUND = 256 };

static const double two_pi = 6.283185307179586;
static float complex *air;                  /* LEN samples, zero at first */
static struct phy_wifi_preamble found[MAX_FOUND];
static struct phy_wifi_detect_config plain; /* of the detector, reset before each case */
static uint64_t random_state;

static inline void prepare(void)
{
    air = calloc(LEN, sizeof *air);
    ck_assert_ptr_nonnull(air);
    plain = (struct phy_wifi_detect_config){.simd = PHY_SIMD_AUTO};
    random_state = 1;
}

static inline void clean_up(void)
{
    free(air);
}

static inline double draw(void) /* uniform in [0, 1) */
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 11) / 9007199254740992.0;
}

static inline float complex turn(double turns)
{
    return CMPLXF((float)cos(two_pi * (turns - floor(turns))), (float)sin(two_pi * (turns - floor(turns))));
}

static inline float complex draw_normal(double variance)
{
    double radius = sqrt(-variance * log(1.0 - draw()));
    return (float)radius * turn(draw());
}

struct sending {
    size_t at, len_bytes;
    unsigned rate_index;
    double amplitude, cfo;
    size_t cut;                      /* samples of its beginning that are missing */
    const float complex *taps;       /* NULL: flat */
    size_t n_taps;
};

/* Adds a frame to the air; returns the first sample behind it. */
static inline size_t send(const struct sending *s)
{
    static float complex burst[PHY_WIFI_HEAD + 80 * PHY_WIFI_MAX_SYMBOLS];
    static const float complex flat[1] = {1.0f};
    uint8_t psdu[PHY_WIFI_MAX_PSDU];
    const float complex *taps = s->taps ? s->taps : flat;
    size_t n_taps = s->taps ? s->n_taps : 1;
    for (size_t i = 0; i < s->len_bytes; i++)
        psdu[i] = (uint8_t)(draw() * 256.0);
    struct phy_wifi_modulate cfg = {.rate_index = s->rate_index, .scrambler = (uint8_t)(1 + s->at % 127), .window = 1};
    long n = phy_wifi_modulate(&cfg, psdu, s->len_bytes, burst, sizeof burst / sizeof *burst);
    ck_assert_int_gt(n, 0);
    n = (long)phy_wifi_frame_samples(s->len_bytes, s->rate_index);
    ck_assert_uint_le(s->at + (size_t)n + n_taps, LEN);
    for (size_t i = s->cut; i < (size_t)n; i++) {
        float complex x = (float)s->amplitude * burst[i] * turn(s->cfo * (double)(s->at + i));
        for (size_t k = 0; k < n_taps; k++)
            air[s->at + i + k] += taps[k] * x;
    }
    return s->at + (size_t)n;
}

static inline void add_noise(double power, uint64_t seed)
{
    static struct phy_awgn g;
    phy_awgn_init(&g, seed, 5, PHY_SIMD_AUTO);
    phy_awgn_add(&g, 0, (float)power, air, LEN);
}

static inline void add_tone(double amplitude, double frequency, size_t n)
{
    for (size_t i = 0; i < n; i++)
        air[i] += (float)amplitude * turn(frequency * (double)i);
}

static inline double noise_of_es_n0(double es_n0_db)
{
    return pow(10.0, -es_n0_db / 10.0) * 64.0 / 52.0;
}

static inline struct phy_wifi_detect *open_detector(const struct phy_wifi_detect_config *cfg)
{
    void *mem = aligned_alloc(64, phy_wifi_detect_bytes());
    ck_assert_ptr_nonnull(mem);
    return phy_wifi_detect_init(mem, cfg);
}

/* All preambles of air[0..n), handed over at once. */
static inline size_t find(const struct phy_wifi_detect_config *cfg, size_t n)
{
    struct phy_wifi_detect *d = open_detector(cfg);
    size_t n_found = 0;
    while (n_found < MAX_FOUND && phy_wifi_detect(d, air, 0, n, &found[n_found]))
        n_found++;
    free(d);
    return n_found;
}
#endif
