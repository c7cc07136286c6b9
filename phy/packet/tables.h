/* What a receiver does at packet fidelity: probabilities that the iq fidelity measured (`airdeed calibrate`).
 *
 * A loss is -log2 of the chance that one symbol leaves the frame alive; a frame lives with 2^-(sum over its symbols). Without
 * interference it is a function of SNR alone. Interference that is like noise adds to the noise. Of every other kind a table over
 * (SNR, SIR) holds what it costs beyond that noise. Levels are those of the full sample rate, SIR while the interferer is on.
 *
 * Twins are frames that begin together, as those of stations whose backoff ends in one slot: their training symbols are the same, so
 * that the receiver takes their sum for one frame over a channel of more paths, and its estimate of the channel is off. It locks on the strongest. What
 * that costs has a part for the frame, by chance of phases, and a part for each symbol that the twin covers. */
#ifndef PHY_PACKET_TABLES_H
#define PHY_PACKET_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "phy/waveform.h"

enum phy_interference {
    PHY_INTERFERENCE_NOISE,
    PHY_INTERFERENCE_TONE,
    PHY_INTERFERENCE_PULSED, /* noise pulses shorter than a frame, spread over it */
    PHY_INTERFERENCE_OFDM,   /* other frames, other people's OFDM */
    PHY_N_INTERFERENCE
};
/* "noise", "tone", "pulsed", "ofdm" */
const char *phy_interference_name(enum phy_interference kind);

enum { PHY_PACKET_KNOWN_SAMPLES = 200, PHY_PACKET_MAX_SNR = 160, PHY_PACKET_MAX_GRID = 16, PHY_PACKET_MAX_RATES = PHY_MAX_RATES, PHY_PACKET_MAX_OFFSETS = 6,
       PHY_PACKET_MAX_TWINS = 12 };

/* log2 of a loss: from this on (one symbol in 2^40) it counts as none. */
#define PHY_PACKET_NO_LOSS (-40.0f)

/* [offset * n_cfo + cfo][SNR][SIR], beyond the same without a twin. SIR is over the sum of all twins, offsets are those of the strongest. */
typedef float phy_packet_twin_grid[PHY_PACKET_MAX_TWINS][PHY_PACKET_MAX_GRID][PHY_PACKET_MAX_GRID];
struct phy_packet_twins {
    uint32_t n_offset, n_cfo, n_snr, n_sir;
    float offset[PHY_PACKET_MAX_OFFSETS]; /* samples between the two beginnings, either way; this and all that follow ascend */
    float cfo[PHY_PACKET_MAX_OFFSETS];    /* between their carriers, either way, in subcarriers (1/64 of the sample rate) */
    float snr_db[PHY_PACKET_MAX_GRID], sir_db[PHY_PACKET_MAX_GRID];
    uint32_t span_samples;                /* frames that begin further apart are no twins */
    phy_packet_twin_grid lock;            /* probability over that without a twin */
    phy_packet_twin_grid other_header_loss; /* where the twin's header says something else, in addition */
    phy_packet_twin_grid header_loss[PHY_PACKET_MAX_RATES], frame_loss[PHY_PACKET_MAX_RATES], symbol_loss[PHY_PACKET_MAX_RATES];
};

struct phy_packet_tables {
    char waveform[16];
    unsigned n_rates;
    uint32_t cca_delay_samples;   /* from a frame's first sample to busy by energy, mean; the machine's own blocks give it again */
    uint32_t lock_delay_samples;  /* from a frame's first sample to its lock */
    uint32_t frame_delay_samples; /* from its last sample to the frame signal */
    bool captures;                /* a frame whose preamble passes takes the receiver from the one under way */
    uint32_t max_cut_samples;     /* of the preamble's beginning that the receiver can do without */
    /* without interference: n_snr points from snr_first_db, snr_step_db apart */
    uint32_t n_snr;
    float snr_first_db, snr_step_db;
    float lock[PHY_PACKET_MAX_SNR];                             /* probability */
    float header_loss[PHY_PACKET_MAX_SNR];                      /* log2 of the loss of the header, whole */
    float symbol_loss[PHY_PACKET_MAX_RATES][PHY_PACKET_MAX_SNR]; /* log2 of the loss of a data symbol */
    /* with interference, beyond the same noise; [kind][...] of NOISE is not used */
    uint32_t n_grid_snr, n_grid_sir;
    float grid_snr_db[PHY_PACKET_MAX_GRID], grid_sir_db[PHY_PACKET_MAX_GRID]; /* ascending */
    /* probability over that without interference; [0]: the interferer was there before the frame, [1]: it began no more than
     * PHY_PACKET_KNOWN_SAMPLES before it, or within its preamble */
    float grid_lock[2][PHY_N_INTERFERENCE][PHY_PACKET_MAX_GRID][PHY_PACKET_MAX_GRID];
    float grid_header_loss[PHY_N_INTERFERENCE][PHY_PACKET_MAX_GRID][PHY_PACKET_MAX_GRID];
    /* [0]: it was there during the preamble, so that the receiver knows it; [1]: it began within the frame */
    float grid_symbol_loss[2][PHY_N_INTERFERENCE][PHY_PACKET_MAX_RATES][PHY_PACKET_MAX_GRID][PHY_PACKET_MAX_GRID];
    struct phy_packet_twins twins;
};

/* Powers over the noise power, linear: the signal's, and the interference's of each kind, all of it while the symbol lasts. */
struct phy_packet_levels {
    double signal;
    double interference[PHY_N_INTERFERENCE];
    double before[PHY_N_INTERFERENCE]; /* data symbols: the same during the preamble */
    double fresh;   /* lock: the part of the interference not like noise that has been there for less than PHY_PACKET_KNOWN_SAMPLES */
    double twin;        /* power of frames that began with this one; in none of the above */
    double twin_offset, twin_cfo; /* of the strongest of them: samples, subcarriers */
    bool twin_differs;  /* one of them has another header */
    double covered; /* data symbols: share of the symbol during which what is not like noise is on; its interference is that while on */
};

/* Do two frames that begin so far apart count as twins? */
bool phy_packet_are_twins(const struct phy_packet_tables *t, uint64_t a_sample, uint64_t b_sample);
/* Probability that the preamble check passes. */
double phy_packet_lock(const struct phy_packet_tables *t, const struct phy_packet_levels *levels);
/* -log2 of the chance to survive the header, the data as a whole, or one data symbol at a rate. */
double phy_packet_header_loss(const struct phy_packet_tables *t, unsigned rate_index, const struct phy_packet_levels *levels);
double phy_packet_frame_loss(const struct phy_packet_tables *t, unsigned rate_index, const struct phy_packet_levels *levels);
double phy_packet_symbol_loss(const struct phy_packet_tables *t, unsigned rate_index, const struct phy_packet_levels *levels);
#endif
