/* Each file is the real VFS's file, followed by our note: its methods with xSync replaced. */
#include "chain/store/sync_vfs.h"

#include <stdio.h>
#include <string.h>

struct note {
    const sqlite3_io_methods *real;
    sqlite3_io_methods counted;
    struct store_sync_vfs *vfs;
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

static int open_counted(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
    struct store_sync_vfs *v = vfs->pAppData;
    int rc = v->real->xOpen(v->real, name, file, flags, flags_out);
    if (rc != SQLITE_OK || !file->pMethods)
        return rc;
    struct note *note = note_of(file);
    note->real = file->pMethods;
    note->counted = *file->pMethods;
    note->counted.xSync = sync_counted;
    note->vfs = v;
    file->pMethods = &note->counted;
    return SQLITE_OK;
}

int store_sync_vfs_open(struct store_sync_vfs *v)
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
    v->vfs.xOpen = open_counted;
    v->n_syncs = 0;
    return sqlite3_vfs_register(&v->vfs, 0);
}

void store_sync_vfs_close(struct store_sync_vfs *v)
{
    sqlite3_vfs_unregister(&v->vfs);
}
