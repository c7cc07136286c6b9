/* Requests and replies, and what becomes of them when the other side goes. */
#include "phy/radio/zmq_link.h"

#include "phy/machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LINGER_MS = 200, RECONNECT_MS = 20 };

/* A look at a monitor that has nothing to tell costs a system call, so that it is not for every message: often enough that the end of a
 * connection is seen before a source has another one. A wait looks at once, and so does a sink when somebody new asks. */
static const int64_t look_again_ns = RECONNECT_MS * 1000000 / 4;

static int64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool is_due(int64_t *look_ns)
{
    int64_t now_ns = monotonic_ns();
    if (now_ns < *look_ns)
        return false;
    *look_ns = now_ns + look_again_ns;
    return true;
}

static int set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

/* A dead host is noticed by the kernel's keepalive; ZeroMQ's own heartbeat would also give up a peer that is merely stopped. */
static void *open_socket(void *context, int type)
{
    void *socket = zmq_socket(context, type);
    int64_t max_bytes = type == ZMQ_REQ ? PHY_ZMQ_MAX_REPLY_BYTES : PHY_ZMQ_MAX_REQUEST_BYTES;
    if (!socket)
        return NULL;
    /* the last answer may still be on its way when the socket is closed; nothing else is waited for */
    int bad = set_int(socket, ZMQ_LINGER, type == ZMQ_ROUTER ? LINGER_MS : 0) | set_int(socket, ZMQ_TCP_KEEPALIVE, 1) | set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, 5) |
              set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, 2) | set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, 3) |
              set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) | zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes);
    if (!bad && type == ZMQ_REQ) /* IMMEDIATE: a request belongs to a connection and goes with it */
        bad = set_int(socket, ZMQ_REQ_RELAXED, 1) | set_int(socket, ZMQ_REQ_CORRELATE, 1) | set_int(socket, ZMQ_IMMEDIATE, 1);
    else if (!bad)
        bad = set_int(socket, ZMQ_ROUTER_MANDATORY, 1);
    if (!bad)
        return socket;
    zmq_close(socket);
    return NULL;
}

static void *open_monitor(void *context, void *socket, const char *name)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://monitor-%s", name);
    if (zmq_socket_monitor(socket, endpoint, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) < 0)
        return NULL;
    void *monitor = zmq_socket(context, ZMQ_PAIR);
    if (monitor && (set_int(monitor, ZMQ_LINGER, 0) < 0 || zmq_connect(monitor, endpoint) < 0)) {
        zmq_close(monitor);
        return NULL;
    }
    return monitor;
}

/* The next event of a connection; 0 if there is none */
static int take_event(void *monitor, int *fd_out)
{
    zmq_msg_t part;
    zmq_msg_init(&part);
    uint16_t event = 0;
    uint32_t value = 0;
    if (zmq_msg_recv(&part, monitor, ZMQ_DONTWAIT) >= 6) {
        const uint8_t *data = zmq_msg_data(&part);
        memcpy(&event, data, sizeof event);
        memcpy(&value, data + sizeof event, sizeof value);
        if (zmq_msg_more(&part))
            zmq_msg_recv(&part, monitor, ZMQ_DONTWAIT);
    }
    zmq_msg_close(&part);
    *fd_out = (int)value;
    return event;
}

static int get_fd(void *socket)
{
    int fd = -1;
    size_t len = sizeof fd;
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &len) < 0 ? -1 : fd;
}

static void close_sockets(void **socket, void **monitor)
{
    if (*monitor) {
        zmq_socket_monitor(*socket, NULL, 0);
        zmq_close(*monitor);
    }
    if (*socket)
        zmq_close(*socket);
    *socket = *monitor = NULL;
}

/* --- asking --------------------------------------------------------------------------------------------------------------------- */

int phy_zmq_source_open(struct phy_zmq_source *s, void *context, const char *name, const char *endpoint, bool four_octets)
{
    *s = (struct phy_zmq_source){.four_octets = four_octets};
    zmq_msg_init(&s->reply);
    s->socket = open_socket(context, ZMQ_REQ);
    s->monitor = s->socket ? open_monitor(context, s->socket, name) : NULL;
    if (s->monitor && zmq_connect(s->socket, endpoint) == 0) {
        s->socket_fd = get_fd(s->socket);
        s->monitor_fd = get_fd(s->monitor);
        return 0;
    }
    int err = -errno;
    close_sockets(&s->socket, &s->monitor);
    return err;
}

