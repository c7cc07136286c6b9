/* Entries: counters, stations, nonces. */
#include "chain/ledger_entries.h"

static bool counters_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    (void)l;
    *id_out = slot;
    *sub_out = 0;
    return true;
}

static bool encode_counters(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    if (id != 0 || sub != 0)
        return false;
    chain_cbor_put_array(w, 6);
    chain_cbor_put_uint(w, l->next_window);
    chain_cbor_put_uint(w, l->next_grant_id);
    chain_cbor_put_uint(w, l->next_evidence_id);
    chain_cbor_put_uint(w, l->next_motion_id);
    chain_cbor_put_uint(w, l->next_record_id);
    chain_cbor_put_uint(w, l->treasury);
    return true;
}

static bool decode_counters(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    chain_cbor_expect_array(r, 6);
    l->next_window = chain_cbor_get_uint(r);
    l->next_grant_id = chain_cbor_get_uint(r);
    l->next_evidence_id = chain_cbor_get_uint(r);
    l->next_motion_id = chain_cbor_get_uint(r);
    l->next_record_id = chain_cbor_get_uint(r);
    l->treasury = chain_cbor_get_uint(r);
    return id == 0 && sub == 0 && l->treasury <= l->genesis.supply;
}

const struct chain_ledger_table_ops chain_table_counters = {"counters", 1, counters_at, encode_counters, decode_counters};

static bool is_station(const struct chain_ledger *l, uint64_t id, uint64_t sub)
{
    return id < l->genesis.members.n_keys && sub == 0;
}

static bool is_known(const struct chain_station *s)
{
    return s->registered || s->departed;
}

static bool stations_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    *id_out = slot;
    *sub_out = 0;
    return is_station(l, slot, 0) && is_known(&l->stations[slot]);
}

static bool encode_station(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    if (!is_station(l, id, sub) || !is_known(&l->stations[id]))
        return false;
    const struct chain_station *s = &l->stations[id];
    chain_cbor_put_array(w, 9);
    chain_cbor_put_bool(w, s->departed);
    chain_cbor_put_text(w, s->call_sign);
    chain_cbor_put_int(w, s->lat_e7);
    chain_cbor_put_int(w, s->lon_e7);
    chain_cbor_put_int(w, s->height_cm);
    chain_cbor_put_int(w, s->registered_ns);
    chain_cbor_put_uint(w, s->sensing.p_d_ppb);
    chain_cbor_put_uint(w, s->sensing.p_fa_ppb);
    chain_cbor_put_uint(w, s->sensing.agreed);
    return true;
}

static bool decode_station(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    if (!is_station(l, id, sub))
        return false;
    struct chain_station *s = &l->stations[id];
    chain_cbor_expect_array(r, 9);
    s->departed = chain_cbor_get_bool(r);
    chain_cbor_get_text(r, s->call_sign, sizeof s->call_sign);
    s->lat_e7 = chain_cbor_get_i32(r);
    s->lon_e7 = chain_cbor_get_i32(r);
    s->height_cm = chain_cbor_get_i32(r);
    s->registered_ns = chain_cbor_get_int(r);
    s->sensing.p_d_ppb = chain_cbor_get_u32(r);
    s->sensing.p_fa_ppb = chain_cbor_get_u32(r);
    s->sensing.agreed = chain_cbor_get_u32(r);
    s->registered = !s->departed;
    return chain_fuse_record_valid(&s->sensing);
}

const struct chain_ledger_table_ops chain_table_stations = {"stations", CHAIN_MAX_KEYS, stations_at, encode_station, decode_station};

static bool nonces_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    *id_out = slot;
    *sub_out = 0;
    return is_station(l, slot, 0) && l->nonces[slot].top > 0;
}

/* Written out, compilers make one store of it. */
static void put_word(uint8_t out[8], uint64_t word)
{
    out[0] = (uint8_t)word;
    out[1] = (uint8_t)(word >> 8);
    out[2] = (uint8_t)(word >> 16);
    out[3] = (uint8_t)(word >> 24);
    out[4] = (uint8_t)(word >> 32);
    out[5] = (uint8_t)(word >> 40);
    out[6] = (uint8_t)(word >> 48);
    out[7] = (uint8_t)(word >> 56);
}

static bool encode_nonces(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    if (!is_station(l, id, sub) || l->nonces[id].top == 0)
        return false;
    chain_cbor_put_array(w, 2);
    chain_cbor_put_uint(w, l->nonces[id].top);
    uint8_t used[CHAIN_NONCE_WINDOW / 8];
    for (size_t k = 0; k < CHAIN_NONCE_WORDS; k++)
        put_word(used + 8 * k, l->nonces[id].used[k]);
    chain_cbor_put_bytes(w, used, sizeof used);
    return true;
}

static bool decode_nonces(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    if (!is_station(l, id, sub))
        return false;
    chain_cbor_expect_array(r, 2);
    l->nonces[id].top = chain_cbor_get_uint(r);
    uint8_t used[CHAIN_NONCE_WINDOW / 8];
    chain_cbor_get_fixed(r, used, sizeof used);
    for (size_t k = 0; k < sizeof used && !r->bad; k++)
        l->nonces[id].used[k / 8] |= (uint64_t)used[k] << (8 * (k % 8));
    return l->nonces[id].top > 0;
}

const struct chain_ledger_table_ops chain_table_nonces = {"nonces", CHAIN_MAX_KEYS, nonces_at, encode_nonces, decode_nonces};
