/* The header fields: SIGNAL (17.3.4) and HT-SIGNAL (19.3.9.4.3). Bit 0 of a word is the bit sent first. */
#ifndef PHY_WIFI_SIGNAL_H
#define PHY_WIFI_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

enum { PHY_WIFI_SIGNAL_LEN = 24, PHY_WIFI_HT_SIGNAL_LEN = 48 };

struct phy_wifi_signal {
    unsigned rate_index;
    unsigned psdu_len; /* 1..4095 */
};

struct phy_wifi_ht_signal {
    unsigned mcs;
    unsigned psdu_len; /* 0..65535 */
    bool wide;         /* 40 MHz */
    bool short_guard;
};

/* False where the parity is odd, RATE is none, the reserved bit or the tail is set, or LENGTH is 0. */
bool phy_wifi_read_signal(uint32_t bits, struct phy_wifi_signal *out);
/* False where the CRC-8 does not hold or the tail is set. */
bool phy_wifi_read_ht_signal(uint64_t bits, struct phy_wifi_ht_signal *out);
/* Payload rate at a 1 Msps clock, for 20 MHz frames of equal modulation (MCS 0..31); 0 for others. */
uint32_t phy_wifi_ht_kbps_at_1msps(const struct phy_wifi_ht_signal *ht);
#endif
