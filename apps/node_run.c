/* The live loop of a ledger node. One turn takes what is ready, writes it in one transaction, syncs, and answers. */
#include "apps/node_run.h"

#include "apps/carry.h"
#include "apps/node_clock.h"
#include "apps/node_intake.h"
#include "apps/node_log.h"
#include "apps/node_metrics.h"
#include "apps/node_open.h"
#include "apps/node_requests.h"
#include "apps/options.h"
#include "apps/turns.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MAX_EVENTS_A_TURN = 128, MAX_WAIT_MS = 500, QUEUE_MESSAGES = 256, MAX_MESSAGE_BYTES = 5 * CHAIN_MAX_MSG_BYTES };

static const int64_t METRICS_NS = 100000000, VOTE_WAIT_NS = 3000000, NOTICE_NS = 2000000;
/* libzmq's threads do little at a time, and at either end of each of their turns somebody waits; the loop does more, and what the crew verifies
 * waits for both */
static const uint64_t CARRIER_TURN_NS = 100000, LOOP_TURN_NS = 500000;
static const int64_t QUIET_NS = 20000000; /* so long without a message, and what can wait is taken up */

struct loop {
    const struct app_node_config *config;
    struct app_node_clock clock;
    struct app_node_log log;
    int signal_fd, wake_fd; /* wake_fd: an epoll instance with signals and metrics */
    struct chain_net *net;
    struct chain_store *store;
    void *node_memory;
    struct chain_node *node;
    struct chain_ed25519 signing_key;
    struct chain_node_update update;
    bool work_waits; /* the store has something to do once nothing else is */
    struct app_carry carry;
    struct app_node_requests requests;
    struct app_node_intake intake;
    struct app_node_status status;
    struct app_node_metrics *metrics; /* NULL: nobody may ask */
    int64_t metrics_due_ns, heard_ns;
    int64_t now_ns;
};

static void send_bundle(void *ctx, const struct chain_node_send *send)
{
    struct loop *l = ctx;
    app_node_intake_flush(&l->intake, l->now_ns); /* who waits for an answer goes before members that learn of a commit */
    chain_net_send(l->net, send->to == CHAIN_TO_ALL ? UINT32_MAX : send->to, send->data, send->len);
}

static void deliver(void *ctx, const struct chain_ledger_event *event)
{
    struct loop *l = ctx;
    app_node_requests_executed(&l->requests, event);
    app_node_intake_executed(&l->intake, event);
    app_node_log_ledger(&l->log, event);
}

static void recall(void *ctx, struct app_node_answer *a)
{
    struct loop *l = ctx;
    app_node_results_recall(&l->requests.results, a);
    if (!app_node_answer_known(a) && chain_ledger_nonce_used(chain_node_ledger(l->node), a->author, a->nonce, a->n_ops))
        a->taken = APP_NONCE_USED;
}

static void readable(void *ctx, const struct chain_node_read *read)
{
    struct loop *l = ctx;
    app_node_requests_readable(&l->requests, read);
}

static void executed(void *ctx, const struct chain_ledger_event *event)
{
    struct loop *l = ctx;
    app_node_intake_executed(&l->intake, event);
}

static void answer(void *ctx)
{
    struct loop *l = ctx;
    app_node_intake_flush(&l->intake, l->now_ns);
}

/* 0, or an exit code; what is refused is counted */
static int check_fatal(const struct loop *l, int err)
{
    if (err != -EIO && err != -EILSEQ)
        return 0;
    app_node_log(&l->log, "stopped: %s", l->carry.error);
    return APP_SYSTEM_FAILED;
}

static int step(struct loop *l, const struct chain_node_event *event)
{
    return check_fatal(l, app_carry_step(&l->carry, event));
}

static int ask_to_read(void *ctx, uint64_t id)
{
    struct loop *l = ctx;
    struct chain_node_event event = {.kind = CHAIN_NODE_READ, .now_ns = l->now_ns, .read_id = id};
    return check_fatal(l, app_carry_step(&l->carry, &event)) ? -EIO : 0;
}

static int submit_verified(void *ctx, const struct chain_msg *tx, const uint8_t *octets, size_t len)
{
    struct loop *l = ctx;
    struct chain_node_event event = {.kind = CHAIN_NODE_SUBMIT_TX, .now_ns = l->now_ns,
                                     .bytes = {.data = octets, .len = len, .proven = true, .tx = tx}};
    if (check_fatal(l, app_carry_take(&l->carry, &event)))
        return -EIO;
    return l->carry.submit_result;
}

