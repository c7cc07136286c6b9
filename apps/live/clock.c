#include "apps/live/clock.h"

#include "apps/node_cluster.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { ANSWER_MS = 5000, MAX_ANSWER = 64 };

static int64_t sample_ns(uint64_t sample, uint32_t rate_hz)
{
    return (int64_t)(sample / rate_hz * 1000000000u + sample % rate_hz * 1000000000u / rate_hz);
}

int app_live_clock_parse(const char *text, struct app_live_clock *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return -EPROTO;
    errno = 0;
    unsigned long long joined = strtoull(text, &end, 10);
    if (errno || *end != ' ' || joined > INT64_MAX || end[1] < '0' || end[1] > '9')
        return -EPROTO;
    long long unix_ns = strtoll(end + 1, &end, 10);
    if (errno || *end != 0)
        return -EPROTO;
    *out = (struct app_live_clock){.first_sample = joined, .unix_ns = unix_ns};
    return 0;
}

static bool is_endpoint(const char *time)
{
    return strcmp(time, "wall") != 0 && strcmp(time, "samples") != 0;
}

int app_live_clock_watch_open(struct app_live_clock_watch *w, const char *time)
{
    int timeout_ms = ANSWER_MS, linger_ms = 0;
    *w = (struct app_live_clock_watch){0};
    if (!is_endpoint(time))
        return 0;
    w->context = zmq_ctx_new();
    w->socket = w->context ? zmq_socket(w->context, ZMQ_REQ) : NULL;
    if (!w->socket)
        return -ENOMEM;
    if (zmq_setsockopt(w->socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms) == 0 &&
        zmq_setsockopt(w->socket, ZMQ_SNDTIMEO, &timeout_ms, sizeof timeout_ms) == 0 &&
        zmq_setsockopt(w->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms) == 0 && zmq_connect(w->socket, time) == 0)
        return 0;
    return -zmq_errno();
}

void app_live_clock_watch_close(struct app_live_clock_watch *w)
{
    if (w->socket)
        zmq_close(w->socket);
    if (w->context)
        zmq_ctx_term(w->context);
    *w = (struct app_live_clock_watch){0};
}

/* flags: ZMQ_DONTWAIT, or 0 to wait. 0 or negative errno. */
static int take_answer(struct app_live_clock_watch *w, int flags, struct app_live_clock *out)
{
    char answer[MAX_ANSWER];
    int len = zmq_recv(w->socket, answer, sizeof answer - 1, flags);
    if (len < 0)
        return -zmq_errno();
    w->asked = false;
    answer[len < MAX_ANSWER ? len : 0] = 0; /* what is longer is no answer */
    return app_live_clock_parse(answer, out);
}

int app_live_clock_watch_look(struct app_live_clock_watch *w, struct app_live_clock *out)
{
    if (!w->socket)
        return 0;
    bool answered = w->asked && take_answer(w, ZMQ_DONTWAIT, out) == 0;
    if (!w->asked)
        w->asked = zmq_send(w->socket, "time", 4, ZMQ_DONTWAIT) == 4;
    return answered;
}

static int ask_air(const char *endpoint, struct app_live_clock *out, char *error_out)
{
    struct app_live_clock_watch w;
    int rc = app_live_clock_watch_open(&w, endpoint);
    if (rc == 0 && zmq_send(w.socket, "time", 4, 0) != 4)
        rc = -zmq_errno();
    if (rc == 0)
        rc = take_answer(&w, 0, out);
    app_live_clock_watch_close(&w);
    if (rc == 0)
        return 0;
    snprintf(error_out, APP_NODE_MAX_ERROR, "time %s: %s", endpoint,
             rc == -EAGAIN ? "no clock answers; is airdeed air running?" : rc == -EPROTO ? "its answer is no time" : strerror(-rc));
    return rc;
}

int app_live_clock_set(const struct app_live_clock_config *cfg, struct app_live_clock *out, char *error_out)
{
    int rc = 0;
    *out = (struct app_live_clock){.unix_ns = cfg->genesis_ns};
    if (strcmp(cfg->time, "wall") == 0)
        out->unix_ns = cfg->wall_ns - sample_ns(cfg->next_sample, cfg->sample_rate_hz);
    else if (is_endpoint(cfg->time))
        rc = ask_air(cfg->time, out, error_out);
    int64_t now_ns = out->unix_ns + sample_ns(out->first_sample + cfg->next_sample, cfg->sample_rate_hz);
    if (rc != 0 || now_ns >= cfg->genesis_ns)
        return rc;
    snprintf(error_out, APP_NODE_MAX_ERROR, "time %s: it is %" PRId64 " s before the genesis block's; the clocks are wrong, or the cluster file",
             cfg->time, (cfg->genesis_ns - now_ns) / 1000000000 + 1);
    return -EINVAL;
}
