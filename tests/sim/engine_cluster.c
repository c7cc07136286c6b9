#include "tests/sim/engine_cluster.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAIL(c, ...)                                                                 \
    do {                                                                             \
        if ((c)->failure[0] == 0)                                                    \
            snprintf((c)->failure, sizeof(c)->failure, __VA_ARGS__);                 \
    } while (0)

static void pump_node(struct cluster *c, struct cluster_node *node);

uint64_t cluster_draw(struct cluster *c, uint64_t below)
{
    uint64_t in[2] = {c->cfg.seed, c->n_drawn++}, out[2];
    crypto_generichash((uint8_t *)out, 16, (const uint8_t *)in, sizeof in, NULL, 0);
    return out[0] % below;
}

static void *copy_octets(const void *data, size_t len)
{
    void *copy = malloc(len + 1);
    assert(copy);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

static void note(struct cluster *c, const void *data, size_t len)
{
    crypto_generichash_update(&c->trace, (const uint8_t *)&c->now_ns, sizeof c->now_ns);
    crypto_generichash_update(&c->trace, data, len);
}

/* ---- signatures: keyed BLAKE2b, quick; its key is the author's number */

static void hash_msg(const struct chain_members *members, const struct chain_msg *msg, uint8_t out[CHAIN_SIG_BYTES])
{
    uint8_t in[64] = {msg->kind, (uint8_t)msg->author, (uint8_t)members->epoch};
    memcpy(in + 8, &msg->view, 8);
    memcpy(in + 16, &msg->seq, 8);
    memcpy(in + 24, msg->digest.octets, 32);
    uint8_t key[32] = {(uint8_t)(msg->author + 1)};
    crypto_generichash(out, CHAIN_SIG_BYTES, in, sizeof in, key, sizeof key);
}

static int sign_fast(void *ctx, const struct chain_members *members, struct chain_msg *msg)
{
    (void)ctx;
    hash_msg(members, msg, msg->sig);
    return 0;
}

static int verify_fast(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    uint8_t sig[CHAIN_SIG_BYTES];
    (void)ctx;
    if (msg->author >= members->n)
        return -EBADMSG;
    hash_msg(members, msg, sig);
    return memcmp(sig, msg->sig, sizeof sig) == 0 ? 0 : -EBADMSG;
}

/* ---- frames in flight: a binary heap */

static bool frame_before(const struct cluster_frame *a, const struct cluster_frame *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void swap_frames(struct cluster *c, size_t i, size_t k)
{
    struct cluster_frame frame = c->frames[i];
    c->frames[i] = c->frames[k];
    c->frames[k] = frame;
}

static void push_frame(struct cluster *c, int64_t at_ns, uint32_t from, uint32_t to, const uint8_t *data, size_t len)
{
    if (c->n_frames == c->cap_frames) {
        c->cap_frames = c->cap_frames ? 2 * c->cap_frames : 256;
        c->frames = realloc(c->frames, c->cap_frames * sizeof c->frames[0]);
        assert(c->frames);
    }
    size_t i = c->n_frames++;
    c->frames[i] = (struct cluster_frame){at_ns, c->n_ordered++, from, to, copy_octets(data, len), len};
    for (; i > 0 && frame_before(&c->frames[i], &c->frames[(i - 1) / 2]); i = (i - 1) / 2)
        swap_frames(c, i, (i - 1) / 2);
}

static struct cluster_frame pop_frame(struct cluster *c)
{
    struct cluster_frame top = c->frames[0];
    c->frames[0] = c->frames[--c->n_frames];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2; k++)
            if (k < c->n_frames && frame_before(&c->frames[k], &c->frames[least]))
                least = k;
        if (least == i)
            return top;
        swap_frames(c, i, least);
        i = least;
    }
}

