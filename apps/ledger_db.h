/* Reading a ledger database with SQL, also while its node writes it. docs/ledger-db.md is the schema. */
#ifndef APPS_LEDGER_DB_H
#define APPS_LEDGER_DB_H

#include <jansson.h>
#include <stdint.h>

struct app_ledger_db;

/* 0, or -EINVAL for a file that is no ledger database, with one line in error_out (APP_NODE_MAX_ERROR octets). */
__attribute__((warn_unused_result)) int app_ledger_db_open(const char *path, struct app_ledger_db **out, char *error_out);
/* 0; -ENOENT: no such transaction was executed. */
__attribute__((warn_unused_result)) int app_ledger_db_find_tx(struct app_ledger_db *db, uint32_t author, uint64_t nonce,
                                                              uint64_t *height_out, int *code_out);
/* NULL with a line in error_out when the database cannot be read. */
json_t *app_ledger_db_show(struct app_ledger_db *db, char *error_out);
json_t *app_ledger_db_transactions(struct app_ledger_db *db, char *error_out);
json_t *app_ledger_db_leases(struct app_ledger_db *db, char *error_out);
/* How many blocks are in the database whose leases and transactions are not in their tables yet, and the height that these are true for. */
uint64_t app_ledger_db_lag(struct app_ledger_db *db, uint64_t *indexed_out);
void app_ledger_db_close(struct app_ledger_db *db);
#endif
