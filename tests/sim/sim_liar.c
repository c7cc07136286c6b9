/* Members that lie. What their production node would have sent is turned into something else for some receivers, and signed with their
 * own key: it is the only one this code is handed. */
#include <assert.h>
#include <string.h>

#include "chain/cbor.h"
#include "tests/sim/sim.h"

enum { MOST_MSGS = 64 };

struct liar {
    struct sim_world *w;
    struct sim_node *node;
    const struct chain_members *members;
    struct chain_signer signer; /* the liar's own */
    enum sim_fault mood;        /* SIM_FAULTS: honest for a while */
    uint8_t body[CHAIN_MAX_MSG_BYTES];
};

static enum sim_fault mood_of(const struct sim_world *w, const struct sim_node *node)
{
    static const enum sim_fault moods[] = {SIM_LIE_BATCH, SIM_LIE_VOTE, SIM_LIE_STALE,  SIM_LIE_BLOCK,
                                           SIM_LIE_CLAIM, SIM_FAULTS,   SIM_LIE_SILENT, SIM_LIE_VIEW};
    uint64_t when = (uint64_t)(w->now_ns / SIM_MS(400));
    return moods[sim_mix(w->cfg.seed ^ sim_mix(when ^ ((uint64_t)node->key << 48))) % (sizeof moods / sizeof moods[0])];
}

/* Another batch, as good as the first. */
static bool lie_of_batch(struct liar *l, struct chain_msg *msg)
{
    struct chain_batch_view view;
    if (msg->kind != CHAIN_MSG_PBFT_PRE_PREPARE || chain_batch_decode(&view, msg->body, msg->body_len) != 0)
        return false;
    if (msg->body_len == 0)
        view.time_ns = l->w->now_ns;
    view.time_ns++;
    if (view.n_txs > 1 && sim_draw(l->w, 2) == 0)
        view.n_txs--;
    long len = chain_batch_encode(&view, l->body, sizeof l->body);
    if (len <= 0)
        return false;
    msg->body = l->body;
    msg->body_len = (size_t)len;
    return true;
}

/* A vote for what nobody proposed, or for what others were shown. */
static bool lie_of_vote(struct liar *l, struct chain_msg *msg)
{
    if (msg->kind != CHAIN_MSG_PBFT_PREPARE && msg->kind != CHAIN_MSG_PBFT_COMMIT && msg->kind != CHAIN_MSG_HEADER_VOTE)
        return false;
    msg->digest.octets[sim_draw(l->w, 2)] ^= 1;
    if (sim_draw(l->w, 8) == 0)
        msg->seq += sim_draw(l->w, 20);
    return true;
}

/* A certificate that nobody signed, for a batch that nobody proposed. */
static void put_forged_cert(struct liar *l, struct chain_cbor_writer *w, uint64_t view, uint64_t height)
{
    uint8_t octets[CHAIN_MAX_MEMBERS * CHAIN_SIG_BYTES];
    uint32_t n = l->members->n, quorum = sim_quorum(l->w, n), primary = UINT32_C(1) << (view % n), others = 0;
    for (uint32_t i = 0, left = quorum - 1; left > 0; i++) {
        others |= primary == UINT32_C(1) << i ? 0 : UINT32_C(1) << i;
        left -= primary != UINT32_C(1) << i;
    }
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)sim_draw(l->w, 256);
    chain_cbor_put_array(w, 7);
    chain_cbor_put_uint(w, view);
    chain_cbor_put_uint(w, height);
    chain_cbor_put_bytes(w, octets, CHAIN_HASH_BYTES);
    chain_cbor_put_uint(w, primary);
    chain_cbor_put_uint(w, others);
    chain_cbor_put_uint(w, 0);
    chain_cbor_put_bytes(w, octets, quorum * CHAIN_SIG_BYTES);
}

/* Far ahead, it says, and shows nothing, or what it made up. */
static bool lie_of_claim(struct liar *l, struct chain_msg *msg)
{
    struct chain_cbor_writer w = {.out = l->body, .cap = sizeof l->body};
    if (msg->kind == CHAIN_MSG_HEADER_VOTE) {
        msg->seq += 1 + sim_draw(l->w, 40);
        return true;
    }
    if (msg->kind != CHAIN_MSG_PBFT_VIEW_CHANGE)
        return false;
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    bool forge = sim_draw(l->w, 2) == 0;
    chain_cbor_expect_array(&r, 3);
    uint64_t stable = chain_cbor_get_uint(&r), committed = chain_cbor_get_uint(&r);
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, forge ? stable : stable + sim_draw(l->w, 3));
    chain_cbor_put_uint(&w, forge ? committed : committed + sim_draw(l->w, 4));
    chain_cbor_put_array(&w, forge && msg->view > 0);
    if (forge && msg->view > 0)
        put_forged_cert(l, &w, msg->view - 1, committed + 1);
    msg->body = l->body;
    msg->body_len = w.len;
    return true;
}

