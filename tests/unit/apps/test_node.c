#define SUITE_NAME "apps/node"
#include "tests/unit/check_main.h"

#include "apps/keyfile.h"
#include "apps/ledger_json.h"
#include "apps/ledger_op.h"
#include "apps/node_clock.h"
#include "apps/node_cluster.h"
#include "apps/node_log.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t S = 1000000000;

START_TEST(the_clock_follows_the_day_and_never_runs_backward)
{
    struct app_node_clock clock = {0};
    ck_assert_int_eq(app_node_clock_step(&clock, 1000 * S, 5 * S), 1000 * S);
    ck_assert_int_eq(app_node_clock_step(&clock, 1001 * S, 6 * S), 1001 * S);
    /* forward at once */
    ck_assert_int_eq(app_node_clock_step(&clock, 2002 * S, 7 * S), 2002 * S);
    /* ten seconds back: from here on a sixteenth slower */
    int64_t before = app_node_clock_step(&clock, 1993 * S, 8 * S);
    ck_assert_int_eq(before, 2003 * S - S / 16);
    ck_assert_int_eq(clock.worst_ahead_ns, 10 * S);
    for (int64_t i = 1; i <= 200; i++) {
        int64_t now = app_node_clock_step(&clock, (1993 + i) * S, (8 + i) * S);
        ck_assert_int_gt(now, before);
        before = now;
    }
    ck_assert_int_eq(before, 2193 * S); /* caught up: 10 s at 1/16 take 160 s */
}
END_TEST

static char *cluster_text(const char *change_from, const char *change_to)
{
    static char text[4096];
    static const char base[] =
        "name: test\nengine: pbft\ntime: 2026-01-31T12:00:00Z\nchannels:\n  - {low: 5180M, high: 5190M, control: true}\n"
        "  - {low: 5190M, high: 5200M, quiet_phase: 500ms}\nmembers:\n"
        "  - {name: a, endpoint: tcp://10.0.0.1:7400, ledger_key: 1111111111111111111111111111111111111111111111111111111111111111,\n"
        "     curve_key: 2222222222222222222222222222222222222222222222222222222222222222}\n"
        "  - {name: b, endpoint: tcp://10.0.0.2:7400, ledger_key: 3333333333333333333333333333333333333333333333333333333333333333,\n"
        "     curve_key: 4444444444444444444444444444444444444444444444444444444444444444}\n"
        "clients:\n"
        "  - {name: c, ledger_key: 5555555555555555555555555555555555555555555555555555555555555555,\n"
        "     curve_key: 6666666666666666666666666666666666666666666666666666666666666666}\n";
    const char *at = change_from ? strstr(base, change_from) : NULL;
    if (!at)
        return strcpy(text, base);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - base), base, change_to, at + strlen(change_from));
    return text;
}

static struct app_node_cluster cluster;
static char error[APP_NODE_MAX_ERROR];

static int read_cluster(const char *from, const char *to)
{
    const char *text = cluster_text(from, to);
    return app_node_cluster_read_text("c.yaml", text, strlen(text), &cluster, error);
}

START_TEST(a_cluster_file_becomes_a_genesis_block)
{
    ck_assert_msg(read_cluster(NULL, NULL) == 0, "%s", error);
    ck_assert_uint_eq(cluster.genesis.members.n, 2);
    ck_assert_uint_eq(cluster.genesis.members.n_keys, 3);
    ck_assert_uint_eq(cluster.genesis.members.keys[2][0], 0x55);
    ck_assert_int_eq(cluster.genesis.time_ns, INT64_C(1769860800) * S);
    ck_assert_uint_eq(cluster.genesis.channels[1].low_hz, 5190000000);
    ck_assert(cluster.genesis.channels[0].control && !cluster.genesis.channels[1].control);
    ck_assert_uint_eq(app_node_cluster_find(&cluster, "c"), 2);
    ck_assert_uint_eq(app_node_cluster_find(&cluster, "d"), CHAIN_MAX_KEYS);
    struct chain_hash first = cluster.genesis_hash;
    ck_assert_int_eq(read_cluster("5200M", "5201M"), 0);
    ck_assert_mem_ne(first.octets, cluster.genesis_hash.octets, CHAIN_HASH_BYTES); /* another rule is another chain */
}
END_TEST

