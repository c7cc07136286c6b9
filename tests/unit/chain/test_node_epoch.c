/* Epochs: seats are won and lost while the cluster works, and whoever was away follows. */
#define SUITE_NAME "chain node epochs"
#include "tests/unit/check_main.h"

#include "tests/unit/chain/cluster.h"

static const struct chain_engine_ops *const engines[] = {&chain_raft_ops, &chain_pbft_ops};

static void submit_as(struct cluster *c, uint32_t i, const struct chain_op *op)
{
    ck_assert_int_eq(cluster_submit(c, i, op), CHAIN_SUCCESS);
    cluster_run(c, 20 * MS);
}

/* Enough members move it for it to be carried. */
static void reconfigure(struct cluster *c, bool add, uint32_t key)
{
    struct chain_op op = {.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = add, .key_id = key}};
    struct chain_node_stats s;
    uint32_t epoch = 0;
    for (uint32_t i = 0; i < c->n; i++)
        if (c->nodes[i] && cluster_stats(c, i).epoch > epoch)
            epoch = cluster_stats(c, i).epoch;
    for (uint32_t i = 0; i < c->n; i++) {
        if (!c->nodes[i] || (s = cluster_stats(c, i)).seat == CHAIN_MAX_MEMBERS || s.epoch > epoch)
            continue;
        (void)cluster_submit(c, i, &op);
        cluster_run(c, 150 * MS);
    }
    cluster_run(c, 1500 * MS);
}

static void load(struct cluster *c, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < c->n; i++)
            if (c->nodes[i]) {
                struct chain_op op = evidence_op(c, k);
                submit_as(c, i, &op);
                break;
            }
}

static void expect_epoch(const struct cluster *c, uint32_t epoch, uint32_t n_seats)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (!c->nodes[i])
            continue;
        if (cluster_stats(c, i).epoch != epoch)
            cluster_print(c);
        ck_assert_uint_eq(cluster_stats(c, i).epoch, epoch);
        ck_assert_uint_eq(chain_ledger_members(chain_node_ledger(c->nodes[i]))->n, n_seats);
    }
}

START_TEST(a_key_wins_a_seat_and_another_loses_its)
{
    struct cluster *c = cluster_open_keys(engines[_i], 5, 4, 11);
    c->loss_permille = 50;
    cluster_run(c, 600 * MS);
    cluster_register_all(c);
    cluster_run(c, 1500 * MS);
    ck_assert(cluster_agrees(c)); /* the key without a seat follows */
    ck_assert(!cluster_stats(c, 4).votes);
    ck_assert_uint_eq(cluster_stats(c, 4).seat, CHAIN_MAX_MEMBERS);
    reconfigure(c, true, 4);
    expect_epoch(c, 1, 5);
    ck_assert(cluster_stats(c, 4).votes);
    load(c, 5);
    reconfigure(c, false, 1);
    expect_epoch(c, 2, 4);
    ck_assert(!cluster_stats(c, 1).votes);
    ck_assert_uint_eq(cluster_stats(c, 4).seat, 3);
    cluster_stop(c, 0); /* the others go on, the new one among them */
    load(c, 5);
    cluster_run(c, 3000 * MS);
    cluster_start(c, 0);
    c->loss_permille = 0;
    cluster_run(c, 2000 * MS);
    ck_assert(cluster_agrees(c));
    expect_epoch(c, 2, 4);
    ck_assert_uint_gt(cluster_height(c), 10);
    cluster_close(c);
}
END_TEST

START_TEST(who_slept_through_several_epochs_catches_up_and_votes)
{
    struct cluster *c = cluster_open_keys(engines[_i], 6, 4, 12);
    cluster_run(c, 600 * MS);
    cluster_register_all(c);
    cluster_run(c, 600 * MS);
    cluster_stop(c, 3);
    reconfigure(c, true, 4);
    load(c, 3);
    reconfigure(c, true, 5);
    load(c, 3);
    reconfigure(c, false, 0);
    load(c, 3);
    expect_epoch(c, 3, 5);
    cluster_start(c, 3);
    cluster_run(c, 3000 * MS);
    ck_assert(cluster_agrees(c));
    expect_epoch(c, 3, 5);
    ck_assert(cluster_stats(c, 3).votes);
    cluster_close(c);
}
END_TEST

