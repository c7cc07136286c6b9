/* docs/wire/examples.txt: octets of each structure that goes over the wire or to disk, made here again by the encoders in use with
 * fixed keys. Where the wire changes, this fails; the new lines are printed, to be put there on purpose. */
#define SUITE_NAME "docs/wire"
#include "tests/unit/check_main.h"

#include <stdio.h>

#include "chain/cbor.h"
#include "chain/node.h"
#include "chain/ledger_state.h"
#include "chain/snapshot.h"
#include "tests/unit/chain/ledger_fixture.h"

enum { N = 4, MAX_EXAMPLES = 80, MAX_EXAMPLE_BYTES = 8192, MAX_FLYING = 256 };

static struct example {
    char name[40];
    uint8_t octets[MAX_EXAMPLE_BYTES];
    size_t len;
} examples[MAX_EXAMPLES];
static size_t n_examples;
static struct keyring ring;
static struct chain_genesis genesis;

/* Of several with one name the longest stays: it has the most in it. */
static void keep(const char *name, const uint8_t *octets, size_t len)
{
    struct example *e = examples;
    while (e < examples + n_examples && strcmp(e->name, name) != 0)
        e++;
    ck_assert_uint_lt((size_t)(e - examples), MAX_EXAMPLES);
    ck_assert_uint_le(len, MAX_EXAMPLE_BYTES);
    n_examples += e == examples + n_examples;
    if (len <= e->len)
        return;
    snprintf(e->name, sizeof e->name, "%s", name);
    memcpy(e->octets, octets, len);
    e->len = len;
}

static const char *name_of_kind(uint8_t kind)
{
    static const struct {
        uint8_t kind;
        const char *name;
    } names[] = {
        {CHAIN_MSG_TX, "message tx"}, {CHAIN_MSG_HEADER_VOTE, "message header-vote"}, {CHAIN_MSG_FETCH, "message fetch"},
        {CHAIN_MSG_BLOCK, "message block"}, {CHAIN_MSG_SNAPSHOT, "message snapshot"},
        {CHAIN_MSG_SNAPSHOT_ASK, "message snapshot-ask"}, {CHAIN_MSG_RAFT_APPEND, "message raft-append"},
        {CHAIN_MSG_RAFT_APPEND_REPLY, "message raft-append-reply"}, {CHAIN_MSG_RAFT_VOTE, "message raft-vote"},
        {CHAIN_MSG_RAFT_VOTE_REPLY, "message raft-vote-reply"}, {CHAIN_MSG_RAFT_TIMEOUT_NOW, "message raft-timeout-now"},
        {CHAIN_MSG_PBFT_PRE_PREPARE, "message pbft-pre-prepare"},
        {CHAIN_MSG_PBFT_PREPARE, "message pbft-prepare"}, {CHAIN_MSG_PBFT_COMMIT, "message pbft-commit"},
        {CHAIN_MSG_PBFT_VIEW_CHANGE, "message pbft-view-change"}, {CHAIN_MSG_PBFT_NEW_VIEW, "message pbft-new-view"},
        {CHAIN_MSG_PBFT_ASK, "message pbft-ask"}, {CHAIN_MSG_PBFT_PROOF, "message pbft-proof"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].kind == kind)
            return names[i].name;
    ck_abort_msg("kind %u has no name here", kind);
    return NULL;
}

/* --- engines: all steps at one instant, messages in order ------------------------------------------------------------------------- */

static struct {
    const struct chain_engine_ops *ops;
    uint32_t n;
    bool deaf[N];
    int64_t now_ns;
    struct chain_signer signers[N];
    void *mem[N];
    struct chain_engine *engines[N];
    struct chain_update out;
    struct {
        uint32_t to;
        size_t len;
        uint8_t octets[MAX_EXAMPLE_BYTES];
    } flying[MAX_FLYING];
    size_t n_flying;
} party;

static int accept_batch(void *ctx, uint64_t height, const uint8_t *batch, size_t len, int64_t now_ns)
{
    (void)ctx, (void)height, (void)batch, (void)len, (void)now_ns;
    return 0;
}

