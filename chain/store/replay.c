/* Executing a database's blocks again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/snapshot.h"
#include "chain/store/verify.h"

struct replay {
    struct chain_ledger *ledger;
    struct chain_ledger_event events[CHAIN_MAX_LEDGER_EVENTS];
    size_t n_events;
    bool open_end; /* a block without certificate was met: nothing above may have one */
};

/* Which field of the header is not what execution gives. */
static const char *find_difference(const struct chain_header *a, const struct chain_header *b)
{
    if (a->height != b->height)
        return "height";
    if (a->time_ns != b->time_ns)
        return "time_ns";
    if (memcmp(&a->parent, &b->parent, sizeof(a->parent)) != 0)
        return "parent";
    if (memcmp(&a->batch_digest, &b->batch_digest, sizeof(a->batch_digest)) != 0)
        return "batch_digest";
    if (memcmp(&a->tx_root, &b->tx_root, sizeof(a->tx_root)) != 0)
        return "tx_root";
    if (memcmp(&a->state_root, &b->state_root, sizeof(a->state_root)) != 0)
        return "state_root";
    return memcmp(&a->history_root, &b->history_root, sizeof(a->history_root)) != 0 ? "history_root" : NULL;
}

static bool check_header(struct store_check *c, const struct chain_node_block *row, const struct chain_header *executed)
{
    struct chain_header stored;
    if (chain_header_decode(&stored, row->header, row->header_len) != 0)
        return store_fault(c, "block %llu: header is no block header", (unsigned long long)row->height);
    const char *field = find_difference(&stored, executed);
    unsigned long long height = row->height;
    return !field || store_fault(c, "block %llu: %s in header differs from what execution gives", height, field);
}

static bool check_certificate(struct store_check *c, struct replay *r, struct chain_node_block *row,
                              const struct chain_members *members, const struct chain_header *header)
{
    uint32_t quorum = c->verdict->byzantine ? chain_pbft_quorum(members->n) : chain_majority(members->n);
    unsigned long long height = row->height;
    struct chain_certificate cert;
    struct chain_hash hash;
    if (row->cert_len == 0) {
        r->open_end = true;
        row->n_signers = 0;
        return true;
    }
    if (r->open_end)
        return store_fault(c, "block %llu: certificate is missing, later blocks have theirs", height - 1);
    if (chain_certificate_decode(&cert, row->cert, row->cert_len) != 0)
        return store_fault(c, "block %llu: certificate is no certificate", height);
    chain_header_hash(header, &hash);
    int n = chain_certificate_check(&cert, members, &c->signer, row->height, &hash);
    if (n < 0)
        return store_fault(c, "block %llu: certificate holds a signature that does not verify", height);
    if ((uint32_t)n < quorum)
        return store_fault(c, "block %llu: certificate has %d signatures of %u needed", height, n, (unsigned)quorum);
    row->n_signers = (uint32_t)n;
    c->verdict->certified_height = row->height;
    return true;
}

/* Where the database has a snapshot, the twin gets its own. SQLite result code. */
static int repeat_snapshot(struct store_check *c, struct replay *r)
{
    uint64_t height = chain_ledger_height(r->ledger);
    sqlite3_bind_int64(c->has_snapshot, 1, (int64_t)height);
    int rc = sqlite3_step(c->has_snapshot);
    sqlite3_reset(c->has_snapshot);
    if (rc != SQLITE_ROW)
        return SQLITE_OK; /* what cannot be read shows when the tables are compared */
    size_t cap = chain_snapshot_bytes(r->ledger);
    uint8_t *octets = malloc(cap);
    long len = octets ? chain_snapshot_encode(r->ledger, octets, cap) : -1;
    rc = len > 0 ? store_write_snapshot(&c->rows, height, octets, (size_t)len) : SQLITE_NOMEM;
    free(octets);
    return rc;
}

/* The row's batch and certificate are its inputs; everything else of it is written to the twin as execution gives it. */
static bool replay_block(struct store_check *c, struct replay *r, struct chain_node_block *row)
{
    unsigned long long height = row->height, expected = chain_ledger_height(r->ledger) + 1;
    if (row->height != expected)
        return store_fault(c, "block %llu: height is not %llu", height, expected);
    struct chain_header header;
    struct chain_members members = *chain_ledger_members(r->ledger); /* of the block's epoch */
    if (row->batch_len > CHAIN_MAX_BATCH_BYTES ||
        chain_ledger_apply(r->ledger, row->batch, row->batch_len, true, &header, r->events, CHAIN_MAX_LEDGER_EVENTS,
                           &r->n_events) != 0)
        return store_fault(c, "block %llu: batch is no batch", height);
    if (!check_header(c, row, &header) || !check_certificate(c, r, row, &members, &header))
        return false;
    struct chain_batch_view view;
    if (chain_batch_decode(&view, row->batch, row->batch_len) == 0)
        c->verdict->n_transactions += view.n_txs;
    uint8_t octets[CHAIN_MAX_HEADER_BYTES];
    row->header_len = (size_t)chain_header_encode(&header, octets, sizeof(octets));
    row->header = octets;
    bool indexed = row->height <= c->verdict->indexed_height;
    int rc = store_rows_put_block(&c->rows, row, r->events, r->n_events, indexed ? r->ledger : NULL);
    c->verdict->height = row->height;
    c->verdict->n_blocks++;
    c->verdict->state_root = header.state_root;
    if (rc == SQLITE_OK && chain_ledger_members(r->ledger)->epoch != members.epoch)
        rc = store_rows_put_epoch(&c->rows, r->ledger);
    if (rc == SQLITE_OK)
        rc = repeat_snapshot(c, r);
    return rc == SQLITE_OK || store_fault(c, "block %llu: rows cannot be derived: %s", height, sqlite3_errstr(rc));
}

