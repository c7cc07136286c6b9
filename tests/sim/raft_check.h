/* The properties of figure 3 in the Raft paper, looked at inside the engines after every event of a cluster (state machine safety is the
 * cluster's own: one batch a height). */
#ifndef TESTS_SIM_RAFT_CHECK_H
#define TESTS_SIM_RAFT_CHECK_H

#include "chain/raft.h"
#include "tests/sim/engine_faults.h"

static inline const struct raft *raft_of(const struct cluster *c, uint32_t id)
{
    return (const struct raft *)c->nodes[id].engine;
}

static inline bool same_entry(const struct raft *a, const struct raft *b, uint64_t index)
{
    const struct raft_entry *x = chain_raft_entry(a, index), *y = chain_raft_entry(b, index);
    size_t len = x->head_len + x->len;
    return len == y->head_len + y->len && memcmp(a->arena + x->at, b->arena + y->at, len) == 0;
}

/* Log matching: below an index at which the terms agree, everything does. */
static inline void check_logs_match(struct cluster *c, uint32_t i, uint32_t k)
{
    const struct raft *a = raft_of(c, i), *b = raft_of(c, k);
    uint64_t low = a->base_index > b->base_index ? a->base_index : b->base_index;
    uint64_t index = a->last_index < b->last_index ? a->last_index : b->last_index;
    while (index > low && chain_raft_entry(a, index)->term != chain_raft_entry(b, index)->term)
        index--;
    for (; index > low; index--)
        if (!same_entry(a, b, index))
            FAIL(c, "logs of nodes %u and %u differ at %lu, and agree above", i, k, (unsigned long)index);
}

/* Leader completeness: who leads the newest term holds whatever anybody has executed. */
static inline void check_leader_complete(struct cluster *c, uint32_t id)
{
    const struct raft *m = raft_of(c, id);
    for (uint32_t i = 0; i < c->cfg.n; i++)
        if (raft_of(c, i)->term > m->term) /* also of one that is down: what it committed, this one need not know */
            return;
    if (m->role == RAFT_LEADER && m->last_index < c->highest_tip)
        FAIL(c, "leader %u of term %lu ends at %lu, and %lu was committed", id, (unsigned long)m->term, (unsigned long)m->last_index,
             (unsigned long)c->highest_tip);
}

static inline void check_order(struct cluster *c, uint32_t id)
{
    const struct raft *m = raft_of(c, id);
    bool right = m->stable <= m->committed && m->committed <= m->commit_target && m->commit_target <= m->last_index;
    if (!right || (m->role == RAFT_LEADER && m->own_index > m->last_index))
        FAIL(c, "node %u has its indexes out of order", id);
}

/* Use as cluster_config.check. Pairs take turns. */
static inline void check_raft(struct cluster *c, uint64_t n_events)
{
    uint32_t i = (uint32_t)(n_events % c->cfg.n), k = (uint32_t)(n_events / c->cfg.n % c->cfg.n);
    if (!c->nodes[i].alive)
        return;
    check_order(c, i);
    check_leader_complete(c, i);
    if (i != k && c->nodes[k].alive)
        check_logs_match(c, i, k);
}
#endif
