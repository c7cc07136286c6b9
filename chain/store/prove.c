#include "chain/store/prove.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/ledger_entries.h"
#include "chain/snapshot.h"
#include "chain/store/store_internal.h"
#include "chain/tx.h"

enum { MAX_EPOCHS = 256, MAX_PROOF_BYTES = 1 << 21 };

struct prover {
    sqlite3 *db;
    const char *path;
    char *error;
    uint8_t genesis_octets[CHAIN_MAX_GENESIS_BYTES];
    size_t genesis_len;
    struct chain_genesis genesis;
    struct chain_ed25519 no_key;
    uint64_t base;
    struct chain_proof_parts parts;
    struct chain_proof_claim claim;
    struct chain_ledger_entry entry;
    struct chain_proof_epoch epochs[MAX_EPOCHS];
    struct chain_map_proof *paths;
    sqlite3_stmt *block, *earlier, *ends; /* what the parts borrow from stays open */
};

__attribute__((format(printf, 3, 4))) static int fail(struct prover *p, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int at = snprintf(p->error, CHAIN_STORE_MAX_ERROR, "%.180s: ", p->path);
    vsnprintf(p->error + at, CHAIN_STORE_MAX_ERROR - (size_t)at, format, args);
    va_end(args);
    return err;
}

static int fail_sqlite(struct prover *p)
{
    return fail(p, (sqlite3_errcode(p->db) & 0xff) == SQLITE_CORRUPT ? -EILSEQ : -EIO, "cannot be read: %.100s", sqlite3_errmsg(p->db));
}

static int ask(struct prover *p, sqlite3_stmt **out, const char *sql, uint64_t first, uint64_t second)
{
    if (sqlite3_prepare_v2(p->db, sql, -1, out, NULL) != SQLITE_OK)
        return SQLITE_ERROR;
    for (int i = 1; i <= sqlite3_bind_parameter_count(*out); i++)
        sqlite3_bind_int64(*out, i, (int64_t)(i == 1 ? first : second));
    return sqlite3_step(*out);
}

static int ask_number(struct prover *p, const char *sql, uint64_t first, uint64_t second, uint64_t *out)
{
    sqlite3_stmt *query = NULL;
    int rc = ask(p, &query, sql, first, second);
    if (rc == SQLITE_ROW)
        *out = (uint64_t)sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -ENOENT : fail_sqlite(p);
}

static int read_genesis(struct prover *p)
{
    sqlite3_stmt *query = NULL;
    int rc = ask(p, &query, "SELECT value FROM meta WHERE key='genesis'", 0, 0);
    bool ok = rc == SQLITE_ROW && (size_t)sqlite3_column_bytes(query, 0) <= sizeof(p->genesis_octets);
    if (ok) {
        p->genesis_len = (size_t)sqlite3_column_bytes(query, 0);
        memcpy(p->genesis_octets, sqlite3_column_blob(query, 0), p->genesis_len);
        ok = chain_genesis_decode(&p->genesis, p->genesis_octets, p->genesis_len) == 0 && chain_genesis_finish(&p->genesis, NULL, NULL) == 0;
    }
    sqlite3_finalize(query);
    return ok ? 0 : fail(p, -EILSEQ, "meta row genesis: value is no genesis block");
}

static int open_database(struct prover *p)
{
    enum store_identity identity;
    int rc = store_probe(p->path, p->error);
    if (rc != 0)
        return rc;
    int sql_rc = store_open_read_only(p->path, &p->db);
    if (sql_rc == SQLITE_OK)
        sql_rc = sqlite3_exec(p->db, "PRAGMA trusted_schema=OFF; BEGIN", NULL, NULL, NULL);
    if (sql_rc == SQLITE_OK)
        sql_rc = store_identify(p->db, &identity);
    if (sql_rc != SQLITE_OK)
        return fail_sqlite(p);
    if (identity != STORE_OURS)
        return store_refuse(p->path, identity, p->error);
    rc = read_genesis(p);
    if (rc == 0)
        rc = ask_number(p, "SELECT coalesce((SELECT value FROM meta WHERE key='base_height'), 0)", 0, 0, &p->base);
    return rc;
}

/* To be closed whatever came of it; NULL: there was no memory. */
static int open_prover(const char *path, char *error_out, struct prover **out)
{
    *out = calloc(1, sizeof(**out));
    if (!*out) {
        snprintf(error_out, CHAIN_STORE_MAX_ERROR, "%.200s: out of memory", path);
        return -ENOMEM;
    }
    (*out)->path = path;
    (*out)->error = error_out;
    return open_database(*out);
}

