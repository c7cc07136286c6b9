/* Entries: channels, what stations said of the sensing windows that are open, and the authority's records. */
#include "chain/ledger_entries.h"

static bool channels_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    *id_out = slot;
    *sub_out = 0;
    return slot < l->genesis.n_channels;
}

static bool encode_channel(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    if (id >= l->genesis.n_channels || sub != 0)
        return false;
    const struct chain_channel_record *c = &l->channels[id];
    chain_cbor_put_array(w, 4);
    chain_cbor_put_uint(w, c->status);
    chain_cbor_put_uint(w, c->since_window);
    chain_cbor_put_int(w, c->since_ns);
    chain_cbor_put_uint(w, c->free_windows);
    return true;
}

static bool decode_channel(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    if (id >= l->genesis.n_channels || sub != 0)
        return false;
    struct chain_channel_record *c = &l->channels[id];
    chain_cbor_expect_array(r, 4);
    uint64_t status = chain_cbor_get_uint(r);
    if (status > CHAIN_CHANNEL_INCUMBENT)
        return false;
    c->status = (enum chain_channel_status)status;
    c->since_window = chain_cbor_get_uint(r);
    c->since_ns = chain_cbor_get_int(r);
    c->free_windows = chain_cbor_get_u32(r);
    return true;
}

const struct chain_ledger_table_ops chain_table_channels = {"channels", CHAIN_MAX_CHANNELS, channels_at, encode_channel, decode_channel};

static bool sensing_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    size_t window = slot / CHAIN_MAX_KEYS, station = slot % CHAIN_MAX_KEYS;
    if (window >= l->n_windows || !l->windows[window].by_station[station].committed)
        return false;
    *id_out = l->windows[window].window;
    *sub_out = station;
    return true;
}

static const struct chain_sensing *find_sensing(const struct chain_ledger *l, uint64_t window, uint64_t station)
{
    for (size_t i = 0; i < l->n_windows && station < CHAIN_MAX_KEYS; i++)
        if (l->windows[i].window == window)
            return l->windows[i].by_station[station].committed ? &l->windows[i].by_station[station] : NULL;
    return NULL;
}

static bool encode_sensing(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    const struct chain_sensing *s = find_sensing(l, id, sub);
    if (!s)
        return false;
    chain_cbor_put_array(w, 3);
    chain_cbor_put_uint(w, s->commit_height);
    chain_cbor_put_bytes(w, s->commitment.octets, CHAIN_HASH_BYTES);
    if (s->revealed)
        chain_cbor_put_uint(w, s->occupied);
    else
        chain_cbor_put_null(w);
    return true;
}

static struct chain_window_state *load_window(struct chain_ledger *l, uint64_t window)
{
    if (l->n_windows > 0 && l->windows[l->n_windows - 1].window >= window)
        return l->windows[l->n_windows - 1].window == window ? &l->windows[l->n_windows - 1] : NULL;
    if (l->n_windows == CHAIN_MAX_WINDOWS)
        return NULL;
    l->windows[l->n_windows] = (struct chain_window_state){.window = window};
    return &l->windows[l->n_windows++];
}

static bool decode_sensing(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    struct chain_window_state *w = sub < l->genesis.members.n_keys ? load_window(l, id) : NULL;
    if (!w)
        return false;
    struct chain_sensing *s = &w->by_station[sub];
    chain_cbor_expect_array(r, 3);
    s->commit_height = chain_cbor_get_uint(r);
    chain_cbor_get_fixed(r, s->commitment.octets, CHAIN_HASH_BYTES);
    s->committed = true;
    s->revealed = !chain_cbor_get_null(r);
    uint64_t occupied = s->revealed ? chain_cbor_get_uint(r) : 0;
    s->occupied = (uint8_t)occupied;
    w->any_revealed = w->any_revealed || s->revealed;
    return occupied <= UINT8_MAX;
}

const struct chain_ledger_table_ops chain_table_sensing = {"sensing", (size_t)CHAIN_MAX_WINDOWS *CHAIN_MAX_KEYS, sensing_at, encode_sensing,
                                                           decode_sensing};

static bool records_at(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out)
{
    if (slot >= l->n_records)
        return false;
    *id_out = l->records[slot].id;
    *sub_out = 0;
    return true;
}

/* The operation's octets, and whether its time has come. */
static bool encode_record(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w)
{
    size_t i = 0;
    while (i < l->n_records && l->records[i].id != id)
        i++;
    if (i == l->n_records || sub != 0)
        return false;
    struct chain_op op = {.kind = CHAIN_OP_SPECTRUM, .spectrum = l->records[i].what};
    uint8_t octets[CHAIN_MAX_OP_BYTES];
    long len = chain_op_encode(&op, octets, sizeof octets);
    chain_cbor_put_array(w, 2);
    chain_cbor_put_bool(w, l->records[i].begun);
    chain_cbor_put_bytes(w, octets, (size_t)len);
    return len > 0;
}

static bool decode_record(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r)
{
    bool ascends = l->n_records == 0 || l->records[l->n_records - 1].id < id;
    if (sub != 0 || !ascends || l->n_records == CHAIN_MAX_SPECTRUM)
        return false;
    size_t len;
    struct chain_op op;
    chain_cbor_expect_array(r, 2);
    bool begun = chain_cbor_get_bool(r);
    const uint8_t *octets = chain_cbor_get_bytes(r, &len);
    if (r->bad || chain_op_decode(&op, octets, len) != 0 || op.kind != CHAIN_OP_SPECTRUM ||
        chain_ledger_check_op(l, &op) != CHAIN_SUCCESS)
        return false;
    l->records[l->n_records++] = (struct chain_spectrum_record){.id = id, .what = op.spectrum, .begun = begun};
    return true;
}

const struct chain_ledger_table_ops chain_table_records = {"records", CHAIN_MAX_SPECTRUM, records_at, encode_record, decode_record};
