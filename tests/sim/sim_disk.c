#include "tests/sim/sim_disk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { HEAD = 32, TAG_PUT = 1, TAG_DELETE, TAG_BLOCK, TAG_INSTALL };

static void *grow(void *at, size_t *cap, size_t need, size_t item)
{
    if (need <= *cap)
        return at;
    size_t cap_new = *cap ? *cap : 64;
    while (cap_new < need)
        cap_new *= 2;
    at = realloc(at, cap_new * item);
    assert(at);
    memset((uint8_t *)at + *cap * item, 0, (cap_new - *cap) * item);
    *cap = cap_new;
    return at;
}

static uint8_t *copy_octets(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len + 1);
    assert(copy);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

/* ---- turns */

static void put(struct sim_disk *d, const void *data, size_t len)
{
    d->log = grow(d->log, &d->log_cap, d->log_len + len + 8, 1);
    if (len > 0)
        memcpy(d->log + d->log_len, data, len);
    d->log_len += len;
}

static void put_u64(struct sim_disk *d, uint64_t value)
{
    put(d, &value, sizeof value);
}

void sim_disk_write(struct sim_disk *d, const struct chain_node_update *u)
{
    size_t start = d->log_len;
    uint64_t head[HEAD / 8] = {0};
    put(d, head, HEAD);
    if (u->install) {
        const struct chain_node_block *b = &u->install->block;
        uint64_t fields[] = {TAG_INSTALL, b->height, 0, b->header_len, b->cert_len, b->n_signers};
        put(d, fields, sizeof fields);
        put(d, b->header, fields[3]);
        put(d, b->cert, fields[4]);
    }
    for (size_t i = 0; i < u->n_records; i++) {
        const struct chain_record *r = &u->records[i];
        put_u64(d, r->data ? TAG_PUT : TAG_DELETE);
        put_u64(d, r->key);
        put_u64(d, r->data ? r->len : r->key_end);
        if (r->data)
            put(d, r->data, r->len);
    }
    for (size_t i = 0; i < u->n_blocks; i++) {
        const struct chain_node_block *b = &u->blocks[i];
        uint64_t fields[] = {TAG_BLOCK, b->height, b->header ? b->batch_len : 0, b->header ? b->header_len : 0, b->cert ? b->cert_len : 0,
                             b->n_signers};
        put(d, fields, sizeof fields);
        put(d, b->batch, fields[2]);
        put(d, b->header, fields[3]);
        put(d, b->cert, fields[4]);
    }
    head[0] = ++d->log_turn;
    head[1] = d->log_len - start - HEAD;
    head[2] = sim_sum(head[0], d->log + start + HEAD, head[1]);
    memcpy(d->log + start, head, HEAD);
}

/* ---- the image */

static void drop_rows(struct sim_disk *d, uint64_t from, uint64_t to)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_rows; i++) {
        if (d->rows[i].key >= from && d->rows[i].key <= to)
            free(d->rows[i].data);
        else
            d->rows[n++] = d->rows[i];
    }
    d->n_rows = n;
}

static void put_row(struct sim_disk *d, uint64_t key, const uint8_t *data, size_t len)
{
    size_t at = d->n_rows;
    while (at > 0 && d->rows[at - 1].key > key)
        at--;
    if (at > 0 && d->rows[at - 1].key == key) {
        free(d->rows[at - 1].data);
        d->rows[at - 1] = (struct sim_row){.key = key, .len = len, .data = copy_octets(data, len)};
        return;
    }
    d->rows = grow(d->rows, &d->cap_rows, d->n_rows + 1, sizeof d->rows[0]);
    memmove(d->rows + at + 1, d->rows + at, (d->n_rows - at) * sizeof d->rows[0]);
    d->rows[at] = (struct sim_row){.key = key, .len = len, .data = copy_octets(data, len)};
    d->n_rows++;
}

static void free_cert(struct sim_disk_block *b)
{
    free(b->cert);
    b->cert = NULL;
    b->cert_len = b->n_signers = 0;
    b->cert_turn = 0;
}

static void free_block(struct sim_disk_block *b)
{
    free_cert(b);
    free(b->batch);
    free(b->header);
    memset(b, 0, sizeof *b);
}

/* fields: height, batch_len, header_len, cert_len, n_signers; the octets follow. */
static void put_block(struct sim_disk *d, uint64_t turn, const uint64_t fields[5], const uint8_t *octets)
{
    uint64_t height = fields[0];
    d->blocks = grow(d->blocks, &d->cap_blocks, height + 1, sizeof d->blocks[0]);
    struct sim_disk_block *b = &d->blocks[height];
    if (fields[2] > 0 && height > d->height) {
        assert(height == d->height + 1);
        d->height = height;
        free_block(b);
        b->turn = turn;
        b->batch_len = fields[1];
        b->batch = copy_octets(octets, fields[1]);
        b->header_len = fields[2];
        b->header = copy_octets(octets + fields[1], fields[2]);
    }
    if (fields[3] > 0) {
        assert(b->header);
        free_cert(b);
        b->cert_turn = turn;
        b->cert_len = fields[3];
        b->n_signers = (uint32_t)fields[4];
        b->cert = copy_octets(octets + fields[1] + fields[2], fields[3]);
    }
}

