#include <errno.h>

#include "chain/ledger_entries.h"
#include "chain/snapshot.h"
#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger_random"
#include "tests/unit/check_main.h"

/* Random transactions, sensible and senseless, against invariants that hold whatever is committed. */
enum { N_STATIONS = 5, N_BLOCKS = 2000 };

static struct bench *b;
static struct chain_ledger *twin; /* the same blocks in memory that was full of something else */
static struct chain_members members; /* of the block before */
static uint64_t seed, counter;

static uint64_t draw_below(uint64_t n)
{
    uint64_t z = (seed << 40) + ++counter * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % n;
}

static int64_t draw_time(int64_t now_ns)
{
    static const int64_t odd[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX, CHAIN_MAX_TIME_NS};
    if (draw_below(8) == 0)
        return odd[draw_below(sizeof odd / sizeof *odd)];
    return now_ns - (int64_t)draw_below(4000) * MS;
}

static struct chain_op draw_sensing(int64_t now_ns)
{
    uint64_t window = (uint64_t)((now_ns - 110 * MS) / b->genesis.quiet_period_ns) - draw_below(3);
    if (draw_below(20) == 0)
        window = draw_below(2) ? UINT64_MAX - draw_below(3) : draw_below(3);
    uint32_t bits = draw_below(6) == 0 ? 1u << draw_below(4) : 2; /* channel 1 is the primary's */
    if (draw_below(40) == 0)
        bits = (uint32_t)draw_below(16);
    return op_reveal(b, 0, window, bits);
}

static struct chain_op draw_grant(void)
{
    struct chain_op op = op_grant(b, (uint32_t)(draw_below(10) ? 2 + draw_below(2) : draw_below(4)));
    if (draw_below(20) == 0)
        op.grant.high_hz = draw_below(2) ? UINT64_MAX : draw_below(UINT64_MAX);
    if (draw_below(20) == 0)
        op.grant.max_eirp_cdbm_mhz = draw_below(2) ? INT32_MAX : INT32_MIN;
    op.grant.n_peers = (uint32_t)(draw_below(4) ? 0 : draw_below(9));
    for (uint32_t i = 0; i < op.grant.n_peers; i++)
        op.grant.peers[i] = (uint32_t)draw_below(draw_below(9) ? N_STATIONS : UINT32_MAX);
    return op;
}

static struct chain_op draw_evidence(int64_t now_ns)
{
    struct chain_op op = {.kind = CHAIN_OP_EVIDENCE};
    op.evidence.channel = (uint32_t)draw_below(6);
    op.evidence.kind = (uint8_t)draw_below(6);
    op.evidence.at_ns = draw_time(now_ns);
    op.evidence.from_ns = draw_below(5) ? op.evidence.at_ns - (op.evidence.at_ns > 0 ? (int64_t)draw_below(500) * MS : 0) : draw_time(now_ns);
    op.evidence.confidence_permille = (uint32_t)draw_below(1010);
    op.evidence.n_frames = (uint32_t)draw_below(50);
    op.evidence.n_good = (uint32_t)draw_below(50);
    return op;
}

/* Around the stations, all of them or some, from now on or soon. */
static struct chain_op draw_spectrum(int64_t now_ns)
{
    uint32_t channel = (uint32_t)draw_below(4);
    struct chain_op op = {.kind = CHAIN_OP_SPECTRUM};
    op.spectrum.kind = draw_below(4) ? CHAIN_SPECTRUM_INCUMBENT : CHAIN_SPECTRUM_WHITE_SPACE;
    op.spectrum.low_hz = b->genesis.channels[channel].low_hz - draw_below(2);
    op.spectrum.high_hz = b->genesis.channels[channel].high_hz;
    op.spectrum.from_ns = draw_below(9) ? now_ns + ((int64_t)draw_below(2000) - 500) * MS : draw_time(now_ns);
    op.spectrum.until_ns = draw_below(9) ? now_ns + (int64_t)draw_below(3000) * MS : draw_time(now_ns);
    op.spectrum.lat_e7 = 523000000 - (int32_t)draw_below(2000000);
    op.spectrum.lon_e7 = 132000000;
    op.spectrum.radius_m = (uint32_t)draw_below(30000);
    op.spectrum.protection_cdbm_mhz = draw_below(5) ? -5000 : 2500;
    return op;
}

