/* A small air for episodes of jamming and of innocent trouble, at IQ fidelity: n stations with the production waveform receiver, CCA, MAC
 * and detector on one channel, who send each other messages; one jammer, or one primary user. Everything follows from (seed, episode). */
#ifndef APPS_VALIDATE_JAM_WORLD_H
#define APPS_VALIDATE_JAM_WORLD_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apps/validate/stations.h"
#include "mac/mac.h"
#include "phy/air/emitter.h"
#include "phy/air/primary.h"

enum { APP_JAM_RATE_HZ = APP_STATIONS_RATE_HZ, APP_JAM_MAX_STATIONS = APP_STATIONS_MAX, APP_JAM_MAX_BURST = 1 << 15 };

/* What the episode is about; powers in dB over the noise of a receiver, times in ns. */
struct app_jam_episode {
    uint64_t seed, episode;
    uint32_t n_stations;          /* the first one's detector is watched */
    double snr_db;                /* between any two */
    double frames_per_s;          /* offered by all together, each to the next station */
    size_t message_bytes;
    int64_t start_ns, end_ns;     /* of jammer or primary user; the episode's end is end_ns */
    bool has_jammer, has_primary;
    double inr_db;                /* jammer or primary user over noise, while it is on */
    struct phy_emitter_config jammer; /* kind and shape; times and power are filled in */
    bool alternate;               /* what the jammer sends is a tone at another frequency in each burst */
    struct phy_primary primary;
    uint32_t nameless;            /* kinds that the detectors are not to know (mac/jam.h) */
    /* Both NULL, or told what the watched station's receiver says, and of each frame that anybody sends, when it is decided. */
    void (*on_signal)(void *ctx, const struct mac_event *signal);
    void (*on_sent)(void *ctx, uint32_t station, int64_t from_ns, int64_t to_ns, const struct mac_update *frame);
};

/* Called for each change of the watched station's opinion; false ends the episode. */
typedef bool app_jam_on_verdict(void *ctx, const struct mac_jam_verdict *verdict);

struct app_jam_outcome {
    int64_t exposed_ns;     /* first sample of jammer or primary user while somebody had a message to send; INT64_MAX: none */
    uint64_t n_offered;     /* messages since then */
    uint64_t n_acked, n_lost;
};

struct app_jam_world;

/* NULL without memory. */
struct app_jam_world *app_jam_open(void);
/* 0, or a negative errno with *why_out. */
__attribute__((warn_unused_result)) int app_jam_run(struct app_jam_world *w, const struct app_jam_episode *e, app_jam_on_verdict *on_verdict,
                                                    void *ctx, struct app_jam_outcome *out, const char **why_out);
/* How its stations' MACs are configured, but for seed and station id; borrows the world. */
void app_jam_mac(struct app_jam_world *w, struct mac_config *out);
void app_jam_close(struct app_jam_world *w);
#endif
