/* One machine: its production node, clock and disk, and the one order in which an update is carried out: send what may leave, write,
 * sync, then PERSISTED, then tell clients (apps/carry.h). A crash can strike between any two of these. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { FAR_NS = 1000000000 };

/* ---- clocks */

int64_t sim_local(const struct sim_node *node, int64_t true_ns)
{
    int64_t past_ns = true_ns - node->true0_ns;
    int64_t local_ns = node->local0_ns + past_ns + past_ns / 1000000 * node->drift_ppm + past_ns % 1000000 * node->drift_ppm / 1000000;
    return local_ns > node->last_local_ns ? local_ns : node->last_local_ns; /* never backward, as apps/node_clock.h */
}

void sim_clock_set(struct sim_world *w, struct sim_node *node, int64_t jump_ns, int32_t drift_ppm)
{
    int64_t raw_ns = node->local0_ns + (w->now_ns - node->true0_ns) + (w->now_ns - node->true0_ns) / 1000000 * node->drift_ppm;
    node->true0_ns = w->now_ns;
    node->local0_ns = raw_ns + jump_ns;
    node->drift_ppm = drift_ppm;
    sim_node_schedule(w, node);
}

/* The first true time at which the node's clock has reached local_ns. */
static int64_t true_time(const struct sim_world *w, const struct sim_node *node, int64_t local_ns)
{
    if (local_ns <= sim_local(node, w->now_ns))
        return w->now_ns;
    if (local_ns - node->local0_ns > (int64_t)FAR_NS * 100000)
        return INT64_MAX;
    int64_t past_ns = local_ns - node->local0_ns;
    int64_t at_ns = node->true0_ns + past_ns - past_ns / 1000000 * node->drift_ppm;
    while (sim_local(node, at_ns) < local_ns)
        at_ns += (local_ns - sim_local(node, at_ns) + 1) / 2 + 1;
    return at_ns > w->now_ns ? at_ns : w->now_ns;
}

void sim_node_schedule(struct sim_world *w, struct sim_node *node)
{
    node->due_ns = INT64_MAX;
    if (node->state != SIM_UP)
        return;
    int64_t deadline_ns = chain_node_deadline(node->node);
    if (deadline_ns == INT64_MAX)
        return;
    node->due_ns = true_time(w, node, deadline_ns);
    if (node->due_ns < node->busy_ns)
        node->due_ns = node->busy_ns;
}

/* ---- life and death */

static struct chain_node_config node_config(struct sim_world *w, struct sim_node *node)
{
    return (struct chain_node_config){.seed = sim_mix(w->cfg.seed ^ ((uint64_t)node->life << 8)),
                                      .self = node->key,
                                      .genesis = &w->genesis,
                                      .signer = sim_signer(&w->keys[node->key]),
                                      .engine = w->cfg.ops,
                                      .engine_heartbeat_ns = w->cfg.heartbeat_ns,
                                      .engine_timeout_ns = 8 * w->cfg.heartbeat_ns,
                                      .engine_timeout_max_ns = 32 * w->cfg.heartbeat_ns,
                                      .gossip_ns = 2 * w->cfg.heartbeat_ns,
                                      .status_ns = 20 * w->cfg.heartbeat_ns,
                                      .records_first = sim_mix(w->cfg.seed ^ node->life) & 1,
                                      .propose_delay_ns = w->cfg.heartbeat_ns / 10,
                                      .mempool_txs = 128,
                                      .read_block = sim_disk_read_block,
                                      .read_snapshot = w->snapshots ? sim_disk_read_part : NULL,
                                      .read_epoch = w->snapshots ? sim_disk_read_epoch : NULL,
                                      .read_block_ctx = &node->disk,
                                      .serve_blocks = w->snapshots ? SIM_SERVED_BLOCKS : 0};
}

static void feed_disk(struct sim_world *w, struct sim_node *node)
{
    struct sim_disk *d = &node->disk;
    d->snapshots = w->snapshots;
    d->lies = node->liar;
    struct chain_node_event snapshot = {.kind = CHAIN_NODE_RESTORE_SNAPSHOT, .now_ns = sim_local(node, w->now_ns)};
    uint64_t from = sim_disk_newest(d, &snapshot.snapshot.data, &snapshot.snapshot.len);
    if (from < d->base || (from > 0 && chain_node_step(node->node, &snapshot, w->update) != 0))
        sim_fail(w, "node %u cannot read snapshot %llu of its disk", node->index, (unsigned long long)from);
    for (uint64_t h = from + 1; h <= d->height && w->failure[0] == 0; h++) {
        const struct sim_disk_block *b = &d->blocks[h];
        struct chain_node_event event = {.kind = CHAIN_NODE_RESTORE_BLOCK,
                                         .now_ns = sim_local(node, w->now_ns),
                                         .block = {.height = h, .batch = b->batch, .batch_len = b->batch_len, .header = b->header,
                                                   .header_len = b->header_len, .cert = b->cert, .cert_len = b->cert_len}};
        if (chain_node_step(node->node, &event, w->update) != 0)
            sim_fail(w, "node %u cannot read block %llu of its disk", node->index, (unsigned long long)h);
    }
    for (size_t i = 0; i < d->n_rows && w->failure[0] == 0; i++) {
        struct chain_node_event event = {.kind = CHAIN_NODE_RESTORE_RECORD,
                                         .now_ns = sim_local(node, w->now_ns),
                                         .record = {.key = d->rows[i].key, .data = d->rows[i].data, .len = d->rows[i].len}};
        if (chain_node_step(node->node, &event, w->update) != 0)
            sim_fail(w, "node %u cannot read row %llu of its disk", node->index, (unsigned long long)d->rows[i].key);
    }
}

