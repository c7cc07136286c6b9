/* What happens beside the turns: derived rows, snapshots, pruning, giving pages back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chain/snapshot.h"
#include "chain/store/store_internal.h"

enum {
    SLICE_ROWS = 512, SLICE_BLOCKS = 64, SLICE_PAGES = 128,
    END_OF_BLOCK = STORE_STATEMENTS /* in the queue: value is the height */
};

static int take_snapshot(struct chain_store *s, const struct chain_ledger *ledger)
{
    size_t cap = chain_snapshot_bytes(ledger);
    uint8_t *octets = malloc(cap);
    long len = octets ? chain_snapshot_encode(ledger, octets, cap) : -ENOMEM;
    if (len < 0) {
        free(octets);
        return (int)len;
    }
    free(s->snapshot.octets);
    s->snapshot.octets = octets;
    s->snapshot.len = (size_t)len;
    s->snapshot.height = chain_ledger_height(ledger);
    s->octets_since = s->blocks_since = 0;
    return 0;
}

int store_note_block(struct chain_store *s, const struct chain_node_block *block, const struct chain_ledger *ledger)
{
    struct store_value end = {.type = 'i', .number = (int64_t)block->height};
    if (store_queue_put(&s->queue, END_OF_BLOCK, &end, 1) != 0)
        return -ENOMEM;
    s->tip = block->height;
    s->octets_since += block->batch_len;
    s->blocks_since++;
    /* one at a time: the last one that was taken waits for its certificate */
    /* not of an epoch's last block: its certificate is the former members', and the state names the new ones */
    uint32_t epoch = chain_ledger_members(ledger)->epoch;
    bool same_epoch = epoch == s->epoch;
    s->epoch = epoch;
    if (!same_epoch && store_rows_put_epoch(&s->rows, ledger) != SQLITE_OK)
        return -EIO;
    bool due = s->octets_since >= s->policy.snapshot_octets || s->blocks_since >= s->policy.snapshot_blocks;
    return due && same_epoch && s->snapshot.height == 0 ? take_snapshot(s, ledger) : 0;
}

int store_drain(struct chain_store *s, size_t keep, size_t rows)
{
    struct store_value values[STORE_MAX_VALUES];
    uint64_t indexed = s->indexed;
    int rc = SQLITE_OK;
    for (size_t n = 0; rc == SQLITE_OK && n < rows && store_queue_octets(&s->queue) > keep;) {
        uint8_t statement;
        int count;
        while (rc == SQLITE_OK && (count = store_queue_take(&s->queue, &statement, values)) >= 0 && statement != END_OF_BLOCK) {
            rc = store_rows_bind_and_run(&s->rows, (enum store_statement)statement, values, (size_t)count);
            n++;
        }
        if (rc == SQLITE_OK && statement == END_OF_BLOCK)
            indexed = (uint64_t)values[0].number;
    }
    if (rc == SQLITE_OK && indexed != s->indexed)
        rc = store_rows_run(&s->rows, STORE_SET_INDEXED, "i", (int64_t)indexed);
    if (rc == SQLITE_OK)
        s->indexed = indexed;
    return rc;
}

static int write_snapshot(struct chain_store *s)
{
    int rc = store_write_snapshot(&s->rows, s->snapshot.height, s->snapshot.octets, s->snapshot.len);
    if (rc != SQLITE_OK)
        return rc;
    s->last_snapshot = s->snapshot.height;
    free(s->snapshot.octets);
    s->snapshot.octets = NULL;
    s->snapshot.height = 0;
    return SQLITE_OK;
}

