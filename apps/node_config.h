/* One node's own file: which cluster, which member of it, its secret key, its database. Paths are relative to the file. */
#ifndef APPS_NODE_CONFIG_H
#define APPS_NODE_CONFIG_H

#include "apps/keyfile.h"
#include "apps/node_cluster.h"
#include "apps/yaml.h"

enum { APP_NODE_PATH = 256 };

struct app_node_config {
    char cluster_path[APP_NODE_PATH], member[APP_NODE_NAME], key_path[APP_NODE_PATH], database_path[APP_NODE_PATH];
    char bind[APP_NODE_ENDPOINT]; /* where this node listens; the member's endpoint unless given */
    char metrics[APP_NODE_ENDPOINT]; /* where Prometheus may ask; empty: nowhere */
    bool trust_disk;              /* votes without asking others what they saw of it before it started */
    uint32_t prune;               /* blocks that stay below the last snapshot; 0: all do */
    uint32_t snapshot_every;      /* blocks; 0: as many as the store takes by itself */
    uint32_t self;
    struct app_node_cluster cluster;
    struct app_keyfile key;       /* only with_key */
};

/* The rows of such a file, for a file that holds more (a station's): its struct begins with a struct app_node_config. */
#define APP_NODE_CONFIG_TEXT(field, member_, is_required, size) \
    {.name = field, .kind = APP_YAML_TEXT, .required = is_required, .offset = offsetof(struct app_node_config, member_), .cap = size}
#define APP_NODE_CONFIG_ROWS \
    APP_NODE_CONFIG_TEXT("cluster", cluster_path, true, APP_NODE_PATH), \
    APP_NODE_CONFIG_TEXT("member", member, true, APP_NODE_NAME), \
    APP_NODE_CONFIG_TEXT("key", key_path, true, APP_NODE_PATH), \
    APP_NODE_CONFIG_TEXT("database", database_path, true, APP_NODE_PATH), \
    APP_NODE_CONFIG_TEXT("bind", bind, false, APP_NODE_ENDPOINT), \
    {.name = "trust_disk", .kind = APP_YAML_BOOL, .offset = offsetof(struct app_node_config, trust_disk)}, \
    {.name = "prune", .kind = APP_YAML_U32, .offset = offsetof(struct app_node_config, prune), .min = 0, .max = UINT32_MAX, .unit = "blocks"}, \
    {.name = "snapshot_every", .kind = APP_YAML_U32, .offset = offsetof(struct app_node_config, snapshot_every), .min = 1, .max = UINT32_MAX, \
     .unit = "blocks"}
/* app_yaml_check of these rows; then, with all fields in: what the file names is read, and held against each other. */
int app_node_config_check(void *root, void *item, const char **field_out, char *why);
__attribute__((warn_unused_result)) int app_node_config_finish(const char *path, bool with_key, struct app_node_config *out,
                                                               char *error_out);

/* with_key false: everything but the secret key, for those who only ask the node. */
__attribute__((warn_unused_result)) int app_node_config_read(const char *path, bool with_key, struct app_node_config *out, char *error_out);
/* The same from memory, the files it names left alone: what a fuzzer can reach. */
__attribute__((warn_unused_result)) int app_node_config_read_text(const char *name, const void *text, size_t len,
                                                                  struct app_node_config *out, char *error_out);
/* True for a file with a `cluster` field at its start of line: a node's file rather than a cluster's. */
bool app_node_config_is_node_file(const char *path);
#endif
