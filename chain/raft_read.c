/* Read index: a read is served from a state at or above what was committed when it came, once a majority has answered a message that
 * left after that. So no other had been elected before the read came. */
#include <errno.h>
#include <string.h>

#include "chain/raft.h"

static void put_answer(struct raft *m, uint64_t id, uint64_t height)
{
    struct chain_update *out = m->base.out;
    out->reads[out->n_reads].id = id;
    out->reads[out->n_reads++].height = height;
}

void chain_raft_refuse_reads(struct raft *m)
{
    for (size_t i = 0; i < m->n_reads; i++)
        put_answer(m, m->reads[i].id, UINT64_MAX);
    m->n_reads = 0;
}

static bool is_confirmed(const struct raft *m, uint64_t counter)
{
    uint32_t n_answered = 1;
    for (uint32_t i = 0; i < m->n; i++)
        n_answered += i != m->self && !m->peers[i].learner && m->peers[i].answered > counter;
    return n_answered >= m->majority;
}

/* What a read that comes now has to see: what is committed, and where followers may know of a commit before their leader does, all that is
 * under way. */
static uint64_t read_height(const struct raft *m)
{
    return m->base.cfg.overheard ? m->last_index : m->commit_target;
}

void chain_raft_answer_reads(struct raft *m)
{
    if (m->role != RAFT_LEADER || m->n_reads == 0)
        return;
    size_t n_done = 0;
    if (chain_raft_own_term_committed(m)) {
        for (size_t i = 0; i < m->n_reads; i++)
            if (m->reads[i].height == 0)
                m->reads[i].height = read_height(m);
        for (; n_done < m->n_reads && is_confirmed(m, m->reads[n_done].counter); n_done++)
            put_answer(m, m->reads[n_done].id, m->reads[n_done].height);
    }
    m->n_reads -= n_done;
    memmove(m->reads, m->reads + n_done, m->n_reads * sizeof m->reads[0]);
    /* one round at a time: what comes meanwhile shares the next */
    if (m->n_reads > 0 && m->reads[0].counter >= m->asked_counter)
        chain_raft_ask_all(m);
}

int chain_raft_on_read(struct raft *m, uint64_t id)
{
    if (m->role != RAFT_LEADER)
        return -EBADMSG;
    if (m->n_reads == CHAIN_MAX_READS)
        return -EAGAIN;
    uint64_t height = chain_raft_own_term_committed(m) ? read_height(m) : 0;
    m->reads[m->n_reads++] = (struct raft_read){.id = id, .height = height, .counter = m->counter};
    if (m->own_index == 0)
        chain_raft_propose_empty(m); /* without room there are entries under way, and the next of our own will do */
    chain_raft_answer_reads(m);
    return 0;
}