static int submit_foreign(void *ctx, const uint8_t *tx, size_t len)
{
    struct loop *l = ctx;
    struct chain_node_event event = {.kind = CHAIN_NODE_SUBMIT_TX, .now_ns = l->now_ns, .bytes = {.data = tx, .len = len}};
    if (check_fatal(l, app_carry_take(&l->carry, &event)))
        return -EIO;
    return l->carry.submit_result;
}

static int submit_body(void *ctx, const uint8_t *body, size_t len, uint64_t *nonce_out)
{
    struct loop *l = ctx;
    struct chain_node_event event = {.kind = CHAIN_NODE_SUBMIT_BODY, .now_ns = l->now_ns, .bytes = {.data = body, .len = len}};
    if (check_fatal(l, app_carry_take(&l->carry, &event)))
        return -EIO;
    *nonce_out = l->carry.submitted_nonce;
    return l->carry.submit_result;
}

static void send_answers(void *ctx, const struct chain_net_caller *to, const uint8_t *answers, size_t len)
{
    const struct loop *l = ctx;
    chain_net_reply(l->net, to, CHAIN_NET_ANSWERS, answers, len);
}

static int take(struct loop *l, const struct chain_net_event *event)
{
    struct chain_node_event received = {.kind = CHAIN_NODE_RECEIVE, .now_ns = l->now_ns, .bytes = {event->data, event->len, true, event->from}};
    switch (event->kind) {
    case CHAIN_NET_BUNDLE:
        return step(l, &received);
    case CHAIN_NET_REQUEST:
        return app_node_requests_take(&l->requests, event, l->now_ns) ? APP_SYSTEM_FAILED : 0;
    case CHAIN_NET_SUBMIT:
        l->intake.members = chain_ledger_members(chain_node_ledger(l->node));
        return app_node_intake_take(&l->intake, event, l->now_ns) ? APP_SYSTEM_FAILED : 0;
    default:
        app_node_log_peer(&l->log, event);
        return 0;
    }
}

/* Whoever asked in JSON waits for this node's own disk */
static int64_t sync_at(const struct loop *l)
{
    return l->requests.n_waiters > 0 && l->carry.persist_seq > 0 ? INT64_MIN : app_carry_sync_at(&l->carry);
}

static int wait_ms(const struct loop *l)
{
    int64_t until_ns = chain_node_deadline(l->node), asked_ns = app_node_requests_deadline(&l->requests);
    if (asked_ns < until_ns)
        until_ns = asked_ns;
    if (sync_at(l) < until_ns)
        until_ns = sync_at(l);
    if (until_ns <= l->now_ns)
        return 0;
    int64_t ms = (until_ns - l->now_ns + 999999) / 1000000;
    return ms < MAX_WAIT_MS ? (int)ms : MAX_WAIT_MS;
}

static long write_metrics(void *ctx, char *out, size_t cap)
{
    struct loop *l = ctx;
    l->status.now_ns = l->now_ns;
    l->status.syncs = chain_store_syncs(l->store);
    l->status.wal_octets = chain_store_log_octets(l->store, &l->status.wal_bound);
    l->status.intake = l->intake.stats;
    app_node_status_take(&l->status, l->net);
    return app_node_status_metrics(&l->status, out, cap);
}

/* Not in every turn of a busy node, but soon enough */
static void serve_metrics(struct loop *l, bool woken)
{
    if (!l->metrics || (!woken && l->now_ns < l->metrics_due_ns))
        return;
    app_node_metrics_run(l->metrics);
    l->metrics_due_ns = l->now_ns + METRICS_NS;
}

/* Nothing came: a piece of what can wait. */
static int work_on_store(struct loop *l)
{
    int rc = chain_store_work(l->store, l->carry.error);
    l->work_waits = rc > 0;
    if (rc < 0)
        app_node_log(&l->log, "stopped: %s", l->carry.error);
    return rc < 0 ? rc : 0;
}

