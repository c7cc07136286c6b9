/* Repair on a medium that loses frames: own latest messages again on a timer, one member asked for what is missing, one answer. */
#include <errno.h>
#include <string.h>

#include "chain/pbft.h"

enum { MAX_PROOFS = 4 }; /* heights an answer covers */

void chain_pbft_note_peer(struct pbft *m, const struct chain_msg *msg)
{
    struct pbft_peer *peer = &m->peers[msg->author];
    bool votes = msg->kind == CHAIN_MSG_PBFT_PRE_PREPARE || msg->kind == CHAIN_MSG_PBFT_PREPARE || msg->kind == CHAIN_MSG_PBFT_COMMIT;
    uint64_t height = msg->kind == CHAIN_MSG_PBFT_NEW_VIEW ? 0 : msg->seq;
    if (msg->kind == CHAIN_MSG_PBFT_VIEW_CHANGE && height < UINT64_MAX)
        height++;
    if (height > peer->height)
        peer->height = height;
    if ((votes || msg->kind == CHAIN_MSG_PBFT_NEW_VIEW || msg->kind == CHAIN_MSG_PBFT_ASK) && msg->view > peer->view)
        peer->view = msg->view;
}

static bool find_ahead(const struct pbft *m, uint32_t i)
{
    const struct pbft_peer *peer = &m->peers[i];
    bool in_later_view = peer->view > m->view || (!m->active && peer->view == m->view);
    return i != m->self && (peer->height > m->committed + 1 || in_later_view);
}

static bool find_any_ahead(const struct pbft *m)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (find_ahead(m, i))
            return true;
    return false;
}

bool chain_pbft_something_open(const struct pbft *m)
{
    return !m->active || m->suspecting || m->slots[(m->committed + 1) % PBFT_SLOTS].height == m->committed + 1
           || chain_pbft_required(m, m->committed + 1) || find_any_ahead(m);
}

static void send_again(struct pbft *m, const struct chain_msg *msg, uint32_t to)
{
    struct chain_msg copy = *msg;
    m->base.stats.retransmitted += chain_base_send(&m->base, &copy, to, true);
}

static struct chain_msg make_proposal(const struct pbft *m, const struct pbft_slot *slot)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = chain_pbft_primary(m, slot->prop_view), .view = slot->prop_view,
                            .seq = slot->height, .digest = slot->prop_digest, .body = slot->prop.octets, .body_len = slot->prop.len};
    memcpy(msg.sig, slot->prop_sig, sizeof msg.sig);
    return msg;
}

/* Our latest vote for the slot; false if there is none but the proposal itself. */
static bool make_latest_vote(const struct pbft *m, const struct pbft_slot *slot, struct chain_msg *out)
{
    bool prepared = chain_pbft_prepared(m, slot);
    const struct pbft_vote *vote = prepared ? &slot->commits[m->self] : &slot->prepares[m->self];
    *out = (struct chain_msg){.kind = prepared ? CHAIN_MSG_PBFT_COMMIT : CHAIN_MSG_PBFT_PREPARE, .author = m->self, .view = m->view,
                              .seq = slot->height, .digest = vote->digest};
    memcpy(out->sig, vote->sig, sizeof out->sig);
    return vote->have && vote->view == m->view;
}

/* To those whose votes say nothing of having it. */
static void resend_proposal(struct pbft *m, const struct pbft_slot *slot)
{
    uint32_t n_missing = 0, last = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        bool has = (slot->prepares[i].have && slot->prepares[i].view == m->view)
                   || (slot->commits[i].have && slot->commits[i].view == m->view);
        if (has || i == m->self)
            continue;
        n_missing++;
        last = i;
    }
    struct chain_msg msg = make_proposal(m, slot);
    if (n_missing > 0)
        m->base.stats.retransmitted += chain_base_relay(&m->base, &msg, n_missing == 1 ? last : CHAIN_TO_ALL, true);
}

static void resend_votes(struct pbft *m)
{
    struct pbft_slot *slot = chain_pbft_slot(m, m->committed + 1);
    struct chain_msg vote;
    if (!m->active || !slot || !slot->accepted || slot->prop_view != m->view)
        return;
    if (chain_pbft_primary(m, m->view) == m->self)
        resend_proposal(m, slot);
    if (make_latest_vote(m, slot, &vote))
        m->base.stats.retransmitted += chain_base_relay(&m->base, &vote, CHAIN_TO_ALL, true);
}

/* The one to ask: somebody further on, each time another one. */
static bool find_helper(struct pbft *m, uint32_t *helper_out)
{
    bool anybody = m->resend_step > 0;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t k = 0; k < m->n; k++) {
            uint32_t i = (m->self + 1 + m->n_asked + k) % m->n;
            if (i == m->self || !(find_ahead(m, i) || (pass > 0 && anybody)))
                continue;
            *helper_out = i;
            m->n_asked = (i + m->n - m->self) % m->n;
            return true;
        }
    }
    return false;
}

static void ask(struct pbft *m)
{
    uint32_t helper;
    if (!find_helper(m, &helper))
        return;
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_ASK, .view = m->active ? m->view : m->view - 1, .seq = m->committed + 1};
    const struct pbft_slot *slot = chain_pbft_slot(m, m->committed + 1);
    if (slot && slot->have_prop)
        msg.digest = slot->prop_digest;
    else if (slot && slot->cert.have)
        msg.digest = slot->cert.digest;
    send_again(m, &msg, helper);
}

/* A slot with votes of others and no proposal of this view: somebody has it. */
static bool lacks_proposal(struct pbft *m)
{
    const struct pbft_slot *slot = chain_pbft_slot(m, m->committed + 1);
    return m->active && ((slot && !(slot->have_prop && slot->prop_view == m->view)) || chain_pbft_required(m, m->committed + 1));
}

