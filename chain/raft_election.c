/* Terms and votes. A pre-vote asks first whether an election could succeed, so that a station that a jammer cut off comes back
 * without a higher term. */
#include <errno.h>
#include <string.h>

#include "chain/raft.h"

void chain_raft_reset_election(struct raft *m)
{
    const struct chain_engine_config *cfg = &m->base.cfg;
    int64_t spread_ns = cfg->spread_ns > 0 ? cfg->spread_ns : cfg->timeout_ns;
    int64_t wait_ns = cfg->timeout_ns + (int64_t)(chain_base_draw(&m->base, "airdeed-raft-election") % ((uint64_t)spread_ns + 1));
    m->election_set_ns = m->base.now_ns;
    m->election_ns = m->learner ? INT64_MAX : chain_base_later(m->base.now_ns, wait_ns);
}

static void enter_term(struct raft *m, uint64_t term, uint32_t voted_for)
{
    m->term = term;
    m->voted_for = voted_for;
    m->counter = m->agreed = 0;
    for (uint32_t i = 0; i < m->n; i++) /* what was overheard of another term */
        m->peers[i].match = 0;
    m->reply_due = false;
    m->proven = true;
    m->hurried = false;
    chain_raft_record_term(m);
}

void chain_raft_follow(struct raft *m, uint64_t term, uint32_t leader)
{
    if (term > m->term)
        enter_term(m, term, CHAIN_TO_ALL);
    if (m->role == RAFT_LEADER)
        chain_raft_refuse_reads(m);
    if (m->role != RAFT_FOLLOWER)
        chain_raft_reset_election(m);
    m->role = RAFT_FOLLOWER;
    m->leader = leader;
    m->beat_ns = m->notice_ns = m->resend_ns = INT64_MAX;
    m->transfer_to = CHAIN_TO_ALL;
}

static void send_vote(struct raft *m)
{
    bool pre = m->role == RAFT_PRE_CANDIDATE;
    size_t cap;
    uint8_t *room = chain_base_room(&m->base, &cap);
    struct chain_cbor_writer w = {.out = room, .cap = cap};
    chain_cbor_put_array(&w, 4);
    chain_cbor_put_bool(&w, pre);
    chain_cbor_put_bool(&w, m->handed_over);
    chain_cbor_put_uint(&w, chain_raft_last_term(m));
    chain_cbor_put_uint(&w, m->round);
    if (w.full)
        return;
    chain_base_take(&m->base, w.len);
    struct chain_msg msg = {.kind = CHAIN_MSG_RAFT_VOTE, .view = m->term + pre, .seq = m->last_index, .body = room, .body_len = w.len};
    chain_base_send(&m->base, &msg, CHAIN_TO_ALL, !pre);
}

void chain_raft_resend_vote(struct raft *m)
{
    send_vote(m);
    m->base.stats.retransmitted++;
    m->resend_ns = chain_base_later(m->base.now_ns, chain_base_jitter(&m->base, m->base.cfg.heartbeat_ns << m->resend_step));
    m->resend_step += m->resend_step < 2;
}

static bool have_majority(const struct raft *m)
{
    uint32_t n_granted = 0;
    for (uint32_t i = 0; i < m->n; i++)
        n_granted += m->peers[i].granted && (i != m->self || m->whole || m->role == RAFT_PRE_CANDIDATE);
    return n_granted >= m->majority;
}

static void campaign(struct raft *m, enum raft_role role, bool handed_over)
{
    m->role = role;
    m->leader = CHAIN_TO_ALL;
    m->handed_over = handed_over;
    m->round = 0;
    m->beat_ns = m->notice_ns = INT64_MAX;
    m->resend_step = 0;
    for (uint32_t i = 0; i < m->n; i++)
        m->peers[i].granted = i == m->self;
    chain_raft_reset_election(m);
    m->resend_ns = chain_base_later(m->base.now_ns, chain_base_jitter(&m->base, m->base.cfg.heartbeat_ns));
}

void chain_raft_count_votes(struct raft *m)
{
    if (have_majority(m))
        chain_raft_lead(m);
}

static void start_election(struct raft *m)
{
    campaign(m, RAFT_CANDIDATE, m->handed_over);
    m->base.stats.view_changes++;
    enter_term(m, m->term + 1, m->self);
    send_vote(m);
    chain_raft_count_votes(m);
}