static void open_party(const struct chain_engine_ops *ops, uint32_t n)
{
    memset(&party, 0, sizeof party);
    party.ops = ops;
    party.n = n;
    party.now_ns = T0;
    for (uint32_t i = 0; i < n; i++) {
        party.signers[i] = chain_signer_ed25519(&ring.keys[i]);
        struct chain_engine_config cfg = {.seed = 1, .self = i, .members = &ring.members, .signer = &party.signers[i],
                                          .check_batch = accept_batch, .heartbeat_ns = 50 * MS, .timeout_ns = 400 * MS,
                                          .timeout_max_ns = 1600 * MS};
        party.mem[i] = malloc(ops->bytes(&cfg));
        ck_assert_int_eq(ops->init(party.mem[i], ops->bytes(&cfg), &cfg, &party.engines[i], NULL), 0);
    }
}

static void close_party(void)
{
    for (uint32_t i = 0; i < party.n; i++) {
        party.ops->close(party.engines[i]);
        free(party.mem[i]);
    }
}

static const char *name_of_row(uint64_t key)
{
    static const char *const slots[] = {"pbft-proposal-row", "pbft-quorum-row", "pbft-batch-row"};
    if (!party.ops->byzantine)
        return key == 1 ? "raft-term-row" : key == 2 ? "raft-base-row" : "raft-entry-row";
    if (key < 64)
        return key == 1 ? "pbft-view-row" : key == 2 ? "pbft-new-view-row" : "pbft-view-change-row";
    return slots[key % 4];
}

static void fly(uint32_t from, const struct chain_out_msg *sent)
{
    uint8_t octets[MAX_EXAMPLE_BYTES];
    long len = chain_msg_encode(&ring.members, &sent->msg, octets, sizeof octets);
    ck_assert_int_gt(len, 0);
    keep(name_of_kind(sent->msg.kind), octets, (size_t)len);
    for (uint32_t to = 0; to < party.n; to++) {
        if (to == from || party.deaf[to] || party.deaf[from] || (sent->to != CHAIN_TO_ALL && sent->to != to))
            continue;
        ck_assert_uint_lt(party.n_flying, MAX_FLYING);
        party.flying[party.n_flying].to = to;
        party.flying[party.n_flying].len = (size_t)len;
        memcpy(party.flying[party.n_flying++].octets, octets, (size_t)len);
    }
}

static void step(uint32_t i, struct chain_event event)
{
    event.now_ns = party.now_ns;
    party.ops->step(party.engines[i], &event, &party.out);
    for (size_t k = 0; k < party.out.n_records; k++)
        if (party.out.records[k].data)
            keep(name_of_row(party.out.records[k].key), party.out.records[k].data, party.out.records[k].len);
    for (size_t k = 0; k < party.out.n_msgs; k++)
        fly(i, &party.out.msgs[k]);
    if (party.out.persist_seq > 0)
        step(i, (struct chain_event){.kind = CHAIN_EV_PERSISTED, .persisted_seq = party.out.persist_seq});
}

static void deliver(void)
{
    for (size_t k = 0; k < party.n_flying; k++) {
        struct chain_msg msg;
        ck_assert_int_eq(chain_msg_decode(&ring.members, party.flying[k].octets, party.flying[k].len, &msg, NULL), 0);
        step(party.flying[k].to, (struct chain_event){.kind = CHAIN_EV_MESSAGE, .msg = &msg});
    }
    party.n_flying = 0;
}

static void pass(int64_t for_ns)
{
    party.now_ns += for_ns;
    for (uint32_t i = 0; i < party.n; i++)
        step(i, (struct chain_event){.kind = CHAIN_EV_TICK});
    deliver();
}

/* --- what the examples are about -------------------------------------------------------------------------------------------------- */

static uint8_t batch[1024], header[CHAIN_MAX_HEADER_BYTES], cert[CHAIN_MAX_CERT_BYTES], snapshot[4096];
static size_t batch_len, header_len, cert_len, snapshot_len;

/* Member 2 prepares two batches at one height. */
static struct chain_equivocation make_equivocation(void)
{
    struct chain_equivocation e = {.kind = CHAIN_MSG_PBFT_PREPARE, .author = 2, .view = 1, .seq = 9, .digest = {{{1}}, {{2}}}};
    for (int i = 0; i < 2; i++) {
        struct chain_msg vote = {.kind = e.kind, .author = e.author, .view = e.view, .seq = e.seq, .digest = e.digest[i]};
        sign_msg(&ring, &vote);
        memcpy(e.sig[i], vote.sig, CHAIN_SIG_BYTES);
    }
    return e;
}

