/* What a database costs: its size beside the transactions that it holds, how long it takes to open, and how fast it is verified beside bare
 * Ed25519. Single-operation envelopes of 256-octet values, four PBFT members, blocks as full as the genesis block allows.
 * bench_ledger_store [TRANSACTIONS [VERIFIED]]: 1,000,000 and 50,000. One JSON object on stdout. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "chain/store/store.h"
#include "chain/tx.h"
#include "tests/bench/cpu_name.h"

enum { N_MEMBERS = 4, N_SIGNERS = 3, VALUE_OCTETS = 256, N_KEYS_USED = 64, N_BARE = 20000, MAX_TX = 1024 };
static const int64_t MS = 1000000;
static const int64_t T0 = INT64_C(1577836800) * 1000000000;

static struct chain_ed25519 keys[N_MEMBERS];
static struct chain_genesis genesis;
static struct chain_node_update update;
static struct chain_ledger_event events[CHAIN_MAX_LEDGER_EVENTS];
static uint8_t octets[CHAIN_MAX_BATCH_BYTES], batch[CHAIN_MAX_BATCH_BYTES], header_octets[CHAIN_MAX_HEADER_BYTES], cert[CHAIN_MAX_CERT_BYTES];
static char folder[64];

struct writer {
    struct chain_ledger *ledger;
    void *mem;
    struct chain_store *store;
    uint64_t nonces[N_MEMBERS], n_txs, tx_octets, n_refused;
    struct chain_batch_view view;
    size_t used;
};

static void require(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench_ledger_store: %s failed\n", what);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void make_genesis(void)
{
    genesis = (struct chain_genesis){.name = "bench", .engine = "pbft", .time_ns = T0, .members = {.n = N_MEMBERS, .n_keys = N_MEMBERS},
                                     .n_channels = 2, .quiet_period_ns = 250 * MS, .quiet_length_ns = 10 * MS, .max_skew_ns = MS,
                                     .transmit_expire_ns = 2400 * MS, .heartbeat_ns = 600 * MS, .stop_ns = 600 * MS, .grant_ns = 60000 * MS,
                                     .drift_guard_ns = MS, .max_eirp_cdbm_mhz = 3000, .local_p_fa_ppb = 100000, .fuse_min_positive = 2,
                                     .white_after = 3, .fuse_after_ns = 150 * MS, .min_block_interval_ns = 5 * MS, .max_ahead_ns = 20 * MS,
                                     .max_batch_bytes = 32768, .put_keys = N_KEYS_USED};
    for (uint32_t c = 0; c < 2; c++)
        genesis.channels[c] = (struct chain_channel){.low_hz = 5180000000 + c * UINT64_C(10000000), .high_hz = 5190000000 + c * UINT64_C(10000000),
                                                     .control = c == 0};
    for (uint32_t i = 0; i < N_MEMBERS; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1)};
        chain_ed25519_from_seed(seed, genesis.members.keys[i], keys[i].secret);
    }
    chain_members_seat_in_order(&genesis.members);
    const char *bad = "";
    require(chain_genesis_finish(&genesis, NULL, &bad) == 0, bad);
}

static void open_writer(struct writer *w, const char *path)
{
    char error[CHAIN_STORE_MAX_ERROR] = "";
    size_t len = chain_ledger_bytes(&genesis);
    struct chain_signer signer = chain_signer_ed25519(&keys[0]);
    struct chain_store_owner owner = {0, "n0"};
    memset(w, 0, sizeof *w);
    w->mem = malloc(len);
    require(w->mem && chain_ledger_init(w->mem, len, &genesis, &signer, &w->ledger, NULL) == 0, "ledger");
    require(chain_store_open(path, &genesis, &owner, CHAIN_STORE_SYNC_OFF, &w->store, error) == 0, error);
}

static void certify(const struct chain_header *header, struct chain_node_block *block)
{
    struct chain_certificate c = {.signers = (1u << N_SIGNERS) - 1};
    struct chain_msg vote = {.kind = CHAIN_MSG_HEADER_VOTE, .seq = header->height};
    chain_header_hash(header, &vote.digest);
    for (uint32_t i = 0; i < N_SIGNERS; i++) {
        struct chain_signer signer = chain_signer_ed25519(&keys[i]);
        vote.author = i;
        require(signer.sign(signer.ctx, &genesis.members, &vote) == 0, "sign");
        memcpy(c.sigs[i], vote.sig, CHAIN_SIG_BYTES);
    }
    block->cert = cert;
    block->cert_len = (size_t)chain_certificate_encode(&c, cert, sizeof cert);
    block->n_signers = N_SIGNERS;
}

/* Executes and stores what was added: the block in one turn, its certificate in the next. */
static void close_block(struct writer *w)
{
    char error[CHAIN_STORE_MAX_ERROR] = "";
    struct chain_header header;
    if (w->view.n_txs == 0)
        return;
    w->view.time_ns = T0 + (int64_t)(chain_ledger_height(w->ledger) + 1) * 20 * MS;
    size_t len = (size_t)chain_batch_encode(&w->view, batch, sizeof batch);
    require(chain_ledger_apply(w->ledger, batch, len, false, &header, events, CHAIN_MAX_LEDGER_EVENTS, &update.n_events) == 0, "apply");
    for (size_t i = 0; i < update.n_events; i++)
        w->n_refused += events[i].kind == CHAIN_LE_REFUSED;
    update.events = events;
    update.ledger = w->ledger;
    update.n_blocks = 1;
    update.blocks[0] = (struct chain_node_block){.height = header.height, .batch = batch, .batch_len = len, .header = header_octets};
    update.blocks[0].header_len = (size_t)chain_header_encode(&header, header_octets, sizeof header_octets);
    for (int turn = 0; turn < 2; turn++) {
        if (turn == 1) {
            update.blocks[0] = (struct chain_node_block){.height = header.height};
            certify(&header, &update.blocks[0]);
        }
        require(chain_store_begin(w->store, error) == 0 && chain_store_write(w->store, &update, error) == 0 &&
                    chain_store_commit(w->store, error) == 0, error);
    }
    w->view.n_txs = 0;
    w->used = 0;
}

