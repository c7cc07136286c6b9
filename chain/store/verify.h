/* The parts of verification. Each notes the first fault it finds and returns false. Not for others. */
#ifndef CHAIN_STORE_VERIFY_H
#define CHAIN_STORE_VERIFY_H

#include "chain/store/store_internal.h"

struct store_check {
    sqlite3 *db;   /* what is verified, read-only */
    sqlite3 *twin; /* what re-execution gives */
    struct chain_genesis genesis;
    struct chain_signer signer;
    struct chain_ed25519 no_key; /* verifies only */
    struct store_rows rows;      /* of the twin */
    sqlite3_stmt *has_snapshot;
    struct chain_store_verdict *verdict;
};

/* Notes a fault unless there is one already. Always false. */
__attribute__((format(printf, 2, 3))) bool store_fault(struct store_check *c, const char *format, ...);
/* A fault of SQLite's reading of the file itself. */
bool store_fault_sqlite(struct store_check *c, const char *what);

/* replay.c: executes every block anew into the twin and checks headers and certificates */
bool store_replay(struct store_check *c);
/* compare.c: schema and tables against the twin, the engine's rows against their checksums, SQLite's own structure */
bool store_compare(struct store_check *c);
#endif
