/* The OFDM symbols of one frame: mixed to zero offset, transformed, equalised, their phase and timing tracked, channel and noise
 * refined by the decisions. */
#ifndef PHY_WIFI_SYMBOLS_H
#define PHY_WIFI_SYMBOLS_H

#include <complex.h>

#include "phy/simd.h"
#include "phy/wifi/channel.h"
#include "phy/wifi/detect.h"
#include "phy/wifi/track.h"

struct phy_wifi_symbols {
    enum phy_simd simd;
    struct phy_wifi_fft fft;
    _Alignas(64) float number[PHY_WIFI_N_USED]; /* of each used subcarrier, -26..26 */
    _Alignas(64) float number_squared[PHY_WIFI_N_USED];
    uint8_t bin[PHY_WIFI_N_USED];
    struct phy_wifi_channel channel;
    double cfo;                      /* turns a sample, mixed away */
    uint64_t origin;                 /* sample of phase 0: the first of the long training symbols */
    struct phy_wifi_bins mix;        /* exp(-j 2 pi cfo i) */
    struct phy_wifi_used equaliser;  /* 1 / channel, timing included */
    _Alignas(64) float power[PHY_WIFI_N_USED];  /* |channel|^2 */
    _Alignas(64) float weight[PHY_WIFI_N_USED]; /* signal over noise */
    _Alignas(64) float prior[PHY_WIFI_N_USED];  /* noise over its floor, from the training field */
    float floor;                     /* noise of a quiet subcarrier */
    float level;                     /* noise of the symbols so far over what the training field said */
    _Alignas(64) float spoilt[PHY_WIFI_N_USED]; /* errors about each subcarrier in the latest symbols, over the noise that was expected */
    bool is_spoilt;                  /* not all of these are 1 */
    struct phy_wifi_track phase;     /* radians */
    struct phy_wifi_track timing;    /* radians a subcarrier */
    float timing_applied;            /* within equaliser */
    int shift;                       /* samples by which windows have moved */
    unsigned n_symbols;              /* taken, SIGNAL included */
    unsigned n_refined;              /* of those, taken into the sums below */
    struct phy_wifi_used correction; /* sum of error times conjugate decision since the last refinement */
    _Alignas(64) float error[PHY_WIFI_N_USED]; /* sum of |error|^2, as received, of quiet symbols */
    /* of DATA, all symbols */
    unsigned n_data;
    float evm_sum;                   /* of |error|^2 of equalised data points, a point */
    float calm_sum;                  /* the same before the outbreak of errors */
    unsigned n_calm, n_wild;
    unsigned outbreak;               /* first symbol of it, 0: there was none */
    _Alignas(64) float data_error[PHY_WIFI_N_USED]; /* sum of |error|^2 as received */
};

/* The same bits at every SIMD level. */
void phy_wifi_symbols_init(struct phy_wifi_symbols *s, enum phy_simd simd);
/* samples[i] is sample base + i; from long_sample - 8 to long_sample + 128 */
void phy_wifi_symbols_begin(struct phy_wifi_symbols *s, const struct phy_wifi_preamble *preamble, const float complex *samples,
                            uint64_t base);
/* First sample of the 64 that the next symbol needs. */
uint64_t phy_wifi_symbols_next(const struct phy_wifi_symbols *s);

struct phy_wifi_symbol {
    struct phy_wifi_used points;  /* equalised */
    _Alignas(64) float weight[PHY_WIFI_N_USED];
    int8_t soft[PHY_WIFI_MAX_NCBPS]; /* as phy_wifi_demap gives them */
    bool quadrature;              /* BPSK on the other axis; points are turned back */
};

/* The next symbol, of n_bpsc bits a subcarrier. May the axis be the other one? Then the points tell. */
void phy_wifi_symbols_take(struct phy_wifi_symbols *s, const float complex window[PHY_WIFI_N_FFT], unsigned n_bpsc,
                           bool maybe_quadrature, struct phy_wifi_symbol *out);
/* Carrier offset as now known, turns a sample. */
double phy_wifi_symbols_cfo(const struct phy_wifi_symbols *s);
#endif