/* It asked the members that it knew, and enough of them answered; of those that vote now one did not. */
START_TEST(who_was_answered_by_members_of_an_older_epoch_asks_those_of_the_new_one)
{
    struct cluster *c = cluster_open_keys(&chain_raft_ops, 6, 6, 13);
    cluster_run(c, 600 * MS);
    cluster_register_all(c);
    cluster_run(c, 600 * MS);
    cluster_stop(c, 0);
    for (uint32_t key = 5; key > 2; key--)
        reconfigure(c, false, key);
    c->ignores[0] = 1u << 2;
    cluster_start(c, 0);
    cluster_run(c, 14 * MS);
    c->blackout = true; /* three of six have answered; when it would ask again, it needs not */
    cluster_run(c, 300 * MS);
    ck_assert_uint_eq(cluster_stats(c, 0).epoch, 0);
    c->blackout = false;
    cluster_run(c, 2000 * MS);
    ck_assert_uint_eq(cluster_stats(c, 0).epoch, 3);
    ck_assert(!cluster_stats(c, 0).votes); /* of three, both others have to answer */
    c->ignores[0] = 0;
    cluster_run(c, 1000 * MS);
    ck_assert(cluster_stats(c, 0).votes);
    cluster_close(c);
}
END_TEST

START_TEST(a_member_that_restarts_at_any_moment_of_a_change_loses_nothing)
{
    for (uint64_t k = 0; k < 12; k++) {
        struct cluster *c = cluster_open_keys(engines[_i], 5, 4, 100 + k);
        cluster_run(c, 600 * MS);
        cluster_register_all(c);
        cluster_run(c, 500 * MS);
        struct chain_op op = {.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = true, .key_id = 4}};
        for (uint32_t i = 0; i < 4; i++)
            (void)cluster_submit(c, i, &op);
        cluster_run(c, (int64_t)k * 2 * MS);
        uint32_t victim = (uint32_t)k % 4;
        cluster_stop(c, victim);
        cluster_run(c, 40 * MS);
        cluster_start(c, victim);
        cluster_run(c, 4000 * MS);
        expect_epoch(c, 1, 5);
        load(c, 2);
        cluster_run(c, 2000 * MS);
        ck_assert(cluster_agrees(c));
        for (uint32_t i = 0; i < 5; i++)
            ck_assert(cluster_stats(c, i).votes);
        cluster_close(c);
    }
}
END_TEST

static void open_store(struct cluster *c, const char *folder, uint32_t i)
{
    static const struct chain_store_policy policy = {4, UINT64_MAX, UINT64_MAX, UINT64_C(1) << 30};
    struct chain_store_owner owner = {i, "node"};
    char path[96], error[CHAIN_STORE_MAX_ERROR] = "";
    snprintf(path, sizeof path, "%s/%u.db", folder, i);
    ck_assert_msg(chain_store_open(path, &c->genesis, &owner, CHAIN_STORE_SYNC_OFF, &c->stores[i], error) == 0, "%s", error);
    chain_store_set_policy(c->stores[i], &policy);
}

/* As a process: the database is closed with the node and opened with the next one. */
static void restart_from_store(struct cluster *c, const char *folder, uint32_t i)
{
    char path[96], error[CHAIN_STORE_MAX_ERROR] = "";
    struct chain_store_verdict v;
    cluster_stop(c, i);
    while (chain_store_work(c->stores[i], error) > 0)
        continue;
    chain_store_close(c->stores[i]);
    snprintf(path, sizeof path, "%s/%u.db", folder, i);
    ck_assert_msg(chain_store_verify(path, &v, error) == 0 && v.ok, "%s%s", error, v.first_fault);
    open_store(c, folder, i);
    cluster_start(c, i);
}

