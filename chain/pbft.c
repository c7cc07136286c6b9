#include "chain/pbft.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static size_t pbft_bytes(const struct chain_engine_config *cfg)
{
    (void)cfg;
    return sizeof(struct pbft);
}

static void clear_peer(struct pbft_peer *peer)
{
    memset(peer, 0, offsetof(struct pbft_peer, change));
    peer->answered_ns = peer->new_view_ns = INT64_MIN;
    peer->change.have = false;
    peer->change.view = 0;
    peer->change.len = 0;
}

static int pbft_init(void *mem, size_t len, const struct chain_engine_config *cfg, struct chain_engine **out,
                     const char **bad_field_out)
{
    struct pbft *m = mem;
    if (len < sizeof *m)
        return -ENOSPC;
    int rc = chain_base_init(&m->base, &chain_pbft_ops, cfg, m->scratch, sizeof m->scratch, bad_field_out);
    if (rc != 0)
        return rc;
    memset((uint8_t *)m + sizeof m->base, 0, offsetof(struct pbft, slots) - sizeof m->base);
    for (size_t i = 0; i < PBFT_SLOTS; i++)
        m->slots[i].height = 0;
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++)
        clear_peer(&m->peers[i]);
    for (size_t i = 0; i < 2; i++) {
        m->new_views[i].have = false;
        m->new_views[i].msg.view = 0;
        m->new_views[i].named = 0;
    }
    m->previous.have = false;
    m->n = cfg->members->n;
    m->self = cfg->self;
    m->f = chain_pbft_f(m->n);
    m->quorum = chain_pbft_quorum(m->n);
    m->window = cfg->window > 0 && cfg->window < CHAIN_WINDOW ? cfg->window : CHAIN_WINDOW;
    m->learner = cfg->learner;
    for (uint32_t i = 0; i < m->n; i++)
        if ((cfg->convicted >> i & 1) != 0)
            chain_pbft_convict(m, i);
    m->committed = m->stable = m->base.stats.committed = cfg->stable_height;
    m->next = m->committed + 1;
    m->active = true;
    m->pending_ns = m->resend_ns = INT64_MAX;
    m->progress_ns = m->view_since_ns = INT64_MIN;
    m->timeout_ns = cfg->timeout_ns;
    *out = &m->base.head;
    /* the empty batch has a digest in every chain */
    return chain_msg_digest(cfg->members, CHAIN_MSG_PBFT_PRE_PREPARE, NULL, 0, &m->null_digest);
}

static uint32_t count_voters(const struct pbft *m, const struct pbft_slot *slot)
{
    uint32_t n_voters = 0;
    for (uint32_t i = 0; i < m->n; i++)
        n_voters += chain_pbft_counts(m, i) && (slot->prepares[i].have || slot->commits[i].have);
    return n_voters;
}

