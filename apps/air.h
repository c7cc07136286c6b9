/* airdeed air: a mixer of sample streams. N stations, each behind a port of two ZeroMQ streams, hear each other's samples with gain,
 * delay, carrier offset, noise and emitters of the air's own, block by block. */
#ifndef APPS_AIR_H
#define APPS_AIR_H

#include <complex.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "phy/air/air.h"
#include "phy/air/emitter.h"
#include "phy/radio/zmq_link.h"

enum {
    APP_AIR_MAX_PORTS = 16,
    APP_AIR_MAX_EMITTERS = 8,
    APP_AIR_MAX_NODES = APP_AIR_MAX_PORTS + APP_AIR_MAX_EMITTERS,
    APP_AIR_MAX_ENDPOINT = 120,
    APP_AIR_MAX_BLOCK_SAMPLES = 65536,
    APP_AIR_MAX_BURSTS = 2 * PHY_EMITTER_MAX_BURSTS, /* of one emitter, on the air or decided */
    APP_AIR_MAX_ERROR = 400
};

/* As a scenario's jammers (docs/air.md). */
struct app_air_emitter {
    char kind[16];                /* phy_emitter_kind_name */
    char waveform[8];             /* preamble, pilot, deceptive: whose */
    double power_dbfs;            /* as every port hears it while it is on, before the port's own links say otherwise */
    int64_t start_ns, stop_ns;    /* stop 0: to the end */
    int64_t burst_ns, period_ns, react_ns;
    double threshold_db;          /* reactive: over the noise of the air */
    double offset_hz, bandwidth_hz; /* tone; noise of some bandwidth, 0: all */
    double sweep_low_hz, sweep_high_hz; /* NAN: -+0.4 of the rate */
    int64_t sweep_ns;
    int64_t mean_on_ns, mean_off_ns;
};

struct app_air_config {
    uint32_t n_ports, n_emitters;
    uint32_t rate_hz, block_samples;
    uint64_t seed;
    int64_t patience_ns;          /* 0: for ever */
    uint64_t n_samples;           /* 0: until a signal */
    bool pace, json, wait_all;
    char tx[APP_AIR_MAX_PORTS][APP_AIR_MAX_ENDPOINT]; /* where a station answers, we connect; "" none */
    char rx[APP_AIR_MAX_PORTS][APP_AIR_MAX_ENDPOINT]; /* where a station asks, we bind; "" none */
    char clock[APP_AIR_MAX_PORTS][APP_AIR_MAX_ENDPOINT]; /* where a station asks the time, we bind; "" none */
    double noise_dbfs[APP_AIR_MAX_NODES], carrier_hz[APP_AIR_MAX_NODES];
    double common_noise_dbfs;     /* that of ports that say nothing else; -INFINITY: none */
    struct phy_air_link links[APP_AIR_MAX_PORTS][APP_AIR_MAX_PORTS]; /* [from][to] */
    struct app_air_emitter emitters[APP_AIR_MAX_EMITTERS];
};

/* Reads what differs between ports, and emitters, from YAML (docs/radios.md). 0 or negative errno with one line in error_out
 * (APP_AIR_MAX_ERROR octets). */
__attribute__((warn_unused_result)) int app_air_read_links(const char *path, struct app_air_config *cfg, char *error_out);

/* What is wrong with an emitter at this rate: NULL, or the field to blame with one line in why_out (n_why octets). */
const char *app_air_find_bad_emitter(const struct app_air_emitter *e, uint32_t rate_hz, char *why_out, size_t n_why);
/* The i-th emitter as a machine. 0, -ENOMEM, or other negative errno; *prepared_out: the caller frees it, NULL for most kinds. */
__attribute__((warn_unused_result)) int app_air_describe_emitter(const struct app_air_config *cfg, uint32_t i, struct phy_emitter_config *out,
                                                                 float complex **prepared_out);

/* --- the mixing, without any stream ---------------------------------------------------------------------------------------------- */

struct app_air_mix;

/* NULL with one line in error_out (APP_AIR_MAX_ERROR octets), *code_out an exit code. */
struct app_air_mix *app_air_mix_open(const struct app_air_config *cfg, char *error_out, int *code_out);
/* The next block: tx[k] what port k sent, NULL for silence; rx[k] is written where it is not NULL. Both block_samples long. */
void app_air_mix_block(struct app_air_mix *m, const float complex *const *tx, float complex *const *rx);
uint64_t app_air_mix_position(const struct app_air_mix *m); /* first sample of the next block */
uint64_t app_air_mix_dropped(const struct app_air_mix *m);  /* bursts of emitters for which there was no room */
void app_air_mix_close(struct app_air_mix *m);

