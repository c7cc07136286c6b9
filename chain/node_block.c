/* Executing what is ordered, and the blocks that memory holds. */
#include "chain/node_internal.h"
#include "chain/snapshot.h"

#include <errno.h>
#include <string.h>

uint64_t node_tip(const struct chain_node *m)
{
    return chain_ledger_height(m->ledger);
}

struct node_block *node_find_block(struct chain_node *m, uint64_t height)
{
    struct node_block *block = &m->blocks[height % CHAIN_NODE_RING];
    return height > 0 && block->height == height ? block : NULL;
}

/* What was ordered leaves the mempool; what was proposed and is not in the block waits again. */
static void tidy_mempool(struct chain_node *m, const struct chain_ledger_event *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (events[i].kind != CHAIN_LE_TX)
            continue;
        chain_mempool_used(m->pool, events[i].station, events[i].nonce);
        if (events[i].station == m->cfg.self && events[i].nonce > m->last_nonce)
            m->last_nonce = events[i].nonce;
    }
    chain_mempool_release(m->pool, node_tip(m));
}

/* Applies a batch to the ledger and keeps the block. NULL after a failure that stops the node. */
static struct node_block *apply(struct chain_node *m, const uint8_t *batch, size_t len, struct chain_node_update *out)
{
    uint64_t height = node_tip(m) + 1;
    struct node_block *block = &m->blocks[height % CHAIN_NODE_RING];
    if (len > m->cfg.genesis->max_batch_bytes) {
        node_fail(m, height);
        return NULL;
    }
    if (len > 0)
        memmove(block->batch, batch, len);
    block->batch_len = len;
    int rc = chain_ledger_apply(m->ledger, block->batch, len, false, &block->header, m->events, CHAIN_MAX_LEDGER_EVENTS,
                                &out->n_events);
    out->events = m->events;
    if (rc != 0) {
        node_fail(m, height);
        return NULL;
    }
    block->height = height;
    block->header_len = (size_t)chain_header_encode(&block->header, block->header_octets, sizeof(block->header_octets));
    chain_hash_of(block->header_octets, block->header_len, &block->hash);
    block->cert_len = 0;
    block->n_signers = 0;
    block->signed_by_us = false;
    block->persist_seq = 0;
    out->n_executed++;
    return block;
}

struct node_block *node_execute(struct chain_node *m, const uint8_t *batch, size_t len, const struct chain_header *expected,
                                struct chain_node_update *out)
{
    struct node_block *block = apply(m, batch, len, out);
    if (!block)
        return NULL;
    struct chain_hash hash = block->hash;
    if (expected)
        chain_header_hash(expected, &hash);
    if (memcmp(hash.octets, block->hash.octets, CHAIN_HASH_BYTES) != 0) {
        node_fail(m, block->height);
        return NULL;
    }
    block->persist_seq = m->persist_seq + 1;
    node_follow_members(m);
    node_judge_votes(m, block);
    out->ledger = m->ledger;
    out->blocks[out->n_blocks++] = (struct chain_node_block){.height = block->height,
                                                             .batch = block->batch,
                                                             .batch_len = block->batch_len,
                                                             .header = block->header_octets,
                                                             .header_len = block->header_len};
    tidy_mempool(m, out->events, out->n_events);
    m->kick = true; /* a batch that waited for this block can be checked now */
    return block;
}

/* A certificate of the store counts as checked: the store's rows are ours. */
static int restore_cert(struct chain_node *m, struct node_block *block, const uint8_t *data, size_t len)
{
    struct chain_certificate cert;
    if (len == 0)
        return 0;
    if (chain_certificate_decode(&cert, data, len) != 0 || m->certified + 1 != block->height)
        return -EBADMSG;
    node_set_cert(block, &cert);
    if (block->n_signers < m->quorum)
        return -EBADMSG;
    m->certified = block->height;
    return 0;
}

/* The block itself stays in the store, which serves it. */
int node_restore_snapshot(struct chain_node *m, const struct chain_node_event *in)
{
    if (m->engine || node_tip(m) != 0)
        return -EINVAL;
    if (chain_snapshot_load(m->ledger, in->snapshot.data, in->snapshot.len) != 0) {
        node_fail(m, 0);
        return -EILSEQ;
    }
    m->certified = node_tip(m);
    node_seat_members(m); /* of the snapshot's epoch: certificates above it are theirs */
    uint64_t next = chain_ledger_next_nonce(m->ledger, m->cfg.self);
    if (next > m->last_nonce)
        m->last_nonce = next - 1;
    return 0;
}

int node_restore_block(struct chain_node *m, const struct chain_node_event *in, struct chain_node_update *out)
{
    if (m->engine || m->epoch_end > 0 || in->block.height != node_tip(m) + 1)
        return -EINVAL;
    struct node_block *block = apply(m, in->block.batch, in->block.batch_len, out);
    if (block)
        node_follow_members(m);
    bool same = block && block->header_len == in->block.header_len &&
                memcmp(block->header_octets, in->block.header, block->header_len) == 0;
    if (!same || restore_cert(m, block, in->block.cert, in->block.cert_len) != 0) {
        node_fail(m, in->block.height);
        return -EILSEQ;
    }
    node_restore_epoch(m);
    for (size_t i = 0; i < out->n_events; i++)
        if (out->events[i].kind == CHAIN_LE_TX && out->events[i].station == m->cfg.self && out->events[i].nonce > m->last_nonce)
            m->last_nonce = out->events[i].nonce;
    out->ledger = m->ledger;
    return 0;
}
