/* The live loop: one station on one radio. Time comes from the radio's sample count.
 *
 * One turn: a block of samples comes; the station hears it piece by piece, each piece ending at its next deadline or at a CCA block's
 * end, as on the virtual air, and works until nothing is due; what it did is written and synced as one turn of the store; then
 * the radio is told how far silence is certain. Rows of a turn are on disk before anything that waited for them can leave:
 * the station's persist_ns is the block's length, so that its PERSISTED falls into a later turn.
 *
 * What the station wants to send passes the gate of deeds and quiet periods (apps/gate.h), on a radio that radiates then the radio
 * gate (apps/radio_gate.h), then the radio, which may still say that it is too late. Whatever is not sent is counted, the
 * station told, and nothing is ever sent late. */
#ifndef APPS_LIVE_LOOP_H
#define APPS_LIVE_LOOP_H

#include "apps/gate.h"
#include "apps/radio_gate.h"
#include "apps/station/station.h"
#include "chain/store/store.h"
#include "phy/radio/radio.h"

enum { APP_LIVE_OWN_BURSTS = 8, APP_LIVE_RECENT = 32, APP_LIVE_MAX_ERROR = 400 };

/* What the loop tells whoever writes logs, captures and accounts; any may be NULL. */
struct app_live_hooks {
    void *ctx;
    void (*heard)(void *ctx, const struct app_station_received *frame);
    void (*sent)(void *ctx, const struct app_station_emission *e);
    void (*note)(void *ctx, const struct app_station_note *note);
    void (*ledger_event)(void *ctx, const struct chain_ledger_event *event); /* its block will be on disk when the turn ends */
};

struct app_live_loop_config {
    struct phy_radio *radio;
    struct app_station *station;
    struct chain_store *store;           /* NULL: nothing is kept (tests) */
    const struct chain_genesis *genesis;
    uint32_t control;                    /* the one channel that the radio hears */
    uint64_t first_sample;               /* the station's number for the radio's sample 0 */
    uint64_t next_sample;                /* of the radio: the first that will come */
    size_t block_samples, cca_samples;
    int64_t silence_ns;                  /* what is decided from now on begins so much later at the earliest */
    double tx_dbfs;
    bool radiates;
    struct app_radio_limits limits;      /* only where it radiates */
    void (*clocks)(struct app_radio_clocks *out); /* monotonic and wall; sample_ns is filled in by the loop */
    struct app_live_hooks hooks;
};

struct app_live_counts {
    uint64_t turns, timeouts;
    uint64_t gaps, lost_samples, clipped_samples, nonfinite_samples;
    uint64_t sent, sent_responses;
    uint64_t late_frames, late_responses;  /* refused by the radio for the time; nothing was sent */
    uint64_t device_late_frames, device_late_responses; /* taken by the radio, and late at the device; not sent either */
    uint64_t gate[4];                      /* refused, by app_gate_verdict */
    uint64_t overlapping, not_allowed, not_taken; /* refused by the radio for other reasons */
    uint64_t reports[PHY_RADIO_FAULT + 1]; /* by phy_radio_report_kind */
    uint64_t syncs;
};

struct app_live_loop {
    struct app_live_loop_config cfg;
    float amplitude;
    float complex *block, *burst; /* block_samples; the longest burst that was sent so far */
    size_t burst_cap;
    uint64_t now;                 /* station's number of the next sample */
    bool turn_open;
    struct { uint64_t start, end; } own[APP_LIVE_OWN_BURSTS]; /* what it sends it does not hear */
    size_t n_own;
    struct { uint64_t start; bool is_response; } recent[APP_LIVE_RECENT]; /* handed over; a ring, for what the device says of them later */
    size_t n_recent;
    struct app_radio_gate gate;
    struct app_live_counts counts;
    char error[APP_LIVE_MAX_ERROR];
};

/* 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int app_live_loop_open(struct app_live_loop *l, const struct app_live_loop_config *cfg);
/* One block, or nothing within timeout_ns. 0, or negative errno that ends the station, with l->error: -ENODEV the radio is gone, -EIO
 * the store or the radio failed, -EILSEQ two header hashes at one height, -ETIME a clock jumped. */
__attribute__((warn_unused_result)) int app_live_loop_turn(struct app_live_loop *l, int64_t timeout_ns);
/* A client's transaction, between turns. As app_station_submit; errors as a turn's. */
__attribute__((warn_unused_result)) int app_live_loop_submit(struct app_live_loop *l, const uint8_t *tx, size_t len, int *result_out);
/* Frees what open took; radio, station and store stay the caller's. */
void app_live_loop_close(struct app_live_loop *l);

/* The station's time. */
int64_t app_live_loop_now_ns(const struct app_live_loop *l);
#endif