static struct chain_op make_hop_epoch(void)
{
    static const uint8_t secret[CHAIN_CURVE_BYTES] = {9}, key[CHAIN_HOP_KEY_BYTES] = {8};
    static uint8_t boxes[N * CHAIN_HOP_BOX_BYTES];
    struct chain_op op = {.kind = CHAIN_OP_HOP_EPOCH, .hop = {.epoch = 1, .mask = 6, .from_ns = T0 + 1200 * MS, .boxes = boxes, .boxes_len = sizeof boxes}};
    chain_hop_commit(&ring.members, 1, key, &op.hop.commitment);
    ck_assert_int_eq(chain_hop_seal(&ring.members, key, secret, op.hop.ephemeral, boxes), 0);
    return op;
}

static void make_ops(void)
{
    struct chain_equivocation twice = make_equivocation();
    struct chain_op ops[] = {
        {.kind = CHAIN_OP_REGISTER, .reg = {.call_sign = "N0CALL", .lat_e7 = 485000000, .lon_e7 = -90000000, .height_cm = 300}},
        {.kind = CHAIN_OP_SENSE_COMMIT, .commit = {.window = 6311347204}},
        {.kind = CHAIN_OP_SENSE_REVEAL,
         .reveal = {.window = 6311347204, .n_channels = 2, .occupied = {false, true}, .power_cdb = {-6012, -3050}, .salt = "fifteen octets."}},
        {.kind = CHAIN_OP_GRANT,
         .grant = {.low_hz = 5190000000, .high_hz = 5200000000, .max_eirp_cdbm_mhz = 1000, .n_peers = 1, .peers = {2}}},
        {.kind = CHAIN_OP_HEARTBEAT, .lease = {.grant_id = 1}},
        {.kind = CHAIN_OP_RELINQUISH, .lease = {.grant_id = 1}},
        {.kind = CHAIN_OP_EVIDENCE, .evidence = {.channel = 0, .kind = 1, .from_ns = T0, .at_ns = T0 + 80 * MS,
                                                 .confidence_permille = 833, .n_frames = 8, .n_good = 1}},
        {.kind = CHAIN_OP_ADMIT},
        {.kind = CHAIN_OP_MOVE, .move = {.lat_e7 = 485000100, .lon_e7 = -90000000, .height_cm = 300}},
        {.kind = CHAIN_OP_DEREGISTER},
        {.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = true, .key_id = 4}},
        {.kind = CHAIN_OP_EQUIVOCATION, .equivocation = twice},
        {.kind = CHAIN_OP_SPECTRUM,
         .spectrum = {.kind = CHAIN_SPECTRUM_INCUMBENT, .low_hz = 5190000000, .high_hz = 5200000000, .from_ns = T0, .until_ns = T0 + 3600000 * MS,
                      .lat_e7 = 485000000, .lon_e7 = -90000000, .radius_m = 30000, .protection_cdbm_mhz = -11400}},
        {.kind = CHAIN_OP_WITHDRAW, .withdraw = {.record_id = 1}},
        {.kind = CHAIN_OP_PUT, .put = {.key = 7, .value = (const uint8_t *)"a value", .value_len = 7}},
        {.kind = CHAIN_OP_UNAUTHORISED, .unauthorised = {.channel = 1, .suspect = 3, .from_ns = T0, .at_ns = T0 + 80 * MS, .level_cdb = -3050}},
        {.kind = CHAIN_OP_PAY, .pay = {.to = 2, .amount = 100}},
        make_hop_epoch(),
    };
    memcpy(ops[7].admit.key, ring.members.keys[N - 1], CHAIN_KEY_BYTES);
    ck_assert_int_eq(chain_sense_commitment(0, &ops[2].reveal, &ops[1].commit.commitment), 0);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        uint8_t octets[CHAIN_MAX_OP_BYTES];
        char name[40];
        long len = chain_op_encode(&ops[i], octets, sizeof octets);
        ck_assert_int_gt(len, 0);
        snprintf(name, sizeof name, "%s", chain_op_name(ops[i].kind));
        keep(name, octets, (size_t)len);
    }
}

