/* Each file is the real VFS's file, followed by our note: its methods with ours in the place of some. */
#include "chain/store/sync_vfs.h"

#include <stdio.h>
#include <string.h>

struct note {
    const sqlite3_io_methods *real;
    sqlite3_io_methods own;
    struct store_sync_vfs *vfs;
    sqlite3_int64 end; /* of a log's file */
};

static size_t note_offset(const sqlite3_vfs *real)
{
    return ((size_t)real->szOsFile + 15) & ~(size_t)15;
}

static struct note *note_of(sqlite3_file *file)
{
    return (struct note *)(void *)((char *)file + note_offset(sqlite3_vfs_find(NULL)));
}

static int sync_counted(sqlite3_file *file, int flags)
{
    struct note *note = note_of(file);
    note->vfs->n_syncs++;
    return note->real->xSync(file, flags);
}

/* Zeros from the file's end to the end of the block that `need` lies in: for SQLite a log ends where a frame's checksum is not right. */
static int grow(struct note *note, sqlite3_file *file, sqlite3_int64 need)
{
    static const uint8_t zeros[65536];
    sqlite3_int64 end = (need + STORE_LOG_BLOCK_OCTETS - 1) / STORE_LOG_BLOCK_OCTETS * STORE_LOG_BLOCK_OCTETS;
    while (note->end < end) {
        sqlite3_int64 n = end - note->end < (sqlite3_int64)sizeof zeros ? end - note->end : (sqlite3_int64)sizeof zeros;
        int rc = note->real->xWrite(file, zeros, (int)n, note->end);
        if (rc != SQLITE_OK)
            return rc;
        note->end += n;
    }
    return SQLITE_OK;
}

static int write_in_blocks(sqlite3_file *file, const void *data, int n, sqlite3_int64 at)
{
    struct note *note = note_of(file);
    sqlite3_int64 end = note->end;
    if (at + n > end && grow(note, file, at + n) != SQLITE_OK) { /* no room for a block: what there is, is for the log's own frames */
        note->real->xTruncate(file, end);
        note->own.xWrite = note->real->xWrite;
    }
    return note->real->xWrite(file, data, n, at);
}

static int truncate_in_blocks(sqlite3_file *file, sqlite3_int64 size)
{
    struct note *note = note_of(file);
    int rc = note->real->xTruncate(file, size);
    if (rc == SQLITE_OK && size < note->end)
        note->end = size;
    return rc;
}

static int open_noted(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
    struct store_sync_vfs *v = vfs->pAppData;
    int rc = v->real->xOpen(v->real, name, file, flags, flags_out);
    if (rc != SQLITE_OK || !file->pMethods)
        return rc;
    struct note *note = note_of(file);
    *note = (struct note){.real = file->pMethods, .own = *file->pMethods, .vfs = v};
    note->own.xSync = sync_counted;
    /* without its size it grows as SQLite writes */
    if ((flags & SQLITE_OPEN_WAL) && v->log_in_blocks && note->real->xFileSize(file, &note->end) == SQLITE_OK) {
        note->own.xWrite = write_in_blocks;
        note->own.xTruncate = truncate_in_blocks;
    }
    file->pMethods = &note->own;
    return SQLITE_OK;
}

int store_sync_vfs_open(struct store_sync_vfs *v, bool log_in_blocks)
{
    v->real = sqlite3_vfs_find(NULL);
    if (!v->real)
        return SQLITE_ERROR;
    v->vfs = *v->real;
    snprintf(v->name, sizeof(v->name), "airdeed-%p", (void *)v);
    v->vfs.zName = v->name;
    v->vfs.pNext = NULL;
    v->vfs.pAppData = v;
    v->vfs.szOsFile = (int)(note_offset(v->real) + sizeof(struct note));
    v->vfs.xOpen = open_noted;
    v->n_syncs = 0;
    v->log_in_blocks = log_in_blocks;
    return sqlite3_vfs_register(&v->vfs, 0);
}

void store_sync_vfs_close(struct store_sync_vfs *v)
{
    sqlite3_vfs_unregister(&v->vfs);
}
