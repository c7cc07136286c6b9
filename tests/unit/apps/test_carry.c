/* Carrying updates out: the order persist, send, deliver, and nodes that come back from their databases. */
#define SUITE_NAME "carry"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "apps/carry.h"
#include "tests/unit/chain/ledger_fixture.h"

enum { N = 4, QUEUE = 4096 };

struct flying {
    uint32_t to;
    uint8_t *data;
    size_t len;
};

/* Four nodes with databases; time moves by a millisecond a turn, what is sent arrives with the next turn. */
struct rig {
    struct keyring ring;
    struct chain_genesis genesis;
    const struct chain_engine_ops *ops;
    enum chain_store_sync sync;
    int64_t now_ns;
    char folder[64];
    struct member {
        struct rig *rig;
        uint32_t id;
        void *mem;
        struct app_carry carry;
        uint64_t syncs_at_send; /* of its store, when it last sent something that had to wait */
        uint64_t n_delivered, n_delivered_unsynced;
    } members[N];
    struct flying queue[QUEUE];
    size_t n_queue;
    bool connected[N];
};

static void take_send(void *ctx, const struct chain_node_send *send)
{
    struct member *from = ctx;
    struct rig *r = from->rig;
    for (uint32_t to = 0; to < N; to++) {
        if (to == from->id || (send->to != CHAIN_TO_ALL && send->to != to) || !r->connected[to] || !r->connected[from->id])
            continue;
        ck_assert_uint_lt(r->n_queue, QUEUE);
        struct flying *f = &r->queue[r->n_queue++];
        *f = (struct flying){.to = to, .data = malloc(send->len), .len = send->len};
        memcpy(f->data, send->data, send->len);
    }
}

static void take_event(void *ctx, const struct chain_ledger_event *event)
{
    struct member *m = ctx;
    m->n_delivered++;
    /* on disk already: the block can be read back, and no turn is open */
    struct chain_node_block block;
    bool there = chain_store_read_block(m->carry.store, event->height, &block) == 0;
    m->n_delivered_unsynced += !there || m->carry.persist_seq != 0;
}

static const char *path_of(const struct rig *r, uint32_t i, char out[128])
{
    snprintf(out, 128, "%s/ledger-%u.db", r->folder, i);
    return out;
}

static void open_member(struct rig *r, uint32_t i)
{
    struct member *m = &r->members[i];
    char path[128], error[CHAIN_STORE_MAX_ERROR] = "";
    const char *bad = NULL;
    memset(m, 0, sizeof *m);
    m->rig = r;
    m->id = i;
    m->carry.ctx = m;
    m->carry.send = take_send;
    m->carry.deliver = take_event;
    m->carry.update = malloc(sizeof *m->carry.update);
    struct chain_store_owner owner = {i, "member"};
    ck_assert_msg(chain_store_open(path_of(r, i, path), &r->genesis, &owner, r->sync, &m->carry.store, error) == 0, "%s", error);
    struct chain_node_config cfg = {.seed = 5, .self = i, .genesis = &r->genesis, .signer = chain_signer_ed25519(&r->ring.keys[i]),
                                    .engine = r->ops, .engine_heartbeat_ns = 20 * MS, .engine_timeout_ns = 120 * MS,
                                    .engine_timeout_max_ns = 1000 * MS, .gossip_ns = 40 * MS, .status_ns = 100 * MS,
                                    .propose_delay_ns = 2 * MS, .mempool_txs = 64, .read_block = chain_store_read_block,
                                    .read_block_ctx = m->carry.store};
    size_t len = chain_node_bytes(&cfg);
    m->mem = malloc(len);
    ck_assert_msg(chain_node_init(m->mem, len, &cfg, &m->carry.node, &bad) == 0, "%s", bad ? bad : "");
    ck_assert_msg(chain_store_restore(m->carry.store, m->carry.node, r->now_ns, error) == 0, "%s", error);
    r->connected[i] = true;
}

static void close_member(struct rig *r, uint32_t i)
{
    struct member *m = &r->members[i];
    chain_node_close(m->carry.node);
    chain_store_close(m->carry.store);
    free(m->carry.update);
    free(m->mem);
    m->carry.node = NULL;
    r->connected[i] = false;
}