/* Block 1: one registration, signed by members 0 to 2. */
static void make_block(void)
{
    struct chain_op op = {.kind = CHAIN_OP_REGISTER, .reg = {.call_sign = "N0CALL", .lat_e7 = 485000000, .lon_e7 = -90000000, .height_cm = 300}};
    uint8_t body[CHAIN_MAX_OP_BYTES + 1], tx[512];
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = 0, .seq = 1, .body = body};
    msg.body_len = (size_t)chain_tx_encode(&op, 1, body, sizeof body);
    ck_assert_int_eq(chain_msg_digest(&ring.members, msg.kind, body, msg.body_len, &msg.digest), 0);
    sign_msg(&ring, &msg);
    struct chain_batch_view view = {.time_ns = T0 + 20 * MS, .n_txs = 1};
    view.txs[0].data = tx;
    view.txs[0].len = (size_t)chain_msg_encode(&ring.members, &msg, tx, sizeof tx);
    batch_len = (size_t)chain_batch_encode(&view, batch, sizeof batch);

    struct chain_signer signer = chain_signer_ed25519(&ring.keys[0]);
    struct chain_ledger *ledger;
    struct chain_ledger_event events[CHAIN_MAX_LEDGER_EVENTS];
    struct chain_header h;
    size_t n_events;
    void *mem = malloc(chain_ledger_bytes(&genesis));
    ck_assert_int_eq(chain_ledger_init(mem, chain_ledger_bytes(&genesis), &genesis, &signer, &ledger, NULL), 0);
    ck_assert_int_eq(chain_ledger_apply(ledger, batch, batch_len, true, &h, events, CHAIN_MAX_LEDGER_EVENTS, &n_events), 0);
    long len = chain_snapshot_encode(ledger, snapshot, sizeof snapshot);
    ck_assert_int_gt(len, 0);
    snapshot_len = (size_t)len;
    free(mem);
    header_len = (size_t)chain_header_encode(&h, header, sizeof header);

    struct chain_certificate certificate = {.signers = 7};
    uint8_t octets[256];
    for (uint32_t i = 0; i < 3; i++) {
        struct chain_msg vote = {.kind = CHAIN_MSG_HEADER_VOTE, .author = i, .seq = 1};
        chain_header_hash(&h, &vote.digest);
        sign_msg(&ring, &vote);
        memcpy(certificate.sigs[i], vote.sig, CHAIN_SIG_BYTES);
        len = chain_msg_encode(&ring.members, &vote, octets, sizeof octets);
        if (i == 0) {
            uint8_t signed_octets[CHAIN_PREIMAGE_BYTES];
            keep("message header-vote", octets, (size_t)len);
            keep("signed", signed_octets, chain_msg_preimage(&ring.members, &vote, signed_octets));
        }
    }
    cert_len = (size_t)chain_certificate_encode(&certificate, cert, sizeof cert);
    keep("message tx", tx, view.txs[0].len);
    keep("batch", batch, batch_len);
    keep("header", header, header_len);
    keep("certificate", cert, cert_len);
    keep("snapshot", snapshot, snapshot_len);
}

static void make_genesis_example(const struct chain_genesis *g)
{
    uint8_t octets[CHAIN_MAX_GENESIS_BYTES];
    long len = chain_genesis_encode(g, octets, sizeof octets);
    ck_assert_int_gt(len, 0);
    keep("genesis", octets, (size_t)len);
}

static void keep_entry(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    static const char *const tables[] = {"counters", "key",  "members", "station", "nonces", "channel-record", "sensing", "grant-record", "evidence-record",
                                         "motion",   "account", "access", "put-record", "spectrum-record", "hop"};
    static const char *const hops[] = {"hop-record", "hop-box", "hop-hold"};
    struct chain_cbor_reader r = {.data = key, .len = key_len};
    (void)ctx;
    chain_cbor_expect_array(&r, 3);
    uint64_t table = chain_cbor_get_uint(&r);
    ck_assert(!r.bad && table < sizeof tables / sizeof *tables);
    uint64_t id = chain_cbor_get_uint(&r);
    bool standing = table == 2 && id == 1;
    keep("state-key", key, key_len);
    keep(standing ? "standing" : table == CHAIN_TABLE_HOP ? hops[id % 3] : tables[table], value, value_len);
}

