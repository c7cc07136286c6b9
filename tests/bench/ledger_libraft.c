/* canonical libraft as a replicated log of opaque values: a node that listens to clients over TCP, and its load. Its own transport and
 * disk format are used as they come, with one thing added that its users add too: no delay on its sockets.
 * usage: ledger_libraft serve ID N BASE_PORT FOLDER            (node i: peers on BASE_PORT+i, clients on BASE_PORT+100+i)
 *        ledger_libraft load PORT CLIENTS CONNECTIONS VALUE_OCTETS WARM_S SECONDS
 * A client sends values of VALUE_OCTETS and gets an octet for each once it is applied: 0, or 1 when this node does not lead. */
#include "tests/bench/ledger_meter.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <raft.h>
#include <raft/uv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_VALUE = 4096, MAX_CONNECTIONS = 256, READ_OCTETS = 1 << 16, CLIENT_PORT_OFFSET = 100 };

/* --- the node ------------------------------------------------------------------------------------------------------------------ */

struct server {
    struct uv_loop_s loop;
    struct raft_uv_transport transport;
    struct raft_io io;
    struct raft_fsm fsm;
    struct raft raft;
    struct uv_tcp_s door;
    uint64_t n_applied;
    uint8_t last[MAX_VALUE];
    struct client *first;
};

struct client {
    struct uv_tcp_s tcp; /* first */
    struct server *server;
    struct client *next;
    size_t value_octets, n_in, n_out;
    uint8_t in[READ_OCTETS + MAX_VALUE], out[READ_OCTETS];
};

struct apply {
    struct raft_apply req; /* first */
    struct client *client;
};

/* libraft creates its connections here; Nagle's algorithm would make each of its messages wait for an acknowledgement */
int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *handle)
{
    int (*real)(uv_loop_t *, uv_tcp_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "uv_tcp_init");
    int err = real(loop, handle);
    return err ? err : uv_tcp_nodelay(handle, 1);
}

static int apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct server *s = fsm->data;
    s->n_applied++;
    memcpy(s->last, buf->base, buf->len < MAX_VALUE ? buf->len : MAX_VALUE);
    *result = NULL;
    return 0;
}

static int snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct server *s = fsm->data;
    *n_bufs = 1;
    *bufs = raft_malloc(sizeof **bufs);
    if (!*bufs)
        return RAFT_NOMEM;
    (*bufs)[0] = (struct raft_buffer){raft_malloc(MAX_VALUE), MAX_VALUE};
    memcpy((*bufs)[0].base, s->last, MAX_VALUE);
    return 0;
}

static int restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    struct server *s = fsm->data;
    memcpy(s->last, buf->base, buf->len < MAX_VALUE ? buf->len : MAX_VALUE);
    raft_free(buf->base);
    return 0;
}

static void flush(struct client *c)
{
    uv_buf_t buf = uv_buf_init((char *)c->out, (unsigned)c->n_out);
    int n = c->n_out ? uv_try_write((uv_stream_t *)&c->tcp, &buf, 1) : 0;
    if (n > 0) {
        memmove(c->out, c->out + n, c->n_out - (size_t)n);
        c->n_out -= (size_t)n;
    }
}

static void answer(struct client *c, uint8_t code)
{
    if (c->n_out < sizeof c->out)
        c->out[c->n_out++] = code;
}

static void on_applied(struct raft_apply *req, int status, void *result)
{
    (void)result;
    struct apply *a = (struct apply *)req;
    answer(a->client, status != 0);
    free(a);
}

/* Answers leave once a turn of the loop */
static void on_check(uv_check_t *check)
{
    for (struct client *c = ((struct server *)check->data)->first; c; c = c->next)
        flush(c);
}

static void take_value(struct client *c, const uint8_t *value)
{
    struct raft_buffer buf = {raft_malloc(c->value_octets), c->value_octets};
    struct apply *a = malloc(sizeof *a);
    memcpy(buf.base, value, buf.len);
    a->client = c;
    if (raft_apply(&c->server->raft, &a->req, &buf, 1, on_applied) == 0)
        return;
    raft_free(buf.base);
    free(a);
    answer(c, 1);
}

static void alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct client *c = (struct client *)handle;
    *buf = uv_buf_init((char *)c->in + c->n_in, (unsigned)(sizeof c->in - c->n_in));
}

/* The first two octets say how long this client's values are */
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct client *c = (struct client *)stream;
    if (n < 0) {
        uv_read_stop(stream);
        return;
    }
    c->n_in += (size_t)n;
    size_t at = 0;
    if (c->value_octets == 0 && c->n_in >= 2) {
        c->value_octets = (size_t)(c->in[0] << 8 | c->in[1]);
        at = 2;
        if (c->value_octets == 0 || c->value_octets > MAX_VALUE) {
            uv_read_stop(stream);
            return;
        }
    }
    for (; c->value_octets && c->n_in - at >= c->value_octets; at += c->value_octets)
        take_value(c, c->in + at);
    memmove(c->in, c->in + at, c->n_in - at);
    c->n_in -= at;
}

static void on_client(uv_stream_t *door, int status)
{
    struct server *s = door->data;
    struct client *c = status == 0 ? calloc(1, sizeof *c) : NULL;
    if (!c || uv_tcp_init(&s->loop, &c->tcp) || uv_accept(door, (uv_stream_t *)&c->tcp))
        return;
    c->server = s;
    c->next = s->first;
    s->first = c;
    uv_read_start((uv_stream_t *)&c->tcp, alloc, on_read);
}

