/* A member's door and its connections to the others'. */
#include "chain/net/net.h"

#include "chain/net/socket.h"
#include "chain/net/zap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

enum { I_DOOR, I_ROUTER, I_WAKE, I_PEERS };

struct peer {
    void *dealer, *monitor;
    bool up, told_not_let_in;
};

struct chain_net {
    struct chain_net_config cfg;
    struct chain_net_party parties[CHAIN_MAX_KEYS]; /* keys only: endpoints stay the caller's */
    struct peer peers[CHAIN_MAX_MEMBERS];           /* [self] is empty */
    void *context, *zap, *router, *router_monitor;
    zmq_msg_t message;                              /* whose octets the last event lends */
    int epoll_fd;
    uint64_t busy; /* bits I_...: there may be something to take there */
    struct chain_net_stats stats;
};

static int fail(char *error_out, const char *what, int err)
{
    snprintf(error_out, CHAIN_NET_MAX_ERROR, "%s: %s", what, zmq_strerror(err));
    return -err;
}

static int open_door(struct chain_net *net, char *error_out)
{
    net->zap = chain_net_zap_open(net->context);
    net->router = chain_net_socket(net->context, ZMQ_ROUTER, net->cfg.max_message_bytes, net->cfg.queue_messages);
    if (!net->zap || !net->router || chain_net_set_server(net->router, net->cfg.secret))
        return fail(error_out, "ZeroMQ", errno);
    net->router_monitor = chain_net_monitor(net->context, net->router, "door");
    if (!net->router_monitor)
        return fail(error_out, "ZeroMQ", errno);
    if (zmq_bind(net->router, net->cfg.bind) < 0)
        return fail(error_out, net->cfg.bind, errno);
    return 0;
}

static int connect_peer(struct chain_net *net, uint32_t member, char *error_out)
{
    struct peer *peer = &net->peers[member];
    char name[16];
    snprintf(name, sizeof name, "%u", (unsigned)member);
    peer->dealer = chain_net_socket(net->context, ZMQ_DEALER, net->cfg.max_message_bytes, net->cfg.queue_messages);
    if (!peer->dealer)
        return fail(error_out, "ZeroMQ", errno);
    int err = chain_net_set_client(peer->dealer, net->cfg.secret, net->parties[member].key);
    if (err)
        return fail(error_out, "ZeroMQ", -err);
    peer->monitor = chain_net_monitor(net->context, peer->dealer, name);
    if (!peer->monitor)
        return fail(error_out, "ZeroMQ", errno);
    if (zmq_connect(peer->dealer, net->parties[member].endpoint) < 0)
        return fail(error_out, net->parties[member].endpoint, errno);
    return 0;
}

