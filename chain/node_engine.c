/* Between the node and its engine: what the engine hears, and what becomes of its updates. */
#include "chain/node_internal.h"

#include <errno.h>
#include <string.h>

int node_engine_start(struct chain_node *m)
{
    if (m->engine || m->seat == CHAIN_MAX_MEMBERS)
        return 0;
    m->engine_cfg.self = m->seat;
    m->engine_cfg.members = m->members;
    m->engine_cfg.convicted = m->convicted = chain_ledger_convicted(m->ledger);
    m->votes_allowed = m->votes_allowed || !node_must_ask(m);
    m->engine_cfg.learner = !m->votes_allowed;
    m->whole = m->votes_allowed;
    m->engine_cfg.stable_height = node_tip(m);
    const char *bad_field;
    int rc = m->cfg.engine->init(m->engine_mem, m->engine_bytes, &m->engine_cfg, &m->engine, &bad_field);
    node_seen_go_on(m);
    m->tell_access = m->waiting_since_ns != INT64_MAX;
    m->tell_stable = m->certified; /* the engine's own rows may not say */
    m->kick = true;
    return rc;
}

void node_engine_stats(const struct chain_node *m, struct chain_engine_stats *out)
{
    if (m->engine) {
        m->cfg.engine->stats(m->engine, out);
        return;
    }
    memset(out, 0, sizeof(*out));
    out->leader = CHAIN_TO_ALL;
    out->committed = node_tip(m);
}

static enum chain_node_urgency urgency_of(const struct chain_out_msg *out)
{
    switch (out->msg.kind) {
    case CHAIN_MSG_RAFT_APPEND: /* to all and asking nothing: the notice that ends a round of answers */
        return out->rounds == 0 && out->to == CHAIN_TO_ALL ? CHAIN_URGENT_VOTE : CHAIN_URGENT_PROPOSAL;
    case CHAIN_MSG_PBFT_PRE_PREPARE:
    case CHAIN_MSG_PBFT_VIEW_CHANGE:
    case CHAIN_MSG_PBFT_NEW_VIEW:
    case CHAIN_MSG_PBFT_PROOF:
        return CHAIN_URGENT_PROPOSAL;
    default:
        return CHAIN_URGENT_VOTE;
    }
}

/* What must follow the disk waits for this update's number, or for the engine's latest one if this update writes nothing: what is on disk
 * is always a beginning of what was numbered, and blocks alone can be executed again. */
static uint64_t seq_to_wait_for(const struct chain_node *m)
{
    return m->engine_out.n_records > 0 ? m->persist_seq + 1 : m->engine_seq;
}

static void keep_read(struct chain_node *m, uint64_t id, uint64_t height)
{
    if (m->n_reads < CHAIN_MAX_READS)
        m->reads[m->n_reads++] = (struct node_read){.id = id, .height = height};
}

/* The engine hears of it once what it said last is done: another step of it would take the place of commits that wait to be executed. */
void node_ask_to_read(struct chain_node *m, uint64_t id, struct chain_node_update *out)
{
    if (!m->engine || m->n_reads + m->n_tell_reads >= CHAIN_MAX_READS)
        out->reads[out->n_reads++] = (struct chain_node_read){.id = id, .height = UINT64_MAX};
    else
        m->tell_reads[m->n_tell_reads++] = id;
}

static void tell_of_read(struct chain_node *m, struct chain_node_update *out)
{
    struct chain_event event = {.kind = CHAIN_EV_READ, .now_ns = m->now_ns, .read_id = m->tell_reads[0]};
    memmove(m->tell_reads, m->tell_reads + 1, --m->n_tell_reads * sizeof(m->tell_reads[0]));
    uint64_t n_refused = m->stats.refused_engine;
    if (m->engine)
        node_engine_step(m, &event, out);
    if (m->engine && m->stats.refused_engine == n_refused)
        return;
    m->stats.refused_engine = n_refused; /* no leader: no fault of anybody's */
    keep_read(m, event.read_id, UINT64_MAX);
}

