/* The MAC machine's state, shared by mac.c, access.c and receive.c. */
#ifndef MAC_INTERNAL_H
#define MAC_INTERNAL_H

#include "mac/backoff.h"
#include "mac/detector.h"
#include "mac/dup.h"
#include "mac/fragment.h"
#include "mac/frame.h"
#include "mac/medium.h"
#include "mac/queue.h"

enum mac_phase {
    MAC_PHASE_CONTEND,  /* no frame of its own is out or answered for */
    MAC_PHASE_SENDING,  /* a data frame was handed out, TX_DONE is awaited */
    MAC_PHASE_RESPONDING,
    MAC_PHASE_AWAIT_ACK
};

struct mac {
    struct mac_config cfg;
    struct mac_address self;
    enum mac_phase phase;
    enum mac_category tx_category; /* of the frame that is out */
    bool tx_unicast;
    int64_t tx_start_ns, tx_end_ns, burst_start_ns, ack_deadline_ns, ack_ns;
    int64_t commit_ns; /* a slot that was reached in the very instant in which the medium became busy; INT64_MAX: none */
    uint16_t next_sequence, next_message_id;
    struct mac_medium medium;
    struct mac_backoff backoff;
    struct mac_queue queue;
    struct mac_dup dup;
    struct mac_reassembly reassembly;
    struct mac_jam jam;
    struct mac_stats stats;
    uint8_t mpdu[MAC_MAX_MPDU_BYTES];    /* the frame that is out */
    uint8_t payload[MAC_MAX_MPDU_BYTES]; /* its payload, gathered */
    uint8_t received[MAC_MAX_MPDU_BYTES];
};

/* access.c */
int mac_access_send(struct mac *m, const struct mac_event *in);
int mac_access_tx_done(struct mac *m, int64_t now_ns, struct mac_update *out);
/* The awaited ACK came, or what came instead ended at end_ns. */
void mac_access_acked(struct mac *m, int64_t end_ns, int64_t now_ns, struct mac_update *out);
void mac_access_not_acked(struct mac *m, int64_t end_ns, int64_t now_ns, struct mac_update *out);
/* Time-outs of the frame that is out, and messages that are overdue. */
void mac_access_expire(struct mac *m, int64_t now_ns, struct mac_update *out);
/* The medium becomes busy: a slot reached in this instant is still used, one that has passed unused is drawn again. */
void mac_access_interrupt(struct mac *m, int64_t now_ns);
/* After every event: who counts down from here on. */
void mac_access_arm(struct mac *m, int64_t now_ns);
/* Sends if a counter has run out. */
void mac_access_try(struct mac *m, int64_t now_ns, struct mac_update *out);
int64_t mac_access_deadline(const struct mac *m);
/* How long the head of the queues has waited. */
int64_t mac_access_blocked_ns(struct mac *m, int64_t now_ns);

/* receive.c */
void mac_receive_frame(struct mac *m, const struct mac_event *in, struct mac_update *out);

/* mac.c */
void mac_watch(struct mac *m, struct mac_jam_observation *seen, struct mac_update *out);
#endif
