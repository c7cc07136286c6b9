/* Duplicate filter (10.3.2.14): the last sequence controls of each station that was heard, the longest unheard one forgotten first. */
#ifndef MAC_DUP_H
#define MAC_DUP_H

#include "mac/frame.h"

enum { MAC_DUP_DEPTH = 16 };

struct mac_dup_peer {
    struct mac_address address;
    uint64_t used; /* serial of the last frame; 0: free */
    unsigned n, next;
    uint16_t seen[MAC_DUP_DEPTH]; /* sequence << 4 | fragment number */
};

struct mac_dup {
    struct mac_dup_peer *peers;
    size_t n_peers;
    uint64_t serial;
};

void mac_dup_init(struct mac_dup *d, struct mac_dup_peer *peers, size_t n_peers);
/* True if this data frame was seen before: its retry bit is set and its sequence control is remembered. Remembers it otherwise. */
bool mac_dup_check(struct mac_dup *d, const struct mac_frame *frame);
#endif
