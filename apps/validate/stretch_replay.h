/* Innocent traffic at packet fidelity: production MACs on the ether decide who sends when, and a jam detector hears of each stretch what
 * a receiver on samples was measured to say of its like. */
#ifndef APPS_VALIDATE_STRETCH_REPLAY_H
#define APPS_VALIDATE_STRETCH_REPLAY_H

#include "apps/validate/stretch_log.h"

struct app_replay {
    const struct app_stretch_log *log;
    int group;              /* whose stretches are drawn */
    uint64_t seed, number;
    uint32_t n_stations;    /* the first one's ears are watched */
    double frames_per_s;    /* offered by all together, each to the next station */
    size_t message_bytes;
    const struct mac_config *mac; /* of all, but for station ids */
    int64_t period_ns;      /* somebody's pulses between stretches: from one to the next; 0: none */
    bool comes_and_goes;    /* somebody's emission fills the channel for seconds, again and again */
    int64_t length_ns;
};

struct app_replayed {
    uint64_t n_frames, n_stretches, n_heard;
    uint64_t n_accused;     /* times that the detector came to accuse somebody */
    uint64_t n_verdicts;    /* changes of opinion */
    struct mac_jam_verdict first; /* accusation */
};

/* 0, or -ENOMEM. */
__attribute__((warn_unused_result)) int app_replay_run(const struct app_replay *cfg, struct app_replayed *out);
#endif