void node_answer_reads(struct chain_node *m, struct chain_node_update *out)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < m->n_reads; i++) {
        struct node_read read = m->reads[i];
        if ((read.height > node_tip(m) && read.height != UINT64_MAX) || out->n_reads == CHAIN_MAX_READS)
            m->reads[n_kept++] = read;
        else
            out->reads[out->n_reads++] = (struct chain_node_read){.id = read.id, .height = node_tip(m), .good = read.height != UINT64_MAX,
                                                                  .state_root = chain_ledger_tip(m->ledger)->state_root};
    }
    m->n_reads = n_kept;
}

void node_engine_step(struct chain_node *m, const struct chain_event *event, struct chain_node_update *out)
{
    struct chain_update *u = &m->engine_out;
    u->n_msgs = u->n_records = u->n_commits = u->n_reads = u->n_proofs = 0;
    u->persist_seq = 0;
    m->next_commit = 0;
    if (m->cfg.engine->step(m->engine, event, u) != 0) {
        m->stats.refused_engine++;
        u->n_msgs = u->n_records = u->n_commits = u->n_reads = u->n_proofs = 0;
        return;
    }
    node_follow_view(m);
    node_seen_follow(m);
    if (u->below_floor)
        node_seen_again(m);
    m->engine_waits |= u->hurry && event->kind != CHAIN_EV_STABLE;
    for (size_t i = 0; i < u->n_records; i++)
        out->records[out->n_records++] = u->records[i];
    for (size_t i = 0; i < u->n_reads; i++)
        keep_read(m, u->reads[i].id, u->reads[i].height);
    for (size_t i = 0; i < u->n_proofs; i++)
        node_accuse(m, &u->proofs[i]);
    for (size_t i = 0; i < u->n_msgs; i++) {
        const struct chain_out_msg *msg = &u->msgs[i];
        uint32_t to = msg->to < m->members->n ? m->members->seats[msg->to] : CHAIN_TO_ALL;
        size_t at = m->n_outbox;
        node_put(m, &msg->msg, to, urgency_of(msg), msg->after_persist ? seq_to_wait_for(m) : 0);
        if (m->n_outbox > at)
            m->outbox[at].rounds = msg->rounds;
    }
}

/* A proposer whose clock stands still, or who holds block time back, would let every lease lapse: what is proposed afresh was made within
 * the longest time in which it would be replaced for saying nothing at all. */
static bool is_stale(const struct chain_node *m, const uint8_t *batch, size_t len, int64_t now_ns)
{
    int64_t time_ns, oldest_ns;
    return chain_batch_time(batch, len, &time_ns) == 0 &&
           !__builtin_sub_overflow(now_ns, m->cfg.genesis->max_skew_ns + m->cfg.engine_timeout_max_ns, &oldest_ns) && time_ns < oldest_ns;
}

int node_check_batch(void *ctx, uint64_t height, const uint8_t *batch, size_t len, int64_t now_ns)
{
    struct chain_node *m = ctx;
    uint64_t tip = node_tip(m);
    if (len > m->cfg.genesis->max_batch_bytes)
        return -EMSGSIZE;
    if (height > tip && batch == m->proposal) /* what the mempool took in was verified then */
        return chain_ledger_check_own_batch(m->ledger, batch, len, now_ns, height == tip + 1);
    if (height > tip && is_stale(m, batch, len, now_ns))
        return -ETIME;
    if (height > tip)
        return chain_ledger_check_batch(m->ledger, batch, len, now_ns, height == tip + 1);
    /* proposed again in a later view: the very batch that was executed, or none */
    const struct node_block *block = node_find_block(m, height);
    struct chain_hash digest;
    if (!block)
        return -ESTALE;
    int rc = chain_batch_digest(m->members, batch, len, &digest);
    if (rc != 0)
        return rc;
    return memcmp(digest.octets, block->header.batch_digest.octets, CHAIN_HASH_BYTES) == 0 ? 0 : -EBADMSG;
}

