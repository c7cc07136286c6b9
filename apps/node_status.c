/* A node's state in words and in numbers. */
#include "apps/node_status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *name_of(const struct app_node_status *s, uint32_t id)
{
    const struct app_node_party *party = app_node_cluster_party(&s->config->cluster, id);
    return party ? party->name : NULL;
}

static bool is_raft(const struct app_node_status *s)
{
    return s->config->cluster.genesis.engine[0] == 'r';
}

static bool has_seat(const struct app_node_status *s)
{
    return s->stats.seat < CHAIN_MAX_MEMBERS;
}

/* Who has executed more repeats its vote for it: once others had time to, silence says that nobody has. Nothing is taken from silence by a
 * node that has no block yet, nor while others speak of an epoch whose votes it cannot read. */
static bool knows_lag(const struct app_node_status *s)
{
    enum { REPETITIONS = 4 };
    bool told = s->config->cluster.n_members == 1;
    for (uint32_t i = 0; i < s->config->cluster.n_members; i++)
        told = told || (i != s->config->self && s->reported[i] > 0);
    bool had_time = s->stats.height > 0 && s->now_ns - s->started_ns > REPETITIONS * s->config->cluster.status_ns;
    return !s->stats.later_epoch && (told || had_time);
}

void app_node_status_take(struct app_node_status *s, const struct chain_net *net)
{
    chain_node_stats(s->node, &s->stats);
    s->net = (struct chain_net_stats){0};
    if (net)
        chain_net_stats(net, &s->net);
    s->lag = 0;
    const struct chain_members *members = chain_ledger_members(chain_node_ledger(s->node));
    for (uint32_t i = 0; i < s->config->cluster.n_members; i++) {
        bool is_self = i == s->config->self;
        s->up[i] = is_self || (net && chain_net_is_up(net, i));
        s->votes[i] = chain_members_seat(members, i) < CHAIN_MAX_MEMBERS;
        s->reported[i] = is_self ? s->stats.height : chain_node_reported(s->node, i);
        if (s->reported[i] > s->stats.height && s->reported[i] - s->stats.height > s->lag)
            s->lag = s->reported[i] - s->stats.height;
    }
    s->lag_known = s->lag > 0 || knows_lag(s);
}

static const char *role_of(const struct app_node_status *s)
{
    if (!has_seat(s))
        return "without a vote";
    if (!s->stats.votes) /* has not yet heard from enough others what it signed before */
        return "learner";
    if (s->stats.engine.is_leader)
        return is_raft(s) ? "leader" : "primary";
    if (s->stats.leader == CHAIN_TO_ALL)
        return is_raft(s) ? "candidate" : "changing view";
    return is_raft(s) ? "follower" : "backup";
}

json_t *app_node_status_json(const struct app_node_status *s)
{
    json_t *peers = json_array();
    for (uint32_t i = 0; i < s->config->cluster.n_members; i++)
        if (i != s->config->self)
            json_array_append_new(peers, json_pack("{s:s, s:b, s:b, s:o}", "name", name_of(s, i), "up", (int)s->up[i], "votes", (int)s->votes[i], "height",
                                                   s->reported[i] > 0 ? json_integer((json_int_t)s->reported[i]) : json_null()));
    const char *error = *s->log->last_error ? s->log->last_error : NULL;
    json_t *answer = json_pack("{s:s, s:s, s:s, s:I, s:s?, s:I, s:I, s:o, s:I, s:f, s:o, s:s?}", "member", s->config->member, "engine",
                               s->config->cluster.genesis.engine, "role", role_of(s), is_raft(s) ? "term" : "view", (json_int_t)s->stats.engine.view,
                               "leader", name_of(s, s->stats.leader), "height", (json_int_t)s->stats.height, "certified_height",
                               (json_int_t)s->stats.certified_height, "lag",
                               s->lag_known ? json_integer((json_int_t)s->lag) : json_null(), "pending", (json_int_t)s->stats.mempool, "uptime_s",
                               (double)(s->now_ns - s->started_ns) * 1e-9, "peers", peers, "last_error", error);
    if (answer && error)
        json_object_set_new(answer, "last_error_s", json_real((double)(s->now_ns - s->log->last_error_ns) * 1e-9));
    return answer;
}

/* --- metrics ----------------------------------------------------------------------------------------------------------------------- */

struct text {
    char *out;
    size_t cap, len;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->out + (t->len < t->cap ? t->len : t->cap), t->len < t->cap ? t->cap - t->len : 0, format, args);
    va_end(args);
    t->len += n > 0 ? (size_t)n : 0;
}

static void put_head(struct text *t, const char *name, const char *type, const char *help)
{
    put(t, "# HELP airdeed_%s %s\n# TYPE airdeed_%s %s\n", name, help, name, type);
}

