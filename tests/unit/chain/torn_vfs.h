/* A SQLite VFS below the store's own: the real one, with a log of every write, truncation and sync of a database and its write-ahead log.
 * From the log the files can be made as a power failure at any moment might leave them. */
#ifndef TESTS_UNIT_CHAIN_TORN_VFS_H
#define TESTS_UNIT_CHAIN_TORN_VFS_H

#include <check.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TORN_FILES = 2, TORN_SECTOR = 512 };
enum torn_kind { TORN_WRITE, TORN_TRUNCATE, TORN_SYNC };
/* What becomes of that which was not synced. */
enum torn_fate { TORN_LOST, TORN_CUT, TORN_SCATTERED, TORN_FATES };

struct torn_op {
    enum torn_kind kind;
    int file; /* 0: database, 1: its log */
    int64_t at;
    int len;
    uint8_t *data;
};

struct torn_image {
    uint8_t *octets;
    size_t len, cap;
};

struct torn_vfs {
    sqlite3_vfs vfs, *real;
    pthread_mutex_t lock;
    bool recording;
    size_t n_ops, cap_ops;
    struct torn_op *ops;
    struct torn_image start[TORN_FILES]; /* when recording began, all of it on the platter */
};

struct torn_note {
    const sqlite3_io_methods *real;
    sqlite3_io_methods methods;
    struct torn_vfs *vfs;
    int file;
};

static struct torn_vfs torn;

static inline struct torn_note *torn_note_of(sqlite3_file *file)
{
    return (struct torn_note *)(void *)((char *)file + (((size_t)torn.real->szOsFile + 15) & ~(size_t)15));
}

static inline void torn_log(struct torn_op op, const void *data)
{
    pthread_mutex_lock(&torn.lock);
    if (torn.recording) {
        if (torn.n_ops == torn.cap_ops) {
            torn.cap_ops = torn.cap_ops ? 2 * torn.cap_ops : 256;
            torn.ops = realloc(torn.ops, torn.cap_ops * sizeof torn.ops[0]);
        }
        if (data) {
            op.data = malloc((size_t)op.len + 1);
            memcpy(op.data, data, (size_t)op.len);
        }
        torn.ops[torn.n_ops++] = op;
    }
    pthread_mutex_unlock(&torn.lock);
}

static inline int torn_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    const struct torn_note *note = torn_note_of(file);
    torn_log((struct torn_op){.kind = TORN_WRITE, .file = note->file, .at = at, .len = len}, data);
    return note->real->xWrite(file, data, len, at);
}

static inline int torn_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    const struct torn_note *note = torn_note_of(file);
    torn_log((struct torn_op){.kind = TORN_TRUNCATE, .file = note->file, .at = size}, NULL);
    return note->real->xTruncate(file, size);
}

static inline int torn_sync(sqlite3_file *file, int flags)
{
    (void)flags; /* the real one is not needed: no power fails here */
    torn_log((struct torn_op){.kind = TORN_SYNC, .file = torn_note_of(file)->file}, NULL);
    return SQLITE_OK;
}

static inline int torn_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
    (void)vfs;
    int rc = torn.real->xOpen(torn.real, name, file, flags, flags_out);
    if (rc != SQLITE_OK || !file->pMethods || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
        return rc;
    struct torn_note *note = torn_note_of(file);
    note->real = file->pMethods;
    note->methods = *file->pMethods;
    note->methods.xWrite = torn_write;
    note->methods.xTruncate = torn_truncate;
    note->methods.xSync = torn_sync;
    note->vfs = &torn;
    note->file = (flags & SQLITE_OPEN_WAL) != 0;
    file->pMethods = &note->methods;
    return SQLITE_OK;
}

/* From here on every file that SQLite opens goes through it. */
static inline void torn_begin(void)
{
    memset(&torn, 0, sizeof torn);
    pthread_mutex_init(&torn.lock, NULL);
    torn.real = sqlite3_vfs_find(NULL);
    torn.vfs = *torn.real;
    torn.vfs.zName = "torn";
    torn.vfs.pNext = NULL;
    torn.vfs.xOpen = torn_open;
    torn.vfs.szOsFile = (int)((((size_t)torn.real->szOsFile + 15) & ~(size_t)15) + sizeof(struct torn_note));
    ck_assert_int_eq(sqlite3_vfs_register(&torn.vfs, 1), SQLITE_OK);
}

