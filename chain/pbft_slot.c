#include <string.h>

#include "chain/pbft.h"

uint32_t chain_pbft_primary(const struct pbft *m, uint64_t view)
{
    return (uint32_t)(view % m->n);
}

bool chain_pbft_counts(const struct pbft *m, uint32_t seat)
{
    return (m->convicted >> seat & 1) == 0;
}

/* Heights that are committed count as long as their slot is there: a new view may propose them again. */
bool chain_pbft_in_window(struct pbft *m, uint64_t height)
{
    if (height <= m->committed)
        return height > m->stable && chain_pbft_slot(m, height);
    return height - m->committed <= CHAIN_WINDOW && height - m->stable <= PBFT_SLOTS;
}

struct pbft_slot *chain_pbft_slot(struct pbft *m, uint64_t height)
{
    struct pbft_slot *slot = &m->slots[height % PBFT_SLOTS];
    return slot->height == height && height > 0 ? slot : NULL;
}

void chain_pbft_accept(struct pbft *m, struct pbft_slot *slot)
{
    slot->accepted = true;
    if (slot->height > m->voted)
        m->voted = slot->height;
}

struct pbft_slot *chain_pbft_open_slot(struct pbft *m, uint64_t height)
{
    struct pbft_slot *slot = &m->slots[height % PBFT_SLOTS];
    if (slot->height == height)
        return slot;
    memset(slot, 0, offsetof(struct pbft_slot, batch));
    slot->height = height;
    slot->opened_ns = m->base.now_ns;
    return slot;
}

const struct chain_hash *chain_pbft_required(const struct pbft *m, uint64_t height)
{
    if (height <= m->choice.low || height - m->choice.low > CHAIN_WINDOW)
        return NULL;
    uint64_t i = height - m->choice.low - 1;
    return m->choice.required[i].have ? &m->choice.required[i].digest : NULL;
}

uint64_t chain_pbft_top(const struct pbft *m)
{
    uint64_t n = CHAIN_WINDOW;
    while (n > 0 && !m->choice.required[n - 1].have)
        n--;
    return m->choice.low + n;
}

bool chain_pbft_same(const struct chain_hash *a, const struct chain_hash *b)
{
    return memcmp(a->octets, b->octets, CHAIN_HASH_BYTES) == 0;
}

bool chain_pbft_holds_batch(const struct pbft_slot *slot, const struct chain_hash *digest)
{
    return slot->have_batch && chain_pbft_same(&slot->batch_digest, digest);
}

bool chain_pbft_holds_prop(const struct pbft *m, const struct pbft_slot *slot)
{
    return slot->have_prop && slot->prop_view == m->view;
}

bool chain_pbft_prepared(const struct pbft *m, const struct pbft_slot *slot)
{
    const struct pbft_vote *own = &slot->commits[m->self];
    return (own->have && own->view == m->view) || (slot->cert.have && slot->cert.view == m->view);
}

bool chain_pbft_store_batch(const struct pbft *m, struct pbft_slot *slot, const struct chain_hash *digest, const uint8_t *batch, size_t len)
{
    if (chain_pbft_holds_batch(slot, digest))
        return true;
    bool voted = m->active && chain_pbft_holds_prop(m, slot) && slot->accepted && chain_pbft_same(&slot->prop_digest, &slot->batch_digest);
    bool prepared = slot->cert.have && chain_pbft_same(&slot->cert.digest, &slot->batch_digest);
    if (slot->have_batch && (voted || prepared))
        return false;
    slot->have_batch = true;
    slot->batch_saved = false;
    slot->batch_digest = *digest;
    slot->batch_len = len;
    if (len > 0)
        memcpy(slot->batch, batch, len);
    return true;
}

void chain_pbft_store_prop(struct pbft_slot *slot, uint64_t view, const struct chain_hash *digest, const uint8_t *sig)
{
    slot->have_prop = true;
    slot->accepted = slot->refused = false;
    slot->prop_view = view;
    slot->prop_digest = *digest;
    slot->prop_signed = sig != NULL;
    if (sig)
        memcpy(slot->prop_sig, sig, CHAIN_SIG_BYTES);
}

/* A quorum left all views below the installed one: what it does not propose again was committed in none of them, and never will be. */
void chain_pbft_drop_dead(struct pbft *m)
{
    const struct pbft_new_view *installed = &m->new_views[m->current];
    for (size_t i = 0; i < PBFT_SLOTS; i++) {
        struct pbft_slot *slot = &m->slots[i];
        const struct chain_hash *digest = chain_pbft_required(m, slot->height);
        bool open = installed->have && slot->height > m->choice.low && slot->height > m->committed && !slot->decided;
        if (!open || !slot->cert.have || slot->cert.view >= installed->msg.view || (digest && chain_pbft_same(digest, &slot->cert.digest)))
            continue;
        slot->cert.have = slot->cert_saved = false;
    }
}
