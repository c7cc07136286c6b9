/* Operations as people write them: JSON in, chain_op out. docs/nodes.md lists the fields. */
#ifndef APPS_LEDGER_OP_H
#define APPS_LEDGER_OP_H

#include "apps/node_cluster.h"
#include "chain/tx.h"

struct app_ledger_op {
    struct chain_op op;
    uint8_t value[CHAIN_MAX_OP_BYTES]; /* what op.put.value or op.hop.boxes points to */
};

/* cluster: finds names. 0 or -EINVAL with one line in error_out (APP_NODE_MAX_ERROR octets). */
__attribute__((warn_unused_result)) int app_ledger_op_read(const char *json, const struct app_node_cluster *cluster,
                                                           struct app_ledger_op *out, char *error_out);
/* One operation, or an array of them: how many, at most cap, or -EINVAL with one line in error_out. */
__attribute__((warn_unused_result)) int app_ledger_ops_read(const char *json, const struct app_node_cluster *cluster,
                                                            struct app_ledger_op *out, size_t cap, char *error_out);
#endif
