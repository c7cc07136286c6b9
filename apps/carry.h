/* The one function that carries a node's update out: send what may leave at once, persist, then (with PERSISTED) send what
 * waited for the disk, then deliver. Nothing else writes a node's rows or sends its messages. */
#ifndef APPS_CARRY_H
#define APPS_CARRY_H

#include "chain/store/store.h"

struct app_carry {
    struct chain_node *node;
    struct chain_store *store;
    void *ctx;
    void (*send)(void *ctx, const struct chain_node_send *send);
    void (*deliver)(void *ctx, const struct chain_ledger_event *event);
    struct chain_node_update *update; /* caller's scratch */
    uint64_t persist_seq;             /* highest written in the open turn, 0 if none */
    char error[CHAIN_STORE_MAX_ERROR];
};

/* Steps one event and carries out what came of it but the sync. Opens the turn's transaction when there is something to write.
 * Returns chain_node_step's result, or -EIO with c->error set: fatal. */
__attribute__((warn_unused_result)) int app_carry_step(struct app_carry *c, const struct chain_node_event *event);
/* Ends the turn: commits, feeds PERSISTED, carries that out too, until nothing is open. -EIO: fatal. */
__attribute__((warn_unused_result)) int app_carry_sync(struct app_carry *c, int64_t now_ns);
#endif
