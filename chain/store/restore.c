/* From the database back into a node. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/snapshot.h"
#include "chain/store/store_internal.h"

static int feed(struct chain_store *s, struct chain_node *node, const struct chain_node_event *event,
                struct chain_node_update *update, const char *what, uint64_t number, char *error_out)
{
    int rc = chain_node_step(node, event, update);
    if (rc != 0)
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.180s: %s %llu is not what was written: check it with airdeed ledger verify",
                 s->path, what, (unsigned long long)number);
    return rc;
}

/* A block whose derived rows were not yet written is indexed now. */
static int feed_block(struct chain_store *s, struct chain_node *node, const struct chain_node_event *event,
                      struct chain_node_update *update, char *error_out)
{
    int rc = feed(s, node, event, update, "block", event->block.height, error_out);
    if (rc != 0)
        return rc;
    struct chain_node_block block = {.height = event->block.height, .batch = event->block.batch, .batch_len = event->block.batch_len};
    int sql_rc = SQLITE_OK;
    if (block.height > s->indexed)
        sql_rc = store_rows_derive(&s->rows, &block, update->events, update->n_events, update->ledger);
    if (sql_rc == SQLITE_OK && store_note_block(s, &block, update->ledger) != 0)
        sql_rc = SQLITE_NOMEM;
    return sql_rc == SQLITE_OK ? 0 : store_fail(s, sql_rc, "cannot be indexed", error_out);
}

static int feed_blocks(struct chain_store *s, struct chain_node *node, int64_t now_ns, uint64_t above, struct chain_node_update *update,
                       char *error_out)
{
    sqlite3_stmt *query = NULL;
    int rc = 0;
    int sql_rc = sqlite3_prepare_v2(s->db, "SELECT height, batch, header, certificate FROM blocks LEFT JOIN certificates USING (height) "
                                           "WHERE height > ? ORDER BY height", -1, &query, NULL);
    if (sql_rc == SQLITE_OK)
        sql_rc = sqlite3_bind_int64(query, 1, (int64_t)above);
    while (sql_rc == SQLITE_OK && rc == 0 && (sql_rc = sqlite3_step(query)) == SQLITE_ROW) {
        struct chain_node_event event = {.kind = CHAIN_NODE_RESTORE_BLOCK, .now_ns = now_ns};
        event.block.height = (uint64_t)sqlite3_column_int64(query, 0);
        event.block.batch = sqlite3_column_blob(query, 1);
        event.block.batch_len = (size_t)sqlite3_column_bytes(query, 1);
        event.block.header = sqlite3_column_blob(query, 2);
        event.block.header_len = (size_t)sqlite3_column_bytes(query, 2);
        event.block.cert = sqlite3_column_blob(query, 3);
        event.block.cert_len = (size_t)sqlite3_column_bytes(query, 3);
        rc = feed_block(s, node, &event, update, error_out);
        sql_rc = SQLITE_OK;
    }
    sqlite3_finalize(query);
    return sql_rc == SQLITE_OK || sql_rc == SQLITE_DONE ? rc : store_fail(s, sql_rc, "cannot be read", error_out);
}

/* The last snapshot, if there is one: without it every block is executed again. */
static int feed_snapshot(struct chain_store *s, struct chain_node *node, int64_t now_ns, struct chain_node_update *update, char *error_out)
{
    char why[CHAIN_STORE_MAX_ERROR];
    struct chain_node_event event = {.kind = CHAIN_NODE_RESTORE_SNAPSHOT, .now_ns = now_ns};
    uint8_t *octets = NULL;
    struct chain_header header;
    struct chain_node_block block;
    if (s->last_snapshot == 0)
        return 0;
    int rc = store_read_snapshot(s->db, s->last_snapshot, &octets, &event.snapshot.len, why);
    if (rc != 0) {
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.150s: %.150s", s->path, why);
        return rc == -ENOENT ? -EILSEQ : rc;
    }
    /* it is the state of the block that is in the database, and that is certified */
    uint8_t encoded[CHAIN_MAX_HEADER_BYTES];
    bool fits = chain_snapshot_header(octets, event.snapshot.len, &header) == 0 && header.height == s->last_snapshot &&
                chain_store_read_block(s, s->last_snapshot, &block) == 0 && block.cert_len > 0 &&
                chain_header_encode(&header, encoded, sizeof(encoded)) == (long)block.header_len &&
                memcmp(encoded, block.header, block.header_len) == 0;
    sqlite3_reset(s->read_block);
    if (fits) {
        event.snapshot.data = octets;
        rc = feed(s, node, &event, update, "snapshot", s->last_snapshot, error_out);
        s->epoch = chain_ledger_members(chain_node_ledger(node))->epoch;
    } else {
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.180s: snapshot %llu is not of the certified block of its height", s->path,
                 (unsigned long long)s->last_snapshot);
        rc = -EILSEQ;
    }
    free(octets);
    return rc;
}

static int feed_records(struct chain_store *s, struct chain_node *node, int64_t now_ns, struct chain_node_update *update,
                        char *error_out)
{
    sqlite3_stmt *query = NULL;
    int rc = 0;
    int sql_rc = sqlite3_prepare_v2(s->db, "SELECT key, data, digest FROM engine ORDER BY key", -1, &query, NULL);
    while (sql_rc == SQLITE_OK && rc == 0 && (sql_rc = sqlite3_step(query)) == SQLITE_ROW) {
        struct chain_node_event event = {.kind = CHAIN_NODE_RESTORE_RECORD, .now_ns = now_ns};
        event.record.key = (uint64_t)sqlite3_column_int64(query, 0);
        event.record.data = sqlite3_column_blob(query, 1);
        event.record.len = (size_t)sqlite3_column_bytes(query, 1);
        uint8_t check[STORE_CHECK_BYTES];
        store_record_check(event.record.key, event.record.data, event.record.len, check);
        bool whole = sqlite3_column_bytes(query, 2) == STORE_CHECK_BYTES &&
                     memcmp(sqlite3_column_blob(query, 2), check, STORE_CHECK_BYTES) == 0;
        sql_rc = SQLITE_OK;
        if (whole) {
            rc = feed(s, node, &event, update, "engine row", event.record.key, error_out);
            continue;
        }
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.180s: engine row %llu fails its checksum", s->path,
                 (unsigned long long)event.record.key);
        rc = -EILSEQ;
    }
    sqlite3_finalize(query);
    return sql_rc == SQLITE_OK || sql_rc == SQLITE_DONE ? rc : store_fail(s, sql_rc, "cannot be read", error_out);
}

int chain_store_restore(struct chain_store *s, struct chain_node *node, int64_t now_ns, char *error_out)
{
    struct chain_node_update *update = malloc(sizeof(*update));
    if (!update) {
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: out of memory", s->path);
        return -ENOMEM;
    }
    int rc = feed_snapshot(s, node, now_ns, update, error_out);
    if (rc == 0)
        rc = feed_blocks(s, node, now_ns, s->last_snapshot, update, error_out);
    if (rc == 0)
        rc = feed_records(s, node, now_ns, update, error_out);
    struct chain_node_event start = {.kind = CHAIN_NODE_START, .now_ns = now_ns};
    if (rc == 0)
        rc = feed(s, node, &start, update, "height", chain_ledger_height(chain_node_ledger(node)), error_out);
    free(update);
    return rc;
}
