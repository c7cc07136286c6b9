#include "mac/frame.h"

#include <errno.h>

/* Frame Control, 9.2.4.1: octet 0 = version (2 bits), type (2), subtype (4); octet 1 = flags. */
enum {
    TYPE_CONTROL = 1, TYPE_DATA = 2,
    SUBTYPE_DATA = 0, SUBTYPE_RTS = 11, SUBTYPE_CTS = 12, SUBTYPE_ACK = 13,
    FLAG_TO_DS = 0x01, FLAG_FROM_DS = 0x02, FLAG_MORE_FRAGMENTS = 0x04, FLAG_RETRY = 0x08, FLAG_PROTECTED = 0x40, FLAG_ORDER = 0x80
};

const struct mac_address mac_bssid = {{0x06, 0xad, 0x1a, 0x1d, 0xee, 0xd0}};
static const uint8_t llc_snap[MAC_LLC_BYTES] = {0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00, 0x88, 0xb5};
static const uint8_t llc_snap_slots[MAC_LLC_BYTES] = {0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00, 0x88, 0xb6};

static void put_u16(uint8_t *out, uint16_t value)
{
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
}

static uint16_t get_u16(const uint8_t *in)
{
    return (uint16_t)(in[0] | in[1] << 8);
}

static void put_address(uint8_t *out, const struct mac_address *address)
{
    memcpy(out, address->octets, sizeof address->octets);
}

static struct mac_address get_address(const uint8_t *in)
{
    struct mac_address address;
    memcpy(address.octets, in, sizeof address.octets);
    return address;
}

static int write_control(const struct mac_frame *frame, uint8_t *out, size_t cap, size_t *len_out)
{
    bool rts = frame->kind == MAC_FRAME_RTS;
    size_t len = rts ? MAC_RTS_BYTES : MAC_ACK_BYTES;
    unsigned subtype = rts ? SUBTYPE_RTS : frame->kind == MAC_FRAME_CTS ? SUBTYPE_CTS : SUBTYPE_ACK;
    if (cap < len)
        return -ENOBUFS;
    out[0] = (uint8_t)(TYPE_CONTROL << 2 | subtype << 4);
    out[1] = 0;
    put_u16(out + 2, frame->duration_us);
    put_address(out + 4, &frame->receiver);
    if (rts)
        put_address(out + 10, &frame->transmitter);
    *len_out = len;
    return 0;
}

static int write_data(const struct mac_frame *frame, uint8_t *out, size_t cap, size_t *len_out)
{
    if (frame->sequence > 4095 || frame->fragment_number > 15 || frame->fragment > frame->last_fragment)
        return -EINVAL;
    size_t overhead = MAC_DATA_OVERHEAD_BYTES + (frame->slots ? MAC_SLOTS_LEN_BYTES + frame->slots_len : 0);
    if (frame->slots && frame->slots_len > UINT8_MAX)
        return -EINVAL;
    if (frame->payload_len > cap || cap - frame->payload_len < overhead)
        return -ENOBUFS;
    out[0] = TYPE_DATA << 2 | SUBTYPE_DATA << 4;
    out[1] = (uint8_t)((frame->more_fragments ? FLAG_MORE_FRAGMENTS : 0) | (frame->retry ? FLAG_RETRY : 0));
    put_u16(out + 2, frame->duration_us);
    put_address(out + 4, &frame->receiver);
    put_address(out + 10, &frame->transmitter);
    put_address(out + 16, &frame->bssid);
    put_u16(out + 22, (uint16_t)(frame->sequence << 4 | frame->fragment_number));
    uint8_t *body = out + MAC_DATA_HEADER_BYTES;
    memcpy(body, frame->slots ? llc_snap_slots : llc_snap, sizeof llc_snap);
    put_u16(body + MAC_LLC_BYTES, frame->message_id);
    body[MAC_LLC_BYTES + 2] = frame->fragment;
    body[MAC_LLC_BYTES + 3] = frame->last_fragment;
    if (frame->slots) {
        out[MAC_DATA_OVERHEAD_BYTES] = (uint8_t)frame->slots_len;
        if (frame->slots_len > 0)
            memcpy(out + MAC_DATA_OVERHEAD_BYTES + MAC_SLOTS_LEN_BYTES, frame->slots, frame->slots_len);
    }
    if (frame->payload_len > 0 && frame->payload != out + overhead)
        memcpy(out + overhead, frame->payload, frame->payload_len);
    *len_out = overhead + frame->payload_len;
    return 0;
}

int mac_frame_write(const struct mac_frame *frame, uint8_t *out, size_t cap, size_t *len_out)
{
    if (frame->kind == MAC_FRAME_OTHER || frame->duration_us > MAC_MAX_DURATION_US)
        return -EINVAL;
    if (frame->kind == MAC_FRAME_DATA)
        return write_data(frame, out, cap, len_out);
    return write_control(frame, out, cap, len_out);
}

