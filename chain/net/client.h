/* A client's end: one connection to a member's door, one question at a time. */
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
void chain_net_client_close(struct chain_net_client *client);
#endif