#define OF(field) offsetof(struct app_node_status, field)
static const struct {
    const char *name, *type, *help;
    size_t offset;
} plain[] = {
    {"height_blocks", "gauge", "Height of the last executed block.", OF(stats.height)},
    {"certified_height_blocks", "gauge", "Height of the last block with a complete certificate.", OF(stats.certified_height)},
    {"lag_blocks", "gauge", "Blocks that another member has executed and this node has not; left out while that is not known.", OF(lag)},
    {"term", "gauge", "Raft term or PBFT view.", OF(stats.engine.view)},
    {"mempool_transactions", "gauge", "Transactions that wait for a block.", OF(stats.mempool)},
    {"elections_total", "counter", "Elections or view changes that this node started.", OF(stats.engine.view_changes)},
    {"engine_messages_sent_total", "counter", "Consensus messages sent.", OF(stats.engine.sent)},
    {"engine_messages_retransmitted_total", "counter", "Consensus messages sent again.", OF(stats.engine.retransmitted)},
    {"equivocations_total", "counter", "Members' contradictions seen.", OF(stats.engine.equivocations)},
    {"proposals_total", "counter", "Batches proposed by this node.", OF(stats.proposed)},
    {"blocks_fetched_total", "counter", "Blocks taken from other members.", OF(stats.blocks_fetched)},
    {"snapshots_installed_total", "counter", "Snapshots taken from other members, in the place of blocks or of certificates.", OF(stats.snapshots_installed)},
    {"signatures_verified_total", "counter", "Signatures verified.", OF(stats.verified)},
    {"signatures_made_total", "counter", "Signatures made.", OF(stats.signed_)},
    {"deviating_votes_total", "counter", "Members' votes for another header than this node's.", OF(stats.deviating_votes)},
    {"operations_submitted_total", "counter", "Operations taken in from clients' submissions.", OF(intake.submitted)},
    {"operations_answered_total", "counter", "Answers given to operations of clients' submissions.", OF(intake.answered)},
    {"disk_syncs_total", "counter", "File syncs that the database asked for.", OF(syncs)},
    {"wal_bytes", "gauge", "Octets of the database's write-ahead log that are in use.", OF(wal_octets)},
    {"wal_limit_bytes", "gauge", "At so many of them the node stops.", OF(wal_bound)},
    {"network_messages_received_total", "counter", "Messages from members and clients.", OF(net.received)},
    {"network_messages_sent_total", "counter", "Messages to members and clients.", OF(net.sent)},
};

static const struct {
    const char *reason;
    size_t offset;
} refusals[] = {
    {"malformed", OF(stats.refused_malformed)},
    {"signature", OF(stats.refused_signature)},
    {"stranger", OF(stats.refused_stranger)},
    {"epoch", OF(stats.refused_epoch)},
    {"stale", OF(stats.refused_stale)},
    {"conflict", OF(stats.refused_conflict)},
    {"block", OF(stats.refused_block)},
    {"snapshot", OF(stats.refused_snapshot)},
    {"engine", OF(stats.refused_engine)},
    {"duplicate", OF(stats.duplicates)},
    {"mempool_full", OF(stats.mempool_full)},
    {"inbox_full", OF(stats.inbox_full)},
    {"outbox_full", OF(stats.outbox_full)},
    {"network_malformed", OF(net.refused_malformed)},
    {"network_full", OF(net.dropped_full)},
    {"network_stranger", OF(net.strangers)},
    {"network_handshake", OF(net.bad_handshakes)},
    {"client_gone", OF(net.replies_dropped)},
    {"client_busy", OF(intake.refused_busy)},
    {"client_malformed", OF(intake.refused_malformed)},
};

static uint64_t read_number(const struct app_node_status *s, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const char *)s + offset, sizeof value);
    return value;
}

static void put_peers(struct text *t, const struct app_node_status *s)
{
    put_head(t, "peer_connected", "gauge", "1 while the connection to the member stands.");
    for (uint32_t i = 0; i < s->config->cluster.n_members; i++)
        if (i != s->config->self)
            put(t, "airdeed_peer_connected{peer=\"%s\"} %d\n", name_of(s, i), (int)s->up[i]);
    put_head(t, "peer_height_blocks", "gauge", "Height that the member last said it executed.");
    for (uint32_t i = 0; i < s->config->cluster.n_members; i++)
        if (i != s->config->self)
            put(t, "airdeed_peer_height_blocks{peer=\"%s\"} %" PRIu64 "\n", name_of(s, i), s->reported[i]);
}

long app_node_status_metrics(const struct app_node_status *s, char *out, size_t cap)
{
    struct text t = {.out = out, .cap = cap};
    put_head(&t, "build_info", "gauge", "1, labelled with version, engine and member.");
    put(&t, "airdeed_build_info{version=\"%s\",engine=\"%s\",member=\"%s\"} 1\n", AIRDEED_VERSION, s->config->cluster.genesis.engine, s->config->member);
    put_head(&t, "start_time_seconds", "gauge", "When this process started, Unix time.");
    put(&t, "airdeed_start_time_seconds %.3f\n", (double)s->started_ns * 1e-9);
    put_head(&t, "is_leader", "gauge", "1 while this node leads.");
    put(&t, "airdeed_is_leader %d\n", (int)s->stats.engine.is_leader);
    put_head(&t, "has_vote", "gauge", "1 while this node is one of those who vote.");
    put(&t, "airdeed_has_vote %d\n", (int)has_seat(s));
    put_head(&t, "has_leader", "gauge", "1 while this node knows a leader, or has no vote and needs none.");
    put(&t, "airdeed_has_leader %d\n", (int)(s->stats.leader != CHAIN_TO_ALL || !has_seat(s)));
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (plain[i].offset == OF(lag) && !s->lag_known)
            continue;
        put_head(&t, plain[i].name, plain[i].type, plain[i].help);
        put(&t, "airdeed_%s %" PRIu64 "\n", plain[i].name, read_number(s, plain[i].offset));
    }
    put_head(&t, "refused_total", "counter", "What was not taken, by reason.");
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        put(&t, "airdeed_refused_total{reason=\"%s\"} %" PRIu64 "\n", refusals[i].reason, read_number(s, refusals[i].offset));
    put_peers(&t, s);
    return t.len < t.cap ? (long)t.len : -ENOSPC;
}
