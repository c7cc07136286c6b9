/* The power fails at every write and sync that SQLite makes: what was acknowledged is there afterwards. */
#define SUITE_NAME "chain store crash"
#include "tests/unit/check_main.h"

#include <unistd.h>

#include "chain/store/verify.h"
#include "tests/unit/chain/living.h"
#include "tests/unit/chain/torn_vfs.h"

enum { MOST_MARKS = 4096 };

/* What the database held after a turn: everything up to there is acknowledged once the log has grown to n_ops. */
struct mark {
    size_t n_ops;
    uint64_t height, sum;
};

struct history {
    char folder[64], path[96], image[96];
    size_t n_marks;
    struct mark marks[MOST_MARKS];
};

static uint64_t add_to_sum(uint64_t sum, uint64_t key, const uint8_t *data, size_t len)
{
    sum = (sum ^ key) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ data[i]) * UINT64_C(0x100000001b3);
    return sum ^ sum >> 29;
}

static uint64_t sum_disk(const struct cluster_disk *d)
{
    uint64_t sum = 1;
    for (size_t i = 0; i < d->n_rows; i++)
        sum = add_to_sum(sum, d->rows[i].key, d->rows[i].data, d->rows[i].len);
    return sum;
}

static void put_mark(struct history *h, const struct cluster *c)
{
    struct mark mark = {.n_ops = torn.n_ops, .height = c->disks[0]->height, .sum = sum_disk(c->disks[0])};
    const struct mark *last = h->n_marks > 0 ? &h->marks[h->n_marks - 1] : NULL;
    if (last && last->height == mark.height && last->sum == mark.sum)
        return;
    ck_assert_uint_lt(h->n_marks, MOST_MARKS);
    h->marks[h->n_marks++] = mark;
}

/* The log goes into the file now and then, as the store's own checkpoints do it. */
static void checkpoint(const char *path)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 2000);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
}

/* A node lives and its database is written; every step that wrote is marked. */
static void live(struct history *h, struct cluster *c, enum chain_store_sync sync, int64_t for_ns)
{
    char error[CHAIN_STORE_MAX_ERROR] = "";
    struct chain_store_owner owner = {0, "n0"};
    int rc = chain_store_open(h->path, &c->genesis, &owner, sync, &c->stores[0], error);
    ck_assert_msg(rc == 0, "%s", error);
    torn_record(h->path);
    put_mark(h, c);
    int64_t until_ns = c->now_ns + for_ns, next_op_ns = c->now_ns + 300 * MS, next_checkpoint_ns = c->now_ns + 500 * MS;
    uint32_t k = 0;
    cluster_run(c, 200 * MS);
    put_mark(h, c);
    cluster_register_all(c);
    while (cluster_advance(c, until_ns)) {
        put_mark(h, c);
        if (c->now_ns >= next_op_ns) {
            struct chain_op op = evidence_op(c, k++);
            (void)cluster_submit(c, k % c->n, &op);
            next_op_ns += 40 * MS;
            put_mark(h, c);
        }
        if (c->now_ns >= next_checkpoint_ns) {
            checkpoint(h->path);
            next_checkpoint_ns += 400 * MS;
        }
    }
    torn.recording = false;
    chain_store_close(c->stores[0]);
    c->stores[0] = NULL;
}

static uint64_t read_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *query = NULL;
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &query, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(query), SQLITE_ROW);
    uint64_t value = (uint64_t)sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return value;
}

static uint64_t sum_engine(sqlite3 *db)
{
    sqlite3_stmt *query = NULL;
    uint64_t sum = 1;
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT key, data FROM engine ORDER BY key", -1, &query, NULL), SQLITE_OK);
    while (sqlite3_step(query) == SQLITE_ROW)
        sum = add_to_sum(sum, (uint64_t)sqlite3_column_int64(query, 0), sqlite3_column_blob(query, 1), (size_t)sqlite3_column_bytes(query, 1));
    sqlite3_finalize(query);
    return sum;
}

