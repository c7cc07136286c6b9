#include "chain/op.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "chain/batch.h"
#include "chain/cbor.h"

enum { MAX_PEERS = 8, MAX_BOXES_BYTES = CHAIN_MAX_MEMBERS * CHAIN_HOP_BOX_BYTES };
static_assert(MAX_BOXES_BYTES + 3 + 2 * 34 + 9 + 5 + 2 + 2 <= CHAIN_MAX_OP_BYTES, "boxes for every seat fit");

static const char *const names[CHAIN_OP_N] = {
    [CHAIN_OP_REGISTER] = "register",   [CHAIN_OP_SENSE_COMMIT] = "sense-commit", [CHAIN_OP_SENSE_REVEAL] = "sense-reveal",
    [CHAIN_OP_GRANT] = "grant",         [CHAIN_OP_HEARTBEAT] = "heartbeat",       [CHAIN_OP_RELINQUISH] = "relinquish",
    [CHAIN_OP_EVIDENCE] = "evidence",   [CHAIN_OP_ADMIT] = "admit",               [CHAIN_OP_MOVE] = "move",
    [CHAIN_OP_DEREGISTER] = "deregister", [CHAIN_OP_RECONFIGURE] = "reconfigure", [CHAIN_OP_EQUIVOCATION] = "equivocation",
    [CHAIN_OP_SPECTRUM] = "spectrum",   [CHAIN_OP_WITHDRAW] = "withdraw",         [CHAIN_OP_PUT] = "put",
    [CHAIN_OP_UNAUTHORISED] = "unauthorised", [CHAIN_OP_PAY] = "pay",
    [CHAIN_OP_HOP_EPOCH] = "hop-epoch",
};

/* Items of each operation's array, its number included. */
static const size_t items[CHAIN_OP_N] = {
    [CHAIN_OP_REGISTER] = 5,  [CHAIN_OP_SENSE_COMMIT] = 3, [CHAIN_OP_SENSE_REVEAL] = 5, [CHAIN_OP_GRANT] = 5,
    [CHAIN_OP_HEARTBEAT] = 2, [CHAIN_OP_RELINQUISH] = 2,   [CHAIN_OP_EVIDENCE] = 8,     [CHAIN_OP_ADMIT] = 2,
    [CHAIN_OP_MOVE] = 4,      [CHAIN_OP_DEREGISTER] = 1,   [CHAIN_OP_RECONFIGURE] = 3,  [CHAIN_OP_EQUIVOCATION] = 10,
    [CHAIN_OP_SPECTRUM] = 10, [CHAIN_OP_WITHDRAW] = 2,     [CHAIN_OP_PUT] = 3,          [CHAIN_OP_UNAUTHORISED] = 6,
    [CHAIN_OP_PAY] = 3,       [CHAIN_OP_HOP_EPOCH] = 7,
};

const char *chain_op_name(enum chain_op_kind kind)
{
    return (unsigned)kind < CHAIN_OP_N && names[kind] ? names[kind] : "unknown";
}

static void put_report(struct chain_cbor_writer *w, const struct chain_sense_report *report)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < report->n_channels; i++)
        bits |= (uint64_t)report->occupied[i] << i;
    chain_cbor_put_uint(w, report->window);
    chain_cbor_put_uint(w, bits);
    chain_cbor_put_array(w, report->n_channels);
    for (uint32_t i = 0; i < report->n_channels; i++)
        chain_cbor_put_int(w, report->power_cdb[i]);
    chain_cbor_put_bytes(w, report->salt, CHAIN_SALT_BYTES);
}

int chain_sense_commitment(uint32_t author, const struct chain_sense_report *report, struct chain_hash *out)
{
    if (report->n_channels > CHAIN_MAX_CHANNELS)
        return -EINVAL;
    uint8_t octets[128];
    struct chain_cbor_writer w = {.out = octets, .cap = sizeof octets};
    chain_cbor_put_array(&w, 6);
    chain_cbor_put_text(&w, "airdeed-sense");
    chain_cbor_put_uint(&w, author);
    put_report(&w, report);
    chain_hash_of(octets, w.len, out);
    return 0;
}

