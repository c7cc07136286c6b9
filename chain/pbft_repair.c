/* Repair on a medium that loses frames: own latest messages again on a timer, one member asked for what is missing. */
#include <string.h>

#include "chain/pbft.h"

enum { MAX_VIEW_ASKS = 64 }; /* then nobody seems to have what a NEW-VIEW names */

void chain_pbft_note_peer(struct pbft *m, const struct chain_msg *msg)
{
    struct pbft_peer *peer = &m->peers[msg->author];
    bool votes = msg->kind == CHAIN_MSG_PBFT_PRE_PREPARE || msg->kind == CHAIN_MSG_PBFT_PREPARE || msg->kind == CHAIN_MSG_PBFT_COMMIT;
    if (votes && msg->seq > peer->height)
        peer->height = msg->seq;
    if (msg->kind == CHAIN_MSG_PBFT_PROOF && msg->seq > peer->committed)
        peer->committed = msg->seq;
    if ((votes || msg->kind == CHAIN_MSG_PBFT_NEW_VIEW || msg->kind == CHAIN_MSG_PBFT_ASK) && msg->view > peer->view)
        peer->view = msg->view;
}

/* Who votes for a height has all below it but a window's worth. */
static bool find_ahead(const struct pbft *m, uint32_t i)
{
    const struct pbft_peer *peer = &m->peers[i];
    bool in_later_view = peer->view > m->view || (!m->active && peer->view == m->view);
    bool further = peer->height > m->committed + CHAIN_WINDOW || peer->committed > m->committed;
    return i != m->self && chain_pbft_counts(m, i) && (further || in_later_view);
}

static bool find_any_ahead(const struct pbft *m)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (find_ahead(m, i))
            return true;
    return false;
}

static bool is_open(struct pbft *m, uint64_t height)
{
    return chain_pbft_slot(m, height) || chain_pbft_required(m, height);
}

bool chain_pbft_something_open(struct pbft *m)
{
    if (!m->active || m->suspecting || chain_pbft_waiting_view(m) || find_any_ahead(m))
        return true;
    for (uint64_t height = m->committed + 1; height <= m->committed + CHAIN_WINDOW; height++)
        if (is_open(m, height))
            return true;
    return false;
}

static void relay_again(struct pbft *m, const struct chain_msg *msg, uint32_t to)
{
    m->base.stats.retransmitted += chain_base_relay(&m->base, msg, to, true);
}

static bool has_voted(const struct pbft *m, const struct pbft_slot *slot, uint32_t i)
{
    return (slot->prepares[i].have && slot->prepares[i].view == m->view) || (slot->commits[i].have && slot->commits[i].view == m->view);
}

/* To those whose votes say nothing of having it. False: to nobody. */
static bool resend_proposal(struct pbft *m, const struct pbft_slot *slot)
{
    uint32_t n_missing = 0, last = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        if (i == m->self || has_voted(m, slot, i) || !chain_pbft_counts(m, i))
            continue;
        n_missing++;
        last = i;
    }
    if (n_missing == 0)
        return false;
    struct chain_msg msg = chain_pbft_make_proposal(m, slot);
    relay_again(m, &msg, n_missing == 1 ? last : CHAIN_TO_ALL);
    return true;
}

/* Votes of all open heights in one frame, but only one proposal: batches are long, and heights commit in order. */
static void resend_votes(struct pbft *m)
{
    bool proposed = false;
    for (uint64_t height = m->committed + 1; m->active && !m->learner && height <= m->committed + CHAIN_WINDOW; height++) {
        const struct pbft_slot *slot = chain_pbft_slot(m, height);
        struct chain_msg vote;
        if (!slot || !slot->accepted || !chain_pbft_holds_prop(m, slot))
            continue;
        if (!proposed && slot->prop_signed && chain_pbft_primary(m, m->view) == m->self)
            proposed = resend_proposal(m, slot);
        if (chain_pbft_latest_vote(m, slot, &vote))
            relay_again(m, &vote, CHAIN_TO_ALL);
    }
}

/* Nothing that others work on at this height is missing but votes. */
static bool holds_what_is_open(const struct pbft *m, const struct pbft_slot *slot)
{
    if (slot->decided)
        return chain_pbft_holds_batch(slot, &slot->cert.digest);
    return m->active && chain_pbft_holds_prop(m, slot) && chain_pbft_holds_batch(slot, &slot->prop_digest);
}

/* Bit k: the batch of the next height + k is here. */
static uint32_t find_held(struct pbft *m)
{
    uint32_t held = 0;
    for (uint32_t k = 0; k < CHAIN_WINDOW; k++) {
        const struct pbft_slot *slot = chain_pbft_slot(m, m->committed + 1 + k);
        if (slot && holds_what_is_open(m, slot))
            held |= UINT32_C(1) << k;
    }
    return held;
}