/* Which mark a recovered database stands at; -1: at none that it may. */
static long find_mark(const struct history *h, size_t n_ops, uint64_t height, uint64_t sum)
{
    size_t first = 0;
    while (first + 1 < h->n_marks && h->marks[first + 1].n_ops <= n_ops)
        first++;
    for (size_t i = first; i < h->n_marks && (i == first || h->marks[i - 1].n_ops <= n_ops); i++)
        if (h->marks[i].height == height && h->marks[i].sum == sum)
            return (long)i;
    return -1;
}

static bool recovers(const struct history *h, size_t n_ops, enum torn_fate fate, bool thorough)
{
    char error[CHAIN_STORE_MAX_ERROR] = "", shm[128];
    sqlite3 *db = NULL;
    torn_write_files(n_ops, fate, n_ops, h->image);
    snprintf(shm, sizeof shm, "%s-shm", h->image);
    unlink(shm);
    ck_assert_int_eq(sqlite3_open(h->image, &db), SQLITE_OK);
    uint64_t height = read_number(db, "SELECT coalesce(max(height), 0) FROM blocks"), sum = sum_engine(db);
    sqlite3_close(db);
    if (find_mark(h, n_ops, height, sum) < 0)
        return false;
    struct chain_store_verdict v = {0};
    if (thorough)
        ck_assert_msg(chain_store_verify(h->image, &v, error) == 0 && v.ok, "operation %zu, fate %d: %s%s", n_ops, (int)fate, error, v.first_fault);
    return true;
}

static struct history *history_new(void)
{
    struct history *h = calloc(1, sizeof *h);
    snprintf(h->folder, sizeof h->folder, "/tmp/airdeed-crash-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(h->folder));
    snprintf(h->path, sizeof h->path, "%s/a.db", h->folder);
    snprintf(h->image, sizeof h->image, "%s/image.db", h->folder);
    torn_begin();
    return h;
}

static void history_free(struct history *h)
{
    char command[96];
    torn_end();
    snprintf(command, sizeof command, "rm -r %s", h->folder);
    ck_assert_int_eq(system(command), 0);
    free(h);
}

START_TEST(nothing_acknowledged_is_lost_whenever_the_power_fails)
{
    const struct chain_engine_ops *ops = _i == 0 ? &chain_pbft_ops : &chain_raft_ops;
    struct history *h = history_new();
    struct cluster *c = cluster_open(ops, 4, 5);
    live(h, c, CHAIN_STORE_SYNC_FULL, 1500 * MS);
    size_t n_images = 0, n_syncs = 0;
    for (size_t n = 0; n <= torn.n_ops; n++) {
        n_syncs += n > 0 && torn.ops[n - 1].kind == TORN_SYNC;
        for (int fate = 0; fate < TORN_FATES; fate++, n_images++)
            ck_assert_msg(recovers(h, n, (enum torn_fate)fate, n % 16 == 0), "%s: the power fails before operation %zu of %zu, fate %d: "
                          "something acknowledged is lost", ops->name, n, torn.n_ops, fate);
    }
    printf("%s: %zu operations with %zu syncs, %zu marks up to block %llu, %zu images\n", ops->name, torn.n_ops, n_syncs, h->n_marks,
           (unsigned long long)h->marks[h->n_marks - 1].height, n_images);
    ck_assert_uint_ge(h->n_marks, 30);
    ck_assert_uint_ge(n_syncs, 30);
    cluster_close(c);
    history_free(h);
}
END_TEST

/* The test can fail: a database that does not sync loses what it said was there. */
START_TEST(without_syncs_something_is_lost)
{
    struct history *h = history_new();
    struct cluster *c = cluster_open(&chain_pbft_ops, 4, 5);
    live(h, c, CHAIN_STORE_SYNC_OFF, 700 * MS);
    ck_assert(!recovers(h, torn.n_ops, TORN_LOST, false));
    cluster_close(c);
    history_free(h);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("crash");
    tcase_add_loop_test(tc, nothing_acknowledged_is_lost_whenever_the_power_fails, 0, 2);
    tcase_add_test(tc, without_syncs_something_is_lost);
    suite_add_tcase(suite, tc);
}
