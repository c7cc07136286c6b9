/* Entries: leases, and jamming evidence. */
#include "chain/ledger_entries.h"
#include "chain/place.h"

static bool grants_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    if (slot >= l->n_grants)
        return false;
    *id_out = l->grants[slot].id;
    *sub_out = 0;
    return true;
}

static const struct chain_grant *find_grant(const struct chain_ledger *l, uint64_t id)
{
    for (size_t i = 0; i < l->n_grants; i++)
        if (l->grants[i].id == id)
            return &l->grants[i];
    return NULL;
}

static bool encode_grant(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    const struct chain_grant *g = sub == 0 ? find_grant(l, id) : NULL;
    if (!g)
        return false;
    chain_cbor_put_array(w, 17);
    chain_cbor_put_uint(w, g->holder);
    chain_cbor_put_uint(w, g->channel);
    chain_cbor_put_array(w, g->n_peers);
    for (uint32_t j = 0; j < g->n_peers; j++)
        chain_cbor_put_uint(w, g->peers[j]);
    chain_cbor_put_int(w, g->max_eirp_cdbm_mhz);
    chain_cbor_put_uint(w, g->state);
    chain_cbor_put_bool(w, g->suspended);
    chain_cbor_put_int(w, g->granted_ns);
    chain_cbor_put_int(w, g->grant_expire_ns);
    chain_cbor_put_int(w, g->transmit_expire_ns);
    chain_cbor_put_int(w, g->suspended_ns);
    chain_cbor_put_int(w, g->ended_ns);
    chain_cbor_put_uint(w, g->paid);
    chain_cbor_put_int(w, g->moved_ns);
    chain_cbor_put_int(w, g->trail_until_ns);
    chain_cbor_put_int(w, g->trail_lat_e7);
    chain_cbor_put_int(w, g->trail_lon_e7);
    chain_cbor_put_uint(w, g->trail_m);
    return true;
}

/* Times of grants are added to; none may be near the end of its range. */
static int64_t get_time(struct chain_cbor_reader *r)
{
    int64_t time_ns = chain_cbor_get_int(r);
    if (time_ns < 0 || time_ns > INT64_MAX - (INT64_MAX >> 2))
        r->bad = true;
    return time_ns;
}

static bool decode_grant(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    bool ascends = l->n_grants == 0 || l->grants[l->n_grants - 1].id < id;
    if (sub != 0 || !ascends || l->n_grants == CHAIN_MAX_GRANTS)
        return false;
    struct chain_grant *g = &l->grants[l->n_grants];
    *g = (struct chain_grant){.id = id};
    chain_cbor_expect_array(r, 17);
    g->holder = chain_cbor_get_u32(r);
    g->channel = chain_cbor_get_u32(r);
    g->n_peers = (uint32_t)chain_cbor_get_array(r, sizeof g->peers / sizeof *g->peers);
    for (uint32_t j = 0; j < g->n_peers && !r->bad; j++)
        g->peers[j] = chain_cbor_get_u32(r);
    g->max_eirp_cdbm_mhz = chain_cbor_get_i32(r);
    uint64_t state = chain_cbor_get_uint(r);
    g->suspended = chain_cbor_get_bool(r);
    g->granted_ns = get_time(r);
    g->grant_expire_ns = get_time(r);
    g->transmit_expire_ns = get_time(r);
    g->suspended_ns = get_time(r);
    g->ended_ns = get_time(r);
    g->paid = chain_cbor_get_u32(r);
    g->moved_ns = get_time(r);
    g->trail_until_ns = get_time(r);
    struct chain_place left = {.lat_e7 = chain_cbor_get_i32(r)};
    left.lon_e7 = chain_cbor_get_i32(r);
    g->trail_lat_e7 = left.lat_e7;
    g->trail_lon_e7 = left.lon_e7;
    g->trail_m = chain_cbor_get_u32(r);
    if (r->bad || !chain_place_valid(&left) || g->trail_m > CHAIN_PLACE_EVERYWHERE_M || g->holder >= l->genesis.members.n_keys || g->channel >= l->genesis.n_channels || state > CHAIN_GRANT_AUTHORIZED)
        return false;
    g->state = (enum chain_grant_state)state;
    g->low_hz = l->genesis.channels[g->channel].low_hz;
    g->high_hz = l->genesis.channels[g->channel].high_hz;
    l->n_grants++;
    return true;
}

const struct chain_ledger_table_ops chain_table_grants = {"grants", CHAIN_MAX_GRANTS, grants_at, encode_grant, decode_grant};

static bool evidence_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    if (slot >= l->n_evidence)
        return false;
    *id_out = l->evidence[slot].id;
    *sub_out = 0;
    return true;
}

static const struct chain_evidence *find_evidence(const struct chain_ledger *l, uint64_t id)
{
    for (size_t i = 0; i < l->n_evidence; i++)
        if (l->evidence[i].id == id)
            return &l->evidence[i];
    return NULL;
}

static bool encode_evidence(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    const struct chain_evidence *e = sub == 0 ? find_evidence(l, id) : NULL;
    if (!e)
        return false;
    chain_cbor_put_array(w, 9);
    chain_cbor_put_uint(w, e->channel);
    chain_cbor_put_uint(w, e->kind);
    if (e->suspect < CHAIN_MAX_KEYS)
        chain_cbor_put_uint(w, e->suspect);
    else
        chain_cbor_put_null(w);
    chain_cbor_put_int(w, e->lat_e7);
    chain_cbor_put_int(w, e->lon_e7);
    chain_cbor_put_int(w, e->from_ns);
    chain_cbor_put_int(w, e->at_ns);
    chain_cbor_put_uint(w, e->witnesses);
    chain_cbor_put_bool(w, e->confirmed);
    return true;
}

static bool decode_evidence(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    bool ascends = l->n_evidence == 0 || l->evidence[l->n_evidence - 1].id < id;
    if (sub != 0 || !ascends || l->n_evidence == CHAIN_MAX_EVIDENCE)
        return false;
    struct chain_evidence *e = &l->evidence[l->n_evidence];
    *e = (struct chain_evidence){.id = id};
    chain_cbor_expect_array(r, 9);
    e->channel = chain_cbor_get_u32(r);
    uint32_t kind = chain_cbor_get_u32(r);
    e->kind = (uint8_t)kind;
    bool suspected = !chain_cbor_get_null(r);
    e->suspect = suspected ? chain_cbor_get_u32(r) : CHAIN_MAX_KEYS;
    struct chain_place place = {.lat_e7 = chain_cbor_get_i32(r)};
    place.lon_e7 = chain_cbor_get_i32(r);
    e->lat_e7 = place.lat_e7;
    e->lon_e7 = place.lon_e7;
    e->from_ns = get_time(r);
    e->at_ns = get_time(r);
    e->witnesses = chain_cbor_get_uint(r);
    e->confirmed = chain_cbor_get_bool(r);
    if (r->bad || kind > UINT8_MAX || e->from_ns > e->at_ns || e->channel >= l->genesis.n_channels || !chain_place_valid(&place) ||
        (suspected && e->suspect >= l->genesis.members.n_keys))
        return false;
    l->n_evidence++;
    return true;
}

const struct chain_ledger_table_ops chain_table_evidence = {"evidence", CHAIN_MAX_EVIDENCE, evidence_at, encode_evidence, decode_evidence};
