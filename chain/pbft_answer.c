/* What is sent to one that asks, and what becomes of the answer. */
#include <errno.h>
#include <string.h>

#include "chain/pbft.h"

enum { MAX_PROOFS = 4, MAX_CHANGES = 12 }; /* heights, VIEW-CHANGEs that an answer covers */

struct chain_msg chain_pbft_make_proposal(const struct pbft *m, const struct pbft_slot *slot)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = chain_pbft_primary(m, slot->prop_view), .view = slot->prop_view,
                            .seq = slot->height, .digest = slot->prop_digest, .body = slot->batch, .body_len = slot->batch_len};
    memcpy(msg.sig, slot->prop_sig, sizeof msg.sig);
    return msg;
}

/* Our latest vote for the slot; false if there is none but the proposal itself. */
bool chain_pbft_latest_vote(const struct pbft *m, const struct pbft_slot *slot, struct chain_msg *out)
{
    const struct pbft_vote *commit = &slot->commits[m->self], *prepare = &slot->prepares[m->self];
    bool committed = commit->have && commit->view == m->view;
    const struct pbft_vote *vote = committed ? commit : prepare;
    *out = (struct chain_msg){.kind = committed ? CHAIN_MSG_PBFT_COMMIT : CHAIN_MSG_PBFT_PREPARE, .author = m->self, .view = m->view,
                              .seq = slot->height, .digest = vote->digest};
    memcpy(out->sig, vote->sig, sizeof out->sig);
    return vote->have && vote->view == m->view;
}

static void relay_again(struct pbft *m, const struct chain_msg *msg, uint32_t to)
{
    m->base.stats.retransmitted += chain_base_relay(&m->base, msg, to, true);
}

struct question {
    uint32_t author;
    uint64_t view, height; /* what it works in, the first one that it lacks */
    uint32_t held;         /* bit k: it has the batch of height + k */
    uint64_t changes_view;
    uint32_t changes; /* whose VIEW-CHANGEs for changes_view it lacks */
};

static bool has_batch(const struct question *asked, uint64_t height)
{
    return height >= asked->height && height - asked->height < 32 && (asked->held >> (height - asked->height) & 1) != 0;
}

/* The certificate, if it proves a commit, and the batch unless who asked has it. */
static bool send_proof(struct pbft *m, const struct pbft_slot *slot, const struct question *asked)
{
    size_t cap;
    uint8_t *room = chain_base_room(&m->base, &cap);
    struct chain_cbor_writer w = {.out = room, .cap = cap < CHAIN_MAX_MSG_BYTES ? cap : CHAIN_MAX_MSG_BYTES};
    bool has = has_batch(asked, slot->height);
    chain_cbor_put_array(&w, 2);
    if (slot->decided)
        chain_pbft_cert_put(&w, &slot->cert);
    else
        chain_cbor_put_null(&w);
    if (has)
        chain_cbor_put_null(&w);
    else
        chain_cbor_put_bytes(&w, slot->batch, slot->batch_len);
    if (w.full || !slot->have_batch || (has && !slot->decided))
        return false;
    chain_base_take(&m->base, w.len);
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PROOF, .view = slot->cert.view, .seq = slot->height, .body = room, .body_len = w.len};
    m->base.stats.retransmitted += chain_base_send(&m->base, &msg, asked->author, true);
    return true;
}

/* What we have of the heights that are open here: our votes, and the first batch that who asked lacks. */
static void answer_open(struct pbft *m, const struct question *asked)
{
    bool sent = false;
    for (uint64_t height = m->committed + 1; height <= m->committed + CHAIN_WINDOW; height++) {
        const struct pbft_slot *slot = chain_pbft_slot(m, height);
        struct chain_msg msg;
        if (!slot)
            continue;
        bool votes = m->active && slot->accepted && chain_pbft_holds_prop(m, slot);
        bool lacks = !sent && !has_batch(asked, height);
        if (lacks && votes && slot->prop_signed) {
            msg = chain_pbft_make_proposal(m, slot);
            relay_again(m, &msg, asked->author);
            sent = true;
        } else if (lacks) {
            sent = send_proof(m, slot, asked);
        }
        if (votes && !m->learner && chain_pbft_latest_vote(m, slot, &msg))
            relay_again(m, &msg, asked->author);
    }
}

static const struct pbft_view_change *find_change(const struct pbft *m, uint32_t i, uint64_t view)
{
    const struct pbft_new_view *nv = &m->new_views[m->current];
    if (nv->have && nv->msg.view == view && (nv->named >> i & 1) != 0 && nv->changes[i].have)
        return &nv->changes[i];
    return m->peers[i].change.have && m->peers[i].change.view == view ? &m->peers[i].change : NULL;
}

/* VIEW-CHANGEs that a NEW-VIEW named: their authors signed them, anybody may hand them on. */
static void answer_changes(struct pbft *m, const struct question *asked)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n && n < MAX_CHANGES; i++) {
        const struct pbft_view_change *change = (asked->changes >> i & 1) != 0 ? find_change(m, i, asked->changes_view) : NULL;
        if (!change)
            continue;
        struct chain_msg msg = chain_pbft_change_msg(change, i);
        relay_again(m, &msg, asked->author);
        n++;
    }
}

