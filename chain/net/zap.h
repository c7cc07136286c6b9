/* The doorkeeper: answers ZeroMQ's authentication requests (RFC 27, ZAP) from a list of keys. */
#ifndef CHAIN_NET_ZAP_H
#define CHAIN_NET_ZAP_H

#include "chain/net/net.h"

/* The socket at inproc://zeromq.zap.01, bound before any door opens; NULL with errno set. */
void *chain_net_zap_open(void *context);
/* Answers one request, without waiting. 1: let in, as the decimal index of the party ("User-Id"); 0: refused; -EAGAIN: none. */
int chain_net_zap_answer(void *zap, const struct chain_net_party *parties, uint32_t n_parties);
#endif
