/* What a flex frame consists of: rates, subcarriers, header. On the air it is liquid-dsp's ofdmflexframe with a user header
 * of two octets (the PSDU's length, big-endian). */
#ifndef PHY_FLEX_FRAME_H
#define PHY_FLEX_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PHY_FLEX_N_FFT = 64,
    PHY_FLEX_CP = 16,
    PHY_FLEX_TAPER = 0, /* no samples after the last symbol: a frame is known the moment that it ends */
    PHY_FLEX_SYMBOL = PHY_FLEX_N_FFT + PHY_FLEX_CP,
    PHY_FLEX_N_DATA = 48,
    PHY_FLEX_N_PREAMBLE_SYMBOLS = 3,
    PHY_FLEX_N_HEADER_SYMBOLS = 4,
    PHY_FLEX_USER_HEADER_BYTES = 2,
    PHY_FLEX_HEADER_BYTES = PHY_FLEX_USER_HEADER_BYTES + 6, /* before its CRC-32 and the Golay code */
    PHY_FLEX_HEADER_CODED_BYTES = PHY_FLEX_N_HEADER_SYMBOLS * PHY_FLEX_N_DATA / 8,
    PHY_FLEX_N_RATES = 4,
    PHY_FLEX_MAX_PADDED_BYTES = 2346 + 18,
    PHY_FLEX_MAX_CODED_BYTES = 2 * PHY_FLEX_MAX_PADDED_BYTES
};

struct phy_flex_rate {
    int modulation;          /* liquid's modulation_scheme */
    unsigned bits_per_point;
    int code;                /* liquid's fec_scheme */
    unsigned bytes_per_symbol; /* PSDU octets that one OFDM symbol carries, whole by choice of scheme */
};

const struct phy_flex_rate *phy_flex_rate(unsigned rate_index);
/* PHY_FLEX_N_FFT subcarrier types for liquid: 48 data, 8 pilots, the rest null. */
void phy_flex_subcarriers(unsigned char *types);
/* The PSDU's length rounded up to whole OFDM symbols: nothing on the air is left to a random fill. */
size_t phy_flex_padded_bytes(size_t psdu_len, unsigned rate_index);
size_t phy_flex_frame_samples(size_t psdu_len, unsigned rate_index);

struct phy_flex_header {
    size_t psdu_len;
    unsigned rate_index;
};

/* Reads a decoded header of PHY_FLEX_HEADER_BYTES. False unless it names one of our rates and a consistent length: the
 * schemes that a stranger's header may ask for are never handed to the library, which lacks some of them. */
bool phy_flex_read_header(const uint8_t *bytes, struct phy_flex_header *out);
#endif