void sim_node_start(struct sim_world *w, struct sim_node *node)
{
    struct chain_node_config cfg = node_config(w, node);
    size_t len = chain_node_bytes(&cfg);
    const char *bad = NULL;
    struct sim_pool *pool = w->cfg.pool;
    if (len > pool->len[node->index]) {
        free(pool->mem[node->index]);
        pool->mem[node->index] = malloc(len);
        assert(pool->mem[node->index]);
        pool->len[node->index] = len;
    }
    node->life++;
    node->syncing = false;
    node->wrote_seq = 0;
    node->busy_ns = node->full_until_ns = 0;
    node->sync_fails = false;
    node->armed = SIM_FAULTS;
    node->restart_ns = INT64_MAX;
    node->n_told = 0;
    node->leads_term = 0;
    sim_log(w, "node %u starts with %llu blocks", node->index, (unsigned long long)node->disk.height);
    if (chain_node_init(pool->mem[node->index], len, &cfg, &node->node, &bad) != 0) {
        sim_fail(w, "node %u: a bad %s", node->index, bad ? bad : "?");
        return;
    }
    feed_disk(w, node);
    node->height = node->disk.height;
    sim_check_start(w, node);
    node->state = SIM_UP;
    struct chain_node_event event = {.kind = CHAIN_NODE_START};
    w->trace = sim_mix(w->trace ^ node->index ^ ((uint64_t)node->life << 32));
    if (w->failure[0] == 0 && sim_node_step(w, node, &event) != 0)
        sim_fail(w, "node %u does not start", node->index);
}

/* for_ns: until the restart; INT64_MAX: none is planned. */
void sim_node_stop(struct sim_world *w, struct sim_node *node, enum sim_state state, int64_t for_ns)
{
    if (node->state != SIM_UP)
        return;
    chain_node_close(node->node);
    node->state = state;
    node->due_ns = INT64_MAX;
    node->life++; /* what is on its way from its disk is for nobody */
    size_t all = node->disk.log_len, keep = (size_t)sim_draw(w, all + 1);
    uint64_t how = sim_draw(w, 4); /* lost, cut, spoilt, or everything reached the platter */
    keep = how == 0 ? 0 : how == 3 ? all : keep;
    size_t spoilt = how == 2 && keep > 64 ? 64 : 0;
    uint64_t lost = sim_disk_crash(&node->disk, keep, spoilt);
    sim_check_crashed(w, node);
    sim_log(w, "node %u stops, %llu turns of its disk are lost", node->index, (unsigned long long)lost);
    if (lost > 0)
        w->faults[keep > 0 ? SIM_TORN : SIM_DROPPED]++;
    if (for_ns == INT64_MAX)
        return;
    if (w->snapshots && !w->calm && sim_draw(w, 4) == 0)
        for_ns += SIM_MS(9000); /* the others prune meanwhile */
    node->restart_ns = w->now_ns + for_ns;
    sim_push(w, (struct sim_event){.at_ns = node->restart_ns, .kind = SIM_EV_RESTART, .to = node->index, .life = node->life});
}

/* True if the node was to die at this boundary, and did. */
static bool dies_at(struct sim_world *w, struct sim_node *node, enum sim_fault boundary)
{
    if (node->armed != boundary)
        return false;
    w->faults[boundary]++;
    sim_node_stop(w, node, SIM_DOWN, sim_draw_ns(w, SIM_MS(1), SIM_MS(1500)));
    return true;
}

/* ---- carrying an update out */

static bool send_all(struct sim_world *w, struct sim_node *node, const struct chain_node_update *u)
{
    if (u->n_sends > 0 && dies_at(w, node, SIM_CRASH_BEFORE_SEND))
        return false;
    for (size_t i = 0; i < u->n_sends; i++) {
        if (i > 0 && dies_at(w, node, SIM_CRASH_MID_SEND))
            return false;
        sim_check_send(w, node, &u->sends[i]);
        if (node->liar)
            sim_liar_send(w, node, &u->sends[i]);
        else
            sim_send(w, node, u->sends[i].to, u->sends[i].data, u->sends[i].len);
    }
    return true;
}