/* 0, or an exit code */
static int run_turn(struct loop *l)
{
    int timeout_ms = wait_ms(l), until_work_ms = (int)((l->heard_ns + QUIET_NS - l->now_ns) / 1000000);
    if (l->work_waits && until_work_ms < timeout_ms)
        timeout_ms = until_work_ms > 0 ? until_work_ms : 0;
    bool woken = false, idle = false;
    for (int i = 0; i < MAX_EVENTS_A_TURN; i++) {
        struct chain_net_event event;
        int got = chain_net_poll(l->net, i == 0 ? timeout_ms : 0, &event);
        l->now_ns = app_node_clock_read(&l->clock);
        if (got < 0) {
            app_node_log(&l->log, "stopped: the network failed: %s", strerror(-got));
            return APP_SYSTEM_FAILED;
        }
        if (got == 0) {
            woken = idle = i == 0;
            break;
        }
        l->heard_ns = l->now_ns;
        int code = take(l, &event);
        if (code)
            return code;
    }
    if (app_node_intake_collect(&l->intake, l->now_ns) || app_node_intake_pack(&l->intake, l->now_ns))
        return APP_SYSTEM_FAILED;
    if (chain_node_deadline(l->node) <= l->now_ns) {
        struct chain_node_event tick = {.kind = CHAIN_NODE_TICK, .now_ns = l->now_ns};
        int code = step(l, &tick);
        if (code)
            return code;
    }
    app_node_intake_flush(&l->intake, l->now_ns); /* answers do not wait for this node's disk */
    bool syncs = sync_at(l) <= l->now_ns && l->carry.persist_seq > 0;
    int code = sync_at(l) <= l->now_ns ? check_fatal(l, app_carry_sync_once(&l->carry, l->now_ns)) : 0;
    if (code)
        return code;
    l->work_waits = l->work_waits || syncs;
    app_node_intake_flush(&l->intake, l->now_ns);
    app_node_requests_flush(&l->requests, l->now_ns);
    serve_metrics(l, woken);
    if (idle && l->now_ns - l->heard_ns >= QUIET_NS && work_on_store(l))
        return APP_SYSTEM_FAILED;
    app_node_log_changes(&l->log, l->node, l->net, l->now_ns);
    uint64_t wal_bound, wal_octets = chain_store_log_octets(l->store, &wal_bound);
    app_node_log_wal(&l->log, wal_octets, wal_bound);
    return 0;
}

static int open_node(struct loop *l)
{
    const struct app_node_config *config = l->config;
    memcpy(l->signing_key.secret, config->key.ledger_secret, CHAIN_SECRET_BYTES);
    struct chain_node_config cfg = {.self = config->self,
                                    .genesis = &config->cluster.genesis,
                                    .signer = chain_signer_ed25519(&l->signing_key),
                                    .proven_links = true,
                                    .records_first = true,
                                    .engine = chain_engine_find(config->cluster.genesis.engine),
                                    .engine_heartbeat_ns = config->cluster.heartbeat_ns,
                                    .engine_timeout_ns = config->cluster.timeout_ns,
                                    .engine_timeout_max_ns = config->cluster.timeout_max_ns,
                                    .gossip_ns = config->cluster.gossip_ns,
                                    .status_ns = config->cluster.status_ns,
                                    .notice_ns = NOTICE_NS,
                                    .vote_wait_ns = VOTE_WAIT_NS,
                                    .trust_disk = config->trust_disk,
                                    .propose_delay_ns = config->cluster.propose_delay_ns,
                                    .mempool_txs = config->cluster.mempool_txs,
                                    .read_block = chain_store_read_block, .read_snapshot = chain_store_read_part,
                                    .read_epoch = chain_store_read_epoch,
                                    .read_block_ctx = l->store};
    randombytes_buf(&cfg.seed, sizeof cfg.seed); /* nobody may foresee a live node's timeouts */
    size_t len = chain_node_bytes(&cfg);
    l->node_memory = len ? malloc(len) : NULL;
    const char *bad = "memory";
    if (!l->node_memory || chain_node_init(l->node_memory, len, &cfg, &l->node, &bad)) {
        app_node_log(&l->log, "%s: the node does not start with this %s", config->cluster_path, bad);
        return l->node_memory ? APP_BAD_USAGE : APP_SYSTEM_FAILED;
    }
    return 0;
}