void chain_pbft_resend(struct pbft *m)
{
    if (!m->active) {
        struct chain_msg msg;
        chain_pbft_own_view_change(m, &msg);
        send_again(m, &msg, CHAIN_TO_ALL);
    }
    if (m->suspecting) {
        chain_pbft_send_suspect(m);
        m->base.stats.retransmitted++;
    }
    resend_votes(m);
    if (m->resend_step > 0 || lacks_proposal(m) || find_any_ahead(m))
        ask(m);
}

static bool send_proof(struct pbft *m, const struct pbft_slot *slot, const struct chain_msg *asked)
{
    size_t cap;
    uint8_t *room = chain_base_room(&m->base, &cap);
    struct chain_cbor_writer w = {.out = room, .cap = cap};
    chain_cbor_put_array(&w, 2);
    chain_pbft_cert_put(&w, &slot->cert);
    if (slot->height == asked->seq && chain_pbft_same(&slot->cert.digest, &asked->digest))
        chain_cbor_put_null(&w);
    else
        chain_cbor_put_bytes(&w, slot->cert_batch.octets, slot->cert_batch.len);
    if (w.full)
        return false;
    chain_base_take(&m->base, w.len);
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PROOF, .view = slot->cert.view, .seq = slot->height, .body = room, .body_len = w.len};
    send_again(m, &msg, asked->author);
    return true;
}

/* The asker is where we are: what we have of the open slot. */
static void answer_open(struct pbft *m, const struct chain_msg *asked)
{
    const struct pbft_slot *slot = chain_pbft_slot(m, asked->seq);
    struct chain_msg msg;
    if (!slot)
        return;
    if (!m->active || !slot->accepted || slot->prop_view != m->view) {
        if (slot->cert.have)
            send_proof(m, slot, asked);
        return;
    }
    if (!chain_pbft_same(&slot->prop_digest, &asked->digest) || asked->view < m->view) {
        msg = make_proposal(m, slot);
        m->base.stats.retransmitted += chain_base_relay(&m->base, &msg, asked->author, true);
    }
    if (make_latest_vote(m, slot, &msg))
        m->base.stats.retransmitted += chain_base_relay(&m->base, &msg, asked->author, true);
}

int chain_pbft_on_ask(struct pbft *m, const struct chain_msg *msg)
{
    struct pbft_peer *peer = &m->peers[msg->author];
    bool lately = peer->answered_ns != INT64_MIN && m->base.now_ns - peer->answered_ns < m->base.cfg.heartbeat_ns / 2;
    if (lately || !chain_base_settled(&m->base) || msg->author == m->self)
        return 0;
    peer->answered_ns = m->base.now_ns;
    if (m->active && msg->view < m->view)
        chain_pbft_send_new_view(m, msg->author);
    for (uint64_t height = msg->seq; height <= m->committed && height - msg->seq < MAX_PROOFS; height++) {
        const struct pbft_slot *slot = chain_pbft_slot(m, height);
        if (!slot || !slot->committed || !chain_pbft_cert_is_commit(m, &slot->cert) || !send_proof(m, slot, msg))
            return 0; /* older than what is kept here: the node fetches the block */
    }
    if (msg->seq == m->committed + 1)
        answer_open(m, msg);
    return 0;
}

static int read_proof(struct pbft *m, const struct chain_msg *msg, struct pbft_cert *cert, const uint8_t **batch, size_t *len)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    struct chain_hash digest;
    chain_cbor_expect_array(&r, 2);
    chain_pbft_cert_get(&r, cert);
    bool without = !r.bad && chain_cbor_get_null(&r);
    *batch = without ? NULL : chain_cbor_get_bytes(&r, len);
    if (chain_cbor_end(&r) != 0 || cert->height != msg->seq)
        return -EBADMSG;
    if (!without)
        return *len <= CHAIN_MAX_BATCH_BYTES
                       && chain_msg_digest(m->base.cfg.members, CHAIN_MSG_PBFT_PRE_PREPARE, *batch, *len, &digest) == 0
                       && chain_pbft_same(&digest, &cert->digest)
                   ? 0
                   : -EBADMSG;
    const struct pbft_slot *slot = chain_pbft_slot(m, msg->seq);
    const struct pbft_batch *held = slot ? chain_pbft_batch(slot, &cert->digest) : NULL;
    if (held) {
        *batch = held->octets;
        *len = held->len;
    }
    return held ? 0 : -EBADMSG;
}

int chain_pbft_on_proof(struct pbft *m, const struct chain_msg *msg)
{
    struct pbft_cert cert;
    const uint8_t *batch;
    size_t len = 0;
    if (msg->seq != m->committed + 1) {
        m->base.stats.refused_stale++;
        return -EBADMSG;
    }
    if (read_proof(m, msg, &cert, &batch, &len) != 0) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    if (chain_pbft_cert_is_commit(m, &cert)) {
        if (chain_pbft_cert_check(m, &cert, true)) {
            chain_pbft_commit_by_cert(m, &cert, batch, len);
            return 0;
        }
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    const struct chain_hash *required = chain_pbft_required(m, msg->seq);
    if (!required || !chain_pbft_same(required, &cert.digest) || cert.view >= m->view)
        return 0;
    struct pbft_slot *slot = chain_pbft_open_slot(m, msg->seq);
    if (!chain_pbft_batch(slot, required) && !(slot->have_prop && slot->prop_view == m->view))
        chain_pbft_store_prop(slot, cert.view, &cert.digest, batch, len); /* a digest proves its batch */
    return 0;
}
