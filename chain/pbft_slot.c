#include <string.h>

#include "chain/pbft.h"

uint32_t chain_pbft_primary(const struct pbft *m, uint64_t view)
{
    return (uint32_t)(view % m->n);
}

bool chain_pbft_in_window(const struct pbft *m, uint64_t height)
{
    return height > m->committed && height - m->committed <= CHAIN_WINDOW;
}

struct pbft_slot *chain_pbft_slot(struct pbft *m, uint64_t height)
{
    struct pbft_slot *slot = &m->slots[height % PBFT_SLOTS];
    return slot->height == height && height > 0 ? slot : NULL;
}

struct pbft_slot *chain_pbft_open_slot(struct pbft *m, uint64_t height)
{
    struct pbft_slot *slot = &m->slots[height % PBFT_SLOTS];
    if (slot->height == height)
        return slot;
    memset(slot, 0, offsetof(struct pbft_slot, prop)); /* batches are as long as their len says */
    slot->prop.len = slot->cert_batch.len = 0;
    slot->height = height;
    slot->opened_ns = m->base.now_ns;
    return slot;
}

const struct chain_hash *chain_pbft_required(const struct pbft *m, uint64_t height)
{
    if (height <= m->choice.low || height - m->choice.low > PBFT_CERTS)
        return NULL;
    uint64_t i = height - m->choice.low - 1;
    return m->choice.required[i].have ? &m->choice.required[i].digest : NULL;
}

bool chain_pbft_same(const struct chain_hash *a, const struct chain_hash *b)
{
    return memcmp(a->octets, b->octets, CHAIN_HASH_BYTES) == 0;
}

const struct pbft_batch *chain_pbft_batch(const struct pbft_slot *slot, const struct chain_hash *digest)
{
    if (slot->cert.have && chain_pbft_same(&slot->cert.digest, digest))
        return &slot->cert_batch;
    return slot->have_prop && chain_pbft_same(&slot->prop_digest, digest) ? &slot->prop : NULL;
}

bool chain_pbft_prepared(const struct pbft *m, const struct pbft_slot *slot)
{
    return slot->cert.have && slot->cert.view == m->view;
}

void chain_pbft_store_prop(struct pbft_slot *slot, uint64_t view, const struct chain_hash *digest, const uint8_t *batch, size_t len)
{
    slot->have_prop = true;
    slot->accepted = slot->refused = false;
    slot->prop_view = view;
    slot->prop_digest = *digest;
    memset(slot->prop_sig, 0, sizeof slot->prop_sig);
    slot->prop.len = len;
    if (len > 0)
        memmove(slot->prop.octets, batch, len);
}
