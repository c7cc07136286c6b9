/* SQLite's own VFS with one addition: it counts the syncs, so that durability can be tested, not believed. Not for others. */
#ifndef CHAIN_STORE_SYNC_VFS_H
#define CHAIN_STORE_SYNC_VFS_H

#include <sqlite3.h>
#include <stdint.h>

struct store_sync_vfs {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    uint64_t n_syncs;
    char name[40];
};

/* Registered until close; outlives its connections. SQLite result codes. */
int store_sync_vfs_open(struct store_sync_vfs *v);
void store_sync_vfs_close(struct store_sync_vfs *v);
#endif
