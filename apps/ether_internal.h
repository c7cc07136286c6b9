/* The medium's state, shared by ether.c and ether_medium.c. */
#ifndef APPS_ETHER_INTERNAL_H
#define APPS_ETHER_INTERNAL_H

#include "apps/ether.h"
#include "phy/crc.h"

#include <assert.h>

enum { ETHER_MAX_PULSES = 256, ETHER_MAX_DEPTH = 4, ETHER_NOBODY = -1 };

/* In the order in which they happen within one instant; the MACs' deadlines come before LEAVE. */
enum app_ether_kind {
    ETHER_TX_DONE,
    ETHER_END,         /* a frame's last sample reaches those who hear it */
    ETHER_PULSE_END,
    ETHER_LEAVE,       /* a station begins to send */
    ETHER_ARRIVE,      /* a frame's first sample reaches those who hear it */
    ETHER_PULSE_BEGIN,
    ETHER_TELL         /* carrier sense has noticed a frame */
};

struct app_ether_entry {
    int64_t at_ns;
    uint32_t kind, index; /* of a frame: 2 * station + which; of a pulse */
};

struct app_ether_frame {
    int64_t start_ns, end_ns;
    size_t len_bytes; /* of the MPDU; its FCS stands behind it */
    bool is_response, checked, fcs_ok;
    uint8_t octets[MAC_MAX_MPDU_BYTES + PHY_FCS_BYTES];
};

/* What a station's receiver is in the middle of. */
struct app_ether_receiver {
    struct mac *mac;
    int64_t lock_ns;  /* first sample of the frame it receives, as heard */
    int64_t rise_ns;  /* where it was first overlapped, from its start */
    int32_t locked_on; /* frame, or ETHER_NOBODY */
    uint16_t n_heard, n_noise;
    bool on_air, told_busy, told_lock, spoilt;
};

struct app_ether_pulse {
    int64_t from_ns, to_ns;
    bool used, active, scheduled;
};

struct app_ether {
    struct app_ether_config cfg;
    int64_t now_ns;
    struct app_ether_receiver *receivers;
    int64_t *deadline_ns;
    struct app_ether_frame *frames; /* two a station: the one may still be heard while the next is handed out */
    uint8_t *which;                 /* of the two is handed out next */
    uint32_t *batch;                /* frames that begin now */
    struct app_ether_entry *heap;
    size_t n_heap;
    struct app_ether_pulse pulses[ETHER_MAX_PULSES];
    uint64_t n_loss_draws, n_detect_draws;
    struct app_ether_stats stats;
    void *macs;
    struct mac_event busy, lock, idle; /* what all are told alike */
    unsigned depth; /* a report may make a station send: steps nest */
    struct mac_update updates[ETHER_MAX_DEPTH];
};

/* ether.c */
/* What a MAC wants done. */
void app_ether_carry_out(struct app_ether *e, size_t station, const struct mac_update *out);
static inline int app_ether_step(struct app_ether *e, size_t station, struct mac_event *event)
{
    assert(e->depth < ETHER_MAX_DEPTH);
    struct mac_update *out = &e->updates[e->depth++];
    event->now_ns = e->now_ns;
    e->stats.n_steps++;
    int rc = mac_step(e->receivers[station].mac, event, out);
    if (rc == 0 && (out->transmit || out->has_verdict || out->n_reports > 0 || out->n_deliveries > 0))
        app_ether_carry_out(e, station, out);
    e->depth--;
    return rc;
}
/* Behind the last step of a station in this round: when does it want to be called again? */
static inline void app_ether_look(struct app_ether *e, size_t station)
{
    e->deadline_ns[station] = mac_deadline(e->receivers[station].mac);
}
void app_ether_push(struct app_ether *e, int64_t at_ns, enum app_ether_kind kind, uint32_t index);
/* Uniform on [0, 1), the i-th for this purpose. */
double app_ether_draw(const struct app_ether *e, uint32_t purpose, uint64_t i);

/* ether_medium.c */
/* The frames e->batch[0..n) begin: at their senders; at those who hear them. */
void app_ether_leave(struct app_ether *e, size_t n);
void app_ether_arrive(struct app_ether *e, size_t n);
void app_ether_tell(struct app_ether *e, uint32_t frame);
void app_ether_end(struct app_ether *e, uint32_t frame);
void app_ether_pulse_begin(struct app_ether *e, uint32_t pulse);
void app_ether_pulse_end(struct app_ether *e, uint32_t pulse);
/* Puts the scheduled jammer's next pulse on the list. */
void app_ether_next_pulse(struct app_ether *e);
#endif
