/* Entries: keys, and who certifies the next block. Whoever holds the members' entry of an epoch's last block can check the next epoch. */
#include <string.h>

#include "chain/ledger_entries.h"
#include "chain/members.h"

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

const struct chain_ledger_table_ops chain_table_keys = {"keys", CHAIN_MAX_KEYS, keys_at, encode_key, decode_key};

static bool members_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    (void)l;
    *id_out = slot;
    *sub_out = 0;
    return true;
}

static bool encode_members(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    if (id != 0 || sub != 0)
        return false;
    chain_members_put_seats(&l->genesis.members, w);
    return true;
}

static bool decode_members(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    struct chain_members members = {0};
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

const struct chain_ledger_table_ops chain_table_members = {"members", 1, members_at, encode_members, decode_members};
