/* The database of a node: what it holds, what it survives, what it refuses. */
#define SUITE_NAME "chain store"
#include "tests/unit/check_main.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/chain/living.h"

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/airdeed-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *name_file(char *out, size_t cap, const char *name)
{
    snprintf(out, cap, "%s/%s", folder, name);
    return out;
}

static struct chain_store *open_store_of(const char *path, const struct chain_genesis *g, uint32_t member, enum chain_store_sync sync)
{
    char error[CHAIN_STORE_MAX_ERROR] = "", name[16];
    struct chain_store *s = NULL;
    snprintf(name, sizeof name, "n%u", member);
    struct chain_store_owner owner = {member, name};
    int rc = chain_store_open(path, g, &owner, sync, &s, error);
    ck_assert_msg(rc == 0, "%s", error);
    return s;
}

static const struct chain_store_owner first_member = {0, "n0"};

static struct chain_store *open_store(const char *path, const struct chain_genesis *g, enum chain_store_sync sync)
{
    return open_store_of(path, g, first_member.member, sync);
}

/* Four nodes that live a while, each with its database FOLDER/TAG-i.db; closed at the end. */
static void make_databases(const char *tag, const struct chain_engine_ops *ops)
{
    struct cluster *c = cluster_open(ops, 4, 7);
    char path[128], name[32];
    for (uint32_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s-%u.db", tag, i);
        c->stores[i] = open_store_of(name_file(path, sizeof path, name), &c->genesis, i, CHAIN_STORE_SYNC_OFF);
    }
    living_run(c);
    for (uint32_t i = 0; i < 4; i++)
        chain_store_close(c->stores[i]);
    cluster_close(c);
}

static struct chain_store_verdict verify(const char *path, int *rc_out)
{
    struct chain_store_verdict v;
    char error[CHAIN_STORE_MAX_ERROR] = "";
    int rc = chain_store_verify(path, &v, error);
    if (rc_out)
        *rc_out = rc;
    else
        ck_assert_msg(rc == 0, "%s", error);
    return v;
}

START_TEST(what_a_cluster_agreed_verifies_with_one_state_root)
{
    const struct chain_engine_ops *ops = _i ? &chain_raft_ops : &chain_pbft_ops;
    make_databases("a", ops);
    struct chain_store_verdict first = {0};
    for (int i = 0; i < 4; i++) {
        char path[128], name[32];
        snprintf(name, sizeof name, "a-%d.db", i);
        struct chain_store_verdict v = verify(name_file(path, sizeof path, name), NULL);
        ck_assert_msg(v.ok, "%s", v.first_fault);
        ck_assert(v.byzantine == ops->byzantine);
        ck_assert_uint_ge(v.height, 20);
        ck_assert_uint_eq(v.n_blocks, v.height);
        ck_assert_uint_ge(v.certified_height + 1, v.height);
        ck_assert_uint_ge(v.n_transactions, 4 + 5 * 8 + 10);
        first = i == 0 ? v : first;
        ck_assert_mem_eq(&v.state_root, &first.state_root, sizeof v.state_root);
    }
}
END_TEST

/* Text of every row of every table, hashed: equal dumps hold the same rows. 0 if the file cannot be read. */
static uint64_t dump(const char *path, bool with_engine)
{
    static const char *const queries[] = {"meta ORDER BY key", "blocks ORDER BY height", "certificates ORDER BY height", "snapshots ORDER BY height, part", "transactions ORDER BY height, i",
                                          "events ORDER BY height, i", "stations ORDER BY id", "channels ORDER BY channel",
                                          "reports ORDER BY window, station, channel", "windows ORDER BY window, channel",
                                          "grants ORDER BY id", "evidence ORDER BY id", "claims ORDER BY height, i",
                                          "engine ORDER BY key"};
    sqlite3 *db = NULL;
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    bool ok = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK;
    for (size_t q = 0; ok && q < sizeof queries / sizeof *queries - !with_engine; q++) {
        char sql[96];
        sqlite3_stmt *s = NULL;
        snprintf(sql, sizeof sql, "SELECT * FROM %s", queries[q]);
        ok = sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK;
        int rc = SQLITE_DONE;
        while (ok && (rc = sqlite3_step(s)) == SQLITE_ROW)
            for (int k = 0; k < sqlite3_column_count(s); k++) {
                hash = (hash ^ (uint64_t)sqlite3_column_type(s, k)) * 1099511628211U;
                const uint8_t *octets = sqlite3_column_blob(s, k);
                for (int b = 0; b < sqlite3_column_bytes(s, k); b++)
                    hash = (hash ^ octets[b]) * 1099511628211U;
            }
        ok = ok && rc == SQLITE_DONE;
        sqlite3_finalize(s);
    }
    sqlite3_close(db);
    return ok ? hash : 0;
}

