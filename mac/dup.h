/* Duplicate filter (10.3.2.14): the last sequence controls of each station that was heard, the longest unheard one forgotten first. */
#ifndef MAC_DUP_H
#define MAC_DUP_H

#include "mac/frame.h"

enum { MAC_DUP_DEPTH = 16 };

struct mac_dup_peer {
    struct mac_address address;
    uint64_t used; /* serial of the last frame; 0: free */
    unsigned n, next;
    struct mac_dup_seen {
        int64_t at_ns;
        uint32_t key; /* sequence number, message id */
    } seen[MAC_DUP_DEPTH];
};

struct mac_dup {
    struct mac_dup_peer *peers;
    size_t n_peers;
    uint64_t serial;
    int64_t keep_ns;
};

void mac_dup_init(struct mac_dup *d, struct mac_dup_peer *peers, size_t n_peers, int64_t keep_ns);
/* True if this frame of ours was seen before: its retry bit is set, and its sequence number is remembered with the same message and
 * fragment. Remembers it otherwise, for keep_ns, beyond which nobody retries: a sender that starts again is never taken for its past. */
bool mac_dup_check(struct mac_dup *d, const struct mac_frame *frame, int64_t now_ns);
/* True if frames of this sender were remembered since the start. */
bool mac_dup_knows(const struct mac_dup *d, const struct mac_address *address);
#endif
