/* One node's own file: which cluster, which member of it, its secret key, its database. Paths are relative to the file. */
#ifndef APPS_NODE_CONFIG_H
#define APPS_NODE_CONFIG_H

#include "apps/keyfile.h"
#include "apps/node_cluster.h"

enum { APP_NODE_PATH = 256 };

struct app_node_config {
    char cluster_path[APP_NODE_PATH], member[APP_NODE_NAME], key_path[APP_NODE_PATH], database_path[APP_NODE_PATH];
    char bind[APP_NODE_ENDPOINT]; /* where this node listens; the member's endpoint unless given */
    uint32_t self;
    struct app_node_cluster cluster;
    struct app_keyfile key;       /* only with_key */
};

/* with_key false: everything but the secret key, for those who only ask the node. */
__attribute__((warn_unused_result)) int app_node_config_read(const char *path, bool with_key, struct app_node_config *out, char *error_out);
/* The same from memory, the files it names left alone: what a fuzzer can reach. */
__attribute__((warn_unused_result)) int app_node_config_read_text(const char *name, const void *text, size_t len,
                                                                  struct app_node_config *out, char *error_out);
/* True for a file with a `cluster` field at its start of line: a node's file rather than a cluster's. */
bool app_node_config_is_node_file(const char *path);
#endif
