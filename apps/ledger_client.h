/* A client's way to a ledger: its key, the cluster file, and the members it may ask. */
#ifndef APPS_LEDGER_CLIENT_H
#define APPS_LEDGER_CLIENT_H

#include "apps/keyfile.h"
#include "apps/node_cluster.h"

#include <jansson.h>

struct app_ledger_client {
    struct app_node_cluster cluster;
    struct app_keyfile key;
    uint32_t self;                 /* whose key it is, on the ledger */
    uint32_t n_members, members[CHAIN_MAX_MEMBERS]; /* to be asked, in turn */
    uint32_t answered;             /* who did, last */
    bool told_others;              /* others were asked before and gave no answer: they may have taken the question in. Never cleared here */
};

/* node: a node's file (that one is asked), a cluster file (all are, until one answers), or an endpoint tcp://... of a member of
 * cluster_path. 0 or an exit code with one line in error_out. */
int app_ledger_client_open(const char *node, const char *cluster_path, const char *key_path, struct app_ledger_client *out,
                           char *error_out);
/* Asks until somebody answers without "error" or time is up. wait: the question is a submission, whose answer may take as long.
 * The question must mean the same however often it arrives. 0 with the answer, or an exit code with one line in error_out. */
int app_ledger_client_ask(struct app_ledger_client *c, json_t *question, bool wait, int64_t timeout_ns, json_t **answer_out,
                          char *error_out);
#endif