/* All blocks make room for the snapshot's; there is no way back to what was before. */
static void make_room(struct sim_disk *d, uint64_t height)
{
    d->base = height;
    d->has_backup = false;
    if (height <= d->height)
        return; /* the block is there */
    for (uint64_t h = 1; h <= d->height; h++)
        free_block(&d->blocks[h]);
    d->height = height - 1;
}

static void apply_turn(struct sim_disk *d, uint64_t turn, const uint8_t *at, size_t len)
{
    for (size_t pos = 0; pos < len;) {
        uint64_t fields[6];
        memcpy(fields, at + pos, 3 * sizeof fields[0]);
        if (fields[0] == TAG_PUT) {
            put_row(d, fields[1], at + pos + 24, fields[2]);
            pos += 24 + fields[2];
        } else if (fields[0] == TAG_DELETE) {
            drop_rows(d, fields[1], fields[2]);
            pos += 24;
        } else {
            memcpy(fields, at + pos, sizeof fields);
            if (fields[0] == TAG_INSTALL)
                make_room(d, fields[1]);
            put_block(d, turn, fields + 1, at + pos + sizeof fields);
            pos += sizeof fields + fields[2] + fields[3] + fields[4];
        }
    }
    d->turn = turn;
}

/* The turn that begins at pos, if all of it is there. */
static bool read_turn(const struct sim_disk *d, size_t pos, uint64_t head[HEAD / 8])
{
    if (d->log_len - pos < HEAD)
        return false;
    memcpy(head, d->log + pos, HEAD);
    return head[0] == d->turn + 1 && head[1] <= d->log_len - pos - HEAD && sim_sum(head[0], d->log + pos + HEAD, head[1]) == head[2];
}

static void take_turns(struct sim_disk *d, uint64_t mark)
{
    size_t pos = 0;
    uint64_t head[HEAD / 8];
    while (d->turn < mark && read_turn(d, pos, head)) {
        apply_turn(d, head[0], d->log + pos + HEAD, head[1]);
        pos += HEAD + head[1];
    }
    d->log_len -= pos;
    memmove(d->log, d->log + pos, d->log_len);
}

void sim_disk_sync(struct sim_disk *d, uint64_t mark)
{
    take_turns(d, mark);
    assert(d->turn >= mark);
}

uint64_t sim_disk_crash(struct sim_disk *d, size_t keep, size_t spoilt)
{
    assert(keep <= d->log_len && spoilt <= keep);
    d->log_len = keep;
    for (size_t i = keep - spoilt; i < keep; i++)
        d->log[i] = 0;
    take_turns(d, UINT64_MAX);
    uint64_t lost = d->log_turn - d->turn;
    d->log_len = 0;
    d->log_turn = d->turn;
    return lost;
}

/* ---- turning back */

static void free_rows(struct sim_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(rows[i].data);
    free(rows);
}

void sim_disk_backup(struct sim_disk *d)
{
    free_rows(d->backup, d->n_backup);
    d->backup = calloc(d->n_rows + 1, sizeof d->backup[0]);
    assert(d->backup);
    d->n_backup = d->n_rows;
    for (size_t i = 0; i < d->n_rows; i++) {
        d->backup[i] = d->rows[i];
        d->backup[i].data = copy_octets(d->rows[i].data, d->rows[i].len);
    }
    d->backup_turn = d->turn;
    d->has_backup = true;
}

uint64_t sim_disk_roll_back(struct sim_disk *d)
{
    assert(d->has_backup);
    uint64_t lost = d->turn - d->backup_turn;
    free_rows(d->rows, d->n_rows);
    d->rows = d->backup;
    d->n_rows = d->n_backup;
    d->cap_rows = d->n_backup + 1;
    d->backup = NULL;
    d->n_backup = 0;
    d->has_backup = false;
    while (d->height > 0 && d->blocks[d->height].turn > d->backup_turn)
        free_block(&d->blocks[d->height--]);
    for (uint64_t h = 1; h <= d->height; h++)
        if (d->blocks[h].cert_turn > d->backup_turn)
            free_cert(&d->blocks[h]);
    d->turn = d->log_turn = d->backup_turn;
    d->log_len = 0;
    return lost;
}

void sim_disk_wipe(struct sim_disk *d)
{
    free_rows(d->rows, d->n_rows);
    free_rows(d->backup, d->n_backup);
    for (uint64_t h = 1; h <= d->height; h++)
        free_block(&d->blocks[h]);
    free(d->blocks);
    free(d->log);
    memset(d, 0, sizeof *d);
}

int sim_disk_read_block(void *disk, uint64_t height, struct chain_node_block *out)
{
    const struct sim_disk *d = disk;
    const uint8_t *octets;
    size_t len;
    bool pruned = d->snapshots && height + SIM_SERVED_BLOCKS <= sim_disk_newest(d, &octets, &len);
    if (height == 0 || height > d->height || pruned || !d->blocks[height].header)
        return -ENOENT;
    const struct sim_disk_block *b = &d->blocks[height];
    *out = (struct chain_node_block){.height = height, .batch = b->batch, .batch_len = b->batch_len, .header = b->header,
                                     .header_len = b->header_len, .cert = b->cert, .cert_len = b->cert_len, .n_signers = b->n_signers};
    return 0;
}
