/* A scenario: what happens on the virtual air. Read from YAML through one table of fields, units and ranges; every error names
 * file, line and field. docs/scenario.md is its reference. */
#ifndef APPS_RUN_SCENARIO_H
#define APPS_RUN_SCENARIO_H

#include "apps/genesis_rules.h"
#include "apps/station/respond.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    APP_SCENARIO_CCA_NS = 8000, /* carrier sense of a virtual station looks at so much at a time */
    APP_BLOCK_SAMPLES = 80, /* of a run: nobody learns of a sample before its block ends, so nobody reacts faster */
    APP_MAX_STATIONS = 16, APP_MAX_CHANNELS = 8, APP_MAX_TRAFFIC = 8, APP_MAX_PRIMARIES = 8, APP_MAX_JAMMERS = 8, APP_MAX_TEXT = 256, APP_MAX_TAPS = 8,
    APP_SCENARIO_MAX_ERROR = 400
};

struct app_scenario_channel {
    char name[32];            /* "control", "1" */
    double low_hz, high_hz;
};

struct app_scenario_station {
    char name[32];            /* file-name safe: [a-z0-9-] */
    double x_m, y_m;          /* recorded on the ledger; propagation delay follows from distances */
    double carrier_ppm;       /* oscillator error of the radio: carrier offset at the channel's centre */
    int64_t clock_offset_ns;  /* of the station's clock at virtual time 0 */
    char copies[32];          /* an attacker: it sends under the address of the station of this name; "": under its own */
};

struct app_scenario_traffic { /* a holder's data: leases a channel, then sends */
    uint32_t from, to;        /* stations */
    uint32_t n_wanted, wanted[APP_MAX_CHANNELS]; /* channels, in order of preference */
    int64_t start_ns, stop_ns; /* stop 0: to the end */
    int64_t interval_ns;
    uint32_t payload_bytes;
};

struct app_scenario_primary {
    char name[32];
    char kind[16];                /* "recording", "ofdm", "narrowband", "radar" */
    char recording[APP_MAX_TEXT]; /* path relative to the scenario, or the name of an embedded recording */
    uint32_t recording_line;      /* where the scenario names it, for messages */
    uint32_t channel;
    int64_t start_ns, stop_ns;    /* stop 0: to the end */
    double snr_db;                /* at every station, mean power over the recording, in the channel's full sample rate */
    uint32_t snr_line;            /* where the scenario gives it; 0: it does not */
    double offset_hz;             /* shift within the channel */
    double bandwidth_hz;          /* OFDM, narrowband: 0: a usual one; radar: of the chirp */
    int64_t pulse_ns, period_ns, scan_ns, dwell_ns; /* radar */
    int64_t on_ns, off_ns;        /* comes and goes; on 0: stays */
    double x_m, y_m, power_dbm;   /* with path loss, in place of snr_db */
};

/* How much of [from, to) it is on: 0 none, 1 a part, 2 all of it. */
int app_scenario_primary_on(const struct app_scenario_primary *p, int64_t from_ns, int64_t to_ns);
/* The same of what is on the air: a radar sends only while its beam looks this way, and a time between two of its pulses has none. */
int app_scenario_primary_sends(const struct app_scenario_primary *p, uint32_t rate_hz, int64_t from_ns, int64_t to_ns);
/* Its next coming (*comes_out) or going at or after from_ns; INT64_MAX: none. A start of 0 is a coming; its stop is a going. */
int64_t app_scenario_primary_edge(const struct app_scenario_primary *p, int64_t from_ns, bool *comes_out);

struct app_scenario_jammer {
    char name[32];
    char kind[16];               /* a word of phy_emitter_kind_name */
    uint32_t n_channels, channels[APP_MAX_CHANNELS]; /* what it jams, a follower: one of them at a time; an insider: what it may find in use */
    uint32_t channel_line, channels_line; /* where the scenario gives it, or them; 0: it does not */
    int64_t start_ns, stop_ns;   /* stop 0: to the end */
    double snr_db;               /* its power over noise at every station while it is on */
    uint32_t snr_line, period_line; /* where the scenario gives them; 0: it does not */
    int64_t react_ns, burst_ns;  /* from the first sample heard to the first sent; how long */
    int64_t period_ns;           /* pulse, preamble, deceptive */
    double offset_hz, bandwidth_hz; /* tone; noise of some bandwidth, 0: all */
    double sweep_low_hz, sweep_high_hz;
    int64_t sweep_ns;
    int64_t mean_on_ns, mean_off_ns; /* random */
    int64_t dwell_ns, retune_ns; /* follower */
    uint32_t dwell_line, retune_line;
    double x_m, y_m, power_dbm;  /* with path loss, in place of snr_db */
};
/* Is the channel one of those that it jams? */
bool app_scenario_jams(const struct app_scenario_jammer *j, uint32_t channel);

struct app_scenario_tap {
    int64_t delay_ns;
    double power_db;
};

