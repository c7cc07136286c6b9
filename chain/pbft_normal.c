/* The three phases of each height: PRE-PREPARE, PREPARE, COMMIT. Heights are worked on side by side and commit in order. */
#include <errno.h>
#include <string.h>

#include "chain/pbft.h"

bool chain_pbft_may_propose(const struct pbft *m)
{
    if (!m->active || m->learner || chain_pbft_primary(m, m->view) != m->self || m->committed < m->choice.low)
        return false;
    const struct pbft_slot *slot = &m->slots[m->next % PBFT_SLOTS];
    bool settled = slot->height == m->next && slot->decided; /* in a later view that we have not heard of */
    return m->next <= m->stable + m->window && !settled;
}

static void store_vote(struct pbft_vote *vote, const struct chain_msg *msg)
{
    vote->have = true;
    vote->view = msg->view;
    vote->digest = msg->digest;
    memcpy(vote->sig, msg->sig, sizeof vote->sig);
}

/* Signed by us. The digest is that of the slot's proposal, whatever the body: it was computed when the batch came. */
static struct chain_msg make_vote(const struct pbft *m, const struct pbft_slot *slot, uint8_t kind)
{
    const struct chain_signer *signer = m->base.cfg.signer;
    struct chain_msg msg = {.kind = kind, .author = m->self, .view = m->view, .seq = slot->height, .digest = slot->prop_digest};
    (void)signer->sign(signer->ctx, m->base.cfg.members, &msg);
    return msg;
}

static bool vote_matches(const struct pbft *m, const struct pbft_slot *slot, const struct pbft_vote *vote)
{
    return vote->have && vote->view == m->view && chain_pbft_same(&vote->digest, &slot->prop_digest);
}

/* A proposal is its author's PREPARE, and a COMMIT stands for one too, unless votes are strict. NULL: no word of this member. */
static const uint8_t *find_prepare(const struct pbft *m, const struct pbft_slot *slot, uint32_t i, enum pbft_phase *phase_out)
{
    if (!chain_pbft_counts(m, i))
        return NULL;
    *phase_out = PBFT_PROPOSED;
    if (i == chain_pbft_primary(m, m->view) && slot->prop_signed)
        return slot->prop_sig;
    *phase_out = PBFT_PREPARED;
    if (vote_matches(m, slot, &slot->prepares[i]))
        return slot->prepares[i].sig;
    *phase_out = PBFT_COMMITTED;
    return !m->base.cfg.strict_votes && vote_matches(m, slot, &slot->commits[i]) ? slot->commits[i].sig : NULL;
}

static bool collect_prepares(const struct pbft *m, const struct pbft_slot *slot, struct pbft_cert *cert)
{
    enum pbft_phase phase;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n; i++)
        n += find_prepare(m, slot, i, &phase) != NULL;
    if (n < m->quorum)
        return false;
    *cert = (struct pbft_cert){.have = true, .view = m->view, .height = slot->height, .digest = slot->prop_digest};
    n = 0;
    for (uint32_t i = 0; n < m->quorum; i++) {
        const uint8_t *sig = find_prepare(m, slot, i, &phase);
        if (!sig)
            continue;
        memcpy(cert->sigs[i], sig, CHAIN_SIG_BYTES);
        cert->signers[phase] |= UINT32_C(1) << i;
        n++;
    }
    return true;
}

/* True if our COMMIT went out. After a VIEW-CHANGE for a later view it does not: that one said what we are committed to. */
static bool become_prepared(struct pbft *m, struct pbft_slot *slot)
{
    struct pbft_cert cert;
    if (!collect_prepares(m, slot, &cert))
        return false;
    if (!slot->decided) {
        slot->cert = cert;
        slot->cert_saved = false;
        chain_pbft_record_cert(m, slot);
    }
    m->changed = true;
    if (m->promised > m->view)
        return false;
    struct chain_msg commit = make_vote(m, slot, CHAIN_MSG_PBFT_COMMIT);
    chain_base_relay(&m->base, &commit, CHAIN_TO_ALL, true);
    store_vote(&slot->commits[m->self], &commit);
    slot->commit_seq = m->base.written_seq;
    return true;
}

