/* ZeroMQ sockets with bounds. */
#include "chain/net/socket.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

enum {
    HANDSHAKE_MS = 5000,       /* a connection that has not proved its key by then is cut */
    HEARTBEAT_MS = 1000, HEARTBEAT_TIMEOUT_MS = 4000,
    RECONNECT_MS = 100, RECONNECT_MAX_MS = 1600,
    BACKLOG = 128,
    CURVE_BYTES = 64           /* what encryption adds to a frame, rounded up (RFC 26: 33 octets) */
};

int chain_net_set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) < 0 ? -errno : 0;
}

void *chain_net_socket(void *context, int type, size_t max_message_bytes, uint32_t queue_messages)
{
    void *socket = zmq_socket(context, type);
    if (!socket)
        return NULL;
    const struct {
        int option, value;
    } settings[] = {
        {ZMQ_LINGER, 0},
        {ZMQ_SNDHWM, (int)queue_messages},
        {ZMQ_RCVHWM, (int)queue_messages},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS},
        {ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS},
        {ZMQ_HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS},
        {ZMQ_RECONNECT_IVL, RECONNECT_MS},
        {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS},
        {ZMQ_BACKLOG, BACKLOG},
        {ZMQ_IMMEDIATE, 1}, /* nothing is queued for a peer that is away: it asks for what it missed */
    };
    int err = 0;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0] && !err; i++)
        err = chain_net_set_int(socket, settings[i].option, settings[i].value);
    int64_t max = (int64_t)max_message_bytes + CURVE_BYTES;
    if (!err && zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof max) < 0)
        err = -errno;
    if (err) {
        zmq_close(socket);
        errno = -err;
        return NULL;
    }
    return socket;
}

static int set_pair(void *socket, const uint8_t secret[32])
{
    uint8_t public_key[32];
    crypto_scalarmult_base(public_key, secret);
    if (zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, sizeof public_key) < 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, 32) < 0)
        return -errno;
    return 0;
}

int chain_net_set_client(void *socket, const uint8_t secret[32], const uint8_t server_key[32])
{
    int err = set_pair(socket, secret);
    if (!err && zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, 32) < 0)
        err = -errno;
    return err;
}

int chain_net_set_server(void *socket, const uint8_t secret[32])
{
    int err = chain_net_set_int(socket, ZMQ_CURVE_SERVER, 1);
    if (!err)
        err = set_pair(socket, secret);
    if (!err && zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, "airdeed", 7) < 0)
        err = -errno;
    return err;
}

void *chain_net_monitor(void *context, void *socket, const char *name)
{
    char address[64];
    snprintf(address, sizeof address, "inproc://monitor-%s", name);
    if (zmq_socket_monitor(socket, address, ZMQ_EVENT_ALL) < 0)
        return NULL;
    void *pair = zmq_socket(context, ZMQ_PAIR);
    if (!pair)
        return NULL;
    if (chain_net_set_int(pair, ZMQ_LINGER, 0) || zmq_connect(pair, address) < 0) {
        int err = errno;
        zmq_close(pair);
        errno = err;
        return NULL;
    }
    return pair;
}

int chain_net_monitor_take(void *monitor)
{
    uint8_t event[6]; /* number, then a value that nobody needs here; both in host order */
    char endpoint[256];
    if (zmq_recv(monitor, event, sizeof event, ZMQ_DONTWAIT) != (int)sizeof event)
        return 0;
    if (zmq_recv(monitor, endpoint, sizeof endpoint, ZMQ_DONTWAIT) < 0)
        return 0;
    uint16_t number;
    memcpy(&number, event, sizeof number);
    return number;
}

int chain_net_send_frames(void *socket, char kind, const void *data, size_t len)
{
    if (zmq_send(socket, &kind, 1, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        return -errno;
    return zmq_send(socket, data, len, ZMQ_DONTWAIT) < 0 ? -errno : 0;
}