/* A NEW-VIEW that begins elsewhere, leaves out one that was named, names what nobody said, or one that said nothing. */
static bool lie_of_new_view(struct liar *l, struct chain_msg *msg)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    struct chain_cbor_writer w = {.out = l->body, .cap = sizeof l->body};
    uint8_t digests[CHAIN_MAX_MEMBERS * CHAIN_HASH_BYTES];
    size_t len = 0;
    chain_cbor_expect_array(&r, 2);
    uint64_t named = chain_cbor_get_uint(&r), which = sim_draw(l->w, 4), seat = sim_draw(l->w, l->members->n);
    const uint8_t *honest = chain_cbor_get_bytes(&r, &len);
    if (r.bad || len == 0 || len > sizeof digests)
        return false;
    memcpy(digests, honest, len);
    if (which == 0)
        msg->seq += sim_draw(l->w, 2) == 0 && msg->seq > 0 ? UINT64_MAX : 1 + sim_draw(l->w, 3);
    else if (which == 1)
        len -= CHAIN_HASH_BYTES;
    else if (which == 2)
        digests[sim_draw(l->w, len)] ^= 1;
    else
        named = (named & (named - 1)) | UINT64_C(1) << seat; /* in the place of the first, with the first one's digest */
    chain_cbor_put_array(&w, 2);
    chain_cbor_put_uint(&w, named);
    chain_cbor_put_bytes(&w, digests, len);
    msg->body = l->body;
    msg->body_len = w.len;
    return true;
}

/* A VIEW-CHANGE that conceals what its author has prepared, and maybe how far it is. */
static bool lie_of_view(struct liar *l, struct chain_msg *msg)
{
    if (msg->kind == CHAIN_MSG_PBFT_NEW_VIEW)
        return lie_of_new_view(l, msg);
    if (msg->kind != CHAIN_MSG_PBFT_VIEW_CHANGE)
        return false;
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    struct chain_cbor_writer w = {.out = l->body, .cap = sizeof l->body};
    chain_cbor_expect_array(&r, 3);
    uint64_t stable = chain_cbor_get_uint(&r), committed = chain_cbor_get_uint(&r);
    bool stale = sim_draw(l->w, 2) == 0;
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, stale ? stable - sim_draw(l->w, stable + 1) : stable);
    chain_cbor_put_uint(&w, stale ? stable : committed);
    chain_cbor_put_array(&w, 0);
    msg->body = l->body;
    msg->body_len = w.len;
    return !r.bad;
}

/* Another batch under a header that fits it, signed by nobody. */
static bool lie_of_unsigned_block(struct liar *l, struct chain_msg *msg)
{
    static uint8_t batch[CHAIN_MAX_BATCH_BYTES];
    uint8_t header[CHAIN_MAX_HEADER_BYTES], cert[CHAIN_MAX_CERT_BYTES];
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    struct chain_cbor_writer w = {.out = l->body, .cap = sizeof l->body};
    struct chain_certificate nobody = {0};
    struct chain_batch_view view;
    struct chain_header h;
    size_t batch_len, header_len;
    chain_cbor_expect_array(&r, 3);
    const uint8_t *old = chain_cbor_get_bytes(&r, &batch_len), *old_header = chain_cbor_get_bytes(&r, &header_len);
    if (r.bad || header_len == 0 || chain_batch_decode(&view, old, batch_len) != 0 || chain_header_decode(&h, old_header, header_len) != 0)
        return false;
    view.time_ns = h.time_ns + 1;
    long len = chain_batch_encode(&view, batch, sizeof batch);
    h.time_ns = view.time_ns;
    if (len <= 0 || chain_batch_digest(l->members, batch, (size_t)len, &h.batch_digest) != 0)
        return false;
    chain_batch_tx_root(&view, &h.tx_root);
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_bytes(&w, batch, (size_t)len);
    chain_cbor_put_bytes(&w, header, (size_t)chain_header_encode(&h, header, sizeof header));
    chain_cbor_put_bytes(&w, cert, (size_t)chain_certificate_encode(&nobody, cert, sizeof cert));
    msg->body = l->body;
    msg->body_len = w.len;
    return !w.full;
}

