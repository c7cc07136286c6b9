/* Snapshots as rows: parts with a digest each, so that a damaged one is found and named. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/members.h"
#include "chain/snapshot.h"
#include "chain/store/store_internal.h"

static void check_part(uint64_t height, uint64_t part, const uint8_t *octets, size_t len, uint8_t out[STORE_CHECK_BYTES])
{
    store_record_check(height << 16 | part, octets, len, out);
}

int store_write_snapshot(struct store_rows *r, uint64_t height, const uint8_t *octets, size_t len)
{
    int rc = SQLITE_OK;
    uint64_t part = 0;
    for (size_t at = 0; at < len && rc == SQLITE_OK; at += CHAIN_SNAPSHOT_PART_BYTES, part++) {
        size_t n = len - at < CHAIN_SNAPSHOT_PART_BYTES ? len - at : CHAIN_SNAPSHOT_PART_BYTES;
        uint8_t check[STORE_CHECK_BYTES];
        check_part(height, part, octets + at, n, check);
        rc = store_rows_run(r, STORE_PUT_SNAPSHOT, "iibb", (int64_t)height, (int64_t)part, (const void *)(octets + at), n,
                            (const void *)check, sizeof(check));
    }
    return rc;
}

static int append(uint8_t **octets, size_t *len, const void *data, size_t n)
{
    uint8_t *more = realloc(*octets, *len + n + 1);
    if (!more)
        return -ENOMEM;
    if (n > 0)
        memcpy(more + *len, data, n);
    *octets = more;
    *len += n;
    return 0;
}

int store_read_snapshot(sqlite3 *db, uint64_t height, uint8_t **out, size_t *len_out, char *error_out)
{
    sqlite3_stmt *query = NULL;
    uint64_t part = 0;
    int err = 0, rc = sqlite3_prepare_v2(db, "SELECT part, octets, digest FROM snapshots WHERE height=? ORDER BY part", -1, &query, NULL);
    *out = NULL;
    *len_out = 0;
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(query, 1, (int64_t)height);
    while (err == 0 && rc == SQLITE_OK && (rc = sqlite3_step(query)) == SQLITE_ROW) {
        uint8_t check[STORE_CHECK_BYTES];
        const uint8_t *data = sqlite3_column_blob(query, 1);
        size_t n = (size_t)sqlite3_column_bytes(query, 1);
        check_part(height, part, data, n, check);
        if (sqlite3_column_int64(query, 0) != (int64_t)part || sqlite3_column_bytes(query, 2) != STORE_CHECK_BYTES ||
            memcmp(sqlite3_column_blob(query, 2), check, sizeof(check)) != 0) {
            snprintf(error_out, CHAIN_STORE_MAX_ERROR, "snapshots row %llu, %llu: digest differs from its octets", (unsigned long long)height,
                     (unsigned long long)part);
            err = -EILSEQ;
        } else {
            err = append(out, len_out, data, n);
            if (err)
                snprintf(error_out, CHAIN_STORE_MAX_ERROR, "out of memory");
        }
        part++;
        rc = SQLITE_OK;
    }
    if (err == 0 && rc != SQLITE_DONE) {
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "snapshots row %llu: %.120s", (unsigned long long)height, sqlite3_errmsg(db));
        err = (rc & 0xff) == SQLITE_CORRUPT ? -EILSEQ : -EIO;
    }
    sqlite3_finalize(query);
    if (err == 0 && part == 0) {
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "snapshots row %llu: is missing", (unsigned long long)height);
        err = -ENOENT;
    }
    if (err) {
        free(*out);
        *out = NULL;
    }
    return err;
}

int chain_store_read_snapshot(struct chain_store *s, uint64_t *height_out, uint8_t **out, size_t *len_out)
{
    char error[CHAIN_STORE_MAX_ERROR];
    if (s->last_snapshot == 0)
        return -ENOENT;
    *height_out = s->last_snapshot;
    return store_read_snapshot(s->db, s->last_snapshot, out, len_out, error);
}

/* A row whose batch nobody told: the header says what was in it. */
static int put_header_row(struct chain_store *s, const struct chain_node_block *block)
{
    struct chain_node_block row = *block;
    row.batch_len = 0;
    return store_rows_put_block(&s->rows, &row, NULL, 0, NULL);
}

static uint32_t count_signers(const uint8_t *cert, size_t len)
{
    struct chain_certificate decoded;
    uint32_t n = 0;
    if (chain_certificate_decode(&decoded, cert, len) == 0)
        for (uint64_t left = decoded.signers; left; left &= left - 1)
            n++;
    return n;
}