static int read_height(struct chain_store *s, const char *sql, uint64_t below, uint64_t *out)
{
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &query, NULL);
    if (rc == SQLITE_OK && sqlite3_bind_parameter_count(query) > 0)
        rc = sqlite3_bind_int64(query, 1, (int64_t)below);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(query);
    if (rc == SQLITE_ROW) {
        *out = (uint64_t)sqlite3_column_int64(query, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(query);
    return rc;
}

int store_read_heights(struct chain_store *s)
{
    int rc = read_height(s, "SELECT coalesce((SELECT max(height) FROM blocks), 0)", 0, &s->tip);
    if (rc == SQLITE_OK)
        rc = read_height(s, "SELECT coalesce((SELECT max(height) FROM certificates), 0)", 0, &s->certified);
    if (rc == SQLITE_OK)
        rc = read_height(s, "SELECT coalesce((SELECT value FROM meta WHERE key='indexed_height'), 0)", 0, &s->indexed);
    if (rc == SQLITE_OK)
        rc = read_height(s, "SELECT coalesce((SELECT max(height) FROM snapshots), 0)", 0, &s->last_snapshot);
    if (rc == SQLITE_OK)
        rc = read_height(s, "SELECT coalesce((SELECT value FROM meta WHERE key='base_height'), 0)", 0, &s->base);
    if (rc == SQLITE_OK)
        rc = read_height(s, "SELECT coalesce((SELECT min(height) FROM blocks WHERE height NOT IN (SELECT height FROM epochs)), 1) - 1", 0, &s->pruned);
    return rc;
}

/* The newest snapshot that leaves keep_blocks below the last one becomes the base. */
static int move_base(struct chain_store *s)
{
    uint64_t base = s->base;
    if (s->policy.keep_blocks == UINT64_MAX || s->last_snapshot <= s->policy.keep_blocks)
        return SQLITE_OK;
    int rc = read_height(s, "SELECT coalesce((SELECT max(height) FROM snapshots WHERE height <= ?), 0)",
                         s->last_snapshot - s->policy.keep_blocks, &base);
    if (rc != SQLITE_OK || base <= s->base)
        return rc;
    rc = store_rows_run(&s->rows, STORE_PUT_META, "ti", "base_height", (int64_t)base);
    if (rc == SQLITE_OK)
        s->base = base;
    return rc;
}

static int prune_slice(struct chain_store *s)
{
    uint64_t to = s->base - s->pruned > SLICE_BLOCKS ? s->pruned + SLICE_BLOCKS : s->base;
    char sql[160];
    int rc = SQLITE_OK;
    for (const struct store_table *table = store_tables; table->name && rc == SQLITE_OK; table++) {
        if ((table->kind != STORE_CHAIN && table->kind != STORE_HISTORY) || strcmp(table->name, "snapshots") == 0)
            continue;
        bool spare = table->kind == STORE_CHAIN && to == s->base;
        const char *but = table->kind == STORE_CHAIN ? "AND height NOT IN (SELECT height FROM epochs)" : "";
        sqlite3_snprintf(sizeof(sql), sql, "DELETE FROM %s WHERE height %s %lld %s", table->name, spare ? "<" : "<=", (long long)to, but);
        rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    }
    sqlite3_snprintf(sizeof(sql), sql, "DELETE FROM snapshots WHERE height < %lld", (long long)s->base);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    sqlite3_snprintf(sizeof(sql), sql, "DELETE FROM grants WHERE height <= %lld AND state = 'IDLE'", (long long)to);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        s->pruned = to;
    s->may_vacuum = true;
    return rc;
}

static int64_t count_free(struct chain_store *s)
{
    uint64_t n = 0;
    return read_height(s, "PRAGMA freelist_count", 0, &n) == SQLITE_OK ? (int64_t)n : 0;
}

static int vacuum_slice(struct chain_store *s)
{
    char sql[64];
    sqlite3_snprintf(sizeof(sql), sql, "PRAGMA incremental_vacuum(%d)", SLICE_PAGES);
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    if (rc == SQLITE_OK && count_free(s) == 0)
        s->may_vacuum = false;
    return rc;
}

/* Which piece is next? */
static int do_piece(struct chain_store *s, bool *did)
{
    *did = true;
    if (store_queue_octets(&s->queue) > 0)
        return store_drain(s, 0, SLICE_ROWS);
    if (s->snapshot.height > 0 && s->snapshot.height <= s->certified && s->snapshot.height <= s->indexed) {
        int rc = write_snapshot(s);
        return rc == SQLITE_OK ? move_base(s) : rc;
    }
    if (s->pruned + 1 < s->base)
        return prune_slice(s);
    if (s->may_vacuum)
        return vacuum_slice(s);
    *did = false;
    return SQLITE_OK;
}

int chain_store_work(struct chain_store *s, char *error_out)
{
    bool did = false;
    bool waits = store_queue_octets(&s->queue) > 0 || (s->snapshot.height > 0 && s->snapshot.height <= s->certified) ||
                 s->pruned + 1 < s->base || s->may_vacuum;
    if (s->in_turn || !waits)
        return 0;
    bool full = s->sync == CHAIN_STORE_SYNC_FULL;
    int rc = full ? sqlite3_exec(s->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL) : SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = do_piece(s, &did);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        int err = store_fail(s, rc, "cannot be written to disk", error_out); /* before another call changes the reason */
        s->broken = true;
        if (!sqlite3_get_autocommit(s->db))
            sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        return err;
    }
    rc = full ? sqlite3_exec(s->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL) : SQLITE_OK;
    return rc == SQLITE_OK ? did : store_fail(s, rc, "cannot be written to disk", error_out);
}
