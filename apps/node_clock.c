/* Time of day for block times. */
#include "apps/node_clock.h"

#include <time.h>

int64_t app_node_clock_step(struct app_node_clock *c, int64_t real_ns, int64_t monotonic_ns)
{
    int64_t elapsed_ns = monotonic_ns - c->monotonic_ns;
    int64_t ahead_ns = c->now_ns == 0 ? 0 : c->now_ns + elapsed_ns - real_ns;
    c->monotonic_ns = monotonic_ns;
    if (c->now_ns == 0 || ahead_ns <= 0) {
        c->now_ns = real_ns;
        return c->now_ns;
    }
    if (ahead_ns > c->worst_ahead_ns)
        c->worst_ahead_ns = ahead_ns;
    int64_t give_back_ns = elapsed_ns / 16;
    c->now_ns += elapsed_ns - (give_back_ns < ahead_ns ? give_back_ns : ahead_ns);
    return c->now_ns;
}

static int64_t read_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t app_node_clock_read(struct app_node_clock *c)
{
    return app_node_clock_step(c, read_ns(CLOCK_REALTIME), read_ns(CLOCK_MONOTONIC));
}
