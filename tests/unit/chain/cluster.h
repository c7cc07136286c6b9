/* Ledger nodes in one process on one virtual clock: a bus that loses and delays, a disk that takes time and survives a restart.
 * Every draw is a keyed function of (seed, message, receiver). */
#ifndef TESTS_UNIT_CHAIN_CLUSTER_H
#define TESTS_UNIT_CHAIN_CLUSTER_H

#include <errno.h>

#include "chain/node.h"
#include "chain/store/store.h"
#include "tests/unit/chain/ledger_fixture.h"

enum { CLUSTER_MAX = 8, CLUSTER_MAX_FLYING = 16384, CLUSTER_MAX_DISK = 4096, CLUSTER_MAX_ROWS = 512 };

struct cluster_disk_block {
    uint8_t *batch, *header, *cert;
    size_t batch_len, header_len, cert_len;
    uint32_t n_signers;
};

struct cluster_row {
    uint64_t key;
    uint8_t *data;
    size_t len;
};

struct cluster_disk {
    struct cluster_disk_block blocks[CLUSTER_MAX_DISK]; /* [height] */
    uint64_t height;
    struct cluster_row rows[CLUSTER_MAX_ROWS]; /* by key */
    size_t n_rows;
};

struct cluster_flying {
    int64_t at_ns;
    uint64_t order;
    uint32_t from, to;
    uint64_t persisted; /* 0: octets for `to`; otherwise the disk's answer */
    uint8_t *data;
    size_t len;
};

struct cluster {
    uint64_t seed;
    uint32_t n;
    struct keyring ring;
    struct chain_genesis genesis;
    const struct chain_engine_ops *ops;
    int64_t now_ns;
    struct chain_node *nodes[CLUSTER_MAX]; /* NULL: stopped */
    void *mem[CLUSTER_MAX];
    struct cluster_disk *disks[CLUSTER_MAX];
    struct chain_store *stores[CLUSTER_MAX]; /* written to besides, and read at a start, where there is one */
    struct chain_node_update *update;
    struct cluster_flying flying[CLUSTER_MAX_FLYING];
    size_t n_flying;
    uint64_t n_sent, n_octets, n_steps, n_lost;
    uint32_t loss_permille;
    bool blackout;
    uint32_t ignores[CLUSTER_MAX]; /* bitmap of members that it does not hear */
    uint32_t uncertified;          /* bitmap of members that get neither header votes nor blocks */
    uint8_t stripped[CHAIN_MAX_MSG_BYTES + 16];
    int64_t delay_ns, persist_ns;
    int64_t behind_ns[CLUSTER_MAX]; /* of its clock */
    size_t mempool_txs;
    bool proven_links;    /* nodes that start from here on leave Raft's messages unsigned */
    uint32_t proves_from; /* bitmap of members whose links prove their sender */
    bool records_first;   /* of nodes that start from now on */
    uint64_t n_sent_first; /* their updates that let something leave after a sync */
    bool trust_disk, distrust_disk; /* of nodes that start from now on */
    bool on_stores; /* nodes read from their stores alone, which may prune */
    uint32_t liars; /* bitmap: what they tell of snapshots is wrong, each in a way of its own */
    uint64_t n_applied[CLUSTER_MAX]; /* TX events with code 0 */
};

static inline uint64_t cluster_draw(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15U ^ a * 0xd6e8feb86659fd93U ^ b * 0xa0761d6478bd642fU;
    for (int i = 0; i < 3; i++)
        x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93U;
    return x ^ (x >> 32);
}

static inline uint8_t *cluster_copy(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len + 1);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

static inline void cluster_fly(struct cluster *c, int64_t at_ns, uint32_t to, uint64_t persisted, const uint8_t *data, size_t len)
{
    ck_assert_uint_lt(c->n_flying, CLUSTER_MAX_FLYING);
    c->flying[c->n_flying++] = (struct cluster_flying){.at_ns = at_ns,
                                                      .order = c->n_sent,
                                                      .to = to,
                                                      .persisted = persisted,
                                                      .data = len > 0 ? cluster_copy(data, len) : NULL,
                                                      .len = len};
}

