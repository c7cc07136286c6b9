/* Transactions: our own, clients', and those of other members. */
#include "chain/node_internal.h"

#include <errno.h>
#include <string.h>

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
static void tell(struct chain_node *m, const uint8_t *octets, size_t len)
{
    struct chain_engine_stats s;
    node_engine_stats(m, &s);
    if (s.is_leader)
        return;
    bool to_leader = !m->cfg.engine->byzantine && s.leader < m->members->n;
    node_put_octets(m, octets, len, to_leader ? m->members->seats[s.leader] : CHAIN_TO_ALL, CHAIN_URGENT_GOSSIP, 0);
}

/* A transaction whose signature we answer for. chain_response or negative errno. */
static int add_own(struct chain_node *m, const struct chain_msg *msg, const uint8_t *octets, size_t len)
{
    int code = chain_ledger_check_tx(m->ledger, msg);
    if (code != CHAIN_SUCCESS)
        return code;
    enum chain_mempool_class class;
    int n = chain_mempool_classify(msg->body, msg->body_len, &class);
    if (n < 0)
        return -EBADMSG;
    struct chain_mempool_tx *tx;
    int rc = chain_mempool_add(m->pool, msg, class, (uint32_t)n, octets, len, true, m->now_ns, &tx);
    if (rc == -ENOBUFS)
        m->stats.mempool_full++;
    if (rc != 0)
        return rc;
    tx->gossip_wait_ns = m->cfg.gossip_ns;
    tx->gossip_at_ns = m->now_ns + node_jitter(m, NODE_JITTER_GOSSIP, tx->gossip_wait_ns);
    if (tx->gossip_at_ns < m->gossip_due_ns)
        m->gossip_due_ns = tx->gossip_at_ns;
    tell(m, octets, len);
    return CHAIN_SUCCESS;
}

/* Signs a body and adds it. */
static int submit_body(struct chain_node *m, const uint8_t *body, size_t len, uint64_t *nonce_out)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = m->cfg.self, .seq = next_nonce(m), .body = body, .body_len = len};
    int n = chain_tx_count(body, len);
    if (n < 0 || chain_msg_digest(m->members, msg.kind, body, len, &msg.digest) != 0)
        return -EBADMSG;
    if (m->signer.sign(m->signer.ctx, m->members, &msg) != 0)
        return -EINVAL;
    long n_octets = chain_msg_encode(m->members, &msg, m->scratch, CHAIN_MAX_TX_BYTES);
    if (n_octets < 0)
        return -EMSGSIZE;
    int rc = add_own(m, &msg, m->scratch, (size_t)n_octets);
    if (rc == CHAIN_SUCCESS) {
        *nonce_out = msg.seq;
        m->last_nonce = msg.seq + (uint64_t)n - 1;
        m->nonce_used = true;
    }
    return rc;
}

void node_submit(struct chain_node *m, const struct chain_op *op, struct chain_node_update *out)
{
    uint8_t body[CHAIN_MAX_OP_BYTES + 1];
    long len = chain_tx_encode(op, 1, body, sizeof(body));
    out->submit_result = len < 0 ? (int)len : submit_body(m, body, (size_t)len, &out->submitted_nonce);
}

void node_submit_body(struct chain_node *m, const uint8_t *body, size_t len, struct chain_node_update *out)
{
    out->submit_result = submit_body(m, body, len, &out->submitted_nonce);
}

void node_accuse(struct chain_node *m, const struct chain_equivocation *proof)
{
    uint8_t body[CHAIN_MAX_OP_BYTES + 1];
    struct chain_op op = {.kind = CHAIN_OP_EQUIVOCATION, .equivocation = *proof};
    uint32_t seat = UINT32_C(1) << proof->author;
    uint64_t nonce;
    if (proof->epoch != m->members->epoch || ((m->accused | m->convicted) & seat))
        return;
    long len = chain_tx_encode(&op, 1, body, sizeof(body));
    if (len > 0 && submit_body(m, body, (size_t)len, &nonce) == CHAIN_SUCCESS) {
        m->accused |= seat;
        m->stats.accusations++;
    }
}

