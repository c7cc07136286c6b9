/* An emitter's state, shared by the files that implement phy/air/emitter.h: emitter.c says when it sends, emitter_wave.c what. */
#ifndef PHY_EMITTER_MACHINE_H
#define PHY_EMITTER_MACHINE_H

#include "phy/air/awgn.h"
#include "phy/air/emitter.h"

enum { PHY_EMITTER_FILTER_TAPS = 129 };

struct phy_emitter {
    struct phy_awgn noise; /* first: it is the most aligned */
    struct phy_emitter_config cfg;
    double trigger_power;
    uint64_t position;     /* of the next sample */
    uint64_t deaf_until;   /* a burst is decided or under way until then */
    uint64_t next_start;   /* of the next burst or piece of all but the reactive one */
    uint64_t on_until, i_draw; /* random; follower: on_until */
    uint32_t tuned;        /* follower: the channel its transmitter stands on */
    size_t n_in_block;
    float complex block[PHY_EMITTER_MAX_BLOCK_SAMPLES]; /* of each channel one after another */
    /* what it sends */
    float amplitude;
    float filter[PHY_EMITTER_FILTER_TAPS]; /* of unit noise gain */
    uint64_t offset, sweep_from, sweep_step, tones[PHY_EMITTER_MAX_TONES], tone_phase[PHY_EMITTER_MAX_TONES]; /* 2^64 a turn */
};

/* NULL, or the name of the field that is out of range. */
const char *phy_emitter_check_wave(const struct phy_emitter_config *cfg);
void phy_emitter_prepare_wave(struct phy_emitter *j);
#endif
