/* airdeed ledger show and leases: asks a node, or reads a database. */
#include "apps/ledger.h"
#include "apps/ledger_client.h"
#include "apps/ledger_db.h"
#include "apps/ledger_json.h"
#include "apps/options.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct source {
    const char *node, *cluster, *key, *database;
    bool as_json, transactions;
    int64_t timeout_ns;
};

static int ask_node(const struct source *s, const char *what, json_t **answer_out, char *error)
{
    struct app_ledger_client *client = malloc(sizeof *client);
    if (!client)
        return APP_SYSTEM_FAILED;
    int code = app_ledger_client_open(s->node, s->cluster, s->key, client, error);
    if (!code) {
        json_t *question = json_pack("{s:s}", "ask", what);
        code = app_ledger_client_ask(client, question, false, s->timeout_ns, answer_out, error);
        json_decref(question);
    }
    sodium_memzero(client, sizeof *client);
    free(client);
    return code;
}

static int ask_database(const struct source *s, const char *what, json_t **answer_out, char *error)
{
    struct app_ledger_db *db;
    int err = app_ledger_db_open(s->database, &db, error);
    if (err)
        return APP_BAD_USAGE;
    uint64_t indexed, lag = app_ledger_db_lag(db, &indexed); /* asked first: what is printed is no older */
    if (s->transactions)
        *answer_out = app_ledger_db_transactions(db, error);
    else
        *answer_out = strcmp(what, "show") == 0 ? app_ledger_db_show(db, error) : app_ledger_db_leases(db, error);
    bool counts = strcmp(what, "show") == 0 && !s->transactions;
    if (*answer_out && lag > 0)
        fprintf(stderr, "airdeed ledger %s: %s: %sas of block %llu; its node has yet to index the %llu after it\n", what, s->database,
                counts ? "transactions, stations and leases " : "", (unsigned long long)indexed, (unsigned long long)lag);
    app_ledger_db_close(db);
    return *answer_out ? 0 : APP_EXPECTATION_FAILED;
}

static void print_answer(const struct source *s, const char *what, const json_t *answer)
{
    if (s->as_json)
        app_ledger_print_json(answer);
    else if (s->transactions)
        app_ledger_print_transactions(answer);
    else if (strcmp(what, "show") == 0)
        app_ledger_print_object(answer);
    else
        app_ledger_print_leases(answer);
}

static int run(int argc, char **argv, const char *what, const char *usage, const char *about)
{
    struct source s = {.timeout_ns = INT64_C(5000000000)};
    bool is_show = strcmp(what, "show") == 0;
    const struct app_option options[] = {
        {"node", APP_TEXT, &s.node, "FILE|ENDPOINT", "asks a node: its file, a cluster file, or tcp://HOST:PORT", 0, 0, NULL},
        {"cluster", APP_TEXT, &s.cluster, "FILE", "the cluster file, where --node is an endpoint", 0, 0, NULL},
        {"key", APP_TEXT, &s.key, "FILE", "NAME.key of a member or client, with --node", 0, 0, NULL},
        {"timeout", APP_DURATION_NS, &s.timeout_ns, "TIME", "gives up after this; default 5s", 1e8, 3.6e12, NULL},
        {"json", APP_FLAG, &s.as_json, NULL, "prints one JSON object", 0, 0, NULL},
        {is_show ? "transactions" : "", APP_FLAG, &s.transactions, NULL, "lists every transaction of a DB instead", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL},
    };
    int n_positional, code;
    if (app_options_parse(argc, argv, options, usage, about, &n_positional, &code))
        return code;
    if (n_positional + (s.node != NULL) != 1) {
        fprintf(stderr, "airdeed %s: one of DB and --node is needed\n", argv[0]);
        return APP_BAD_USAGE;
    }
    if (s.node && s.transactions) {
        fprintf(stderr, "airdeed %s: --transactions reads a DB\n", argv[0]);
        return APP_BAD_USAGE;
    }
    s.database = argv[1];
    char error[APP_NODE_MAX_ERROR] = "not enough memory";
    json_t *answer = NULL;
    code = s.node ? ask_node(&s, what, &answer, error) : ask_database(&s, what, &answer, error);
    if (code)
        fprintf(stderr, "airdeed %s: %s\n", argv[0], error);
    else
        print_answer(&s, what, answer);
    json_decref(answer);
    return code;
}

int app_ledger_show(int argc, char **argv)
{
    return run(argc, argv, "show", "ledger show DB | ledger show --node FILE|ENDPOINT --key FILE",
               "Says where a ledger stands: height, state root, and, from a node, its leader and peers.\n"
               "A database may be read while its node runs: transactions, stations and leases are then counted up to indexed_height, and it says so\n"
               "where that is behind.");
}

int app_ledger_leases(int argc, char **argv)
{
    return run(argc, argv, "leases", "ledger leases DB | ledger leases --node FILE|ENDPOINT --key FILE",
               "Lists spectrum leases, ended ones too (IDLE). A database may be read while its node runs.");
}
