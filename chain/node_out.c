/* The outbox: encoded messages that wait for the disk or for a place in a bundle. One destination and urgency share a bundle. */
#include "chain/node_internal.h"

#include <string.h>

static bool reserve(struct chain_node *m, size_t len)
{
    if (m->n_outbox < NODE_OUTBOX_MSGS && m->outbox_len + len <= NODE_OUTBOX_BYTES)
        return true;
    m->stats.outbox_full++;
    return false;
}

static void append(struct chain_node *m, size_t len, uint32_t to, enum chain_node_urgency urgency, uint64_t after_seq)
{
    m->outbox[m->n_outbox++] = (struct node_outbox_entry){
        .to = to, .urgency = urgency, .after_seq = after_seq, .at = m->outbox_len, .len = len};
    m->outbox_len += len;
}

static bool has_nobody(const struct chain_node *m, uint32_t to)
{
    return to == m->cfg.self || m->members->n_keys == 1;
}

void node_put_octets(struct chain_node *m, const uint8_t *octets, size_t len, uint32_t to, enum chain_node_urgency urgency,
                     uint64_t after_seq)
{
    if (has_nobody(m, to) || !reserve(m, len))
        return;
    memcpy(m->outbox_octets + m->outbox_len, octets, len);
    append(m, len, to, urgency, after_seq);
}

void node_put(struct chain_node *m, const struct chain_msg *msg, uint32_t to, enum chain_node_urgency urgency, uint64_t after_seq)
{
    if (has_nobody(m, to) || !reserve(m, 0))
        return;
    size_t room = NODE_OUTBOX_BYTES - m->outbox_len;
    long len = chain_msg_encode(m->members, msg, m->outbox_octets + m->outbox_len, room);
    if (len > 0)
        append(m, (size_t)len, to, urgency, after_seq);
    else
        m->stats.outbox_full++;
}

bool node_outbox_has_room(const struct chain_node *m)
{
    return m->n_outbox + CHAIN_MAX_OUT_MSGS <= NODE_OUTBOX_MSGS && m->outbox_len <= NODE_OUTBOX_BYTES / 2;
}

static bool is_ready(const struct chain_node *m, const struct node_outbox_entry *entry)
{
    return entry->after_seq <= m->persisted_seq;
}

bool node_outbox_ready(const struct chain_node *m)
{
    for (size_t i = 0; i < m->n_outbox; i++)
        if (is_ready(m, &m->outbox[i]))
            return true;
    return false;
}

/* Own header votes ride with the most urgent thing that goes to all. */
static void add_votes(struct chain_node *m)
{
    const struct node_outbox_entry *carrier = NULL;
    for (size_t i = 0; i < m->n_outbox; i++) {
        const struct node_outbox_entry *entry = &m->outbox[i];
        if (entry->to == CHAIN_TO_ALL && is_ready(m, entry) && (!carrier || entry->urgency < carrier->urgency))
            carrier = entry;
    }
    if (carrier)
        node_put_votes(m, carrier->urgency);
    else if (node_vote_deadline(m) <= m->now_ns)
        node_put_votes(m, CHAIN_URGENT_VOTE);
}

/* Gathers what shares destination and urgency with entry first; marks it taken by len 0. Octets written, 0: no room now. */
static size_t bundle_from(struct chain_node *m, size_t first, uint8_t *out, size_t cap, unsigned *rounds_out)
{
    uint16_t taken[NODE_BUNDLE_MSGS];
    size_t limit = node_max_bundle(m);
    size_t n = 0, bytes = 3; /* the array's head */
    *rounds_out = 0;
    const struct node_outbox_entry *head = &m->outbox[first];
    for (size_t i = first; i < m->n_outbox && n < NODE_BUNDLE_MSGS; i++) {
        const struct node_outbox_entry *entry = &m->outbox[i];
        bool fits = n == 0 || bytes + entry->len <= limit;
        if (entry->len == 0 || entry->to != head->to || entry->urgency != head->urgency || !is_ready(m, entry) || !fits)
            continue;
        bytes += entry->len;
        *rounds_out = entry->rounds > *rounds_out ? entry->rounds : *rounds_out;
        taken[n++] = (uint16_t)i;
    }
    if (bytes > cap)
        return 0;
    struct chain_cbor_writer w = {.out = out, .cap = cap};
    chain_cbor_put_array(&w, n);
    for (size_t i = 0; i < n; i++) {
        struct node_outbox_entry *entry = &m->outbox[taken[i]];
        memcpy(out + w.len, m->outbox_octets + entry->at, entry->len);
        w.len += entry->len;
        entry->len = 0;
    }
    return w.len;
}

/* Drops what was taken and closes the gaps. */
static void compact(struct chain_node *m)
{
    size_t n = 0, len = 0;
    for (size_t i = 0; i < m->n_outbox; i++) {
        struct node_outbox_entry entry = m->outbox[i];
        if (entry.len == 0)
            continue;
        memmove(m->outbox_octets + len, m->outbox_octets + entry.at, entry.len);
        entry.at = len;
        len += entry.len;
        m->outbox[n++] = entry;
    }
    m->n_outbox = n;
    m->outbox_len = len;
}

size_t node_max_bundle(const struct chain_node *m)
{
    size_t most = m->cfg.max_bundle_bytes;
    return most > 0 && most < CHAIN_MAX_MSG_BYTES ? most : CHAIN_MAX_MSG_BYTES;
}

void node_assemble(struct chain_node *m, struct chain_node_update *out)
{
    add_votes(m);
    size_t used = 0;
    bool full = false;
    for (enum chain_node_urgency urgency = CHAIN_URGENT_VOTE; urgency <= CHAIN_URGENT_GOSSIP && !full; urgency++)
        for (size_t i = 0; i < m->n_outbox && !full; i++) {
            struct node_outbox_entry *entry = &m->outbox[i];
            if (entry->len == 0 || entry->urgency != urgency || !is_ready(m, entry))
                continue;
            uint32_t to = entry->to;
            unsigned rounds;
            size_t len = out->n_sends < CHAIN_NODE_MAX_SENDS
                             ? bundle_from(m, i, m->bundle_octets + used, NODE_BUNDLE_BYTES - used, &rounds)
                             : 0;
            full = len == 0;
            if (full)
                continue;
            out->sends[out->n_sends++] =
                (struct chain_node_send){.to = to, .urgency = urgency, .rounds = rounds, .data = m->bundle_octets + used, .len = len};
            if (rounds > 0)
                out->sends[out->n_sends - 1].signatures = 1 + m->proposed_txs;
            used += len;
        }
    compact(m);
}
