/* How soon a radio can answer: measures, on any back end that transmits, how late received samples reach the program, and by how much a
 * burst has to be handed over ahead of its time so as not to be late. Each trial waits for a fresh block, does the work that
 * the end of a frame costs, and hands over a burst for a sample that lies the lead after that block's end.
 *
 * What it sends is made here, a weak tone of a few hundred microseconds; it goes through the radio gate. */
#ifndef APPS_LATENCY_H
#define APPS_LATENCY_H

#include "apps/radio_gate.h"
#include "phy/radio/radio.h"

enum { APP_LATENCY_MAX_JITTER = 4096, APP_LATENCY_MAX_ERROR = 400 };

struct app_latency_config {
    struct phy_radio *radio;
    size_t n_burst;              /* samples of one burst */
    unsigned n_search, n_trials; /* bursts at each lead that is tried, and at the one that is reported */
    size_t cap;                  /* samples of one receive */
    uint64_t max_lead_samples;
    struct app_radio_gate *gate; /* NULL where the radio does not radiate */
    struct app_radio_deed deed;  /* what a cable may carry: the configured band */
    int64_t (*now_ns)(void *ctx); /* monotonic */
    int64_t (*wall_ns)(void *ctx);
    void (*work)(void *ctx);     /* what stands between the end of a frame and its answer; NULL: nothing */
    void (*prepare)(void *ctx);  /* before each trial, out of the measurement */
    bool (*interrupted)(void *ctx);
    void *ctx;
};

struct app_latency_result {
    uint64_t lead_samples;        /* the smallest that was found without a late burst in n_trials */
    uint64_t late_below_samples;  /* the largest at which bursts were late, 0 if none was */
    unsigned n_trials, n_sent, n_late; /* of the last confirmation; of all bursts */
    unsigned n_other;             /* bursts that failed otherwise: underflow, sequence error, fault, no report */
    size_t block_samples;         /* the longest block received */
    uint64_t n_lost;              /* received samples lost meanwhile */
    int64_t jitter_ns[APP_LATENCY_MAX_JITTER]; /* blocks' arrival behind the earliest possible one, sorted */
    size_t n_jitter;
};

/* 0; -ETIMEDOUT where even the largest lead is late or the radio gives no samples; -ECANCELED on interruption; -EPERM where the gate
 * does not let a burst pass; -ENODEV and other negative errno from the radio. Then error_out is one line. */
__attribute__((warn_unused_result)) int app_latency_measure(const struct app_latency_config *cfg, struct app_latency_result *out,
                                                            char *error_out);
/* Of the sorted jitter: share 0..1. */
int64_t app_latency_quantile_ns(const struct app_latency_result *r, double share);
#endif
