/* Soft bits: how far each coded bit's likelihoods are apart (max-log), from equalised points and their noise. */
#ifndef PHY_WIFI_DEMAP_H
#define PHY_WIFI_DEMAP_H

#include "phy/wifi/channel.h"

/* A log-likelihood ratio of 1 (natural) is so many steps of a soft bit; it saturates at 127. */
#define PHY_WIFI_SOFT_STEPS 4.0f

/* soft_out[j * 48 + i]: bit j of data subcarrier i, positive for 0. weight[i]: signal over noise of the subcarrier, linear. */
void phy_wifi_demap(unsigned n_bpsc, const struct phy_wifi_used *points, const float weight[PHY_WIFI_N_USED],
                    int8_t soft_out[PHY_WIFI_MAX_NCBPS]);
/* The constellation's points that are nearest to the data points. */
void phy_wifi_decide(unsigned n_bpsc, const struct phy_wifi_used *points, struct phy_wifi_used *decided_out);
#endif
