/* A shift in time is a factor of unit magnitude at each subcarrier: the spectrum times the symbol's, transformed back, is the channel's
 * impulse response, turned round by the shift. */
#include "phy/wifi/detect_period.h"

#include <math.h>
#include <stdint.h>

#include "phy/air/simd_math.h"
#include "phy/wifi/code.h"
#include "phy/wifi/detect_match.h"
#include "phy/wifi/fft_kernel.h"

enum { N_FFT = PHY_WIFI_N_FFT, N_LANES = 8, SPREAD = PHY_WIFI_MATCH_SPREAD };

PHY_ALWAYS_INLINE float add_all(const float *x)
{
    float lanes[N_LANES] = {0};
    for (size_t i = 0; i < N_FFT; i += N_LANES)
        for (size_t k = 0; k < N_LANES; k++)
            lanes[k] += x[i + k];
    return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

PHY_ALWAYS_INLINE void square(const struct phy_wifi_bins *x, float *restrict out)
{
    for (size_t i = 0; i < N_FFT; i++)
        out[i] = x->re[i] * x->re[i] + x->im[i] * x->im[i];
}

PHY_ALWAYS_INLINE void take(struct phy_wifi_period *p, const struct phy_wifi_fft *fft, const float *restrict samples, uint32_t step)
{
    float power[N_FFT], re, im;
    const float *later = samples + 2 * N_FFT;
    phy_cos_sin_turns(N_FFT * step, &re, &im);
    for (uint32_t i = 0; i < N_FFT; i++) {
        float c, s;
        phy_cos_sin_turns(i * step, &c, &s);
        float x = samples[2 * i] + (later[2 * i] * re - later[2 * i + 1] * im);
        float y = samples[2 * i + 1] + (later[2 * i] * im + later[2 * i + 1] * re);
        p->spectrum.re[i] = x * c - y * s;
        p->spectrum.im[i] = x * s + y * c;
    }
    phy_wifi_fft_here(fft, &p->spectrum);
    square(&p->spectrum, power);
    p->energy = add_all(power);
}

/* The transform forward of the conjugate is the conjugate of that back. */
PHY_ALWAYS_INLINE float share(const struct phy_wifi_period *p, const struct phy_wifi_fft *fft, unsigned shift)
{
    struct phy_wifi_bins taps;
    float power[N_FFT + SPREAD], best = 0.0f;
    for (unsigned k = 0; k < N_FFT; k++) {
        unsigned from = (k + shift) % N_FFT;
        taps.re[k] = p->spectrum.re[from] * phy_wifi_long_training[k];
        taps.im[k] = -p->spectrum.im[from] * phy_wifi_long_training[k];
    }
    phy_wifi_fft_here(fft, &taps);
    square(&taps, power);
    for (size_t i = 0; i < SPREAD; i++)
        power[N_FFT + i] = power[i];
    for (size_t i = 0; i < N_FFT; i++) {
        float sum = 0.0f;
        for (size_t k = 0; k < SPREAD; k++)
            sum += power[i + k];
        best = sum > best ? sum : best;
    }
    return p->energy > 0.0f ? best / (p->energy * N_FFT) : 0.0f;
}

static void take_plain(struct phy_wifi_period *p, const struct phy_wifi_fft *fft, const float *samples, uint32_t step)
{
    take(p, fft, samples, step);
}

static float share_plain(const struct phy_wifi_period *p, const struct phy_wifi_fft *fft, unsigned shift)
{
    return share(p, fft, shift);
}

#if PHY_HAVE_AVX2
PHY_TARGET_AVX2 static void take_avx2(struct phy_wifi_period *p, const struct phy_wifi_fft *fft, const float *samples, uint32_t step)
{
    take(p, fft, samples, step);
}

PHY_TARGET_AVX2 static float share_avx2(const struct phy_wifi_period *p, const struct phy_wifi_fft *fft, unsigned shift)
{
    return share(p, fft, shift);
}
#else
#define take_avx2 take_plain
#define share_avx2 share_plain
#endif

void phy_wifi_period_take(struct phy_wifi_period *p, const struct phy_wifi_fft *fft, enum phy_simd simd, const float complex *samples,
                          double cfo)
{
    uint32_t step = (uint32_t)(int64_t)llrint(-cfo * 4294967296.0);
    if (simd == PHY_SIMD_AVX2)
        take_avx2(p, fft, (const float *)samples, step);
    else
        take_plain(p, fft, (const float *)samples, step);
}

float phy_wifi_period_share(const struct phy_wifi_period *p, const struct phy_wifi_fft *fft, enum phy_simd simd, int subcarriers)
{
    unsigned shift = (unsigned)subcarriers % N_FFT;
    return simd == PHY_SIMD_AVX2 ? share_avx2(p, fft, shift) : share_plain(p, fft, shift);
}
