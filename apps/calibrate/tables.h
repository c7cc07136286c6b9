/* Tables of packet fidelity as a JSON file with their provenance: what `airdeed calibrate` writes and `airdeed run` reads.
 * docs/packet.md describes the format. */
#ifndef APPS_CALIBRATE_TABLES_H
#define APPS_CALIBRATE_TABLES_H

#include <jansson.h>

#include "phy/packet/tables.h"

enum { APP_TABLES_MAX_ERROR = 400, APP_TABLES_MAX_BYTES = 4 << 20 };

/* The tables as JSON, `provenance` (an object; its reference is taken) beside them. NULL: out of memory. */
json_t *app_tables_json(const struct phy_packet_tables *tables, uint32_t sample_rate_hz, json_t *provenance);
/* From a file's octets; name is for messages. 0, or -EINVAL with one line in error_out (APP_TABLES_MAX_ERROR octets). */
__attribute__((warn_unused_result)) int app_tables_parse(const char *name, const void *text, size_t len, struct phy_packet_tables *out,
                                                         uint32_t *sample_rate_hz_out, char *error_out);
/* path: a file, or "" for the embedded tables of a waveform. -ENOENT and other errno for the file system. */
__attribute__((warn_unused_result)) int app_tables_load(const char *path, const char *waveform, struct phy_packet_tables *out,
                                                        uint32_t *sample_rate_hz_out, char *error_out);
/* Where such tables come from, the caller's; NULL: nothing is known. */
json_t *app_tables_provenance(const char *path, const char *waveform);
#endif