/* The block of a height with its certificate goes into the proof. */
static int take_block(struct prover *p, uint64_t height)
{
    int rc = ask(p, &p->block, "SELECT header, certificate, batch FROM blocks LEFT JOIN certificates USING (height) WHERE height=?", height, 0);
    if (rc == SQLITE_DONE)
        return fail(p, -ENOENT, height <= p->base ? "block %llu was pruned" : "there is no block %llu", (unsigned long long)height);
    if (rc != SQLITE_ROW)
        return fail_sqlite(p);
    p->parts.header = sqlite3_column_blob(p->block, 0);
    p->parts.header_len = (size_t)sqlite3_column_bytes(p->block, 0);
    p->parts.cert = sqlite3_column_blob(p->block, 1);
    p->parts.cert_len = (size_t)sqlite3_column_bytes(p->block, 1);
    return p->parts.cert_len > 0 ? 0 : fail(p, -ENOENT, "block %llu is not certified yet", (unsigned long long)height);
}

/* Every epoch that ended below the height. */
static int take_epochs(struct prover *p, uint64_t height)
{
    int rc = ask(p, &p->ends, "SELECT header, certificate, members, path FROM epochs JOIN blocks USING (height) JOIN certificates USING (height) "
                              "WHERE height < ? ORDER BY height", height, 0);
    p->paths = calloc(MAX_EPOCHS, sizeof(*p->paths));
    if (!p->paths)
        return fail(p, -ENOMEM, "out of memory");
    size_t n = 0;
    for (; rc == SQLITE_ROW && n < MAX_EPOCHS; n++, rc = sqlite3_step(p->ends)) {
        uint8_t *copies[3];
        for (int i = 0; i < 3; i++) {
            size_t len = (size_t)sqlite3_column_bytes(p->ends, i);
            copies[i] = malloc(len + 1);
            if (!copies[i])
                return fail(p, -ENOMEM, "out of memory");
            memcpy(copies[i], sqlite3_column_blob(p->ends, i), len);
        }
        store_path_from_row(sqlite3_column_blob(p->ends, 3), (size_t)sqlite3_column_bytes(p->ends, 3), &p->paths[n]);
        p->epochs[n] = (struct chain_proof_epoch){.header = copies[0], .cert = copies[1], .members = copies[2], .path = &p->paths[n],
                                                  .header_len = (size_t)sqlite3_column_bytes(p->ends, 0),
                                                  .cert_len = (size_t)sqlite3_column_bytes(p->ends, 1),
                                                  .members_len = (size_t)sqlite3_column_bytes(p->ends, 2)};
        p->parts.n_epochs = n + 1;
    }
    return rc == SQLITE_DONE ? 0 : fail_sqlite(p);
}

static void close_prover(struct prover *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->parts.n_epochs; i++) {
        free((void *)(uintptr_t)p->epochs[i].header);
        free((void *)(uintptr_t)p->epochs[i].cert);
        free((void *)(uintptr_t)p->epochs[i].members);
    }
    free(p->paths);
    sqlite3_finalize(p->block);
    sqlite3_finalize(p->earlier);
    sqlite3_finalize(p->ends);
    sqlite3_close(p->db);
    free(p);
}

