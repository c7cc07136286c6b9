/* Clause 17 frames and what can happen to them on the way, for tests of the receiver. */
#ifndef TESTS_UNIT_PHY_WIFI_LINK_H
#define TESTS_UNIT_PHY_WIFI_LINK_H
#include <check.h>
#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/crc.h"
#include "phy/wifi/modulate.h"
#include "phy/wifi/wifi.h"

static const double wifi_pi = 3.14159265358979324;

static inline uint64_t wifi_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* len octets of which the last four are the FCS */
static inline void wifi_draw_psdu(uint8_t *psdu, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++)
        psdu[i] = (uint8_t)wifi_random(&seed);
    if (len <= 4)
        return;
    uint32_t fcs = phy_crc32(psdu, len - 4);
    for (size_t i = 0; i < 4; i++)
        psdu[len - 4 + i] = (uint8_t)(fcs >> 8 * i);
}

/* Writes the frame of that PSDU at its place; returns its samples. */
static inline size_t wifi_put_frame(float complex *out, const uint8_t *psdu, size_t len, unsigned rate_index)
{
    struct phy_wifi_modulate cfg = {.rate_index = rate_index, .scrambler = phy_wifi_scrambler_of(psdu, len)};
    long n = phy_wifi_modulate(&cfg, psdu, len, out, phy_wifi_frame_samples(len, rate_index));
    ck_assert_int_eq(n, (long)phy_wifi_frame_samples(len, rate_index));
    return (size_t)n;
}

static inline double wifi_snr_db(double es_n0_db)
{
    return es_n0_db - 10.0 * log10(64.0 / 52.0);
}

static inline void wifi_add_noise(float complex *x, size_t n, double power_db, uint64_t seed)
{
    static struct phy_awgn g;
    phy_awgn_init(&g, seed, 77, phy_simd_best());
    phy_awgn_add(&g, 0, (float)pow(10.0, power_db / 10.0), x, n);
}

/* Multiplies by a gain and turns by cfo turns a sample, from a phase in radians. */
static inline void wifi_turn(float complex *x, size_t n, double gain, double cfo, double phase)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= (float complex)(gain * cexp(I * (phase + 2.0 * wifi_pi * fmod(cfo * (double)i, 1.0))));
}

/* Reads x at (i - delay) / (1 + ppm / 10^6): windowed sinc of 32 samples. */
static inline void wifi_resample(const float complex *x, size_t n, double ppm, double delay, float complex *out, size_t n_out)
{
    for (size_t i = 0; i < n_out; i++) {
        double at = ((double)i - delay) / (1.0 + ppm * 1e-6);
        long first = (long)floor(at) - 15;
        double complex sum = 0.0;
        for (long k = first; k < first + 32; k++) {
            double t = at - (double)k, window = 0.5 + 0.5 * cos(wifi_pi * t / 16.5);
            double sinc = fabs(t) < 1e-9 ? 1.0 : sin(wifi_pi * t) / (wifi_pi * t);
            if (k >= 0 && k < (long)n)
                sum += sinc * window * (double complex)x[k];
        }
        out[i] = (float complex)sum;
    }
}
#endif
