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

static void move_base(struct raft *m, uint64_t index)
{
    uint64_t term = chain_raft_term_at(m, index);
    chain_raft_forget(m, m->base_index + 1, index);
    m->base_term = term;
    m->base_exact |= index > m->base_index;
    m->base_index = index;
    chain_raft_record_base(m);
}

/* Where need octets are free behind the newest row if the log began above base. */
static bool find_room(const struct raft *m, uint64_t base, size_t need, size_t *at_out)
{
    *at_out = 0;
    if (m->last_index == base)
        return true;
    if (m->last_index - base == RAFT_SLOTS)
        return false;
    const struct raft_entry *oldest = chain_raft_entry(m, base + 1), *newest = chain_raft_entry(m, m->last_index);
    size_t end = newest->at + newest->head_len + newest->len;
    bool wrapped = newest->at < oldest->at;
    if (need <= (wrapped ? oldest->at : (size_t)RAFT_ARENA_BYTES) - end) {
        *at_out = end;
        return true;
    }
    return !wrapped && need <= oldest->at;
}

/* What is stable may go. Half of it goes, so that this is rare; all of it if it has to. It goes to disk with the entry that needs the
 * room: a sync for it alone would be one too many. */
static bool make_room(struct raft *m, size_t need, size_t *at_out)
{
    if (find_room(m, m->base_index, need, at_out))
        return true;
    if (m->stable <= m->base_index)
        return false;
    uint64_t bases[2] = {m->base_index + (m->stable - m->base_index + 1) / 2, m->stable};
    for (int i = 0; i < 2; i++) {
        if (!find_room(m, bases[i], need, at_out))
            continue;
        move_base(m, bases[i]);
        return true;
    }
    return false;
}

static struct raft_entry *put_entry(struct raft *m, size_t at, uint64_t term, const uint8_t *batch, size_t len)
{
    struct raft_entry *entry = &m->entries[++m->last_index % RAFT_SLOTS];
    struct chain_cbor_writer w = {.out = m->arena + at, .cap = RAFT_ARENA_BYTES - at};
    chain_cbor_put_array(&w, 2);
    chain_cbor_put_uint(&w, term);
    chain_cbor_put_bytes(&w, batch, len);
    assert(!w.full);
    *entry = (struct raft_entry){.index = m->last_index, .term = term, .at = at, .head_len = w.len - len, .len = len};
    return entry;
}

bool chain_raft_push(struct raft *m, uint64_t term, const uint8_t *batch, size_t len)
{
    size_t at;
    assert(len <= CHAIN_MAX_BATCH_BYTES);
    if (!make_room(m, len + (RAFT_ROW_BYTES - CHAIN_MAX_BATCH_BYTES), &at))
        return false;
    struct raft_entry *entry = put_entry(m, at, term, batch, len);
    chain_raft_record_entry(m, entry);
    entry->persist_seq = m->base.written_seq;
    return true;
}

bool chain_raft_push_restored(struct raft *m, uint64_t term, const uint8_t *batch, size_t len)
{
    size_t at;
    if (!find_room(m, m->base_index, len + (RAFT_ROW_BYTES - CHAIN_MAX_BATCH_BYTES), &at))
        return false;
    put_entry(m, at, term, batch, len);
    return true;
}

void chain_raft_cut(struct raft *m, uint64_t first_gone)
{
    assert(first_gone > m->commit_target);
    if (first_gone > m->last_index)
        return;
    chain_raft_forget(m, first_gone, m->last_index);
    m->last_index = first_gone - 1;
    if (m->agreed > m->last_index)
        m->agreed = m->last_index;
}

/* In order, and no more in one step than an update holds. */
void chain_raft_emit_commits(struct raft *m)
{
    while (m->committed < m->commit_target && m->base.out->n_commits < CHAIN_MAX_COMMITS / 2) {
        const struct raft_entry *entry = chain_raft_entry(m, m->committed + 1);
        chain_base_commit(&m->base, entry->index, m->arena + entry->at + entry->head_len, entry->len);
        m->committed = entry->index;
    }
}

uint64_t chain_raft_own_match(const struct raft *m)
{
    uint64_t index = m->last_index;
    while (index > m->commit_target && chain_raft_entry(m, index)->persist_seq > m->base.persisted_seq)
        index--;
    return index;
}

void chain_raft_on_stable(struct raft *m, uint64_t height)
{
    if (height > m->committed)
        chain_raft_on_synced(m, height);
    else if (height > m->stable)
        m->stable = height;
}

/* What we hold up to height may be another leader's, never committed: it goes, or we would hand it on as committed. Entries beyond
 * height stay, since we may have acknowledged them. The last term that we knew up to height becomes a lower bound for the term
 * there: as voter we demand no less than before, as candidate we claim no more than is true. */
void chain_raft_on_synced(struct raft *m, uint64_t height)
{
    if (height <= m->committed)
        return;
    uint64_t known = m->last_index < height ? m->last_index : height;
    uint64_t term = chain_raft_term_at(m, known);
    if (known > m->base_index)
        chain_raft_forget(m, m->base_index + 1, known);
    m->base_index = height;
    m->base_term = term;
    m->base_exact = false;
    if (m->last_index < height)
        m->last_index = height;
    chain_raft_record_base(m);
    m->committed = m->stable = height;
    if (m->commit_target < height)
        m->commit_target = height;
    m->base.stats.committed = height;
}
