#include "tests/sim/engine_cluster.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/cbor.h"
#include "tests/sim/engine_disk.c"

/* ---- carrying an update out */

static size_t encode_msg(struct cluster *c, const struct chain_msg *msg, uint8_t *out)
{
    long len = chain_msg_encode(&c->members, msg, out, CHAIN_MAX_MSG_BYTES + 512);
    assert(len > 0);
    return (size_t)len;
}

/* A liar says different things to different members: another batch in its proposals, votes for both. */
static void emit_lies(struct cluster *c, struct cluster_node *node, const struct chain_out_msg *out)
{
    static uint8_t wire[CHAIN_MAX_MSG_BYTES + 512], body[CHAIN_MAX_BATCH_BYTES];
    for (uint32_t i = 0; i < c->cfg.n; i++) {
        struct chain_msg msg = out->msg;
        if (i == node->id || (out->to != CHAIN_TO_ALL && out->to != i))
            continue;
        if (msg.author == node->id && i % 2 == 1) {
            struct chain_batch_view view;
            if (msg.kind == CHAIN_MSG_PBFT_PRE_PREPARE && chain_batch_decode(&view, msg.body, msg.body_len) == 0) {
                view.time_ns++;
                msg.body_len = (size_t)chain_batch_encode(&view, body, sizeof body);
                msg.body = body;
                chain_msg_digest(&c->members, msg.kind, msg.body, msg.body_len, &msg.digest);
                node->lie = msg.digest;
            } else if (msg.body_len == 0 && (msg.kind == CHAIN_MSG_PBFT_PREPARE || msg.kind == CHAIN_MSG_PBFT_COMMIT)) {
                msg.digest = node->lie;
            } else if (msg.kind == CHAIN_MSG_PBFT_VIEW_CHANGE) { /* far ahead, it says, and shows nothing */
                struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
                chain_cbor_put_array(&w, 3);
                chain_cbor_put_uint(&w, node->tip);
                chain_cbor_put_uint(&w, node->tip + 3);
                chain_cbor_put_array(&w, 0);
                msg.body = body;
                msg.body_len = w.len;
                chain_msg_digest(&c->members, msg.kind, msg.body, msg.body_len, &msg.digest);
            }
            node->signer.sign(node->signer.ctx, &c->members, &msg);
        }
        size_t len = encode_msg(c, &msg, wire);
        emit_to(c, node->id, i, wire, len);
    }
    c->n_sent++;
}

static void carry_msgs(struct cluster *c, struct cluster_node *node, struct cluster_write *w)
{
    static uint8_t wire[CHAIN_MAX_MSG_BYTES + 512];
    const struct chain_update *out = &c->update;
    for (size_t i = 0; i < out->n_msgs; i++) {
        if (node->liar) {
            emit_lies(c, node, &out->msgs[i]);
            continue;
        }
        size_t len = encode_msg(c, &out->msgs[i].msg, wire);
        bool overheard = c->cfg.overheard && out->msgs[i].msg.kind == CHAIN_MSG_RAFT_APPEND_REPLY;
        uint32_t to = overheard ? CHAIN_TO_ALL : out->msgs[i].to;
        if (!out->msgs[i].after_persist || (out->persist_seq == 0 && !node->writes)) {
            emit(c, node->id, to, wire, len);
            continue;
        }
        w->frames[w->n_frames].to = to;
        w->frames[w->n_frames].data = copy_octets(wire, len);
        w->frames[w->n_frames++].len = len;
    }
}

static void take_reads(struct cluster *c, const struct cluster_node *node)
{
    for (size_t i = 0; i < c->update.n_reads; i++) {
        struct cluster_read *read = &c->reads[c->update.reads[i].id];
        if (read->height != 0)
            FAIL(c, "node %u answers a read twice", node->id);
        read->height = c->update.reads[i].height;
        if (read->height < read->floor)
            FAIL(c, "node %u has height %lu read, and %lu was committed", node->id, (unsigned long)read->height, (unsigned long)read->floor);
    }
    c->update.n_reads = 0;
}