static void put_grant(struct chain_cbor_writer *w, const struct chain_op *op)
{
    chain_cbor_put_uint(w, op->grant.low_hz);
    chain_cbor_put_uint(w, op->grant.high_hz);
    chain_cbor_put_int(w, op->grant.max_eirp_cdbm_mhz);
    chain_cbor_put_array(w, op->grant.n_peers);
    for (uint32_t i = 0; i < op->grant.n_peers; i++)
        chain_cbor_put_uint(w, op->grant.peers[i]);
}

static void put_evidence(struct chain_cbor_writer *w, const struct chain_op *op)
{
    chain_cbor_put_uint(w, op->evidence.channel);
    chain_cbor_put_uint(w, op->evidence.kind);
    chain_cbor_put_int(w, op->evidence.from_ns);
    chain_cbor_put_int(w, op->evidence.at_ns);
    chain_cbor_put_uint(w, op->evidence.confidence_permille);
    chain_cbor_put_uint(w, op->evidence.n_frames);
    chain_cbor_put_uint(w, op->evidence.n_good);
}

static void put_place(struct chain_cbor_writer *w, int32_t lat_e7, int32_t lon_e7, int32_t height_cm)
{
    chain_cbor_put_int(w, lat_e7);
    chain_cbor_put_int(w, lon_e7);
    chain_cbor_put_int(w, height_cm);
}

static void put_equivocation(struct chain_cbor_writer *w, const struct chain_equivocation *e)
{
    chain_cbor_put_uint(w, e->kind);
    chain_cbor_put_uint(w, e->epoch);
    chain_cbor_put_uint(w, e->author);
    chain_cbor_put_uint(w, e->view);
    chain_cbor_put_uint(w, e->seq);
    for (int i = 0; i < 2; i++) {
        chain_cbor_put_bytes(w, e->digest[i].octets, CHAIN_HASH_BYTES);
        chain_cbor_put_bytes(w, e->sig[i], CHAIN_SIG_BYTES);
    }
}

static void put_spectrum(struct chain_cbor_writer *w, const struct chain_spectrum *s)
{
    chain_cbor_put_uint(w, s->kind);
    chain_cbor_put_uint(w, s->low_hz);
    chain_cbor_put_uint(w, s->high_hz);
    chain_cbor_put_int(w, s->from_ns);
    chain_cbor_put_int(w, s->until_ns);
    chain_cbor_put_int(w, s->lat_e7);
    chain_cbor_put_int(w, s->lon_e7);
    chain_cbor_put_uint(w, s->radius_m);
    chain_cbor_put_int(w, s->protection_cdbm_mhz);
}

static void put_unauthorised(struct chain_cbor_writer *w, const struct chain_op *op)
{
    chain_cbor_put_uint(w, op->unauthorised.channel);
    if (op->unauthorised.suspect < CHAIN_MAX_KEYS)
        chain_cbor_put_uint(w, op->unauthorised.suspect);
    else
        chain_cbor_put_null(w);
    chain_cbor_put_int(w, op->unauthorised.from_ns);
    chain_cbor_put_int(w, op->unauthorised.at_ns);
    chain_cbor_put_int(w, op->unauthorised.level_cdb);
}

static void put_hop_epoch(struct chain_cbor_writer *w, const struct chain_op *op)
{
    chain_cbor_put_uint(w, op->hop.epoch);
    chain_cbor_put_uint(w, op->hop.mask);
    chain_cbor_put_int(w, op->hop.from_ns);
    chain_cbor_put_bytes(w, op->hop.commitment.octets, CHAIN_HASH_BYTES);
    chain_cbor_put_bytes(w, op->hop.ephemeral, CHAIN_CURVE_BYTES);
    chain_cbor_put_bytes(w, op->hop.boxes, op->hop.boxes_len);
}

