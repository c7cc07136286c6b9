/* Blocks, commit latency, the ledger's events, sensing against truth, and what the stations noted. */
#include "apps/run/accounts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REFERENCE_OCTETS = 112 }; /* fixed reference size of a vote, and what a proposal adds to its payload */

static void journal_block(struct app_accounts *a, uint32_t station, const struct chain_node_block *b, int64_t t_ns)
{
    struct chain_header header;
    if (chain_header_decode(&header, b->header, b->header_len) != 0)
        return;
    struct chain_hash hash;
    chain_header_hash(&header, &hash);
    app_journal_begin(a->journal, t_ns, "block", a->scenario->stations[station].name);
    app_journal_int(a->journal, "height", (int64_t)b->height);
    app_journal_hex(a->journal, "hash", hash.octets, sizeof hash.octets);
    app_journal_hex(a->journal, "state_root", header.state_root.octets, sizeof header.state_root.octets);
    app_journal_int(a->journal, "batch_octets", (int64_t)b->batch_len);
    app_journal_int(a->journal, "time_ns", header.time_ns - a->genesis->time_ns);
    app_journal_end(a->journal);
}

static double shortest_ns(const struct app_accounts *a, size_t batch_len)
{
    bool raft = strcmp(a->genesis->engine, "raft") == 0;
    double n_frames = (raft ? 1.0 : 2.0) * a->genesis->members.n;
    double sample_ns = 1e9 / a->scenario->sample_rate_hz;
    double proposal_ns = (double)a->waveform->frame_samples(batch_len + REFERENCE_OCTETS, 0) * sample_ns;
    double vote_ns = (double)a->waveform->frame_samples(REFERENCE_OCTETS, 0) * sample_ns;
    return proposal_ns + (n_frames - 1) * (vote_ns + (double)a->control_sifs_ns);
}

static void journal_commit(struct app_accounts *a, uint64_t height, const struct app_height_account *h)
{
    app_journal_begin(a->journal, h->last_ns, "commit", NULL);
    app_journal_int(a->journal, "height", (int64_t)height);
    if (h->proposed_ns != INT64_MIN) {
        int64_t latency_ns = h->last_ns - h->proposed_ns;
        app_journal_int(a->journal, "proposed_ns", h->proposed_ns);
        app_journal_int(a->journal, "last_ns", h->last_ns);
        app_journal_int(a->journal, "latency_us", latency_ns / 1000);
        app_journal_real(a->journal, "over_shortest", (double)latency_ns / shortest_ns(a, h->batch_len), 3);
    }
    app_journal_end(a->journal);
}

static void account_block(struct app_accounts *a, uint32_t station, const struct chain_node_block *b, int64_t t_ns)
{
    if (!b->header || b->height >= ACCOUNTS_MAX_HEIGHTS)
        return;
    journal_block(a, station, b, t_ns);
    struct app_height_account *h = &a->heights[b->height];
    h->batch_len = b->batch_len;
    h->last_ns = t_ns;
    if (b->height > a->top_height)
        a->top_height = b->height;
    if (++h->n_stations == a->scenario->n_stations)
        journal_commit(a, b->height, h);
}

/* A window's truth: what the primaries did while the stations measured. */
static int window_truth(const struct app_accounts *a, uint32_t channel, uint64_t window)
{
    int64_t start_ns, end_ns;
    if (!chain_genesis_window_span(a->genesis, window, &start_ns, &end_ns))
        return -1;
    int64_t from_ns = start_ns - a->genesis->time_ns, to_ns = end_ns - a->genesis->time_ns;
    bool partly;
    bool on = app_accounts_primary_sends(a, channel, from_ns, to_ns, &partly);
    return partly ? -1 : on;
}

/* Can the window be decided before nothing new is begun? */
static bool is_due(const struct app_accounts *a, uint64_t window)
{
    int64_t start_ns, end_ns;
    if (!chain_genesis_window_span(a->genesis, window, &start_ns, &end_ns))
        return false;
    int64_t since_ns = start_ns - a->genesis->time_ns, until_ns = end_ns - a->genesis->time_ns + a->genesis->fuse_after_ns;
    return since_ns >= 0 && until_ns <= a->scenario->duration_ns - a->scenario->settle_ns;
}

