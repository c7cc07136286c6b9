/* Leader transfer: the leader takes no more proposals, brings its successor up, and tells it to stand for election at once. The others
 * vote for it although they heard their leader lately. Who does not get there within an election timeout is given up. */
#include <errno.h>

#include "chain/raft.h"

void chain_raft_hand_over(struct raft *m)
{
    if (m->transfer_to == CHAIN_TO_ALL || m->peers[m->transfer_to].match < m->last_index)
        return;
    size_t cap;
    uint8_t *room = chain_base_room(&m->base, &cap);
    struct chain_cbor_writer w = {.out = room, .cap = cap};
    chain_cbor_put_array(&w, 1);
    chain_cbor_put_uint(&w, ++m->counter);
    if (w.full)
        return;
    chain_base_take(&m->base, w.len);
    struct chain_msg msg = {.kind = CHAIN_MSG_RAFT_TIMEOUT_NOW, .view = m->term, .seq = m->last_index, .body = room, .body_len = w.len};
    chain_base_send(&m->base, &msg, m->transfer_to, false);
}

int chain_raft_on_transfer(struct raft *m, uint32_t member)
{
    if (m->role != RAFT_LEADER || member >= m->n || member == m->self || m->peers[member].learner)
        return -EBADMSG;
    m->transfer_to = member;
    m->transfer_until_ns = chain_base_later(m->base.now_ns, m->base.cfg.timeout_ns);
    if (m->peers[member].match < m->last_index)
        chain_raft_repair(m, member, m->peers[member].match);
    chain_raft_hand_over(m);
    return 0;
}

int chain_raft_on_timeout_now(struct raft *m, const struct chain_msg *msg)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    chain_cbor_expect_array(&r, 1);
    uint64_t counter = chain_cbor_get_uint(&r);
    if (chain_cbor_end(&r) != 0) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    bool ours = msg->view == m->term && m->role == RAFT_FOLLOWER && m->leader == msg->author && !m->learner &&
                chain_raft_meets_floor(m, m->last_index, chain_raft_last_term(m));
    if (!ours || !m->proven || counter <= m->counter || msg->seq > m->last_index) {
        m->base.stats.refused_stale++;
        return -EBADMSG;
    }
    m->counter = counter;
    chain_raft_start_pre_vote(m, true);
    return 0;
}
