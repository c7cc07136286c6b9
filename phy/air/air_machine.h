/* The virtual air's state, shared by the files that implement phy/air/air.h. */
#ifndef PHY_AIR_MACHINE_H
#define PHY_AIR_MACHINE_H

#include "phy/air/air.h"
#include "phy/air/awgn.h"
#include "phy/air/fractional.h"
#include "phy/air/line.h"

/* What of a link does not change, worked out once. */
struct phy_air_path {
    double gain;        /* of amplitudes */
    uint64_t increment; /* of the carrier's phase a sample, 2^64 a turn: the phase of sample i is increment * i, whatever came before */
    double drift;       /* of the sender's clock against the listener's */
    struct phy_line_turns turns;
};

/* Gains of a link at both ends of a stretch of the fading's grid; kept, since they are costly. */
struct phy_air_gains {
    bool known;
    uint64_t key, stretch;
    struct phy_fading_draws draws;
    float complex from[PHY_FADING_MAX_TAPS], to[PHY_FADING_MAX_TAPS];
};

struct phy_air_emission {
    uint64_t id;
    uint32_t emitter, channel;
    uint64_t start, end;
    const float complex *samples;
    size_t n, phase; /* sample i - start of the emission is samples[i - start], or, looped, samples[(i + phase) % n] */
    size_t first;    /* (start + phase) % n */
    bool looped;
    float amplitude;
};

struct phy_air {
    struct phy_air_config cfg;
    enum phy_simd simd;
    uint64_t next_id;
    uint32_t longest_delay, longest_tap;
    size_t n_emissions;
    uint64_t rendered_end[PHY_AIR_MAX_CHANNELS];
    double noise_dbfs[PHY_AIR_MAX_NODES];
    double carrier_offset_hz[PHY_AIR_MAX_NODES];
    struct phy_air_link *links;
    struct phy_air_path *paths;
    struct phy_air_emission *emissions;  /* in the order of (emitter, start, id) */
    struct phy_awgn *noise;      /* n_nodes x n_channels */
    /* only where there is fading or a clock that is off */
    const struct phy_fading **fading;       /* n_nodes x n_nodes, or NULL */
    struct phy_air_gains *gains;            /* n_nodes x n_nodes x n_channels, or NULL */
    bool clocks_differ;
    double clock_ppm[PHY_AIR_MAX_NODES];
    struct phy_fractional bank;
};

/* Adds what the listener hears of an emission in [from, to), all of it between the emission's arrival and its end, through taps and
 * clocks. start: index of out[0]. air_line.c */
void phy_air_add_through_line(const struct phy_air *air, const struct phy_air_emission *e, uint32_t listener, uint64_t from,
                              uint64_t to, uint64_t start, float complex *out);
#endif
