/* The signer that the engine and the ledger get: it counts, and what was verified once is not verified again. */
#include "chain/node_internal.h"

#include <string.h>

/* Every field under the signature takes part, and the signature itself: a hit is the very message. The slot is keyed, so that
 * nobody can aim at another's. */
static size_t slot_of(const struct chain_node *m, const struct chain_msg *msg)
{
    uint64_t word;
    memcpy(&word, msg->sig, sizeof(word));
    word = (word ^ m->cfg.seed) * 0x9e3779b97f4a7c15U;
    return (size_t)(word >> 40) % NODE_SEEN;
}

/* Transactions and blocks mean the same in every epoch. */
static uint32_t epoch_of(const struct chain_members *members, const struct chain_msg *msg)
{
    return chain_msg_by_seat(msg->kind) ? members->epoch : 0;
}

static bool seen_before(const struct chain_node *m, const struct chain_members *members, const struct chain_msg *msg)
{
    size_t slot = slot_of(m, msg);
    const struct node_seen *s = &m->seen[slot];
    return (m->seen_used[slot / 64] >> (slot % 64) & 1) != 0 && s->kind == msg->kind && s->epoch == epoch_of(members, msg) && s->author == msg->author &&
           s->view == msg->view && s->seq == msg->seq &&
           memcmp(s->digest.octets, msg->digest.octets, CHAIN_HASH_BYTES) == 0 && memcmp(s->sig, msg->sig, CHAIN_SIG_BYTES) == 0;
}

static void remember(struct chain_node *m, const struct chain_members *members, const struct chain_msg *msg)
{
    size_t slot = slot_of(m, msg);
    struct node_seen *s = &m->seen[slot];
    m->seen_used[slot / 64] |= UINT64_C(1) << (slot % 64);
    *s = (struct node_seen){.kind = msg->kind, .epoch = epoch_of(members, msg),
                            .author = msg->author, .view = msg->view, .seq = msg->seq, .digest = msg->digest};
    memcpy(s->sig, msg->sig, CHAIN_SIG_BYTES);
}

bool node_is_raft_kind(uint8_t kind)
{
    return kind >= CHAIN_MSG_RAFT_APPEND && kind < CHAIN_MSG_PBFT_PRE_PREPARE;
}

static int verify_once(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    struct chain_node *m = ctx;
    if (seen_before(m, members, msg))
        return 0;
    m->stats.verified++;
    int rc = m->cfg.signer.verify(m->cfg.signer.ctx, members, msg);
    if (rc != 0)
        return rc;
    node_note_heard(m, members, msg);
    remember(m, members, msg);
    return 0;
}

static int sign_counted(void *ctx, const struct chain_members *members, struct chain_msg *msg)
{
    struct chain_node *m = ctx;
    if (m->cfg.proven_links && node_is_raft_kind(msg->kind)) {
        memset(msg->sig, 0, sizeof(msg->sig));
        return 0;
    }
    m->stats.signed_++;
    int rc = m->cfg.signer.sign(m->cfg.signer.ctx, members, msg);
    if (rc == 0 && msg->kind == CHAIN_MSG_TX)
        remember(m, members, msg); /* it comes back in a batch */
    return rc;
}

void node_signer_init(struct chain_node *m)
{
    m->signer = (struct chain_signer){.ctx = m, .sign = sign_counted, .verify = verify_once};
}

bool node_verify(struct chain_node *m, const struct chain_msg *msg)
{
    if (m->signer.verify(m->signer.ctx, m->members, msg) == 0)
        return true;
    m->stats.refused_signature++;
    return false;
}

void node_note_verified(struct chain_node *m, const struct chain_msg *msg)
{
    remember(m, m->members, msg);
}
