/* Prepared statements, and the rows that are not derived. */
#include "chain/store/rows.h"

#include <sodium.h>
#include <stdarg.h>
#include <string.h>

static const char *const sql[STORE_STATEMENTS] = {
    [STORE_BEGIN] = "BEGIN IMMEDIATE",
    [STORE_COMMIT] = "COMMIT",
    [STORE_PUT_META] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
    [STORE_PUT_BLOCK] = "INSERT INTO blocks VALUES(?,?,?,?,?,?,?)",
    [STORE_PUT_CERTIFICATE] = "INSERT OR REPLACE INTO certificates VALUES(?,?,?)",
    [STORE_PUT_ENGINE] = "INSERT OR REPLACE INTO engine VALUES(?,?,?)",
    [STORE_DELETE_ENGINE] = "DELETE FROM engine WHERE key BETWEEN ? AND ?",
    [STORE_PUT_NAME] = "INSERT INTO names VALUES(?,?,?)",
    [STORE_SET_INDEXED] = "UPDATE meta SET value=? WHERE key='indexed_height'",
    [STORE_PUT_SNAPSHOT] = "INSERT OR REPLACE INTO snapshots VALUES(?,?,?,?)",
    [STORE_PUT_EPOCH] = "INSERT OR REPLACE INTO epochs VALUES(?,?,?,?)",
    [STORE_PUT_TRANSACTION] = "INSERT OR REPLACE INTO tx_rows VALUES(?,?,?,?,?,?,?,?,?)",
    [STORE_PUT_EVENT] = "INSERT OR REPLACE INTO event_rows VALUES(?,?,?,?,?,?,?)",
    [STORE_PUT_WINDOW] = "INSERT OR REPLACE INTO windows VALUES(?,?,?,?,?,?,?,?)",
    [STORE_PUT_REPORT] = "INSERT OR REPLACE INTO reports VALUES(?,?,?,?,?,?)",
    [STORE_PUT_GRANT] = "INSERT OR REPLACE INTO grants VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STORE_PUT_CHANNEL] = "INSERT OR REPLACE INTO channels VALUES(?,?,?,?,?,?,?,?)",
    [STORE_PUT_EVIDENCE] = "INSERT OR REPLACE INTO evidence VALUES(?,?,?,?,?,?,?,?,?)",
    [STORE_PUT_CLAIM] = "INSERT OR REPLACE INTO claims VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STORE_PUT_STATION] = "INSERT OR IGNORE INTO stations VALUES(?,?,?,NULL,NULL,NULL,NULL,NULL,?)",
    [STORE_SET_MEMBER] = "UPDATE stations SET member=? WHERE id=?",
    [STORE_SET_STATION] = "UPDATE stations SET call_sign=?, lat_e7=?, lon_e7=?, height_cm=?, registered_ns=?, reputation=? WHERE id=?",
    [STORE_SET_REPUTATION] = "UPDATE stations SET reputation=? WHERE id=? AND reputation<>?",
};

