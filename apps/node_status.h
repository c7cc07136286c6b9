/* What a node says of itself: to `airdeed ledger status` as JSON, to Prometheus as text. */
#ifndef APPS_NODE_STATUS_H
#define APPS_NODE_STATUS_H

#include "apps/node_config.h"
#include "apps/node_intake.h"
#include "apps/node_log.h"

#include <jansson.h>

struct app_node_status {
    const struct app_node_config *config;
    const struct app_node_log *log;
    int64_t now_ns, started_ns;
    const struct chain_node *node;
    struct chain_node_stats stats;
    struct chain_net_stats net;
    struct app_intake_stats intake;
    uint64_t syncs, wal_octets, wal_bound;
    uint64_t reported[CHAIN_MAX_MEMBERS]; /* by member of the cluster file: the height that it last said it executed; own too */
    bool up[CHAIN_MAX_MEMBERS];
    bool votes[CHAIN_MAX_MEMBERS]; /* it has a seat, as far as this node has executed */
    bool lag_known;
    uint64_t lag; /* blocks that some member has executed and this node has not */
};

/* Takes everything that changes at one moment. net NULL: nobody is up over it. */
void app_node_status_take(struct app_node_status *s, const struct chain_net *net);
/* {"member", "engine", "role", "term" or "view", "leader", "height", "certified_height", "lag", "pending", "uptime_s", "peers": [{"name", "up",
 * "votes", "height"}], "last_error", "last_error_s"}; lag and heights are null while they are not known */
json_t *app_node_status_json(const struct app_node_status *s);
/* Prometheus text exposition format 0.0.4 into out; octets, or -ENOSPC. APP_NODE_METRICS_BYTES suffice. */
enum { APP_NODE_METRICS_BYTES = 32768 };
long app_node_status_metrics(const struct app_node_status *s, char *out, size_t cap);
#endif
