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
    bool cca_busy, receiving;
    bool nav_by_group;        /* a group frame said so: each frame that is heard has to be followed by another one */
    int64_t receive_limit_ns; /* a lock whose end is never reported ends here */
    int64_t cca_idle_ns, frame_end_ns;
    int64_t nav_ns, deaf_ns, own_ns, hold_ns, eifs_until_ns; /* each: unusable until then */
    /* NAV: where it falls back to if nothing begins until nav_check_ns (INT64_MAX: something did, or it need not) */
    int64_t nav_before_ns, nav_check_ns;
    int64_t silent_from_ns;   /* since then nothing was heard in such a reservation; INT64_MAX: something was */
    int64_t busy_since_ns, busy_ns;
    int64_t slot_ns, turnaround_ns, difs_ns, eifs_ns, longest_frame_ns;
    int64_t follow_ns; /* NAVTimeout (10.3.2.4): what belongs to an exchange has begun so soon after a frame's end */
    int64_t group_gap_ns;
    int64_t patience_ns, patience_at_ns; /* how much such silence is kept to, as of then */
    uint64_t n_nav_dropped;
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
static inline void mac_medium_lock(struct mac_medium *d, int64_t now_ns);
/* A lock ended. good: FCS holds. */
static inline void mac_medium_frame(struct mac_medium *d, int64_t end_ns, bool good, int64_t now_ns);
/* A Duration field that reaches to until_ns. check_ns: if nothing has begun by then, it counts no longer (10.3.2.4); INT64_MAX: it
 * stands in any case. False if it reserves nothing new. */
bool mac_medium_nav(struct mac_medium *d, int64_t until_ns, int64_t check_ns, int64_t now_ns);
/* The same by a group frame that ended at end_ns. Something else has to begin within the group gap, and again after each frame, as long as
 * patience lasts: silence that nobody used takes from it, and an eighth of all time is added, up to one gap. Without patience: within follow_ns. */
bool mac_medium_nav_group(struct mac_medium *d, int64_t until_ns, int64_t end_ns, int64_t now_ns);
/* Until when the medium is reserved as far as is known now. */
static inline int64_t mac_medium_reserved_ns(const struct mac_medium *d);
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
static inline int64_t mac_medium_ready_ns(const struct mac_medium *d);
/* The same for a station that does not listen before it sends: when itself is free. */
int64_t mac_medium_free_ns(const struct mac_medium *d);

/* --- what each frame of others comes to, at each station --- */

static inline int64_t mac_later_ns(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Time has passed the check: what was reserved has gone, and is no more even if something begins later. */
void mac_medium_drop_unused_nav(struct mac_medium *d, int64_t now_ns);
/* Behind a frame of a group's reservation that ended at end_ns something has to follow. */
void mac_medium_await_group(struct mac_medium *d, int64_t end_ns);

static inline void mac_medium_sense(struct mac_medium *d, bool cca_busy, bool receiving, int64_t now_ns)
{
    bool was_busy = mac_medium_sensed(d), busy = cca_busy || receiving;
    d->cca_busy = cca_busy;
    d->receiving = receiving;
    if (busy && !was_busy)
        d->busy_since_ns = now_ns;
    if (!busy && was_busy)
        d->busy_ns += mac_later_ns(now_ns - d->busy_since_ns, 0);
}

static inline void mac_medium_lock(struct mac_medium *d, int64_t now_ns)
{
    if (d->silent_from_ns != INT64_MAX || now_ns > d->nav_check_ns)
        mac_medium_drop_unused_nav(d, now_ns);
    d->nav_check_ns = INT64_MAX;
    d->receive_limit_ns = now_ns + d->longest_frame_ns;
    mac_medium_sense(d, d->cca_busy, true, now_ns);
}

static inline void mac_medium_frame(struct mac_medium *d, int64_t end_ns, bool good, int64_t now_ns)
{
    d->frame_end_ns = mac_later_ns(d->frame_end_ns, end_ns);
    /* 10.3.2.3.7: after a frame that was not understood its ACK may follow unheard; one that is understood ends that doubt */
    d->eifs_until_ns = good ? INT64_MIN / 4 : end_ns + d->eifs_ns;
    if (d->nav_by_group && d->nav_ns > end_ns && d->nav_check_ns == INT64_MAX)
        mac_medium_await_group(d, end_ns);
    mac_medium_sense(d, d->cca_busy, false, now_ns);
}

static inline int64_t mac_medium_reserved_ns(const struct mac_medium *d)
{
    return d->nav_ns <= d->nav_check_ns ? d->nav_ns : mac_later_ns(d->nav_before_ns, d->nav_check_ns);
}

static inline int64_t mac_medium_ready_ns(const struct mac_medium *d)
{
    if (mac_medium_sensed(d))
        return INT64_MAX;
    /* Energy detection tells the end of a frame a block late; the frame's own end is exact and common to all who heard it, so
     * their slots fall together. */
    int64_t idle_ns = mac_later_ns(d->cca_idle_ns, d->frame_end_ns);
    if (d->cca_idle_ns >= d->frame_end_ns && d->cca_idle_ns - d->frame_end_ns <= 2 * d->slot_ns)
        idle_ns = d->frame_end_ns;
    idle_ns = mac_later_ns(mac_later_ns(idle_ns, mac_medium_reserved_ns(d)), mac_later_ns(d->own_ns, d->hold_ns));
    idle_ns = mac_later_ns(idle_ns, d->deaf_ns);
    return mac_later_ns(idle_ns + d->difs_ns, d->eifs_until_ns) - d->turnaround_ns;
}
#endif
