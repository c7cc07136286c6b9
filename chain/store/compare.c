/* Row by row against the twin. */
#include <stdio.h>
#include <string.h>

#include "chain/store/verify.h"

static bool same_value(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
    int type = sqlite3_column_type(a, column);
    if (type != sqlite3_column_type(b, column))
        return false;
    if (type == SQLITE_INTEGER)
        return sqlite3_column_int64(a, column) == sqlite3_column_int64(b, column);
    if (type == SQLITE_NULL)
        return true;
    const void *x = sqlite3_column_blob(a, column), *y = sqlite3_column_blob(b, column); /* the octets of text, too */
    int len = sqlite3_column_bytes(a, column);
    return len == sqlite3_column_bytes(b, column) && (len == 0 || memcmp(x, y, (size_t)len) == 0);
}

/* "transactions row 9, 3" */
static void name_row(const struct store_table *table, sqlite3_stmt *row, char *out, size_t cap)
{
    size_t at = (size_t)snprintf(out, cap, "%s row ", table->name);
    for (int k = 0; k < table->n_key && at < cap; k++) {
        const unsigned char *text = sqlite3_column_text(row, k);
        at += (size_t)snprintf(out + at, cap - at, "%s%.24s", k > 0 ? ", " : "", text ? (const char *)text : "NULL");
    }
}

static void show_value(sqlite3_stmt *row, int column, char *out, size_t cap)
{
    if (sqlite3_column_type(row, column) == SQLITE_BLOB)
        snprintf(out, cap, "other octets");
    else if (sqlite3_column_type(row, column) == SQLITE_NULL)
        snprintf(out, cap, "NULL");
    else
        snprintf(out, cap, "%.24s", (const char *)sqlite3_column_text(row, column));
}

static bool fault_key(struct store_check *c, const struct store_table *table, sqlite3_stmt *row, sqlite3_stmt *twin)
{
    char is[80], should[80];
    name_row(table, row, is, sizeof(is));
    name_row(table, twin, should, sizeof(should));
    return store_fault(c, "%s: execution gives %s here", is, should);
}

static bool compare_rows(struct store_check *c, const struct store_table *table, sqlite3_stmt *row, sqlite3_stmt *twin)
{
    int n = sqlite3_column_count(twin);
    if (sqlite3_column_count(row) != n)
        return store_fault(c, "table %s has other columns", table->name);
    for (int i = 0; i < n; i++) {
        if (same_value(row, twin, i))
            continue;
        char name[96], is[32], should[32];
        if (i < table->n_key)
            return fault_key(c, table, row, twin);
        show_value(row, i, is, sizeof(is));
        show_value(twin, i, should, sizeof(should));
        name_row(table, row, name, sizeof(name));
        return store_fault(c, "%s: %s is %s, execution gives %s", name, sqlite3_column_name(twin, i), is, should);
    }
    return true;
}

static bool compare_streams(struct store_check *c, const struct store_table *table, sqlite3_stmt *row, sqlite3_stmt *twin)
{
    for (;;) {
        int rc = sqlite3_step(row), twin_rc = sqlite3_step(twin);
        char name[96];
        if ((rc != SQLITE_ROW && rc != SQLITE_DONE) || (twin_rc != SQLITE_ROW && twin_rc != SQLITE_DONE)) {
            if (twin_rc == SQLITE_ROW) /* the row that should be here */
                name_row(table, twin, name, sizeof(name));
            else
                snprintf(name, sizeof(name), "table %s", table->name);
            return store_fault_sqlite(c, name);
        }
        if (rc != twin_rc) {
            name_row(table, rc == SQLITE_ROW ? row : twin, name, sizeof(name));
            return store_fault(c, rc == SQLITE_ROW ? "%s: execution gives no such row" : "%s: is missing", name);
        }
        if (rc == SQLITE_DONE)
            return true;
        if (!compare_rows(c, table, row, twin))
            return false;
    }
}

static bool compare_table(struct store_check *c, const struct store_table *table)
{
    char sql[160], from[48] = "";
    if (table->kind != STORE_FIXED && c->verdict->base > 0) /* what changed last below the base is not executed again */
        snprintf(from, sizeof(from), "WHERE height %s %llu", table->kind == STORE_CHAIN ? ">=" : ">", (unsigned long long)c->verdict->base);
    snprintf(sql, sizeof(sql), "SELECT * FROM %s %s ORDER BY %s", table->name, from, table->key);
    sqlite3_stmt *row = NULL, *twin = NULL;
    bool ok;
    if (sqlite3_prepare_v2(c->db, sql, -1, &row, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(c->twin, sql, -1, &twin, NULL) != SQLITE_OK) {
        char name[96];
        snprintf(name, sizeof(name), "table %s", table->name);
        ok = store_fault_sqlite(c, name);
    } else {
        ok = compare_streams(c, table, row, twin);
    }
    sqlite3_finalize(row);
    sqlite3_finalize(twin);
    return ok;
}

static bool compare_schema(struct store_check *c)
{
    static const struct store_table schema = {"sqlite_schema", "type, name, tbl_name", 3, STORE_FIXED};
    const char *sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2";
    sqlite3_stmt *row = NULL, *twin = NULL;
    bool ok;
    if (sqlite3_prepare_v2(c->db, sql, -1, &row, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(c->twin, sql, -1, &twin, NULL) != SQLITE_OK)
        ok = store_fault_sqlite(c, "schema");
    else
        ok = compare_streams(c, &schema, row, twin);
    sqlite3_finalize(row);
    sqlite3_finalize(twin);
    return ok;
}

/* What an engine keeps cannot be executed again. */
static bool check_engine(struct store_check *c)
{
    sqlite3_stmt *query = NULL;
    bool ok = true;
    int rc = sqlite3_prepare_v2(c->db, "SELECT key, data, digest FROM engine ORDER BY key", -1, &query, NULL);
    while (ok && rc == SQLITE_OK && (rc = sqlite3_step(query)) == SQLITE_ROW) {
        uint8_t check[STORE_CHECK_BYTES];
        uint64_t key = (uint64_t)sqlite3_column_int64(query, 0);
        store_record_check(key, sqlite3_column_blob(query, 1), (size_t)sqlite3_column_bytes(query, 1), check);
        if (sqlite3_column_bytes(query, 2) != STORE_CHECK_BYTES ||
            memcmp(sqlite3_column_blob(query, 2), check, STORE_CHECK_BYTES) != 0)
            ok = store_fault(c, "engine row %llu: digest differs from its key and data", (unsigned long long)key);
        rc = SQLITE_OK;
    }
    if (ok && rc != SQLITE_DONE)
        ok = store_fault_sqlite(c, "table engine");
    sqlite3_finalize(query);
    return ok;
}

static bool check_structure(struct store_check *c)
{
    sqlite3_stmt *query = NULL;
    bool ok = sqlite3_prepare_v2(c->db, "PRAGMA integrity_check(1)", -1, &query, NULL) == SQLITE_OK &&
              sqlite3_step(query) == SQLITE_ROW;
    const char *text = ok ? (const char *)sqlite3_column_text(query, 0) : sqlite3_errmsg(c->db);
    if (!text || strcmp(text, "ok") != 0)
        ok = store_fault(c, "database structure: %.120s", text ? text : "cannot be read");
    sqlite3_finalize(query);
    return ok;
}

bool store_compare(struct store_check *c)
{
    if (!compare_schema(c))
        return false;
    for (const struct store_table *table = store_tables; table->name; table++)
        if (!compare_table(c, table))
            return false;
    return check_engine(c) && check_structure(c);
}
