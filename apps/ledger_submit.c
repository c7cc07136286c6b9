/* airdeed ledger submit: signs operations, as one envelope, and waits until they are committed. */
#include "apps/ledger.h"
#include "apps/ledger_client.h"
#include "apps/ledger_json.h"
#include "apps/ledger_op.h"
#include "apps/options.h"
#include "chain/ledger.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of a key's submissions at one time one gets in with each try at least, since its nonce is the highest. */
enum { MAX_NONCES = 32 };

struct submission {
    size_t n;
    uint64_t nonce;
    bool is_given; /* by the caller */
    int n_nonces;
    struct app_ledger_op read[CHAIN_MAX_TX_OPS];
    struct chain_op ops[CHAIN_MAX_TX_OPS];
    uint8_t body[CHAIN_MAX_TX_BYTES], tx[CHAIN_MAX_TX_BYTES];
    char hex[2 * CHAIN_MAX_TX_BYTES + 1];
};

/* Microseconds of the day's clock: above every nonce that this key used before, without asking anybody, for an envelope of 64 is not
 * committed within as many microseconds. Another submission of the same key may take it, or leave it behind, meanwhile. */
static uint64_t next_nonce(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static long sign_tx(const struct app_ledger_client *c, struct submission *s)
{
    const struct chain_members *members = &c->cluster.genesis.members;
    long len = chain_tx_encode(s->ops, s->n, s->body, sizeof s->body);
    if (len < 0)
        return len;
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = c->self, .seq = s->nonce, .body = s->body, .body_len = (size_t)len};
    struct chain_ed25519 key = {0};
    memcpy(key.secret, c->key.ledger_secret, sizeof key.secret);
    struct chain_signer signer = chain_signer_ed25519(&key);
    int err = chain_msg_digest(members, msg.kind, msg.body, msg.body_len, &msg.digest);
    if (!err)
        err = signer.sign(signer.ctx, members, &msg);
    sodium_memzero(&key, sizeof key);
    return err ? err : chain_msg_encode(members, &msg, s->tx, sizeof s->tx);
}

static void print_code(const struct app_ledger_client *c, const json_t *answer, const json_t *of)
{
    int code = (int)json_integer_value(json_object_get(of, "code"));
    const char *name = json_string_value(json_object_get(of, "code_name"));
    if (json_is_true(json_object_get(answer, "committed")))
        printf("block %lld: ", (long long)json_integer_value(json_object_get(answer, "height")));
    else
        printf("not taken: ");
    printf("%s (%d), says %s\n", name ? name : "?", code, c->cluster.members[c->answered].name);
}

static int report(const struct app_ledger_client *c, const json_t *answer, bool as_json)
{
    const json_t *each = json_object_get(answer, "operations");
    if (as_json)
        app_ledger_print_json(answer);
    else if (json_array_size(each) == 0)
        print_code(c, answer, answer);
    else
        for (size_t i = 0; i < json_array_size(each); i++)
            print_code(c, answer, json_array_get(each, i));
    bool good = json_is_true(json_object_get(answer, "committed")) && json_integer_value(json_object_get(answer, "code")) == 0;
    return good ? APP_OK : APP_EXPECTATION_FAILED;
}

/* A seat is held by a node, and nodes find each other by the cluster file: a key that it does not list as a member's would have a vote
 * that nobody casts. The ledger cannot know this. */
static int check_seat(const struct app_ledger_client *c, const struct chain_op *op, char *error)
{
    if (op->kind != CHAIN_OP_RECONFIGURE || !op->reconfigure.add || op->reconfigure.key_id < c->cluster.n_members)
        return 0;
    const struct app_node_party *party = app_node_cluster_party(&c->cluster, op->reconfigure.key_id);
    snprintf(error, APP_NODE_MAX_ERROR, "operation: key %u%s%s%s is no member of the cluster file: no node would hold its seat", (unsigned)op->reconfigure.key_id,
             party ? " ('" : "", party ? party->name : "", party ? "')" : "");
    return -EINVAL;
}

static int read_operations(const struct app_ledger_client *c, char **texts, size_t n_texts, struct submission *s, char *error)
{
    for (size_t i = 0; i < n_texts; i++) {
        int n = app_ledger_ops_read(texts[i], &c->cluster, s->read + s->n, CHAIN_MAX_TX_OPS - s->n, error);
        if (n < 0)
            return n;
        s->n += (size_t)n;
    }
    for (size_t i = 0; i < s->n; i++) {
        s->ops[i] = s->read[i].op;
        if (check_seat(c, &s->ops[i], error))
            return -EINVAL;
    }
    return 0;
}