static int64_t find_later(int64_t a_ns, int64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* Since when something is to be committed; INT64_MAX: nothing. The oldest request waits whatever else commits; a height that is open
 * waits from the moment in which it is the next. Votes alone count once an honest one is among them. */
static int64_t find_waiting_since(const struct pbft *m)
{
    const struct pbft_slot *slot = &m->slots[(m->committed + 1) % PBFT_SLOTS];
    int64_t since_ns = m->pending_ns == INT64_MAX ? INT64_MAX : m->waiting_since_ns;
    bool open = slot->height == m->committed + 1 && (slot->have_prop || count_voters(m, slot) > m->f);
    if (open && find_later(slot->opened_ns, m->progress_ns) < since_ns)
        since_ns = find_later(slot->opened_ns, m->progress_ns);
    if (chain_pbft_required(m, m->committed + 1) && find_later(m->view_since_ns, m->progress_ns) < since_ns)
        since_ns = find_later(m->view_since_ns, m->progress_ns);
    return since_ns;
}

static int64_t find_view_deadline(const struct pbft *m)
{
    if (m->suspecting || m->learner || !m->running)
        return INT64_MAX;
    if (!chain_pbft_counts(m, chain_pbft_primary(m, m->view)) && m->promised <= m->view)
        return m->base.now_ns; /* a convict leads nobody: that costs no timeout */
    if (!chain_pbft_may_leave(m))
        return INT64_MAX;
    int64_t since_ns = m->active ? find_waiting_since(m) : m->view_since_ns;
    return since_ns == INT64_MAX ? INT64_MAX : chain_base_patience(&m->base, find_later(since_ns, m->view_since_ns), m->timeout_ns);
}

static int64_t pbft_deadline(const struct chain_engine *engine)
{
    const struct pbft *m = (const struct pbft *)engine;
    if (chain_pbft_waits_for_check(m))
        return m->base.now_ns;
    int64_t view_ns = find_view_deadline(m);
    int64_t resend_ns = chain_base_settled(&m->base) ? m->resend_ns : INT64_MAX;
    return view_ns < resend_ns ? view_ns : resend_ns;
}

static void schedule_resend(struct pbft *m)
{
    int64_t interval_ns = m->base.cfg.heartbeat_ns << m->resend_step;
    m->resend_ns = chain_base_later(m->base.now_ns, chain_base_jitter(&m->base, interval_ns));
}

static void run_timers(struct pbft *m)
{
    if (m->base.now_ns >= find_view_deadline(m))
        chain_pbft_suspect(m);
    if (m->base.now_ns < m->resend_ns || !chain_base_settled(&m->base))
        return;
    chain_pbft_resend(m);
    bool leaving = m->suspecting || !m->active; /* it may be a jam: who is back soon says so soon */
    m->resend_step = m->resend_step > 0 && leaving ? 1 : m->resend_step + (m->resend_step < 2);
    schedule_resend(m);
}

/* What waited has left, or is gone: what was lost meanwhile is asked for and said again soon. */
static void hear_of_access(struct pbft *m, int64_t waiting_since_ns)
{
    if (!chain_base_access(&m->base, waiting_since_ns) || m->resend_ns == INT64_MAX)
        return;
    m->resend_step = 0;
    schedule_resend(m);
}

static int dispatch_message(struct pbft *m, const struct chain_msg *msg)
{
    if (msg->author >= m->n || msg->seq > UINT64_MAX / 8 || msg->view > UINT64_MAX / 8) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    if (msg->author == m->self && msg->kind != CHAIN_MSG_PBFT_PRE_PREPARE)
        return 0; /* our own words, relayed */
    if (chain_pbft_refuses(m, msg))
        return -EBADMSG;
    chain_pbft_note_peer(m, msg);
    switch (msg->kind) {
    case CHAIN_MSG_PBFT_PRE_PREPARE:
        return chain_pbft_on_pre_prepare(m, msg);
    case CHAIN_MSG_PBFT_PREPARE:
    case CHAIN_MSG_PBFT_COMMIT:
        return chain_pbft_on_vote(m, msg);
    case CHAIN_MSG_PBFT_VIEW_CHANGE:
        return chain_pbft_on_view_change(m, msg);
    case CHAIN_MSG_PBFT_NEW_VIEW:
        return chain_pbft_on_new_view(m, msg);
    case CHAIN_MSG_PBFT_ASK:
        return chain_pbft_on_ask(m, msg);
    case CHAIN_MSG_PBFT_PROOF:
        return chain_pbft_on_proof(m, msg);
    default:
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
}

/* What was committed anywhere was prepared by a quorum. Once this member has executed all that it prepared, a quorum of equal answers, its own
 * among them, holds at least what any client was told before it asked (Castro and Liskov, OSDI 1999, 5.1). */
static void answer_read(struct pbft *m, uint64_t id)
{
    uint64_t height = m->committed;
    for (uint32_t i = 0; i < PBFT_SLOTS; i++)
        if (m->slots[i].height > height && m->slots[i].cert.have)
            height = m->slots[i].height;
    m->base.out->reads[0].id = id;
    m->base.out->reads[0].height = height;
    m->base.out->n_reads = 1;
}

static int dispatch(struct pbft *m, const struct chain_event *in)
{
    switch (in->kind) {
    case CHAIN_EV_RESTORE:
        return chain_pbft_restore(m, in->restore.key, in->restore.data, in->restore.len);
    case CHAIN_EV_MESSAGE:
        return dispatch_message(m, in->msg);
    case CHAIN_EV_PROPOSE:
        return chain_pbft_on_propose(m, in->propose.batch, in->propose.len);
    case CHAIN_EV_PENDING:
        chain_pbft_on_pending(m, in->pending_since_ns);
        return 0;
    case CHAIN_EV_STABLE:
        chain_pbft_on_stable(m, in->height);
        return 0;
    case CHAIN_EV_SYNCED:
        chain_pbft_synced(m, in->height);
        return 0;
    case CHAIN_EV_CONVICT:
        chain_pbft_convict(m, in->member);
        return 0;
    case CHAIN_EV_VOTER:
        chain_pbft_become_voter(m);
        return 0;
    case CHAIN_EV_ACCESS:
        hear_of_access(m, in->waiting_since_ns);
        return 0;
    case CHAIN_EV_TICK:
    case CHAIN_EV_PERSISTED:
        return 0;
    case CHAIN_EV_READ:
        answer_read(m, in->read_id);
        return 0;
    case CHAIN_EV_TRANSFER:
        return -EBADMSG;
    }
    return -EBADMSG;
}

static void plan_resend(struct pbft *m)
{
    if (!chain_pbft_something_open(m)) {
        m->resend_ns = INT64_MAX;
        m->resend_step = 0;
    } else if (m->changed || m->resend_ns == INT64_MAX) {
        m->resend_step = 0;
        schedule_resend(m);
    }
}

/* The first event after the rows: timers start here. */
static void start(struct pbft *m)
{
    m->running = true;
    m->view_since_ns = m->base.now_ns;
    chain_pbft_restored(m);
}

static int pbft_step(struct chain_engine *engine, const struct chain_event *in, struct chain_update *out)
{
    struct pbft *m = (struct pbft *)engine;
    bool was_committed = m->committed_now;
    chain_base_begin(&m->base, in, out);
    if (in->kind == CHAIN_EV_RESTORE)
        return dispatch(m, in);
    if (!m->running)
        start(m);
    m->changed = m->committed_now = false;
    int rc = dispatch(m, in);
    if (rc == 0) {
        chain_pbft_commit_ready(m);
        chain_pbft_advance(m);
        chain_pbft_commit_ready(m);
        run_timers(m);
    } else {
        m->committed_now = was_committed; /* what is refused writes and sends nothing; what is due comes with the next event */
    }
    plan_resend(m);
    return rc;
}

static void pbft_stats(const struct chain_engine *engine, struct chain_engine_stats *out)
{
    const struct pbft *m = (const struct pbft *)engine;
    *out = m->base.stats;
    out->view = m->view;
    out->promised = m->promised > m->spoken ? m->promised : m->spoken;
    out->voted = m->voted > m->committed ? m->voted : m->committed; /* what only a certificate speaks of, others may have voted on */
    out->leader = m->active ? chain_pbft_primary(m, m->view) : CHAIN_TO_ALL;
    out->is_leader = out->leader == m->self;
    out->may_propose = chain_pbft_may_propose(m);
    out->proposes = out->may_propose ? m->next : 0;
    out->committed = m->committed;
}

static void pbft_close(struct chain_engine *engine)
{
    (void)engine;
}

const struct chain_engine_ops chain_pbft_ops = {
    .name = "pbft",
    .byzantine = true,
    .quorum = chain_pbft_quorum,
    .bytes = pbft_bytes,
    .init = pbft_init,
    .step = pbft_step,
    .is_surplus = chain_pbft_is_surplus,
    .deadline = pbft_deadline,
    .stats = pbft_stats,
    .close = pbft_close,
};