/* Of counts that an operation carries itself. */
static bool within_bounds(const struct chain_op *op)
{
    switch (op->kind) {
    case CHAIN_OP_REGISTER:
        return memchr(op->reg.call_sign, 0, sizeof op->reg.call_sign) != NULL;
    case CHAIN_OP_SENSE_REVEAL:
        return op->reveal.n_channels <= CHAIN_MAX_CHANNELS;
    case CHAIN_OP_GRANT:
        return op->grant.n_peers <= MAX_PEERS;
    case CHAIN_OP_PUT:
        return op->put.value_len <= CHAIN_MAX_PUT_BYTES;
    case CHAIN_OP_UNAUTHORISED:
        return op->unauthorised.suspect <= CHAIN_MAX_KEYS;
    case CHAIN_OP_HOP_EPOCH:
        return op->hop.boxes_len <= MAX_BOXES_BYTES && op->hop.boxes_len % CHAIN_HOP_BOX_BYTES == 0;
    default:
        return (unsigned)op->kind < CHAIN_OP_N && items[op->kind] > 0;
    }
}

static void put_fields(struct chain_cbor_writer *w, const struct chain_op *op)
{
    switch (op->kind) {
    case CHAIN_OP_REGISTER:
        chain_cbor_put_text(w, op->reg.call_sign);
        put_place(w, op->reg.lat_e7, op->reg.lon_e7, op->reg.height_cm);
        break;
    case CHAIN_OP_SENSE_COMMIT:
        chain_cbor_put_uint(w, op->commit.window);
        chain_cbor_put_bytes(w, op->commit.commitment.octets, CHAIN_HASH_BYTES);
        break;
    case CHAIN_OP_SENSE_REVEAL:
        put_report(w, &op->reveal);
        break;
    case CHAIN_OP_GRANT:
        put_grant(w, op);
        break;
    case CHAIN_OP_HEARTBEAT:
    case CHAIN_OP_RELINQUISH:
        chain_cbor_put_uint(w, op->lease.grant_id);
        break;
    case CHAIN_OP_EVIDENCE:
        put_evidence(w, op);
        break;
    case CHAIN_OP_ADMIT:
        chain_cbor_put_bytes(w, op->admit.key, CHAIN_KEY_BYTES);
        break;
    case CHAIN_OP_MOVE:
        put_place(w, op->move.lat_e7, op->move.lon_e7, op->move.height_cm);
        break;
    case CHAIN_OP_RECONFIGURE:
        chain_cbor_put_bool(w, op->reconfigure.add);
        chain_cbor_put_uint(w, op->reconfigure.key_id);
        break;
    case CHAIN_OP_EQUIVOCATION:
        put_equivocation(w, &op->equivocation);
        break;
    case CHAIN_OP_SPECTRUM:
        put_spectrum(w, &op->spectrum);
        break;
    case CHAIN_OP_WITHDRAW:
        chain_cbor_put_uint(w, op->withdraw.record_id);
        break;
    case CHAIN_OP_PUT:
        chain_cbor_put_uint(w, op->put.key);
        chain_cbor_put_bytes(w, op->put.value, op->put.value_len);
        break;
    case CHAIN_OP_UNAUTHORISED:
        put_unauthorised(w, op);
        break;
    case CHAIN_OP_PAY:
        chain_cbor_put_uint(w, op->pay.to);
        chain_cbor_put_uint(w, op->pay.amount);
        break;
    case CHAIN_OP_HOP_EPOCH:
        put_hop_epoch(w, op);
        break;
    default: /* no fields */
        break;
    }
}

long chain_op_encode(const struct chain_op *op, uint8_t *out, size_t cap)
{
    if (!within_bounds(op))
        return -EINVAL;
    struct chain_cbor_writer w = {.out = out, .cap = cap};
    chain_cbor_put_array(&w, items[op->kind]);
    chain_cbor_put_uint(&w, op->kind);
    put_fields(&w, op);
    return chain_cbor_finish(&w);
}

static void get_report(struct chain_cbor_reader *r, struct chain_sense_report *report)
{
    report->window = chain_cbor_get_uint(r);
    uint64_t bits = chain_cbor_get_uint(r);
    report->n_channels = (uint32_t)chain_cbor_get_array(r, CHAIN_MAX_CHANNELS);
    for (uint32_t i = 0; i < report->n_channels; i++) {
        report->occupied[i] = bits >> i & 1;
        report->power_cdb[i] = chain_cbor_get_i32(r);
    }
    if (bits >> report->n_channels != 0)
        r->bad = true;
    chain_cbor_get_fixed(r, report->salt, CHAIN_SALT_BYTES);
}

