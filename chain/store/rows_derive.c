/* Derived tables: what a researcher asks for, from a block's events, its transactions and the ledger after it. */
#include "chain/ledger_entries.h"
#include "chain/store/rows.h"

#include <stdio.h>
#include <string.h>

static bool is_channel(const struct store_rows *r, uint32_t channel)
{
    return channel < r->genesis->n_channels;
}

static int put_channel(struct store_rows *r, uint32_t channel, const struct chain_ledger *ledger)
{
    static const char *const names[] = {
        [CHAIN_CHANNEL_UNKNOWN] = "unknown", [CHAIN_CHANNEL_WHITE] = "white", [CHAIN_CHANNEL_INCUMBENT] = "incumbent"};
    const struct chain_channel_record *record = chain_ledger_channel(ledger, channel);
    const struct chain_channel *c = &r->genesis->channels[channel];
    return store_rows_run(r, STORE_PUT_CHANNEL, "iiiitiii", (int64_t)channel, (int64_t)c->low_hz, (int64_t)c->high_hz,
                          (int64_t)c->control, names[record->status], (int64_t)record->since_window, record->since_ns,
                          (int64_t)record->free_windows);
}

static int put_window(struct store_rows *r, const struct chain_ledger_event *e, const struct chain_ledger *ledger)
{
    int rc = store_rows_run(r, STORE_PUT_WINDOW, "iiiiiiii", (int64_t)e->id, (int64_t)e->channel, (int64_t)e->height,
                            e->block_time_ns, (int64_t)e->n_reports, (int64_t)e->n_positive, (int64_t)e->occupied,
                            (int64_t)(e->code != CHAIN_SUCCESS));
    for (uint32_t i = 0; i < chain_ledger_members(ledger)->n_keys && rc == SQLITE_OK; i++) {
        int64_t reputation = chain_ledger_reputation(ledger, i);
        rc = store_rows_run(r, STORE_SET_REPUTATION, "iii", reputation, (int64_t)i, reputation);
    }
    return rc == SQLITE_OK ? put_channel(r, e->channel, ledger) : rc;
}

static int put_grant(struct store_rows *r, uint64_t id, uint64_t height, const struct chain_ledger *ledger)
{
    static const char *const states[] = {
        [CHAIN_GRANT_IDLE] = "IDLE", [CHAIN_GRANT_GRANTED] = "GRANTED", [CHAIN_GRANT_AUTHORIZED] = "AUTHORIZED"};
    const struct chain_grant *g = NULL;
    for (size_t i = 0; i < chain_ledger_n_grants(ledger) && !g; i++)
        if (chain_ledger_grant(ledger, i)->id == id)
            g = chain_ledger_grant(ledger, i);
    if (!g)
        return SQLITE_OK; /* ended, and out of the ledger's memory */
    char peers[96] = "";
    size_t len = 0;
    for (uint32_t i = 0; i < g->n_peers && len < sizeof(peers); i++)
        len += (size_t)snprintf(peers + len, sizeof(peers) - len, "%s%u", i > 0 ? "," : "", (unsigned)g->peers[i]);
    return store_rows_run(r, STORE_PUT_GRANT, "iitiiiitiiioooi", (int64_t)id, (int64_t)g->holder, peers, (int64_t)g->channel,
                          (int64_t)g->low_hz, (int64_t)g->high_hz, (int64_t)g->max_eirp_cdbm_mhz, states[g->state],
                          (int64_t)g->suspended, g->granted_ns, g->grant_expire_ns, (int)(g->transmit_expire_ns != 0),
                          g->transmit_expire_ns, (int)(g->suspended_ns != 0), g->suspended_ns, (int)(g->ended_ns != 0),
                          g->ended_ns, (int64_t)height);
}