/* A block with an octet changed somewhere (batch, header, certificate), or another one altogether. */
static bool lie_of_block(struct liar *l, struct chain_msg *msg)
{
    if (msg->kind != CHAIN_MSG_BLOCK || msg->body_len == 0)
        return false;
    if (sim_draw(l->w, 2) == 0 && lie_of_unsigned_block(l, msg))
        return true;
    memcpy(l->body, msg->body, msg->body_len);
    l->body[sim_draw(l->w, msg->body_len)] ^= (uint8_t)(1U << sim_draw(l->w, 8));
    msg->body = l->body;
    return true;
}

/* One message for one receiver. Octets written, 0: none is sent. */
static size_t tell(struct liar *l, const struct chain_msg *honest, uint8_t *out, size_t cap)
{
    const struct chain_members *members = l->members;
    struct chain_msg msg = *honest;
    bool lied = (l->mood == SIM_LIE_BATCH && (lie_of_batch(l, &msg) || lie_of_vote(l, &msg))) ||
                (l->mood == SIM_LIE_VOTE && lie_of_vote(l, &msg)) || (l->mood == SIM_LIE_CLAIM && lie_of_claim(l, &msg)) ||
                (l->mood == SIM_LIE_VIEW && lie_of_view(l, &msg)) ||
                (l->mood == SIM_LIE_BLOCK && lie_of_block(l, &msg));
    if (lied && sim_author(l->w, honest->kind, members->epoch, honest->author) == l->node->key) {
        l->w->faults[l->mood]++;
        if (msg.body_len > 0 && chain_msg_digest(members, msg.kind, msg.body, msg.body_len, &msg.digest) != 0)
            return 0;
        if (l->signer.sign(l->signer.ctx, members, &msg) != 0)
            return 0;
    } else {
        msg = *honest;
    }
    long len = chain_msg_encode(members, &msg, out, cap);
    return len > 0 ? (size_t)len : 0;
}

static void send_lies(struct liar *l, const struct chain_msg *msgs, size_t n, uint32_t to)
{
    static uint8_t bundle[2 * CHAIN_MAX_MSG_BYTES];
    struct chain_cbor_writer w = {.out = bundle, .cap = sizeof bundle};
    chain_cbor_put_array(&w, n);
    for (size_t i = 0; i < n; i++) {
        size_t len = tell(l, &msgs[i], bundle + w.len, sizeof bundle - w.len);
        if (len == 0)
            return;
        w.len += len;
    }
    sim_send_to(l->w, l->node, to, bundle, w.len);
}

/* What it said long ago, once more. */
static void send_stale(struct liar *l, uint32_t to)
{
    struct sim_frame *frame = l->w->kept[sim_draw(l->w, SIM_KEPT_FRAMES)];
    if (!frame)
        return;
    l->w->faults[SIM_LIE_STALE]++;
    sim_send_to(l->w, l->node, to, frame->data, frame->len);
}

void sim_liar_send(struct sim_world *w, struct sim_node *node, const struct chain_node_send *send)
{
    static struct liar l;
    struct chain_cbor_reader r = {.data = send->data, .len = send->len};
    struct chain_msg msgs[MOST_MSGS];
    size_t n = chain_cbor_get_array(&r, MOST_MSGS), at = r.pos;
    l.w = w;
    l.node = node;
    l.members = chain_ledger_members(chain_node_ledger(node->node));
    l.signer = sim_signer(&w->keys[node->key]);
    l.mood = w->cfg.twins ? SIM_FAULTS : mood_of(w, node);
    if (l.mood == SIM_FAULTS) {
        sim_send(w, node, send->to, send->data, send->len);
        return;
    }
    if (l.mood == SIM_LIE_SILENT) {
        w->faults[SIM_LIE_SILENT]++;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        size_t consumed = 0;
        if (chain_msg_decode(l.members, send->data + at, send->len - at, &msgs[i], &consumed) != 0) {
            sim_send(w, node, send->to, send->data, send->len); /* of another epoch */
            return;
        }
        at += consumed;
    }
    for (uint32_t to = 0; to < w->n_nodes; to++) {
        if (w->nodes[to].key == node->key || (send->to != CHAIN_TO_ALL && send->to != w->nodes[to].key))
            continue;
        if (to % 2 == node->key % 2)
            sim_send_to(w, node, to, send->data, send->len);
        else
            send_lies(&l, msgs, n, to);
        if (l.mood == SIM_LIE_STALE)
            send_stale(&l, to);
    }
}
