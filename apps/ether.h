/* n production MACs (mac/mac.h) on one medium at packet fidelity, driven by events: real octets, every receiver, exact to the ns.
 *
 * The medium. A station hears a frame of another one from propagation_ns behind its first sample to propagation_ns behind its last,
 * and its MAC learns of it (busy, lock) cca_latency_ns later. A receiver that is idle locks on a frame that begins alone; frames
 * that begin in one instant are locked by nobody, so that nobody waits EIFS for them. A frame that overlaps a locked one destroys
 * it; there is no capture. A frame that is locked is told by LOCK and FRAME alone, as where it is stronger than the threshold for
 * preambles and weaker than that for energy; everything else by CCA_BUSY and CCA_IDLE. While it sends a station receives nothing. The FCS is appended to each frame and checked once for all
 * its receivers.
 *
 * Within one instant first what ends ends, then the MACs have their deadlines, then what begins begins: with both delays 0 two
 * stations whose slots are the same instant collide.
 *
 * The jammer is noise in pulses. It raises the carrier sense of those who hear it and hinders no lock; a pulse that overlaps a
 * frame by overlap_ns or more destroys it.
 *
 * An instant at which k MACs hear something costs k calls of mac_step and a scan of n deadlines. */
#ifndef APPS_ETHER_H
#define APPS_ETHER_H

#include "mac/mac.h"

struct app_ether;

struct app_ether_jammer {
    /* Pulses in the order of their beginnings; false: there are no more. NULL: none. */
    bool (*next)(void *ctx, int64_t *from_ns, int64_t *to_ns);
    void *ctx;
    /* Answers a frame: react_ns behind its first sample burst_ns of noise, with this probability. burst_ns 0: never. */
    int64_t react_ns, burst_ns;
    double p_detect;
    int64_t overlap_ns;  /* 0: any overlap destroys */
    const bool *heard;   /* by each of n stations; NULL: by all. Borrowed */
};

struct app_ether_config {
    size_t n;              /* stations, 1..4096; the MAC of each is configured alike but for station_id, 0..n - 1 */
    struct mac_config mac;
    const bool *hears;     /* [listener * n + sender]; NULL: all hear all. Borrowed */
    int64_t propagation_ns, cca_latency_ns;
    bool energy;           /* energy detection tells a locked frame, too: CCA_BUSY and CCA_IDLE beside LOCK and FRAME */
    double loss;           /* of a frame at a receiver, independent; drawn from mac.seed */
    struct app_ether_jammer jammer;
    /* All may be NULL. on_report and on_delivery may call app_ether_send. */
    void *ctx;
    void (*on_report)(void *ctx, size_t station, const struct mac_report *report);
    void (*on_delivery)(void *ctx, size_t station, const struct mac_delivery *delivery);
    void (*on_verdict)(void *ctx, size_t station, const struct mac_jam_verdict *verdict);
    /* A frame begins; mpdu is without FCS. */
    void (*on_frame)(void *ctx, size_t station, int64_t start_ns, const uint8_t *mpdu, size_t len_bytes, bool is_response);
    /* Before a frame is handed to the medium; false: refused (TX_DONE at once). */
    bool (*gate)(void *ctx, size_t station, const struct mac_update *update);
};

struct app_ether_stats {
    uint64_t n_steps;      /* calls of mac_step */
    uint64_t n_frames, n_responses;
    uint64_t n_spoilt;     /* locked frames that something overlapped, over all receivers */
    uint64_t n_fcs_checks, n_fcs_bad;
    uint64_t n_pulses, n_pulses_dropped; /* more than 256 pulses at once */
};

/* NULL with *why_out in a few words: a field of the configuration, or "memory". Copies cfg. */
__attribute__((warn_unused_result)) struct app_ether *app_ether_open(const struct app_ether_config *cfg, const char **why_out);
void app_ether_close(struct app_ether *e);
/* Everything up to and with until_ns; then that is the time. */
void app_ether_run(struct app_ether *e, int64_t until_ns);
/* Runs what is due at the next instant; false where nothing ever is. */
bool app_ether_run_instant(struct app_ether *e);
int64_t app_ether_now(const struct app_ether *e);
/* Queues a message at a station now; what mac_step says. */
int app_ether_send(struct app_ether *e, size_t station, const struct mac_address *to, enum mac_category category, const uint8_t *message,
                   size_t len_bytes, uint64_t id);
/* For events that no medium makes (MAC_EV_HOLD, MAC_EV_FLUSH, ...): now_ns is filled in. */
int app_ether_feed(struct app_ether *e, size_t station, struct mac_event *event);
void app_ether_mac_stats(const struct app_ether *e, size_t station, struct mac_stats *out);
void app_ether_stats(const struct app_ether *e, struct app_ether_stats *out);

/* Airtime of IEEE 802.11a (17.4.3) at 20 Msps, rates 6 9 12 18 24 36 48 54 Mb/s by index 0..7; for mac_config.airtime_ns. */
int64_t app_ether_airtime_11a(void *ctx, size_t mpdu_len, unsigned rate_index);
/* Its index, or -1. */
int app_ether_rate_11a(double mbps);
/* 802.11a as saturation is computed for: profile dot11a-20, CW 15..1023 in all categories, 6 Mb/s, no limit of lifetime. */
struct mac_config app_ether_config_11a(void);
#endif
