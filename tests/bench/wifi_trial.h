/* Frames through an impaired channel into the wifi receiver, one after the other in one stream: how many are lost. */
#ifndef TESTS_BENCH_WIFI_TRIAL_H
#define TESTS_BENCH_WIFI_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "phy/simd.h"

enum wifi_trial_kind {
    WIFI_TRIAL_AWGN,
    WIFI_TRIAL_RAYLEIGH, /* three taps, 0, 3, 7 samples, 0, -3, -6 dB, new for each frame; Es/N0 is the mean */
    WIFI_TRIAL_TONE,     /* somewhere in the occupied band, new for each frame, at sir_db */
    WIFI_TRIAL_PULSE     /* noise for 80 samples of 800, at sir_db while it is on */
};

struct wifi_trial {
    enum wifi_trial_kind kind;
    unsigned rate_index;
    size_t psdu_len;       /* octets; 0: 5..1504, and any rate, drawn for each frame */
    double es_n0_db;       /* per occupied subcarrier; INFINITY: no noise */
    double sir_db;
    double cfo_subcarriers; /* offset of the carrier: drawn from -this..this, or exactly +-this */
    bool cfo_exact;
    bool b210;             /* the receiver's front end is like an Ettus B210's at 5.18 GHz, 2 ppm fast, the signal at -30 dBFS; else there
                            * is none */
    unsigned n_frames;
    enum phy_simd simd;
};

/* Every frame not returned octet for octet counts as lost. */
unsigned wifi_trial_count_lost(const struct wifi_trial *t);
#endif
