#include "phy/wifi/modulate.h"

#include "phy/wifi/code.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* --- bits --- */

void phy_wifi_signal_bits(unsigned rate_index, size_t psdu_len, uint8_t bits_out[PHY_WIFI_SIGNAL_BITS])
{
    memset(bits_out, 0, PHY_WIFI_SIGNAL_BITS);
    for (unsigned i = 0; i < 4; i++)
        bits_out[i] = (uint8_t)(phy_wifi_rate(rate_index)->signal >> i & 1);
    for (unsigned i = 0; i < 12; i++)
        bits_out[5 + i] = (uint8_t)(psdu_len >> i & 1u);
    for (unsigned i = 0; i < 17; i++)
        bits_out[17] ^= bits_out[i];
}

size_t phy_wifi_data_bits(unsigned rate_index, uint8_t scrambler, const uint8_t *psdu, size_t psdu_len, uint8_t *bits_out)
{
    size_t n = (size_t)phy_wifi_n_symbols(psdu_len, rate_index) * phy_wifi_rate(rate_index)->n_dbps;
    size_t tail = PHY_WIFI_SERVICE_BITS + 8 * psdu_len;
    memset(bits_out, 0, n);
    for (size_t i = 0; i < 8 * psdu_len; i++)
        bits_out[PHY_WIFI_SERVICE_BITS + i] = (uint8_t)(psdu[i / 8] >> i % 8 & 1);
    phy_wifi_scramble(bits_out, n, scrambler);
    memset(bits_out + tail, 0, PHY_WIFI_TAIL_BITS);
    return n;
}

uint8_t phy_wifi_scrambler_of(const uint8_t *psdu, size_t psdu_len)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < psdu_len; i++)
        hash = (hash ^ psdu[i]) * 16777619u;
    return (uint8_t)(1 + (hash ^ hash >> 16) % 127);
}

/* --- one symbol --- */

void phy_wifi_map_symbol(unsigned rate_index, unsigned i_symbol, const uint8_t *bits, unsigned *state,
                         float complex bins_out[PHY_WIFI_N_FFT])
{
    const struct phy_wifi_rate *rate = phy_wifi_rate(rate_index);
    const uint16_t *interleaver = phy_wifi_interleaver(rate_index);
    const float complex *points = phy_wifi_constellation(rate->n_bpsc);
    uint8_t coded[2 * 216], places[PHY_WIFI_MAX_NCBPS];
    unsigned period, n_sent = 0;
    const uint8_t *kept = phy_wifi_puncture_pattern(rate_index, &period);
    *state = phy_wifi_encode_from(*state, bits, rate->n_dbps, coded);
    for (unsigned i = 0; i < 2 * rate->n_dbps; i++)
        if (kept[i % period])
            places[interleaver[n_sent++]] = coded[i];
    memset(bins_out, 0, PHY_WIFI_N_FFT * sizeof *bins_out);
    for (unsigned i = 0; i < PHY_WIFI_N_DATA; i++) {
        unsigned index = 0;
        for (unsigned b = 0; b < rate->n_bpsc; b++)
            index |= (unsigned)places[i * rate->n_bpsc + b] << b;
        bins_out[phy_wifi_data_bin[i]] = points[index];
    }
    for (unsigned i = 0; i < 4; i++)
        bins_out[phy_wifi_pilot_bin[i]] = phy_wifi_pilot_value[i] * (float)phy_wifi_pilot_polarity(i_symbol);
}

/* --- samples --- */

/* cos(2 pi k / 64); the sine is a quarter turn behind */
static const float cosine[PHY_WIFI_N_FFT] = {
    1, 0.995184727f, 0.98078528f, 0.956940336f, 0.923879533f, 0.881921264f, 0.831469612f, 0.773010453f,
    0.707106781f, 0.634393284f, 0.555570233f, 0.471396737f, 0.382683432f, 0.290284677f, 0.195090322f, 0.0980171403f,
    0, -0.0980171403f, -0.195090322f, -0.290284677f, -0.382683432f, -0.471396737f, -0.555570233f, -0.634393284f,
    -0.707106781f, -0.773010453f, -0.831469612f, -0.881921264f, -0.923879533f, -0.956940336f, -0.98078528f, -0.995184727f,
    -1, -0.995184727f, -0.98078528f, -0.956940336f, -0.923879533f, -0.881921264f, -0.831469612f, -0.773010453f,
    -0.707106781f, -0.634393284f, -0.555570233f, -0.471396737f, -0.382683432f, -0.290284677f, -0.195090322f, -0.0980171403f,
    0, 0.0980171403f, 0.195090322f, 0.290284677f, 0.382683432f, 0.471396737f, 0.555570233f, 0.634393284f,
    0.707106781f, 0.773010453f, 0.831469612f, 0.881921264f, 0.923879533f, 0.956940336f, 0.98078528f, 0.995184727f,
};

