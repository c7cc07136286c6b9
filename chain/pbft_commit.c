/* Committing in order of heights: by a quorum of COMMITs, by somebody's proof, or because the node took certified blocks; and what
 * that means to the timers. */
#include <string.h>

#include "chain/pbft.h"

static void serve(struct pbft *m)
{
    m->progressed = true;
    m->suspecting = false; /* what we promised with a VIEW-CHANGE stays */
    m->waiting_since_ns = m->base.now_ns;
}

static void make_progress(struct pbft *m)
{
    m->progress_ns = m->base.now_ns;
    m->changed = m->committed_now = true;
    m->fresh = m->fresh || m->committed > chain_pbft_top(m);
    if (m->pending_ns == INT64_MAX && m->fresh)
        serve(m);
}

/* Per oldest request: that others are served is no reason to go on waiting for it. */
void chain_pbft_on_pending(struct pbft *m, int64_t pending_ns)
{
    if (m->pending_ns == INT64_MAX)
        m->waiting_since_ns = pending_ns;
    else if (pending_ns > m->pending_ns && m->fresh)
        serve(m);
    else if (pending_ns > m->pending_ns)
        m->waiting_since_ns = m->base.now_ns;
    m->pending_ns = pending_ns;
}

static void commit(struct pbft *m, struct pbft_slot *slot)
{
    slot->decided = true;
    m->committed = slot->height;
    m->next = m->next > m->committed ? m->next : m->committed + 1;
    bool hurry = m->base.out->hurry;
    if (!slot->cert_saved)
        chain_pbft_record_cert(m, slot); /* the proof for those behind, until a quorum has signed the block: no message of ours rests on it */
    m->base.out->hurry = hurry;
    chain_base_commit(&m->base, slot->height, slot->batch, slot->batch_len);
    make_progress(m);
}

static bool is_like(const struct pbft *m, const struct pbft_slot *slot, uint32_t i, const struct pbft_vote *like)
{
    const struct pbft_vote *vote = &slot->commits[i];
    /* a crash takes back what is not on disk, and a client may have been told */
    bool lasts = i != m->self || slot->commit_seq <= m->base.persisted_seq;
    return lasts && vote->have && chain_pbft_counts(m, i) && vote->view == like->view && chain_pbft_same(&vote->digest, &like->digest);
}

static uint32_t count_like(const struct pbft *m, const struct pbft_slot *slot, const struct pbft_vote *like)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n; i++)
        n += is_like(m, slot, i, like);
    return n;
}

bool chain_pbft_find_committed(const struct pbft *m, const struct pbft_slot *slot, struct pbft_cert *cert)
{
    for (uint32_t first = 0; first + m->quorum <= m->n; first++) {
        const struct pbft_vote *like = &slot->commits[first];
        if (!is_like(m, slot, first, like) || count_like(m, slot, like) < m->quorum)
            continue;
        *cert = (struct pbft_cert){.have = true, .view = like->view, .height = slot->height, .digest = like->digest};
        for (uint32_t i = first, n = 0; n < m->quorum; i++) {
            if (!is_like(m, slot, i, like))
                continue;
            cert->signers[PBFT_COMMITTED] |= UINT32_C(1) << i;
            memcpy(cert->sigs[i], slot->commits[i].sig, CHAIN_SIG_BYTES);
            n++;
        }
        return true;
    }
    return false;
}

static void decide(const struct pbft *m, struct pbft_slot *slot)
{
    struct pbft_cert cert;
    if (slot->decided || !chain_pbft_find_committed(m, slot, &cert) || !chain_pbft_holds_batch(slot, &cert.digest))
        return; /* without the batch: the others committed it; we ask on the timer */
    bool prepared = slot->cert.have && chain_pbft_same(&slot->cert.digest, &cert.digest);
    if (m->base.cfg.strict_votes && !prepared)
        return;
    slot->cert_saved = false;
    slot->cert = cert;
    slot->decided = true;
}

void chain_pbft_commit_ready(struct pbft *m)
{
    for (;;) {
        struct pbft_slot *slot = chain_pbft_slot(m, m->committed + 1);
        if (!slot || m->base.out->n_commits == CHAIN_MAX_COMMITS)
            return;
        decide(m, slot);
        if (!slot->decided || !chain_pbft_holds_batch(slot, &slot->cert.digest))
            return;
        commit(m, slot);
    }
}

/* What was prepared in heights that are not stable stays to be shown in a VIEW-CHANGE. */
void chain_pbft_synced(struct pbft *m, uint64_t height)
{
    if (height <= m->committed)
        return;
    m->committed = height;
    m->base.stats.committed = height;
    m->next = m->next > height ? m->next : height + 1;
    if (height > CHAIN_WINDOW && m->stable < height - CHAIN_WINDOW)
        m->stable = height - CHAIN_WINDOW;
    make_progress(m);
}

void chain_pbft_on_stable(struct pbft *m, uint64_t height)
{
    chain_pbft_synced(m, height);
    m->stable = height > m->stable ? height : m->stable;
}