/* Nobody stands in a term for which it has no majority of pre-votes, which are on their authors' disks: so of a term's votes more than their
 * authors know. The round makes an answer to an earlier question of the same term worthless: it tells what its author thought then. */
void chain_raft_start_pre_vote(struct raft *m, bool handed_over)
{
    if (!chain_raft_meets_floor(m, m->last_index, chain_raft_last_term(m))) {
        chain_raft_reset_election(m);
        m->base.out->below_floor = true;
        return;
    }
    campaign(m, RAFT_PRE_CANDIDATE, handed_over);
    m->round = (uint64_t)m->base.now_ns;
    send_vote(m);
    if (have_majority(m))
        start_election(m);
}

static void send_vote_reply(struct raft *m, const struct chain_msg *asked, bool pre, bool granted, uint64_t round)
{
    size_t cap;
    uint8_t *room = chain_base_room(&m->base, &cap);
    struct chain_cbor_writer w = {.out = room, .cap = cap};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_bool(&w, pre);
    chain_cbor_put_bool(&w, granted);
    chain_cbor_put_uint(&w, round);
    if (w.full)
        return;
    chain_base_take(&m->base, w.len);
    struct chain_msg msg = {.kind = CHAIN_MSG_RAFT_VOTE_REPLY, .view = granted ? asked->view : m->term, .seq = m->counter, .body = room,
                            .body_len = w.len};
    chain_base_send(&m->base, &msg, asked->author, !pre || granted);
}

/* Is a log no less than what others held when we started? */
bool chain_raft_meets_floor(const struct raft *m, uint64_t last_index, uint64_t last_term)
{
    return last_index >= m->floor_committed && (last_term > m->floor_log_term ||
                                                (last_term == m->floor_log_term && last_index >= m->floor_log_index));
}

/* Beyond the paper: a log that ends before what we know committed is never up to date. */
static bool is_up_to_date(const struct raft *m, uint64_t last_index, uint64_t last_term)
{
    uint64_t own_term = chain_raft_last_term(m);
    if (last_index < m->commit_target || !chain_raft_meets_floor(m, last_index, last_term))
        return false;
    return last_term > own_term || (last_term == own_term && last_index >= m->last_index);
}

static bool hears_leader(const struct raft *m)
{
    if (m->role == RAFT_LEADER)
        return true;
    return m->leader != CHAIN_TO_ALL && m->proven && m->base.now_ns - m->heard_leader_ns < m->base.cfg.timeout_ns;
}

bool chain_raft_may_tell(struct raft *m)
{
    if (m->told_ns != INT64_MIN && m->base.now_ns - m->told_ns < m->base.cfg.heartbeat_ns / 2)
        return false;
    m->told_ns = m->base.now_ns;
    return true;
}

struct vote {
    bool pre, handed_over;
    uint64_t last_term, round;
};

static int refuse(uint64_t *counter)
{
    ++*counter;
    return -EBADMSG;
}

static bool get_vote(const struct chain_msg *msg, struct vote *out)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    chain_cbor_expect_array(&r, 4);
    out->pre = chain_cbor_get_bool(&r);
    out->handed_over = chain_cbor_get_bool(&r);
    out->last_term = chain_cbor_get_uint(&r);
    out->round = chain_cbor_get_uint(&r);
    return chain_cbor_end(&r) == 0;
}

/* The term has a candidate that we cannot vote for, and no leader yet. One with a longer log may be needed; once a term. */
static void stand_soon(struct raft *m)
{
    if (m->leader != CHAIN_TO_ALL || !m->proven || m->hurried)
        return;
    m->hurried = true;
    int64_t soon_ns = chain_base_later(m->base.now_ns, chain_base_jitter(&m->base, m->base.cfg.heartbeat_ns));
    if (soon_ns < m->election_ns)
        m->election_ns = soon_ns;
}

