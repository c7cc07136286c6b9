/* Header votes: each member signs the header that execution gave it; enough of them are a block's certificate. */
#include "chain/node_internal.h"

#include <string.h>

static const int64_t VOTE_WAIT_NS = 12000000; /* where the configuration names none; 15 ms at most with the jitter */

static bool same_hash(const struct chain_hash *a, const struct chain_hash *b)
{
    return memcmp(a->octets, b->octets, CHAIN_HASH_BYTES) == 0;
}

static bool is_open(const struct chain_node *m, uint64_t height)
{
    return height > m->certified && height - m->certified <= CHAIN_NODE_MAX_OPEN;
}

static const struct node_votes *row_of(const struct chain_node *m, uint64_t height)
{
    const struct node_votes *row = &m->votes[height % CHAIN_NODE_MAX_OPEN];
    return row->height == height ? row : NULL;
}

/* A height for which nobody voted has none, whatever its octets are. */
void node_clear_votes(struct chain_node *m)
{
    for (size_t i = 0; i < CHAIN_NODE_MAX_OPEN; i++) {
        m->votes[i].height = 0;
        m->votes[i].have = 0;
    }
}

bool node_has_vote(const struct chain_node *m, uint32_t member, uint64_t height, const struct chain_hash *hash)
{
    const struct node_votes *row = row_of(m, height);
    return row && (row->have >> member & 1) && same_hash(&row->hash[member], hash);
}

/* A convict's too: it is one of the f that a quorum allows for, and who had certified before it heard of the conviction repeats no vote. */
uint32_t node_count_votes(const struct chain_node *m, uint64_t height, const struct chain_hash *hash)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->members->n; i++)
        n += node_has_vote(m, i, height, hash);
    return n;
}

void node_note_reported(struct chain_node *m, uint32_t key, uint64_t height)
{
    if (height > m->reported[key])
        m->reported[key] = height;
    if (key != m->cfg.self && height > m->reported_top)
        m->reported_top = height;
}

void node_add_vote(struct chain_node *m, uint32_t member, uint64_t height, const struct chain_hash *hash,
                   const uint8_t sig[CHAIN_SIG_BYTES])
{
    uint32_t key = m->members->seats[member];
    node_note_reported(m, key, height);
    if (!is_open(m, height))
        return;
    struct node_votes *row = &m->votes[height % CHAIN_NODE_MAX_OPEN];
    if (row->height != height) {
        row->height = height;
        row->have = 0;
    }
    const struct node_block *block = node_find_block(m, height);
    bool deviates = block && !same_hash(hash, &block->hash);
    /* who says two things counts for what we executed: others may have built a certificate on it */
    if ((row->have >> member & 1) && (!block || deviates))
        return;
    row->have |= UINT32_C(1) << member;
    row->hash[member] = *hash;
    memcpy(row->sig[member], sig, CHAIN_SIG_BYTES);
    m->stats.deviating_votes += deviates;
}

void node_judge_votes(struct chain_node *m, const struct node_block *block)
{
    const struct node_votes *row = row_of(m, block->height);
    for (uint32_t i = 0; row && i < m->members->n; i++)
        m->stats.deviating_votes += (row->have >> i & 1) && !same_hash(&row->hash[i], &block->hash);
}

/* For heights below the open ones only the header we know to be certified counts. */
static void take_old_vote(struct chain_node *m, const struct chain_msg *msg)
{
    const struct node_block *block = node_find_block(m, msg->seq);
    if (!block)
        m->stats.refused_stale++;
    else if (same_hash(&block->hash, &msg->digest))
        m->stats.duplicates++;
    else if (node_verify(m, msg))
        m->stats.deviating_votes++;
}

/* One more than the certificate needs, for the same header: now and then one is looked at, so that it is known how far its author has come. */
static bool is_surplus(const struct chain_node *m, const struct chain_msg *msg)
{
    enum { UNHEARD_BLOCKS = 16 };
    const struct node_block *block = &m->blocks[msg->seq % CHAIN_NODE_RING];
    return block->height == msg->seq && same_hash(&block->hash, &msg->digest) && msg->seq < m->reported[m->members->seats[msg->author]] + UNHEARD_BLOCKS &&
           node_count_votes(m, msg->seq, &block->hash) >= m->quorum;
}