/* The ends of epochs on the way, each in the place of what the database says of that height or a higher one. */
static int put_epochs(struct chain_store *s, const struct chain_node_install *install)
{
    struct chain_cbor_reader r = {.data = install->epochs, .len = install->epochs_len};
    int rc = SQLITE_OK;
    for (size_t i = 0; i < install->n_epochs && rc == SQLITE_OK; i++) {
        struct chain_proof_epoch end;
        struct chain_map_proof path;
        struct chain_header header;
        struct chain_members members;
        if (!chain_proof_get_epoch(&r, &end, &path) || chain_header_decode(&header, end.header, end.header_len) != 0)
            return SQLITE_MISMATCH;
        struct chain_cbor_reader entry = {.data = end.members, .len = end.members_len};
        if (!chain_members_get_seats(&members, &entry))
            return SQLITE_MISMATCH;
        char sql[160];
        sqlite3_snprintf(sizeof(sql), sql, "DELETE FROM blocks WHERE height >= %lld; DELETE FROM certificates WHERE height >= %lld;"
                                           "DELETE FROM epochs WHERE height >= %lld", header.height, header.height, header.height);
        struct chain_node_block block = {.height = header.height, .header = end.header, .header_len = end.header_len, .cert = end.cert,
                                         .cert_len = end.cert_len, .n_signers = count_signers(end.cert, end.cert_len)};
        rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            rc = put_header_row(s, &block);
        uint8_t steps[CHAIN_MAP_MAX_STEPS * STORE_STEP_BYTES];
        for (size_t k = 0; k < path.n_steps; k++) {
            steps[k * STORE_STEP_BYTES] = path.steps[k].bit;
            memcpy(steps + k * STORE_STEP_BYTES + 1, path.steps[k].sibling.octets, CHAIN_HASH_BYTES);
        }
        if (rc == SQLITE_OK)
            rc = store_rows_run(&s->rows, STORE_PUT_EPOCH, "iibb", (int64_t)header.height, (int64_t)members.epoch, (const void *)end.members,
                                end.members_len, (const void *)steps, path.n_steps * STORE_STEP_BYTES);
    }
    return rc;
}