static const struct {
    const char *from, *to, *error;
} bad_clusters[] = {
    {"2026-01-31T12", "2026-02-31T12", "c.yaml:3: field time: '2026-02-31T12:00:00Z': a time is written as 2026-01-31T12:00:00Z"},
    {"name: b", "name: a", "c.yaml:10: field members[1].name: the same as that of 'a'"},
    {"name: c", "name: b", "c.yaml:13: field clients[0].name: the same as that of 'b'"},
    {"name: b", "name: B", "c.yaml:10: field members[1].name: 'B' is no name: a-z, 0-9 and -, at most 31"},
    {"10.0.0.2", "10.0.0.1", "c.yaml:10: field members[1].endpoint: the same as that of 'a'"},
    {"tcp://10.0.0.2:7400", "tcp://*:7400", "c.yaml:10: field members[1].endpoint: an endpoint is written as tcp://10.0.0.7:7400"},
    {"10.0.0.2:7400", "10.0.0.2:0", "c.yaml:10: field members[1].endpoint: an endpoint is written as tcp://10.0.0.7:7400"},
    {"3333", "333", "c.yaml:10: field members[1].ledger_key: '333333333333333333333333333333333333333333333333333333333333': "
                    "a public key has 64 hexadecimal digits, as in NAME.pub"},
    {"low: 5190M", "low: 5185M", "c.yaml:6: field channels[1].low: overlaps with channels[0]"},
    {"clients:", "admission: {authority: x}\nclients:", "c.yaml:12: field admission.authority: 'x' is no member or client of the cluster"},
    {"clients:", "admission: {votes: 3}\nclients:", "c.yaml:12: field admission.votes: must not be above the number of members"},
    {"clients:", "access: {threshold: 3}\nclients:", "c.yaml:12: field access.window: must not be 0 where access.threshold is not"},
    {"clients:", "units: {supply: 5, endowment: 6}\nclients:", "c.yaml:12: field units.endowment: units.endowment must not be above units.supply"},
    {"quiet_phase: 500ms", "quiet_phase: 2s", "c.yaml:6: field channels[1].quiet_phase: must not be above quiet.period - quiet.length"},
    {"high: 5200M", "high: 5190M", "c.yaml:6: field channels[1].high: must be above low"},
    {"clients:", "quiet: {period: 100ms,\n  length: 101ms}\nclients:", "c.yaml:5: field channels[0].quiet_phase: must not be above quiet.period - quiet.length"},
    {"clients:", "lease:\n  stop: 60s\n  heartbeat: 300s\nclients:", "c.yaml:14: field lease.heartbeat: lease.heartbeat must be below lease.transmit_expire"},
    {"clients:", "sensing:\n  min_positive: 4\nclients:", "c.yaml:13: field sensing.min_positive: must not be above the number of members and clients"},
    {"clients:", "sensing: {decide_after: 5s}\nclients:", "c.yaml:12: field sensing.decide_after: sensing.decide_after must not be above four times quiet.period"},
    {"clients:", "lease: {transmit_expire: 30s}\nclients:", "c.yaml:12: field lease.transmit_expire: lease.heartbeat must be below lease.transmit_expire"},
    {"10.0.0.2:7400", "10.0.0.2:0x10", "c.yaml:10: field members[1].endpoint: an endpoint is written as tcp://10.0.0.7:7400"},
    {"engine: pbft", "engine: pbft\ntiming: {heartbeat: 1s}", "c.yaml:3: field timing.timeout: must be at least three times timing.heartbeat, "
                                                              "or one lost message looks like a lost leader"},
};

