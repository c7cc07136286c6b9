/* The channel and the noise on each used subcarrier, from the long training field.
 *
 * The mean of the two training symbols is fitted by an impulse response of PHY_WIFI_TAPS samples, least squares with the subcarriers'
 * noise as weights and a flat prior on the taps (the normal equations are Hermitian Toeplitz). The noise comes from the difference of
 * the symbols, and from what the fit leaves: a tone on a subcarrier's centre is the same in both, but fits no short impulse response.
 * Where the fit leaves more than noise, PHY_WIFI_LONG_TAPS samples are fitted, as far as the training symbols' guard interval reaches, and the windows of
 * the symbols that follow are put where the fewest of them reach into the symbols beside.
 *
 * Used subcarriers have an order of their own here: 0..47 the data ones, 48..51 the pilots. */
#ifndef PHY_WIFI_CHANNEL_H
#define PHY_WIFI_CHANNEL_H

#include "phy/wifi/fft.h"

enum {
    PHY_WIFI_TAPS = 16,
    PHY_WIFI_LONG_TAPS = 32,
    PHY_WIFI_EARLY = 8 /* samples by which windows of 64 samples begin before their symbol: taps -8..7 or -8..23 about the supposed start */
};

struct phy_wifi_used { /* a complex value on each used subcarrier */
    _Alignas(64) float re[PHY_WIFI_N_USED];
    _Alignas(64) float im[PHY_WIFI_N_USED];
};

struct phy_wifi_channel {
    struct phy_wifi_used gain;
    _Alignas(64) float noise[PHY_WIFI_N_USED]; /* expected |error|^2 of one symbol */
    float noise_power; /* a sample's, were it white: from the difference of the two symbols, all subcarriers alike */
    float worth;    /* of the gain: as much as that of so many symbols, each subcarrier by itself */
    int early;      /* samples by which the windows of the symbols that follow should begin early, within +-PHY_WIFI_EARLY */
};

/* Index in FFT order, and signed number -26..26, of used subcarrier i. */
unsigned phy_wifi_used_bin(unsigned i);
int phy_wifi_used_number(unsigned i);

/* The values of the used subcarriers out of all bins. */
void phy_wifi_gather(const struct phy_wifi_bins *bins, struct phy_wifi_used *out);
/* Mean of those values that are not far above the rest. */
float phy_wifi_trimmed_mean(const float value[PHY_WIFI_N_USED]);
/* first, second: the training symbols as received (windows PHY_WIFI_EARLY early). */
void phy_wifi_channel_estimate(const struct phy_wifi_fft *fft, const struct phy_wifi_used *first, const struct phy_wifi_used *second,
                               struct phy_wifi_channel *out);
#endif
