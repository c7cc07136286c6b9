#include <assert.h>
#include <string.h>

#include "chain/raft.h"

const struct raft_entry *chain_raft_entry(const struct raft *m, uint64_t index)
{
    assert(index > m->base_index && index <= m->last_index);
    return &m->entries[index % RAFT_SLOTS];
}

uint64_t chain_raft_term_at(const struct raft *m, uint64_t index)
{
    return index == m->base_index ? m->base_term : chain_raft_entry(m, index)->term;
}

uint64_t chain_raft_last_term(const struct raft *m)
{
    return chain_raft_term_at(m, m->last_index);
}

bool chain_raft_has_room(const struct raft *m)
{
    return m->last_index - m->base_index < RAFT_SLOTS;
}

void chain_raft_push(struct raft *m, uint64_t term, const uint8_t *batch, size_t len)
{
    assert(chain_raft_has_room(m) && len <= CHAIN_MAX_BATCH_BYTES);
    struct raft_entry *entry = &m->entries[++m->last_index % RAFT_SLOTS];
    entry->index = m->last_index;
    entry->term = term;
    entry->len = len;
    if (len > 0)
        memcpy(entry->batch, batch, len);
    chain_raft_record_entry(m, entry);
    entry->persist_seq = m->base.written_seq;
}

void chain_raft_cut(struct raft *m, uint64_t first_gone)
{
    assert(first_gone > m->committed);
    if (first_gone > m->last_index)
        return;
    chain_raft_forget(m, first_gone, m->last_index);
    m->last_index = first_gone - 1;
}

/* In order, and no more in one step than an update holds. */
void chain_raft_emit_commits(struct raft *m)
{
    uint64_t target = m->commit_target < m->last_index ? m->commit_target : m->last_index;
    while (m->committed < target && m->base.out->n_commits < CHAIN_MAX_COMMITS / 2) {
        const struct raft_entry *entry = chain_raft_entry(m, m->committed + 1);
        chain_base_commit(&m->base, entry->index, entry->batch, entry->len);
        m->committed = entry->index;
    }
}

uint64_t chain_raft_own_match(const struct raft *m)
{
    uint64_t index = m->last_index;
    while (index > m->committed && chain_raft_entry(m, index)->persist_seq > m->base.persisted_seq)
        index--;
    return index;
}

static void move_base(struct raft *m, uint64_t index)
{
    if (index <= m->base_index)
        return;
    uint64_t term = chain_raft_term_at(m, index);
    chain_raft_forget(m, m->base_index + 1, index);
    m->base_term = term;
    m->base_index = index;
    chain_raft_record_base(m);
}

void chain_raft_on_stable(struct raft *m, uint64_t height)
{
    if (height > m->committed) {
        chain_raft_on_synced(m, height);
        return;
    }
    m->stable = height > m->stable ? height : m->stable;
    if (m->stable > RAFT_KEPT && m->stable - RAFT_KEPT <= m->last_index)
        move_base(m, m->stable - RAFT_KEPT);
}

/* What we hold up to height may be another leader's, never committed: it goes, or we would hand it on as committed. Entries beyond
 * height stay, since we may have acknowledged them. The last term that we knew up to height becomes a lower bound for the term
 * there: as voter we demand no less than before, as candidate we claim no more than is true. */
void chain_raft_on_synced(struct raft *m, uint64_t height)
{
    if (height <= m->committed)
        return;
    m->stable = height > m->stable ? height : m->stable;
    uint64_t known = m->last_index < height ? m->last_index : height;
    uint64_t term = chain_raft_term_at(m, known);
    if (known > m->base_index)
        chain_raft_forget(m, m->base_index + 1, known);
    m->base_index = height;
    m->base_term = term;
    if (m->last_index < height)
        m->last_index = height;
    chain_raft_record_base(m);
    m->committed = height;
    m->commit_target = m->commit_target > height ? m->commit_target : height;
    m->base.stats.committed = height;
}
