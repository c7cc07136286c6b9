/* The frames of a recording as a capture for Wireshark. */
#ifndef APPS_REPLAY_CAPTURE_H
#define APPS_REPLAY_CAPTURE_H

#include "phy/phy.h"
#include "phy/radio/sigmf.h"

struct app_pcapng;

struct app_replay_capture {
    const char *path;   /* NULL: none is wanted */
    bool with_payload;  /* else MAC headers alone are kept */
    struct app_pcapng *pcapng;
    uint64_t first_sample;
    int64_t start_unix_ns; /* of first_sample; 1970 where the recording has no time */
    double sample_rate_hz;
};

/* Returns 0 or an exit code, having printed one line. meta must outlive the call alone. */
int app_replay_capture_open(struct app_replay_capture *c, const struct phy_sigmf_meta *meta);
void app_replay_capture_frame(struct app_replay_capture *c, const struct phy_frame *frame, double center_hz);
int app_replay_capture_close(struct app_replay_capture *c);
#endif
