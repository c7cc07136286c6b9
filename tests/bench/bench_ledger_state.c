/* What executing a block costs: four stations, tables empty or full. One JSON object on stdout. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chain/ledger.h"
#include "tests/bench/cpu_name.h"

enum { N_STATIONS = 4, N_BLOCKS = 3000 };
static const int64_t MS = 1000000;
static const int64_t T0 = INT64_C(1577836800) * 1000000000;

static struct chain_ed25519 keys[N_STATIONS];
static struct chain_genesis genesis;
static struct chain_ledger *ledger;
static uint64_t nonces[N_STATIONS];
static struct chain_batch_view view;
static uint8_t octets[1 << 16], batch[CHAIN_MAX_BATCH_BYTES];
static size_t octets_len;
static struct chain_ledger_event events[CHAIN_MAX_LEDGER_EVENTS];

static int accept_signature(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    (void)ctx, (void)members, (void)msg;
    return 0;
}

static void add_op(uint32_t author, const struct chain_op *op)
{
    uint8_t body[CHAIN_MAX_OP_BYTES + 1];
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = author, .seq = ++nonces[author], .body = body};
    msg.body_len = (size_t)chain_tx_encode(op, 1, body, sizeof body);
    struct chain_signer signer = chain_signer_ed25519(&keys[author]);
    if (chain_msg_digest(&genesis.members, msg.kind, body, msg.body_len, &msg.digest) != 0 ||
        signer.sign(signer.ctx, &genesis.members, &msg) != 0)
        exit(1);
    long len = chain_msg_encode(&genesis.members, &msg, octets + octets_len, sizeof octets - octets_len);
    view.txs[view.n_txs].data = octets + octets_len;
    view.txs[view.n_txs++].len = (size_t)len;
    octets_len += (size_t)len;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Executes what was added and returns its processor time. */
static double run_block(int64_t at_ns, bool verify)
{
    struct chain_header header;
    size_t n;
    view.time_ns = T0 + at_ns;
    size_t len = (size_t)chain_batch_encode(&view, batch, sizeof batch);
    double start = seconds();
    if (chain_ledger_apply(ledger, batch, len, verify, &header, events, CHAIN_MAX_LEDGER_EVENTS, &n) != 0)
        exit(1);
    double took = seconds() - start;
    view.n_txs = 0;
    octets_len = 0;
    return took;
}

static void make_genesis(void)
{
    struct chain_genesis g = {.name = "bench", .engine = "pbft", .time_ns = T0, .n_channels = 4};
    g.members.n = g.members.n_keys = N_STATIONS;
    for (uint32_t i = 0; i < N_STATIONS; i++) {
        uint8_t seed[32] = {(uint8_t)i};
        chain_ed25519_from_seed(seed, g.members.keys[i], keys[i].secret);
        g.channels[i] = (struct chain_channel){.low_hz = (i + 1) * UINT64_C(10000000), .high_hz = (i + 2) * UINT64_C(10000000)};
        g.channels[i].control = i == 0;
    }
    g.quiet_period_ns = 250 * MS;
    g.quiet_length_ns = 10 * MS;
    g.max_skew_ns = MS;
    g.transmit_expire_ns = 2400 * MS;
    g.heartbeat_ns = g.stop_ns = 600 * MS;
    g.grant_ns = 600000 * MS;
    g.local_p_fa_ppb = 100000;
    g.fuse_min_positive = 2;
    g.white_after = 3;
    g.fuse_after_ns = 150 * MS;
    g.max_batch_bytes = CHAIN_MAX_BATCH_BYTES;
    if (chain_genesis_finish(&g, NULL, NULL) != 0)
        exit(1);
    genesis = g;
}

/* Sensing of window k by everybody: commitments, then reveals; adds up what the two blocks took. */
static double sense(uint64_t k, bool verify)
{
    double took = 0;
    for (int phase = 0; phase < 2; phase++) {
        for (uint32_t i = 0; i < N_STATIONS; i++) {
            struct chain_op reveal = {.kind = CHAIN_OP_SENSE_REVEAL, .reveal = {.n_channels = 4}};
            reveal.reveal.window = (uint64_t)(T0 / genesis.quiet_period_ns) + k;
            struct chain_op commit = {.kind = CHAIN_OP_SENSE_COMMIT, .commit = {.window = reveal.reveal.window}};
            chain_sense_commitment(i, &reveal.reveal, &commit.commit.commitment);
            add_op(i, phase == 0 ? &commit : &reveal);
        }
        took += run_block((int64_t)k * genesis.quiet_period_ns + (20 + 20 * phase) * MS, verify);
    }
    return took;
}

static void fill_tables(uint64_t *k)
{
    for (uint64_t id = 1; id <= CHAIN_MAX_GRANTS; id++) {
        int64_t at_ns = (int64_t)*k * genesis.quiet_period_ns + 100 * MS;
        struct chain_op op = {.kind = CHAIN_OP_GRANT, .grant = {.low_hz = 20000000, .high_hz = 30000000}};
        struct chain_op over = {.kind = CHAIN_OP_RELINQUISH, .lease = {.grant_id = id}};
        struct chain_op seen = {.kind = CHAIN_OP_EVIDENCE, .evidence = {.kind = (uint8_t)id, .from_ns = T0, .at_ns = T0 + 1}};
        add_op(0, &op);
        add_op(0, &over);
        add_op(1, &seen);
        run_block(at_ns, false);
        sense(++*k, false);
    }
}

static double mean_us(uint64_t *k, bool verify)
{
    double took = 0;
    for (int i = 0; i < N_BLOCKS / 2; i++)
        took += sense(++*k, verify);
    return 1e6 * took / N_BLOCKS;
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    make_genesis();
    struct chain_signer signer = {.verify = accept_signature};
    size_t len = chain_ledger_bytes(&genesis);
    if (chain_ledger_init(malloc(len), len, &genesis, &signer, &ledger, NULL) != 0)
        return 1;
    for (uint32_t i = 0; i < N_STATIONS; i++) {
        struct chain_op op = {.kind = CHAIN_OP_REGISTER, .reg = {.call_sign = "N0CALL"}};
        add_op(i, &op);
    }
    run_block(MS, false);
    uint64_t k = 0;
    double empty_us = mean_us(&k, false);
    fill_tables(&k);
    double full_us = mean_us(&k, false);
    double start = seconds();
    for (int i = 0; i < N_BLOCKS; i++)
        run_block((int64_t)++k * genesis.quiet_period_ns, false);
    double idle_us = 1e6 * (seconds() - start) / N_BLOCKS;
    char cpu[200];
    read_cpu_name(cpu, sizeof cpu);
    printf("{\"bench\": \"ledger_state\", \"version\": \"%s\", \"cpu\": \"%s\", \"results\": ["
           "{\"name\": \"block_4_txs_empty_tables\", \"value\": %.2f, \"unit\": \"us\", \"peer\": null, \"peer_value\": null, \"ratio\": null}, "
           "{\"name\": \"block_4_txs_64_grants_64_evidence\", \"value\": %.2f, \"unit\": \"us\", \"peer\": null, \"peer_value\": null, "
           "\"ratio\": null}, "
           "{\"name\": \"block_0_txs_64_grants_64_evidence\", \"value\": %.2f, \"unit\": \"us\", \"peer\": null, \"peer_value\": null, "
           "\"ratio\": null}]}\n",
           AIRDEED_VERSION, cpu, empty_us, full_us, idle_us);
    return 0;
}
