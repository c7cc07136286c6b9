/* ZAP: version, request id, domain, address, identity, mechanism, credentials. */
#include "chain/net/zap.h"

#include "chain/net/socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

enum { ZAP_FRAMES = 7, FRAME_BYTES = 256, I_REQUEST_ID = 1, I_MECHANISM = 5, I_CREDENTIALS = 6 };

struct frame {
    size_t len; /* what came, may be more than what is kept */
    uint8_t data[FRAME_BYTES];
};

void *chain_net_zap_open(void *context)
{
    void *zap = zmq_socket(context, ZMQ_REP);
    if (!zap)
        return NULL;
    if (chain_net_set_int(zap, ZMQ_LINGER, 0) || zmq_bind(zap, "inproc://zeromq.zap.01") < 0) {
        int err = errno;
        zmq_close(zap);
        errno = err;
        return NULL;
    }
    return zap;
}

static int has_more(void *socket)
{
    int more = 0;
    size_t len = sizeof more;
    return zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &len) == 0 && more;
}

/* Number of frames, all read; 0: no request */
static size_t receive_request(void *zap, struct frame frames[ZAP_FRAMES])
{
    size_t n = 0;
    do {
        struct frame spare, *f = n < ZAP_FRAMES ? &frames[n] : &spare;
        int len = zmq_recv(zap, f->data, sizeof f->data, ZMQ_DONTWAIT);
        if (len < 0)
            return 0;
        f->len = (size_t)len;
        n++;
    } while (has_more(zap));
    return n;
}

static bool is_text(const struct frame *f, const char *text)
{
    return f->len == strlen(text) && memcmp(f->data, text, f->len) == 0;
}

int chain_net_zap_answer(void *zap, const struct chain_net_party *parties, uint32_t n_parties)
{
    struct frame frames[ZAP_FRAMES] = {0};
    size_t n = receive_request(zap, frames);
    if (n == 0)
        return -EAGAIN;
    uint32_t party = n_parties;
    if (n == ZAP_FRAMES && is_text(&frames[0], "1.0") && is_text(&frames[I_MECHANISM], "CURVE") &&
        frames[I_CREDENTIALS].len == CHAIN_NET_KEY_BYTES)
        for (party = 0; party < n_parties; party++)
            if (memcmp(parties[party].key, frames[I_CREDENTIALS].data, CHAIN_NET_KEY_BYTES) == 0)
                break;
    bool known = party < n_parties;
    char user[12] = "";
    if (known)
        snprintf(user, sizeof user, "%u", (unsigned)party);
    size_t id_len = frames[I_REQUEST_ID].len < FRAME_BYTES ? frames[I_REQUEST_ID].len : FRAME_BYTES;
    const struct {
        const void *data;
        size_t len;
    } reply[] = {{"1.0", 3},           {frames[I_REQUEST_ID].data, id_len}, {known ? "200" : "400", 3}, {known ? "OK" : "unknown key", known ? 2 : 11},
                 {user, strlen(user)}, {"", 0}};
    size_t n_reply = sizeof reply / sizeof reply[0];
    for (size_t i = 0; i < n_reply; i++)
        if (zmq_send(zap, reply[i].data, reply[i].len, i + 1 < n_reply ? ZMQ_SNDMORE : 0) < 0)
            return 0;
    return known;
}
