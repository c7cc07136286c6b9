#include "phy/wifi/detect_match.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "phy/air/simd_math.h"
#include "phy/wifi/code.h"

enum {
    N_FFT = PHY_WIFI_N_FFT,
    PERIOD = 16, /* of the short training field, samples */
    N_LAGS = PHY_WIFI_MATCH_PLACES + PHY_WIFI_MATCH_SPREAD,
    N_LANES = 8
};
_Static_assert(N_LAGS % N_LANES == 0, "lags fill whole vectors");

/* --- the training symbols, 17.3.3 --- */

static float complex turn(double turns)
{
    const double two_pi = 6.283185307179586;
    return CMPLXF((float)cos(two_pi * turns), (float)sin(two_pi * turns));
}

/* Equation 17-6: subcarriers -24, -20 .. 24 without 0, each this times (1 + j). */
static const int8_t short_signs[13] = {1, -1, 1, -1, -1, 1, 0, -1, -1, 1, 1, 1, 1};

void phy_wifi_training_make(struct phy_wifi_training *t)
{
    for (int i = 0; i < N_FFT; i++) {
        double complex sum = 0.0;
        for (int k = 0; k < N_FFT; k++)
            sum += (double)phy_wifi_long_training[k] * (double complex)turn((double)(k * i % N_FFT) / N_FFT);
        sum /= sqrt(PHY_WIFI_N_USED);
        t->long_re[i] = (float)creal(sum);
        t->long_im[i] = (float)cimag(sum);
    }
    for (int i = 0; i < PERIOD; i++) {
        float complex sum = 0.0f;
        for (int k = -6; k <= 6; k++)
            sum += (float)short_signs[k + 6] * turn((double)(k * i) / PERIOD);
        sum *= turn(0.125) / sqrtf(12.0f);
        t->short_re[i] = crealf(sum);
        t->short_im[i] = cimagf(sum);
    }
    phy_wifi_fft_init(&t->fft);
}

/* --- short training --- */

/* The carrier offset as a step of the 32-bit turn counter. */
static uint32_t phase_step(double cfo)
{
    return (uint32_t)(int64_t)llrint(-cfo * 4294967296.0);
}

/* Adds up the periods, each turned back to the first: folded[i] += samples[16 j + i] exp(-j 2 pi cfo 16 j). */
PHY_ALWAYS_INLINE void fold(const float *restrict samples, size_t n, uint32_t step, float *restrict re, float *restrict im)
{
    for (size_t i = 0; i < PERIOD; i++)
        re[i] = im[i] = 0.0f;
    for (size_t j = 0; j < n / PERIOD; j++, samples += 2 * PERIOD) {
        float c, s;
        phy_cos_sin_turns((uint32_t)(j * PERIOD) * step, &c, &s);
        for (size_t i = 0; i < PERIOD; i++) {
            re[i] += samples[2 * i] * c - samples[2 * i + 1] * s;
            im[i] += samples[2 * i] * s + samples[2 * i + 1] * c;
        }
    }
}

PHY_ALWAYS_INLINE float match_short(const struct phy_wifi_training *t, const float *samples, size_t n, uint32_t step)
{
    float re[2 * PERIOD], im[2 * PERIOD], sum_re[PERIOD] = {0}, sum_im[PERIOD] = {0};
    float energy = 0.0f, best = 0.0f;
    fold(samples, n, step, re, im);
    for (uint32_t i = 0; i < PERIOD; i++) {
        float c, s, x = re[i], y = im[i];
        phy_cos_sin_turns(i * step, &c, &s);
        re[i] = re[i + PERIOD] = x * c - y * s;
        im[i] = im[i + PERIOD] = x * s + y * c;
        energy += x * x + y * y;
    }
    for (size_t i = 0; i < PERIOD; i++) {
        float s_re = t->short_re[i], s_im = t->short_im[i];
        for (size_t phase = 0; phase < PERIOD; phase++) {
            sum_re[phase] += re[i + phase] * s_re + im[i + phase] * s_im;
            sum_im[phase] += im[i + phase] * s_re - re[i + phase] * s_im;
        }
    }
    for (size_t phase = 0; phase < PERIOD; phase++) {
        float power = sum_re[phase] * sum_re[phase] + sum_im[phase] * sum_im[phase];
        best = power > best ? power : best;
    }
    return energy > 0.0f ? best / (energy * PERIOD) : 0.0f;
}

static float match_short_plain(const struct phy_wifi_training *t, const float *samples, size_t n, uint32_t step)
{
    return match_short(t, samples, n, step);
}

#if PHY_HAVE_AVX2
PHY_TARGET_AVX2 static float match_short_avx2(const struct phy_wifi_training *t, const float *samples, size_t n, uint32_t step)
{
    return match_short(t, samples, n, step);
}
#else
#define match_short_avx2 match_short_plain
#endif

float phy_wifi_match_short(const struct phy_wifi_training *t, enum phy_simd simd, const float complex *samples, size_t n, double cfo)
{
    uint32_t step = phase_step(cfo);
    return simd == PHY_SIMD_AVX2 ? match_short_avx2(t, (const float *)samples, n, step)
                                 : match_short_plain(t, (const float *)samples, n, step);
}

/* --- long training --- */

