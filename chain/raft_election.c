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
    m->election_ns = chain_base_later(m->base.now_ns, wait_ns);
}

void chain_raft_follow(struct raft *m, uint64_t term, uint32_t leader)
{
    if (term > m->term) {
        m->term = term;
        m->voted_for = CHAIN_TO_ALL;
        m->counter = 0;
        chain_raft_record_term(m);
    }
    if (m->role != RAFT_FOLLOWER)
        chain_raft_reset_election(m);
    m->role = RAFT_FOLLOWER;
    m->leader = leader;
    m->beat_ns = m->resend_ns = INT64_MAX;
}

static void send_vote(struct raft *m)
{
    bool pre = m->role == RAFT_PRE_CANDIDATE;
    size_t cap;
    uint8_t *room = chain_base_room(&m->base, &cap);
    struct chain_cbor_writer w = {.out = room, .cap = cap};
    chain_cbor_put_array(&w, 2);
    chain_cbor_put_bool(&w, pre);
    chain_cbor_put_uint(&w, chain_raft_last_term(m));
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
        n_granted += m->peers[i].granted;
    return n_granted >= m->majority;
}

static void campaign(struct raft *m, enum raft_role role)
{
    m->role = role;
    m->leader = CHAIN_TO_ALL;
    m->beat_ns = INT64_MAX;
    m->resend_step = 0;
    for (uint32_t i = 0; i < m->n; i++)
        m->peers[i].granted = i == m->self;
    chain_raft_reset_election(m);
    m->resend_ns = chain_base_later(m->base.now_ns, chain_base_jitter(&m->base, m->base.cfg.heartbeat_ns));
}

static void start_election(struct raft *m)
{
    campaign(m, RAFT_CANDIDATE);
    m->base.stats.view_changes++;
    m->term++;
    m->counter = 0;
    m->voted_for = m->self;
    chain_raft_record_term(m);
    send_vote(m);
    if (have_majority(m))
        chain_raft_lead(m);
}

void chain_raft_start_pre_vote(struct raft *m)
{
    campaign(m, RAFT_PRE_CANDIDATE);
    send_vote(m);
    if (have_majority(m))
        start_election(m);
}

static void send_vote_reply(struct raft *m, const struct chain_msg *asked, bool pre, bool granted)
{
    size_t cap;
    uint8_t *room = chain_base_room(&m->base, &cap);
    struct chain_cbor_writer w = {.out = room, .cap = cap};
    chain_cbor_put_array(&w, 2);
    chain_cbor_put_bool(&w, pre);
    chain_cbor_put_bool(&w, granted);
    if (w.full)
        return;
    chain_base_take(&m->base, w.len);
    struct chain_msg msg = {.kind = CHAIN_MSG_RAFT_VOTE_REPLY, .view = granted ? asked->view : m->term, .seq = asked->seq, .body = room,
                            .body_len = w.len};
    chain_base_send(&m->base, &msg, asked->author, true);
}

/* Beyond the paper: a log that ends before what we know committed is never up to date. */
static bool is_up_to_date(const struct raft *m, uint64_t last_index, uint64_t last_term)
{
    uint64_t own_term = chain_raft_last_term(m);
    if (last_index < m->committed)
        return false;
    return last_term > own_term || (last_term == own_term && last_index >= m->last_index);
}

static bool hears_leader(const struct raft *m)
{
    if (m->role == RAFT_LEADER)
        return true;
    return m->leader != CHAIN_TO_ALL && m->base.now_ns - m->heard_leader_ns < m->base.cfg.timeout_ns;
}

static int read_pair(struct raft *m, const struct chain_msg *msg, bool *pre_out, uint64_t *term_out, bool *granted_out)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    chain_cbor_expect_array(&r, 2);
    *pre_out = chain_cbor_get_bool(&r);
    if (term_out)
        *term_out = chain_cbor_get_uint(&r);
    else
        *granted_out = chain_cbor_get_bool(&r);
    if (chain_cbor_end(&r) == 0)
        return 0;
    m->base.stats.refused_malformed++;
    return -EBADMSG;
}

static void judge_vote(struct raft *m, const struct chain_msg *msg, uint64_t last_term)
{
    if (msg->view > m->term)
        chain_raft_follow(m, msg->view, CHAIN_TO_ALL);
    bool free = m->voted_for == CHAIN_TO_ALL || m->voted_for == msg->author;
    if (m->role != RAFT_FOLLOWER || !free || !is_up_to_date(m, msg->seq, last_term))
        return;
    if (m->voted_for != msg->author) {
        m->voted_for = msg->author;
        chain_raft_record_term(m);
        chain_raft_reset_election(m);
    } else if (!chain_base_settled(&m->base)) {
        return; /* the first answer leaves once the vote is on disk */
    }
    send_vote_reply(m, msg, false, true);
}

int chain_raft_on_vote(struct raft *m, const struct chain_msg *msg)
{
    bool pre;
    uint64_t last_term;
    if (read_pair(m, msg, &pre, &last_term, NULL) != 0)
        return -EBADMSG;
    if (msg->view < m->term || (pre && msg->view == m->term)) {
        if (chain_base_settled(&m->base) && !hears_leader(m))
            send_vote_reply(m, msg, pre, false); /* tells the term */
        return 0;
    }
    if (hears_leader(m) && msg->view > m->term)
        return 0;
    if (!pre)
        judge_vote(m, msg, last_term);
    else if (is_up_to_date(m, msg->seq, last_term) && chain_base_settled(&m->base))
        send_vote_reply(m, msg, true, true);
    return 0;
}

int chain_raft_on_vote_reply(struct raft *m, const struct chain_msg *msg)
{
    bool pre, granted;
    if (read_pair(m, msg, &pre, NULL, &granted) != 0)
        return -EBADMSG;
    if (!granted) {
        if (msg->view > m->term)
            chain_raft_follow(m, msg->view, CHAIN_TO_ALL);
        return 0;
    }
    bool fits = pre ? m->role == RAFT_PRE_CANDIDATE && msg->view == m->term + 1 : m->role == RAFT_CANDIDATE && msg->view == m->term;
    if (!fits) {
        m->base.stats.refused_stale++;
        return -EBADMSG;
    }
    m->peers[msg->author].granted = true;
    if (!have_majority(m))
        return 0;
    if (pre)
        start_election(m);
    else
        chain_raft_lead(m);
    return 0;
}
