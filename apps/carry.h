/* The one function that carries a node's update out: send what may leave at once, persist, then (with PERSISTED) send what
 * waited for the disk, then deliver. Nothing else writes a node's rows or sends its messages. */
#ifndef APPS_CARRY_H
#define APPS_CARRY_H

#include "chain/store/store.h"

enum { APP_CARRY_MAX_HELD = 2 * CHAIN_MAX_LEDGER_EVENTS };

struct app_carry {
    struct chain_node *node;
    struct chain_store *store;
    void *ctx;
    void (*send)(void *ctx, const struct chain_node_send *send);
    /* A block's events as soon as it is executed: what a quorum committed stays, though this node's own disk does not have the block yet.
     * Must not step the node. */
    void (*executed)(void *ctx, const struct chain_ledger_event *event); /* or NULL */
    /* All events of a block were told: whoever waits for an answer gets it before the block's rows are written. Must not step the node. */
    void (*answer)(void *ctx); /* or NULL */
    /* A read may be served, or not. Must not step the node. */
    void (*readable)(void *ctx, const struct chain_node_read *read); /* or NULL */
    /* A block's events, once the block is on disk. Must not step the node: what it leads to waits for the caller's next step. */
    void (*deliver)(void *ctx, const struct chain_ledger_event *event); /* or NULL */
    struct chain_node_update *update; /* caller's scratch */
    uint64_t persist_seq;             /* highest written in the open turn, 0 if none */
    bool hurry;                       /* somebody waits for that */
    int64_t opened_ns;
    int submit_result;                /* of the last SUBMIT, SUBMIT_BODY or SUBMIT_TX */
    uint64_t submitted_nonce;
    size_t n_held;                    /* events of the open turn */
    struct chain_ledger_event held[APP_CARRY_MAX_HELD];
    char error[CHAIN_STORE_MAX_ERROR];
};

/* Steps one event, then whatever the node still has at hand, and carries out what came of it but the sync. Opens the turn's
 * transaction when there is something to write; ends the turn by itself only when held events would overflow.
 * Returns chain_node_step's result for the event (-EBADMSG: refused and counted, go on), -EILSEQ when the ledger has forked, or -EIO
 * when the store failed; both are fatal and set c->error. */
__attribute__((warn_unused_result)) int app_carry_step(struct app_carry *c, const struct chain_node_event *event);
/* Steps one event and nothing else: what the node has at hand then waits for the next step, so that several things can be handed in before the
 * node proposes them together. */
__attribute__((warn_unused_result)) int app_carry_take(struct app_carry *c, const struct chain_node_event *event);
/* Ends the turn: commits, feeds PERSISTED, carries that out too, until nothing is open. -EIO, -EILSEQ: fatal. */
__attribute__((warn_unused_result)) int app_carry_sync(struct app_carry *c, int64_t now_ns);
/* When the open turn has to end: INT64_MIN as soon as possible, since a message or the engine waits for it; a few ms after it was opened if
 * only blocks are in it, which the next records take along; INT64_MAX: no turn is open. */
int64_t app_carry_sync_at(const struct app_carry *c);
/* One such round: commits what is open, and opens the next turn with what PERSISTED led to. persist_seq tells whether there is more. */
__attribute__((warn_unused_result)) int app_carry_sync_once(struct app_carry *c, int64_t now_ns);
/* For a station, which steps its node itself and charges the disk's time: writes an update's rows; *open says whether a turn is open,
 * and that becomes true with the first row. Once commit has returned 0 the station may be fed PERSISTED. Negative errno with a
 * line in error_out: fatal. */
__attribute__((warn_unused_result)) int app_carry_write(struct chain_store *store, const struct chain_node_update *update, bool *open,
                                                        char *error_out);
__attribute__((warn_unused_result)) int app_carry_commit(struct chain_store *store, bool *open, char *error_out);
/* Both: an update's rows as one turn. */
__attribute__((warn_unused_result)) int app_carry_rows(struct chain_store *store, const struct chain_node_update *update,
                                                       char *error_out);
#endif
