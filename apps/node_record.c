#include "apps/node_record.h"

#include "chain/batch.h"
#include "chain/tx.h"

#include <sodium.h>
#include <string.h>

/* The operation's value, if this is the one. */
static json_t *match_value(const struct chain_op *op, uint32_t record, const struct chain_put *put)
{
    struct chain_hash hash;
    if (op->kind != CHAIN_OP_PUT || op->put.key != record)
        return NULL;
    chain_hash_of(op->put.value, op->put.value_len, &hash);
    if (memcmp(hash.octets, put->value_hash.octets, sizeof hash.octets) != 0)
        return NULL;
    return json_stringn((const char *)op->put.value, op->put.value_len); /* NULL for what is no UTF-8 */
}

static json_t *find_in_tx(const struct chain_members *members, const uint8_t *data, size_t len, uint32_t station, uint32_t record,
                          const struct chain_put *put)
{
    struct chain_msg tx;
    struct chain_tx_reader r;
    struct chain_op op;
    json_t *value = NULL;
    if (chain_msg_decode(members, data, len, &tx, NULL) != 0 || tx.author != station || chain_tx_begin(&r, tx.body, tx.body_len) < 0)
        return NULL;
    while (!value && r.n_left > 0 && chain_tx_next(&r, &op) == 0)
        value = match_value(&op, record, put);
    return value;
}

static json_t *find_value(const struct chain_ledger *ledger, const struct chain_node_block *block, uint32_t station, uint32_t record,
                          const struct chain_put *put)
{
    struct chain_batch_view batch;
    json_t *value = NULL;
    if (chain_batch_decode(&batch, block->batch, block->batch_len) != 0)
        return NULL;
    for (size_t i = 0; !value && i < batch.n_txs; i++)
        value = find_in_tx(chain_ledger_members(ledger), batch.txs[i].data, batch.txs[i].len, station, record, put);
    return value;
}

json_t *app_node_record_json(const struct chain_ledger *ledger, uint32_t station, uint32_t record,
                             int (*read_block)(void *ctx, uint64_t height, struct chain_node_block *out), void *read_block_ctx)
{
    const struct chain_put *put = chain_ledger_put(ledger, station, record);
    struct chain_node_block block;
    char hex[2 * CHAIN_HASH_BYTES + 1];
    json_t *value = NULL;
    if (put) {
        sodium_bin2hex(hex, sizeof hex, put->value_hash.octets, CHAIN_HASH_BYTES);
        if (read_block && read_block(read_block_ctx, put->height, &block) == 0)
            value = find_value(ledger, &block, station, record, put);
    }
    return json_pack("{s:i, s:I, s:I, s:I, s:s?, s:o?}", "station", (int)station, "record", (json_int_t)record, "height",
                     (json_int_t)chain_ledger_height(ledger), "written", (json_int_t)(put ? put->height : 0), "value_hash", put ? hex : NULL, "value", value);
}
