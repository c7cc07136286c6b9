#include "chain/raft.h"

#include <errno.h>
#include <string.h>

static size_t raft_bytes(const struct chain_engine_config *cfg)
{
    (void)cfg;
    return sizeof(struct raft);
}

static int raft_init(void *mem, size_t len, const struct chain_engine_config *cfg, struct chain_engine **out,
                     const char **bad_field_out)
{
    struct raft *m = mem;
    if (len < sizeof *m)
        return -ENOSPC;
    int rc = chain_base_init(&m->base, &chain_raft_ops, cfg, m->scratch, sizeof m->scratch, bad_field_out);
    if (rc != 0)
        return rc;
    memset((uint8_t *)m + sizeof m->base, 0, offsetof(struct raft, entries) - sizeof m->base); /* the arena stays untouched */
    m->n = cfg->members->n;
    m->self = cfg->self;
    m->majority = chain_majority(m->n);
    m->window = cfg->window > 0 ? cfg->window : CHAIN_WINDOW;
    m->learner = cfg->learner;
    m->proven = m->whole = true;
    m->voted_for = m->leader = m->transfer_to = CHAIN_TO_ALL;
    m->committed = m->stable = m->commit_target = m->base.stats.committed = cfg->stable_height;
    m->election_ns = INT64_MIN; /* the first tick starts the clock */
    m->heard_leader_ns = m->told_ns = INT64_MIN;
    m->beat_ns = m->notice_ns = m->resend_ns = INT64_MAX;
    *out = &m->base.head;
    return 0;
}

/* After the records: blocks in the store may have come from elsewhere, and not be what the log says. */
static void start(struct raft *m)
{
    m->started = true;
    m->heard_leader_ns = m->base.now_ns;
    uint64_t height = m->committed;
    if (m->base_index < height) {
        m->committed = m->base_index;
        chain_raft_on_synced(m, height);
    }
    chain_raft_reset_election(m);
    if (!m->proven && !m->learner) /* asks soon whether its term's leader lives */
        m->election_ns = chain_base_later(m->base.now_ns, chain_base_jitter(&m->base, m->base.cfg.heartbeat_ns));
}

/* Set back by the time in which an answer could not have left. */
static int64_t find_election(const struct raft *m)
{
    if (m->election_ns == INT64_MAX || m->base.n_waits == 0)
        return m->election_ns;
    return chain_base_patience(&m->base, m->election_set_ns, m->election_ns - m->election_set_ns);
}

static int64_t raft_deadline(const struct chain_engine *engine)
{
    const struct raft *m = (const struct raft *)engine;
    if (m->committed < m->commit_target)
        return m->base.now_ns;
    int64_t election_ns = find_election(m);
    int64_t at_ns = election_ns < m->beat_ns ? election_ns : m->beat_ns;
    at_ns = m->notice_ns < at_ns ? m->notice_ns : at_ns;
    if (m->transfer_to != CHAIN_TO_ALL && m->transfer_until_ns < at_ns)
        at_ns = m->transfer_until_ns;
    int64_t resend_ns = chain_base_settled(&m->base) ? m->resend_ns : INT64_MAX;
    return resend_ns < at_ns ? resend_ns : at_ns;
}

static void run_timers(struct raft *m)
{
    if (m->base.scratch_len > RAFT_SMALL_BYTES)
        return; /* a large APPEND left; what is due comes with the next event, at once */
    if (m->role == RAFT_LEADER) {
        if (m->transfer_to != CHAIN_TO_ALL && m->base.now_ns >= m->transfer_until_ns)
            m->transfer_to = CHAIN_TO_ALL;
        if (m->base.now_ns >= m->notice_ns)
            chain_raft_notice(m);
        if (m->base.now_ns >= m->beat_ns)
            chain_raft_beat(m);
        return;
    }
    if (m->base.now_ns >= find_election(m))
        chain_raft_start_pre_vote(m, false);
    else if (m->base.now_ns >= m->resend_ns && chain_base_settled(&m->base))
        chain_raft_resend_vote(m);
}

