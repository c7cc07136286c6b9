/* airdeed ledger state: every table of the state, by name, out of a database. */
#include "apps/ledger.h"
#include "apps/ledger_entry.h"
#include "apps/ledger_json.h"
#include "apps/options.h"
#include "chain/ledger_entries.h"
#include "chain/store/prove.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

struct wanted {
    uint64_t table, id; /* CHAIN_TABLES: all of them */
    bool one_id;
};

/* {table: [entry ...] ...}; NULL: an entry is not what this version describes. */
static json_t *read_tables(const struct chain_ledger *l, const struct wanted *wanted)
{
    struct chain_ledger_cursor cursor = {0};
    static struct chain_ledger_entry entry;
    json_t *tables = json_object();
    for (uint64_t i = 0; i < CHAIN_TABLES; i++)
        if (wanted->table == CHAIN_TABLES || wanted->table == i)
            json_object_set_new(tables, chain_ledger_table(i)->name, json_array());
    while (chain_ledger_next_entry(l, &cursor, &entry)) {
        json_t *table = json_object_get(tables, chain_ledger_table(entry.table)->name);
        if (!table || (wanted->one_id && entry.id != wanted->id))
            continue;
        json_t *words = app_ledger_entry_json(&l->genesis, entry.table, entry.id, entry.sub, entry.value, entry.value_len);
        if (json_array_append_new(table, words) != 0) {
            json_decref(tables);
            return NULL;
        }
    }
    return tables;
}

static void print_tables(const struct chain_header *tip, const char *root, const json_t *tables)
{
    char when[APP_LEDGER_TIME_TEXT];
    const char *name;
    json_t *table;
    app_ledger_format_time(tip->time_ns, when);
    printf("block %llu of %s, state root %s\n", (unsigned long long)tip->height, when, root);
    json_object_foreach ((json_t *)tables, name, table) {
        printf("\n%s: %zu\n", name, json_array_size(table));
        for (size_t i = 0; i < json_array_size(table); i++) {
            printf("  ");
            app_ledger_print_entry(json_array_get(table, i));
        }
    }
}

static int report(const struct chain_ledger *l, const struct wanted *wanted, bool as_json)
{
    const struct chain_header *tip = chain_ledger_tip(l);
    const char *broken = chain_ledger_audit(l);
    char root[2 * CHAIN_HASH_BYTES + 1];
    json_t *tables = read_tables(l, wanted);
    if (broken || !tables) {
        fprintf(stderr, "airdeed ledger state: block %llu: %s\n", (unsigned long long)tip->height, broken ? broken : "an entry cannot be described");
        json_decref(tables);
        return APP_EXPECTATION_FAILED;
    }
    sodium_bin2hex(root, sizeof root, tip->state_root.octets, CHAIN_HASH_BYTES);
    if (as_json) {
        json_t *all = json_pack("{s:I, s:I, s:s, s:I, s:O}", "height", (json_int_t)tip->height, "block_time_ns", (json_int_t)tip->time_ns,
                                "state_root", root, "supply", (json_int_t)l->genesis.supply, "tables", tables);
        app_ledger_print_json(all);
        json_decref(all);
    } else {
        print_tables(tip, root, tables);
    }
    json_decref(tables);
    return APP_OK;
}

static const char about[] =
    "Prints the ledger's state after the newest block: every table's entries, or those of one TABLE, field by field. It is executed from the\n"
    "newest snapshot on, and what comes out must have the block's state root. A database may be read while its node runs.\n"
    "Tables: counters (treasury, next numbers), keys, members (seats, convictions), stations (place, reputation), nonces, channels, sensing,\n"
    "grants, evidence, motions, accounts (balances above 0), access (grants of a channel, bars), puts, records (spectrum), hop.\n"
    "Exit codes: 0 it is the state, 1 it does not match the state root, or the database is damaged, 2 no ledger database or no such table.";

int app_ledger_state(int argc, char **argv)
{
    struct wanted wanted = {.table = CHAIN_TABLES};
    bool as_json = false;
    const struct app_option options[] = {
        {"id", APP_U64, &wanted.id, "N", "only entries of this number: a key, station, channel, window, grant ...", 0, 0, &wanted.one_id},
        {"json", APP_FLAG, &as_json, NULL, "prints {height, block_time_ns, state_root, supply, tables: {TABLE: [...]}}", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL},
    };
    int n_positional, code;
    if (app_options_parse(argc, argv, options, "ledger state DB [TABLE [--id N]] [--json]", about, &n_positional, &code))
        return code;
    if (n_positional < 1 || n_positional > 2 || (wanted.one_id && n_positional != 2)) {
        fprintf(stderr, "airdeed ledger state: %s\n", n_positional == 1 ? "--id needs a TABLE" : "a DB and at most one TABLE are needed");
        return APP_BAD_USAGE;
    }
    if (n_positional == 2 && app_ledger_find_table("ledger state", argv[2], &wanted.table) != 0)
        return APP_BAD_USAGE;
    void *mem;
    struct chain_ledger *l;
    char error[CHAIN_STORE_MAX_ERROR] = "";
    int rc = chain_store_read_state(argv[1], &mem, &l, error);
    if (rc == 0)
        code = report(l, &wanted, as_json);
    else
        code = rc == -EILSEQ ? APP_EXPECTATION_FAILED : rc == -ENOMEM ? APP_SYSTEM_FAILED : APP_BAD_USAGE;
    if (rc != 0)
        fprintf(stderr, "airdeed ledger state: %s\n", error);
    free(mem);
    return code;
}
