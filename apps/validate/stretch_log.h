/* What a receiver on samples says of each stretch of traffic: recorded there, to be drawn from at packet fidelity. A stretch is frames
 * that overlap each other; what is heard between stretches are pulses of somebody else. Heap: a tool, no sample path. */
#ifndef APPS_VALIDATE_STRETCH_LOG_H
#define APPS_VALIDATE_STRETCH_LOG_H

#include "mac/mac.h"

enum app_stretch_kind {
    STRETCH_DATA, STRETCH_SHORT, /* one frame: data, or a response */
    STRETCH_PAIR, STRETCH_CROWD, /* two frames that collide, or more */
    STRETCH_PULSE,               /* energy that no station sent */
    STRETCH_N_KINDS
};
enum { STRETCH_SHORT_BYTES = 32 }; /* responses are no longer */

/* A signal, its instants counted from the beginning of its stretch. */
struct app_heard {
    int64_t at_ns;
    enum mac_event_kind kind; /* CCA_BUSY, CCA_IDLE, LOCK, FRAME, SHAPE */
    union {
        struct mac_rx_quality quality;
        struct mac_shape shape;
    };
};

struct app_stretch {
    enum app_stretch_kind kind;
    size_t n;
    const struct app_heard *heard;
};

struct app_stretch_log;

/* NULL without memory. */
struct app_stretch_log *app_stretch_open(void);
void app_stretch_close(struct app_stretch_log *log);
/* What follows is of one receiver in one situation, a group. */
void app_stretch_begin(struct app_stretch_log *log);
void app_stretch_signal(struct app_stretch_log *log, const struct mac_event *signal);
void app_stretch_sent(struct app_stretch_log *log, bool own, int64_t from_ns, int64_t to_ns, size_t len_bytes);
/* The group's number, from 0 on, or -ENOMEM. */
int app_stretch_finish(struct app_stretch_log *log);

/* Any stretch of that kind of that group, by u in [0, 1), collisions of any group; n 0 and no signals where there was none. */
struct app_stretch app_stretch_pick(const struct app_stretch_log *log, int group, enum app_stretch_kind kind, double u);
/* Any shape that was heard in a group; false where there was none. */
bool app_stretch_shape(const struct app_stretch_log *log, int group, double u, struct mac_shape *out);
/* What each frame of an exchange has to lose, if all lose alike, for as many exchanges to fail as there were: data frames and responses
 * that came alone and did not arrive whole. */
double app_stretch_loss(const struct app_stretch_log *log, int group);
size_t app_stretch_count(const struct app_stretch_log *log, enum app_stretch_kind kind);
#endif