START_TEST(a_cluster_file_that_cannot_be_meant_is_refused)
{
    ck_assert_int_eq(read_cluster(bad_clusters[_i].from, bad_clusters[_i].to), -EINVAL);
    ck_assert_str_eq(error, bad_clusters[_i].error);
}
END_TEST

START_TEST(operations_are_read_with_units_and_names)
{
    struct app_ledger_op op;
    ck_assert_int_eq(read_cluster(NULL, NULL), 0);
    ck_assert_int_eq(app_ledger_op_read("{\"op\": \"register\", \"call_sign\": \"AD1\", \"lat_deg\": -48.1, \"lon_deg\": 11.5,"
                                        " \"height_m\": 12.34}",
                                        &cluster, &op, error),
                     0);
    ck_assert_int_eq(op.op.kind, CHAIN_OP_REGISTER);
    ck_assert_int_eq(op.op.reg.lat_e7, -481000000);
    ck_assert_int_eq(op.op.reg.height_cm, 1234);
    ck_assert_int_eq(app_ledger_op_read("{\"op\": \"grant\", \"low_hz\": 5190000000, \"high_hz\": 5200000000, \"max_eirp_dbm_mhz\": 17.5,"
                                        " \"peers\": [\"c\", \"a\"]}",
                                        &cluster, &op, error),
                     0);
    ck_assert_int_eq(op.op.grant.max_eirp_cdbm_mhz, 1750);
    ck_assert_uint_eq(op.op.grant.n_peers, 2);
    ck_assert_uint_eq(op.op.grant.peers[0], 2);
    ck_assert_int_eq(app_ledger_op_read("{\"op\": \"grant\", \"low_hz\": 1, \"high_hz\": 2, \"max_eirp_dbm_mhz\": 1, \"peers\": [\"x\"]}", &cluster,
                                        &op, error),
                     -EINVAL);
    ck_assert_str_eq(error, "operation: field peers: 'x' is no member or client of the cluster");
    static const char *const place = "\", \"lat_deg\": 1, \"lon_deg\": 1, \"height_m\": 1}";
    static const char *const signs[][2] = {{"M\xc3\xbcller", "must be printable ASCII"},
                                           {"A\\tB", "must be printable ASCII"},
                                           {"12345678901234567890123456789012", "must be text of 1 to 31 octets"},
                                           {"", "must be text of 1 to 31 octets"},
                                           {"\xff", NULL}}; /* no UTF-8, so no JSON */
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        char text[200], wanted[100];
        snprintf(text, sizeof text, "{\"op\": \"register\", \"call_sign\": \"%s%s", signs[i][0], place);
        snprintf(wanted, sizeof wanted, "operation: %s%s", signs[i][1] ? "field call_sign: " : "no JSON object: ", signs[i][1] ? signs[i][1] : "");
        ck_assert_int_eq(app_ledger_op_read(text, &cluster, &op, error), -EINVAL);
        ck_assert_msg(strncmp(error, wanted, strlen(wanted)) == 0, "%s", error);
    }
}
END_TEST