static void emit_to(struct cluster *c, uint32_t from, uint32_t to, const uint8_t *data, size_t len)
{
    bool dark = c->now_ns >= c->blackout_from_ns && c->now_ns < c->blackout_to_ns;
    if (dark || c->cut[from][to] || cluster_draw(c, 1000) < c->cfg.loss_permille) {
        c->n_lost++;
        return;
    }
    uint64_t spread = (uint64_t)(c->cfg.delay_max_ns - c->cfg.delay_min_ns + 1);
    int n_copies = 1 + (cluster_draw(c, 1000) < c->cfg.repeat_permille);
    for (int i = 0; i < n_copies; i++)
        push_frame(c, c->now_ns + c->cfg.delay_min_ns + (int64_t)cluster_draw(c, spread), from, to, data, len);
}

static void emit(struct cluster *c, uint32_t from, uint32_t to, const uint8_t *data, size_t len)
{
    c->n_sent++;
    note(c, data, len);
    for (uint32_t i = 0; i < c->cfg.n; i++)
        if (i != from && (to == CHAIN_TO_ALL || to == i))
            emit_to(c, from, i, data, len);
}

/* ---- what is ordered: batches of numbered requests */

static size_t make_batch(struct cluster *c, const struct cluster_node *node, uint8_t *out, size_t cap)
{
    struct chain_batch_view batch = {.time_ns = c->now_ns};
    uint32_t ids[4];
    for (uint32_t i = 0; i < c->n_requests && batch.n_txs < 4; i++) {
        if (node->executed[i])
            continue;
        ids[batch.n_txs] = i;
        batch.txs[batch.n_txs].data = (const uint8_t *)&ids[batch.n_txs];
        batch.txs[batch.n_txs].len = sizeof ids[0];
        batch.n_txs++;
    }
    long len = chain_batch_encode(&batch, out, cap);
    assert(len > 0);
    return (size_t)len;
}

static int read_batch(const struct cluster *c, const uint8_t *batch, size_t len, struct chain_batch_view *view, uint32_t *ids)
{
    if (chain_batch_decode(view, batch, len) != 0)
        return -EBADMSG;
    for (size_t i = 0; i < view->n_txs; i++) {
        if (view->txs[i].len != sizeof ids[i])
            return -EBADMSG;
        memcpy(&ids[i], view->txs[i].data, sizeof ids[i]);
        if (ids[i] >= c->n_requests)
            return -EBADMSG;
    }
    return 0;
}

static int check_batch(void *ctx, uint64_t height, const uint8_t *batch, size_t len, int64_t now_ns)
{
    struct cluster_node *node = ctx;
    struct chain_batch_view view;
    uint32_t ids[CHAIN_MAX_BATCH_TXS];
    (void)now_ns;
    if (height != node->tip + 1)
        return height > node->tip ? -EAGAIN : -ESTALE;
    if (read_batch(node->cluster, batch, len, &view, ids) != 0 || view.n_txs == 0)
        return -EBADMSG;
    for (size_t i = 0; i < view.n_txs; i++)
        if (node->executed[ids[i]])
            return -EALREADY;
    return 0;
}

/* Every invariant of a commit. */
static void apply_commit(struct cluster *c, struct cluster_node *node, uint64_t height, const uint8_t *batch, size_t len)
{
    struct chain_batch_view view;
    uint32_t ids[CHAIN_MAX_BATCH_TXS];
    struct chain_hash digest;
    if (height != node->tip + 1 || height > CLUSTER_MAX_HEIGHT) {
        FAIL(c, "node %u commits height %lu on tip %lu", node->id, (unsigned long)height, (unsigned long)node->tip);
        return;
    }
    if (read_batch(c, batch, len, &view, ids) != 0) {
        FAIL(c, "node %u commits what nobody asked for at height %lu", node->id, (unsigned long)height);
        return;
    }
    chain_batch_digest(&c->members, batch, len, &digest);
    if (height > c->highest) {
        c->highest = height;
        c->digests[height] = digest;
    } else if (memcmp(&c->digests[height], &digest, sizeof digest) != 0) {
        FAIL(c, "node %u commits another batch at height %lu", node->id, (unsigned long)height);
    }
    for (size_t i = 0; i < view.n_txs; i++) {
        if (node->executed[ids[i]])
            FAIL(c, "node %u executes request %u twice", node->id, ids[i]);
        node->executed[ids[i]] = true;
    }
    node->tip = height;
    node->committed_ns[height] = c->now_ns;
    note(c, &digest, sizeof digest);
}

