/* A ledger node as a process: clock, network, database and the pure node, until a signal. */
#ifndef APPS_NODE_RUN_H
#define APPS_NODE_RUN_H

#include "apps/node_config.h"

/* Returns the exit code; what went wrong stands on stderr. config must outlive the call. */
int app_node_run(const struct app_node_config *config);
#endif
