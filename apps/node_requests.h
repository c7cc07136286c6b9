/* What clients ask a node: JSON in, JSON out. {"ask": "submit", "tx": HEX, "wait_ms": N}, {"ask": "show"}, {"ask": "status"},
 * {"ask": "leases"}, {"ask": "get", "station": ID, "record": N, "stale": BOOL}.
 * A submission is answered when its block is executed and on this node's disk; one that finds no room at this node at once: code BUSY. */
#ifndef APPS_NODE_REQUESTS_H
#define APPS_NODE_REQUESTS_H

#include "apps/node_config.h"
#include "apps/node_results.h"
#include "apps/node_status.h"
#include "chain/net/net.h"
#include "chain/node.h"

#include <jansson.h>

enum { APP_NODE_MAX_WAITERS = 256, APP_NODE_MAX_WAIT_MS = 60000, APP_NODE_MAX_READS = 64, APP_NODE_READ_MS = 2000 };

struct app_node_waiter {
    struct chain_net_caller caller;
    int64_t until_ns;
    int64_t again_ns;              /* when the database is asked again; INT64_MAX: never, since the answer comes with a block */
    struct app_node_answer answer; /* goes once all codes are known, or its nonce is taken */
};

struct app_node_read { /* a get that waits for the node's word that it may be served */
    struct chain_net_caller caller;
    uint64_t id; /* 0: none */
    uint32_t station, record;
    int64_t until_ns;
};

struct app_node_requests {
    const struct app_node_config *config;
    struct chain_net *net;
    struct chain_node *node;
    struct app_node_status *status; /* NULL: this node does not tell */
    uint32_t n_waiters;
    struct app_node_waiter waiters[APP_NODE_MAX_WAITERS];
    struct app_node_results results;
    /* steps the node by SUBMIT_TX: chain_node_update.submit_result, or -EIO: fatal */
    int (*submit)(void *ctx, const uint8_t *tx, size_t len);
    void *submit_ctx;
    /* steps the node by READ; -EIO: fatal. NULL: records are told as they are here and now, and only to who asks for that. With submit_ctx. */
    int (*read)(void *ctx, uint64_t id);
    uint64_t last_read;
    struct app_node_read reads[APP_NODE_MAX_READS];
    /* is a member within reach? NULL: connected over `net`. With submit_ctx. */
    bool (*is_up)(void *ctx, uint32_t member);
};

/* Answers at once, or keeps the caller. -EIO: fatal; else 0. */
__attribute__((warn_unused_result)) int app_node_requests_take(struct app_node_requests *r, const struct chain_net_event *event, int64_t now_ns);
/* A transaction was executed. */
void app_node_requests_executed(struct app_node_requests *r, const struct chain_ledger_event *event);
/* The node says whether a read may be served now. */
void app_node_requests_readable(struct app_node_requests *r, const struct chain_node_read *read);
/* After the sync: answers what is done or has waited long enough. */
void app_node_requests_flush(struct app_node_requests *r, int64_t now_ns);
/* When the next waiter has waited long enough; INT64_MAX for nobody. */
int64_t app_node_requests_deadline(const struct app_node_requests *r);
#endif