void node_take_vote(struct chain_node *m, const struct chain_msg *msg)
{
    if (msg->body_len > 0 || msg->view != 0 || msg->seq == 0) {
        m->stats.refused_malformed++;
        return;
    }
    if (msg->seq <= m->certified) {
        take_old_vote(m, msg);
        return;
    }
    const struct node_votes *row = row_of(m, msg->seq);
    bool known = row && (row->have >> msg->author & 1);
    if (known ? same_hash(&row->hash[msg->author], &msg->digest)
              : !is_open(m, msg->seq) && msg->seq <= m->reported[m->members->seats[msg->author]]) {
        m->stats.duplicates++;
        return;
    }
    if (is_surplus(m, msg)) {
        m->stats.duplicates++;
        return;
    }
    if (!node_verify(m, msg))
        return;
    if (known) { /* two headers at one height: only a liar signs both */
        struct chain_equivocation proof = {.kind = msg->kind, .epoch = m->members->epoch, .author = msg->author, .seq = msg->seq};
        proof.digest[0] = row->hash[msg->author];
        proof.digest[1] = msg->digest;
        memcpy(proof.sig[0], row->sig[msg->author], CHAIN_SIG_BYTES);
        memcpy(proof.sig[1], msg->sig, CHAIN_SIG_BYTES);
        m->stats.refused_conflict++;
        node_accuse(m, &proof);
    }
    node_add_vote(m, msg->author, msg->seq, &msg->digest, msg->sig);
}

static const uint8_t *own_vote(struct chain_node *m, struct node_block *block)
{
    if (m->seat == CHAIN_MAX_MEMBERS)
        return NULL;
    if (!block->signed_by_us || block->signed_epoch != m->members->epoch) {
        struct chain_msg msg = {
            .kind = CHAIN_MSG_HEADER_VOTE, .author = m->seat, .seq = block->height, .digest = block->hash};
        if (m->signer.sign(m->signer.ctx, m->members, &msg) != 0)
            return NULL;
        memcpy(block->own_sig, msg.sig, CHAIN_SIG_BYTES);
        block->signed_by_us = true;
        block->signed_epoch = m->members->epoch;
    }
    return block->own_sig;
}

void node_vote_for(struct chain_node *m, struct node_block *block)
{
    if (m->seat != CHAIN_MAX_MEMBERS)
        node_add_vote(m, m->seat, block->height, &block->hash, block->own_sig);
}

static bool is_disk_awaited(const struct chain_node *m)
{
    return m->hurried_seq > m->persisted_seq;
}

void node_put_vote_aside(struct chain_node *m, const struct chain_msg *msg)
{
    bool aside = m->n_late < NODE_LATE_VOTES && msg->body_len == 0; /* a body is the inbox's */
    if (aside)
        m->late[m->n_late++] = *msg;
    else
        node_take_vote(m, msg);
}

bool node_has_late_work(const struct chain_node *m)
{
    return !is_disk_awaited(m) && !node_outbox_ready(m) && (m->n_late > 0 || m->sign_next <= node_tip(m));
}

bool node_do_late_work(struct chain_node *m)
{
    if (!node_has_late_work(m))
        return false;
    if (m->sign_next <= node_tip(m)) {
        struct node_block *block = m->sign_next > m->certified ? node_find_block(m, m->sign_next) : NULL;
        m->sign_next++;
        if (block)
            own_vote(m, block);
        return true;
    }
    struct chain_msg msg = m->late[0];
    memmove(m->late, m->late + 1, --m->n_late * sizeof(m->late[0]));
    node_take_vote(m, &msg);
    return true;
}

void node_gather_cert(struct chain_node *m, struct node_block *block, struct chain_certificate *out)
{
    memset(out, 0, sizeof(*out));
    const uint8_t *own = own_vote(m, block);
    const struct node_votes *row = row_of(m, block->height);
    for (uint32_t i = 0; i < m->members->n; i++) {
        if (!node_has_vote(m, i, block->height, &block->hash))
            continue;
        const uint8_t *sig = i == m->seat ? own : row->sig[i];
        if (!sig)
            continue;
        out->signers |= UINT64_C(1) << i;
        memcpy(out->sigs[i], sig, CHAIN_SIG_BYTES);
    }
}

void node_set_cert(struct node_block *block, const struct chain_certificate *cert)
{
    block->n_signers = 0;
    for (uint64_t bits = cert->signers; bits != 0; bits &= bits - 1)
        block->n_signers++;
    block->cert_len = (size_t)chain_certificate_encode(cert, block->cert, sizeof(block->cert));
}

/* Enough members for another header than ours: one of us is broken, and it may be us. */
static bool is_outvoted(const struct chain_node *m, const struct node_block *block)
{
    const struct node_votes *row = row_of(m, block->height);
    for (uint32_t i = 0; row && i < m->members->n; i++)
        if ((row->have >> i & 1) && !same_hash(&row->hash[i], &block->hash) &&
            node_count_votes(m, block->height, &row->hash[i]) >= m->quorum)
            return true;
    return false;
}

void node_check_fork(struct chain_node *m)
{
    const struct node_block *block = node_find_block(m, m->certified + 1);
    if (block && is_outvoted(m, block))
        node_fail(m, block->height);
}

/* The certificate joins the block's row if that is in this update too. */
static void put_row(const struct node_block *block, struct chain_node_update *out)
{
    struct chain_node_block *row = out->n_blocks > 0 ? &out->blocks[out->n_blocks - 1] : NULL;
    if (!row || row->height != block->height) {
        row = &out->blocks[out->n_blocks++];
        *row = (struct chain_node_block){.height = block->height};
    }
    row->cert = block->cert;
    row->cert_len = block->cert_len;
    row->n_signers = block->n_signers;
}

