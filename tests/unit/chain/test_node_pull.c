/* Snapshots between nodes: who lacks blocks that everybody has pruned joins by one, and nothing but a certified state is installed. */
#define SUITE_NAME "chain node pull"
#include "tests/unit/check_main.h"

#include <stdlib.h>

#include "chain/snapshot.h"
#include "tests/unit/chain/cluster.h"

static const struct chain_engine_ops *const engines[] = {&chain_raft_ops, &chain_pbft_ops};
static char folder[] = "/tmp/airdeed-pull-XXXXXX";

static void path_of(uint32_t i, char out[96])
{
    snprintf(out, 96, "%s/%u.db", folder, i);
}

static void open_store(struct cluster *c, uint32_t i, uint64_t keep)
{
    struct chain_store_policy policy = {4, UINT64_MAX, keep, UINT64_C(1) << 30};
    struct chain_store_owner owner = {i, "node"};
    char path[96], error[CHAIN_STORE_MAX_ERROR] = "";
    path_of(i, path);
    ck_assert_msg(chain_store_open(path, &c->genesis, &owner, CHAIN_STORE_SYNC_OFF, &c->stores[i], error) == 0, "%s", error);
    chain_store_set_policy(c->stores[i], &policy);
}

/* n keys, of which the first n_seats vote; every database keeps next to nothing. Node n - 1 is not there yet. */
static struct cluster *open_pruning(const struct chain_engine_ops *ops, uint32_t n, uint32_t n_seats, uint64_t seed)
{
    strcpy(folder, "/tmp/airdeed-pull-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    struct cluster *c = cluster_open_keys(ops, n, n_seats, seed);
    c->on_stores = true;
    for (uint32_t i = 0; i < n; i++) {
        cluster_stop(c, i);
        open_store(c, i, 1);
        if (i < n - 1)
            cluster_start(c, i);
    }
    return c;
}

static void close_pruning(struct cluster *c)
{
    char command[64];
    for (uint32_t i = 0; i < c->n; i++)
        chain_store_close(c->stores[i]);
    cluster_close(c);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void load(struct cluster *c, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        struct chain_op op = evidence_op(c, k);
        (void)cluster_submit(c, 0, &op);
        cluster_run(c, 40 * MS);
    }
}

static void reconfigure(struct cluster *c, bool add, uint32_t key)
{
    struct chain_op op = {.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = add, .key_id = key}};
    for (uint32_t i = 0; i < c->n; i++)
        if (c->nodes[i] && cluster_stats(c, i).seat < CHAIN_MAX_MEMBERS) {
            (void)cluster_submit(c, i, &op);
            cluster_run(c, 150 * MS);
        }
    cluster_run(c, 1500 * MS);
}

static void verify_store(struct cluster *c, uint32_t i, struct chain_store_verdict *v)
{
    char path[96], error[CHAIN_STORE_MAX_ERROR] = "";
    path_of(i, path);
    (void)c;
    ck_assert_msg(chain_store_verify(path, v, error) == 0 && v->ok, "%s%s", error, v->first_fault);
}

static void restart(struct cluster *c, uint32_t i)
{
    char error[CHAIN_STORE_MAX_ERROR] = "";
    cluster_stop(c, i);
    while (chain_store_work(c->stores[i], error) > 0)
        continue;
    chain_store_close(c->stores[i]);
    open_store(c, i, 1);
    cluster_start(c, i);
}

/* Memory forgets the blocks that the databases have pruned. */
static void restart_all(struct cluster *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (c->nodes[i]) {
            restart(c, i);
            cluster_run(c, 1000 * MS);
        }
}

