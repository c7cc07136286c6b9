/* What has to survive a crash: the view, what was promised, what was voted for, what was seen prepared. Written before the votes leave. */
#include <assert.h>

#include "chain/pbft.h"

static uint64_t slot_key(uint64_t height, uint64_t which)
{
    return PBFT_KEY_SLOTS + height * PBFT_KEYS_A_SLOT + which;
}

static struct chain_cbor_writer begin_record(struct pbft *m)
{
    struct chain_cbor_writer w = {0};
    w.out = chain_base_room(&m->base, &w.cap);
    return w;
}

static void end_record(struct pbft *m, struct chain_cbor_writer *w, uint64_t key)
{
    assert(!w->full);
    chain_base_take(&m->base, w->len);
    chain_base_record(&m->base, key, w->out, w->len);
}

/* With the next row that says how far it goes: no row is written, and no sync waited for, only to forget. */
static void forget_stable(struct pbft *m)
{
    if (m->stable <= m->forgotten)
        return;
    chain_base_delete(&m->base, slot_key(m->forgotten, PBFT_OF_PROP), slot_key(m->stable, PBFT_KEYS_A_SLOT - 1));
    m->forgotten = m->stable;
}

/* The batch as it is. The empty one needs no row. */
static void record_batch(struct pbft *m, struct pbft_slot *slot)
{
    if (slot->batch_saved || slot->batch_len == 0)
        return;
    chain_base_record(&m->base, slot_key(slot->height, PBFT_OF_BATCH), slot->batch, slot->batch_len);
    slot->batch_saved = true;
}

void chain_pbft_record_prop(struct pbft *m, struct pbft_slot *slot)
{
    forget_stable(m);
    struct chain_cbor_writer w = begin_record(m);
    chain_cbor_put_array(&w, 4);
    chain_cbor_put_uint(&w, m->stable);
    chain_cbor_put_uint(&w, slot->prop_view);
    chain_cbor_put_bytes(&w, slot->prop_sig, slot->prop_signed ? CHAIN_SIG_BYTES : 0);
    chain_cbor_put_bytes(&w, slot->prop_digest.octets, CHAIN_HASH_BYTES);
    end_record(m, &w, slot_key(slot->height, PBFT_OF_PROP));
    record_batch(m, slot);
}

void chain_pbft_record_cert(struct pbft *m, struct pbft_slot *slot)
{
    if (m->stable >= m->forgotten + CHAIN_WINDOW)
        chain_pbft_record_view(m); /* who only follows votes for nothing, and forgets too */
    struct chain_cbor_writer w = begin_record(m);
    chain_pbft_cert_put(&w, &slot->cert);
    end_record(m, &w, slot_key(slot->height, PBFT_OF_CERT));
    slot->cert_saved = true;
    record_batch(m, slot);
}

void chain_pbft_record_view(struct pbft *m)
{
    const struct pbft_view_change *change = &m->peers[m->self].change;
    forget_stable(m);
    m->spoken = m->learner ? m->spoken : m->view;
    struct chain_cbor_writer w = begin_record(m);
    chain_cbor_put_array(&w, 8);
    chain_cbor_put_uint(&w, m->view);
    chain_cbor_put_bool(&w, m->active);
    chain_cbor_put_uint(&w, m->stable);
    chain_cbor_put_uint(&w, m->choice.low);
    chain_cbor_put_array(&w, CHAIN_WINDOW);
    for (size_t i = 0; i < CHAIN_WINDOW; i++) {
        if (m->choice.required[i].have)
            chain_cbor_put_bytes(&w, m->choice.required[i].digest.octets, CHAIN_HASH_BYTES);
        else
            chain_cbor_put_null(&w);
    }
    chain_cbor_put_uint(&w, m->promised);
    chain_cbor_put_uint(&w, m->spoken);
    chain_cbor_put_bytes(&w, change->body, change->have ? change->len : 0);
    end_record(m, &w, PBFT_KEY_VIEW);
}

void chain_pbft_record_new_view(struct pbft *m)
{
    const struct pbft_new_view *nv = &m->new_views[m->current];
    struct chain_cbor_writer w = begin_record(m);
    chain_cbor_put_array(&w, 4);
    chain_cbor_put_uint(&w, nv->msg.view);
    chain_cbor_put_uint(&w, nv->msg.seq);
    chain_cbor_put_bytes(&w, nv->msg.sig, CHAIN_SIG_BYTES);
    chain_cbor_put_bytes(&w, nv->body, nv->msg.body_len);
    end_record(m, &w, PBFT_KEY_NEW_VIEW);
    for (uint32_t i = 0; i < m->n; i++) {
        const struct pbft_view_change *change = &nv->changes[i];
        if ((nv->named >> i & 1) == 0)
            continue;
        w = begin_record(m);
        chain_cbor_put_array(&w, 3);
        chain_cbor_put_uint(&w, change->view);
        chain_cbor_put_bytes(&w, change->sig, CHAIN_SIG_BYTES);
        chain_cbor_put_bytes(&w, change->body, change->len);
        end_record(m, &w, PBFT_KEY_CHANGES + i);
    }
}
