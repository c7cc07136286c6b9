/* A chain made by hand, and its database: certified blocks that hold what a test puts there, in a folder of their own. */
#ifndef TESTS_UNIT_CHAIN_HAND_CHAIN_H
#define TESTS_UNIT_CHAIN_HAND_CHAIN_H

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "chain/store/store.h"
#include "chain/tx.h"
#include "tests/unit/chain/ledger_fixture.h"

static char folder[64], path[128];

static inline void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/airdeed-work-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.db", folder);
}

static inline void tear_down(void)
{
    char command[160];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static inline struct chain_store *open_store(const struct chain_genesis *g, enum chain_store_sync sync, const struct chain_store_policy *policy)
{
    char error[CHAIN_STORE_MAX_ERROR] = "";
    struct chain_store *s = NULL;
    struct chain_store_owner owner = {0, "n0"};
    ck_assert_msg(chain_store_open(path, g, &owner, sync, &s, error) == 0, "%s", error);
    if (policy)
        chain_store_set_policy(s, policy);
    return s;
}

static inline struct chain_store_verdict verify(void)
{
    struct chain_store_verdict v;
    char error[CHAIN_STORE_MAX_ERROR] = "";
    ck_assert_msg(chain_store_verify(path, &v, error) == 0, "%s", error);
    return v;
}

static inline int64_t ask(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

static inline void execute_sql(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* A chain made by hand: certified blocks of transactions that nobody can decode, which costs no signatures but the blocks'. */
static struct chain {
    struct keyring ring;
    struct chain_genesis genesis;
    struct chain_ledger *ledger;
    struct chain_node_update update;
    struct chain_ledger_event events[CHAIN_MAX_LEDGER_EVENTS];
    uint8_t batch[CHAIN_MAX_BATCH_BYTES], header[CHAIN_MAX_HEADER_BYTES], cert[CHAIN_MAX_CERT_BYTES];
} *chain;

static inline void start_chain_of(struct chain_genesis *g)
{
    chain->genesis = *g;
    size_t len = chain_ledger_bytes(&chain->genesis);
    struct chain_signer signer = chain_signer_ed25519(&chain->ring.keys[0]);
    ck_assert_int_eq(chain_ledger_init(malloc(len), len, &chain->genesis, &signer, &chain->ledger, NULL), 0);
}

static inline void start_chain(void)
{
    chain = calloc(1, sizeof *chain);
    struct chain_genesis g = make_genesis(&chain->ring, 4);
    start_chain_of(&g);
}

static inline void end_chain(void)
{
    free(chain->ledger);
    free(chain);
}

static inline int write_turn(struct chain_store *s, char *error)
{
    int rc = chain_store_begin(s, error);
    if (rc == 0)
        rc = chain_store_write(s, &chain->update, error);
    if (rc == 0)
        rc = chain_store_commit(s, error);
    return rc;
}

static inline void add_view(struct chain_store *s, struct chain_batch_view *view)
{
    char error[CHAIN_STORE_MAX_ERROR] = "";
    struct chain_header header;
    struct chain_members members = *chain_ledger_members(chain->ledger); /* of the block's epoch */
    uint64_t height = chain_ledger_height(chain->ledger) + 1;
    view->time_ns = T0 + (int64_t)height * 20 * MS;
    size_t len = (size_t)chain_batch_encode(view, chain->batch, sizeof chain->batch);
    chain->update.events = chain->events;
    ck_assert_int_eq(chain_ledger_apply(chain->ledger, chain->batch, len, false, &header, chain->events, CHAIN_MAX_LEDGER_EVENTS,
                                        &chain->update.n_events), 0);
    struct chain_certificate c = {.signers = 7};
    struct chain_msg vote = {.kind = CHAIN_MSG_HEADER_VOTE, .seq = height};
    chain_header_hash(&header, &vote.digest);
    for (uint32_t i = 0; i < 3; i++) {
        struct chain_signer signer = chain_signer_ed25519(&chain->ring.keys[members.seats[i]]);
        vote.author = i;
        ck_assert_int_eq(signer.sign(signer.ctx, &members, &vote), 0);
        memcpy(c.sigs[i], vote.sig, CHAIN_SIG_BYTES);
    }
    chain->update.ledger = chain->ledger;
    chain->update.n_blocks = 1;
    chain->update.blocks[0] = (struct chain_node_block){.height = height, .batch = chain->batch, .batch_len = len, .header = chain->header,
                                                        .cert = chain->cert, .n_signers = 3};
    chain->update.blocks[0].header_len = (size_t)chain_header_encode(&header, chain->header, sizeof chain->header);
    chain->update.blocks[0].cert_len = (size_t)chain_certificate_encode(&c, chain->cert, sizeof chain->cert);
    ck_assert_msg(write_turn(s, error) == 0, "%s", error);
}

static inline void add_block(struct chain_store *s, size_t n_txs)
{
    static struct chain_batch_view view;
    static uint8_t junk[256];
    uint64_t height = chain_ledger_height(chain->ledger) + 1;
    view.n_txs = n_txs;
    for (size_t i = 0; i < n_txs; i++) {
        view.txs[i].data = junk;
        view.txs[i].len = sizeof junk;
    }
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (uint8_t)(height * 31 + i * i);
    add_view(s, &view);
}

/* One operation of a key, signed. */
static inline void add_op_block(struct chain_store *s, uint32_t author, const struct chain_op *op)
{
    static uint64_t nonce;
    static struct chain_batch_view view;
    uint8_t body[CHAIN_MAX_OP_BYTES], tx[1024];
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = author, .seq = ++nonce, .body = body};
    struct chain_signer signer = chain_signer_ed25519(&chain->ring.keys[author]);
    msg.body_len = (size_t)chain_tx_encode(op, 1, body, sizeof body);
    ck_assert_int_eq(chain_msg_digest(&chain->genesis.members, msg.kind, body, msg.body_len, &msg.digest), 0);
    ck_assert_int_eq(signer.sign(signer.ctx, &chain->genesis.members, &msg), 0);
    view.n_txs = 1;
    view.txs[0].data = tx;
    view.txs[0].len = (size_t)chain_msg_encode(&chain->genesis.members, &msg, tx, sizeof tx);
    add_view(s, &view);
    ck_assert_int_eq(chain->events[chain->update.n_events - 1].code, CHAIN_SUCCESS);
}
#endif