int node_submit_tx(struct chain_node *m, const struct chain_node_event *in)
{
    const uint8_t *data = in->bytes.data;
    size_t len = in->bytes.len;
    struct chain_msg msg;
    size_t consumed = len;
    enum chain_mempool_class class;
    int rc = 0;
    if (in->bytes.tx)
        msg = *in->bytes.tx;
    else
        rc = chain_msg_decode(m->members, data, len, &msg, &consumed);
    int n = rc == 0 && consumed == len && msg.kind == CHAIN_MSG_TX && msg.view == 0 ? chain_mempool_classify(msg.body, msg.body_len, &class) : -1;
    if (n < 0) {
        m->stats.refused_malformed++;
        return -EBADMSG;
    }
    rc = chain_mempool_admits(m->pool, &msg, class, (uint32_t)n, len);
    if (rc == -ENOBUFS)
        m->stats.mempool_full++;
    if (rc != 0)
        return rc;
    if (in->bytes.proven)
        node_note_verified(m, &msg);
    else if (!node_verify(m, &msg))
        return -EBADMSG;
    return add_own(m, &msg, data, len);
}

/* Why a transaction of another member is not taken, counted. */
static bool refuse_tx(struct chain_node *m, int rc)
{
    if (rc == -EALREADY)
        m->stats.duplicates++;
    else if (rc == -ENOBUFS)
        m->stats.mempool_full++;
    else if (rc == -EEXIST)
        m->stats.refused_conflict++;
    else if (rc != 0)
        m->stats.refused_malformed++;
    return rc != 0;
}

void node_take_tx(struct chain_node *m, const struct node_inbox_entry *entry)
{
    const struct chain_msg *msg = &entry->msg;
    enum chain_mempool_class class;
    int n = msg->view == 0 ? chain_mempool_classify(msg->body, msg->body_len, &class) : -EBADMSG;
    if (n < 0) {
        refuse_tx(m, n);
        return;
    }
    int rc = chain_ledger_check_tx(m->ledger, msg);
    if (rc == CHAIN_SUCCESS)
        rc = chain_mempool_admits(m->pool, msg, class, (uint32_t)n, entry->len);
    if (refuse_tx(m, rc) || !node_verify(m, msg))
        return;
    refuse_tx(m, chain_mempool_add(m->pool, msg, class, (uint32_t)n, entry->octets, entry->len, false, m->now_ns, NULL));
}

/* What waits for the medium is not said once more so soon. */
int64_t node_gossip_deadline(const struct chain_node *m)
{
    bool later = m->gossip_waits && m->gossip_due_ns != INT64_MAX;
    return later ? m->gossip_due_ns + NODE_PATIENCE * m->cfg.gossip_ns : m->gossip_due_ns;
}

void node_gossip_timer(struct chain_node *m)
{
    if (m->now_ns < node_gossip_deadline(m))
        return;
    m->gossip_due_ns = INT64_MAX;
    struct chain_engine_stats s;
    node_engine_stats(m, &s);
    for (struct chain_mempool_tx *tx = chain_mempool_first_own(m->pool); tx; tx = chain_mempool_next_own(m->pool, tx)) {
        if (tx->gossip_at_ns <= m->now_ns) {
            if (m->cfg.engine->byzantine || !s.is_leader) {
                chain_mempool_copy(m->pool, tx, m->scratch);
                node_put_octets(m, m->scratch, tx->len, CHAIN_TO_ALL, CHAIN_URGENT_GOSSIP, 0);
            }
            if (tx->gossip_wait_ns < 4 * m->cfg.gossip_ns)
                tx->gossip_wait_ns *= 2;
            tx->gossip_at_ns = m->now_ns + node_jitter(m, NODE_JITTER_GOSSIP, tx->gossip_wait_ns);
        }
        if (tx->gossip_at_ns < m->gossip_due_ns)
            m->gossip_due_ns = tx->gossip_at_ns;
    }
}