static int put_all(struct chain_store *s, const struct chain_node_install *install)
{
    /* an end of an epoch that lacks its certificate comes with the others */
    static const char *const forget = "DELETE FROM epochs WHERE height NOT IN (SELECT height FROM certificates);"
                                      "DELETE FROM blocks WHERE height NOT IN (SELECT height FROM epochs);"
                                      "DELETE FROM certificates WHERE height NOT IN (SELECT height FROM epochs);"
                                      "DELETE FROM tx_rows; DELETE FROM event_rows; DELETE FROM reports; DELETE FROM windows;"
                                      "DELETE FROM grants; DELETE FROM evidence; DELETE FROM claims; DELETE FROM snapshots";
    uint64_t height = install->block.height;
    int rc = sqlite3_exec(s->db, forget, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = put_epochs(s, install);
    if (rc == SQLITE_OK)
        rc = put_header_row(s, &install->block);
    if (rc == SQLITE_OK)
        rc = store_write_snapshot(&s->rows, height, install->snapshot, install->len);
    if (rc == SQLITE_OK)
        rc = store_rows_put_state(&s->rows, install->ledger);
    if (rc == SQLITE_OK)
        rc = store_rows_run(&s->rows, STORE_SET_INDEXED, "i", (int64_t)height);
    return rc == SQLITE_OK ? store_rows_run(&s->rows, STORE_PUT_META, "ti", "base_height", (int64_t)height) : rc;
}

/* The block is there: it becomes the base, with its certificate and state, and what is below goes by and by. */
static int put_base(struct chain_store *s, const struct chain_node_install *install)
{
    uint64_t height = install->block.height;
    int rc = store_drain(s, 0, SIZE_MAX);
    if (rc == SQLITE_OK)
        rc = store_rows_put_certificate(&s->rows, &install->block);
    if (rc == SQLITE_OK)
        rc = store_write_snapshot(&s->rows, height, install->snapshot, install->len);
    if (rc == SQLITE_OK)
        rc = store_rows_run(&s->rows, STORE_PUT_META, "ti", "base_height", (int64_t)height);
    if (s->snapshot.height <= height) {
        free(s->snapshot.octets);
        memset(&s->snapshot, 0, sizeof(s->snapshot));
    }
    s->certified = s->last_snapshot = s->base = height;
    return rc;
}

int chain_store_install_snapshot(struct chain_store *s, const struct chain_node_install *install, char *error_out)
{
    if (install->block.height <= s->tip) {
        int base_rc = put_base(s, install);
        return base_rc == SQLITE_OK ? 0 : store_fail(s, base_rc, "cannot be written", error_out);
    }
    store_queue_free(&s->queue);
    free(s->snapshot.octets);
    memset(&s->snapshot, 0, sizeof(s->snapshot));
    s->rows.queue = NULL; /* these rows come now */
    int rc = put_all(s, install);
    s->rows.queue = &s->queue;
    if (rc != SQLITE_OK)
        return store_fail(s, rc, "cannot be written", error_out);
    s->tip = s->certified = s->indexed = s->last_snapshot = s->base = s->pruned = install->block.height;
    s->epoch = chain_ledger_members(install->ledger)->epoch;
    s->octets_since = s->blocks_since = 0;
    s->may_vacuum = true;
    return 0;
}

/* A row of a snapshot, checked, into s->part. */
static int read_row(struct chain_store *s, uint64_t height, uint64_t part, size_t *len_out)
{
    sqlite3_stmt *query = NULL;
    int err = -ENOENT;
    int rc = sqlite3_prepare_v2(s->db, "SELECT octets, digest FROM snapshots WHERE height=? AND part=?", -1, &query, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(query, 1, (int64_t)height);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(query, 2, (int64_t)part);
    if (rc == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW) {
        const void *octets = sqlite3_column_blob(query, 0);
        size_t len = (size_t)sqlite3_column_bytes(query, 0);
        uint8_t check[STORE_CHECK_BYTES];
        check_part(height, part, octets, len, check);
        bool whole = len > 0 && len <= sizeof(s->part) && sqlite3_column_bytes(query, 1) == STORE_CHECK_BYTES &&
                     memcmp(sqlite3_column_blob(query, 1), check, sizeof(check)) == 0;
        if (whole)
            memcpy(s->part, octets, len);
        *len_out = len;
        err = whole ? 0 : -EILSEQ;
    }
    sqlite3_finalize(query);
    return err;
}

int chain_store_read_part(void *store, uint64_t height, size_t offset, size_t most, struct chain_node_snapshot *out)
{
    struct chain_store *s = store;
    sqlite3_stmt *query = NULL;
    height = height > 0 ? height : s->last_snapshot;
    if (height == 0 || height > INT64_MAX)
        return -ENOENT;
    *out = (struct chain_node_snapshot){.height = height, .part = s->part};
    int rc = sqlite3_prepare_v2(s->db, "SELECT sum(length(octets)) FROM snapshots WHERE height=?", -1, &query, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(query, 1, (int64_t)height);
    if (rc == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW)
        out->len = (size_t)sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    if (offset >= out->len)
        return -ENOENT;
    if (most == 0)
        return 0;
    size_t len, skip = offset % CHAIN_SNAPSHOT_PART_BYTES;
    int err = read_row(s, height, offset / CHAIN_SNAPSHOT_PART_BYTES, &len);
    if (err != 0 || skip >= len)
        return err != 0 ? err : -ENOENT;
    out->part = s->part + skip;
    out->part_len = len - skip < most ? len - skip : most;
    return 0;
}

/* Nothing stays open in the database while it is sent. */
static int copy_end(struct chain_store *s, sqlite3_stmt *row, struct chain_proof_epoch *out)
{
    size_t at = 0, lens[3];
    for (int i = 0; i < 3; i++) {
        lens[i] = (size_t)sqlite3_column_bytes(row, i + 1);
        if (lens[i] == 0 || lens[i] > sizeof(s->end) - at)
            return -EILSEQ;
        memcpy(s->end + at, sqlite3_column_blob(row, i + 1), lens[i]);
        at += lens[i];
    }
    store_path_from_row(sqlite3_column_blob(row, 4), (size_t)sqlite3_column_bytes(row, 4), &s->end_path);
    *out = (struct chain_proof_epoch){.header = s->end, .cert = s->end + lens[0], .members = s->end + lens[0] + lens[1], .path = &s->end_path,
                                      .header_len = lens[0], .cert_len = lens[1], .members_len = lens[2]};
    return 0;
}

int chain_store_read_epoch(void *store, uint64_t epoch, uint64_t *height_out, struct chain_proof_epoch *out)
{
    struct chain_store *s = store;
    int rc = SQLITE_OK;
    if (!s->read_epoch)
        rc = sqlite3_prepare_v3(s->db, "SELECT e.height, header, certificate, members, path FROM epochs e JOIN blocks USING (height) "
                                       "JOIN certificates USING (height) WHERE epoch=?", -1, SQLITE_PREPARE_PERSISTENT, &s->read_epoch, NULL);
    if (rc != SQLITE_OK || epoch >= INT64_MAX || sqlite3_bind_int64(s->read_epoch, 1, (int64_t)epoch + 1) != SQLITE_OK)
        return -ENOENT;
    int err = sqlite3_step(s->read_epoch) == SQLITE_ROW ? copy_end(s, s->read_epoch, out) : -ENOENT;
    *height_out = err == 0 ? (uint64_t)sqlite3_column_int64(s->read_epoch, 0) : 0;
    sqlite3_reset(s->read_epoch);
    return err;
}

void store_path_from_row(const uint8_t *row, size_t len, struct chain_map_proof *out)
{
    size_t n = len / STORE_STEP_BYTES;
    memset(out, 0, sizeof(*out));
    out->n_steps = n < CHAIN_MAP_MAX_STEPS ? n : CHAIN_MAP_MAX_STEPS;
    for (size_t i = 0; i < out->n_steps; i++) {
        out->steps[i].bit = row[i * STORE_STEP_BYTES];
        memcpy(out->steps[i].sibling.octets, row + i * STORE_STEP_BYTES + 1, CHAIN_HASH_BYTES);
    }
}
