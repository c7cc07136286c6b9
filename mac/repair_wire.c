#include "mac/repair_wire.h"

#include "mac/repair.h"

enum { COMMON_BYTES = 10, ASK_HEAD_BYTES = 12 };

static uint8_t *put(uint8_t *out, uint64_t value, unsigned n_octets)
{
    for (unsigned i = 0; i < n_octets; i++)
        out[i] = (uint8_t)(value >> 8 * (n_octets - 1 - i));
    return out + n_octets;
}

static uint64_t get(const uint8_t *in, unsigned n_octets)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n_octets; i++)
        value = value << 8 | in[i];
    return value;
}

static unsigned bitmap_bytes(unsigned k)
{
    return (k + 7) / 8;
}

size_t mac_repair_write_header(const struct mac_repair_frame *frame, uint8_t *out)
{
    uint8_t *at = put(out, frame->kind, 1);
    if (frame->kind == MAC_REPAIR_WHOLE)
        return MAC_REPAIR_WHOLE_BYTES;
    at = put(at, frame->source, 4);
    at = put(at, frame->serial, 4);
    at = put(at, frame->k - 1, 1);
    if (frame->kind == MAC_REPAIR_ASK) {
        at = put(at, frame->n_missing, 1);
        at = put(at, frame->n_vain, 1);
        at = put(at, frame->missing, bitmap_bytes(frame->k));
    } else {
        at = put(at, frame->number, 1);
        at = put(at, frame->left, 1);
        at = put(at, frame->message_len, 3);
    }
    return (size_t)(at - out);
}

static bool read_ask(const uint8_t *octets, size_t len_bytes, struct mac_repair_frame *out)
{
    if (len_bytes != ASK_HEAD_BYTES + bitmap_bytes(out->k))
        return false;
    out->n_missing = octets[COMMON_BYTES];
    out->n_vain = octets[COMMON_BYTES + 1];
    out->missing = get(octets + ASK_HEAD_BYTES, bitmap_bytes(out->k));
    bool beyond = out->k < 64 && out->missing >> out->k != 0;
    return out->n_missing >= 1 && out->n_missing <= out->k && !beyond;
}

/* All pieces are equally long, but the last of the message, which ends with it. */
static bool read_piece(const uint8_t *octets, size_t len_bytes, struct mac_repair_frame *out)
{
    if (len_bytes <= MAC_REPAIR_HEADER_BYTES)
        return false;
    out->number = octets[COMMON_BYTES];
    out->left = octets[COMMON_BYTES + 1];
    out->message_len = (size_t)get(octets + COMMON_BYTES + 2, 3);
    out->octets = octets + MAC_REPAIR_HEADER_BYTES;
    out->len_bytes = len_bytes - MAC_REPAIR_HEADER_BYTES;
    if (out->number == out->k - 1)
        return out->message_len > out->len_bytes && (out->message_len - out->len_bytes) % (out->k - 1) == 0 &&
               (out->message_len - out->len_bytes) / (out->k - 1) >= out->len_bytes;
    return out->message_len > out->len_bytes * (out->k - 1) && out->message_len <= out->len_bytes * out->k;
}

bool mac_repair_read(const uint8_t *octets, size_t len_bytes, struct mac_repair_frame *out)
{
    *out = (struct mac_repair_frame){0};
    if (len_bytes < MAC_REPAIR_WHOLE_BYTES + 1 || octets[0] > MAC_REPAIR_ASK)
        return false;
    out->kind = (enum mac_repair_kind)octets[0];
    if (out->kind == MAC_REPAIR_WHOLE) {
        out->octets = octets + MAC_REPAIR_WHOLE_BYTES;
        out->len_bytes = len_bytes - MAC_REPAIR_WHOLE_BYTES;
        return true;
    }
    if (len_bytes < COMMON_BYTES + 1)
        return false;
    out->source = (uint32_t)get(octets + 1, 4);
    out->serial = (uint32_t)get(octets + 5, 4);
    out->k = octets[9] + 1u;
    if (out->k < 2 || out->k > MAC_REPAIR_MAX_PIECES)
        return false;
    return out->kind == MAC_REPAIR_ASK ? read_ask(octets, len_bytes, out) : read_piece(octets, len_bytes, out);
}
