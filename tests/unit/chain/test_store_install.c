/* A snapshot that came from others, in a database: whatever it takes the place of, and whenever the power fails. */
#define SUITE_NAME "chain store install"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <unistd.h>

#include "chain/snapshot.h"
#include "tests/unit/chain/torn_vfs.h"

#include "tests/unit/chain/hand_chain.h"

enum { END_OF_EPOCH = 8, AT = 12 }; /* heights: of the first epoch's last block, of the snapshot */

/* What another member has: the chain up to AT, and what it would send. */
static struct source {
    uint8_t header[CHAIN_MAX_HEADER_BYTES], cert[CHAIN_MAX_CERT_BYTES], epochs[8192], *octets;
    struct chain_ledger *ledger; /* as it was at AT */
    struct chain_node_install install;
} source;

static void use_database(char letter)
{
    snprintf(path, sizeof path, "%s/%c.db", folder, letter);
}

static void start_chain_with_authority(void)
{
    chain = calloc(1, sizeof *chain);
    struct chain_genesis g = make_genesis(&chain->ring, 4);
    g.has_authority = true;
    ck_assert_int_eq(chain_genesis_finish(&g, NULL, NULL), 0);
    start_chain_of(&g);
}

/* The same block once more, in another database, with its certificate or without. */
static void copy_block(struct chain_store *s, bool certified)
{
    char error[CHAIN_STORE_MAX_ERROR] = "";
    size_t cert_len = chain->update.blocks[0].cert_len;
    chain->update.blocks[0].cert_len = certified ? cert_len : 0;
    ck_assert_msg(write_turn(s, error) == 0, "%s", error);
    chain->update.blocks[0].cert_len = cert_len;
}

static void note_source(struct chain_store *from)
{
    const struct chain_node_block *tip = &chain->update.blocks[0];
    struct chain_proof_epoch end;
    uint64_t end_height;
    size_t len = chain_ledger_bytes(&chain->genesis), cap = chain_snapshot_bytes(chain->ledger);
    struct chain_signer signer = chain_signer_ed25519(&chain->ring.keys[0]);
    source.octets = malloc(cap);
    long n = chain_snapshot_encode(chain->ledger, source.octets, cap);
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(chain_ledger_init(malloc(len), len, &chain->genesis, &signer, &source.ledger, NULL), 0);
    ck_assert_int_eq(chain_snapshot_load(source.ledger, source.octets, (size_t)n), 0);
    memcpy(source.header, tip->header, tip->header_len);
    memcpy(source.cert, tip->cert, tip->cert_len);
    struct chain_cbor_writer w = {.out = source.epochs, .cap = sizeof source.epochs};
    ck_assert_int_eq(chain_store_read_epoch(from, 0, &end_height, &end), 0);
    ck_assert_uint_eq(end_height, END_OF_EPOCH);
    chain_proof_put_epoch(&w, &end);
    ck_assert(!w.full);
    source.install = (struct chain_node_install){.block = *tip, .snapshot = source.octets, .len = (size_t)n, .epochs = source.epochs,
                                                 .epochs_len = w.len, .n_epochs = 1, .ledger = source.ledger};
    source.install.block.header = source.header;
    source.install.block.cert = source.cert;
    source.install.block.batch_len = 0;
}

/* Database a holds the chain up to `to`, an epoch ends on the way; b, which is returned, what had come when it was cut off: all up to
 * n_certified with its certificate, then up to n_executed without. */
static struct chain_store *make_databases(uint64_t n_certified, uint64_t n_executed, uint64_t to, enum chain_store_sync sync)
{
    struct chain_op reg = op_register(), leave = {.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = false, .key_id = 1}};
    start_chain_with_authority();
    use_database('a');
    struct chain_store *a = open_store(&chain->genesis, CHAIN_STORE_SYNC_OFF, NULL);
    use_database('b');
    struct chain_store *b = open_store(&chain->genesis, sync, NULL);
    for (uint64_t height = 1; height <= to; height++) {
        if (height == 1 || height == END_OF_EPOCH)
            add_op_block(a, 0, height == 1 ? &reg : &leave);
        else
            add_block(a, 2);
        if (height <= n_executed)
            copy_block(b, height <= n_certified);
        if (height == AT)
            note_source(a);
    }
    chain_store_close(a);
    ck_assert_uint_eq(chain_ledger_members(chain->ledger)->epoch, 1);
    return b;
}

static void drop_databases(void)
{
    free(source.ledger);
    free(source.octets);
    end_chain();
}

static void work(struct chain_store *s)
{
    char error[CHAIN_STORE_MAX_ERROR] = "";
    int more = 1;
    while (more > 0)
        more = chain_store_work(s, error);
    ck_assert_msg(more == 0, "%s", error);
}

static void install(struct chain_store *s)
{
    static struct chain_node_update update;
    char error[CHAIN_STORE_MAX_ERROR] = "";
    update.install = &source.install;
    int rc = chain_store_begin(s, error);
    if (rc == 0)
        rc = chain_store_write(s, &update, error);
    if (rc == 0)
        rc = chain_store_commit(s, error);
    ck_assert_msg(rc == 0, "%s", error);
}

