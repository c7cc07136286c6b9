/* The state root: which entries a block touched, and the map over all of them. */
#include <assert.h>
#include <string.h>

#include "chain/batch.h"
#include "chain/ledger_entries.h"

void chain_ledger_touch(struct chain_ledger *l, enum chain_ledger_table table, uint64_t id, uint64_t sub)
{
    struct chain_touched *touched = &l->touched;
    uint64_t z = ((uint64_t)table << 58 ^ id * UINT64_C(0x9e3779b97f4a7c15) ^ sub) * UINT64_C(0xbf58476d1ce4e5b9);
    for (size_t slot = (size_t)(z >> 32); touched->n <= CHAIN_MAX_TOUCHED; slot++) {
        uint16_t *at = &touched->index[slot % CHAIN_TOUCH_SLOTS];
        if (*at == 0) {
            if (touched->n++ == CHAIN_MAX_TOUCHED)
                return; /* more than that: everything counts as touched */
            *at = (uint16_t)touched->n;
            touched->keys[touched->n - 1].table = table;
            touched->keys[touched->n - 1].id = id;
            touched->keys[touched->n - 1].sub = sub;
            return;
        }
        if (touched->keys[*at - 1].table == table && touched->keys[*at - 1].id == id && touched->keys[*at - 1].sub == sub)
            return;
    }
}

/* False: no room. */
static bool put(struct chain_ledger *l, const struct chain_ledger_entry *entry, bool present)
{
    struct chain_hash key, value;
    chain_hash_of(entry->key, entry->key_len, &key);
    if (!present) {
        chain_map_remove(l->map, &key);
        return true;
    }
    chain_hash_of(entry->value, entry->value_len, &value);
    return chain_map_put(l->map, &key, &value) == 0;
}

void chain_ledger_prove_entry(const struct chain_ledger *l, uint64_t table, uint64_t id, uint64_t sub, struct chain_map_proof *out)
{
    struct chain_ledger_entry entry;
    struct chain_hash key;
    chain_ledger_find_entry(l, table, id, sub, &entry);
    chain_hash_of(entry.key, entry.key_len, &key);
    chain_map_prove(l->map, &key, out);
}

static void forget_touched(struct chain_ledger *l)
{
    memset(&l->touched.index, 0, sizeof l->touched.index);
    l->touched.n = 0;
}

void chain_ledger_rebuild_root(struct chain_ledger *l, struct chain_hash *out)
{
    struct chain_ledger_cursor cursor = {0};
    struct chain_ledger_entry entry;
    chain_map_clear(l->map);
    while (chain_ledger_next_entry(l, &cursor, &entry)) {
        bool fits = put(l, &entry, true);
        assert(fits); /* it has room for every slot of every table */
        (void)fits;
    }
    forget_touched(l);
    chain_map_root(l->map, out);
}

void chain_ledger_update_root(struct chain_ledger *l, struct chain_hash *out)
{
    if (l->touched.n > CHAIN_MAX_TOUCHED) {
        chain_ledger_rebuild_root(l, out);
        return;
    }
    struct chain_ledger_entry entry;
    bool fits = true;
    for (size_t i = 0; i < l->touched.n && fits; i++) {
        bool present = chain_ledger_find_entry(l, l->touched.keys[i].table, l->touched.keys[i].id, l->touched.keys[i].sub, &entry);
        fits = put(l, &entry, present);
    }
    if (!fits) { /* every table full, and what goes comes behind what takes its place */
        chain_ledger_rebuild_root(l, out);
        return;
    }
    if (l->touched.n > 0)
        forget_touched(l);
    chain_map_root(l->map, out);
}
