/* Opening, turns of the loop as transactions, reading back. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/store/store_internal.h"

static int errno_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EILSEQ;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return -EACCES;
    default:
        return -EIO;
    }
}

int store_fail(const struct chain_store *s, int rc, const char *what, char *error_out)
{
    int system_error = s->db ? sqlite3_system_errno(s->db) : 0;
    bool of_system = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_FULL || (rc & 0xff) == SQLITE_CANTOPEN;
    snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.180s: %s: %.60s%s%.40s", s->path, what, sqlite3_errstr(rc),
             of_system && system_error ? ": " : "", of_system && system_error ? strerror(system_error) : "");
    return errno_of(rc);
}

int store_probe(const char *path, char *error_out)
{
    uint8_t head[16];
    FILE *file = fopen(path, "rb");
    if (!file) {
        int error = errno;
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: %s", path, strerror(error));
        return -error;
    }
    size_t len = fread(head, 1, sizeof(head), file);
    bool failed = ferror(file) != 0;
    int error = errno;
    fclose(file);
    if (failed) {
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: cannot be read: %s", path, strerror(error));
        return error == EISDIR ? -EISDIR : -EIO;
    }
    if (len == 0) {
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: empty", path);
        return -ENOENT;
    }
    if (len < sizeof(head) || memcmp(head, "SQLite format 3", sizeof(head)) != 0) {
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: no SQLite database", path);
        return -EINVAL;
    }
    return 0;
}

static int read_number(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &query, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(query);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int store_identify(sqlite3 *db, enum store_identity *out)
{
    int64_t application = 0, version = 0, n_objects = 0;
    int rc = read_number(db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = read_number(db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = read_number(db, "SELECT count(*) FROM sqlite_schema", &n_objects);
    if (application == 0 && version == 0 && n_objects == 0)
        *out = STORE_EMPTY;
    else if (application != STORE_APPLICATION_ID)
        *out = STORE_FOREIGN;
    else
        *out = version == STORE_SCHEMA_VERSION ? STORE_OURS : STORE_OTHER_VERSION;
    return rc;
}

int store_refuse(const char *path, enum store_identity identity, char *error_out)
{
    snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: %s", path,
             identity == STORE_OTHER_VERSION ? "an airdeed ledger database of another version" : "no airdeed ledger database");
    return -EINVAL;
}

static int connect_to(struct chain_store *s, char *error_out)
{
    int rc = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, s->vfs.name);
    if (rc != SQLITE_OK)
        return store_fail(s, rc, "cannot be opened", error_out);
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, 2000);
    return 0;
}

enum { CHECKPOINT_PAGES = 1000 };

/* After each commit: how long the log is now. */
static int note_log(void *ctx, sqlite3 *db, const char *name, int n_pages)
{
    struct chain_store *s = ctx;
    (void)db, (void)name;
    s->log_pages = (uint64_t)n_pages;
    if (n_pages >= CHECKPOINT_PAGES && s->checkpointer)
        store_checkpointer_wake(s->checkpointer);
    return SQLITE_OK;
}

static int set_up(struct chain_store *s, enum chain_store_sync sync, char *error_out)
{
    const char *pragmas = sync == CHAIN_STORE_SYNC_FULL
                              ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF; PRAGMA journal_size_limit=67108864"
                              : "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA trusted_schema=OFF";
    int rc = sqlite3_exec(s->db, pragmas, NULL, NULL, NULL);
    if (rc == SQLITE_OK && sync == CHAIN_STORE_SYNC_FULL) {
        rc = sqlite3_exec(s->db, "PRAGMA wal_autocheckpoint=0", NULL, NULL, NULL);
        sqlite3_wal_hook(s->db, note_log, s);
    }
    return rc == SQLITE_OK ? 0 : store_fail(s, rc, "cannot be set up", error_out);
}

static int create(struct chain_store *s, char *error_out)
{
    int rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = store_schema_create(s->db);
    if (rc == SQLITE_OK)
        rc = store_rows_open(&s->rows, s->db, &s->genesis);
    if (rc == SQLITE_OK)
        rc = store_rows_put_genesis(&s->rows);
    if (rc == SQLITE_OK)
        rc = store_rows_put_owner(&s->rows, s->owner.member, s->owner.name);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : store_fail(s, rc, "cannot be created", error_out);
}

static int compare_genesis(struct chain_store *s, char *error_out)
{
    uint8_t octets[CHAIN_MAX_GENESIS_BYTES];
    long len = chain_genesis_encode(&s->genesis, octets, sizeof(octets));
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(s->db, "SELECT value FROM meta WHERE key='genesis'", -1, &query, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(query);
    bool same = rc == SQLITE_ROW && len > 0 && sqlite3_column_bytes(query, 0) == (int)len &&
                memcmp(sqlite3_column_blob(query, 0), octets, (size_t)len) == 0;
    sqlite3_finalize(query);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return store_fail(s, rc, "cannot be read", error_out);
    if (same)
        return 0;
    snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: holds another ledger: its genesis block differs from the configured one",
             s->path);
    return -EINVAL;
}