static void tell_height(struct chain_node *m, enum chain_event_kind kind, uint64_t *height, struct chain_node_update *out)
{
    struct chain_event event = {.kind = kind, .now_ns = m->now_ns, .height = *height};
    *height = 0;
    node_engine_step(m, &event, out);
}

static bool tell_of_conviction(struct chain_node *m, struct chain_node_update *out)
{
    uint32_t fresh = m->epoch_end == 0 ? chain_ledger_convicted(m->ledger) & ~m->convicted : 0;
    struct chain_event event = {.kind = CHAIN_EV_CONVICT, .now_ns = m->now_ns};
    for (uint32_t seat = 0; seat < m->members->n; seat++)
        if (fresh >> seat & 1) {
            m->convicted |= UINT32_C(1) << seat;
            event.member = seat;
            node_engine_step(m, &event, out);
            return true;
        }
    return false;
}

void node_hand_over(struct chain_node *m, uint32_t successor)
{
    struct chain_engine_stats s;
    node_engine_stats(m, &s);
    bool leads = m->engine && !m->cfg.engine->byzantine && s.is_leader;
    m->tell_successor = leads && successor != m->cfg.self ? chain_members_seat(m->members, successor) : CHAIN_MAX_MEMBERS;
}

bool node_tell_engine(struct chain_node *m, struct chain_node_update *out)
{
    int64_t pending_ns = chain_mempool_pending_since(m->pool);
    if (!m->engine) {
        m->tell_synced = m->tell_persisted = m->tell_stable = 0;
        m->tell_access = m->kick = false;
        while (m->n_tell_reads > 0)
            tell_of_read(m, out);
        return false;
    }
    if (node_become_voter(m, out) || tell_of_conviction(m, out))
        return true;
    if (m->tell_access) {
        struct chain_event event = {.kind = CHAIN_EV_ACCESS, .now_ns = m->now_ns, .waiting_since_ns = m->waiting_since_ns};
        m->tell_access = false;
        node_engine_step(m, &event, out);
    } else if (m->tell_successor < CHAIN_MAX_MEMBERS) {
        struct chain_event event = {.kind = CHAIN_EV_TRANSFER, .now_ns = m->now_ns, .member = m->tell_successor};
        m->tell_successor = CHAIN_MAX_MEMBERS;
        node_engine_step(m, &event, out);
    } else if (m->tell_synced > 0) {
        tell_height(m, CHAIN_EV_SYNCED, &m->tell_synced, out);
    } else if (m->tell_persisted > 0) {
        struct chain_event event = {.kind = CHAIN_EV_PERSISTED, .now_ns = m->now_ns, .persisted_seq = m->tell_persisted};
        m->tell_persisted = 0;
        node_engine_step(m, &event, out);
    } else if (m->tell_stable > 0) {
        tell_height(m, CHAIN_EV_STABLE, &m->tell_stable, out);
    } else if (m->n_tell_reads > 0) {
        tell_of_read(m, out);
    } else if (m->told_pending_ns != pending_ns) {
        struct chain_event event = {.kind = CHAIN_EV_PENDING, .now_ns = m->now_ns, .pending_since_ns = pending_ns};
        m->told_pending_ns = pending_ns;
        node_engine_step(m, &event, out);
    } else if (m->kick || node_engine_deadline(m) <= m->now_ns) {
        struct chain_event event = {.kind = CHAIN_EV_TICK, .now_ns = m->now_ns};
        m->kick = false;
        node_engine_step(m, &event, out);
    } else {
        return false;
    }
    return true;
}

int64_t node_engine_deadline(const struct chain_node *m)
{
    return m->engine ? m->cfg.engine->deadline(m->engine) : INT64_MAX;
}
