/* Scenario files: whatever the octets, a scenario or one line that says why not. */
#include "apps/run/scenario_table.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct app_scenario scenario;
    char error[APP_SCENARIO_MAX_ERROR] = "";
    scenario = app_scenario_defaults;
    int err = app_yaml_read_text("fuzz.yaml", data, len, app_scenario_fields, app_scenario_check_whole, &scenario, error);
    if (err) {
        assert(strncmp(error, "fuzz.yaml", 9) == 0 && !strchr(error, '\n') && memchr(error, '\0', sizeof error));
        return 0;
    }
    assert(scenario.n_stations >= 2 && scenario.n_stations <= APP_MAX_STATIONS && scenario.control_channel < scenario.n_channels);
    for (uint32_t i = 0; i < scenario.n_traffic; i++)
        assert(scenario.traffic[i].from < scenario.n_stations && scenario.traffic[i].to < scenario.n_stations);
    return 0;
}