/* A ledger with an entry in each of its tables. */
static void make_state(void)
{
    struct bench *b = bench_open(N);
    b->genesis.supply = 1000;
    b->genesis.endowment = 10;
    b->genesis.put_keys = 8;
    give_hop_set(&b->genesis);
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    make_genesis_example(&b->genesis);
    bench_start(b);
    register_all(b, 1 * MS);
    sense_windows(b, 0, 4, 2);
    struct chain_op others[] = {{.kind = CHAIN_OP_ADMIT, .admit = {.key = {7}}},
                                {.kind = CHAIN_OP_PUT, .put = {.key = 7, .value = (const uint8_t *)"a value", .value_len = 7}},
                                make_hop_epoch(), {.kind = CHAIN_OP_EQUIVOCATION, .equivocation = make_equivocation()}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_int_eq(run_op(b, 990 * MS + (int64_t)i, 0, &others[i]), CHAIN_SUCCESS);
    struct chain_op grant = op_grant(b, 3);
    ck_assert_int_eq(run_op(b, 1000 * MS, 0, &grant), CHAIN_SUCCESS);
    struct chain_op seen = {.kind = CHAIN_OP_EVIDENCE, .evidence = {.kind = 1, .from_ns = T0 + 900 * MS, .at_ns = T0 + 990 * MS,
                                                                    .confidence_permille = 833, .n_frames = 8, .n_good = 1}};
    ck_assert_int_eq(run_op(b, 1010 * MS, 1, &seen), CHAIN_SUCCESS);
    seen.evidence.channel = 2;
    for (uint32_t i = 0; i < 2; i++)
        ck_assert_int_eq(run_op(b, 1020 * MS + i, i, &seen), CHAIN_SUCCESS);
    struct chain_op reveal = op_reveal(b, 2, window_number(b, 4), 2), commit = op_commit(2, &reveal);
    ck_assert_int_eq(run_op(b, window_end(b, 4) + 1 * MS, 2, &commit), CHAIN_SUCCESS);
    chain_ledger_entries(b->ledger, keep_entry, NULL);
    bench_close(b);
}

/* Elected, a block, another leader, a member that took blocks from elsewhere. */
static void make_raft(void)
{
    ring.members.n = 3;
    open_party(&chain_raft_ops, 3);
    for (int i = 0; i < 40; i++)
        pass(50 * MS);
    for (uint32_t i = 0; i < 3; i++)
        step(i, (struct chain_event){.kind = CHAIN_EV_PROPOSE, .propose = {batch, batch_len}});
    deliver();
    for (uint32_t i = 0; i < 3; i++)
        step(i, (struct chain_event){.kind = CHAIN_EV_TRANSFER, .member = (i + 1) % 3});
    deliver();
    step(0, (struct chain_event){.kind = CHAIN_EV_SYNCED, .height = 5});
    close_party();
    ring.members.n = N;
}

/* Block 1 without member 3; then the primary goes, and member 3 has to learn what was committed. */
static void make_pbft(void)
{
    open_party(&chain_pbft_ops, N);
    party.deaf[3] = true;
    step(0, (struct chain_event){.kind = CHAIN_EV_PROPOSE, .propose = {batch, batch_len}});
    deliver();
    party.deaf[3] = false;
    party.deaf[0] = true;
    for (uint32_t i = 1; i < N; i++)
        step(i, (struct chain_event){.kind = CHAIN_EV_PENDING, .pending_since_ns = party.now_ns});
    for (int i = 0; i < 40; i++)
        pass(50 * MS);
    close_party();
}

/* --- nodes ------------------------------------------------------------------------------------------------------------------------ */

static int read_no_block(void *ctx, uint64_t height, struct chain_node_block *out)
{
    (void)ctx, (void)height, (void)out;
    return -1;
}

static int read_block_1(void *ctx, uint64_t height, struct chain_node_block *out)
{
    (void)ctx;
    *out = (struct chain_node_block){1, batch, header, cert, batch_len, header_len, cert_len, 3};
    return height == 1 ? 0 : -1;
}

static int read_snapshot_1(void *ctx, uint64_t height, size_t offset, size_t most, struct chain_node_snapshot *out)
{
    (void)ctx;
    size_t left = offset < snapshot_len ? snapshot_len - offset : 0;
    *out = (struct chain_node_snapshot){.height = 1, .len = snapshot_len, .part = snapshot + offset, .part_len = left < most ? left : most};
    return height <= 1 && left > 0 ? 0 : -1;
}

/* Feeds a node and returns the first bundle that holds a message of the kind. */
static bool find_bundle(const struct chain_node_update *out, uint8_t kind)
{
    for (size_t i = 0; i < out->n_sends; i++) {
        const struct chain_node_send *send = &out->sends[i];
        struct chain_cbor_reader r = {.data = send->data, .len = send->len};
        size_t n = chain_cbor_get_array(&r, 64), at = r.pos, used;
        for (size_t k = 0; k < n; k++, at += used) {
            struct chain_msg msg;
            ck_assert_int_eq(chain_msg_decode(&ring.members, send->data + at, send->len - at, &msg, &used), 0);
            if (msg.kind != kind)
                continue;
            keep(name_of_kind(kind), send->data + at, used);
            if (kind == CHAIN_MSG_BLOCK)
                keep("bundle", send->data, send->len);
            return true;
        }
    }
    return false;
}

static void run_node(uint32_t self, bool with_block, const struct chain_msg *heard, size_t n_heard, uint8_t wanted)
{
    struct chain_node_config cfg = {.seed = 1, .self = self, .genesis = &genesis, .signer = chain_signer_ed25519(&ring.keys[self]),
                                    .engine = &chain_pbft_ops, .engine_heartbeat_ns = 40 * MS, .engine_timeout_ns = 200 * MS,
                                    .engine_timeout_max_ns = 2000 * MS, .gossip_ns = 50 * MS, .status_ns = 200 * MS,
                                    .propose_delay_ns = 3 * MS, .mempool_txs = 64, .read_block = with_block ? read_block_1 : read_no_block,
                                    .read_snapshot = with_block ? read_snapshot_1 : NULL};
    size_t len = chain_node_bytes(&cfg);
    void *mem = malloc(len);
    struct chain_node *node;
    struct chain_node_update *out = malloc(sizeof *out);
    uint8_t octets[512] = {0x81};
    const char *bad = NULL;
    ck_assert_msg(chain_node_init(mem, len, &cfg, &node, &bad) == 0, "%s", bad ? bad : "");
    struct chain_node_event event = {.kind = CHAIN_NODE_RESTORE_BLOCK, .now_ns = T0 + 30 * MS,
                                     .block = {1, batch, header, cert, batch_len, header_len, cert_len}};
    if (with_block)
        ck_assert_int_eq(chain_node_step(node, &event, out), 0);
    event.kind = CHAIN_NODE_START;
    ck_assert_int_eq(chain_node_step(node, &event, out), 0);
    event.kind = CHAIN_NODE_RECEIVE;
    memset(&event.bytes, 0, sizeof event.bytes);
    event.bytes.data = octets;
    for (size_t i = 0; i < n_heard; i++) {
        event.bytes.len = 1 + (size_t)chain_msg_encode(&ring.members, &heard[i], octets + 1, sizeof octets - 1);
        ck_assert_int_eq(chain_node_step(node, &event, out), 0);
    }
    bool found = find_bundle(out, wanted);
    event.kind = CHAIN_NODE_TICK;
    for (int i = 0; i < 100 && !found; i++) {
        event.now_ns += MS;
        ck_assert_int_eq(chain_node_step(node, &event, out), 0);
        found = find_bundle(out, wanted);
        if (out->persist_seq == 0)
            continue;
        struct chain_node_event written = {.kind = CHAIN_NODE_PERSISTED, .now_ns = event.now_ns, .persisted_seq = out->persist_seq};
        ck_assert_int_eq(chain_node_step(node, &written, out), 0);
        found = found || find_bundle(out, wanted);
    }
    ck_assert(found);
    chain_node_close(node);
    free(mem);
    free(out);
}

static struct chain_msg decode_example(const char *name)
{
    struct chain_msg msg = {0};
    const struct example *e = examples;
    while (strcmp(e->name, name) != 0)
        e++;
    ck_assert_int_eq(chain_msg_decode(&ring.members, e->octets, e->len, &msg, NULL), 0);
    return msg;
}

/* Member 3 hears that there is a block and asks; member 0 is asked and answers. */
static void make_fetch_and_block(void)
{
    struct chain_msg msg = decode_example("message header-vote");
    run_node(3, false, &msg, 1, CHAIN_MSG_FETCH);
    msg = decode_example("message fetch");
    run_node(0, true, &msg, 1, CHAIN_MSG_BLOCK);
}

/* Members 0 and 1 tell member 3 that they have pruned block 1; it asks member 1 for the snapshot, and gets all of it. */
static void make_snapshot_and_ask(void)
{
    uint8_t body[32];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    chain_cbor_put_array(&w, 6);
    chain_cbor_put_array(&w, 0);
    chain_cbor_put_bytes(&w, body, 0);
    chain_cbor_put_bytes(&w, body, 0);
    chain_cbor_put_uint(&w, snapshot_len);
    chain_cbor_put_uint(&w, 1);
    chain_cbor_put_bytes(&w, body, 0);
    struct chain_msg hints[2];
    for (uint32_t i = 0; i < 2; i++) {
        hints[i] = (struct chain_msg){.kind = CHAIN_MSG_SNAPSHOT, .author = i, .seq = 1, .body = body, .body_len = w.len};
        ck_assert_int_eq(chain_msg_digest(&ring.members, hints[i].kind, body, w.len, &hints[i].digest), 0);
        sign_msg(&ring, &hints[i]);
    }
    run_node(3, false, hints, 2, CHAIN_MSG_SNAPSHOT_ASK);
    struct chain_msg ask = decode_example("message snapshot-ask");
    run_node(1, true, &ask, 1, CHAIN_MSG_SNAPSHOT);
}

static void make_all(void)
{
    n_examples = 0;
    memset(examples, 0, sizeof examples);
    genesis = make_genesis(&ring, N);
    make_ops();
    make_block();
    make_state();
    make_raft();
    make_pbft();
    make_fetch_and_block();
    make_snapshot_and_ask();
}

/* --- tests ------------------------------------------------------------------------------------------------------------------------ */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct example *)a)->name, ((const struct example *)b)->name);
}

