/* airdeed station --init-cluster: keys, a cluster file and one file for each station, with timers that fit the radios' turnaround. */
#ifndef APPS_LIVE_INIT_H
#define APPS_LIVE_INIT_H

#include <stdint.h>

struct app_live_init {
    const char *dir, *engine;
    const char *radio;       /* uri that every station's file gets; NULL: the ports of an airdeed air on this machine */
    const char *waveform;
    uint32_t n_members, n_clients, sample_rate_hz, block_samples;
    int64_t turnaround_ns;   /* 0: what the air's block needs */
    uint16_t base_port;      /* of the air: docs/station.md */
    int64_t now_ns;          /* time of the genesis block */
};

/* 0 or negative errno with one line in error_out (APP_NODE_MAX_ERROR octets). */
__attribute__((warn_unused_result)) int app_live_init_cluster(const struct app_live_init *init, char *error_out);
/* What an airdeed air for these stations is called with: text after "airdeed air ". */
void app_live_init_air(const struct app_live_init *init, char *out, unsigned cap);
#endif