static uint64_t count_due(const struct app_accounts *a)
{
    uint64_t n = 0;
    for (uint64_t window = (uint64_t)(a->genesis->time_ns / a->genesis->quiet_period_ns); ; window++) {
        int64_t start_ns, end_ns;
        if (!chain_genesis_window_span(a->genesis, window, &start_ns, &end_ns) ||
            start_ns >= a->genesis->time_ns + a->scenario->duration_ns)
            break;
        n += is_due(a, window);
    }
    return n * a->scenario->n_channels;
}

static void account_fusion(struct app_accounts *a, const struct chain_ledger_event *e)
{
    if (e->channel >= a->scenario->n_channels)
        return;
    a->n_due_fused += is_due(a, e->id);
    if (e->code == CHAIN_UNSYNC_OP_PARAM) {
        a->n_fused_void++;
        return;
    }
    int truth = window_truth(a, e->channel, e->id);
    if (truth >= 0)
        a->fused[truth][e->occupied]++;
}

static void journal_ledger_event(struct app_accounts *a, const struct chain_ledger_event *e, int64_t t_ns)
{
    app_journal_begin(a->journal, t_ns, chain_ledger_event_name(e->kind), NULL);
    app_journal_int(a->journal, "height", (int64_t)e->height);
    app_journal_int(a->journal, "block_time_ns", e->block_time_ns - a->genesis->time_ns);
    if (e->channel < a->scenario->n_channels)
        app_journal_int(a->journal, "channel", e->channel);
    if (e->station < a->scenario->n_stations)
        app_journal_text(a->journal, "by", a->scenario->stations[e->station].name);
    app_journal_int(a->journal, "id", (int64_t)e->id);
    app_journal_int(a->journal, "code", e->code);
    if (e->kind == CHAIN_LE_REFUSED || e->op == CHAIN_OP_UNAUTHORISED)
        app_journal_text(a->journal, "op", chain_op_name(e->op));
    if (e->kind == CHAIN_LE_WINDOW_FUSED) {
        app_journal_int(a->journal, "n_reports", e->n_reports);
        app_journal_int(a->journal, "n_positive", e->n_positive);
        app_journal_bool(a->journal, "occupied", e->occupied);
    }
    app_journal_end(a->journal);
}

static void account_first(struct app_accounts *a, const struct chain_ledger_event *e, int64_t t_ns)
{
    if (e->kind != CHAIN_LE_TX)
        journal_ledger_event(a, e, t_ns);
    switch (e->kind) {
    case CHAIN_LE_WINDOW_FUSED:
        account_fusion(a, e);
        break;
    case CHAIN_LE_EVIDENCE:
        a->n_evidence += e->op == CHAIN_OP_EVIDENCE;
        break;
    case CHAIN_LE_EVIDENCE_CONFIRMED:
        a->n_evidence_confirmed += e->op == CHAIN_OP_EVIDENCE;
        break;
    case CHAIN_LE_REFUSED:
        a->n_refused_ops++;
        break;
    default:
        break;
    }
}

void app_accounts_chain(struct app_accounts *a, uint32_t station, const struct chain_node_update *u, int64_t t_ns)
{
    for (size_t i = 0; i < u->n_events; i++) {
        const struct chain_ledger_event *e = &u->events[i];
        bool first = e->height < ACCOUNTS_MAX_HEIGHTS && a->heights[e->height].n_stations == 0;
        if (first)
            account_first(a, e, t_ns);
        app_accounts_lease_event(a, station, e, t_ns, first);
    }
    for (size_t i = 0; i < u->n_blocks; i++)
        account_block(a, station, &u->blocks[i], t_ns);
}

static void account_sensed(struct app_accounts *a, uint32_t station, const struct app_station_note *n)
{
    int truth = window_truth(a, n->channel, n->id);
    if (truth >= 0)
        a->local[truth][n->occupied]++;
    app_journal_begin(a->journal, n->at_ns, "sense", a->scenario->stations[station].name);
    app_journal_int(a->journal, "window", (int64_t)n->id);
    app_journal_int(a->journal, "channel", n->channel);
    app_journal_bool(a->journal, "occupied", n->occupied);
    app_journal_real(a->journal, "power_dbfs", n->power_dbfs, 2);
    app_journal_end(a->journal);
}