/* 0 or negative errno */
static int watch(const struct chain_net *net, void *socket, unsigned i)
{
    int fd = net->cfg.wake_fd;
    size_t len = sizeof fd;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT64_C(1) << i};
    if (socket && zmq_getsockopt(socket, ZMQ_FD, &fd, &len) < 0)
        return -errno;
    return epoll_ctl(net->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_epoll(struct chain_net *net, char *error_out)
{
    net->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int err = net->epoll_fd < 0 ? -errno : 0;
    const struct {
        void *socket;
        unsigned bit;
    } doors[] = {{net->zap, I_DOOR}, {net->router_monitor, I_DOOR}, {net->router, I_ROUTER}};
    for (size_t i = 0; i < sizeof doors / sizeof doors[0] && !err; i++)
        err = watch(net, doors[i].socket, doors[i].bit);
    for (uint32_t i = 0; i < net->cfg.n_members && !err; i++)
        if (i != net->cfg.self)
            err = watch(net, net->peers[i].monitor, I_PEERS + i);
    if (!err && net->cfg.wake_fd >= 0)
        err = watch(net, NULL, I_WAKE);
    net->busy = UINT64_MAX; /* what happened before anybody watched */
    return err ? fail(error_out, "ZeroMQ", -err) : 0;
}

int chain_net_open(const struct chain_net_config *cfg, struct chain_net **out, char *error_out)
{
    if (cfg->n_members > CHAIN_MAX_MEMBERS || cfg->n_parties > CHAIN_MAX_KEYS || cfg->n_members > cfg->n_parties ||
        cfg->self >= cfg->n_members)
        return fail(error_out, "parties", EINVAL);
    struct chain_net *net = calloc(1, sizeof *net);
    if (!net)
        return fail(error_out, "ZeroMQ", ENOMEM);
    net->cfg = *cfg;
    for (uint32_t i = 0; i < cfg->n_parties; i++)
        net->parties[i] = cfg->parties[i];
    zmq_msg_init(&net->message);
    net->epoll_fd = -1;
    net->context = zmq_ctx_new();
    int err = net->context ? 0 : fail(error_out, "ZeroMQ", errno);
    if (!err && zmq_ctx_set(net->context, ZMQ_BLOCKY, 0) < 0)
        err = fail(error_out, "ZeroMQ", errno);
    if (!err)
        err = open_door(net, error_out);
    for (uint32_t i = 0; i < cfg->n_members && !err; i++)
        if (i != cfg->self)
            err = connect_peer(net, i, error_out);
    if (!err)
        err = open_epoll(net, error_out);
    if (err) {
        chain_net_close(net);
        return err;
    }
    *out = net;
    return 0;
}

static void close_socket(void *socket)
{
    if (socket)
        zmq_close(socket);
}

void chain_net_close(struct chain_net *net)
{
    for (uint32_t i = 0; i < net->cfg.n_members; i++) {
        if (net->peers[i].monitor)
            zmq_socket_monitor(net->peers[i].dealer, NULL, 0);
        close_socket(net->peers[i].monitor);
        close_socket(net->peers[i].dealer);
    }
    if (net->router_monitor)
        zmq_socket_monitor(net->router, NULL, 0);
    close_socket(net->router_monitor);
    close_socket(net->router);
    close_socket(net->zap);
    zmq_msg_close(&net->message);
    if (net->epoll_fd >= 0)
        close(net->epoll_fd);
    if (net->context)
        zmq_ctx_term(net->context);
    free(net);
}

/* Frames beyond what a message has, read off so that the next one starts at its beginning */
static void skip_rest(void *socket)
{
    int more = 1;
    size_t len = sizeof more;
    while (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &len) == 0 && more) {
        zmq_msg_t rest;
        zmq_msg_init(&rest);
        int n = zmq_msg_recv(&rest, socket, ZMQ_DONTWAIT);
        zmq_msg_close(&rest);
        if (n < 0)
            return;
    }
}

/* Which party the connection proved to be; the door sets this, the peer cannot */
static uint32_t party_of(zmq_msg_t *message)
{
    const char *user = zmq_msg_gets(message, "User-Id");
    return user && *user ? (uint32_t)strtoul(user, NULL, 10) : UINT32_MAX;
}

/* identity, kind, data. 1: *out is set; 0: refused, counted; -EAGAIN: nothing there */
static int take_message(struct chain_net *net, struct chain_net_event *out)
{
    uint8_t id[256];
    int id_len = zmq_recv(net->router, id, sizeof id, ZMQ_DONTWAIT);
    if (id_len < 0)
        return -errno;
    int kind_len = zmq_msg_recv(&net->message, net->router, ZMQ_DONTWAIT);
    uint8_t kind = kind_len == 1 ? *(const uint8_t *)zmq_msg_data(&net->message) : 0;
    uint32_t from = party_of(&net->message);
    bool more = kind_len == 1 && zmq_msg_more(&net->message);
    int data_len = more ? zmq_msg_recv(&net->message, net->router, ZMQ_DONTWAIT) : -1;
    bool complete = data_len >= 0 && (size_t)data_len <= net->cfg.max_message_bytes && !zmq_msg_more(&net->message);
    skip_rest(net->router);
    bool is_bundle = kind == CHAIN_NET_BUNDLE && from < net->cfg.n_members && from != net->cfg.self;
    bool is_request = (kind == CHAIN_NET_REQUEST || kind == CHAIN_NET_SUBMIT) && id_len <= CHAIN_NET_MAX_CALLER;
    if (!complete || from >= net->cfg.n_parties || (!is_bundle && !is_request)) {
        net->stats.refused_malformed++;
        return 0;
    }
    net->stats.received++;
    *out = (struct chain_net_event){.kind = (enum chain_net_kind)kind,
                                    .from = from,
                                    .data = zmq_msg_data(&net->message),
                                    .len = (size_t)data_len};
    if (is_request) {
        out->caller.len = (uint8_t)id_len;
        memcpy(out->caller.id, id, (size_t)id_len);
    }
    return 1;
}

