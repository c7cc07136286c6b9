#include "apps/genesis_rules.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define YEAR_NS 31536e12
#define AT(member) .offset = offsetof(struct app_genesis_rules, member)
#define COUNT(field, member, most) {.name = field, .kind = APP_YAML_U32, AT(member), .max = (most)}
#define DURATION(field, member) {.name = field, .kind = APP_YAML_DURATION_NS, AT(member), .max = YEAR_NS}
#define UNITS(field, member, kind_, most) {.name = field, .kind = kind_, AT(member), .max = (most), .unit = "units"}
#define END {.name = ""}

const struct app_yaml_field app_genesis_admission_fields[] = {
    {.name = "authority", .kind = APP_YAML_TEXT, AT(authority), .cap = CHAIN_MAX_NAME},
    COUNT("votes", admit_votes, CHAIN_MAX_MEMBERS),
    END,
};
const struct app_yaml_field app_genesis_access_fields[] = {
    COUNT("threshold", access_threshold, CHAIN_MAX_ACCESS),
    DURATION("window", access_window_ns),
    DURATION("bar", bar_ns),
    {.name = "witness_range", .kind = APP_YAML_U32, AT(witness_range_m), .max = UINT32_MAX, .unit = "m"},
    END,
};
const struct app_yaml_field app_genesis_unit_fields[] = {
    UNITS("supply", supply, APP_YAML_U64, (double)CHAIN_MAX_SUPPLY),
    UNITS("endowment", endowment, APP_YAML_U64, (double)CHAIN_MAX_SUPPLY),
    UNITS("grant_price", grant_price, APP_YAML_U32, UINT32_MAX),
    UNITS("share_rebate", share_rebate, APP_YAML_U32, UINT32_MAX),
    {.name = "refund", .kind = APP_YAML_REAL, AT(refund), .max = 1},
    UNITS("sense_reward", sense_reward, APP_YAML_U32, UINT32_MAX),
    UNITS("accuse_reward", accuse_reward, APP_YAML_U32, UINT32_MAX),
    END,
};

static int refuse(const char **field_out, const char *field, char *why, const char *text)
{
    *field_out = field;
    snprintf(why, APP_YAML_MAX_WHY, "%s", text);
    return -EINVAL;
}

int app_genesis_check_access(void *root, void *item, const char **field_out, char *why)
{
    (void)root;
    const struct app_genesis_rules *rules = item;
    if (rules->access_threshold > 0 && rules->access_window_ns == 0)
        return refuse(field_out, "window", why, "must not be 0 where access.threshold is not");
    if (rules->access_threshold > 0 && rules->bar_ns == 0)
        return refuse(field_out, "bar", why, "must not be 0 where access.threshold is not");
    return 0;
}

int app_genesis_check_units(void *root, void *item, const char **field_out, char *why)
{
    (void)root;
    const struct app_genesis_rules *rules = item;
    if (rules->supply > CHAIN_MAX_SUPPLY) /* a range is of doubles, which say no more than 53 bits */
        return refuse(field_out, "supply", why, "must be at most 4611686018427387904");
    if (rules->endowment > rules->supply)
        return refuse(field_out, "endowment supply", why, "units.endowment must not be above units.supply");
    return 0;
}

void app_genesis_set_rules(struct chain_genesis *g, const struct app_genesis_rules *rules, uint32_t authority)
{
    g->has_authority = *rules->authority;
    g->authority = g->has_authority ? authority : 0;
    g->admit_votes = rules->admit_votes;
    g->access_threshold = rules->access_threshold;
    g->access_window_ns = rules->access_window_ns;
    g->bar_ns = rules->bar_ns;
    g->witness_range_m = rules->witness_range_m;
    g->supply = rules->supply;
    g->endowment = rules->endowment;
    g->grant_price = rules->grant_price;
    g->share_rebate = rules->share_rebate;
    g->refund_permille = (uint32_t)lround(rules->refund * 1000);
    g->sense_reward = rules->sense_reward;
    g->accuse_reward = rules->accuse_reward;
}
