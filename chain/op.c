#include "chain/op.h"

#include <errno.h>
#include <string.h>

#include "chain/batch.h"
#include "chain/cbor.h"

enum { MAX_PEERS = 8 };

static const char *const names[CHAIN_OP_N] = {
    [CHAIN_OP_REGISTER] = "register",   [CHAIN_OP_SENSE_COMMIT] = "sense-commit", [CHAIN_OP_SENSE_REVEAL] = "sense-reveal",
    [CHAIN_OP_GRANT] = "grant",         [CHAIN_OP_HEARTBEAT] = "heartbeat",       [CHAIN_OP_RELINQUISH] = "relinquish",
    [CHAIN_OP_EVIDENCE] = "evidence",
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
    chain_cbor_put_array(w, 5);
    chain_cbor_put_uint(w, op->kind);
    chain_cbor_put_uint(w, op->grant.low_hz);
    chain_cbor_put_uint(w, op->grant.high_hz);
    chain_cbor_put_int(w, op->grant.max_eirp_cdbm_mhz);
    chain_cbor_put_array(w, op->grant.n_peers);
    for (uint32_t i = 0; i < op->grant.n_peers; i++)
        chain_cbor_put_uint(w, op->grant.peers[i]);
}

static void put_evidence(struct chain_cbor_writer *w, const struct chain_op *op)
{
    chain_cbor_put_array(w, 8);
    chain_cbor_put_uint(w, op->kind);
    chain_cbor_put_uint(w, op->evidence.channel);
    chain_cbor_put_uint(w, op->evidence.kind);
    chain_cbor_put_int(w, op->evidence.from_ns);
    chain_cbor_put_int(w, op->evidence.at_ns);
    chain_cbor_put_uint(w, op->evidence.confidence_permille);
    chain_cbor_put_uint(w, op->evidence.n_frames);
    chain_cbor_put_uint(w, op->evidence.n_good);
}

static void put_register(struct chain_cbor_writer *w, const struct chain_op *op)
{
    chain_cbor_put_array(w, 5);
    chain_cbor_put_uint(w, op->kind);
    chain_cbor_put_text(w, op->reg.call_sign);
    chain_cbor_put_int(w, op->reg.lat_e7);
    chain_cbor_put_int(w, op->reg.lon_e7);
    chain_cbor_put_int(w, op->reg.height_cm);
}

long chain_op_encode(const struct chain_op *op, uint8_t *out, size_t cap)
{
    struct chain_cbor_writer w = {.out = out, .cap = cap};
    switch (op->kind) {
    case CHAIN_OP_REGISTER:
        if (!memchr(op->reg.call_sign, 0, sizeof op->reg.call_sign))
            return -EINVAL;
        put_register(&w, op);
        break;
    case CHAIN_OP_SENSE_COMMIT:
        chain_cbor_put_array(&w, 3);
        chain_cbor_put_uint(&w, op->kind);
        chain_cbor_put_uint(&w, op->commit.window);
        chain_cbor_put_bytes(&w, op->commit.commitment.octets, CHAIN_HASH_BYTES);
        break;
    case CHAIN_OP_SENSE_REVEAL:
        if (op->reveal.n_channels > CHAIN_MAX_CHANNELS)
            return -EINVAL;
        chain_cbor_put_array(&w, 5);
        chain_cbor_put_uint(&w, op->kind);
        put_report(&w, &op->reveal);
        break;
    case CHAIN_OP_GRANT:
        if (op->grant.n_peers > MAX_PEERS)
            return -EINVAL;
        put_grant(&w, op);
        break;
    case CHAIN_OP_HEARTBEAT:
    case CHAIN_OP_RELINQUISH:
        chain_cbor_put_array(&w, 2);
        chain_cbor_put_uint(&w, op->kind);
        chain_cbor_put_uint(&w, op->lease.grant_id);
        break;
    case CHAIN_OP_EVIDENCE:
        put_evidence(&w, op);
        break;
    default:
        return -EINVAL;
    }
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

static void get_evidence(struct chain_cbor_reader *r, struct chain_op *op)
{
    op->evidence.channel = chain_cbor_get_u32(r);
    uint64_t kind = chain_cbor_get_uint(r);
    if (kind > UINT8_MAX)
        r->bad = true;
    op->evidence.kind = (uint8_t)kind;
    op->evidence.from_ns = chain_cbor_get_int(r);
    op->evidence.at_ns = chain_cbor_get_int(r);
    op->evidence.confidence_permille = chain_cbor_get_u32(r);
    op->evidence.n_frames = chain_cbor_get_u32(r);
    op->evidence.n_good = chain_cbor_get_u32(r);
}

static void get_register(struct chain_cbor_reader *r, struct chain_op *op)
{
    chain_cbor_get_text(r, op->reg.call_sign, sizeof op->reg.call_sign);
    op->reg.lat_e7 = chain_cbor_get_i32(r);
    op->reg.lon_e7 = chain_cbor_get_i32(r);
    op->reg.height_cm = chain_cbor_get_i32(r);
}

int chain_op_decode_prefix(struct chain_op *out, const uint8_t *data, size_t len, size_t *used_out)
{
    static const size_t items[CHAIN_OP_N] = {
        [CHAIN_OP_REGISTER] = 5,  [CHAIN_OP_SENSE_COMMIT] = 3, [CHAIN_OP_SENSE_REVEAL] = 5, [CHAIN_OP_GRANT] = 5,
        [CHAIN_OP_HEARTBEAT] = 2, [CHAIN_OP_RELINQUISH] = 2,   [CHAIN_OP_EVIDENCE] = 8,
    };
    memset(out, 0, sizeof *out);
    struct chain_cbor_reader r = {.data = data, .len = len < CHAIN_MAX_OP_BYTES ? len : CHAIN_MAX_OP_BYTES};
    size_t n = chain_cbor_get_array(&r, 8);
    uint64_t kind = chain_cbor_get_uint(&r);
    if (r.bad || kind == 0 || kind >= CHAIN_OP_N || n != items[kind])
        return -EBADMSG;
    out->kind = (enum chain_op_kind)kind;
    if (kind == CHAIN_OP_REGISTER) {
        get_register(&r, out);
    } else if (kind == CHAIN_OP_SENSE_COMMIT) {
        out->commit.window = chain_cbor_get_uint(&r);
        chain_cbor_get_fixed(&r, out->commit.commitment.octets, CHAIN_HASH_BYTES);
    } else if (kind == CHAIN_OP_SENSE_REVEAL) {
        get_report(&r, &out->reveal);
    } else if (kind == CHAIN_OP_GRANT) {
        get_grant(&r, out);
    } else if (kind == CHAIN_OP_EVIDENCE) {
        get_evidence(&r, out);
    } else {
        out->lease.grant_id = chain_cbor_get_uint(&r);
    }
    *used_out = r.pos;
    return r.bad ? -EBADMSG : 0;
}

int chain_op_decode(struct chain_op *out, const uint8_t *data, size_t len)
{
    size_t used;
    return chain_op_decode_prefix(out, data, len, &used) == 0 && used == len ? 0 : -EBADMSG;
}
