/* JSON and tables of the ledger. */
#include "apps/ledger_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *state_name(const struct chain_grant *grant)
{
    switch (grant->state) {
    case CHAIN_GRANT_IDLE: return "IDLE";
    case CHAIN_GRANT_GRANTED: return "GRANTED";
    case CHAIN_GRANT_AUTHORIZED: return "AUTHORIZED";
    }
    return "?";
}

json_t *app_ledger_lease_json(const struct chain_grant *grant, const char *holder)
{
    return json_pack("{s:I, s:i, s:s?, s:i, s:s, s:b, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I}", "id", (json_int_t)grant->id, "holder",
                     (int)grant->holder, "holder_name", holder, "channel", (int)grant->channel, "state", state_name(grant), "suspended",
                     (int)grant->suspended, "low_hz", (json_int_t)grant->low_hz, "high_hz", (json_int_t)grant->high_hz, "max_eirp_dbm_mhz",
                     grant->max_eirp_cdbm_mhz / 100.0, "granted_ns", (json_int_t)grant->granted_ns, "grant_expire_ns",
                     (json_int_t)grant->grant_expire_ns, "transmit_expire_ns", (json_int_t)grant->transmit_expire_ns, "suspended_ns",
                     (json_int_t)grant->suspended_ns, "ended_ns", (json_int_t)grant->ended_ns);
}

void app_ledger_format_time(json_int_t unix_ns, char out[APP_LEDGER_TIME_TEXT])
{
    time_t seconds = (time_t)(unix_ns / 1000000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char text[24];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (unix_ns <= 0)
        snprintf(out, APP_LEDGER_TIME_TEXT, "-");
    else
        snprintf(out, APP_LEDGER_TIME_TEXT, "%s.%03dZ", text, (int)(unix_ns / 1000000 % 1000));
}

static json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

void app_ledger_print_leases(const json_t *answer)
{
    const json_t *leases = json_object_get(answer, "leases");
    if (json_array_size(leases) == 0) {
        printf("no leases\n");
        return;
    }
    printf("%4s  %-12s  %7s  %-21s  %-17s  %-24s  %s\n", "id", "holder", "channel", "MHz", "state", "granted", "transmit until");
    for (size_t i = 0; i < json_array_size(leases); i++) {
        const json_t *lease = json_array_get(leases, i);
        const char *name = json_string_value(json_object_get(lease, "holder_name"));
        const char *word = json_string_value(json_object_get(lease, "state"));
        bool live = word && strcmp(word, "IDLE") != 0; /* that it was suspended once matters only while it lives */
        char granted[APP_LEDGER_TIME_TEXT], until[APP_LEDGER_TIME_TEXT], holder[32], band[48], state[32];
        app_ledger_format_time(number(lease, "granted_ns"), granted);
        app_ledger_format_time(number(lease, "transmit_expire_ns"), until);
        if (name)
            snprintf(holder, sizeof holder, "%s", name);
        else
            snprintf(holder, sizeof holder, "%d", (int)number(lease, "holder"));
        snprintf(band, sizeof band, "%.3f-%.3f", (double)number(lease, "low_hz") / 1e6, (double)number(lease, "high_hz") / 1e6);
        snprintf(state, sizeof state, "%s%s", word ? word : "?", live && json_is_true(json_object_get(lease, "suspended")) ? " SUSPENDED" : "");
        printf("%4d  %-12s  %7d  %-21s  %-17s  %-24s  %s\n", (int)number(lease, "id"), holder, (int)number(lease, "channel"), band, state,
               granted, until);
    }
}

void app_ledger_print_transactions(const json_t *answer)
{
    const json_t *rows = json_object_get(answer, "transactions");
    printf("%8s  %6s  %20s  %-12s  %s\n", "block", "author", "nonce", "operation", "response");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *op = json_string_value(json_object_get(row, "op")), *response = json_string_value(json_object_get(row, "response"));
        printf("%8" PRId64 "  %6" PRId64 "  %20" PRId64 "  %-12s  %s (%d)\n", (int64_t)number(row, "height"), (int64_t)number(row, "author"),
               (int64_t)number(row, "nonce"), op ? op : "?", response ? response : "?", (int)number(row, "code"));
    }
}

static void print_value(const json_t *value)
{
    if (json_is_string(value)) {
        printf("%s", json_string_value(value));
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    printf("%s", text ? text : "");
    free(text);
}

void app_ledger_print_object(const json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)object, key, value) {
        printf("%-20s", key);
        if (!json_is_array(value)) {
            print_value(value);
            printf("\n");
            continue;
        }
        printf("\n");
        for (size_t i = 0; i < json_array_size(value); i++) {
            const char *name;
            json_t *field;
            printf("  ");
            json_object_foreach (json_array_get(value, i), name, field) {
                printf("%s ", name);
                print_value(field);
                printf("  ");
            }
            printf("\n");
        }
    }
}

void app_ledger_print_json(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(12));
    printf("%s\n", text ? text : "{}");
    free(text);
}
