#include "apps/carry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Steps at one moment; a node that still wants more then is left to the caller's next turn. */
enum { MAX_STEPS = 4096, MAX_SYNCS = 256 };

static int fail_forked(struct app_carry *c)
{
    snprintf(c->error, sizeof(c->error),
             "block %llu: members signed another header than this node computed: the node stops, and its database stays as it is",
             (unsigned long long)c->update->fatal_height);
    return -EILSEQ;
}

static int write_rows(struct app_carry *c, int64_t now_ns)
{
    if (c->update->persist_seq == 0)
        return 0;
    if (c->persist_seq == 0 && chain_store_begin(c->store, c->error) != 0)
        return -EIO;
    if (chain_store_write(c->store, c->update, c->error) != 0)
        return -EIO;
    if (c->persist_seq == 0)
        c->opened_ns = now_ns;
    c->persist_seq = c->update->persist_seq;
    c->hurry |= c->update->hurry;
    return 0;
}

static int step_once(struct app_carry *c, const struct chain_node_event *event)
{
    struct chain_node_update *u = c->update;
    int rc = chain_node_step(c->node, event, u);
    if (rc == -EILSEQ)
        return fail_forked(c);
    for (size_t i = 0; i < u->n_events && c->executed; i++)
        c->executed(c->ctx, &u->events[i]);
    if (u->n_events > 0 && c->answer)
        c->answer(c->ctx);
    for (size_t i = 0; i < u->n_reads && c->readable; i++)
        c->readable(c->ctx, &u->reads[i]);
    for (size_t i = 0; i < u->n_sends; i++)
        c->send(c->ctx, &u->sends[i]);
    if (event->kind == CHAIN_NODE_SUBMIT || event->kind == CHAIN_NODE_SUBMIT_BODY || event->kind == CHAIN_NODE_SUBMIT_TX) {
        c->submit_result = u->submit_result;
        c->submitted_nonce = u->submitted_nonce;
    }
    if (u->n_events > 0)
        memcpy(c->held + c->n_held, u->events, u->n_events * sizeof(u->events[0]));
    c->n_held += u->n_events;
    return write_rows(c, event->now_ns) != 0 ? -EIO : rc;
}

static bool is_fatal(int rc)
{
    return rc == -EIO || rc == -EILSEQ;
}

static bool is_nearly_full(const struct app_carry *c)
{
    return c->n_held + CHAIN_MAX_LEDGER_EVENTS > APP_CARRY_MAX_HELD;
}

/* What the node has at hand now. Ends early when held events need the disk. */
static int go_on(struct app_carry *c, int64_t now_ns)
{
    struct chain_node_event tick = {.kind = CHAIN_NODE_TICK, .now_ns = now_ns};
    int rc = 0;
    for (int i = 0; i < MAX_STEPS && !is_nearly_full(c) && !is_fatal(rc) && chain_node_deadline(c->node) <= now_ns; i++)
        rc = step_once(c, &tick);
    return is_fatal(rc) ? rc : 0;
}

static void deliver_held(struct app_carry *c)
{
    for (size_t i = 0; i < c->n_held && c->deliver; i++)
        c->deliver(c->ctx, &c->held[i]);
    c->n_held = 0;
}

int app_carry_sync_once(struct app_carry *c, int64_t now_ns)
{
    struct chain_node_event persisted = {.kind = CHAIN_NODE_PERSISTED, .now_ns = now_ns, .persisted_seq = c->persist_seq};
    if (c->persist_seq == 0)
        return 0;
    if (chain_store_commit(c->store, c->error) != 0)
        return -EIO;
    c->persist_seq = 0;
    c->hurry = false;
    deliver_held(c);
    int rc = step_once(c, &persisted);
    return is_fatal(rc) ? rc : go_on(c, now_ns);
}

int64_t app_carry_sync_at(const struct app_carry *c)
{
    static const int64_t BLOCKS_WAIT_NS = 5000000;
    return c->persist_seq == 0 ? INT64_MAX : c->hurry || is_nearly_full(c) ? INT64_MIN : c->opened_ns + BLOCKS_WAIT_NS;
}

int app_carry_sync(struct app_carry *c, int64_t now_ns)
{
    int rc = 0;
    for (int i = 0; i < MAX_SYNCS && c->persist_seq > 0 && rc == 0; i++)
        rc = app_carry_sync_once(c, now_ns);
    return rc;
}

int app_carry_take(struct app_carry *c, const struct chain_node_event *event)
{
    int rc = is_nearly_full(c) ? app_carry_sync(c, event->now_ns) : 0;
    return is_fatal(rc) ? rc : step_once(c, event);
}

int app_carry_step(struct app_carry *c, const struct chain_node_event *event)
{
    int result = app_carry_take(c, event);
    if (is_fatal(result))
        return result;
    int rc = go_on(c, event->now_ns);
    return is_fatal(rc) ? rc : result;
}

int app_carry_write(struct chain_store *store, const struct chain_node_update *update, bool *open, char *error_out)
{
    if (update->persist_seq == 0)
        return 0;
    int rc = *open ? 0 : chain_store_begin(store, error_out);
    if (rc != 0)
        return rc;
    *open = true;
    return chain_store_write(store, update, error_out);
}

int app_carry_commit(struct chain_store *store, bool *open, char *error_out)
{
    if (!*open)
        return 0;
    *open = false;
    return chain_store_commit(store, error_out);
}

int app_carry_rows(struct chain_store *store, const struct chain_node_update *update, char *error_out)
{
    bool open = false;
    int rc = app_carry_write(store, update, &open, error_out);
    return rc == 0 ? app_carry_commit(store, &open, error_out) : rc;
}
