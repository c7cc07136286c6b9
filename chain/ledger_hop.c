/* Hop epochs: which one counts, who may bring the next, and their entries. What the boxes hold is nothing that the ledger can see: a member whose
 * box does not open to the committed key brings the next epoch, and so often that an honest one's stands at last. */
#include <string.h>

#include "chain/ledger_entries.h"

enum { LEAD_ROUNDS = 8 };

/* From one meeting on the control channel to the next. */
static int64_t round_ns(const struct chain_ledger *l)
{
    return l->genesis.hop_dwell_ns * l->genesis.hop_rendezvous_every;
}

const struct chain_hop_epoch *chain_ledger_hop(const struct chain_ledger *l)
{
    return l->hop.current.epoch > 0 ? &l->hop.current : NULL;
}

const uint8_t *chain_ledger_hop_box(const struct chain_ledger *l, uint32_t key_id, const uint8_t **ephemeral_out)
{
    if (key_id >= CHAIN_MAX_KEYS || !(l->hop.sealed_to >> key_id & 1))
        return NULL;
    *ephemeral_out = l->hop.ephemeral;
    return l->hop.boxes[key_id];
}

uint8_t chain_ledger_hop_mask(const struct chain_ledger *l, int64_t time_ns)
{
    uint8_t set = chain_genesis_hop_set(&l->genesis), held = 0;
    for (uint32_t c = 0; c < l->genesis.n_channels; c++)
        held |= (uint8_t)((l->hop.held_until_ns[c] > time_ns) << c);
    uint8_t mask = (uint8_t)(set & ~held);
    return mask != 0 ? mask : set;
}

bool chain_ledger_hop_due(const struct chain_ledger *l, int64_t time_ns)
{
    const struct chain_hop *h = &l->hop;
    if (chain_genesis_hop_set(&l->genesis) == 0)
        return false;
    return h->current.epoch == 0 || h->members_epoch != l->genesis.members.epoch || h->current.mask != chain_ledger_hop_mask(l, time_ns);
}

bool chain_ledger_hop_may_repair(const struct chain_ledger *l, uint32_t key_id)
{
    return l->hop.current.epoch > 0 && key_id < CHAIN_MAX_KEYS && l->hop.issuer != key_id && !(l->hop.repaired >> key_id & 1);
}

int64_t chain_ledger_hop_latest_ns(const struct chain_ledger *l, int64_t time_ns)
{
    int64_t lead_ns = LEAD_ROUNDS * round_ns(l);
    return time_ns > CHAIN_MAX_TIME_NS - lead_ns ? CHAIN_MAX_TIME_NS : time_ns + lead_ns;
}

static void keep_boxes(struct chain_ledger *l, const uint8_t *boxes)
{
    struct chain_hop *h = &l->hop;
    for (uint32_t key = 0; key < CHAIN_MAX_KEYS; key++)
        if (h->sealed_to >> key & 1)
            chain_ledger_touch(l, CHAIN_TABLE_HOP, 1, key);
    h->sealed_to = 0;
    memset(h->boxes, 0, sizeof h->boxes);
    for (uint32_t seat = 0; seat < l->genesis.members.n; seat++) {
        uint32_t key = l->genesis.members.seats[seat];
        h->sealed_to |= UINT64_C(1) << key;
        memcpy(h->boxes[key], boxes + (size_t)seat * CHAIN_HOP_BOX_BYTES, CHAIN_HOP_BOX_BYTES);
        chain_ledger_touch(l, CHAIN_TABLE_HOP, 1, key);
    }
}

enum chain_response chain_ledger_bring_hop(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                           struct chain_ledger_event *subject)
{
    struct chain_hop *h = &l->hop;
    uint32_t seat = chain_members_seat(&l->genesis.members, author);
    bool due = chain_ledger_hop_due(l, l->time_ns);
    subject->id = op->hop.epoch;
    if (seat == CHAIN_MAX_MEMBERS || l->convicted >> seat & 1)
        return CHAIN_NOT_ENTITLED;
    if (h->current.epoch == UINT32_MAX || op->hop.epoch != h->current.epoch + 1)
        return CHAIN_UNSYNC_OP_PARAM;
    if (op->hop.boxes_len != (size_t)l->genesis.members.n * CHAIN_HOP_BOX_BYTES || op->hop.mask != chain_ledger_hop_mask(l, l->time_ns))
        return CHAIN_INVALID_VALUE;
    if (op->hop.from_ns <= l->time_ns || op->hop.from_ns > chain_ledger_hop_latest_ns(l, l->time_ns))
        return CHAIN_UNSYNC_OP_PARAM;
    if (!due && !chain_ledger_hop_may_repair(l, author))
        return CHAIN_LIMIT;
    h->repaired = due ? 0 : h->repaired | UINT64_C(1) << author;
    h->current = (struct chain_hop_epoch){
        .epoch = op->hop.epoch, .mask = op->hop.mask, .from_ns = op->hop.from_ns, .commitment = op->hop.commitment};
    h->members_epoch = l->genesis.members.epoch;
    h->issuer = author;
    memcpy(h->ephemeral, op->hop.ephemeral, sizeof h->ephemeral);
    chain_ledger_touch(l, CHAIN_TABLE_HOP, 0, 0);
    keep_boxes(l, op->hop.boxes);
    struct chain_ledger_event *event = chain_ledger_emit(l, CHAIN_LE_HOP_EPOCH);
    event->station = author;
    event->id = op->hop.epoch;
    return CHAIN_SUCCESS;
}

