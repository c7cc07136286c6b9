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
    int64_t away_ns, left_ns;
    int64_t blocked_ns; /* how long messages waited here in the visits before, since one last went or came */
    struct mac_jam jam;
};

/* What a station looks at in each frame of others stands together at the beginning: there are as many of those as there are stations. */
struct mac {
    enum mac_phase phase;
    struct mac_address self;
    unsigned committed; /* whose: bit c */
    unsigned lone;      /* bit c: under the DCF nothing but category c contends, or is drawn for; 0: it is not so simple */
    int64_t commit_ns; /* slots that were reached in the very instant in which the medium became busy; INT64_MAX: none */
    int64_t access_deadline_ns; /* as of the last event that could move it */
    int64_t expiry_ns;          /* of the first message that is not out */
    int64_t started_ns;         /* the first event */
    struct mac_ear *ear;        /* of the channel that it is on */
    struct mac_backoff backoff;
    struct mac_medium medium;
    struct mac_reassembly reassembly;
    struct mac_slots slots;
    struct mac_queue queue;
    struct mac_stats stats;
    struct mac_config cfg;
    enum mac_category tx_category; /* of the frame that is out */
    enum mac_frame_kind tx_kind;   /* DATA, RTS, CTS (to oneself) */
    bool tx_unicast;
    int64_t tx_start_ns, tx_end_ns, burst_start_ns, answer_deadline_ns;
    int64_t ack_ns, rts_ns;     /* airtimes; a CTS is as long as an ACK */
    int64_t longest_reserve_ns; /* the most that an ACK or a CTS has to reserve */
    uint16_t next_sequence, next_message_id;
    struct mac_exposure exposure; /* copies 0: as the profile says */
    struct mac_dup dup;
    struct mac_rate rate;
    struct mac_ear *ears;       /* of all channels */
    uint32_t n_ears;
    int64_t tuned_ns;           /* since when it is on this one */
    uint8_t mpdu[MAC_MAX_MPDU_BYTES];    /* the frame that is out */
    uint8_t received[MAC_MAX_MPDU_BYTES];
};

/* access.c: when to send */
/* Slots are for group messages that are proposals, and follow a plan that has a wire form. */
bool mac_access_can_reserve(const struct mac_event *in);
int mac_access_send(struct mac *m, const struct mac_event *in);
/* Time-outs of the frame that is out, and messages that are overdue. */
void mac_access_expire(struct mac *m, int64_t now_ns, struct mac_update *out);
/* The medium, under the DCF, becomes busy for a station that contends: a slot reached in this instant is still used, one that has passed unused is drawn again. */
void mac_access_interrupt(struct mac *m, int64_t now_ns);
/* Who counts down from here on. */
void mac_access_arm(struct mac *m, int64_t now_ns);
/* After every event: the same, and when the station has to do something if nothing happens before. waited: there was nothing but what others
 * sent, which moves no queue. */
static inline void mac_access_settle(struct mac *m, int64_t now_ns, bool waited);
void mac_access_settle_all(struct mac *m, int64_t now_ns, bool waited);
/* Sends if a counter has run out. */
void mac_access_try(struct mac *m, int64_t now_ns, struct mac_update *out);
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
void mac_watch_form(struct mac *m, struct mac_jam_observation *seen, struct mac_update *out);
/* The same of a frame that arrived whole, and of what such a one is called. */
static inline void mac_watch_good(struct mac *m, const struct mac_rx_quality *q, int64_t now_ns, struct mac_update *out);
static inline void mac_watch_name(struct mac *m, uint64_t name, int64_t now_ns, struct mac_update *out);

/* --- what each frame of others comes to, at each station --- */

static inline void mac_access_settle(struct mac *m, int64_t now_ns, bool waited)
{
    struct mac_backoff *b = &m->backoff;
    if (!waited || m->lone == 0 || b->stale || m->commit_ns < now_ns) {
        mac_access_settle_all(m, now_ns, waited);
        return;
    }
    int64_t ready_ns = mac_medium_ready_ns(&m->medium);
    if (ready_ns == b->ready_ns)
        return;
    int64_t due_ns = mac_backoff_arm_one(b, mac_first(m->lone), ready_ns, now_ns);
    int64_t other_ns = m->commit_ns < m->expiry_ns ? m->commit_ns : m->expiry_ns;
    m->access_deadline_ns = due_ns < other_ns ? due_ns : other_ns;
}

static inline void mac_watch_good(struct mac *m, const struct mac_rx_quality *q, int64_t now_ns, struct mac_update *out)
{
    int64_t away_ns = m->ear->away_ns;
    if (mac_jam_note_good(&m->ear->jam, q, q->start_ns - away_ns, now_ns - away_ns)) {
        struct mac_jam_observation seen = {.kind = MAC_JAM_SEEN_FRAME, .now_ns = now_ns - away_ns, .quality = q};
        mac_watch_form(m, &seen, out);
    }
    m->ear->blocked_ns = 0;
}

static inline void mac_watch_name(struct mac *m, uint64_t name, int64_t now_ns, struct mac_update *out)
{
    if (mac_jam_note_new_name(&m->ear->jam, name, now_ns - m->ear->away_ns))
        return;
    struct mac_jam_observation seen = {.kind = MAC_JAM_SEEN_NAME, .now_ns = now_ns, .name = name};
    mac_watch(m, &seen, out);
}
#endif