/* A bundle without header votes and without others' blocks; 0: nothing is left of it. */
static inline size_t cluster_strip(const struct cluster *c, const uint8_t *data, size_t len, uint8_t *out)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    size_t n = chain_cbor_get_array(&r, 4096), n_left = 0, left = 0, consumed;
    for (size_t i = 0, at = r.pos; i < n; i++, at += consumed) {
        struct chain_msg msg;
        ck_assert_int_eq(chain_msg_decode(&c->genesis.members, data + at, len - at, &msg, &consumed), 0);
        if (msg.kind == CHAIN_MSG_HEADER_VOTE || msg.kind == CHAIN_MSG_BLOCK)
            continue;
        memcpy(out + 8 + left, data + at, consumed);
        left += consumed;
        n_left++;
    }
    struct chain_cbor_writer w = {.out = out, .cap = 8};
    chain_cbor_put_array(&w, n_left);
    memmove(out + w.len, out + 8, left);
    return n_left == 0 ? 0 : w.len + left;
}

static inline void cluster_send(struct cluster *c, uint32_t from, const struct chain_node_send *send)
{
    for (uint32_t to = 0; to < c->n; to++) {
        if (to == from || (send->to != CHAIN_TO_ALL && send->to != to))
            continue;
        uint64_t draw = cluster_draw(c->seed, ++c->n_sent, to);
        if (c->blackout || draw % 1000 < c->loss_permille || (c->ignores[to] >> from & 1)) {
            c->n_lost++;
            continue;
        }
        c->n_octets += send->len;
        const uint8_t *data = send->data;
        size_t len = send->len;
        if (c->uncertified >> to & 1) {
            len = cluster_strip(c, data, len, c->stripped);
            data = c->stripped;
        }
        if (len == 0)
            continue;
        cluster_fly(c, c->now_ns + c->delay_ns + (int64_t)(draw >> 32) % (c->delay_ns / 2 + 1), to, 0, data, len);
        c->flying[c->n_flying - 1].from = from;
    }
}

static inline void cluster_write_row(struct cluster_disk *d, const struct chain_record *r)
{
    size_t n = 0;
    uint64_t end = r->data ? r->key : r->key_end;
    for (size_t i = 0; i < d->n_rows; i++) {
        if (d->rows[i].key >= r->key && d->rows[i].key <= end)
            free(d->rows[i].data);
        else
            d->rows[n++] = d->rows[i];
    }
    d->n_rows = n;
    if (!r->data)
        return;
    ck_assert_uint_lt(n, CLUSTER_MAX_ROWS);
    while (n > 0 && d->rows[n - 1].key > r->key) {
        d->rows[n] = d->rows[n - 1];
        n--;
    }
    d->rows[n] = (struct cluster_row){.key = r->key, .data = cluster_copy(r->data, r->len), .len = r->len};
    d->n_rows++;
}

static inline void cluster_write_block(struct cluster_disk *d, const struct chain_node_block *b)
{
    ck_assert_uint_lt(b->height, CLUSTER_MAX_DISK);
    struct cluster_disk_block *row = &d->blocks[b->height];
    if (b->header) {
        ck_assert_uint_eq(b->height, d->height + 1);
        d->height = b->height;
        row->batch = cluster_copy(b->batch, b->batch_len);
        row->batch_len = b->batch_len;
        row->header = cluster_copy(b->header, b->header_len);
        row->header_len = b->header_len;
    }
    if (b->cert) {
        ck_assert_ptr_nonnull(row->header);
        ck_assert_ptr_null(row->cert);
        row->cert = cluster_copy(b->cert, b->cert_len);
        row->cert_len = b->cert_len;
        row->n_signers = b->n_signers;
    }
}

static inline int cluster_read_block(void *ctx, uint64_t height, struct chain_node_block *out)
{
    struct cluster_disk *d = ctx;
    if (height == 0 || height > d->height)
        return -ENOENT;
    const struct cluster_disk_block *b = &d->blocks[height];
    *out = (struct chain_node_block){.height = height, .batch = b->batch, .batch_len = b->batch_len, .header = b->header,
                                     .header_len = b->header_len, .cert = b->cert, .cert_len = b->cert_len,
                                     .n_signers = b->n_signers};
    return 0;
}

