/* The leader: one APPEND to all as soon as there is an entry, acks counted, a short notice once all is committed, repair for who asks. */
#include <errno.h>
#include <string.h>

#include "chain/raft.h"

/* Nothing new while what is open has to be repeated: it would only make logs differ. */
bool chain_raft_may_propose(const struct raft *m)
{
    bool repeating = m->last_index > m->commit_target && m->beat_step > 0;
    return m->role == RAFT_LEADER && m->transfer_to == CHAIN_TO_ALL && !repeating && m->last_index < m->stable + m->window;
}

bool chain_raft_own_term_committed(const struct raft *m)
{
    return m->role == RAFT_LEADER && m->own_index > 0 && m->commit_target >= m->own_index;
}

/* How many entries after prev, up to last, one message holds. */
static size_t count_fitting(const struct raft *m, uint64_t prev, uint64_t last)
{
    size_t n = 0, room = RAFT_BODY_BYTES - 64;
    for (; n < RAFT_MAX_ENTRIES && prev + n < last; n++) {
        const struct raft_entry *entry = chain_raft_entry(m, prev + n + 1);
        if (entry->head_len + entry->len > room)
            break;
        room -= entry->head_len + entry->len;
    }
    return n;
}

/* Entries after prev as far as one message holds them; none: a heartbeat that says where the log ends. */
static void send_append(struct raft *m, uint64_t prev, uint64_t last, uint32_t to, bool want_reply)
{
    if (m->n == 1)
        return;
    size_t n_entries = count_fitting(m, prev, last);
    struct chain_cbor_writer w = {0};
    w.out = chain_base_room(&m->base, &w.cap);
    chain_cbor_put_array(&w, 5);
    chain_cbor_put_uint(&w, m->counter + 1);
    chain_cbor_put_uint(&w, m->commit_target);
    /* a bound may by chance be the term of another entry that the follower holds there: then only what is committed matches */
    bool known = prev > m->base_index || m->base_exact;
    chain_cbor_put_uint(&w, known ? chain_raft_term_at(m, prev) : 0);
    chain_cbor_put_bool(&w, want_reply);
    chain_cbor_put_array(&w, n_entries);
    for (size_t i = 1; i <= n_entries; i++) {
        const struct raft_entry *entry = chain_raft_entry(m, prev + i);
        chain_cbor_put_encoded(&w, m->arena + entry->at, entry->head_len + entry->len);
    }
    if (w.full)
        return;
    chain_base_take(&m->base, w.len);
    m->counter++;
    struct chain_msg msg = {.kind = CHAIN_MSG_RAFT_APPEND, .view = m->term, .seq = prev, .body = w.out, .body_len = w.len};
    if (chain_base_send(&m->base, &msg, to, false) && want_reply)
        chain_base_expect(&m->base, 1);
    if (to == CHAIN_TO_ALL)
        m->notice_ns = INT64_MAX;
    if (to == CHAIN_TO_ALL && want_reply)
        m->asked_counter = m->counter;
    if (to == CHAIN_TO_ALL && n_entries > 0)
        m->entry_counter = m->counter;
}

static bool is_idle(const struct raft *m)
{
    return m->last_index == m->commit_target && m->n_reads == 0 && m->transfer_to == CHAIN_TO_ALL;
}

void chain_raft_schedule_beat(struct raft *m)
{
    const struct chain_engine_config *cfg = &m->base.cfg;
    int64_t interval_ns = cfg->heartbeat_ns << m->beat_step;
    if (is_idle(m)) /* rare, but several in an election timeout */
        interval_ns = 2 * cfg->heartbeat_ns < cfg->timeout_ns / 4 ? 2 * cfg->heartbeat_ns : cfg->timeout_ns / 4;
    m->beat_ns = chain_base_later(m->base.now_ns, chain_base_jitter(&m->base, interval_ns));
}

static bool push_own(struct raft *m, const uint8_t *batch, size_t len)
{
    if (!chain_raft_push(m, m->term, batch, len))
        return false;
    if (m->own_index == 0)
        m->own_index = m->last_index;
    return true;
}

