/* Asking the nodes. */
#include "apps/ledger_client.h"

#include "apps/node_config.h"
#include "apps/options.h"
#include "chain/net/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ANSWER_BYTES = 1 << 18, TRY_MS = 3000, FAIR_TRY_MS = 1000, PAUSE_MS = 100 };

static int open_endpoint(const char *endpoint, const char *cluster_path, struct app_ledger_client *c, char *error_out)
{
    if (!cluster_path) {
        snprintf(error_out, APP_NODE_MAX_ERROR, "--node %s needs --cluster FILE: the node's key stands there", endpoint);
        return APP_BAD_USAGE;
    }
    if (app_node_cluster_read(cluster_path, &c->cluster, error_out))
        return APP_BAD_USAGE;
    for (uint32_t i = 0; i < c->cluster.n_members; i++)
        if (strcmp(c->cluster.members[i].endpoint, endpoint) == 0) {
            c->members[c->n_members++] = i;
            return 0;
        }
    snprintf(error_out, APP_NODE_MAX_ERROR, "--node %s: no member of %s has this endpoint", endpoint, cluster_path);
    return APP_BAD_USAGE;
}

static int open_node_file(const char *path, struct app_ledger_client *c, char *error_out)
{
    struct app_node_config *config = malloc(sizeof *config);
    if (!config) {
        snprintf(error_out, APP_NODE_MAX_ERROR, "not enough memory");
        return APP_SYSTEM_FAILED;
    }
    int err = app_node_config_read(path, false, config, error_out);
    if (!err) {
        c->cluster = config->cluster;
        c->members[c->n_members++] = config->self;
    }
    free(config);
    return err ? APP_BAD_USAGE : 0;
}

int app_ledger_client_open(const char *node, const char *cluster_path, const char *key_path, struct app_ledger_client *c,
                           char *error_out)
{
    memset(c, 0, sizeof *c);
    if (!key_path) {
        snprintf(error_out, APP_NODE_MAX_ERROR, "--key FILE is needed to ask a node");
        return APP_BAD_USAGE;
    }
    int code = 0;
    if (strncmp(node, "tcp://", 6) == 0) {
        code = open_endpoint(node, cluster_path, c, error_out);
    } else if (app_node_config_is_node_file(node)) {
        code = open_node_file(node, c, error_out);
    } else if (app_node_cluster_read(node, &c->cluster, error_out)) {
        code = APP_BAD_USAGE;
    } else {
        for (uint32_t i = 0; i < c->cluster.n_members; i++)
            c->members[c->n_members++] = i;
    }
    if (!code && app_keyfile_read(key_path, &c->key, error_out))
        code = APP_BAD_USAGE;
    if (!code)
        c->self = app_node_cluster_find_key(&c->cluster, c->key.ledger_public);
    return code;
}

static int64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* 0 with an answer that is no error, -EREMOTEIO with what the node said against it, or what became of the connection */
static int ask_member(struct app_ledger_client *c, uint32_t member, const char *question, int timeout_ms, json_t **answer_out,
                      char *error_out)
{
    const struct app_node_party *party = &c->cluster.members[member];
    struct chain_net_client *client;
    const uint8_t *octets;
    size_t len;
    int err = chain_net_client_open(party->endpoint, party->curve_key, c->key.curve_secret, MAX_ANSWER_BYTES, &client);
    if (!err) {
        err = chain_net_client_ask(client, question, strlen(question), timeout_ms, &octets, &len);
        json_t *answer = err ? NULL : json_loadb((const char *)octets, len, JSON_REJECT_DUPLICATES, NULL);
        chain_net_client_close(client);
        const char *why = json_string_value(json_object_get(answer, "error"));
        if (!err && json_is_object(answer) && !why) {
            *answer_out = answer;
            return 0;
        }
        if (!err) {
            snprintf(error_out, APP_NODE_MAX_ERROR, "%s (%s) answered: %.200s", party->name, party->endpoint, why ? why : "nothing that is understood");
            json_decref(answer);
            return -EREMOTEIO;
        }
    }
    const char *what = err == -EACCES         ? "does not know this key"
                       : err == -ECONNREFUSED ? "is not running"
                       : err == -ETIMEDOUT    ? "did not answer in time"
                       : err == -EPIPE        ? "broke the connection off"
                                              : strerror(-err);
    snprintf(error_out, APP_NODE_MAX_ERROR, "%s (%s) %s", party->name, party->endpoint, what);
    return err;
}

int app_ledger_client_ask(struct app_ledger_client *c, json_t *question, bool wait, int64_t timeout_ns, json_t **answer_out, char *error_out)
{
    int64_t until_ns = monotonic_ns() + timeout_ns;
    for (uint32_t turn = 0;; turn++) {
        int64_t left_ms = (until_ns - monotonic_ns()) / 1000000;
        if (left_ms <= 0)
            return APP_SYSTEM_FAILED; /* with what the last one said */
        /* one that hangs must not use up the time of the others */
        int try_ms = (int)(c->n_members > 1 && left_ms > TRY_MS ? TRY_MS : left_ms);
        if (wait)
            json_object_set_new(question, "wait_ms", json_integer(try_ms > 200 ? try_ms - 100 : try_ms));
        char *text = json_dumps(question, JSON_COMPACT);
        if (!text) {
            snprintf(error_out, APP_NODE_MAX_ERROR, "not enough memory");
            return APP_SYSTEM_FAILED;
        }
        c->answered = c->members[turn % c->n_members];
        char why[APP_NODE_MAX_ERROR];
        int err = ask_member(c, c->answered, text, try_ms, answer_out, why);
        free(text);
        /* a last try that had no time to fail says nothing: what stood before is the reason */
        if (err && (turn == 0 || err != -ETIMEDOUT || try_ms >= FAIR_TRY_MS))
            memcpy(error_out, why, sizeof why);
        if (!err)
            return 0;
        c->told_others = c->told_others || err != -ECONNREFUSED;
        if (err == -EACCES)
            return APP_BAD_USAGE;
        struct timespec pause = {0, PAUSE_MS * 1000000L};
        if ((turn + 1) % c->n_members == 0 && until_ns - monotonic_ns() > PAUSE_MS * INT64_C(1000000))
            nanosleep(&pause, NULL);
    }
}
