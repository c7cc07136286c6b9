/* SQLite's own VFS with two additions: it counts the syncs, so that durability can be tested, not believed; and where turns are synced the
 * write-ahead log grows by blocks of zeros, since a sync of a file that has grown waits for its inode, too. Not for others. */
#ifndef CHAIN_STORE_SYNC_VFS_H
#define CHAIN_STORE_SYNC_VFS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum { STORE_LOG_BLOCK_OCTETS = 4 << 20 };

struct store_sync_vfs {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    uint64_t n_syncs;
    bool log_in_blocks;
    char name[40];
};

/* Registered until close; outlives its connections. SQLite result codes. */
int store_sync_vfs_open(struct store_sync_vfs *v, bool log_in_blocks);
void store_sync_vfs_close(struct store_sync_vfs *v);
#endif