static bool find_any_voted(const struct pbft *m, const struct pbft_slot *slot)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (i != m->self && has_voted(m, slot, i))
            return true;
    return false;
}

/* The first height that others work on, or should, and whose batch is missing here; 0: none. */
static uint64_t find_lacking(struct pbft *m)
{
    for (uint64_t height = m->committed + 1; m->active && height <= m->committed + CHAIN_WINDOW; height++) {
        const struct pbft_slot *slot = chain_pbft_slot(m, height);
        bool wanted = chain_pbft_required(m, height) || (slot && (slot->decided || find_any_voted(m, slot)));
        if (wanted && !(slot && holds_what_is_open(m, slot)))
            return height;
    }
    return 0;
}

/* A later height is through, and the next one is not: something was missed. */
static bool find_gap(struct pbft *m)
{
    for (uint64_t height = m->committed + 2; height <= m->committed + CHAIN_WINDOW; height++) {
        const struct pbft_slot *slot = chain_pbft_slot(m, height);
        struct pbft_cert cert;
        if (slot && (slot->decided || chain_pbft_find_committed(m, slot, &cert)))
            return true;
    }
    return false;
}

/* The one to ask, each time another one: somebody further on, else one who voted for what is missing, else anybody. */
static bool find_helper(struct pbft *m, const struct pbft_slot *slot, bool anybody, uint32_t *helper_out)
{
    for (int pass = 0; pass < 3; pass++) {
        for (uint32_t k = 0; k < m->n; k++) {
            uint32_t i = (m->self + 1 + m->n_asked + k) % m->n;
            bool fits = pass == 0 ? find_ahead(m, i) : pass == 1 ? slot && has_voted(m, slot, i) : anybody;
            if (i == m->self || !fits || !chain_pbft_counts(m, i))
                continue;
            *helper_out = i;
            m->n_asked = (i + m->n - m->self) % m->n;
            return true;
        }
    }
    return false;
}

/* One message says all: where we are, which batches we hold, which VIEW-CHANGEs that a NEW-VIEW names we lack. */
static void ask(struct pbft *m, const struct pbft_new_view *nv, uint32_t helper)
{
    size_t cap;
    uint8_t *room = chain_base_room(&m->base, &cap);
    struct chain_cbor_writer w = {.out = room, .cap = cap};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, find_held(m));
    chain_cbor_put_uint(&w, nv ? nv->msg.view : 0);
    chain_cbor_put_uint(&w, nv ? chain_pbft_missing_changes(nv) : 0);
    if (w.full)
        return;
    chain_base_take(&m->base, w.len);
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_ASK, .view = m->active ? m->view : m->view - 1, .seq = m->committed + 1, .body = room,
                            .body_len = w.len};
    m->base.stats.retransmitted += chain_base_send(&m->base, &msg, helper, true);
}

/* The new primary first: it has all of them. */
static void ask_for_changes(struct pbft *m, struct pbft_new_view *nv)
{
    uint32_t helper = chain_pbft_primary(m, nv->msg.view);
    if (m->n_view_asks++ == MAX_VIEW_ASKS)
        nv->have = false;
    else if (m->n_view_asks == 1 || find_helper(m, NULL, true, &helper))
        ask(m, nv, helper);
}

static void ask_for_batches(struct pbft *m)
{
    uint64_t lacking = find_lacking(m);
    bool missed = lacking > 0 || find_gap(m);
    const struct pbft_slot *slot = chain_pbft_slot(m, lacking > 0 ? lacking : m->committed + 1);
    uint32_t helper;
    if ((m->resend_step > 0 || missed || find_any_ahead(m)) && find_helper(m, slot, m->resend_step > 0 || missed, &helper))
        ask(m, NULL, helper);
}

/* It may be the first frame after a jam in which ours was lost. */
void chain_pbft_resend_soon(struct pbft *m)
{
    int64_t heartbeat_ns = m->base.cfg.heartbeat_ns;
    if ((m->active && !m->suspecting) || m->base.now_ns - m->change_sent_ns < heartbeat_ns)
        return;
    int64_t soon_ns = chain_base_later(m->base.now_ns, chain_base_jitter(&m->base, heartbeat_ns / 8));
    m->resend_ns = soon_ns < m->resend_ns ? soon_ns : m->resend_ns;
}

void chain_pbft_resend(struct pbft *m)
{
    const struct pbft_view_change *own = &m->peers[m->self].change;
    struct pbft_new_view *nv = chain_pbft_waiting_view(m);
    if (!nv && (!m->active || m->suspecting) && own->have && own->view >= m->view) {
        struct chain_msg msg = chain_pbft_change_msg(own, m->self);
        relay_again(m, &msg, CHAIN_TO_ALL);
        m->change_sent_ns = m->base.now_ns;
    }
    resend_votes(m);
    if (nv)
        ask_for_changes(m, nv);
    else
        ask_for_batches(m);
}
