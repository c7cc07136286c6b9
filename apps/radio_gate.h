/* The radio gate: what an emission has to pass, after the gate of deeds and quiet periods (apps/gate.h), before a radio that can
 * radiate gets it. Pure; it fails closed: one that is all zeros lets nothing pass. Times are int64_t ns; an emission's are those of
 * the radio's receive sample clock.
 *
 * The driver calls app_radio_gate_tick at each turn of its loop and before each send, app_radio_gate_admit for each emission, and
 * app_radio_gate_stop when a signal came. Where tick says anything but open, it ends the burst in progress. */
#ifndef APPS_RADIO_GATE_H
#define APPS_RADIO_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apps/station/station.h"

enum { APP_RADIO_GATE_BURSTS = 2048 };

enum app_radio_verdict {
    APP_RADIO_OPEN,
    APP_RADIO_TX_OFF,     /* --tx was not given */
    APP_RADIO_STOPPED,    /* a signal came */
    APP_RADIO_STALLED,    /* the loop stood still, or has not turned yet; open again hold_ns after it turns as it should */
    APP_RADIO_CLOCK_STEP, /* one of the clocks jumped: what is known of deeds and quiet periods is void. For good */
    APP_RADIO_BAND,       /* not wholly inside the configured band; the default band is empty */
    APP_RADIO_NO_DEED,    /* not wholly inside a deed, in frequency and in time */
    APP_RADIO_LENGTH,     /* longer than a burst may be, or none at all */
    APP_RADIO_DUTY,       /* more time on the air than the duty limit allows */
    APP_RADIO_ORDER,      /* starts before the burst before has ended */
    APP_RADIO_N_VERDICTS
};
const char *app_radio_verdict_name(enum app_radio_verdict verdict);

struct app_radio_limits {
    bool transmit;                 /* --tx */
    double band_low_hz, band_high_hz;
    int64_t max_burst_ns;
    int64_t duty_window_ns, duty_on_ns; /* at most duty_on_ns on the air in any window of duty_window_ns */
    int64_t max_stall_ns;          /* between two turns of the loop */
    int64_t max_step_ns;           /* by which two clocks may part between two turns */
    int64_t hold_ns;               /* closed for this long after a stall */
};
/* Bursts of 100 ms, half of each second, stalls of 500 ms, steps of 250 ms, closed for 1 s; no transmission and an empty band. */
struct app_radio_limits app_radio_limits_default(void);

/* The three clocks at one instant. */
struct app_radio_clocks {
    int64_t sample_ns;    /* samples received, as time */
    int64_t monotonic_ns; /* CLOCK_MONOTONIC */
    int64_t wall_ns;      /* CLOCK_REALTIME */
};

/* The right to a piece of spectrum, in station time. */
struct app_radio_deed {
    double low_hz, high_hz;
    int64_t until_ns;
};

struct app_radio_emission {
    int64_t start_ns, end_ns;
    double center_hz;   /* as the radio was really tuned */
    double occupied_hz; /* two-sided; the sample rate, unless less is known for certain */
};

struct app_radio_gate {
    struct app_radio_limits limits;
    bool ticked, stopped, stepped;
    struct app_radio_clocks last;
    int64_t ahead_ns;        /* of the sample clock before the monotonic one, the most that was seen */
    int64_t closed_until_ns; /* monotonic */
    /* bursts admitted, oldest first, a ring; those that left the duty window are dropped */
    struct {
        int64_t start_ns, end_ns;
    } bursts[APP_RADIO_GATE_BURSTS];
    size_t first, n_bursts;
    int64_t last_end_ns;
    uint64_t count[APP_RADIO_N_VERDICTS]; /* emissions asked for, by verdict */
};

/* limits is copied. Limits that make no sense (a band upside down, NAN) let nothing pass. */
void app_radio_gate_init(struct app_radio_gate *g, const struct app_radio_limits *limits);
/* OPEN, TX_OFF, STOPPED, STALLED or CLOCK_STEP. */
enum app_radio_verdict app_radio_gate_tick(struct app_radio_gate *g, const struct app_radio_clocks *now);
void app_radio_gate_stop(struct app_radio_gate *g);
/* Where it says OPEN the emission counts as sent, whatever becomes of it. monotonic_ns: now. */
enum app_radio_verdict app_radio_gate_admit(struct app_radio_gate *g, int64_t monotonic_ns, const struct app_radio_emission *e,
                                            const struct app_radio_deed *deeds, size_t n_deeds);
/* Time on the air within the duty window that ends at end_ns. */
int64_t app_radio_gate_on_air_ns(const struct app_radio_gate *g, int64_t end_ns);

/* What a station's deeds are in Hz: its deed table over its ledger's channels. is_response: an ACK or CTS. Returns how many. */
size_t app_radio_deeds(const struct app_station *station, const struct chain_genesis *genesis, bool is_response,
                       struct app_radio_deed out[APP_STATION_MAX_DEEDS]);
#endif