void mac_frame_read_body(const uint8_t *mpdu, size_t mpdu_len, struct mac_frame *out)
{
    /* 802.11's own fragments are nobody's here: sixteen of them do not hold a message (docs/mac.md) */
    bool foreign = (mpdu[1] & (FLAG_TO_DS | FLAG_FROM_DS | FLAG_PROTECTED | FLAG_ORDER)) != 0 || out->more_fragments ||
                   out->fragment_number != 0 || !mac_address_equal(&out->bssid, &mac_bssid) ||
                   mac_address_is_group(&out->transmitter);
    const uint8_t *body = mpdu + MAC_DATA_HEADER_BYTES;
    size_t len = mpdu_len - MAC_DATA_HEADER_BYTES;
    if (foreign || len < MAC_LLC_BYTES + MAC_FRAGMENT_HEADER_BYTES)
        return;
    bool slots = memcmp(body, llc_snap_slots, sizeof llc_snap_slots) == 0;
    const uint8_t *header = body + MAC_LLC_BYTES;
    if ((!slots && memcmp(body, llc_snap, sizeof llc_snap) != 0) || header[2] > header[3])
        return;
    size_t left = len - MAC_LLC_BYTES - MAC_FRAGMENT_HEADER_BYTES, skip = 0;
    if (slots) {
        skip = left < MAC_SLOTS_LEN_BYTES ? left : MAC_SLOTS_LEN_BYTES + (size_t)header[MAC_FRAGMENT_HEADER_BYTES];
        if (left < MAC_SLOTS_LEN_BYTES || skip > left || header[2] != header[3])
            return;
        out->slots = header + MAC_FRAGMENT_HEADER_BYTES + MAC_SLOTS_LEN_BYTES;
        out->slots_len = skip - MAC_SLOTS_LEN_BYTES;
    }
    out->ours = true;
    out->message_id = get_u16(header);
    out->fragment = header[2];
    out->last_fragment = header[3];
    out->payload = header + MAC_FRAGMENT_HEADER_BYTES + skip;
    out->payload_len = left - skip;
}

static int read_data(const uint8_t *mpdu, size_t len, struct mac_frame *out)
{
    if (len < MAC_DATA_HEADER_BYTES)
        return -EBADMSG;
    out->kind = MAC_FRAME_DATA;
    out->transmitter = get_address(mpdu + 10);
    out->bssid = get_address(mpdu + 16);
    uint16_t control = get_u16(mpdu + 22);
    out->sequence = (uint16_t)(control >> 4);
    out->fragment_number = (uint8_t)(control & 0x0f);
    return 0;
}

int mac_frame_read(const uint8_t *mpdu, size_t len, struct mac_frame *out)
{
    int rc = mac_frame_read_header(mpdu, len, out);
    if (rc == 0 && out->kind == MAC_FRAME_DATA)
        mac_frame_read_body(mpdu, len, out);
    return rc;
}

int mac_frame_read_header(const uint8_t *mpdu, size_t len, struct mac_frame *out)
{
    *out = (struct mac_frame){0};
    if (len < MAC_ACK_BYTES || len > MAC_MAX_MPDU_BYTES || (mpdu[0] & 0x03) != 0)
        return -EBADMSG;
    unsigned type = mpdu[0] >> 2 & 0x03, subtype = mpdu[0] >> 4;
    uint16_t duration = get_u16(mpdu + 2);
    out->kind = MAC_FRAME_OTHER;
    out->retry = (mpdu[1] & FLAG_RETRY) != 0;
    out->more_fragments = (mpdu[1] & FLAG_MORE_FRAGMENTS) != 0;
    out->duration_us = duration <= MAC_MAX_DURATION_US ? duration : 0;
    out->receiver = get_address(mpdu + 4);
    if (type == TYPE_DATA && subtype == SUBTYPE_DATA)
        return read_data(mpdu, len, out);
    if (type != TYPE_CONTROL)
        return 0;
    if (subtype == SUBTYPE_ACK && len == MAC_ACK_BYTES)
        out->kind = MAC_FRAME_ACK;
    else if (subtype == SUBTYPE_CTS && len == MAC_CTS_BYTES)
        out->kind = MAC_FRAME_CTS;
    else if (subtype == SUBTYPE_RTS && len == MAC_RTS_BYTES)
        out->kind = MAC_FRAME_RTS;
    else if (subtype == SUBTYPE_ACK || subtype == SUBTYPE_CTS || subtype == SUBTYPE_RTS)
        return -EBADMSG;
    if (out->kind == MAC_FRAME_RTS)
        out->transmitter = get_address(mpdu + 10);
    return 0;
}
