/* SQL over a ledger database, read-only. */
#include "apps/ledger_db.h"

#include "apps/node_cluster.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { APPLICATION_ID = 0x61697264 /* "aird" */, BUSY_MS = 2000 };

struct app_ledger_db {
    sqlite3 *sql;
    const char *path;
};

static int64_t read_pragma(sqlite3 *sql, const char *pragma)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(sql, pragma, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

int app_ledger_db_open(const char *path, struct app_ledger_db **out, char *error_out)
{
    struct app_ledger_db *db = calloc(1, sizeof *db);
    if (!db) {
        snprintf(error_out, APP_NODE_MAX_ERROR, "%s: not enough memory", path);
        return -ENOMEM;
    }
    db->path = path;
    int rc = sqlite3_open_v2(path, &db->sql, SQLITE_OPEN_READONLY, NULL);
    bool ours = false;
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db->sql, BUSY_MS);
        ours = read_pragma(db->sql, "PRAGMA application_id") == APPLICATION_ID;
        rc = sqlite3_errcode(db->sql);
    }
    /* one snapshot for all that is asked */
    if (ours && sqlite3_exec(db->sql, "BEGIN", NULL, NULL, NULL) == SQLITE_OK) {
        *out = db;
        return 0;
    }
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE || rc == SQLITE_NOTADB)
        snprintf(error_out, APP_NODE_MAX_ERROR, "%s: no airdeed ledger database", path);
    else
        snprintf(error_out, APP_NODE_MAX_ERROR, "%s: cannot be read: %s", path, sqlite3_errmsg(db->sql));
    app_ledger_db_close(db);
    return -EINVAL;
}

void app_ledger_db_close(struct app_ledger_db *db)
{
    sqlite3_close(db->sql);
    free(db);
}

int app_ledger_db_find_tx(struct app_ledger_db *db, uint32_t author, uint64_t nonce, uint64_t *height_out, int *code_out)
{
    sqlite3_stmt *s = NULL;
    int err = -ENOENT;
    if (sqlite3_prepare_v2(db->sql, "SELECT height, code FROM tx_rows WHERE author = ? AND nonce = ? ORDER BY height, i LIMIT 1", -1, &s,
                           NULL) == SQLITE_OK) {
        sqlite3_bind_int64(s, 1, author);
        sqlite3_bind_int64(s, 2, (sqlite3_int64)nonce);
        if (sqlite3_step(s) == SQLITE_ROW) {
            *height_out = (uint64_t)sqlite3_column_int64(s, 0);
            *code_out = sqlite3_column_int(s, 1);
            err = 0;
        }
    }
    sqlite3_finalize(s);
    return err;
}

static json_t *column_json(sqlite3_stmt *s, int i)
{
    if (sqlite3_column_type(s, i) == SQLITE_NULL)
        return json_null();
    if (sqlite3_column_type(s, i) == SQLITE_INTEGER)
        return json_integer(sqlite3_column_int64(s, i));
    if (sqlite3_column_type(s, i) == SQLITE_FLOAT)
        return json_real(sqlite3_column_double(s, i));
    return json_string((const char *)sqlite3_column_text(s, i));
}

/* Each row as an object with the columns' names; NULL with the reason in error_out */
static json_t *read_rows(struct app_ledger_db *db, const char *query, char *error_out)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db->sql, query, -1, &s, NULL);
    json_t *rows = json_array();
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(s);
        if (rc != SQLITE_ROW)
            break;
        json_t *row = json_object();
        for (int i = 0; i < sqlite3_column_count(s); i++)
            json_object_set_new(row, sqlite3_column_name(s, i), column_json(s, i));
        json_array_append_new(rows, row);
    }
    sqlite3_finalize(s);
    if (rc == SQLITE_DONE)
        return rows;
    snprintf(error_out, APP_NODE_MAX_ERROR, "%s: cannot be read: %s", db->path, sqlite3_errmsg(db->sql));
    json_decref(rows);
    return NULL;
}

json_t *app_ledger_db_show(struct app_ledger_db *db, char *error_out)
{
    json_t *rows = read_rows(db,
                             "SELECT (SELECT value FROM meta WHERE key = 'name') AS name,"
                             " (SELECT value FROM meta WHERE key = 'chain_id') AS chain,"
                             " (SELECT value FROM meta WHERE key = 'consensus') AS engine,"
                             " coalesce((SELECT max(height) FROM blocks), 0) AS height,"
                             " coalesce((SELECT max(height) FROM certificates), 0) AS certified_height,"
                             " coalesce((SELECT value FROM meta WHERE key = 'indexed_height'), 0) AS indexed_height,"
                             " (SELECT lower(hex(state_root)) FROM blocks ORDER BY height DESC LIMIT 1) AS state_root,"
                             " (SELECT time_ns FROM blocks ORDER BY height DESC LIMIT 1) AS block_time_ns,"
                             " (SELECT count(*) FROM tx_rows) AS transactions,"
                             " (SELECT count(*) FROM stations WHERE registered_ns IS NOT NULL) AS registered_stations,"
                             " (SELECT count(*) FROM grants WHERE state <> 'IDLE') AS live_leases",
                             error_out);
    json_t *answer = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    return answer;
}

uint64_t app_ledger_db_lag(struct app_ledger_db *db, uint64_t *indexed_out)
{
    char error[APP_NODE_MAX_ERROR];
    json_t *rows = read_rows(db, "SELECT (SELECT value FROM meta WHERE key = 'indexed_height') AS indexed,"
                                 " coalesce((SELECT max(height) FROM blocks), 0) AS height", error);
    const json_t *row = json_array_get(rows, 0);
    json_int_t indexed = json_integer_value(json_object_get(row, "indexed")), height = json_integer_value(json_object_get(row, "height"));
    json_decref(rows);
    *indexed_out = (uint64_t)indexed;
    return height > indexed ? (uint64_t)(height - indexed) : 0;
}

json_t *app_ledger_db_transactions(struct app_ledger_db *db, char *error_out)
{
    json_t *rows = read_rows(db, "SELECT height, author, nonce, op, code, response FROM transactions ORDER BY height, i", error_out);
    return rows ? json_pack("{s:o}", "transactions", rows) : NULL;
}

json_t *app_ledger_db_leases(struct app_ledger_db *db, char *error_out)
{
    json_t *rows = read_rows(db,
                             "SELECT grants.id AS id, holder, call_sign AS holder_name, channel, state, suspended, low_hz, high_hz,"
                             " max_eirp_cdbm_mhz / 100.0 AS max_eirp_dbm_mhz, granted_ns, grant_expire_ns,"
                             " coalesce(transmit_expire_ns, 0) AS transmit_expire_ns, coalesce(suspended_ns, 0) AS suspended_ns,"
                             " coalesce(ended_ns, 0) AS ended_ns FROM grants LEFT JOIN stations ON stations.id = holder ORDER BY grants.id",
                             error_out);
    if (!rows)
        return NULL;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        json_object_set_new(row, "suspended", json_boolean(json_integer_value(json_object_get(row, "suspended"))));
    }
    return json_pack("{s:o}", "leases", rows);
}