/* To all at once, while the own disk still writes. */
static void announce(struct raft *m, uint64_t prev)
{
    m->beat_step = 0;
    send_append(m, prev, m->last_index, CHAIN_TO_ALL, true);
    chain_raft_schedule_beat(m);
    chain_raft_count_acks(m);
}

void chain_raft_lead(struct raft *m)
{
    m->role = RAFT_LEADER;
    m->leader = m->self;
    m->election_ns = m->resend_ns = INT64_MAX;
    m->counter = m->entry_counter = m->asked_counter = m->own_index = 0;
    m->n_reads = 0;
    for (uint32_t i = 0; i < m->n; i++)
        m->peers[i] = (struct raft_peer){.heard_ns = m->base.now_ns, .repaired_ns = INT64_MIN};
    /* entries of older terms commit only below one of our own term (section 5.4.2); without such entries none is needed yet */
    if (m->last_index > m->commit_target)
        push_own(m, NULL, 0);
    announce(m, m->commit_target);
}

bool chain_raft_propose_empty(struct raft *m)
{
    if (!push_own(m, NULL, 0))
        return false;
    announce(m, m->last_index - 1);
    return true;
}

int chain_raft_on_propose(struct raft *m, const uint8_t *batch, size_t len)
{
    if (!chain_raft_may_propose(m))
        return -EAGAIN;
    bool judged = len > 0; /* the empty batch is always right */
    if (len > CHAIN_MAX_BATCH_BYTES
        || (judged && m->base.cfg.check_batch(m->base.cfg.check_ctx, m->last_index + 1, batch, len, m->base.now_ns) != 0)) {
        m->base.stats.refused_batch++;
        return -EBADMSG;
    }
    if (!push_own(m, batch, len))
        return -EAGAIN;
    announce(m, m->last_index - 1);
    return 0;
}

void chain_raft_ask_all(struct raft *m)
{
    send_append(m, m->last_index, m->last_index, CHAIN_TO_ALL, true);
    int64_t again_ns = chain_base_later(m->base.now_ns, chain_base_jitter(&m->base, m->base.cfg.heartbeat_ns));
    m->beat_ns = again_ns < m->beat_ns ? again_ns : m->beat_ns;
}

/* Learners are brought up and not counted. */
static uint32_t count_holders(const struct raft *m, uint64_t index)
{
    uint32_t n_holders = 0;
    for (uint32_t i = 0; i < m->n; i++)
        n_holders += !m->peers[i].learner && m->peers[i].match >= index;
    return n_holders;
}

/* Only an entry of the own term commits by counting. Our own ack counts once it is on disk. What is under way tells the followers what
 * is committed; once nothing is, a notice does. */
void chain_raft_count_acks(struct raft *m)
{
    if (m->role != RAFT_LEADER)
        return;
    m->peers[m->self].match = chain_raft_own_match(m);
    uint64_t index = m->last_index;
    while (index > m->commit_target && count_holders(m, index) < m->majority)
        index--;
    if (index <= m->commit_target || chain_raft_term_at(m, index) != m->term)
        return;
    m->commit_target = index;
    chain_raft_emit_commits(m);
    m->beat_step = 0;
    if (m->base.cfg.notice_ns == 0)
        chain_raft_notice(m);
    else if (m->notice_ns == INT64_MAX)
        m->notice_ns = chain_base_later(m->base.now_ns, m->base.cfg.notice_ns);
    chain_raft_schedule_beat(m);
}

void chain_raft_notice(struct raft *m)
{
    m->notice_ns = INT64_MAX;
    if (m->commit_target == m->last_index) /* otherwise the next one does */
        send_append(m, m->last_index, m->last_index, CHAIN_TO_ALL, false);
}

/* All that follows from, once in half a heartbeat or when the last repair has shown effect. Whose log ends below ours begins fetches blocks first. */
void chain_raft_repair(struct raft *m, uint32_t member, uint64_t from)
{
    struct raft_peer *peer = &m->peers[member];
    bool lately = peer->repaired_ns != INT64_MIN && m->base.now_ns - peer->repaired_ns < m->base.cfg.heartbeat_ns / 2;
    if (from < m->base_index || (lately && from <= peer->repaired_from))
        return;
    peer->repaired_ns = m->base.now_ns;
    peer->repaired_from = from;
    send_append(m, from, m->last_index, member, true);
    m->base.stats.retransmitted++;
}