/* Case: engine, and how many blocks there are after the change, so that the start reads none or some above the snapshot. */
START_TEST(a_start_from_a_snapshot_sits_where_its_epoch_says)
{
    struct cluster *c = cluster_open_keys(engines[_i % 2], 6, 4, 15);
    char folder[] = "/tmp/airdeed-epoch-XXXXXX", command[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (uint32_t i = 0; i < 6; i++)
        open_store(c, folder, i);
    cluster_run(c, 600 * MS);
    cluster_register_all(c);
    cluster_run(c, 600 * MS);
    /* fewer seats than genesis has, the same number in other hands, more */
    static const struct { bool add; uint32_t key, n_seats; } changes[] = {{false, 1, 3}, {true, 4, 4}, {true, 5, 5}};
    for (uint32_t k = 0; k < 3; k++) {
        reconfigure(c, changes[k].add, changes[k].key);
        load(c, 4 + (uint32_t)_i / 2);
        cluster_run(c, 1000 * MS);
        for (uint32_t i = 0; i < 6; i++) {
            restart_from_store(c, folder, i);
            uint64_t height, tip = cluster_stats(c, i).height;
            uint8_t *octets;
            size_t len;
            ck_assert_int_eq(chain_store_read_snapshot(c->stores[i], &height, &octets, &len), 0);
            free(octets);
            ck_assert_uint_gt(height, tip - 8);
            const struct chain_members *members = chain_ledger_members(chain_node_ledger(c->nodes[i]));
            ck_assert_uint_eq(cluster_stats(c, i).seat, chain_members_seat(members, i));
            cluster_run(c, 300 * MS);
        }
        expect_epoch(c, k + 1, changes[k].n_seats);
        load(c, 2);
        cluster_run(c, 1500 * MS);
        ck_assert(cluster_agrees(c));
        for (uint32_t i = 0; i < 6; i++)
            ck_assert_int_eq(cluster_stats(c, i).votes, cluster_stats(c, i).seat < CHAIN_MAX_MEMBERS);
    }
    for (uint32_t i = 0; i < 6; i++)
        chain_store_close(c->stores[i]);
    cluster_close(c);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(two_headers_of_one_member_end_on_the_ledger_and_cost_it_its_vote)
{
    struct cluster *c = cluster_open_registered(&chain_pbft_ops, 4, 13, 300 * MS, 600 * MS);
    uint64_t height = cluster_stats(c, 0).height + 3;
    for (uint8_t k = 0; k < 2; k++) {
        struct chain_msg vote = {.kind = CHAIN_MSG_HEADER_VOTE, .author = 3, .seq = height, .digest.octets = {k}};
        uint8_t bundle[256] = {0x81};
        sign_msg(&c->ring, &vote);
        long len = chain_msg_encode(&c->genesis.members, &vote, bundle + 1, sizeof bundle - 1);
        ck_assert_int_gt(len, 0);
        struct chain_node_event event = {.kind = CHAIN_NODE_RECEIVE, .bytes = {bundle, (size_t)len + 1}};
        cluster_step(c, 1, &event);
    }
    ck_assert_uint_eq(cluster_stats(c, 1).accusations, 1);
    cluster_run(c, 1000 * MS);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_eq(chain_ledger_convicted(chain_node_ledger(c->nodes[i])), 1u << 3);
    load(c, 4);
    cluster_run(c, 1000 * MS);
    ck_assert(cluster_agrees(c)); /* without the convicted one's votes */
    reconfigure(c, false, 3);
    expect_epoch(c, 1, 3);
    ck_assert_uint_eq(chain_ledger_convicted(chain_node_ledger(c->nodes[0])), 0);
    cluster_close(c);
}
END_TEST

START_TEST(the_leader_is_named_by_its_key_where_seats_have_moved)
{
    struct cluster *c = cluster_open_registered(engines[_i], 4, 15, 800 * MS, 500 * MS);
    reconfigure(c, false, 0);
    expect_epoch(c, 1, 3);
    load(c, 3);
    cluster_run(c, 500 * MS);
    for (uint32_t i = 1; i < 4; i++) {
        uint32_t leader = cluster_stats(c, i).leader;
        ck_assert_uint_lt(leader, 4);
        ck_assert(cluster_stats(c, leader).engine.is_leader);
    }
    cluster_close(c);
}
END_TEST

START_TEST(a_read_sees_what_was_committed_before_it)
{
    struct cluster *c = cluster_open_registered(engines[_i], 3, 14, 800 * MS, 500 * MS);
    size_t n_good = 0, n_bad = 0;
    for (uint32_t i = 0; i < 3; i++) {
        struct chain_node_event event = {.kind = CHAIN_NODE_READ, .read_id = 7 + i};
        cluster_step(c, i, &event);
        for (int k = 0; k < 200 && c->update->n_reads == 0; k++) {
            int64_t until_ns = c->now_ns + 50 * MS;
            while (c->update->n_reads == 0 && cluster_advance(c, until_ns)) {
            }
        }
        ck_assert_uint_eq(c->update->n_reads, 1);
        ck_assert_uint_eq(c->update->reads[0].id, 7 + i);
        n_good += c->update->reads[0].good;
        n_bad += !c->update->reads[0].good;
        if (c->update->reads[0].good)
            ck_assert_mem_eq(c->update->reads[0].state_root.octets,
                             chain_ledger_tip(chain_node_ledger(c->nodes[i]))->state_root.octets, CHAIN_HASH_BYTES);
    }
    ck_assert_uint_eq(n_good, _i == 0 ? 1 : 3); /* Raft: the leader alone; PBFT: each, and the client compares */
    ck_assert_uint_eq(n_bad, _i == 0 ? 2 : 0);
    cluster_close(c);
}
END_TEST

static uint32_t count_empty_blocks(const struct cluster *c)
{
    uint32_t n = 0;
    for (uint64_t h = 1; h <= c->disks[0]->height; h++)
        n += c->disks[0]->blocks[h].batch_len == 0;
    return n;
}

START_TEST(a_leader_commits_something_of_its_term_before_it_asks_for_new_members)
{
    for (uint64_t k = 0; k < 2; k++) {
        struct cluster *c = cluster_open_keys(&chain_raft_ops, 5, 4, 21);
        cluster_run(c, 800 * MS);
        if (k == 1)
            cluster_register_all(c);
        cluster_run(c, 500 * MS);
        uint64_t height = c->disks[0]->height;
        ck_assert_int_eq(height > 0, k == 1);
        uint32_t n_empty = count_empty_blocks(c);
        struct chain_op op = {.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = true, .key_id = 4}};
        for (uint32_t i = 0; i < 4; i++)
            ck_assert_int_eq(cluster_submit(c, i, &op), CHAIN_SUCCESS);
        cluster_run(c, 1500 * MS);
        expect_epoch(c, 1, 5);
        ck_assert_int_eq(c->disks[0]->blocks[height + 1].batch_len == 0, k == 0); /* only where the term had nothing yet */
        ck_assert_uint_eq(count_empty_blocks(c) - n_empty, 1 - k);
        load(c, 2);
        cluster_run(c, 1000 * MS);
        ck_assert(cluster_agrees(c));
        cluster_close(c);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("epochs");
    tcase_add_loop_test(tc, a_key_wins_a_seat_and_another_loses_its, 0, 2);
    tcase_add_loop_test(tc, who_slept_through_several_epochs_catches_up_and_votes, 0, 2);
    tcase_add_test(tc, who_was_answered_by_members_of_an_older_epoch_asks_those_of_the_new_one);
    tcase_add_loop_test(tc, a_member_that_restarts_at_any_moment_of_a_change_loses_nothing, 0, 2);
    tcase_add_loop_test(tc, a_start_from_a_snapshot_sits_where_its_epoch_says, 0, 8);
    tcase_add_test(tc, a_leader_commits_something_of_its_term_before_it_asks_for_new_members);
    tcase_add_test(tc, two_headers_of_one_member_end_on_the_ledger_and_cost_it_its_vote);
    tcase_add_loop_test(tc, the_leader_is_named_by_its_key_where_seats_have_moved, 0, 2);
    tcase_add_loop_test(tc, a_read_sees_what_was_committed_before_it, 0, 2);
    suite_add_tcase(suite, tc);
}
