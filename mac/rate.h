/* The rate for each neighbour, by sampling: mostly the one that carried most octets a second so far, sometimes another one to learn
 * (after Minstrel: D. Smithies, 2005), in integers and keyed draws. Group frames, which nobody acknowledges, go at the slowest of the
 * rates that reach every neighbour. Pure; memory is the caller's. */
#ifndef MAC_RATE_H
#define MAC_RATE_H

#include "mac/draw.h"
#include "mac/mac.h"

enum { MAC_MAX_RATES = 16 };

struct mac_rate_peer {
    struct mac_address address;
    int64_t used_ns;      /* last heard or sent to; INT64_MIN: free */
    int64_t interval_ns;  /* start of what is being counted */
    unsigned best, second, surest; /* most octets a second, second most, likeliest to arrive */
    struct mac_rate_row {
        uint16_t permille;   /* of frames acknowledged: a mean in which an interval weighs a quarter */
        uint16_t ok, tries;  /* of the interval */
        bool known;
    } rates[MAC_MAX_RATES];
};

struct mac_rate {
    struct mac_draw_key key;
    unsigned n_rates;
    int64_t frame_ns[MAC_MAX_RATES]; /* airtime of a frame of middling length with its ACK */
    unsigned slowest;
    struct mac_rate_peer *peers;
    size_t n_peers;
    uint64_t n_draws;
    int64_t now_ns; /* of the latest report */
};

/* peers: room for cfg->max_peers. ack_ns: SIFS and ACK. */
void mac_rate_init(struct mac_rate *r, const struct mac_config *cfg, int64_t ack_ns, struct mac_rate_peer *peers);
/* For a unicast frame that was tried `tries` times. */
unsigned mac_rate_choose(struct mac_rate *r, const struct mac_address *to, unsigned tries);
void mac_rate_report(struct mac_rate *r, const struct mac_address *to, unsigned rate, bool acked, int64_t now_ns);
/* A frame of this neighbour was heard: group frames are meant for it. */
void mac_rate_heard(struct mac_rate *r, const struct mac_address *from, int64_t now_ns);
/* The slowest of what the neighbours heard lately need; basic_rate while that is not known of one of them, or there is none. */
unsigned mac_rate_group(const struct mac_rate *r, unsigned basic_rate);
#endif