/* ---- disks */

static void drop_rows(struct cluster_node *node, uint64_t from, uint64_t to)
{
    size_t kept = 0;
    for (size_t i = 0; i < node->n_rows; i++) {
        if (node->rows[i].key >= from && node->rows[i].key <= to)
            free(node->rows[i].data);
        else
            node->rows[kept++] = node->rows[i];
    }
    node->n_rows = kept;
}

static void put_row(struct cluster_node *node, struct cluster_row row)
{
    drop_rows(node, row.key, row.key);
    if (node->n_rows == CLUSTER_MAX_ROWS) {
        FAIL(node->cluster, "node %u keeps more than %d rows", node->id, CLUSTER_MAX_ROWS);
        free(row.data);
        return;
    }
    size_t i = node->n_rows++;
    for (; i > 0 && node->rows[i - 1].key > row.key; i--)
        node->rows[i] = node->rows[i - 1];
    node->rows[i] = row;
}

static void free_write(struct cluster_write *w)
{
    for (size_t i = 0; i < w->n_rows; i++)
        free(w->rows[i].row.data);
    for (size_t i = 0; i < w->n_frames; i++)
        free(w->frames[i].data);
    for (size_t i = 0; i < w->n_blocks; i++)
        free(w->blocks[i].batch);
    free(w);
}

static void keep_block(struct cluster_node *node, uint64_t height, struct cluster_block block)
{
    free(node->blocks[height].batch);
    node->blocks[height] = block;
    node->disk_height = height;
}

static void finish_write(struct cluster *c, struct cluster_node *node)
{
    struct cluster_write *w = node->writes;
    node->writes = w->next;
    if (!node->writes)
        node->writes_tail = &node->writes;
    for (size_t i = 0; i < w->n_rows; i++) {
        if (w->rows[i].row.data)
            put_row(node, w->rows[i].row);
        else
            drop_rows(node, w->rows[i].row.key, w->rows[i].key_end);
        w->rows[i].row.data = NULL;
    }
    for (size_t i = 0; i < w->n_blocks; i++) {
        keep_block(node, w->first_height + i, w->blocks[i]);
        w->blocks[i].batch = NULL;
    }
    for (size_t i = 0; i < w->n_frames; i++)
        emit(c, node->id, w->frames[i].to, w->frames[i].data, w->frames[i].len);
    uint64_t seq = w->persist_seq;
    free_write(w);
    if (seq == 0)
        return;
    struct chain_event event = {.kind = CHAIN_EV_PERSISTED, .now_ns = c->now_ns, .persisted_seq = seq};
    int rc = node->engine ? c->cfg.ops->step(node->engine, &event, &c->update) : 0;
    if (rc != 0)
        FAIL(c, "PERSISTED refused by node %u", node->id);
    pump_node(c, node);
}

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
            } else if (msg.kind == CHAIN_MSG_PBFT_SUSPECT) {
                msg.view += 5;
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
        if (!out->msgs[i].after_persist || (out->persist_seq == 0 && !node->writes)) {
            emit(c, node->id, out->msgs[i].to, wire, len);
            continue;
        }
        w->frames[w->n_frames].to = out->msgs[i].to;
        w->frames[w->n_frames].data = copy_octets(wire, len);
        w->frames[w->n_frames++].len = len;
    }
}

static void carry_out(struct cluster *c, struct cluster_node *node)
{
    const struct chain_update *out = &c->update;
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

static void step_node(struct cluster *c, struct cluster_node *node, const struct chain_event *event)
{
    c->cfg.ops->step(node->engine, event, &c->update);
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
        if (!stats.may_propose || pending_ns == INT64_MAX)
            return;
        struct chain_event event = {.kind = CHAIN_EV_PROPOSE, .now_ns = c->now_ns};
        event.propose.batch = batch;
        event.propose.len = make_batch(c, node, batch, sizeof batch);
        uint64_t before = node->tip;
        step_node(c, node, &event);
        c->cfg.ops->stats(node->engine, &stats);
        if (stats.may_propose && node->tip == before) {
            FAIL(c, "node %u took no batch", node->id);
            return;
        }
    }
}