static struct chain_op draw_move(void)
{
    struct chain_op op = {.kind = CHAIN_OP_MOVE};
    op.move.lat_e7 = 523000000 - (int32_t)draw_below(2000000);
    op.move.lon_e7 = 132000000;
    return op;
}

static uint64_t draw_record_id(void)
{
    size_t n = chain_ledger_n_records(b->ledger);
    return n ? chain_ledger_record(b->ledger, (size_t)draw_below(n))->id : draw_below(9);
}

static uint64_t draw_grant_id(uint32_t author)
{
    size_t n = chain_ledger_n_grants(b->ledger);
    for (size_t i = n; i-- > 0 && draw_below(12);) {
        const struct chain_grant *g = chain_ledger_grant(b->ledger, i);
        if (g->holder == author && g->state != CHAIN_GRANT_IDLE)
            return g->id;
    }
    return draw_below(3) ? draw_below(200) : UINT64_MAX;
}

static uint32_t draw_key_id(void)
{
    return (uint32_t)draw_below(draw_below(12) ? N_STATIONS : draw_below(2) ? 70 : UINT32_MAX);
}

static struct chain_op draw_unauthorised(int64_t now_ns)
{
    struct chain_op op = {.kind = CHAIN_OP_UNAUTHORISED};
    op.unauthorised.channel = (uint32_t)draw_below(6);
    op.unauthorised.suspect = draw_below(3) ? draw_key_id() % CHAIN_MAX_KEYS : CHAIN_MAX_KEYS;
    op.unauthorised.at_ns = draw_time(now_ns);
    op.unauthorised.from_ns = draw_below(5) ? op.unauthorised.at_ns - (op.unauthorised.at_ns > 0 ? (int64_t)draw_below(500) * MS : 0) : draw_time(now_ns);
    return op;
}

static struct chain_op draw_equivocation(void)
{
    static const uint8_t kinds[] = {CHAIN_MSG_HEADER_VOTE, CHAIN_MSG_PBFT_PREPARE, CHAIN_MSG_PBFT_COMMIT, CHAIN_MSG_TX};
    struct chain_op op = {.kind = CHAIN_OP_EQUIVOCATION};
    op.equivocation.kind = kinds[draw_below(sizeof kinds)];
    op.equivocation.epoch = chain_ledger_members(b->ledger)->epoch + 1 - (uint32_t)draw_below(4);
    op.equivocation.author = draw_key_id();
    op.equivocation.seq = draw_below(100);
    op.equivocation.digest[draw_below(2)].octets[0] = (uint8_t)draw_below(3);
    return op;
}

/* What changes who there is and what they have. */
static struct chain_op draw_other(int64_t now_ns)
{
    static const uint8_t value[CHAIN_MAX_PUT_BYTES] = {1};
    struct chain_op op = {.kind = CHAIN_OP_DEREGISTER};
    switch (draw_below(draw_below(5) ? 9 : 10)) {
    case 0:
        op.kind = CHAIN_OP_ADMIT;
        op.admit.key[0] = (uint8_t)(1 + members.n_keys + draw_below(2));
        return op;
    case 1:
        return draw_move();
    case 2:
        op.kind = CHAIN_OP_RECONFIGURE;
        op.reconfigure.add = draw_below(3) > 0;
        op.reconfigure.key_id = draw_key_id();
        return op;
    case 3:
        return draw_equivocation();
    case 4:
    case 5:
        op.kind = CHAIN_OP_PUT;
        op.put.key = (uint32_t)draw_below(draw_below(9) ? 4 : UINT32_MAX);
        op.put.value = value;
        op.put.value_len = (size_t)draw_below(CHAIN_MAX_PUT_BYTES + 1);
        return op;
    case 6:
        return draw_unauthorised(now_ns);
    case 7:
    case 8:
        op.kind = CHAIN_OP_PAY;
        op.pay.to = draw_key_id();
        op.pay.amount = draw_below(9) ? draw_below(200) : UINT64_MAX - draw_below(2);
        return op;
    default:
        return op;
    }
}