struct app_scenario {
    char name[64];
    char file[APP_MAX_TEXT];     /* where it came from, for messages; "quickstart (embedded)" */
    char folder[APP_MAX_TEXT];   /* recordings are relative to it; "" for an embedded one */
    uint64_t seed;
    int64_t duration_ns;
    int64_t settle_ns;           /* at the end: nothing new is originated, so that what is under way is finished */
    char consensus[8];           /* "pbft" or "raft" */
    char waveform[16];
    char fidelity[8];            /* "iq" or "packet", as the file says */
    bool reads_base, has_base;   /* while a base is read, and afterwards */
    char wanted_fidelity[8];     /* what app_scenario_load was asked for, which comes first; "": nothing */
    char tables[APP_MAX_TEXT];   /* packet fidelity: file of tables, relative to the scenario; "": the shipped ones */
    uint32_t sample_rate_hz;     /* of every channel */
    double noise_dbfs;           /* receiver noise, full sample rate */
    double link_snr_db;          /* between any two stations */
    uint32_t control_channel;    /* index */
    uint32_t n_channels;
    struct app_scenario_channel channels[APP_MAX_CHANNELS];
    uint32_t n_stations;
    struct app_scenario_station stations[APP_MAX_STATIONS];
    uint32_t n_traffic;
    struct app_scenario_traffic traffic[APP_MAX_TRAFFIC];
    uint32_t n_primaries;
    struct app_scenario_primary primaries[APP_MAX_PRIMARIES];
    uint32_t n_jammers;
    struct app_scenario_jammer jammers[APP_MAX_JAMMERS];
    struct {
        double exponent, reference_m, shadowing_db; /* exponent 0: every link has its snr_db */
        double power_dbm, noise_figure_db;
    } path_loss;
    struct {
        char kind[16];           /* "none", "fixed", "rayleigh", "rician" */
        char change[8];          /* "run", "frame" */
        double k_db, doppler_hz;
        int64_t rms_spread_ns;
        uint32_t n_taps;
        struct app_scenario_tap taps[APP_MAX_TAPS];
    } fading;
    struct {
        char preset[16];         /* "ideal", "b210" */
        uint32_t adc_bits;       /* 0: the preset's */
        double ppm;              /* each station's oscillator is off by something between +- this, besides its carrier_ppm */
        char clocks[8];          /* "exact", "drift": sample clocks follow the oscillators */
    } front_end;
    struct {
        char profile[24];        /* "dot11-10", "host-2ms" */
        char access[16];         /* "dcf", "aloha", "slotted-aloha" */
        char rate[8];            /* "fixed", "auto" */
        uint32_t rts_threshold;  /* octets */
        bool cts_to_self;
        bool vote_slots; /* proposals reserve slots for the votes (apps/station/slots.h) */
        bool repair; /* messages to all are mended (mac/repair.h) */
        int64_t aloha_slot_ns;
        uint32_t aloha_one_in;
    } mac;
    struct {
        int64_t period_ns, length_ns, phase_ns;
    } quiet;
    struct {
        double p_fa;             /* of one station's decision */
        uint32_t min_positive, white_after;
        bool plain;              /* every report counts the same, whoever it is from */
        int64_t decide_after_ns;
    } sensing;
    struct {
        int64_t transmit_expire_ns, heartbeat_ns, stop_ns, grant_ns, max_skew_ns, drift_guard_ns;
        int64_t vacate_limit_ns; /* expectation: primary's first sample to holder's last */
        double max_eirp_dbm_mhz;
        int64_t abandon_ns;      /* without heartbeats for so long, a grant ends */
        uint32_t abandon_line;   /* where the scenario gives it; 0: it does not, and it is 2 transmit_expire_ns */
        uint32_t reuse_m;
    } lease;
    struct app_genesis_rules rules;
    struct {
        int64_t verify_ns, sign_ns, execute_ns, persist_ns; /* what a virtual station takes for one of each */
    } processing;
    struct app_responses responses; /* to jamming, of every station */
    struct {
        uint32_t n_channels, channels[APP_MAX_CHANNELS]; /* 0: there is no hop set */
        int64_t dwell_ns, hold_off_ns, retune_ns;
        uint32_t rendezvous_every;
    } hop;
    struct {
        int64_t heartbeat_ns, timeout_ns, timeout_max_ns, gossip_ns, status_ns, propose_delay_ns, min_block_interval_ns;
    } engine;
};

/* path: a YAML file, or the bare name of an embedded scenario ("quickstart"). fidelity: "iq", "packet" or NULL, the file's.
 * 0; -ENOENT, -EINVAL with one line in error_out. */
__attribute__((warn_unused_result)) int app_scenario_load(const char *path, const char *fidelity, struct app_scenario *out, char *error_out);
/* The station whose address this one copies; n_stations: none. */
uint32_t app_scenario_copied(const struct app_scenario *s, uint32_t station);
/* The station that admission.authority names; n_stations: none. */
uint32_t app_scenario_authority(const struct app_scenario *s);
bool app_scenario_is_packet(const struct app_scenario *s);
/* Is the channel one on which members talk to each other: control, or of the hop set? */
bool app_scenario_shares(const struct app_scenario *s, uint32_t channel);
#endif
