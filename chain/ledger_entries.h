/* The state as tables of entries. Whatever the ledger must not forget is an entry: a key [table, id, sub] and a value, both CBOR. The state
 * root is the root of a map over them (chain/map.h), a snapshot is their list, and a proof is about one of them.
 * A table is one row of ledger_entries.c and its functions; a change of an entry calls chain_ledger_touch. */
#ifndef CHAIN_LEDGER_ENTRIES_H
#define CHAIN_LEDGER_ENTRIES_H

#include "chain/cbor.h"
#include "chain/ledger_state.h"

struct chain_ledger_table_ops {
    const char *name;
    size_t slots; /* places that entries of this table can be in: its bound */
    /* The key of the entry in a slot; false: the slot is empty. Keys ascend with the slots. */
    bool (*key_at)(const struct chain_ledger *l, size_t slot, uint64_t *id_out, uint64_t *sub_out);
    /* Writes an entry's value; false: there is no such entry. */
    bool (*encode)(const struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_writer *w);
    /* Adds an entry to a ledger that was cleared; keys come in ascending order. False: no such thing. It need not look for octets
     * that were left over. What it accepts must be safe to execute on, however it came about. */
    bool (*decode)(struct chain_ledger *l, uint64_t id, uint64_t sub, struct chain_cbor_reader *r);
};

/* ledger_table_member.c */
extern const struct chain_ledger_table_ops chain_table_keys, chain_table_members;
/* ledger_table_station.c */
extern const struct chain_ledger_table_ops chain_table_counters, chain_table_stations, chain_table_nonces;
/* ledger_table_spectrum.c */
extern const struct chain_ledger_table_ops chain_table_channels, chain_table_sensing, chain_table_records;
/* ledger_table_lease.c */
extern const struct chain_ledger_table_ops chain_table_grants, chain_table_evidence;
/* ledger_table_rules.c */
extern const struct chain_ledger_table_ops chain_table_motions, chain_table_accounts, chain_table_access, chain_table_puts;
/* ledger_hop.c: entries [HOP, 0, 0], the epoch; [HOP, 1, key id], what it sealed to that key; [HOP, 2, channel], until when that is left alone */
extern const struct chain_ledger_table_ops chain_table_hop;

/* NULL for a number that is no table. */
const struct chain_ledger_table_ops *chain_ledger_table(uint64_t table);
/* The most entries that a state has. */
size_t chain_ledger_max_entries(const struct chain_genesis *genesis);

/* All entries in order: start from {0, 0}. False after the last one. */
struct chain_ledger_cursor {
    size_t table, slot;
};
struct chain_ledger_entry {
    uint64_t table, id, sub;
    size_t key_len, value_len;
    uint8_t key[CHAIN_MAX_ENTRY_KEY], value[CHAIN_MAX_ENTRY_VALUE];
};
bool chain_ledger_next_entry(const struct chain_ledger *l, struct chain_ledger_cursor *cursor, struct chain_ledger_entry *out);
/* One entry by its key; false: there is none, and only the key's octets are filled. */
bool chain_ledger_find_entry(const struct chain_ledger *l, uint64_t table, uint64_t id, uint64_t sub, struct chain_ledger_entry *out);
/* Adds an entry. 0, or -EBADMSG. */
int chain_ledger_load_entry(struct chain_ledger *l, uint64_t table, uint64_t id, uint64_t sub, const uint8_t *value, size_t len);

/* The path of a key to the tip's state root. */
void chain_ledger_prove_entry(const struct chain_ledger *l, uint64_t table, uint64_t id, uint64_t sub, struct chain_map_proof *out);

/* Leaves nothing but what was configured: then entries can be loaded. */
void chain_ledger_clear(struct chain_ledger *l);

/* The map's root after every touched entry was brought up to date. */
void chain_ledger_update_root(struct chain_ledger *l, struct chain_hash *out);
/* The same from nothing, for comparison and after loading. */
void chain_ledger_rebuild_root(struct chain_ledger *l, struct chain_hash *out);
#endif
