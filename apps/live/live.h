/* One running station: what its files share. */
#ifndef APPS_LIVE_LIVE_H
#define APPS_LIVE_LIVE_H

#include "apps/live/clock.h"
#include "apps/live/config.h"
#include "apps/live/loop.h"
#include "apps/node_log.h"
#include "apps/node_requests.h"
#include "apps/run/pcapng.h"

#include <jansson.h>

struct app_live_options {
    bool transmit;        /* --tx: a radio that radiates may */
    bool json, payload;
    uint64_t n_blocks;    /* originates nothing new from this height on; 0: always does */
    int64_t duration_ns;  /* of the radio's samples; 0: until a signal */
    const char *pcapng;   /* or NULL */
};

struct app_live_frames { /* what the control channel carried, as this station heard it */
    uint64_t heard, fcs_bad, header_bad, acks_heard, foreign;
};

struct app_live {
    const struct app_live_config *config;
    const struct app_live_options *options;
    struct app_node_log log;
    int signal_fd;
    struct chain_store *store;
    struct phy_radio *radio;
    const struct phy_waveform *waveform;
    double noise_dbfs;
    struct mac_profile profile;
    struct app_live_clock clock;
    struct app_live_clock_watch watch;
    uint64_t next_sample;          /* of the radio, when the station begins */
    void *station_memory;
    struct app_station *station;
    struct chain_ed25519 signing_key;
    struct app_live_loop loop;
    /* the door for clients */
    struct chain_net *net;
    struct app_node_requests requests;
    /* accounts */
    struct app_pcapng *pcap;
    struct app_live_frames frames;
    int64_t heard_ns[CHAIN_MAX_MEMBERS]; /* station time at which a member's frame came last; INT64_MIN never */
    int64_t begin_wall_ns, begin_ns, report_wall_ns;
    int64_t sampled_ns; /* monotonic, when samples came last */
    bool waiting;       /* for samples, and has said so */
};

int64_t app_live_wall_ns(void);

/* report.c */
void app_live_describe_hooks(struct app_live *live, struct app_live_hooks *out);
/* Now and then: log lines, a status line, packets that may be written. */
void app_live_report(struct app_live *live);
/* The last word: one JSON object, or words on stderr. */
void app_live_summary(struct app_live *live);
/* Was a frame of this member heard within the last 10 s of samples? ctx: the struct app_live. */
bool app_live_is_heard(void *ctx, uint32_t member);

/* door.c: clients' questions and transactions. 0 or an exit code. */
__attribute__((warn_unused_result)) int app_live_door_open(struct app_live *live);
__attribute__((warn_unused_result)) int app_live_door_serve(struct app_live *live);
void app_live_door_close(struct app_live *live);

/* run.c: until a signal, the end of the duration, or a failure. Returns an exit code. */
int app_live_run(const struct app_live_config *config, const struct app_live_options *options);
#endif
