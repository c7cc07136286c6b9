/* The gate: the last thing between a station and any transmitter, the virtual air included. It lets an emission pass only under a
 * deed for the whole of it and outside quiet periods, and it fails closed. */
#ifndef APPS_GATE_H
#define APPS_GATE_H

#include "apps/station/station.h"

enum app_gate_verdict { APP_GATE_OPEN, APP_GATE_NO_DEED, APP_GATE_QUIET, APP_GATE_LATE };
const char *app_gate_name(enum app_gate_verdict verdict);

/* start_ns..end_ns: the emission in station time. */
enum app_gate_verdict app_gate_check(const struct app_station *station, uint32_t channel, int64_t now_ns, int64_t start_ns,
                                     int64_t end_ns, bool is_response);
#endif
