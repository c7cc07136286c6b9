/* The fields of a scenario file and what must hold between them; used by the reader of scenario files only. */
#ifndef APPS_RUN_SCENARIO_TABLE_H
#define APPS_RUN_SCENARIO_TABLE_H

#include "apps/run/scenario.h"
#include "apps/yaml.h"
#include "mac/mac.h"

extern const struct app_yaml_field app_scenario_fields[];
/* What holds for a field that a file leaves out. */
extern const struct app_scenario app_scenario_defaults;

/* The scenario that this one begins from, in the sense of app_yaml_field.parse: read into root at once (scenario.c). */
int app_scenario_read_base(void *root, void *value, const char *text, char *why_out);
extern const char app_scenario_base_rule[]; /* why a scenario with a base may not give them */
/* Checks in the sense of struct app_yaml_field: of one item, and of the whole. */
app_yaml_check app_scenario_check_channel, app_scenario_check_station, app_scenario_check_traffic, app_scenario_check_primary,
    app_scenario_check_jammer, app_scenario_check_fading, app_scenario_check_front_end, app_scenario_check_quiet,
    app_scenario_check_hop, app_scenario_check_lease, app_scenario_check_engine, app_scenario_check_mac, app_scenario_check_whole;
/* scenario_mac.c: the profile of every station. 0, or -EINVAL where it does not hold: why_out is one line of APP_YAML_MAX_WHY. */
int app_scenario_profile(const struct app_scenario *s, struct mac_profile *out, char *why_out);
/* -EINVAL, with the field to blame and why. */
__attribute__((format(printf, 4, 5))) int app_scenario_refuse(const char **field_out, const char *field, char *why_out,
                                                              const char *format, ...);
/* scenario_air.c: what a kind of jammer or primary user asks of its own fields. */
int app_scenario_check_jammer_channels(const struct app_scenario *s, struct app_scenario_jammer *j, const char **field_out,
                                       char *why_out);
int app_scenario_check_jammer_wave(const struct app_scenario *s, const struct app_scenario_jammer *j, const char **field_out,
                                   char *why_out);
int app_scenario_check_primary_wave(const struct app_scenario *s, const struct app_scenario_primary *p, const char **field_out,
                                    char *why_out);
#endif