/* Nobody else ever leads the same view. */
static void check_leader(struct cluster *c, const struct cluster_node *node)
{
    struct chain_engine_stats stats;
    c->cfg.ops->stats(node->engine, &stats);
    if (!stats.is_leader || stats.view >= CLUSTER_MAX_VIEWS)
        return;
    if (c->leaders[stats.view] != 0 && c->leaders[stats.view] != node->id + 1)
        FAIL(c, "nodes %u and %u lead view %lu", node->id, c->leaders[stats.view] - 1, (unsigned long)stats.view);
    c->leaders[stats.view] = node->id + 1;
}

static void carry_out(struct cluster *c, struct cluster_node *node)
{
    const struct chain_update *out = &c->update;
    take_reads(c, node);
    if (out->n_msgs + out->n_records + out->n_commits == 0)
        return;
    struct cluster_write *w = calloc(1, sizeof *w);
    assert(w);
    carry_msgs(c, node, w);
    w->persist_seq = out->persist_seq;
    w->done_ns = c->now_ns + c->cfg.persist_ns;
    for (size_t i = 0; i < out->n_records; i++) {
        const struct chain_record *record = &out->records[i];
        w->rows[i].row.key = record->key;
        w->rows[i].key_end = record->key_end;
        w->rows[i].row.data = record->data ? copy_octets(record->data, record->len) : NULL;
        w->rows[i].row.len = record->len;
    }
    w->n_rows = out->n_records;
    w->n_blocks = out->n_commits;
    for (size_t i = 0; i < out->n_commits; i++) {
        const struct chain_commit *commit = &out->commits[i];
        w->blocks[i] = (struct cluster_block){copy_octets(commit->batch, commit->len), commit->len};
        if (i == 0)
            w->first_height = commit->height;
        if (!node->liar)
            apply_commit(c, node, commit->height, commit->batch, commit->len);
        else
            node->tip = commit->height;
    }
    if (w->n_rows + w->n_frames + w->n_blocks == 0) {
        free(w);
        return;
    }
    *node->writes_tail = w;
    node->writes_tail = &w->next;
}

/* A refused event has no consequence. */
static void step_engine(struct cluster *c, struct cluster_node *node, const struct chain_event *event)
{
    int rc = c->cfg.ops->step(node->engine, event, &c->update);
    if (rc != 0 && c->update.n_msgs + c->update.n_records + c->update.n_commits > 0)
        FAIL(c, "node %u refuses an event of kind %d and answers it", node->id, (int)event->kind);
    check_leader(c, node);
}

static void step_node(struct cluster *c, struct cluster_node *node, const struct chain_event *event)
{
    step_engine(c, node, event);
    carry_out(c, node);
}

static int64_t find_pending(const struct cluster *c, const struct cluster_node *node)
{
    for (uint32_t i = 0; i < c->n_requests; i++)
        if (!node->executed[i])
            return c->requested_ns[i];
    return INT64_MAX;
}

/* What a node does around its engine after each step: tell what waits, propose. */
static void pump_node(struct cluster *c, struct cluster_node *node)
{
    static uint8_t batch[1024];
    carry_out(c, node);
    for (;;) {
        struct chain_engine_stats stats;
        int64_t pending_ns = find_pending(c, node);
        if (pending_ns != node->told_pending_ns) {
            node->told_pending_ns = pending_ns;
            struct chain_event event = {.kind = CHAIN_EV_PENDING, .now_ns = c->now_ns, .pending_since_ns = pending_ns};
            step_node(c, node, &event);
            continue;
        }
        c->cfg.ops->stats(node->engine, &stats);
        size_t len = stats.may_propose ? make_batch(c, node, &stats, batch, sizeof batch) : 0;
        if (len == 0)
            return;
        struct chain_event event = {.kind = CHAIN_EV_PROPOSE, .now_ns = c->now_ns};
        event.propose.batch = batch;
        event.propose.len = len;
        uint64_t height = stats.proposes;
        step_node(c, node, &event);
        c->cfg.ops->stats(node->engine, &stats);
        if (stats.proposes == height) {
            FAIL(c, "node %u took no batch", node->id);
            return;
        }
    }
}

static void feed(struct cluster *c, struct cluster_node *node, const struct chain_event *event)
{
    step_engine(c, node, event);
    pump_node(c, node);
}

/* ---- life and death */