static void add_random(int64_t now_ns)
{
    uint32_t author = (uint32_t)draw_below(N_STATIONS);
    struct chain_op op = op_register();
    uint64_t what = draw_below(125);
    if (what >= 100) {
        op = draw_other(now_ns);
    } else if (what < 3) {
        op.reg.lat_e7 = draw_below(3) ? (int32_t)draw_below(900000000) : INT32_MIN;
    } else if (what < 5) {
        author = draw_below(4) ? 0 : author; /* the authority */
        op = draw_below(3) ? draw_spectrum(now_ns) : (struct chain_op){.kind = CHAIN_OP_WITHDRAW, .withdraw = {.record_id = draw_record_id()}};
    } else if (what < 7) {
        op = draw_move();
    } else if (what < 30) {
        op = draw_grant();
    } else if (what < 60) {
        op = op_lease(CHAIN_OP_HEARTBEAT, draw_grant_id(author));
    } else if (what < 68) {
        op = op_lease(CHAIN_OP_RELINQUISH, draw_grant_id(author));
    } else if (what < 85) {
        op = draw_evidence(now_ns);
    } else if (what < 92) {
        op = draw_sensing(now_ns);
        if (draw_below(2))
            op = op_commit(author, &op);
    } else {
        uint8_t junk[600];
        size_t len = (size_t)draw_below(sizeof junk);
        for (size_t i = 0; i < len; i++)
            junk[i] = (uint8_t)draw_below(256);
        if (draw_below(2))
            add_raw(b, junk, len);
        else
            add_body(b, author, junk, len < CHAIN_MAX_OP_BYTES ? len : CHAIN_MAX_OP_BYTES);
        return;
    }
    uint64_t nonce = b->next_nonce[author];
    if (draw_below(10) == 0 && nonce > 70)
        b->next_nonce[author] -= draw_below(70); /* some nonces come again */
    add_op(b, author, &op);
    if (b->next_nonce[author] < nonce)
        b->next_nonce[author] = nonce;
}

/* Who may be on the air on each channel, kept from the events alone. */
static struct {
    uint64_t grant_id;
    int64_t silent_from_ns;
} on_air[CHAIN_MAX_CHANNELS];

static void check_event(const struct chain_ledger_event *e)
{
    const struct chain_genesis *g = &b->genesis;
    if (e->kind != CHAIN_LE_GRANTED && e->kind != CHAIN_LE_AUTHORIZED && e->kind != CHAIN_LE_HEARTBEAT)
        return;
    ck_assert(on_air[e->channel].grant_id == e->id || e->block_time_ns >= on_air[e->channel].silent_from_ns);
    if (on_air[e->channel].grant_id != e->id)
        on_air[e->channel].silent_from_ns = 0;
    on_air[e->channel].grant_id = e->id;
    if (e->kind != CHAIN_LE_GRANTED) /* an upper bound: the grant may end sooner */
        on_air[e->channel].silent_from_ns =
            e->block_time_ns + g->transmit_expire_ns + g->stop_ns + 2 * g->max_skew_ns + g->drift_guard_ns;
    const struct chain_grant *grant = grant_by_id(b, e->id);
    if (grant && on_air[e->channel].silent_from_ns > grant->grant_expire_ns + g->stop_ns + 2 * g->max_skew_ns + g->drift_guard_ns)
        on_air[e->channel].silent_from_ns = grant->grant_expire_ns + g->stop_ns + 2 * g->max_skew_ns + g->drift_guard_ns;
}

