/* What the files of the store share. Not for others. */
#ifndef CHAIN_STORE_STORE_INTERNAL_H
#define CHAIN_STORE_STORE_INTERNAL_H

#include <limits.h>

#include "chain/ledger_state.h"
#include "chain/snapshot.h"
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
    sqlite3_stmt *read_block, *read_epoch;
    uint8_t part[CHAIN_SNAPSHOT_PART_BYTES]; /* of the snapshot that was asked for last */
    struct chain_map_proof end_path;         /* of the epoch's end that was asked for last, with header, certificate and members */
    uint8_t end[CHAIN_MAX_HEADER_BYTES + CHAIN_MAX_CERT_BYTES + CHAIN_MAX_ENTRY_VALUE];
    bool in_turn, broken; /* broken: a turn failed; what waits may be of blocks that are not there */
    enum chain_store_sync sync;
    struct chain_store_policy policy;
    struct store_queue queue;
    uint64_t tip, certified, indexed; /* heights of what is in the database */
    uint64_t octets_since, blocks_since; /* the last snapshot */
    uint32_t epoch; /* that the next block falls in */
    struct {
        uint64_t height; /* 0: none waits */
        uint8_t *octets;
        size_t len;
    } snapshot; /* taken, and not yet certified or written */
    uint64_t last_snapshot, base; /* heights; blocks up to base may go */
    uint64_t pruned;              /* blocks up to here are gone */
    bool may_vacuum;
    struct store_checkpointer *checkpointer;
    uint64_t log_pages, log_tried; /* of the write-ahead log, as of the last commit; when a restart of it was tried */
};

/* work.c: after a block was written: is a snapshot due, did an epoch end? The ledger is as after that block. 0, -ENOMEM, -EIO */
int store_note_block(struct chain_store *s, const struct chain_node_block *block, const struct chain_ledger *ledger);
/* Writes derived rows that wait, whole blocks, until at most `keep` octets are left or `rows` were written. SQLite result code */
int store_drain(struct chain_store *s, size_t keep, size_t rows);
/* Sets heights, last snapshot and base from the tables. */
int store_read_heights(struct chain_store *s);
/* snapshot.c: reads a snapshot's parts, checks their digests. *out is the caller's to free. 0, -ENOENT, -EILSEQ, -ENOMEM, -EIO; error_out
 * says what is wrong with it, without the file's name. */
int store_read_snapshot(sqlite3 *db, uint64_t height, uint8_t **out, size_t *len_out, char *error_out);
int store_write_snapshot(struct store_rows *r, uint64_t height, const uint8_t *octets, size_t len);

/* A path as epochs has it. */
void store_path_from_row(const uint8_t *row, size_t len, struct chain_map_proof *out);

/* checkpoint.c: a thread with a connection of its own moves the log into the file. NULL where it cannot be had. */
struct store_checkpointer *store_checkpointer_open(const char *path);
void store_checkpointer_wake(struct store_checkpointer *c);
void store_checkpointer_close(struct store_checkpointer *c);
/* Keeps the log within its bound: 0, or -EBUSY with one line when a reader holds it. Outside of a turn. */
int store_bound_log(struct chain_store *s, char *error_out);

/* lock.c: the file PATH.lock, held until it is closed. -EBUSY when another process has it. */
int store_lock(const char *path, int *fd_out);
void store_unlock(const char *path, int fd);

/* Writes "PATH: what (SQLite's words)" and returns a negative errno that fits rc. */
int store_fail(const struct chain_store *s, int rc, const char *what, char *error_out);
/* Begins like an SQLite database: 0; -EINVAL if it does not; -ENOENT if absent or empty. error_out: one line. */
int store_probe(const char *path, char *error_out);
enum store_identity { STORE_EMPTY, STORE_OURS, STORE_OTHER_VERSION, STORE_FOREIGN };
/* Read-only; a file without a log beside it has no writer and is read as it is, from read-only media too. SQLite result code. */
int store_open_read_only(const char *path, sqlite3 **out);
/* SQLite result code. */
int store_identify(sqlite3 *db, enum store_identity *out);
/* One line for a database that is not ours; -EINVAL. */
int store_refuse(const char *path, enum store_identity identity, char *error_out);
#endif