static inline int cluster_read_part(void *ctx, uint64_t height, size_t offset, size_t most, struct chain_node_snapshot *out)
{
    int rc = chain_store_read_part(ctx, height, offset, most, out);
    if (rc == 0 && most > 0)
        ((uint8_t *)(uintptr_t)out->part)[out->part_len - 1] ^= 1;
    return rc;
}

static inline void cluster_store(struct cluster *c, uint32_t i)
{
    char error[CHAIN_STORE_MAX_ERROR] = "";
    if (!c->stores[i] || c->update->persist_seq == 0)
        return;
    int rc = chain_store_begin(c->stores[i], error);
    if (rc == 0)
        rc = chain_store_write(c->stores[i], c->update, error);
    if (rc == 0)
        rc = chain_store_commit(c->stores[i], error);
    ck_assert_msg(rc == 0, "%s", error);
}

/* One event, and what came of it. The disk keeps what it is given: a crash loses only memory. */
static inline int cluster_step(struct cluster *c, uint32_t i, struct chain_node_event *event)
{
    struct chain_node_update *u = c->update;
    event->now_ns = c->now_ns - c->behind_ns[i];
    c->n_steps++;
    int rc = chain_node_step(c->nodes[i], event, u);
    ck_assert_msg(rc == 0 || rc == -EBADMSG, "node %u: step gave %d at height %llu", i, rc, (unsigned long long)u->fatal_height);
    bool sent_first = c->records_first && event->kind == CHAIN_NODE_PERSISTED && u->n_sends > 0;
    c->n_sent_first += sent_first;
    ck_assert(!c->records_first || u->n_events == 0 || (u->n_records == 0 && !sent_first));
    for (size_t k = 0; k < u->n_records && !c->on_stores; k++)
        cluster_write_row(c->disks[i], &u->records[k]);
    for (size_t k = 0; k < u->n_blocks && !c->on_stores; k++)
        cluster_write_block(c->disks[i], &u->blocks[k]);
    if (event->kind != CHAIN_NODE_RESTORE_BLOCK && event->kind != CHAIN_NODE_RESTORE_RECORD)
        cluster_store(c, i);
    for (size_t k = 0; k < u->n_sends; k++)
        cluster_send(c, i, &u->sends[k]);
    for (size_t k = 0; k < u->n_events; k++)
        c->n_applied[i] += u->events[k].kind == CHAIN_LE_TX && u->events[k].code == CHAIN_SUCCESS;
    if (u->persist_seq > 0) {
        c->n_sent++;
        cluster_fly(c, c->now_ns + c->persist_ns, i, u->persist_seq, NULL, 0);
    }
    return rc;
}

