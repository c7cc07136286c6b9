/* What a station does about jamming. Each part is switched by itself and off unless asked for (docs/jamming.md). */
#ifndef APPS_STATION_RESPOND_H
#define APPS_STATION_RESPOND_H

#include "chain/types.h"
#include "mac/mac.h"
#include "phy/waveform.h"

struct app_responses {
    bool hop;     /* the control channel follows the hop set that the ledger agreed on */
    bool rate;    /* what goes to all on a jammed channel goes as it survives best */
    bool slots;   /* vote slots on a jammed channel are for the rate that survives best */
    bool timers;  /* elections, view changes, gossip and status wait while own messages wait for the medium */
    bool migrate; /* a lease holder leaves a jammed channel for another one that it wants */
};

/* Whether a channel counts as jammed: from an attack verdict until no verdict accuses anybody for the hold-off. Where an attack comes back
 * within a hold-off of the end of that, the next hold-off is twice as long, up to a bound: what keeps an attack from being seen is
 * often the response to it. */
struct app_jammed {
    enum mac_jam_kind kind; /* of the latest attack */
    bool attacked;          /* the detector's latest word is an attack */
    int64_t until_ns;       /* INT64_MAX while it is; INT64_MIN: never jammed */
    int64_t hold_ns;
};
void app_jammed_init(struct app_jammed *j);
void app_jammed_verdict(struct app_jammed *j, enum mac_jam_kind kind, int64_t now_ns);
bool app_jammed_at(const struct app_jammed *j, int64_t now_ns);

/* How well the others are heard, by the frames of theirs that arrived. */
struct app_links {
    struct {
        int64_t heard_ns; /* INT64_MIN: never */
        double snr_db;    /* smoothed */
    } of[CHAIN_MAX_MEMBERS];
};
void app_links_init(struct app_links *l);
void app_links_heard(struct app_links *l, uint32_t station, double snr_db, int64_t now_ns);

/* How messages go while the channel is jammed like that. Where the jammer leaves gaps: in short frames, those to all twice, each with its own access
 * to the medium, at the fastest rate that everybody heard of late is sure to receive, or the most robust one where nobody was heard: a frame
 * is lost to what begins while it is on the air. Where it leaves none: at the most robust rate, as whole and as often as ever, for what
 * more of them does is to fill the medium once the jammer is elsewhere. */
struct mac_exposure app_respond_exposure(enum mac_jam_kind kind, const struct app_links *links, const struct phy_waveform *waveform,
                                   const struct mac_profile *profile, int64_t now_ns);

#endif