static int64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Hands it in under the nonce that it has. 0 with an answer, or an exit code. */
static int hand_in(struct app_ledger_client *c, struct submission *s, int64_t timeout_ns, json_t **answer_out, char *error)
{
    long len = sign_tx(c, s);
    if (len < 0) {
        snprintf(error, APP_NODE_MAX_ERROR, "%s: cannot be signed: %s", s->n > 1 ? "operations" : "operation",
                 len == -ENOSPC ? "too much for one envelope" : strerror((int)-len));
        return APP_BAD_USAGE;
    }
    sodium_bin2hex(s->hex, sizeof s->hex, s->tx, (size_t)len);
    json_t *question = json_pack("{s:s, s:s}", "ask", "submit", "tx", s->hex);
    int code = app_ledger_client_ask(c, question, true, timeout_ns, answer_out, error);
    json_decref(question);
    return code;
}

/* Another envelope of this key has the nonce. One that only waits at the node that answered keeps ours out for good only if nobody else was
 * handed ours: then it is asked about until that is known, and otherwise a fresh nonce harms nothing. */
static bool next_try(struct app_ledger_client *c, struct submission *s, const json_t *answer)
{
    const char *taken = json_string_value(json_object_get(answer, "nonce_taken"));
    bool is_final = taken && (strcmp(taken, "used") == 0 || !c->told_others);
    if (!taken || (is_final && (s->is_given || ++s->n_nonces == MAX_NONCES)))
        return false;
    const struct timespec pause = {0, is_final ? 2000000 : 50000000};
    nanosleep(&pause, NULL);
    if (!is_final)
        return true;
    uint64_t before = s->nonce;
    c->told_others = false;
    s->nonce = next_nonce();
    fprintf(stderr, "airdeed ledger submit: nonce %llu went to another submission of this key; tries again with %llu\n", (unsigned long long)before,
            (unsigned long long)s->nonce);
    return true;
}

static int submit(struct app_ledger_client *c, struct submission *s, int64_t timeout_ns, bool as_json, char *error)
{
    int64_t until_ns = monotonic_ns() + timeout_ns;
    for (;;) {
        json_t *answer = NULL;
        int code = hand_in(c, s, until_ns - monotonic_ns(), &answer, error);
        if (!code && monotonic_ns() < until_ns && next_try(c, s, answer)) {
            json_decref(answer);
            snprintf(error, APP_NODE_MAX_ERROR, "another submission of this key has the nonce");
            continue;
        }
        if (!code) {
            error[0] = '\0';
            code = report(c, answer, as_json);
        }
        json_decref(answer);
        return code;
    }
}

static int read_and_submit(struct app_ledger_client *c, char **texts, size_t n_texts, int64_t timeout_ns, uint64_t nonce, bool as_json, char *error)
{
    if (c->self >= CHAIN_MAX_KEYS) {
        snprintf(error, APP_NODE_MAX_ERROR, "the key of '%s' is neither a member's nor a client's of this cluster", c->key.name);
        return APP_BAD_USAGE;
    }
    struct submission *s = calloc(1, sizeof *s);
    if (!s)
        return APP_SYSTEM_FAILED;
    s->is_given = nonce > 0;
    s->nonce = nonce > 0 ? nonce : next_nonce();
    int code = read_operations(c, texts, n_texts, s, error) ? APP_BAD_USAGE : submit(c, s, timeout_ns, as_json, error);
    free(s);
    return code;
}

