/* What a store does beside its turns: derived rows, snapshots, pruning, the write-ahead log. */
#define SUITE_NAME "chain store work"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain/snapshot.h"
#include "chain/store/prove.h"
#include "chain/tx.h"
#include "tests/unit/chain/hand_chain.h"
#include "tests/unit/chain/living.h"

START_TEST(derived_rows_come_behind_and_none_is_lost)
{
    start_chain();
    struct chain_store *s = open_store(&chain->genesis, CHAIN_STORE_SYNC_FULL, NULL);
    char error[CHAIN_STORE_MAX_ERROR] = "";
    for (int i = 0; i < 30; i++)
        add_block(s, 8);
    ck_assert_int_eq(ask("SELECT count(*) FROM blocks"), 30);
    ck_assert_int_eq(ask("SELECT count(*) FROM transactions"), 0);
    ck_assert_int_eq(ask("SELECT value FROM meta WHERE key='indexed_height'"), 0);
    ck_assert_msg(verify().ok, "%s", verify().first_fault);
    uint64_t syncs = chain_store_syncs(s);
    int rc = chain_store_work(s, error);
    ck_assert_int_eq(rc, 1);
    int64_t indexed = ask("SELECT value FROM meta WHERE key='indexed_height'");
    ck_assert_int_gt(indexed, 0);
    ck_assert_int_eq(ask("SELECT count(*) FROM transactions"), 8 * indexed);
    ck_assert_msg(verify().ok, "%s", verify().first_fault);
    while (rc > 0)
        rc = chain_store_work(s, error);
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(chain_store_syncs(s), syncs); /* nobody waits for the disk */
    ck_assert_int_eq(ask("SELECT count(*) FROM transactions"), 8 * 30);
    ck_assert_int_eq(ask("SELECT value FROM meta WHERE key='indexed_height'"), 30);
    chain_store_close(s);
    ck_assert_msg(verify().ok, "%s", verify().first_fault);
    end_chain();
}
END_TEST

/* What kill -9 leaves: the index lags, and the next start brings it up. */
START_TEST(a_start_indexes_what_a_crash_left_and_begins_at_the_last_snapshot)
{
    struct chain_store_policy policy = {5, UINT64_MAX, UINT64_MAX, UINT64_C(1) << 30};
    struct cluster *c = cluster_open(_i ? &chain_raft_ops : &chain_pbft_ops, 4, 7);
    char error[CHAIN_STORE_MAX_ERROR] = "";
    c->stores[0] = open_store(&c->genesis, CHAIN_STORE_SYNC_OFF, &policy);
    living_run(c);
    chain_store_close(c->stores[0]);
    c->stores[0] = NULL;
    ck_assert_int_ge(ask("SELECT count(DISTINCT height) FROM snapshots"), 3);
    struct chain_store_verdict v = verify();
    ck_assert_msg(v.ok && v.base == 0 && v.indexed_height == v.height, "%s", v.first_fault);
    /* the last blocks' rows were not written yet */
    int64_t last = ask("SELECT max(height) FROM snapshots");
    char sql[400];
    snprintf(sql, sizeof sql, "DELETE FROM tx_rows WHERE height > %lld; DELETE FROM event_rows WHERE height > %lld;"
                              "UPDATE meta SET value = %lld WHERE key = 'indexed_height'", (long long)last, (long long)last, (long long)last);
    execute_sql(sql);
    struct chain_store *s = open_store(&c->genesis, CHAIN_STORE_SYNC_FULL, &policy);
    struct chain_hash root = chain_ledger_tip(chain_node_ledger(c->nodes[0]))->state_root;
    struct chain_node_config cfg = {.seed = 3, .genesis = &c->genesis, .signer = chain_signer_ed25519(&c->ring.keys[0]), .engine = c->ops,
                                    .engine_heartbeat_ns = 40 * MS, .engine_timeout_ns = 200 * MS, .engine_timeout_max_ns = 2000 * MS,
                                    .gossip_ns = 50 * MS, .status_ns = 200 * MS, .mempool_txs = c->mempool_txs,
                                    .read_block = chain_store_read_block, .read_block_ctx = s};
    const char *bad = NULL;
    struct chain_node *node;
    void *mem = malloc(chain_node_bytes(&cfg));
    ck_assert_int_eq(chain_node_init(mem, chain_node_bytes(&cfg), &cfg, &node, &bad), 0);
    ck_assert_msg(chain_store_restore(s, node, c->now_ns, error) == 0, "%s", error);
    ck_assert_uint_eq(chain_ledger_height(chain_node_ledger(node)), v.height);
    ck_assert_mem_eq(&chain_ledger_tip(chain_node_ledger(node))->state_root, &root, sizeof root);
    while (chain_store_work(s, error) > 0)
        continue;
    chain_store_close(s);
    free(mem);
    struct chain_store_verdict after = verify();
    ck_assert_msg(after.ok && after.indexed_height == v.height, "%s", after.first_fault);
    cluster_close(c);
}
END_TEST