START_TEST(who_knows_only_genesis_joins_by_a_snapshot_follows_and_votes)
{
    struct cluster *c = open_pruning(engines[_i], 6, 4, 21);
    c->loss_permille = 100;
    cluster_run(c, 800 * MS);
    for (uint32_t i = 0; i < 5; i++) {
        struct chain_op op = register_op(i);
        (void)cluster_submit(c, i, &op);
    }
    cluster_run(c, 500 * MS);
    load(c, 10);
    reconfigure(c, true, 4); /* what the newcomer has to follow: two ends of epochs, of other members each */
    load(c, 10);
    reconfigure(c, false, 1);
    load(c, 12);
    ck_assert_uint_eq(cluster_stats(c, 0).epoch, 2);
    restart_all(c);
    cluster_start(c, 5);
    cluster_run(c, 8000 * MS);
    c->loss_permille = 0;
    cluster_run(c, 1500 * MS);
    struct chain_node_stats s = cluster_stats(c, 5);
    ck_assert_uint_eq(s.snapshots_installed, 1);
    ck_assert_uint_eq(s.refused_snapshot, 0);
    ck_assert_uint_eq(s.epoch, 2);
    ck_assert(cluster_agrees(c));
    load(c, 3);
    reconfigure(c, true, 5);
    load(c, 3);
    cluster_run(c, 1500 * MS);
    ck_assert(cluster_agrees(c));
    ck_assert(cluster_stats(c, 5).votes);
    restart(c, 5);
    cluster_run(c, 1500 * MS);
    load(c, 2);
    cluster_run(c, 1000 * MS);
    ck_assert(cluster_agrees(c));
    ck_assert(cluster_stats(c, 5).votes);
    struct chain_store_verdict v;
    verify_store(c, 5, &v);
    ck_assert_uint_gt(v.base, 0);
    close_pruning(c);
}
END_TEST

/* Case: engine, and whether an epoch ends meanwhile. */
START_TEST(a_member_that_was_away_for_too_long_comes_back_by_a_snapshot)
{
    struct cluster *c = open_pruning(engines[_i % 2], 5, 4, 22 + (uint64_t)_i);
    cluster_run(c, 800 * MS);
    load(c, 5);
    cluster_stop(c, 3);
    load(c, 10);
    if (_i / 2)
        reconfigure(c, true, 4);
    load(c, 14);
    uint64_t gone = cluster_stats(c, 0).height;
    restart_all(c);
    cluster_start(c, 3);
    cluster_run(c, 4000 * MS);
    struct chain_node_stats s = cluster_stats(c, 3);
    ck_assert_uint_eq(s.snapshots_installed, 1);
    ck_assert_uint_ge(s.height, gone);
    ck_assert(s.votes);
    if (_i / 2)
        cluster_start(c, 4);
    cluster_run(c, 3000 * MS);
    ck_assert(cluster_agrees(c));
    cluster_stop(c, 1); /* its vote counts */
    load(c, 6);
    cluster_run(c, 1500 * MS);
    ck_assert(cluster_agrees(c));
    ck_assert_uint_gt(cluster_stats(c, 3).height, gone);
    struct chain_store_verdict v;
    verify_store(c, 3, &v);
    ck_assert_uint_gt(v.base, 5);
    cluster_start(c, 1);
    close_pruning(c);
}
END_TEST

START_TEST(one_that_tells_a_wrong_state_is_left_for_another)
{
    struct cluster *c = open_pruning(engines[_i], 5, 4, 23);
    c->liars = 1u << 0 | 1u << 1 | 1u << 2;
    cluster_run(c, 800 * MS);
    load(c, 24);
    restart_all(c);
    cluster_start(c, 4);
    cluster_run(c, 6000 * MS);
    struct chain_node_stats s = cluster_stats(c, 4);
    ck_assert_uint_eq(s.snapshots_installed, 1);
    ck_assert_uint_ge(s.refused_snapshot, 1);
    ck_assert(cluster_agrees(c));
    close_pruning(c);
}
END_TEST

/* Nothing new is committed, and who has it started anew from a snapshot of the tip: that block is in nobody's memory. */
START_TEST(who_knows_its_tip_only_by_a_snapshot_says_so_to_those_behind)
{
    struct cluster *c = open_pruning(engines[_i], 5, 4, 27);
    cluster_run(c, 800 * MS);
    load(c, 5);
    c->ignores[3] = UINT32_MAX; /* and asks for nothing, since it knows of nothing */
    load(c, 12);
    cluster_run(c, 500 * MS);
    for (int k = 0; k < 8 && cluster_stats(c, 0).height % 4 != 0; k++) {
        load(c, 1);
        cluster_run(c, 500 * MS);
    }
    uint64_t tip = cluster_stats(c, 0).height;
    ck_assert_uint_eq(tip % 4, 0);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(cluster_stats(c, i).certified_height, tip);
        restart(c, i);
        ck_assert_uint_eq(cluster_stats(c, i).height, tip);
    }
    cluster_run(c, 2000 * MS);
    c->ignores[3] = 0;
    ck_assert_uint_lt(cluster_stats(c, 3).height, tip);
    cluster_run(c, 4000 * MS);
    ck_assert_uint_eq(cluster_stats(c, 0).height, tip);
    ck_assert_uint_eq(cluster_stats(c, 3).snapshots_installed, 1);
    ck_assert_uint_eq(cluster_stats(c, 3).certified_height, tip);
    ck_assert(cluster_agrees(c));
    close_pruning(c);
}
END_TEST

