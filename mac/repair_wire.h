/* What stations that repair messages say to each other (docs/mac.md): octets to fields and back. Numbers are big-endian. */
#ifndef MAC_REPAIR_WIRE_H
#define MAC_REPAIR_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mac_repair_kind {
    MAC_REPAIR_WHOLE, /* a message that fits into one frame; the rest are its octets */
    MAC_REPAIR_PIECE,
    MAC_REPAIR_ASK
};

enum {
    MAC_REPAIR_WHOLE_BYTES = 1,
    MAC_REPAIR_ASK_BYTES = 12 + 8 /* at most */
};

struct mac_repair_frame {
    enum mac_repair_kind kind;
    uint32_t source, serial; /* whose message, and which */
    unsigned k;              /* pieces of the message, 2..64 */
    unsigned number;         /* PIECE: 0..k - 1 of the message, k..255 further ones */
    unsigned left;           /* PIECE: how many follow this one in the same go */
    size_t message_len;      /* PIECE: octets of the message */
    unsigned n_missing;      /* ASK: 1..k */
    unsigned n_vain;         /* ASK: asks of the sender before this one that brought nothing, at most 255 */
    uint64_t missing;        /* ASK: bit i: piece i of the message was not heard */
    const uint8_t *octets;   /* WHOLE, PIECE; borrowed */
    size_t len_bytes;
};

/* out: room for a header, MAC_REPAIR_HEADER_BYTES or MAC_REPAIR_ASK_BYTES; the octets of a piece go behind it. Returns its length. */
size_t mac_repair_write_header(const struct mac_repair_frame *frame, uint8_t *out);
/* False for octets that are none of ours, or whose fields contradict each other. */
bool mac_repair_read(const uint8_t *octets, size_t len_bytes, struct mac_repair_frame *out);
#endif
