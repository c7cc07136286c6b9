/* The whole state at a height as octets: who has them and the block's certificate goes on from there without the blocks before.
 * CBOR ["airdeed-snapshot", header, [hash, ...], [[table, id, sub, value], ...]]: the hashes are the full subtrees of the tree over the
 * headers below (largest first), the entries come in the order of their keys. One state has one sequence of octets. */
#ifndef CHAIN_SNAPSHOT_H
#define CHAIN_SNAPSHOT_H

#include "chain/ledger.h"

enum { CHAIN_SNAPSHOT_PART_BYTES = 32768 }; /* whoever stores or sends one cuts it into parts of this size */

/* How many octets the state takes now. */
size_t chain_snapshot_bytes(const struct chain_ledger *l);
/* No snapshot of a ledger of this genesis is longer. */
size_t chain_snapshot_max_bytes(const struct chain_genesis *genesis);
/* The state after the tip. Octets written, or -ENOSPC. */
long chain_snapshot_encode(const struct chain_ledger *l, uint8_t *out, size_t cap);
/* The header that a snapshot claims to belong to, for checking its certificate first. 0, or -EBADMSG. */
__attribute__((warn_unused_result)) int chain_snapshot_header(const uint8_t *data, size_t len, struct chain_header *out);
/* Puts a ledger of the same genesis, at any height, to where the snapshot is. 0, or -EBADMSG: the octets are no snapshot, or their entries
 * do not have the header's roots; then the ledger holds nothing and has to be initialised again. That the header is the chain's is for the caller
 * to check: nothing here knows signatures. */
__attribute__((warn_unused_result)) int chain_snapshot_load(struct chain_ledger *l, const uint8_t *data, size_t len);
#endif