/* ---- by hand: one node, and whatever it is told */

struct pulled {
    struct cluster *c;
    uint8_t *octets; /* what member 0 has */
    size_t len;
    struct chain_node_block head;
    uint8_t header[CHAIN_MAX_HEADER_BYTES], cert[CHAIN_MAX_CERT_BYTES];
    uint64_t height, asked_epoch;
};

static struct cluster *open_loaded(const struct chain_engine_ops *ops)
{
    struct cluster *c = open_pruning(ops, 5, 4, 24);
    cluster_run(c, 800 * MS);
    load(c, 12);
    return c;
}

static void note_newest(struct pulled *p)
{
    ck_assert_int_eq(chain_store_read_snapshot(p->c->stores[0], &p->height, &p->octets, &p->len), 0);
    ck_assert_int_eq(chain_store_read_block(p->c->stores[0], p->height, &p->head), 0);
    memcpy(p->header, p->head.header, p->head.header_len);
    memcpy(p->cert, p->head.cert, p->head.cert_len);
    p->head.header = p->header;
    p->head.cert = p->cert;
}

static struct pulled make_pulled(const struct chain_engine_ops *ops)
{
    struct pulled p = {.c = open_loaded(ops)};
    note_newest(&p);
    cluster_start(p.c, 4);
    return p;
}

/* A message of a member to node 4; what it sends is dropped. */
static void tell(struct pulled *p, uint32_t author, uint8_t kind, uint64_t seq, const uint8_t *body, size_t len)
{
    static uint8_t bundle[CHAIN_MAX_MSG_BYTES];
    struct chain_msg msg = {.kind = kind, .author = author, .seq = seq, .body = body, .body_len = len};
    ck_assert_int_eq(chain_msg_digest(&p->c->genesis.members, kind, body, len, &msg.digest), 0);
    sign_msg(&p->c->ring, &msg);
    bundle[0] = 0x81;
    long n = chain_msg_encode(&p->c->genesis.members, &msg, bundle + 1, sizeof bundle - 1);
    ck_assert_int_gt(n, 0);
    struct chain_node_event event = {.kind = CHAIN_NODE_RECEIVE, .now_ns = p->c->now_ns, .bytes = {bundle, (size_t)n + 1}};
    ck_assert_int_eq(chain_node_step(p->c->nodes[4], &event, p->c->update), 0);
}

struct told {
    uint64_t height, total, offset;
    const uint8_t *header, *cert, *part;
    size_t header_len, cert_len, part_len;
};

static void tell_part(struct pulled *p, uint32_t author, const struct told *t)
{
    static uint8_t body[CHAIN_MAX_MSG_BYTES];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    chain_cbor_put_array(&w, 6);
    chain_cbor_put_array(&w, 0);
    chain_cbor_put_bytes(&w, t->header, t->header_len);
    chain_cbor_put_bytes(&w, t->cert, t->cert_len);
    chain_cbor_put_uint(&w, t->total);
    chain_cbor_put_uint(&w, t->offset);
    chain_cbor_put_bytes(&w, t->part, t->part_len);
    ck_assert(!w.full);
    tell(p, author, CHAIN_MSG_SNAPSHOT, t->height, body, w.len);
}

static struct told whole(const struct pulled *p)
{
    return (struct told){.height = p->height, .total = p->len, .header = p->header, .header_len = p->head.header_len, .cert = p->cert,
                         .cert_len = p->head.cert_len, .part = p->octets, .part_len = p->len};
}

/* Members 0 and 1 say that they have pruned block 1. Returns whom node 4 asks. */
static uint32_t begin(struct pulled *p)
{
    struct told hint = {.height = p->height, .total = p->len, .offset = 1};
    for (uint32_t i = 0; i < 2; i++)
        tell_part(p, i, &hint);
    for (int k = 0; k < 400; k++) {
        for (size_t i = 0; i < p->c->update->n_sends; i++) {
            const struct chain_node_send *send = &p->c->update->sends[i];
            struct chain_msg msg;
            if (chain_msg_decode(&p->c->genesis.members, send->data + 1, send->len - 1, &msg, NULL) == 0 &&
                msg.kind == CHAIN_MSG_SNAPSHOT_ASK) {
                struct chain_cbor_reader r = {.data = msg.body, .len = msg.body_len};
                chain_cbor_expect_array(&r, 3);
                (void)chain_cbor_get_uint(&r);
                p->asked_epoch = chain_cbor_get_uint(&r);
                return send->to;
            }
        }
        p->c->now_ns += 5 * MS;
        struct chain_node_event tick = {.kind = CHAIN_NODE_TICK, .now_ns = p->c->now_ns};
        ck_assert_int_eq(chain_node_step(p->c->nodes[4], &tick, p->c->update), 0);
    }
    ck_abort_msg("nobody was asked");
    return 0;
}