int chain_pbft_on_propose(struct pbft *m, const uint8_t *batch, size_t len)
{
    struct chain_hash digest;
    if (!chain_pbft_may_propose(m))
        return -EAGAIN;
    if (len > CHAIN_MAX_BATCH_BYTES
        || chain_msg_digest(m->base.cfg.members, CHAIN_MSG_PBFT_PRE_PREPARE, batch, len, &digest) != 0
        || m->base.cfg.check_batch(m->base.cfg.check_ctx, m->next, batch, len, m->base.now_ns) != 0) {
        m->base.stats.refused_batch++;
        return -EBADMSG;
    }
    struct pbft_slot *slot = chain_pbft_open_slot(m, m->next);
    if (!chain_pbft_store_batch(m, slot, &digest, batch, len))
        return -EAGAIN;
    m->next++;
    chain_pbft_store_prop(slot, m->view, &digest, NULL);
    struct chain_msg msg = make_vote(m, slot, CHAIN_MSG_PBFT_PRE_PREPARE);
    msg.body = slot->batch;
    msg.body_len = len;
    if (chain_base_relay(&m->base, &msg, CHAIN_TO_ALL, true) && m->n >= 4) /* fewer send no PREPARE */
        chain_base_expect(&m->base, 2);
    chain_pbft_store_prop(slot, m->view, &digest, msg.sig);
    m->changed = true;
    chain_pbft_accept(m, slot);
    chain_pbft_record_prop(m, slot);
    become_prepared(m, slot);
    return 0;
}

/* What a new view starts from needs no message: its NEW-VIEW said it, and whoever has the batch votes. */
static void adopt_required(struct pbft *m, struct pbft_slot *slot, const struct chain_hash *digest)
{
    if (chain_pbft_holds_prop(m, slot) && chain_pbft_same(&slot->prop_digest, digest))
        return;
    if (chain_pbft_same(digest, &m->null_digest))
        chain_pbft_store_batch(m, slot, digest, NULL, 0);
    if (chain_pbft_holds_batch(slot, digest))
        chain_pbft_store_prop(slot, m->view, digest, NULL);
}

/* A quorum prepared what is required, so an honest member has judged it: only a fresh batch is judged here. */
static bool find_acceptable(struct pbft *m, struct pbft_slot *slot)
{
    const struct chain_hash *required = chain_pbft_required(m, slot->height);
    if (required)
        return chain_pbft_same(required, &slot->prop_digest);
    if (m->committed < m->choice.low || slot->height <= chain_pbft_top(m))
        return false;
    int rc = m->base.cfg.check_batch(m->base.cfg.check_ctx, slot->height, slot->batch, slot->batch_len, m->base.now_ns);
    if (rc != 0 && rc != -EAGAIN) {
        slot->refused = true;
        m->base.stats.refused_batch++;
    }
    return rc == 0;
}

/* A proof took the place of a proposal that we gave our PREPARE in this view: what was committed needs no second one. */
static bool is_spoken_for(const struct pbft *m, const struct pbft_slot *slot)
{
    const struct pbft_vote *own = &slot->prepares[m->self];
    return own->have && own->view == m->view && !chain_pbft_same(&own->digest, &slot->prop_digest);
}

static void accept_proposal(struct pbft *m, struct pbft_slot *slot)
{
    slot->refused = slot->refused || is_spoken_for(m, slot);
    if (slot->refused || !chain_pbft_holds_batch(slot, &slot->prop_digest) || !find_acceptable(m, slot))
        return;
    m->changed = true;
    chain_pbft_accept(m, slot);
    chain_pbft_record_prop(m, slot);
    struct chain_msg prepare = make_vote(m, slot, CHAIN_MSG_PBFT_PREPARE);
    store_vote(&slot->prepares[m->self], &prepare);
    if (m->base.cfg.strict_votes || !become_prepared(m, slot))
        chain_base_relay(&m->base, &prepare, CHAIN_TO_ALL, true);
}

static void advance_slot(struct pbft *m, struct pbft_slot *slot)
{
    if (!chain_pbft_holds_prop(m, slot))
        return;
    if (!slot->accepted)
        accept_proposal(m, slot);
    if (slot->accepted && !chain_pbft_prepared(m, slot))
        become_prepared(m, slot);
}

void chain_pbft_advance(struct pbft *m)
{
    if (!m->active || m->learner)
        return;
    for (uint64_t height = m->stable + 1; height <= m->stable + CHAIN_WINDOW; height++) {
        const struct chain_hash *required = chain_pbft_required(m, height);
        struct pbft_slot *slot = chain_pbft_slot(m, height);
        if (height <= m->committed && !(required && slot))
            continue;
        if (required && chain_pbft_in_window(m, height)) {
            slot = chain_pbft_open_slot(m, height);
            adopt_required(m, slot, required);
        }
        if (slot)
            advance_slot(m, slot);
    }
}

/* check_batch judges on the node's state, which follows our commits only after this step: then it is asked again. */
bool chain_pbft_waits_for_check(const struct pbft *m)
{
    for (size_t i = 0; m->committed_now && i < PBFT_SLOTS; i++) {
        const struct pbft_slot *slot = &m->slots[i];
        if (slot->height > m->committed && chain_pbft_holds_prop(m, slot) && !slot->accepted && !slot->refused)
            return true;
    }
    return false;
}

static int refuse(uint64_t *counter)
{
    (*counter)++;
    return -EBADMSG;
}

static bool is_wanted(const struct pbft *m, const struct pbft_slot *slot, const struct chain_msg *msg)
{
    const struct chain_hash *required = chain_pbft_required(m, msg->seq);
    return slot && required && chain_pbft_same(required, &msg->digest);
}