static bool is_complete(const struct chain_node *m, const struct node_block *block)
{
    return block->height == m->certified + 1 && node_count_votes(m, block->height, &block->hash) >= m->quorum;
}

void node_certify(struct chain_node *m, struct chain_node_update *out)
{
    struct node_block *block;
    while (out->n_blocks < CHAIN_NODE_MAX_BLOCKS && (block = node_find_block(m, m->certified + 1)) != NULL) {
        if (!is_complete(m, block))
            return;
        struct chain_certificate cert;
        node_gather_cert(m, block, &cert);
        node_set_cert(block, &cert);
        m->certified = block->height;
        m->tell_stable = block->height;
        put_row(block, out);
    }
}

bool node_certify_waits(const struct chain_node *m)
{
    const struct node_block *block = &m->blocks[(m->certified + 1) % CHAIN_NODE_RING];
    return block->height == m->certified + 1 && is_complete(m, block);
}

/* A vote for a block that may be lost with the next crash is not cast. */
static bool is_on_disk(const struct chain_node *m, const struct node_block *block)
{
    return block->persist_seq <= m->persisted_seq;
}

/* Memory holds no block of a tip that came by a snapshot, after a restart too. Whoever is behind has to hear of it all the same, or it would ask
 * nobody while nothing new is committed. */
static void put_status_of_snapshot(struct chain_node *m, enum chain_node_urgency urgency)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_HEADER_VOTE, .author = m->seat, .seq = node_tip(m)};
    chain_header_hash(chain_ledger_tip(m->ledger), &msg.digest);
    if (m->seat != CHAIN_MAX_MEMBERS && m->signer.sign(m->signer.ctx, m->members, &msg) == 0)
        node_put(m, &msg, CHAIN_TO_ALL, urgency, m->persist_seq);
}

void node_put_votes(struct chain_node *m, enum chain_node_urgency urgency)
{
    uint64_t tip = node_tip(m), height = m->vote_next;
    if (m->status_due_ns <= m->now_ns) {
        uint64_t again = m->certified < tip ? m->certified + 1 : tip;
        height = again < height ? again : height;
        m->status_due_ns = m->now_ns + node_jitter(m, NODE_JITTER_STATUS, m->cfg.status_ns);
    }
    for (uint32_t n = 0; n < NODE_STATUS_VOTES && height <= tip; n++, height++) {
        struct node_block *block = node_find_block(m, height);
        if (!block && height == tip && tip > 0)
            put_status_of_snapshot(m, urgency);
        if (!block)
            continue;
        if (!is_on_disk(m, block))
            break;
        struct chain_msg msg = {.kind = CHAIN_MSG_HEADER_VOTE, .author = m->seat, .seq = height, .digest = block->hash};
        const uint8_t *sig = own_vote(m, block);
        if (!sig)
            break;
        memcpy(msg.sig, sig, CHAIN_SIG_BYTES);
        node_put(m, &msg, CHAIN_TO_ALL, urgency, 0);
        if (height == tip)
            m->status_due_ns = m->now_ns + node_jitter(m, NODE_JITTER_STATUS, m->cfg.status_ns);
    }
    if (height > m->vote_next)
        m->vote_next = height;
    m->vote_due_ns = INT64_MAX;
    node_vote_timers(m);
}

static bool has_nobody_to_tell(const struct chain_node *m)
{
    return m->seat == CHAIN_MAX_MEMBERS || (m->members->n == 1 && m->members->n_keys == 1);
}

void node_vote_timers(struct chain_node *m)
{
    if (m->vote_due_ns <= m->now_ns || has_nobody_to_tell(m))
        return;
    /* half a window of blocks waits for these votes: the other half is what proposers have left until they come */
    uint64_t many = m->vote_next + CHAIN_WINDOW / 2 - 1;
    const struct node_block *latest = many <= node_tip(m) ? node_find_block(m, many) : NULL;
    if (latest && is_on_disk(m, latest))
        m->vote_due_ns = m->now_ns;
    if (m->vote_due_ns != INT64_MAX)
        return;
    const struct node_block *block = node_find_block(m, m->vote_next);
    if (m->vote_next <= node_tip(m) && block && is_on_disk(m, block))
        m->vote_due_ns = m->now_ns + node_jitter(m, NODE_JITTER_VOTE, m->cfg.vote_wait_ns > 0 ? m->cfg.vote_wait_ns : VOTE_WAIT_NS);
}

int64_t node_vote_deadline(const struct chain_node *m)
{
    bool later = m->waiting_since_ns != INT64_MAX && m->status_due_ns != INT64_MAX;
    int64_t status_ns = later ? m->status_due_ns + NODE_PATIENCE * m->cfg.status_ns : m->status_due_ns;
    return m->vote_due_ns < status_ns ? m->vote_due_ns : status_ns;
}
