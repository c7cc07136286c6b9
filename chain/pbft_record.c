/* What has to survive a crash: the view, what was voted for, what was seen prepared. Written before the votes leave. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "chain/pbft.h"

enum { KEYS_A_SLOT = 4, OF_PROP = 0, OF_CERT = 1, OF_BATCH = 2 };

static uint64_t slot_key(uint64_t height, uint64_t which)
{
    return PBFT_KEY_SLOTS + height * KEYS_A_SLOT + which;
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

/* The certificate's batch has a row of its own only where the proposal's row does not hold it. */
static void record_batch(struct pbft *m, const struct pbft_slot *slot)
{
    bool in_prop = slot->have_prop && slot->accepted && chain_pbft_same(&slot->prop_digest, &slot->cert.digest);
    if (!slot->cert.have || in_prop)
        return;
    struct chain_cbor_writer w = begin_record(m);
    chain_cbor_put_bytes(&w, slot->cert_batch.octets, slot->cert_batch.len);
    end_record(m, &w, slot_key(slot->height, OF_BATCH));
}

void chain_pbft_record_prop(struct pbft *m, const struct pbft_slot *slot)
{
    struct chain_cbor_writer w = begin_record(m);
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, slot->prop_view);
    chain_cbor_put_bytes(&w, slot->prop_sig, CHAIN_SIG_BYTES);
    chain_cbor_put_bytes(&w, slot->prop.octets, slot->prop.len);
    end_record(m, &w, slot_key(slot->height, OF_PROP));
    record_batch(m, slot);
}

void chain_pbft_record_cert(struct pbft *m, const struct pbft_slot *slot)
{
    struct chain_cbor_writer w = begin_record(m);
    chain_pbft_cert_put(&w, &slot->cert);
    end_record(m, &w, slot_key(slot->height, OF_CERT));
    record_batch(m, slot);
}

void chain_pbft_record_view(struct pbft *m)
{
    const struct pbft_view_change *change = &m->peers[m->self].change;
    struct chain_cbor_writer w = begin_record(m);
    chain_cbor_put_array(&w, 4 + 2 * PBFT_CERTS);
    chain_cbor_put_uint(&w, m->view);
    chain_cbor_put_bool(&w, m->active);
    chain_cbor_put_uint(&w, m->choice.low);
    for (size_t i = 0; i < PBFT_CERTS; i++) {
        chain_cbor_put_bool(&w, m->choice.required[i].have);
        chain_cbor_put_bytes(&w, m->choice.required[i].digest.octets, CHAIN_HASH_BYTES);
    }
    chain_cbor_put_bytes(&w, change->body, m->active || !change->have ? 0 : change->len);
    end_record(m, &w, PBFT_KEY_VIEW);
}

void chain_pbft_record_new_view(struct pbft *m)
{
    struct chain_cbor_writer w = begin_record(m);
    chain_cbor_put_array(&w, 4);
    chain_cbor_put_uint(&w, m->new_view.msg.view);
    chain_cbor_put_uint(&w, m->new_view.msg.seq);
    chain_cbor_put_bytes(&w, m->new_view.msg.sig, CHAIN_SIG_BYTES);
    chain_cbor_put_bytes(&w, m->new_view.body, m->new_view.msg.body_len);
    end_record(m, &w, PBFT_KEY_NEW_VIEW);
}

void chain_pbft_forget(struct pbft *m, uint64_t height)
{
    if (height <= m->forgotten)
        return;
    chain_base_delete(&m->base, slot_key(m->forgotten, OF_PROP), slot_key(height, KEYS_A_SLOT - 1));
    m->forgotten = height;
}

static int restore_view(struct pbft *m, struct chain_cbor_reader *r)
{
    struct pbft_view_change *change = &m->peers[m->self].change;
    chain_cbor_expect_array(r, 4 + 2 * PBFT_CERTS);
    m->view = chain_cbor_get_uint(r);
    m->active = chain_cbor_get_bool(r);
    m->choice.low = chain_cbor_get_uint(r);
    for (size_t i = 0; i < PBFT_CERTS; i++) {
        m->choice.required[i].have = chain_cbor_get_bool(r);
        chain_cbor_get_fixed(r, m->choice.required[i].digest.octets, CHAIN_HASH_BYTES);
    }
    size_t len;
    const uint8_t *body = chain_cbor_get_bytes(r, &len);
    if (chain_cbor_end(r) != 0 || len > sizeof change->body || (!m->active && len == 0))
        return -EBADMSG;
    if (m->active)
        return 0;
    struct pbft_claim claim;
    if (chain_pbft_claim_get(m, body, len, false, &claim) != 0)
        return -EBADMSG;
    change->have = true;
    change->view = m->view;
    change->seq = claim.committed;
    change->len = len;
    memcpy(change->body, body, len);
    struct chain_msg msg;
    chain_pbft_own_view_change(m, &msg);
    chain_base_sign(&m->base, &msg);
    memcpy(change->sig, msg.sig, sizeof change->sig);
    m->peers[m->self].suspect = m->view;
    return 0;
}

