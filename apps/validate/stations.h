/* Stations with the production PHY and MAC, driven over an air that a world makes for them block by block (contend.c, jam_world.c): what
 * frames, deadlines and the ends of CCA blocks make of each other is the same in every world. Time is that of the samples. */
#ifndef APPS_VALIDATE_STATIONS_H
#define APPS_VALIDATE_STATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mac/mac.h"
#include "phy/phy.h"
#include "phy/waveform.h"

enum {
    APP_STATIONS_RATE_HZ = 10000000,
    APP_STATIONS_BLOCK = 80,            /* CCA assesses so many samples, 8 us */
    APP_STATIONS_FIRST_NS = 1000000000, /* the MACs' time 0 is no instant at which anything happens */
    APP_STATIONS_MAX = 20
};

struct app_driven_station {
    void *phy_memory, *mac_memory;
    struct phy *phy;
    struct mac *mac;
    int64_t deadline_ns;
    uint64_t send_start, send_end; /* of what is on the air */
    bool sending;
};

/* Zeroed, then waveform to ctx filled in. The calls get ctx; those that return an int end the run by a negative errno. */
struct app_stations {
    const struct phy_waveform *waveform;
    size_t burst_cap;                /* samples of the longest frame */
    /* The burst of phy_update goes on the air from the station's send_start to its send_end; mac_update says what it is. */
    int (*emit)(void *ctx, uint32_t station);
    /* What mac_update holds of a MAC's step, behind its frame; may feed the station again, which overwrites mac_update. */
    int (*took)(void *ctx, uint32_t station, int64_t now_ns);
    /* NULL, or told what a receiver says before its MAC is. */
    void (*signal)(void *ctx, uint32_t station, const struct mac_event *signal);
    void *ctx;
    uint32_t n;
    struct app_driven_station each[APP_STATIONS_MAX];
    struct phy_update phy_update;
    struct mac_update mac_update;
};

int64_t app_stations_ns(uint64_t sample);
uint64_t app_stations_sample(int64_t ns); /* the first one not before */
/* A mac_config's airtime_ns; ctx is the waveform. */
int64_t app_stations_airtime_ns(void *waveform, size_t mpdu_len, unsigned rate_index);

/* Station i anew, in the memory that it has or in new one. 0 or negative errno with *why_out. */
__attribute__((warn_unused_result)) int app_stations_open(struct app_stations *all, uint32_t i, const struct phy_config *phy,
                                                          const struct mac_config *mac, const char **why_out);
void app_stations_close(struct app_stations *all); /* every station that was opened */

/* An event for a station's MAC, and what follows from it. */
__attribute__((warn_unused_result)) int app_stations_feed(struct app_stations *all, uint32_t i, const struct mac_event *event);
/* Whether station i is on the air at a sample: half duplex, it hears nothing. */
bool app_stations_is_deaf(const struct app_stations *all, uint32_t i, uint64_t sample);
/* What its receiver hears: SAMPLES, ARRIVALS or SKIP. */
__attribute__((warn_unused_result)) int app_stations_hear(struct app_stations *all, uint32_t i, const struct phy_event *heard);
/* The end of what it sends, and deadlines, up to a sample. */
__attribute__((warn_unused_result)) int app_stations_work(struct app_stations *all, uint32_t i, uint64_t now);
/* Until when a block that begins at t may last: to an edge of what somebody sends, a deadline, the end of the CCA block or `most`. */
uint64_t app_stations_boundary(const struct app_stations *all, uint64_t t, uint64_t most);
#endif