/* out[i] = sum of bins[k] exp(+j 2 pi i k / 64): radix 4, in three passes. */
static void transform_back(const float complex bins[PHY_WIFI_N_FFT], float complex out[PHY_WIFI_N_FFT])
{
    for (unsigned i = 0; i < PHY_WIFI_N_FFT; i++)
        out[i] = bins[(i & 3u) << 4 | (i & 12u) | i >> 4];
    for (unsigned span = 1; span < PHY_WIFI_N_FFT; span *= 4)
        for (unsigned k = 0; k < span; k++) {
            float complex turn[4];
            for (unsigned m = 0; m < 4; m++) {
                unsigned angle = m * k * (16 / span);
                turn[m] = CMPLXF(cosine[angle % 64], cosine[(angle + 48) % 64]);
            }
            for (float complex *x = out + k; x < out + PHY_WIFI_N_FFT; x += 4 * span) {
                float complex even = x[0] + x[2 * span] * turn[2], even_turned = x[0] - x[2 * span] * turn[2];
                float complex b = x[span] * turn[1], d = x[3 * span] * turn[3];
                float complex odd = b + d, odd_turned = CMPLXF(cimagf(d) - cimagf(b), crealf(b) - crealf(d));
                x[0] = even + odd;
                x[span] = even_turned + odd_turned;
                x[2 * span] = even - odd;
                x[3 * span] = even_turned - odd_turned;
            }
        }
}

struct writer {
    float complex *at;
    unsigned window;
    float ramp[PHY_WIFI_MAX_WINDOW];
};

/* Mean power of a symbol: 52 subcarriers of power 1. */
static const float scale = 0.138675049f; /* 1 / sqrt(52) */

/* The next n samples of a signal of period 64 that begins at sample `first` of it, over the ramp down of what stands before. */
static void write_section(struct writer *w, const float complex bins[PHY_WIFI_N_FFT], unsigned first, unsigned n)
{
    float complex period[PHY_WIFI_N_FFT];
    transform_back(bins, period);
    for (unsigned i = 0; i < w->window; i++)
        w->at[i] += scale * w->ramp[i] * period[(first + i) % PHY_WIFI_N_FFT];
    for (unsigned i = w->window; i < n; i++)
        w->at[i] = scale * period[(first + i) % PHY_WIFI_N_FFT];
    w->at += n;
    for (unsigned i = 0; i < w->window; i++)
        w->at[i] = scale * w->ramp[w->window - 1 - i] * period[(first + n + i) % PHY_WIFI_N_FFT];
}

/* 17.3.3 */
static void write_preamble(struct writer *w)
{
    static const int8_t short_training[12] = {-1, -1, 1, 1, 1, 1, /* subcarriers 4 to 24, */ 1, -1, 1, -1, -1, 1 /* -24 to -4 */};
    float complex bins[PHY_WIFI_N_FFT] = {0};
    const float amplitude = 1.47196014f; /* sqrt(13/6) */
    for (unsigned i = 0; i < 12; i++)
        bins[i < 6 ? 4 + 4 * i : 40 + 4 * (i - 6)] = amplitude * (float)short_training[i] * CMPLXF(1, 1);
    write_section(w, bins, 0, PHY_WIFI_SHORT);
    for (unsigned i = 0; i < PHY_WIFI_N_FFT; i++)
        bins[i] = phy_wifi_long_training[i];
    write_section(w, bins, 32, PHY_WIFI_LONG);
}

static void write_symbol(struct writer *w, unsigned rate_index, unsigned i_symbol, const uint8_t *bits, unsigned *state)
{
    float complex bins[PHY_WIFI_N_FFT];
    phy_wifi_map_symbol(rate_index, i_symbol, bits, state, bins);
    write_section(w, bins, PHY_WIFI_N_FFT - PHY_WIFI_GUARD, PHY_WIFI_SYMBOL);
}

static int check(const struct phy_wifi_modulate *cfg, size_t psdu_len)
{
    bool good = phy_wifi_rate(cfg->rate_index) && cfg->scrambler >= 1 && cfg->scrambler <= 127 && cfg->window <= PHY_WIFI_MAX_WINDOW &&
                psdu_len >= 1 && psdu_len <= PHY_WIFI_MAX_PSDU;
    return good ? 0 : -EINVAL;
}

long phy_wifi_modulate(const struct phy_wifi_modulate *cfg, const uint8_t *psdu, size_t psdu_len, float complex *out, size_t cap)
{
    if (check(cfg, psdu_len))
        return -EINVAL;
    size_t n = phy_wifi_frame_samples(psdu_len, cfg->rate_index) + cfg->window;
    if (n > cap)
        return -ENOBUFS;
    struct writer w = {.at = out, .window = cfg->window};
    for (unsigned i = 0; i < w.window; i++) {
        float root = sinf((float)M_PI / 2 * (float)(i + 1) / (float)(w.window + 1));
        w.ramp[i] = root * root;
        out[i] = 0;
    }
    uint8_t signal[PHY_WIFI_SIGNAL_BITS], data[PHY_WIFI_MAX_DATA_BITS];
    unsigned state = 0, n_dbps = phy_wifi_rate(cfg->rate_index)->n_dbps;
    write_preamble(&w);
    phy_wifi_signal_bits(cfg->rate_index, psdu_len, signal);
    write_symbol(&w, 0, 0, signal, &state);
    size_t n_bits = phy_wifi_data_bits(cfg->rate_index, cfg->scrambler, psdu, psdu_len, data);
    for (size_t i = 0; i < n_bits / n_dbps; i++)
        write_symbol(&w, cfg->rate_index, (unsigned)i + 1, data + i * n_dbps, &state);
    return (long)n;
}