static int put_evidence(struct store_rows *r, uint64_t id, uint64_t height, const struct chain_ledger *ledger)
{
    for (size_t i = 0; i < chain_ledger_n_evidence(ledger); i++) {
        const struct chain_evidence *e = chain_ledger_evidence(ledger, i);
        if (e->id == id)
            return store_rows_run(r, STORE_PUT_EVIDENCE, "iiioiiiii", (int64_t)id, (int64_t)e->channel, (int64_t)e->kind,
                                  (int)(e->suspect < CHAIN_MAX_KEYS), (int64_t)e->suspect, e->from_ns, e->at_ns,
                                  (int64_t)e->witnesses, (int64_t)e->confirmed, (int64_t)height);
    }
    return SQLITE_OK;
}

/* What the state says of a station; of one that left, what it said last. */
static int put_station(struct store_rows *r, uint32_t id, const struct chain_ledger *ledger)
{
    const struct chain_station *s = &ledger->stations[id];
    if (!s->registered && !s->departed)
        return SQLITE_OK;
    return store_rows_run(r, STORE_SET_STATION, "tiiiiii", s->call_sign, (int64_t)s->lat_e7, (int64_t)s->lon_e7, (int64_t)s->height_cm,
                          s->registered_ns, (int64_t)chain_ledger_reputation(ledger, id), (int64_t)id);
}

/* A key that was admitted, or the seats of the next epoch. */
static int put_members(struct store_rows *r, const struct chain_ledger *ledger)
{
    const struct chain_members *members = chain_ledger_members(ledger);
    int rc = SQLITE_OK;
    for (uint32_t i = 0; i < members->n_keys && rc == SQLITE_OK; i++) {
        int64_t is_member = chain_members_seat(members, i) < CHAIN_MAX_MEMBERS;
        rc = store_rows_run(r, STORE_PUT_STATION, "ibii", (int64_t)i, (const void *)members->keys[i], (size_t)CHAIN_KEY_BYTES, is_member, INT64_C(0));
        if (rc == SQLITE_OK)
            rc = store_rows_run(r, STORE_SET_MEMBER, "ii", is_member, (int64_t)i);
    }
    return rc;
}

static int derive_event(struct store_rows *r, const struct chain_ledger_event *e, size_t i, const struct chain_ledger *ledger)
{
    int rc = store_rows_run(r, STORE_PUT_EVENT, "iiiooii", (int64_t)e->height, (int64_t)i, (int64_t)e->kind,
                            (int)(e->station < CHAIN_MAX_KEYS), (int64_t)e->station, (int)is_channel(r, e->channel), (int64_t)e->channel,
                            (int64_t)e->id, (int64_t)e->code);
    if (rc != SQLITE_OK)
        return rc;
    switch (e->kind) {
    case CHAIN_LE_WINDOW_FUSED:
        return put_window(r, e, ledger);
    case CHAIN_LE_WHITE_SPACE:
    case CHAIN_LE_INCUMBENT:
        return put_channel(r, e->channel, ledger);
    case CHAIN_LE_GRANTED:
    case CHAIN_LE_AUTHORIZED:
    case CHAIN_LE_HEARTBEAT:
    case CHAIN_LE_SUSPENDED:
    case CHAIN_LE_EXPIRED:
    case CHAIN_LE_RELINQUISHED:
    case CHAIN_LE_SHORTENED:
        return put_grant(r, e->id, e->height, ledger);
    case CHAIN_LE_REGISTERED:
    case CHAIN_LE_MOVED:
    case CHAIN_LE_DEREGISTERED:
        return put_station(r, e->station, ledger);
    case CHAIN_LE_ADMITTED:
    case CHAIN_LE_RECONFIGURED:
        return put_members(r, ledger);
    case CHAIN_LE_EVIDENCE:
    case CHAIN_LE_EVIDENCE_CONFIRMED:
        return put_evidence(r, e->id, e->height, ledger);
    default:
        return SQLITE_OK;
    }
}

static int put_reports(struct store_rows *r, const struct chain_ledger_event *e, const struct chain_sense_report *report)
{
    int rc = SQLITE_OK;
    for (uint32_t c = 0; c < report->n_channels && rc == SQLITE_OK; c++)
        rc = store_rows_run(r, STORE_PUT_REPORT, "iiiiii", (int64_t)report->window, (int64_t)e->station, (int64_t)c,
                            (int64_t)report->occupied[c], (int64_t)report->power_cdb[c], (int64_t)e->height);
    return rc;
}

