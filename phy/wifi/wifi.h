/* IEEE 802.11-2020 clause 17, the OFDM PHY: its numbers. A sample is 1/20 us at 20 Msps; at other clocks everything scales.
 * Frame: short training 160, long training 160 (guard 32, then twice 64), SIGNAL 80, data symbols of 80 samples each. */
#ifndef PHY_WIFI_WIFI_H
#define PHY_WIFI_WIFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PHY_WIFI_N_RATES = 8,
    PHY_WIFI_N_FFT = 64,
    PHY_WIFI_GUARD = 16,
    PHY_WIFI_SYMBOL = 80,
    PHY_WIFI_SHORT = 160,        /* short training field, samples */
    PHY_WIFI_LONG = 160,         /* long training field */
    PHY_WIFI_HEAD = 400,         /* both and SIGNAL: where data symbols begin */
    PHY_WIFI_N_DATA = 48,        /* data subcarriers */
    PHY_WIFI_N_USED = 52,        /* with the four pilots, subcarriers -26..26 but 0 */
    PHY_WIFI_MAX_PSDU = 4095,    /* octets that SIGNAL can name */
    PHY_WIFI_SERVICE_BITS = 16,
    PHY_WIFI_TAIL_BITS = 6,
    PHY_WIFI_MAX_NCBPS = 288,
    PHY_WIFI_MAX_SYMBOLS = 1366, /* 4095 octets at 6 Mb/s */
    PHY_WIFI_MAX_DATA_BITS = PHY_WIFI_MAX_SYMBOLS * 24 + 216 /* the longest DATA field, any rate, pad included */
};

/* Table 17-4. Rate index 0..7 = 6, 9, 12, 18, 24, 36, 48, 54 Mb/s at 20 Msps. */
struct phy_wifi_rate {
    uint32_t kbps_at_20msps;
    unsigned n_bpsc;   /* coded bits a subcarrier: 1, 2, 4, 6 */
    unsigned n_cbps;   /* coded bits a symbol */
    unsigned n_dbps;   /* data bits a symbol */
    unsigned code_num, code_den; /* 1/2, 2/3, 3/4 */
    uint8_t signal;    /* RATE field, R1 in bit 0 */
};

/* NULL for an index that is none. */
const struct phy_wifi_rate *phy_wifi_rate(unsigned rate_index);
/* From the four RATE bits; -1 if they are none. */
int phy_wifi_rate_of_signal(uint8_t signal);
/* Data symbols, and samples of the whole frame, for a PSDU of psdu_len octets. */
unsigned phy_wifi_n_symbols(size_t psdu_len, unsigned rate_index);
size_t phy_wifi_frame_samples(size_t psdu_len, unsigned rate_index);
/* 17.3.5.10: polarity of the pilots in symbol n (0: SIGNAL), +1 or -1. */
int phy_wifi_pilot_polarity(unsigned i_symbol);
#endif
