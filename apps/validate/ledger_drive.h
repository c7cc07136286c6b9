/* A ledger on its own, block by block: what the fusion and lease cases drive. Whole transactions, encoded and executed as anywhere;
 * signatures are behind the signer's port and are taken as good. */
#ifndef APPS_VALIDATE_LEDGER_DRIVE_H
#define APPS_VALIDATE_LEDGER_DRIVE_H

#include "chain/ledger.h"
#include "chain/tx.h"

struct app_drive {
    struct chain_genesis genesis;
    struct chain_signer signer;
    struct chain_ledger *ledger;
    void *mem;
    size_t mem_len;
    uint64_t next_nonce[CHAIN_MAX_KEYS]; /* for the caller to count; 1 once registered */
    /* the block in the making */
    struct chain_batch_view view;
    uint8_t *txs, *batch; /* CHAIN_MAX_BATCH_BYTES each */
    size_t txs_len, batch_len; /* batch: of the last block */
    /* the last block */
    struct chain_ledger_event *events; /* CHAIN_MAX_LEDGER_EVENTS */
    size_t n_events;
};

/* The genesis block that cases change: Raft of n stations, one channel, no reputation earned yet. n <= CHAIN_MAX_MEMBERS. */
struct chain_genesis app_drive_genesis(uint32_t n, int64_t time_ns);
/* NULL where the genesis is refused, its field in *why_out, or without memory. */
struct app_drive *app_drive_open(const struct chain_genesis *genesis, const char **why_out);
void app_drive_close(struct app_drive *d);
/* The state after genesis again. */
void app_drive_restart(struct app_drive *d);
/* One envelope of n operations into the next block, with these nonces. False where there is no room. */
bool app_drive_add(struct app_drive *d, uint32_t author, uint64_t nonce, const struct chain_op *ops, size_t n);
/* Executes what was added. */
void app_drive_block(struct app_drive *d, int64_t time_ns);
/* Executes another drive's block. */
void app_drive_apply(struct app_drive *d, const uint8_t *batch, size_t len);
/* Everybody registers at a place, in one block. False where somebody was refused. */
bool app_drive_register(struct app_drive *d, int64_t time_ns);
#endif
