/* One clause 17 frame: from a preamble that was found to its octets, symbol by symbol as samples come.
 *
 * Channel and noise come from the long training field (phy/wifi/channel.h) and are refined by each symbol's decisions; common phase
 * and timing are tracked; each soft bit weighs what the noise on its subcarrier and in its symbol lets it be worth. The payload is
 * decoded when its last symbol has come. HT frames (clause 19, mixed format) are named from their HT-SIGNAL and sat out. */
#ifndef PHY_WIFI_DEMOD_H
#define PHY_WIFI_DEMOD_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "phy/phy.h"
#include "phy/simd.h"
#include "phy/wifi/detect.h"

struct phy_wifi_demod;

/* mem of phy_wifi_demod_init: so many octets, 64-byte aligned. */
size_t phy_wifi_demod_bytes(void);
struct phy_wifi_demod *phy_wifi_demod_init(void *mem, enum phy_simd simd);
/* Begins a frame. samples[i] is sample base + i; those from long_sample - 8 to long_sample + 128 are read. */
void phy_wifi_demod_begin(struct phy_wifi_demod *d, const struct phy_wifi_preamble *preamble, const float complex *samples,
                          uint64_t base);
/* Samples that the next symbol takes: [*first_out, returned end). */
uint64_t phy_wifi_demod_wants(const struct phy_wifi_demod *d, uint64_t *first_out);
/* Takes that symbol. True when the frame has ended with it (its header may have failed). */
bool phy_wifi_demod_symbol(struct phy_wifi_demod *d, const float complex *samples, uint64_t base);
/* Was SIGNAL read and found right? */
bool phy_wifi_demod_has_header(const struct phy_wifi_demod *d);
/* Decodes the payload and describes the frame; what has not come counts as unknown. Samples are absolute, cfo_hz and rate_kbps those
 * of a clock of 1 Hz and 1 Msps; levels and fcs_ok are left to others. Pointers are valid until the next call. */
void phy_wifi_demod_finish(struct phy_wifi_demod *d, struct phy_frame *out);
#endif
