#include "phy/flex/flex_frame.h"

#include <complex.h>
#include <liquid/liquid.h>
#include <string.h>

#include "phy/phy.h"

/* Debian's liquid-dsp is built without libfec: block codes only. */
static const struct phy_flex_rate rates[PHY_FLEX_N_RATES] = {
    {LIQUID_MODEM_BPSK, 1, LIQUID_FEC_GOLAY2412, 3},
    {LIQUID_MODEM_QPSK, 2, LIQUID_FEC_GOLAY2412, 6},
    {LIQUID_MODEM_QAM16, 4, LIQUID_FEC_GOLAY2412, 12},
    {LIQUID_MODEM_QAM64, 6, LIQUID_FEC_GOLAY2412, 18},
};

const struct phy_flex_rate *phy_flex_rate(unsigned rate_index)
{
    return rate_index < PHY_FLEX_N_RATES ? &rates[rate_index] : NULL;
}

void phy_flex_subcarriers(unsigned char *types)
{
    enum { EDGE = 28, N_PILOTS = 8 };
    static const int pilots[N_PILOTS] = {-25, -18, -11, -4, 4, 11, 18, 25};
    memset(types, OFDMFRAME_SCTYPE_NULL, PHY_FLEX_N_FFT);
    for (int k = 1; k <= EDGE; k++) {
        types[k] = OFDMFRAME_SCTYPE_DATA;
        types[PHY_FLEX_N_FFT - k] = OFDMFRAME_SCTYPE_DATA;
    }
    for (int i = 0; i < N_PILOTS; i++)
        types[(pilots[i] + PHY_FLEX_N_FFT) % PHY_FLEX_N_FFT] = OFDMFRAME_SCTYPE_PILOT;
}

size_t phy_flex_padded_bytes(size_t psdu_len, unsigned rate_index)
{
    size_t per_symbol = rates[rate_index].bytes_per_symbol;
    return (psdu_len + per_symbol - 1) / per_symbol * per_symbol;
}

size_t phy_flex_frame_samples(size_t psdu_len, unsigned rate_index)
{
    size_t n_payload = phy_flex_padded_bytes(psdu_len, rate_index) / rates[rate_index].bytes_per_symbol;
    return (PHY_FLEX_N_PREAMBLE_SYMBOLS + PHY_FLEX_N_HEADER_SYMBOLS + n_payload) * PHY_FLEX_SYMBOL + PHY_FLEX_TAPER;
}

bool phy_flex_read_header(const uint8_t *bytes, struct phy_flex_header *out)
{
    enum { PROTOCOL = 105 }; /* ofdmflexframe's version, liquid-dsp 1.0 to 1.8 */
    const uint8_t *fixed = bytes + PHY_FLEX_USER_HEADER_BYTES;
    size_t psdu_len = (size_t)bytes[0] << 8 | bytes[1];
    size_t padded = (size_t)fixed[1] << 8 | fixed[2];
    if (fixed[0] != PROTOCOL || psdu_len == 0 || psdu_len > PHY_MAX_PSDU_BYTES)
        return false;
    for (unsigned i = 0; i < PHY_FLEX_N_RATES; i++) {
        unsigned check = fixed[4] >> 5, code = fixed[4] & 31, outer = fixed[5] & 31;
        if (fixed[3] != rates[i].modulation || code != (unsigned)rates[i].code || check != LIQUID_CRC_NONE ||
            outer != LIQUID_FEC_NONE)
            continue;
        if (padded != phy_flex_padded_bytes(psdu_len, i))
            return false;
        out->psdu_len = psdu_len;
        out->rate_index = i;
        return true;
    }
    return false;
}
