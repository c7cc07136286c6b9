/* Epochs: who votes is fixed until a block that changes it is certified. Then the engine ends with its rows, and the next one begins on that
 * block with the new members. A key without a seat has no engine: it follows by fetching certified blocks. */
#include "chain/node_internal.h"

#include <errno.h>
#include <string.h>

/* An honest member executes only what is committed, and a commit is final. So a header signed by one member more than may lie is
 * as good as committed; under Raft nobody lies. */
static uint32_t count_witnesses(const struct chain_node *m)
{
    return m->cfg.engine->byzantine ? chain_pbft_f(m->members->n) + 1 : 1;
}

void node_seat_members(struct chain_node *m)
{
    m->epoch_members = *chain_ledger_members(m->ledger);
    m->members = &m->epoch_members;
    m->seat = chain_members_seat(m->members, m->cfg.self);
    m->quorum = m->cfg.engine->quorum(m->members->n);
    m->witness = count_witnesses(m);
    m->epoch_end = 0;
    m->convicted = m->accused = 0;
    m->later_epoch = false;
}

void node_follow_members(struct chain_node *m)
{
    const struct chain_members *now = chain_ledger_members(m->ledger);
    if (now->n_keys > m->epoch_members.n_keys) {
        memcpy(m->epoch_members.keys, now->keys, sizeof(now->keys));
        m->epoch_members.n_keys = now->n_keys;
    }
    if (now->epoch != m->epoch_members.epoch)
        m->epoch_end = node_tip(m);
}

void node_restore_epoch(struct chain_node *m)
{
    if (m->epoch_end > 0 && m->certified == m->epoch_end)
        node_seat_members(m);
}

/* The old engine's rows go in the very transaction that brings the last block's certificate, so that a restart finds either the old
 * epoch whole or nothing of it. What this update still points to lies in the old engine's memory: the new one begins with the next step. */
void node_end_epoch(struct chain_node *m, struct chain_node_update *out)
{
    if (m->epoch_end == 0 || m->certified != m->epoch_end || m->epoch_turns)
        return;
    out->records[0] = (struct chain_record){.key = 0, .data = NULL, .key_end = INT64_MAX};
    out->n_records = 1;
    m->epoch_turns = true;
}

static void forget_votes(struct chain_node *m)
{
    node_clear_votes(m);
    for (size_t i = 0; i < m->n_unpersisted; i++)
        m->unpersisted[i].engine_seq = 0;
    size_t n = m->inbox_first; /* seats of the old epoch mean nothing in the new one */
    for (size_t i = m->inbox_first; i < m->n_inbox; i++)
        if (!chain_msg_by_seat(m->inbox[i].msg.kind))
            m->inbox[n++] = m->inbox[i];
    m->n_inbox = n;
    m->tell_stable = m->tell_synced = m->tell_persisted = 0;
    m->tell_successor = CHAIN_MAX_MEMBERS;
    m->told_pending_ns = INT64_MAX;
    m->engine_out.n_commits = 0;
    m->next_commit = 0;
    m->proposed_height = 0;
    m->holds_back = false;
    m->propose_not_before_ns = 0;
    m->vote_next = m->sign_next = m->certified + 1;
    m->n_late = 0;
    m->vote_due_ns = INT64_MAX;
}

int node_begin_epoch(struct chain_node *m)
{
    if (!m->epoch_turns)
        return 0;
    m->epoch_turns = false;
    if (m->engine)
        m->cfg.engine->close(m->engine);
    m->engine = NULL;
    node_seat_members(m);
    forget_votes(m);
    chain_mempool_release(m->pool, UINT64_MAX);
    m->status_due_ns = m->now_ns + node_jitter(m, NODE_JITTER_STATUS, m->cfg.status_ns) / 4;
    m->stats.epochs++;
    if (m->asks_again) { /* the new engine has no floor */
        m->asks_again = false;
        m->ask_due_ns = INT64_MAX;
    }
    if (!m->votes_allowed) { /* of this epoch our disk holds nothing */
        m->disk_view = 0;
        m->disk_height = node_tip(m);
    }
    int rc = node_engine_start(m);
    if (m->ask_number == 0)
        node_seen_start(m); /* had no seat until now, or believes so */
    return rc;
}

void node_tell_of_epoch(struct chain_node *m, uint64_t epoch)
{
    m->stats.refused_epoch++;
    if (epoch > m->members->epoch)
        m->later_epoch = true;
}