static FILE *open_examples(void)
{
    const char *path = AIRDEED_ROOT "/docs/wire/examples.txt";
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s is not there", path);
    return file;
}

static void format_line(const struct example *e, char *line, size_t cap)
{
    size_t at = (size_t)snprintf(line, cap, "%s:", e->name);
    for (size_t i = 0; i < e->len && at + 3 < cap; i++)
        at += (size_t)snprintf(line + at, cap - at, "%s%02x", i == 0 ? " " : "", e->octets[i]);
    snprintf(line + at, cap - at, "\n");
}

START_TEST(every_structure_is_encoded_as_in_the_examples)
{
    static char wanted[2 * MAX_EXAMPLE_BYTES + 64], line[2 * MAX_EXAMPLE_BYTES + 64];
    size_t n_same = 0;
    qsort(examples, n_examples, sizeof *examples, compare_names);
    FILE *file = open_examples();
    for (size_t i = 0; i < n_examples; i++) {
        bool more = fgets(line, sizeof line, file) != NULL;
        while (more && line[0] == '#')
            more = fgets(line, sizeof line, file) != NULL;
        format_line(&examples[i], wanted, sizeof wanted);
        if (more && strcmp(line, wanted) == 0)
            n_same++;
        else
            printf("%s", wanted);
    }
    bool ended = fgets(line, sizeof line, file) == NULL;
    fclose(file);
    printf("%zu of %zu as in docs/wire/examples.txt\n", n_same, n_examples);
    fflush(stdout);
    ck_assert_uint_eq(n_same, n_examples);
    ck_assert(ended);
}
END_TEST

