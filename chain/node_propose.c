/* When this node leads: what waits becomes a batch, also while earlier batches are under way. What was proposed waits no more until its
 * height is executed without it or the view changes, so that nothing is in two batches at once. */
#include "chain/node_internal.h"

#include <errno.h>

/* A batch is proposed before its parent is executed: its time is above every time proposed before. */
static int64_t latest_time(const struct chain_node *m)
{
    int64_t tip_ns = chain_ledger_tip(m->ledger)->time_ns;
    return m->proposed_height > node_tip(m) && m->proposed_ns > tip_ns ? m->proposed_ns : tip_ns;
}

static bool is_full(const struct chain_node *m)
{
    return chain_mempool_waiting_octets(m->pool) >= m->cfg.genesis->max_batch_bytes ||
           chain_mempool_waiting_ops(m->pool) >= CHAIN_MAX_BATCH_OPS;
}

/* The first height of a new leader's own comes once all before it is executed here: its mempool still holds what those hold that it was not told
 * of as proposed, and members that have executed them refuse a batch with any of it. */
static bool repeats_others(const struct chain_node *m, const struct chain_engine_stats *s)
{
    bool first = m->proposed_height == 0 || s->view != m->proposed_view;
    return first && s->proposes > node_tip(m) + 1;
}

int64_t node_propose_at(const struct chain_node *m)
{
    int64_t at_ns = chain_mempool_waiting_since(m->pool);
    if (at_ns == INT64_MAX || m->epoch_end > 0)
        return INT64_MAX;
    struct chain_engine_stats s;
    node_engine_stats(m, &s);
    if (m->holds_back && s.view == m->proposed_view && !s.own_term_committed)
        return INT64_MAX;
    if (s.proposes == 0 || s.proposes <= node_tip(m) || repeats_others(m, &s) || (s.proposes <= m->proposed_height && s.view == m->proposed_view))
        return INT64_MAX;
    if (!is_full(m))
        at_ns += m->cfg.propose_delay_ns;
    int64_t paced_ns = latest_time(m) + m->cfg.genesis->min_block_interval_ns;
    at_ns = at_ns > paced_ns ? at_ns : paced_ns;
    return at_ns > m->propose_not_before_ns ? at_ns : m->propose_not_before_ns;
}

static bool holds_reconfiguration(const struct chain_node *m, const struct chain_batch_view *batch)
{
    struct chain_msg msg;
    struct chain_tx_reader r;
    struct chain_op op;
    size_t consumed;
    for (size_t i = 0; i < batch->n_txs; i++) {
        if (chain_msg_read(m->members, batch->txs[i].data, batch->txs[i].len, &msg, &consumed) != 0 ||
            chain_tx_begin(&r, msg.body, msg.body_len) < 0)
            continue;
        while (chain_tx_next(&r, &op) == 0)
            if (op.kind == CHAIN_OP_RECONFIGURE)
                return true;
    }
    return false;
}

/* Octets of the batch, 0 if nothing can go in. A Raft leader asks for new members only once an entry of its own term is committed: until then
 * *early is set for such a batch, and what was to go in waits on. */
static size_t build(struct chain_node *m, uint64_t height, bool term_open, bool *early)
{
    const struct chain_mempool_tx *chosen[CHAIN_MAX_BATCH_TXS];
    struct chain_batch_view batch;
    int64_t before_ns = latest_time(m);
    size_t max_octets = m->cfg.genesis->max_batch_bytes;
    batch.time_ns = m->now_ns > before_ns ? m->now_ns : before_ns + 1;
    batch.n_txs = chain_mempool_choose(m->pool, height, max_octets - NODE_BATCH_OVERHEAD, NODE_TX_OVERHEAD, chosen);
    if (batch.n_txs == 0)
        return 0;
    size_t at = 0;
    for (size_t i = 0; i < batch.n_txs; i++) {
        chain_mempool_copy(m->pool, chosen[i], m->scratch + at);
        batch.txs[i].data = m->scratch + at;
        batch.txs[i].len = chosen[i]->len;
        at += chosen[i]->len;
    }
    *early = term_open && holds_reconfiguration(m, &batch);
    if (*early)
        chain_mempool_put_back(m->pool, height);
    long len = *early ? 0 : chain_batch_encode(&batch, m->proposal, max_octets);
    if (len <= 0)
        return 0;
    m->proposed_ns = batch.time_ns;
    m->proposed_txs = (unsigned)batch.n_txs;
    return (size_t)len;
}

bool node_propose(struct chain_node *m, struct chain_node_update *out)
{
    if (node_propose_at(m) > m->now_ns)
        return false;
    struct chain_engine_stats s;
    node_engine_stats(m, &s);
    bool early = false;
    size_t len = build(m, s.proposes, !m->cfg.engine->byzantine && !s.own_term_committed, &early);
    m->holds_back = early;
    if (early && m->proposed_height > 0) /* of this term, and under way */
        return false;
    if (len > 0 || early) {
        struct chain_event event = {.kind = CHAIN_EV_PROPOSE, .now_ns = m->now_ns};
        event.propose.batch = m->proposal;
        event.propose.len = len;
        node_engine_step(m, &event, out);
    }
    if ((len == 0 && !early) || m->engine_out.n_msgs + m->engine_out.n_records + m->engine_out.n_commits == 0) {
        chain_mempool_release(m->pool, UINT64_MAX);
        m->holds_back = false;
        m->propose_not_before_ns = m->now_ns + m->cfg.engine_heartbeat_ns;
        return false;
    }
    m->stats.proposed++;
    m->proposed_height = s.proposes;
    m->proposed_view = s.view;
    return true;
}

void node_follow_view(struct chain_node *m)
{
    struct chain_engine_stats s;
    if (m->proposed_height == 0)
        return;
    node_engine_stats(m, &s);
    if (s.is_leader && s.view == m->proposed_view)
        return;
    m->proposed_height = 0;
    m->holds_back = false;
    chain_mempool_release(m->pool, UINT64_MAX);
}
