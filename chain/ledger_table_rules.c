/* Entries: motions, balances, access history and bars, applications' records. */
#include "chain/ledger_entries.h"

static int64_t get_time(struct chain_cbor_reader *r)
{
    int64_t time_ns = chain_cbor_get_int(r);
    if (time_ns < 0 || time_ns > INT64_MAX - (INT64_MAX >> 2)) /* durations are added to it */
        r->bad = true;
    return time_ns;
}

static bool motions_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    if (slot >= l->n_motions)
        return false;
    *id_out = l->motions[slot].id;
    *sub_out = 0;
    return true;
}

static bool encode_motion(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    size_t i = 0;
    while (i < l->n_motions && l->motions[i].id != id)
        i++;
    if (i == l->n_motions || sub != 0)
        return false;
    const struct chain_motion *m = &l->motions[i];
    chain_cbor_put_array(w, 5);
    chain_cbor_put_uint(w, m->kind);
    if (m->kind == CHAIN_MOTION_ADMIT)
        chain_cbor_put_bytes(w, m->key, CHAIN_KEY_BYTES);
    else
        chain_cbor_put_uint(w, m->key_id);
    chain_cbor_put_uint(w, m->opener);
    chain_cbor_put_int(w, m->opened_ns);
    chain_cbor_put_uint(w, m->voices);
    return true;
}

static bool decode_motion(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    bool ascends = l->n_motions == 0 || l->motions[l->n_motions - 1].id < id;
    if (sub != 0 || !ascends || l->n_motions == CHAIN_MAX_MOTIONS)
        return false;
    struct chain_motion *m = &l->motions[l->n_motions++];
    *m = (struct chain_motion){.id = id};
    chain_cbor_expect_array(r, 5);
    uint64_t kind = chain_cbor_get_uint(r);
    m->kind = (enum chain_motion_kind)kind;
    if (kind == CHAIN_MOTION_ADMIT)
        chain_cbor_get_fixed(r, m->key, CHAIN_KEY_BYTES);
    else
        m->key_id = chain_cbor_get_u32(r);
    m->opener = chain_cbor_get_u32(r);
    m->opened_ns = get_time(r);
    m->voices = chain_cbor_get_uint(r);
    return kind <= CHAIN_MOTION_UNSEAT && m->key_id < l->genesis.members.n_keys;
}

const struct chain_ledger_table_ops chain_table_motions = {
    .name = "motions", .slots = CHAIN_MAX_MOTIONS, .key_at = motions_at, .encode = encode_motion, .decode = decode_motion};

static bool accounts_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    *id_out = slot;
    *sub_out = 0;
    return l->balances[slot] > 0;
}

static bool encode_account(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    if (id >= CHAIN_MAX_KEYS || sub != 0 || l->balances[id] == 0)
        return false;
    chain_cbor_put_uint(w, l->balances[id]);
    return true;
}

static bool decode_account(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    if (id >= l->genesis.members.n_keys || sub != 0)
        return false;
    l->balances[id] = chain_cbor_get_uint(r);
    return l->balances[id] > 0 && l->balances[id] <= l->genesis.supply;
}

const struct chain_ledger_table_ops chain_table_accounts = {
    .name = "accounts", .slots = CHAIN_MAX_KEYS, .key_at = accounts_at, .encode = encode_account, .decode = decode_account};

static bool has_access(const struct chain_ledger *l, uint64_t station, uint64_t channel)
{
    return station < CHAIN_MAX_KEYS && channel < CHAIN_MAX_CHANNELS &&
           (l->access[station][channel].n > 0 || l->access[station][channel].barred_until_ns > 0);
}

static bool access_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    *id_out = slot / CHAIN_MAX_CHANNELS;
    *sub_out = slot % CHAIN_MAX_CHANNELS;
    return has_access(l, *id_out, *sub_out);
}

static bool encode_access(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    if (!has_access(l, id, sub))
        return false;
    const struct chain_access *a = &l->access[id][sub];
    chain_cbor_put_array(w, 2);
    chain_cbor_put_int(w, a->barred_until_ns);
    chain_cbor_put_array(w, a->n);
    for (uint32_t i = 0; i < a->n; i++)
        chain_cbor_put_int(w, a->at_ns[i]);
    return true;
}

static bool decode_access(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    if (id >= l->genesis.members.n_keys || sub >= l->genesis.n_channels)
        return false;
    struct chain_access *a = &l->access[id][sub];
    chain_cbor_expect_array(r, 2);
    a->barred_until_ns = get_time(r);
    a->n = (uint32_t)chain_cbor_get_array(r, CHAIN_MAX_ACCESS);
    for (uint32_t i = 0; i < a->n && !r->bad; i++)
        a->at_ns[i] = get_time(r);
    return has_access(l, id, sub);
}

const struct chain_ledger_table_ops chain_table_access = {.name = "access",
                                                          .slots = (size_t)CHAIN_MAX_KEYS * CHAIN_MAX_CHANNELS,
                                                          .key_at = access_at,
                                                          .encode = encode_access,
                                                          .decode = decode_access};

static bool puts_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    *id_out = slot / l->genesis.put_keys;
    *sub_out = slot % l->genesis.put_keys;
    return l->puts[slot].height > 0;
}

static bool encode_put(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    if (id >= CHAIN_MAX_KEYS || sub >= l->genesis.put_keys)
        return false;
    const struct chain_put *put = &l->puts[id * l->genesis.put_keys + sub];
    chain_cbor_put_array(w, 2);
    chain_cbor_put_uint(w, put->height);
    chain_cbor_put_bytes(w, put->value_hash.octets, CHAIN_HASH_BYTES);
    return put->height > 0;
}

static bool decode_put(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    if (id >= l->genesis.members.n_keys || sub >= l->genesis.put_keys)
        return false;
    struct chain_put *put = &l->puts[id * l->genesis.put_keys + sub];
    chain_cbor_expect_array(r, 2);
    put->height = chain_cbor_get_uint(r);
    chain_cbor_get_fixed(r, put->value_hash.octets, CHAIN_HASH_BYTES);
    return put->height > 0;
}

const struct chain_ledger_table_ops chain_table_puts = {
    .name = "puts", .slots = CHAIN_MAX_KEYS, .key_at = puts_at, .encode = encode_put, .decode = decode_put};