static void judge_vote(struct raft *m, const struct chain_msg *msg, const struct vote *vote)
{
    if (msg->view > m->term)
        chain_raft_follow(m, msg->view, CHAIN_TO_ALL);
    bool free = m->voted_for == CHAIN_TO_ALL || m->voted_for == msg->author;
    if (m->role != RAFT_FOLLOWER || !free)
        return;
    if (!is_up_to_date(m, msg->seq, vote->last_term)) {
        stand_soon(m);
        return;
    }
    if (m->voted_for != msg->author) {
        m->voted_for = msg->author;
        chain_raft_record_term(m);
        chain_raft_reset_election(m);
    } else if (!chain_base_settled(&m->base)) {
        return; /* the first answer leaves once the vote is on disk */
    }
    if (m->whole) /* else VOTER comes soon, for the others come to this term too, and the candidate asks again */
        send_vote_reply(m, msg, false, true, 0);
}

static void grant_pre_vote(struct raft *m, const struct chain_msg *msg, const struct vote *vote)
{
    if (msg->view > m->pre_voted) {
        m->pre_voted = msg->view;
        chain_raft_record_term(m);
    } else if (!chain_base_settled(&m->base)) {
        return;
    }
    send_vote_reply(m, msg, true, true, vote->round);
}

/* A leader tells a pre-candidate of its term that it lives, and repeats at once what is open. Who else hears it is silent. */
static void judge_pre_vote(struct raft *m, const struct chain_msg *msg, const struct vote *vote)
{
    if (m->role == RAFT_LEADER && msg->view == m->term + 1 && !vote->handed_over) {
        send_vote_reply(m, msg, true, false, vote->round);
        if (m->beat_step > 1 && m->last_index > m->commit_target) {
            m->beat_step = 0;
            m->beat_ns = m->base.now_ns;
        }
    } else if ((vote->handed_over || !hears_leader(m)) && is_up_to_date(m, msg->seq, vote->last_term)) {
        grant_pre_vote(m, msg, vote);
    }
}

int chain_raft_on_vote(struct raft *m, const struct chain_msg *msg)
{
    struct vote vote;
    if (!get_vote(msg, &vote))
        return refuse(&m->base.stats.refused_malformed);
    if (msg->view < m->term || (vote.pre && msg->view == m->term)) {
        if (!chain_base_settled(&m->base) || hears_leader(m) || m->learner || !chain_raft_may_tell(m))
            return refuse(&m->base.stats.refused_stale);
        m->base.stats.refused_stale++;
        send_vote_reply(m, msg, vote.pre, false, vote.round); /* tells the term */
        return 0;
    }
    if (m->learner)
        return 0;
    if (vote.pre)
        judge_pre_vote(m, msg, &vote);
    else if (msg->view == m->term || vote.handed_over || !hears_leader(m))
        judge_vote(m, msg, &vote);
    return 0;
}

/* Only the leader of our term says no to a question that we asked just now: so it lives. */
static int take_denial(struct raft *m, const struct chain_msg *msg, bool pre, uint64_t round)
{
    if (msg->view > m->term) {
        chain_raft_follow(m, msg->view, CHAIN_TO_ALL);
        return 0;
    }
    bool fits = pre && m->role == RAFT_PRE_CANDIDATE && msg->view == m->term && round == m->round && msg->seq >= m->counter;
    if (!fits)
        return refuse(&m->base.stats.refused_stale);
    m->proven = true;
    m->counter = msg->seq;
    m->heard_leader_ns = m->base.now_ns;
    chain_raft_follow(m, m->term, msg->author);
    return 0;
}

int chain_raft_on_vote_reply(struct raft *m, const struct chain_msg *msg)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    chain_cbor_expect_array(&r, 3);
    bool pre = chain_cbor_get_bool(&r), granted = chain_cbor_get_bool(&r);
    uint64_t round = chain_cbor_get_uint(&r);
    if (chain_cbor_end(&r) != 0)
        return refuse(&m->base.stats.refused_malformed);
    if (!granted)
        return take_denial(m, msg, pre, round);
    bool fits = pre ? m->role == RAFT_PRE_CANDIDATE && msg->view == m->term + 1 && round == m->round
                    : m->role == RAFT_CANDIDATE && msg->view == m->term;
    if (!fits)
        return refuse(&m->base.stats.refused_stale);
    m->peers[msg->author].granted = true;
    if (!pre)
        chain_raft_count_votes(m);
    else if (have_majority(m))
        start_election(m);
    return 0;
}
