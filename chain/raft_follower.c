#include <errno.h>
#include <string.h>

#include "chain/raft.h"

int chain_raft_append_get(const uint8_t *body, size_t len, uint64_t prev_index, struct raft_append *out)
{
    struct chain_cbor_reader r = {.data = body, .len = len};
    memset(out, 0, sizeof *out);
    out->prev_index = prev_index;
    chain_cbor_expect_array(&r, 5);
    out->counter = chain_cbor_get_uint(&r);
    out->committed = chain_cbor_get_uint(&r);
    out->prev_term = chain_cbor_get_uint(&r);
    out->want_reply = chain_cbor_get_bool(&r);
    out->n_entries = chain_cbor_get_array(&r, RAFT_MAX_ENTRIES);
    for (size_t i = 0; i < out->n_entries && !r.bad; i++) {
        chain_cbor_expect_array(&r, 2);
        out->entries[i].term = chain_cbor_get_uint(&r);
        out->entries[i].batch = chain_cbor_get_bytes(&r, &out->entries[i].len);
        if (out->entries[i].len > CHAIN_MAX_BATCH_BYTES)
            r.bad = true;
    }
    if (out->counter == 0)
        r.bad = true; /* a leader counts from 1 */
    return chain_cbor_end(&r);
}

/* All of our log that is surely the leader's. The caller makes sure that it is on disk when the message leaves. */
static void send_reply(struct raft *m, uint32_t to, uint64_t match, uint64_t counter, bool lacking)
{
    size_t cap;
    uint8_t *room = chain_base_room(&m->base, &cap);
    struct chain_cbor_writer w = {.out = room, .cap = cap};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, counter);
    chain_cbor_put_bool(&w, lacking);
    chain_cbor_put_bool(&w, m->learner);
    if (w.full)
        return;
    chain_base_take(&m->base, w.len);
    struct chain_msg msg = {.kind = CHAIN_MSG_RAFT_APPEND_REPLY, .view = m->term, .seq = match, .body = room, .body_len = w.len};
    chain_base_send(&m->base, &msg, to, true);
}

static uint64_t find_match(const struct raft *m)
{
    return m->agreed > m->commit_target ? m->agreed : m->commit_target;
}

void chain_raft_reply_when_settled(struct raft *m)
{
    if (!m->reply_due || !chain_base_settled(&m->base))
        return;
    m->reply_due = false;
    if (m->role == RAFT_FOLLOWER && m->leader != CHAIN_TO_ALL)
        send_reply(m, m->leader, find_match(m), m->counter, m->lacking);
}

/* On a broadcast medium followers hear each other's answers to the leader. An entry of this term that a majority has on disk is committed,
 * whoever counts; that the leader's own disk has it is not heard and not counted. */
void chain_raft_count_overheard(struct raft *m)
{
    if (!m->base.cfg.overheard || m->role != RAFT_FOLLOWER || m->agreed > m->last_index)
        return;
    uint64_t on_disk = m->learner ? 0 : chain_raft_own_match(m);
    for (uint64_t index = m->agreed; index > m->commit_target; index--) {
        uint32_t n_holders = on_disk >= index;
        for (uint32_t i = 0; i < m->n; i++)
            n_holders += i != m->self && !m->peers[i].learner && m->peers[i].match >= index;
        if (n_holders < m->majority)
            continue;
        if (chain_raft_term_at(m, index) == m->term)
            m->commit_target = index;
        return;
    }
}

/* Committed entries are the same everywhere, so what lies at or below our commit index needs no comparison. */
static bool prev_matches(struct raft *m, const struct raft_append *append)
{
    uint64_t prev = append->prev_index;
    if (prev == m->base_index && prev <= m->committed && append->prev_term > m->base_term)
        m->base_term = append->prev_term;
    if (prev <= m->commit_target)
        return true;
    return append->prev_term > 0 && prev <= m->last_index && chain_raft_term_at(m, prev) == append->prev_term;
}

/* Returns the index up to which our log is the leader's. */
static uint64_t take_entries(struct raft *m, const struct raft_append *append)
{
    uint64_t index = append->prev_index;
    for (size_t i = 0; i < append->n_entries; i++) {
        index = append->prev_index + i + 1;
        if (index <= m->commit_target)
            continue;
        if (index <= m->last_index) {
            if (chain_raft_term_at(m, index) == append->entries[i].term)
                continue;
            chain_raft_cut(m, index);
        }
        if (!chain_raft_push(m, append->entries[i].term, append->entries[i].batch, append->entries[i].len)) {
            m->base.stats.refused_window++;
            return index - 1;
        }
    }
    return index;
}

/* A higher counter alone shows that the leader lives now; a replayed message does not. */
static void heed_leader(struct raft *m, uint32_t leader, uint64_t counter)
{
    m->counter = counter;
    if (!m->proven) {
        m->leader = m->role == RAFT_FOLLOWER ? leader : m->leader;
        return;
    }
    if (m->role != RAFT_FOLLOWER)
        chain_raft_follow(m, m->term, leader);
    m->leader = leader;
    m->heard_leader_ns = m->base.now_ns;
    chain_raft_reset_election(m);
}

/* Of an older term, of another leader than the term's, or an old message when we follow nobody. */
static bool is_stale(const struct raft *m, const struct chain_msg *msg, uint64_t counter)
{
    if (msg->view != m->term)
        return msg->view < m->term;
    bool other = m->role == RAFT_LEADER || (m->leader != CHAIN_TO_ALL && m->leader != msg->author);
    return other || (counter <= m->counter && m->leader == CHAIN_TO_ALL);
}

static int refuse_stale(struct raft *m, const struct chain_msg *msg, uint64_t counter)
{
    m->base.stats.refused_stale++;
    bool tells = msg->view < m->term && m->leader == CHAIN_TO_ALL && chain_base_settled(&m->base) && chain_raft_may_tell(m);
    if (!tells)
        return -EBADMSG;
    send_reply(m, msg->author, 0, counter, false); /* it learns of our term, or we would never hear a leader again */
    return 0;
}

int chain_raft_on_append(struct raft *m, const struct chain_msg *msg)
{
    struct raft_append append;
    if (chain_raft_append_get(msg->body, msg->body_len, msg->seq, &append) != 0) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    if (is_stale(m, msg, append.counter))
        return refuse_stale(m, msg, append.counter);
    if (msg->view > m->term)
        chain_raft_follow(m, msg->view, msg->author);
    bool is_new = append.counter > m->counter;
    if (is_new)
        heed_leader(m, msg->author, append.counter);
    bool matches = prev_matches(m, &append);
    size_t records_before = m->base.out->n_records;
    uint64_t target_before = m->commit_target;
    uint64_t match = matches ? take_entries(m, &append) : 0;
    if (match > m->agreed)
        m->agreed = match;
    uint64_t committed = append.committed < match ? append.committed : match;
    if (committed > m->commit_target)
        m->commit_target = committed;
    bool wrote = m->base.out->n_records > records_before;
    if (!is_new && !wrote && m->commit_target == target_before) {
        m->base.stats.refused_stale++; /* told before: a replay, or a copy that took another way */
        return -EBADMSG;
    }
    if (!append.want_reply && matches)
        return 0;
    m->lacking = !matches;
    if (chain_base_settled(&m->base) || wrote)
        send_reply(m, msg->author, find_match(m), append.counter, m->lacking);
    else
        m->reply_due = true;
    return 0;
}
