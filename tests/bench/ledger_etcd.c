/* Load for etcd: puts over its own gRPC interface (HTTP/2 without TLS), with as little work as that takes, so that the two cores are left
 * to the servers. usage: ledger_etcd HOST PORT CLIENTS CONNECTIONS VALUE_OCTETS WARM_S SECONDS */
#include "tests/bench/ledger_meter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 256, MAX_BODY = 5 + 2 + 16 + 3 + 4096, KEY_OCTETS = 8, N_KEYS = 16 };

struct put { /* one client: one operation at a time */
    struct connection *connection;
    uint64_t key;
    int64_t since_ns;
    size_t sent;
    bool good;
};

struct connection {
    int fd;
    nghttp2_session *session;
};

struct load {
    struct ledger_meter meter;
    size_t value_octets, body_octets;
    uint64_t next_key;
    char authority[64];
};

static struct load load; /* nghttp2's callbacks reach it without a detour */

static size_t put_varint(uint8_t *out, size_t value)
{
    size_t n = 0;
    for (; value >= 128; value >>= 7)
        out[n++] = (uint8_t)(value | 128);
    out[n++] = (uint8_t)value;
    return n;
}

/* gRPC's frame around PutRequest {bytes key = 1; bytes value = 2} */
static size_t write_body(uint8_t *out, uint64_t key)
{
    size_t n = 5;
    out[n++] = 0x0a;
    n += put_varint(out + n, KEY_OCTETS);
    for (int i = 0; i < KEY_OCTETS; i++)
        out[n++] = (uint8_t)(key >> (8 * i));
    out[n++] = 0x12;
    n += put_varint(out + n, load.value_octets);
    memset(out + n, (int)(key & 0xff), load.value_octets);
    n += load.value_octets;
    uint32_t len = htonl((uint32_t)(n - 5));
    out[0] = 0;
    memcpy(out + 1, &len, 4);
    return n;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *out, size_t cap, uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)session, (void)stream, (void)user;
    struct put *put = source->ptr;
    uint8_t body[MAX_BODY];
    size_t len = write_body(body, put->key) - put->sent;
    size_t n = len < cap ? len : cap;
    memcpy(out, body + put->sent, n);
    put->sent += n;
    if (n == len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

#define HEADER(name, value, value_len) {(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, value_len, NGHTTP2_NV_FLAG_NO_COPY_NAME}

static int submit(struct put *put)
{
    const nghttp2_nv headers[] = {
        HEADER(":method", "POST", 4),
        HEADER(":scheme", "http", 4),
        HEADER(":path", "/etcdserverpb.KV/Put", 20),
        HEADER(":authority", load.authority, strlen(load.authority)),
        HEADER("content-type", "application/grpc", 16),
        HEADER("te", "trailers", 8),
    };
    nghttp2_data_provider body = {.source.ptr = put, .read_callback = read_body};
    put->key = load.next_key++ % N_KEYS; /* as many as a station of ours may keep by default */
    put->sent = 0;
    put->good = false;
    put->since_ns = ledger_meter_now();
    return nghttp2_submit_request(put->connection->session, NULL, headers, sizeof headers / sizeof headers[0], &body, put) < 0 ? -1 : 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len, const uint8_t *value, size_t len,
                     uint8_t flags, void *user)
{
    (void)flags, (void)user;
    struct put *put = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (put && name_len == 11 && memcmp(name, "grpc-status", 11) == 0)
        put->good = len == 1 && *value == '0';
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
    (void)user;
    struct put *put = nghttp2_session_get_stream_user_data(session, stream);
    int64_t now_ns = ledger_meter_now();
    if (!put)
        return 0;
    ledger_meter_count(&load.meter, put->since_ns, now_ns, put->good && error == 0);
    if (ledger_meter_done(&load.meter, now_ns))
        return 0;
    return submit(put) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t len, int flags, void *user)
{
    (void)session, (void)flags;
    const struct connection *c = user;
    ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN ? NGHTTP2_ERR_WOULDBLOCK : NGHTTP2_ERR_CALLBACK_FAILURE;
    return n;
}

static int open_connection(struct connection *c, const char *host, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || inet_pton(AF_INET, host, &to.sin_addr) != 1 || connect(c->fd, (struct sockaddr *)&to, sizeof to))
        return -1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks))
        return -1;
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    int err = nghttp2_session_client_new(&c->session, callbacks, c);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20}};
    if (!err)
        err = nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 1);
    if (!err)
        err = nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, 1 << 24);
    return err ? -1 : 0;
}

/* What is readable is read, what nghttp2 has to say is sent */
static int serve(struct connection *c, short revents)
{
    static uint8_t buffer[1 << 16];
    if (revents & (POLLIN | POLLHUP | POLLERR)) {
        ssize_t n = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return -1;
        if (n > 0 && nghttp2_session_mem_recv(c->session, buffer, (size_t)n) < 0)
            return -1;
    }
    return nghttp2_session_send(c->session) ? -1 : 0;
}

static int run(struct connection *connections, size_t n)
{
    struct pollfd fds[MAX_CONNECTIONS];
    while (!ledger_meter_done(&load.meter, ledger_meter_now())) {
        for (size_t i = 0; i < n; i++)
            fds[i] = (struct pollfd){connections[i].fd, (short)(nghttp2_session_want_write(connections[i].session) ? POLLIN | POLLOUT : POLLIN), 0};
        if (poll(fds, n, 100) < 0)
            return -1;
        for (size_t i = 0; i < n; i++)
            if (fds[i].revents && serve(&connections[i], fds[i].revents))
                return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct connection connections[MAX_CONNECTIONS];
    if (argc != 8)
        return 2;
    size_t n_clients = (size_t)atoi(argv[3]), n = (size_t)atoi(argv[4]);
    load.value_octets = (size_t)atoi(argv[5]);
    snprintf(load.authority, sizeof load.authority, "%.40s:%.10s", argv[1], argv[2]);
    struct put *puts = calloc(n_clients, sizeof *puts);
    if (!puts || n == 0 || n > MAX_CONNECTIONS || load.value_octets > 4096 || ledger_meter_init(&load.meter, atof(argv[6]), atof(argv[7])))
        return 2;
    for (size_t i = 0; i < n; i++)
        if (open_connection(&connections[i], argv[1], (uint16_t)atoi(argv[2]))) {
            fprintf(stderr, "ledger_etcd: no connection to %s\n", load.authority);
            return 3;
        }
    for (size_t i = 0; i < n_clients; i++) {
        puts[i].connection = &connections[i % n];
        if (submit(&puts[i]))
            return 3;
    }
    if (run(connections, n)) {
        fprintf(stderr, "ledger_etcd: the connection to %s broke\n", load.authority);
        return 3;
    }
    for (size_t i = 0; i < n; i++) {
        nghttp2_session_del(connections[i].session);
        close(connections[i].fd);
    }
    free(puts);
    return ledger_meter_finish(&load.meter);
}