static inline void cluster_start(struct cluster *c, uint32_t i)
{
    struct chain_node_config cfg = {.seed = c->seed,
                                    .self = i,
                                    .genesis = &c->genesis,
                                    .signer = chain_signer_ed25519(&c->ring.keys[i]),
                                    .engine = c->ops,
                                    .proven_links = c->proven_links,
                                    .records_first = c->records_first,
                                    .engine_heartbeat_ns = 40 * MS,
                                    .engine_timeout_ns = 200 * MS,
                                    .engine_timeout_max_ns = 2000 * MS,
                                    .gossip_ns = 50 * MS,
                                    .status_ns = 200 * MS,
                                    .propose_delay_ns = 3 * MS,
                                    .mempool_txs = c->mempool_txs,
                                    .trust_disk = c->trust_disk,
                                    .distrust_disk = c->distrust_disk,
                                    .read_block = cluster_read_block,
                                    .read_block_ctx = c->disks[i]};
    if (c->on_stores) {
        cfg.read_block = chain_store_read_block;
        cfg.read_snapshot = c->liars >> i & 1 ? cluster_read_part : chain_store_read_part;
        cfg.read_epoch = chain_store_read_epoch;
        cfg.read_block_ctx = c->stores[i];
    }
    size_t len = chain_node_bytes(&cfg);
    const char *bad = NULL;
    c->mem[i] = malloc(len);
    ck_assert_msg(chain_node_init(c->mem[i], len, &cfg, &c->nodes[i], &bad) == 0, "%s", bad ? bad : "");
    if (c->stores[i]) {
        char error[CHAIN_STORE_MAX_ERROR] = "";
        ck_assert_msg(chain_store_restore(c->stores[i], c->nodes[i], c->now_ns, error) == 0, "%s", error);
        return;
    }
    struct cluster_disk *d = c->disks[i];
    for (uint64_t h = 1; h <= d->height; h++) {
        struct cluster_disk_block *b = &d->blocks[h];
        struct chain_node_event event = {.kind = CHAIN_NODE_RESTORE_BLOCK,
                                         .block = {.height = h, .batch = b->batch, .batch_len = b->batch_len, .header = b->header,
                                                   .header_len = b->header_len, .cert = b->cert, .cert_len = b->cert_len}};
        ck_assert_int_eq(cluster_step(c, i, &event), 0);
    }
    for (size_t k = 0; k < d->n_rows; k++) {
        struct chain_node_event event = {.kind = CHAIN_NODE_RESTORE_RECORD,
                                         .record = {.key = d->rows[k].key, .data = d->rows[k].data, .len = d->rows[k].len}};
        ck_assert_int_eq(cluster_step(c, i, &event), 0);
    }
    struct chain_node_event event = {.kind = CHAIN_NODE_START};
    ck_assert_int_eq(cluster_step(c, i, &event), 0);
}

static inline void cluster_stop(struct cluster *c, uint32_t i)
{
    chain_node_close(c->nodes[i]);
    free(c->mem[i]);
    c->nodes[i] = NULL;
    c->mem[i] = NULL;
    size_t n = 0;
    for (size_t k = 0; k < c->n_flying; k++) {
        if (c->flying[k].to == i)
            free(c->flying[k].data);
        else
            c->flying[n++] = c->flying[k];
    }
    c->n_flying = n;
}

/* n nodes, of which the first n_seats vote at first. */
static inline struct cluster *cluster_open_keys(const struct chain_engine_ops *ops, uint32_t n, uint32_t n_seats, uint64_t seed)
{
    struct cluster *c = calloc(1, sizeof *c);
    c->seed = seed;
    c->n = n;
    c->ops = ops;
    c->genesis = make_genesis(&c->ring, n > 1 ? n : 2);
    c->genesis.members.n = n_seats;
    snprintf(c->genesis.engine, sizeof c->genesis.engine, "%s", ops->byzantine ? "pbft" : "raft");
    const char *bad = NULL;
    ck_assert_int_eq(chain_genesis_finish(&c->genesis, NULL, &bad), 0);
    c->ring.members = c->genesis.members;
    c->now_ns = T0 + 1000 * MS;
    c->delay_ns = 2 * MS;
    c->persist_ns = 1 * MS;
    c->mempool_txs = 64;
    c->update = malloc(sizeof *c->update);
    for (uint32_t i = 0; i < n; i++)
        c->disks[i] = calloc(1, sizeof *c->disks[i]);
    for (uint32_t i = 0; i < n; i++)
        cluster_start(c, i);
    return c;
}

static inline struct cluster *cluster_open(const struct chain_engine_ops *ops, uint32_t n, uint64_t seed)
{
    return cluster_open_keys(ops, n, n, seed);
}

static inline void cluster_free_disk(struct cluster_disk *d)
{
    for (uint64_t h = 1; h <= d->height; h++) {
        free(d->blocks[h].batch);
        free(d->blocks[h].header);
        free(d->blocks[h].cert);
    }
    for (size_t k = 0; k < d->n_rows; k++)
        free(d->rows[k].data);
    free(d);
}

