/* The control channel that hops: a group key agreed on by the ledger, sealed to each seat, and the sequence that follows from it. Pure.
 *
 * Key: 32 octets. On the chain stand a commitment to it, BLAKE2b-256 of CBOR ["airdeed-hop-key", chain id, epoch, key], and for each seat a
 * box that opens to it: libsodium's crypto_box_seal to the Curve25519 form of the seat's Ed25519 key, with one ephemeral key for all, so
 * that ephemeral || box is what crypto_box_seal_open takes.
 * Sequence: slot k = floor(block time / dwell). Where rendezvous_every divides k, the control channel; else BLAKE2b-512 under the key of CBOR
 * ["airdeed-hop", chain id, epoch, k, draw], of which the first big-endian 64-bit word below the largest multiple of n counts modulo n:
 * every channel of the mask alike, without bias. draw is 0, and one more where none of the eight words does. */
#ifndef CHAIN_HOP_H
#define CHAIN_HOP_H

#include "chain/op.h"

/* What an epoch's operation fixed, without the boxes; epoch 0: none. */
struct chain_hop_epoch {
    uint32_t epoch;
    uint8_t mask;
    int64_t from_ns;
    struct chain_hash commitment;
};

uint64_t chain_hop_slot(const struct chain_genesis *g, int64_t block_ns);
/* First instant of the next slot; never beyond CHAIN_MAX_TIME_NS. */
int64_t chain_hop_edge_after(const struct chain_genesis *g, int64_t block_ns);
/* Is it one in which everybody meets on the control channel? */
bool chain_hop_is_rendezvous(const struct chain_genesis *g, uint64_t slot);
/* Channel of a slot that is no rendezvous. mask is not 0. */
uint32_t chain_hop_channel(const struct chain_members *members, const uint8_t key[CHAIN_HOP_KEY_BYTES], uint32_t epoch, uint8_t mask, uint64_t slot);

void chain_hop_commit(const struct chain_members *members, uint32_t epoch, const uint8_t key[CHAIN_HOP_KEY_BYTES], struct chain_hash *out);
/* Seals the key to every seat: members->n boxes. A seat whose key is no point of the curve gets a box that does not open. Returns 0, -EINVAL. */
__attribute__((warn_unused_result)) int chain_hop_seal(const struct chain_members *members, const uint8_t key[CHAIN_HOP_KEY_BYTES],
                                                       const uint8_t secret[CHAIN_CURVE_BYTES], uint8_t ephemeral_out[CHAIN_CURVE_BYTES],
                                                       uint8_t *boxes_out);
/* The key in a box, if it is the one that the epoch is committed to. 0, or -EBADMSG. */
__attribute__((warn_unused_result)) int chain_hop_open(const struct chain_signer *signer, const struct chain_members *members,
                                                       const struct chain_hop_epoch *epoch, const uint8_t ephemeral[CHAIN_CURVE_BYTES],
                                                       const uint8_t box[CHAIN_HOP_BOX_BYTES], uint8_t key_out[CHAIN_HOP_KEY_BYTES]);
#endif