START_TEST(operations_about_keys_places_and_units_are_read)
{
    struct app_ledger_op op;
    ck_assert_int_eq(read_cluster(NULL, NULL), 0);
    ck_assert_int_eq(app_ledger_op_read("{\"op\": \"reconfigure\", \"seat\": \"remove\", \"key\": \"c\"}", &cluster, &op, error), 0);
    ck_assert(!op.op.reconfigure.add && op.op.reconfigure.key_id == 2);
    ck_assert_int_eq(app_ledger_op_read("{\"op\": \"reconfigure\", \"seat\": \"add\", \"key\": 63}", &cluster, &op, error), 0);
    struct app_ledger_op ops[2];
    ck_assert_int_eq(app_ledger_ops_read("[{\"op\": \"deregister\"}, {\"op\": \"put\", \"key\": 7, \"value\": \"x\"}]", &cluster, ops, 2, error), 2);
    ck_assert_ptr_eq(ops[1].op.put.value, ops[1].value);
    ck_assert_int_eq(app_ledger_ops_read("{\"op\": \"deregister\"}", &cluster, ops, 1, error), 1);
    ck_assert_int_eq(app_ledger_ops_read("[{\"op\": \"deregister\"}, {\"op\": \"deregister\"}]", &cluster, ops, 1, error), -EINVAL);
    ck_assert_int_eq(app_ledger_ops_read("[]", &cluster, ops, 2, error), -EINVAL);
    ck_assert_int_eq(app_ledger_ops_read("[{\"op\": \"deregister\"}, [{\"op\": \"deregister\"}]]", &cluster, ops, 2, error), -EINVAL);
    ck_assert_str_eq(error, "operation 2: no JSON object: another kind of value");
    ck_assert_int_eq(app_ledger_ops_read("[", &cluster, ops, 2, error), -EINVAL);
    ck_assert(op.op.reconfigure.add && op.op.reconfigure.key_id == 63);
    ck_assert_int_eq(app_ledger_op_read("{\"op\": \"put\", \"key\": 7, \"value\": \"caf\xc3\xa9\"}", &cluster, &op, error), 0);
    ck_assert_uint_eq(op.op.put.value_len, 5);
    ck_assert_ptr_eq(op.op.put.value, op.value);
    ck_assert_mem_eq(op.value, "caf\xc3\xa9", 5);
    ck_assert_int_eq(app_ledger_op_read("{\"op\": \"unauthorised\", \"channel\": 1, \"from_ns\": 1, \"at_ns\": 2, \"level_db\": -40.5}", &cluster, &op,
                                        error),
                     0);
    ck_assert_uint_eq(op.op.unauthorised.suspect, CHAIN_MAX_KEYS);
    ck_assert_int_eq(op.op.unauthorised.level_cdb, -4050);
    ck_assert_int_eq(app_ledger_op_read("{\"op\": \"spectrum\", \"record\": \"white-space\", \"low_hz\": 1, \"high_hz\": 2, \"from_ns\": 3, \"until_ns\": 4,"
                                        " \"lat_deg\": 5, \"lon_deg\": -6, \"radius_m\": 7, \"protection_dbm_mhz\": -114}",
                                        &cluster, &op, error),
                     0);
    ck_assert_int_eq(op.op.spectrum.kind, CHAIN_SPECTRUM_WHITE_SPACE);
    ck_assert_int_eq(op.op.spectrum.lon_e7, -60000000);
    ck_assert_int_eq(op.op.spectrum.protection_cdbm_mhz, -11400);
    char text[700], key[65], sig[129];
    memset(key, 'a', 64), memset(sig, '0', 128);
    key[64] = sig[128] = '\0';
    snprintf(text, sizeof text, "{\"op\": \"admit\", \"ledger_key\": \"%s\"}", key);
    ck_assert_int_eq(app_ledger_op_read(text, &cluster, &op, error), 0);
    ck_assert_uint_eq(op.op.admit.key[31], 0xaa);
    snprintf(text, sizeof text, "{\"op\": \"equivocation\", \"kind\": 33, \"epoch\": 1, \"seat\": 2, \"view\": 3, \"seq\": 4, \"digests\": [\"%s\", \"%s\"],"
                                " \"signatures\": [\"%s\", \"%s\"]}", key, key, sig, sig);
    ck_assert_int_eq(app_ledger_op_read(text, &cluster, &op, error), 0);
    ck_assert_uint_eq(op.op.equivocation.digest[1].octets[0], 0xaa);
}
END_TEST

