/* Proofs out of a database (chain/proof.h). */
#ifndef CHAIN_STORE_PROVE_H
#define CHAIN_STORE_PROVE_H

#include "chain/proof.h"
#include "chain/store/store.h"

struct chain_store_question {
    enum chain_proof_kind kind; /* ENTRY also answers ABSENT: what is true is proved */
    uint32_t author;            /* TX */
    uint64_t nonce;
    uint64_t table, id, sub;    /* ENTRY: in the state after the last certified block */
    uint64_t earlier, later;    /* CONSISTENCY: heights */
};
/* *out is the caller's to free. 0; -EINVAL: no airdeed database; -ENOENT: it holds no such thing, or not with a certificate; -EILSEQ: damaged;
 * -EIO, -ENOMEM. error_out: one line. May be asked while a node writes. */
__attribute__((warn_unused_result)) int chain_store_prove(const char *path, const struct chain_store_question *question, uint8_t **out,
                                                          size_t *len_out, char *error_out);
/* The state after the newest block, executed from the newest snapshot on and compared with the block's header and state root (-EILSEQ where it
 * is not the same). *out is a ledger in *mem_out, the caller's to free; it executes and signs nothing more. 0, or as above. */
__attribute__((warn_unused_result)) int chain_store_read_state(const char *path, void **mem_out, struct chain_ledger **out, char *error_out);
/* The octets of the genesis block of a database. 0, or as above. */
__attribute__((warn_unused_result)) int chain_store_read_genesis(const char *path, uint8_t out[CHAIN_MAX_GENESIS_BYTES], size_t *len_out,
                                                                 char *error_out);
#endif
