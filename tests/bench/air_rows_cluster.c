/* Members: a ledger node, a processor and a disk that are queues, and a MAC, put together as apps/station does it. */
#include "tests/bench/air_rows.h"

#include <stdlib.h>
#include <string.h>

#include "apps/validate/ledger_drive.h"

static const int64_t genesis_ns = 1577836800000000000;
/* as a scenario's defaults */
static const int64_t verify_ns = 53000, sign_ns = 20000, execute_ns = 100000, persist_ns = 220000;

/* Signatures have their octets and are charged their time where time is; making them would change no result. */
static int sign_nothing(void *ctx, const struct chain_members *members, struct chain_msg *msg)
{
    (void)ctx, (void)members;
    memset(msg->sig, 0x5a, sizeof msg->sig);
    return 0;
}

static int verify_nothing(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    (void)ctx, (void)members, (void)msg;
    return 0;
}

static void *memory(size_t len)
{
    void *mem = aligned_alloc(64, (len + 63) / 64 * 64);
    if (!mem)
        air_fail("memory");
    return mem;
}

static struct mac_profile profile_of(const struct air_case *what)
{
    struct mac_profile p;
    if (mac_profile_by_name("dot11a-20", 20000, &p) != 0)
        air_fail("the profile");
    p.data_rate = p.basic_rate = air_rate_index(what->mbps);
    p.lifetime_ns = 250000000;
    p.group_gap_ns = what->group_gap_ns;
    return p;
}

static void open_member(struct air_cluster *c, uint32_t i)
{
    struct air_member *m = &c->members[i];
    struct chain_node_config node = {.seed = c->what.seed,
                                     .self = i,
                                     .genesis = &c->genesis,
                                     .signer = c->signer,
                                     .engine = c->engine,
                                     .engine_heartbeat_ns = 45000000,
                                     .engine_timeout_ns = 400000000,
                                     .engine_timeout_max_ns = 1600000000,
                                     .gossip_ns = 60000000,
                                     .status_ns = 100000000,
                                     .mempool_txs = 256,
                                     .overheard = c->what.slots,
                                     .trust_disk = true};
    struct mac_config mac = {.seed = c->what.seed,
                             .station_id = i,
                             .profile = profile_of(&c->what),
                             .airtime_ns = air_airtime_ns,
                             .queue_messages = 32,
                             .queue_bytes = 256 * 1024,
                             .max_peers = 16,
                             .reassembly_ns = 200000000,
                             .slot_stations = c->what.slots ? c->what.n : 0,
                             .slot_rates = 8,
                             .jam = {.window_ns = 250000000, .min_frames = 6, .noise_dbfs = -90}};
    const char *bad;
    m->locked_on = -1;
    m->node_mem = memory(chain_node_bytes(&node));
    m->mac_mem = memory(mac_bytes(&mac));
    if (chain_node_init(m->node_mem, chain_node_bytes(&node), &node, &m->node, &bad) != 0 ||
        mac_init(m->mac_mem, mac_bytes(&mac), &mac, &m->mac, &bad) != 0)
        air_fail(bad);
}

struct air_cluster *air_cluster_open(const struct air_case *what)
{
    struct air_cluster *c = memory(sizeof *c);
    memset(c, 0, sizeof *c);
    c->what = *what;
    c->update = memory(sizeof *c->update);
    c->signer = (struct chain_signer){.sign = sign_nothing, .verify = verify_nothing};
    c->engine = chain_engine_find(what->engine);
    c->genesis = app_drive_genesis(what->n, genesis_ns);
    memcpy(c->genesis.engine, what->engine, strlen(what->engine) + 1);
    c->genesis.channels[0].control = true;
    c->genesis.put_keys = 4;
    c->proposed_ns = INT64_MAX;
    const char *bad = "";
    if (chain_genesis_finish(&c->genesis, NULL, &bad) != 0)
        air_fail(bad);
    for (uint32_t i = 0; i < what->n; i++)
        open_member(c, i);
    for (uint32_t i = 0; i < what->n; i++) {
        struct chain_node_event start = {.kind = CHAIN_NODE_START};
        air_cluster_node(c, i, &start);
    }
    return c;
}

void air_cluster_close(struct air_cluster *c)
{
    for (uint32_t i = 0; i < c->what.n; i++) {
        struct air_member *m = &c->members[i];
        for (size_t q = 0; q < 3; q++)
            for (; m->queues[q].count > 0; m->queues[q].count--, m->queues[q].head++)
                free(m->queues[q].jobs[m->queues[q].head % AIR_MAX_JOBS].octets);
        chain_node_close(m->node);
        mac_close(m->mac);
        free(m->node_mem);
        free(m->mac_mem);
    }
    free(c->update);
    free(c);
}

