/* A ledger of a few stations on four channels, driven block by block. Virtual time 0 is 2020-01-01; signatures are real where a
 * test asks for it. */
#ifndef TESTS_UNIT_CHAIN_LEDGER_FIXTURE_H
#define TESTS_UNIT_CHAIN_LEDGER_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "chain/ledger.h"
#include "tests/unit/chain/members.h"

#define MS INT64_C(1000000)
#define T0 (INT64_C(1577836800) * 1000 * MS)

static inline int accept_signature(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    (void)ctx, (void)members, (void)msg;
    return 0;
}

static inline struct chain_genesis make_genesis(struct keyring *ring, uint32_t n)
{
    make_keyring(ring, n, n);
    struct chain_genesis g = {.name = "test",
                              .engine = "pbft",
                              .time_ns = T0,
                              .members = ring->members,
                              .n_channels = 4,
                              .quiet_period_ns = 250 * MS,
                              .quiet_length_ns = 10 * MS,
                              .max_skew_ns = 1 * MS,
                              .transmit_expire_ns = 2400 * MS,
                              .heartbeat_ns = 600 * MS,
                              .stop_ns = 600 * MS,
                              .grant_ns = 60000 * MS,
                              .drift_guard_ns = 1 * MS,
                              .max_eirp_cdbm_mhz = 3000,
                              .local_p_fa_ppb = 100000,
                              .fuse_min_positive = 2,
                              .white_after = 3,
                              .fuse_after_ns = 150 * MS,
                              .min_block_interval_ns = 5 * MS,
                              .max_ahead_ns = 20 * MS,
                              .max_batch_bytes = 16384};
    for (uint32_t c = 0; c < 4; c++)
        g.channels[c] = (struct chain_channel){.low_hz = 5180000000 + c * UINT64_C(10000000),
                                               .high_hz = 5190000000 + c * UINT64_C(10000000),
                                               .control = c == 0,
                                               .quiet_phase_ns = 100 * MS};
    const char *bad = NULL;
    ck_assert_msg(chain_genesis_finish(&g, NULL, &bad) == 0, "%s", bad ? bad : "");
    ring->members = g.members;
    return g;
}

/* Channels 1 and 2 of the four. */
static inline void give_hop_set(struct chain_genesis *g)
{
    g->channels[1].hop = g->channels[2].hop = true;
    g->hop_dwell_ns = 50 * MS;
    g->hop_rendezvous_every = 4;
    g->hop_hold_off_ns = 3000 * MS;
}

struct bench {
    struct keyring ring;
    struct chain_genesis genesis;
    struct chain_ledger *ledger;
    bool sign; /* real signatures, verified */
    uint64_t next_nonce[CHAIN_MAX_KEYS];
    /* the batch in the making */
    struct chain_batch_view view;
    uint8_t txs[CHAIN_MAX_BATCH_TXS * 640];
    size_t txs_len;
    uint8_t batch[CHAIN_MAX_BATCH_BYTES];
    size_t batch_len;
    /* the last block */
    struct chain_header header;
    struct chain_ledger_event events[CHAIN_MAX_LEDGER_EVENTS];
    size_t n_events;
};

static inline struct chain_signer bench_signer(struct bench *b)
{
    if (b->sign)
        return chain_signer_ed25519(&b->ring.keys[0]);
    return (struct chain_signer){.verify = accept_signature};
}

static inline void bench_start(struct bench *b)
{
    struct chain_signer signer = bench_signer(b);
    const char *bad = NULL;
    size_t len = chain_ledger_bytes(&b->genesis);
    free(b->ledger);
    b->ledger = NULL;
    void *mem = malloc(len);
    ck_assert_msg(chain_ledger_init(mem, len, &b->genesis, &signer, &b->ledger, &bad) == 0, "%s", bad ? bad : "");
}

static inline struct bench *bench_open(uint32_t n)
{
    struct bench *b = calloc(1, sizeof *b);
    b->genesis = make_genesis(&b->ring, n);
    bench_start(b);
    return b;
}

