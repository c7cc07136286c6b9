/* What clients hand in without waiting for each: CHAIN_NET_SUBMIT in, CHAIN_NET_ANSWERS out.
 *
 * SUBMIT is CBOR [number, signed, [item, ...]], 1 to 256 items: number is the caller's own name for the first operation, the following ones
 * count on. signed true: each item is an encoded transaction (chain/msg.h) of 1 to 64 operations. false: each item is an operation
 * (chain/op.h) and nobody's signature stands under it but this node's: the connection proved the caller's key, and the node puts up to 64
 * of them, of whichever callers, into one transaction of its own.
 * ANSWERS is CBOR [[number, height, [code, ...]], ...]: consecutive operations of one block, each with its chain_response. Height 0: it
 * is in no block; the code is a chain_response or one of app_intake_code. An operation is answered once it is committed and executed,
 * which is durable at a quorum; a turn's answers to one caller leave as one message. */
#ifndef APPS_NODE_INTAKE_H
#define APPS_NODE_INTAKE_H

#include "apps/crew.h"
#include "apps/node_results.h"
#include "chain/ledger.h"
#include "chain/net/net.h"

enum app_intake_code {
    APP_INTAKE_BUSY = -1,     /* too much waits at this node: hand it in again, later */
    APP_INTAKE_MALFORMED = -2, /* no operation, or no transaction of this ledger with a good signature */
    APP_INTAKE_UNKNOWN = -3   /* not executed in APP_INTAKE_MAX_WAIT_S; it may still be. A used nonce: executed long before, or never: another one has it */
};

enum {
    APP_INTAKE_MAX_ITEMS = 256,
    APP_INTAKE_MAX_CALLERS = 512,
    APP_INTAKE_QUEUE = 4096,         /* operations that wait for a place in a transaction */
    APP_INTAKE_PENDING = 8192,       /* operations that wait for their block */
    APP_INTAKE_SLOTS = 2 * APP_INTAKE_PENDING,
    APP_INTAKE_OCTETS = 1 << 20,     /* of transactions whose signatures are not verified yet */
    APP_INTAKE_MAX_WAIT_S = 60
};

struct app_intake_caller {
    struct chain_net_caller id;
    uint32_t n_open;             /* queued and pending operations, and answers that have not left */
    uint32_t first_answer, last_answer; /* of this turn; UINT32_MAX: none */
};

struct app_intake_op { /* an operation that waits: in the queue by place, then by (author, nonce) */
    bool used;
    bool own; /* of a transaction that this node signs: it uses no nonce twice */
    uint8_t n_before, n_after; /* operations in its transaction */
    uint16_t caller;
    uint32_t author;
    uint64_t nonce, number;
    int64_t until_ns;
    uint8_t sig[CHAIN_SIG_BYTES]; /* its transaction's, unless it is own: another one may have its nonce */
};

struct app_intake_answer {
    uint64_t number, height;
    int32_t code;
    uint32_t next;
};

struct app_intake_stats {
    uint64_t submitted, answered, refused_busy, refused_malformed, unknown;
};

struct app_intake_tx { /* a signed transaction on its way in */
    uint16_t caller;
    bool first;      /* of its message: number is its first operation's; those of the others count on */
    uint64_t number;
    const uint8_t *octets;
    size_t len;      /* 0: nothing of sense was there */
    struct chain_msg msg;
    int n_ops;       /* 0: malformed, or its signature is not its author's */
};

struct app_node_intake {
    const struct chain_members *members; /* whose signatures count */
    struct app_crew *crew;               /* verifies them beside the loop, with app_node_intake_verify; NULL: nobody helps */
    uint32_t self; /* key id */
    void *ctx;
    /* Both step the node: chain_response or negative errno, -EIO: fatal. */
    int (*submit_body)(void *ctx, const uint8_t *body, size_t len, uint64_t *nonce_out); /* a transaction's body, to be signed by this node */
    int (*submit_tx)(void *ctx, const struct chain_msg *tx, const uint8_t *octets, size_t len); /* its signature was verified */
    /* What became of a transaction that the node knows: as in node_results.h, taken where it or another one with its nonce was executed. NULL: nobody can say */
    void (*recall)(void *ctx, struct app_node_answer *a);
    void (*send)(void *ctx, const struct chain_net_caller *to, const uint8_t *answers, size_t len);
    struct app_intake_stats stats;
    uint32_t last_caller;
    struct app_intake_caller callers[APP_INTAKE_MAX_CALLERS];
    size_t n_queued, first_queued; /* ring */
    struct {
        struct app_intake_op op;
        uint16_t len;
        uint8_t octets[CHAIN_MAX_OP_BYTES];
    } queue[APP_INTAKE_QUEUE];
    size_t n_pending;
    struct app_intake_op slots[APP_INTAKE_SLOTS];
    struct chain_members known; /* a copy of members that the crew reads */
    size_t n_txs, first_tx;     /* ring: transactions to be verified, in order */
    struct app_intake_tx txs[APP_CREW_TASKS];
    size_t n_octets;            /* theirs, one after the other; from the beginning once none is left */
    uint8_t octets[APP_INTAKE_OCTETS];
    uint64_t next_number;       /* of the transaction that is handed in next, unless it is a message's first */
    size_t n_answers;
    struct app_intake_answer answers[APP_INTAKE_PENDING];
    int64_t swept_ns;
};

void app_node_intake_init(struct app_node_intake *in);
/* A message of a caller. -EIO: fatal; else 0. */
__attribute__((warn_unused_result)) int app_node_intake_take(struct app_node_intake *in, const struct chain_net_event *event, int64_t now_ns);
/* Hands in the transactions that the crew is done with. -EIO: fatal; else 0. */
__attribute__((warn_unused_result)) int app_node_intake_collect(struct app_node_intake *in, int64_t now_ns);
/* The crew's task. */
void app_node_intake_verify(void *ctx, size_t i);
/* Puts what is queued into transactions, as far as the node takes them. -EIO: fatal; else 0. */
__attribute__((warn_unused_result)) int app_node_intake_pack(struct app_node_intake *in, int64_t now_ns);
/* An operation was executed; told again once this node's disk has it, it answers who asked in between. Who waits for another transaction with
 * its nonce hears APP_INTAKE_UNKNOWN. */
void app_node_intake_executed(struct app_node_intake *in, const struct chain_ledger_event *event);
/* Sends what there is to answer. */
void app_node_intake_flush(struct app_node_intake *in, int64_t now_ns);
#endif
