/* What the files of `airdeed replay` share. */
#ifndef APPS_REPLAY_H
#define APPS_REPLAY_H

#include "phy/phy.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>

enum { APP_REPLAY_MAX_EXPECTED = 1 << 20, APP_REPLAY_MAX_LINE = 1 << 14 };

/* A frame as an expectation knows it. */
struct app_replay_key {
    uint64_t start_sample;
    bool decoded; /* else the octets are unknown: psdu_sha256 is null in JSON */
    uint8_t psdu_sha256[crypto_hash_sha256_BYTES];
};

/* The frames that a file of JSON Lines expects, in order, and how far the recording has met them. */
struct app_replay_expectation {
    struct app_replay_key *keys;
    size_t n, next;
    uint64_t tolerance_samples;
    uint64_t n_differences;
};

/* Reads what `airdeed replay` printed; lines with "summary" and blank ones are passed over. Returns 0 or an exit code, having
 * printed one line that names file and line. */
int app_replay_expect_read(const char *path, struct app_replay_expectation *out);
/* Holds the next frame against it; each difference is a line on standard error. */
void app_replay_expect_frame(struct app_replay_expectation *e, const struct app_replay_key *frame);
/* What was expected and never came. */
void app_replay_expect_end(struct app_replay_expectation *e);
void app_replay_expect_free(struct app_replay_expectation *e);
#endif
