/* airdeed ledger get: a record that a station put on the ledger, as it is now. */
#include "apps/ledger.h"
#include "apps/ledger_client.h"
#include "apps/ledger_json.h"
#include "apps/options.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct get {
    const char *node, *cluster, *key, *station;
    bool as_json, stale;
    int64_t timeout_ns;
    uint64_t record;
};

static int64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool same_record(const json_t *a, const json_t *b)
{
    return json_equal(json_object_get(a, "written"), json_object_get(b, "written")) &&
           json_equal(json_object_get(a, "value_hash"), json_object_get(b, "value_hash"));
}

/* Asks one member after another, each within a fair share of the time that is left, until `needed` of them gave the same answer since the
 * last disagreement; a member that has executed less than others is asked again. */
static int ask_until_equal(struct app_ledger_client *client, const json_t *question, uint32_t needed, int64_t timeout_ns, json_t **answer_out,
                           char *error_out)
{
    json_t *answers[CHAIN_MAX_MEMBERS] = {NULL};
    int64_t until_ns = monotonic_ns() + timeout_ns;
    uint32_t n_equal = 0, n_members = client->n_members, members[CHAIN_MAX_MEMBERS];
    int code = APP_SYSTEM_FAILED;
    memcpy(members, client->members, sizeof members);
    snprintf(error_out, APP_NODE_MAX_ERROR, "no %" PRIu32 " members gave the same answer in time", needed);
    for (uint32_t turn = 0; n_equal < needed && monotonic_ns() < until_ns; turn++) {
        uint32_t i = turn % n_members;
        char why[APP_NODE_MAX_ERROR];
        int64_t share_ns = (until_ns - monotonic_ns()) / (2 * (int64_t)n_members);
        json_t *answer = NULL, *again = json_deep_copy(question);
        client->n_members = 1;
        client->members[0] = members[i];
        code = app_ledger_client_ask(client, again, false, share_ns > 300000000 ? share_ns : 300000000, &answer, why);
        json_decref(again);
        if (code == APP_BAD_USAGE) {
            snprintf(error_out, APP_NODE_MAX_ERROR, "%s", why);
            break;
        }
        code = APP_SYSTEM_FAILED;
        json_decref(answers[i]);
        answers[i] = answer;
        n_equal = 0;
        for (uint32_t k = 0; answer && k < n_members; k++)
            n_equal += answers[k] && same_record(answers[k], answer);
        if (n_equal >= needed) {
            *answer_out = json_incref(answer);
            code = 0;
        }
    }
    for (uint32_t i = 0; i < n_members; i++)
        json_decref(answers[i]);
    client->n_members = n_members;
    memcpy(client->members, members, sizeof members);
    return code;
}

static int ask(const struct get *g, struct app_ledger_client *client, json_t **answer_out, char *error_out)
{
    const struct chain_genesis *genesis = &client->cluster.genesis;
    uint32_t station = g->station ? app_node_cluster_find(&client->cluster, g->station) : client->self;
    if (g->station && station == CHAIN_MAX_KEYS) {
        char *end;
        unsigned long id = strtoul(g->station, &end, 10);
        if (*end || end == g->station || id >= CHAIN_MAX_KEYS) {
            snprintf(error_out, APP_NODE_MAX_ERROR, "--station: '%s' is no member or client of the cluster file, and no key id", g->station);
            return APP_BAD_USAGE;
        }
        station = (uint32_t)id;
    }
    json_t *question = json_pack("{s:s, s:i, s:I, s:b}", "ask", "get", "station", (int)station, "record", (json_int_t)g->record, "stale", g->stale);
    uint32_t quorum = chain_pbft_quorum(genesis->members.n);
    int code;
    if (g->stale || strcmp(genesis->engine, "raft") == 0) {
        code = app_ledger_client_ask(client, question, false, g->timeout_ns, answer_out, error_out);
    } else if (client->n_members < quorum) {
        snprintf(error_out, APP_NODE_MAX_ERROR, "one member of a PBFT ledger may lie: name the cluster file, so that a quorum is asked, or take --stale");
        code = APP_BAD_USAGE;
    } else {
        code = ask_until_equal(client, question, quorum, g->timeout_ns, answer_out, error_out);
    }
    json_decref(question);
    return code;
}

static void print_record(const json_t *answer)
{
    const char *value = json_string_value(json_object_get(answer, "value")), *hash = json_string_value(json_object_get(answer, "value_hash"));
    int64_t written = (int64_t)json_integer_value(json_object_get(answer, "written"));
    if (!hash)
        printf("nothing is kept there\n");
    else
        printf("%s (block %" PRId64 ", BLAKE2b-256 %s)\n", value ? value : "octets that are no text", written, hash);
}

int app_ledger_get(int argc, char **argv)
{
    struct get g = {.timeout_ns = INT64_C(5000000000)};
    const struct app_option options[] = {
        {"node", APP_TEXT, &g.node, "FILE|ENDPOINT", "asks a node: its file, a cluster file, or tcp://HOST:PORT", 0, 0, NULL},
        {"cluster", APP_TEXT, &g.cluster, "FILE", "the cluster file, where --node is an endpoint", 0, 0, NULL},
        {"key", APP_TEXT, &g.key, "FILE", "NAME.key of a member or client", 0, 0, NULL},
        {"station", APP_TEXT, &g.station, "NAME|ID", "whose record; default: the key's own", 0, 0, NULL},
        {"stale", APP_FLAG, &g.stale, NULL, "takes one node's word for how it was some time ago", 0, 0, NULL},
        {"timeout", APP_DURATION_NS, &g.timeout_ns, "TIME", "gives up after this; default 5s", 1e8, 3.6e12, NULL},
        {"json", APP_FLAG, &g.as_json, NULL, "prints one JSON object", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL},
    };
    int n_positional, code;
    if (app_options_parse(argc, argv, options, "ledger get --node FILE|ENDPOINT --key FILE RECORD",
                          "Reads a record that a station put on the ledger (operation put), linearizably: it is at least as new as all that was\n"
                          "acknowledged before. Raft: the leader asks a majority whether it still leads. PBFT: a quorum gives the same answer.",
                          &n_positional, &code))
        return code;
    char *end = NULL;
    if (n_positional == 1)
        g.record = strtoul(argv[1], &end, 10);
    if (!g.node || n_positional != 1 || !*argv[1] || *end || g.record > UINT32_MAX) {
        fprintf(stderr, "airdeed ledger get: --node and the record's number, 0 to 4294967295, are needed\n");
        return APP_BAD_USAGE;
    }
    char error[APP_NODE_MAX_ERROR] = "not enough memory";
    json_t *answer = NULL;
    struct app_ledger_client *client = malloc(sizeof *client);
    code = client ? app_ledger_client_open(g.node, g.cluster, g.key, client, error) : APP_SYSTEM_FAILED;
    if (!code)
        code = ask(&g, client, &answer, error);
    if (code)
        fprintf(stderr, "airdeed ledger get: %s\n", error);
    else if (g.as_json)
        app_ledger_print_json(answer);
    else
        print_record(answer);
    json_decref(answer);
    if (client)
        sodium_memzero(client, sizeof *client);
    free(client);
    return code;
}