START_TEST(two_runs_with_one_seed_give_the_same_rows)
{
    char a[128], b[128];
    make_databases("a", &chain_pbft_ops);
    make_databases("b", &chain_pbft_ops);
    name_file(a, sizeof a, "a-2.db");
    name_file(b, sizeof b, "b-2.db");
    ck_assert_uint_ne(dump(a, true), 0);
    ck_assert_uint_eq(dump(a, true), dump(b, true));
    name_file(b, sizeof b, "b-3.db"); /* other signatures may have come first, the rest is the same for all */
    ck_assert(verify(b, NULL).ok);
}
END_TEST

static uint8_t *read_file(const char *path, size_t *len_out)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    *len_out = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*len_out);
    ck_assert_uint_eq(fread(data, 1, *len_out, file), *len_out);
    fclose(file);
    return data;
}

static void write_file(const char *path, const void *data, size_t len)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_flipped_bit_is_found_or_changes_nothing)
{
    enum { N_FLIPS = 200 };
    make_databases("a", &chain_pbft_ops);
    char path[128], copy[128];
    name_file(path, sizeof path, "a-0.db");
    name_file(copy, sizeof copy, "flipped.db");
    size_t len;
    uint8_t *data = read_file(path, &len);
    uint64_t original = dump(path, true);
    int n_found = 0, n_refused = 0, n_harmless = 0;
    for (uint64_t k = 0; k < N_FLIPS; k++) {
        uint64_t draw = cluster_draw(11, k, 0);
        size_t at = k < 40 ? draw % 100 : draw % len; /* the file's head, too */
        uint8_t bit = (uint8_t)(1u << (draw >> 60 & 7));
        data[at] ^= bit;
        write_file(copy, data, len);
        data[at] ^= bit;
        int rc;
        struct chain_store_verdict v = verify(copy, &rc);
        n_refused += rc == -EINVAL;
        n_found += rc == 0 && !v.ok;
        ck_assert_msg(rc == 0 || rc == -EINVAL, "octet %zu bit %02x: %d", at, bit, rc);
        ck_assert_msg(rc != 0 || v.ok == (v.first_fault[0] == '\0'), "octet %zu: %s", at, v.first_fault);
        if (rc != 0 || !v.ok)
            continue;
        n_harmless++;
        ck_assert_msg(dump(copy, true) == original, "octet %zu bit %02x: rows differ, and nobody says so", at, bit);
    }
    printf("%d bits flipped in %zu octets: %d found, %d no database any more, %d harmless\n", N_FLIPS, len, n_found, n_refused, n_harmless);
    fflush(stdout);
    ck_assert_int_ge(n_found, N_FLIPS / 5);
    free(data);
}
END_TEST

