/* What the files of the store share. Not for others. */
#ifndef CHAIN_STORE_STORE_INTERNAL_H
#define CHAIN_STORE_STORE_INTERNAL_H

#include <limits.h>

#include "chain/store/rows.h"
#include "chain/store/store.h"
#include "chain/store/sync_vfs.h"

struct chain_store {
    char path[PATH_MAX];
    int lock_fd;
    struct store_sync_vfs vfs;
    sqlite3 *db;
    struct chain_genesis genesis;
    struct chain_store_owner owner;
    char owner_name[CHAIN_MAX_NAME];
    struct store_rows rows;
    sqlite3_stmt *read_block;
    bool in_turn;
};

/* lock.c: the file PATH.lock, held until it is closed. -EBUSY when another process has it. */
int store_lock(const char *path, int *fd_out);
void store_unlock(const char *path, int fd);

/* Writes "PATH: what (SQLite's words)" and returns a negative errno that fits rc. */
int store_fail(const struct chain_store *s, int rc, const char *what, char *error_out);
/* Begins like an SQLite database: 0; -EINVAL if it does not; -ENOENT if absent or empty. error_out: one line. */
int store_probe(const char *path, char *error_out);
enum store_identity { STORE_EMPTY, STORE_OURS, STORE_OTHER_VERSION, STORE_FOREIGN };
/* SQLite result code. */
int store_identify(sqlite3 *db, enum store_identity *out);
/* One line for a database that is not ours; -EINVAL. */
int store_refuse(const char *path, enum store_identity identity, char *error_out);
#endif