START_TEST(every_message_of_the_examples_decodes_verifies_and_encodes_again)
{
    size_t n_messages = 0;
    struct chain_signer signer = chain_signer_ed25519(&ring.keys[0]);
    for (size_t i = 0; i < n_examples; i++) {
        const struct example *e = &examples[i];
        struct chain_msg msg;
        size_t used;
        uint8_t again[MAX_EXAMPLE_BYTES];
        if (strncmp(e->name, "message ", 8) != 0)
            continue;
        n_messages++;
        ck_assert_int_eq(chain_msg_decode(&ring.members, e->octets, e->len, &msg, &used), 0);
        ck_assert_uint_eq(used, e->len);
        ck_assert_str_eq(name_of_kind(msg.kind), e->name);
        ck_assert_msg(signer.verify(signer.ctx, &ring.members, &msg) == 0, "%s", e->name);
        ck_assert_int_eq(chain_msg_encode(&ring.members, &msg, again, sizeof again), (long)e->len);
        ck_assert_mem_eq(again, e->octets, e->len);
    }
    ck_assert_uint_eq(n_messages, 18);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *wire = tcase_create("wire");
    tcase_add_checked_fixture(wire, make_all, NULL);
    tcase_add_test(wire, every_structure_is_encoded_as_in_the_examples);
    tcase_add_test(wire, every_message_of_the_examples_decodes_verifies_and_encodes_again);
    suite_add_tcase(suite, wire);
}
