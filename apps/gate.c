#include "apps/gate.h"

const char *app_gate_name(enum app_gate_verdict verdict)
{
    static const char *const names[] = {"open", "no deed", "quiet period", "late"};
    return names[verdict];
}

static bool is_deeded(const struct app_station *station, uint32_t channel, int64_t end_ns, bool is_response)
{
    struct app_station_deed deeds[APP_STATION_MAX_DEEDS];
    size_t n = app_station_deeds(station, deeds);
    for (size_t i = 0; i < n; i++)
        if (deeds[i].channel == channel && end_ns <= deeds[i].until_ns && (is_response || !deeds[i].responses_only))
            return true;
    return false;
}

enum app_gate_verdict app_gate_check(const struct app_station *station, uint32_t channel, int64_t now_ns, int64_t start_ns,
                                     int64_t end_ns, bool is_response)
{
    if (start_ns < now_ns)
        return APP_GATE_LATE;
    if (!is_deeded(station, channel, end_ns, is_response))
        return APP_GATE_NO_DEED;
    int64_t quiet_start_ns, quiet_end_ns;
    app_station_quiet(station, channel, start_ns, &quiet_start_ns, &quiet_end_ns);
    if (start_ns < quiet_end_ns && quiet_start_ns < end_ns)
        return APP_GATE_QUIET;
    return APP_GATE_OPEN;
}