static const char *const bad_operations[][2] = {
    {"{\"op\": \"admit\", \"ledger_key\": \"ab\"}", "field ledger_key: must be 64 hexadecimal digits"},
    {"{\"op\": \"reconfigure\", \"seat\": \"take\", \"key\": 1}", "field seat: must be add or remove"},
    {"{\"op\": \"reconfigure\", \"seat\": \"add\", \"key\": 64}", "field key: must be a name of the cluster file, or a key id from 0 to 63"},
    {"{\"op\": \"pay\", \"to\": \"nobody\", \"amount\": 1}", "field to: must be a name of the cluster file, or a key id from 0 to 63"},
    {"{\"op\": \"pay\", \"to\": 1, \"amount\": -1}", "field amount: must be a whole number from 0 to 9223372036854775807"},
    {"{\"op\": \"put\", \"key\": 1, \"value\": 3}", "field value: must be text of at most 400 octets"},
    {"{\"op\": \"spectrum\", \"record\": \"black\"}", "field record: must be incumbent or white-space"},
    {"{\"op\": \"deregister\", \"why\": 3}", "field why: unknown field"},
    {"{\"op\": \"equivocation\", \"kind\": 33, \"epoch\": 1, \"seat\": 2, \"view\": 3, \"seq\": 4, \"digests\": [\"ab\"], \"signatures\": []}",
     "field digests: must be a list of two times 64 hexadecimal digits"},
};

START_TEST(operations_that_cannot_be_meant_are_refused_by_field)
{
    struct app_ledger_op op;
    ck_assert_int_eq(read_cluster(NULL, NULL), 0);
    ck_assert_int_eq(app_ledger_op_read(bad_operations[_i][0], &cluster, &op, error), -EINVAL);
    ck_assert_str_eq(error + strlen("operation: "), bad_operations[_i][1]);
}
END_TEST

START_TEST(who_admits_and_what_things_cost_stand_in_the_cluster_file)
{
    ck_assert_int_eq(read_cluster("clients:", "admission: {authority: c, votes: 2}\naccess: {threshold: 3, window: 1h, bar: 2h, witness_range: 5000}\n"
                                              "units: {supply: 1000000, endowment: 100, grant_price: 10, share_rebate: 2, refund: 0.25,"
                                              " sense_reward: 1, accuse_reward: 50}\nclients:"),
                     0);
    const struct chain_genesis *g = &cluster.genesis;
    ck_assert(g->has_authority);
    ck_assert_uint_eq(g->authority, 2);
    ck_assert_uint_eq(g->admit_votes, 2);
    ck_assert_uint_eq(g->access_threshold, 3);
    ck_assert_int_eq(g->access_window_ns, 3600 * S);
    ck_assert_int_eq(g->bar_ns, 7200 * S);
    ck_assert_uint_eq(g->witness_range_m, 5000);
    ck_assert_uint_eq(g->supply, 1000000);
    ck_assert_uint_eq(g->endowment, 100);
    ck_assert_uint_eq(g->grant_price, 10);
    ck_assert_uint_eq(g->share_rebate, 2);
    ck_assert_uint_eq(g->refund_permille, 250);
    ck_assert_uint_eq(g->sense_reward, 1);
    ck_assert_uint_eq(g->accuse_reward, 50);
    ck_assert_int_eq(read_cluster(NULL, NULL), 0);
    ck_assert(!g->has_authority);
}
END_TEST