static int open_raft(struct server *s, unsigned id, unsigned n, unsigned base_port, const char *folder)
{
    char address[32];
    struct raft_configuration members;
    if (raft_uv_tcp_init(&s->transport, &s->loop) || raft_uv_init(&s->io, &s->loop, folder, &s->transport))
        return -1;
    s->fsm = (struct raft_fsm){.version = 1, .data = s, .apply = apply, .snapshot = snapshot, .restore = restore};
    snprintf(address, sizeof address, "127.0.0.1:%u", base_port + id);
    if (raft_init(&s->raft, &s->io, &s->fsm, id, address))
        return -1;
    raft_uv_set_connect_retry_delay(&s->io, 100);
    raft_configuration_init(&members);
    for (unsigned i = 1; i <= n; i++) {
        snprintf(address, sizeof address, "127.0.0.1:%u", base_port + i);
        if (raft_configuration_add(&members, i, address, RAFT_VOTER))
            return -1;
    }
    int err = raft_bootstrap(&s->raft, &members);
    raft_configuration_close(&members);
    if (err && err != RAFT_CANTBOOTSTRAP)
        return -1;
    raft_set_pre_vote(&s->raft, true);
    raft_set_snapshot_threshold(&s->raft, 1 << 16);
    raft_set_snapshot_trailing(&s->raft, 1 << 13);
    return raft_start(&s->raft) ? -1 : 0;
}

static int serve(unsigned id, unsigned n, unsigned base_port, const char *folder)
{
    static struct server server;
    struct server *s = &server;
    struct sockaddr_in at;
    uv_check_t check;
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&s->loop);
    if (open_raft(s, id, n, base_port, folder)) {
        fprintf(stderr, "ledger_libraft: %s\n", raft_errmsg(&s->raft));
        return 3;
    }
    uv_ip4_addr("127.0.0.1", (int)(base_port + CLIENT_PORT_OFFSET + id), &at);
    uv_tcp_init(&s->loop, &s->door);
    s->door.data = s;
    if (uv_tcp_bind(&s->door, (struct sockaddr *)&at, 0) || uv_listen((uv_stream_t *)&s->door, 128, on_client))
        return 3;
    uv_check_init(&s->loop, &check);
    check.data = s;
    uv_check_start(&check, on_check);
    return uv_run(&s->loop, UV_RUN_DEFAULT); /* until it is killed */
}

/* --- its load ------------------------------------------------------------------------------------------------------------------- */

struct pipe {
    int fd;
    size_t n_clients, first; /* ring of times of what is under way */
    int64_t *since_ns;
};

struct load {
    struct ledger_meter meter;
    size_t value_octets, n_refused;
};

static int send_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int open_pipe(struct pipe *p, uint16_t port, size_t n_clients, size_t value_octets)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    uint8_t head[2] = {(uint8_t)(value_octets >> 8), (uint8_t)value_octets}, values[64 * MAX_VALUE] = {1};
    *p = (struct pipe){.fd = socket(AF_INET, SOCK_STREAM, 0), .n_clients = n_clients, .since_ns = calloc(n_clients, sizeof(int64_t))};
    if (p->fd < 0 || !p->since_ns || connect(p->fd, (struct sockaddr *)&to, sizeof to))
        return -1;
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int err = send_all(p->fd, head, 2);
    for (size_t i = 0; i < n_clients && !err; i++) {
        p->since_ns[i] = ledger_meter_now();
        err = send_all(p->fd, values, value_octets);
    }
    return err;
}

static int serve_pipe(struct load *l, struct pipe *p)
{
    uint8_t codes[4096], values[64 * MAX_VALUE] = {2};
    ssize_t n = recv(p->fd, codes, sizeof codes / 64, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : -1;
    int64_t now_ns = ledger_meter_now();
    for (ssize_t i = 0; i < n; i++) {
        ledger_meter_count(&l->meter, p->since_ns[p->first], now_ns, codes[i] == 0);
        l->n_refused += codes[i] != 0;
        p->since_ns[p->first] = now_ns;
        p->first = (p->first + 1) % p->n_clients;
    }
    return send_all(p->fd, values, (size_t)n * l->value_octets);
}

static int run_load(char **argv)
{
    static struct pipe pipes[MAX_CONNECTIONS];
    struct load l = {.value_octets = (size_t)atoi(argv[5])};
    size_t n_clients = (size_t)atoi(argv[3]), n = (size_t)atoi(argv[4]);
    struct pollfd fds[MAX_CONNECTIONS];
    if (n == 0 || n > MAX_CONNECTIONS || l.value_octets == 0 || l.value_octets > MAX_VALUE || ledger_meter_init(&l.meter, atof(argv[6]), atof(argv[7])))
        return 2;
    for (size_t i = 0; i < n; i++) {
        if (open_pipe(&pipes[i], (uint16_t)atoi(argv[2]), n_clients / n, l.value_octets))
            return 3;
        fds[i] = (struct pollfd){pipes[i].fd, POLLIN, 0};
    }
    while (!ledger_meter_done(&l.meter, ledger_meter_now())) {
        if (l.n_refused > 0 || poll(fds, n, 100) < 0)
            return 4; /* not the leader */
        for (size_t i = 0; i < n; i++)
            if (fds[i].revents && serve_pipe(&l, &pipes[i]))
                return 3;
    }
    return ledger_meter_finish(&l.meter);
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "serve") == 0)
        return serve((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]), argv[5]);
    if (argc == 8 && strcmp(argv[1], "load") == 0)
        return run_load(argv);
    fprintf(stderr, "ledger_libraft: serve ID N BASE_PORT FOLDER | load PORT CLIENTS CONNECTIONS VALUE_OCTETS WARM_S SECONDS\n");
    return 2;
}
