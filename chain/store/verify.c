/* Verification: everything is executed again into a second, temporary database, which then must equal the first. */
#include "chain/store/verify.h"

#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool store_fault(struct store_check *c, const char *format, ...)
{
    if (c->verdict->first_fault[0] == '\0') {
        va_list args;
        va_start(args, format);
        vsnprintf(c->verdict->first_fault, sizeof(c->verdict->first_fault), format, args);
        /* it may quote what stands in the file: one printable line all the same */
        for (char *at = c->verdict->first_fault; *at; at++)
            if (*at < 0x20 || *at > 0x7e)
                *at = '?';
        va_end(args);
    }
    return false;
}

bool store_fault_sqlite(struct store_check *c, const char *what)
{
    return store_fault(c, "%s: %.120s", what, sqlite3_errmsg(c->db));
}

int store_open_read_only(const char *path, sqlite3 **out)
{
    char log[PATH_MAX];
    int len = snprintf(log, sizeof(log), "%s-wal", path);
    bool has_log = len > 0 && (size_t)len < sizeof(log) && access(log, F_OK) == 0;
    if (has_log) {
        int rc = sqlite3_open_v2(path, out, SQLITE_OPEN_READONLY, NULL);
        if (rc == SQLITE_OK)
            sqlite3_busy_timeout(*out, 2000); /* its node may just be closing it */
        return rc;
    }
    size_t cap = 3 * strlen(path) + 32;
    char *name = malloc(cap);
    if (!name)
        return SQLITE_NOMEM;
    size_t at = (size_t)snprintf(name, cap, "file:");
    for (const char *p = path; *p; p++)
        at += (size_t)snprintf(name + at, cap - at, strchr("%?#", *p) ? "%%%02X" : "%c", (unsigned char)*p);
    snprintf(name + at, cap - at, "?immutable=1");
    int rc = sqlite3_open_v2(name, out, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    free(name);
    return rc;
}

static bool read_genesis(struct store_check *c)
{
    sqlite3_stmt *query = NULL;
    const char *bad_field = NULL;
    bool ok = false;
    int rc = sqlite3_prepare_v2(c->db, "SELECT value FROM meta WHERE key='genesis'", -1, &query, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(query);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        store_fault_sqlite(c, "meta row genesis");
    else if (rc == SQLITE_DONE || chain_genesis_decode(&c->genesis, sqlite3_column_blob(query, 0),
                                                       (size_t)sqlite3_column_bytes(query, 0)) != 0)
        store_fault(c, "meta row genesis: value is no genesis block");
    else if (chain_genesis_finish(&c->genesis, NULL, &bad_field) != 0)
        store_fault(c, "meta row genesis: %.60s is out of range", bad_field);
    else
        ok = true;
    sqlite3_finalize(query);
    return ok;
}

/* Whose database it is cannot be executed again: the twin takes it over, with a check of its own. A key without a seat has one,
 * and a key that was admitted later. */
static int copy_owner(struct store_check *c)
{
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(c->db, "SELECT (SELECT value FROM meta WHERE key='member'), (SELECT value FROM meta WHERE key='member_name')",
                                -1, &query, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(query);
    if (rc != SQLITE_ROW) {
        store_fault_sqlite(c, "table meta");
    } else {
        int64_t member = sqlite3_column_int64(query, 0);
        const unsigned char *name = sqlite3_column_text(query, 1);
        if (sqlite3_column_type(query, 0) != SQLITE_INTEGER || member < 0 || member >= CHAIN_MAX_KEYS)
            store_fault(c, "meta row member: value is no key");
        else if (!name)
            store_fault(c, "meta row member_name: is missing");
        else
            rc = store_rows_put_owner(&c->rows, (uint32_t)member, (const char *)name);
    }
    sqlite3_finalize(query);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* The twin is a temporary file that SQLite keeps in memory as long as it is small. */
static bool open_twin(struct store_check *c)
{
    int rc = sqlite3_open_v2("", &c->twin, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(c->twin, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; BEGIN", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = store_schema_create(c->twin);
    if (rc == SQLITE_OK)
        rc = store_rows_open(&c->rows, c->twin, &c->genesis);
    if (rc == SQLITE_OK)
        rc = store_rows_put_genesis(&c->rows);
    if (rc == SQLITE_OK)
        rc = copy_owner(c);
    if (c->verdict->first_fault[0])
        return false;
    return rc == SQLITE_OK || store_fault(c, "no temporary database: %s", sqlite3_errstr(rc));
}

static bool read_heights(struct store_check *c)
{
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(c->db, "SELECT (SELECT value FROM meta WHERE key='indexed_height'), "
                                       "coalesce((SELECT value FROM meta WHERE key='base_height'), 0)", -1, &query, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(query);
    bool ok = rc == SQLITE_ROW && sqlite3_column_type(query, 0) == SQLITE_INTEGER && sqlite3_column_type(query, 1) == SQLITE_INTEGER &&
              sqlite3_column_int64(query, 0) >= 0 && sqlite3_column_int64(query, 1) >= 0;
    if (ok) {
        c->verdict->indexed_height = (uint64_t)sqlite3_column_int64(query, 0);
        c->verdict->base = (uint64_t)sqlite3_column_int64(query, 1);
    } else if (rc == SQLITE_ROW) {
        store_fault(c, "meta row indexed_height: value is no height");
    } else {
        store_fault_sqlite(c, "table meta");
    }
    sqlite3_finalize(query);
    return ok;
}

static bool check_all(struct store_check *c)
{
    if (!read_genesis(c))
        return false;
    c->verdict->byzantine = strcmp(c->genesis.engine, "pbft") == 0;
    return read_heights(c) && open_twin(c) && store_replay(c) && store_compare(c);
}

static int identify(const char *path, sqlite3 *db, int open_rc, struct store_check *c, char *error_out)
{
    enum store_identity identity;
    int rc = open_rc == SQLITE_OK ? store_identify(db, &identity) : open_rc;
    if (rc == SQLITE_OK)
        return identity == STORE_OURS ? 0 : store_refuse(path, identity, error_out);
    if (rc == SQLITE_CORRUPT || rc == SQLITE_IOERR) {
        store_fault_sqlite(c, "database");
        return 0;
    }
    snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: %.80s", path, sqlite3_errstr(rc));
    return rc == SQLITE_NOTADB ? -EINVAL : -EIO;
}

int chain_store_verify(const char *path, struct chain_store_verdict *out, char *error_out)
{
    memset(out, 0, sizeof(*out));
    struct store_check *c = calloc(1, sizeof(*c));
    if (!c || sodium_init() < 0) {
        free(c);
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: out of memory", path);
        return -ENOMEM;
    }
    c->verdict = out;
    c->signer = chain_signer_ed25519(&c->no_key);
    int rc = store_probe(path, error_out);
    if (rc == 0) {
        int open_rc = store_open_read_only(path, &c->db);
        if (open_rc == SQLITE_OK) /* one moment of a database that may be written to meanwhile */
            sqlite3_exec(c->db, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; BEGIN", NULL, NULL, NULL);
        rc = identify(path, c->db, open_rc, c, error_out);
    }
    if (rc == 0 && out->first_fault[0] == '\0')
        out->ok = check_all(c);
    sqlite3_finalize(c->has_snapshot);
    store_rows_close(&c->rows);
    sqlite3_close(c->twin);
    sqlite3_close(c->db);
    free(c);
    return rc;
}
