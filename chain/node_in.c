/* What transports bring: bundles are taken apart and queued, then handled one by one, cheap checks before signatures. */
#include "chain/node_internal.h"

#include <errno.h>
#include <string.h>

/* Tells a message by somebody outside from octets without sense. */
static void count_refusal(struct chain_node *m, const uint8_t *data, size_t len, int reason)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    uint8_t chain_id[8];
    chain_cbor_expect_array(&r, 10);
    (void)chain_cbor_get_uint(&r);
    chain_cbor_get_fixed(&r, chain_id, sizeof(chain_id));
    uint64_t epoch = chain_cbor_get_uint(&r);
    uint64_t author = chain_cbor_get_uint(&r);
    uint64_t kind = chain_cbor_get_uint(&r);
    if (reason == -ESTALE) {
        node_tell_of_epoch(m, epoch);
        return;
    }
    uint32_t n = kind < CHAIN_MSG_RAFT_APPEND && !chain_msg_by_seat((uint8_t)kind) ? m->members->n_keys : m->members->n;
    bool stranger = !r.bad && (author >= n || memcmp(chain_id, m->members->chain_id, sizeof(chain_id)) != 0);
    if (stranger)
        m->stats.refused_stranger++;
    else
        m->stats.refused_malformed++;
}

/* Room for a whole bundle; what was handled is forgotten once all of it was. */
static uint8_t *reserve(struct chain_node *m, size_t len)
{
    if (len > NODE_INBOX_BYTES - m->inbox_len || m->n_inbox + NODE_BUNDLE_MSGS > NODE_INBOX_MSGS) {
        m->stats.inbox_full++;
        return NULL;
    }
    uint8_t *at = m->inbox_octets + m->inbox_len;
    m->inbox_len += len;
    return at;
}

int node_receive(struct chain_node *m, const struct chain_node_event *in)
{
    const uint8_t *data = in->bytes.data;
    size_t len = in->bytes.len;
    m->stats.received++;
    struct chain_cbor_reader r = {.data = data, .len = len};
    size_t n = chain_cbor_get_array(&r, NODE_BUNDLE_MSGS);
    if (r.bad || n == 0 || len > CHAIN_MAX_MSG_BYTES + 3) {
        m->stats.refused_malformed++;
        return -EBADMSG;
    }
    uint8_t *octets = reserve(m, len);
    if (!octets)
        return 0;
    memcpy(octets, data, len);
    size_t at = r.pos;
    for (size_t i = 0; i < n; i++) {
        struct node_inbox_entry *entry = &m->inbox[m->n_inbox];
        size_t consumed = 0;
        int rc = chain_msg_decode(m->members, octets + at, len - at, &entry->msg, &consumed);
        if (rc != 0) {
            count_refusal(m, octets + at, len - at, rc);
            return i == 0 ? -EBADMSG : 0;
        }
        entry->octets = octets + at;
        entry->proven_from = in->bytes.proven ? in->bytes.from : UINT32_MAX;
        entry->len = consumed;
        at += consumed;
        m->n_inbox++;
    }
    if (at != len)
        m->stats.refused_malformed++;
    return 0;
}

/* Kinds are dealt out in blocks: 16 to 31 to Raft, 32 to 63 to PBFT. The engine refuses what it does not know of its own. */
static bool is_engine_kind(const struct chain_node *m, uint8_t kind)
{
    if (m->cfg.engine->byzantine)
        return kind >= CHAIN_MSG_PBFT_PRE_PREPARE && kind < 2 * CHAIN_MSG_PBFT_PRE_PREPARE;
    return kind >= CHAIN_MSG_RAFT_APPEND && kind < CHAIN_MSG_PBFT_PRE_PREPARE;
}

/* What the engine would drop anyway for its height or view. Proposals and COMMITs of older views still prove something. */
static bool is_stale(const struct chain_node *m, const struct chain_msg *msg)
{
    bool votes =
        msg->kind == CHAIN_MSG_PBFT_PRE_PREPARE || msg->kind == CHAIN_MSG_PBFT_PREPARE || msg->kind == CHAIN_MSG_PBFT_COMMIT;
    if (votes && msg->seq <= m->certified)
        return true;
    if (msg->kind != CHAIN_MSG_PBFT_PREPARE && msg->kind != CHAIN_MSG_RAFT_APPEND_REPLY && msg->kind != CHAIN_MSG_RAFT_VOTE_REPLY)
        return false;
    struct chain_engine_stats s;
    node_engine_stats(m, &s);
    return msg->view < s.view;
}

/* A link that proves its sender stands for the signature where nobody else will ever be shown it */
static bool is_authentic(struct chain_node *m, const struct node_inbox_entry *entry)
{
    const struct chain_msg *msg = &entry->msg;
    bool proven = node_is_raft_kind(msg->kind) && entry->proven_from != UINT32_MAX && msg->author < m->members->n &&
                  m->members->seats[msg->author] == entry->proven_from;
    return proven || node_verify(m, msg);
}

static void take_engine_message(struct chain_node *m, const struct node_inbox_entry *entry, struct chain_node_update *out)
{
    const struct chain_msg *msg = &entry->msg;
    if (!is_engine_kind(m, msg->kind)) {
        m->stats.refused_malformed++;
        return;
    }
    if (!m->engine || is_stale(m, msg)) {
        m->stats.refused_stale++;
        return;
    }
    if (m->cfg.engine->is_surplus && m->cfg.engine->is_surplus(m->engine, msg)) {
        m->stats.duplicates++;
        return;
    }
    if (!is_authentic(m, entry))
        return;
    struct chain_event event = {.kind = CHAIN_EV_MESSAGE, .now_ns = m->now_ns, .msg = msg};
    node_engine_step(m, &event, out);
}

bool node_take_next(struct chain_node *m, struct chain_node_update *out)
{
    const struct node_inbox_entry *entry = &m->inbox[m->inbox_first++];
    const struct chain_msg *msg = &entry->msg;
    if (msg->author == (chain_msg_by_seat(msg->kind) ? m->seat : m->cfg.self) && msg->kind != CHAIN_MSG_TX) {
        m->stats.duplicates++; /* our own, relayed */
        node_take_own_word(m, msg);
        return false;
    }
    switch (msg->kind) {
    case CHAIN_MSG_TX:
        node_take_tx(m, entry);
        return false;
    case CHAIN_MSG_HEADER_VOTE:
        node_put_vote_aside(m, msg);
        return false;
    case CHAIN_MSG_SEEN_ASK:
        node_take_seen_ask(m, msg);
        return false;
    case CHAIN_MSG_SEEN:
        node_take_seen(m, msg);
        return false;
    case CHAIN_MSG_FETCH:
        node_serve(m, msg);
        return false;
    case CHAIN_MSG_BLOCK:
        return node_take_block(m, msg, out);
    case CHAIN_MSG_SNAPSHOT_ASK:
        node_take_snapshot_ask(m, msg);
        return false;
    case CHAIN_MSG_SNAPSHOT:
        return node_take_snapshot(m, msg, out);
    default:
        take_engine_message(m, entry, out);
        return false;
    }
}
