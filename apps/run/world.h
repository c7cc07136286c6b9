/* The world of a virtual run: the air, the stations with their ledgers' databases, primary users and jammers, built from a scenario
 * and a seed. Keys derive from the seed here and nowhere else. */
#ifndef APPS_RUN_WORLD_H
#define APPS_RUN_WORLD_H

#include "apps/run/accounts.h"
#include "apps/run/pcapng.h"
#include "apps/run/scenario.h"
#include "apps/station/station.h"
#include "chain/store/store.h"
#include "phy/air/air.h"
#include "phy/air/emitter.h"
#include "phy/air/front_end.h"
#include "phy/packet/air.h"
#include "phy/radio/sigmf.h"

enum { WORLD_BURSTS = 64, WORLD_JAM_BURSTS = 64, WORLD_JAM_EMISSIONS = 256, WORLD_BLOCK = 4096, WORLD_FOLDS = 4, WORLD_MAX_ERROR = 400 };

struct world_station {
    struct app_station *station;
    void *memory;
    struct chain_ed25519 key;
    struct chain_store *store;
    bool sending;              /* [send_start, send_end), samples */
    uint64_t send_start, send_end;
    uint32_t send_channel;
    uint64_t fold[CHAIN_MAX_CHANNELS][WORLD_FOLDS]; /* digest of what was rendered for it */
};

struct world_jammer {
    uint32_t known_channel;    /* insider: where it jams now */
    struct phy_emitter *machine;
    void *memory;
    uint64_t start_sample, stop_sample;
    size_t n_bursts;           /* buffers of a burst's length each; enough that one is free when the next burst is decided */
    float complex *bursts[WORLD_JAM_BURSTS];
    uint64_t free_after[WORLD_JAM_BURSTS];
    float complex *prepared;   /* preamble, deceptive: what it sends */
};

struct world_primary {
    float complex *loop;       /* what it plays over and over */
    size_t n;
    uint64_t next_on;          /* it comes and goes: when it comes next, UINT64_MAX: it does not */
};

struct world_burst { /* samples on the air, ours until they have passed every receiver */
    float complex *samples;
    uint64_t free_after;
};

struct app_world {
    struct app_scenario scenario;
    uint64_t seed, cut_seed;
    struct chain_genesis genesis;
    const struct phy_waveform *waveform;
    uint32_t rate_hz;
    struct world_station stations[APP_MAX_STATIONS];
    struct world_jammer jammers[APP_MAX_JAMMERS];
    struct world_primary primaries[APP_MAX_PRIMARIES];
    struct phy_air *air;               /* iq fidelity, else NULL */
    struct phy_packet_air *packet_air; /* packet fidelity, else NULL */
    void *air_memory;
    struct phy_packet_tables *tables;  /* packet fidelity */
    size_t n_runs[APP_MAX_PRIMARIES];
    struct phy_packet_run *runs[APP_MAX_PRIMARIES]; /* packet fidelity: powers of the recordings */
    struct phy_arrival arrivals[PHY_PACKET_MAX_ARRIVALS];
    double noise_dbfs[PHY_AIR_MAX_NODES], carrier_hz[PHY_AIR_MAX_NODES];
    struct phy_air_link links[PHY_AIR_MAX_NODES * PHY_AIR_MAX_NODES];
    uint32_t n_nodes, max_delay;
    double clock_ppm[PHY_AIR_MAX_NODES];
    struct phy_fading fading;          /* of every link, where there is any */
    const struct phy_fading *fadings[PHY_AIR_MAX_NODES * PHY_AIR_MAX_NODES];
    struct phy_front_end *front_ends[APP_MAX_STATIONS][APP_MAX_CHANNELS]; /* NULL: nothing but a converter of 16 bits */
    struct world_burst bursts[WORLD_BURSTS];
    size_t burst_cap;
    float complex *block; /* WORLD_BLOCK samples */
    /* outputs */
    struct app_journal *journal;
    struct app_pcapng *pcap;
    struct app_accounts accounts;
    uint32_t recorded;               /* station whose control channel is recorded, UINT32_MAX: none */
    struct phy_sigmf_writer *recording;
    FILE *expectation;               /* what replay of the recording must print */
    bool keep_partial;               /* what there is stays: the user interrupted, or it is whole and could not be moved */
    char error[WORLD_MAX_ERROR];
};

/* folder: where the run's files are being built. 0; -EINVAL (bad scenario or recording), -EIO (system), with world->error set. */
__attribute__((warn_unused_result)) int app_world_open(struct app_world *w, const char *folder);
void app_world_close(struct app_world *w);

/* Puts a primary user on the air that comes at or before sample t. */
__attribute__((warn_unused_result)) int app_world_play(struct app_world *w, uint32_t i, uint64_t t);

/* world.c, for its parts */
void *app_world_allocate(size_t n);
int app_world_fail(struct app_world *w, int rc, const char *what, const char *detail); /* rc, with world->error set */
/* world_air.c: links, fading, clocks; front ends; jammers; synthetic primary users */
void app_world_describe_links(struct app_world *w);
int app_world_open_front_ends(struct app_world *w);
int app_world_open_jammer(struct app_world *w, uint32_t i);
int app_world_synthesise(struct app_world *w, uint32_t primary);

static inline int64_t world_ns(const struct app_world *w, uint64_t sample)
{
    return (int64_t)(sample / w->rate_hz * 1000000000u + sample % w->rate_hz * 1000000000u / w->rate_hz);
}
/* First sample not before t_ns. */
static inline uint64_t world_sample(const struct app_world *w, int64_t t_ns)
{
    uint64_t t = t_ns < 0 ? 0 : (uint64_t)t_ns;
    return t / 1000000000u * w->rate_hz + (t % 1000000000u * w->rate_hz + 999999999u) / 1000000000u;
}
static inline uint32_t world_primary_node(const struct app_world *w, uint32_t i)
{
    return w->scenario.n_stations + i;
}
static inline uint32_t world_jammer_node(const struct app_world *w, uint32_t i)
{
    return w->scenario.n_stations + w->scenario.n_primaries + i;
}

/* loop.c: runs from sample 0 to the scenario's duration. tick: called now and then with the virtual time; non-zero ends the run early.
 * 0, or -EIO / -EILSEQ with world->error. */
__attribute__((warn_unused_result)) int app_loop_run(struct app_world *w, int (*tick)(void *ctx, int64_t now_ns), void *ctx);
#endif
