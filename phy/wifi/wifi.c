#include "phy/wifi/wifi.h"

static const struct phy_wifi_rate rates[PHY_WIFI_N_RATES] = {
    {6000, 1, 48, 24, 1, 2, 0xb},   {9000, 1, 48, 36, 3, 4, 0xf},   {12000, 2, 96, 48, 1, 2, 0xa},   {18000, 2, 96, 72, 3, 4, 0xe},
    {24000, 4, 192, 96, 1, 2, 0x9}, {36000, 4, 192, 144, 3, 4, 0xd}, {48000, 6, 288, 192, 2, 3, 0x8}, {54000, 6, 288, 216, 3, 4, 0xc},
};

const struct phy_wifi_rate *phy_wifi_rate(unsigned rate_index)
{
    return rate_index < PHY_WIFI_N_RATES ? &rates[rate_index] : NULL;
}

int phy_wifi_rate_of_signal(uint8_t signal)
{
    for (int i = 0; i < PHY_WIFI_N_RATES; i++)
        if (rates[i].signal == signal)
            return i;
    return -1;
}

unsigned phy_wifi_n_symbols(size_t psdu_len, unsigned rate_index)
{
    size_t n_bits = PHY_WIFI_SERVICE_BITS + 8 * psdu_len + PHY_WIFI_TAIL_BITS;
    return (unsigned)((n_bits + rates[rate_index].n_dbps - 1) / rates[rate_index].n_dbps);
}

size_t phy_wifi_frame_samples(size_t psdu_len, unsigned rate_index)
{
    return PHY_WIFI_HEAD + (size_t)phy_wifi_n_symbols(psdu_len, rate_index) * PHY_WIFI_SYMBOL;
}

/* The scrambler's sequence from the all-ones state, +1 for 0 and -1 for 1. */
static const int8_t polarity[127] = {
    1, 1, 1, 1, -1, -1, -1, 1, -1, -1, -1, -1, 1, 1, -1, 1, -1, -1, 1, 1, -1, 1, 1, -1, 1, 1, 1, 1, 1, 1, -1, 1,
    1, 1, -1, 1, 1, -1, -1, 1, 1, 1, -1, 1, -1, -1, -1, 1, -1, 1, -1, -1, 1, -1, -1, 1, 1, 1, 1, 1, -1, -1, 1, 1,
    -1, -1, 1, -1, 1, -1, 1, 1, -1, -1, -1, 1, 1, -1, -1, -1, -1, 1, -1, -1, 1, -1, 1, 1, 1, 1, -1, 1, -1, 1, -1, 1,
    -1, -1, -1, -1, -1, 1, -1, 1, 1, -1, 1, -1, 1, 1, 1, -1, -1, 1, -1, -1, -1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
};

int phy_wifi_pilot_polarity(unsigned i_symbol)
{
    return polarity[i_symbol % 127];
}