static void check_events(size_t n_txs)
{
    size_t n_seen = 0;
    ck_assert_uint_le(b->n_events, chain_ledger_events_bound(n_txs));
    for (size_t i = 0; i < b->n_events; i++) {
        const struct chain_ledger_event *e = &b->events[i];
        ck_assert_uint_eq(e->height, b->header.height);
        ck_assert_int_eq(e->block_time_ns, b->header.time_ns);
        n_seen += e->kind == CHAIN_LE_TX;
        if (e->kind == CHAIN_LE_REFUSED) {
            ck_assert_uint_lt(i + 1, b->n_events);
            ck_assert_int_eq(b->events[i + 1].kind, CHAIN_LE_TX);
            ck_assert_int_eq(b->events[i + 1].code, e->code);
            ck_assert_int_ne(e->code, CHAIN_SUCCESS);
        }
        check_event(e);
    }
    ck_assert_uint_eq(n_seen, n_txs);
}

static void check_state(void)
{
    uint32_t live[CHAIN_MAX_CHANNELS] = {0};
    ck_assert_uint_le(chain_ledger_n_grants(b->ledger), CHAIN_MAX_GRANTS);
    ck_assert_uint_le(chain_ledger_n_evidence(b->ledger), CHAIN_MAX_EVIDENCE);
    for (size_t i = 0; i < chain_ledger_n_grants(b->ledger); i++) {
        const struct chain_grant *g = chain_ledger_grant(b->ledger, i);
        ck_assert(i == 0 || g->id > chain_ledger_grant(b->ledger, i - 1)->id);
        ck_assert(!b->genesis.channels[g->channel].control);
        ck_assert_int_le(g->transmit_expire_ns, g->grant_expire_ns);
        if (g->state == CHAIN_GRANT_IDLE || g->suspended)
            continue;
        ck_assert_uint_eq(live[g->channel]++, 0);
        ck_assert_int_eq(chain_ledger_channel(b->ledger, g->channel)->status, CHAIN_CHANNEL_WHITE);
        ck_assert(g->state != CHAIN_GRANT_AUTHORIZED || g->transmit_expire_ns > b->header.time_ns);
        ck_assert_int_gt(g->grant_expire_ns, b->header.time_ns);
    }
    for (uint32_t i = 0; i < N_STATIONS; i++)
        ck_assert_uint_le(chain_ledger_reputation(b->ledger, i), 1000);
    const char *broken = chain_ledger_audit(b->ledger);
    ck_assert_msg(!broken, "%s", broken ? broken : "");
}

/* Keys are only added; an epoch begins where a reconfiguration says so, and moves one seat. */
static void check_members(void)
{
    const struct chain_members *now = chain_ledger_members(b->ledger);
    size_t n_reseated = count_events(b, CHAIN_LE_RECONFIGURED);
    ck_assert_uint_eq(now->n_keys, members.n_keys + count_events(b, CHAIN_LE_ADMITTED));
    ck_assert_mem_eq(now->keys, members.keys, (size_t)members.n_keys * CHAIN_KEY_BYTES);
    ck_assert_uint_le(n_reseated, 1);
    ck_assert_uint_eq(now->epoch, members.epoch + n_reseated);
    ck_assert(n_reseated ? now->n == members.n + 1 || now->n == members.n - 1 : now->n == members.n);
    ck_assert_uint_ge(now->n, 1);
    ck_assert(n_reseated == 0 || chain_ledger_convicted(b->ledger) == 0);
    members = *now;
}

