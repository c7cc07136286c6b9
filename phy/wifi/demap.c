#include "phy/wifi/demap_kernel.h"

void phy_wifi_demap(unsigned n_bpsc, const struct phy_wifi_used *points, const float weight[PHY_WIFI_N_USED],
                    int8_t soft_out[PHY_WIFI_MAX_NCBPS])
{
    phy_wifi_demap_here(n_bpsc, points, weight, soft_out);
}

void phy_wifi_decide(unsigned n_bpsc, const struct phy_wifi_used *points, struct phy_wifi_used *decided_out)
{
    phy_wifi_decide_here(n_bpsc, points, decided_out);
}