static int open_net(struct loop *l)
{
    const struct app_node_cluster *cluster = &l->config->cluster;
    struct chain_net_party parties[CHAIN_MAX_KEYS];
    struct chain_net_config cfg = {.self = l->config->self,
                                   .bind = l->config->bind,
                                   .n_members = cluster->n_members,
                                   .n_parties = cluster->n_members + cluster->n_clients,
                                   .parties = parties,
                                   .max_message_bytes = MAX_MESSAGE_BYTES,
                                   .queue_messages = QUEUE_MESSAGES,
                                   .wake_fd = l->wake_fd};
    memcpy(cfg.secret, l->config->key.curve_secret, sizeof cfg.secret);
    for (uint32_t i = 0; i < cfg.n_parties; i++) {
        const struct app_node_party *party = app_node_cluster_party(cluster, i);
        memcpy(parties[i].key, party->curve_key, CHAIN_NET_KEY_BYTES);
        parties[i].endpoint = *party->endpoint ? party->endpoint : NULL;
    }
    char error[CHAIN_NET_MAX_ERROR];
    app_turns_set(CARRIER_TURN_NS); /* for the threads that it starts */
    int err = chain_net_open(&cfg, &l->net, error);
    app_turns_set(LOOP_TURN_NS);
    sodium_memzero(cfg.secret, sizeof cfg.secret);
    if (!err)
        return 0;
    app_node_log(&l->log, "%s", error);
    return APP_SYSTEM_FAILED;
}