static struct air_job *push(struct air_member *m, enum air_job_kind kind, int64_t due_ns, const uint8_t *octets, size_t len)
{
    struct air_queue *q = &m->queues[kind];
    if (q->count == AIR_MAX_JOBS)
        air_fail("keeping up: a queue is full");
    struct air_job *job = &q->jobs[(q->head + q->count++) % AIR_MAX_JOBS];
    *job = (struct air_job){.kind = kind, .due_ns = due_ns, .len_bytes = len};
    if (len > 0)
        memcpy(job->octets = memory(len), octets, len);
    return job;
}

static int64_t max_ns(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* A step of the node, and what comes of it: apps/station/ledger.c. */
void air_cluster_node(struct air_cluster *c, uint32_t member, const struct chain_node_event *event)
{
    struct air_member *m = &c->members[member];
    struct chain_node_update *u = c->update;
    struct chain_node_event timed = *event;
    timed.now_ns = genesis_ns + c->now_ns;
    int rc = chain_node_step(m->node, &timed, u);
    int64_t deadline_ns = chain_node_deadline(m->node);
    m->node_deadline_ns = deadline_ns == INT64_MAX ? INT64_MAX : deadline_ns - genesis_ns;
    if (rc != 0)
        return;
    if (u->fatal != 0)
        air_fail("agreeing");
    int64_t cost_ns = c->what.measured ? u->n_verified * verify_ns + u->n_signed * sign_ns + u->n_executed * execute_ns : 0;
    int64_t done_ns = cost_ns == 0 ? c->now_ns : max_ns(c->now_ns, m->cpu_free_ns) + cost_ns;
    m->cpu_free_ns = max_ns(m->cpu_free_ns, done_ns);
    for (size_t i = 0; i < u->n_sends; i++) {
        struct air_job *job = push(m, AIR_TO_SEND, done_ns, u->sends[i].data, u->sends[i].len);
        job->to = u->sends[i].to;
        job->urgency = u->sends[i].urgency;
        job->seq = u->sends[i].rounds;
        job->signatures = u->sends[i].signatures;
    }
    if (u->persist_seq != 0) {
        m->disk_free_ns = max_ns(done_ns, m->disk_free_ns) + (c->what.measured ? persist_ns : 0);
        push(m, AIR_PERSISTED, m->disk_free_ns, NULL, 0)->seq = u->persist_seq;
    }
    struct chain_node_stats stats;
    chain_node_stats(m->node, &stats);
    m->known = stats.engine.committed;
    if (c->height > 0 && m->known >= c->height && c->known_ns[member] == INT64_MAX)
        c->known_ns[member] = c->now_ns;
}

void air_cluster_mac(struct air_cluster *c, uint32_t member, struct mac_event *event)
{
    struct air_member *m = &c->members[member];
    struct mac_update *u = &c->mac_update;
    event->now_ns = c->now_ns;
    if (mac_step(m->mac, event, u) != 0)
        return; /* counted by the MAC: the engines repeat what still matters */
    for (size_t i = 0; i < u->n_deliveries; i++)
        push(m, AIR_RECEIVED, u->deliveries[i].rx_end_ns, u->deliveries[i].message, u->deliveries[i].len_bytes);
    if (u->transmit)
        air_medium_take(c, member);
}

static struct app_slots_config slots_of(const struct air_cluster *c, uint32_t member, const struct mac_profile *profile)
{
    bool measured = c->what.measured;
    return (struct app_slots_config){.self = member,
                                     .n_stations = c->what.n,
                                     .profile = profile, .rate_index = profile->basic_rate,
                                     .airtime_ns = air_airtime_ns,
                                     .vote_octets = app_slots_vote_octets(c->engine),
                                     .verify_ns = measured ? verify_ns : 0,
                                     .sign_ns = measured ? sign_ns : 0,
                                     .persist_ns = measured ? persist_ns : 0};
}

static void send(struct air_cluster *c, uint32_t member, const struct air_job *job)
{
    static const enum mac_category category[] = {[CHAIN_URGENT_VOTE] = MAC_CAT_VOTE,
                                                 [CHAIN_URGENT_PROPOSAL] = MAC_CAT_PROPOSAL,
                                                 [CHAIN_URGENT_GOSSIP] = MAC_CAT_GOSSIP};
    struct mac_event event = {.kind = MAC_EV_SEND};
    event.send.to = job->to == CHAIN_TO_ALL ? mac_broadcast : mac_address_of(job->to);
    event.send.category = category[job->urgency];
    event.send.message = job->octets;
    event.send.len_bytes = job->len_bytes;
    struct mac_profile profile = profile_of(&c->what);
    struct app_slots_config slots = slots_of(c, member, &profile);
    struct chain_node_send what = {.to = job->to, .urgency = job->urgency, .rounds = (unsigned)job->seq, .signatures = job->signatures};
    struct mac_slot_plan plan;
    if (c->what.slots && app_slots_plan(&slots, &what, &plan))
        event.send.slots = &plan;
    bool counts = c->height > 0 && member == c->leader && job->urgency == CHAIN_URGENT_PROPOSAL && job->len_bytes > 256;
    if (counts && c->proposed_ns == INT64_MAX) {
        c->proposed_ns = c->now_ns;
        c->n_frames = 0;
        c->n_proposals++;
        c->proposal_octets += job->len_bytes;
    } else if (job->urgency == CHAIN_URGENT_VOTE && c->proposed_ns != INT64_MAX) {
        c->n_votes++;
        c->vote_octets += job->len_bytes;
    }
    air_cluster_mac(c, member, &event);
}

static struct air_job *due(struct air_member *m, enum air_job_kind kind, int64_t now_ns)
{
    struct air_queue *q = &m->queues[kind];
    struct air_job *job = &q->jobs[q->head % AIR_MAX_JOBS];
    return q->count > 0 && job->due_ns <= now_ns ? job : NULL;
}

static void pop(struct air_member *m, enum air_job_kind kind)
{
    struct air_queue *q = &m->queues[kind];
    free(q->jobs[q->head % AIR_MAX_JOBS].octets);
    q->jobs[q->head % AIR_MAX_JOBS].octets = NULL;
    q->head = (q->head + 1) % AIR_MAX_JOBS;
    q->count--;
}

/* One thing that is due: the disk's answer, then what leaves, then new work. False: nothing. */
static bool run_member(struct air_cluster *c, uint32_t i)
{
    struct air_member *m = &c->members[i];
    struct chain_node_event event = {.kind = CHAIN_NODE_TICK};
    struct air_job *job;
    if ((job = due(m, AIR_PERSISTED, c->now_ns)) != NULL) {
        event = (struct chain_node_event){.kind = CHAIN_NODE_PERSISTED, .persisted_seq = job->seq};
        pop(m, AIR_PERSISTED);
        air_cluster_node(c, i, &event);
    } else if ((job = due(m, AIR_TO_SEND, c->now_ns)) != NULL) {
        send(c, i, job);
        pop(m, AIR_TO_SEND);
    } else if (m->cpu_free_ns > c->now_ns) {
        return false;
    } else if ((job = due(m, AIR_RECEIVED, c->now_ns)) != NULL) {
        event.kind = CHAIN_NODE_RECEIVE;
        event.bytes.data = job->octets;
        event.bytes.len = job->len_bytes;
        air_cluster_node(c, i, &event);
        pop(m, AIR_RECEIVED);
    } else if (m->node_deadline_ns <= c->now_ns) {
        air_cluster_node(c, i, &event);
    } else {
        return false;
    }
    return true;
}

static int64_t member_next_ns(const struct air_member *m)
{
    int64_t next_ns = mac_deadline(m->mac), at_ns = max_ns(m->node_deadline_ns, m->cpu_free_ns);
    next_ns = at_ns < next_ns ? at_ns : next_ns;
    for (size_t q = 0; q < 3; q++) {
        if (m->queues[q].count == 0)
            continue;
        at_ns = m->queues[q].jobs[m->queues[q].head % AIR_MAX_JOBS].due_ns;
        if (q == AIR_RECEIVED)
            at_ns = max_ns(at_ns, m->cpu_free_ns);
        next_ns = at_ns < next_ns ? at_ns : next_ns;
    }
    return next_ns;
}

static void run_instant(struct air_cluster *c)
{
    air_medium_end(c);
    unsigned n_turns = 0;
    for (bool busy = true; busy;) {
        busy = false;
        if (++n_turns > 10000)
            air_fail("moving on");
        for (uint32_t i = 0; i < c->what.n; i++) {
            if (mac_deadline(c->members[i].mac) <= c->now_ns) {
                struct mac_event tick = {.kind = MAC_EV_TICK};
                air_cluster_mac(c, i, &tick);
                busy = true;
            }
            busy |= run_member(c, i);
        }
    }
    air_medium_begin(c);
}

bool air_cluster_turn(struct air_cluster *c, int64_t until_ns)
{
    int64_t next_ns = air_medium_next_ns(c);
    for (uint32_t i = 0; i < c->what.n; i++) {
        int64_t at_ns = member_next_ns(&c->members[i]);
        next_ns = at_ns < next_ns ? at_ns : next_ns;
    }
    if (next_ns > until_ns) {
        c->now_ns = until_ns;
        return false;
    }
    c->now_ns = max_ns(next_ns, c->now_ns);
    run_instant(c);
    return true;
}

void air_cluster_run(struct air_cluster *c, int64_t until_ns)
{
    while (air_cluster_turn(c, until_ns))
        continue;
}

bool air_cluster_rests(const struct air_cluster *c)
{
    for (uint32_t i = 0; i < c->what.n; i++) {
        const struct air_member *m = &c->members[i];
        struct chain_node_stats stats;
        chain_node_stats(m->node, &stats);
        bool queued = m->queues[0].count + m->queues[1].count + m->queues[2].count > 0;
        if (queued || m->waiting || m->on_air || stats.certified_height < c->height || m->known < c->height)
            return false;
    }
    return true;
}