static void add_op(struct writer *w, uint32_t author, const struct chain_op *op)
{
    uint8_t body[CHAIN_MAX_OP_BYTES + 8];
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = author, .seq = ++w->nonces[author], .body = body};
    struct chain_signer signer = chain_signer_ed25519(&keys[author]);
    msg.body_len = (size_t)chain_tx_encode(op, 1, body, sizeof body);
    require(chain_msg_digest(&genesis.members, msg.kind, body, msg.body_len, &msg.digest) == 0, "digest");
    require(signer.sign(signer.ctx, &genesis.members, &msg) == 0, "sign");
    if (w->view.n_txs == CHAIN_MAX_BATCH_TXS || w->used + 4 * w->view.n_txs + MAX_TX > genesis.max_batch_bytes)
        close_block(w);
    long len = chain_msg_encode(&genesis.members, &msg, octets + w->used, sizeof octets - w->used);
    require(len > 0, "encode");
    w->view.txs[w->view.n_txs].data = octets + w->used;
    w->view.txs[w->view.n_txs++].len = (size_t)len;
    w->used += (size_t)len;
    w->tx_octets += (uint64_t)len;
    w->n_txs++;
}

static void write_database(const char *path, uint64_t n, struct writer *w)
{
    open_writer(w, path);
    for (uint32_t i = 0; i < N_MEMBERS; i++) {
        struct chain_op reg = {.kind = CHAIN_OP_REGISTER, .reg = {.call_sign = "BENCH", .lat_e7 = 480000000, .lon_e7 = 110000000}};
        add_op(w, i, &reg);
    }
    close_block(w);
    uint8_t value[VALUE_OCTETS];
    struct chain_op op = {.kind = CHAIN_OP_PUT, .put = {.value = value, .value_len = sizeof value}};
    for (uint64_t i = 0; i < n; i++) {
        op.put.key = (uint32_t)(i / N_MEMBERS % N_KEYS_USED);
        for (size_t k = 0; k < VALUE_OCTETS; k += 8) { /* nothing that could be packed */
            uint64_t z = (i * 64 + k + 1) * UINT64_C(0x9e3779b97f4a7c15);
            z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
            memcpy(value + k, &z, 8);
        }
        add_op(w, (uint32_t)(i % N_MEMBERS), &op);
    }
    close_block(w);
    chain_store_close(w->store);
    if (w->n_refused > 0)
        fprintf(stderr, "bench_ledger_store: %llu of the operations were refused\n", (unsigned long long)w->n_refused);
}

