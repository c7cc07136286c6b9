/* airdeed air: the two streams of one station, and its own time. */
#include "apps/air.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CATCH_UP = 1 << 20 };

int app_air_port_open(struct app_air_port *p, void *context, uint32_t index, const struct app_air_config *cfg, char *error_out)
{
    char name[24];
    *p = (struct app_air_port){.block = cfg->block_samples};
    p->tx_block = calloc(p->block, sizeof *p->tx_block);
    p->rx_block = calloc(p->block, sizeof *p->rx_block);
    p->scratch = calloc(p->block, sizeof *p->scratch);
    if (!p->tx_block || !p->rx_block || !p->scratch) {
        snprintf(error_out, APP_AIR_MAX_ERROR, "not enough memory");
        return -ENOMEM;
    }
    snprintf(name, sizeof name, "tx%u", (unsigned)index);
    int err = cfg->tx[index][0] ? phy_zmq_source_open(&p->source, context, name, cfg->tx[index], true) : 0;
    if (err) {
        snprintf(error_out, APP_AIR_MAX_ERROR, "port %u: cannot connect %s: %s", (unsigned)index + 1, cfg->tx[index], zmq_strerror(-err));
        return err;
    }
    snprintf(name, sizeof name, "rx%u", (unsigned)index);
    err = cfg->rx[index][0] ? phy_zmq_sink_open(&p->sink, context, name, cfg->rx[index]) : 0;
    if (err)
        snprintf(error_out, APP_AIR_MAX_ERROR, "port %u: cannot bind %s: %s", (unsigned)index + 1, cfg->rx[index], zmq_strerror(-err));
    p->tx_live = p->source.socket != NULL;
    p->rx_live = p->sink.socket != NULL;
    return err;
}

void app_air_port_close(struct app_air_port *p)
{
    phy_zmq_source_close(&p->source);
    phy_zmq_sink_close(&p->sink);
    free(p->tx_block);
    free(p->rx_block);
    free(p->scratch);
}

/* A station that is gone begins anew when it is back; nothing of what was under way is for its successor. */
static void begin_anew(struct app_air_port *p)
{
    p->n_discarded += p->n_tx;
    p->n_tx = p->n_rx = 0;
    p->tx_position = p->rx_position = 0;
    p->tx_live = p->rx_live = false;
    p->asks_since_ns = 0;
    phy_zmq_source_drop(&p->source);
    p->n_silences++;
}

static int take_request(struct app_air_port *p)
{
    int got = p->sink.socket ? phy_zmq_sink_take(&p->sink) : 0;
    bool lost = p->rx_was_up && !p->sink.up; /* since the last request, or when it was to be answered */
    p->rx_was_up = p->sink.up;
    if (p->sink.socket && (p->sink.fresh || lost)) {
        if (p->rx_position > 0)
            begin_anew(p);
        p->sink.fresh = false;
    }
    return got;
}

static uint64_t find_present(const struct app_air_port *p)
{
    return p->rx_position + p->n_rx;
}

/* A connection may end and another begin between two looks at it. Whoever heard ended with it: that is looked at before it is answered. */
static void notice_successor(struct app_air_port *p)
{
    if (p->source.fresh && (p->tx_position > 0 || p->n_tx > 0)) {
        begin_anew(p);
        p->sink.look_ns = 0;
    }
    p->source.fresh = false;
}

/* A block, and at once what is to be passed over before it */
static int ask_for_samples(struct app_air_port *p)
{
    uint64_t present = find_present(p), n = p->sink.up && present > p->tx_position ? present - p->tx_position : 0;
    int asked = phy_zmq_source_ask(&p->source, (uint32_t)(n < MAX_CATCH_UP ? n : MAX_CATCH_UP) + p->block);
    notice_successor(p);
    return asked;
}

static int take_samples(struct app_air_port *p)
{
    bool was_up = p->source.up;
    int got = p->source.socket ? phy_zmq_source_take(&p->source) : 0;
    if (got == -EPROTO) /* counted; what comes next may be better */
        got = 0;
    if (p->source.socket && was_up && !p->source.up && got == 0 && (p->tx_position > 0 || p->n_tx > 0))
        begin_anew(p);
    if (p->source.fresh && got >= 0) {
        notice_successor(p);
        got = p->source.n_held > 0;
    }
    if (got == 0 && p->source.socket)
        got = ask_for_samples(p) < 0 ? -EIO : 0;
    return got;
}

/* Samples of a time that is over are read and dropped. */
static void discard_past(struct app_air_port *p)
{
    uint64_t present = find_present(p);
    while (p->sink.up && p->source.n_held && p->tx_position < present) {
        uint64_t n = present - p->tx_position;
        size_t n_bad, n_read = phy_zmq_source_read(&p->source, p->scratch, n < p->block ? (size_t)n : p->block, &n_bad);
        p->tx_position += n_read;
        p->n_discarded += n_read;
    }
}