static void take_source_events(struct phy_zmq_source *s)
{
    int fd;
    for (int event; (event = take_event(s->monitor, &fd)) != 0;) {
        s->up = event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
        s->n_connections += s->up;
        s->fresh |= s->up;
        if (!s->up)
            s->asked = false; /* a reply that arrived before the connection's end is taken first: phy_zmq_source_take */
    }
}

/* Looks at what came for the socket, which zmq_send does only now and then. */
static bool is_writable(void *socket)
{
    int events = 0;
    size_t len = sizeof events;
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &len) == 0 && (events & ZMQ_POLLOUT);
}

int phy_zmq_source_ask(struct phy_zmq_source *s, uint32_t n)
{
    if (s->asked || s->n_held)
        return 0;
    if (is_due(&s->look_ns))
        take_source_events(s);
    if (!s->up)
        return 0;
    const uint8_t count[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
    const void *request = s->four_octets ? (const void *)count : "\xff";
    size_t len = s->four_octets ? 4 : 1;
    int rc = zmq_send(s->socket, request, len, ZMQ_DONTWAIT);
    if (rc < 0 && errno == EAGAIN && is_writable(s->socket))
        rc = zmq_send(s->socket, request, len, ZMQ_DONTWAIT);
    s->blocked = rc < 0;
    if (rc < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    s->asked = true;
    s->idle = true; /* no answer is there before the peer has the request */
    s->n_requests++;
    return 1;
}

/* GNU Radio's tag header: 0x5FF0 and a version */
static bool is_tagged(const uint8_t *data, size_t len)
{
    return len >= 3 && ((data[0] == 0xf0 && data[1] == 0x5f) || (data[0] == 0x5f && data[1] == 0xf0)) && data[2] == 1;
}

static int refuse_reply(struct phy_zmq_source *s, size_t n_bytes)
{
    s->n_bad++;
    s->bad_bytes = n_bytes;
    s->bad_is_tagged = is_tagged(zmq_msg_data(&s->reply), zmq_msg_size(&s->reply));
    bool more = zmq_msg_more(&s->reply) != 0;
    while (more && zmq_msg_recv(&s->reply, s->socket, ZMQ_DONTWAIT) >= 0)
        more = zmq_msg_more(&s->reply) != 0;
    return -EPROTO;
}

static int take_reply(struct phy_zmq_source *s)
{
    int n = zmq_msg_recv(&s->reply, s->socket, ZMQ_DONTWAIT);
    if (n < 0) /* EFSM: no request is out */
        return errno == EAGAIN || errno == EINTR || errno == EFSM ? 0 : -errno;
    s->asked = false;
    s->n_replies++;
    if (n % PHY_ZMQ_SAMPLE_BYTES || zmq_msg_more(&s->reply))
        return refuse_reply(s, (size_t)n);
    s->n_empty += n == 0;
    s->n_held = (size_t)n / PHY_ZMQ_SAMPLE_BYTES;
    s->i_held = 0;
    return s->n_held > 0;
}

int phy_zmq_source_take(struct phy_zmq_source *s)
{
    if (s->n_held)
        return 1;
    bool due = is_due(&s->look_ns), skip = s->idle && !due;
    s->idle = false;
    int got = s->asked && !skip ? take_reply(s) : 0;
    if (got || !due)
        return got;
    bool was_asked = s->asked;
    take_source_events(s);
    if (!was_asked || s->asked)
        return 0;
    /* the end was told after the last reply was queued */
    uint64_t n_replies = s->n_replies;
    got = take_reply(s);
    s->n_unanswered += s->n_replies == n_replies;
    return got;
}

size_t phy_zmq_source_read(struct phy_zmq_source *s, float complex *out, size_t cap, size_t *n_nonfinite_out)
{
    size_t n = s->n_held - s->i_held < cap ? s->n_held - s->i_held : cap;
    const uint8_t *from = (const uint8_t *)zmq_msg_data(&s->reply) + s->i_held * PHY_ZMQ_SAMPLE_BYTES;
    if ((uintptr_t)from % _Alignof(float complex)) {
        memcpy(out, from, n * sizeof *out);
        from = (const uint8_t *)out;
    }
    *n_nonfinite_out = phy_copy_finite(out, (const float complex *)(const void *)from, n);
    s->n_nonfinite += *n_nonfinite_out;
    s->i_held += n;
    if (s->i_held == s->n_held)
        phy_zmq_source_drop(s);
    return n;
}

void phy_zmq_source_drop(struct phy_zmq_source *s)
{
    s->n_held = s->i_held = 0;
}

void phy_zmq_source_close(struct phy_zmq_source *s)
{
    if (!s->socket)
        return;
    zmq_msg_close(&s->reply);
    close_sockets(&s->socket, &s->monitor);
}

/* --- answering ------------------------------------------------------------------------------------------------------------------ */

int phy_zmq_sink_open(struct phy_zmq_sink *s, void *context, const char *name, const char *endpoint)
{
    *s = (struct phy_zmq_sink){.fd = -1};
    s->socket = open_socket(context, ZMQ_ROUTER);
    s->monitor = s->socket ? open_monitor(context, s->socket, name) : NULL;
    if (s->monitor && zmq_bind(s->socket, endpoint) == 0) {
        s->socket_fd = get_fd(s->socket);
        s->monitor_fd = get_fd(s->monitor);
        return 0;
    }
    int err = -errno;
    close_sockets(&s->socket, &s->monitor);
    return err;
}

static bool is_of(const uint8_t *name, size_t len, const zmq_msg_t *frame)
{
    zmq_msg_t *f = (zmq_msg_t *)(uintptr_t)frame; /* zmq.h takes none that are const */
    return len > 0 && zmq_msg_size(f) == len && memcmp(zmq_msg_data(f), name, len) == 0;
}

static void forget_asker(struct phy_zmq_sink *s)
{
    memcpy(s->gone, s->frames[0], sizeof s->gone);
    s->gone_bytes = s->n_frames ? s->frame_bytes[0] : 0;
    s->n_frames = 0;
    s->up = s->asked = false;
    s->fd = -1;
}

/* Whoever merely knocks at the port changes nothing. */
static void take_sink_events(struct phy_zmq_sink *s)
{
    int fd;
    for (int event; (event = take_event(s->monitor, &fd)) != 0;) {
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            s->n_connections++;
            s->up = true;
        } else if (fd == s->fd || s->fd < 0) {
            forget_asker(s);
        }
    }
}

/* Frames before the answer: the connection's name, then what the asker put before an empty frame. false: not such a message.
 * A descriptor may be that of an earlier connection again: what became of that one is heard before anybody new is. */
static bool take_envelope(struct phy_zmq_sink *s, zmq_msg_t *frame)
{
    if (s->n_frames == 0 || !is_of(s->frames[0], s->frame_bytes[0], frame))
        take_sink_events(s);
    uint8_t name[PHY_ZMQ_MAX_FRAME_BYTES];
    size_t name_bytes = s->n_frames ? s->frame_bytes[0] : 0;
    memcpy(name, s->frames[0], sizeof name);
    bool good = !is_of(s->gone, s->gone_bytes, frame), ended = false;
    bool fresh = !is_of(name, name_bytes, frame);
    s->n_frames = 0;
    for (;;) {
        size_t len = zmq_msg_size(frame);
        if (s->n_frames == PHY_ZMQ_MAX_ENVELOPE || len > PHY_ZMQ_MAX_FRAME_BYTES) {
            good = false;
        } else {
            memcpy(s->frames[s->n_frames], zmq_msg_data(frame), len);
            s->frame_bytes[s->n_frames++] = len;
        }
        ended = s->n_frames > 1 && len == 0;
        if (ended || !zmq_msg_more(frame) || zmq_msg_recv(frame, s->socket, ZMQ_DONTWAIT) < 0)
            break;
    }
    good = good && ended && zmq_msg_more(frame) && zmq_msg_recv(frame, s->socket, ZMQ_DONTWAIT) >= 0;
    if (good) {
        s->fresh |= fresh;
        return true;
    }
    memcpy(s->frames[0], name, sizeof name);
    s->frame_bytes[0] = name_bytes;
    s->n_frames = name_bytes > 0;
    return false;
}

static uint32_t read_count(zmq_msg_t *body)
{
    const uint8_t *data = zmq_msg_data(body);
    uint32_t n = zmq_msg_size(body) == 4 ? (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24 : 0;
    return n ? n : UINT32_MAX;
}

static void drain(void *socket, zmq_msg_t *frame)
{
    while (zmq_msg_more(frame) && zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) >= 0)
        continue;
}

static int answer_nothing(struct phy_zmq_sink *s)
{
    zmq_msg_t nothing;
    zmq_msg_init(&nothing);
    s->n_bad++;
    int begun = phy_zmq_sink_begin(s);
    if (begun > 0)
        return phy_zmq_sink_give(s, &nothing);
    zmq_msg_close(&nothing);
    return begun;
}

int phy_zmq_sink_take(struct phy_zmq_sink *s)
{
    bool due = is_due(&s->look_ns), skip = s->idle && !due;
    s->idle = false;
    if (due)
        take_sink_events(s);
    while (!s->asked && !skip) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        int n = zmq_msg_recv(&frame, s->socket, ZMQ_DONTWAIT), err = errno;
        bool good = n >= 0 && take_envelope(s, &frame);
        if (good) {
            n = (int)zmq_msg_size(&frame);
            s->fd = zmq_msg_get(&frame, ZMQ_SRCFD);
            s->up = s->asked = true;
            s->wanted = read_count(&frame);
            s->n_requests++;
        }
        if (n >= 0)
            drain(s->socket, &frame);
        zmq_msg_close(&frame);
        if (n < 0)
            return err == EAGAIN || err == EINTR ? 0 : -err;
        if (good && n == 0) {
            err = answer_nothing(s);
            if (err < 0)
                return err;
        }
    }
    return s->asked;
}