/* The twin forgets everything and goes on from the other one's snapshot: whatever matters is in it. */
static void restart_twin(void)
{
    size_t cap = chain_snapshot_bytes(b->ledger);
    uint8_t *octets = malloc(cap), *again = malloc(cap);
    long len = chain_snapshot_encode(b->ledger, octets, cap);
    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(chain_snapshot_load(twin, octets, (size_t)len), 0);
    ck_assert_int_eq(chain_snapshot_encode(twin, again, cap), len);
    ck_assert_mem_eq(octets, again, (size_t)len);
    free(octets);
    free(again);
}

/* Member by member: what lies between them says nothing. */
static bool is_same_event(const struct chain_ledger_event *a, const struct chain_ledger_event *c)
{
    return a->kind == c->kind && a->height == c->height && a->block_time_ns == c->block_time_ns && a->station == c->station &&
           a->channel == c->channel && a->id == c->id && a->nonce == c->nonce && a->tx == c->tx && a->index == c->index && a->op == c->op &&
           a->code == c->code && a->n_reports == c->n_reports && a->n_positive == c->n_positive && a->occupied == c->occupied;
}

/* The same octets on the twin. */
static void apply_on_both(const uint8_t *batch, size_t len)
{
    static struct chain_ledger_event events[CHAIN_MAX_LEDGER_EVENTS];
    struct chain_header header;
    struct chain_batch_view view;
    size_t n_events;
    int rc = chain_ledger_apply(b->ledger, batch, len, false, &b->header, b->events, CHAIN_MAX_LEDGER_EVENTS, &b->n_events);
    int rc_twin = chain_ledger_apply(twin, batch, len, false, &header, events, CHAIN_MAX_LEDGER_EVENTS, &n_events);
    ck_assert_int_eq(rc, chain_batch_decode(&view, batch, len));
    ck_assert_int_eq(rc, rc_twin);
    struct chain_hash hash, hash_twin;
    chain_header_hash(chain_ledger_tip(b->ledger), &hash);
    chain_header_hash(chain_ledger_tip(twin), &hash_twin);
    ck_assert_mem_eq(hash.octets, hash_twin.octets, CHAIN_HASH_BYTES);
    if (rc != 0)
        return;
    /* what was kept up to date since genesis, and what the entries give from nothing */
    struct chain_hash root;
    chain_ledger_rebuild_root(twin, &root);
    ck_assert_mem_eq(root.octets, chain_ledger_tip(b->ledger)->state_root.octets, CHAIN_HASH_BYTES);
    ck_assert_uint_eq(n_events, b->n_events);
    for (size_t i = 0; i < n_events; i++)
        ck_assert(is_same_event(&events[i], &b->events[i]));
    if (draw_below(20) == 0)
        restart_twin();
    check_events(view.n_txs);
    check_state();
    check_members();
}

/* Honest stations keep sensing, so that there is white space to ask for and a primary that comes and goes. */
static void add_honest_sensing(uint64_t k, uint32_t bits, bool reveal)
{
    for (uint32_t i = 0; i < N_STATIONS; i++) {
        struct chain_op r = op_reveal(b, i, window_number(b, k), bits), c = op_commit(i, &r);
        add_op(b, i, reveal ? &r : &c);
    }
}

static void corrupt_and_apply(void)
{
    static uint8_t bad[CHAIN_MAX_BATCH_BYTES];
    memcpy(bad, b->batch, b->batch_len);
    enum { TIME_OCTETS = 10 }; /* a time in 2100 is legal, and would leave nothing to test afterwards */
    bad[TIME_OCTETS + draw_below(b->batch_len - TIME_OCTETS)] ^= (uint8_t)(1 + draw_below(255));
    size_t len = draw_below(3) ? b->batch_len : (size_t)draw_below(b->batch_len);
    apply_on_both(bad, len);
}

