/* Equivocation: two signatures of one seat over two contents of what an honest member says once. */
#include <string.h>

#include "chain/ledger_state.h"

enum { MAX_ACCUSED = 8 }; /* proofs that a block looks at: each costs two verifications */

/* The members of an accusation's epoch: this one's or the one's before; others are not kept. */
static bool members_then(const struct chain_ledger *l, uint32_t epoch, struct chain_members *out)
{
    *out = l->genesis.members;
    if (epoch == out->epoch)
        return true;
    if (l->former.n == 0 || epoch != out->epoch - 1)
        return false;
    out->epoch = epoch;
    out->n = l->former.n;
    memcpy(out->seats, l->former.seats, sizeof out->seats);
    return true;
}

static bool is_signed(const struct chain_ledger *l, const struct chain_members *members, const struct chain_equivocation *e, int which)
{
    struct chain_msg msg = {.kind = e->kind, .author = e->author, .view = e->view, .seq = e->seq, .digest = e->digest[which]};
    memcpy(msg.sig, e->sig[which], CHAIN_SIG_BYTES);
    return l->signer.verify(l->signer.ctx, members, &msg) == 0;
}

enum chain_response chain_ledger_accuse(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                        struct chain_ledger_event *subject)
{
    const struct chain_equivocation *e = &op->equivocation;
    struct chain_members members;
    if (!members_then(l, e->epoch, &members))
        return CHAIN_UNSYNC_OP_PARAM;
    if (e->author >= members.n)
        return CHAIN_INVALID_VALUE;
    bool is_former = e->epoch != l->genesis.members.epoch;
    uint32_t *convicted = is_former ? &l->former.convicted : &l->convicted;
    uint32_t culprit = members.seats[e->author];
    subject->id = culprit;
    if (*convicted >> e->author & 1)
        return CHAIN_INVALID_VALUE;
    if (l->n_accused == MAX_ACCUSED)
        return CHAIN_LIMIT;
    l->n_accused++;
    if (!is_signed(l, &members, e, 0) || !is_signed(l, &members, e, 1))
        return CHAIN_CERT_ERROR;
    *convicted |= UINT32_C(1) << e->author;
    uint32_t seat = chain_members_seat(&l->genesis.members, culprit);
    if (seat < CHAIN_MAX_MEMBERS) /* a new epoch in between is no way out */
        l->convicted |= UINT32_C(1) << seat;
    chain_ledger_touch(l, CHAIN_TABLE_MEMBERS, 1, 0);
    struct chain_ledger_event *event = chain_ledger_emit(l, CHAIN_LE_CONVICTED);
    event->station = culprit;
    event->id = e->epoch;
    if (author != culprit)
        chain_ledger_earn(l, author, l->genesis.accuse_reward);
    return CHAIN_SUCCESS;
}

uint32_t chain_ledger_convicted(const struct chain_ledger *l)
{
    return l->convicted;
}
