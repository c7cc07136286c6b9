/* Transactions that wait to be ordered. Bounded in number, in octets, and both per author; (author, nonce) names an operation, and a name
 * is taken once. An envelope has the class of its least urgent operation, so that one heartbeat lifts no 63 reports over others':
 * heartbeats, which keep leases alive, first; then evidence; then requests; then sensing and everything else. Within a class who
 * came first goes first. Every operation takes constant time but for the places where a list of one author is walked, which its
 * quota bounds. Pure; memory is the caller's. */
#ifndef CHAIN_MEMPOOL_H
#define CHAIN_MEMPOOL_H

#include "chain/ledger.h"

enum chain_mempool_class {
    CHAIN_CLASS_HEARTBEAT,
    CHAIN_CLASS_EVIDENCE, /* and what protects others: convictions, members, keys, records of incumbents */
    CHAIN_CLASS_REQUEST,
    CHAIN_CLASS_SENSING,
    CHAIN_CLASSES
};

struct chain_mempool_config {
    size_t max_txs;
    size_t max_octets;      /* a multiple of 512 is used whole; an envelope takes whole pieces of 512 */
    size_t max_tx_octets;   /* of one envelope: what a batch can hold */
    size_t max_txs_of_one, max_ops_of_one; /* unexecuted, of one author; its octets: a quarter of all */
    int64_t max_age_ns;     /* others' transactions leave after this */
    int64_t max_own_age_ns; /* and those that this node answers for */
};

struct chain_mempool_link {
    uint32_t previous, next;
};

struct chain_mempool_tx {
    uint32_t author, n_ops;
    uint64_t seq; /* of the first operation */
    struct chain_hash digest;
    enum chain_mempool_class class;
    bool own;        /* submitted here: said again until it is executed */
    uint64_t height; /* proposed for; 0: waits */
    int64_t since_ns, gossip_at_ns, gossip_wait_ns;
    size_t len;
    uint32_t first_piece;
    struct chain_mempool_link link[3]; /* the pool's own */
};

struct chain_mempool;

size_t chain_mempool_bytes(const struct chain_mempool_config *cfg);
__attribute__((warn_unused_result)) int chain_mempool_init(void *mem, size_t len, const struct chain_mempool_config *cfg,
                                                           struct chain_mempool **out, const char **bad_field_out);
/* The class of a body and how many operations it holds; -EBADMSG for what is no body. */
int chain_mempool_classify(const uint8_t *body, size_t len, enum chain_mempool_class *class_out);
/* Would add take this envelope of len octets? 0; -EALREADY: known, same content; -EEXIST: a name of it is taken by other content;
 * -ENOBUFS: no room; -EMSGSIZE: never. */
int chain_mempool_admits(const struct chain_mempool *p, const struct chain_msg *tx, enum chain_mempool_class class, uint32_t n_ops,
                         size_t len);
/* octets: its encoded form, copied. What is full drops its least urgent and latest envelopes for one of a more urgent class: the
 * author's own where the author's share is full. */
__attribute__((warn_unused_result)) int chain_mempool_add(struct chain_mempool *p, const struct chain_msg *tx,
                                                          enum chain_mempool_class class, uint32_t n_ops, const uint8_t *octets,
                                                          size_t len, bool own, int64_t now_ns, struct chain_mempool_tx **tx_out);
void chain_mempool_copy(const struct chain_mempool *p, const struct chain_mempool_tx *tx, uint8_t *out);
/* A nonce was used on the ledger: forgets the envelope that holds it, and what lies below the ledger's window then. */
void chain_mempool_used(struct chain_mempool *p, uint32_t author, uint64_t nonce);
/* The ledger went further than block by block: forgets what it holds by now. */
void chain_mempool_follow(struct chain_mempool *p, const struct chain_ledger *l);
/* Forgets what is too old: a transaction that no honest proposer includes must not stall anything. Returns how many. */
size_t chain_mempool_expire(struct chain_mempool *p, int64_t now_ns);

/* Takes what waits for the block of a height, most urgent first, up to max octets (each with overhead) and the bounds of a batch.
 * Sorted by author and nonce, so that what hangs on an earlier one of its author follows it. Returns how many. */
size_t chain_mempool_choose(struct chain_mempool *p, uint64_t height, size_t max_octets, size_t overhead,
                            const struct chain_mempool_tx *chosen[CHAIN_MAX_BATCH_TXS]);
/* What was proposed for heights up to this and is still here waits again. */
void chain_mempool_release(struct chain_mempool *p, uint64_t height);
/* What was taken for just this height waits again. */
void chain_mempool_put_back(struct chain_mempool *p, uint64_t height);

size_t chain_mempool_size(const struct chain_mempool *p);
uint64_t chain_mempool_evicted(const struct chain_mempool *p);
/* Arrival of the oldest one; INT64_MAX if there is none. */
int64_t chain_mempool_pending_since(const struct chain_mempool *p);
/* Of those that are not proposed: arrival of the oldest (or nearly), INT64_MAX if there is none; octets; operations. */
int64_t chain_mempool_waiting_since(const struct chain_mempool *p);
size_t chain_mempool_waiting_octets(const struct chain_mempool *p);
size_t chain_mempool_waiting_ops(const struct chain_mempool *p);
/* When expire has something to do next; INT64_MAX if never. */
int64_t chain_mempool_expires_at(const struct chain_mempool *p);
/* Those that this node answers for, oldest first; NULL after the last. */
struct chain_mempool_tx *chain_mempool_first_own(struct chain_mempool *p);
struct chain_mempool_tx *chain_mempool_next_own(struct chain_mempool *p, const struct chain_mempool_tx *tx);
#endif
