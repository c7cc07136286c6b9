#include "phy/wifi/signal.h"

#include "phy/wifi/wifi.h"

bool phy_wifi_read_signal(uint32_t bits, struct phy_wifi_signal *out)
{
    int rate_index = phy_wifi_rate_of_signal(bits & 15);
    unsigned parity = 0;
    for (unsigned i = 0; i < 18; i++)
        parity ^= bits >> i & 1;
    out->psdu_len = bits >> 5 & 0xfff;
    out->rate_index = rate_index < 0 ? 0 : (unsigned)rate_index;
    bool reserved = bits >> 4 & 1, tail = bits >> 18 & 63;
    return rate_index >= 0 && parity == 0 && !reserved && !tail && out->psdu_len > 0;
}

/* 19.3.9.4.4: x^8 + x^2 + x + 1 over the first 34 bits from all ones, complemented, the highest coefficient sent first. */
static unsigned find_crc8(uint64_t bits)
{
    unsigned crc = 0xff;
    for (unsigned i = 0; i < 34; i++) {
        unsigned feedback = (crc >> 7 ^ (unsigned)(bits >> i)) & 1;
        crc = (crc << 1 & 0xff) ^ (feedback ? 0x07 : 0);
    }
    unsigned sent = 0;
    for (unsigned i = 0; i < 8; i++)
        sent |= (~crc >> (7 - i) & 1) << i;
    return sent;
}

bool phy_wifi_read_ht_signal(uint64_t bits, struct phy_wifi_ht_signal *out)
{
    out->mcs = bits & 0x7f;
    out->wide = bits >> 7 & 1;
    out->psdu_len = bits >> 8 & 0xffff;
    out->short_guard = bits >> 31 & 1;
    return find_crc8(bits) == (bits >> 34 & 0xff) && (bits >> 42 & 63) == 0;
}

uint32_t phy_wifi_ht_kbps_at_1msps(const struct phy_wifi_ht_signal *ht)
{
    static const uint32_t one_stream[8] = {325, 650, 975, 1300, 1950, 2600, 2925, 3250};
    if (ht->wide || ht->mcs > 31)
        return 0;
    uint32_t kbps = one_stream[ht->mcs % 8] * (1 + ht->mcs / 8);
    return ht->short_guard ? kbps * 10 / 9 : kbps;
}