/* --- one station's two streams --------------------------------------------------------------------------------------------------- */

enum app_air_waiting { APP_AIR_NOT_WAITING, APP_AIR_WAITING_CONNECTION, APP_AIR_WAITING_TX, APP_AIR_WAITING_RX };

/* A port's own time runs from the first sample that it hears after it connected: sample i of what it sends belongs to sample i of
 * what it hears. A block that goes on without the port is missing in its time, not a gap: when it is back, the next sample it hears is
 * of the present, and so is what it sends beside it. */
struct app_air_port {
    struct phy_zmq_source source; /* the station's tx */
    struct phy_zmq_sink sink;     /* the station's rx */
    float complex *tx_block, *rx_block, *scratch;
    uint32_t block;
    size_t n_tx;                  /* samples of tx_block that are there */
    size_t n_rx;                  /* samples of rx_block that are to be given still */
    uint64_t tx_position, rx_position; /* in the port's own time */
    bool tx_live, rx_live;        /* waited for */
    bool rx_was_up;
    int64_t tx_since_ns, rx_since_ns; /* waited for since then; 0: not */
    int64_t asks_since_ns;        /* though it is not waited for */
    uint64_t n_tx_samples, n_rx_samples, n_zeros, n_discarded, n_silences;
};

int app_air_port_open(struct app_air_port *p, void *context, uint32_t index, const struct app_air_config *cfg, char *error_out);
void app_air_port_close(struct app_air_port *p);
/* Takes what is there of the next block. 1: whole; 0: not yet; negative errno: ZeroMQ failed. */
__attribute__((warn_unused_result)) int app_air_port_gather(struct app_air_port *p);
/* Takes the gathered block out; the next samples are asked for. NULL: the port says nothing. */
const float complex *app_air_port_block(struct app_air_port *p);
/* Gives what is there to give, if it is asked for. 1: all of it; 0: not yet; negative errno. */
__attribute__((warn_unused_result)) int app_air_port_give(struct app_air_port *p);
/* A block is ready in rx_block; false where the one before was not fetched yet: this one is not for this port. */
bool app_air_port_offer(struct app_air_port *p);
/* Stops waiting for one of the two streams. */
void app_air_port_silence(struct app_air_port *p, bool tx);
/* Looks at the streams that are not waited for. */
__attribute__((warn_unused_result)) int app_air_port_wake(struct app_air_port *p, int64_t now_ns, int64_t patience_ns);
bool app_air_port_connected(const struct app_air_port *p);
enum app_air_waiting app_air_port_waiting(const struct app_air_port *p);

/* --- all of it -------------------------------------------------------------------------------------------------------------------- */

struct app_air {
    struct app_air_config cfg;
    void *context;
    struct app_air_port ports[APP_AIR_MAX_PORTS];
    struct app_air_mix *mix;
    volatile sig_atomic_t *stop;
    int64_t opened_ns, begin_ns, report_ns, reported_ns; /* wall clock; begin: of sample 0 when paced */
    void *clocks[APP_AIR_MAX_PORTS];
    int64_t clock_ns;            /* when to look at them again */
    int64_t unix_ns;             /* of sample 0: when the first block was mixed */
    uint64_t reported_sample;
    bool told_live[APP_AIR_MAX_PORTS];
    bool progress;               /* standard error is a terminal */
    char error[APP_AIR_MAX_ERROR];
};

/* Mixes until a signal or the last sample. Returns an exit code; error holds one line for codes other than 0. */
int app_air_loop(struct app_air *air);
int64_t app_air_now_ns(void);
/* A port's clock answers any question with "JOINED UNIX_NS": the air's sample that the station's sample 0 was, and when the air's own
 * sample 0 was. JOINED grows where the air went on without a station whose connections held: so much of its stream is missing. */
__attribute__((warn_unused_result)) int app_air_clocks_open(struct app_air *air);
void app_air_clocks_begin(struct app_air *air);
void app_air_clocks_serve(struct app_air *air, int64_t now_ns);
void app_air_clocks_close(struct app_air *air);
/* Tells ports that fell silent or came back, and at times how far it is. */
void app_air_report(struct app_air *air, int64_t now_ns);
void app_air_summary(const struct app_air *air);
#endif