/* What the table of leases says of one lease */
static const char *lease_line(const char *state, bool suspended)
{
    static char line[512];
    json_t *answer = json_pack("{s:[{s:i, s:s, s:i, s:s, s:b, s:I, s:I, s:I, s:I}]}", "leases", "id", 3, "holder_name", "alpha", "channel", 1,
                               "state", state, "suspended", (int)suspended, "low_hz", (json_int_t)5190000000, "high_hz",
                               (json_int_t)5200000000, "granted_ns", (json_int_t)S, "transmit_expire_ns", (json_int_t)0);
    FILE *file = tmpfile();
    fflush(stdout);
    int out = dup(STDOUT_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    app_ledger_print_leases(answer);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    rewind(file);
    for (int i = 0; i < 2; i++) /* the header first */
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    fclose(file);
    json_decref(answer);
    return line;
}

START_TEST(a_suspension_is_shown_while_the_lease_lives)
{
    ck_assert_ptr_nonnull(strstr(lease_line("GRANTED", true), "  GRANTED SUSPENDED  "));
    ck_assert_ptr_nonnull(strstr(lease_line("IDLE", true), "  IDLE  "));
    ck_assert_ptr_null(strstr(lease_line("IDLE", true), "SUSPENDED"));
    ck_assert_ptr_null(strstr(lease_line("AUTHORIZED", false), "SUSPENDED"));
}
END_TEST

START_TEST(a_write_ahead_log_that_grows_is_told_in_time_and_once_a_quarter)
{
    static const uint64_t MIB = 1 << 20;
    struct app_node_log log = {.cluster = &cluster, .name = "a"};
    app_node_log_wal(&log, 255 * MIB, 1024 * MIB);
    ck_assert_str_eq(log.last_error, "");
    app_node_log_wal(&log, 256 * MIB, 1024 * MIB);
    ck_assert_str_eq(log.last_error, "the database's write-ahead log has grown to 256 MiB, since a reader stays in one transaction: end it, for at 1024 MiB "
                                     "this node stops");
    int64_t told_ns = log.last_error_ns;
    app_node_log_wal(&log, 300 * MIB, 1024 * MIB);
    ck_assert_int_eq(log.last_error_ns, told_ns);
    app_node_log_wal(&log, 512 * MIB, 1024 * MIB);
    ck_assert_msg(strstr(log.last_error, "512 MiB"), "%s", log.last_error);
    app_node_log_wal(&log, MIB, 1024 * MIB); /* the reader has ended */
    app_node_log_wal(&log, 260 * MIB, 1024 * MIB);
    ck_assert_msg(strstr(log.last_error, "260 MiB"), "%s", log.last_error);
}
END_TEST

START_TEST(a_key_file_comes_back_as_it_was_written)
{
    char dir[] = "/tmp/airdeed-key-XXXXXX", path[64];
    struct app_keyfile made, read;
    ck_assert_int_ge(sodium_init(), 0);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    app_keyfile_make("alpha", &made);
    ck_assert_int_eq(app_keyfile_write(&made, dir, false, error), 0);
    ck_assert_int_eq(app_keyfile_write(&made, dir, false, error), -EEXIST);
    snprintf(path, sizeof path, "%s/alpha.key", dir);
    ck_assert_msg(app_keyfile_read(path, &read, error) == 0, "%s", error);
    ck_assert_mem_eq(&made, &read, sizeof made);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_int_eq(app_keyfile_read(path, &read, error), -EPERM);
    unlink(path);
    snprintf(path, sizeof path, "%s/alpha.pub", dir);
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0); /* nothing else was left in it */
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *node = tcase_create("node");
    tcase_add_test(node, the_clock_follows_the_day_and_never_runs_backward);
    tcase_add_test(node, a_cluster_file_becomes_a_genesis_block);
    tcase_add_loop_test(node, a_cluster_file_that_cannot_be_meant_is_refused, 0, (int)(sizeof bad_clusters / sizeof bad_clusters[0]));
    tcase_add_test(node, who_admits_and_what_things_cost_stand_in_the_cluster_file);
    tcase_add_test(node, operations_are_read_with_units_and_names);
    tcase_add_test(node, operations_about_keys_places_and_units_are_read);
    tcase_add_loop_test(node, operations_that_cannot_be_meant_are_refused_by_field, 0, (int)(sizeof bad_operations / sizeof *bad_operations));
    tcase_add_test(node, a_suspension_is_shown_while_the_lease_lives);
    tcase_add_test(node, a_write_ahead_log_that_grows_is_told_in_time_and_once_a_quarter);
    tcase_add_test(node, a_key_file_comes_back_as_it_was_written);
    suite_add_tcase(suite, node);
}