static double time_opening(const char *path)
{
    char error[CHAIN_STORE_MAX_ERROR] = "";
    struct chain_store *store;
    struct chain_store_owner owner = {0, "n0"};
    double start = seconds(CLOCK_MONOTONIC);
    require(chain_store_open(path, &genesis, &owner, CHAIN_STORE_SYNC_FULL, &store, error) == 0, error);
    struct chain_node_config cfg = {.self = 0, .genesis = &genesis, .signer = chain_signer_ed25519(&keys[0]), .engine = chain_engine_find("pbft"),
                                    .engine_heartbeat_ns = 50 * MS, .engine_timeout_ns = 500 * MS, .engine_timeout_max_ns = 8000 * MS,
                                    .gossip_ns = 100 * MS, .status_ns = 200 * MS, .propose_delay_ns = MS, .mempool_txs = 1024,
                                    .read_block = chain_store_read_block, .read_block_ctx = store};
    size_t len = chain_node_bytes(&cfg);
    void *mem = malloc(len);
    struct chain_node *node;
    const char *bad = "node";
    require(mem && chain_node_init(mem, len, &cfg, &node, &bad) == 0, bad);
    require(chain_store_restore(store, node, T0 + INT64_C(1000000000000), error) == 0, error);
    double took = seconds(CLOCK_MONOTONIC) - start;
    chain_node_close(node);
    chain_store_close(store);
    free(mem);
    return took;
}

/* Verifications a second of this run's processor, of messages like a transaction's. */
static double time_bare(void)
{
    static struct chain_msg msgs[64];
    struct chain_signer signer = chain_signer_ed25519(&keys[0]);
    for (uint64_t i = 0; i < 64; i++) {
        msgs[i] = (struct chain_msg){.kind = CHAIN_MSG_TX, .seq = i, .digest = {{(uint8_t)i}}};
        require(signer.sign(signer.ctx, &genesis.members, &msgs[i]) == 0, "sign");
    }
    uint8_t preimage[CHAIN_PREIMAGE_BYTES];
    double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < N_BARE; i++) {
        size_t len = chain_msg_preimage(&genesis.members, &msgs[i % 64], preimage);
        require(crypto_sign_verify_detached(msgs[i % 64].sig, preimage, len, genesis.members.keys[0]) == 0, "verify");
    }
    return N_BARE / (seconds(CLOCK_PROCESS_CPUTIME_ID) - start);
}

static double time_verification(const char *path, uint64_t n)
{
    struct chain_store_verdict verdict;
    char error[CHAIN_STORE_MAX_ERROR] = "";
    double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    require(chain_store_verify(path, &verdict, error) == 0, error);
    double took = seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    require(verdict.ok && verdict.n_transactions >= n, verdict.first_fault);
    return (double)verdict.n_transactions / took;
}

static void print_row(const char *name, double value, const char *unit, const char *peer, double peer_value)
{
    printf("{\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\", ", name, value, unit);
    if (peer)
        printf("\"peer\": \"%s\", \"peer_value\": %.6g, \"ratio\": %.4g}", peer, peer_value, value / peer_value);
    else
        printf("\"peer\": null, \"peer_value\": null, \"ratio\": null}");
}

int main(int argc, char **argv)
{
    static struct writer w;
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, n_verified = argc > 2 ? strtoull(argv[2], NULL, 10) : 50000;
    char big[96], small[96], command[128];
    struct stat st;
    require(sodium_init() >= 0, "sodium");
    make_genesis();
    snprintf(folder, sizeof folder, "/tmp/airdeed-bench-XXXXXX");
    require(mkdtemp(folder) != NULL, "mkdtemp");
    snprintf(big, sizeof big, "%s/big.db", folder);
    snprintf(small, sizeof small, "%s/small.db", folder);
    write_database(small, n_verified, &w);
    free(w.mem);
    double bare = time_bare(), verified = time_verification(small, n_verified);
    bare = (bare + time_bare()) / 2;
    write_database(big, n, &w);
    require(stat(big, &st) == 0, "stat");
    double opening = time_opening(big);
    char cpu[200];
    read_cpu_name(cpu, sizeof cpu);
    printf("{\"bench\": \"ledger_store\", \"version\": \"%s\", \"cpu\": \"%s\", \"results\": [", AIRDEED_VERSION, cpu);
    print_row("verify_ledger", verified, "envelopes/s", "Ed25519 verifications", bare);
    printf(", ");
    print_row("store_1m", (double)st.st_size, "octets", "transactions encoded", (double)w.tx_octets);
    printf(", ");
    print_row("store_1m_open_s", opening, "s", NULL, 0);
    printf("]}\n");
    free(w.mem);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? 0 : 1;
}
