/* Transactions: our own, clients', and those of other members. */
#include "chain/node_internal.h"

#include <errno.h>
#include <string.h>

static int chain_tx_first(const uint8_t *body, size_t len, struct chain_op *out)
{
    struct chain_tx_reader r;
    return chain_tx_count(body, len) > 0 && chain_tx_begin(&r, body, len) > 0 ? chain_tx_next(&r, out) : -EBADMSG;
}

/* Consecutive within a run, so that any order of execution stays inside the ledger's replay window; above every nonce of a run
 * before, whose last ones may never have reached a block. */
static uint64_t next_nonce(const struct chain_node *m)
{
    uint64_t by_clock = m->now_ns > 0 ? (uint64_t)m->now_ns / 1000 : 1;
    if (m->nonce_used)
        return m->last_nonce + 1;
    return by_clock > m->last_nonce ? by_clock : m->last_nonce + 1;
}

/* Whom to tell: all, as every PBFT member watches its primary; a known Raft leader alone otherwise. The leader itself needs to
 * tell nobody, since its next proposal does. */
static void tell(struct chain_node *m, const struct chain_mempool_tx *tx)
{
    struct chain_engine_stats s;
    m->cfg.engine->stats(m->engine, &s);
    if (s.is_leader)
        return;
    bool to_leader = !m->cfg.engine->byzantine && s.leader < m->members->n;
    node_put_octets(m, tx->octets, tx->len, to_leader ? s.leader : CHAIN_TO_ALL, CHAIN_URGENT_GOSSIP, 0);
}

static void keep_saying(struct chain_node *m, struct chain_mempool_tx *tx)
{
    tx->own = true;
    tx->gossip_wait_ns = m->cfg.gossip_ns;
    tx->gossip_at_ns = m->now_ns + node_jitter(m, NODE_JITTER_GOSSIP, tx->gossip_wait_ns);
    if (tx->gossip_at_ns < m->gossip_due_ns)
        m->gossip_due_ns = tx->gossip_at_ns;
    tell(m, tx);
}

/* A transaction whose signature we answer for. chain_response or negative errno. */
static int add_own(struct chain_node *m, const struct chain_msg *msg, enum chain_op_kind op, const uint8_t *octets, size_t len)
{
    int code = chain_ledger_check_tx(m->ledger, msg);
    if (code != CHAIN_SUCCESS)
        return code;
    struct chain_mempool_tx *tx;
    int rc = chain_mempool_add(m->pool, msg, op, octets, len, m->now_ns, &tx);
    if (rc == -ENOBUFS)
        m->stats.mempool_full++;
    if (rc != 0)
        return rc;
    keep_saying(m, tx);
    return CHAIN_SUCCESS;
}

void node_submit_body(struct chain_node *m, const uint8_t *body, size_t len, struct chain_node_update *out)
{
    uint8_t octets[CHAIN_MAX_TX_BYTES];
    struct chain_op first;
    int n = chain_tx_count(body, len);
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = m->cfg.self, .seq = next_nonce(m), .body = body, .body_len = len};
    if (n <= 0 || chain_tx_first(body, len, &first) != 0) {
        out->submit_result = -EBADMSG;
        return;
    }
    if (chain_msg_digest(m->members, msg.kind, msg.body, msg.body_len, &msg.digest) != 0 ||
        m->signer.sign(m->signer.ctx, m->members, &msg) != 0) {
        out->submit_result = -EINVAL;
        return;
    }
    long octets_len = chain_msg_encode(m->members, &msg, octets, sizeof(octets));
    if (octets_len < 0 || chain_msg_decode(m->members, octets, (size_t)octets_len, &msg, NULL) != 0) {
        out->submit_result = -EINVAL;
        return;
    }
    out->submit_result = add_own(m, &msg, first.kind, octets, (size_t)octets_len);
    if (out->submit_result == CHAIN_SUCCESS) {
        m->last_nonce = msg.seq + (uint64_t)n - 1;
        m->nonce_used = true;
        out->submitted_nonce = msg.seq;
    }
}

void node_submit(struct chain_node *m, const struct chain_op *op, struct chain_node_update *out)
{
    uint8_t body[CHAIN_MAX_OP_BYTES + 1];
    long len = chain_tx_encode(op, 1, body, sizeof(body));
    if (len < 0)
        out->submit_result = (int)len;
    else
        node_submit_body(m, body, (size_t)len, out);
}

int node_submit_tx(struct chain_node *m, const uint8_t *data, size_t len)
{
    struct chain_msg msg;
    struct chain_op op;
    size_t consumed;
    int rc = chain_msg_decode(m->members, data, len, &msg, &consumed);
    if (rc == -ESTALE) {
        m->stats.refused_epoch++;
        return rc;
    }
    if (rc != 0 || consumed != len || msg.kind != CHAIN_MSG_TX || chain_tx_first(msg.body, msg.body_len, &op) != 0) {
        m->stats.refused_malformed++;
        return -EBADMSG;
    }
    rc = chain_mempool_admits(m->pool, &msg, op.kind);
    if (rc == -ENOBUFS)
        m->stats.mempool_full++;
    if (rc != 0)
        return rc;
    if (!node_verify(m, &msg))
        return -EBADMSG;
    return add_own(m, &msg, op.kind, data, len);
}

void node_take_tx(struct chain_node *m, const struct node_inbox_entry *entry)
{
    const struct chain_msg *msg = &entry->msg;
    struct chain_op op;
    if (msg->view != 0 || chain_tx_first(msg->body, msg->body_len, &op) != 0) {
        m->stats.refused_malformed++;
        return;
    }
    int code = chain_ledger_check_tx(m->ledger, msg);
    int rc = code == -EALREADY ? code : chain_mempool_admits(m->pool, msg, op.kind);
    if (rc == -EALREADY)
        m->stats.duplicates++;
    else if (rc == -ENOBUFS)
        m->stats.mempool_full++;
    else if (rc != 0)
        m->stats.refused_conflict++;
    if (rc != 0 || !node_verify(m, msg))
        return;
    struct chain_mempool_tx *tx;
    if (chain_mempool_add(m->pool, msg, op.kind, entry->octets, entry->len, m->now_ns, &tx) != 0) {
        m->stats.refused_malformed++;
        return;
    }
    tx->executable = code == CHAIN_SUCCESS; /* its turn may come with a block that we do not have yet */
}

void node_gossip_timer(struct chain_node *m)
{
    if (m->now_ns < m->gossip_due_ns)
        return;
    m->gossip_due_ns = INT64_MAX;
    for (size_t i = 0; i < chain_mempool_size(m->pool); i++) {
        struct chain_mempool_tx *tx = chain_mempool_at(m->pool, i);
        if (!tx->own)
            continue;
        if (tx->gossip_at_ns <= m->now_ns) {
            node_put_octets(m, tx->octets, tx->len, CHAIN_TO_ALL, CHAIN_URGENT_GOSSIP, 0);
            if (tx->gossip_wait_ns < 4 * m->cfg.gossip_ns)
                tx->gossip_wait_ns *= 2;
            tx->gossip_at_ns = m->now_ns + node_jitter(m, NODE_JITTER_GOSSIP, tx->gossip_wait_ns);
        }
        if (tx->gossip_at_ns < m->gossip_due_ns)
            m->gossip_due_ns = tx->gossip_at_ns;
    }
}
