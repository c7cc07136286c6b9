/* The tables and how blocks become rows of them. The store writes a node's blocks with it, verification writes what re-execution
 * gives into a second database, and compares. Functions return SQLite result codes. Not for others. */
#ifndef CHAIN_STORE_ROWS_H
#define CHAIN_STORE_ROWS_H

#include <sqlite3.h>

#include "chain/node.h"
#include "chain/store/queue.h"

enum {
    STORE_APPLICATION_ID = 0x61697264, /* "aird" */
    STORE_SCHEMA_VERSION = 3,
    STORE_CHECK_BYTES = 16,
    STORE_STEP_BYTES = 1 + CHAIN_HASH_BYTES /* of a path in epochs: bit, sibling */
};

/* What a turn needs comes first; from STORE_DERIVED on, rows follow from blocks and may come later. */
enum store_statement {
    STORE_BEGIN, STORE_COMMIT, STORE_PUT_META, STORE_PUT_BLOCK, STORE_PUT_CERTIFICATE, STORE_PUT_ENGINE, STORE_DELETE_ENGINE, STORE_PUT_NAME, STORE_SET_INDEXED,
    STORE_PUT_SNAPSHOT, STORE_PUT_EPOCH, STORE_DERIVED, STORE_PUT_TRANSACTION = STORE_DERIVED, STORE_PUT_EVENT, STORE_PUT_WINDOW, STORE_PUT_REPORT, STORE_PUT_GRANT, STORE_PUT_CHANNEL, STORE_PUT_EVIDENCE, STORE_PUT_CLAIM,
    STORE_PUT_STATION, STORE_SET_MEMBER, STORE_SET_STATION, STORE_SET_REPUTATION, STORE_STATEMENTS
};

struct store_rows {
    sqlite3 *db;
    const struct chain_genesis *genesis;
    sqlite3_stmt *statements[STORE_STATEMENTS];
    struct store_queue *queue; /* derived rows wait there; NULL: they are written at once */
};

/* Creates the tables in an empty database, with its application id and version. */
int store_schema_create(sqlite3 *db);
/* Tables in the order that verification compares them, with their keys; NULL ends it. */
struct store_table {
    const char *name, *key; /* key: columns, comma-separated */
    int n_key;
    enum {
        STORE_FIXED,   /* no column height: the rows are what they are now */
        STORE_CHAIN,   /* the base's own row stays when what is below goes: a snapshot is checked against it */
        STORE_HISTORY, /* goes with the blocks */
        STORE_STATE    /* the height is the last change's: a row stays as long as the ledger may change it */
    } kind;
};
extern const struct store_table store_tables[];

int store_rows_open(struct store_rows *r, sqlite3 *db, const struct chain_genesis *genesis);
void store_rows_close(struct store_rows *r);
/* What the genesis block says: meta, names, stations, channels. */
int store_rows_put_genesis(struct store_rows *r);
/* Whose database it is, with a check over both, since nothing else tells: meta. */
int store_rows_put_owner(struct store_rows *r, uint32_t member, const char *name);
int store_rows_put_record(struct store_rows *r, const struct chain_record *record);
/* A new block with everything that follows from its execution; ledger NULL: without that. */
int store_rows_put_block(struct store_rows *r, const struct chain_node_block *block, const struct chain_ledger_event *events,
                         size_t n_events, const struct chain_ledger *ledger);
/* The same, or in addition. */
int store_rows_put_certificate(struct store_rows *r, const struct chain_node_block *block);
/* Over key and data: an engine's rows cannot be executed again, so they carry their own check. */
void store_record_check(uint64_t key, const uint8_t *data, size_t len, uint8_t out[STORE_CHECK_BYTES]);

/* rows_derive.c: the tables that follow from a block's events and transactions */
int store_rows_derive(struct store_rows *r, const struct chain_node_block *block, const struct chain_ledger_event *events,
                      size_t n_events, const struct chain_ledger *ledger);
/* An epoch ended with the ledger's tip: the next members, and the path of their entry to the state root. */
int store_rows_put_epoch(struct store_rows *r, const struct chain_ledger *ledger);
/* What a state says, where the blocks that led to it are not there: stations, channels, live leases, evidence. */
int store_rows_put_state(struct store_rows *r, const struct chain_ledger *ledger);
/* Are the rows of stations what the state says? If not: of which key they are not. */
bool store_rows_stations_are(struct store_rows *r, const struct chain_ledger *ledger, uint32_t *id_out);
/* Runs a statement, or queues it, with parameters in order; a letter each: i int64_t, o int (bool: is there one?) and int64_t, t const char *
 * (NULL: none), b const void * and size_t (NULL: none). */
int store_rows_run(struct store_rows *r, enum store_statement which, const char *types, ...);
int store_rows_bind_and_run(struct store_rows *r, enum store_statement which, const struct store_value *values, size_t n);
#endif
