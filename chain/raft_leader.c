/* The leader: one APPEND to all, acks counted, a short notice once committed, repair for who asks. */
#include <errno.h>
#include <string.h>

#include "chain/raft.h"

bool chain_raft_may_propose(const struct raft *m)
{
    return m->role == RAFT_LEADER && m->last_index == m->committed && m->last_index + 1 <= m->stable + CHAIN_WINDOW
           && chain_raft_has_room(m);
}

/* Entries after prev as far as one message holds them; none: a heartbeat that says where the log ends. */
static void send_append(struct raft *m, uint64_t prev, uint64_t last, uint32_t to, bool want_reply)
{
    size_t cap, n_entries = 0, room_left = RAFT_BODY_BYTES - 64;
    uint8_t *room = chain_base_room(&m->base, &cap);
    while (prev + n_entries < last && n_entries < RAFT_MAX_ENTRIES) {
        size_t need = chain_raft_entry(m, prev + n_entries + 1)->len + 16;
        if (need > room_left)
            break;
        room_left -= need;
        n_entries++;
    }
    struct chain_cbor_writer w = {.out = room, .cap = cap < RAFT_BODY_BYTES ? cap : RAFT_BODY_BYTES};
    chain_cbor_put_array(&w, 5);
    chain_cbor_put_uint(&w, ++m->counter);
    chain_cbor_put_uint(&w, m->committed);
    chain_cbor_put_uint(&w, chain_raft_term_at(m, prev));
    chain_cbor_put_bool(&w, want_reply);
    chain_cbor_put_array(&w, n_entries);
    for (size_t i = 1; i <= n_entries; i++) {
        const struct raft_entry *entry = chain_raft_entry(m, prev + i);
        chain_cbor_put_array(&w, 2);
        chain_cbor_put_uint(&w, entry->term);
        chain_cbor_put_bytes(&w, entry->batch, entry->len);
    }
    if (w.full)
        return;
    chain_base_take(&m->base, w.len);
    struct chain_msg msg = {.kind = CHAIN_MSG_RAFT_APPEND, .view = m->term, .seq = prev, .body = room, .body_len = w.len};
    chain_base_send(&m->base, &msg, to, false);
    if (to == CHAIN_TO_ALL && n_entries > 0)
        m->entry_counter = m->counter;
}

void chain_raft_schedule_beat(struct raft *m)
{
    const struct chain_engine_config *cfg = &m->base.cfg;
    int64_t interval_ns = cfg->heartbeat_ns << m->beat_step;
    if (m->last_index == m->committed) /* idle: rare, but several in an election timeout */
        interval_ns = 2 * cfg->heartbeat_ns < cfg->timeout_ns / 4 ? 2 * cfg->heartbeat_ns : cfg->timeout_ns / 4;
    m->beat_ns = chain_base_later(m->base.now_ns, chain_base_jitter(&m->base, interval_ns));
}

void chain_raft_lead(struct raft *m)
{
    m->role = RAFT_LEADER;
    m->leader = m->self;
    m->election_ns = m->resend_ns = INT64_MAX;
    m->counter = m->entry_counter = 0;
    m->beat_step = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        m->peers[i].match = 0;
        m->peers[i].heard_ns = m->base.now_ns;
        m->peers[i].repaired_ns = INT64_MIN;
    }
    /* entries of older terms commit only below one of our own term (section 5.4.2); without such entries none is needed */
    if (m->last_index > m->committed && chain_raft_has_room(m))
        chain_raft_push(m, m->term, NULL, 0);
    send_append(m, m->committed, m->last_index, CHAIN_TO_ALL, true);
    chain_raft_schedule_beat(m);
    chain_raft_count_acks(m);
}

int chain_raft_on_propose(struct raft *m, const uint8_t *batch, size_t len)
{
    if (!chain_raft_may_propose(m))
        return -EAGAIN;
    if (len > CHAIN_MAX_BATCH_BYTES
        || m->base.cfg.check_batch(m->base.cfg.check_ctx, m->last_index + 1, batch, len, m->base.now_ns) != 0) {
        m->base.stats.refused_batch++;
        return -EBADMSG;
    }
    chain_raft_push(m, m->term, batch, len);
    m->beat_step = 0;
    send_append(m, m->last_index - 1, m->last_index, CHAIN_TO_ALL, true);
    chain_raft_schedule_beat(m);
    chain_raft_count_acks(m);
    return 0;
}

