/* airdeed ledger status: how the nodes of a ledger are. */
#include "apps/ledger.h"
#include "apps/ledger_client.h"
#include "apps/ledger_json.h"
#include "apps/options.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_int_t number(const json_t *object, const char *field)
{
    return json_integer_value(json_object_get(object, field));
}

static const char *text(const json_t *object, const char *field)
{
    const char *value = json_string_value(json_object_get(object, field));
    return value ? value : "nobody";
}

static void print_node(const json_t *node)
{
    if (json_object_get(node, "unreached")) {
        printf("%s\n", text(node, "unreached"));
        return;
    }
    const json_t *lag = json_object_get(node, "lag");
    bool has_term = json_object_get(node, "term") != NULL;
    bool follows = strcmp(text(node, "role"), "without a vote") == 0;
    printf("%s: ", text(node, "member"));
    if (follows)
        printf("follows without a vote");
    else
        printf("%s, %s %" PRId64 ", leader %s", text(node, "role"), has_term ? "term" : "view", (int64_t)number(node, has_term ? "term" : "view"),
               text(node, "leader"));
    printf("; up for %.0f s\n  height %" PRId64 ", certified %" PRId64 ", ", json_number_value(json_object_get(node, "uptime_s")),
           (int64_t)number(node, "height"), (int64_t)number(node, "certified_height"));
    if (json_is_integer(lag))
        printf("%" PRId64 " blocks behind", (int64_t)json_integer_value(lag));
    else
        printf("not known how many blocks behind");
    printf(", %" PRId64 " transactions wait\n", (int64_t)number(node, "pending"));
    size_t i;
    const json_t *peer;
    printf("  peers:");
    json_array_foreach (json_object_get(node, "peers"), i, peer) {
        printf("%s %s %s, ", i ? ";" : "", text(peer, "name"), json_is_true(json_object_get(peer, "up")) ? "connected" : "not connected");
        if (json_is_false(json_object_get(peer, "votes")))
            printf("without a vote");
        else if (json_is_integer(json_object_get(peer, "height")))
            printf("last at height %" PRId64, (int64_t)number(peer, "height"));
        else
            printf("has not voted since this node started");
    }
    printf("%s\n", i ? "" : " none");
    const json_t *error = json_object_get(node, "last_error");
    if (json_is_string(error))
        printf("  last error: %s, %.0f s ago\n", json_string_value(error), json_number_value(json_object_get(node, "last_error_s")));
}

/* Every member that may be asked, each for itself. How many answered */
static uint32_t ask_all(const struct app_ledger_client *all, int64_t timeout_ns, json_t *nodes)
{
    uint32_t n_answered = 0;
    struct app_ledger_client *one = malloc(sizeof *one);
    for (uint32_t i = 0; one && i < all->n_members; i++) {
        char error[APP_NODE_MAX_ERROR];
        json_t *answer = NULL, *question = json_pack("{s:s}", "ask", "status");
        *one = *all;
        one->n_members = 1;
        one->members[0] = all->members[i];
        if (app_ledger_client_ask(one, question, false, timeout_ns, &answer, error) == 0)
            n_answered++;
        else
            answer = json_pack("{s:s, s:s}", "member", all->cluster.members[all->members[i]].name, "unreached", error);
        json_decref(question);
        json_array_append_new(nodes, answer);
    }
    if (one)
        sodium_memzero(one, sizeof *one);
    free(one);
    return n_answered;
}

static int show_all(const struct app_ledger_client *client, int64_t timeout_ns, bool as_json)
{
    json_t *nodes = json_array();
    uint32_t n_answered = ask_all(client, timeout_ns, nodes);
    size_t i;
    const json_t *node;
    if (as_json) {
        json_t *answer = json_pack("{s:O}", "nodes", nodes);
        app_ledger_print_json(answer);
        json_decref(answer);
    } else {
        json_array_foreach (nodes, i, node)
            print_node(node);
    }
    json_decref(nodes);
    return n_answered == client->n_members ? APP_OK : n_answered > 0 ? APP_EXPECTATION_FAILED : APP_SYSTEM_FAILED;
}

int app_ledger_status(int argc, char **argv)
{
    const char *node = NULL, *cluster = NULL, *key = NULL;
    bool as_json = false;
    int64_t timeout_ns = INT64_C(1000000000);
    const struct app_option options[] = {
        {"node", APP_TEXT, &node, "FILE|ENDPOINT", "asks a node: its file, a cluster file for all of them, or tcp://HOST:PORT", 0, 0, NULL},
        {"cluster", APP_TEXT, &cluster, "FILE", "the cluster file, where --node is an endpoint", 0, 0, NULL},
        {"key", APP_TEXT, &key, "FILE", "NAME.key of a member or client", 0, 0, NULL},
        {"timeout", APP_DURATION_NS, &timeout_ns, "TIME", "gives a node up after this; default 1s", 1e8, 3.6e12, NULL},
        {"json", APP_FLAG, &as_json, NULL, "prints one JSON object", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL},
    };
    int n_positional, code;
    if (app_options_parse(argc, argv, options, "ledger status --node FILE|ENDPOINT --key FILE",
                          "Says how nodes are: role, term or view, height, blocks behind, peers, and the last thing that went wrong, in words.\n"
                          "Exit codes: 0 all that were asked answered, 1 some did, 3 none did.",
                          &n_positional, &code))
        return code;
    if (n_positional != 0 || !node) {
        fprintf(stderr, "airdeed ledger status: --node FILE or ENDPOINT is needed, and nothing else\n");
        return APP_BAD_USAGE;
    }
    char error[APP_NODE_MAX_ERROR] = "not enough memory";
    struct app_ledger_client *client = malloc(sizeof *client);
    code = client ? app_ledger_client_open(node, cluster, key, client, error) : APP_SYSTEM_FAILED;
    if (code)
        fprintf(stderr, "airdeed ledger status: %s\n", error);
    else
        code = show_all(client, timeout_ns, as_json);
    if (client)
        sodium_memzero(client, sizeof *client);
    free(client);
    return code;
}
