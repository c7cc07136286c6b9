#include "apps/run/responses.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;
} table[] = {{"hop", offsetof(struct app_responses, hop)},
             {"rate", offsetof(struct app_responses, rate)},
             {"slots", offsetof(struct app_responses, slots)},
             {"timers", offsetof(struct app_responses, timers)},
             {"migrate", offsetof(struct app_responses, migrate)}};
enum { N_RESPONSES = sizeof table / sizeof *table };

static bool *switch_of(struct app_responses *responses, size_t i)
{
    return (bool *)((char *)responses + table[i].offset);
}

static int parse_one(const char *word, size_t len, struct app_responses *out, char *why_out)
{
    size_t i = 0;
    while (i < N_RESPONSES && (strncmp(table[i].name, word, len) != 0 || table[i].name[len] != '\0'))
        i++;
    if (i == N_RESPONSES) {
        snprintf(why_out, APP_RESPONSES_MAX_WHY, "'%.*s' is none of hop, rate, slots, timers, migrate (or none, or all)",
                 (int)(len < 40 ? len : 40), word);
        return -EINVAL;
    }
    if (*switch_of(out, i)) {
        snprintf(why_out, APP_RESPONSES_MAX_WHY, "'%s' stands there twice", table[i].name);
        return -EINVAL;
    }
    *switch_of(out, i) = true;
    return 0;
}

int app_responses_parse(const char *text, struct app_responses *out, char *why_out)
{
    *out = (struct app_responses){0};
    if (strcmp(text, "none") == 0)
        return 0;
    if (strcmp(text, "all") == 0) {
        *out = (struct app_responses){.hop = true, .rate = true, .slots = true, .timers = true, .migrate = true};
        return 0;
    }
    int rc = 0;
    for (const char *word = text; rc == 0;) {
        size_t len = strcspn(word, ",");
        rc = parse_one(word, len, out, why_out);
        if (word[len] == '\0')
            break;
        word += len + 1;
    }
    return rc;
}

json_t *app_responses_json(const struct app_responses *responses)
{
    json_t *list = json_array();
    struct app_responses copy = *responses;
    for (size_t i = 0; i < N_RESPONSES; i++)
        if (*switch_of(&copy, i))
            json_array_append_new(list, json_string(table[i].name));
    return list;
}
