/* {"op": "grant", "low_hz": 5190000000, ...} */
#include "apps/ledger_op.h"

#include "mac/jam.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FIELDS = 8, MAX_PEERS = 8 };

struct reader {
    const json_t *object;
    const struct app_node_cluster *cluster;
    char *error;
    const char *known[MAX_FIELDS]; /* fields asked for so far */
    size_t n_known;
    bool bad;
};

__attribute__((format(printf, 3, 4))) static void refuse(struct reader *r, const char *field, const char *format, ...)
{
    if (r->bad)
        return;
    char why[200];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    snprintf(r->error, APP_NODE_MAX_ERROR, "operation: field %s: %s", field, why);
    r->bad = true;
}

static const json_t *take(struct reader *r, const char *field, bool required)
{
    r->known[r->n_known++] = field;
    const json_t *value = json_object_get(r->object, field);
    if (!value && required)
        refuse(r, field, "missing");
    return value;
}

static uint64_t take_uint(struct reader *r, const char *field, uint64_t max)
{
    const json_t *value = take(r, field, true);
    if (!value)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max) {
        refuse(r, field, "must be a whole number from 0 to %llu", (unsigned long long)max);
        return 0;
    }
    return (uint64_t)json_integer_value(value);
}

static double take_real(struct reader *r, const char *field, double min, double max)
{
    const json_t *value = take(r, field, true);
    if (!value)
        return 0;
    if (!json_is_number(value) || !(json_number_value(value) >= min && json_number_value(value) <= max)) {
        refuse(r, field, "must be a number from %g to %g", min, max);
        return 0;
    }
    return json_number_value(value);
}

static const char *take_text(struct reader *r, const char *field, size_t max)
{
    const json_t *value = take(r, field, true);
    const char *text = json_string_value(value);
    if (value && (!text || strlen(text) != json_string_length(value) || strlen(text) == 0 || strlen(text) > max)) {
        refuse(r, field, "must be text of 1 to %zu octets", max);
        return "";
    }
    for (const char *c = text; c && *c; c++)
        if (*c < 0x20 || *c > 0x7e) {
            refuse(r, field, "must be printable ASCII");
            return "";
        }
    return text ? text : "";
}

static void read_peers(struct reader *r, struct chain_op *op)
{
    const json_t *peers = take(r, "peers", false);
    if (!peers)
        return;
    if (!json_is_array(peers) || json_array_size(peers) > MAX_PEERS) {
        refuse(r, "peers", "must be a list of at most %d names", MAX_PEERS);
        return;
    }
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const char *name = json_string_value(json_array_get(peers, i));
        uint32_t id = name ? app_node_cluster_find(r->cluster, name) : CHAIN_MAX_KEYS;
        if (id >= CHAIN_MAX_KEYS) {
            refuse(r, "peers", "'%.40s' is no member or client of the cluster", name ? name : "?");
            return;
        }
        op->grant.peers[op->grant.n_peers++] = id;
    }
}

static void read_register(struct reader *r, struct chain_op *op)
{
    op->kind = CHAIN_OP_REGISTER;
    snprintf(op->reg.call_sign, sizeof op->reg.call_sign, "%s", take_text(r, "call_sign", CHAIN_MAX_NAME - 1));
    op->reg.lat_e7 = (int32_t)lround(take_real(r, "lat_deg", -90, 90) * 1e7);
    op->reg.lon_e7 = (int32_t)lround(take_real(r, "lon_deg", -180, 180) * 1e7);
    op->reg.height_cm = (int32_t)lround(take_real(r, "height_m", -1000, 100000) * 100);
}

static void read_grant(struct reader *r, struct chain_op *op)
{
    op->kind = CHAIN_OP_GRANT;
    op->grant.low_hz = take_uint(r, "low_hz", 1000000000000);
    op->grant.high_hz = take_uint(r, "high_hz", 1000000000000);
    op->grant.max_eirp_cdbm_mhz = (int32_t)lround(take_real(r, "max_eirp_dbm_mhz", -200, 200) * 100);
    read_peers(r, op);
}

static void read_heartbeat(struct reader *r, struct chain_op *op)
{
    op->kind = CHAIN_OP_HEARTBEAT;
    op->lease.grant_id = take_uint(r, "grant_id", INT64_MAX);
}

static void read_relinquish(struct reader *r, struct chain_op *op)
{
    op->kind = CHAIN_OP_RELINQUISH;
    op->lease.grant_id = take_uint(r, "grant_id", INT64_MAX);
}

static void read_evidence(struct reader *r, struct chain_op *op)
{
    op->kind = CHAIN_OP_EVIDENCE;
    op->evidence.channel = (uint32_t)take_uint(r, "channel", CHAIN_MAX_CHANNELS - 1);
    const char *kind = take_text(r, "kind", 32);
    int number = 0;
    while (number < MAC_JAM_N_KINDS && strcmp(mac_jam_kind_name((enum mac_jam_kind)number), kind) != 0)
        number++;
    if (number == MAC_JAM_N_KINDS)
        refuse(r, "kind", "'%s' is no kind of jamming: constant, pulse, reactive, unknown", kind);
    op->evidence.kind = (uint8_t)number;
    op->evidence.from_ns = (int64_t)take_uint(r, "from_ns", (uint64_t)CHAIN_MAX_TIME_NS);
    op->evidence.at_ns = (int64_t)take_uint(r, "at_ns", (uint64_t)CHAIN_MAX_TIME_NS);
    op->evidence.confidence_permille = (uint32_t)lround(take_real(r, "confidence", 0, 1) * 1000);
    op->evidence.n_frames = (uint32_t)take_uint(r, "frames", UINT32_MAX);
    op->evidence.n_good = (uint32_t)take_uint(r, "good_frames", UINT32_MAX);
}

static const struct {
    const char *name;
    void (*read)(struct reader *r, struct chain_op *op);
} operations[] = {{"register", read_register}, {"grant", read_grant}, {"heartbeat", read_heartbeat}, {"relinquish", read_relinquish},
                  {"evidence", read_evidence}};
enum { N_OPERATIONS = sizeof operations / sizeof operations[0] };

static void check_unknown(struct reader *r)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)r->object, key, value) {
        size_t i = 0;
        while (i < r->n_known && strcmp(r->known[i], key) != 0)
            i++;
        if (i == r->n_known)
            refuse(r, key, "unknown field");
    }
}

int app_ledger_op_read(const char *json, const struct app_node_cluster *cluster, struct chain_op *out, char *error_out)
{
    json_error_t why;
    json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(object)) {
        snprintf(error_out, APP_NODE_MAX_ERROR, "operation: no JSON object: %s", object ? "another kind of value" : why.text);
        json_decref(object);
        return -EINVAL;
    }
    struct reader r = {.object = object, .cluster = cluster, .error = error_out};
    memset(out, 0, sizeof *out);
    const char *name = take_text(&r, "op", 32);
    size_t i = 0;
    while (i < N_OPERATIONS && strcmp(operations[i].name, name) != 0)
        i++;
    if (i < N_OPERATIONS)
        operations[i].read(&r, out);
    else
        refuse(&r, "op", "'%s' is none of register, grant, heartbeat, relinquish, evidence", name);
    if (!r.bad)
        check_unknown(&r);
    json_decref(object);
    return r.bad ? -EINVAL : 0;
}