/* Only an entry of the own term commits by counting. Our own ack counts once it is on disk. */
void chain_raft_count_acks(struct raft *m)
{
    if (m->role != RAFT_LEADER)
        return;
    m->peers[m->self].match = chain_raft_own_match(m);
    uint64_t index = m->last_index;
    for (; index > m->committed; index--) {
        uint32_t n_acks = 0;
        for (uint32_t i = 0; i < m->n; i++)
            n_acks += m->peers[i].match >= index;
        if (n_acks >= m->majority)
            break;
    }
    if (index <= m->committed || chain_raft_term_at(m, index) != m->term)
        return;
    m->commit_target = index;
    chain_raft_emit_commits(m);
    m->beat_step = 0;
    if (m->n > 1)
        send_append(m, m->last_index, m->last_index, CHAIN_TO_ALL, false);
    chain_raft_schedule_beat(m);
}

static void repair(struct raft *m, uint32_t i)
{
    struct raft_peer *peer = &m->peers[i];
    bool lately = peer->repaired_ns != INT64_MIN && m->base.now_ns - peer->repaired_ns < m->base.cfg.heartbeat_ns / 2;
    if (lately || peer->match < m->base_index)
        return; /* the second: its node has to fetch blocks first */
    peer->repaired_ns = m->base.now_ns;
    send_append(m, peer->match, m->last_index, i, true);
    m->base.stats.retransmitted++;
}

int chain_raft_on_reply(struct raft *m, const struct chain_msg *msg)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    chain_cbor_expect_array(&r, 1);
    uint64_t counter = chain_cbor_get_uint(&r);
    if (chain_cbor_end(&r) != 0) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    if (msg->view > m->term) {
        chain_raft_follow(m, msg->view, CHAIN_TO_ALL);
        return 0;
    }
    if (m->role != RAFT_LEADER || msg->view < m->term || msg->seq > m->last_index) {
        m->base.stats.refused_stale++;
        return -EBADMSG;
    }
    struct raft_peer *peer = &m->peers[msg->author];
    peer->heard_ns = m->base.now_ns;
    if (msg->seq > peer->match)
        peer->match = msg->seq;
    chain_raft_count_acks(m);
    /* it answered what came after the entries went to all, and still lacks some */
    if (m->role == RAFT_LEADER && peer->match < m->last_index && counter >= m->entry_counter)
        repair(m, msg->author);
    return 0;
}

/* Check-quorum: a leader that a majority has not answered for long does not go on as if it led. */
static bool hears_majority(const struct raft *m)
{
    uint32_t n_heard = 0;
    for (uint32_t i = 0; i < m->n; i++)
        n_heard += i == m->self || m->base.now_ns - m->peers[i].heard_ns <= m->base.cfg.timeout_max_ns;
    return n_heard >= m->majority;
}

static void send_open_again(struct raft *m)
{
    uint32_t n_missing = 0, to = CHAIN_TO_ALL;
    for (uint32_t i = 0; i < m->n; i++) {
        if (i == m->self || m->peers[i].match >= m->last_index)
            continue;
        to = n_missing++ == 0 ? i : CHAIN_TO_ALL;
    }
    if (n_missing == 0)
        return;
    send_append(m, m->committed, m->last_index, to, true);
    m->base.stats.retransmitted++;
}

void chain_raft_beat(struct raft *m)
{
    if (!hears_majority(m)) {
        chain_raft_follow(m, m->term, CHAIN_TO_ALL);
        return;
    }
    if (m->last_index > m->committed)
        send_open_again(m);
    else if (m->n > 1)
        send_append(m, m->last_index, m->last_index, CHAIN_TO_ALL, true);
    m->beat_step += m->beat_step < 2;
    chain_raft_schedule_beat(m);
}