static void feed(struct cluster *c, struct cluster_node *node, const struct chain_event *event)
{
    c->cfg.ops->step(node->engine, event, &c->update);
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
                                             .strict_votes = c->cfg.strict_votes};
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
    free(c->frames);
    free(c);
}

void cluster_request(struct cluster *c)
{
    assert(c->n_requests < CLUSTER_MAX_REQUESTS);
    c->requested_ns[c->n_requests++] = c->now_ns;
    for (uint32_t i = 0; i < c->cfg.n; i++) {
        c->update.n_msgs = c->update.n_records = c->update.n_commits = 0;
        if (c->nodes[i].alive)
            pump_node(c, &c->nodes[i]);
    }
}

/* ---- header votes and block fetching, as the node does them, without frames of their own */

static bool reachable(const struct cluster *c, uint32_t a, uint32_t b)
{
    bool dark = c->now_ns >= c->blackout_from_ns && c->now_ns < c->blackout_to_ns;
    return !dark && !c->cut[a][b] && !c->cut[b][a];
}

static void find_certified(struct cluster *c)
{
    uint32_t quorum = c->cfg.ops->quorum(c->cfg.n);
    for (uint64_t height = c->certified + 1; height <= c->highest; height++) {
        uint32_t n_signed = 0;
        for (uint32_t i = 0; i < c->cfg.n; i++)
            n_signed += c->nodes[i].disk_height >= height && !c->nodes[i].liar;
        if (n_signed < quorum)
            return;
        c->certified = height;
        if (c->certified_at_ns == INT64_MAX)
            c->certified_at_ns = c->now_ns + c->cfg.certify_ns;
    }
}

static void tell_certified(struct cluster *c)
{
    c->certified_at_ns = INT64_MAX;
    bool dark = c->now_ns >= c->blackout_from_ns && c->now_ns < c->blackout_to_ns;
    for (uint32_t i = 0; i < c->cfg.n; i++) {
        struct cluster_node *node = &c->nodes[i];
        uint64_t height = c->certified < node->disk_height ? c->certified : node->disk_height;
        if (!node->alive || height <= node->told_stable)
            continue;
        if (dark) {
            c->certified_at_ns = c->now_ns + c->cfg.certify_ns;
            continue;
        }
        node->told_stable = height;
        struct chain_event event = {.kind = CHAIN_EV_STABLE, .now_ns = c->now_ns, .height = height};
        feed(c, node, &event);
    }
}

static void fetch_from(struct cluster *c, struct cluster_node *node, const struct cluster_node *from)
{
    uint64_t top = from->disk_height < c->certified ? from->disk_height : c->certified;
    if (top <= node->tip || node->writes)
        return;
    for (uint64_t height = node->tip + 1; height <= top; height++) {
        const struct cluster_block *block = &from->blocks[height];
        apply_commit(c, node, height, block->batch, block->len);
        keep_block(node, height, (struct cluster_block){copy_octets(block->batch, block->len), block->len});
    }
    struct chain_event event = {.kind = CHAIN_EV_SYNCED, .now_ns = c->now_ns, .height = top};
    feed(c, node, &event);
}

static void fetch_blocks(struct cluster *c)
{
    c->fetch_at_ns = c->now_ns + c->cfg.fetch_ns;
    for (uint32_t i = 0; i < c->cfg.n; i++)
        for (uint32_t k = 0; k < c->cfg.n; k++)
            if (i != k && c->nodes[i].alive && c->nodes[k].alive && !c->nodes[k].liar && !c->nodes[i].liar && reachable(c, i, k))
                fetch_from(c, &c->nodes[i], &c->nodes[k]);
}

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
        if (c->nodes[i].alive && !c->nodes[i].liar && find_pending(c, &c->nodes[i]) != INT64_MAX)
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
