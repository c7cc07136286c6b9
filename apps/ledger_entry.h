/* The entries of the ledger's state in words: one description of each table (docs/wire/airdeed.cddl, state entries), for whoever shows
 * them: ledger state, ledger check, ledger prove --json. */
#ifndef APPS_LEDGER_ENTRY_H
#define APPS_LEDGER_ENTRY_H

#include "chain/genesis.h"

#include <jansson.h>

/* An object: the key's parts, then the value's fields, each by name with its unit, numbers from 2^63 on as text. NULL if the table is none or
 * the value is not what its entries are. The genesis block says what channels and a station's numbers mean. */
json_t *app_ledger_entry_json(const struct chain_genesis *genesis, uint64_t table, uint64_t id, uint64_t sub, const uint8_t *value,
                              size_t len);
/* The same in one line on stdout, "name value" each: times by the calendar, - for what is not there. */
void app_ledger_print_entry(const json_t *entry);
/* By name or number. 0, or -ENOENT after a line on stderr, from `command`, that lists the tables. */
__attribute__((warn_unused_result)) int app_ledger_find_table(const char *command, const char *text, uint64_t *out);
#endif
