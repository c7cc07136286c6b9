/* A record on the ledger as a node's answer. The state keeps a record's hash and height; its octets come from that block. */
#ifndef APPS_NODE_RECORD_H
#define APPS_NODE_RECORD_H

#include "chain/node.h"

#include <jansson.h>

/* {"station", "record", "height", "written", "value_hash", "value"}: the last two null where nothing is kept; value null, too, where the
 * block is gone or the octets are no text. read_block as in struct chain_node_config. The caller owns it. */
json_t *app_node_record_json(const struct chain_ledger *ledger, uint32_t station, uint32_t record,
                             int (*read_block)(void *ctx, uint64_t height, struct chain_node_block *out), void *read_block_ctx);
#endif
