/* Rows read back after a restart, in the order of their keys. */
#include <errno.h>
#include <string.h>

#include "chain/pbft.h"

static int restore_promise(struct pbft *m, const uint8_t *body, size_t len)
{
    struct pbft_view_change *change = &m->peers[m->self].change;
    if (m->promised == 0)
        return len == 0 ? 0 : -EBADMSG;
    if (len == 0 || len > sizeof change->body || chain_pbft_claim_get(m, body, len, false, &m->claims[0]) != 0)
        return -EBADMSG;
    /* signing is deterministic: the octets that may have left before the crash */
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .view = m->promised, .body = body, .body_len = len};
    chain_base_sign(&m->base, &msg);
    chain_pbft_store_change(change, &msg);
    return 0;
}

static int restore_view(struct pbft *m, struct chain_cbor_reader *r)
{
    size_t len = 0;
    chain_cbor_expect_array(r, 8);
    m->view = chain_cbor_get_uint(r);
    m->active = chain_cbor_get_bool(r);
    m->forgotten = chain_cbor_get_uint(r);
    m->choice.low = chain_cbor_get_uint(r);
    chain_cbor_expect_array(r, CHAIN_WINDOW);
    for (size_t i = 0; i < CHAIN_WINDOW; i++) {
        m->choice.required[i].have = !chain_cbor_get_null(r);
        if (m->choice.required[i].have)
            chain_cbor_get_fixed(r, m->choice.required[i].digest.octets, CHAIN_HASH_BYTES);
    }
    m->promised = chain_cbor_get_uint(r);
    m->spoken = chain_cbor_get_uint(r);
    const uint8_t *body = chain_cbor_get_bytes(r, &len);
    if (chain_cbor_end(r) != 0)
        return -EBADMSG;
    m->restored = true;
    return restore_promise(m, body, len);
}

static int restore_new_view(struct pbft *m, struct chain_cbor_reader *r)
{
    struct pbft_new_view *nv = &m->new_views[m->current];
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_NEW_VIEW};
    chain_cbor_expect_array(r, 4);
    msg.view = chain_cbor_get_uint(r);
    msg.seq = chain_cbor_get_uint(r);
    chain_cbor_get_fixed(r, msg.sig, CHAIN_SIG_BYTES);
    const uint8_t *body = chain_cbor_get_bytes(r, &msg.body_len);
    if (chain_cbor_end(r) != 0 || msg.body_len == 0 || msg.body_len > sizeof nv->body
        || chain_msg_digest(m->base.cfg.members, msg.kind, body, msg.body_len, &msg.digest) != 0)
        return -EBADMSG;
    msg.author = chain_pbft_primary(m, msg.view);
    memcpy(nv->body, body, msg.body_len);
    msg.body = nv->body;
    nv->msg = msg;
    nv->have = chain_pbft_read_new_view(m, nv);
    return nv->have ? 0 : -EBADMSG;
}

/* To hand on with the NEW-VIEW that names it; rows of older ones may still be there. */
static int restore_change(struct pbft *m, struct chain_cbor_reader *r, uint32_t author)
{
    struct pbft_new_view *nv = &m->new_views[m->current];
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .author = author};
    chain_cbor_expect_array(r, 3);
    msg.view = chain_cbor_get_uint(r);
    chain_cbor_get_fixed(r, msg.sig, CHAIN_SIG_BYTES);
    msg.body = chain_cbor_get_bytes(r, &msg.body_len);
    if (chain_cbor_end(r) != 0 || msg.body_len == 0 || msg.body_len > PBFT_VIEW_CHANGE_BYTES
        || chain_msg_digest(m->base.cfg.members, msg.kind, msg.body, msg.body_len, &msg.digest) != 0)
        return -EBADMSG;
    if (nv->have && nv->msg.view == msg.view && (nv->named >> author & 1) != 0 && chain_pbft_same(&nv->digests[author], &msg.digest))
        chain_pbft_store_change(&nv->changes[author], &msg);
    return 0;
}

static void restore_null(struct pbft *m, struct pbft_slot *slot, const struct chain_hash *digest)
{
    if (chain_pbft_same(digest, &m->null_digest) && chain_pbft_store_batch(m, slot, digest, NULL, 0))
        slot->batch_saved = true;
}

static int restore_prop(struct pbft *m, struct chain_cbor_reader *r, uint64_t height)
{
    struct chain_hash digest;
    size_t len = 0;
    chain_cbor_expect_array(r, 4);
    uint64_t stable = chain_cbor_get_uint(r);
    uint64_t view = chain_cbor_get_uint(r);
    const uint8_t *sig = chain_cbor_get_bytes(r, &len);
    chain_cbor_get_fixed(r, digest.octets, sizeof digest.octets);
    if (chain_cbor_end(r) != 0 || (len != 0 && len != CHAIN_SIG_BYTES))
        return -EBADMSG;
    struct pbft_slot *slot = chain_pbft_open_slot(m, height);
    chain_pbft_store_prop(slot, view, &digest, len > 0 ? sig : NULL);
    chain_pbft_accept(m, slot);
    m->restored = true;
    m->forgotten = stable > m->forgotten ? stable : m->forgotten;
    restore_null(m, slot, &digest);
    return 0;
}