START_TEST(a_pruned_database_stays_below_its_bound_and_verifies_from_its_base)
{
    enum { EVERY = 50, KEEP = 60, TXS = 8 };
    struct chain_store_policy policy = {EVERY, UINT64_MAX, KEEP, UINT64_C(1) << 30};
    start_chain();
    struct chain_store *s = open_store(&chain->genesis, CHAIN_STORE_SYNC_OFF, &policy);
    struct stat st;
    off_t early = 0, late = 0;
    for (int i = 0; i < 2000; i++) {
        add_block(s, TXS);
        if (i % 100 != 99)
            continue;
        ck_assert_int_le(ask("SELECT count(*) FROM blocks"), KEEP + 2 * EVERY + 1);
        ck_assert_int_eq(stat(path, &st), 0);
        off_t *most = i < 800 ? &early : &late;
        *most = st.st_size > *most ? st.st_size : *most;
    }
    chain_store_close(s);
    struct chain_store_verdict v = verify();
    ck_assert_msg(v.ok, "%s", v.first_fault);
    ck_assert_uint_eq(v.height, 2000);
    ck_assert_uint_gt(v.base, 2000 - KEEP - 2 * EVERY - 2);
    ck_assert_uint_eq(v.n_blocks, v.height - v.base);
    ck_assert_int_eq(ask("SELECT min(height) FROM tx_rows"), (int64_t)v.base + 1);
    printf("2000 blocks of %d octets: %lld octets at most in the first 800, %lld later; base %llu\n", TXS * 260, (long long)early, (long long)late,
           (unsigned long long)v.base);
    fflush(stdout);
    ck_assert_int_le(late, early + 64 * 1024);
    /* what the base says is checked against what members signed */
    execute_sql("UPDATE snapshots SET octets = CAST(substr(octets, 1, 300) || x'00' || substr(octets, 302) AS BLOB)");
    v = verify();
    ck_assert_msg(!v.ok && strstr(v.first_fault, "snapshots row"), "%s", v.first_fault);
    end_chain();
}
END_TEST

