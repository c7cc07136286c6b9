/* NEW-VIEW: a quorum of VIEW-CHANGEs, from which every member works out itself what has to be proposed again. */
#include <errno.h>
#include <string.h>

#include "chain/pbft.h"

static void install(struct pbft *m, uint64_t view, const struct pbft_choice *choice, const struct chain_msg *msg)
{
    if (view > m->view) /* without a VIEW-CHANGE of our own */
        chain_pbft_start_view(m, view);
    m->active = m->changed = true;
    m->suspecting = false;
    m->view_since_ns = m->base.now_ns;
    m->choice = *choice;
    m->new_view.have = true;
    m->new_view.msg = *msg;
    memcpy(m->new_view.body, msg->body, msg->body_len);
    m->new_view.msg.body = m->new_view.body;
    chain_pbft_record_view(m);
    chain_pbft_record_new_view(m);
}

/* The members whose VIEW-CHANGEs decide: all that are here, without those that leave open what was committed. */
static uint32_t gather(struct pbft *m, struct pbft_claim *claims, struct pbft_choice *choice)
{
    uint32_t n_claims = 0, offender;
    for (uint32_t i = 0; i < m->n; i++) {
        const struct pbft_view_change *change = &m->peers[i].change;
        if (!change->have || change->view != m->view
            || chain_pbft_claim_get(m, change->body, change->len, false, &claims[n_claims]) != 0)
            continue;
        claims[n_claims++].author = i;
    }
    while (n_claims >= m->quorum && !chain_pbft_choose(m, claims, n_claims, choice, &offender)) {
        memmove(&claims[offender], &claims[offender + 1], (n_claims - offender - 1) * sizeof claims[0]);
        n_claims--;
    }
    return n_claims;
}

/* Fewer octets on the air: as few as still decide. */
static uint32_t trim(struct pbft *m, struct pbft_claim *claims, uint32_t n_claims, struct pbft_choice *choice)
{
    struct pbft_choice fewer;
    uint32_t offender;
    while (n_claims > m->quorum && chain_pbft_choose(m, claims, n_claims - 1, &fewer, &offender)) {
        n_claims--;
        *choice = fewer;
    }
    return n_claims;
}

static void put_change(struct pbft *m, struct chain_cbor_writer *w, uint32_t author)
{
    const struct pbft_view_change *change = &m->peers[author].change;
    chain_cbor_put_array(w, 3);
    chain_cbor_put_uint(w, author);
    chain_cbor_put_bytes(w, change->sig, CHAIN_SIG_BYTES);
    chain_cbor_put_bytes(w, change->body, change->len);
}

void chain_pbft_try_new_view(struct pbft *m)
{
    struct pbft_claim claims[CHAIN_MAX_MEMBERS];
    struct pbft_choice choice;
    if (m->active || chain_pbft_primary(m, m->view) != m->self)
        return;
    uint32_t n_claims = gather(m, claims, &choice);
    if (n_claims < m->quorum)
        return;
    n_claims = trim(m, claims, n_claims, &choice);
    size_t cap;
    uint8_t *room = chain_base_room(&m->base, &cap);
    struct chain_cbor_writer w = {.out = room, .cap = cap < sizeof m->new_view.body - 256 ? cap : sizeof m->new_view.body - 256};
    chain_cbor_put_array(&w, n_claims);
    for (uint32_t i = 0; i < n_claims; i++)
        put_change(m, &w, claims[i].author);
    if (w.full)
        return; /* more certificates than a message holds: the next view may need fewer */
    chain_base_take(&m->base, w.len);
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_NEW_VIEW, .view = m->view, .seq = choice.low, .body = room, .body_len = w.len};
    chain_base_send(&m->base, &msg, CHAIN_TO_ALL, true);
    install(m, m->view, &choice, &msg);
}

void chain_pbft_send_new_view(struct pbft *m, uint32_t to)
{
    struct pbft_peer *peer = &m->peers[to];
    bool lately = peer->new_view_ns != INT64_MIN && m->base.now_ns - peer->new_view_ns < m->base.cfg.heartbeat_ns / 2;
    if (!m->new_view.have || m->new_view.msg.view != m->view || lately || !chain_base_settled(&m->base))
        return;
    peer->new_view_ns = m->base.now_ns;
    m->base.stats.retransmitted += chain_base_relay(&m->base, &m->new_view.msg, to, true);
}

/* One VIEW-CHANGE inside a NEW-VIEW; those that we hold already were verified when they came. */
static int check_change(struct pbft *m, uint64_t view, struct chain_cbor_reader *r, struct pbft_claim *claim)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .view = view};
    const struct chain_signer *signer = m->base.cfg.signer;
    chain_cbor_expect_array(r, 3);
    uint64_t author = chain_cbor_get_uint(r);
    chain_cbor_get_fixed(r, msg.sig, CHAIN_SIG_BYTES);
    msg.body = chain_cbor_get_bytes(r, &msg.body_len);
    if (r->bad || author >= m->n || msg.body_len == 0 || msg.body_len > PBFT_VIEW_CHANGE_BYTES)
        return -EBADMSG;
    msg.author = (uint32_t)author;
    const struct pbft_view_change *held = &m->peers[author].change;
    bool known = held->have && held->view == view && held->len == msg.body_len && memcmp(held->body, msg.body, msg.body_len) == 0;
    if (chain_pbft_claim_get(m, msg.body, msg.body_len, !known, claim) != 0)
        return -EBADMSG;
    claim->author = msg.author;
    if (known)
        return 0;
    msg.seq = claim->committed;
    if (chain_msg_digest(m->base.cfg.members, msg.kind, msg.body, msg.body_len, &msg.digest) != 0)
        return -EBADMSG;
    return signer->verify(signer->ctx, m->base.cfg.members, &msg);
}

static int check_new_view(struct pbft *m, const struct chain_msg *msg, struct pbft_choice *choice)
{
    struct pbft_claim claims[CHAIN_MAX_MEMBERS];
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    uint32_t offender;
    uint64_t seen = 0;
    size_t n_claims = chain_cbor_get_array(&r, m->n);
    if (r.bad || n_claims < m->quorum)
        return -EBADMSG;
    for (size_t i = 0; i < n_claims; i++) {
        if (check_change(m, msg->view, &r, &claims[i]) != 0 || (seen >> claims[i].author & 1) != 0)
            return -EBADMSG;
        seen |= UINT64_C(1) << claims[i].author;
    }
    if (chain_cbor_end(&r) != 0 || !chain_pbft_choose(m, claims, (uint32_t)n_claims, choice, &offender))
        return -EBADMSG;
    return choice->low == msg->seq ? 0 : -EBADMSG;
}

int chain_pbft_on_new_view(struct pbft *m, const struct chain_msg *msg)
{
    struct pbft_choice choice;
    if (msg->view < m->view || (msg->view == m->view && m->active))
        return 0;
    if (msg->view == 0 || msg->author != chain_pbft_primary(m, msg->view) || msg->body_len > sizeof m->new_view.body
        || check_new_view(m, msg, &choice) != 0) {
        m->base.stats.refused_malformed++;
        return -EBADMSG;
    }
    install(m, msg->view, &choice, msg);
    return 0;
}
