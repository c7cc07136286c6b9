/* A received frame as one JSON object a line: what `airdeed replay` prints and what an expectation holds. */
#ifndef APPS_FRAME_JSON_H
#define APPS_FRAME_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "phy/phy.h"

/* , "key": value with so many digits; null for what is not finite */
void app_json_number(FILE *out, const char *key, int digits, double value);
/* One line; of HT frames, whose octets are not decoded, what is not known is null. channel: of several that were received at once, or -1. sha256_out: 32 octets, the PSDU's. */
void app_frame_json(FILE *out, const struct phy_frame *frame, int channel, bool with_psdu, uint8_t sha256_out[32]);
#endif