static inline void torn_end(void)
{
    sqlite3_vfs_unregister(&torn.vfs);
    for (size_t i = 0; i < torn.n_ops; i++)
        free(torn.ops[i].data);
    for (int i = 0; i < TORN_FILES; i++)
        free(torn.start[i].octets);
    free(torn.ops);
}

/* ---- images */

static inline void torn_resize(struct torn_image *image, size_t len)
{
    if (len > image->cap) {
        image->cap = 2 * len;
        image->octets = realloc(image->octets, image->cap);
    }
    if (len > image->len)
        memset(image->octets + image->len, 0, len - image->len);
    image->len = len;
}

static inline void torn_apply(struct torn_image *image, const struct torn_op *op, size_t from, size_t to)
{
    if (op->kind == TORN_TRUNCATE) {
        torn_resize(image, (size_t)op->at);
        return;
    }
    if ((size_t)op->at + to > image->len)
        torn_resize(image, (size_t)op->at + to);
    memcpy(image->octets + op->at + from, op->data + from, to - from);
}

static inline void torn_read(struct torn_image *image, const char *path)
{
    FILE *f = fopen(path, "rb");
    image->len = 0;
    if (!f)
        return;
    fseek(f, 0, SEEK_END);
    torn_resize(image, (size_t)ftell(f));
    rewind(f);
    ck_assert_uint_eq(fread(image->octets, 1, image->len, f), image->len);
    fclose(f);
}

static inline void torn_record(const char *path)
{
    char log[160];
    snprintf(log, sizeof log, "%s-wal", path);
    torn_read(&torn.start[0], path);
    torn_read(&torn.start[1], log);
    torn.recording = true;
}

static inline uint64_t torn_draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* A write that no sync followed: nothing of it, its first octets, or any of its sectors. */
static inline void torn_spoil(struct torn_image *image, const struct torn_op *op, enum torn_fate fate, bool last, uint64_t *draw)
{
    if (fate == TORN_LOST)
        return;
    if (op->kind != TORN_WRITE || fate == TORN_CUT) {
        size_t to = last && op->kind == TORN_WRITE ? torn_draw(draw) % ((size_t)op->len + 1) : (size_t)op->len;
        if (!last || op->kind == TORN_WRITE || torn_draw(draw) % 2 == 0)
            torn_apply(image, op, 0, to);
        return;
    }
    for (size_t from = 0; from < (size_t)op->len; from += TORN_SECTOR) {
        size_t to = from + TORN_SECTOR < (size_t)op->len ? from + TORN_SECTOR : (size_t)op->len;
        if (torn_draw(draw) % 2 == 0)
            torn_apply(image, op, from, to);
    }
}

/* The files as they may lie there if the power fails before operation number n. */
static inline void torn_write_files(size_t n, enum torn_fate fate, uint64_t seed, const char *path)
{
    size_t last_sync[TORN_FILES] = {0}, last_op[TORN_FILES] = {0};
    uint64_t draw = seed * 2 + 1;
    for (size_t i = 0; i < n; i++) {
        last_op[torn.ops[i].file] = i;
        if (torn.ops[i].kind == TORN_SYNC)
            last_sync[torn.ops[i].file] = i + 1;
    }
    for (int file = 0; file < TORN_FILES; file++) {
        char name[192];
        struct torn_image image = {0};
        torn_resize(&image, torn.start[file].len);
        if (image.len > 0)
            memcpy(image.octets, torn.start[file].octets, image.len);
        for (size_t i = 0; i < n; i++) {
            const struct torn_op *op = &torn.ops[i];
            if (op->file != file || op->kind == TORN_SYNC)
                continue;
            if (i < last_sync[file])
                torn_apply(&image, op, 0, (size_t)op->len);
            else
                torn_spoil(&image, op, fate, i == last_op[file], &draw);
        }
        snprintf(name, sizeof name, "%s%s", path, file == 0 ? "" : "-wal");
        FILE *f = fopen(name, "wb");
        ck_assert_ptr_nonnull(f);
        ck_assert_uint_eq(fwrite(image.octets, 1, image.len, f), image.len);
        fclose(f);
        free(image.octets);
    }
}
#endif