static void start_sync(struct sim_world *w, struct sim_node *node)
{
    int64_t takes_ns = sim_draw_ns(w, w->sync_ns / 2, w->sync_ns * 2);
    if (w->now_ns < node->slow_until_ns) {
        takes_ns *= 40;
        w->faults[SIM_SLOW_DISK]++;
    }
    node->syncing = true;
    if (w->blocking)
        node->busy_ns = w->now_ns + takes_ns;
    sim_push(w, (struct sim_event){.at_ns = w->now_ns + takes_ns, .kind = SIM_EV_SYNCED, .to = node->index, .life = node->life,
                                   .seq = node->wrote_seq, .mark = node->disk.log_turn});
}

static void note_told(struct sim_node *node, const struct chain_node_update *u)
{
    for (size_t i = 0; i < u->n_events; i++) {
        const struct chain_ledger_event *e = &u->events[i];
        if (e->kind != CHAIN_LE_TX)
            continue;
        if (node->n_told == node->cap_told) {
            node->cap_told = node->cap_told ? 2 * node->cap_told : 64;
            node->told = realloc(node->told, node->cap_told * sizeof node->told[0]);
            assert(node->told);
        }
        node->told[node->n_told++] = (struct sim_told){.persist_seq = u->persist_seq, .height = e->height, .station = e->station,
                                                       .nonce = e->nonce, .code = e->code};
    }
}

/* A disk that cannot be written to or synced is fatal: nothing of that turn is sent, the machine stops until its operator comes. */
static void halt(struct sim_world *w, struct sim_node *node, enum sim_fault why)
{
    w->faults[why]++;
    sim_node_stop(w, node, SIM_HALTED, sim_draw_ns(w, SIM_MS(500), SIM_MS(3000)));
}

int sim_node_step(struct sim_world *w, struct sim_node *node, struct chain_node_event *event)
{
    struct chain_node_update *u = w->update;
    event->now_ns = node->last_local_ns = sim_local(node, w->now_ns);
    int rc = chain_node_step(node->node, event, u);
    w->n_events++;
    w->trace = sim_mix(w->trace ^ (uint64_t)w->now_ns ^ ((uint64_t)event->kind << 56) ^ ((uint64_t)node->index << 48) ^ (uint64_t)(uint32_t)rc);
    if (w->cfg.break_at != 0 && w->n_events == w->cfg.break_at)
        sim_fail(w, "a false alarm at event %llu, as asked for", (unsigned long long)w->n_events);
    if (rc == -EILSEQ) {
        if (!node->liar)
            sim_fail(w, "node %u stops at block %llu: it holds another header than was signed", node->index,
                     (unsigned long long)u->fatal_height);
        sim_node_stop(w, node, SIM_DOWN, INT64_MAX);
        return rc;
    }
    sim_check_step(w, node, event);
    if (!send_all(w, node, u))
        return 0;
    if (u->persist_seq > 0) {
        if (dies_at(w, node, SIM_CRASH_BEFORE_WRITE))
            return 0;
        if (w->now_ns < node->full_until_ns) {
            halt(w, node, SIM_DISK_FULL);
            return 0;
        }
        sim_disk_write(&node->disk, u);
        node->wrote_seq = u->persist_seq;
        if (!node->liar)
            note_told(node, u);
        if (dies_at(w, node, SIM_CRASH_AFTER_WRITE))
            return 0;
        if (!node->syncing)
            start_sync(w, node);
    }
    sim_node_schedule(w, node);
    return rc;
}

void sim_node_synced(struct sim_world *w, struct sim_node *node, const struct sim_event *event)
{
    if (dies_at(w, node, SIM_CRASH_IN_SYNC))
        return;
    if (node->sync_fails) {
        halt(w, node, SIM_SYNC_FAILS);
        return;
    }
    sim_disk_sync(&node->disk, event->mark);
    node->syncing = false;
    sim_check_synced(w, node, event->seq);
    size_t n_left = 0;
    for (size_t i = 0; i < node->n_told; i++) {
        if (node->told[i].persist_seq <= event->seq)
            sim_client_told(w, &node->told[i]);
        else
            node->told[n_left++] = node->told[i];
    }
    node->n_told = n_left;
    if (dies_at(w, node, SIM_CRASH_AFTER_SYNC))
        return;
    if (node->wrote_seq > event->seq)
        start_sync(w, node);
    struct chain_node_event persisted = {.kind = CHAIN_NODE_PERSISTED, .persisted_seq = event->seq};
    (void)sim_node_step(w, node, &persisted);
}
