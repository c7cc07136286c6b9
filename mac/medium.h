/* What the station knows of its medium: carrier sense by the PHY, NAV, EIFS, quiet periods, and from when
 * on it may count slots. */
#ifndef MAC_MEDIUM_H
#define MAC_MEDIUM_H

#include "mac/mac.h"

enum { MAC_MAX_HOLDS = 4 };

struct mac_hold {
    int64_t from_ns, to_ns;
};

struct mac_medium {
    int64_t slot_ns, turnaround_ns, difs_ns, eifs_ns, longest_frame_ns;
    int64_t follow_ns; /* NAVTimeout (10.3.2.4): what belongs to an exchange has begun so soon after a frame's end */
    int64_t group_gap_ns;
    bool cca_busy, receiving;
    int64_t receive_limit_ns; /* a lock whose end is never reported ends here */
    int64_t cca_idle_ns, frame_end_ns;
    int64_t nav_ns, deaf_ns, own_ns, hold_ns, eifs_until_ns; /* each: unusable until then */
    /* NAV: where it falls back to if nothing begins until nav_check_ns (INT64_MAX: something did, or it need not) */
    int64_t nav_before_ns, nav_check_ns;
    bool nav_by_group;        /* a group frame said so: each frame that is heard has to be followed by another one */
    int64_t silent_from_ns;   /* since then nothing was heard in such a reservation; INT64_MAX: something was */
    int64_t patience_ns, patience_at_ns; /* how much such silence is kept to, as of then */
    uint64_t n_nav_dropped;
    int64_t busy_since_ns, busy_ns;
    size_t n_holds;
    struct mac_hold holds[MAC_MAX_HOLDS];
};

/* eifs_ns: SIFS + ACK + DIFS (10.3.7). */
void mac_medium_init(struct mac_medium *d, const struct mac_profile *profile, int64_t ack_ns, int64_t longest_frame_ns);
/* Busy by the PHY. */
static inline bool mac_medium_sensed(const struct mac_medium *d)
{
    return d->cca_busy || d->receiving;
}
void mac_medium_cca(struct mac_medium *d, bool busy, int64_t now_ns);
void mac_medium_lock(struct mac_medium *d, int64_t now_ns);
/* A lock ended. good: FCS holds. */
void mac_medium_frame(struct mac_medium *d, int64_t end_ns, bool good, int64_t now_ns);
/* A Duration field that reaches to until_ns. check_ns: if nothing has begun by then, it counts no longer (10.3.2.4); INT64_MAX: it
 * stands in any case. False if it reserves nothing new. */
bool mac_medium_nav(struct mac_medium *d, int64_t until_ns, int64_t check_ns, int64_t now_ns);
/* The same by a group frame that ended at end_ns. Something else has to begin within the group gap, and again after each frame, as long as
 * patience lasts: silence that nobody used takes from it, and an eighth of all time is added, up to one gap. Without patience: within follow_ns. */
bool mac_medium_nav_group(struct mac_medium *d, int64_t until_ns, int64_t end_ns, int64_t now_ns);
/* Until when the medium is reserved as far as is known now. */
int64_t mac_medium_reserved_ns(const struct mac_medium *d);
void mac_medium_deaf(struct mac_medium *d, int64_t until_ns, int64_t now_ns);
/* Another channel: nothing is known of what others reserved or sent there, as after a frame that was not understood. */
void mac_medium_retune(struct mac_medium *d, bool busy, int64_t now_ns);
/* The station itself occupies the medium until then (its frame, its wait for an ACK); what it was receiving is lost. */
void mac_medium_own(struct mac_medium *d, int64_t until_ns, int64_t now_ns);
/* Ends a reception that was never reported to have ended. */
void mac_medium_expire(struct mac_medium *d, int64_t now_ns);
void mac_medium_hold(struct mac_medium *d, int64_t from_ns, int64_t to_ns, int64_t now_ns);
/* End of the quiet periods that [start, start + len) would overlap, or INT64_MIN if it overlaps none. */
int64_t mac_medium_held_until(const struct mac_medium *d, int64_t start_ns, int64_t len_ns);
/* First instant at which a station may decide to send: a turnaround before the medium will have been idle for its inter-frame space;
 * INT64_MAX while it is sensed busy. */
int64_t mac_medium_ready_ns(const struct mac_medium *d);
/* The same for a station that does not listen before it sends: when itself is free. */
int64_t mac_medium_free_ns(const struct mac_medium *d);
#endif
