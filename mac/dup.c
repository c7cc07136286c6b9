#include "mac/dup.h"

#include <string.h>

void mac_dup_init(struct mac_dup *d, struct mac_dup_peer *peers, size_t n_peers)
{
    memset(peers, 0, n_peers * sizeof *peers);
    *d = (struct mac_dup){.peers = peers, .n_peers = n_peers};
}

static struct mac_dup_peer *find(struct mac_dup *d, const struct mac_address *address)
{
    struct mac_dup_peer *oldest = &d->peers[0];
    for (size_t i = 0; i < d->n_peers; i++) {
        struct mac_dup_peer *peer = &d->peers[i];
        if (peer->used != 0 && mac_address_equal(&peer->address, address))
            return peer;
        if (peer->used < oldest->used)
            oldest = peer;
    }
    *oldest = (struct mac_dup_peer){.address = *address};
    return oldest;
}

bool mac_dup_check(struct mac_dup *d, const struct mac_frame *frame)
{
    struct mac_dup_peer *peer = find(d, &frame->transmitter);
    uint16_t control = (uint16_t)(frame->sequence << 4 | frame->fragment_number);
    peer->used = ++d->serial;
    if (frame->retry)
        for (unsigned i = 0; i < peer->n; i++)
            if (peer->seen[i] == control)
                return true;
    peer->seen[peer->next] = control;
    peer->next = (peer->next + 1) % MAC_DUP_DEPTH;
    if (peer->n < MAC_DUP_DEPTH)
        peer->n++;
    return false;
}
