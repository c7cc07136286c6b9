/* The fields of a scenario file and what must hold between them; used by the reader of scenario files only. */
#ifndef APPS_RUN_SCENARIO_TABLE_H
#define APPS_RUN_SCENARIO_TABLE_H

#include "apps/run/scenario.h"
#include "apps/yaml.h"

extern const struct app_yaml_field app_scenario_fields[];
/* What holds for a field that a file leaves out. */
extern const struct app_scenario app_scenario_defaults;

/* Checks in the sense of struct app_yaml_field: of one item, and of the whole. */
app_yaml_check app_scenario_check_channel, app_scenario_check_station, app_scenario_check_traffic, app_scenario_check_primary,
    app_scenario_check_jammer, app_scenario_check_quiet, app_scenario_check_lease, app_scenario_check_engine, app_scenario_check_whole;
#endif