/* One witness's word. */
static int put_claim(struct store_rows *r, const struct chain_ledger_event *e, size_t i, const struct chain_op *op)
{
    if (op->kind == CHAIN_OP_UNAUTHORISED)
        return store_rows_run(r, STORE_PUT_CLAIM, "iiiiioiiooooi", (int64_t)e->height, (int64_t)i, (int64_t)e->station,
                              (int64_t)op->unauthorised.channel, (int64_t)CHAIN_EVIDENCE_UNAUTHORISED,
                              (int)(op->unauthorised.suspect < CHAIN_MAX_KEYS), (int64_t)op->unauthorised.suspect, op->unauthorised.from_ns,
                              op->unauthorised.at_ns, 0, INT64_C(0), 0, INT64_C(0), 0, INT64_C(0), 1, (int64_t)op->unauthorised.level_cdb,
                              (int64_t)e->id);
    return store_rows_run(r, STORE_PUT_CLAIM, "iiiiioiiiiioi", (int64_t)e->height, (int64_t)i, (int64_t)e->station,
                          (int64_t)op->evidence.channel, (int64_t)op->evidence.kind, 0, INT64_C(0), op->evidence.from_ns, op->evidence.at_ns,
                          (int64_t)op->evidence.confidence_permille, (int64_t)op->evidence.n_frames, (int64_t)op->evidence.n_good,
                          0, INT64_C(0), (int64_t)e->id);
}

/* The operation that an event is about. */
static bool find_op(const struct chain_members *members, const struct chain_ledger_event *e, const uint8_t *data, size_t len, struct chain_op *out)
{
    struct chain_msg msg;
    struct chain_tx_reader ops;
    if (chain_msg_read(members, data, len, &msg, NULL) != 0 || chain_tx_begin(&ops, msg.body, msg.body_len) < 0)
        return false;
    uint32_t i = 0;
    while (chain_tx_next(&ops, out) == 0)
        if (i++ == e->index)
            return true;
    return false;
}

/* Does a table keep more of this operation than its place and what it did to the state? */
static bool has_rows(enum chain_op_kind op)
{
    return op == CHAIN_OP_SENSE_REVEAL || op == CHAIN_OP_EVIDENCE || op == CHAIN_OP_UNAUTHORISED;
}

/* i: of the operation among the block's. The envelope's octets stand with its first one. */
static int derive_tx(struct store_rows *r, const struct chain_ledger_event *e, size_t i, const uint8_t *data, size_t len,
                     const struct chain_ledger *ledger)
{
    bool known = e->station < CHAIN_MAX_KEYS;
    int rc = store_rows_run(r, STORE_PUT_TRANSACTION, "iioooooii", (int64_t)e->height, (int64_t)i, (int)known, (int64_t)e->station,
                            (int)known, (int64_t)e->nonce, (int)(e->op != 0), (int64_t)e->op, (int)is_channel(r, e->channel),
                            (int64_t)e->channel, (int)(e->id != 0), (int64_t)e->id, (int64_t)e->code, e->index == 0 ? (int64_t)len : 0);
    struct chain_op op;
    if (rc != SQLITE_OK || e->code != CHAIN_SUCCESS || !has_rows(e->op) || !find_op(chain_ledger_members(ledger), e, data, len, &op))
        return rc;
    return op.kind == CHAIN_OP_SENSE_REVEAL ? put_reports(r, e, &op.reveal) : put_claim(r, e, i, &op);
}

int store_rows_derive(struct store_rows *r, const struct chain_node_block *block, const struct chain_ledger_event *events,
                      size_t n_events, const struct chain_ledger *ledger)
{
    struct chain_batch_view batch;
    if (chain_batch_decode(&batch, block->batch, block->batch_len) != 0)
        return SQLITE_MISMATCH;
    int rc = SQLITE_OK;
    size_t i_op = 0;
    for (size_t i = 0; i < n_events && rc == SQLITE_OK; i++) {
        if (events[i].kind != CHAIN_LE_TX) {
            rc = derive_event(r, &events[i], i, ledger);
        } else if (events[i].tx < batch.n_txs) {
            rc = derive_tx(r, &events[i], i_op++, batch.txs[events[i].tx].data, batch.txs[events[i].tx].len, ledger);
        }
    }
    return rc;
}

