/* Batches, headers and certificates. Engines order batches; executing a batch gives a header; members sign the header's hash. */
#ifndef CHAIN_BATCH_H
#define CHAIN_BATCH_H

#include "chain/msg.h"

enum { CHAIN_MAX_BATCH_TXS = 512, CHAIN_MAX_HEADER_BYTES = 256, CHAIN_MAX_CERT_BYTES = 16 + CHAIN_MAX_MEMBERS * CHAIN_SIG_BYTES };

/* Batch on the wire: CBOR [time_ns, [tx, ...]], each tx an encoded chain_msg as a byte string. An empty batch has no octets
 * (its block's time is the parent's + 1 ns); [time_ns, []] is legal too and only moves block time on. */
struct chain_batch_view {
    int64_t time_ns;
    size_t n_txs;
    struct {
        const uint8_t *data;
        size_t len;
    } txs[CHAIN_MAX_BATCH_TXS];
};
long chain_batch_encode(const struct chain_batch_view *batch, uint8_t *out, size_t cap);
__attribute__((warn_unused_result)) int chain_batch_decode(struct chain_batch_view *out, const uint8_t *data, size_t len);
/* Its time alone. 0, or -EBADMSG for what does not begin like a batch, the empty one included. */
int chain_batch_time(const uint8_t *data, size_t len, int64_t *time_ns_out);
void chain_batch_tx_root(const struct chain_batch_view *batch, struct chain_hash *out);
/* 0 or -EBADMSG. Over chain id, epoch, time and the transactions' RFC 9162 Merkle root. */
int chain_batch_digest(const struct chain_members *members, const uint8_t *data, size_t len, struct chain_hash *out);
/* The same of a batch that was decoded, given its root. time_ns NULL: of the empty batch. */
void chain_batch_digest_over(const struct chain_members *members, const int64_t *time_ns, const struct chain_hash *tx_root,
                             struct chain_hash *out);

struct chain_header {
    uint64_t height;
    int64_t time_ns;
    struct chain_hash parent, batch_digest, tx_root, state_root;
    struct chain_hash history_root; /* RFC 9162 root over the hashes of the headers below this one, genesis first */
};
long chain_header_encode(const struct chain_header *header, uint8_t *out, size_t cap);
__attribute__((warn_unused_result)) int chain_header_decode(struct chain_header *out, const uint8_t *data, size_t len);
void chain_header_hash(const struct chain_header *header, struct chain_hash *out);

/* Signer bitmap and HEADER_VOTE signatures in member order. */
struct chain_certificate {
    uint64_t signers;
    uint8_t sigs[CHAIN_MAX_MEMBERS][CHAIN_SIG_BYTES]; /* [member id] */
};
long chain_certificate_encode(const struct chain_certificate *cert, uint8_t *out, size_t cap);
__attribute__((warn_unused_result)) int chain_certificate_decode(struct chain_certificate *out, const uint8_t *data, size_t len);
/* Number of valid signatures over the header hash; an invalid one makes it -EBADMSG. */
int chain_certificate_check(const struct chain_certificate *cert, const struct chain_members *members,
                            const struct chain_signer *signer, uint64_t height, const struct chain_hash *header_hash);

/* RFC 9162 section 2.1.1: leaves prefixed 0x00, nodes 0x01; the root of no leaves is the hash of nothing. leaf i: data[i], len[i]. */
void chain_merkle_root(const uint8_t *const *data, const size_t *len, size_t n, struct chain_hash *out);
/* BLAKE2b-256. */
void chain_hash_of(const void *data, size_t len, struct chain_hash *out);
/* Of a tag, then the octets. */
void chain_hash_tagged(uint8_t tag, const void *data, size_t len, struct chain_hash *out);
#endif