/* It is refused and counted, and changes nothing. */
static void expect_refused(struct pulled *p, const struct told *t)
{
    struct chain_node_stats before = cluster_stats(p->c, 4);
    tell_part(p, begin(p), t);
    ck_assert_ptr_null(p->c->update->install);
    struct chain_node_stats after = cluster_stats(p->c, 4);
    uint64_t n = after.refused_snapshot + after.refused_malformed + after.refused_stale + after.duplicates;
    ck_assert_uint_gt(n, before.refused_snapshot + before.refused_malformed + before.refused_stale + before.duplicates);
    ck_assert_uint_eq(after.height, 0);
    ck_assert_uint_eq(after.snapshots_installed, 0);
}

START_TEST(no_poisoned_snapshot_is_installed)
{
    struct pulled p = make_pulled(engines[_i]);
    struct told t;
    uint8_t *octets = malloc(p.len + 64), header[CHAIN_MAX_HEADER_BYTES], cert[CHAIN_MAX_CERT_BYTES];
    for (size_t bit = 0; bit < 8 * p.len; bit += bit < 1024 ? 1 : 31) { /* every bit of the head, then about one in four octets */
        memcpy(octets, p.octets, p.len);
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        t = whole(&p);
        t.part = octets;
        expect_refused(&p, &t);
    }
    for (size_t bit = 0; bit < 8 * p.head.header_len; bit++) {
        memcpy(header, p.header, p.head.header_len);
        header[bit / 8] ^= (uint8_t)(1 << bit % 8);
        t = whole(&p);
        t.header = header;
        expect_refused(&p, &t);
    }
    for (size_t bit = 0; bit < 8 * p.head.cert_len; bit += 3) {
        memcpy(cert, p.cert, p.head.cert_len);
        cert[bit / 8] ^= (uint8_t)(1 << bit % 8);
        t = whole(&p);
        t.cert = cert;
        expect_refused(&p, &t);
    }
    t = whole(&p); /* of another height */
    t.height++;
    expect_refused(&p, &t);
    t = whole(&p); /* truncated */
    t.total = t.part_len = p.len - 1;
    expect_refused(&p, &t);
    memcpy(octets, p.octets, p.len); /* longer than it is */
    t = whole(&p);
    t.part = octets;
    t.total = t.part_len = p.len + 1;
    expect_refused(&p, &t);
    static const uint64_t lengths[] = {0, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        t = whole(&p);
        t.total = lengths[i];
        expect_refused(&p, &t);
    }
    t = whole(&p);
    t.offset = UINT64_MAX;
    expect_refused(&p, &t);
    /* the very one, in the end */
    t = whole(&p);
    tell_part(&p, begin(&p), &t);
    ck_assert_ptr_nonnull(p.c->update->install);
    ck_assert_uint_eq(cluster_stats(p.c, 4).height, p.height);
    ck_assert_uint_eq(cluster_stats(p.c, 4).certified_height, p.height);
    tell_part(&p, 0, &t); /* and stale from now on */
    ck_assert_ptr_null(p.c->update->install);
    free(octets);
    free(p.octets);
    close_pruning(p.c);
}
END_TEST

static void tell_end(struct pulled *p, uint32_t author, const uint8_t *end, size_t len)
{
    static uint8_t body[CHAIN_MAX_MSG_BYTES];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    chain_cbor_put_array(&w, 6);
    chain_cbor_put_array(&w, 1);
    memcpy(body + w.len, end, len);
    w.len += len;
    chain_cbor_put_bytes(&w, body, 0);
    chain_cbor_put_bytes(&w, body, 0);
    chain_cbor_put_uint(&w, p->len);
    chain_cbor_put_uint(&w, 0);
    chain_cbor_put_bytes(&w, body, 0);
    tell(p, author, CHAIN_MSG_SNAPSHOT, p->height, body, w.len);
}