static int restore_cert(struct pbft *m, struct chain_cbor_reader *r, uint64_t height)
{
    struct pbft_cert cert;
    chain_pbft_cert_get(r, &cert);
    if (chain_cbor_end(r) != 0 || cert.height != height)
        return -EBADMSG;
    struct pbft_slot *slot = chain_pbft_open_slot(m, height);
    slot->cert = cert;
    slot->cert_saved = true;
    slot->decided = height <= m->committed && chain_pbft_cert_is_commit(&cert);
    restore_null(m, slot, &cert.digest);
    return 0;
}

/* Comes after what it belongs to. */
static int restore_batch(struct pbft *m, const uint8_t *data, size_t len, uint64_t height)
{
    struct pbft_slot *slot = chain_pbft_slot(m, height);
    struct chain_hash digest;
    if (!slot || len > CHAIN_MAX_BATCH_BYTES
        || chain_msg_digest(m->base.cfg.members, CHAIN_MSG_PBFT_PRE_PREPARE, data, len, &digest) != 0)
        return -EBADMSG;
    if (chain_pbft_store_batch(m, slot, &digest, data, len))
        slot->batch_saved = true;
    return 0;
}

static int restore_slot(struct pbft *m, uint64_t key, const uint8_t *data, size_t len)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    uint64_t height = (key - PBFT_KEY_SLOTS) / PBFT_KEYS_A_SLOT;
    if (height == 0 || (height > m->committed && height - m->committed > CHAIN_WINDOW))
        return -EBADMSG;
    if (height <= m->committed && m->committed - height >= CHAIN_WINDOW)
        return 0; /* older than what is kept in memory */
    switch ((key - PBFT_KEY_SLOTS) % PBFT_KEYS_A_SLOT) {
    case PBFT_OF_PROP:
        return restore_prop(m, &r, height);
    case PBFT_OF_CERT:
        return restore_cert(m, &r, height);
    case PBFT_OF_BATCH:
        return restore_batch(m, data, len, height);
    default:
        return -EBADMSG;
    }
}

int chain_pbft_restore(struct pbft *m, uint64_t key, const uint8_t *data, size_t len)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    int rc = -EBADMSG;
    if (key == PBFT_KEY_VIEW)
        rc = restore_view(m, &r);
    else if (key == PBFT_KEY_NEW_VIEW)
        rc = restore_new_view(m, &r);
    else if (key >= PBFT_KEY_CHANGES && key < PBFT_KEY_CHANGES + CHAIN_MAX_MEMBERS)
        rc = restore_change(m, &r, (uint32_t)(key - PBFT_KEY_CHANGES));
    else if (key >= PBFT_KEY_SLOTS)
        rc = restore_slot(m, key, data, len);
    m->base.stats.refused_malformed += rc != 0;
    return rc;
}

static void restore_vote(struct pbft *m, struct pbft_vote *vote, uint8_t kind, const struct pbft_slot *slot)
{
    struct chain_msg msg = {.kind = kind, .view = m->view, .seq = slot->height, .digest = slot->prop_digest};
    chain_base_sign(&m->base, &msg);
    vote->have = true;
    vote->view = m->view;
    vote->digest = msg.digest;
    memcpy(vote->sig, msg.sig, sizeof vote->sig);
}

/* Our votes again, and how far we are. Rows say up to which height everything was certified when they were written; above it they show
 * all that we voted for. */
void chain_pbft_restored(struct pbft *m)
{
    if (!m->restored)
        return;
    uint64_t least = m->committed > CHAIN_WINDOW ? m->committed - CHAIN_WINDOW : 0;
    m->stable = m->forgotten > least ? m->forgotten : least;
    m->stable = m->stable < m->committed ? m->stable : m->committed;
    chain_pbft_drop_dead(m);
    m->next = chain_pbft_top(m) > m->committed ? chain_pbft_top(m) + 1 : m->committed + 1;
    for (size_t i = 0; i < PBFT_SLOTS; i++) {
        struct pbft_slot *slot = &m->slots[i];
        if (slot->height == 0 || !chain_pbft_holds_prop(m, slot))
            continue;
        bool proposed = slot->prop_signed && chain_pbft_primary(m, m->view) == m->self;
        if (!proposed)
            restore_vote(m, &slot->prepares[m->self], CHAIN_MSG_PBFT_PREPARE, slot);
        bool prepared = slot->cert.have && slot->cert.view == m->view && chain_pbft_same(&slot->cert.digest, &slot->prop_digest);
        if (prepared && m->promised <= m->view)
            restore_vote(m, &slot->commits[m->self], CHAIN_MSG_PBFT_COMMIT, slot);
        if (proposed && slot->height >= m->next)
            m->next = slot->height + 1;
    }
}
