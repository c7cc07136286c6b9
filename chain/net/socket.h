/* What both ends of a connection set alike. */
#ifndef CHAIN_NET_SOCKET_H
#define CHAIN_NET_SOCKET_H

#include <stddef.h>
#include <stdint.h>

/* Bounds, heartbeats and no lingering, for a socket of the given ZeroMQ type; NULL with errno set. */
void *chain_net_socket(void *context, int type, size_t max_message_bytes, uint32_t queue_messages);
int chain_net_set_int(void *socket, int option, int value);
/* CURVE client side: own key pair from the secret, the server's public key. 0 or negative errno. */
int chain_net_set_client(void *socket, const uint8_t secret[32], const uint8_t server_key[32]);
/* CURVE server side. */
int chain_net_set_server(void *socket, const uint8_t secret[32]);
/* A PAIR that reports the connection events of `socket`; NULL with errno set. name is unique in the context. */
void *chain_net_monitor(void *context, void *socket, const char *name);
/* One event, without waiting: its ZMQ_EVENT_ number, or 0. */
int chain_net_monitor_take(void *monitor);
/* kind, then data, without waiting: 0, -EAGAIN when the queue is full or nobody is connected, other negative errno. */
int chain_net_send_frames(void *socket, char kind, const void *data, size_t len);
#endif
