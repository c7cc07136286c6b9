/* One frame over one link, again and again: at iq fidelity, with noise, carrier offset and an interferer over a chosen part of the
 * frame; or the same at packet fidelity. What tables are measured with, and what they are checked with. */
#ifndef APPS_CALIBRATE_LINK_H
#define APPS_CALIBRATE_LINK_H

#include "phy/packet/tables.h"
#include "phy/phy.h"

enum { APP_LINK_HEAD = 400 }; /* samples of a frame before its data symbols, as packet fidelity divides it */

struct app_link;

struct app_link_config {
    const struct phy_waveform *waveform;
    uint32_t sample_rate_hz;
    uint64_t seed;
    const struct phy_packet_tables *tables; /* NULL: iq fidelity */
};

/* Where the interferer is on, counted from the frame's first sample; none: n_spans 0. */
enum { APP_LINK_MAX_SPANS = 512 };
struct app_link_span {
    int64_t start, end;
};

/* A second frame, with octets and a carrier offset of its own; iq fidelity only. */
struct app_link_second {
    bool on;
    int64_t start;          /* of its first sample, from the first one's */
    double sir_db;          /* how much weaker it is */
    double cfo_apart;       /* its carrier offset over the first one's, turns a sample */
    unsigned rate_index;
    size_t psdu_len;        /* FCS included */
};

struct app_link_trial {
    uint64_t counter;       /* enters every draw */
    unsigned rate_index;
    size_t psdu_len;        /* FCS included */
    double snr_db;          /* full sample rate */
    enum phy_interference kind;
    double sir_db;          /* while it is on */
    size_t n_spans;
    struct app_link_span spans[APP_LINK_MAX_SPANS];
    struct app_link_second second;
    uint64_t n_missed;      /* samples of the frame's beginning during which the receiver is away */
};

struct app_link_outcome {
    bool busy, locked, header_ok, frame_ok; /* busy: by energy CCA; frame_ok: byte-exact with a valid FCS */
    bool second_locked, second_ok;    /* of a second frame, where the two begin apart */
    int64_t cca_delay, lock_delay;    /* samples after the frame's first, valid with busy, locked */
    int64_t frame_delay;              /* samples after its last, valid with frame_ok */
    double cfo_error_hz, snr_db, rssi_dbfs; /* of that frame, as the receiver estimates; the offset less the true one. iq fidelity only */
};

/* 0, -ENOMEM, or -EINVAL. Heap; a tool, no sample path. */
__attribute__((warn_unused_result)) int app_link_open(const struct app_link_config *cfg, struct app_link **out);
__attribute__((warn_unused_result)) int app_link_run(struct app_link *link, const struct app_link_trial *trial,
                                                     struct app_link_outcome *out);
void app_link_close(struct app_link *link);
/* Keyed draw in [0, 1). */
double app_link_draw(uint64_t seed, uint64_t purpose, uint64_t counter);
#endif
