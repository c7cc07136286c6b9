/* One connection: questions and answers, or a stream of submissions. */
#include "chain/net/client.h"

#include "chain/net/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <zmq.h>

enum { QUEUE_MESSAGES = 256, MAX_WAIT = 16 };

struct chain_net_client {
    void *context, *dealer, *monitor;
    zmq_msg_t answer;
    bool up;
};

int chain_net_client_open(const char *endpoint, const uint8_t server_key[CHAIN_NET_KEY_BYTES],
                          const uint8_t secret[CHAIN_NET_KEY_BYTES], size_t max_message_bytes, struct chain_net_client **out)
{
    struct chain_net_client *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    zmq_msg_init(&c->answer);
    int err = 0;
    c->context = zmq_ctx_new();
    if (c->context)
        c->dealer = chain_net_socket(c->context, ZMQ_DEALER, max_message_bytes, QUEUE_MESSAGES);
    if (!c->dealer)
        err = -errno;
    if (!err)
        err = chain_net_set_client(c->dealer, secret, server_key);
    if (!err && !(c->monitor = chain_net_monitor(c->context, c->dealer, "client")))
        err = -errno;
    if (!err && zmq_connect(c->dealer, endpoint) < 0)
        err = -errno;
    if (err) {
        chain_net_client_close(c);
        return err;
    }
    *out = c;
    return 0;
}

void chain_net_client_close(struct chain_net_client *c)
{
    if (c->monitor) {
        zmq_socket_monitor(c->dealer, NULL, 0);
        zmq_close(c->monitor);
    }
    if (c->dealer)
        zmq_close(c->dealer);
    zmq_msg_close(&c->answer);
    if (c->context)
        zmq_ctx_term(c->context);
    free(c);
}

static int64_t monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What became of the connection: 0 or why there is none */
static int take_events(struct chain_net_client *c)
{
    for (int event; (event = chain_net_monitor_take(c->monitor)) != 0;) {
        switch (event) {
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            c->up = true;
            break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            return -EACCES;
        case ZMQ_EVENT_CLOSED:
        case ZMQ_EVENT_CONNECT_RETRIED:
            if (!c->up)
                return -ECONNREFUSED;
            break;
        case ZMQ_EVENT_DISCONNECTED:
            return c->up ? -EPIPE : -ECONNREFUSED;
        default:
            break;
        }
    }
    return 0;
}

/* kind, data. 1: there is a message; 0: not yet */
static int take_message(struct chain_net_client *c, enum chain_net_kind *kind_out)
{
    char kind = 0;
    int n = zmq_recv(c->dealer, &kind, 1, ZMQ_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    n = zmq_msg_recv(&c->answer, c->dealer, ZMQ_DONTWAIT);
    *kind_out = (enum chain_net_kind)kind;
    return n < 0 || zmq_msg_more(&c->answer) ? -EPROTO : 1;
}

int chain_net_client_ask(struct chain_net_client *c, const void *data, size_t len, int timeout_ms, const uint8_t **answer_out,
                         size_t *answer_len_out)
{
    int64_t until_ms = monotonic_ms() + timeout_ms;
    bool sent = false;
    for (;;) {
        int err = take_events(c);
        if (!err && c->up && !sent) {
            err = chain_net_send_frames(c->dealer, CHAIN_NET_REQUEST, data, len);
            sent = !err;
            err = err == -EAGAIN ? 0 : err;
        }
        if (err)
            return err;
        int64_t left_ms = until_ms - monotonic_ms();
        if (left_ms <= 0)
            return -ETIMEDOUT;
        short wanted = c->up && !sent ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN;
        zmq_pollitem_t items[] = {{c->monitor, 0, ZMQ_POLLIN, 0}, {c->dealer, 0, wanted, 0}};
        if (zmq_poll(items, 2, (long)left_ms) < 0 && errno != EINTR)
            return -errno;
        /* before the connection's end is looked at: an answer may be the last thing that came through it */
        enum chain_net_kind kind;
        int got = take_message(c, &kind);
        if (got < 0 || (got && kind != CHAIN_NET_REPLY))
            return got < 0 ? got : -EPROTO;
        if (got) {
            *answer_out = zmq_msg_data(&c->answer);
            *answer_len_out = zmq_msg_size(&c->answer);
            return 0;
        }
    }
}

int chain_net_client_send(struct chain_net_client *c, enum chain_net_kind kind, const void *data, size_t len)
{
    int err = c->up ? 0 : take_events(c);
    if (err)
        return err;
    return c->up ? chain_net_send_frames(c->dealer, (char)kind, data, len) : -EAGAIN;
}

bool chain_net_client_is_up(const struct chain_net_client *c)
{
    return c->up;
}

int chain_net_client_receive(struct chain_net_client *c, int timeout_ms, enum chain_net_kind *kind_out, const uint8_t **data_out, size_t *len_out)
{
    int got = take_message(c, kind_out);
    if (!got) {
        zmq_pollitem_t items[] = {{c->monitor, 0, ZMQ_POLLIN, 0}, {c->dealer, 0, ZMQ_POLLIN, 0}};
        if (zmq_poll(items, 2, timeout_ms) < 0 && errno != EINTR)
            return -errno;
        got = take_message(c, kind_out);
        if (!got && items[0].revents)
            got = take_events(c);
    }
    if (got == 1) {
        *data_out = zmq_msg_data(&c->answer);
        *len_out = zmq_msg_size(&c->answer);
    }
    return got;
}

int chain_net_client_wait(struct chain_net_client *const *clients, size_t n, int timeout_ms)
{
    zmq_pollitem_t items[2 * MAX_WAIT];
    if (n > MAX_WAIT)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        items[2 * i] = (zmq_pollitem_t){clients[i]->monitor, 0, ZMQ_POLLIN, 0};
        items[2 * i + 1] = (zmq_pollitem_t){clients[i]->dealer, 0, ZMQ_POLLIN, 0};
    }
    return zmq_poll(items, (int)(2 * n), timeout_ms) < 0 && errno != EINTR ? -errno : 0;
}
