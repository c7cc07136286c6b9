/* The PHY machine's state, shared by the files that implement phy/phy.h. */
#ifndef PHY_MACHINE_H
#define PHY_MACHINE_H

#include "phy/packet/render.h"
#include "phy/packet/receive.h"
#include "phy/phy.h"
#include "phy/sensing/energy.h"
#include "phy/waveform.h"

enum {
    PHY_PIECE_SAMPLES = 1024, /* handled at a time */
    PHY_PROFILE_SAMPLES = 80, /* block of the power profile */
    PHY_PROFILE_BLOCKS = 1024, /* kept: more than the longest frame takes */
    PHY_SHAPE_SAMPLES = 512,   /* half a piece */
    PHY_SHAPE_SPACING = 2048,
    PHY_MIN_CCA_SAMPLES = 32,
    PHY_MAX_CCA_SAMPLES = 1024,
    PHY_SENSE_PIECE = 64,      /* a sensing window is summed in pieces that end at multiples of this */
    PHY_FRAME_SLOTS = 28       /* frames that one step can hold: locks are at least PHY_MIN_LOCK_SPACING apart */
};

struct phy_frame_slot {
    uint8_t psdu[PHY_MAX_RX_PSDU_BYTES + 1];
    float noise_db[PHY_N_SUBCARRIERS];
};

struct phy_sense_window {
    bool pending;
    uint64_t start, n_samples, next; /* next: first sample not summed yet */
    double sum, p_fa;
    struct phy_energy_detector detector; /* of the last window, since a threshold is costly */
};

struct phy {
    struct phy_config cfg;
    struct phy_waveform_demod *demod; /* iq fidelity, else NULL */
    struct phy_packet *packet;        /* packet fidelity, else NULL */
    struct phy_packet_render *render; /* packet fidelity: of the samples whose shape is told */
    double noise_power;
    double cca_power;
    uint64_t position;      /* index of the next sample */

    /* recent samples, so that blocks at absolute multiples can be completed whatever the cut */
    float complex recent[PHY_MAX_CCA_SAMPLES + PHY_PIECE_SAMPLES];
    size_t n_recent;        /* samples before `position` that are kept */

    double profile[PHY_PROFILE_BLOCKS]; /* mean power of block b at b % PHY_PROFILE_BLOCKS */
    uint64_t profile_first, profile_next; /* blocks [first, next) were measured */
    uint64_t cca_next;      /* first sample of the next CCA block */
    uint64_t power_next;    /* first sample whose power is in no sum */
    double profile_sum, cca_sum; /* of the blocks in progress */
    bool cca_busy;
    bool locked;
    uint64_t lock_sample;
    bool had_silence[2], had_lock[2]; /* the halves of the present piece */
    uint64_t shape_next;    /* the next shape may be told from here on */
    struct phy_sense_window sense;

    bool tx_pending;
    uint64_t tx_end;
    uint8_t tx_psdu[PHY_MAX_PSDU_BYTES];
    float complex *burst;
    size_t burst_cap;

    struct phy_update *out; /* of the step in progress */
    unsigned n_slots;
    struct phy_frame_slot slots[PHY_FRAME_SLOTS];
    struct phy_stats stats;
};

/* Appends a signal to the step's update and returns it. */
struct phy_signal *phy_signal_add(struct phy *m, enum phy_signal_kind kind, uint64_t sample);

/* Power: what samples say by themselves. `end` is the index after the last sample in `recent`. */
void phy_power_restart(struct phy *m);
void phy_power_measure(struct phy *m, uint64_t end);
/* A block's mean power, measured or drawn. */
void phy_power_take_profile(struct phy *m, uint64_t block, double power);
void phy_power_take_cca(struct phy *m, uint64_t end_sample, double power);
/* Fills rssi, head, snr and rise of a frame from the profile. */
void phy_power_describe(const struct phy *m, struct phy_frame *frame);

/* Shapes: a piece of PHY_PIECE_SAMPLES at multiples of that, in two halves. */
void phy_shape_begin(struct phy *m);
/* Packet fidelity: each half by itself. */
void phy_shape_begin_half(struct phy *m);
/* The half that begins now, or did before, may still become a shape. */
bool phy_shape_is_wanted(const struct phy *m);
/* A CCA block was quiet that ends with this sample; a lock began or ended. */
void phy_shape_silence(struct phy *m, uint64_t sample);
void phy_shape_lock(struct phy *m, uint64_t sample, bool locked);
/* Samples up to `position` have been seen by everybody; `from` is where the call began. */
void phy_shape_measure(struct phy *m, uint64_t from);

int phy_sense_begin(struct phy *m, uint64_t start, uint64_t n_samples, double p_fa);
void phy_sense_measure(struct phy *m, uint64_t end);
/* Packet fidelity: the window's mean power is known. */
void phy_sense_take(struct phy *m, double mean_power);
void phy_sense_skip(struct phy *m, uint64_t n_skipped);

/* Copies samples, with those that are not finite as zero; returns how many those were. */
size_t phy_copy_finite(float complex *out, const float complex *in, size_t n);
#endif
