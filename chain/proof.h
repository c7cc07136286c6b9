/* A proof in one file: what is claimed, the path from it to a header, the header's certificate, and from the genesis block on what is needed to know
 * who may certify it. Deterministic CBOR (docs/wire/airdeed.cddl: proof); whoever has the hash of the genesis block needs nothing else. Pure. */
#ifndef CHAIN_PROOF_H
#define CHAIN_PROOF_H

#include "chain/cbor.h"
#include "chain/light.h"

enum chain_proof_kind {
    CHAIN_PROOF_TX = 1,     /* a transaction is in the block */
    CHAIN_PROOF_ENTRY,      /* an entry is in the state after the block */
    CHAIN_PROOF_ABSENT,     /* no entry with this key is */
    CHAIN_PROOF_CONSISTENCY /* an earlier header is in the chain that the block's header ends, and all that was below it still is */
};

struct chain_proof_claim {
    enum chain_proof_kind kind;
    /* TX */
    uint64_t index, n_txs;
    const uint8_t *tx;
    size_t tx_len;
    /* ENTRY, ABSENT */
    uint64_t table, id, sub;
    const uint8_t *value;
    size_t value_len;
    struct chain_map_proof map;
    /* CONSISTENCY */
    const uint8_t *earlier;
    size_t earlier_len;
    struct chain_merkle_path path;    /* of TX, and of the earlier header's hash in the later one's history root */
    struct chain_merkle_path history; /* from the earlier one's history root to the later one's */
};

/* An epoch's end on the way: header and certificate of its last block, and the members' entry of the state after it. */
struct chain_proof_epoch {
    const uint8_t *header, *cert, *members;
    size_t header_len, cert_len, members_len;
    const struct chain_map_proof *path;
};

/* [header, certificate, members, path] */
void chain_proof_put_epoch(struct chain_cbor_writer *w, const struct chain_proof_epoch *end);
/* Borrows from the reader's octets; path is filled. False: no such thing. */
bool chain_proof_get_epoch(struct chain_cbor_reader *r, struct chain_proof_epoch *out, struct chain_map_proof *path);
/* The light station goes from the epoch to the next one. NULL, or what does not hold. */
const char *chain_proof_follow_epoch(struct chain_light *light, const struct chain_proof_epoch *end);

struct chain_proof_parts {
    const uint8_t *genesis, *header, *cert;
    size_t genesis_len, header_len, cert_len;
    size_t n_epochs;
    const struct chain_proof_epoch *epochs;
    const struct chain_proof_claim *claim;
};
/* Octets written, or -ENOSPC. */
long chain_proof_encode(const struct chain_proof_parts *parts, uint8_t *out, size_t cap);

struct chain_proof_result {
    struct chain_hash genesis_hash;
    struct chain_genesis genesis;
    struct chain_header header, earlier;
    uint32_t n_signers, quorum, epoch;
    bool byzantine;
    struct chain_proof_claim claim; /* borrows from the proof's octets */
    const char *fault;              /* what does not hold, when it does not */
};
/* -EINVAL: the octets are no proof. -EBADMSG: they are, and it does not hold: see fault. 0: it holds, provided that the genesis
 * block is the one that the caller trusts: that is for the caller to compare. */
__attribute__((warn_unused_result)) int chain_proof_check(const uint8_t *data, size_t len, const struct chain_signer *signer,
                                                          struct chain_proof_result *out);
#endif