/* Which transaction of the batch has the author's nonce in its range? */
static bool find_tx(const struct prover *p, const struct chain_batch_view *batch, const struct chain_store_question *q, size_t *out)
{
    struct chain_members members = p->genesis.members;
    members.n_keys = CHAIN_MAX_KEYS; /* keys that were admitted since count, too */
    for (size_t i = 0; i < batch->n_txs; i++) {
        struct chain_msg msg;
        if (chain_msg_decode(&members, batch->txs[i].data, batch->txs[i].len, &msg, NULL) != 0 || msg.kind != CHAIN_MSG_TX || msg.author != q->author)
            continue;
        int n = chain_tx_count(msg.body, msg.body_len);
        if (q->nonce >= msg.seq && q->nonce - msg.seq < (uint64_t)(n > 0 ? n : 1)) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* Where the index does not reach yet, the blocks are looked through. */
static int find_height(struct prover *p, const struct chain_store_question *q, struct chain_batch_view *batch, uint64_t *height_out)
{
    sqlite3_stmt *query = NULL;
    size_t index;
    int rc = ask_number(p, "SELECT height FROM tx_rows WHERE author=? AND nonce=? ORDER BY code LIMIT 1", q->author, q->nonce, height_out);
    if (rc != -ENOENT)
        return rc;
    int sql_rc = ask(p, &query, "SELECT height, batch FROM blocks WHERE height > (SELECT value FROM meta WHERE key='indexed_height')", 0, 0);
    for (; rc != 0 && sql_rc == SQLITE_ROW; sql_rc = sqlite3_step(query)) {
        *height_out = (uint64_t)sqlite3_column_int64(query, 0);
        if (chain_batch_decode(batch, sqlite3_column_blob(query, 1), (size_t)sqlite3_column_bytes(query, 1)) == 0 && find_tx(p, batch, q, &index))
            rc = 0;
    }
    sqlite3_finalize(query);
    return rc == 0 ? 0 : fail(p, -ENOENT, "no transaction of key %u with nonce %llu", q->author, (unsigned long long)q->nonce);
}

static int prove_tx(struct prover *p, const struct chain_store_question *q)
{
    static const char missing[] = "the block of that transaction does not hold it: check it with airdeed ledger verify";
    struct chain_batch_view *batch = malloc(sizeof(*batch));
    struct chain_hash *hashes = malloc(CHAIN_MAX_BATCH_TXS * sizeof(*hashes));
    uint64_t height;
    size_t index;
    int rc = batch && hashes ? find_height(p, q, batch, &height) : fail(p, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = take_block(p, height);
    if (rc == 0 && (chain_batch_decode(batch, sqlite3_column_blob(p->block, 2), (size_t)sqlite3_column_bytes(p->block, 2)) != 0 ||
                    !find_tx(p, batch, q, &index)))
        rc = fail(p, -EILSEQ, missing);
    if (rc == 0) {
        for (size_t i = 0; i < batch->n_txs; i++)
            chain_merkle_leaf(batch->txs[i].data, batch->txs[i].len, &hashes[i]);
        struct chain_merkle_leaves leaves = {.hashes = hashes, .n = batch->n_txs};
        p->claim = (struct chain_proof_claim){.kind = CHAIN_PROOF_TX, .index = index, .n_txs = batch->n_txs, .tx = batch->txs[index].data,
                                              .tx_len = batch->txs[index].len};
        if (chain_merkle_prove(&leaves, index, &p->claim.path) != 0)
            rc = fail(p, -EILSEQ, missing);
        if (rc == 0)
            rc = take_epochs(p, height);
    }
    free(hashes);
    free(batch);
    return rc;
}

/* The state after a block: from the newest snapshot below on. */
static int load_state(struct prover *p, struct chain_ledger *l, uint64_t height)
{
    uint64_t from = 0;
    uint8_t *octets = NULL;
    size_t len;
    char why[CHAIN_STORE_MAX_ERROR];
    int rc = ask_number(p, "SELECT coalesce((SELECT max(height) FROM snapshots WHERE height <= ?), 0)", height, 0, &from);
    if (rc == 0 && from > 0) {
        rc = store_read_snapshot(p->db, from, &octets, &len, why);
        if (rc != 0 || chain_snapshot_load(l, octets, len) != 0)
            rc = fail(p, -EILSEQ, "%.120s", rc != 0 ? why : "a snapshot is damaged");
        free(octets);
    }
    struct chain_ledger_event *events = malloc(CHAIN_MAX_LEDGER_EVENTS * sizeof(*events));
    if (rc != 0 || !events) {
        free(events);
        return rc != 0 ? rc : fail(p, -ENOMEM, "out of memory");
    }
    sqlite3_stmt *query = NULL;
    int sql_rc = ask(p, &query, "SELECT batch FROM blocks WHERE height > ? AND height <= ? ORDER BY height", from, height);
    for (; rc == 0 && sql_rc == SQLITE_ROW; sql_rc = sqlite3_step(query)) {
        struct chain_header header;
        size_t n;
        if (chain_ledger_apply(l, sqlite3_column_blob(query, 0), (size_t)sqlite3_column_bytes(query, 0), false, &header, events,
                               CHAIN_MAX_LEDGER_EVENTS, &n) != 0)
            rc = fail(p, -EILSEQ, "a block cannot be executed: check it with airdeed ledger verify");
    }
    sqlite3_finalize(query);
    free(events);
    if (rc == 0 && sql_rc != SQLITE_DONE)
        return fail_sqlite(p);
    return rc;
}

/* A ledger at its genesis, for what is read; memory is the caller's to free. */
static int make_ledger(struct prover *p, void **mem_out, struct chain_ledger **out)
{
    size_t len = chain_ledger_bytes(&p->genesis);
    struct chain_signer signer = chain_signer_ed25519(&p->no_key);
    *mem_out = malloc(len);
    if (!*mem_out || chain_ledger_init(*mem_out, len, &p->genesis, &signer, out, NULL) != 0)
        return fail(p, -ENOMEM, "out of memory");
    return 0;
}

static bool is_tip(const struct chain_ledger *l, const void *header, size_t header_len)
{
    uint8_t octets[CHAIN_MAX_HEADER_BYTES];
    long len = chain_header_encode(chain_ledger_tip(l), octets, sizeof(octets));
    return len > 0 && (size_t)len == header_len && memcmp(octets, header, header_len) == 0;
}

static int prove_entry_of(struct prover *p, const struct chain_store_question *q, struct chain_ledger *l, uint64_t height)
{
    int rc = load_state(p, l, height);
    if (rc != 0)
        return rc;
    if (!is_tip(l, p->parts.header, p->parts.header_len))
        return fail(p, -EILSEQ, "block %llu is not what execution gives: check it with airdeed ledger verify", (unsigned long long)height);
    bool found = chain_ledger_find_entry(l, q->table, q->id, q->sub, &p->entry);
    p->claim.kind = found ? CHAIN_PROOF_ENTRY : CHAIN_PROOF_ABSENT;
    p->claim.table = q->table;
    p->claim.id = q->id;
    p->claim.sub = q->sub;
    p->claim.value = p->entry.value;
    p->claim.value_len = p->entry.value_len;
    chain_ledger_prove_entry(l, q->table, q->id, q->sub, &p->claim.map);
    return take_epochs(p, height);
}

static int prove_entry(struct prover *p, const struct chain_store_question *q)
{
    uint64_t height = 0;
    void *mem = NULL;
    struct chain_ledger *l;
    int rc = ask_number(p, "SELECT coalesce((SELECT max(height) FROM certificates), 0)", 0, 0, &height);
    if (rc == 0 && height == 0)
        rc = fail(p, -ENOENT, "no block is certified yet");
    if (rc == 0)
        rc = take_block(p, height);
    if (rc == 0)
        rc = make_ledger(p, &mem, &l);
    if (rc == 0)
        rc = prove_entry_of(p, q, l, height);
    free(mem);
    return rc;
}

/* Executed up to the newest block, whose row then has to say the same. */
static int read_tip(struct prover *p, struct chain_ledger *l)
{
    uint64_t height = 0;
    int rc = ask_number(p, "SELECT coalesce((SELECT max(height) FROM blocks), 0)", 0, 0, &height);
    if (rc == 0)
        rc = load_state(p, l, height);
    if (rc != 0 || height == 0)
        return rc;
    if (ask(p, &p->block, "SELECT header, state_root FROM blocks WHERE height=?", height, 0) != SQLITE_ROW)
        return fail_sqlite(p);
    const struct chain_hash *root = &chain_ledger_tip(l)->state_root;
    if (sqlite3_column_bytes(p->block, 1) != CHAIN_HASH_BYTES || memcmp(sqlite3_column_blob(p->block, 1), root->octets, CHAIN_HASH_BYTES) != 0 ||
        !is_tip(l, sqlite3_column_blob(p->block, 0), (size_t)sqlite3_column_bytes(p->block, 0)))
        return fail(p, -EILSEQ, "the state does not match the state root of block %llu: check it with airdeed ledger verify", (unsigned long long)height);
    return 0;
}

int chain_store_read_state(const char *path, void **mem_out, struct chain_ledger **out, char *error_out)
{
    struct prover *p;
    int rc = open_prover(path, error_out, &p);
    *mem_out = NULL;
    if (rc == 0)
        rc = make_ledger(p, mem_out, out);
    if (rc == 0)
        rc = read_tip(p, *out);
    close_prover(p);
    if (rc != 0) {
        free(*mem_out);
        *mem_out = NULL;
    }
    return rc;
}

/* The hashes of the headers below a height, as leaves; what was pruned is known from the base's snapshot. */
static int read_history(struct prover *p, struct chain_ledger *l, uint64_t below, struct chain_merkle *pruned, struct chain_hash *hashes)
{
    uint64_t n = 0;
    chain_merkle_init(pruned);
    if (p->base > 0) {
        uint8_t *octets;
        size_t len;
        char why[CHAIN_STORE_MAX_ERROR];
        if (store_read_snapshot(p->db, p->base, &octets, &len, why) != 0)
            return fail(p, -EILSEQ, "%.120s", why);
        int rc = chain_snapshot_load(l, octets, len);
        free(octets);
        if (rc != 0)
            return fail(p, -EILSEQ, "a snapshot is damaged");
        *pruned = l->below;
    } else {
        struct chain_hash genesis;
        chain_header_hash(chain_ledger_tip(l), &genesis);
        chain_merkle_leaf(genesis.octets, CHAIN_HASH_BYTES, &hashes[n++]);
    }
    sqlite3_stmt *query = NULL;
    int rc = ask(p, &query, "SELECT hash FROM blocks WHERE height >= ? AND height < ? ORDER BY height", p->base, below);
    for (; rc == SQLITE_ROW && n < below - p->base; rc = sqlite3_step(query))
        chain_merkle_leaf(sqlite3_column_blob(query, 0), (size_t)sqlite3_column_bytes(query, 0), &hashes[n++]);
    sqlite3_finalize(query);
    return n == below - p->base ? 0 : fail(p, -ENOENT, "blocks are missing");
}

static int prove_consistency_of(struct prover *p, const struct chain_store_question *q, struct chain_ledger *l, struct chain_hash *hashes)
{
    struct chain_merkle pruned;
    uint8_t genesis_header[CHAIN_MAX_HEADER_BYTES];
    long genesis_len = chain_header_encode(chain_ledger_tip(l), genesis_header, sizeof(genesis_header));
    int rc = read_history(p, l, q->later, &pruned, hashes);
    if (rc != 0)
        return rc;
    struct chain_merkle_leaves leaves = {.below = &pruned, .hashes = hashes, .n = q->later};
    p->claim.kind = CHAIN_PROOF_CONSISTENCY;
    if (q->earlier > 0 && ask(p, &p->earlier, "SELECT header FROM blocks WHERE height=?", q->earlier, 0) != SQLITE_ROW)
        return fail(p, -ENOENT, q->earlier < p->base ? "block %llu was pruned" : "there is no block %llu", (unsigned long long)q->earlier);
    if (q->earlier > 0) {
        p->claim.earlier = sqlite3_column_blob(p->earlier, 0);
        p->claim.earlier_len = (size_t)sqlite3_column_bytes(p->earlier, 0);
    } else { /* the genesis header is made, not stored */
        memcpy(p->entry.value, genesis_header, (size_t)genesis_len);
        p->claim.earlier = p->entry.value;
        p->claim.earlier_len = (size_t)genesis_len;
    }
    if (chain_merkle_prove(&leaves, q->earlier, &p->claim.path) != 0 ||
        (q->earlier > 0 && chain_merkle_prove_consistency(&leaves, q->earlier, &p->claim.history) != 0))
        return fail(p, -ENOENT, "block %llu lies below what is kept", (unsigned long long)q->earlier);
    return take_epochs(p, q->later);
}

static int prove_consistency(struct prover *p, const struct chain_store_question *q)
{
    if (q->earlier >= q->later)
        return fail(p, -ENOENT, "the first height has to be below the second one");
    int rc = take_block(p, q->later);
    if (rc != 0)
        return rc;
    void *mem = NULL;
    struct chain_hash *hashes = calloc(q->later - p->base + 1, sizeof(*hashes));
    struct chain_ledger *l;
    rc = hashes ? make_ledger(p, &mem, &l) : fail(p, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = prove_consistency_of(p, q, l, hashes);
    free(hashes);
    free(mem);
    return rc;
}

static int write_proof(struct prover *p, uint8_t **out, size_t *len_out)
{
    p->parts.genesis = p->genesis_octets;
    p->parts.genesis_len = p->genesis_len;
    p->parts.epochs = p->epochs;
    p->parts.claim = &p->claim;
    *out = malloc(MAX_PROOF_BYTES);
    long len = *out ? chain_proof_encode(&p->parts, *out, MAX_PROOF_BYTES) : -ENOMEM;
    if (len < 0) {
        free(*out);
        return fail(p, -ENOMEM, "the proof takes too much memory");
    }
    *len_out = (size_t)len;
    return 0;
}

int chain_store_prove(const char *path, const struct chain_store_question *q, uint8_t **out, size_t *len_out, char *error_out)
{
    struct prover *p;
    int rc = open_prover(path, error_out, &p);
    if (rc == 0)
        rc = q->kind == CHAIN_PROOF_TX ? prove_tx(p, q) : q->kind == CHAIN_PROOF_CONSISTENCY ? prove_consistency(p, q) : prove_entry(p, q);
    if (rc == 0)
        rc = write_proof(p, out, len_out);
    close_prover(p);
    return rc;
}

int chain_store_read_genesis(const char *path, uint8_t out[CHAIN_MAX_GENESIS_BYTES], size_t *len_out, char *error_out)
{
    struct prover *p;
    int rc = open_prover(path, error_out, &p);
    if (rc == 0) {
        memcpy(out, p->genesis_octets, p->genesis_len);
        *len_out = p->genesis_len;
    }
    close_prover(p);
    return rc;
}