void chain_ledger_hold_hop(struct chain_ledger *l, uint32_t channel)
{
    if (!l->genesis.channels[channel].hop)
        return;
    l->hop.held_until_ns[channel] = l->time_ns + l->genesis.hop_hold_off_ns;
    chain_ledger_touch(l, CHAIN_TABLE_HOP, 2, channel);
}

/* --- entries --- */

enum { SLOTS = 1 + CHAIN_MAX_KEYS + CHAIN_MAX_CHANNELS };

static bool is_there(const struct chain_ledger *l, uint64_t id, uint64_t sub)
{
    switch (id) {
    case 0:
        return sub == 0 && l->hop.current.epoch > 0;
    case 1:
        return sub < CHAIN_MAX_KEYS && (l->hop.sealed_to >> sub & 1);
    case 2:
        return sub < CHAIN_MAX_CHANNELS && l->hop.held_until_ns[sub] > 0;
    default:
        return false;
    }
}

static bool hop_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    *id_out = slot == 0 ? 0 : slot <= CHAIN_MAX_KEYS ? 1 : 2;
    *sub_out = slot == 0 ? 0 : slot <= CHAIN_MAX_KEYS ? slot - 1 : slot - 1 - CHAIN_MAX_KEYS;
    return is_there(l, *id_out, *sub_out);
}

static bool encode_hop(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    const struct chain_hop *h = &l->hop;
    if (!is_there(l, id, sub))
        return false;
    if (id == 1) {
        chain_cbor_put_bytes(w, h->boxes[sub], CHAIN_HOP_BOX_BYTES);
        return true;
    }
    if (id == 2) {
        chain_cbor_put_int(w, h->held_until_ns[sub]);
        return true;
    }
    chain_cbor_put_array(w, 8);
    chain_cbor_put_uint(w, h->current.epoch);
    chain_cbor_put_uint(w, h->current.mask);
    chain_cbor_put_int(w, h->current.from_ns);
    chain_cbor_put_bytes(w, h->current.commitment.octets, CHAIN_HASH_BYTES);
    chain_cbor_put_bytes(w, h->ephemeral, CHAIN_CURVE_BYTES);
    chain_cbor_put_uint(w, h->members_epoch);
    chain_cbor_put_uint(w, h->issuer);
    chain_cbor_put_uint(w, h->repaired);
    return true;
}

static bool decode_epoch(struct chain_ledger *l, struct chain_cbor_reader *r)
{
    struct chain_hop *h = &l->hop;
    chain_cbor_expect_array(r, 8);
    h->current.epoch = chain_cbor_get_u32(r);
    uint64_t mask = chain_cbor_get_uint(r);
    h->current.mask = (uint8_t)mask;
    h->current.from_ns = chain_cbor_get_int(r);
    chain_cbor_get_fixed(r, h->current.commitment.octets, CHAIN_HASH_BYTES);
    chain_cbor_get_fixed(r, h->ephemeral, CHAIN_CURVE_BYTES);
    h->members_epoch = chain_cbor_get_u32(r);
    h->issuer = chain_cbor_get_u32(r);
    h->repaired = chain_cbor_get_uint(r);
    return h->current.epoch > 0 && mask > 0 && (mask & ~(uint64_t)chain_genesis_hop_set(&l->genesis)) == 0 && h->issuer < CHAIN_MAX_KEYS &&
           h->current.from_ns > 0 && h->current.from_ns <= CHAIN_MAX_TIME_NS;
}

static bool decode_hop(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    if (chain_genesis_hop_set(&l->genesis) == 0)
        return false;
    if (id == 0 && sub == 0)
        return decode_epoch(l, r);
    if (id == 1 && sub < l->genesis.members.n_keys) {
        chain_cbor_get_fixed(r, l->hop.boxes[sub], CHAIN_HOP_BOX_BYTES);
        l->hop.sealed_to |= UINT64_C(1) << sub;
        return true;
    }
    if (id != 2 || sub >= l->genesis.n_channels || !l->genesis.channels[sub].hop)
        return false;
    l->hop.held_until_ns[sub] = chain_cbor_get_int(r);
    return l->hop.held_until_ns[sub] > 0;
}

const struct chain_ledger_table_ops chain_table_hop = {.name = "hop", .slots = SLOTS, .key_at = hop_at, .encode = encode_hop, .decode = decode_hop};