static void get_grant(struct chain_cbor_reader *r, struct chain_op *op)
{
    op->grant.low_hz = chain_cbor_get_uint(r);
    op->grant.high_hz = chain_cbor_get_uint(r);
    op->grant.max_eirp_cdbm_mhz = chain_cbor_get_i32(r);
    op->grant.n_peers = (uint32_t)chain_cbor_get_array(r, MAX_PEERS);
    for (uint32_t i = 0; i < op->grant.n_peers; i++)
        op->grant.peers[i] = chain_cbor_get_u32(r);
}

static uint8_t get_u8(struct chain_cbor_reader *r)
{
    uint64_t value = chain_cbor_get_uint(r);
    if (value > UINT8_MAX)
        r->bad = true;
    return (uint8_t)value;
}

static void get_evidence(struct chain_cbor_reader *r, struct chain_op *op)
{
    op->evidence.channel = chain_cbor_get_u32(r);
    op->evidence.kind = get_u8(r);
    op->evidence.from_ns = chain_cbor_get_int(r);
    op->evidence.at_ns = chain_cbor_get_int(r);
    op->evidence.confidence_permille = chain_cbor_get_u32(r);
    op->evidence.n_frames = chain_cbor_get_u32(r);
    op->evidence.n_good = chain_cbor_get_u32(r);
}

static void get_place(struct chain_cbor_reader *r, int32_t *lat_e7, int32_t *lon_e7, int32_t *height_cm)
{
    *lat_e7 = chain_cbor_get_i32(r);
    *lon_e7 = chain_cbor_get_i32(r);
    *height_cm = chain_cbor_get_i32(r);
}

static void get_equivocation(struct chain_cbor_reader *r, struct chain_equivocation *e)
{
    e->kind = get_u8(r);
    e->epoch = chain_cbor_get_u32(r);
    e->author = chain_cbor_get_u32(r);
    e->view = chain_cbor_get_uint(r);
    e->seq = chain_cbor_get_uint(r);
    for (int i = 0; i < 2; i++) {
        chain_cbor_get_fixed(r, e->digest[i].octets, CHAIN_HASH_BYTES);
        chain_cbor_get_fixed(r, e->sig[i], CHAIN_SIG_BYTES);
    }
}

static void get_spectrum(struct chain_cbor_reader *r, struct chain_spectrum *s)
{
    s->kind = (enum chain_spectrum_kind)get_u8(r);
    s->low_hz = chain_cbor_get_uint(r);
    s->high_hz = chain_cbor_get_uint(r);
    s->from_ns = chain_cbor_get_int(r);
    s->until_ns = chain_cbor_get_int(r);
    s->lat_e7 = chain_cbor_get_i32(r);
    s->lon_e7 = chain_cbor_get_i32(r);
    s->radius_m = chain_cbor_get_u32(r);
    s->protection_cdbm_mhz = chain_cbor_get_i32(r);
}

static void get_put(struct chain_cbor_reader *r, struct chain_op *op)
{
    op->put.key = chain_cbor_get_u32(r);
    op->put.value = chain_cbor_get_bytes(r, &op->put.value_len);
    if (op->put.value_len > CHAIN_MAX_PUT_BYTES)
        r->bad = true;
}

static void get_unauthorised(struct chain_cbor_reader *r, struct chain_op *op)
{
    op->unauthorised.channel = chain_cbor_get_u32(r);
    op->unauthorised.suspect = CHAIN_MAX_KEYS;
    if (!chain_cbor_get_null(r)) {
        op->unauthorised.suspect = chain_cbor_get_u32(r);
        if (op->unauthorised.suspect >= CHAIN_MAX_KEYS)
            r->bad = true;
    }
    op->unauthorised.from_ns = chain_cbor_get_int(r);
    op->unauthorised.at_ns = chain_cbor_get_int(r);
    op->unauthorised.level_cdb = chain_cbor_get_i32(r);
}

