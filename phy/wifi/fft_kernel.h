/* The transform of phy/wifi/fft.h, to be compiled into a function for whichever instruction set that one is for.
 * 64 = 8 x 8: eight transforms of eight points side by side, a twiddle, a transposition, and eight more. Every loop runs over eight
 * neighbouring floats, which the compiler makes vectors of; there is nothing to contract, so that all give the same bits. */
#ifndef PHY_WIFI_FFT_KERNEL_H
#define PHY_WIFI_FFT_KERNEL_H

#include "phy/wifi/fft.h"

/* Eight transforms of eight points: point p of transform c stands at row p, column c, before and after. */
static inline __attribute__((always_inline)) void phy_wifi_fft_columns(float *restrict re, float *restrict im)
{
    const float h = 0.707106781f;
    for (int c = 0; c < 8; c++) {
        float a0r = re[c] + re[32 + c], a0i = im[c] + im[32 + c], a1r = re[c] - re[32 + c], a1i = im[c] - im[32 + c];
        float a2r = re[16 + c] + re[48 + c], a2i = im[16 + c] + im[48 + c], a3r = re[16 + c] - re[48 + c],
              a3i = im[16 + c] - im[48 + c];
        float e0r = a0r + a2r, e0i = a0i + a2i, e2r = a0r - a2r, e2i = a0i - a2i;
        float e1r = a1r + a3i, e1i = a1i - a3r, e3r = a1r - a3i, e3i = a1i + a3r;
        float b0r = re[8 + c] + re[40 + c], b0i = im[8 + c] + im[40 + c], b1r = re[8 + c] - re[40 + c], b1i = im[8 + c] - im[40 + c];
        float b2r = re[24 + c] + re[56 + c], b2i = im[24 + c] + im[56 + c], b3r = re[24 + c] - re[56 + c],
              b3i = im[24 + c] - im[56 + c];
        float o0r = b0r + b2r, o0i = b0i + b2i, o2r = b0r - b2r, o2i = b0i - b2i;
        float o1r = b1r + b3i, o1i = b1i - b3r, o3r = b1r - b3i, o3i = b1i + b3r;
        float t1r = h * (o1r + o1i), t1i = h * (o1i - o1r), t3r = h * (o3i - o3r), t3i = -h * (o3r + o3i);
        re[c] = e0r + o0r, im[c] = e0i + o0i, re[32 + c] = e0r - o0r, im[32 + c] = e0i - o0i;
        re[8 + c] = e1r + t1r, im[8 + c] = e1i + t1i, re[40 + c] = e1r - t1r, im[40 + c] = e1i - t1i;
        re[16 + c] = e2r + o2i, im[16 + c] = e2i - o2r, re[48 + c] = e2r - o2i, im[48 + c] = e2i + o2r;
        re[24 + c] = e3r + t3r, im[24 + c] = e3i + t3i, re[56 + c] = e3r - t3r, im[56 + c] = e3i - t3i;
    }
}

static inline __attribute__((always_inline)) void phy_wifi_fft_transpose(const float *restrict from, float *restrict to)
{
    for (int r = 0; r < 8; r++)
        for (int c = 0; c < 8; c++)
            to[c * 8 + r] = from[r * 8 + c];
}

static inline __attribute__((always_inline)) void phy_wifi_fft_here(const struct phy_wifi_fft *f, struct phy_wifi_bins *x)
{
    struct phy_wifi_bins t;
    phy_wifi_fft_columns(x->re, x->im);
    for (int i = 0; i < PHY_WIFI_N_FFT; i++) {
        t.re[i] = x->re[i] * f->re[i] - x->im[i] * f->im[i];
        t.im[i] = x->re[i] * f->im[i] + x->im[i] * f->re[i];
    }
    phy_wifi_fft_transpose(t.re, x->re);
    phy_wifi_fft_transpose(t.im, x->im);
    phy_wifi_fft_columns(x->re, x->im);
}
#endif
