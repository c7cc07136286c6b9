/* Raft's properties (Ongaro and Ousterhout, figure 3), followed along the records that nodes write: leader append-only, log matching,
 * leader completeness. Election safety and state machine safety are checked in sim_check.c. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "chain/cbor.h"
#include "chain/raft.h"
#include "tests/sim/sim.h"

static void reserve(struct sim_log *log, uint64_t index)
{
    if (index < log->cap)
        return;
    log->cap = index * 2 + 256;
    log->entries = realloc(log->entries, log->cap * sizeof log->entries[0]);
    assert(log->entries);
}

static uint64_t term_at(const struct sim_log *log, uint64_t index)
{
    return index == log->base ? log->base_term : log->entries[index].term;
}

/* If two logs hold an entry of the same index and term, they hold the same batch and the same term before it. */
static void check_matching(struct sim_world *w, const struct sim_node *node, uint64_t index)
{
    struct sim_block *block = sim_block(w, index);
    const struct sim_log_entry *entry = &node->log.entries[index];
    /* the term at a base that came with fetched blocks is a lower bound */
    uint64_t prev_term = index - 1 == node->log.base ? 0 : term_at(&node->log, index - 1);
    for (uint32_t i = 0; i < block->n_logs; i++) {
        if (block->logs[i].term != entry->term)
            continue;
        bool same_before = prev_term == 0 || block->logs[i].prev_term == 0 || block->logs[i].prev_term == prev_term;
        if (block->logs[i].batch_sum != entry->batch_sum || !same_before)
            sim_fail(w, "logs differ: node %u, index %llu, term %llu", node->index, (unsigned long long)index, (unsigned long long)entry->term);
        if (block->logs[i].prev_term == 0)
            block->logs[i].prev_term = prev_term;
        return;
    }
    if (block->n_logs == SIM_MAX_LOGS)
        return;
    block->logs[block->n_logs].term = entry->term;
    block->logs[block->n_logs].prev_term = prev_term;
    block->logs[block->n_logs++].batch_sum = entry->batch_sum;
}

static void put_entry(struct sim_world *w, struct sim_node *node, uint64_t index, const uint8_t *data, size_t len, bool leads)
{
    struct sim_log *log = &node->log;
    struct chain_cbor_reader r = {.data = data, .len = len};
    size_t batch_len;
    chain_cbor_expect_array(&r, 2);
    uint64_t term = chain_cbor_get_uint(&r);
    const uint8_t *batch = chain_cbor_get_bytes(&r, &batch_len);
    if (chain_cbor_end(&r) != 0 || index <= log->base || index > log->last + 1) {
        sim_fail(w, "node %u writes an entry %llu that does not follow its log", node->index, (unsigned long long)index);
        return;
    }
    if (leads && index <= log->last)
        sim_fail(w, "node %u leads and overwrites its entry %llu", node->index, (unsigned long long)index);
    reserve(log, index);
    log->entries[index] = (struct sim_log_entry){.term = (uint64_t)node->engine_epoch << 40 | term, .batch_sum = sim_sum(2, batch, batch_len)};
    log->last = index;
    check_matching(w, node, index);
}

/* Rows up to the base go with the log's compaction, those behind are cut off. */
static void delete_entries(struct sim_world *w, struct sim_node *node, uint64_t from, uint64_t to, bool leads)
{
    struct sim_log *log = &node->log;
    if (to < log->last || from > log->last)
        return;
    if (to <= node->height)
        return; /* all of it is executed: the base follows */
    if (leads)
        sim_fail(w, "node %u leads and cuts its log at %llu", node->index, (unsigned long long)from);
    log->last = from - 1;
}

static void put_base(struct sim_world *w, struct sim_node *node, const uint8_t *data, size_t len)
{
    struct sim_log *log = &node->log;
    struct chain_cbor_reader r = {.data = data, .len = len};
    chain_cbor_expect_array(&r, 3);
    log->base = chain_cbor_get_uint(&r);
    log->base_term = chain_cbor_get_uint(&r);
    (void)chain_cbor_get_bool(&r);
    if (chain_cbor_end(&r) != 0)
        sim_fail(w, "node %u writes a base that does not decode", node->index);
    if (log->last < log->base)
        log->last = log->base;
    reserve(log, log->base + 1);
}

void sim_raft_records(struct sim_world *w, struct sim_node *node, const struct chain_node_update *u, bool leads)
{
    for (size_t i = 0; i < u->n_records; i++) {
        const struct chain_record *record = &u->records[i];
        if (!record->data && record->key == 0) /* an epoch ends, and all rows of its engine with it */
            node->log = (struct sim_log){.base = node->height, .last = node->height, .cap = node->log.cap, .entries = node->log.entries};
        else if (!record->data && record->key > RAFT_KEY_ENTRIES)
            delete_entries(w, node, record->key - RAFT_KEY_ENTRIES, record->key_end - RAFT_KEY_ENTRIES, leads);
        else if (record->data && record->key > RAFT_KEY_ENTRIES)
            put_entry(w, node, record->key - RAFT_KEY_ENTRIES, record->data, record->len, leads);
        else if (record->data && record->key == RAFT_KEY_BASE)
            put_base(w, node, record->data, record->len);
    }
}

void sim_raft_start(struct sim_world *w, struct sim_node *node)
{
    const struct sim_disk *d = &node->disk;
    node->log.base = node->log.base_term = node->log.last = 0;
    reserve(&node->log, d->height + 1);
    for (size_t i = 0; i < d->n_rows; i++) {
        if (d->rows[i].key > RAFT_KEY_ENTRIES)
            put_entry(w, node, d->rows[i].key - RAFT_KEY_ENTRIES, d->rows[i].data, d->rows[i].len, false);
        else if (d->rows[i].key == RAFT_KEY_BASE)
            put_base(w, node, d->rows[i].data, d->rows[i].len);
    }
    if (node->log.last < d->height)
        node->log.base = node->log.last = d->height;
    reserve(&node->log, node->log.last + 1);
}

/* Whatever was committed before is in the log of whoever leads now. */
void sim_raft_leads(struct sim_world *w, struct sim_node *node, uint64_t term)
{
    const struct sim_log *log = &node->log;
    if (w->top > 0 && sim_block(w, w->top)->epoch != node->engine_epoch)
        return; /* it leads those who have not heard that the epoch is over, or has just begun another */
    if (log->last < w->top)
        sim_fail(w, "node %u leads term %llu with a log up to %llu, and block %llu is committed", node->index, (unsigned long long)term,
                 (unsigned long long)log->last, (unsigned long long)w->top);
    for (uint64_t index = node->height + 1; index <= w->top && index <= log->last && index > log->base; index++)
        if (log->entries[index].batch_sum != sim_block(w, index)->batch_sum)
            sim_fail(w, "node %u leads term %llu with another entry %llu than is committed", node->index, (unsigned long long)term,
                     (unsigned long long)index);
}
