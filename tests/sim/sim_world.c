/* Setting a cluster up, and its loop. */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

void sim_fail(struct sim_world *w, const char *format, ...)
{
    if (w->failure[0] != 0)
        return;
    va_list args;
    va_start(args, format);
    int n = snprintf(w->failure, sizeof w->failure, "after %.6f s, event %" PRIu64 ": ", (double)(w->now_ns - SIM_EPOCH_NS) / 1e9,
                     w->n_events);
    vsnprintf(w->failure + n, sizeof w->failure - (size_t)n, format, args);
    va_end(args);
}

void sim_log(const struct sim_world *w, const char *format, ...)
{
    if (!w->cfg.log)
        return;
    va_list args;
    va_start(args, format);
    printf("%11.6f ", (double)(w->now_ns - SIM_EPOCH_NS) / 1e9);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

static void make_genesis(struct sim_world *w)
{
    struct chain_genesis *g = &w->genesis;
    *g = (struct chain_genesis){.name = "sim", .time_ns = SIM_EPOCH_NS, .n_channels = 4,
                                .quiet_period_ns = SIM_MS(250), .quiet_length_ns = SIM_MS(10), .max_skew_ns = SIM_MS(5),
                                .transmit_expire_ns = SIM_MS(2400), .heartbeat_ns = SIM_MS(600), .stop_ns = SIM_MS(600),
                                .grant_ns = SIM_MS(8000), .drift_guard_ns = SIM_MS(1), .max_eirp_cdbm_mhz = 3000,
                                .local_p_fa_ppb = 100000, .fuse_min_positive = 2, .fuse_after_ns = SIM_MS(150),
                                .min_block_interval_ns = w->cfg.heartbeat_ns, .max_ahead_ns = SIM_MS(20), .max_batch_bytes = 16384};
    snprintf(g->engine, sizeof g->engine, "%s", w->cfg.ops->byzantine ? "pbft" : "raft");
    g->white_after = sim_draw(w, 3) == 0 ? 2 : 0;
    g->reuse_m = sim_draw(w, 3) == 0 ? 20000 : 0;
    g->abandon_ns = sim_draw(w, 3) == 0 ? SIM_MS(3000) : 0;
    g->access_threshold = sim_draw(w, 3) == 0 ? 4 : 0;
    g->access_window_ns = SIM_MS(10000);
    g->bar_ns = SIM_MS(3000);
    g->supply = 10000;
    g->endowment = 500;
    g->grant_price = 40;
    g->share_rebate = 10;
    g->refund_permille = 500;
    g->sense_reward = 3;
    g->accuse_reward = 50;
    g->put_keys = 4;
    for (uint32_t c = 0; c < g->n_channels; c++)
        g->channels[c] = (struct chain_channel){.low_hz = 5180000000 + c * UINT64_C(10000000), .high_hz = 5190000000 + c * UINT64_C(10000000),
                                                .control = c == 0, .quiet_phase_ns = SIM_MS(100)};
    g->members.n = w->cfg.n;
    g->members.n_keys = w->cfg.n + w->cfg.n_spare + SIM_MAX_CLIENTS;
    chain_members_seat_in_order(&g->members);
    sim_keys_make(w, CHAIN_MAX_KEYS);
    const char *bad = NULL;
    int rc = chain_genesis_finish(g, NULL, &bad);
    if (rc != 0)
        sim_fail(w, "the genesis block has a bad %s", bad ? bad : "?");
}

struct sim_world *sim_new(const struct sim_config *cfg)
{
    struct sim_world *w = calloc(1, sizeof *w);
    assert(w && cfg->n > 0 && cfg->n + cfg->n_spare + cfg->twins <= SIM_MAX_NODES);
    w->cfg = *cfg;
    w->now_ns = SIM_EPOCH_NS + SIM_MS(1000);
    w->update = calloc(1, sizeof *w->update);
    assert(w->update);
    cfg->pool->n_scenarios++;
    make_genesis(w);
    w->f = cfg->ops->byzantine ? (cfg->n - 1) / 3 : 0;
    w->n_nodes = cfg->n + cfg->n_spare + cfg->twins;
    sim_check_init(w);
    sim_clients_init(w);
    sim_faults_init(w);
    for (uint32_t i = 0; i < SIM_MAX_NODES; i++) {
        struct sim_node *node = &w->nodes[i];
        node->index = node->key = i;
        node->liar = i < cfg->n_liars;
        node->due_ns = node->restart_ns = INT64_MAX;
        node->true0_ns = node->local0_ns = w->now_ns;
        node->armed = SIM_FAULTS;
    }
    if (cfg->twins) {
        w->nodes[cfg->n].key = cfg->n - 1;
        w->nodes[cfg->n - 1].liar = w->nodes[cfg->n].liar = true;
    }
    return w;
}

void sim_free(struct sim_world *w)
{
    for (size_t i = 0; i < SIM_MAX_NODES; i++) {
        struct sim_node *node = &w->nodes[i];
        if (node->state == SIM_UP)
            chain_node_close(node->node);
        sim_check_forget(node);
        sim_disk_wipe(&node->disk);
        free(node->told);
        free(node->log.entries);
    }
    while (w->n_heap > 0)
        sim_frame_drop(sim_pop(w).frame);
    for (size_t i = 0; i < SIM_KEPT_FRAMES; i++)
        sim_frame_drop(w->kept[i]);
    sim_check_close(w);
    free(w->heap);
    free(w->update);
    free(w);
}

static void handle_event(struct sim_world *w, const struct sim_event *event)
{
    struct sim_node *node = &w->nodes[event->to];
    if (event->kind == SIM_EV_RESTART) {
        if (node->state != SIM_UP && node->life == event->life)
            sim_node_start(w, node);
        return;
    }
    if (node->state != SIM_UP)
        return;
    if (event->kind == SIM_EV_SYNCED) {
        if (node->life == event->life)
            sim_node_synced(w, node, event);
        return;
    }
    if (w->now_ns < node->busy_ns) {
        sim_deliver_to(w, event->to, event->frame, node->busy_ns);
        return;
    }
    struct chain_node_event receive = {.kind = CHAIN_NODE_RECEIVE};
    receive.bytes.data = event->frame->data;
    receive.bytes.len = event->frame->len;
    (void)sim_node_step(w, node, &receive);
}

static struct sim_node *first_due(struct sim_world *w)
{
    struct sim_node *first = &w->nodes[0];
    for (size_t i = 1; i < w->n_nodes; i++)
        if (w->nodes[i].due_ns < first->due_ns)
            first = &w->nodes[i];
    return first;
}

/* False: nothing happens by until_ns. */
static bool turn(struct sim_world *w, int64_t until_ns)
{
    struct sim_node *node = first_due(w);
    int64_t at_ns = w->n_heap > 0 ? w->heap[0].at_ns : INT64_MAX;
    int64_t side_ns = w->next_fault_ns < w->next_op_ns ? w->next_fault_ns : w->next_op_ns;
    int64_t first_ns = at_ns < node->due_ns ? at_ns : node->due_ns;
    first_ns = side_ns < first_ns ? side_ns : first_ns;
    if (first_ns > until_ns)
        return false;
    w->now_ns = first_ns > w->now_ns ? first_ns : w->now_ns;
    if (first_ns == side_ns) {
        if (side_ns == w->next_fault_ns)
            sim_fault_now(w);
        else
            sim_client_now(w);
    } else if (first_ns == at_ns) {
        struct sim_event event = sim_pop(w);
        handle_event(w, &event);
        sim_frame_drop(event.frame);
    } else {
        struct chain_node_event tick = {.kind = CHAIN_NODE_TICK};
        (void)sim_node_step(w, node, &tick);
    }
    return w->failure[0] == 0;
}

bool sim_run_until(struct sim_world *w, int64_t until_ns)
{
    enum { MAX_EVENTS_A_SECOND = 400000 };
    uint64_t limit = w->n_events + MAX_EVENTS_A_SECOND * (uint64_t)((until_ns - w->now_ns) / SIM_MS(1000) + 1);
    while (turn(w, until_ns))
        if (w->n_events > limit)
            sim_fail(w, "no time passes: a storm");
    if (w->failure[0] == 0 && w->now_ns < until_ns)
        w->now_ns = until_ns;
    return w->failure[0] == 0;
}

/* All honest machines hold one chain, all of it certified, and every operation was answered. */
static bool all_agree(const struct sim_world *w)
{
    if (!sim_clients_done(w))
        return false;
    for (size_t i = 0; i < w->n_nodes; i++) {
        const struct sim_node *node = &w->nodes[i];
        struct chain_node_stats s;
        if (node->liar)
            continue;
        if (node->state != SIM_UP || node->height != w->top)
            return false;
        chain_node_stats(node->node, &s);
        if (s.certified_height != w->top)
            return false;
    }
    return true;
}

static void tell_what_hangs(struct sim_world *w)
{
    char text[400] = "";
    size_t n = 0;
    for (size_t i = 0; i < w->n_nodes && n + 60 < sizeof text; i++) {
        const struct sim_node *node = &w->nodes[i];
        struct chain_node_stats s = {0};
        if (node->state == SIM_UP)
            chain_node_stats(node->node, &s);
        n += (size_t)snprintf(text + n, sizeof text - n, " %u%s:%" PRIu64 "/%" PRIu64 " view %" PRIu64 " pool %" PRIu64, node->index,
                              node->state == SIM_UP ? "" : " down", s.height, s.certified_height, s.engine.view, s.mempool);
    }
    sim_fail(w, "no convergence %.1f s after the last fault (%s): height/certified%s", (double)w->cfg.converge_ns / 1e9,
             sim_clients_done(w) ? "all answered" : "operations without an answer", text);
}

bool sim_converge(struct sim_world *w)
{
    int64_t until_ns = w->now_ns + w->cfg.converge_ns;
    sim_calm_down(w);
    sim_clients_finish(w);
    while (w->failure[0] == 0 && w->now_ns < until_ns) {
        if (all_agree(w))
            return true;
        sim_run_until(w, w->now_ns + SIM_MS(20));
    }
    if (w->failure[0] == 0)
        tell_what_hangs(w);
    return false;
}

bool sim_run(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->n_nodes && w->failure[0] == 0; i++)
        sim_node_start(w, &w->nodes[i]);
    return w->failure[0] == 0 && sim_run_until(w, w->now_ns + w->cfg.fault_ns) && sim_converge(w);
}