int store_rows_open(struct store_rows *r, sqlite3 *db, const struct chain_genesis *genesis)
{
    *r = (struct store_rows){.db = db, .genesis = genesis};
    for (size_t i = 0; i < STORE_STATEMENTS; i++) {
        int rc = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &r->statements[i], NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

void store_rows_close(struct store_rows *r)
{
    for (size_t i = 0; i < STORE_STATEMENTS; i++) {
        sqlite3_finalize(r->statements[i]);
        r->statements[i] = NULL;
    }
}

static size_t read_values(const char *types, va_list args, struct store_value values[STORE_MAX_VALUES])
{
    size_t n = 0;
    for (const char *type = types; *type; type++, n++) {
        struct store_value *v = &values[n];
        *v = (struct store_value){.type = *type == 't' || *type == 'b' ? *type : 'i'};
        if (*type == 'i') {
            v->number = va_arg(args, int64_t);
        } else if (*type == 'o') {
            int given = va_arg(args, int);
            v->number = va_arg(args, int64_t);
            v->type = given ? 'i' : 'n';
        } else if (*type == 't') {
            v->data = va_arg(args, const char *);
            v->len = v->data ? strlen(v->data) : 0;
        } else {
            v->data = va_arg(args, const void *);
            v->len = va_arg(args, size_t);
        }
        if (v->type != 'i' && !v->data)
            v->type = 'n';
    }
    return n;
}

int store_rows_bind_and_run(struct store_rows *r, enum store_statement which, const struct store_value *values, size_t n)
{
    sqlite3_stmt *s = r->statements[which];
    for (size_t i = 0; i < n; i++) {
        int at = (int)i + 1;
        if (values[i].type == 'i')
            sqlite3_bind_int64(s, at, values[i].number);
        else if (values[i].type == 't')
            sqlite3_bind_text64(s, at, values[i].data, values[i].len, SQLITE_STATIC, SQLITE_UTF8);
        else if (values[i].type == 'b')
            sqlite3_bind_blob64(s, at, values[i].data, values[i].len, SQLITE_STATIC);
        else
            sqlite3_bind_null(s, at);
    }
    int rc = sqlite3_step(s);
    int reset_rc = sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return rc == SQLITE_DONE ? SQLITE_OK : reset_rc;
}

int store_rows_run(struct store_rows *r, enum store_statement which, const char *types, ...)
{
    struct store_value values[STORE_MAX_VALUES];
    va_list args;
    va_start(args, types);
    size_t n = read_values(types, args, values);
    va_end(args);
    if (r->queue && which >= STORE_DERIVED)
        return store_queue_put(r->queue, (uint8_t)which, values, n) == 0 ? SQLITE_OK : SQLITE_NOMEM;
    return store_rows_bind_and_run(r, which, values, n);
}

static int put_meta(struct store_rows *r)
{
    const struct chain_genesis *g = r->genesis;
    uint8_t octets[CHAIN_MAX_GENESIS_BYTES];
    char chain_id[2 * sizeof(g->members.chain_id) + 1];
    long len = chain_genesis_encode(g, octets, sizeof(octets));
    if (len < 0)
        return SQLITE_MISMATCH;
    sodium_bin2hex(chain_id, sizeof(chain_id), g->members.chain_id, sizeof(g->members.chain_id));
    int rc = store_rows_run(r, STORE_PUT_META, "tb", "genesis", (const void *)octets, (size_t)len);
    if (rc == SQLITE_OK)
        rc = store_rows_run(r, STORE_PUT_META, "tt", "chain_id", chain_id);
    if (rc == SQLITE_OK)
        rc = store_rows_run(r, STORE_PUT_META, "tt", "name", g->name);
    if (rc == SQLITE_OK)
        rc = store_rows_run(r, STORE_PUT_META, "tt", "consensus", g->engine);
    if (rc == SQLITE_OK)
        rc = store_rows_run(r, STORE_PUT_META, "ti", "genesis_time_ns", g->time_ns);
    if (rc == SQLITE_OK)
        rc = store_rows_run(r, STORE_PUT_META, "ti", "indexed_height", INT64_C(0));
    return rc;
}

static int put_names(struct store_rows *r)
{
    int rc = SQLITE_OK;
    for (int op = 1; op < CHAIN_OP_N && rc == SQLITE_OK; op++)
        rc = store_rows_run(r, STORE_PUT_NAME, "tit", "op", (int64_t)op, chain_op_name((enum chain_op_kind)op));
    for (int kind = 0; rc == SQLITE_OK; kind++) {
        const char *name = chain_ledger_event_name((enum chain_ledger_event_kind)kind);
        if (strcmp(name, "unknown") == 0)
            break;
        rc = store_rows_run(r, STORE_PUT_NAME, "tit", "event", (int64_t)kind, name);
    }
    for (int code = 0; code < 1000 && rc == SQLITE_OK; code++) {
        const char *name = chain_response_name((enum chain_response)code);
        if (strcmp(name, "UNKNOWN") != 0)
            rc = store_rows_run(r, STORE_PUT_NAME, "tit", "response", (int64_t)code, name);
    }
    return rc;
}

int store_rows_put_genesis(struct store_rows *r)
{
    const struct chain_genesis *g = r->genesis;
    int rc = put_meta(r);
    if (rc == SQLITE_OK)
        rc = put_names(r);
    for (uint32_t i = 0; i < g->members.n_keys && rc == SQLITE_OK; i++)
        rc = store_rows_run(r, STORE_PUT_STATION, "ibii", (int64_t)i, (const void *)g->members.keys[i], (size_t)CHAIN_KEY_BYTES,
                            (int64_t)(i < g->members.n), INT64_C(0));
    for (uint32_t c = 0; c < g->n_channels && rc == SQLITE_OK; c++) {
        bool white = chain_genesis_is_white(g, c);
        rc = store_rows_run(r, STORE_PUT_CHANNEL, "iiiitiii", (int64_t)c, (int64_t)g->channels[c].low_hz,
                            (int64_t)g->channels[c].high_hz, (int64_t)g->channels[c].control, white ? "white" : "unknown", INT64_C(0),
                            white ? g->time_ns : INT64_C(0), INT64_C(0));
    }
    return rc;
}

void store_record_check(uint64_t key, const uint8_t *data, size_t len, uint8_t out[STORE_CHECK_BYTES])
{
    uint8_t key_octets[8];
    for (int i = 0; i < 8; i++)
        key_octets[i] = (uint8_t)(key >> (8 * i));
    crypto_generichash_blake2b_state state;
    crypto_generichash_blake2b_init(&state, NULL, 0, STORE_CHECK_BYTES);
    crypto_generichash_blake2b_update(&state, key_octets, sizeof(key_octets));
    if (len > 0)
        crypto_generichash_blake2b_update(&state, data, len);
    crypto_generichash_blake2b_final(&state, out, STORE_CHECK_BYTES);
}

int store_rows_put_owner(struct store_rows *r, uint32_t member, const char *name)
{
    uint8_t check[STORE_CHECK_BYTES];
    store_record_check(member, (const uint8_t *)name, strlen(name), check);
    int rc = store_rows_run(r, STORE_PUT_META, "ti", "member", (int64_t)member);
    if (rc == SQLITE_OK)
        rc = store_rows_run(r, STORE_PUT_META, "tt", "member_name", name);
    if (rc == SQLITE_OK)
        rc = store_rows_run(r, STORE_PUT_META, "tb", "member_check", (const void *)check, sizeof(check));
    return rc;
}

int store_rows_put_record(struct store_rows *r, const struct chain_record *record)
{
    if (record->key > INT64_MAX)
        return SQLITE_MISMATCH;
    if (!record->data) {
        int64_t end = record->key_end > INT64_MAX ? INT64_MAX : (int64_t)record->key_end;
        return store_rows_run(r, STORE_DELETE_ENGINE, "ii", (int64_t)record->key, end);
    }
    uint8_t check[STORE_CHECK_BYTES];
    store_record_check(record->key, record->data, record->len, check);
    return store_rows_run(r, STORE_PUT_ENGINE, "ibb", (int64_t)record->key, (const void *)record->data, record->len,
                          (const void *)check, sizeof(check));
}

int store_rows_put_block(struct store_rows *r, const struct chain_node_block *block, const struct chain_ledger_event *events,
                         size_t n_events, const struct chain_ledger *ledger)
{
    struct chain_header header;
    struct chain_hash hash;
    struct chain_batch_view batch;
    if (chain_header_decode(&header, block->header, block->header_len) != 0 ||
        chain_batch_decode(&batch, block->batch, block->batch_len) != 0)
        return SQLITE_MISMATCH;
    chain_hash_of(block->header, block->header_len, &hash);
    /* an empty batch is a blob of no octets, not NULL */
    const void *octets = block->batch_len > 0 ? (const void *)block->batch : "";
    int rc = store_rows_run(r, STORE_PUT_BLOCK, "iiibbbb", (int64_t)block->height, header.time_ns, (int64_t)batch.n_txs,
                            (const void *)hash.octets, sizeof(hash.octets), (const void *)header.state_root.octets,
                            sizeof(header.state_root.octets), (const void *)block->header, block->header_len, octets, block->batch_len);
    if (rc == SQLITE_OK && block->cert_len > 0)
        rc = store_rows_put_certificate(r, block);
    return rc == SQLITE_OK && ledger ? store_rows_derive(r, block, events, n_events, ledger) : rc;
}

int store_rows_put_certificate(struct store_rows *r, const struct chain_node_block *block)
{
    return store_rows_run(r, STORE_PUT_CERTIFICATE, "iib", (int64_t)block->height, (int64_t)block->n_signers, (const void *)block->cert,
                          block->cert_len);
}