static void journal_note(struct app_accounts *a, uint32_t station, const struct app_station_note *n, const char *event)
{
    app_journal_begin(a->journal, n->at_ns, event, a->scenario->stations[station].name);
    app_journal_int(a->journal, "channel", n->channel);
    app_journal_int(a->journal, "id", (int64_t)n->id);
    app_journal_end(a->journal);
}

static void account_spoof(struct app_accounts *a, uint32_t station, const struct app_station_note *n)
{
    a->n_spoofs[n->reason]++;
    app_journal_begin(a->journal, n->at_ns, "spoof", a->scenario->stations[station].name);
    app_journal_int(a->journal, "channel", n->channel);
    if (n->id < a->scenario->n_stations)
        app_journal_text(a->journal, "name", a->scenario->stations[n->id].name);
    app_journal_text(a->journal, "reason", app_spoof_reason_name(n->reason));
    if (n->reason == APP_SPOOF_FINGERPRINT) {
        app_journal_real(a->journal, "offset_hz", n->offset_hz, 1);
        app_journal_real(a->journal, "expected_hz", n->expected_hz, 1);
        app_journal_real(a->journal, "spread_hz", n->spread_hz, 1);
    }
    app_journal_end(a->journal);
}

void app_accounts_note(struct app_accounts *a, uint32_t station, const struct app_station_note *n)
{
    switch (n->kind) {
    case APP_NOTE_DATA_SENT:
        a->data_sent++;
        journal_note(a, station, n, "data_sent");
        break;
    case APP_NOTE_DATA_ACKED:
        a->data_acked++;
        journal_note(a, station, n, "data_acked");
        break;
    case APP_NOTE_DATA_LOST:
        a->data_lost++;
        journal_note(a, station, n, "data_lost");
        break;
    case APP_NOTE_DATA_RECEIVED:
        a->data_received++;
        journal_note(a, station, n, "data_received");
        break;
    case APP_NOTE_VERDICT:
        app_accounts_verdict(a, station, n);
        break;
    case APP_NOTE_SENSED:
        account_sensed(a, station, n);
        break;
    case APP_NOTE_PROPOSAL:
        if (n->id < ACCOUNTS_MAX_HEIGHTS && a->heights[n->id].proposed_ns == INT64_MIN)
            a->heights[n->id].proposed_ns = n->at_ns;
        break;
    case APP_NOTE_HOLDER:
        journal_note(a, station, n, "holder");
        break;
    case APP_NOTE_SUBMITTED:
        journal_note(a, station, n, "submitted");
        break;
    case APP_NOTE_SPOOF:
        account_spoof(a, station, n);
        break;
    }
}

static int compare_double(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static json_t *rounded(double value, double unit)
{
    return isfinite(value) ? json_real(round(value / unit) * unit) : json_null();
}

static json_t *quantile(double *values, size_t n, double q)
{
    if (n == 0)
        return json_null();
    size_t i = (size_t)ceil(q * (double)n);
    return rounded(values[i == 0 ? 0 : i - 1], 1e-3);
}

/* Heights that every station has and whose proposal was seen to enter a MAC. */
static json_t *commits_json(const struct app_accounts *a)
{
    double *latency_ms = calloc(a->top_height + 1, sizeof *latency_ms), *ratio = calloc(a->top_height + 1, sizeof *ratio);
    size_t n = 0;
    for (uint64_t h = 1; latency_ms && ratio && h <= a->top_height; h++) {
        const struct app_height_account *height = &a->heights[h];
        if (height->n_stations < a->scenario->n_stations || height->proposed_ns == INT64_MIN)
            continue;
        latency_ms[n] = (double)(height->last_ns - height->proposed_ns) / 1e6;
        ratio[n] = latency_ms[n] * 1e6 / shortest_ns(a, height->batch_len);
        n++;
    }
    if (n) {
        qsort(latency_ms, n, sizeof *latency_ms, compare_double);
        qsort(ratio, n, sizeof *ratio, compare_double);
    }
    json_t *json = json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "count", (json_int_t)a->top_height, "measured", (json_int_t)n, "p50_ms",
                             quantile(latency_ms, n, .5), "p99_ms", quantile(latency_ms, n, .99), "max_ms",
                             quantile(latency_ms, n, 1), "over_shortest", quantile(ratio, n, .5));
    free(latency_ms);
    free(ratio);
    return json;
}

static json_t *share(uint64_t part, uint64_t rest)
{
    return part + rest ? json_real((double)part / (double)(part + rest)) : json_null();
}

