/* What the MAC is told of a received frame: the seam between phy_frame and mac_rx_quality, in one place. Pure. */
#ifndef APPS_STATION_QUALITY_H
#define APPS_STATION_QUALITY_H

#include "mac/mac.h"
#include "phy/phy.h"

/* The MAC's event of a PHY's signal at this sample rate, whatever its channel; octets of a frame stay borrowed. False for signals that
 * are not the MAC's. */
bool app_mac_event(const struct phy_signal *signal, uint32_t sample_rate_hz, struct mac_event *out);
#endif