/* The true one, to whoever is asked, who is asked next for what comes after. */
static uint32_t follow_end(struct pulled *p, const uint8_t *end, size_t len)
{
    uint32_t target = begin(p);
    if (p->asked_epoch == 0) {
        tell_end(p, target, end, len);
        target = begin(p);
    }
    ck_assert_uint_eq(p->asked_epoch, 1);
    return target;
}

/* Member 3 loses its seat: what is certified before is of one epoch, what comes after of another. */
START_TEST(no_poisoned_end_of_an_epoch_and_no_certificate_of_another_one_leads_anywhere)
{
    struct pulled now = {.c = open_loaded(engines[_i])}, before = now;
    uint8_t end[4096];
    struct chain_cbor_writer w = {.out = end, .cap = sizeof end};
    struct chain_proof_epoch epoch;
    uint64_t end_height;
    note_newest(&before);
    reconfigure(now.c, false, 3);
    load(now.c, 12);
    note_newest(&now);
    ck_assert_uint_eq(cluster_stats(now.c, 0).epoch, 1);
    ck_assert_int_eq(chain_store_read_epoch(now.c->stores[0], 0, &end_height, &epoch), 0);
    ck_assert(before.height < end_height && end_height < now.height);
    chain_proof_put_epoch(&w, &epoch);
    ck_assert(!w.full);
    cluster_start(now.c, 4);

    for (size_t bit = 0; bit < 8 * w.len; bit += 5) {
        struct chain_node_stats was = cluster_stats(now.c, 4);
        uint32_t target = begin(&now);
        ck_assert_uint_eq(now.asked_epoch, 0);
        end[bit / 8] ^= (uint8_t)(1 << bit % 8);
        tell_end(&now, target, end, w.len);
        end[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct chain_node_stats is = cluster_stats(now.c, 4);
        ck_assert_msg(is.refused_snapshot + is.refused_malformed == was.refused_snapshot + was.refused_malformed + 1, "bit %zu", bit);
    }
    struct told t = whole(&now); /* of an epoch that nothing has led to yet */
    expect_refused(&now, &t);
    uint32_t target = follow_end(&now, end, w.len);
    t = whole(&before); /* of one that is over: by its own members, whom it does not ask any more */
    uint64_t refused = cluster_stats(now.c, 4).refused_snapshot;
    tell_part(&now, target, &t);
    ck_assert_ptr_null(now.c->update->install);
    ck_assert_uint_eq(cluster_stats(now.c, 4).refused_snapshot, refused + 1);
    target = follow_end(&now, end, w.len);
    t = whole(&now);
    tell_part(&now, target, &t);
    ck_assert_ptr_nonnull(now.c->update->install);
    ck_assert_uint_eq(now.c->update->install->n_epochs, 1);
    ck_assert_uint_eq(cluster_stats(now.c, 4).height, now.height);
    ck_assert_uint_eq(chain_ledger_members(now.c->update->install->ledger)->epoch, 1);
    free(before.octets);
    free(now.octets);
    close_pruning(now.c);
}
END_TEST

START_TEST(one_members_word_makes_nobody_give_up_blocks)
{
    struct pulled p = make_pulled(&chain_pbft_ops);
    struct told hint = {.height = p.height, .total = p.len, .offset = 1};
    for (int k = 0; k < 20; k++) {
        tell_part(&p, 1, &hint);
        p.c->now_ns += 1 * MS;
    }
    ck_assert_uint_eq(cluster_stats(p.c, 4).parts_taken, 0);
    struct told t = whole(&p);
    tell_part(&p, 1, &t);
    ck_assert_ptr_null(p.c->update->install);
    ck_assert_uint_eq(cluster_stats(p.c, 4).height, 0);
    free(p.octets);
    close_pruning(p.c);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("pull");
    tcase_add_loop_test(tc, who_knows_only_genesis_joins_by_a_snapshot_follows_and_votes, 0, 2);
    tcase_add_loop_test(tc, a_member_that_was_away_for_too_long_comes_back_by_a_snapshot, 0, 4);
    tcase_add_loop_test(tc, who_knows_its_tip_only_by_a_snapshot_says_so_to_those_behind, 0, 2);
    tcase_add_loop_test(tc, one_that_tells_a_wrong_state_is_left_for_another, 0, 2);
    tcase_add_loop_test(tc, no_poisoned_snapshot_is_installed, 0, 2);
    tcase_add_loop_test(tc, no_poisoned_end_of_an_epoch_and_no_certificate_of_another_one_leads_anywhere, 0, 2);
    tcase_add_test(tc, one_members_word_makes_nobody_give_up_blocks);
    suite_add_tcase(suite, tc);
}
