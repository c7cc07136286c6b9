/* Stations: registration, moves, departure; and the records that applications keep. */
#include <string.h>

#include "chain/ledger_state.h"

enum chain_response chain_ledger_register(struct chain_ledger *l, uint32_t author, const struct chain_op *op)
{
    struct chain_station *s = &l->stations[author];
    if (s->registered)
        return CHAIN_INVALID_VALUE;
    if (!s->departed) { /* who comes back brings its past along */
        chain_fuse_start(&s->sensing, l->genesis.local_p_fa_ppb);
        chain_ledger_earn(l, author, l->genesis.endowment);
    }
    chain_ledger_note_leaving(l, author);
    s->registered = true;
    s->departed = false;
    s->registered_ns = l->time_ns;
    memcpy(s->call_sign, op->reg.call_sign, sizeof s->call_sign);
    s->lat_e7 = op->reg.lat_e7;
    s->lon_e7 = op->reg.lon_e7;
    s->height_cm = op->reg.height_cm;
    chain_ledger_touch(l, CHAIN_TABLE_STATIONS, author, 0);
    chain_ledger_emit(l, CHAIN_LE_REGISTERED)->station = author;
    chain_ledger_recheck_station(l, author); /* a peer may come back elsewhere */
    return CHAIN_SUCCESS;
}

enum chain_response chain_ledger_move(struct chain_ledger *l, uint32_t author, const struct chain_op *op)
{
    struct chain_station *s = &l->stations[author];
    chain_ledger_note_leaving(l, author);
    s->lat_e7 = op->move.lat_e7;
    s->lon_e7 = op->move.lon_e7;
    s->height_cm = op->move.height_cm;
    chain_ledger_touch(l, CHAIN_TABLE_STATIONS, author, 0);
    chain_ledger_emit(l, CHAIN_LE_MOVED)->station = author;
    chain_ledger_recheck_station(l, author);
    return CHAIN_SUCCESS;
}

enum chain_response chain_ledger_deregister(struct chain_ledger *l, uint32_t author)
{
    chain_ledger_end_grants(l, author);
    l->stations[author].registered = false;
    l->stations[author].departed = true;
    chain_ledger_touch(l, CHAIN_TABLE_STATIONS, author, 0);
    chain_ledger_emit(l, CHAIN_LE_DEREGISTERED)->station = author;
    return CHAIN_SUCCESS;
}

enum chain_response chain_ledger_keep_put(struct chain_ledger *l, uint32_t author, const struct chain_op *op)
{
    struct chain_put *put = &l->puts[(size_t)author * l->genesis.put_keys + op->put.key];
    chain_hash_of(op->put.value, op->put.value_len, &put->value_hash);
    put->height = l->height;
    chain_ledger_touch(l, CHAIN_TABLE_PUTS, author, op->put.key);
    return CHAIN_SUCCESS;
}

const struct chain_put *chain_ledger_put(const struct chain_ledger *l, uint32_t station, uint32_t key)
{
    if (station >= l->genesis.members.n_keys || key >= l->genesis.put_keys)
        return NULL;
    const struct chain_put *put = &l->puts[(size_t)station * l->genesis.put_keys + key];
    return put->height > 0 ? put : NULL;
}

bool chain_ledger_registered(const struct chain_ledger *l, uint32_t station)
{
    return station < l->genesis.members.n_keys && l->stations[station].registered;
}
