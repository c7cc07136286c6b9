#include "apps/station/respond.h"

#include <math.h>

enum { COPIES = 2, FRAGMENT_BYTES = 700, SMOOTHED_OVER = 8 };
static const int64_t first_hold_ns = 2000000000, longest_hold_ns = 32000000000, lately_ns = 2000000000;
/* A link is taken for this much worse than it was heard. */
static const double margin_db = 3;

void app_jammed_init(struct app_jammed *j)
{
    *j = (struct app_jammed){.kind = MAC_JAM_NONE, .until_ns = INT64_MIN, .hold_ns = first_hold_ns};
}

void app_jammed_verdict(struct app_jammed *j, enum mac_jam_kind kind, int64_t now_ns)
{
    if (!mac_jam_is_attack(kind)) {
        if (j->attacked)
            j->until_ns = now_ns + j->hold_ns;
        j->attacked = false;
        return;
    }
    if (!app_jammed_at(j, now_ns)) {
        bool soon = j->until_ns != INT64_MIN && now_ns - j->until_ns < j->hold_ns;
        j->hold_ns = !soon ? first_hold_ns : j->hold_ns < longest_hold_ns ? 2 * j->hold_ns : longest_hold_ns;
    }
    j->kind = kind;
    j->attacked = true;
    j->until_ns = INT64_MAX;
}

bool app_jammed_at(const struct app_jammed *j, int64_t now_ns)
{
    return now_ns < j->until_ns;
}

void app_links_init(struct app_links *l)
{
    for (size_t i = 0; i < CHAIN_MAX_MEMBERS; i++) {
        l->of[i].heard_ns = INT64_MIN;
        l->of[i].snr_db = 0;
    }
}

void app_links_heard(struct app_links *l, uint32_t station, double snr_db, int64_t now_ns)
{
    if (station >= CHAIN_MAX_MEMBERS || !isfinite(snr_db))
        return;
    bool known = l->of[station].heard_ns != INT64_MIN && now_ns - l->of[station].heard_ns < lately_ns;
    l->of[station].snr_db = known ? l->of[station].snr_db + (snr_db - l->of[station].snr_db) / SMOOTHED_OVER : snr_db;
    l->of[station].heard_ns = now_ns;
}

/* -INFINITY: nobody was heard of late. */
static double weakest_db(const struct app_links *l, int64_t now_ns)
{
    double weakest = INFINITY;
    for (size_t i = 0; i < CHAIN_MAX_MEMBERS; i++)
        if (l->of[i].heard_ns != INT64_MIN && now_ns - l->of[i].heard_ns < lately_ns && l->of[i].snr_db < weakest)
            weakest = l->of[i].snr_db;
    return weakest == INFINITY ? -INFINITY : weakest;
}

static bool leaves_gaps(enum mac_jam_kind kind)
{
    return kind == MAC_JAM_PULSE || kind == MAC_JAM_REACTIVE || kind == MAC_JAM_UNKNOWN || kind == MAC_JAM_DECEPTIVE;
}

struct mac_exposure app_respond_exposure(enum mac_jam_kind kind, const struct app_links *links, const struct phy_waveform *waveform,
                                   const struct mac_profile *profile, int64_t now_ns)
{
    struct mac_exposure exposure = {.copies = 1, .rate_index = profile->basic_rate, .fragment_bytes = profile->fragment_bytes};
    double known_db = weakest_db(links, now_ns) - margin_db;
    if (!leaves_gaps(kind))
        return exposure;
    exposure.copies = COPIES;
    for (unsigned i = 0; i < waveform->n_rates; i++)
        if (waveform->sure_snr_db[i] <= known_db && waveform->rate_kbps_at_1msps[i] > waveform->rate_kbps_at_1msps[exposure.rate_index])
            exposure.rate_index = i;
    if (exposure.fragment_bytes > FRAGMENT_BYTES)
        exposure.fragment_bytes = FRAGMENT_BYTES;
    return exposure;
}
