/* Members that contradict themselves: the proof of it, and what a conviction means. */
#include <errno.h>
#include <string.h>

#include "chain/pbft.h"

/* Once a member: one proof convicts it. */
int chain_pbft_accuse(struct pbft *m, const struct chain_msg *msg, const struct chain_hash *digest, const uint8_t *sig)
{
    struct chain_update *out = m->base.out;
    m->base.stats.equivocations++;
    if ((m->accused >> msg->author & 1) != 0 || out->n_proofs == CHAIN_MAX_PROOFS)
        return -EBADMSG;
    m->accused |= UINT32_C(1) << msg->author;
    struct chain_equivocation *proof = &out->proofs[out->n_proofs++];
    *proof = (struct chain_equivocation){.kind = msg->kind, .epoch = m->base.cfg.members->epoch, .author = msg->author, .view = msg->view,
                                         .seq = msg->seq, .digest = {*digest, msg->digest}};
    memcpy(proof->sig[0], sig, CHAIN_SIG_BYTES);
    memcpy(proof->sig[1], msg->sig, CHAIN_SIG_BYTES);
    return 0;
}

/* It is one of the f until the epoch ends. Where the others would be no quorum (more than f, or f = 0 and n = 2), nobody is left out. */
void chain_pbft_convict(struct pbft *m, uint32_t seat)
{
    uint32_t n_left = 0;
    for (uint32_t i = 0; i < m->n; i++)
        n_left += i != seat && chain_pbft_counts(m, i);
    if (seat >= m->n || n_left < m->quorum)
        return;
    m->convicted |= UINT32_C(1) << seat;
    m->accused |= UINT32_C(1) << seat;
    m->learner = m->learner || seat == m->self;
    m->changed = true;
}

/* A VIEW-CHANGE that a NEW-VIEW names is let through: its author may have been convicted since. */
bool chain_pbft_refuses(struct pbft *m, const struct chain_msg *msg)
{
    if (chain_pbft_counts(m, msg->author) || (msg->kind == CHAIN_MSG_PBFT_VIEW_CHANGE && chain_pbft_is_named(m, msg)))
        return false;
    m->base.stats.refused_convicted++;
    return true;
}
