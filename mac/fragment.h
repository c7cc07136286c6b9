/* Messages cut into fragments, and put together again per (source, message id). */
#ifndef MAC_FRAGMENT_H
#define MAC_FRAGMENT_H

#include "mac/frame.h"

enum {
    MAC_MAX_FRAGMENTS = 256,
    /* a message of the greatest length must fit into that many */
    MAC_MIN_FRAGMENT_PAYLOAD = MAC_MAX_MESSAGE_BYTES / MAC_MAX_FRAGMENTS,
    MAC_MIN_FRAGMENT_BYTES = MAC_LLC_BYTES + MAC_FRAGMENT_HEADER_BYTES + MAC_MIN_FRAGMENT_PAYLOAD,
    /* room for a last fragment that comes first, behind the longest message */
    MAC_REASSEMBLY_BYTES = MAC_MAX_MESSAGE_BYTES + MAC_MAX_MPDU_BYTES
};

/* Octets of message in each fragment but the last. */
size_t mac_fragment_payload(const struct mac_profile *profile);
/* Number of the last fragment of a message, of so many octets each. */
unsigned mac_fragment_last(size_t payload_bytes, size_t len_bytes);

struct mac_reassembly_slot {
    bool used, broadcast;
    struct mac_address from;
    uint16_t message_id;
    unsigned last_fragment, n_have;
    size_t fragment_len; /* of each but the last; 0: not yet known */
    size_t last_len;
    int64_t expires_ns;
    uint8_t have[MAC_MAX_FRAGMENTS / 8];
    uint8_t *buffer; /* MAC_REASSEMBLY_BYTES */
};

struct mac_reassembly {
    struct mac_reassembly_slot *slots;
    size_t n_slots;
    int64_t keep_ns;
    uint64_t n_done, n_dropped;
    int64_t deadline_ns; /* of the message that is given up first; INT64_MAX: none is begun */
};

void mac_reassembly_init(struct mac_reassembly *r, struct mac_reassembly_slot *slots, size_t n_slots, uint8_t *buffers, int64_t keep_ns);
/* Takes one fragment of ours. True when it completed a message: *message_out (in the slot's buffer, or the frame's payload when
 * the message is one fragment) stays until the next call. */
bool mac_reassembly_add(struct mac_reassembly *r, const struct mac_frame *frame, int64_t now_ns, const uint8_t **message_out,
                        size_t *len_out);
/* Drops what is overdue. */
void mac_reassembly_expire(struct mac_reassembly *r, int64_t now_ns);
static inline int64_t mac_reassembly_deadline(const struct mac_reassembly *r)
{
    return r->deadline_ns;
}
#endif
