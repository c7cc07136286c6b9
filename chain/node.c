/* The node's machine: set-up, one step, deadline. What a step does is spread over node_*.c by concept. */
#include "chain/node_internal.h"
#include "chain/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { ALIGNMENT = 64 };
static const int64_t MAX_TX_AGE_NS = 10000000000, MAX_OWN_TX_AGE_NS = 60000000000;

static size_t round_up(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static struct chain_mempool_config pool_config(const struct chain_node_config *cfg)
{
    size_t by_number = cfg->mempool_txs > 512 ? cfg->mempool_txs * 1024 : 512 * 1024;
    return (struct chain_mempool_config){
        .max_txs = cfg->mempool_txs,
        .max_octets = cfg->mempool_octets > 0 ? cfg->mempool_octets : by_number,
        .max_tx_octets = cfg->genesis->max_batch_bytes - NODE_BATCH_OVERHEAD - NODE_TX_OVERHEAD < CHAIN_MAX_TX_BYTES
                             ? cfg->genesis->max_batch_bytes - NODE_BATCH_OVERHEAD - NODE_TX_OVERHEAD
                             : CHAIN_MAX_TX_BYTES,
        .max_txs_of_one = cfg->mempool_txs / 4,
        .max_ops_of_one = CHAIN_NODE_MAX_OWN,
        .max_age_ns = MAX_TX_AGE_NS,
        .max_own_age_ns = MAX_OWN_TX_AGE_NS,
    };
}

static struct chain_engine_config engine_config(const struct chain_node_config *cfg)
{
    return (struct chain_engine_config){
        .seed = cfg->seed,
        .members = &cfg->genesis->members, /* for its size; then those of each epoch */
        .check_batch = node_check_batch,
        .window = cfg->window, .overheard = cfg->overheard,
        .notice_ns = cfg->notice_ns,
        .heartbeat_ns = cfg->engine_heartbeat_ns,
        .timeout_ns = cfg->engine_timeout_ns,
        .timeout_max_ns = cfg->engine_timeout_max_ns,
    };
}

/* Where each part lies behind the struct. */
struct layout {
    size_t pool, ledger, engine, batches, inbox, outbox, bundle, scratch, proposal, events, spare, pull, epochs, end;
};

static struct layout lay_out(const struct chain_node_config *cfg)
{
    struct chain_mempool_config pool = pool_config(cfg);
    struct chain_engine_config engine = engine_config(cfg);
    struct layout l;
    l.pool = round_up(sizeof(struct chain_node));
    l.ledger = l.pool + round_up(chain_mempool_bytes(&pool));
    l.engine = l.ledger + round_up(chain_ledger_bytes(cfg->genesis));
    l.batches = l.engine + round_up(cfg->engine->bytes(&engine));
    l.inbox = l.batches + CHAIN_NODE_RING * round_up(cfg->genesis->max_batch_bytes);
    l.outbox = l.inbox + NODE_INBOX_BYTES;
    l.bundle = l.outbox + NODE_OUTBOX_BYTES;
    l.scratch = l.bundle + NODE_BUNDLE_BYTES;
    l.proposal = l.scratch + CHAIN_MAX_MSG_BYTES;
    l.events = l.proposal + round_up(cfg->genesis->max_batch_bytes);
    l.spare = l.events + round_up(CHAIN_MAX_LEDGER_EVENTS * sizeof(struct chain_ledger_event));
    l.pull = l.spare + round_up(chain_ledger_bytes(cfg->genesis));
    l.epochs = l.pull + round_up(chain_snapshot_max_bytes(cfg->genesis));
    l.end = l.epochs + NODE_PULL_EPOCHS_BYTES;
    return l;
}

size_t chain_node_bytes(const struct chain_node_config *cfg)
{
    return lay_out(cfg).end + ALIGNMENT;
}

/* One operation of any kind that this chain takes has to fit a batch. */
static size_t longest_op(const struct chain_genesis *g)
{
    enum { WITHOUT_BOXES = 512 };
    return chain_genesis_hop_set(g) != 0 ? CHAIN_MAX_OP_BYTES : WITHOUT_BOXES;
}

static const char *find_bad_field(const struct chain_node_config *cfg)
{
    const struct chain_genesis *g = cfg->genesis;
    if (!g || g->members.n == 0 || g->members.n > CHAIN_MAX_MEMBERS || g->members.n_keys > CHAIN_MAX_KEYS ||
        g->max_batch_bytes < longest_op(g) + CHAIN_TX_OVERHEAD + 32 || g->max_batch_bytes > CHAIN_MAX_BATCH_BYTES)
        return "genesis";
    if (cfg->self >= CHAIN_MAX_KEYS)
        return "self";
    if (!cfg->engine)
        return "engine";
    if (!cfg->signer.sign || !cfg->signer.verify)
        return "signer";
    if (cfg->engine_heartbeat_ns <= 0)
        return "engine_heartbeat_ns";
    if (cfg->engine_timeout_ns <= 0)
        return "engine_timeout_ns";
    if (cfg->engine_timeout_max_ns < cfg->engine_timeout_ns)
        return "engine_timeout_max_ns";
    if (cfg->gossip_ns <= 0)
        return "gossip_ns";
    if (cfg->status_ns <= 0)
        return "status_ns";
    if (cfg->propose_delay_ns < 0)
        return "propose_delay_ns";
    if (cfg->window > CHAIN_WINDOW)
        return "window";
    return cfg->mempool_txs < 4 || cfg->mempool_txs > 65536 ? "mempool_txs" : NULL;
}

static void place_buffers(struct chain_node *m, uint8_t *base, const struct layout *l)
{
    size_t batch_stride = round_up(m->cfg.genesis->max_batch_bytes);
    for (size_t i = 0; i < CHAIN_NODE_RING; i++)
        m->blocks[i].batch = base + l->batches + i * batch_stride;
    m->inbox_octets = base + l->inbox;
    m->outbox_octets = base + l->outbox;
    m->bundle_octets = base + l->bundle;
    m->scratch = base + l->scratch;
    m->proposal = base + l->proposal;
    m->events = (struct chain_ledger_event *)(void *)(base + l->events);
    m->spare_mem = base + l->spare;
    m->pull_octets = base + l->pull;
    m->pull_epochs = base + l->epochs;
    m->pull_cap = l->epochs - l->pull;
}

/* A block without a height is none, and a signature without a bit neither: the octets of both, nearly everything, stay as they are. */
static void clear_node(struct chain_node *m)
{
    size_t end = offsetof(struct chain_node, votes) + sizeof(m->votes);
    memset(m, 0, offsetof(struct chain_node, blocks));
    for (size_t i = 0; i < CHAIN_NODE_RING; i++)
        m->blocks[i].height = 0;
    node_clear_votes(m);
    memset((uint8_t *)m + end, 0, offsetof(struct chain_node, inbox) - end);
}

int chain_node_init(void *mem, size_t len, const struct chain_node_config *cfg, struct chain_node **out,
                    const char **bad_field_out)
{
    *bad_field_out = find_bad_field(cfg);
    if (*bad_field_out)
        return -EINVAL;
    assert(len >= chain_node_bytes(cfg));
    uint8_t *base = (uint8_t *)mem + (ALIGNMENT - (uintptr_t)mem % ALIGNMENT) % ALIGNMENT;
    struct layout l = lay_out(cfg);
    struct chain_node *m = (struct chain_node *)(void *)base;
    clear_node(m);
    m->cfg = *cfg;
    m->vote_next = 1;
    m->vote_due_ns = m->status_due_ns = m->certify_due_ns = m->waiting_since_ns = INT64_MAX;
    m->gossip_due_ns = m->fetch_due_ns = m->told_pending_ns = m->pull.due_ns = INT64_MAX;
    m->tell_successor = CHAIN_MAX_MEMBERS;
    m->ask_due_ns = m->answer_due_ns = INT64_MAX;
    for (size_t i = 0; i < CHAIN_MAX_KEYS; i++)
        m->served_ns[i] = m->asked_ns[i] = INT64_MIN;
    place_buffers(m, base, &l);
    node_signer_init(m);

    struct chain_mempool_config pool = pool_config(cfg);
    int rc = chain_mempool_init(base + l.pool, l.ledger - l.pool, &pool, &m->pool, bad_field_out);
    if (rc == 0)
        rc = chain_ledger_init(base + l.ledger, l.engine - l.ledger, cfg->genesis, &m->signer, &m->ledger, bad_field_out);
    m->engine_cfg = engine_config(cfg);
    m->engine_cfg.signer = &m->signer;
    m->engine_cfg.check_ctx = m;
    m->engine_mem = base + l.engine;
    m->engine_bytes = l.batches - l.engine;
    if (rc == 0)
        node_seat_members(m);
    if (rc == 0)
        *out = m;
    return rc;
}

void node_fail(struct chain_node *m, uint64_t height)
{
    if (m->fatal == 0) {
        m->fatal = -EILSEQ;
        m->fatal_height = height;
    }
}

/* Mixes a word (the finaliser of SplitMix64). */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

int64_t node_jitter(struct chain_node *m, enum node_purpose purpose, int64_t base_ns)
{
    uint64_t draw = mix(mix(mix(m->cfg.seed) ^ m->cfg.self) ^ ((uint64_t)purpose << 48) ^ m->n_draws[purpose]++);
    int64_t span_ns = base_ns / 2;
    return base_ns - base_ns / 4 + (span_ns > 0 ? (int64_t)(draw % (uint64_t)span_ns) : 0);
}

static void clear(struct chain_node_update *out)
{
    out->n_records = out->n_blocks = out->n_sends = out->n_events = 0;
    out->n_reads = 0;
    out->persist_seq = out->submitted_nonce = out->fatal_height = 0;
    out->events = NULL;
    out->ledger = NULL;
    out->install = NULL;
    out->hurry = false;
    out->submit_result = out->fatal = 0;
    out->n_verified = out->n_signed = out->n_executed = 0;
}

static int start(struct chain_node *m)
{
    int rc = node_engine_start(m);
    if (rc != 0)
        return rc;
    m->started = true;
    node_seen_start(m);
    m->vote_next = m->sign_next = m->certified + 1;
    m->status_due_ns = m->now_ns + node_jitter(m, NODE_JITTER_STATUS, m->cfg.status_ns) / 4;
    for (uint64_t height = m->certified + 1; height <= node_tip(m); height++) {
        struct node_block *block = node_find_block(m, height);
        if (block)
            node_vote_for(m, block);
    }
    return 0;
}

static void take_persisted(struct chain_node *m, uint64_t seq)
{
    if (seq > m->persisted_seq && seq <= m->persist_seq)
        m->persisted_seq = seq;
    size_t n_done = 0;
    while (n_done < m->n_unpersisted && m->unpersisted[n_done].seq <= m->persisted_seq) {
        if (m->unpersisted[n_done].engine_seq > 0)
            m->tell_persisted = m->unpersisted[n_done].engine_seq;
        n_done++;
    }
    m->n_unpersisted -= n_done;
    memmove(m->unpersisted, m->unpersisted + n_done, m->n_unpersisted * sizeof(m->unpersisted[0]));
}

/* Takes the event in; what follows from it is done by work(). */
static int take_event(struct chain_node *m, const struct chain_node_event *in, struct chain_node_update *out)
{
    bool restoring =
        in->kind == CHAIN_NODE_RESTORE_SNAPSHOT || in->kind == CHAIN_NODE_RESTORE_BLOCK || in->kind == CHAIN_NODE_RESTORE_RECORD || in->kind == CHAIN_NODE_START;
    if (restoring == m->started)
        return -EINVAL;
    switch (in->kind) {
    case CHAIN_NODE_TICK:
        return 0;
    case CHAIN_NODE_RESTORE_SNAPSHOT:
        return node_restore_snapshot(m, in);
    case CHAIN_NODE_RESTORE_BLOCK:
        return node_restore_block(m, in, out);
    case CHAIN_NODE_RESTORE_RECORD: {
        int rc = node_engine_start(m);
        if (rc != 0 || !m->engine)
            return rc;
        struct chain_event event = {.kind = CHAIN_EV_RESTORE, .now_ns = in->now_ns};
        event.restore.key = in->record.key;
        event.restore.data = in->record.data;
        event.restore.len = in->record.len;
        node_engine_step(m, &event, out);
        return 0;
    }
    case CHAIN_NODE_START:
        return start(m);
    case CHAIN_NODE_RECEIVE:
        return node_receive(m, in);
    case CHAIN_NODE_SUBMIT:
        node_submit(m, in->op, out);
        return 0;
    case CHAIN_NODE_SUBMIT_BODY:
        node_submit_body(m, in->bytes.data, in->bytes.len, out);
        return 0;
    case CHAIN_NODE_SUBMIT_TX:
        out->submit_result = node_submit_tx(m, in);
        return 0;
    case CHAIN_NODE_READ:
        node_ask_to_read(m, in->read_id, out);
        return 0;
    case CHAIN_NODE_HAND_OVER:
        node_hand_over(m, in->successor);
        return 0;
    case CHAIN_NODE_ACCESS:
        m->waiting_since_ns = in->access.since_ns;
        m->gossip_waits = in->access.gossip;
        m->tell_access = true;
        return 0;
    case CHAIN_NODE_PERSISTED:
        take_persisted(m, in->persisted_seq);
        return 0;
    }
    return -EINVAL;
}

/* May another record or block row come into being? Otherwise the disk has to answer first. */
static bool may_work(const struct chain_node *m)
{
    return m->n_unpersisted < NODE_MAX_UNPERSISTED && node_outbox_has_room(m);
}

/* Executes the oldest commit at hand. False when there is none. */
static bool take_commit(struct chain_node *m, struct chain_node_update *out)
{
    while (m->next_commit < m->engine_out.n_commits) {
        const struct chain_commit *commit = &m->engine_out.commits[m->next_commit++];
        if (commit->height != node_tip(m) + 1)
            continue; /* came from another member already */
        if (m->epoch_end > 0)
            continue; /* the members that committed it are no more the ones that decide */
        if (node_tip(m) - m->certified >= CHAIN_NODE_RING)
            continue; /* it would push the block out of memory whose certificate is the next; we fetch it afterwards */
        m->syncing = false;
        struct node_block *block = node_execute(m, commit->batch, commit->len, NULL, out);
        if (block)
            node_vote_for(m, block);
        return true;
    }
    return false;
}

/* Besides blocks to execute */
static bool other_work_at_hand(const struct chain_node *m)
{
    return m->epoch_turns || m->tell_stable || m->tell_synced || m->tell_persisted || m->tell_successor < CHAIN_MAX_MEMBERS || m->n_tell_reads ||
           m->tell_access || m->kick || m->inbox_first < m->n_inbox || node_has_late_work(m) ||
           (m->engine && m->told_pending_ns != chain_mempool_pending_since(m->pool));
}

/* The disk is next. What else there is to do may lead to further records for the same sync, and needs the blocks executed. */
static bool executes_later(const struct chain_node *m)
{
    if (!m->cfg.records_first || m->hurried_seq <= m->persisted_seq || other_work_at_hand(m) || node_engine_deadline(m) <= m->now_ns ||
        node_propose_at(m) <= m->now_ns)
        return false;
    struct chain_engine_stats s;
    node_engine_stats(m, &s);
    return !s.is_leader;
}

/* One block at most, one engine update with records or commits at most: their pointers last until the next step. */
static void work(struct chain_node *m, struct chain_node_update *out, bool may_propose)
{
    while (m->fatal == 0 && may_work(m)) {
        bool records_first = m->cfg.records_first && out->n_records > 0;
        if (records_first || (m->next_commit < m->engine_out.n_commits && executes_later(m)))
            return;
        if (take_commit(m, out) || out->n_records > 0)
            return;
        if (node_tell_engine(m, out))
            continue;
        if (m->inbox_first < m->n_inbox) {
            if (node_take_next(m, out))
                return;
            continue;
        }
        if (!may_propose || (!node_propose(m, out) && !node_do_late_work(m)))
            return;
    }
}

/* Half a window of blocks without a certificate: the other half is what proposers have left. */
static bool certificates_press(const struct chain_node *m)
{
    return node_tip(m) - m->certified >= CHAIN_WINDOW / 2;
}

/* Nobody waits for a certificate's row: it goes to disk with what has to, or alone a little later. One sync a block less. */
static void certify(struct chain_node *m, struct chain_node_update *out)
{
    static const int64_t CERTIFY_WAIT_NS = 20000000;
    bool is_written = out->n_records > 0 || out->n_blocks > 0 || m->epoch_end > 0 || certificates_press(m);
    if (is_written || m->now_ns >= m->certify_due_ns)
        node_certify(m, out);
    node_end_epoch(m, out);
    if (!node_certify_waits(m))
        m->certify_due_ns = INT64_MAX;
    else if (m->certify_due_ns == INT64_MAX)
        m->certify_due_ns = m->now_ns + CERTIFY_WAIT_NS;
}

static bool message_waits(const struct chain_node *m)
{
    for (size_t i = 0; i < m->n_outbox; i++)
        if (m->outbox[i].after_seq > m->persisted_seq)
            return true;
    return false;
}

static void number_update(struct chain_node *m, struct chain_node_update *out)
{
    if (out->n_records == 0 && out->n_blocks == 0 && !out->install)
        return;
    assert(m->n_unpersisted < NODE_MAX_UNPERSISTED);
    out->persist_seq = ++m->persist_seq;
    out->hurry = m->engine_waits || message_waits(m) || certificates_press(m);
    if (out->hurry)
        m->hurried_seq = m->persist_seq;
    if (out->n_records > 0)
        m->engine_seq = m->persist_seq;
    m->unpersisted[m->n_unpersisted++] =
        (struct node_unpersisted){.seq = m->persist_seq, .engine_seq = out->n_records > 0 ? m->engine_out.persist_seq : 0};
}

int chain_node_step(struct chain_node *m, const struct chain_node_event *in, struct chain_node_update *out)
{
    clear(out);
    if (m->fatal != 0) {
        out->fatal = m->fatal;
        out->fatal_height = m->fatal_height;
        return m->fatal;
    }
    if (in->now_ns > m->now_ns)
        m->now_ns = in->now_ns;
    if (m->inbox_first == m->n_inbox)
        m->inbox_first = m->n_inbox = m->inbox_len = 0;
    m->engine_waits = false;
    uint64_t verified = m->stats.verified, n_signed = m->stats.signed_;
    int rc = node_begin_epoch(m);
    if (rc == 0)
        rc = take_event(m, in, out);
    if (rc == 0 && m->started && in->kind != CHAIN_NODE_START) {
        m->stats.mempool_expired += chain_mempool_expire(m->pool, m->now_ns);
        bool is_submission = in->kind == CHAIN_NODE_SUBMIT || in->kind == CHAIN_NODE_SUBMIT_BODY || in->kind == CHAIN_NODE_SUBMIT_TX;
        bool sends_first = m->cfg.records_first && in->kind == CHAIN_NODE_PERSISTED && node_outbox_ready(m);
        if (!sends_first)
            work(m, out, !is_submission);
        node_check_fork(m);
        node_answer_reads(m, out);
        if (m->fatal == 0 && m->n_unpersisted < NODE_MAX_UNPERSISTED)
            certify(m, out);
        node_vote_timers(m);
        node_gossip_timer(m);
        node_fetch_timer(m);
        node_pull_timer(m);
        node_seen_timer(m, out);
        number_update(m, out);
        if (m->fatal == 0)
            node_assemble(m, out);
    }
    out->n_verified = (uint32_t)(m->stats.verified - verified);
    out->n_signed = (uint32_t)(m->stats.signed_ - n_signed);
    out->fatal = m->fatal;
    out->fatal_height = m->fatal_height;
    return m->fatal != 0 ? m->fatal : rc;
}

static bool work_at_hand(const struct chain_node *m)
{
    bool executes = m->next_commit < m->engine_out.n_commits && !executes_later(m);
    return may_work(m) && (executes || other_work_at_hand(m));
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t chain_node_deadline(const struct chain_node *m)
{
    if (!m->started || m->fatal != 0)
        return INT64_MAX;
    if (work_at_hand(m) || node_outbox_ready(m))
        return m->now_ns;
    int64_t at_ns = earlier(earlier(node_vote_deadline(m), node_seen_deadline(m)), earlier(node_gossip_deadline(m), earlier(m->fetch_due_ns, m->pull.due_ns)));
    at_ns = earlier(at_ns, chain_mempool_expires_at(m->pool));
    if (m->n_unpersisted < NODE_MAX_UNPERSISTED)
        at_ns = earlier(at_ns, m->certify_due_ns);
    if (may_work(m))
        at_ns = earlier(at_ns, earlier(node_engine_deadline(m), node_propose_at(m)));
    return at_ns;
}

void chain_node_stats(const struct chain_node *m, struct chain_node_stats *out)
{
    *out = m->stats;
    node_engine_stats(m, &out->engine);
    out->epoch = m->members->epoch;
    out->seat = m->seat;
    out->leader = out->engine.leader < m->members->n ? m->members->seats[out->engine.leader] : CHAIN_TO_ALL;
    out->later_epoch = m->later_epoch;
    out->votes = m->engine && m->votes_allowed;
    out->forgot = !m->votes_allowed && node_has_forgotten(m);
    out->height = node_tip(m);
    out->certified_height = m->certified;
    out->mempool = chain_mempool_size(m->pool);
    out->mempool_evicted = chain_mempool_evicted(m->pool);
}

uint64_t chain_node_reported(const struct chain_node *m, uint32_t member)
{
    return member < CHAIN_MAX_KEYS ? m->reported[member] : 0;
}

const struct chain_ledger *chain_node_ledger(const struct chain_node *m)
{
    return m->ledger;
}

void chain_node_close(struct chain_node *m)
{
    if (m->engine)
        m->cfg.engine->close(m->engine);
    m->engine = NULL;
}
