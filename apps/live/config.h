/* A station's own file: what a ledger node's file says (apps/node_config.h), and its radio, its timing and what it may transmit.
 * docs/station.md is its reference. */
#ifndef APPS_LIVE_CONFIG_H
#define APPS_LIVE_CONFIG_H

#include "apps/node_config.h"
#include "mac/mac.h"
#include "phy/radio/radio.h"
#include "phy/waveform.h"

enum {
    APP_LIVE_URI = 160,
    APP_LIVE_DECODE_SAMPLES = 80 /* from a frame's end until the receiver gives it: at most one OFDM symbol */
};

struct app_live_config {
    struct app_node_config node; /* first: its rows count from here */
    char uri[APP_LIVE_URI];      /* "uhd:ARGS", "zmq:tx=...,rx=..." */
    struct phy_radio_config radio; /* center_hz: the control channel's, filled in */
    uint32_t block_samples;      /* of one receive; 0: about 1 ms of samples, at least 256 */
    char waveform[16];
    double noise_dbfs;           /* NAN: measured when the station starts */
    double tx_dbfs;              /* mean level of a burst's body */
    char time[APP_NODE_ENDPOINT]; /* where block time comes from: "wall", "samples", or an endpoint of airdeed air's clock */
    int64_t turnaround_ns;
    bool no_hidden_stations;
    double band_low_hz, band_high_hz; /* 0, 0: empty, nothing may be transmitted on a radio that radiates */
    int64_t max_burst_ns;
    double duty;                 /* share of any second on the air */
    double x_m, y_m;
};

/* 0 or negative errno with one line in error_out (APP_NODE_MAX_ERROR octets). Reads the cluster file and the key, too. */
__attribute__((warn_unused_result)) int app_live_config_read(const char *path, struct app_live_config *out, char *error_out);
/* The file's own fields only, from memory; the files that it names are left alone. */
__attribute__((warn_unused_result)) int app_live_config_read_text(const char *name, const void *text, size_t len,
                                                                  struct app_live_config *out, char *error_out);
/* Does the radio radiate? A sample stream between processes does not. */
bool app_live_radiates(const struct app_live_config *c);
/* The channel that the station's radio is tuned to: the first control channel. */
uint32_t app_live_control(const struct app_live_config *c);
/* Samples of one receive. */
uint32_t app_live_block_samples(const struct app_live_config *c);
/* Block of the energy CCA: 8 us as on the virtual air, but at least the 32 samples that the PHY takes. */
uint32_t app_live_cca_samples(uint32_t sample_rate_hz);
/* The MAC's timing from what the file says and what the radio needs. lead_samples: phy_radio_ops.lead_samples. 0, or -EINVAL with
 * one line in error_out where it cannot hold. */
__attribute__((warn_unused_result)) int app_live_profile(const struct app_live_config *c, const struct phy_waveform *waveform,
                                                         uint64_t lead_samples, struct mac_profile *out, char *error_out);
#endif
