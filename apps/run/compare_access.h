/* airdeed run access-comparison: one scenario, saturated stations that share one data channel, by Aloha, by CSMA/CA and by leases of
 * several durations. Contention runs the production MAC on the ether (apps/ether.h), leases run whole stations with their ledger. */
#ifndef APPS_RUN_COMPARE_ACCESS_H
#define APPS_RUN_COMPARE_ACCESS_H

#include "apps/run/run.h"

/* What `run` takes as the scenario's name. */
extern const char app_compare_access_name[];
/* Takes the options' seed, duration and folder. Returns an exit code; error_out has one line unless it is 0. */
int app_compare_access(const struct app_run_options *options, bool json, char *error_out);
#endif