struct stretch {
    _Alignas(32) float re[PHY_WIFI_MATCH_SPAN];
    _Alignas(32) float im[PHY_WIFI_MATCH_SPAN];
};

PHY_ALWAYS_INLINE void turn_back(const float *restrict samples, uint32_t step, struct stretch *out)
{
    for (uint32_t i = 0; i < PHY_WIFI_MATCH_SPAN; i++) {
        float c, s;
        phy_cos_sin_turns(i * step, &c, &s);
        float re = samples[2 * i], im = samples[2 * i + 1];
        out->re[i] = re * c - im * s;
        out->im[i] = re * s + im * c;
    }
}

/* |sum over a long symbol|^2 at N_LAGS places from `first` on; all places advance together, so that no sum waits for itself */
PHY_ALWAYS_INLINE void correlate(const struct phy_wifi_training *t, const struct stretch *x, size_t first, float *restrict out)
{
    float re[N_LAGS] = {0}, im[N_LAGS] = {0};
    for (size_t i = 0; i < N_FFT; i++) {
        float l_re = t->long_re[i], l_im = t->long_im[i];
        const float *x_re = x->re + first + i, *x_im = x->im + first + i;
        for (size_t k = 0; k < N_LAGS; k++) {
            re[k] += x_re[k] * l_re + x_im[k] * l_im;
            im[k] += x_im[k] * l_re - x_re[k] * l_im;
        }
    }
    for (size_t k = 0; k < N_LAGS; k++)
        out[k] = re[k] * re[k] + im[k] * im[k];
}

PHY_ALWAYS_INLINE void correlate_both(const struct phy_wifi_training *t, const float *samples, uint32_t step, struct stretch *x,
                                      float *restrict first, float *restrict second)
{
    turn_back(samples, step, x);
    correlate(t, x, 0, first);
    correlate(t, x, N_FFT, second);
}

typedef void correlate_function(const struct phy_wifi_training *t, const float *samples, uint32_t step, struct stretch *x,
                                float *first, float *second);

static void correlate_plain(const struct phy_wifi_training *t, const float *samples, uint32_t step, struct stretch *x, float *first,
                            float *second)
{
    correlate_both(t, samples, step, x, first, second);
}

#if PHY_HAVE_AVX2
PHY_TARGET_AVX2 static void correlate_avx2(const struct phy_wifi_training *t, const float *samples, uint32_t step,
                                           struct stretch *x, float *first, float *second)
{
    correlate_both(t, samples, step, x, first, second);
}
#else
#define correlate_avx2 correlate_plain
#endif

/* energy[i]: of all samples that the taps from place i on are made of. Without those of the last tap, a strong signal that begins
 * there would explain more than everything. */
static void sum_energies(const struct stretch *x, double *energy)
{
    enum { N_SUMMED = 2 * N_FFT + PHY_WIFI_MATCH_SPREAD - 1 };
    double sum = 0.0, power[PHY_WIFI_MATCH_SPAN];
    for (size_t i = 0; i < PHY_WIFI_MATCH_SPAN; i++)
        power[i] = (double)(x->re[i] * x->re[i]) + (double)(x->im[i] * x->im[i]);
    for (size_t i = 0; i < N_SUMMED; i++)
        sum += power[i];
    for (size_t i = 0; i < PHY_WIFI_MATCH_PLACES; i++) {
        energy[i] = sum;
        sum += power[i + N_SUMMED] - power[i];
    }
}

/* The first path is the first tap that is not clearly weaker than the strongest. A band of 52 subcarriers has side lobes of
 * -13 dB. */
static size_t find_first_path(const float *taps, float strongest)
{
    const float path_ratio = 0.1f;
    size_t i = 0;
    while (taps[i] < path_ratio * strongest)
        i++;
    return i;
}

struct phy_wifi_match phy_wifi_match_long(const struct phy_wifi_training *t, enum phy_simd simd, const float complex *samples,
                                          double cfo)
{
    struct stretch x;
    _Alignas(32) float taps[N_LAGS], second[N_LAGS];
    double energy[PHY_WIFI_MATCH_PLACES];
    correlate_function *run = simd == PHY_SIMD_AVX2 ? correlate_avx2 : correlate_plain;
    run(t, (const float *)samples, phase_step(cfo), &x, taps, second);
    sum_energies(&x, energy);
    for (size_t i = 0; i < N_LAGS; i++)
        taps[i] = sqrtf(taps[i]) * sqrtf(second[i]); /* both symbols have to be there */
    struct phy_wifi_match best = {0};
    for (size_t place = 0; place < PHY_WIFI_MATCH_PLACES; place++) {
        float sum = 0.0f, strongest = 0.0f;
        for (size_t i = 0; i < PHY_WIFI_MATCH_SPREAD; i++) {
            sum += taps[place + i];
            strongest = taps[place + i] > strongest ? taps[place + i] : strongest;
        }
        float full = (float)energy[place] * (N_FFT / 2);
        if (full > 0.0f && sum > best.share * full) {
            best.share = sum / full;
            best.peak = strongest / full;
            best.place = place + find_first_path(taps + place, strongest);
        }
    }
    best.share = best.share > 1.0f ? 1.0f : best.share;
    return best;
}
