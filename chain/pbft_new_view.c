/* NEW-VIEW: names a quorum of VIEW-CHANGEs by digest, from which every member works out itself what has to be proposed again. Most
 * members heard them; who did not asks for just those (pbft_repair.c). */
#include <errno.h>
#include <string.h>

#include "chain/pbft.h"

static struct pbft_new_view *find_other(struct pbft *m)
{
    return &m->new_views[1 - m->current];
}

struct pbft_new_view *chain_pbft_waiting_view(struct pbft *m)
{
    struct pbft_new_view *nv = find_other(m);
    bool ahead = nv->msg.view > m->view || (nv->msg.view == m->view && !m->active);
    return nv->have && ahead ? nv : NULL;
}

uint32_t chain_pbft_missing_changes(const struct pbft_new_view *nv)
{
    uint32_t missing = 0;
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++)
        if ((nv->named >> i & 1) != 0 && !nv->changes[i].have)
            missing |= UINT32_C(1) << i;
    return missing;
}

static bool is_named_in(const struct pbft_new_view *nv, uint32_t author, uint64_t view, const struct chain_hash *digest)
{
    return nv->msg.view == view && (nv->named >> author & 1) != 0 && chain_pbft_same(&nv->digests[author], digest);
}

bool chain_pbft_is_named(struct pbft *m, const struct chain_msg *change)
{
    const struct pbft_new_view *nv = chain_pbft_waiting_view(m);
    return nv && is_named_in(nv, change->author, change->view, &change->digest) && !nv->changes[change->author].have;
}

/* The names in a NEW-VIEW's body: exactly a quorum. */
struct names {
    uint32_t bitmap;
    struct chain_hash digests[CHAIN_MAX_MEMBERS];
};

static bool read_names(const struct pbft *m, const uint8_t *body, size_t body_len, struct names *out)
{
    struct chain_cbor_reader r = {.data = body, .len = body_len};
    size_t len = 0, n = 0;
    chain_cbor_expect_array(&r, 2);
    out->bitmap = chain_cbor_get_u32(&r);
    const uint8_t *digests = chain_cbor_get_bytes(&r, &len);
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++) {
        if ((out->bitmap >> i & 1) == 0)
            continue;
        if (i >= m->n || len < (n + 1) * CHAIN_HASH_BYTES)
            return false;
        memcpy(out->digests[i].octets, digests + CHAIN_HASH_BYTES * n++, CHAIN_HASH_BYTES);
    }
    return chain_cbor_end(&r) == 0 && n == m->quorum && len == n * CHAIN_HASH_BYTES;
}

bool chain_pbft_read_new_view(const struct pbft *m, struct pbft_new_view *nv)
{
    struct names names;
    if (!read_names(m, nv->body, nv->msg.body_len, &names))
        return false;
    nv->named = names.bitmap;
    memcpy(nv->digests, names.digests, sizeof nv->digests);
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++)
        nv->changes[i].have = false;
    return true;
}

/* At least one honest member's VIEW-CHANGE is among them: the view is no invention. */
static bool is_plausible(const struct pbft *m, uint64_t view, const struct names *names)
{
    uint32_t n_held = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        const struct pbft_view_change *held = &m->peers[i].change;
        n_held += (names->bitmap >> i & 1) != 0 && held->have && held->view == view && chain_pbft_same(&held->digest, &names->digests[i]);
    }
    return n_held > m->f;
}

static void keep(struct pbft_new_view *nv, const struct chain_msg *msg)
{
    nv->msg = *msg;
    if (msg->body != nv->body)
        memcpy(nv->body, msg->body, msg->body_len);
    nv->msg.body = nv->body;
}

static void take_held_change(struct pbft_new_view *nv, uint32_t i, const struct pbft_view_change *held)
{
    if (!held->have || !is_named_in(nv, i, held->view, &held->digest))
        return;
    struct chain_msg msg = chain_pbft_change_msg(held, i);
    chain_pbft_store_change(&nv->changes[i], &msg);
}

static void take_held_changes(struct pbft *m, struct pbft_new_view *nv)
{
    for (uint32_t i = 0; i < m->n; i++)
        take_held_change(nv, i, &m->peers[i].change);
    take_held_change(nv, m->self, &m->previous);
}

static void install(struct pbft *m, const struct pbft_choice *choice)
{
    m->current = 1 - m->current;
    const struct pbft_new_view *nv = &m->new_views[m->current];
    if (nv->msg.view > m->view) /* without a VIEW-CHANGE of our own */
        chain_pbft_start_view(m, nv->msg.view);
    m->active = m->changed = true;
    m->suspecting = m->suspecting && m->promised > m->view;
    m->view_since_ns = m->base.now_ns;
    m->choice = *choice;
    m->next = chain_pbft_top(m) > m->committed ? chain_pbft_top(m) + 1 : m->committed + 1;
    chain_pbft_drop_dead(m);
    chain_pbft_record_view(m);
    chain_pbft_record_new_view(m);
}

static void leave_out(struct pbft_claim *claims, uint32_t *n_claims, uint32_t which)
{
    memmove(&claims[which], &claims[which + 1], (*n_claims - which - 1) * sizeof claims[0]);
    (*n_claims)--;
}

static uint32_t find_lowest(const struct pbft_claim *claims, uint32_t n_claims)
{
    uint32_t lowest = 0;
    for (uint32_t i = 1; i < n_claims; i++)
        if (claims[i].committed < claims[lowest].committed)
            lowest = i;
    return lowest;
}

/* A quorum of members whose VIEW-CHANGEs decide: of those that are here, without those that leave open what was committed, the ones
 * that committed most; they decide if all of them do, for the (f + 1)th highest claim is the same. */