static void start_engine(struct cluster *c, struct cluster_node *node)
{
    const char *bad = NULL;
    node->cfg.stable_height = node->disk_height;
    int rc = c->cfg.ops->init(node->mem, c->cfg.ops->bytes(&node->cfg), &node->cfg, &node->engine, &bad);
    if (rc != 0) {
        FAIL(c, "init refuses %s", bad ? bad : "?");
        return;
    }
    node->alive = true;
    node->told_pending_ns = INT64_MAX;
    node->told_stable = 0;
    node->tip = node->disk_height;
    memset(node->executed, 0, sizeof node->executed);
    memset(node->proposed, 0, sizeof node->proposed);
    for (uint64_t height = 1; height <= node->disk_height; height++) {
        struct chain_batch_view view;
        uint32_t ids[CHAIN_MAX_BATCH_TXS];
        if (read_batch(c, node->blocks[height].batch, node->blocks[height].len, &view, ids) == 0)
            for (size_t i = 0; i < view.n_txs; i++)
                node->executed[ids[i]] = true;
    }
    for (size_t i = 0; i < node->n_rows; i++) {
        struct chain_event event = {.kind = CHAIN_EV_RESTORE, .now_ns = c->now_ns};
        event.restore.key = node->rows[i].key;
        event.restore.data = node->rows[i].data;
        event.restore.len = node->rows[i].len;
        if (c->cfg.ops->step(node->engine, &event, &c->update) != 0)
            FAIL(c, "node %u cannot read its row %lu", node->id, (unsigned long)node->rows[i].key);
    }
    struct chain_event event = {.kind = CHAIN_EV_TICK, .now_ns = c->now_ns};
    feed(c, node, &event);
}

void cluster_crash(struct cluster *c, uint32_t id)
{
    struct cluster_node *node = &c->nodes[id];
    while (node->writes) {
        struct cluster_write *w = node->writes;
        node->writes = w->next;
        free_write(w);
    }
    node->writes_tail = &node->writes;
    node->alive = false;
    note(c, "crash", 5);
}

void cluster_restart(struct cluster *c, uint32_t id)
{
    note(c, "restart", 7);
    start_engine(c, &c->nodes[id]);
}

static void set_up_node(struct cluster *c, uint32_t id)
{
    struct cluster_node *node = &c->nodes[id];
    uint8_t seed[32] = {(uint8_t)id, (uint8_t)c->cfg.seed};
    node->cluster = c;
    node->id = id;
    node->writes_tail = &node->writes;
    if (c->cfg.ed25519) {
        chain_ed25519_from_seed(seed, c->members.keys[id], node->key.secret);
        node->signer = chain_signer_ed25519(&node->key);
    } else {
        node->signer = (struct chain_signer){.ctx = node, .sign = sign_fast, .verify = verify_fast};
    }
    node->cfg = (struct chain_engine_config){.seed = c->cfg.seed, .self = id, .members = &c->members, .signer = &node->signer,
                                             .check_batch = check_batch, .check_ctx = node, .heartbeat_ns = c->cfg.heartbeat_ns,
                                             .timeout_ns = c->cfg.timeout_ns, .timeout_max_ns = c->cfg.timeout_max_ns,
                                             .window = c->cfg.window, .learner = (c->cfg.learners >> id & 1) != 0,
                                             .strict_votes = c->cfg.strict_votes, .overheard = c->cfg.overheard};
    node->mem = malloc(c->cfg.ops->bytes(&node->cfg));
    assert(node->mem);
}

struct cluster *cluster_new(const struct cluster_config *cfg)
{
    struct cluster *c = calloc(1, sizeof *c);
    assert(c && sodium_init() >= 0);
    c->cfg = *cfg;
    c->now_ns = INT64_C(1577836800000000000);
    c->members.n = c->members.n_keys = cfg->n;
    chain_members_seat_in_order(&c->members);
    memcpy(c->members.chain_id, "cluster1", 8);
    crypto_generichash_init(&c->trace, NULL, 0, 32);
    c->fetch_at_ns = cfg->fetch_ns > 0 ? c->now_ns + cfg->fetch_ns : INT64_MAX;
    c->certified_at_ns = INT64_MAX;
    for (uint32_t i = 0; i < cfg->n; i++)
        set_up_node(c, i);
    for (uint32_t i = 0; i < cfg->n; i++)
        start_engine(c, &c->nodes[i]);
    return c;
}

