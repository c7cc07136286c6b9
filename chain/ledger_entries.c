/* Every table, and walking, finding and loading entries. */
#include "chain/ledger_entries.h"

#include <errno.h>
#include <string.h>

static const struct chain_ledger_table_ops *const tables[CHAIN_TABLES] = {
    [CHAIN_TABLE_COUNTERS] = &chain_table_counters, [CHAIN_TABLE_KEYS] = &chain_table_keys,
    [CHAIN_TABLE_MEMBERS] = &chain_table_members,   [CHAIN_TABLE_STATIONS] = &chain_table_stations,
    [CHAIN_TABLE_NONCES] = &chain_table_nonces,     [CHAIN_TABLE_CHANNELS] = &chain_table_channels,
    [CHAIN_TABLE_SENSING] = &chain_table_sensing,   [CHAIN_TABLE_GRANTS] = &chain_table_grants,
    [CHAIN_TABLE_EVIDENCE] = &chain_table_evidence, [CHAIN_TABLE_MOTIONS] = &chain_table_motions,
    [CHAIN_TABLE_ACCOUNTS] = &chain_table_accounts, [CHAIN_TABLE_ACCESS] = &chain_table_access,
    [CHAIN_TABLE_PUTS] = &chain_table_puts,
    [CHAIN_TABLE_RECORDS] = &chain_table_records,   [CHAIN_TABLE_HOP] = &chain_table_hop,
};

const struct chain_ledger_table_ops *chain_ledger_table(uint64_t table)
{
    return table < CHAIN_TABLES ? tables[table] : NULL;
}

/* Of records that applications keep, genesis says how many a key may have, and of hopping whether there is any. */
static size_t slots_of(const struct chain_ledger_table_ops *table, const struct chain_genesis *genesis)
{
    if (table == &chain_table_hop)
        return chain_genesis_hop_set(genesis) != 0 ? table->slots : 0;
    return table == &chain_table_puts ? table->slots * genesis->put_keys : table->slots;
}

size_t chain_ledger_max_entries(const struct chain_genesis *genesis)
{
    size_t n = 0;
    for (size_t i = 0; i < CHAIN_TABLES; i++)
        n += slots_of(tables[i], genesis);
    return n;
}

bool chain_ledger_find_entry(const struct chain_ledger *l, uint64_t table, uint64_t id, uint64_t sub, struct chain_ledger_entry *out)
{
    struct chain_cbor_writer key = {.out = out->key, .cap = sizeof out->key};
    struct chain_cbor_writer value = {.out = out->value, .cap = sizeof out->value};
    out->table = table;
    out->id = id;
    out->sub = sub;
    chain_cbor_put_array(&key, 3);
    chain_cbor_put_uint(&key, table);
    chain_cbor_put_uint(&key, id);
    chain_cbor_put_uint(&key, sub);
    out->key_len = key.len;
    bool found = table < CHAIN_TABLES && tables[table]->encode(l, id, sub, &value) && !value.full;
    out->value_len = found ? value.len : 0;
    return found;
}

bool chain_ledger_next_entry(const struct chain_ledger *l, struct chain_ledger_cursor *cursor, struct chain_ledger_entry *out)
{
    for (; cursor->table < CHAIN_TABLES; cursor->table++, cursor->slot = 0) {
        while (cursor->slot < slots_of(tables[cursor->table], &l->genesis)) {
            uint64_t id, sub;
            if (tables[cursor->table]->key_at(l, cursor->slot++, &id, &sub))
                return chain_ledger_find_entry(l, cursor->table, id, sub, out);
        }
    }
    return false;
}

size_t chain_ledger_entries(const struct chain_ledger *l,
                            void (*visit)(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len),
                            void *ctx)
{
    struct chain_ledger_cursor cursor = {0};
    struct chain_ledger_entry entry;
    size_t n = 0;
    for (; chain_ledger_next_entry(l, &cursor, &entry); n++)
        visit(ctx, entry.key, entry.key_len, entry.value, entry.value_len);
    return n;
}

void chain_ledger_clear(struct chain_ledger *l)
{
    struct chain_genesis genesis = l->genesis;
    struct chain_signer signer = l->signer;
    struct chain_hash genesis_hash = l->genesis_hash;
    struct chain_map *map = l->map;
    struct chain_put *puts = l->puts;
    memset(l, 0, sizeof *l);
    memset(puts, 0, (size_t)CHAIN_MAX_KEYS * genesis.put_keys * sizeof *puts);
    l->puts = puts;
    l->genesis = genesis;
    memset(&l->genesis.members.keys, 0, sizeof l->genesis.members.keys);
    memset(&l->genesis.members.seats, 0, sizeof l->genesis.members.seats);
    l->genesis.members.n = l->genesis.members.n_keys = l->genesis.members.epoch = 0;
    l->signer = signer;
    l->genesis_hash = genesis_hash;
    l->map = map;
}

int chain_ledger_load_entry(struct chain_ledger *l, uint64_t table, uint64_t id, uint64_t sub, const uint8_t *value, size_t len)
{
    struct chain_cbor_reader r = {.data = value, .len = len};
    if (table >= CHAIN_TABLES || len > CHAIN_MAX_ENTRY_VALUE || !tables[table]->decode(l, id, sub, &r))
        return -EBADMSG;
    return chain_cbor_end(&r);
}