static void start_twins(void)
{
    memset(on_air, 0, sizeof on_air);
    counter = 0;
    b = bench_open(N_STATIONS);
    b->genesis.transmit_expire_ns = 300 * MS;
    b->genesis.heartbeat_ns = 75 * MS;
    b->genesis.stop_ns = 75 * MS;
    b->genesis.grant_ns = 2000 * MS;
    b->genesis.abandon_ns = 500 * MS;
    b->genesis.has_authority = true;
    b->genesis.admit_votes = 2;
    b->genesis.witness_range_m = 2000;
    b->genesis.access_threshold = 3;
    b->genesis.access_window_ns = 3000 * MS;
    b->genesis.bar_ns = 700 * MS;
    b->genesis.supply = 5000;
    b->genesis.endowment = 500;
    b->genesis.grant_price = 10;
    b->genesis.share_rebate = 3;
    b->genesis.refund_permille = 600;
    b->genesis.sense_reward = 2;
    b->genesis.accuse_reward = 5;
    b->genesis.put_keys = 4;
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    bench_start(b);
    members = b->genesis.members;
    size_t len = chain_ledger_bytes(&b->genesis);
    void *mem = malloc(len);
    memset(mem, 0xaa, len);
    struct chain_signer signer = bench_signer(b);
    ck_assert_int_eq(chain_ledger_init(mem, len, &b->genesis, &signer, &twin, NULL), 0);
}

START_TEST(invariants_hold_for_random_transactions)
{
    seed = (uint64_t)_i + 1;
    start_twins();
    size_t n_txs = 0, n_of[CHAIN_LE_TX + 1] = {0};
    int64_t now_ns = T0;
    uint64_t k = 0;
    uint32_t bits = 2;
    struct chain_op reg = op_register();
    for (uint32_t i = 0; i + 1 < N_STATIONS; i++) /* the last one may or may not */
        add_op(b, i, &reg);
    for (size_t block = 0; block < N_BLOCKS; block++) {
        now_ns += (int64_t)draw_below(block % 200 == 0 ? 5000 : 60) * MS + (int64_t)draw_below(3);
        size_t n = (size_t)draw_below(12);
        for (size_t i = 0; i < n; i++)
            add_random(now_ns);
        if (now_ns >= T0 + window_end(b, k) + 150 * MS) {
            k = (uint64_t)((now_ns - T0) / b->genesis.quiet_period_ns);
            bits = draw_below(12) ? 2 : 4;
        }
        if (window_end(b, k) + T0 <= now_ns)
            add_honest_sensing(k, bits, now_ns >= T0 + window_end(b, k) + 40 * MS);
        n_txs += b->view.n_txs;
        encode_batch(b, draw_below(50) ? now_ns : draw_time(now_ns) & INT64_MAX & (CHAIN_MAX_TIME_NS / 4 - 1));
        if (draw_below(10) == 0)
            corrupt_and_apply();
        apply_on_both(b->batch, draw_below(30) ? b->batch_len : 0);
        if (now_ns < b->header.time_ns)
            now_ns = b->header.time_ns;
        for (size_t kind = 0; kind <= CHAIN_LE_TX; kind++)
            n_of[kind] += count_events(b, (enum chain_ledger_event_kind)kind);
    }
    printf("seed %llu: %zu transactions", (unsigned long long)seed, n_txs);
    for (size_t kind = 0; kind < CHAIN_LE_REFUSED; kind++)
        printf(", %zu %s", n_of[kind], chain_ledger_event_name((enum chain_ledger_event_kind)kind));
    printf("\n");
    ck_assert_uint_ge(n_txs, 10000);
    for (size_t kind = 0; kind <= CHAIN_LE_TX; kind++) /* nothing that can happen went unseen */
        ck_assert_msg(n_of[kind] > 0, "%s", chain_ledger_event_name((enum chain_ledger_event_kind)kind));
    ck_assert_uint_gt(n_of[CHAIN_LE_GRANTED], 20);
    ck_assert_uint_gt(n_of[CHAIN_LE_AUTHORIZED], 10);
    free(twin);
    bench_close(b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("random");
    tcase_add_loop_test(tc, invariants_hold_for_random_transactions, 0, 3);
    suite_add_tcase(suite, tc);
}
