/* The two ends of IQ over ZeroMQ, as srsRAN and GNU Radio's REQ and REP blocks speak it: a REQ socket asks, a REP socket answers
 * with complex 32-bit floats (little-endian, no header), any number of them. A request is one octet or more; one of four octets is
 * the most samples wanted, little-endian (GNU Radio), any other says nothing (srsRAN sends 0xFF).
 * A request whose taker vanished is asked again of whoever comes next; a request whose asker vanished is forgotten. Nothing here
 * blocks. The functions return negative errno where ZeroMQ fails. */
#ifndef PHY_ZMQ_LINK_H
#define PHY_ZMQ_LINK_H

#include <complex.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

/* A connection on which more is announced ends: 2^27 samples a reply, of which no peer comes near, and requests are some octets. */
enum { PHY_ZMQ_MAX_REPLY_BYTES = 1 << 30, PHY_ZMQ_MAX_REQUEST_BYTES = 1 << 20, PHY_ZMQ_SAMPLE_BYTES = 8 };

/* Asks for samples and holds the answer until it is read. */
struct phy_zmq_source {
    void *socket, *monitor; /* NULL: not open */
    bool up;                /* connected */
    bool asked;             /* a request is out */
    bool fresh;             /* what comes next is of another connection than what came before; the caller's to clear */
    bool four_octets;       /* requests carry the count, GNU Radio's form; else one octet, srsRAN's */
    int socket_fd, monitor_fd; /* signalled when there is something new */
    bool blocked;           /* a request could not be sent, though connected */
    bool idle;              /* the wait just over saw nothing at the socket: the next take does not look there */
    int64_t look_ns;        /* when to look at the monitor again; 0: now */
    zmq_msg_t reply;
    size_t n_held, i_held;  /* samples of the reply, and how many were read */
    uint64_t n_requests, n_replies, n_empty, n_bad, n_nonfinite, n_connections;
    uint64_t n_unanswered;  /* requests whose connection ended without the answer */
    size_t bad_bytes;       /* of the latest bad reply */
    bool bad_is_tagged;     /* it began like GNU Radio's tag header */
};

/* name: unlike any other's in this context. */
__attribute__((warn_unused_result)) int phy_zmq_source_open(struct phy_zmq_source *s, void *context, const char *name,
                                                            const char *endpoint, bool four_octets);
/* Asks for at most n samples (n >= 1), if nothing is held and no request is out. 1: asked; 0: nothing to do or not connected. */
int phy_zmq_source_ask(struct phy_zmq_source *s, uint32_t n);
/* 1: samples are held; 0: none came yet; -EPROTO: what came is not whole samples (counted, bad_bytes), or in several parts. */
__attribute__((warn_unused_result)) int phy_zmq_source_take(struct phy_zmq_source *s);
/* Reads held samples; those that are not finite as zero. */
size_t phy_zmq_source_read(struct phy_zmq_source *s, float complex *out, size_t cap, size_t *n_nonfinite_out);
/* Forgets what is held. */
void phy_zmq_source_drop(struct phy_zmq_source *s);
void phy_zmq_source_close(struct phy_zmq_source *s);

enum { PHY_ZMQ_MAX_ENVELOPE = 4, PHY_ZMQ_MAX_FRAME_BYTES = 64 };

/* Hears requests and answers them. A ROUTER socket, which is a REP to its peers: it tells connections apart and says whether the one
 * that asked is still there, so that no samples go to nobody. */
struct phy_zmq_sink {
    void *socket, *monitor;
    bool up;
    bool asked;       /* a request waits for its answer */
    bool fresh;       /* the request is the first of its connection; the caller's to clear */
    uint32_t wanted;  /* most samples that its answer may have; UINT32_MAX: any number */
    int socket_fd, monitor_fd; /* signalled when there is something new */
    bool idle;        /* the wait just over saw nothing at the socket: the next take does not look there */
    int64_t look_ns;  /* when to look at the monitor again; 0: now */
    int fd;           /* of the connection that asked last, -1 none */
    size_t n_frames;  /* what goes before the answer; the first names the connection */
    size_t frame_bytes[PHY_ZMQ_MAX_ENVELOPE];
    uint8_t frames[PHY_ZMQ_MAX_ENVELOPE][PHY_ZMQ_MAX_FRAME_BYTES];
    size_t gone_bytes; /* the name of a connection that broke: requests of it may still lie there */
    uint8_t gone[PHY_ZMQ_MAX_FRAME_BYTES];
    uint64_t n_requests, n_bad, n_replies, n_connections;
};

__attribute__((warn_unused_result)) int phy_zmq_sink_open(struct phy_zmq_sink *s, void *context, const char *name, const char *endpoint);
/* 1: a request waits; 0: none. One of zero octets is answered with nothing, and counted. */
__attribute__((warn_unused_result)) int phy_zmq_sink_take(struct phy_zmq_sink *s);
/* Begins the answer to the waiting request; phy_zmq_sink_give has to follow. 0: whoever asked is gone, there is nothing to answer. */
__attribute__((warn_unused_result)) int phy_zmq_sink_begin(struct phy_zmq_sink *s);
/* The answer: a message of whole samples, which it takes over. */
__attribute__((warn_unused_result)) int phy_zmq_sink_give(struct phy_zmq_sink *s, zmq_msg_t *samples);
void phy_zmq_sink_close(struct phy_zmq_sink *s);

/* Waits at sources and sinks with one system call, where zmq_poll makes one or two for each socket. A source that holds samples and a sink
 * whose request waits are not waited for, but their connections are. Whoever waits took, and found nothing, since the last message; what
 * another asker sent just then is seen a few ms later. */
enum { PHY_ZMQ_MAX_WAIT = 32, PHY_ZMQ_MAX_WAIT_MS = 20 };
struct phy_zmq_wait {
    size_t n;
    struct pollfd fds[2 * PHY_ZMQ_MAX_WAIT]; /* of a monitor where look_ns is there, of a socket where idle is */
    int64_t *look_ns[2 * PHY_ZMQ_MAX_WAIT];
    bool *idle[2 * PHY_ZMQ_MAX_WAIT];
};
void phy_zmq_wait_source(struct phy_zmq_wait *w, struct phy_zmq_source *s);
void phy_zmq_wait_sink(struct phy_zmq_wait *w, struct phy_zmq_sink *s);
/* At most PHY_ZMQ_MAX_WAIT_MS. 0, also where nothing happened or a signal came, or negative errno. */
__attribute__((warn_unused_result)) int phy_zmq_wait(const struct phy_zmq_wait *w, int64_t wait_ns);
#endif
