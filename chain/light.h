/* A light station: headers and certificates, nothing else. It knows who may certify, checks each header against the one before and its
 * certificate against the members of its epoch, and keeps a constant amount of state. Who certifies the next epoch it learns from the members'
 * entry in the state of an epoch's last block, with its path (chain/map.h). Pure. */
#ifndef CHAIN_LIGHT_H
#define CHAIN_LIGHT_H

#include "chain/batch.h"
#include "chain/genesis.h"
#include "chain/map.h"
#include "chain/merkle.h"

struct chain_light {
    bool byzantine;               /* certificates are quorums, against f lying members; else majorities, against crashes only */
    struct chain_members members; /* of the epoch */
    struct chain_signer signer;
    bool has_tip;                 /* false: only genesis is known */
    struct chain_header tip;
    struct chain_hash tip_hash;
    uint32_t n_signers;           /* of the tip's certificate */
};

/* genesis is finished. The signer needs verify only. */
void chain_light_init(struct chain_light *light, const struct chain_genesis *genesis, const struct chain_signer *signer);
uint32_t chain_light_quorum(const struct chain_light *light);
/* Is this header certified by the members of the light station's epoch? 0 and how many signed, or -EBADMSG. */
int chain_light_verify(const struct chain_light *light, const struct chain_header *header, const uint8_t *cert, size_t cert_len,
                       uint32_t *n_signers_out);
/* The next header, or one further up. 0; -EBADMSG: not certified; -EINVAL: not above the tip; -ESTALE: the next one, but not of the same chain:
 * members certified two. Refused, nothing changes. */
int chain_light_feed(struct chain_light *light, const uint8_t *header, size_t header_len, const uint8_t *cert, size_t cert_len);
/* The tip was its epoch's last block, its state names the next members. -EBADMSG: not what the state root says, or not the next epoch. */
int chain_light_next_epoch(struct chain_light *light, const struct chain_header *last, const uint8_t *members, size_t len,
                           const struct chain_map_proof *path);
/* Was this header hash below the tip? path: chain_merkle_prove over the hashes of all headers below the tip. */
bool chain_light_has_header(const struct chain_light *light, uint64_t height, const struct chain_hash *hash,
                            const struct chain_merkle_path *path);
/* Octets of the key of a state's entry: CBOR [table, id, sub]. Returns how many. */
enum { CHAIN_ENTRY_KEY_BYTES = 32, CHAIN_MEMBERS_TABLE = 2 };
size_t chain_entry_key(uint64_t table, uint64_t id, uint64_t sub, uint8_t out[CHAIN_ENTRY_KEY_BYTES]);
#endif