int app_air_port_gather(struct app_air_port *p)
{
    while (p->n_tx < p->block) {
        int got = take_samples(p);
        if (got <= 0)
            return got;
        if (p->n_tx == 0) {
            discard_past(p);
            if (!p->source.n_held)
                continue;
            uint64_t present = find_present(p);
            uint64_t ahead = p->sink.up && p->tx_position > present ? p->tx_position - present : 0;
            p->n_tx = ahead < p->block ? (size_t)ahead : p->block;
            memset(p->tx_block, 0, p->n_tx * sizeof *p->tx_block);
        }
        size_t n_bad, n = phy_zmq_source_read(&p->source, p->tx_block + p->n_tx, p->block - p->n_tx, &n_bad);
        p->n_tx += n;
        p->tx_position += n;
        p->n_tx_samples += n;
    }
    return 1;
}

const float complex *app_air_port_block(struct app_air_port *p)
{
    if (p->n_tx < p->block) {
        p->n_zeros += p->source.socket ? p->block : 0;
        return NULL;
    }
    p->n_tx = 0;
    ask_for_samples(p); /* its answer comes while this block is mixed; failure shows when it is taken */
    return p->tx_block;
}

bool app_air_port_offer(struct app_air_port *p)
{
    if (p->n_rx > 0)
        return false;
    p->n_rx = p->block;
    return true;
}

int app_air_port_give(struct app_air_port *p)
{
    while (p->n_rx > 0) {
        int got = take_request(p);
        if (got <= 0 || p->n_rx == 0)
            return got < 0 ? got : 0;
        size_t n = p->n_rx < p->sink.wanted ? p->n_rx : p->sink.wanted;
        got = phy_zmq_sink_begin(&p->sink);
        if (got <= 0)
            return got;
        zmq_msg_t reply;
        if (zmq_msg_init_size(&reply, n * PHY_ZMQ_SAMPLE_BYTES) < 0)
            return -ENOMEM;
        memcpy(zmq_msg_data(&reply), p->rx_block + (p->block - p->n_rx), n * sizeof *p->rx_block);
        int err = phy_zmq_sink_give(&p->sink, &reply);
        if (err && err != -EAGAIN)
            return err;
        p->n_rx -= n;
        p->rx_position += n;
        p->n_rx_samples += n;
    }
    return 1;
}

/* The other of its streams is not waited for either, unless this one is not even connected: a station that only listens, or only
 * sends, goes on with what it has. */
void app_air_port_silence(struct app_air_port *p, bool tx)
{
    p->n_silences++;
    p->tx_since_ns = p->rx_since_ns = 0;
    p->rx_live = tx && p->rx_live && p->sink.up && !p->source.up;
    p->tx_live = !tx && p->tx_live && p->source.up && !p->sink.up;
    if (p->tx_live)
        return;
    p->n_discarded += p->n_tx;
    p->n_tx = 0;
}

/* A station that hears asks first: then its time goes on, and what it says beside that is waited for. Not for ever: it may be one
 * that only listens. */
int app_air_port_wake(struct app_air_port *p, int64_t now_ns, int64_t patience_ns)
{
    bool hears = p->sink.socket && !p->rx_live;
    int got = hears ? take_request(p) : 0;
    if (got > 0 && p->n_rx > 0) { /* the rest of the block at which it stopped; it will ask again */
        got = app_air_port_give(p);
        return got < 0 ? got : 0;
    }
    if (got < 0 || (hears && p->sink.up && got == 0))
        return got;
    bool asks = got > 0;
    if (p->source.socket && !p->tx_live) {
        got = app_air_port_gather(p);
        if (got < 0)
            return got;
        p->tx_live = got > 0;
    }
    if (!asks)
        return 0;
    if (p->asks_since_ns == 0)
        p->asks_since_ns = now_ns;
    p->rx_live = p->tx_live || !p->source.socket || (!p->source.up && patience_ns && now_ns - p->asks_since_ns > patience_ns);
    if (p->rx_live)
        p->asks_since_ns = 0;
    return 0;
}

bool app_air_port_connected(const struct app_air_port *p)
{
    return (!p->source.socket || p->source.up) && (!p->sink.socket || p->sink.up);
}

enum app_air_waiting app_air_port_waiting(const struct app_air_port *p)
{
    if (p->source.socket && p->source.up && (p->tx_since_ns || (!p->tx_live && p->sink.asked)))
        return APP_AIR_WAITING_TX;
    if (p->sink.socket && p->sink.up && (p->rx_since_ns || (!p->rx_live && !p->sink.asked)))
        return APP_AIR_WAITING_RX;
    return app_air_port_connected(p) ? APP_AIR_NOT_WAITING : APP_AIR_WAITING_CONNECTION;
}
