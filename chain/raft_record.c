/* What Raft keeps on disk: term and vote, the log, and where it starts. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "chain/raft.h"

static struct chain_cbor_writer begin_record(struct raft *m)
{
    struct chain_cbor_writer w = {0};
    w.out = chain_base_room(&m->base, &w.cap);
    return w;
}

static void end_record(struct raft *m, struct chain_cbor_writer *w, uint64_t key)
{
    assert(!w->full);
    chain_base_take(&m->base, w->len);
    chain_base_record(&m->base, key, w->out, w->len);
}

void chain_raft_record_term(struct raft *m)
{
    struct chain_cbor_writer w = begin_record(m);
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, m->term);
    if (m->voted_for == CHAIN_TO_ALL)
        chain_cbor_put_null(&w);
    else
        chain_cbor_put_uint(&w, m->voted_for);
    chain_cbor_put_uint(&w, m->pre_voted);
    end_record(m, &w, RAFT_KEY_TERM);
}

void chain_raft_record_base(struct raft *m)
{
    struct chain_cbor_writer w = begin_record(m);
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, m->base_index);
    chain_cbor_put_uint(&w, m->base_term);
    chain_cbor_put_bool(&w, m->base_exact);
    end_record(m, &w, RAFT_KEY_BASE);
}

void chain_raft_record_entry(struct raft *m, const struct raft_entry *entry)
{
    chain_base_record(&m->base, RAFT_KEY_ENTRIES + entry->index, m->arena + entry->at, entry->head_len + entry->len);
}

void chain_raft_forget(struct raft *m, uint64_t from, uint64_t to)
{
    chain_base_delete(&m->base, RAFT_KEY_ENTRIES + from, RAFT_KEY_ENTRIES + to);
}

static int restore_term(struct raft *m, struct chain_cbor_reader *r)
{
    chain_cbor_expect_array(r, 3);
    uint64_t term = chain_cbor_get_uint(r);
    uint64_t voted_for = chain_cbor_get_null(r) ? CHAIN_TO_ALL : chain_cbor_get_uint(r);
    uint64_t pre_voted = chain_cbor_get_uint(r);
    if (chain_cbor_end(r) != 0 || (voted_for >= m->n && voted_for != CHAIN_TO_ALL))
        return -EBADMSG;
    m->term = term;
    m->voted_for = (uint32_t)voted_for;
    m->pre_voted = pre_voted;
    m->proven = term == 0;
    return 0;
}

static int restore_base(struct raft *m, struct chain_cbor_reader *r)
{
    chain_cbor_expect_array(r, 3);
    uint64_t index = chain_cbor_get_uint(r);
    uint64_t term = chain_cbor_get_uint(r);
    bool exact = chain_cbor_get_bool(r);
    if (chain_cbor_end(r) != 0 || index > m->committed)
        return -EBADMSG; /* a log that starts beyond the store's blocks has a hole */
    m->base_index = m->last_index = index;
    m->base_term = term;
    m->base_exact = exact;
    return 0;
}

static int restore_entry(struct raft *m, struct chain_cbor_reader *r, uint64_t index)
{
    chain_cbor_expect_array(r, 2);
    uint64_t term = chain_cbor_get_uint(r);
    size_t len;
    const uint8_t *batch = chain_cbor_get_bytes(r, &len);
    bool bad = chain_cbor_end(r) != 0 || len > CHAIN_MAX_BATCH_BYTES || index != m->last_index + 1;
    return bad || !chain_raft_push_restored(m, term, batch, len) ? -EBADMSG : 0;
}

int chain_raft_restore(struct raft *m, uint64_t key, const uint8_t *data, size_t len)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    int rc = -EBADMSG;
    if (key == RAFT_KEY_TERM)
        rc = restore_term(m, &r);
    else if (key == RAFT_KEY_BASE)
        rc = restore_base(m, &r);
    else if (key > RAFT_KEY_ENTRIES)
        rc = restore_entry(m, &r, key - RAFT_KEY_ENTRIES);
    m->base.stats.refused_malformed += rc != 0;
    return rc;
}
