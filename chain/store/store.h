/* One node's ledger database: SQLite, one writer, its folder locked. Schema: docs/ledger-db.md. */
#ifndef CHAIN_STORE_STORE_H
#define CHAIN_STORE_STORE_H

#include "chain/node.h"

enum { CHAIN_STORE_MAX_ERROR = 320 };
enum chain_store_sync { CHAIN_STORE_SYNC_FULL, CHAIN_STORE_SYNC_OFF };

struct chain_store;

/* Whose database it is: it holds what this member has voted for, and nobody else may go on from there. */
struct chain_store_owner {
    uint32_t member;
    const char *name; /* for people, below CHAIN_MAX_NAME octets */
};

/* Opens or creates. A file PATH.lock stands beside it while a process holds it; others may still read. genesis and owner: written
 * on creation, compared otherwise (-EINVAL when genesis or the member differs). Returns 0; -EBUSY when another process holds it;
 * -EINVAL for a file that is no airdeed database, -EILSEQ for one that is damaged; other errno. error_out: one line. */
__attribute__((warn_unused_result)) int chain_store_open(const char *path, const struct chain_genesis *genesis,
                                                         const struct chain_store_owner *owner, enum chain_store_sync sync,
                                                         struct chain_store **out, char *error_out);
/* What happens beside the turns. A database has the defaults from open on; set before the first turn. */
struct chain_store_policy {
    uint64_t snapshot_blocks; /* a snapshot at the latest after so many blocks (4096) ... */
    uint64_t snapshot_octets; /* ... or so many octets of batches (8 MiB): this bounds how long opening takes */
    uint64_t keep_blocks;     /* below the last snapshot; older ones go, and so do older snapshots. UINT64_MAX: everything stays */
    uint64_t log_octets;      /* bound of the write-ahead log (1 GiB); only a reader that stays in one transaction makes it grow so far */
};
/* These two alone: keep_blocks at least CHAIN_NODE_MAX_OPEN, 0 for everything; snapshot_blocks 0 for the default. */
void chain_store_keep(struct chain_store *s, uint64_t keep_blocks, uint64_t snapshot_blocks);
void chain_store_set_policy(struct chain_store *s, const struct chain_store_policy *policy);
/* Octets of the write-ahead log that are in use, and the bound at which a turn fails. */
uint64_t chain_store_log_octets(const struct chain_store *s, uint64_t *bound_out);
/* One bounded piece of what can wait: derived rows, a snapshot, pruning. For moments when nothing else is to be done; not inside a turn.
 * 1: more waits, 0: nothing does, or a negative errno, fatal as in a turn. Nothing of it is synced: it can all be made again. */
__attribute__((warn_unused_result)) int chain_store_work(struct chain_store *s, char *error_out);
/* One loop turn = one SQLite transaction: begin, write each update (its records, its blocks, derived rows from its events), commit
 * (which syncs when SYNC_FULL). Any failure is fatal to the node: nothing is sent, exit 3, restart from disk. */
__attribute__((warn_unused_result)) int chain_store_begin(struct chain_store *s, char *error_out);
__attribute__((warn_unused_result)) int chain_store_write(struct chain_store *s, const struct chain_node_update *update,
                                                          char *error_out);
__attribute__((warn_unused_result)) int chain_store_commit(struct chain_store *s, char *error_out);
/* The newest snapshot that is in the database, its block's header and certificate beside it: *out is the caller's to free. 0, -ENOENT. */
__attribute__((warn_unused_result)) int chain_store_read_snapshot(struct chain_store *s, uint64_t *height_out, uint8_t **out, size_t *len_out);
/* Takes the place of everything but the ends of epochs and the engine's rows: the node has gone to a snapshot that it got from others. Of a block
 * that is there: it becomes the base, and what lies above stays. Inside a turn; chain_store_write does it for an update that says so. */
__attribute__((warn_unused_result)) int chain_store_install_snapshot(struct chain_store *s, const struct chain_node_install *install,
                                                                     char *error_out);
/* Feeds RESTORE_SNAPSHOT, RESTORE_BLOCK, RESTORE_RECORD and START to a node, which then wants a TICK at once. -EILSEQ: a row is not what it was. */
__attribute__((warn_unused_result)) int chain_store_restore(struct chain_store *s, struct chain_node *node, int64_t now_ns,
                                                            char *error_out);
/* chain_node_config.read_block, with the store as read_block_ctx. What it points to is there until the next call of any of these. */
int chain_store_read_block(void *store, uint64_t height, struct chain_node_block *out);
/* chain_node_config.read_snapshot and read_epoch, likewise. */
int chain_store_read_part(void *store, uint64_t height, size_t offset, size_t most, struct chain_node_snapshot *out);
int chain_store_read_epoch(void *store, uint64_t epoch, uint64_t *height_out, struct chain_proof_epoch *out);
/* File syncs since it was opened, as SQLite asked the system for them. */
uint64_t chain_store_syncs(const struct chain_store *s);
/* Without an open turn everything is on disk: the write-ahead log goes into the file, and the lock is gone. NULL is fine. */
void chain_store_close(struct chain_store *s);

struct chain_store_verdict {
    bool ok;
    uint64_t height, certified_height, n_blocks, n_transactions;
    uint64_t base;          /* what is verified builds on the snapshot at this height; 0: on genesis */
    uint64_t indexed_height; /* derived tables are compared up to here */
    struct chain_hash state_root;
    char first_fault[200]; /* "block 17: state_root ..." or "" */
    bool byzantine;        /* certificates are PBFT quorums */
};
/* Re-executes everything from genesis, or where the database is pruned from the snapshot at its base, and compares every row, derived tables too. 0 (see ok), or -EINVAL for a file that is no
 * airdeed database. Opens read-only. */
__attribute__((warn_unused_result)) int chain_store_verify(const char *path, struct chain_store_verdict *out, char *error_out);
#endif
