/* The 64-point Fourier transform of clause 17, forward, real and imaginary parts apart. The same bits at every SIMD level. */
#ifndef PHY_WIFI_FFT_H
#define PHY_WIFI_FFT_H

#include "phy/wifi/wifi.h"

struct phy_wifi_bins {
    _Alignas(64) float re[PHY_WIFI_N_FFT];
    _Alignas(64) float im[PHY_WIFI_N_FFT];
};

struct phy_wifi_fft { /* its twiddle factors */
    _Alignas(64) float re[PHY_WIFI_N_FFT];
    _Alignas(64) float im[PHY_WIFI_N_FFT];
};

void phy_wifi_fft_init(struct phy_wifi_fft *f);
/* X[k] = sum over i of x[i] exp(-j 2 pi i k / 64), in place. Samples in, bins out (0 = DC). */
void phy_wifi_fft(const struct phy_wifi_fft *f, struct phy_wifi_bins *x);
#endif
