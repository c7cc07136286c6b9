/* Emitters that are no stations: jammers of eleven kinds, as pure machines over what they hear. Each kind is a row of a
 * table: when it sends, and what. They tell each burst to the caller ahead of time: this is the truth that verdicts are held against.
 * The mean power of every burst is power_dbfs, over the full sample rate, while it is on: so is J/S defined. Samples are functions of
 * (configuration, sample index) alone. */
#ifndef PHY_EMITTER_H
#define PHY_EMITTER_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum phy_emitter_kind {
    PHY_EMITTER_TONE,      /* an unmodulated carrier, without pause */
    PHY_EMITTER_NOISE,     /* noise of some bandwidth, without pause */
    PHY_EMITTER_PULSE,     /* a burst of noise each period */
    PHY_EMITTER_SWEEP,     /* a carrier that runs from a low to a high frequency, again and again, without pause */
    PHY_EMITTER_RANDOM,    /* noise that goes on and off, for times drawn from exponential laws */
    PHY_EMITTER_REACTIVE,  /* a burst of noise after it heard power */
    PHY_EMITTER_PREAMBLE,  /* a prepared preamble each period: receivers lock to it */
    PHY_EMITTER_PILOT,     /* carriers on some subcarriers, without pause */
    PHY_EMITTER_DECEPTIVE, /* a prepared whole frame each period: receivers take it for somebody's */
    PHY_EMITTER_FOLLOWER,  /* noise, for a while, on that one of several channels on which it heard power; then it looks again */
    PHY_EMITTER_INSIDER,   /* noise without pause; the caller puts each piece on the channel that is in use, since it knows which */
    PHY_EMITTER_N_KINDS
};
/* "tone", "noise", ... ; the words of enum phy_emitter_kind */
const char *phy_emitter_kind_name(enum phy_emitter_kind kind);
/* -1 for a word that is none. */
int phy_emitter_kind_of(const char *name);

enum phy_emitter_schedule { PHY_EMITTER_ALWAYS, PHY_EMITTER_PERIODIC, PHY_EMITTER_ON_OFF, PHY_EMITTER_ON_POWER, PHY_EMITTER_FOLLOWS };
enum phy_emitter_schedule phy_emitter_schedule(enum phy_emitter_kind kind);

enum { PHY_EMITTER_MAX_BURSTS = 64, PHY_EMITTER_MAX_BLOCK_SAMPLES = 1024, PHY_EMITTER_MAX_TONES = 16, PHY_EMITTER_MIN_BURST = 16,
       PHY_EMITTER_MAX_CHANNELS = 8 };

struct phy_emitter;

struct phy_emitter_config {
    enum phy_emitter_kind kind;
    uint64_t seed, stream;   /* of its draws */
    double power_dbfs;       /* mean power of a burst as sent */
    uint64_t first_sample;   /* index of the first sample that will come */
    uint64_t from_sample, to_sample; /* bursts lie within [from, to) */
    /* Length of a burst, at least PHY_EMITTER_MIN_BURST. Without pause: of the pieces in which it is told; on and off, follower: the
     * longest such piece. Preamble, deceptive: of the prepared samples. */
    uint32_t burst_samples;
    uint32_t period_samples; /* periodic kinds; >= burst_samples */
    double mean_on_samples, mean_off_samples; /* random; no shorter than PHY_EMITTER_MIN_BURST, nor is any draw */
    /* reactive: a block of block_samples (at multiples of it, <= PHY_EMITTER_MAX_BLOCK_SAMPLES) whose mean power exceeds
     * noise_dbfs + threshold_db, and a burst starts react_samples after the block's end. All others: bursts are told react_samples
     * ahead. No step may bring more than react_samples samples, so that no burst starts in the past. */
    uint32_t react_samples;
    uint32_t block_samples;
    double noise_dbfs, threshold_db;
    /* follower: hears all of its channels, n_channels x block_samples <= PHY_EMITTER_MAX_BLOCK_SAMPLES, until a block of one holds power
     * as above; of several the strongest, of equals the first. It sends there for dwell_samples (>= 2 PHY_EMITTER_MIN_BURST), later by
     * retune_samples where its transmitter stood on another channel, at first on channel 0. */
    uint32_t n_channels;
    uint64_t dwell_samples, retune_samples;
    /* What is sent; frequencies in cycles a sample, -0.5..0.5. */
    double offset;           /* of a tone, and of the middle of noise of some bandwidth */
    double bandwidth;        /* of noise; 0 or 1: all of it */
    double sweep_low, sweep_high;
    uint32_t sweep_samples;  /* from low to high */
    uint32_t n_tones;        /* pilot */
    double tones[PHY_EMITTER_MAX_TONES];
    const float complex *prepared; /* preamble, deceptive: burst_samples of them, the caller's; scaled to the power asked for */
};

struct phy_emitter_burst {
    uint64_t start_sample;
    uint64_t n_samples;
    uint32_t channel; /* follower: which of its channels; 0 for all others */
};

struct phy_emitter_update {
    size_t n_bursts;
    struct phy_emitter_burst bursts[PHY_EMITTER_MAX_BURSTS]; /* decided in this step, in time order, none before its end */
};

size_t phy_emitter_bytes(void);
/* Returns 0, or -EINVAL with the offending field's name. mem: phy_emitter_bytes() octets, 64-byte aligned. */
__attribute__((warn_unused_result)) int phy_emitter_init(void *mem, size_t len, const struct phy_emitter_config *cfg,
                                                         struct phy_emitter **out, const char **bad_field_out);
/* The next n samples of the channel, of a follower's channels one after another. What comes while it sends is not heard; only a
 * reactive one and a follower listen, samples may be NULL for all others. Returns 0, or -EAGAIN for more samples than react_samples (state unchanged). Decisions do not depend on how samples are cut
 * into calls. */
__attribute__((warn_unused_result)) int phy_emitter_step(struct phy_emitter *j, const float complex *samples, size_t n,
                                                         struct phy_emitter_update *out);
/* Writes the samples of a burst. */
void phy_emitter_fill(struct phy_emitter *j, const struct phy_emitter_burst *burst, float complex *out);
#endif
