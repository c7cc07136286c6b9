/* USRPs, through UHD's C interface: what the port (phy/radio/radio.h) does not say about this back end.
 *
 * Receiving: sample 0 is the start of the stream. A gap is found by the jump of the timestamps. Transmitting: bursts are copied into
 * a bounded queue; a thread hands them to the device shortly before their time, piece by piece, so that close, a caller that no longer
 * calls receive, or a vanished device cuts what has not left the host. A burst that is late for the radio is
 * dropped whole. Another thread drains the device's messages. */
#ifndef PHY_UHD_H
#define PHY_UHD_H

#include "phy/radio/radio.h"

enum { PHY_UHD_MAX_DEVICES = 16 };

/* Device arguments of what answers: "serial=...,type=...,addr=...". args narrows the search, "" looks everywhere. Takes about a
 * second. 0 with *n_out devices; -ENOSYS without libuhd, -EIO, with one line in error_out. */
__attribute__((warn_unused_result)) int phy_uhd_find(const char *args, char devices_out[PHY_UHD_MAX_DEVICES][256], size_t *n_out,
                                                     char *error_out);
/* "4.3.0.0-..." of the library in use, "" without. */
void phy_uhd_version(char *out, size_t cap);
#endif
