/* A new cluster on one machine: keys, the cluster file and a file for each node. */
#ifndef APPS_NODE_INIT_H
#define APPS_NODE_INIT_H

#include <stdint.h>
#include <stdio.h>

struct app_node_init {
    const char *prefix;    /* "n": members are n0, n1 ... */
    /* The cluster file's rules between its time and its members; what a member's file holds beside cluster, member, key, database, or NULL. */
    void (*put_rules)(FILE *file, const void *ctx);
    void (*put_member)(FILE *file, uint32_t member, const void *ctx);
    const void *ctx;
    const char *dir;       /* must not exist yet: written beside and renamed, so it is there whole or not at all */
    const char *engine;    /* "pbft" or "raft" */
    uint32_t n_members, n_clients;
    uint16_t base_port;    /* member i listens on base_port + i; 0: any free ports */
    int64_t now_ns;        /* time of the genesis block */
};

/* Rules of a cluster of ledger nodes, which do not sense. */
void app_node_init_put_rules(FILE *file, const void *ctx);
/* 0 or negative errno with one line in error_out (APP_NODE_MAX_ERROR octets): -EEXIST, -ENOENT ... */
__attribute__((warn_unused_result)) int app_node_init_cluster(const struct app_node_init *init, char *error_out);
#endif
