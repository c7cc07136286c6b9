/* The three phases of one height: PRE-PREPARE, PREPARE, COMMIT. */
#include <errno.h>
#include <string.h>

#include "chain/pbft.h"

static bool holds_proposal(const struct pbft *m, const struct pbft_slot *slot)
{
    return slot && slot->have_prop && slot->prop_view == m->view;
}

bool chain_pbft_may_propose(const struct pbft *m)
{
    uint64_t height = m->committed + 1;
    const struct pbft_slot *slot = &m->slots[height % PBFT_SLOTS];
    if (!m->active || chain_pbft_primary(m, m->view) != m->self || m->committed < m->choice.low)
        return false;
    if (chain_pbft_required(m, height) || height > m->stable + CHAIN_WINDOW)
        return false;
    return !(slot->height == height && holds_proposal(m, slot));
}

static void store_vote(struct pbft_vote *vote, const struct chain_msg *msg)
{
    vote->have = true;
    vote->view = msg->view;
    vote->digest = msg->digest;
    memcpy(vote->sig, msg->sig, sizeof vote->sig);
}

static struct chain_msg make_vote(const struct pbft *m, const struct pbft_slot *slot, uint8_t kind)
{
    return (struct chain_msg){.kind = kind, .view = m->view, .seq = slot->height, .digest = slot->prop_digest};
}

static bool vote_matches(const struct pbft_vote *vote, uint64_t view, const struct chain_hash *digest)
{
    return vote->have && vote->view == view && chain_pbft_same(&vote->digest, digest);
}

static void add_sig(struct pbft_cert *cert, uint32_t author, uint8_t kind, const uint8_t *sig)
{
    cert->sigs[cert->n].author = (uint8_t)author;
    cert->sigs[cert->n].kind = kind;
    memcpy(cert->sigs[cert->n].sig, sig, CHAIN_SIG_BYTES);
    cert->n++;
}

/* The proposal is its author's PREPARE; a COMMIT stands for one too, unless votes are strict. */
static void collect_prepares(const struct pbft *m, const struct pbft_slot *slot, struct pbft_cert *cert)
{
    for (uint32_t i = 0; i < m->n && cert->n < m->quorum; i++) {
        if (i == chain_pbft_primary(m, m->view))
            add_sig(cert, i, CHAIN_MSG_PBFT_PRE_PREPARE, slot->prop_sig);
        else if (vote_matches(&slot->prepares[i], m->view, &slot->prop_digest))
            add_sig(cert, i, CHAIN_MSG_PBFT_PREPARE, slot->prepares[i].sig);
        else if (!m->base.cfg.strict_votes && vote_matches(&slot->commits[i], m->view, &slot->prop_digest))
            add_sig(cert, i, CHAIN_MSG_PBFT_COMMIT, slot->commits[i].sig);
    }
}

static bool become_prepared(struct pbft *m, struct pbft_slot *slot)
{
    struct pbft_cert cert = {.have = true, .view = m->view, .height = slot->height, .digest = slot->prop_digest};
    collect_prepares(m, slot, &cert);
    if (cert.n < m->quorum)
        return false;
    slot->cert = cert;
    slot->cert_batch.len = slot->prop.len;
    memcpy(slot->cert_batch.octets, slot->prop.octets, slot->prop.len);
    chain_pbft_record_cert(m, slot);
    struct chain_msg commit = make_vote(m, slot, CHAIN_MSG_PBFT_COMMIT);
    chain_base_send(&m->base, &commit, CHAIN_TO_ALL, true);
    store_vote(&slot->commits[m->self], &commit);
    m->changed = true;
    return true;
}

static void send_pre_prepare(struct pbft *m, struct pbft_slot *slot)
{
    struct chain_msg msg = make_vote(m, slot, CHAIN_MSG_PBFT_PRE_PREPARE);
    msg.body = slot->prop.octets;
    msg.body_len = slot->prop.len;
    chain_base_send(&m->base, &msg, CHAIN_TO_ALL, true);
    memcpy(slot->prop_sig, msg.sig, sizeof msg.sig);
    slot->accepted = true;
    m->changed = true;
    chain_pbft_record_prop(m, slot);
    become_prepared(m, slot);
}

int chain_pbft_on_propose(struct pbft *m, const uint8_t *batch, size_t len)
{
    struct chain_hash digest;
    if (!chain_pbft_may_propose(m))
        return -EAGAIN;
    if (len > CHAIN_MAX_BATCH_BYTES
        || chain_msg_digest(m->base.cfg.members, CHAIN_MSG_PBFT_PRE_PREPARE, batch, len, &digest) != 0
        || m->base.cfg.check_batch(m->base.cfg.check_ctx, m->committed + 1, batch, len, m->base.now_ns) != 0) {
        m->base.stats.refused_batch++;
        return -EBADMSG;
    }
    struct pbft_slot *slot = chain_pbft_open_slot(m, m->committed + 1);
    chain_pbft_store_prop(slot, m->view, &digest, batch, len);
    send_pre_prepare(m, slot);
    return 0;
}

/* A new primary proposes again what may have been committed, as soon as it holds the batch. */
static void propose_required(struct pbft *m)
{
    uint64_t height = m->committed + 1;
    const struct chain_hash *digest = chain_pbft_required(m, height);
    if (!digest || chain_pbft_primary(m, m->view) != m->self)
        return;
    struct pbft_slot *slot = chain_pbft_open_slot(m, height);
    const struct pbft_batch *batch = chain_pbft_batch(slot, digest);
    if (!batch || holds_proposal(m, slot))
        return;
    struct chain_hash copy = *digest;
    chain_pbft_store_prop(slot, m->view, &copy, batch->octets, batch->len);
    send_pre_prepare(m, slot);
}