/* SQLite fails at the row, whichever column it was: each is asked for alone. The row itself may be out of reach. */
static bool fault_reading(struct store_check *c, uint64_t height)
{
    static const char *const columns[] = {"height", "batch", "header", "certificate"};
    char why[120], sql[96], where[48] = "table blocks";
    snprintf(why, sizeof(why), "%s", sqlite3_errmsg(c->db));
    for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
        sqlite3_stmt *query = NULL;
        snprintf(sql, sizeof(sql), "SELECT %s FROM blocks WHERE height=%llu", columns[i], (unsigned long long)height);
        int rc = sqlite3_prepare_v2(c->db, sql, -1, &query, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_step(query);
        sqlite3_finalize(query);
        if (rc == SQLITE_ROW)
            continue;
        if (i > 0)
            snprintf(where, sizeof(where), "blocks.%s", columns[i]);
        break;
    }
    return store_fault(c, "block %llu: %s: %s", (unsigned long long)height, where, why);
}

/* From genesis through the ends of the epochs below the base: who may certify it is not for its own state to say. */
static bool follow_epochs(struct store_check *c, struct chain_light *light)
{
    sqlite3_stmt *query = NULL;
    bool ok = true;
    chain_light_init(light, &c->genesis, &c->signer);
    int rc = sqlite3_prepare_v2(c->db, "SELECT height, header, certificate, members, path FROM epochs JOIN blocks USING (height) "
                                       "LEFT JOIN certificates USING (height) WHERE height < ? ORDER BY height", -1, &query, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(query, 1, (int64_t)c->verdict->base);
    while (ok && rc == SQLITE_OK && (rc = sqlite3_step(query)) == SQLITE_ROW) {
        struct chain_map_proof path;
        struct chain_proof_epoch end = {.header = sqlite3_column_blob(query, 1), .cert = sqlite3_column_blob(query, 2),
                                        .members = sqlite3_column_blob(query, 3), .path = &path,
                                        .header_len = (size_t)sqlite3_column_bytes(query, 1),
                                        .cert_len = (size_t)sqlite3_column_bytes(query, 2),
                                        .members_len = (size_t)sqlite3_column_bytes(query, 3)};
        uint8_t octets[CHAIN_ENTRY_KEY_BYTES];
        store_path_from_row(sqlite3_column_blob(query, 4), (size_t)sqlite3_column_bytes(query, 4), &path);
        chain_hash_of(octets, chain_entry_key(CHAIN_MEMBERS_TABLE, 0, 0, octets), &path.key);
        chain_hash_of(end.members, end.members_len, &path.value);
        const char *fault = chain_proof_follow_epoch(light, &end);
        ok = !fault || store_fault(c, "epochs row %llu: %s", (unsigned long long)sqlite3_column_int64(query, 0), fault);
        rc = SQLITE_OK;
    }
    if (ok && rc != SQLITE_DONE)
        ok = store_fault_sqlite(c, "table epochs");
    sqlite3_finalize(query);
    return ok;
}

static bool check_base_members(struct store_check *c, const struct chain_members *state, const struct chain_members *certified)
{
    bool same = state->epoch == certified->epoch && state->n == certified->n && memcmp(state->seats, certified->seats, state->n) == 0;
    return same || store_fault(c, "snapshots row %llu: its members are not those that the ends of the epochs lead to",
                               (unsigned long long)c->verdict->base);
}

/* The base's own row: its header is the snapshot's, and certified; what its batch did is not executed again. */
static bool replay_base(struct store_check *c, struct replay *r, struct chain_node_block *row)
{
    const struct chain_header *header = chain_ledger_tip(r->ledger);
    struct chain_light light;
    if (!follow_epochs(c, &light) || !check_base_members(c, chain_ledger_members(r->ledger), &light.members) ||
        !check_header(c, row, header) || !check_certificate(c, r, row, &light.members, header))
        return false;
    if (r->open_end)
        return store_fault(c, "block %llu: certificate of the base is missing", (unsigned long long)row->height);
    c->verdict->height = row->height;
    c->verdict->state_root = header->state_root;
    int rc = store_rows_put_block(&c->rows, row, NULL, 0, NULL);
    if (rc == SQLITE_OK)
        rc = store_rows_put_state(&c->rows, r->ledger);
    if (rc == SQLITE_OK)
        rc = store_rows_run(&c->rows, STORE_PUT_META, "ti", "base_height", (int64_t)row->height);
    if (rc == SQLITE_OK)
        rc = repeat_snapshot(c, r);
    return rc == SQLITE_OK || store_fault(c, "block %llu: rows cannot be derived: %s", (unsigned long long)row->height, sqlite3_errstr(rc));
}

/* Twin and database follow from the same events: the state itself must say the same. */
static bool check_stations(struct store_check *c, const struct replay *r)
{
    uint32_t id = 0;
    bool due = chain_ledger_height(r->ledger) == c->verdict->indexed_height;
    if (!due || store_rows_stations_are(&c->rows, r->ledger, &id))
        return true;
    return store_fault(c, "stations row %u: what its events give is not what the state says", (unsigned)id);
}

static bool replay_all(struct store_check *c, struct replay *r)
{
    sqlite3_stmt *query = NULL;
    bool ok = true;
    c->verdict->state_root = chain_ledger_tip(r->ledger)->state_root;
    int rc = sqlite3_prepare_v2(c->db, "SELECT height, batch, header, certificate FROM blocks LEFT JOIN certificates USING (height) "
                                       "WHERE height >= ? ORDER BY height", -1, &query, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(query, 1, (int64_t)c->verdict->base);
    while (ok && rc == SQLITE_OK && (rc = sqlite3_step(query)) == SQLITE_ROW) {
        struct chain_node_block row = {.height = (uint64_t)sqlite3_column_int64(query, 0)};
        row.batch = sqlite3_column_blob(query, 1);
        row.batch_len = (size_t)sqlite3_column_bytes(query, 1);
        row.header = sqlite3_column_blob(query, 2);
        row.header_len = (size_t)sqlite3_column_bytes(query, 2);
        row.cert = sqlite3_column_blob(query, 3);
        row.cert_len = (size_t)sqlite3_column_bytes(query, 3);
        ok = row.height == c->verdict->base ? replay_base(c, r, &row) : replay_block(c, r, &row);
        ok = ok && check_stations(c, r);
        rc = SQLITE_OK;
    }
    if (ok && rc != SQLITE_DONE)
        ok = fault_reading(c, chain_ledger_height(r->ledger) + 1);
    sqlite3_finalize(query);
    return ok;
}

static bool finish_twin(struct store_check *c)
{
    if (c->verdict->indexed_height > c->verdict->height)
        return store_fault(c, "meta row indexed_height: there is no such block");
    int rc = store_rows_run(&c->rows, STORE_SET_INDEXED, "i", (int64_t)c->verdict->indexed_height);
    return rc == SQLITE_OK || store_fault(c, "no temporary database: %s", sqlite3_errstr(rc));
}

/* The state at the base, whose header members signed. */
static bool load_base(struct store_check *c, struct replay *r)
{
    unsigned long long base = c->verdict->base;
    char why[CHAIN_STORE_MAX_ERROR];
    uint8_t *octets = NULL;
    size_t len;
    if (store_read_snapshot(c->db, c->verdict->base, &octets, &len, why) != 0)
        return store_fault(c, "%.180s", why);
    int rc = chain_snapshot_load(r->ledger, octets, len);
    free(octets);
    if (rc != 0 || chain_ledger_height(r->ledger) != c->verdict->base)
        return store_fault(c, "snapshots row %llu: is no snapshot of that height", base);
    return true;
}

bool store_replay(struct store_check *c)
{
    struct replay *r = calloc(1, sizeof(*r));
    size_t len = chain_ledger_bytes(&c->genesis);
    void *mem = malloc(len);
    const char *bad_field = NULL;
    bool ok = false;
    if (!r || !mem)
        store_fault(c, "out of memory");
    else if (chain_ledger_init(mem, len, &c->genesis, &c->signer, &r->ledger, &bad_field) != 0)
        store_fault(c, "meta row genesis: %.60s is out of range", bad_field ? bad_field : "a field");
    else if (sqlite3_prepare_v2(c->db, "SELECT 1 FROM snapshots WHERE height=? LIMIT 1", -1, &c->has_snapshot, NULL) != SQLITE_OK)
        store_fault_sqlite(c, "table snapshots");
    else
        ok = (c->verdict->base == 0 || load_base(c, r)) && replay_all(c, r) && finish_twin(c);
    free(mem);
    free(r);
    return ok;
}