static json_t *sensing_json(const struct app_accounts *a)
{
    uint64_t decisions = a->fused[0][0] + a->fused[0][1] + a->fused[1][0] + a->fused[1][1];
    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "local_pd", share(a->local[1][1], a->local[1][0]), "local_pfa",
                     share(a->local[0][1], a->local[0][0]), "fused_pd", share(a->fused[1][1], a->fused[1][0]), "fused_pfa",
                     share(a->fused[0][1], a->fused[0][0]), "decisions", (json_int_t)decisions, "void", (json_int_t)a->n_fused_void,
                     "undecided", (json_int_t)(count_due(a) - a->n_due_fused));
}

static json_t *lease_table(const struct app_accounts *a)
{
    json_t *table = json_array();
    for (size_t i = 0; i < a->n_leases; i++) {
        const struct app_lease_account *l = &a->leases[i];
        json_t *row = json_pack("{s:I, s:s, s:s, s:I}", "id", (json_int_t)l->id, "holder", a->scenario->stations[l->holder].name,
                                "channel", a->scenario->channels[l->channel].name, "heartbeats", (json_int_t)l->n_heartbeats);
        json_object_set_new(row, "granted_ms", rounded((double)l->granted_ns / 1e6, 1e-3));
        json_object_set_new(row, "authorized_ms",
                            l->authorized_ns == INT64_MAX ? json_null() : rounded((double)l->authorized_ns / 1e6, 1e-3));
        json_object_set_new(row, "suspended_ms",
                            l->suspended_ns == INT64_MAX ? json_null() : rounded((double)l->suspended_ns / 1e6, 1e-3));
        json_object_set_new(row, "ended_ms", l->ended_ns == INT64_MAX ? json_null() : rounded((double)l->ended_ns / 1e6, 1e-3));
        json_object_set_new(row, "last_emission_ms",
                            l->last_emission_ns == INT64_MIN ? json_null() : rounded((double)l->last_emission_ns / 1e6, 1e-3));
        json_array_append_new(table, row);
    }
    return table;
}

void app_accounts_summarise(const struct app_accounts *a, json_t *summary)
{
    int64_t vacate_ns = app_accounts_vacate_ns(a);
    json_object_set_new(summary, "commits", commits_json(a));
    json_object_set_new(summary, "frames",
                        json_pack("{s:I, s:I, s:I, s:I}", "sent", (json_int_t)a->n_emissions, "received_ok", (json_int_t)a->n_frames_ok,
                                  "received_bad", (json_int_t)a->n_frames_bad, "refused_by_gate", (json_int_t)a->n_refused));
    json_object_set_new(summary, "delivery", a->pairs_sent ? json_real((double)a->pairs_good / (double)a->pairs_sent) : json_null());
    json_object_set_new(summary, "data",
                        json_pack("{s:I, s:I, s:I, s:I, s:I}", "sent", (json_int_t)a->data_sent, "received",
                                  (json_int_t)a->data_received, "acked", (json_int_t)a->data_acked, "lost", (json_int_t)a->data_lost,
                                  "unanswered", (json_int_t)a->data_sent - (json_int_t)(a->data_acked + a->data_lost)));
    json_object_set_new(summary, "transmissions_without_lease", json_integer((json_int_t)a->n_violations));
    json_object_set_new(summary, "leases",
                        json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "granted", (json_int_t)a->n_granted, "suspended",
                                  (json_int_t)a->n_suspended, "terminated", (json_int_t)a->n_relinquished, "expired",
                                  (json_int_t)a->n_expired, "vacate_ms_max",
                                  vacate_ns < 0 ? json_null() : rounded((double)vacate_ns / 1e6, 1e-3), "table", lease_table(a)));
    json_t *spoofs = json_object();
    for (int i = 0; i < APP_SPOOF_N_REASONS; i++)
        json_object_set_new(spoofs, app_spoof_reason_name((enum app_spoof_reason)i), json_integer((json_int_t)a->n_spoofs[i]));
    json_object_set_new(summary, "spoofs", spoofs);
    json_object_set_new(summary, "jam", app_accounts_jam_json(a));
    json_object_set_new(summary, "sensing", sensing_json(a));
    json_object_set_new(summary, "refused_operations", json_integer((json_int_t)a->n_refused_ops));
}