static int compare_owner(struct chain_store *s, char *error_out)
{
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(s->db, "SELECT (SELECT value FROM meta WHERE key='member'), (SELECT value FROM meta WHERE key='member_name')",
                                -1, &query, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(query);
    bool known = rc == SQLITE_ROW && sqlite3_column_type(query, 0) == SQLITE_INTEGER;
    bool same = known && sqlite3_column_int64(query, 0) == (int64_t)s->owner.member;
    const char *name = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(query, 1) : NULL;
    if (known && !same)
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.180s: belongs to member %.31s, not %.31s", s->path, name ? name : "?", s->owner.name);
    else if (!known)
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: does not say which member it belongs to", s->path);
    sqlite3_finalize(query);
    if (rc != SQLITE_ROW)
        return store_fail(s, rc, "cannot be read", error_out);
    return same ? 0 : -EINVAL;
}

static int open_database(struct chain_store *s, enum chain_store_sync sync, char *error_out)
{
    int probe = store_probe(s->path, error_out);
    if (probe != 0 && probe != -ENOENT)
        return probe;
    int rc = connect_to(s, error_out);
    if (rc != 0)
        return rc;
    enum store_identity identity;
    int sql_rc = store_identify(s->db, &identity);
    if (sql_rc != SQLITE_OK)
        return store_fail(s, sql_rc, "cannot be read", error_out);
    if (identity != STORE_OURS && identity != STORE_EMPTY)
        return store_refuse(s->path, identity, error_out);
    if (identity == STORE_EMPTY) /* pages that pruning frees can be given back bit by bit */
        sqlite3_exec(s->db, "PRAGMA auto_vacuum=INCREMENTAL", NULL, NULL, NULL);
    rc = set_up(s, sync, error_out);
    if (rc == 0)
        rc = identity == STORE_EMPTY ? create(s, error_out) : compare_genesis(s, error_out);
    if (rc == 0 && identity == STORE_OURS)
        rc = compare_owner(s, error_out);
    if (rc != 0)
        return rc;
    sql_rc = s->rows.db ? SQLITE_OK : store_rows_open(&s->rows, s->db, &s->genesis);
    if (sql_rc == SQLITE_OK)
        sql_rc = sqlite3_prepare_v3(s->db, "SELECT batch, header, certificate, n_signers FROM blocks LEFT JOIN certificates USING (height) WHERE height=?", -1,
                                    SQLITE_PREPARE_PERSISTENT, &s->read_block, NULL);
    if (sql_rc == SQLITE_OK)
        sql_rc = store_read_heights(s);
    s->rows.queue = &s->queue;
    if (sql_rc == SQLITE_OK && sync == CHAIN_STORE_SYNC_FULL && !(s->checkpointer = store_checkpointer_open(s->path)))
        sql_rc = SQLITE_NOMEM;
    return sql_rc == SQLITE_OK ? 0 : store_fail(s, sql_rc, "cannot be read", error_out);
}

int chain_store_open(const char *path, const struct chain_genesis *genesis, const struct chain_store_owner *owner,
                     enum chain_store_sync sync, struct chain_store **out, char *error_out)
{
    struct chain_store *s = calloc(1, sizeof(*s));
    if (!s || sodium_init() < 0 || strlen(path) >= sizeof(s->path)) {
        free(s);
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: cannot be opened", path);
        return -ENOMEM;
    }
    strcpy(s->path, path);
    s->genesis = *genesis;
    s->epoch = genesis->members.epoch;
    s->sync = sync;
    s->policy = (struct chain_store_policy){4096, UINT64_C(8) << 20, UINT64_MAX, UINT64_C(1) << 30};
    snprintf(s->owner_name, sizeof(s->owner_name), "%s", owner->name);
    s->owner = (struct chain_store_owner){owner->member, s->owner_name};
    int rc = store_lock(path, &s->lock_fd);
    if (rc != 0) {
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: %s", path,
                 rc == -EBUSY ? "another process writes to it (it holds the file .lock beside it)" : strerror(-rc));
        free(s);
        return rc;
    }
    if (store_sync_vfs_open(&s->vfs, sync == CHAIN_STORE_SYNC_FULL) != SQLITE_OK) {
        store_unlock(path, s->lock_fd);
        free(s);
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: SQLite offers no file system", path);
        return -EIO;
    }
    rc = open_database(s, sync, error_out);
    if (rc != 0) {
        chain_store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void chain_store_keep(struct chain_store *s, uint64_t keep_blocks, uint64_t snapshot_blocks)
{
    /* who executed a block before it had its certificate may still ask for that one: it is not further behind, or needs a snapshot anyway */
    uint64_t least = keep_blocks > CHAIN_NODE_MAX_OPEN ? keep_blocks : CHAIN_NODE_MAX_OPEN;
    s->policy.keep_blocks = keep_blocks > 0 ? least : UINT64_MAX;
    if (snapshot_blocks > 0)
        s->policy.snapshot_blocks = snapshot_blocks;
}

void chain_store_set_policy(struct chain_store *s, const struct chain_store_policy *policy)
{
    s->policy = *policy;
}

int chain_store_begin(struct chain_store *s, char *error_out)
{
    sqlite3_reset(s->read_block); /* or it is itself a reader that keeps the log from beginning anew */
    int bound = store_bound_log(s, error_out);
    if (bound != 0)
        return bound;
    int rc = store_rows_run(&s->rows, STORE_BEGIN, "");
    if (rc != SQLITE_OK)
        return store_fail(s, rc, "cannot begin to write", error_out);
    s->in_turn = true;
    return 0;
}

enum { MAX_QUEUED_OCTETS = 16 << 20 };

int chain_store_write(struct chain_store *s, const struct chain_node_update *update, char *error_out)
{
    int rc = SQLITE_OK;
    if (update->install) {
        int installed = chain_store_install_snapshot(s, update->install, error_out);
        s->broken = s->broken || installed != 0;
        if (installed != 0)
            return installed;
    }
    for (size_t i = 0; i < update->n_records && rc == SQLITE_OK; i++)
        rc = store_rows_put_record(&s->rows, &update->records[i]);
    for (size_t i = 0; i < update->n_blocks && rc == SQLITE_OK; i++) {
        const struct chain_node_block *block = &update->blocks[i];
        if (block->header)
            rc = store_rows_put_block(&s->rows, block, update->events, update->n_events, update->ledger);
        else
            rc = store_rows_put_certificate(&s->rows, block);
        if (block->cert_len > 0 && block->height > s->certified)
            s->certified = block->height;
        if (rc == SQLITE_OK && block->header && store_note_block(s, block, update->ledger) != 0)
            rc = SQLITE_NOMEM;
    }
    /* where there never is a quiet moment, the turn itself has to */
    if (rc == SQLITE_OK && store_queue_octets(&s->queue) > MAX_QUEUED_OCTETS)
        rc = store_drain(s, MAX_QUEUED_OCTETS / 2, SIZE_MAX);
    s->broken = s->broken || rc != SQLITE_OK;
    return rc == SQLITE_OK ? 0 : store_fail(s, rc, "cannot be written", error_out);
}

int chain_store_commit(struct chain_store *s, char *error_out)
{
    s->in_turn = false;
    sqlite3_reset(s->read_block);
    int rc = store_rows_run(&s->rows, STORE_COMMIT, "");
    s->broken = s->broken || rc != SQLITE_OK;
    if (rc != SQLITE_OK)
        return store_fail(s, rc, "cannot be written to disk", error_out);
    /* nobody waits for the disk of a virtual run: its rows are always up to date */
    int more = s->sync == CHAIN_STORE_SYNC_OFF ? 1 : 0;
    while (more > 0)
        more = chain_store_work(s, error_out);
    return more;
}

int chain_store_read_block(void *store, uint64_t height, struct chain_node_block *out)
{
    struct chain_store *s = store;
    sqlite3_reset(s->read_block);
    if (height == 0 || height > INT64_MAX)
        return -ENOENT;
    sqlite3_bind_int64(s->read_block, 1, (int64_t)height);
    int rc = sqlite3_step(s->read_block);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? -ENOENT : errno_of(rc);
    *out = (struct chain_node_block){.height = height,
                                     .batch = sqlite3_column_blob(s->read_block, 0),
                                     .batch_len = (size_t)sqlite3_column_bytes(s->read_block, 0),
                                     .header = sqlite3_column_blob(s->read_block, 1),
                                     .header_len = (size_t)sqlite3_column_bytes(s->read_block, 1),
                                     .cert = sqlite3_column_blob(s->read_block, 2),
                                     .cert_len = (size_t)sqlite3_column_bytes(s->read_block, 2),
                                     .n_signers = (uint32_t)sqlite3_column_int(s->read_block, 3)};
    return 0;
}

uint64_t chain_store_syncs(const struct chain_store *s)
{
    return s->vfs.n_syncs;
}

void chain_store_close(struct chain_store *s)
{
    if (!s)
        return;
    char error[CHAIN_STORE_MAX_ERROR];
    if (s->db && s->in_turn)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    if (!s->in_turn && !s->broken && s->read_block)
        while (chain_store_work(s, error) > 0)
            continue;
    store_checkpointer_close(s->checkpointer);
    sqlite3_finalize(s->read_block);
    sqlite3_finalize(s->read_epoch);
    store_rows_close(&s->rows);
    store_queue_free(&s->queue);
    free(s->snapshot.octets);
    /* one file that opens anywhere, from read-only media too; a reader that is in the way keeps the log alive */
    if (s->db)
        sqlite3_exec(s->db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    sqlite3_close(s->db);
    store_sync_vfs_close(&s->vfs);
    store_unlock(s->path, s->lock_fd);
    free(s);
}
