/* The MAC machine's state, shared by mac.c, access.c, exchange.c and receive.c. */
#ifndef MAC_INTERNAL_H
#define MAC_INTERNAL_H

#include "mac/backoff.h"
#include "mac/detector.h"
#include "mac/dup.h"
#include "mac/fragment.h"
#include "mac/frame.h"
#include "mac/medium.h"
#include "mac/queue.h"
#include "mac/rate.h"
#include "mac/slots.h"

enum mac_phase {
    MAC_PHASE_CONTEND,  /* no frame of its own is out or answered for */
    MAC_PHASE_SENDING,  /* a frame of an exchange of its own was handed out, TX_DONE is awaited */
    MAC_PHASE_RESPONDING,
    MAC_PHASE_AWAIT     /* for the answer to it: an ACK, or after an RTS a CTS */
};

/* The detector of one channel. Its clock stands still while the station is elsewhere, so that what it remembers is as if it had never left. */
struct mac_ear {
    struct mac_jam jam;
    int64_t away_ns, left_ns;
    int64_t blocked_ns; /* how long messages waited here in the visits before, since one last went or came */
};

struct mac {
    struct mac_config cfg;
    struct mac_address self;
    enum mac_phase phase;
    enum mac_category tx_category; /* of the frame that is out */
    enum mac_frame_kind tx_kind;   /* DATA, RTS, CTS (to oneself) */
    bool tx_unicast;
    int64_t tx_start_ns, tx_end_ns, burst_start_ns, answer_deadline_ns;
    int64_t ack_ns, rts_ns;     /* airtimes; a CTS is as long as an ACK */
    int64_t longest_reserve_ns; /* the most that an ACK or a CTS has to reserve */
    int64_t started_ns;         /* the first event */
    int64_t commit_ns; /* slots that were reached in the very instant in which the medium became busy; INT64_MAX: none */
    unsigned committed; /* whose: bit c */
    int64_t access_deadline_ns; /* as of the last event that could move it */
    bool deadline_moved;
    uint16_t next_sequence, next_message_id;
    struct mac_exposure exposure; /* copies 0: as the profile says */
    struct mac_medium medium;
    struct mac_backoff backoff;
    struct mac_queue queue;
    struct mac_slots slots;
    struct mac_dup dup;
    struct mac_reassembly reassembly;
    struct mac_rate rate;
    struct mac_ear *ear, *ears; /* of the channel that it is on; of all */
    uint32_t n_ears;
    int64_t tuned_ns;           /* since when it is */
    struct mac_stats stats;
    uint8_t mpdu[MAC_MAX_MPDU_BYTES];    /* the frame that is out */
    uint8_t payload[MAC_MAX_MPDU_BYTES]; /* its payload, gathered */
    uint8_t received[MAC_MAX_MPDU_BYTES];
};

/* access.c: when to send */
/* Slots are for group messages that are proposals, and follow a plan that has a wire form. */
bool mac_access_can_reserve(const struct mac_event *in);
int mac_access_send(struct mac *m, const struct mac_event *in);
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
int64_t mac_access_blocked_ns(const struct mac *m, int64_t now_ns);

/* exchange.c: what is sent, and what becomes of it */
/* Chooses the rate for the head of a category; returns the airtime of the whole exchange that it begins with, RTS, CTS, ACK included. */
int64_t mac_exchange_plan_ns(struct mac *m, enum mac_category category);
/* Sends the first frame of that exchange. */
void mac_exchange_begin(struct mac *m, enum mac_category category, int64_t start_ns, int64_t now_ns, struct mac_update *out);
/* The next frame of a head, at an instant that a slot plan gives; its rate is chosen. False: a quiet period does not allow it. */
bool mac_exchange_send_at(struct mac *m, enum mac_category category, unsigned rate_index, int64_t start_ns, int64_t now_ns,
                          struct mac_update *out);
/* A group message whose slots are over is done with. */
void mac_exchange_conclude(struct mac *m, enum mac_category category, int64_t now_ns, struct mac_update *out);
int mac_exchange_tx_done(struct mac *m, int64_t now_ns, struct mac_update *out);
/* The awaited answer came, or what came instead ended at end_ns. */
void mac_exchange_answered(struct mac *m, int64_t end_ns, int64_t now_ns, struct mac_update *out);
void mac_exchange_not_answered(struct mac *m, int64_t end_ns, int64_t now_ns, struct mac_update *out);
/* Reports the head of a category and makes room for the next message. */
void mac_exchange_finish(struct mac *m, enum mac_category category, enum mac_report_result result, int64_t now_ns,
                         struct mac_update *out);
/* Hands out a control frame. */
void mac_exchange_control(struct mac *m, const struct mac_frame *frame, int64_t start_ns, struct mac_update *out);

/* receive.c */
void mac_receive_frame(struct mac *m, const struct mac_event *in, struct mac_update *out);

/* watch.c: what the detector of the channel is told, and the change of channel */
size_t mac_watch_bytes(const struct mac_config *cfg);
void mac_watch_init(struct mac *m, void *mem);
int64_t mac_watch_deadline(const struct mac *m);
void mac_watch_retune(struct mac *m, const struct mac_event *in, struct mac_update *out);
void mac_watch(struct mac *m, struct mac_jam_observation *seen, struct mac_update *out);
#endif
