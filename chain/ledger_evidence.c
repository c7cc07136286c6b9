/* Jamming evidence: what several stations saw at one time on one channel is one record. */
#include <string.h>

#include "chain/ledger_state.h"

static const int64_t JOIN_NS = 1000000000;          /* reports this close belong together */
static const int64_t MAX_SPAN_NS = 600 * INT64_C(1000000000);
static const int64_t MAX_AGE_NS = 3600 * INT64_C(1000000000);

/* Two liars must not make a record alone when f of the members may lie; one report is never enough. */
static uint32_t witnesses_needed(const struct chain_ledger *l)
{
    uint32_t f = strcmp(l->genesis.engine, "pbft") == 0 ? chain_pbft_f(l->genesis.members.n) : 0;
    return f + 1 > 2 ? f + 1 : 2;
}

static bool has_one_witness(const struct chain_evidence *e)
{
    return (e->witnesses & (e->witnesses - 1)) == 0;
}

static uint32_t count_witnesses(const struct chain_evidence *e)
{
    uint32_t n = 0;
    for (uint64_t bits = e->witnesses; bits; bits &= bits - 1)
        n++;
    return n;
}

static struct chain_evidence *find_joinable(struct chain_ledger *l, const struct chain_op *op)
{
    for (size_t i = 0; i < l->n_evidence; i++) {
        struct chain_evidence *e = &l->evidence[i];
        if (e->channel != op->evidence.channel || e->kind != op->evidence.kind)
            continue;
        if (op->evidence.from_ns > e->at_ns + JOIN_NS || op->evidence.at_ns < e->from_ns - JOIN_NS)
            continue;
        int64_t from_ns = op->evidence.from_ns < e->from_ns ? op->evidence.from_ns : e->from_ns;
        int64_t at_ns = op->evidence.at_ns > e->at_ns ? op->evidence.at_ns : e->at_ns;
        if (at_ns - from_ns <= MAX_SPAN_NS)
            return e;
    }
    return NULL;
}

/* When the table is full, an author first pushes out what only it has seen, so that nobody can flush the others' records. */
static struct chain_evidence *take_slot(struct chain_ledger *l, uint32_t author)
{
    if (l->n_evidence < CHAIN_MAX_EVIDENCE)
        return &l->evidence[l->n_evidence++];
    size_t victim = 0;
    for (size_t i = l->n_evidence; i-- > 0;)
        if (has_one_witness(&l->evidence[i]) && l->evidence[i].witnesses >> author & 1)
            victim = i;
    chain_ledger_touch(l, CHAIN_TABLE_EVIDENCE, l->evidence[victim].id, 0);
    memmove(&l->evidence[victim], &l->evidence[victim + 1], (l->n_evidence - victim - 1) * sizeof l->evidence[0]);
    return &l->evidence[l->n_evidence - 1];
}

static struct chain_ledger_event *emit_evidence(struct chain_ledger *l, enum chain_ledger_event_kind kind, uint32_t author,
                                                const struct chain_evidence *e)
{
    struct chain_ledger_event *event = chain_ledger_emit(l, kind);
    event->station = author;
    event->channel = e->channel;
    event->id = e->id;
    return event;
}

enum chain_response chain_ledger_add_evidence(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                              struct chain_ledger_event *subject)
{
    int64_t from_ns = op->evidence.from_ns, at_ns = op->evidence.at_ns;
    subject->channel = op->evidence.channel;
    if (at_ns > l->time_ns + l->genesis.max_skew_ns || at_ns < l->time_ns - MAX_AGE_NS)
        return CHAIN_UNSYNC_OP_PARAM;
    if (at_ns - from_ns > MAX_SPAN_NS)
        return CHAIN_INVALID_VALUE;
    struct chain_evidence *e = find_joinable(l, op);
    if (!e) {
        e = take_slot(l, author);
        *e = (struct chain_evidence){.channel = op->evidence.channel,
                                     .kind = op->evidence.kind,
                                     .from_ns = from_ns,
                                     .at_ns = at_ns,
                                     .id = l->next_evidence_id++};
        chain_ledger_touch(l, CHAIN_TABLE_COUNTERS, 0, 0);
    }
    chain_ledger_touch(l, CHAIN_TABLE_EVIDENCE, e->id, 0);
    subject->id = e->id;
    e->from_ns = from_ns < e->from_ns ? from_ns : e->from_ns;
    e->at_ns = at_ns > e->at_ns ? at_ns : e->at_ns;
    if (e->witnesses >> author & 1)
        return CHAIN_SUCCESS;
    e->witnesses |= UINT64_C(1) << author;
    emit_evidence(l, CHAIN_LE_EVIDENCE, author, e);
    if (!e->confirmed && count_witnesses(e) >= witnesses_needed(l)) {
        e->confirmed = true;
        emit_evidence(l, CHAIN_LE_EVIDENCE_CONFIRMED, author, e);
    }
    return CHAIN_SUCCESS;
}
