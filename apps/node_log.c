/* Lines on stderr. */
#include "apps/node_log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static const int64_t COUNTERS_NS = 10000000000;

void app_node_log_init(struct app_node_log *log, const struct app_node_cluster *cluster, uint32_t self)
{
    *log = (struct app_node_log){.cluster = cluster, .name = app_node_cluster_party(cluster, self)->name, .leader = CHAIN_TO_ALL};
}

static int64_t print_line(const struct app_node_log *log, const char *text)
{
    char when[32];
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    fprintf(stderr, "%s.%03dZ %s: %s\n", when, (int)(now.tv_nsec / 1000000), log->name, text);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void app_node_log(const struct app_node_log *log, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print_line(log, text);
}

void app_node_log_error(struct app_node_log *log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(log->last_error, sizeof log->last_error, format, args);
    va_end(args);
    log->last_error_ns = print_line(log, log->last_error);
}

static const char *name_of(const struct app_node_log *log, uint32_t id)
{
    const struct app_node_party *party = app_node_cluster_party(log->cluster, id);
    return party ? party->name : "nobody";
}

void app_node_log_start(const struct app_node_log *log, const struct app_node_config *config, const struct chain_node *node)
{
    struct chain_node_stats stats;
    chain_node_stats(node, &stats);
    app_node_log(log, "member %u of %u, %s, listens on %s, ledger %s at height %" PRIu64, (unsigned)config->self + 1,
                 (unsigned)config->cluster.n_members, config->cluster.genesis.engine, config->bind, config->database_path, stats.height);
}

void app_node_log_peer(struct app_node_log *log, const struct chain_net_event *event)
{
    const char *name = name_of(log, event->from);
    if (event->kind == CHAIN_NET_UP)
        app_node_log(log, "connected to %s", name);
    else if (event->kind == CHAIN_NET_DOWN)
        app_node_log_error(log, "lost %s", name);
    else if (event->kind == CHAIN_NET_NOT_LET_IN)
        app_node_log_error(log, "%s does not let us in: its cluster file has another key for us", name);
}

void app_node_log_ledger(const struct app_node_log *log, const struct chain_ledger_event *event)
{
    const char *who = name_of(log, event->station);
    switch (event->kind) {
    case CHAIN_LE_REGISTERED:
        app_node_log(log, "block %" PRIu64 ": %s is registered", event->height, who);
        break;
    case CHAIN_LE_GRANTED:
    case CHAIN_LE_AUTHORIZED:
    case CHAIN_LE_SUSPENDED:
    case CHAIN_LE_EXPIRED:
    case CHAIN_LE_RELINQUISHED:
        app_node_log(log, "block %" PRIu64 ": lease %" PRIu64 " of %s on channel %u: %s", event->height, event->id, who,
                     (unsigned)event->channel, chain_ledger_event_name(event->kind));
        break;
    default:
        break;
    }
}

void app_node_log_leader(struct app_node_log *log, const struct chain_node *node)
{
    struct chain_node_stats stats;
    chain_node_stats(node, &stats);
    bool is_raft = log->cluster->genesis.engine[0] == 'r';
    if (stats.leader != log->leader || stats.engine.view != log->view) {
        log->leader = stats.leader;
        log->view = stats.engine.view;
        if (log->leader == CHAIN_TO_ALL && stats.seat >= CHAIN_MAX_MEMBERS)
            app_node_log(log, "follows without a vote");
        else if (log->leader == CHAIN_TO_ALL)
            app_node_log_error(log, "no leader (%s %" PRIu64 ")", is_raft ? "term" : "view", log->view);
        else
            app_node_log(log, "leader is %s (%s %" PRIu64 ")", name_of(log, log->leader), is_raft ? "term" : "view", log->view);
    }
}

void app_node_log_wal(struct app_node_log *log, uint64_t octets, uint64_t bound)
{
    uint64_t quarters = octets / (bound / 4);
    if (quarters > log->wal_quarters)
        app_node_log_error(log, "the database's write-ahead log has grown to %" PRIu64 " MiB, since a reader stays in one transaction: end it, for at %" PRIu64
                           " MiB this node stops", octets >> 20, bound >> 20);
    else if (quarters == 0 && log->wal_quarters > 0)
        app_node_log(log, "the database's write-ahead log begins anew");
    if (quarters > log->wal_quarters || quarters == 0)
        log->wal_quarters = quarters;
}

void app_node_log_changes(struct app_node_log *log, const struct chain_node *node, const struct chain_net *net, int64_t now_ns)
{
    struct chain_node_stats stats;
    app_node_log_leader(log, node);
    chain_node_stats(node, &stats);
    if (stats.forgot && !log->forgot)
        app_node_log_error(log, "others hold newer votes of ours than this database: it follows and does not vote until they lie behind");
    else if (log->forgot && stats.votes)
        app_node_log(log, "votes again");
    log->forgot = stats.forgot;
    if (stats.snapshots_installed != log->told_snapshots) {
        app_node_log(log, "took a snapshot from other members: goes on from block %" PRIu64, stats.certified_height);
        log->told_snapshots = stats.snapshots_installed;
    }
    if (now_ns < log->next_ns)
        return;
    struct chain_net_stats traffic;
    chain_net_stats(net, &traffic);
    if (traffic.strangers != log->strangers) {
        app_node_log_error(log, "refused %" PRIu64 " connections of keys that the cluster file does not list", traffic.strangers - log->strangers);
        log->strangers = traffic.strangers;
    }
    if (stats.blocks_fetched != log->told_fetched) {
        app_node_log(log, "caught up to height %" PRIu64 " with %" PRIu64 " blocks of others", stats.height,
                     stats.blocks_fetched - log->told_fetched);
        log->told_fetched = stats.blocks_fetched;
    }
    log->next_ns = now_ns + COUNTERS_NS;
}
