/* Seats as octets: [epoch, [[key id, public key], ...]], the state's entry from which an epoch's certificates can be checked. */
#ifndef CHAIN_MEMBERS_H
#define CHAIN_MEMBERS_H

#include "chain/cbor.h"
#include "chain/types.h"

void chain_members_put_seats(const struct chain_members *members, struct chain_cbor_writer *w);
/* Sets n, epoch, seats and the keys of those who hold them, n_keys to the highest of these + 1; leaves the chain id. False: no such thing. */
bool chain_members_get_seats(struct chain_members *members, struct chain_cbor_reader *r);
#endif