/* Changes a closed database and expects the fault to be told in these words. */
static void expect_fault(const char *sql, const char *words)
{
    char path[128], copy[128], said[256];
    name_file(path, sizeof path, "a-1.db");
    name_file(copy, sizeof copy, "changed.db");
    size_t len;
    uint8_t *data = read_file(path, &len);
    write_file(copy, data, len);
    free(data);
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(copy, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    ck_assert_msg(sqlite3_total_changes(db) > 0 || strstr(sql, "CREATE"), "%s changed nothing", sql);
    sqlite3_close(db);
    struct chain_store_verdict v = verify(copy, NULL);
    snprintf(said, sizeof said, "%s", v.first_fault);
    ck_assert_msg(!v.ok && strstr(said, words), "%s: says \"%s\", not \"%s\"", sql, said, words);
}

START_TEST(a_fault_is_told_with_its_block_and_field)
{
    make_databases("a", &chain_pbft_ops);
    expect_fault("UPDATE blocks SET header = CAST(substr(header,1,length(header)-1) || x'00' AS BLOB) WHERE height=7", "block 7: history_root in header");
    expect_fault("UPDATE blocks SET header = CAST(substr(header,1,length(header)-35) || x'00' || substr(header,length(header)-33) AS BLOB) WHERE height=7",
                 "block 7: state_root in header");
    expect_fault("UPDATE blocks SET state_root = zeroblob(32) WHERE height=9", "blocks row 9: state_root is other octets");
    expect_fault("UPDATE blocks SET time_ns = time_ns + 1 WHERE height=3", "blocks row 3: time_ns is");
    expect_fault("UPDATE blocks SET batch = x'8201' WHERE height=4", "block 4: batch is no batch");
    expect_fault("UPDATE blocks SET batch = x'' WHERE height=4", "block 4:");
    expect_fault("UPDATE certificates SET certificate = (SELECT certificate FROM certificates WHERE height=5) WHERE height=6",
                 "block 6: certificate holds a signature that does not verify");
    expect_fault("DELETE FROM certificates WHERE height=6", "block 6: certificate is missing");
    expect_fault("UPDATE certificates SET n_signers = 1 WHERE height=6", "certificates row 6: n_signers is 1, execution gives");
    expect_fault("DELETE FROM blocks WHERE height=5", "block 6: height is not 5");
    expect_fault("UPDATE tx_rows SET code = 5 WHERE height=9 AND i=0", "tx_rows row 9, 0: code is 5, execution gives");
    expect_fault("DELETE FROM event_rows WHERE height=8 AND i=0", "event_rows row 8, 0");
    expect_fault("INSERT INTO claims VALUES(9000,1,1,1,1,NULL,1,1,1,1,1,NULL,1)", "claims row 9000, 1: execution gives no such row");
    expect_fault("UPDATE grants SET state='AUTHORIZED' WHERE id=1", "grants row 1: state is AUTHORIZED, execution gives");
    expect_fault("UPDATE stations SET reputation=1 WHERE id=2", "stations row 2: reputation is 1, execution gives");
    expect_fault("UPDATE channels SET status='white' WHERE channel=2", "channels row 2: status is white, execution gives incumbent");
    expect_fault("UPDATE reports SET occupied = 1 - occupied WHERE station=1 AND channel=2", "reports row ");
    expect_fault("UPDATE windows SET void=1", "windows row ");
    expect_fault("UPDATE engine SET data = CAST(data || x'00' AS BLOB) WHERE key=(SELECT min(key) FROM engine)", "digest differs");
    expect_fault("UPDATE meta SET value = value - 1 WHERE key='indexed_height'", "row");
    expect_fault("UPDATE names SET name = 'lost' WHERE of = 'op' AND number = 4", "names row op, 4: name is lost, execution gives grant");
    expect_fault("UPDATE meta SET value='x' WHERE key='name'", "meta row name: value is x, execution gives test");
    expect_fault("UPDATE meta SET value=x'00' WHERE key='genesis'", "meta row genesis: value is no genesis block");
    expect_fault("CREATE TABLE extra(a)", "sqlite_schema row table, extra, extra: execution gives sqlite_schema row table, grants, grants here");
}
END_TEST

START_TEST(a_file_that_is_no_database_is_refused_in_one_line)
{
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 1);
    char path[128], error[CHAIN_STORE_MAX_ERROR];
    struct chain_store_verdict v;
    struct chain_store *s = NULL;
    name_file(path, sizeof path, "notes.txt");
    write_file(path, "not a database, but long enough to be read as the head of one, were it one, which it is not .......", 99);
    ck_assert_int_eq(chain_store_verify(path, &v, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "notes.txt: no SQLite database"));
    ck_assert_int_eq(chain_store_open(path, &c->genesis, &first_member, CHAIN_STORE_SYNC_OFF, &s, error), -EINVAL);
    sqlite3 *db;
    name_file(path, sizeof path, "other.db");
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "CREATE TABLE t(a)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(chain_store_verify(path, &v, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "other.db: no airdeed ledger database"));
    ck_assert_int_eq(chain_store_open(path, &c->genesis, &first_member, CHAIN_STORE_SYNC_OFF, &s, error), -EINVAL);
    ck_assert_int_eq(chain_store_verify(name_file(path, sizeof path, "absent.db"), &v, error), -ENOENT);
    ck_assert_ptr_null(s);
    cluster_close(c);
}
END_TEST

START_TEST(one_process_writes_and_only_to_its_own_ledger)
{
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 1);
    char path[128], lock[160], error[CHAIN_STORE_MAX_ERROR];
    name_file(path, sizeof path, "a.db");
    struct chain_store *first = open_store(path, &c->genesis, CHAIN_STORE_SYNC_FULL), *second = NULL;
    ck_assert_int_eq(chain_store_open(path, &c->genesis, &first_member, CHAIN_STORE_SYNC_FULL, &second, error), -EBUSY);
    ck_assert_ptr_nonnull(strstr(error, "a.db: another process writes to it"));
    chain_store_close(first);
    snprintf(lock, sizeof lock, "%s.lock", path);
    ck_assert_int_ne(access(lock, F_OK), 0);
    c->genesis.heartbeat_ns += 1;
    ck_assert_int_eq(chain_store_open(path, &c->genesis, &first_member, CHAIN_STORE_SYNC_FULL, &second, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "genesis block differs"));
    c->genesis.heartbeat_ns -= 1;
    chain_store_close(open_store(path, &c->genesis, CHAIN_STORE_SYNC_FULL));
    cluster_close(c);
}
END_TEST

