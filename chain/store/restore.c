/* From the database back into a node. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int feed_blocks(struct chain_store *s, struct chain_node *node, int64_t now_ns, struct chain_node_update *update,
                       char *error_out)
{
    sqlite3_stmt *query = NULL;
    int rc = 0;
    int sql_rc = sqlite3_prepare_v2(s->db, "SELECT height, batch, header, certificate FROM blocks ORDER BY height", -1, &query, NULL);
    while (sql_rc == SQLITE_OK && rc == 0 && (sql_rc = sqlite3_step(query)) == SQLITE_ROW) {
        struct chain_node_event event = {.kind = CHAIN_NODE_RESTORE_BLOCK, .now_ns = now_ns};
        event.block.height = (uint64_t)sqlite3_column_int64(query, 0);
        event.block.batch = sqlite3_column_blob(query, 1);
        event.block.batch_len = (size_t)sqlite3_column_bytes(query, 1);
        event.block.header = sqlite3_column_blob(query, 2);
        event.block.header_len = (size_t)sqlite3_column_bytes(query, 2);
        event.block.cert = sqlite3_column_blob(query, 3);
        event.block.cert_len = (size_t)sqlite3_column_bytes(query, 3);
        rc = feed(s, node, &event, update, "block", event.block.height, error_out);
        sql_rc = SQLITE_OK;
    }
    sqlite3_finalize(query);
    return sql_rc == SQLITE_OK || sql_rc == SQLITE_DONE ? rc : store_fail(s, sql_rc, "cannot be read", error_out);
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
    int rc = feed_blocks(s, node, now_ns, update, error_out);
    if (rc == 0)
        rc = feed_records(s, node, now_ns, update, error_out);
    struct chain_node_event start = {.kind = CHAIN_NODE_START, .now_ns = now_ns};
    if (rc == 0)
        rc = feed(s, node, &start, update, "height", chain_ledger_height(chain_node_ledger(node)), error_out);
    free(update);
    return rc;
}