static void get_hop_epoch(struct chain_cbor_reader *r, struct chain_op *op)
{
    op->hop.epoch = chain_cbor_get_u32(r);
    op->hop.mask = get_u8(r);
    op->hop.from_ns = chain_cbor_get_int(r);
    chain_cbor_get_fixed(r, op->hop.commitment.octets, CHAIN_HASH_BYTES);
    chain_cbor_get_fixed(r, op->hop.ephemeral, CHAIN_CURVE_BYTES);
    op->hop.boxes = chain_cbor_get_bytes(r, &op->hop.boxes_len);
    if (!within_bounds(op))
        r->bad = true;
}

static void get_fields(struct chain_cbor_reader *r, struct chain_op *op)
{
    switch (op->kind) {
    case CHAIN_OP_REGISTER:
        chain_cbor_get_text(r, op->reg.call_sign, sizeof op->reg.call_sign);
        get_place(r, &op->reg.lat_e7, &op->reg.lon_e7, &op->reg.height_cm);
        break;
    case CHAIN_OP_SENSE_COMMIT:
        op->commit.window = chain_cbor_get_uint(r);
        chain_cbor_get_fixed(r, op->commit.commitment.octets, CHAIN_HASH_BYTES);
        break;
    case CHAIN_OP_SENSE_REVEAL:
        get_report(r, &op->reveal);
        break;
    case CHAIN_OP_GRANT:
        get_grant(r, op);
        break;
    case CHAIN_OP_HEARTBEAT:
    case CHAIN_OP_RELINQUISH:
        op->lease.grant_id = chain_cbor_get_uint(r);
        break;
    case CHAIN_OP_EVIDENCE:
        get_evidence(r, op);
        break;
    case CHAIN_OP_ADMIT:
        chain_cbor_get_fixed(r, op->admit.key, CHAIN_KEY_BYTES);
        break;
    case CHAIN_OP_MOVE:
        get_place(r, &op->move.lat_e7, &op->move.lon_e7, &op->move.height_cm);
        break;
    case CHAIN_OP_RECONFIGURE:
        op->reconfigure.add = chain_cbor_get_bool(r);
        op->reconfigure.key_id = chain_cbor_get_u32(r);
        break;
    case CHAIN_OP_EQUIVOCATION:
        get_equivocation(r, &op->equivocation);
        break;
    case CHAIN_OP_SPECTRUM:
        get_spectrum(r, &op->spectrum);
        break;
    case CHAIN_OP_WITHDRAW:
        op->withdraw.record_id = chain_cbor_get_uint(r);
        break;
    case CHAIN_OP_PUT:
        get_put(r, op);
        break;
    case CHAIN_OP_UNAUTHORISED:
        get_unauthorised(r, op);
        break;
    case CHAIN_OP_PAY:
        op->pay.to = chain_cbor_get_u32(r);
        op->pay.amount = chain_cbor_get_uint(r);
        break;
    case CHAIN_OP_HOP_EPOCH:
        get_hop_epoch(r, op);
        break;
    default: /* no fields */
        break;
    }
}

int chain_op_decode_prefix(struct chain_op *out, const uint8_t *data, size_t len, size_t *used_out)
{
    memset(out, 0, sizeof *out);
    struct chain_cbor_reader r = {.data = data, .len = len < CHAIN_MAX_OP_BYTES ? len : CHAIN_MAX_OP_BYTES};
    size_t n = chain_cbor_get_array(&r, 10);
    uint64_t kind = chain_cbor_get_uint(&r);
    if (r.bad || kind == 0 || kind >= CHAIN_OP_N || n != items[kind])
        return -EBADMSG;
    out->kind = (enum chain_op_kind)kind;
    get_fields(&r, out);
    *used_out = r.pos;
    return r.bad ? -EBADMSG : 0;
}

int chain_op_decode(struct chain_op *out, const uint8_t *data, size_t len)
{
    size_t used;
    return chain_op_decode_prefix(out, data, len, &used) == 0 && used == len ? 0 : -EBADMSG;
}