int store_rows_put_state(struct store_rows *r, const struct chain_ledger *ledger)
{
    const struct chain_members *members = chain_ledger_members(ledger);
    uint64_t height = chain_ledger_height(ledger);
    int rc = put_members(r, ledger);
    for (uint32_t i = 0; i < members->n_keys && rc == SQLITE_OK; i++)
        rc = put_station(r, i, ledger);
    for (uint32_t c = 0; c < r->genesis->n_channels && rc == SQLITE_OK; c++)
        rc = put_channel(r, c, ledger);
    for (size_t i = 0; i < chain_ledger_n_grants(ledger) && rc == SQLITE_OK; i++)
        rc = put_grant(r, chain_ledger_grant(ledger, i)->id, height, ledger);
    for (size_t i = 0; i < chain_ledger_n_evidence(ledger) && rc == SQLITE_OK; i++)
        rc = put_evidence(r, chain_ledger_evidence(ledger, i)->id, height, ledger);
    return rc;
}

bool store_rows_stations_are(struct store_rows *r, const struct chain_ledger *ledger, uint32_t *id_out)
{
    static const char *const sql = "SELECT count(*) FROM stations WHERE id=? AND member=? AND reputation=? AND (call_sign IS NULL)=? AND "
                                   "coalesce(call_sign, '')=? AND coalesce(lat_e7, 0)=? AND coalesce(lon_e7, 0)=? AND "
                                   "coalesce(height_cm, 0)=? AND coalesce(registered_ns, 0)=?";
    const struct chain_members *members = chain_ledger_members(ledger);
    sqlite3_stmt *query = NULL;
    bool same = sqlite3_prepare_v2(r->db, sql, -1, &query, NULL) == SQLITE_OK;
    for (uint32_t i = 0; i < members->n_keys && same; i++) {
        const struct chain_station *s = &ledger->stations[i];
        int64_t numbers[] = {i, chain_members_seat(members, i) < CHAIN_MAX_MEMBERS, chain_ledger_reputation(ledger, i),
                             !s->registered && !s->departed, 0, s->lat_e7, s->lon_e7, s->height_cm, s->registered_ns};
        for (int k = 0; k < 9; k++)
            sqlite3_bind_int64(query, k + 1, numbers[k]);
        sqlite3_bind_text(query, 5, s->call_sign, -1, SQLITE_STATIC);
        same = sqlite3_step(query) == SQLITE_ROW && sqlite3_column_int(query, 0) == 1;
        sqlite3_reset(query);
        *id_out = i;
    }
    sqlite3_finalize(query);
    return same;
}

int store_rows_put_epoch(struct store_rows *r, const struct chain_ledger *ledger)
{
    struct chain_ledger_entry entry;
    struct chain_map_proof proof;
    uint8_t path[CHAIN_MAP_MAX_STEPS * STORE_STEP_BYTES];
    chain_ledger_find_entry(ledger, CHAIN_TABLE_MEMBERS, 0, 0, &entry);
    chain_ledger_prove_entry(ledger, CHAIN_TABLE_MEMBERS, 0, 0, &proof);
    for (size_t i = 0; i < proof.n_steps; i++) {
        path[i * STORE_STEP_BYTES] = proof.steps[i].bit;
        memcpy(path + i * STORE_STEP_BYTES + 1, proof.steps[i].sibling.octets, CHAIN_HASH_BYTES);
    }
    return store_rows_run(r, STORE_PUT_EPOCH, "iibb", (int64_t)chain_ledger_height(ledger), (int64_t)chain_ledger_members(ledger)->epoch,
                          (const void *)entry.value, entry.value_len, (const void *)path, proof.n_steps * STORE_STEP_BYTES);
}
