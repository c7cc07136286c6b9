/* Committing in order of heights: by a quorum of COMMITs, by somebody's proof, or because the node took certified blocks. */
#include <string.h>

#include "chain/pbft.h"

static void make_progress(struct pbft *m)
{
    m->progress_ns = m->base.now_ns;
    m->progressed = m->changed = true;
    m->suspecting = false;
    for (uint32_t i = 0; i < m->n; i++) /* a suspicion ends with progress; a VIEW-CHANGE does not */
        m->peers[i].suspect = m->peers[i].change.have ? m->peers[i].change.view : 0;
}

void chain_pbft_commit_by_cert(struct pbft *m, const struct pbft_cert *cert, const uint8_t *batch, size_t len)
{
    struct pbft_slot *slot = chain_pbft_open_slot(m, cert->height);
    if (batch != slot->cert_batch.octets) {
        slot->cert_batch.len = len;
        if (len > 0)
            memcpy(slot->cert_batch.octets, batch, len);
    }
    slot->cert = *cert;
    slot->committed = m->committed_now = true;
    m->committed = cert->height;
    chain_pbft_record_cert(m, slot); /* the proof for those behind, until a quorum has signed the block */
    chain_base_commit(&m->base, cert->height, slot->cert_batch.octets, slot->cert_batch.len);
    make_progress(m);
}

static bool find_committed(const struct pbft *m, const struct pbft_slot *slot, struct pbft_cert *cert)
{
    for (uint32_t first = 0; first + m->quorum <= m->n; first++) {
        const struct pbft_vote *like = &slot->commits[first];
        if (!like->have)
            continue;
        *cert = (struct pbft_cert){.have = true, .view = like->view, .height = slot->height, .digest = like->digest};
        for (uint32_t i = first; i < m->n && cert->n < m->quorum; i++) {
            const struct pbft_vote *vote = &slot->commits[i];
            if (!vote->have || vote->view != like->view || !chain_pbft_same(&vote->digest, &like->digest))
                continue;
            cert->sigs[cert->n].author = (uint8_t)i;
            cert->sigs[cert->n].kind = CHAIN_MSG_PBFT_COMMIT;
            memcpy(cert->sigs[cert->n++].sig, vote->sig, CHAIN_SIG_BYTES);
        }
        if (cert->n == m->quorum)
            return true;
    }
    return false;
}

void chain_pbft_commit_ready(struct pbft *m)
{
    for (;;) {
        struct pbft_slot *slot = chain_pbft_slot(m, m->committed + 1);
        struct pbft_cert cert;
        if (!slot || !find_committed(m, slot, &cert))
            return;
        const struct pbft_batch *batch = chain_pbft_batch(slot, &cert.digest);
        if (!batch)
            return; /* the others committed it; we ask for the batch on the timer */
        if (m->base.cfg.strict_votes && !(slot->cert.have && chain_pbft_same(&slot->cert.digest, &cert.digest)))
            return;
        chain_pbft_commit_by_cert(m, &cert, batch->octets, batch->len);
    }
}

void chain_pbft_synced(struct pbft *m, uint64_t height)
{
    if (height <= m->committed)
        return;
    m->committed = height;
    m->base.stats.committed = height;
    for (uint32_t i = 0; i < PBFT_SLOTS; i++)
        if (m->slots[i].height <= height)
            m->slots[i].height = 0;
    make_progress(m);
}
