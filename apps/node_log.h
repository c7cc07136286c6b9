/* What a node says on stderr, in words: one line an event, with the time of day and the node's name. */
#ifndef APPS_NODE_LOG_H
#define APPS_NODE_LOG_H

#include "apps/node_config.h"
#include "chain/net/net.h"
#include "chain/node.h"

enum { APP_NODE_LOG_TEXT = 240 };

struct app_node_log {
    const struct app_node_cluster *cluster;
    const char *name;
    uint32_t leader;        /* last told */
    uint64_t view, told_fetched, told_snapshots;
    uint64_t strangers;
    bool forgot;
    uint64_t wal_quarters;  /* of the bound of the write-ahead log, last told */
    char last_error[APP_NODE_LOG_TEXT]; /* the last thing that went wrong, empty if nothing did */
    int64_t last_error_ns;  /* Unix time */
    int64_t next_ns;        /* counters are told at most once in ten seconds */
};

void app_node_log_init(struct app_node_log *log, const struct app_node_cluster *cluster, uint32_t self);
__attribute__((format(printf, 2, 3))) void app_node_log(const struct app_node_log *log, const char *format, ...);
/* The same, and it is remembered as what went wrong last. */
__attribute__((format(printf, 2, 3))) void app_node_log_error(struct app_node_log *log, const char *format, ...);
void app_node_log_start(const struct app_node_log *log, const struct app_node_config *config, const struct chain_node *node);
void app_node_log_peer(struct app_node_log *log, const struct chain_net_event *event);
void app_node_log_ledger(const struct app_node_log *log, const struct chain_ledger_event *event);
/* Who leads, where that is another than was told last. */
void app_node_log_leader(struct app_node_log *log, const struct chain_node *node);
/* How long the database's write-ahead log is, in octets, of those at which the node stops: told with each quarter of them. */
void app_node_log_wal(struct app_node_log *log, uint64_t octets, uint64_t bound);
void app_node_log_changes(struct app_node_log *log, const struct chain_node *node, const struct chain_net *net, int64_t now_ns);
#endif