static const char about[] =
    "Signs an operation, hands it to a node and waits until it is in a block on that node's disk. Prints height and response code\n"
    "(WINNF-TS-0016: 0 is success). Several, up to 64, as more arguments or as a JSON array, go under one signature into one block; each\n"
    "succeeds or fails by itself and has its own line. Submissions of one key at one time may get in each other's way: one whose nonce went to\n"
    "another takes a fresh one, says so and tries again. With --nonce it does not; the same once more has the same answer. Operations:\n"
    "  {\"op\": \"register\", \"call_sign\": \"AD1\", \"lat_deg\": 48.1, \"lon_deg\": 11.6, \"height_m\": 12}\n"
    "  {\"op\": \"grant\", \"low_hz\": 5190000000, \"high_hz\": 5200000000, \"max_eirp_dbm_mhz\": 20}\n"
    "  {\"op\": \"heartbeat\", \"grant_id\": 1}\n"
    "  {\"op\": \"relinquish\", \"grant_id\": 1}\n"
    "  {\"op\": \"evidence\", \"channel\": 0, \"kind\": \"reactive\", \"from_ns\": T, \"at_ns\": T, \"confidence\": 0.97, \"frames\": 40, \"good_frames\": 2}\n"
    "  {\"op\": \"unauthorised\", \"channel\": 1, \"suspect\": \"n1\", \"from_ns\": T, \"at_ns\": T, \"level_db\": -40}\n"
    "  {\"op\": \"move\", \"lat_deg\": 48.2, \"lon_deg\": 11.6, \"height_m\": 12}\n"
    "  {\"op\": \"deregister\"}\n"
    "  {\"op\": \"pay\", \"to\": \"n1\", \"amount\": 10}\n"
    "  {\"op\": \"hop-epoch\", \"epoch\": 1, \"channels\": [1, 2], \"from_ns\": T} (a key is drawn and sealed to the file's members, or to \"seats\": [0, 1, 2])\n"
    "  {\"op\": \"put\", \"key\": 0, \"value\": \"text of an application's own\"}\n"
    "  {\"op\": \"admit\", \"ledger_key\": \"64 hexadecimal digits\"}\n"
    "  {\"op\": \"reconfigure\", \"seat\": \"add\", \"key\": 5}, or \"remove\"\n"
    "  {\"op\": \"equivocation\", \"kind\": 33, \"epoch\": 0, \"seat\": 2, \"view\": 1, \"seq\": 9, \"digests\": [HEX, HEX], \"signatures\": [HEX, HEX]}\n"
    "  {\"op\": \"spectrum\", \"record\": \"incumbent\", \"low_hz\": 5190000000, \"high_hz\": 5200000000, \"from_ns\": T, \"until_ns\": T,\n"
    "   \"lat_deg\": 48.1, \"lon_deg\": 11.6, \"radius_m\": 30000, \"protection_dbm_mhz\": -114}, or \"white-space\"\n"
    "  {\"op\": \"withdraw\", \"record_id\": 1}\n"
    "A grant is of exactly one channel of the cluster file that is white space, in whole Hz; \"peers\": [\"n1\"] adds registered stations\n"
    "that answer its holder. T: nanoseconds since 1970. Others are named as in the cluster file, or by key id. docs/ledger.md says who may\n"
    "ask for what, and what a code means.\n"
    "Exit codes: 0 committed, all with code 0, 1 another code, 2 a file, key or operation is wrong, 3 no node took it in time.";

/* JSON has 63 bits for it, and an envelope of the most operations numbers them all from it on. */
static const uint64_t max_nonce = INT64_MAX - CHAIN_MAX_TX_OPS;

int app_ledger_submit(int argc, char **argv)
{
    const char *node = NULL, *cluster = NULL, *key = NULL;
    bool as_json = false;
    int64_t timeout_ns = INT64_C(30000000000);
    uint64_t nonce = 0;
    const struct app_option options[] = {
        {"node", APP_TEXT, &node, "FILE|ENDPOINT", "a node's file, a cluster file (asks until one answers), or tcp://HOST:PORT", 0, 0, NULL},
        {"cluster", APP_TEXT, &cluster, "FILE", "the cluster file, where --node is an endpoint", 0, 0, NULL},
        {"key", APP_TEXT, &key, "FILE", "NAME.key of a member or client", 0, 0, NULL},
        {"timeout", APP_DURATION_NS, &timeout_ns, "TIME", "gives up after this; default 30s", 1e8, 3.6e12, NULL},
        {"nonce", APP_U64, &nonce, "N", "number of the first operation; default: the day's clock in microseconds", 0, 0, NULL},
        {"json", APP_FLAG, &as_json, NULL, "prints {committed, height, code, code_name, nonce}, of several also operations: [{code, code_name}]", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL},
    };
    int n_positional, code;
    if (app_options_parse(argc, argv, options, "ledger submit --node FILE|ENDPOINT --key FILE 'JSON'...", about, &n_positional, &code))
        return code;
    if (n_positional < 1 || !node) {
        fprintf(stderr, "airdeed ledger submit: %s\n", node ? "one operation is needed, as JSON" : "--node FILE|ENDPOINT is needed");
        return APP_BAD_USAGE;
    }
    if (nonce > max_nonce) {
        fprintf(stderr, "airdeed ledger submit: --nonce: at most %llu\n", (unsigned long long)max_nonce);
        return APP_BAD_USAGE;
    }
    struct app_ledger_client *client = malloc(sizeof *client);
    char error[APP_NODE_MAX_ERROR] = "not enough memory";
    code = client ? app_ledger_client_open(node, cluster, key, client, error) : APP_SYSTEM_FAILED;
    if (!code) {
        error[0] = '\0';
        code = read_and_submit(client, argv + 1, (size_t)n_positional, timeout_ns, nonce, as_json, error);
    }
    if (*error)
        fprintf(stderr, "airdeed ledger submit: %s\n", error);
    if (client)
        sodium_memzero(client, sizeof *client);
    free(client);
    return code;
}
