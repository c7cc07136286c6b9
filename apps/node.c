/* airdeed node: one ledger node, or the files for a new cluster. */
#include "apps/node_config.h"
#include "apps/node_init.h"
#include "apps/node_run.h"
#include "apps/options.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int init_cluster(const struct app_node_init *init)
{
    char error[APP_NODE_MAX_ERROR];
    if (strcmp(init->engine, "pbft") != 0 && strcmp(init->engine, "raft") != 0) {
        fprintf(stderr, "airdeed node: option '--engine': '%s' is not one of pbft, raft\n", init->engine);
        return APP_BAD_USAGE;
    }
    if (init->base_port && init->base_port + init->n_members - 1 > 65535) {
        fprintf(stderr, "airdeed node: option '--base-port': %u members above port %u do not fit below 65536\n", (unsigned)init->n_members,
                (unsigned)init->base_port);
        return APP_BAD_USAGE;
    }
    int err = app_node_init_cluster(init, error);
    if (err) {
        fprintf(stderr, "airdeed node: %s\n", error);
        return err == -EEXIST || err == -ENOENT || err == -ENOTDIR || err == -ENAMETOOLONG ? APP_BAD_USAGE : APP_SYSTEM_FAILED;
    }
    printf("%s: %u %s nodes. Start each as a process of its own:\n  for i in", init->dir, (unsigned)init->n_members, init->engine);
    for (uint32_t i = 0; i < init->n_members; i++)
        printf(" %u", (unsigned)i);
    printf("; do airdeed node %s/n$i.yaml 2>%s/n$i.log & done\n", init->dir, init->dir);
    if (init->n_clients)
        printf("Then, for instance:\n  airdeed ledger submit --node %s/cluster.yaml --key %s/client.key \\\n"
               "    '{\"op\": \"register\", \"call_sign\": \"AD1\", \"lat_deg\": 48.1, \"lon_deg\": 11.6, \"height_m\": 12}'\n",
               init->dir, init->dir);
    return APP_OK;
}

static int run_config(const char *path)
{
    struct app_node_config *config = malloc(sizeof *config);
    char error[APP_NODE_MAX_ERROR];
    if (!config) {
        fprintf(stderr, "airdeed node: not enough memory\n");
        return APP_SYSTEM_FAILED;
    }
    int code = APP_BAD_USAGE;
    if (app_node_config_read(path, true, config, error))
        fprintf(stderr, "airdeed node: %s\n", error);
    else
        code = app_node_run(config);
    sodium_memzero(config, sizeof *config);
    free(config);
    return code;
}

static const char about[] =
    "Runs one ledger node until SIGTERM or SIGINT, or makes the files of a new cluster on this machine:\n"
    "  airdeed node --init-cluster 4 --dir demo\n"
    "  for i in 0 1 2 3; do airdeed node demo/n$i.yaml 2>demo/n$i.log & done\n"
    "  airdeed ledger show --node demo/cluster.yaml --key demo/client.key\n"
    "Exit codes: 0 stopped by a signal, 2 a file or key is wrong, 3 the system failed (port in use, full disk).";

static int run_node(int argc, char **argv)
{
    uint64_t n_members = 0, n_clients = 1, base_port = 7400;
    const char *dir = NULL, *engine = "pbft";
    bool init_given = false;
    const struct app_option options[] = {
        {"init-cluster", APP_U64, &n_members, "N", "makes keys and files for N nodes on this machine, then exits", 1, CHAIN_MAX_MEMBERS,
         &init_given},
        {"dir", APP_TEXT, &dir, "DIR", "new folder for --init-cluster", 0, 0, NULL},
        {"engine", APP_TEXT, &engine, "NAME", "pbft (up to (N-1)/3 nodes may lie) or raft (crashes only); default pbft", 0, 0, NULL},
        {"clients", APP_U64, &n_clients, "K", "keys for K clients: client.key, client-2.key ...; default 1", 0, CHAIN_MAX_MEMBERS, NULL},
        {"base-port", APP_U64, &base_port, "PORT", "node i listens on 127.0.0.1:PORT+i; 0: any free ports; default 7400", 0, 65535, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL},
    };
    int n_positional, exit_code;
    if (app_options_parse(argc, argv, options, "node CONFIG.yaml | node --init-cluster N --dir DIR [options]", about, &n_positional, &exit_code))
        return exit_code;
    if (init_given ? n_positional != 0 || !dir : n_positional != 1 || dir) {
        fprintf(stderr, "airdeed node: %s\n", init_given ? "--init-cluster takes --dir DIR and no file" : "one CONFIG.yaml is needed; 'airdeed node --help' says more");
        return APP_BAD_USAGE;
    }
    if (!init_given)
        return run_config(argv[1]);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is reported as a full disk is */
    struct app_node_init init = {.prefix = "n",
                                 .put_rules = app_node_init_put_rules,
                                 .dir = dir,
                                 .engine = engine,
                                 .n_members = (uint32_t)n_members,
                                 .n_clients = (uint32_t)n_clients,
                                 .base_port = (uint16_t)base_port,
                                 .now_ns = (int64_t)time(NULL) * 1000000000};
    return init_cluster(&init);
}

const struct app_command app_command_node = {"node", "runs a ledger node, or makes the files of a cluster", run_node};
