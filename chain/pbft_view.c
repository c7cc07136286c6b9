/* Leaving a view. A member whose timer ran out only suspects, and still votes where it is; once f + 1 suspect, all send a
 * VIEW-CHANGE, which binds: from then on they accept nothing of older views. A single member that a jammer cut off therefore
 * never leaves the others. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "chain/pbft.h"

/* With f = 0 there are no liars; two have to miss the primary, or its one deaf backup would depose it. */
static uint32_t suspicion_threshold(const struct pbft *m)
{
    uint32_t least = m->n < 2 ? m->n : 2;
    return m->f + 1 > least ? m->f + 1 : least;
}

/* Fixed while a view lasts; doubles from view to view until something commits. */
void chain_pbft_start_view(struct pbft *m, uint64_t view)
{
    m->n_failed = m->progressed ? 0 : m->n_failed + (m->n_failed < 32);
    int64_t timeout_ns = m->base.cfg.timeout_ns;
    for (uint32_t i = 0; i < m->n_failed && timeout_ns < m->base.cfg.timeout_max_ns; i++)
        timeout_ns *= 2;
    m->timeout_ns = timeout_ns < m->base.cfg.timeout_max_ns ? timeout_ns : m->base.cfg.timeout_max_ns;
    m->view = view;
    m->active = m->suspecting = m->progressed = false;
    m->changed = true;
    m->view_since_ns = m->base.now_ns;
}

void chain_pbft_own_view_change(struct pbft *m, struct chain_msg *out)
{
    const struct pbft_view_change *change = &m->peers[m->self].change;
    *out = (struct chain_msg){.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .view = change->view, .seq = change->seq, .body = change->body,
                              .body_len = change->len};
}

static void leave_for(struct pbft *m, uint64_t view)
{
    struct pbft_view_change *change = &m->peers[m->self].change;
    chain_pbft_start_view(m, view);
    m->base.stats.view_changes++;
    struct chain_cbor_writer w = {.out = change->body, .cap = sizeof change->body};
    chain_pbft_claim_put(m, &w);
    assert(!w.full);
    change->have = true;
    change->view = view;
    change->seq = m->committed;
    change->len = w.len;
    m->peers[m->self].suspect = view;
    struct chain_msg msg;
    chain_pbft_own_view_change(m, &msg);
    chain_base_send(&m->base, &msg, CHAIN_TO_ALL, true);
    memcpy(change->sig, msg.sig, sizeof change->sig);
    chain_pbft_record_view(m);
}

/* The highest view that enough members would go to. */
static void follow_suspicion(struct pbft *m)
{
    uint64_t view = m->view;
    for (uint32_t i = 0; i < m->n; i++) {
        uint32_t n_as_far = 0;
        for (uint32_t k = 0; k < m->n; k++)
            n_as_far += m->peers[k].suspect >= m->peers[i].suspect;
        if (n_as_far >= suspicion_threshold(m) && m->peers[i].suspect > view)
            view = m->peers[i].suspect;
    }
    if (view == m->view)
        return;
    leave_for(m, view);
    chain_pbft_try_new_view(m);
}

void chain_pbft_send_suspect(struct pbft *m)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_SUSPECT, .view = m->view + 1, .seq = m->committed + 1};
    chain_base_send(&m->base, &msg, CHAIN_TO_ALL, false);
}

void chain_pbft_suspect(struct pbft *m)
{
    m->suspecting = m->changed = true;
    m->peers[m->self].suspect = m->view + 1;
    chain_pbft_send_suspect(m);
    follow_suspicion(m);
}

int chain_pbft_on_suspect(struct pbft *m, const struct chain_msg *msg)
{
    if (msg->view <= m->view) {
        m->base.stats.refused_stale++;
        return -EBADMSG;
    }
    struct pbft_peer *peer = &m->peers[msg->author];
    if (msg->view > peer->suspect)
        peer->suspect = msg->view;
    follow_suspicion(m);
    return 0;
}

bool chain_pbft_may_leave(const struct pbft *m)
{
    uint32_t n_here = 0;
    for (uint32_t i = 0; i < m->n; i++)
        n_here += m->peers[i].change.have && m->peers[i].change.view >= m->view;
    return m->active || n_here >= m->quorum;
}

static void store_view_change(struct pbft *m, const struct chain_msg *msg)
{
    struct pbft_peer *peer = &m->peers[msg->author];
    struct pbft_view_change *change = &peer->change;
    bool waited = chain_pbft_may_leave(m);
    change->have = true;
    change->view = msg->view;
    change->seq = msg->seq;
    change->len = msg->body_len;
    memcpy(change->sig, msg->sig, sizeof change->sig);
    memcpy(change->body, msg->body, msg->body_len);
    if (msg->view > peer->suspect)
        peer->suspect = msg->view;
    if (!waited && chain_pbft_may_leave(m))
        m->view_since_ns = m->base.now_ns; /* the new primary has what it needs: its time starts */
}

int chain_pbft_on_view_change(struct pbft *m, const struct chain_msg *msg)
{
    struct pbft_claim claim;
    struct pbft_peer *peer = &m->peers[msg->author];
    if (msg->view < m->view || (msg->view == m->view && m->active)) {
        if (m->active && chain_pbft_primary(m, m->view) == m->self)
            chain_pbft_send_new_view(m, msg->author);
        return 0;
    }
    if (peer->change.have && peer->change.view >= msg->view) {
        bool again = peer->change.view == msg->view && peer->change.len == msg->body_len
                     && memcmp(peer->change.body, msg->body, msg->body_len) == 0;
        m->base.stats.equivocations += peer->change.view == msg->view && !again;
        return again ? 0 : -EBADMSG;
    }
    if (msg->body_len > PBFT_VIEW_CHANGE_BYTES || chain_pbft_claim_get(m, msg->body, msg->body_len, true, &claim) != 0
        || claim.committed != msg->seq) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    store_view_change(m, msg);
    follow_suspicion(m);
    chain_pbft_try_new_view(m);
    return 0;
}
