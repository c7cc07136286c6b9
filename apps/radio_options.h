/* The options shared by every command that opens a live radio, with the names that people know from other SDR programs, and the
 * radio that follows from them. */
#ifndef APPS_RADIO_OPTIONS_H
#define APPS_RADIO_OPTIONS_H

#include <signal.h>

#include "apps/options.h"
#include "apps/radio_gate.h"
#include "phy/radio/radio.h"

/* Which groups of options a command takes. */
enum {
    APP_RADIO_ASK_RECEIVE = 1,  /* --radio --args --freq --rate --gain --ant --subdev --channel --bw --ref --pps --wirefmt --lo-offset */
    APP_RADIO_ASK_TRANSMIT = 2, /* --tx --tx-gain --max-tx-gain --tx-ant --band */
    APP_RADIO_ASK_CONDUCTED = 4,    /* --conducted */
    APP_RADIO_ASK_LENGTH = 8,   /* --nsamps --duration */
    APP_RADIO_MAX_ROWS = 24
};

struct app_radio_options {
    /* as given; a command sets its own defaults before parsing */
    const char *radio, *args, *antenna, *tx_antenna, *subdev, *clock_source, *time_source, *wire_format, *band;
    double freq_hz, rate_hz, gain_db, bandwidth_hz, lo_offset_hz, tx_gain_db, max_tx_gain_db;
    uint64_t channel, n_samples;
    int64_t duration_ns;
    bool freq_given, transmit, conducted;
    /* as resolved */
    double band_low_hz, band_high_hz; /* both 0: empty */
    struct phy_radio_config config;
};

/* The defaults: radio "uhd", 1 Msps, no gain set, no transmission, gain cap 0 dB, empty band. */
void app_radio_options_init(struct app_radio_options *o);
/* Appends the rows of some groups to a table of options; returns how many. rows: room for APP_RADIO_MAX_ROWS. */
size_t app_radio_options_rows(struct app_radio_options *o, unsigned groups, struct app_option *rows);
/* Checks what was parsed and fills config and band: APP_OK or APP_BAD_USAGE with one line on stderr. Where transmission is asked for, on
 * a radio that can radiate, the band has to be given, and center +- rate / 2 has to lie inside it. */
int app_radio_options_resolve(struct app_radio_options *o, const char *command);
/* "LOW:HIGH", two frequencies, LOW below HIGH. 0 or -EINVAL. */
int app_parse_band(const char *text, double *low_hz_out, double *high_hz_out);
/* Can what is behind this URI radiate? Everything but zmq, which joins programs, can. */
bool app_radio_radiates(const char *uri);
/* Copies --tx and the band into limits. */
void app_radio_options_limit(const struct app_radio_options *o, struct app_radio_limits *limits);

/* Silences what libuhd prints on stderr, unless UHD_LOG_FASTPATH_DISABLE and UHD_LOG_CONSOLE_LEVEL say otherwise. Before its first use. */
void app_radio_quiet_libraries(void);
/* Opens the radio, libraries silenced: APP_OK, APP_BAD_USAGE or APP_SYSTEM_FAILED with one line on stderr. */
int app_radio_options_open(const struct app_radio_options *o, const char *command, struct phy_radio **out);
/* Counters that are not zero, each in words, one line each on stderr. */
void app_radio_print_counters(const struct phy_radio *r, const char *command);
/* After app_sense_hold_signals: SIGINT or SIGTERM that came, and that the command heeded, are taken; the mask is as before. */
void app_radio_release_signals(const sigset_t *before);
#endif
