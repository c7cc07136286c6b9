/* Which instant a radio's sample is. Stations agree on quiet periods and block times by it, so that all of one ledger need the same
 * kind of clock:
 *   wall     the system's clock when the first block came; for radios that run in real time. Members' clocks have to agree to
 *            within the ledger's max_skew (NTP).
 *   samples  sample 0 is the genesis block's time; for two stations that are started together and feed each other.
 *   tcp://.. the clock of an `airdeed air`: it says which of its samples this station's stream began with, and when its
 *            own began, so that a station may leave and come back. */
#ifndef APPS_LIVE_CLOCK_H
#define APPS_LIVE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct app_live_clock {
    uint64_t first_sample; /* the station's number for the radio's sample 0 */
    int64_t unix_ns;       /* block time of the station's sample 0, whether or not there was one */
};

struct app_live_clock_config {
    const char *time;     /* "wall", "samples", or an endpoint */
    int64_t genesis_ns;
    uint32_t sample_rate_hz;
    uint64_t next_sample; /* of the radio: those before it have come, the last of them just now */
    int64_t wall_ns;      /* now */
};

/* 0; -EAGAIN when no clock answers within 5 s, -EPROTO for an answer that is none, other negative errno; error_out: one line,
 * APP_NODE_MAX_ERROR octets. */
__attribute__((warn_unused_result)) int app_live_clock_set(const struct app_live_clock_config *cfg, struct app_live_clock *out,
                                                           char *error_out);
/* An air's clock asked again and again, without waiting: an air that lost patience with a station goes on without it, and the station's
 * stream lacks what went by. */
struct app_live_clock_watch {
    void *context, *socket; /* NULL: there is nothing to watch */
    bool asked;
};
/* time: as above; anything but an endpoint is not watched. 0 or negative errno. */
__attribute__((warn_unused_result)) int app_live_clock_watch_open(struct app_live_clock_watch *w, const char *time);
/* 1: *out is what the clock says by now; 0: no answer yet. */
int app_live_clock_watch_look(struct app_live_clock_watch *w, struct app_live_clock *out);
void app_live_clock_watch_close(struct app_live_clock_watch *w);
/* An air's answer, "JOINED UNIX_NS": the air's sample that the stream began with, and the Unix time of the air's sample 0.
 * 0 or -EPROTO. */
int app_live_clock_parse(const char *text, struct app_live_clock *out);
#endif
