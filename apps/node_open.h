/* What a ledger node and a station open alike, and say on stderr where that fails. */
#ifndef APPS_NODE_OPEN_H
#define APPS_NODE_OPEN_H

#include "apps/node_config.h"
#include "apps/node_log.h"
#include "chain/store/store.h"

#include <stdbool.h>

/* SIGTERM and SIGINT are read from *fd_out, the caller's to close, -1 where that fails; before any thread of a library starts, so that all
 * of them leave these signals to the loop. A pipe without a reader and a file size limit are told by what writes. 0 or -errno. */
int app_node_open_signals(int *fd_out);
bool app_node_asked_to_stop(int fd);
/* An exit code: a file that is not what it should be, or not where, is for its owner to mend; all else is the system's failure. */
int app_node_code_of(int err);
/* The node's database, *out the caller's to close, NULL where that fails. 0, or an exit code after a line in the log. */
int app_node_open_store(const struct app_node_config *config, const struct app_node_log *log, struct chain_store **out);
#endif