static inline void bench_close(struct bench *b)
{
    free(b->ledger);
    free(b);
}

static inline void add_raw(struct bench *b, const uint8_t *data, size_t len)
{
    ck_assert_uint_lt(b->view.n_txs, CHAIN_MAX_BATCH_TXS);
    ck_assert_uint_le(b->txs_len + len, sizeof b->txs);
    memcpy(b->txs + b->txs_len, data, len);
    b->view.txs[b->view.n_txs].data = b->txs + b->txs_len;
    b->view.txs[b->view.n_txs++].len = len;
    b->txs_len += len;
}

static inline size_t make_tx(struct bench *b, uint32_t author, uint64_t nonce, const uint8_t *body, size_t len, uint8_t *out, size_t cap)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = author, .seq = nonce, .body = body, .body_len = len};
    ck_assert_int_eq(chain_msg_digest(&b->genesis.members, msg.kind, body, len, &msg.digest), 0);
    if (b->sign)
        sign_msg(&b->ring, &msg);
    long n = chain_msg_encode(&b->genesis.members, &msg, out, cap);
    ck_assert_int_gt(n, 0);
    return (size_t)n;
}

static inline void add_body(struct bench *b, uint32_t author, const uint8_t *body, size_t len)
{
    uint8_t tx[CHAIN_MAX_OP_BYTES + 256];
    size_t n = make_tx(b, author, ++b->next_nonce[author], body, len, tx, sizeof tx);
    add_raw(b, tx, n);
}

static inline void add_op(struct bench *b, uint32_t author, const struct chain_op *op)
{
    uint8_t body[CHAIN_MAX_OP_BYTES + 1];
    long len = chain_tx_encode(op, 1, body, sizeof body);
    ck_assert_int_gt(len, 0);
    add_body(b, author, body, (size_t)len);
}

static inline void encode_batch(struct bench *b, int64_t time_ns)
{
    b->view.time_ns = time_ns;
    long len = chain_batch_encode(&b->view, b->batch, sizeof b->batch);
    ck_assert_int_gt(len, 0);
    b->batch_len = (size_t)len;
    b->view.n_txs = 0;
    b->txs_len = 0;
}

/* Executes what was added, at T0 + at_ns. */
static inline void run_block(struct bench *b, int64_t at_ns)
{
    encode_batch(b, T0 + at_ns);
    ck_assert_int_eq(chain_ledger_apply(b->ledger, b->batch, b->batch_len, b->sign, &b->header, b->events, CHAIN_MAX_LEDGER_EVENTS,
                                        &b->n_events),
                     0);
}

static inline const struct chain_ledger_event *find_event(const struct bench *b, enum chain_ledger_event_kind kind, size_t skip)
{
    for (size_t i = 0; i < b->n_events; i++)
        if (b->events[i].kind == kind && skip-- == 0)
            return &b->events[i];
    return NULL;
}

static inline size_t count_events(const struct bench *b, enum chain_ledger_event_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n_events; i++)
        n += b->events[i].kind == kind;
    return n;
}

/* One operation in a block of its own; returns its code. */
static inline enum chain_response run_op(struct bench *b, int64_t at_ns, uint32_t author, const struct chain_op *op)
{
    add_op(b, author, op);
    run_block(b, at_ns);
    const struct chain_ledger_event *tx = find_event(b, CHAIN_LE_TX, 0);
    ck_assert_ptr_nonnull(tx);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_REFUSED), tx->code != CHAIN_SUCCESS);
    return tx->code;
}

static inline struct chain_op op_register(void)
{
    return (struct chain_op){.kind = CHAIN_OP_REGISTER, .reg = {.call_sign = "N0CALL", .lat_e7 = 523000000, .lon_e7 = 132000000}};
}

