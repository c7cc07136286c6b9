/* The cluster file: what all nodes of one ledger share. It holds no secret; every node must have the same one, since the genesis
 * block, whose hash names the chain, is made from it. docs/nodes.md is its reference. */
#ifndef APPS_NODE_CLUSTER_H
#define APPS_NODE_CLUSTER_H

#include "apps/genesis_rules.h"

enum { APP_NODE_MAX_ERROR = 400, APP_NODE_NAME = 32, APP_NODE_ENDPOINT = 96 };

struct app_node_party {
    char name[APP_NODE_NAME];
    char endpoint[APP_NODE_ENDPOINT]; /* members: where the others find it; "" for a client */
    uint8_t ledger_key[CHAIN_KEY_BYTES];
    uint8_t curve_key[CHAIN_KEY_BYTES];
};

struct app_node_cluster {
    struct chain_genesis genesis;    /* finished: members and chain id are filled */
    struct chain_hash genesis_hash;
    double max_eirp_dbm_mhz, local_p_fa; /* as written; genesis holds them as integers */
    struct app_genesis_rules rules;
    int64_t heartbeat_ns, timeout_ns, timeout_max_ns, gossip_ns, status_ns, propose_delay_ns;
    uint32_t mempool_txs, max_batch_bytes;
    uint32_t n_members, n_clients;
    struct app_node_party members[CHAIN_MAX_MEMBERS], clients[CHAIN_MAX_MEMBERS];
};

/* Ids on the ledger: members in file order, then clients. NULL beyond. */
const struct app_node_party *app_node_cluster_party(const struct app_node_cluster *c, uint32_t id);
/* id of the party of this name, or of this ledger key; CHAIN_MAX_KEYS if there is none */
uint32_t app_node_cluster_find(const struct app_node_cluster *c, const char *name);
uint32_t app_node_cluster_find_key(const struct app_node_cluster *c, const uint8_t ledger_key[CHAIN_KEY_BYTES]);
/* 0 or negative errno with one line in error_out (APP_NODE_MAX_ERROR octets). */
__attribute__((warn_unused_result)) int app_node_cluster_read(const char *path, struct app_node_cluster *out, char *error_out);
__attribute__((warn_unused_result)) int app_node_cluster_read_text(const char *name, const void *text, size_t len,
                                                                   struct app_node_cluster *out, char *error_out);
/* "tcp://HOST:PORT" with a port from 1 to 65535 and no wildcard. */
bool app_node_endpoint_ok(const char *endpoint);
#endif