START_TEST(a_snapshot_of_an_executed_block_becomes_the_base_and_what_lies_above_stays)
{
    enum { TIP = 20 };
    struct chain_store *s = make_databases(END_OF_EPOCH, TIP, TIP, _i ? CHAIN_STORE_SYNC_OFF : CHAIN_STORE_SYNC_FULL);
    if (_i)
        work(s);
    install(s);
    uint64_t height;
    uint8_t *octets;
    size_t len;
    ck_assert_int_eq(chain_store_read_snapshot(s, &height, &octets, &len), 0);
    ck_assert_uint_eq(height, AT);
    ck_assert_uint_eq(len, source.install.len);
    ck_assert_mem_eq(octets, source.octets, len);
    free(octets);
    struct chain_store_verdict v = verify();
    ck_assert_msg(v.ok && v.base == AT && v.height == TIP && v.certified_height == AT, "%s", v.first_fault);
    work(s);
    v = verify();
    ck_assert_msg(v.ok && v.base == AT && v.indexed_height == TIP, "%s", v.first_fault);
    ck_assert_int_eq(ask("SELECT min(height) FROM tx_rows"), AT + 1);
    ck_assert_int_eq(ask("SELECT count(*) FROM blocks WHERE height > 12 AND length(batch) > 0"), TIP - AT);
    ck_assert_int_eq(ask("SELECT count(*) FROM blocks WHERE height < 12 AND height <> 8"), 0);
    /* it goes on from there, also after another start, and has pruned nothing that its base needs */
    chain_store_close(s);
    s = open_store(&chain->genesis, CHAIN_STORE_SYNC_OFF, NULL);
    for (int i = 0; i < 5; i++)
        add_block(s, 2);
    work(s);
    chain_store_close(s);
    ck_assert_int_eq(ask("SELECT count(*) FROM certificates WHERE height > 12"), 5);
    ck_assert_int_eq(ask("SELECT value FROM meta WHERE key='base_height'"), AT);
    drop_databases();
}
END_TEST

START_TEST(a_snapshot_above_the_blocks_takes_their_place)
{
    struct chain_store *s = make_databases(4, 6, 30, CHAIN_STORE_SYNC_FULL);
    install(s);
    struct chain_store_verdict v = verify();
    ck_assert_msg(v.ok && v.base == AT && v.height == AT && v.certified_height == AT && v.indexed_height == AT, "%s", v.first_fault);
    ck_assert_int_eq(ask("SELECT count(*) FROM blocks"), 2); /* the epoch's end and the base */
    ck_assert_int_eq(ask("SELECT count(*) FROM tx_rows"), 0);
    ck_assert_int_eq(ask("SELECT height FROM epochs"), END_OF_EPOCH);
    work(s);
    chain_store_close(s);
    v = verify();
    ck_assert_msg(v.ok && v.base == AT, "%s", v.first_fault);
    drop_databases();
}
END_TEST

enum state { NEITHER, OLD, NEW };

/* What a power failure before operation n left, as the next start finds it. */
static enum state find_state(const char *image, size_t n, enum torn_fate fate, uint64_t old_tip, uint64_t new_tip)
{
    struct chain_store_verdict v = {0};
    char error[CHAIN_STORE_MAX_ERROR] = "", shm[128];
    torn_write_files(n, fate, n, image);
    snprintf(shm, sizeof shm, "%s-shm", image);
    unlink(shm);
    ck_assert_msg(chain_store_verify(image, &v, error) == 0 && v.ok, "operation %zu of %zu, fate %d: %s%s", n, torn.n_ops, (int)fate, error,
                  v.first_fault);
    if (v.base == 0 && v.height == old_tip)
        return OLD;
    return v.base == AT && v.height == new_tip && v.certified_height == AT ? NEW : NEITHER;
}

/* Case 0: in the place of blocks; 1: of an executed one. */
START_TEST(an_installation_is_there_as_a_whole_or_not_at_all_whenever_the_power_fails)
{
    uint64_t tip = _i ? 20 : 6, n_seen[3] = {0};
    char image[96];
    torn_begin();
    struct chain_store *s = make_databases(_i ? END_OF_EPOCH : 4, tip, 30, CHAIN_STORE_SYNC_FULL);
    snprintf(image, sizeof image, "%s/image.db", folder);
    torn_record(path);
    install(s);
    size_t n_installed = torn.n_ops; /* acknowledged from here on */
    work(s);
    torn.recording = false;
    for (size_t n = 0; n <= torn.n_ops; n++)
        for (int fate = 0; fate < TORN_FATES; fate++) {
            enum state state = find_state(image, n, (enum torn_fate)fate, tip, _i ? tip : AT);
            ck_assert_msg(state != NEITHER && (state == NEW || n < n_installed), "operation %zu of %zu, fate %d: %s", n, torn.n_ops, fate,
                          state == OLD ? "what was acknowledged is lost" : "something between");
            n_seen[state]++;
        }
    printf("%zu operations, %zu of them of the installation: %llu images with what was before, %llu with the snapshot\n", torn.n_ops, n_installed,
           (unsigned long long)n_seen[OLD], (unsigned long long)n_seen[NEW]);
    ck_assert_uint_ge(n_seen[OLD], 10);
    ck_assert_uint_ge(n_seen[NEW], 3);
    chain_store_close(s);
    drop_databases();
    torn_end();
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("install");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, a_snapshot_of_an_executed_block_becomes_the_base_and_what_lies_above_stays, 0, 2);
    tcase_add_test(tc, a_snapshot_above_the_blocks_takes_their_place);
    tcase_add_loop_test(tc, an_installation_is_there_as_a_whole_or_not_at_all_whenever_the_power_fails, 0, 2);
    suite_add_tcase(suite, tc);
}