static inline struct chain_op op_grant(const struct bench *b, uint32_t channel)
{
    struct chain_op op = {.kind = CHAIN_OP_GRANT};
    op.grant.low_hz = b->genesis.channels[channel].low_hz;
    op.grant.high_hz = b->genesis.channels[channel].high_hz;
    op.grant.max_eirp_cdbm_mhz = 2000;
    return op;
}

static inline struct chain_op op_lease(enum chain_op_kind kind, uint64_t id)
{
    return (struct chain_op){.kind = kind, .lease = {.grant_id = id}};
}

static inline struct chain_op op_reveal(const struct bench *b, uint32_t station, uint64_t window, uint32_t occupied_bits)
{
    struct chain_op op = {.kind = CHAIN_OP_SENSE_REVEAL};
    op.reveal.window = window;
    op.reveal.n_channels = b->genesis.n_channels;
    for (uint32_t c = 0; c < op.reveal.n_channels; c++) {
        op.reveal.occupied[c] = occupied_bits >> c & 1;
        op.reveal.power_cdb[c] = op.reveal.occupied[c] ? -3000 : -6000;
    }
    op.reveal.salt[0] = (uint8_t)station;
    return op;
}

static inline struct chain_op op_commit(uint32_t station, const struct chain_op *reveal)
{
    struct chain_op op = {.kind = CHAIN_OP_SENSE_COMMIT};
    op.commit.window = reveal->reveal.window;
    ck_assert_int_eq(chain_sense_commitment(station, &reveal->reveal, &op.commit.commitment), 0);
    return op;
}

static inline void register_all(struct bench *b, int64_t at_ns)
{
    struct chain_op op = op_register();
    for (uint32_t i = 0; i < b->genesis.members.n_keys; i++)
        add_op(b, i, &op);
    run_block(b, at_ns);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_REGISTERED), b->genesis.members.n_keys);
}

/* The number of the k-th window after T0, and when it ends after T0. */
static inline uint64_t window_number(const struct bench *b, uint64_t k)
{
    return (uint64_t)(T0 / b->genesis.quiet_period_ns) + k;
}

static inline int64_t window_end(const struct bench *b, uint64_t k)
{
    return (int64_t)k * b->genesis.quiet_period_ns + b->genesis.channels[0].quiet_phase_ns + b->genesis.quiet_length_ns;
}

/* Window k as every station with a bit in `who` reports it: two blocks, 10 and 20 ms after its end; the second one at half of fuse_after
 * where somebody who is waited for does not commit. */
static inline void sense_window(struct bench *b, uint64_t k, uint64_t who, const uint32_t *occupied_bits)
{
    for (int phase = 0; phase < 2; phase++) {
        for (uint32_t i = 0; i < b->genesis.members.n_keys; i++) {
            if (!(who >> i & 1))
                continue;
            struct chain_op reveal = op_reveal(b, i, window_number(b, k), occupied_bits[i]), commit = op_commit(i, &reveal);
            add_op(b, i, phase == 0 ? &commit : &reveal);
        }
        bool waits = phase == 1 && !chain_ledger_may_reveal(b->ledger, window_number(b, k), T0 + window_end(b, k));
        run_block(b, window_end(b, k) + (waits ? b->genesis.fuse_after_ns / 2 : (phase + 1) * 10 * MS));
    }
}

static inline void sense_windows(struct bench *b, uint64_t from, uint64_t to, uint32_t occupied_bits)
{
    uint32_t bits[CHAIN_MAX_KEYS];
    for (size_t i = 0; i < CHAIN_MAX_KEYS; i++)
        bits[i] = occupied_bits;
    for (uint64_t k = from; k < to; k++)
        sense_window(b, k, UINT64_MAX, bits);
}

static inline const struct chain_grant *grant_by_id(const struct bench *b, uint64_t id)
{
    for (size_t i = 0; i < chain_ledger_n_grants(b->ledger); i++)
        if (chain_ledger_grant(b->ledger, i)->id == id)
            return chain_ledger_grant(b->ledger, i);
    return NULL;
}
#endif