struct reply {
    uint64_t counter;
    bool lacking, learner;
};

static bool get_reply(const struct chain_msg *msg, struct reply *out)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    chain_cbor_expect_array(&r, 3);
    out->counter = chain_cbor_get_uint(&r);
    out->lacking = chain_cbor_get_bool(&r);
    out->learner = chain_cbor_get_bool(&r);
    return chain_cbor_end(&r) == 0;
}

static void take_reply(struct raft *m, uint32_t member, uint64_t match, const struct reply *reply)
{
    struct raft_peer *peer = &m->peers[member];
    bool grew = match > peer->match;
    if (reply->counter > peer->answered) {
        peer->answered = reply->counter;
        peer->heard_ns = m->base.now_ns;
        peer->learner = reply->learner;
    }
    if (grew)
        peer->match = match;
    chain_raft_count_acks(m);
    chain_raft_answer_reads(m);
    /* it lacks what a message built on, or answered what came after the entries went to all and still has not got them */
    if (match < m->last_index && (reply->lacking || reply->counter >= m->entry_counter))
        chain_raft_repair(m, member, match);
    if (grew && member == m->transfer_to)
        chain_raft_hand_over(m);
}

/* An answer to our leader that we happen to hear. False: nothing new. */
static bool overhear(struct raft *m, const struct chain_msg *msg, const struct reply *reply)
{
    struct raft_peer *peer = &m->peers[msg->author];
    if (!m->base.cfg.overheard || m->role != RAFT_FOLLOWER || msg->view != m->term || msg->seq <= peer->match)
        return false;
    peer->match = msg->seq;
    peer->learner = reply->learner;
    return true;
}

int chain_raft_on_reply(struct raft *m, const struct chain_msg *msg)
{
    struct reply reply;
    if (!get_reply(msg, &reply)) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    if (msg->view > m->term) {
        chain_raft_follow(m, msg->view, CHAIN_TO_ALL);
        return 0;
    }
    if (overhear(m, msg, &reply))
        return 0;
    bool fits = m->role == RAFT_LEADER && msg->view == m->term && msg->seq <= m->last_index && reply.counter <= m->counter;
    const struct raft_peer *peer = &m->peers[msg->author];
    if (!fits || (reply.counter <= peer->answered && msg->seq <= peer->match)) { /* the second: heard before */
        m->base.stats.refused_stale++;
        return -EBADMSG;
    }
    take_reply(m, msg->author, msg->seq, &reply);
    return 0;
}

/* Check-quorum: a leader that a majority has not answered for long does not go on as if it led. */
static bool hears_majority(const struct raft *m)
{
    uint32_t n_heard = 1;
    for (uint32_t i = 0; i < m->n; i++)
        n_heard += i != m->self && !m->peers[i].learner && m->base.now_ns - m->peers[i].heard_ns <= m->base.cfg.timeout_max_ns;
    return n_heard >= m->majority;
}

/* What is open goes again to who has not got it. A read needs an answer of everybody. */
static void send_open_again(struct raft *m)
{
    uint32_t n_missing = 0, to = CHAIN_TO_ALL;
    for (uint32_t i = 0; i < m->n; i++) {
        if (i == m->self || m->peers[i].match >= m->last_index)
            continue;
        to = n_missing++ == 0 && m->n_reads == 0 ? i : CHAIN_TO_ALL;
    }
    if (n_missing == 0) { /* our own disk is the last */
        send_append(m, m->last_index, m->last_index, CHAIN_TO_ALL, true);
        return;
    }
    send_append(m, m->commit_target, m->last_index, to, true);
    m->base.stats.retransmitted++;
}

void chain_raft_beat(struct raft *m)
{
    if (!hears_majority(m)) {
        chain_raft_follow(m, m->term, CHAIN_TO_ALL);
        return;
    }
    if (m->last_index > m->commit_target)
        send_open_again(m);
    else
        send_append(m, m->last_index, m->last_index, CHAIN_TO_ALL, true);
    chain_raft_hand_over(m);
    m->beat_step += m->beat_step < 2;
    chain_raft_schedule_beat(m);
}
