#include "mac/dup.h"

#include <string.h>

void mac_dup_init(struct mac_dup *d, struct mac_dup_peer *peers, size_t n_peers, int64_t keep_ns)
{
    memset(peers, 0, n_peers * sizeof *peers);
    *d = (struct mac_dup){.peers = peers, .n_peers = n_peers, .keep_ns = keep_ns};
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

bool mac_dup_knows(const struct mac_dup *d, const struct mac_address *address)
{
    for (size_t i = 0; i < d->n_peers; i++)
        if (d->peers[i].used != 0 && mac_address_equal(&d->peers[i].address, address))
            return true;
    return false;
}

bool mac_dup_check(struct mac_dup *d, const struct mac_frame *frame, int64_t now_ns)
{
    struct mac_dup_peer *peer = find(d, &frame->transmitter);
    uint32_t key = (uint32_t)frame->sequence << 16 | frame->message_id;
    peer->used = ++d->serial;
    if (frame->retry)
        for (unsigned i = 0; i < peer->n; i++)
            if (peer->seen[i].key == key && now_ns - peer->seen[i].at_ns <= d->keep_ns)
                return true;
    peer->seen[peer->next] = (struct mac_dup_seen){.at_ns = now_ns, .key = key};
    peer->next = (peer->next + 1) % MAC_DUP_DEPTH;
    if (peer->n < MAC_DUP_DEPTH)
        peer->n++;
    return false;
}
