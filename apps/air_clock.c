/* airdeed air: the clocks that stations ask. */
#include "apps/air.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { CLOCK_NS = 10000000 };

static int64_t read_unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int app_air_clocks_open(struct app_air *air)
{
    for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
        const char *endpoint = air->cfg.clock[k];
        if (!*endpoint)
            continue;
        int linger_ms = 0;
        air->clocks[k] = zmq_socket(air->context, ZMQ_REP);
        if (air->clocks[k] && zmq_setsockopt(air->clocks[k], ZMQ_LINGER, &linger_ms, sizeof linger_ms) == 0 &&
            zmq_bind(air->clocks[k], endpoint) == 0)
            continue;
        snprintf(air->error, sizeof air->error, "port %u: cannot bind its clock %s: %s", (unsigned)k + 1, endpoint, zmq_strerror(errno));
        return -errno;
    }
    return 0;
}

void app_air_clocks_close(struct app_air *air)
{
    for (uint32_t k = 0; k < air->cfg.n_ports; k++)
        if (air->clocks[k])
            zmq_close(air->clocks[k]);
}

/* The air's sample that the port's own sample 0 was. */
static uint64_t find_joined(const struct app_air *air, const struct app_air_port *p)
{
    return app_air_mix_position(air->mix) - p->n_rx - p->rx_position;
}

void app_air_clocks_serve(struct app_air *air, int64_t now_ns)
{
    if (now_ns < air->clock_ns)
        return;
    air->clock_ns = now_ns + CLOCK_NS;
    for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
        char question[8], answer[64];
        if (!air->clocks[k] || zmq_recv(air->clocks[k], question, sizeof question, ZMQ_DONTWAIT) < 0)
            continue;
        int n = snprintf(answer, sizeof answer, "%" PRIu64 " %" PRId64, find_joined(air, &air->ports[k]), air->unix_ns);
        /* whoever asked and went does not hear it */
        (void)zmq_send(air->clocks[k], answer, (size_t)n, ZMQ_DONTWAIT);
    }
}

void app_air_clocks_begin(struct app_air *air)
{
    if (air->unix_ns == 0)
        air->unix_ns = read_unix_ns();
}
