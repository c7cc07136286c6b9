/* Measures the tables of packet fidelity at iq fidelity. */
#ifndef APPS_CALIBRATE_MEASURE_H
#define APPS_CALIBRATE_MEASURE_H

#include "apps/calibrate/link.h"

struct app_measure_config {
    const struct phy_waveform *waveform;
    uint32_t sample_rate_hz;
    uint64_t seed;
    uint32_t n_frames; /* a cell */
    void (*progress)(void *ctx, const char *what, double share); /* or NULL */
    void *ctx;
};

/* 0 or negative errno. */
__attribute__((warn_unused_result)) int app_measure_tables(const struct app_measure_config *cfg, struct phy_packet_tables *out);

/* The part about twins, when all else is there. counter: of the link's trials. */
__attribute__((warn_unused_result)) int app_measure_twins(const struct app_measure_config *cfg, struct app_link *link, uint64_t *counter,
                                                          struct phy_packet_tables *out);

/* Only that part, measured anew. */
__attribute__((warn_unused_result)) int app_measure_twins_again(const struct app_measure_config *cfg, struct phy_packet_tables *tables);

/* Lost frames of one link at both fidelities. */
struct app_compare_cell {
    enum phy_interference kind;
    double overlap;  /* share of the frame's samples that are interfered with */
    double js_db;
    double per_iq, per_packet;
};
enum { APP_COMPARE_MAX_CELLS = 96 };

/* Without interference: mean samples from a frame's first sample to busy by energy and to lock, from its last to the frame signal. */
struct app_compare_delays {
    double cca, lock, frame;
};

/* At snr_db with a frame of psdu_len octets: kinds x overlaps of 10, 50, 100 % x J/S from -10 to 20 dB. *n_out cells. */
__attribute__((warn_unused_result)) int app_compare(const struct app_measure_config *cfg, const struct phy_packet_tables *tables,
                                                    double snr_db, unsigned rate_index, size_t psdu_len,
                                                    struct app_compare_cell out[APP_COMPARE_MAX_CELLS], size_t *n_out,
                                                    struct app_compare_delays *iq_out, struct app_compare_delays *packet_out);
#endif
