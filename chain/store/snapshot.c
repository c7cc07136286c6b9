/* Snapshots as rows: parts with a digest each, so that a damaged one is found and named. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/snapshot.h"
#include "chain/store/store_internal.h"

static void check_part(uint64_t height, uint64_t part, const uint8_t *octets, size_t len, uint8_t out[STORE_CHECK_BYTES])
{
    store_record_check(height << 16 | part, octets, len, out);
}

int store_write_snapshot(struct store_rows *r, uint64_t height, const uint8_t *octets, size_t len)
{
    int rc = SQLITE_OK;
    uint64_t part = 0;
    for (size_t at = 0; at < len && rc == SQLITE_OK; at += CHAIN_SNAPSHOT_PART_BYTES, part++) {
        size_t n = len - at < CHAIN_SNAPSHOT_PART_BYTES ? len - at : CHAIN_SNAPSHOT_PART_BYTES;
        uint8_t check[STORE_CHECK_BYTES];
        check_part(height, part, octets + at, n, check);
        rc = store_rows_run(r, STORE_PUT_SNAPSHOT, "iibb", (int64_t)height, (int64_t)part, (const void *)(octets + at), n,
                            (const void *)check, sizeof(check));
    }
    return rc;
}

static int append(uint8_t **octets, size_t *len, const void *data, size_t n)
{
    uint8_t *more = realloc(*octets, *len + n + 1);
    if (!more)
        return -ENOMEM;
    if (n > 0)
        memcpy(more + *len, data, n);
    *octets = more;
    *len += n;
    return 0;
}

int store_read_snapshot(sqlite3 *db, uint64_t height, uint8_t **out, size_t *len_out, char *error_out)
{
    sqlite3_stmt *query = NULL;
    uint64_t part = 0;
    int err = 0, rc = sqlite3_prepare_v2(db, "SELECT part, octets, digest FROM snapshots WHERE height=? ORDER BY part", -1, &query, NULL);
    *out = NULL;
    *len_out = 0;
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(query, 1, (int64_t)height);
    while (err == 0 && rc == SQLITE_OK && (rc = sqlite3_step(query)) == SQLITE_ROW) {
        uint8_t check[STORE_CHECK_BYTES];
        const uint8_t *data = sqlite3_column_blob(query, 1);
        size_t n = (size_t)sqlite3_column_bytes(query, 1);
        check_part(height, part, data, n, check);
        if (sqlite3_column_int64(query, 0) != (int64_t)part || sqlite3_column_bytes(query, 2) != STORE_CHECK_BYTES ||
            memcmp(sqlite3_column_blob(query, 2), check, sizeof(check)) != 0) {
            snprintf(error_out, CHAIN_STORE_MAX_ERROR, "snapshots row %llu, %llu: digest differs from its octets", (unsigned long long)height,
                     (unsigned long long)part);
            err = -EILSEQ;
        } else {
            err = append(out, len_out, data, n);
            if (err)
                snprintf(error_out, CHAIN_STORE_MAX_ERROR, "out of memory");
        }
        part++;
        rc = SQLITE_OK;
    }
    if (err == 0 && rc != SQLITE_DONE) {
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "snapshots row %llu: %.120s", (unsigned long long)height, sqlite3_errmsg(db));
        err = (rc & 0xff) == SQLITE_CORRUPT ? -EILSEQ : -EIO;
    }
    sqlite3_finalize(query);
    if (err == 0 && part == 0) {
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "snapshots row %llu: is missing", (unsigned long long)height);
        err = -ENOENT;
    }
    if (err) {
        free(*out);
        *out = NULL;
    }
    return err;
}

int chain_store_read_snapshot(struct chain_store *s, uint64_t *height_out, uint8_t **out, size_t *len_out)
{
    char error[CHAIN_STORE_MAX_ERROR];
    if (s->last_snapshot == 0)
        return -ENOENT;
    *height_out = s->last_snapshot;
    return store_read_snapshot(s->db, s->last_snapshot, out, len_out, error);
}

int chain_store_install_snapshot(struct chain_store *s, const struct chain_node_block *block, const uint8_t *snapshot, size_t len,
                                 const struct chain_ledger *ledger, char *error_out)
{
    static const char *const forget = "DELETE FROM blocks; DELETE FROM certificates; DELETE FROM tx_rows; DELETE FROM event_rows;"
                                      "DELETE FROM reports; DELETE FROM windows; DELETE FROM grants; DELETE FROM evidence;"
                                      "DELETE FROM claims; DELETE FROM snapshots";
    store_queue_free(&s->queue);
    free(s->snapshot.octets);
    memset(&s->snapshot, 0, sizeof(s->snapshot));
    s->rows.queue = NULL; /* these rows come now */
    int rc = sqlite3_exec(s->db, forget, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = store_rows_put_block(&s->rows, block, NULL, 0, NULL);
    if (rc == SQLITE_OK)
        rc = store_write_snapshot(&s->rows, block->height, snapshot, len);
    if (rc == SQLITE_OK)
        rc = store_rows_put_state(&s->rows, ledger);
    if (rc == SQLITE_OK)
        rc = store_rows_run(&s->rows, STORE_SET_INDEXED, "i", (int64_t)block->height);
    if (rc == SQLITE_OK)
        rc = store_rows_run(&s->rows, STORE_PUT_META, "ti", "base_height", (int64_t)block->height);
    s->rows.queue = &s->queue;
    if (rc != SQLITE_OK)
        return store_fail(s, rc, "cannot be written", error_out);
    s->tip = s->certified = s->indexed = s->last_snapshot = s->base = s->pruned = block->height;
    s->epoch = chain_ledger_members(ledger)->epoch;
    s->octets_since = s->blocks_since = 0;
    s->may_vacuum = true;
    return 0;
}
