#include "mac/medium.h"

#include <string.h>

static const int64_t patience_share = 8; /* of all time, what may be spent on silence that nobody uses */

static int64_t min_ns(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void mac_medium_init(struct mac_medium *d, const struct mac_profile *profile, int64_t ack_ns, int64_t longest_frame_ns)
{
    memset(d, 0, sizeof *d);
    d->slot_ns = profile->slot_ns;
    d->turnaround_ns = profile->turnaround_ns;
    d->difs_ns = profile->sifs_ns + 2 * profile->slot_ns;
    d->eifs_ns = profile->sifs_ns + ack_ns + d->difs_ns;
    d->longest_frame_ns = longest_frame_ns;
    d->follow_ns = 2 * profile->sifs_ns + ack_ns + profile->rx_start_delay_ns + 2 * profile->slot_ns;
    d->group_gap_ns = d->patience_ns = profile->group_gap_ns;
    /* nothing is known of the time before the first event */
    d->cca_idle_ns = d->frame_end_ns = d->nav_ns = d->deaf_ns = d->own_ns = d->hold_ns = d->eifs_until_ns = INT64_MIN / 4;
    d->nav_before_ns = INT64_MIN / 4;
    d->nav_check_ns = d->silent_from_ns = INT64_MAX;
}

void mac_medium_cca(struct mac_medium *d, bool busy, int64_t now_ns)
{
    if (d->cca_busy && !busy)
        d->cca_idle_ns = now_ns;
    mac_medium_sense(d, busy, d->receiving, now_ns);
}

static int64_t patience_at(const struct mac_medium *d, int64_t now_ns)
{
    return min_ns(d->patience_ns + mac_later_ns(now_ns - d->patience_at_ns, 0) / patience_share, d->group_gap_ns);
}

/* A silence that a group frame asked for is over. In a plan that this station follows it was no waste: the plan says who is silent when. */
static void settle_silence(struct mac_medium *d, int64_t now_ns)
{
    if (d->silent_from_ns == INT64_MAX)
        return;
    int64_t from_ns = mac_later_ns(d->silent_from_ns, d->own_ns), to_ns = min_ns(now_ns, min_ns(d->nav_check_ns, d->nav_ns));
    d->patience_ns = mac_later_ns(patience_at(d, now_ns) - mac_later_ns(to_ns - from_ns, 0), 0);
    d->patience_at_ns = now_ns;
    d->silent_from_ns = INT64_MAX;
}

void mac_medium_drop_unused_nav(struct mac_medium *d, int64_t now_ns)
{
    settle_silence(d, now_ns);
    if (now_ns <= d->nav_check_ns)
        return;
    if (d->nav_ns > d->nav_check_ns) {
        d->nav_ns = mac_later_ns(d->nav_before_ns, d->nav_check_ns);
        d->nav_by_group = false;
        d->n_nav_dropped++;
    }
    d->nav_check_ns = INT64_MAX;
}

static bool extend_nav(struct mac_medium *d, int64_t until_ns, int64_t check_ns)
{
    if (until_ns <= d->nav_ns)
        return false;
    if (d->nav_check_ns == INT64_MAX) /* else the reservation before was not kept to either, so far */
        d->nav_before_ns = d->nav_ns;
    d->nav_ns = until_ns;
    d->nav_by_group = false;
    d->nav_check_ns = check_ns;
    return true;
}

bool mac_medium_nav(struct mac_medium *d, int64_t until_ns, int64_t check_ns, int64_t now_ns)
{
    mac_medium_drop_unused_nav(d, now_ns);
    return extend_nav(d, until_ns, check_ns);
}

void mac_medium_await_group(struct mac_medium *d, int64_t end_ns)
{
    d->silent_from_ns = end_ns + d->follow_ns;
    d->nav_check_ns = end_ns + mac_later_ns(patience_at(d, end_ns), d->follow_ns);
}

bool mac_medium_nav_group(struct mac_medium *d, int64_t until_ns, int64_t end_ns, int64_t now_ns)
{
    mac_medium_drop_unused_nav(d, now_ns);
    if (!extend_nav(d, until_ns, INT64_MAX))
        return false;
    d->nav_by_group = true;
    mac_medium_await_group(d, end_ns);
    return true;
}

static void lose_reception(struct mac_medium *d, int64_t now_ns)
{
    mac_medium_sense(d, d->cca_busy, false, now_ns);
}

void mac_medium_deaf(struct mac_medium *d, int64_t until_ns, int64_t now_ns)
{
    lose_reception(d, now_ns);
    d->deaf_ns = mac_later_ns(d->deaf_ns, until_ns);
    d->eifs_until_ns = mac_later_ns(d->eifs_until_ns, until_ns + d->eifs_ns);
}

void mac_medium_retune(struct mac_medium *d, bool busy, int64_t now_ns)
{
    lose_reception(d, now_ns);
    mac_medium_cca(d, busy, now_ns);
    d->nav_ns = d->nav_before_ns = INT64_MIN / 4;
    d->nav_check_ns = d->silent_from_ns = INT64_MAX;
    d->nav_by_group = false;
    d->frame_end_ns = now_ns;
    d->eifs_until_ns = now_ns + d->eifs_ns;
}

void mac_medium_own(struct mac_medium *d, int64_t until_ns, int64_t now_ns)
{
    lose_reception(d, now_ns);
    d->own_ns = mac_later_ns(d->own_ns, until_ns);
}

void mac_medium_expire(struct mac_medium *d, int64_t now_ns)
{
    if (d->receiving && now_ns >= d->receive_limit_ns)
        mac_medium_frame(d, now_ns, false, now_ns);
}

void mac_medium_hold(struct mac_medium *d, int64_t from_ns, int64_t to_ns, int64_t now_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->n_holds; i++) {
        struct mac_hold hold = d->holds[i];
        if (hold.to_ns <= now_ns)
            continue;
        if (hold.from_ns <= to_ns && from_ns <= hold.to_ns) { /* they touch: one period */
            from_ns = hold.from_ns < from_ns ? hold.from_ns : from_ns;
            to_ns = mac_later_ns(hold.to_ns, to_ns);
            continue;
        }
        d->holds[kept++] = hold;
    }
    d->n_holds = kept;
    if (kept == MAC_MAX_HOLDS) { /* a period too many: keep to more silence than was asked, never to less */
        struct mac_hold *last = &d->holds[--d->n_holds];
        from_ns = last->from_ns < from_ns ? last->from_ns : from_ns;
        to_ns = mac_later_ns(last->to_ns, to_ns);
    }
    d->holds[d->n_holds++] = (struct mac_hold){.from_ns = from_ns, .to_ns = to_ns};
}

int64_t mac_medium_held_until(const struct mac_medium *d, int64_t start_ns, int64_t len_ns)
{
    int64_t until_ns = INT64_MIN;
    for (size_t i = 0; i < d->n_holds; i++)
        if (start_ns < d->holds[i].to_ns && start_ns + len_ns > d->holds[i].from_ns)
            until_ns = mac_later_ns(until_ns, d->holds[i].to_ns);
    return until_ns;
}

int64_t mac_medium_free_ns(const struct mac_medium *d)
{
    return mac_later_ns(mac_later_ns(d->own_ns, d->hold_ns), d->deaf_ns) - d->turnaround_ns;
}