/* A deep copy of what is on a disk now. */
static inline struct cluster_disk *cluster_copy_disk(const struct cluster_disk *d)
{
    struct cluster_disk *copy = calloc(1, sizeof *copy);
    for (uint64_t h = 1; h <= d->height; h++) {
        copy->blocks[h] = d->blocks[h];
        copy->blocks[h].batch = cluster_copy(d->blocks[h].batch, d->blocks[h].batch_len);
        copy->blocks[h].header = cluster_copy(d->blocks[h].header, d->blocks[h].header_len);
        copy->blocks[h].cert = d->blocks[h].cert ? cluster_copy(d->blocks[h].cert, d->blocks[h].cert_len) : NULL;
    }
    copy->height = d->height;
    copy->n_rows = d->n_rows;
    for (size_t k = 0; k < d->n_rows; k++) {
        copy->rows[k] = d->rows[k];
        copy->rows[k].data = cluster_copy(d->rows[k].data, d->rows[k].len);
    }
    return copy;
}

static inline void cluster_roll_back(struct cluster *c, uint32_t i, struct cluster_disk *to)
{
    cluster_free_disk(c->disks[i]);
    c->disks[i] = to;
}

static inline void cluster_close(struct cluster *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->nodes[i])
            cluster_stop(c, i);
        cluster_free_disk(c->disks[i]);
    }
    for (size_t k = 0; k < c->n_flying; k++) /* to nodes that were stopped before */
        free(c->flying[k].data);
    free(c->update);
    free(c);
}

/* Index of what happens next, or SIZE_MAX: a node's deadline comes first. */
static inline bool cluster_advance(struct cluster *c, int64_t until_ns)
{
    int64_t at_ns = INT64_MAX;
    uint32_t ticking = CLUSTER_MAX;
    for (uint32_t i = 0; i < c->n; i++) {
        int64_t deadline_ns = c->nodes[i] ? chain_node_deadline(c->nodes[i]) : INT64_MAX;
        deadline_ns += deadline_ns == INT64_MAX ? 0 : c->behind_ns[i];
        if (deadline_ns < at_ns) {
            at_ns = deadline_ns;
            ticking = i;
        }
    }
    size_t first = SIZE_MAX;
    for (size_t k = 0; k < c->n_flying; k++) {
        const struct cluster_flying *f = &c->flying[k];
        bool earlier = f->at_ns < at_ns || (first != SIZE_MAX && f->at_ns == at_ns && f->order < c->flying[first].order);
        if (earlier) {
            at_ns = f->at_ns;
            first = k;
        }
    }
    if (at_ns > until_ns) {
        c->now_ns = until_ns;
        return false;
    }
    c->now_ns = at_ns > c->now_ns ? at_ns : c->now_ns;
    if (first == SIZE_MAX) {
        struct chain_node_event event = {.kind = CHAIN_NODE_TICK};
        cluster_step(c, ticking, &event);
        return true;
    }
    struct cluster_flying f = c->flying[first];
    c->flying[first] = c->flying[--c->n_flying];
    if (c->nodes[f.to]) {
        struct chain_node_event event = {.kind = f.persisted ? CHAIN_NODE_PERSISTED : CHAIN_NODE_RECEIVE};
        if (f.persisted) {
            event.persisted_seq = f.persisted;
        } else {
            event.bytes.data = f.data;
            event.bytes.len = f.len;
            event.bytes.proven = c->proves_from >> f.from & 1;
            event.bytes.from = f.from;
        }
        cluster_step(c, f.to, &event);
    }
    free(f.data);
    return true;
}

static inline void cluster_run(struct cluster *c, int64_t for_ns)
{
    int64_t until_ns = c->now_ns + for_ns;
    while (cluster_advance(c, until_ns))
        ck_assert_uint_lt(c->n_steps, 5000000);
}

static inline struct chain_node_stats cluster_stats(const struct cluster *c, uint32_t i)
{
    struct chain_node_stats s;
    chain_node_stats(c->nodes[i], &s);
    return s;
}

/* chain_response, or negative errno. */
static inline int cluster_submit(struct cluster *c, uint32_t i, const struct chain_op *op)
{
    struct chain_node_event event = {.kind = CHAIN_NODE_SUBMIT, .op = op};
    cluster_step(c, i, &event);
    return c->update->submit_result;
}