static int dispatch_message(struct raft *m, const struct chain_msg *msg)
{
    if (msg->author >= m->n || msg->seq > UINT64_MAX / 8 || msg->view > UINT64_MAX / 8) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    if (msg->author == m->self)
        return 0; /* our own words, relayed */
    switch (msg->kind) {
    case CHAIN_MSG_RAFT_APPEND:
        return chain_raft_on_append(m, msg);
    case CHAIN_MSG_RAFT_APPEND_REPLY:
        return chain_raft_on_reply(m, msg);
    case CHAIN_MSG_RAFT_VOTE:
        return chain_raft_on_vote(m, msg);
    case CHAIN_MSG_RAFT_VOTE_REPLY:
        return chain_raft_on_vote_reply(m, msg);
    case CHAIN_MSG_RAFT_TIMEOUT_NOW:
        return chain_raft_on_timeout_now(m, msg);
    default:
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
}

/* A member that has just started may have forgotten a vote: in a term up to floor it grants none. */
static void become_voter(struct raft *m, const struct chain_event *in)
{
    if (in->floor.term > m->term)
        chain_raft_follow(m, in->floor.term, CHAIN_TO_ALL);
    m->floor_log_term = in->floor.log_term;
    m->floor_log_index = in->floor.log_index;
    m->floor_committed = in->floor.committed;
    if (in->floor.term == m->term && m->term > 0 && m->voted_for == CHAIN_TO_ALL) {
        m->voted_for = m->self;
        chain_raft_record_term(m);
    }
    m->whole = !in->floor.lost_counts;
    if (m->learner) {
        m->learner = false;
        chain_raft_reset_election(m);
        return;
    }
    bool stands = m->role == RAFT_PRE_CANDIDATE || m->role == RAFT_CANDIDATE;
    if (stands && !chain_raft_meets_floor(m, m->last_index, chain_raft_last_term(m)))
        chain_raft_follow(m, m->term, CHAIN_TO_ALL);
    else if (m->role == RAFT_CANDIDATE)
        chain_raft_count_votes(m);
}

static int dispatch(struct raft *m, const struct chain_event *in)
{
    switch (in->kind) {
    case CHAIN_EV_RESTORE:
        return chain_raft_restore(m, in->restore.key, in->restore.data, in->restore.len);
    case CHAIN_EV_MESSAGE:
        return dispatch_message(m, in->msg);
    case CHAIN_EV_PROPOSE:
        return chain_raft_on_propose(m, in->propose.batch, in->propose.len);
    case CHAIN_EV_PERSISTED:
        chain_raft_count_acks(m);
        chain_raft_answer_reads(m);
        chain_raft_reply_when_settled(m);
        return 0;
    case CHAIN_EV_STABLE:
        chain_raft_on_stable(m, in->height);
        return 0;
    case CHAIN_EV_SYNCED:
        chain_raft_on_synced(m, in->height);
        return 0;
    case CHAIN_EV_TICK:
    case CHAIN_EV_PENDING:
    case CHAIN_EV_CONVICT: /* Raft stands crashes alone: nobody's word counts less */
        return 0;
    case CHAIN_EV_ACCESS:
        chain_base_access(&m->base, in->waiting_since_ns);
        return 0;
    case CHAIN_EV_TRANSFER:
        return chain_raft_on_transfer(m, in->member);
    case CHAIN_EV_READ:
        return chain_raft_on_read(m, in->read_id);
    case CHAIN_EV_VOTER:
        become_voter(m, in);
        return 0;
    }
    return -EBADMSG;
}

static int raft_step(struct chain_engine *engine, const struct chain_event *in, struct chain_update *out)
{
    struct raft *m = (struct raft *)engine;
    chain_base_begin(&m->base, in, out);
    if (in->kind != CHAIN_EV_RESTORE && !m->started)
        start(m);
    int rc = dispatch(m, in);
    if (in->kind == CHAIN_EV_RESTORE)
        return rc;
    if (rc != 0 && out->n_records == 0)
        return rc; /* what is refused writes and sends nothing; what is due comes with the next event */
    chain_raft_count_overheard(m);
    chain_raft_emit_commits(m);
    run_timers(m);
    return 0;
}

static void raft_stats(const struct chain_engine *engine, struct chain_engine_stats *out)
{
    const struct raft *m = (const struct raft *)engine;
    *out = m->base.stats;
    out->view = m->term;
    out->promised = m->pre_voted > m->term ? m->pre_voted : m->term;
    out->log_term = chain_raft_last_term(m);
    out->log_index = m->last_index;
    out->leader = m->leader;
    out->is_leader = m->role == RAFT_LEADER;
    out->may_propose = chain_raft_may_propose(m);
    out->proposes = out->may_propose ? m->last_index + 1 : 0;
    out->committed = m->committed;
    out->own_term_committed = chain_raft_own_term_committed(m);
}

static void raft_close(struct chain_engine *engine)
{
    (void)engine;
}

const struct chain_engine_ops chain_raft_ops = {
    .name = "raft",
    .byzantine = false,
    .quorum = chain_majority,
    .bytes = raft_bytes,
    .init = raft_init,
    .step = raft_step,
    .deadline = raft_deadline,
    .stats = raft_stats,
    .close = raft_close,
};
