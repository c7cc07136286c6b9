/* What the ledger says, as JSON and as tables. */
#ifndef APPS_LEDGER_JSON_H
#define APPS_LEDGER_JSON_H

#include "chain/ledger.h"

#include <jansson.h>

enum { APP_LEDGER_TIME_TEXT = 32 };
/* RFC 3339 in milliseconds of UTC; "-" for 0, which stands for never. */
void app_ledger_format_time(json_int_t unix_ns, char out[APP_LEDGER_TIME_TEXT]);

/* holder: a name, or NULL where only the number is known */
json_t *app_ledger_lease_json(const struct chain_grant *grant, const char *holder);
/* {"leases": [...]}: a table on stdout. */
void app_ledger_print_leases(const json_t *answer);
/* {"transactions": [...]}: a table on stdout. */
void app_ledger_print_transactions(const json_t *answer);
/* Any object: one "name: value" a line on stdout, nested lists indented. */
void app_ledger_print_object(const json_t *object);
/* One line of JSON on stdout. */
void app_ledger_print_json(const json_t *value);
#endif
