/* {"op": "grant", "low_hz": 5190000000, ...} */
#include "apps/ledger_op.h"

#include "chain/hop.h"
#include "mac/jam.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FIELDS = 12, MAX_PEERS = 8 };

struct reader {
    const json_t *object;
    const struct app_node_cluster *cluster;
    char *error;
    const char *known[MAX_FIELDS]; /* fields asked for so far */
    size_t n_known;
    uint8_t *boxes; /* for CHAIN_MAX_MEMBERS */
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

/* A name of the cluster file, or a key id: who was admitted later has no name there. */
static uint32_t key_id_of(struct reader *r, const char *field, const json_t *value)
{
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    const char *name = json_string_value(value);
    uint32_t id = number >= 0 && number < CHAIN_MAX_KEYS ? (uint32_t)number : CHAIN_MAX_KEYS;
    if (name)
        id = app_node_cluster_find(r->cluster, name);
    if (id >= CHAIN_MAX_KEYS)
        refuse(r, field, "must be a name of the cluster file, or a key id from 0 to %d", CHAIN_MAX_KEYS - 1);
    return id;
}

static uint32_t take_key_id(struct reader *r, const char *field, bool required)
{
    const json_t *value = take(r, field, required);
    return value ? key_id_of(r, field, value) : CHAIN_MAX_KEYS;
}

static bool read_hex(const json_t *value, uint8_t *out, size_t len)
{
    const char *hex = json_string_value(value), *end = NULL;
    size_t n = 0;
    return hex && strlen(hex) == 2 * len && sodium_hex2bin(out, len, hex, 2 * len, NULL, &n, &end) == 0 && n == len;
}

static void take_hex(struct reader *r, const char *field, uint8_t *out, size_t len)
{
    const json_t *value = take(r, field, true);
    if (value && !read_hex(value, out, len))
        refuse(r, field, "must be %zu hexadecimal digits", 2 * len);
}

/* Two of them */
static void take_hex_pair(struct reader *r, const char *field, uint8_t *first, uint8_t *second, size_t len)
{
    const json_t *value = take(r, field, true);
    if (value && (json_array_size(value) != 2 || !read_hex(json_array_get(value, 0), first, len) ||
                  !read_hex(json_array_get(value, 1), second, len)))
        refuse(r, field, "must be a list of two times %zu hexadecimal digits", 2 * len);
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
        refuse(r, "kind", "'%s' is no kind of jamming, such as constant, tone, pulse, reactive, jammed", kind);
    op->evidence.kind = (uint8_t)number;
    op->evidence.from_ns = (int64_t)take_uint(r, "from_ns", (uint64_t)CHAIN_MAX_TIME_NS);
    op->evidence.at_ns = (int64_t)take_uint(r, "at_ns", (uint64_t)CHAIN_MAX_TIME_NS);
    op->evidence.confidence_permille = (uint32_t)lround(take_real(r, "confidence", 0, 1) * 1000);
    op->evidence.n_frames = (uint32_t)take_uint(r, "frames", UINT32_MAX);
    op->evidence.n_good = (uint32_t)take_uint(r, "good_frames", UINT32_MAX);
}

static void read_admit(struct reader *r, struct chain_op *op)
{
    op->kind = CHAIN_OP_ADMIT;
    take_hex(r, "ledger_key", op->admit.key, CHAIN_KEY_BYTES);
}

static void read_move(struct reader *r, struct chain_op *op)
{
    op->kind = CHAIN_OP_MOVE;
    op->move.lat_e7 = (int32_t)lround(take_real(r, "lat_deg", -90, 90) * 1e7);
    op->move.lon_e7 = (int32_t)lround(take_real(r, "lon_deg", -180, 180) * 1e7);
    op->move.height_cm = (int32_t)lround(take_real(r, "height_m", -1000, 100000) * 100);
}

static void read_deregister(struct reader *r, struct chain_op *op)
{
    (void)r;
    op->kind = CHAIN_OP_DEREGISTER;
}

static void read_reconfigure(struct reader *r, struct chain_op *op)
{
    op->kind = CHAIN_OP_RECONFIGURE;
    const char *what = take_text(r, "seat", 8);
    op->reconfigure.add = strcmp(what, "add") == 0;
    if (!op->reconfigure.add && strcmp(what, "remove") != 0)
        refuse(r, "seat", "must be add or remove");
    op->reconfigure.key_id = take_key_id(r, "key", true);
}

static void read_equivocation(struct reader *r, struct chain_op *op)
{
    struct chain_equivocation *e = &op->equivocation;
    op->kind = CHAIN_OP_EQUIVOCATION;
    e->kind = (uint8_t)take_uint(r, "kind", UINT8_MAX);
    e->epoch = (uint32_t)take_uint(r, "epoch", UINT32_MAX);
    e->author = (uint32_t)take_uint(r, "seat", CHAIN_MAX_MEMBERS - 1);
    e->view = take_uint(r, "view", INT64_MAX);
    e->seq = take_uint(r, "seq", INT64_MAX);
    take_hex_pair(r, "digests", e->digest[0].octets, e->digest[1].octets, CHAIN_HASH_BYTES);
    take_hex_pair(r, "signatures", e->sig[0], e->sig[1], CHAIN_SIG_BYTES);
}

static void read_spectrum(struct reader *r, struct chain_op *op)
{
    struct chain_spectrum *s = &op->spectrum;
    op->kind = CHAIN_OP_SPECTRUM;
    const char *record = take_text(r, "record", 16);
    s->kind = strcmp(record, "incumbent") == 0 ? CHAIN_SPECTRUM_INCUMBENT : CHAIN_SPECTRUM_WHITE_SPACE;
    if (s->kind != CHAIN_SPECTRUM_INCUMBENT && strcmp(record, "white-space") != 0)
        refuse(r, "record", "must be incumbent or white-space");
    s->low_hz = take_uint(r, "low_hz", 1000000000000);
    s->high_hz = take_uint(r, "high_hz", 1000000000000);
    s->from_ns = (int64_t)take_uint(r, "from_ns", (uint64_t)CHAIN_MAX_TIME_NS);
    s->until_ns = (int64_t)take_uint(r, "until_ns", (uint64_t)CHAIN_MAX_TIME_NS);
    s->lat_e7 = (int32_t)lround(take_real(r, "lat_deg", -90, 90) * 1e7);
    s->lon_e7 = (int32_t)lround(take_real(r, "lon_deg", -180, 180) * 1e7);
    s->radius_m = (uint32_t)take_uint(r, "radius_m", UINT32_MAX);
    s->protection_cdbm_mhz = (int32_t)lround(take_real(r, "protection_dbm_mhz", -200, 200) * 100);
}

static void read_withdraw(struct reader *r, struct chain_op *op)
{
    op->kind = CHAIN_OP_WITHDRAW;
    op->withdraw.record_id = take_uint(r, "record_id", INT64_MAX);
}

/* The value stays the JSON object's; app_ledger_op_read copies it. */
static void read_put(struct reader *r, struct chain_op *op)
{
    op->kind = CHAIN_OP_PUT;
    op->put.key = (uint32_t)take_uint(r, "key", UINT32_MAX);
    const json_t *value = take(r, "value", true);
    if (value && (!json_is_string(value) || json_string_length(value) > CHAIN_MAX_PUT_BYTES)) {
        refuse(r, "value", "must be text of at most %d octets", CHAIN_MAX_PUT_BYTES);
        return;
    }
    op->put.value = (const uint8_t *)json_string_value(value);
    op->put.value_len = json_string_length(value);
}

static void read_unauthorised(struct reader *r, struct chain_op *op)
{
    op->kind = CHAIN_OP_UNAUTHORISED;
    op->unauthorised.channel = (uint32_t)take_uint(r, "channel", CHAIN_MAX_CHANNELS - 1);
    op->unauthorised.suspect = take_key_id(r, "suspect", false);
    op->unauthorised.from_ns = (int64_t)take_uint(r, "from_ns", (uint64_t)CHAIN_MAX_TIME_NS);
    op->unauthorised.at_ns = (int64_t)take_uint(r, "at_ns", (uint64_t)CHAIN_MAX_TIME_NS);
    op->unauthorised.level_cdb = (int32_t)lround(take_real(r, "level_db", -1000, 1000) * 100);
}

static void read_pay(struct reader *r, struct chain_op *op)
{
    op->kind = CHAIN_OP_PAY;
    op->pay.to = take_key_id(r, "to", true);
    op->pay.amount = take_uint(r, "amount", INT64_MAX);
}

static void read_hop_mask(struct reader *r, struct chain_op *op)
{
    const json_t *channels = take(r, "channels", true);
    for (size_t i = 0; i < json_array_size(channels); i++) {
        json_int_t c = json_integer_value(json_array_get(channels, i));
        if (!json_is_integer(json_array_get(channels, i)) || c < 0 || c >= CHAIN_MAX_CHANNELS)
            refuse(r, "channels", "must be a list of numbers from 0 to %d", CHAIN_MAX_CHANNELS - 1);
        else if ((op->hop.mask >> c & 1) != 0)
            refuse(r, "channels", "%d stands there twice", (int)c);
        else
            op->hop.mask |= (uint8_t)(1u << c);
    }
    if (channels && json_array_size(channels) == 0)
        refuse(r, "channels", "must be a list of numbers from 0 to %d", CHAIN_MAX_CHANNELS - 1);
}

/* Who holds the seats, in their order: all members of the cluster file, unless the operation says so. */
static struct chain_members read_seats(struct reader *r)
{
    struct chain_members members = r->cluster->genesis.members;
    const json_t *seats = take(r, "seats", false);
    size_t n = json_array_size(seats);
    if (!seats)
        return members;
    if (n == 0 || n > CHAIN_MAX_MEMBERS)
        refuse(r, "seats", "must be a list of 1 to %d members", CHAIN_MAX_MEMBERS);
    for (size_t i = 0; i < n && !r->bad; i++) {
        uint32_t id = key_id_of(r, "seats", json_array_get(seats, i));
        if (!r->bad && id >= members.n_keys)
            refuse(r, "seats", "key %u is not in the cluster file", id);
        if (i > 0 && id <= members.seats[i - 1])
            refuse(r, "seats", "must be in the order of key ids, each once");
        members.seats[i] = (uint8_t)id;
    }
    members.n = r->bad ? 0 : (uint32_t)n;
    return members;
}

/* For a member: its key is drawn here and sealed to all seats; nobody else ever sees it. */
static void read_hop_epoch(struct reader *r, struct chain_op *op)
{
    uint8_t key[CHAIN_HOP_KEY_BYTES], secret[CHAIN_CURVE_BYTES];
    struct chain_members members = read_seats(r);
    op->kind = CHAIN_OP_HOP_EPOCH;
    op->hop.epoch = (uint32_t)take_uint(r, "epoch", UINT32_MAX);
    read_hop_mask(r, op);
    op->hop.from_ns = (int64_t)take_uint(r, "from_ns", (uint64_t)CHAIN_MAX_TIME_NS);
    op->hop.boxes = r->boxes;
    op->hop.boxes_len = (size_t)members.n * CHAIN_HOP_BOX_BYTES;
    randombytes_buf(key, sizeof key);
    randombytes_buf(secret, sizeof secret);
    chain_hop_commit(&members, op->hop.epoch, key, &op->hop.commitment);
    if (chain_hop_seal(&members, key, secret, op->hop.ephemeral, r->boxes) != 0)
        refuse(r, "op", "the key could not be sealed");
    sodium_memzero(key, sizeof key);
    sodium_memzero(secret, sizeof secret);
}

static const struct {
    const char *name;
    void (*read)(struct reader *r, struct chain_op *op);
} operations[] = {{"register", read_register}, {"grant", read_grant}, {"heartbeat", read_heartbeat}, {"relinquish", read_relinquish},
                  {"evidence", read_evidence}, {"admit", read_admit}, {"move", read_move}, {"deregister", read_deregister},
                  {"reconfigure", read_reconfigure}, {"equivocation", read_equivocation}, {"spectrum", read_spectrum},
                  {"withdraw", read_withdraw}, {"put", read_put}, {"unauthorised", read_unauthorised}, {"pay", read_pay},
                  {"hop-epoch", read_hop_epoch}};
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

static int read_object(const json_t *object, const struct app_node_cluster *cluster, struct app_ledger_op *out, char *error_out)
{
    if (!json_is_object(object)) {
        snprintf(error_out, APP_NODE_MAX_ERROR, "operation: no JSON object: another kind of value");
        return -EINVAL;
    }
    struct reader r = {.object = object, .cluster = cluster, .error = error_out, .boxes = out->value};
    memset(out, 0, sizeof *out);
    const char *name = take_text(&r, "op", 32);
    size_t i = 0;
    while (i < N_OPERATIONS && strcmp(operations[i].name, name) != 0)
        i++;
    if (i < N_OPERATIONS)
        operations[i].read(&r, &out->op);
    else
        refuse(&r, "op", "'%s' is none of them: airdeed ledger submit --help lists them", name);
    if (!r.bad)
        check_unknown(&r);
    if (!r.bad && out->op.kind == CHAIN_OP_PUT) {
        memcpy(out->value, out->op.put.value, out->op.put.value_len);
        out->op.put.value = out->value;
    }
    return r.bad ? -EINVAL : 0;
}

static json_t *parse(const char *json, char *error_out)
{
    json_error_t why;
    json_t *value = json_loads(json, JSON_REJECT_DUPLICATES, &why);
    if (!value)
        snprintf(error_out, APP_NODE_MAX_ERROR, "operation: no JSON object: %s", why.text);
    return value;
}

int app_ledger_op_read(const char *json, const struct app_node_cluster *cluster, struct app_ledger_op *out, char *error_out)
{
    json_t *value = parse(json, error_out);
    int err = value ? read_object(value, cluster, out, error_out) : -EINVAL;
    json_decref(value);
    return err;
}

int app_ledger_ops_read(const char *json, const struct app_node_cluster *cluster, struct app_ledger_op *out, size_t cap, char *error_out)
{
    json_t *value = parse(json, error_out);
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    int err = value ? 0 : -EINVAL;
    if (n == 0 || n > cap) {
        snprintf(error_out, APP_NODE_MAX_ERROR, n == 0 ? "operation: the array holds none" : "more than %d operations", CHAIN_MAX_TX_OPS);
        err = -EINVAL;
    }
    for (size_t i = 0; i < n && !err; i++) {
        char why[APP_NODE_MAX_ERROR];
        err = read_object(json_is_array(value) ? json_array_get(value, i) : value, cluster, &out[i], why);
        if (err && json_is_array(value)) /* which one */
            snprintf(error_out, APP_NODE_MAX_ERROR, "operation %zu%.300s", i + 1, why + strlen("operation"));
        else if (err)
            memcpy(error_out, why, sizeof why);
    }
    json_decref(value);
    return err ? err : (int)n;
}