START_TEST(a_database_is_its_members_alone)
{
    make_databases("a", &chain_pbft_ops);
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 7);
    char path[128], error[CHAIN_STORE_MAX_ERROR];
    struct chain_store *s = NULL;
    name_file(path, sizeof path, "a-1.db");
    ck_assert_int_eq(chain_store_open(path, &c->genesis, &first_member, CHAIN_STORE_SYNC_OFF, &s, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "a-1.db: belongs to member n1, not n0"));
    chain_store_close(open_store_of(path, &c->genesis, 1, CHAIN_STORE_SYNC_OFF));
    expect_fault("UPDATE meta SET value=2 WHERE key='member'", "meta row member_check: value is other octets");
    expect_fault("UPDATE meta SET value=64 WHERE key='member'", "meta row member: value is no key");
    expect_fault("UPDATE meta SET value='n2' WHERE key='member_name'", "meta row member_check: value is other octets");
    expect_fault("DELETE FROM meta WHERE key='member_name'", "meta row member_name: is missing");
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "DELETE FROM meta WHERE key='member'", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(chain_store_open(path, &c->genesis, &first_member, CHAIN_STORE_SYNC_OFF, &s, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "a-1.db: does not say which member it belongs to"));
    cluster_close(c);
}
END_TEST

/* Of 512-octet pages, so that blocks spill; each page in turn is spoilt at its head, where SQLite keeps its structure. */
START_TEST(what_sqlite_cannot_read_is_told_with_its_block_and_column)
{
    enum { PAGE_BYTES = 512 };
    make_databases("a", &chain_pbft_ops);
    char path[128], copy[128];
    name_file(path, sizeof path, "a-0.db");
    name_file(copy, sizeof copy, "spoilt.db");
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA page_size=512; VACUUM", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    ck_assert(verify(path, NULL).ok);
    size_t len;
    uint8_t *data = read_file(path, &len), saved[4];
    int n_blocks = 0, n_columns = 0, n_rows = 0, n_other = 0;
    /* page 2 is a map of which page belongs to which: it is for giving pages back, and nothing is read through it */
    for (size_t at = 2 * PAGE_BYTES; at + PAGE_BYTES <= len; at += PAGE_BYTES) {
        memcpy(saved, data + at, sizeof saved);
        memset(data + at, 0xff, sizeof saved);
        write_file(copy, data, len);
        memcpy(data + at, saved, sizeof saved);
        struct chain_store_verdict v = verify(copy, NULL);
        ck_assert_msg(!v.ok, "page %zu", at / PAGE_BYTES + 1);
        unsigned block;
        char what[200];
        if (!strstr(v.first_fault, "malformed"))
            continue;
        if (sscanf(v.first_fault, "block %u: blocks.%199[a-z]:", &block, what) == 2)
            n_columns++;
        else if (sscanf(v.first_fault, "block %u: table blocks: %199s", &block, what) == 2)
            n_blocks++;
        else if (strstr(v.first_fault, " row "))
            n_rows++;
        else
            n_other++; /* the schema, or the engine table */
    }
    printf("%zu pages spoilt: %d name block and column, %d a block, %d a row, %d a table\n", len / PAGE_BYTES - 1, n_columns, n_blocks,
           n_rows, n_other);
    fflush(stdout);
    ck_assert_int_gt(n_columns, 5);
    ck_assert_int_gt(n_blocks, 0);
    ck_assert_int_gt(n_rows, 0);
    free(data);
}
END_TEST

