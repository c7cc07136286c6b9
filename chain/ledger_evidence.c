/* Evidence of jamming and of unauthorised use: what several stations near each other saw at one time on one channel is one record. */
#include <string.h>

#include "chain/ledger_state.h"
#include "chain/place.h"

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

/* The record that a report belongs to. A witness has to be near the first one. */
static struct chain_evidence *find_joinable(struct chain_ledger *l, const struct chain_evidence *report)
{
    for (size_t i = 0; i < l->n_evidence; i++) {
        struct chain_evidence *e = &l->evidence[i];
        if (e->channel != report->channel || e->kind != report->kind || e->suspect != report->suspect)
            continue;
        if (report->from_ns > e->at_ns + JOIN_NS || report->at_ns < e->from_ns - JOIN_NS)
            continue;
        int64_t from_ns = report->from_ns < e->from_ns ? report->from_ns : e->from_ns;
        int64_t at_ns = report->at_ns > e->at_ns ? report->at_ns : e->at_ns;
        struct chain_place first = {e->lat_e7, e->lon_e7}, here = {report->lat_e7, report->lon_e7};
        uint32_t range_m = l->genesis.witness_range_m;
        if (at_ns - from_ns <= MAX_SPAN_NS && (range_m == 0 || chain_place_within(&first, &here, range_m)))
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
    event->op = e->kind == CHAIN_EVIDENCE_UNAUTHORISED ? CHAIN_OP_UNAUTHORISED : CHAIN_OP_EVIDENCE;
    return event;
}

/* One witness's word; confirmed: that it was the one that sufficed. */
static enum chain_response witness(struct chain_ledger *l, uint32_t author, struct chain_evidence *report,
                                   struct chain_ledger_event *subject, bool *confirmed)
{
    subject->channel = report->channel;
    if (report->at_ns > l->time_ns + l->genesis.max_skew_ns || report->at_ns < l->time_ns - MAX_AGE_NS)
        return CHAIN_UNSYNC_OP_PARAM;
    if (report->at_ns - report->from_ns > MAX_SPAN_NS)
        return CHAIN_INVALID_VALUE;
    report->lat_e7 = l->stations[author].lat_e7;
    report->lon_e7 = l->stations[author].lon_e7;
    struct chain_evidence *e = find_joinable(l, report);
    if (!e) {
        e = take_slot(l, author);
        *e = *report;
        e->id = l->next_evidence_id++;
        chain_ledger_touch(l, CHAIN_TABLE_COUNTERS, 0, 0);
    }
    subject->id = e->id;
    e->from_ns = report->from_ns < e->from_ns ? report->from_ns : e->from_ns;
    e->at_ns = report->at_ns > e->at_ns ? report->at_ns : e->at_ns;
    chain_ledger_touch(l, CHAIN_TABLE_EVIDENCE, e->id, 0);
    if (e->witnesses >> author & 1)
        return CHAIN_SUCCESS;
    e->witnesses |= UINT64_C(1) << author;
    emit_evidence(l, CHAIN_LE_EVIDENCE, author, e);
    if (!e->confirmed && count_witnesses(e) >= witnesses_needed(l)) {
        e->confirmed = *confirmed = true;
        emit_evidence(l, CHAIN_LE_EVIDENCE_CONFIRMED, author, e);
    }
    return CHAIN_SUCCESS;
}

enum chain_response chain_ledger_add_evidence(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                              struct chain_ledger_event *subject)
{
    struct chain_evidence report = {.channel = op->evidence.channel,
                                    .kind = op->evidence.kind,
                                    .suspect = CHAIN_MAX_KEYS,
                                    .from_ns = op->evidence.from_ns,
                                    .at_ns = op->evidence.at_ns};
    bool confirmed = false;
    enum chain_response code = witness(l, author, &report, subject, &confirmed);
    if (confirmed)
        chain_ledger_hold_hop(l, report.channel);
    return code;
}

/* Was the station at some time of it covered by a lease, its own or one that names it as a peer? Then it is not accused. */
static bool was_covered(const struct chain_ledger *l, const struct chain_evidence *report)
{
    for (size_t i = 0; i < l->n_grants; i++) {
        const struct chain_grant *g = &l->grants[i];
        bool named = g->holder == report->suspect;
        for (uint32_t j = 0; j < g->n_peers; j++)
            named = named || g->peers[j] == report->suspect;
        if (named && g->channel == report->channel && g->transmit_expire_ns > 0 && report->at_ns >= g->granted_ns &&
            report->from_ns <= g->transmit_expire_ns + l->genesis.stop_ns)
            return true;
    }
    return false;
}

enum chain_response chain_ledger_add_unauthorised(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                                  struct chain_ledger_event *subject)
{
    struct chain_evidence report = {.channel = op->unauthorised.channel,
                                    .kind = CHAIN_EVIDENCE_UNAUTHORISED,
                                    .suspect = op->unauthorised.suspect,
                                    .from_ns = op->unauthorised.from_ns,
                                    .at_ns = op->unauthorised.at_ns};
    bool suspected = report.suspect < CHAIN_MAX_KEYS, confirmed = false;
    if (suspected && (report.suspect >= l->genesis.members.n_keys || report.suspect == author ||
                      l->genesis.channels[report.channel].control || was_covered(l, &report)))
        return CHAIN_INVALID_VALUE;
    enum chain_response code = witness(l, author, &report, subject, &confirmed);
    if (confirmed && suspected) {
        chain_ledger_suspend_station(l, report.suspect, report.channel);
        chain_ledger_bar(l, report.suspect, report.channel);
    }
    return code;
}