/* A quorum prepared what is required, so an honest member has judged it on this very tip: only a fresh batch is judged here. */
static bool find_acceptable(struct pbft *m, struct pbft_slot *slot)
{
    const struct chain_hash *required = chain_pbft_required(m, slot->height);
    if (required) {
        slot->refused = !chain_pbft_same(required, &slot->prop_digest);
        m->base.stats.refused_batch += slot->refused;
        return !slot->refused;
    }
    if (m->committed < m->choice.low)
        return false;
    int rc = m->base.cfg.check_batch(m->base.cfg.check_ctx, slot->height, slot->prop.octets, slot->prop.len, m->base.now_ns);
    if (rc != 0 && rc != -EAGAIN) {
        slot->refused = true;
        m->base.stats.refused_batch++;
    }
    return rc == 0;
}

static void accept_proposal(struct pbft *m, struct pbft_slot *slot)
{
    if (!holds_proposal(m, slot) || slot->accepted || slot->refused || !find_acceptable(m, slot))
        return;
    slot->accepted = true;
    m->changed = true;
    chain_pbft_record_prop(m, slot);
    struct chain_msg prepare = make_vote(m, slot, CHAIN_MSG_PBFT_PREPARE);
    chain_base_sign(&m->base, &prepare);
    store_vote(&slot->prepares[m->self], &prepare);
    if (m->base.cfg.strict_votes || !become_prepared(m, slot))
        chain_base_relay(&m->base, &prepare, CHAIN_TO_ALL, true);
}

void chain_pbft_advance(struct pbft *m)
{
    /* check_batch judges on the node's tip, which follows our commits only after this step */
    if (!m->active || m->committed_now)
        return;
    propose_required(m);
    struct pbft_slot *slot = chain_pbft_slot(m, m->committed + 1);
    if (!slot)
        return;
    accept_proposal(m, slot);
    if (slot->accepted && slot->prop_view == m->view && !chain_pbft_prepared(m, slot))
        become_prepared(m, slot);
}

/* A batch that has to be proposed again may come with a proposal of an older view. */
static int take_old_proposal(struct pbft *m, const struct chain_msg *msg)
{
    const struct chain_hash *digest = chain_pbft_required(m, msg->seq);
    if (digest && chain_pbft_same(digest, &msg->digest)) {
        struct pbft_slot *slot = chain_pbft_open_slot(m, msg->seq);
        if (!chain_pbft_batch(slot, digest) && !holds_proposal(m, slot))
            chain_pbft_store_prop(slot, msg->view, &msg->digest, msg->body, msg->body_len);
        return 0;
    }
    m->base.stats.refused_stale++;
    return -EBADMSG;
}

static int check_pre_prepare(struct pbft *m, const struct chain_msg *msg)
{
    if (msg->author != chain_pbft_primary(m, msg->view) || msg->body_len > CHAIN_MAX_BATCH_BYTES) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    if (msg->seq <= m->committed || msg->view > m->view) {
        m->base.stats.refused_stale++;
        return -EBADMSG;
    }
    if (!chain_pbft_in_window(m, msg->seq)) {
        m->base.stats.refused_window++;
        return -EBADMSG;
    }
    return 0;
}

int chain_pbft_on_pre_prepare(struct pbft *m, const struct chain_msg *msg)
{
    int rc = check_pre_prepare(m, msg);
    if (rc != 0)
        return rc;
    if (msg->view < m->view)
        return take_old_proposal(m, msg);
    struct pbft_slot *slot = chain_pbft_open_slot(m, msg->seq);
    if (holds_proposal(m, slot)) {
        if (chain_pbft_same(&slot->prop_digest, &msg->digest))
            return 0;
        m->base.stats.equivocations++;
        return -EBADMSG;
    }
    const struct chain_hash *required = m->active ? chain_pbft_required(m, msg->seq) : NULL;
    if (required && !chain_pbft_same(required, &msg->digest)) {
        m->base.stats.refused_batch++;
        return -EBADMSG;
    }
    chain_pbft_store_prop(slot, msg->view, &msg->digest, msg->body, msg->body_len);
    memcpy(slot->prop_sig, msg->sig, sizeof slot->prop_sig);
    return 0;
}

int chain_pbft_on_vote(struct pbft *m, const struct chain_msg *msg)
{
    if (msg->body_len > 0) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    if (!chain_pbft_in_window(m, msg->seq)) {
        if (msg->seq <= m->committed)
            return 0; /* the votes beyond a quorum come after the commit */
        m->base.stats.refused_window++;
        return -EBADMSG;
    }
    struct pbft_slot *slot = chain_pbft_open_slot(m, msg->seq);
    struct pbft_vote *vote = msg->kind == CHAIN_MSG_PBFT_COMMIT ? &slot->commits[msg->author] : &slot->prepares[msg->author];
    if (vote->have && msg->view < vote->view) {
        m->base.stats.refused_stale++;
        return -EBADMSG;
    }
    if (vote->have && msg->view == vote->view) {
        if (chain_pbft_same(&vote->digest, &msg->digest))
            return 0;
        m->base.stats.equivocations++;
        return -EBADMSG;
    }
    store_vote(vote, msg);
    return 0;
}