static bool gather(struct pbft *m, struct pbft_choice *choice)
{
    uint32_t n_claims = 0, offender;
    for (uint32_t i = 0; i < m->n; i++) {
        const struct pbft_view_change *change = &m->peers[i].change;
        if (!change->have || change->view != m->view || !chain_pbft_counts(m, i)
            || chain_pbft_claim_get(m, change->body, change->len, false, &m->claims[n_claims]) != 0)
            continue;
        m->claims[n_claims++].author = i;
    }
    while (n_claims >= m->quorum && !chain_pbft_choose(m, m->claims, n_claims, choice, &offender))
        leave_out(m->claims, &n_claims, offender);
    if (n_claims < m->quorum)
        return false;
    while (n_claims > m->quorum)
        leave_out(m->claims, &n_claims, find_lowest(m->claims, n_claims));
    return chain_pbft_choose(m, m->claims, n_claims, choice, &offender);
}

void chain_pbft_try_new_view(struct pbft *m)
{
    struct pbft_choice choice;
    if (m->active || m->learner || chain_pbft_primary(m, m->view) != m->self || !gather(m, &choice))
        return;
    struct pbft_new_view *nv = find_other(m);
    struct chain_cbor_writer w = {.out = nv->body, .cap = sizeof nv->body};
    uint8_t digests[CHAIN_MAX_MEMBERS * CHAIN_HASH_BYTES];
    uint32_t named = 0;
    for (uint32_t i = 0; i < m->quorum; i++) {
        memcpy(digests + CHAIN_HASH_BYTES * i, m->peers[m->claims[i].author].change.digest.octets, CHAIN_HASH_BYTES);
        named |= UINT32_C(1) << m->claims[i].author;
    }
    chain_cbor_put_array(&w, 2);
    chain_cbor_put_uint(&w, named);
    chain_cbor_put_bytes(&w, digests, m->quorum * CHAIN_HASH_BYTES);
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_NEW_VIEW, .view = m->view, .seq = choice.low, .body = nv->body, .body_len = w.len};
    if ((named >> m->self & 1) != 0 && m->base.now_ns - m->change_sent_ns > m->base.cfg.heartbeat_ns / 4) {
        struct chain_msg own = chain_pbft_change_msg(&m->peers[m->self].change, m->self); /* sent into a jam, it may be */
        chain_base_relay(&m->base, &own, CHAIN_TO_ALL, true);
    }
    chain_base_send(&m->base, &msg, CHAIN_TO_ALL, true);
    nv->have = true;
    keep(nv, &msg);
    (void)chain_pbft_read_new_view(m, nv);
    take_held_changes(m, nv);
    install(m, &choice);
    for (uint32_t i = 0; i < m->n; i++) /* those whose VIEW-CHANGE is still on its way get it with the others */
        m->peers[i].new_view_ns = m->base.now_ns;
}

void chain_pbft_send_new_view(struct pbft *m, uint32_t to)
{
    const struct pbft_new_view *nv = &m->new_views[m->current];
    struct pbft_peer *peer = &m->peers[to];
    bool lately = peer->new_view_ns != INT64_MIN && m->base.now_ns - peer->new_view_ns < m->base.cfg.heartbeat_ns / 2;
    if (!nv->have || nv->msg.view != m->view || !m->active || lately)
        return;
    peer->new_view_ns = m->base.now_ns;
    m->base.stats.retransmitted += chain_base_relay(&m->base, &nv->msg, to, true);
}

/* false: they decide nothing, or something else than the NEW-VIEW says. */
static bool judge(struct pbft *m, const struct pbft_new_view *nv, struct pbft_choice *choice)
{
    uint32_t n_claims = 0, offender;
    for (uint32_t i = 0; i < m->n; i++) {
        if ((nv->named >> i & 1) == 0)
            continue;
        if (chain_pbft_claim_get(m, nv->changes[i].body, nv->changes[i].len, false, &m->claims[n_claims]) != 0)
            return false;
        m->claims[n_claims++].author = i;
    }
    return chain_pbft_choose(m, m->claims, n_claims, choice, &offender) && choice->low == nv->msg.seq;
}

static int try_install(struct pbft *m)
{
    struct pbft_new_view *nv = chain_pbft_waiting_view(m);
    struct pbft_choice choice;
    if (!nv || chain_pbft_missing_changes(nv) != 0)
        return 0;
    if (judge(m, nv, &choice)) {
        install(m, &choice);
        return 0;
    }
    nv->have = false;
    m->base.stats.refused_malformed++;
    return -EBADMSG;
}

/* It came as a message of its author's, and was verified. */
void chain_pbft_take_named(struct pbft *m, const struct chain_msg *change)
{
    struct pbft_new_view *nv = find_other(m);
    chain_pbft_store_change(&nv->changes[change->author], change);
    m->changed = true;
    (void)try_install(m);
}

int chain_pbft_on_new_view(struct pbft *m, const struct chain_msg *msg)
{
    struct pbft_new_view *nv = find_other(m);
    const struct pbft_new_view *waits = chain_pbft_waiting_view(m);
    struct names names;
    if (msg->view < m->view || (msg->view == m->view && m->active))
        return 0;
    if (msg->view == 0 || msg->author != chain_pbft_primary(m, msg->view) || msg->body_len > sizeof nv->body
        || !read_names(m, msg->body, msg->body_len, &names)) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    if (waits && (chain_pbft_same(&waits->msg.digest, &msg->digest) || !is_plausible(m, msg->view, &names)))
        return 0;
    nv->have = true;
    keep(nv, msg);
    (void)chain_pbft_read_new_view(m, nv);
    m->changed = true;
    m->n_view_asks = 0;
    take_held_changes(m, nv);
    return try_install(m);
}