void cluster_free(struct cluster *c)
{
    for (uint32_t i = 0; i < c->cfg.n; i++) {
        struct cluster_node *node = &c->nodes[i];
        cluster_crash(c, i);
        drop_rows(node, 0, UINT64_MAX);
        for (size_t k = 0; k <= CLUSTER_MAX_HEIGHT; k++)
            free(node->blocks[k].batch);
        free(node->mem);
    }
    while (c->n_frames > 0)
        free(pop_frame(c).data);
    for (size_t i = 0; i < c->n_recorded; i++)
        free(c->recorded[i].data);
    free(c->recorded);
    free(c->frames);
    free(c);
}

void cluster_request(struct cluster *c)
{
    assert(c->n_requests < CLUSTER_MAX_REQUESTS);
    c->requested_ns[c->n_requests++] = c->now_ns;
    for (uint32_t i = 0; i < c->cfg.n; i++) {
        c->update.n_msgs = c->update.n_records = c->update.n_commits = c->update.n_reads = 0;
        if (c->nodes[i].alive)
            pump_node(c, &c->nodes[i]);
    }
}

bool cluster_read(struct cluster *c, uint32_t id)
{
    assert(c->n_reads < CLUSTER_MAX_READS);
    struct cluster_node *node = &c->nodes[id];
    c->reads[c->n_reads] = (struct cluster_read){.floor = c->highest_tip};
    struct chain_event event = {.kind = CHAIN_EV_READ, .now_ns = c->now_ns, .read_id = c->n_reads};
    int rc = node->alive ? c->cfg.ops->step(node->engine, &event, &c->update) : -EBADMSG;
    if (rc != 0)
        return false;
    c->n_reads++;
    pump_node(c, node);
    return true;
}

bool cluster_transfer(struct cluster *c, uint32_t from, uint32_t to)
{
    struct cluster_node *node = &c->nodes[from];
    struct chain_event event = {.kind = CHAIN_EV_TRANSFER, .now_ns = c->now_ns, .member = to};
    int rc = node->alive ? c->cfg.ops->step(node->engine, &event, &c->update) : -EBADMSG;
    if (rc == 0)
        pump_node(c, node);
    return rc == 0;
}

void cluster_make_voter(struct cluster *c, uint32_t id)
{
    struct cluster_node *node = &c->nodes[id];
    node->cfg.learner = false;
    struct chain_event event = {.kind = CHAIN_EV_VOTER, .now_ns = c->now_ns};
    if (!node->alive)
        return;
    int rc = c->cfg.ops->step(node->engine, &event, &c->update);
    assert(rc == 0);
    (void)rc;
    pump_node(c, node);
}

#include "tests/sim/engine_fetch.c"

/* ---- the loop */

static void deliver(struct cluster *c, const struct cluster_frame *frame)
{
    struct cluster_node *node = &c->nodes[frame->to];
    struct chain_msg msg;
    if (!node->alive)
        return;
    if (chain_msg_decode(&c->members, frame->data, frame->len, &msg, NULL) != 0
        || node->signer.verify(node->signer.ctx, &c->members, &msg) != 0) {
        FAIL(c, "a frame of node %u does not verify", frame->from);
        return;
    }
    struct chain_event event = {.kind = CHAIN_EV_MESSAGE, .now_ns = c->now_ns, .msg = &msg};
    feed(c, node, &event);
}

static struct cluster_node *find_next_node(struct cluster *c, int64_t *at_out, bool *disk_out)
{
    struct cluster_node *next = NULL;
    for (uint32_t i = 0; i < c->cfg.n; i++) {
        struct cluster_node *node = &c->nodes[i];
        if (!node->alive)
            continue;
        int64_t timer_ns = c->cfg.ops->deadline(node->engine);
        int64_t disk_ns = node->writes ? node->writes->done_ns : INT64_MAX;
        int64_t at_ns = disk_ns <= timer_ns ? disk_ns : timer_ns;
        if (next && at_ns >= *at_out)
            continue;
        next = node;
        *at_out = at_ns;
        *disk_out = disk_ns <= timer_ns;
    }
    return next;
}

