/* Transactions that wait to be ordered. Bounded as a whole and per author; (author, nonce) names a transaction, and the same name
 * with other content is refused. Ordered by what must not wait: heartbeats keep leases alive, evidence and requests come next,
 * sensing last. Pure; memory is the caller's. */
#ifndef CHAIN_MEMPOOL_H
#define CHAIN_MEMPOOL_H

#include "chain/ledger.h"

enum { CHAIN_MEMPOOL_TX_BYTES = CHAIN_MAX_OP_BYTES + CHAIN_TX_OVERHEAD }; /* an encoded chain_msg around the largest operation */

struct chain_mempool_config {
    size_t max_txs;
    size_t max_per_author;
    int64_t max_age_ns;     /* others' transactions leave after this */
    int64_t max_own_age_ns; /* and those that this node answers for */
};

struct chain_mempool_tx {
    struct chain_msg msg; /* body points into octets */
    enum chain_op_kind op;
    bool own;             /* submitted here: said again until it is executed */
    bool executable;      /* the ledger would take it now */
    int64_t since_ns, gossip_at_ns, gossip_wait_ns;
    size_t len;
    uint8_t octets[CHAIN_MEMPOOL_TX_BYTES];
};

struct chain_mempool;

size_t chain_mempool_bytes(const struct chain_mempool_config *cfg);
__attribute__((warn_unused_result)) int chain_mempool_init(void *mem, size_t len, const struct chain_mempool_config *cfg,
                                                           struct chain_mempool **out, const char **bad_field_out);
/* Would add take it? 0; -EALREADY: known, same content; -EEXIST: same author and nonce, other content; -ENOBUFS: no room. */
int chain_mempool_admits(const struct chain_mempool *p, const struct chain_msg *tx, enum chain_op_kind op);
/* octets: its encoded form, copied; tx was decoded from them, so that its body lies there. Also -EMSGSIZE.
 * A full pool drops its least urgent transaction for a more urgent class. */
__attribute__((warn_unused_result)) int chain_mempool_add(struct chain_mempool *p, const struct chain_msg *tx,
                                                          enum chain_op_kind op, const uint8_t *octets, size_t len,
                                                          int64_t now_ns, struct chain_mempool_tx **tx_out);
/* True if it was there. */
bool chain_mempool_remove(struct chain_mempool *p, uint32_t author, uint64_t nonce);
/* After a block: forgets what the ledger says is used, marks what it would take now. */
void chain_mempool_recheck(struct chain_mempool *p, const struct chain_ledger *ledger);
/* Forgets what is too old: a transaction that no honest proposer includes must not stall anything. Returns how many. */
size_t chain_mempool_expire(struct chain_mempool *p, int64_t now_ns);

size_t chain_mempool_size(const struct chain_mempool *p);
uint64_t chain_mempool_evicted(const struct chain_mempool *p);
/* By class, author, nonce; i < size. */
struct chain_mempool_tx *chain_mempool_at(struct chain_mempool *p, size_t i);
/* Arrival of the oldest executable transaction; INT64_MAX if there is none. */
int64_t chain_mempool_pending_since(struct chain_mempool *p);
/* When expire has something to do next; INT64_MAX if never. */
int64_t chain_mempool_expires_at(struct chain_mempool *p);
#endif
