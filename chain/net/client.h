/* A client's end: one connection to a member's door. Questions go one at a time; submissions as many as the door takes. */
#ifndef CHAIN_NET_CLIENT_H
#define CHAIN_NET_CLIENT_H

#include "chain/net/net.h"

struct chain_net_client;

__attribute__((warn_unused_result)) int chain_net_client_open(const char *endpoint, const uint8_t server_key[CHAIN_NET_KEY_BYTES],
                                                              const uint8_t secret[CHAIN_NET_KEY_BYTES], size_t max_message_bytes,
                                                              struct chain_net_client **out);
/* Sends one question and waits for its answer, which stays valid until the next call. 0; -ECONNREFUSED: nobody listens there;
 * -EACCES: the door does not know our key; -EPIPE: the connection broke, whether the question arrived is open; -ETIMEDOUT; other
 * negative errno. After an error close it: a late answer would be taken for the next one's. */
__attribute__((warn_unused_result)) int chain_net_client_ask(struct chain_net_client *client, const void *data, size_t len, int timeout_ms,
                                                             const uint8_t **answer_out, size_t *answer_len_out);
/* Sends a message and waits for nothing: 0; -EAGAIN: not connected yet, or the queue is full; other negative errno. */
__attribute__((warn_unused_result)) int chain_net_client_send(struct chain_net_client *client, enum chain_net_kind kind, const void *data, size_t len);
bool chain_net_client_is_up(const struct chain_net_client *client);
/* The next message, valid until the next call: 1. 0: none within the time, or the connection has just come up. Negative errno as above. */
__attribute__((warn_unused_result)) int chain_net_client_receive(struct chain_net_client *client, int timeout_ms, enum chain_net_kind *kind_out,
                                                                 const uint8_t **data_out, size_t *len_out);
/* Until one of the n, 16 at most, has a message or news of its connection, or the time is over. 0 or negative errno. */
__attribute__((warn_unused_result)) int chain_net_client_wait(struct chain_net_client *const *clients, size_t n, int timeout_ms);
void chain_net_client_close(struct chain_net_client *client);
#endif