/* Of an older view: only the batch counts, and only where this view proposes it again. Of a later one: kept where nothing is in its way. */
static int take_other_view(struct pbft *m, const struct chain_msg *msg)
{
    struct pbft_slot *slot = chain_pbft_open_slot(m, msg->seq);
    if (is_wanted(m, slot, msg)) {
        chain_pbft_store_batch(m, slot, &msg->digest, msg->body, msg->body_len);
        return 0;
    }
    bool busy = msg->view < m->view || (slot->have_prop && slot->prop_view >= m->view);
    if (busy || !chain_pbft_store_batch(m, slot, &msg->digest, msg->body, msg->body_len))
        return refuse(&m->base.stats.refused_stale);
    chain_pbft_store_prop(slot, msg->view, &msg->digest, msg->sig);
    return 0;
}

int chain_pbft_on_pre_prepare(struct pbft *m, const struct chain_msg *msg)
{
    if (msg->author != chain_pbft_primary(m, msg->view) || msg->body_len > CHAIN_MAX_BATCH_BYTES)
        return refuse(&m->base.stats.refused_malformed);
    struct pbft_slot *slot = chain_pbft_slot(m, msg->seq);
    if (slot && slot->have_prop && slot->prop_view == msg->view && slot->prop_signed) {
        bool again = chain_pbft_same(&slot->prop_digest, &msg->digest);
        return again ? 0 : chain_pbft_accuse(m, msg, &slot->prop_digest, slot->prop_sig);
    }
    if (msg->seq <= m->committed)
        return refuse(&m->base.stats.refused_stale);
    if (!chain_pbft_in_window(m, msg->seq))
        return refuse(&m->base.stats.refused_window);
    if (msg->view != m->view)
        return take_other_view(m, msg);
    const struct chain_hash *required = m->active ? chain_pbft_required(m, msg->seq) : NULL;
    slot = chain_pbft_open_slot(m, msg->seq);
    bool unlike = (required && !chain_pbft_same(required, &msg->digest))
                  || (chain_pbft_holds_prop(m, slot) && !chain_pbft_same(&slot->prop_digest, &msg->digest));
    if (unlike)
        return refuse(&m->base.stats.refused_batch);
    if (!chain_pbft_store_batch(m, slot, &msg->digest, msg->body, msg->body_len))
        return refuse(&m->base.stats.refused_stale); /* its NEW-VIEW, after which what is in the way is dead, comes later */
    if (!chain_pbft_holds_prop(m, slot))
        chain_pbft_store_prop(slot, msg->view, &msg->digest, msg->sig);
    return 0;
}

int chain_pbft_on_vote(struct pbft *m, const struct chain_msg *msg)
{
    if (msg->body_len > 0)
        return refuse(&m->base.stats.refused_malformed);
    bool kept = chain_pbft_in_window(m, msg->seq);
    if (!kept && msg->seq <= m->committed)
        return 0; /* the votes beyond a quorum come after the commit */
    if (!kept)
        return refuse(&m->base.stats.refused_window);
    struct pbft_slot *slot = chain_pbft_open_slot(m, msg->seq);
    struct pbft_vote *vote = msg->kind == CHAIN_MSG_PBFT_COMMIT ? &slot->commits[msg->author] : &slot->prepares[msg->author];
    if (vote->have && msg->view < vote->view)
        return refuse(&m->base.stats.refused_stale);
    if (vote->have && msg->view == vote->view)
        return chain_pbft_same(&vote->digest, &msg->digest) ? 0 : chain_pbft_accuse(m, msg, &vote->digest, vote->sig);
    store_vote(vote, msg);
    return 0;
}

/* Not where its author voted otherwise before: the two together convict it. */
bool chain_pbft_is_surplus(const struct chain_engine *engine, const struct chain_msg *msg)
{
    const struct pbft *m = (const struct pbft *)(const void *)engine;
    const struct pbft_slot *slot = &m->slots[msg->seq % PBFT_SLOTS];
    if ((msg->kind != CHAIN_MSG_PBFT_PREPARE && msg->kind != CHAIN_MSG_PBFT_COMMIT) || slot->height != msg->seq || msg->author >= m->n)
        return false;
    bool commits = msg->kind == CHAIN_MSG_PBFT_COMMIT;
    const struct pbft_vote *before = commits ? &slot->commits[msg->author] : &slot->prepares[msg->author];
    if (before->have && !chain_pbft_same(&before->digest, &msg->digest))
        return false;
    if (commits)
        return slot->decided && slot->cert.view == msg->view && chain_pbft_same(&slot->cert.digest, &msg->digest);
    return msg->view == m->view && chain_pbft_holds_prop(m, slot) && chain_pbft_prepared(m, slot) &&
           chain_pbft_same(&slot->prop_digest, &msg->digest);
}
