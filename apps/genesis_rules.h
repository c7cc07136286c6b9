/* What a cluster file and a scenario both say of the ledger's rules, in the same words: sections admission, access and units. */
#ifndef APPS_GENESIS_RULES_H
#define APPS_GENESIS_RULES_H

#include "apps/yaml.h"
#include "chain/genesis.h"

/* All 0: a closed group without prices and bars. */
struct app_genesis_rules {
    char authority[CHAIN_MAX_NAME]; /* a name; "": nobody */
    uint32_t admit_votes;
    uint32_t access_threshold, witness_range_m;
    int64_t access_window_ns, bar_ns;
    uint64_t supply, endowment;
    uint32_t grant_price, share_rebate, sense_reward, accuse_reward;
    double refund; /* 0 to 1 */
};

/* MAPs whose offset is where a struct app_genesis_rules lies. */
extern const struct app_yaml_field app_genesis_admission_fields[], app_genesis_access_fields[], app_genesis_unit_fields[];
/* Their checks, of what one section's fields must be to each other. */
app_yaml_check app_genesis_check_access, app_genesis_check_units;
/* authority: the key id that the name stands for. */
void app_genesis_set_rules(struct chain_genesis *g, const struct app_genesis_rules *rules, uint32_t authority);
#endif