static int wake_on(const struct loop *l, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(l->wake_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_signals(struct loop *l)
{
    int err = app_node_open_signals(&l->signal_fd);
    if (!err) {
        l->wake_fd = epoll_create1(EPOLL_CLOEXEC);
        err = l->wake_fd < 0 ? -errno : wake_on(l, l->signal_fd);
    }
    if (!err)
        return 0;
    app_node_log(&l->log, "signals: %s", strerror(-err));
    return APP_SYSTEM_FAILED;
}

/* Whoever has most of the blocks, of those within reach that were not asked before. CHAIN_MAX_KEYS: nobody */
static uint32_t find_successor(const struct loop *l, uint64_t asked)
{
    uint32_t best = CHAIN_MAX_KEYS;
    for (uint32_t i = 0; i < l->config->cluster.n_members; i++)
        if (i != l->config->self && !(asked >> i & 1) && chain_net_is_up(l->net, i) &&
            chain_members_seat(chain_ledger_members(chain_node_ledger(l->node)), i) < CHAIN_MAX_MEMBERS &&
            (best == CHAIN_MAX_KEYS || chain_node_reported(l->node, i) > chain_node_reported(l->node, best)))
            best = i;
    return best;
}

static bool leads(const struct loop *l)
{
    struct chain_node_stats s;
    chain_node_stats(l->node, &s);
    return s.engine.is_leader || s.leader == CHAIN_TO_ALL;
}

/* A Raft leader that goes does not let the others wait until they miss it. One that started just now may not take over before it knows
 * what others saw of it and that its leader lives: so one after the other is asked, every two heartbeats, for an election timeout.
 * 0, or an exit code */
static int hand_over(struct loop *l)
{
    struct chain_node_stats s;
    chain_node_stats(l->node, &s);
    if (chain_engine_find(l->config->cluster.genesis.engine)->byzantine || !s.engine.is_leader || find_successor(l, 0) == CHAIN_MAX_KEYS)
        return 0;
    int64_t until_ns = l->now_ns + l->config->cluster.timeout_ns, again_ns = l->now_ns;
    uint64_t asked = 0;
    int code = 0;
    while (!code && leads(l) && l->now_ns < until_ns) {
        chain_node_stats(l->node, &s);
        if (s.engine.is_leader && l->now_ns >= again_ns) {
            asked = find_successor(l, asked) == CHAIN_MAX_KEYS ? 0 : asked;
            struct chain_node_event event = {.kind = CHAIN_NODE_HAND_OVER, .now_ns = l->now_ns, .successor = find_successor(l, asked)};
            asked |= event.successor < CHAIN_MAX_KEYS ? UINT64_C(1) << event.successor : 0;
            again_ns = l->now_ns + 2 * l->config->cluster.heartbeat_ns;
            code = event.successor < CHAIN_MAX_KEYS ? step(l, &event) : 0;
        }
        code = code ? code : run_turn(l);
    }
    if (!code && leads(l))
        app_node_log(&l->log, "nobody took over within %" PRId64 " ms: the others elect a leader", l->config->cluster.timeout_ns / 1000000);
    return code;
}

static int restore(struct loop *l)
{
    char error[CHAIN_STORE_MAX_ERROR];
    l->now_ns = app_node_clock_read(&l->clock);
    int err = chain_store_restore(l->store, l->node, l->now_ns, error);
    if (err) {
        app_node_log(&l->log, "%s", error);
        return app_node_code_of(err);
    }
    app_node_log_start(&l->log, l->config, l->node);
    return 0;
}

static int open_metrics(struct loop *l)
{
    char error[APP_NODE_MAX_ERROR];
    if (!*l->config->metrics)
        return 0;
    int err = app_node_metrics_open(l->config->metrics, write_metrics, l, &l->metrics, error);
    if (!err)
        err = wake_on(l, app_node_metrics_fd(l->metrics));
    if (!err)
        return 0;
    app_node_log(&l->log, "%s", l->metrics ? strerror(-err) : error);
    return APP_SYSTEM_FAILED;
}

/* Threads that verify what clients sign, beside the loop's own */
static int open_crew(struct loop *l)
{
    enum { MAX_HELPERS = 4 };
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    l->intake.crew = app_crew_open(n > MAX_HELPERS ? MAX_HELPERS : n < 1 ? 1 : (size_t)n, app_node_intake_verify, &l->intake);
    if (!l->intake.crew || wake_on(l, app_crew_fd(l->intake.crew)) == 0)
        return 0; /* without one, the loop's own thread verifies */
    app_node_log(&l->log, "epoll: %s", strerror(errno));
    return APP_SYSTEM_FAILED;
}

static int open_all(struct loop *l)
{
    int code = open_signals(l);
    if (!code)
        code = app_node_open_store(l->config, &l->log, &l->store);
    if (!code)
        code = open_node(l);
    if (!code)
        code = open_net(l); /* the door last: nobody is kept waiting while blocks are read back */
    if (!code)
        code = open_metrics(l);
    if (!code)
        code = open_crew(l);
    if (!code)
        code = restore(l);
    if (code)
        return code;
    l->carry.node = l->node;
    l->carry.store = l->store;
    l->carry.ctx = l;
    l->carry.send = send_bundle;
    l->carry.deliver = deliver;
    l->carry.readable = readable;
    l->carry.update = &l->update;
    l->carry.executed = executed;
    l->carry.answer = answer;
    app_node_intake_init(&l->intake);
    l->intake.self = l->config->self;
    l->intake.ctx = l;
    l->intake.submit_body = submit_body;
    l->intake.submit_tx = submit_verified;
    l->intake.recall = recall;
    l->intake.send = send_answers;
    l->status.config = l->config;
    l->status.log = &l->log;
    l->status.node = l->node;
    l->status.started_ns = l->now_ns;
    l->requests.status = &l->status;
    l->requests.config = l->config;
    l->requests.net = l->net;
    l->requests.node = l->node;
    l->requests.results.database_path = l->config->database_path;
    l->requests.submit = submit_foreign;
    l->requests.submit_ctx = l;
    l->requests.read = ask_to_read;
    l->requests.results.read_block = chain_store_read_block;
    l->requests.results.read_block_ctx = l->store;
    l->requests.results.ledger = chain_node_ledger(l->node);
    return 0;
}

static void close_all(struct loop *l)
{
    app_crew_close(l->intake.crew);
    if (l->net)
        chain_net_close(l->net);
    if (l->node)
        chain_node_close(l->node);
    if (l->store)
        chain_store_close(l->store);
    app_node_metrics_close(l->metrics);
    if (l->signal_fd >= 0)
        close(l->signal_fd);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    sodium_memzero(&l->signing_key, sizeof l->signing_key);
    free(l->node_memory);
    free(l);
}

int app_node_run(const struct app_node_config *config)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l) {
        fprintf(stderr, "airdeed node: not enough memory\n");
        return APP_SYSTEM_FAILED;
    }
    l->config = config;
    l->signal_fd = l->wake_fd = -1;
    app_node_log_init(&l->log, &config->cluster, config->self);
    int code = open_all(l);
    while (!code && !app_node_asked_to_stop(l->signal_fd))
        code = run_turn(l);
    if (!code)
        code = hand_over(l);
    if (!code)
        app_node_log(&l->log, "stopped by a signal");
    close_all(l);
    return code;
}
