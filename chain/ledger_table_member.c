/* Entries: keys, and who certifies the next block. Whoever holds the members' entry of an epoch's last block can check the next epoch. */
#include <string.h>

#include "chain/ledger_entries.h"
#include "chain/light.h"
#include "chain/members.h"

_Static_assert((int)CHAIN_MEMBERS_TABLE == (int)CHAIN_TABLE_MEMBERS, "light stations look for this entry");

static bool keys_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    *id_out = slot;
    *sub_out = 0;
    return slot < l->genesis.members.n_keys;
}

static bool encode_key(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    if (id >= l->genesis.members.n_keys || sub != 0)
        return false;
    chain_cbor_put_bytes(w, l->genesis.members.keys[id], CHAIN_KEY_BYTES);
    return true;
}

static bool decode_key(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    struct chain_members *members = &l->genesis.members;
    if (id != members->n_keys || id >= CHAIN_MAX_KEYS || sub != 0)
        return false;
    chain_cbor_get_fixed(r, members->keys[members->n_keys++], CHAIN_KEY_BYTES);
    return true;
}

const struct chain_ledger_table_ops chain_table_keys = {
    .name = "keys", .slots = CHAIN_MAX_KEYS, .key_at = keys_at, .encode = encode_key, .decode = decode_key};

static bool members_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    *id_out = slot;
    *sub_out = 0;
    return slot == 0 || l->former.n > 0 || l->convicted != 0;
}

/* What of the former epoch still counts, and who of this one is convicted. */
static bool encode_standing(const struct chain_ledger *l, struct chain_cbor_writer *w)
{
    chain_cbor_put_array(w, 3);
    chain_cbor_put_uint(w, l->convicted);
    chain_cbor_put_bytes(w, l->former.seats, l->former.n);
    chain_cbor_put_uint(w, l->former.convicted);
    return l->former.n > 0 || l->convicted != 0;
}

static bool decode_standing(struct chain_ledger *l, struct chain_cbor_reader *r)
{
    size_t n = 0;
    chain_cbor_expect_array(r, 3);
    l->convicted = chain_cbor_get_u32(r);
    const uint8_t *seats = chain_cbor_get_bytes(r, &n);
    l->former.convicted = chain_cbor_get_u32(r);
    if (r->bad || n > CHAIN_MAX_MEMBERS)
        return false;
    for (size_t i = 0; i < n; i++)
        if (seats[i] >= l->genesis.members.n_keys || (i > 0 && seats[i] <= seats[i - 1]))
            return false;
    l->former.n = (uint32_t)n;
    if (n > 0)
        memcpy(l->former.seats, seats, n);
    return true;
}

static bool encode_members(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    if (id == 1 && sub == 0)
        return encode_standing(l, w);
    if (id != 0 || sub != 0)
        return false;
    chain_members_put_seats(&l->genesis.members, w);
    return true;
}

static bool decode_members(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    struct chain_members members = {0};
    if (id == 1 && sub == 0)
        return decode_standing(l, r);
    if (id != 0 || sub != 0 || !chain_members_get_seats(&members, r))
        return false;
    for (uint32_t i = 0; i < members.n; i++) {
        uint8_t key = members.seats[i];
        if (key >= l->genesis.members.n_keys || memcmp(members.keys[key], l->genesis.members.keys[key], CHAIN_KEY_BYTES) != 0)
            return false;
    }
    l->genesis.members.n = members.n;
    l->genesis.members.epoch = members.epoch;
    memcpy(l->genesis.members.seats, members.seats, sizeof members.seats);
    return true;
}

const struct chain_ledger_table_ops chain_table_members = {
    .name = "members", .slots = 2, .key_at = members_at, .encode = encode_members, .decode = decode_members};