static inline struct chain_op register_op(uint32_t i)
{
    struct chain_op op = {.kind = CHAIN_OP_REGISTER, .reg = {.lat_e7 = 485000000, .lon_e7 = 90000000, .height_cm = 300}};
    snprintf(op.reg.call_sign, sizeof op.reg.call_sign, "station-%u", i);
    return op;
}

/* Evidence of number k: distinct content that every ledger accepts. */
static inline struct chain_op evidence_op(const struct cluster *c, uint32_t k)
{
    return (struct chain_op){.kind = CHAIN_OP_EVIDENCE,
                             .evidence = {.channel = k % 4, .kind = (uint8_t)(k % 5), .from_ns = c->now_ns - 5 * MS,
                                          .at_ns = c->now_ns, .confidence_permille = 900, .n_frames = 40, .n_good = k % 40}};
}

static inline void cluster_register_all(struct cluster *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        struct chain_op op = register_op(i);
        ck_assert_int_eq(cluster_submit(c, i, &op), CHAIN_SUCCESS);
    }
}

/* One that has worked for a while before all register, and then for another one. */
static inline struct cluster *cluster_open_registered(const struct chain_engine_ops *ops, uint32_t n, uint64_t seed, int64_t before_ns,
                                                      int64_t after_ns)
{
    struct cluster *c = cluster_open(ops, n, seed);
    cluster_run(c, before_ns);
    cluster_register_all(c);
    cluster_run(c, after_ns);
    return c;
}

/* Lowest height of the running nodes. */
static inline uint64_t cluster_height(const struct cluster *c)
{
    uint64_t height = UINT64_MAX;
    for (uint32_t i = 0; i < c->n; i++)
        if (c->nodes[i] && cluster_stats(c, i).height < height)
            height = cluster_stats(c, i).height;
    return height;
}

/* All hold one chain: the same tip, certified. */
static inline bool cluster_agrees(const struct cluster *c)
{
    const struct chain_header *first = NULL;
    for (uint32_t i = 0; i < c->n; i++) {
        if (!c->nodes[i])
            continue;
        const struct chain_header *tip = chain_ledger_tip(chain_node_ledger(c->nodes[i]));
        if (cluster_stats(c, i).certified_height != tip->height)
            return false;
        struct chain_hash a, b;
        chain_header_hash(tip, &a);
        chain_header_hash(first ? first : tip, &b);
        if (memcmp(a.octets, b.octets, CHAIN_HASH_BYTES) != 0)
            return false;
        first = tip;
    }
    return true;
}

static inline void cluster_print(const struct cluster *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (!c->nodes[i])
            continue;
        struct chain_node_stats s = cluster_stats(c, i);
        printf("node %u: height %llu certified %llu mempool %llu; engine: view %llu leader %u committed %llu; refused: engine %llu stale "
               "%llu conflict %llu block %llu; fetched %llu served %llu; deviating %llu; inbox %llu outbox %llu full\n",
               i, (unsigned long long)s.height, (unsigned long long)s.certified_height, (unsigned long long)s.mempool,
               (unsigned long long)s.engine.view, s.engine.leader, (unsigned long long)s.engine.committed,
               (unsigned long long)s.refused_engine, (unsigned long long)s.refused_stale, (unsigned long long)s.refused_conflict,
               (unsigned long long)s.refused_block, (unsigned long long)s.blocks_fetched, (unsigned long long)s.fetches_served,
               (unsigned long long)s.deviating_votes, (unsigned long long)s.inbox_full, (unsigned long long)s.outbox_full);
    }
    fflush(stdout); /* a failing case ends without */
}

static inline bool cluster_settle(struct cluster *c, int64_t within_ns)
{
    for (int64_t end_ns = c->now_ns + within_ns; c->now_ns < end_ns;) {
        if (cluster_agrees(c))
            return true;
        cluster_run(c, 5 * MS);
    }
    if (!cluster_agrees(c))
        cluster_print(c);
    return cluster_agrees(c);
}
#endif