static int restore_new_view(struct pbft *m, struct chain_cbor_reader *r)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_NEW_VIEW};
    chain_cbor_expect_array(r, 4);
    msg.view = chain_cbor_get_uint(r);
    msg.seq = chain_cbor_get_uint(r);
    chain_cbor_get_fixed(r, msg.sig, CHAIN_SIG_BYTES);
    const uint8_t *body = chain_cbor_get_bytes(r, &msg.body_len);
    if (chain_cbor_end(r) != 0 || msg.body_len == 0 || msg.body_len > sizeof m->new_view.body)
        return -EBADMSG;
    msg.author = chain_pbft_primary(m, msg.view);
    memcpy(m->new_view.body, body, msg.body_len);
    msg.body = m->new_view.body;
    m->new_view.msg = msg;
    m->new_view.have = chain_msg_digest(m->base.cfg.members, msg.kind, msg.body, msg.body_len, &m->new_view.msg.digest) == 0;
    return m->new_view.have ? 0 : -EBADMSG;
}

/* Our vote again: signing is deterministic, so these are the octets that may have left before the crash. */
static void restore_vote(struct pbft *m, struct pbft_vote *vote, uint8_t kind, uint64_t height, const struct chain_hash *digest)
{
    struct chain_msg msg = {.kind = kind, .view = m->view, .seq = height, .digest = *digest};
    chain_base_sign(&m->base, &msg);
    vote->have = true;
    vote->view = m->view;
    vote->digest = *digest;
    memcpy(vote->sig, msg.sig, sizeof vote->sig);
}

static int restore_prop(struct pbft *m, struct chain_cbor_reader *r, uint64_t height)
{
    uint8_t sig[CHAIN_SIG_BYTES];
    chain_cbor_expect_array(r, 3);
    uint64_t view = chain_cbor_get_uint(r);
    chain_cbor_get_fixed(r, sig, sizeof sig);
    size_t len;
    const uint8_t *batch = chain_cbor_get_bytes(r, &len);
    struct chain_hash digest;
    if (chain_cbor_end(r) != 0 || len > CHAIN_MAX_BATCH_BYTES
        || chain_msg_digest(m->base.cfg.members, CHAIN_MSG_PBFT_PRE_PREPARE, batch, len, &digest) != 0)
        return -EBADMSG;
    struct pbft_slot *slot = chain_pbft_open_slot(m, height);
    chain_pbft_store_prop(slot, view, &digest, batch, len);
    memcpy(slot->prop_sig, sig, sizeof sig);
    slot->accepted = true;
    if (height > m->committed && view == m->view && chain_pbft_primary(m, view) != m->self)
        restore_vote(m, &slot->prepares[m->self], CHAIN_MSG_PBFT_PREPARE, height, &digest);
    return 0;
}

static int restore_cert(struct pbft *m, struct chain_cbor_reader *r, uint64_t height)
{
    struct pbft_cert cert;
    chain_pbft_cert_get(r, &cert);
    if (chain_cbor_end(r) != 0 || cert.height != height)
        return -EBADMSG;
    struct pbft_slot *slot = chain_pbft_open_slot(m, height);
    slot->cert_batch.len = 0;
    if (slot->have_prop && chain_pbft_same(&slot->prop_digest, &cert.digest)) {
        slot->cert_batch.len = slot->prop.len;
        memcpy(slot->cert_batch.octets, slot->prop.octets, slot->prop.len);
    }
    slot->cert = cert;
    slot->committed = height <= m->committed && chain_pbft_cert_is_commit(m, &cert);
    if (height > m->committed && chain_pbft_prepared(m, slot))
        restore_vote(m, &slot->commits[m->self], CHAIN_MSG_PBFT_COMMIT, height, &cert.digest);
    return 0;
}

/* Comes after its certificate, as keys are in order. */
static int restore_batch(struct pbft *m, struct chain_cbor_reader *r, uint64_t height)
{
    size_t len;
    const uint8_t *batch = chain_cbor_get_bytes(r, &len);
    struct pbft_slot *slot = chain_pbft_slot(m, height);
    struct chain_hash digest;
    if (chain_cbor_end(r) != 0 || len > CHAIN_MAX_BATCH_BYTES || !slot || !slot->cert.have
        || chain_msg_digest(m->base.cfg.members, CHAIN_MSG_PBFT_PRE_PREPARE, batch, len, &digest) != 0)
        return -EBADMSG;
    if (!chain_pbft_same(&digest, &slot->cert.digest))
        return 0; /* of an older certificate, since replaced */
    slot->cert_batch.len = len;
    if (len > 0)
        memcpy(slot->cert_batch.octets, batch, len);
    return 0;
}

static int restore_slot(struct pbft *m, struct chain_cbor_reader *r, uint64_t key)
{
    uint64_t height = (key - PBFT_KEY_SLOTS) / KEYS_A_SLOT;
    if (height == 0 || (height > m->committed && !chain_pbft_in_window(m, height)))
        return -EBADMSG;
    if (m->committed - height >= CHAIN_WINDOW && height < m->committed)
        return 0; /* older than what is kept in memory */
    switch ((key - PBFT_KEY_SLOTS) % KEYS_A_SLOT) {
    case OF_PROP:
        return restore_prop(m, r, height);
    case OF_CERT:
        return restore_cert(m, r, height);
    case OF_BATCH:
        return restore_batch(m, r, height);
    default:
        return -EBADMSG;
    }
}

int chain_pbft_restore(struct pbft *m, uint64_t key, const uint8_t *data, size_t len)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    int rc;
    if (key == PBFT_KEY_VIEW) {
        rc = restore_view(m, &r);
    } else if (key == PBFT_KEY_NEW_VIEW) {
        rc = restore_new_view(m, &r);
    } else {
        rc = key < PBFT_KEY_SLOTS ? -EBADMSG : restore_slot(m, &r, key);
    }
    m->base.stats.refused_malformed += rc != 0;
    return rc;
}
