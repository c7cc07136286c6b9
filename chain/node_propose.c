/* When this node leads: what waits becomes a batch. One batch at a time, on top of what is executed, so that its content was
 * checked against the very state it will meet. */
#include "chain/node_internal.h"

#include <errno.h>

int64_t node_propose_at(const struct chain_node *m)
{
    int64_t since_ns = chain_mempool_pending_since(m->pool);
    if (since_ns == INT64_MAX)
        return INT64_MAX;
    struct chain_engine_stats s;
    m->cfg.engine->stats(m->engine, &s);
    uint64_t next = node_tip(m) + 1;
    bool under_way = m->proposed_height == next && m->proposed_view == s.view;
    if (!s.may_propose || under_way || s.committed >= next)
        return INT64_MAX;
    int64_t at_ns = since_ns + m->cfg.propose_delay_ns;
    int64_t paced_ns = chain_ledger_tip(m->ledger)->time_ns + m->cfg.genesis->min_block_interval_ns;
    at_ns = at_ns > paced_ns ? at_ns : paced_ns;
    return at_ns > m->propose_not_before_ns ? at_ns : m->propose_not_before_ns;
}

/* Urgency decides what goes in; inside, each author's transactions keep their order. */
static size_t choose(struct chain_node *m, const struct chain_mempool_tx *chosen[CHAIN_MAX_BATCH_TXS])
{
    enum { BATCH_OVERHEAD = 24, TX_OVERHEAD = 3 };
    size_t n = 0, bytes = BATCH_OVERHEAD;
    for (size_t i = 0; i < chain_mempool_size(m->pool) && n < CHAIN_MAX_BATCH_TXS; i++) {
        const struct chain_mempool_tx *tx = chain_mempool_at(m->pool, i);
        if (!tx->executable || bytes + tx->len + TX_OVERHEAD > m->cfg.genesis->max_batch_bytes)
            continue;
        bytes += tx->len + TX_OVERHEAD;
        size_t at = n++;
        for (; at > 0; at--) {
            const struct chain_msg *before = &chosen[at - 1]->msg;
            if (before->author < tx->msg.author || (before->author == tx->msg.author && before->seq < tx->msg.seq))
                break;
            chosen[at] = chosen[at - 1];
        }
        chosen[at] = tx;
    }
    return n;
}

/* Octets of the batch, 0 if nothing can go in. */
static size_t build(struct chain_node *m)
{
    const struct chain_mempool_tx *chosen[CHAIN_MAX_BATCH_TXS];
    struct chain_batch_view batch;
    int64_t parent_ns = chain_ledger_tip(m->ledger)->time_ns;
    batch.time_ns = m->now_ns > parent_ns ? m->now_ns : parent_ns + 1;
    batch.n_txs = choose(m, chosen);
    for (size_t i = 0; i < batch.n_txs; i++) {
        batch.txs[i].data = chosen[i]->octets;
        batch.txs[i].len = chosen[i]->len;
    }
    if (batch.n_txs == 0)
        return 0;
    long len = chain_batch_encode(&batch, m->proposal, m->cfg.genesis->max_batch_bytes);
    return len > 0 ? (size_t)len : 0;
}

bool node_propose(struct chain_node *m, struct chain_node_update *out)
{
    if (node_propose_at(m) > m->now_ns)
        return false;
    size_t len = build(m);
    if (len == 0) {
        m->propose_not_before_ns = m->now_ns + m->cfg.engine_heartbeat_ns;
        return false;
    }
    struct chain_engine_stats s;
    m->cfg.engine->stats(m->engine, &s);
    struct chain_event event = {.kind = CHAIN_EV_PROPOSE, .now_ns = m->now_ns};
    event.propose.batch = m->proposal;
    event.propose.len = len;
    node_engine_step(m, &event, out);
    if (m->engine_out.n_msgs + m->engine_out.n_records + m->engine_out.n_commits == 0) {
        m->propose_not_before_ns = m->now_ns + m->cfg.engine_heartbeat_ns;
        return false;
    }
    m->stats.proposed++;
    m->proposed_height = node_tip(m) + 1;
    m->proposed_view = s.view;
    return true;
}
