/* The tables and how blocks become rows of them. The store writes a node's blocks with it, verification writes what re-execution
 * gives into a second database, and compares. Functions return SQLite result codes. Not for others. */
#ifndef CHAIN_STORE_ROWS_H
#define CHAIN_STORE_ROWS_H

#include <sqlite3.h>

#include "chain/node.h"

enum {
    STORE_APPLICATION_ID = 0x61697264, /* "aird" */
    STORE_SCHEMA_VERSION = 1,
    STORE_CHECK_BYTES = 16
};

enum store_statement {
    STORE_PUT_META, STORE_PUT_BLOCK, STORE_SET_CERTIFICATE, STORE_PUT_ENGINE, STORE_DELETE_ENGINE, STORE_PUT_TRANSACTION,
    STORE_PUT_EVENT, STORE_PUT_WINDOW, STORE_PUT_REPORT, STORE_PUT_GRANT, STORE_PUT_CHANNEL, STORE_PUT_EVIDENCE, STORE_PUT_CLAIM,
    STORE_PUT_STATION, STORE_REGISTER, STORE_SET_REPUTATION, STORE_STATEMENTS
};

struct store_rows {
    sqlite3 *db;
    const struct chain_genesis *genesis;
    sqlite3_stmt *statements[STORE_STATEMENTS];
};

/* Creates the tables in an empty database, with its application id and version. */
int store_schema_create(sqlite3 *db);
/* Tables in the order that verification compares them, with their keys; NULL ends it. */
struct store_table {
    const char *name, *key; /* key: columns, comma-separated */
    int n_key;
};
extern const struct store_table store_tables[];

int store_rows_open(struct store_rows *r, sqlite3 *db, const struct chain_genesis *genesis);
void store_rows_close(struct store_rows *r);
/* What the genesis block says: meta, stations, channels. */
int store_rows_put_genesis(struct store_rows *r);
/* Whose database it is, with a check over both, since nothing else tells: meta. */
int store_rows_put_owner(struct store_rows *r, uint32_t member, const char *name);
int store_rows_put_record(struct store_rows *r, const struct chain_record *record);
/* A new block with everything that follows from its execution. */
int store_rows_put_block(struct store_rows *r, const struct chain_node_block *block, const struct chain_ledger_event *events,
                         size_t n_events, const struct chain_ledger *ledger);
int store_rows_set_certificate(struct store_rows *r, const struct chain_node_block *block);
/* Over key and data: an engine's rows cannot be executed again, so they carry their own check. */
void store_record_check(uint64_t key, const uint8_t *data, size_t len, uint8_t out[STORE_CHECK_BYTES]);

/* rows_derive.c: the tables that follow from a block's events and transactions */
int store_rows_derive(struct store_rows *r, const struct chain_node_block *block, const struct chain_ledger_event *events,
                      size_t n_events, const struct chain_ledger *ledger);
/* Runs a statement with parameters in order; a letter each: i int64_t, o int (bool: is there one?) and int64_t, t const char *
 * (NULL: none), b const void * and size_t (NULL: none). */
int store_rows_run(struct store_rows *r, enum store_statement which, const char *types, ...);
#endif
