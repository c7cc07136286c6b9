/* Leaving a view. The VIEW-CHANGE of a member whose timer ran out is its suspicion: from then on it gives no COMMIT in a lower view,
 * for its VIEW-CHANGE says what it is committed to, but it goes on to take part and to follow. Once more than f suspect, all leave. */
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

/* Who is convicted leads nobody. */
static uint64_t find_next_view(const struct pbft *m, uint64_t view)
{
    do
        view++;
    while (!chain_pbft_counts(m, chain_pbft_primary(m, view)));
    return view;
}

/* Fixed while a view lasts; doubles from view to view until one serves the oldest request. */
void chain_pbft_start_view(struct pbft *m, uint64_t view)
{
    m->n_failed = m->progressed ? 0 : m->n_failed + (m->n_failed < 32);
    int64_t timeout_ns = m->base.cfg.timeout_ns;
    for (uint32_t i = 0; i < m->n_failed && timeout_ns < m->base.cfg.timeout_max_ns; i++)
        timeout_ns *= 2;
    m->timeout_ns = timeout_ns < m->base.cfg.timeout_max_ns ? timeout_ns : m->base.cfg.timeout_max_ns;
    m->view = view;
    m->active = m->progressed = m->fresh = false;
    m->suspecting = m->promised > view;
    m->changed = true;
    m->view_since_ns = m->base.now_ns;
}

struct chain_msg chain_pbft_change_msg(const struct pbft_view_change *change, uint32_t author)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .author = author, .view = change->view, .digest = change->digest,
                            .body = change->body, .body_len = change->len};
    memcpy(msg.sig, change->sig, sizeof msg.sig);
    return msg;
}

void chain_pbft_store_change(struct pbft_view_change *change, const struct chain_msg *msg)
{
    change->have = true;
    change->view = msg->view;
    change->digest = msg->digest;
    memcpy(change->sig, msg->sig, sizeof change->sig);
    change->len = msg->body_len;
    if (change->body != msg->body)
        memcpy(change->body, msg->body, msg->body_len);
}

static void promise(struct pbft *m, uint64_t view)
{
    struct pbft_view_change *change = &m->peers[m->self].change;
    if (change->have) {
        struct chain_msg last = chain_pbft_change_msg(change, m->self);
        chain_pbft_store_change(&m->previous, &last);
    }
    struct chain_cbor_writer w = {.out = change->body, .cap = sizeof change->body};
    chain_pbft_claim_put(m, &w);
    assert(!w.full);
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .view = view, .body = change->body, .body_len = w.len};
    m->promised = view;
    m->change_sent_ns = m->base.now_ns;
    m->base.stats.view_changes++;
    chain_base_send(&m->base, &msg, CHAIN_TO_ALL, true);
    chain_pbft_store_change(change, &msg);
    chain_pbft_record_view(m);
}

static bool goes_as_far(const struct pbft *m, uint32_t i, uint64_t view)
{
    const struct pbft_view_change *change = &m->peers[i].change;
    return change->have && chain_pbft_counts(m, i) && change->view >= view;
}

static uint32_t count_as_far(const struct pbft *m, uint64_t view)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n; i++)
        n += goes_as_far(m, i, view);
    return n;
}

/* The highest view that enough members would go to. */
static void follow_suspicion(struct pbft *m)
{
    uint64_t view = m->view;
    for (uint32_t i = 0; i < m->n; i++) {
        uint64_t wanted = m->peers[i].change.view;
        if (goes_as_far(m, i, view + 1) && count_as_far(m, wanted) >= suspicion_threshold(m))
            view = wanted;
    }
    if (view == m->view)
        return;
    chain_pbft_start_view(m, view);
    if (m->promised < view && !m->learner)
        promise(m, view);
    else
        chain_pbft_record_view(m);
    chain_pbft_try_new_view(m);
}

/* Who learned while the others left has its word still to give. */
void chain_pbft_become_voter(struct pbft *m)
{
    m->learner = !chain_pbft_counts(m, m->self);
    if (m->learner)
        return;
    if (m->active || m->promised >= m->view) {
        if (m->spoken < m->view)
            chain_pbft_record_view(m);
        return;
    }
    promise(m, m->view);
    chain_pbft_try_new_view(m);
}

void chain_pbft_suspect(struct pbft *m)
{
    m->suspecting = m->changed = true;
    if (m->promised <= m->view)
        promise(m, find_next_view(m, m->view));
    follow_suspicion(m);
}

bool chain_pbft_may_leave(const struct pbft *m)
{
    return m->active || count_as_far(m, m->view) >= m->quorum;
}

/* What we are told of a view that we work in already: its author has not heard of that. */
static int answer_late(struct pbft *m, const struct chain_msg *msg)
{
    if (m->active && chain_pbft_primary(m, m->view) == m->self)
        chain_pbft_send_new_view(m, msg->author);
    return 0;
}

static int refuse_malformed(struct pbft *m)
{
    m->base.stats.refused_malformed++;
    return -EBADMSG;
}

int chain_pbft_on_view_change(struct pbft *m, const struct chain_msg *msg)
{
    struct pbft_peer *peer = &m->peers[msg->author];
    struct pbft_view_change *held = &peer->change;
    bool named = chain_pbft_is_named(m, msg);
    chain_pbft_resend_soon(m);
    bool same_body = held->have && chain_pbft_same(&held->digest, &msg->digest), again = same_body && held->view == msg->view;
    if (msg->body_len == 0 || msg->body_len > PBFT_VIEW_CHANGE_BYTES || msg->seq != 0)
        return refuse_malformed(m);
    if (held->have && held->view == msg->view && !again && !named)
        return chain_pbft_accuse(m, msg, &held->digest, held->sig);
    if (!named && (msg->view < m->view || (msg->view == m->view && m->active)))
        return answer_late(m, msg);
    if (!named && held->have && held->view >= msg->view)
        return again ? 0 : -EBADMSG;
    struct pbft_claim *claim = &m->claims[0];
    if (chain_pbft_claim_get(m, msg->body, msg->body_len, !same_body, claim) != 0)
        return refuse_malformed(m);
    if (!held->have || held->view < msg->view) {
        bool waited = chain_pbft_may_leave(m);
        peer->committed = claim->committed;
        chain_pbft_store_change(held, msg);
        if (!waited && chain_pbft_may_leave(m))
            m->view_since_ns = m->base.now_ns; /* the new primary has what it needs: its time starts */
    }
    if (named)
        chain_pbft_take_named(m, msg);
    follow_suspicion(m);
    chain_pbft_try_new_view(m);
    return 0;
}
