/* What the files of the UHD back end share; nobody else includes it. */
#ifndef PHY_UHD_INTERNAL_H
#define PHY_UHD_INTERNAL_H

#include "phy/radio/uhd.h"

#include <pthread.h>
#include <uhd.h>

enum {
    UHD_MAX_BURSTS = 32,
    UHD_MAX_REPORTS = 64
};

/* in phy_uhd_count's order of words */
enum uhd_count {
    UHD_OVERFLOWS, UHD_LOST_PACKETS, UHD_LOST_SAMPLES, UHD_GAPS, UHD_STREAM_LATE, UHD_BROKEN_CHAINS, UHD_MISALIGNED, UHD_BAD_PACKETS,
    UHD_RESTARTS, UHD_BURSTS, UHD_BURSTS_DONE, UHD_LATE_HOST, UHD_LATE_DEVICE, UHD_UNDERFLOWS, UHD_SEQUENCE_ERRORS, UHD_CUT,
    UHD_STALLED, UHD_QUEUE_FULL, UHD_REPORTS_LOST, UHD_N_COUNTS
};

struct uhd_burst {
    uint64_t start_sample;
    size_t n, at; /* samples, and where in the ring the first one is */
};

struct uhd_radio {
    struct phy_radio port; /* first */
    char error[PHY_RADIO_MAX_ERROR];
    uhd_usrp_handle usrp;
    uhd_rx_streamer_handle rx;
    uhd_rx_metadata_handle rx_md;
    size_t channel;
    uint32_t rate_hz;
    bool transmits, gone;
    int64_t origin;        /* sample number (uhd_time.h) of sample 0 */
    uint64_t next;         /* sample that is expected now */
    int64_t silent_ns;     /* monotonic: since when nothing came */
    /* the transmitter; everything below is shared by threads, under lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;   /* on CLOCK_MONOTONIC */
    uint64_t count[UHD_N_COUNTS];
    uint64_t seen;         /* samples before this one were received ... */
    int64_t seen_ns;       /* ... at this time, monotonic */
    int64_t called_ns;     /* monotonic: the caller's latest receive */
    uint64_t last_end;     /* of the bursts handed over */
    uint64_t lead;         /* samples; 0 until a burst reached the device late: then 1 ms and a quarter more, each time */
    bool stop;
    bool late;             /* the radio said so of the latest burst that was begun: the rest of it stays here */
    struct uhd_burst bursts[UHD_MAX_BURSTS];
    size_t i_first, n_bursts;
    struct phy_radio_report reports[UHD_MAX_REPORTS];
    size_t i_report, n_reports;
    float complex *ring;   /* of ring_cap samples */
    size_t ring_cap, ring_used, ring_at;
    /* the threads' own */
    uhd_tx_streamer_handle tx;
    uhd_async_metadata_handle async_md;
    float complex *piece;  /* of piece_cap samples */
    size_t piece_cap;
    pthread_t sender, listener;
    bool sender_runs, listener_runs;
};

int64_t uhd_now_ns(void);
void uhd_count(struct uhd_radio *u, enum uhd_count which, uint64_t n);
/* Puts what was being done and UHD's last error into u->error, on one line; returns err. */
int uhd_fail(struct uhd_radio *u, int err, const char *what);
/* UHD's last error, on one line */
void uhd_last_line(char *out, size_t cap);

/* uhd_receive.c */
int uhd_start(struct uhd_radio *u);
int uhd_receive(struct phy_radio *r, float complex *out, size_t cap, int64_t timeout_ns, struct phy_radio_block *block_out);

/* uhd_transmit.c */
int uhd_transmit_open(struct uhd_radio *u, const char *wire_format);
int uhd_transmit(struct phy_radio *r, uint64_t start_sample, const float complex *samples, size_t n);
uint64_t uhd_lead_samples(const struct phy_radio *r);
int uhd_report(struct phy_radio *r, struct phy_radio_report *out);
void uhd_transmit_close(struct uhd_radio *u);
#endif
