/* IEEE 802.11 MPDUs (clause 9), without FCS. Data frames go from member to member (To DS = From DS = 0) under one fixed BSSID, their
 * body is an LLC/SNAP header with the local experimental EtherType 0x88B5, a fragment header of four octets and the payload
 * (docs/mac.md). A frame with a slot plan has EtherType 0x88B6, and the plan between fragment header and payload. Pure. */
#ifndef MAC_FRAME_H
#define MAC_FRAME_H

#include "mac/mac.h"

#include <string.h>

enum {
    MAC_DATA_HEADER_BYTES = 24,
    MAC_LLC_BYTES = 8,
    MAC_FRAGMENT_HEADER_BYTES = 4,
    MAC_DATA_OVERHEAD_BYTES = MAC_DATA_HEADER_BYTES + MAC_LLC_BYTES + MAC_FRAGMENT_HEADER_BYTES,
    MAC_SLOTS_LEN_BYTES = 1, /* goes before a slot plan */
    MAC_ACK_BYTES = 10,
    MAC_CTS_BYTES = 10,
    MAC_RTS_BYTES = 16,
    MAC_MAX_DURATION_US = 32767
};

/* OTHER: a frame that airdeed never sends, of which only duration_us and receiver hold. */
enum mac_frame_kind { MAC_FRAME_DATA, MAC_FRAME_ACK, MAC_FRAME_RTS, MAC_FRAME_CTS, MAC_FRAME_OTHER };

struct mac_frame {
    enum mac_frame_kind kind;
    bool retry, more_fragments;
    uint16_t duration_us;            /* 0..32767; an association id in its place reads as 0 */
    struct mac_address receiver;
    struct mac_address transmitter;  /* DATA, RTS */
    struct mac_address bssid;        /* DATA */
    uint16_t sequence;               /* DATA: 0..4095 */
    uint8_t fragment_number;         /* DATA: 0..15 */
    bool ours;                       /* DATA: our BSSID, our LLC/SNAP header, a whole fragment header */
    uint16_t message_id;             /* ours */
    uint8_t fragment, last_fragment; /* ours: index of this fragment and of the last one */
    const uint8_t *slots;            /* ours: a slot plan's octets, borrowed; NULL: none */
    size_t slots_len;
    const uint8_t *payload;          /* ours; borrowed */
    size_t payload_len;
};

extern const struct mac_address mac_bssid;

/* Writes the MPDU; the payload may already be where it belongs. Returns 0, -ENOBUFS when cap does not hold it, -EINVAL for a field out of its range or a kind that is never sent. */
__attribute__((warn_unused_result)) int mac_frame_write(const struct mac_frame *frame, uint8_t *out, size_t cap, size_t *len_out);
/* Reads any octets; returns 0, or -EBADMSG for what is no MPDU (too short, another protocol version). */
__attribute__((warn_unused_result)) int mac_frame_read(const uint8_t *mpdu, size_t len, struct mac_frame *out);
/* The same in two steps: all but `ours` and what holds only of ours, which is as much as a frame for somebody else is read for; and the
 * rest of a data frame of those octets. */
__attribute__((warn_unused_result)) int mac_frame_read_header(const uint8_t *mpdu, size_t len, struct mac_frame *out);
void mac_frame_read_body(const uint8_t *mpdu, size_t len, struct mac_frame *out);

static inline bool mac_address_equal(const struct mac_address *a, const struct mac_address *b)
{
    return memcmp(a->octets, b->octets, sizeof a->octets) == 0;
}

/* Broadcast or multicast. */
static inline bool mac_address_is_group(const struct mac_address *a)
{
    return (a->octets[0] & 0x01) != 0;
}
#endif