int phy_zmq_sink_begin(struct phy_zmq_sink *s)
{
    for (size_t i = 0; i < s->n_frames; i++) {
        if (zmq_send(s->socket, s->frames[i], s->frame_bytes[i], ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
            continue;
        if (errno != EHOSTUNREACH && errno != EAGAIN)
            return -errno;
        forget_asker(s);
        return 0;
    }
    return 1;
}

int phy_zmq_sink_give(struct phy_zmq_sink *s, zmq_msg_t *samples)
{
    s->asked = false;
    s->n_replies++;
    if (zmq_msg_send(samples, s->socket, ZMQ_DONTWAIT) >= 0)
        return 0;
    int err = -errno;
    zmq_msg_close(samples);
    return err;
}

void phy_zmq_sink_close(struct phy_zmq_sink *s)
{
    close_sockets(&s->socket, &s->monitor);
}

/* --- waiting -------------------------------------------------------------------------------------------------------------------- */

static void add(struct phy_zmq_wait *w, int fd, int64_t *look_ns, bool *idle)
{
    if (w->n == 2 * PHY_ZMQ_MAX_WAIT)
        return;
    w->fds[w->n] = (struct pollfd){fd, POLLIN, 0};
    w->look_ns[w->n] = look_ns;
    w->idle[w->n++] = idle;
}

void phy_zmq_wait_source(struct phy_zmq_wait *w, struct phy_zmq_source *s)
{
    if (!s->socket)
        return;
    add(w, s->monitor_fd, &s->look_ns, NULL);
    if (!s->n_held && (s->asked || s->blocked))
        add(w, s->socket_fd, NULL, &s->idle);
}

void phy_zmq_wait_sink(struct phy_zmq_wait *w, struct phy_zmq_sink *s)
{
    if (!s->socket)
        return;
    add(w, s->monitor_fd, &s->look_ns, NULL);
    if (!s->asked)
        add(w, s->socket_fd, NULL, &s->idle);
}

int phy_zmq_wait(const struct phy_zmq_wait *w, int64_t wait_ns)
{
    struct pollfd fds[2 * PHY_ZMQ_MAX_WAIT];
    memcpy(fds, w->fds, w->n * sizeof *fds);
    int64_t wait_ms = wait_ns < 0 ? 0 : wait_ns / 1000000 + (wait_ns % 1000000 > 0);
    int n = poll(fds, (nfds_t)w->n, wait_ms < PHY_ZMQ_MAX_WAIT_MS ? (int)wait_ms : PHY_ZMQ_MAX_WAIT_MS);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (size_t i = 0; i < w->n && n > 0; i++) {
        if (w->idle[i])
            *w->idle[i] = !fds[i].revents;
        else if (fds[i].revents)
            *w->look_ns[i] = 0;
    }
    return 0;
}
