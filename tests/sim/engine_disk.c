/* What the cluster orders, and the disks it is kept on; part of engine_cluster.c. */
#include "tests/sim/engine_medium.c"

static void pump_node(struct cluster *c, struct cluster_node *node);

/* ---- what is ordered: batches of numbered requests */

enum { CLUSTER_MAX_BATCH = 16 };

/* In flight: proposed by this node in this view, and its height still to come. */
static bool waits(const struct cluster_node *node, uint32_t request, uint64_t view)
{
    bool in_flight = node->proposed[request].height > node->tip && node->proposed[request].view == view;
    bool held_back = node->holds_back && node->holds_back(node->cluster, node, request);
    return !node->executed[request] && !in_flight && !held_back;
}

/* 0: nothing waits. */
static size_t make_batch(struct cluster *c, struct cluster_node *node, const struct chain_engine_stats *stats, uint8_t *out, size_t cap)
{
    struct chain_batch_view batch = {.time_ns = c->now_ns};
    uint32_t ids[CLUSTER_MAX_BATCH], most = c->cfg.batch_txs > 0 ? c->cfg.batch_txs : 4;
    for (uint32_t i = 0; i < c->n_requests && batch.n_txs < most; i++) {
        if (!waits(node, i, stats->view))
            continue;
        ids[batch.n_txs] = i;
        batch.txs[batch.n_txs].data = (const uint8_t *)&ids[batch.n_txs];
        batch.txs[batch.n_txs].len = sizeof ids[0];
        batch.n_txs++;
        node->proposed[i].height = stats->proposes;
        node->proposed[i].view = stats->view;
    }
    if (batch.n_txs == 0)
        return 0;
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
    if (height <= node->tip || height > node->tip + CHAIN_WINDOW)
        return height > node->tip ? -EAGAIN : -ESTALE;
    if (read_batch(node->cluster, batch, len, &view, ids) != 0 || view.n_txs == 0)
        return -EBADMSG;
    for (size_t i = 0; i < view.n_txs && node->cfg.window == 1; i++)
        if (node->executed[ids[i]])
            return -EALREADY;
    return 0;
}

/* A node's own view of its chain: in order, only what was asked for, nothing twice. */
static void apply_commit(struct cluster *c, struct cluster_node *node, uint64_t height, const uint8_t *batch, size_t len)
{
    struct chain_batch_view view;
    uint32_t ids[CHAIN_MAX_BATCH_TXS];
    if (height != node->tip + 1 || height > CLUSTER_MAX_HEIGHT) {
        FAIL(c, "node %u commits height %lu on tip %lu", node->id, (unsigned long)height, (unsigned long)node->tip);
        return;
    }
    if (read_batch(c, batch, len, &view, ids) != 0) {
        FAIL(c, "node %u commits what nobody asked for at height %lu", node->id, (unsigned long)height);
        return;
    }
    for (size_t i = 0; i < view.n_txs; i++) {
        c->n_repeated += node->executed[ids[i]]; /* execution refuses it */
        if (node->executed[ids[i]] && node->cfg.window == 1)
            FAIL(c, "node %u executes request %u twice", node->id, ids[i]);
        node->executed[ids[i]] = true;
    }
    node->tip = height;
    c->highest_tip = height > c->highest_tip ? height : c->highest_tip;
    node->committed_ns[height] = c->now_ns;
}

/* A block is out once it is on disk: from then on no other may be at its height anywhere, for ever. */
static void publish_block(struct cluster *c, struct cluster_node *node, uint64_t height, const uint8_t *batch, size_t len)
{
    struct chain_hash digest;
    if (node->liar)
        return;
    chain_batch_digest(&c->members, batch, len, &digest);
    note(c, &digest, sizeof digest);
    if (height > c->highest) {
        c->highest = height;
        c->digests[height] = digest;
    } else if (memcmp(&c->digests[height], &digest, sizeof digest) != 0) {
        FAIL(c, "node %u commits another batch at height %lu", node->id, (unsigned long)height);
    }
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
        publish_block(c, node, w->first_height + i, w->blocks[i].batch, w->blocks[i].len);
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