/* 1: it means something to the caller */
static int take_peer_event(struct chain_net *net, uint32_t member, int event, struct chain_net_event *out)
{
    struct peer *peer = &net->peers[member];
    *out = (struct chain_net_event){.from = member};
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        peer->up = true;
        peer->told_not_let_in = false;
        net->stats.n_up++;
        out->kind = CHAIN_NET_UP;
        return 1;
    case ZMQ_EVENT_DISCONNECTED:
        if (!peer->up)
            return 0;
        peer->up = false;
        net->stats.n_up--;
        out->kind = CHAIN_NET_DOWN;
        return 1;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        if (peer->told_not_let_in)
            return 0;
        peer->told_not_let_in = true;
        out->kind = CHAIN_NET_NOT_LET_IN;
        return 1;
    default:
        return 0;
    }
}

/* Has somebody at the door been waiting for an answer whether they may come in? */
static void take_door(struct chain_net *net)
{
    for (int answered; (answered = chain_net_zap_answer(net->zap, net->parties, net->cfg.n_parties)) != -EAGAIN;)
        net->stats.strangers += answered == 0;
    for (int event; (event = chain_net_monitor_take(net->router_monitor)) != 0;)
        net->stats.bad_handshakes += event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL || event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
}

/* What is known to be at hand. 1: *out is set; 0: nothing (more); negative errno */
static int take_at_hand(struct chain_net *net, struct chain_net_event *out)
{
    if (net->busy >> I_DOOR & 1)
        take_door(net);
    net->busy &= ~(UINT64_C(1) << I_DOOR);
    for (uint32_t i = 0; i < net->cfg.n_members; i++)
        for (uint64_t bit = UINT64_C(1) << (I_PEERS + i); net->busy & bit;) {
            int event = i != net->cfg.self ? chain_net_monitor_take(net->peers[i].monitor) : 0;
            if (event == 0)
                net->busy &= ~bit;
            else if (take_peer_event(net, i, event, out))
                return 1;
        }
    while (net->busy >> I_ROUTER & 1) {
        int got = take_message(net, out);
        if (got == -EAGAIN)
            net->busy &= ~(UINT64_C(1) << I_ROUTER);
        else
            return got;
    }
    return 0;
}

/* A ZeroMQ socket's descriptor tells that something changed, once: whatever there is has to be taken before it is waited for again, also after
 * a send on the same socket, which may have swallowed the news. zmq_poll asks every socket twice, at tens of system calls a time. */
static int wait_for_any(struct chain_net *net, int timeout_ms)
{
    struct epoll_event events[8];
    int n = epoll_wait(net->epoll_fd, events, sizeof events / sizeof events[0], timeout_ms);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++)
        net->busy |= events[i].data.u64;
    return 0;
}

int chain_net_poll(struct chain_net *net, int timeout_ms, struct chain_net_event *out)
{
    int got = take_at_hand(net, out);
    if (got != 0 || net->busy >> I_ROUTER & 1)
        return got; /* the second: something was refused, and there may be more */
    int err = wait_for_any(net, timeout_ms);
    return err ? err : take_at_hand(net, out);
}

static void send_one(struct chain_net *net, uint32_t member, const void *data, size_t len)
{
    if (chain_net_send_frames(net->peers[member].dealer, CHAIN_NET_BUNDLE, data, len))
        net->stats.dropped_full++;
    else
        net->stats.sent++;
}

void chain_net_send(struct chain_net *net, uint32_t to, const void *data, size_t len)
{
    for (uint32_t i = 0; i < net->cfg.n_members; i++)
        if (i != net->cfg.self && (to == UINT32_MAX || to == i))
            send_one(net, i, data, len);
}

void chain_net_reply(struct chain_net *net, const struct chain_net_caller *caller, enum chain_net_kind kind, const void *data, size_t len)
{
    net->busy |= UINT64_C(1) << I_ROUTER;
    /* a ROUTER drops silently what it cannot deliver */
    if (zmq_send(net->router, caller->id, caller->len, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0 ||
        chain_net_send_frames(net->router, (char)kind, data, len))
        net->stats.replies_dropped++;
    else
        net->stats.sent++;
}

bool chain_net_is_up(const struct chain_net *net, uint32_t member)
{
    return member < net->cfg.n_members && net->peers[member].up;
}

void chain_net_stats(const struct chain_net *net, struct chain_net_stats *out)
{
    *out = net->stats;
}