static struct rig *open_rig(const struct chain_engine_ops *ops, enum chain_store_sync sync)
{
    struct rig *r = calloc(1, sizeof *r);
    r->ops = ops;
    r->sync = sync;
    r->genesis = make_genesis(&r->ring, N);
    snprintf(r->genesis.engine, sizeof r->genesis.engine, "%s", ops->byzantine ? "pbft" : "raft");
    ck_assert_int_eq(chain_genesis_finish(&r->genesis, NULL, NULL), 0);
    r->ring.members = r->genesis.members;
    r->now_ns = T0 + 500 * MS;
    snprintf(r->folder, sizeof r->folder, "/tmp/airdeed-carry-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(r->folder));
    for (uint32_t i = 0; i < N; i++)
        open_member(r, i);
    return r;
}

static void remove_folder(const struct rig *r)
{
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", r->folder);
    ck_assert_int_eq(system(command), 0);
}

static void close_rig(struct rig *r)
{
    for (uint32_t i = 0; i < N; i++)
        if (r->members[i].carry.node)
            close_member(r, i);
    for (size_t k = 0; k < r->n_queue; k++)
        free(r->queue[k].data);
    remove_folder(r);
    free(r);
}

static void step_member(struct rig *r, uint32_t i, struct chain_node_event event)
{
    struct app_carry *c = &r->members[i].carry;
    event.now_ns = r->now_ns;
    int rc = app_carry_step(c, &event);
    ck_assert_msg(rc == 0 || rc == -EBADMSG, "member %u: %d %s", i, rc, c->error);
}

static void turn(struct rig *r)
{
    struct flying arrived[QUEUE];
    size_t n = r->n_queue;
    memcpy(arrived, r->queue, n * sizeof *arrived);
    r->n_queue = 0;
    r->now_ns += MS;
    for (size_t k = 0; k < n; k++) {
        if (r->connected[arrived[k].to])
            step_member(r, arrived[k].to, (struct chain_node_event){.kind = CHAIN_NODE_RECEIVE, .bytes = {.data = arrived[k].data, .len = arrived[k].len}});
        free(arrived[k].data);
    }
    for (uint32_t i = 0; i < N; i++) {
        struct app_carry *c = &r->members[i].carry;
        if (!c->node)
            continue;
        if (chain_node_deadline(c->node) <= r->now_ns)
            step_member(r, i, (struct chain_node_event){.kind = CHAIN_NODE_TICK});
        ck_assert_msg(app_carry_sync(c, r->now_ns) == 0, "%s", c->error);
    }
}

static void run(struct rig *r, int n_turns)
{
    for (int k = 0; k < n_turns; k++)
        turn(r);
}

static uint64_t height_of(const struct rig *r, uint32_t i)
{
    return chain_ledger_height(chain_node_ledger(r->members[i].carry.node));
}

static void submit_register(struct rig *r, uint32_t i)
{
    struct chain_op op = {.kind = CHAIN_OP_REGISTER, .reg = {.call_sign = "station"}};
    step_member(r, i, (struct chain_node_event){.kind = CHAIN_NODE_SUBMIT, .op = &op});
    ck_assert_int_eq(r->members[i].carry.submit_result, CHAIN_SUCCESS);
}

static void submit_evidence(struct rig *r, uint32_t i)
{
    struct chain_op op = {.kind = CHAIN_OP_EVIDENCE, .evidence = {.channel = 1, .from_ns = r->now_ns - MS, .at_ns = r->now_ns}};
    step_member(r, i, (struct chain_node_event){.kind = CHAIN_NODE_SUBMIT, .op = &op});
    ck_assert_int_eq(r->members[i].carry.submit_result, CHAIN_SUCCESS);
}

static void expect_verified(struct rig *r)
{
    struct chain_store_verdict v[N];
    for (uint32_t i = 0; i < N; i++) {
        char path[128], error[CHAIN_STORE_MAX_ERROR] = "";
        if (r->members[i].carry.node)
            close_member(r, i);
        ck_assert_msg(chain_store_verify(path_of(r, i, path), &v[i], error) == 0, "%s", error);
        ck_assert_msg(v[i].ok, "%s", v[i].first_fault);
        ck_assert_mem_eq(&v[i].state_root, &v[0].state_root, sizeof v[0].state_root);
    }
}

static const struct chain_engine_ops *const engines[] = {&chain_raft_ops, &chain_pbft_ops};

START_TEST(blocks_are_delivered_once_they_are_on_disk)
{
    struct rig *r = open_rig(engines[_i], CHAIN_STORE_SYNC_FULL);
    run(r, 500);
    for (uint32_t i = 0; i < N; i++)
        submit_register(r, i);
    run(r, 100);
    for (int k = 0; k < 20; k++) {
        submit_evidence(r, (uint32_t)k % N);
        run(r, 20);
    }
    run(r, 300);
    for (uint32_t i = 0; i < N; i++) {
        ck_assert_uint_ge(r->members[i].n_delivered, 24);
        ck_assert_uint_eq(r->members[i].n_delivered_unsynced, 0);
        ck_assert_uint_ge(chain_store_syncs(r->members[i].carry.store), height_of(r, i));
    }
    expect_verified(r);
    close_rig(r);
}
END_TEST

START_TEST(a_node_that_was_away_catches_up_from_its_database_and_the_others)
{
    struct rig *r = open_rig(engines[_i], CHAIN_STORE_SYNC_OFF);
    run(r, 500);
    for (uint32_t i = 0; i < N; i++)
        submit_register(r, i);
    run(r, 100);
    uint64_t height_before = height_of(r, 3);
    close_member(r, 3);
    for (int k = 0; k < 160; k++) { /* longer than memory holds blocks */
        submit_evidence(r, (uint32_t)k % 3);
        run(r, 12);
    }
    run(r, 300);
    ck_assert_uint_gt(height_of(r, 0), height_before + CHAIN_NODE_RING);
    open_member(r, 3);
    ck_assert_uint_eq(height_of(r, 3), height_before);
    run(r, 1200);
    ck_assert_uint_eq(height_of(r, 3), height_of(r, 0));
    submit_evidence(r, 3);
    run(r, 400);
    ck_assert_uint_eq(height_of(r, 3), height_of(r, 0));
    struct chain_node_stats s;
    chain_node_stats(r->members[3].carry.node, &s);
    ck_assert_uint_ge(s.blocks_fetched, CHAIN_NODE_RING);
    expect_verified(r);
    close_rig(r);
}
END_TEST

START_TEST(all_may_stop_at_once_and_go_on_where_they_were)
{
    struct rig *r = open_rig(engines[_i], CHAIN_STORE_SYNC_OFF);
    run(r, 500);
    for (uint32_t i = 0; i < N; i++)
        submit_register(r, i);
    for (int round = 0; round < 6; round++) {
        for (uint32_t i = 0; i < N; i++)
            submit_evidence(r, i);
        run(r, 7 + 3 * round); /* in the middle of things */
        for (uint32_t i = 0; i < N; i++)
            close_member(r, i);
        for (size_t k = 0; k < r->n_queue; k++)
            free(r->queue[k].data);
        r->n_queue = 0;
        for (uint32_t i = 0; i < N; i++)
            open_member(r, i);
        run(r, 700);
    }
    for (uint32_t i = 1; i < N; i++)
        ck_assert_uint_eq(height_of(r, i), height_of(r, 0));
    ck_assert_uint_ge(height_of(r, 0), 3);
    uint64_t before = height_of(r, 0);
    submit_evidence(r, 2);
    run(r, 500);
    ck_assert_uint_gt(height_of(r, 0), before);
    expect_verified(r);
    close_rig(r);
}
END_TEST

START_TEST(a_failing_disk_stops_the_node_before_it_speaks)
{
    struct rig *r = open_rig(&chain_pbft_ops, CHAIN_STORE_SYNC_OFF);
    run(r, 300);
    struct rlimit limit = {.rlim_cur = 1, .rlim_max = 1}; /* any write beyond the first octet fails */
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct chain_op op = {.kind = CHAIN_OP_REGISTER, .reg = {.call_sign = "station"}};
    struct app_carry *c = &r->members[0].carry;
    struct chain_node_event event = {.kind = CHAIN_NODE_SUBMIT, .op = &op};
    int rc = 0;
    for (int k = 0; k < 200 && rc == 0; k++) { /* the primary proposes, and has to write its proposal first */
        event.now_ns = r->now_ns += MS;
        r->n_queue = 0;
        rc = app_carry_step(c, &event);
        event.kind = CHAIN_NODE_TICK;
        if (rc == 0)
            rc = app_carry_sync(c, r->now_ns);
    }
    ck_assert_int_eq(rc, -EIO);
    ck_assert_uint_eq(r->n_queue, 0);
    ck_assert_ptr_nonnull(strstr(c->error, "ledger-0.db: cannot be written"));
    remove_folder(r);
    _exit(0); /* nothing can be written any more, this test's report neither */
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("carry");
    tcase_add_loop_test(tc, blocks_are_delivered_once_they_are_on_disk, 0, 2);
    tcase_add_loop_test(tc, a_node_that_was_away_catches_up_from_its_database_and_the_others, 0, 2);
    tcase_add_loop_test(tc, all_may_stop_at_once_and_go_on_where_they_were, 0, 2);
    tcase_add_exit_test(tc, a_failing_disk_stops_the_node_before_it_speaks, 0);
    suite_add_tcase(suite, tc);
}