START_TEST(every_turn_is_synced_when_it_has_to_be)
{
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 1);
    char path[128], error[CHAIN_STORE_MAX_ERROR];
    uint8_t octets[200] = {1};
    for (int full = 0; full < 2; full++) {
        struct chain_store *s = open_store(name_file(path, sizeof path, full ? "full.db" : "off.db"), &c->genesis,
                                           full ? CHAIN_STORE_SYNC_FULL : CHAIN_STORE_SYNC_OFF);
        uint64_t before = chain_store_syncs(s);
        for (uint64_t k = 0; k < 25; k++) {
            memset(c->update, 0, sizeof *c->update);
            c->update->n_records = 1;
            c->update->records[0] = (struct chain_record){.key = k, .data = octets, .len = sizeof octets};
            ck_assert_int_eq(chain_store_begin(s, error), 0);
            ck_assert_int_eq(chain_store_write(s, c->update, error), 0);
            ck_assert_uint_eq(chain_store_syncs(s) - before, full ? k : 0);
            ck_assert_int_eq(chain_store_commit(s, error), 0);
            ck_assert_uint_eq(chain_store_syncs(s) - before, full ? k + 1 : 0);
        }
        chain_store_close(s);
    }
    cluster_close(c);
}
END_TEST

START_TEST(a_full_disk_fails_with_the_name_of_the_file)
{
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 1);
    char path[128], error[CHAIN_STORE_MAX_ERROR] = "";
    struct chain_store *s = open_store(name_file(path, sizeof path, "small.db"), &c->genesis, CHAIN_STORE_SYNC_FULL);
    struct rlimit limit = {.rlim_cur = 400000, .rlim_max = 400000};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    uint8_t *octets = calloc(1, 40000);
    int rc = 0;
    for (uint64_t k = 0; k < 40 && rc == 0; k++) {
        memset(c->update, 0, sizeof *c->update);
        c->update->n_records = 1;
        c->update->records[0] = (struct chain_record){.key = k, .data = octets, .len = 40000};
        rc = chain_store_begin(s, error);
        if (rc == 0)
            rc = chain_store_write(s, c->update, error);
        if (rc == 0)
            rc = chain_store_commit(s, error);
    }
    ck_assert_int_lt(rc, 0);
    ck_assert_msg(strstr(error, "small.db: cannot be written") && !strchr(error, '\n'), "%s", error);
    chain_store_close(s);
    ck_assert_msg(verify(path, NULL).ok, "what was committed before is whole");
    free(octets);
    cluster_close(c);
}
END_TEST

START_TEST(a_database_verifies_while_its_node_writes_and_after_a_kill)
{
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 3);
    char path[128], copy[128], log[160], log_copy[160];
    name_file(path, sizeof path, "live.db");
    c->stores[0] = open_store(path, &c->genesis, CHAIN_STORE_SYNC_OFF);
    cluster_run(c, 300 * MS);
    cluster_register_all(c);
    cluster_run(c, 300 * MS);
    struct chain_store_verdict v = verify(path, NULL);
    ck_assert_msg(v.ok && v.height >= 1, "%s", v.first_fault);
    /* what kill -9 leaves: the file and its log as they are now */
    name_file(copy, sizeof copy, "killed.db");
    snprintf(log, sizeof log, "%s-wal", path);
    snprintf(log_copy, sizeof log_copy, "%s-wal", copy);
    for (int k = 0; k < 2; k++) {
        size_t len;
        uint8_t *data = read_file(k ? log : path, &len);
        write_file(k ? log_copy : copy, data, len);
        free(data);
    }
    struct chain_store *killed = open_store(copy, &c->genesis, CHAIN_STORE_SYNC_FULL);
    chain_store_close(killed);
    struct chain_store_verdict after = verify(copy, NULL);
    ck_assert_msg(after.ok && after.height == v.height, "%s", after.first_fault);
    chain_store_close(c->stores[0]);
    cluster_close(c);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("store");
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_loop_test(tc, what_a_cluster_agreed_verifies_with_one_state_root, 0, 2);
    tcase_add_test(tc, two_runs_with_one_seed_give_the_same_rows);
    tcase_add_test(tc, a_flipped_bit_is_found_or_changes_nothing);
    tcase_add_test(tc, a_fault_is_told_with_its_block_and_field);
    tcase_add_test(tc, a_file_that_is_no_database_is_refused_in_one_line);
    tcase_add_test(tc, one_process_writes_and_only_to_its_own_ledger);
    tcase_add_test(tc, a_database_is_its_members_alone);
    tcase_add_test(tc, what_sqlite_cannot_read_is_told_with_its_block_and_column);
    tcase_add_test(tc, every_turn_is_synced_when_it_has_to_be);
    tcase_add_test(tc, a_full_disk_fails_with_the_name_of_the_file);
    tcase_add_test(tc, a_database_verifies_while_its_node_writes_and_after_a_kill);
    suite_add_tcase(suite, tc);
}
