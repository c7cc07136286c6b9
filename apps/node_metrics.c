/* libmicrohttpd, driven by the node's own loop. */
#include "apps/node_metrics.h"

#include "apps/node_status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONNECTIONS = 16, TIMEOUT_S = 5, CONNECTION_BYTES = 16384 };

struct app_node_metrics {
    struct MHD_Daemon *daemon;
    long (*write)(void *ctx, char *out, size_t cap);
    void *ctx;
    char text[APP_NODE_METRICS_BYTES];
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int parse(const char *where, union address *out)
{
    char host[64];
    const char *colon = strrchr(where, ':');
    size_t len = colon ? (size_t)(colon - where) : 0;
    if (len == 0 || len >= sizeof host || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5)
        return -EINVAL;
    int port = atoi(colon + 1);
    memcpy(host, where, len);
    host[len] = '\0';
    if (port < 1 || port > 65535)
        return -EINVAL;
    memset(out, 0, sizeof *out);
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
        return inet_pton(AF_INET6, host + 1, &out->v6.sin6_addr) == 1 ? 0 : -EINVAL;
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &out->v4.sin_addr) == 1 ? 0 : -EINVAL;
}

int app_node_metrics_check(const char *where)
{
    union address address;
    return parse(where, &address);
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *type, char *text, size_t len)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                              const char *upload, size_t *upload_len, void **state)
{
    (void)version, (void)upload, (void)state;
    struct app_node_metrics *m = ctx;
    static char nothing[] = "airdeed: /metrics\n";
    if (*upload_len > 0)
        return MHD_NO;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", nothing, sizeof nothing - 1);
    if (strcmp(url, "/metrics") != 0)
        return say(connection, MHD_HTTP_NOT_FOUND, "text/plain; charset=utf-8", nothing, sizeof nothing - 1);
    long len = m->write(m->ctx, m->text, sizeof m->text);
    if (len < 0)
        return MHD_NO;
    return say(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", m->text, (size_t)len);
}

int app_node_metrics_open(const char *where, long (*write)(void *ctx, char *out, size_t cap), void *ctx, struct app_node_metrics **out,
                          char *error_out)
{
    union address address;
    struct app_node_metrics *m = calloc(1, sizeof *m);
    int err = m ? parse(where, &address) : -ENOMEM;
    if (!err) {
        m->write = write;
        m->ctx = ctx;
        unsigned flags = MHD_USE_EPOLL | (address.any.sa_family == AF_INET6 ? MHD_USE_IPv6 : 0);
        errno = 0;
        m->daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, m, MHD_OPTION_SOCK_ADDR, &address.any, MHD_OPTION_CONNECTION_LIMIT,
                                     (unsigned)MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                     (size_t)CONNECTION_BYTES, MHD_OPTION_END);
        err = m->daemon ? 0 : errno ? -errno : -EADDRINUSE;
    }
    if (err) {
        snprintf(error_out, APP_NODE_MAX_ERROR, "metrics: %s: %s", where, strerror(-err));
        free(m);
        return err;
    }
    *out = m;
    return 0;
}

int app_node_metrics_fd(const struct app_node_metrics *m)
{
    return MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void app_node_metrics_run(struct app_node_metrics *m)
{
    MHD_run(m->daemon);
}

void app_node_metrics_close(struct app_node_metrics *m)
{
    if (!m)
        return;
    MHD_stop_daemon(m->daemon);
    free(m);
}
