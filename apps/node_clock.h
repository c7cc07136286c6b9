/* A node's clock: the system's time of day, but never backward. Where the system steps back, this one runs on a sixteenth slower until
 * the two agree again; a step forward is followed at once. */
#ifndef APPS_NODE_CLOCK_H
#define APPS_NODE_CLOCK_H

#include <stdint.h>

struct app_node_clock {
    int64_t now_ns;       /* Unix time */
    int64_t monotonic_ns; /* when that was */
    int64_t worst_ahead_ns; /* how far the system's clock ever stepped back */
};

/* real_ns: CLOCK_REALTIME; monotonic_ns: CLOCK_MONOTONIC, never below an earlier call's. Starts zeroed. */
int64_t app_node_clock_step(struct app_node_clock *c, int64_t real_ns, int64_t monotonic_ns);
/* The same, of the two clocks of this machine. */
int64_t app_node_clock_read(struct app_node_clock *c);
#endif
