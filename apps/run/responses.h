/* Responses to jamming by name, as `airdeed run --responses` and summary.json have them. */
#ifndef APPS_RUN_RESPONSES_H
#define APPS_RUN_RESPONSES_H

#include "apps/station/respond.h"

#include <jansson.h>

enum { APP_RESPONSES_MAX_WHY = 160 };

/* "none", "all" or names with commas between, each once: 0; -EINVAL with one line in why_out (APP_RESPONSES_MAX_WHY octets). */
__attribute__((warn_unused_result)) int app_responses_parse(const char *text, struct app_responses *out, char *why_out);
/* A list of the names of those that are on, the caller's reference. */
json_t *app_responses_json(const struct app_responses *responses);
#endif