/* false: nothing happens by until_ns */
static bool turn(struct cluster *c, int64_t until_ns)
{
    int64_t at_ns = INT64_MAX;
    bool disk = false;
    struct cluster_node *node = find_next_node(c, &at_ns, &disk);
    int64_t frame_ns = c->n_frames > 0 ? c->frames[0].at_ns : INT64_MAX;
    int64_t side_ns = c->fetch_at_ns < c->certified_at_ns ? c->fetch_at_ns : c->certified_at_ns;
    int64_t first_ns = frame_ns < at_ns ? frame_ns : at_ns;
    first_ns = side_ns < first_ns ? side_ns : first_ns;
    if (first_ns > until_ns || first_ns == INT64_MAX)
        return false;
    c->now_ns = first_ns > c->now_ns ? first_ns : c->now_ns;
    if (first_ns == side_ns) {
        if (side_ns == c->fetch_at_ns)
            fetch_blocks(c);
        else
            tell_certified(c);
    } else if (first_ns == frame_ns) {
        struct cluster_frame frame = pop_frame(c);
        deliver(c, &frame);
        free(frame.data);
    } else if (disk) {
        finish_write(c, node);
    } else {
        struct chain_event event = {.kind = CHAIN_EV_TICK, .now_ns = c->now_ns};
        feed(c, node, &event);
    }
    find_certified(c);
    c->n_events++;
    if (c->cfg.check)
        c->cfg.check(c, c->n_events);
    return true;
}

enum { MAX_TURNS = 2000000 };

void cluster_run(struct cluster *c, int64_t until_ns)
{
    int n_turns = 0;
    while (c->failure[0] == 0 && turn(c, until_ns))
        if (++n_turns > MAX_TURNS)
            FAIL(c, "no time passes: a storm");
    if (c->now_ns < until_ns)
        c->now_ns = until_ns;
}

static bool all_reached(const struct cluster *c, uint64_t height)
{
    for (uint32_t i = 0; i < c->cfg.n; i++)
        if (c->nodes[i].alive && !c->nodes[i].liar && c->nodes[i].tip < height)
            return false;
    return true;
}

bool cluster_run_to_height(struct cluster *c, uint64_t height, int64_t until_ns)
{
    int n_turns = 0;
    while (c->failure[0] == 0 && !all_reached(c, height) && turn(c, until_ns))
        if (++n_turns > MAX_TURNS)
            FAIL(c, "no time passes: a storm");
    return c->failure[0] == 0 && all_reached(c, height);
}

static bool all_quiet(const struct cluster *c)
{
    for (uint32_t i = 0; i < c->cfg.n; i++)
        if (c->nodes[i].alive && !c->nodes[i].liar
            && (find_pending(c, &c->nodes[i]) != INT64_MAX || c->nodes[i].disk_height < c->nodes[i].tip))
            return false;
    return all_reached(c, c->highest);
}

bool cluster_run_to_quiet(struct cluster *c, int64_t until_ns)
{
    int n_turns = 0;
    while (c->failure[0] == 0 && !all_quiet(c) && turn(c, until_ns))
        if (++n_turns > MAX_TURNS)
            FAIL(c, "no time passes: a storm");
    return c->failure[0] == 0 && all_quiet(c);
}

uint32_t cluster_leader(const struct cluster *c)
{
    uint32_t n_for[CHAIN_MAX_MEMBERS] = {0};
    for (uint32_t i = 0; i < c->cfg.n; i++) {
        struct chain_engine_stats stats;
        if (!c->nodes[i].alive)
            continue;
        c->cfg.ops->stats(c->nodes[i].engine, &stats);
        if (stats.leader < c->cfg.n)
            n_for[stats.leader]++;
    }
    uint32_t leader = CHAIN_TO_ALL, most = 0;
    for (uint32_t i = 0; i < c->cfg.n; i++) {
        if (n_for[i] <= most)
            continue;
        most = n_for[i];
        leader = i;
    }
    return leader;
}

struct chain_engine_stats cluster_stats(const struct cluster *c, uint32_t id)
{
    struct chain_engine_stats stats;
    c->cfg.ops->stats(c->nodes[id].engine, &stats);
    return stats;
}

void cluster_trace(struct cluster *c, uint8_t out[32])
{
    crypto_generichash_state state = c->trace;
    crypto_generichash_final(&state, out, 32);
}