static int read_question(const struct chain_msg *msg, struct question *out)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    out->author = msg->author;
    out->view = msg->view;
    out->height = msg->seq;
    chain_cbor_expect_array(&r, 3);
    out->held = chain_cbor_get_u32(&r);
    out->changes_view = chain_cbor_get_uint(&r);
    out->changes = chain_cbor_get_u32(&r);
    return chain_cbor_end(&r);
}

/* Everything leaves after what was written before it, so nothing is said that a crash could take back. */
int chain_pbft_on_ask(struct pbft *m, const struct chain_msg *msg)
{
    struct pbft_peer *peer = &m->peers[msg->author];
    struct question asked;
    if (msg->seq == 0 || read_question(msg, &asked) != 0) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    if (peer->answered_ns != INT64_MIN && m->base.now_ns - peer->answered_ns < m->base.cfg.heartbeat_ns / 2)
        return 0;
    peer->answered_ns = m->base.now_ns;
    if (asked.changes != 0)
        answer_changes(m, &asked);
    else if (m->active && asked.view < m->view)
        chain_pbft_send_new_view(m, asked.author);
    for (uint64_t height = asked.height; height <= m->committed; height++) {
        const struct pbft_slot *slot = chain_pbft_slot(m, height);
        bool more = height - asked.height < MAX_PROOFS && slot && slot->decided && send_proof(m, slot, &asked);
        if (!more)
            return 0; /* too many for one answer, or older than what is kept here: the node fetches the blocks */
    }
    answer_open(m, &asked);
    return 0;
}

struct proof {
    bool have_cert, have_batch;
    struct pbft_cert cert;
    struct chain_hash digest; /* of the batch */
    const uint8_t *batch;
    size_t len;
};

static int read_proof(const struct pbft *m, const struct chain_msg *msg, struct proof *out)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    chain_cbor_expect_array(&r, 2);
    out->have_cert = !chain_cbor_get_null(&r);
    if (out->have_cert)
        chain_pbft_cert_get(&r, &out->cert);
    out->have_batch = !r.bad && !chain_cbor_get_null(&r);
    if (out->have_batch)
        out->batch = chain_cbor_get_bytes(&r, &out->len);
    if (chain_cbor_end(&r) != 0 || (out->have_cert && out->cert.height != msg->seq))
        return -EBADMSG;
    if (!out->have_batch)
        return out->have_cert ? 0 : -EBADMSG;
    if (out->len > CHAIN_MAX_BATCH_BYTES
        || chain_msg_digest(m->base.cfg.members, CHAIN_MSG_PBFT_PRE_PREPARE, out->batch, out->len, &out->digest) != 0)
        return -EBADMSG;
    return !out->have_cert || chain_pbft_same(&out->digest, &out->cert.digest) ? 0 : -EBADMSG;
}

/* A quorum's COMMITs settle the height, whatever we held for it. */
static void decide(struct pbft *m, struct pbft_slot *slot, const struct proof *proof)
{
    slot->cert_saved = false;
    slot->cert = proof->cert;
    slot->decided = true;
    if (slot->have_prop && !chain_pbft_same(&slot->prop_digest, &proof->cert.digest))
        slot->have_prop = false;
    if (proof->have_batch)
        chain_pbft_store_batch(m, slot, &proof->digest, proof->batch, proof->len);
}

static bool is_wanted(const struct pbft *m, const struct pbft_slot *slot, const struct chain_hash *digest)
{
    const struct chain_hash *required = chain_pbft_required(m, slot->height);
    struct pbft_cert cert;
    return (required && chain_pbft_same(required, digest))
           || (chain_pbft_find_committed(m, slot, &cert) && chain_pbft_same(&cert.digest, digest));
}

int chain_pbft_on_proof(struct pbft *m, const struct chain_msg *msg)
{
    struct proof proof = {0};
    if (msg->seq <= m->committed || !chain_pbft_in_window(m, msg->seq)) {
        m->base.stats.refused_stale++;
        return -EBADMSG;
    }
    bool good = read_proof(m, msg, &proof) == 0 && (!proof.have_cert || chain_pbft_cert_is_commit(&proof.cert));
    const struct pbft_slot *held = chain_pbft_slot(m, msg->seq);
    if (good && proof.have_cert && !(held && held->decided))
        good = chain_pbft_cert_check(m, &proof.cert);
    if (!good) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    struct pbft_slot *slot = chain_pbft_open_slot(m, msg->seq);
    if (proof.have_cert && !slot->decided)
        decide(m, slot, &proof);
    else if (proof.have_batch && (slot->decided ? chain_pbft_same(&slot->cert.digest, &proof.digest) : is_wanted(m, slot, &proof.digest)))
        chain_pbft_store_batch(m, slot, &proof.digest, proof.batch, proof.len); /* a digest proves its batch */
    return 0;
}
