/* airdeed air: who is waited for, and for how long. A block is mixed when every port that is waited for has said its part; the next is
 * begun when every port that is waited for has fetched what it hears. */
#include "apps/air.h"
#include "apps/options.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WAIT_MS = 20, REPORT_NS = 500000000, SEE_OFF_NS = 200000000 };
static_assert(2 * APP_AIR_MAX_PORTS <= PHY_ZMQ_MAX_WAIT, "all streams of all ports");

int64_t app_air_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int fail(struct app_air *air, int err)
{
    snprintf(air->error, sizeof air->error, "ZeroMQ: %s", zmq_strerror(-err));
    return err;
}

static void report_at_times(struct app_air *air, int64_t now_ns)
{
    app_air_clocks_serve(air, now_ns);
    if (now_ns < air->report_ns)
        return;
    app_air_report(air, now_ns);
    air->report_ns = now_ns + REPORT_NS;
}

/* Until something happens at a port */
static int wait_for_ports(struct app_air *air, bool everything, int64_t wait_ns)
{
    struct phy_zmq_wait w = {.n = 0};
    for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
        struct app_air_port *p = &air->ports[k];
        if (everything || p->tx_since_ns)
            phy_zmq_wait_source(&w, &p->source);
        if (everything || p->rx_since_ns)
            phy_zmq_wait_sink(&w, &p->sink);
    }
    int err = phy_zmq_wait(&w, wait_ns);
    if (err)
        return fail(air, err);
    report_at_times(air, app_air_now_ns());
    return 0;
}

/* One pass over the ports; how many are not through, or negative errno */
static int pass(struct app_air *air, bool tx, int64_t *now_ns)
{
    int n_open = 0;
    for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
        struct app_air_port *p = &air->ports[k];
        int64_t *since_ns = tx ? &p->tx_since_ns : &p->rx_since_ns;
        if (tx ? !p->tx_live : !p->rx_live)
            continue;
        int got = tx ? app_air_port_gather(p) : app_air_port_give(p);
        if (got < 0)
            return fail(air, got);
        if (got > 0 || (tx ? !p->tx_live : !p->rx_live)) {
            *since_ns = 0;
            continue;
        }
        *now_ns = *now_ns ? *now_ns : app_air_now_ns();
        if (*since_ns == 0)
            *since_ns = *now_ns;
        if (air->cfg.patience_ns && *now_ns - *since_ns > air->cfg.patience_ns)
            app_air_port_silence(p, tx);
        else
            n_open++;
    }
    return n_open;
}

/* 0 when all ports that are waited for are through; 1 to stop */
static int wait_for_all(struct app_air *air, bool tx)
{
    while (!*air->stop) {
        int64_t now_ns = 0;
        int n_open = pass(air, tx, &now_ns);
        if (n_open <= 0)
            return n_open;
        int err = wait_for_ports(air, false, INT64_MAX);
        if (err)
            return err;
    }
    return 1;
}

static bool is_anybody_there(const struct app_air *air)
{
    for (uint32_t k = 0; k < air->cfg.n_ports; k++)
        if (air->ports[k].tx_live || air->ports[k].rx_live)
            return true;
    return false;
}

/* Ports that are not waited for may be back. Without any the air stands still. */
static int wake_ports(struct app_air *air)
{
    while (!*air->stop) {
        int64_t now_ns = app_air_now_ns();
        for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
            struct app_air_port *p = &air->ports[k];
            bool awake = (!p->source.socket || p->tx_live) && (!p->sink.socket || p->rx_live);
            int err = awake ? 0 : app_air_port_wake(p, now_ns, air->cfg.patience_ns);
            if (err < 0)
                return fail(air, err);
        }
        if (is_anybody_there(air))
            return 0;
        int err = wait_for_ports(air, true, INT64_MAX);
        if (err)
            return err;
    }
    return 1;
}

/* Real time, counted anew where the air stood still. */
static int wait_for_time(struct app_air *air)
{
    double ns_a_sample = 1e9 / air->cfg.rate_hz;
    int64_t position_ns = (int64_t)((double)(app_air_mix_position(air->mix) + air->cfg.block_samples) * ns_a_sample);
    int64_t now_ns = app_air_now_ns();
    if (air->begin_ns == 0 || now_ns - air->begin_ns - position_ns > 100000000)
        air->begin_ns = now_ns - position_ns;
    while (!*air->stop && air->begin_ns + position_ns - now_ns >= 1000000) {
        int64_t wait_ms = (air->begin_ns + position_ns - now_ns) / 1000000;
        zmq_poll(NULL, 0, (long)(wait_ms < WAIT_MS ? wait_ms : WAIT_MS));
        now_ns = app_air_now_ns();
        report_at_times(air, now_ns);
    }
    return *air->stop ? 1 : 0;
}

static void mix(struct app_air *air)
{
    const float complex *tx[APP_AIR_MAX_PORTS];
    float complex *rx[APP_AIR_MAX_PORTS];
    for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
        struct app_air_port *p = &air->ports[k];
        tx[k] = app_air_port_block(p);
        rx[k] = p->rx_live && app_air_port_offer(p) ? p->rx_block : NULL;
    }
    app_air_clocks_begin(air);
    app_air_mix_block(air->mix, tx, rx);
}

static int wait_for_connections(struct app_air *air)
{
    for (bool all = false; !all && !*air->stop;) {
        all = true;
        for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
            struct app_air_port *p = &air->ports[k];
            int err = p->source.socket ? phy_zmq_source_take(&p->source) : 0;
            if (err >= 0 && p->sink.socket)
                err = phy_zmq_sink_take(&p->sink);
            if (err < 0 && err != -EPROTO)
                return fail(air, err);
            all &= app_air_port_connected(p);
        }
        if (!all && wait_for_ports(air, true, INT64_MAX))
            return -EIO;
    }
    return *air->stop ? 1 : 0;
}

static int run_block(struct app_air *air)
{
    int err = wake_ports(air);
    if (!err)
        err = wait_for_all(air, true);
    if (!err && !is_anybody_there(air)) /* all fell silent */
        return 0;
    if (!err && air->cfg.pace)
        err = wait_for_time(air);
    if (err)
        return err;
    mix(air);
    return wait_for_all(air, false);
}

/* A station that asks again has the last block. libzmq may lose what was sent just before its socket is closed. */
static void see_off(struct app_air *air)
{
    for (int64_t until_ns = app_air_now_ns() + SEE_OFF_NS, now_ns; (now_ns = app_air_now_ns()) < until_ns;) {
        struct phy_zmq_wait w = {.n = 0};
        for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
            struct phy_zmq_sink *sink = &air->ports[k].sink;
            if (sink->socket && sink->up && phy_zmq_sink_take(sink) == 0 && sink->up)
                phy_zmq_wait_sink(&w, sink);
        }
        if (w.n == 0 || phy_zmq_wait(&w, until_ns - now_ns))
            return;
    }
}

int app_air_loop(struct app_air *air)
{
    int err = air->cfg.wait_all ? wait_for_connections(air) : 0;
    while (!err && !*air->stop && (air->cfg.n_samples == 0 || app_air_mix_position(air->mix) < air->cfg.n_samples)) {
        err = run_block(air);
        report_at_times(air, app_air_now_ns());
    }
    if (!err && !*air->stop)
        see_off(air);
    return err < 0 ? APP_SYSTEM_FAILED : APP_OK;
}
