/* What became of clients' operations, found by the envelope that carried them: a nonce alone may be another envelope's. */
#ifndef APPS_NODE_RESULTS_H
#define APPS_NODE_RESULTS_H

#include "chain/node.h"

enum { APP_NODE_RESULTS = 1024 };

struct app_node_result { /* what became of an operation */
    uint32_t author, tx; /* tx: its envelope in the block */
    uint64_t nonce, height;
    int code;
    bool whole; /* the envelope was refused as a whole; nonce is its first */
    uint16_t next; /* of its chain: 1 + place, 0: none */
};

enum app_node_taken { APP_NONCE_FREE, APP_NONCE_WAITS, APP_NONCE_USED };

struct app_node_answer { /* what became of an envelope's operations, all of one block */
    uint32_t author, n_ops;
    uint64_t nonce, height; /* nonce: of the first; height 0: in no block */
    struct chain_hash digest;
    uint64_t known; /* bitmap: their code is */
    int codes[CHAIN_MAX_TX_OPS];
    enum app_node_taken taken; /* another envelope with such a nonce waits, or is in a block, so that this one never will be */
};

struct app_node_results {
    const char *database_path;
    int (*read_block)(void *ctx, uint64_t height, struct chain_node_block *out); /* as in struct chain_node_config; NULL: nothing is found */
    void *read_block_ctx;
    const struct chain_ledger *ledger;
    size_t n_added;
    struct app_node_result late[APP_NODE_RESULTS]; /* ring: the last ones; the database knows of those before */
    uint16_t chains[APP_NODE_RESULTS];             /* of late ones, by author and nonce: 1 + place of the first, 0: none */
};

/* All codes are there. */
bool app_node_answer_known(const struct app_node_answer *a);
/* An operation was executed (CHAIN_LE_TX): kept. False: it was ordered twice, and the first time counts. */
bool app_node_results_add(struct app_node_results *r, const struct chain_ledger_event *event);
/* The same event, to who waits for an envelope: its code where it is of that one, taken where it leaves that one no way into a block. */
void app_node_results_apply(const struct app_node_results *r, const struct chain_ledger_event *event, struct app_node_answer *a);
/* What is known of late ones. */
void app_node_results_recall(const struct app_node_results *r, struct app_node_answer *a);
/* A nonce of it was used, by itself or another one: what the database knows. False: nothing yet, since its tables are behind. */
bool app_node_results_find(const struct app_node_results *r, struct app_node_answer *a);
#endif