START_TEST(a_reader_that_stays_bounds_the_log_and_not_the_disk)
{
    enum { BOUND = 16 << 20, CHUNK = 8 << 20 /* by which the file grows */ };
    struct chain_store_policy policy = {4096, UINT64_MAX, UINT64_MAX, BOUND};
    start_chain();
    struct chain_store *s = open_store(&chain->genesis, CHAIN_STORE_SYNC_FULL, &policy);
    char error[CHAIN_STORE_MAX_ERROR] = "", log[160];
    struct stat st;
    uint8_t *octets = calloc(1, 100000);
    snprintf(log, sizeof log, "%s-wal", path);
    off_t most = 0;
    uint64_t first_half = 0, stopped = 0, looked = UINT64_MAX;
    sqlite3 *reader = NULL;
    int rc = 0;
    for (uint64_t k = 0; k < 1000 && rc == 0; k++) {
        uint64_t bound, used = chain_store_log_octets(s, &bound);
        ck_assert_uint_eq(bound, BOUND);
        if (k >= 200 && !reader && used < BOUND / 4) { /* from here on somebody looks at a moment of before */
            ck_assert_int_eq(sqlite3_open_v2(path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
            ck_assert_int_eq(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM engine", NULL, NULL, NULL), SQLITE_OK);
            looked = k;
        }
        memset(&chain->update, 0, sizeof chain->update);
        chain->update.n_records = 1;
        chain->update.records[0] = (struct chain_record){.key = k % 3, .data = octets, .len = 100000};
        if (reader && used >= BOUND / 2 && first_half == 0)
            first_half = k;
        ck_assert_msg(!reader || used >= (k - looked) * 100000, "%llu", (unsigned long long)used);
        rc = write_turn(s, error);
        stopped = k;
        if (stat(log, &st) == 0 && st.st_size > most)
            most = st.st_size;
        ck_assert_msg(reader || rc == 0, "%s", error);
    }
    printf("log of %lld octets at most, bound %d\n", (long long)most, BOUND);
    fflush(stdout);
    ck_assert_int_eq(rc, -EBUSY);
    ck_assert_uint_gt(first_half, looked);
    ck_assert_uint_gt(stopped, first_half + 30);
    ck_assert_msg(strstr(error, "a reader stays in one transaction") && !strchr(error, '\n'), "%s", error);
    ck_assert_int_le(most, BOUND + CHUNK);
    sqlite3_close(reader);
    free(octets);
    chain_store_close(s);
    ck_assert_msg(verify().ok, "%s", verify().first_fault);
    end_chain();
}
END_TEST

/* A seat is lost: later certificates are those of the next epoch, and a proof leads from genesis to them. */
START_TEST(epochs_are_verified_and_proved_one_by_one)
{
    struct chain_store_policy policy = {5, UINT64_MAX, _i ? 5 : UINT64_MAX, UINT64_C(1) << 30};
    chain = calloc(1, sizeof *chain);
    struct chain_genesis g = make_genesis(&chain->ring, 4);
    g.has_authority = true;
    ck_assert_int_eq(chain_genesis_finish(&g, NULL, NULL), 0);
    start_chain_of(&g);
    struct chain_store *s = open_store(&chain->genesis, CHAIN_STORE_SYNC_OFF, &policy);
    struct chain_op reg = op_register(), leave = {.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = false, .key_id = 1}};
    add_op_block(s, 0, &reg);
    add_op_block(s, 2, &reg);
    for (int i = 0; i < 6; i++)
        add_block(s, 1);
    add_op_block(s, 0, &leave);
    ck_assert_uint_eq(chain_ledger_members(chain->ledger)->epoch, 1);
    ck_assert_uint_eq(chain_ledger_members(chain->ledger)->n, 3);
    for (int i = 0; i < 25; i++)
        add_block(s, 1);
    chain_store_close(s);
    struct chain_store_verdict v = verify();
    ck_assert_msg(v.ok, "%s", v.first_fault);
    ck_assert(_i ? v.base > 9 : v.base == 0);
    ck_assert_int_eq(ask("SELECT count(*) FROM stations WHERE member"), 3);
    ck_assert_int_eq(ask("SELECT height FROM epochs"), 9);
    static struct chain_proof_result result;
    static struct chain_ed25519 no_key;
    struct chain_signer signer = chain_signer_ed25519(&no_key);
    struct chain_store_question q = {.kind = CHAIN_PROOF_ENTRY, .table = 3, .id = 2};
    uint8_t *data;
    size_t len;
    char error[CHAIN_STORE_MAX_ERROR] = "";
    ck_assert_msg(chain_store_prove(path, &q, &data, &len, error) == 0, "%s", error);
    int rc = chain_proof_check(data, len, &signer, &result);
    ck_assert_msg(rc == 0, "%s", result.fault);
    ck_assert_uint_eq(result.epoch, 1);
    ck_assert_uint_eq(result.quorum, chain_pbft_quorum(3));
    ck_assert_int_eq(result.claim.kind, CHAIN_PROOF_ENTRY);
    for (size_t at = 0; at < len; at++) { /* the way through the epochs cannot be bent either */
        struct chain_hash genesis = result.genesis_hash;
        data[at] ^= 0x20;
        rc = chain_proof_check(data, len, &signer, &result);
        ck_assert(rc != 0 || memcmp(&genesis, &result.genesis_hash, sizeof genesis) != 0);
        data[at] ^= 0x20;
        ck_assert_int_eq(chain_proof_check(data, len, &signer, &result), 0);
    }
    free(data);
    end_chain();
}
END_TEST

/* Case 1: pruned, so that the rows of stations come from the snapshot at the base as far as it goes. */
START_TEST(stations_that_move_leave_or_come_late_have_the_rows_that_the_state_gives)
{
    struct chain_store_policy policy = {5, UINT64_MAX, _i ? 5 : UINT64_MAX, UINT64_C(1) << 30};
    chain = calloc(1, sizeof *chain);
    struct chain_genesis g = make_genesis(&chain->ring, 4);
    g.has_authority = true;
    ck_assert_int_eq(chain_genesis_finish(&g, NULL, NULL), 0);
    start_chain_of(&g);
    struct chain_store *s = open_store(&chain->genesis, CHAIN_STORE_SYNC_OFF, &policy);
    char error[CHAIN_STORE_MAX_ERROR] = "";
    uint8_t seed[32] = {77};
    struct chain_op admit = {.kind = CHAIN_OP_ADMIT}, reg = op_register(), leave = {.kind = CHAIN_OP_DEREGISTER};
    struct chain_op move = {.kind = CHAIN_OP_MOVE, .move = {.lat_e7 = 470000000, .lon_e7 = 80000000, .height_cm = 1234}};
    chain_ed25519_from_seed(seed, admit.admit.key, chain->ring.keys[4].secret);
    add_op_block(s, 0, &reg);
    add_op_block(s, 1, &reg);
    add_op_block(s, 2, &reg);
    add_op_block(s, 0, &admit);
    add_op_block(s, 4, &reg);
    add_op_block(s, 1, &move);
    add_op_block(s, 4, &move);
    add_op_block(s, 2, &leave);
    for (int i = 0; i < 16; i++) { /* the base may come to lie above all that */
        add_block(s, 1);
        while (chain_store_work(s, error) > 0)
            continue;
    }
    struct chain_op seen = {.kind = CHAIN_OP_UNAUTHORISED, .unauthorised = {.channel = 2, .suspect = 1, .level_cdb = -4000}};
    seen.unauthorised.from_ns = seen.unauthorised.at_ns = T0 + 400 * MS;
    add_op_block(s, 0, &seen);
    add_op_block(s, 4, &seen);
    move.move.height_cm = 99;
    add_op_block(s, 0, &move);
    chain_store_close(s);
    struct chain_store_verdict v = verify();
    ck_assert_msg(v.ok, "%s", v.first_fault);
    ck_assert(_i ? v.base > 8 : v.base == 0);
    ck_assert_int_eq(ask("SELECT height_cm FROM stations WHERE id = 0"), 99);
    ck_assert_int_eq(ask("SELECT group_concat(id) = '1,4' FROM stations WHERE lat_e7 = 470000000 AND height_cm = 1234"), 1);
    ck_assert_int_eq(ask("SELECT count(*) FROM stations WHERE id = 2 AND call_sign NOT NULL AND reputation = 0"), 1);
    ck_assert_int_eq(ask("SELECT group_concat(witness) = '0,4' FROM claims c JOIN evidence e ON e.id = c.episode WHERE c.kind = 255 AND "
                         "c.suspect = 1 AND e.suspect = 1 AND e.confirmed AND c.level_cdb = -4000 AND c.n_frames IS NULL"), 1);
    execute_sql("UPDATE stations SET height_cm = 300 WHERE id = 1");
    v = verify();
    ck_assert_msg(strcmp(v.first_fault, "stations row 1: height_cm is 300, execution gives 1234") == 0, "%s", v.first_fault);
    end_chain();
}
END_TEST

START_TEST(a_member_that_was_away_goes_on_from_the_others_snapshot)
{
    start_chain();
    struct chain_store *s = open_store(&chain->genesis, CHAIN_STORE_SYNC_OFF, NULL);
    for (int i = 0; i < 20; i++)
        add_block(s, 3);
    size_t cap = chain_snapshot_bytes(chain->ledger);
    uint8_t *octets = malloc(cap);
    long len = chain_snapshot_encode(chain->ledger, octets, cap);
    struct chain_node_block tip = chain->update.blocks[0];
    chain_store_close(s);
    ck_assert_int_eq(unlink(path), 0);
    /* another database, that has only the beginning */
    char error[CHAIN_STORE_MAX_ERROR] = "";
    s = open_store(&chain->genesis, CHAIN_STORE_SYNC_OFF, NULL);
    struct chain_node_install install = {.block = tip, .snapshot = octets, .len = (size_t)len, .ledger = chain->ledger};
    ck_assert_int_eq(chain_store_begin(s, error), 0);
    ck_assert_msg(chain_store_install_snapshot(s, &install, error) == 0, "%s", error);
    ck_assert_int_eq(chain_store_commit(s, error), 0);
    for (int i = 0; i < 10; i++)
        add_block(s, 3);
    uint64_t height;
    uint8_t *again;
    size_t again_len;
    ck_assert_int_eq(chain_store_read_snapshot(s, &height, &again, &again_len), 0);
    ck_assert_uint_eq(height, 20);
    ck_assert_uint_eq(again_len, (size_t)len);
    ck_assert_mem_eq(again, octets, again_len);
    free(again);
    free(octets);
    chain_store_close(s);
    struct chain_store_verdict v = verify();
    ck_assert_msg(v.ok, "%s", v.first_fault);
    ck_assert_uint_eq(v.base, 20);
    ck_assert_uint_eq(v.n_blocks, 10);
    end_chain();
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("work");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, derived_rows_come_behind_and_none_is_lost);
    tcase_add_loop_test(tc, a_start_indexes_what_a_crash_left_and_begins_at_the_last_snapshot, 0, 2);
    tcase_add_test(tc, a_pruned_database_stays_below_its_bound_and_verifies_from_its_base);
    tcase_add_test(tc, a_reader_that_stays_bounds_the_log_and_not_the_disk);
    tcase_add_loop_test(tc, epochs_are_verified_and_proved_one_by_one, 0, 2);
    tcase_add_loop_test(tc, stations_that_move_leave_or_come_late_have_the_rows_that_the_state_gives, 0, 2);
    tcase_add_test(tc, a_member_that_was_away_goes_on_from_the_others_snapshot);
    suite_add_tcase(suite, tc);
}
