/* The virtual air: mixes emitters into listeners, channel by channel, sample by sample.
 *
 * rx_l,c[i] = sum over emissions e on channel c: g(e,l) * sum_t h_t(e,l,i) x_e[i - delay(e,l) - d_t]
 *                                               * exp(j 2 pi (f_e - f_l) i / fs) + noise_l,c[i]
 * With sample clocks that differ by D, x_e is read at m (1 + D) where m counts from the emission's arrival: each burst drifts from
 * its own beginning. Taps and clocks are left out where a link has none: then the sum is a plain copy (phy/air/mix.h).
 * Emissions are mixed in the order of (emitter id, start sample). Noise is a keyed function of (seed, listener, channel,
 * index); what is rendered for one listener never depends on who else is rendered nor on how the time is cut into blocks.
 * A channel is rendered for a listener only when asked. Pure. */
#ifndef PHY_AIR_H
#define PHY_AIR_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "phy/air/fading.h"
#include "phy/simd.h"

enum { PHY_AIR_MAX_NODES = 64, PHY_AIR_MAX_CHANNELS = 8 };

struct phy_air;

struct phy_air_link {
    float gain_db;          /* of the path from emitter to listener; -INFINITY for no path */
    uint32_t delay_samples; /* propagation */
};

struct phy_air_config {
    uint64_t seed;
    uint32_t n_nodes;               /* stations, primary users and jammers: one id space, each may emit and listen */
    uint32_t n_channels;
    uint32_t sample_rate_hz;        /* of every channel */
    const double *noise_dbfs;       /* n_nodes */
    const double *carrier_offset_hz; /* n_nodes */
    const struct phy_air_link *links; /* n_nodes x n_nodes, row = emitter, column = listener */
    size_t max_emissions;           /* on air at one time, all channels */
    /* May be left out. */
    const struct phy_fading *const *fading; /* as links: of the path from emitter to listener; NULL: none. The fadings are borrowed
                                             * for the air's life, gains are those of phy_fading_key(seed, emitter, listener, ...) */
    const double *clock_ppm;        /* n_nodes, +-100: by which each sample clock runs fast; NULL: all agree */
    enum phy_simd simd;             /* AUTO, or BASELINE to compare; the same samples come out */
};

size_t phy_air_bytes(const struct phy_air_config *cfg);
__attribute__((warn_unused_result)) int phy_air_init(void *mem, size_t len, const struct phy_air_config *cfg,
                                                     struct phy_air **out, const char **bad_field_out);
/* Puts n samples on a channel, the first of them at start_sample (not before the latest rendered sample).
 * The samples are borrowed until phy_air_forget passes their end plus phy_air_tail. Returns an emission id >= 0,
 * -ENOBUFS when max_emissions are on air, -EINVAL. */
__attribute__((warn_unused_result)) long phy_air_emit(struct phy_air *air, uint32_t emitter, uint32_t channel,
                                                      uint64_t start_sample, const float complex *samples, size_t n,
                                                      float amplitude);
/* A looped or endless emission (a primary user playing a recording): sample i of the emission is samples[(i + phase) % n]
 * for start_sample <= i < end_sample. */
__attribute__((warn_unused_result)) long phy_air_emit_loop(struct phy_air *air, uint32_t emitter, uint32_t channel,
                                                           uint64_t start_sample, uint64_t end_sample,
                                                           const float complex *samples, size_t n, size_t phase,
                                                           float amplitude);
/* Renders [start_sample, start_sample + n) of a channel as the listener hears it; own emissions are not heard. */
void phy_air_render(struct phy_air *air, uint32_t listener, uint32_t channel, uint64_t start_sample, size_t n,
                    float complex *out);
/* Samples after its end for which an emission of n samples may still be heard, whoever listens. */
uint64_t phy_air_tail(const struct phy_air *air, uint64_t n);
/* Drops emissions that ended (with their tail) before the sample. */
void phy_air_forget(struct phy_air *air, uint64_t before_sample);
#endif
