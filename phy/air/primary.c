#include "phy/air/primary.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "phy/air/key.h"
#include "phy/air/play.h"
#include "phy/air/simd_math.h"
#include "phy/sensing/energy.h"

enum { N_FFT = 64, PREFIX = 16, N_OFDM_SYMBOLS = 1024, N_QPSK_SYMBOLS = 2048, SPAN = 8, MAX_SPS = 320 };

static const double pi = 3.14159265358979323846, roll_off = 0.25;

int phy_primary_kind_of(const char *name)
{
    static const char *const names[PHY_PRIMARY_N_KINDS] = {"ofdm", "narrowband", "radar"};
    for (int i = 0; i < PHY_PRIMARY_N_KINDS; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static size_t samples_a_symbol(const struct phy_primary *p)
{
    return (size_t)lround((1.0 + roll_off) / p->bandwidth);
}

static size_t radar_loop(const struct phy_primary *p)
{
    if (p->scan_samples == 0)
        return p->period_samples;
    return (size_t)(p->scan_samples / p->period_samples) * p->period_samples;
}

static const char *find_bad_radar(const struct phy_primary *p)
{
    if (!(p->bandwidth >= 0.0 && p->bandwidth <= 1.0))
        return "bandwidth";
    if (p->pulse_samples < 1)
        return "pulse_samples";
    if (p->period_samples < p->pulse_samples || p->period_samples > PHY_PRIMARY_MAX_SAMPLES)
        return "period_samples";
    if (p->scan_samples > 0 && (p->scan_samples < p->period_samples || p->scan_samples > PHY_PRIMARY_MAX_SAMPLES))
        return "scan_samples";
    return p->scan_samples > 0 && (p->dwell_samples < 1 || p->dwell_samples > p->scan_samples) ? "dwell_samples" : NULL;
}

static const char *find_bad_field(const struct phy_primary *p)
{
    if ((unsigned)p->kind >= PHY_PRIMARY_N_KINDS)
        return "kind";
    if (!(p->offset >= -0.5 && p->offset <= 0.5))
        return "offset";
    if (p->kind == PHY_PRIMARY_RADAR)
        return find_bad_radar(p);
    double least = p->kind == PHY_PRIMARY_OFDM ? 2.0 / N_FFT : 1.0 / 256.0;
    return p->bandwidth >= least && p->bandwidth <= 0.95 ? NULL : "bandwidth";
}

size_t phy_primary_samples(const struct phy_primary *p, const char **bad_field_out)
{
    *bad_field_out = find_bad_field(p);
    if (*bad_field_out)
        return 0;
    if (p->kind == PHY_PRIMARY_OFDM)
        return (size_t)N_OFDM_SYMBOLS * (N_FFT + PREFIX);
    return p->kind == PHY_PRIMARY_RADAR ? radar_loop(p) : N_QPSK_SYMBOLS * samples_a_symbol(p);
}

static float complex turn(double turns)
{
    float c, s;
    phy_cos_sin_turns((uint32_t)(int64_t)llround((turns - floor(turns)) * 4294967296.0), &c, &s);
    return c + s * (float complex)I;
}

static float complex draw_qpsk(const struct phy_primary *p, uint64_t i)
{
    uint64_t bits = phy_key(phy_key(phy_key(p->seed, PHY_KEY_EMITTER), p->stream), i);
    return (bits & 1 ? 0.70710678f : -0.70710678f) + (bits & 2 ? 0.70710678f : -0.70710678f) * (float complex)I;
}

static void make_symbol(const struct phy_primary *p, uint64_t i_symbol, float complex *out)
{
    int reach = (int)floor(p->bandwidth * N_FFT / 2.0);
    float complex *body = out + PREFIX;
    for (int i = 0; i < N_FFT; i++) {
        body[i] = 0.0f;
        for (int k = -reach; k <= reach; k++)
            if (k != 0)
                body[i] += draw_qpsk(p, i_symbol * N_FFT + (uint64_t)(k + N_FFT / 2)) * turn((double)(k * i) / N_FFT);
    }
    memcpy(out, body + N_FFT - PREFIX, PREFIX * sizeof *out);
}

/* Root raised cosine at t symbols from its middle. */
static double shape(double t)
{
    double a = roll_off, at = fabs(t);
    if (at < 1e-9)
        return 1.0 - a + 4.0 * a / pi;
    if (fabs(at - 1.0 / (4.0 * a)) < 1e-6)
        return a / sqrt(2.0) * ((1.0 + 2.0 / pi) * sin(pi / (4.0 * a)) + (1.0 - 2.0 / pi) * cos(pi / (4.0 * a)));
    return (sin(pi * t * (1.0 - a)) + 4.0 * a * t * cos(pi * t * (1.0 + a))) / (pi * t * (1.0 - 16.0 * a * a * t * t));
}

/* Symbols follow each other in a ring, so that the loop has no seam. */
static void make_narrowband(const struct phy_primary *p, float complex *out)
{
    size_t sps = samples_a_symbol(p);
    float taps[2 * SPAN * MAX_SPS + 1];
    assert(sps <= MAX_SPS);
    for (size_t k = 0; k <= 2 * SPAN * sps; k++)
        taps[k] = (float)shape((double)k / (double)sps - SPAN);
    for (size_t symbol = 0; symbol < N_QPSK_SYMBOLS; symbol++) {
        float complex x[2 * SPAN + 1];
        for (size_t k = 0; k <= 2 * SPAN; k++)
            x[k] = draw_qpsk(p, (symbol + N_QPSK_SYMBOLS + SPAN - k) % N_QPSK_SYMBOLS);
        for (size_t i = 0; i < sps; i++) {
            float complex sum = 0.0f;
            for (size_t k = 0; k <= 2 * SPAN; k++) {
                size_t tap = k * sps + i;
                sum += tap <= 2 * SPAN * sps ? taps[tap] * x[k] : 0.0f;
            }
            out[symbol * sps + i] = sum;
        }
    }
}

static void make_radar(const struct phy_primary *p, float complex *out, size_t n)
{
    memset(out, 0, n * sizeof *out);
    for (size_t start = 0; start < n; start += p->period_samples) {
        if (p->scan_samples > 0 && start >= p->dwell_samples)
            break;
        for (size_t i = 0; i < p->pulse_samples; i++) {
            double at = (double)i - (p->pulse_samples - 1) / 2.0;
            out[start + i] = turn(0.5 * p->bandwidth / p->pulse_samples * at * at);
        }
    }
}

void phy_primary_make(const struct phy_primary *p, float complex *out)
{
    const char *bad_field;
    size_t n = phy_primary_samples(p, &bad_field);
    assert(n > 0);
    if (p->kind == PHY_PRIMARY_OFDM)
        for (size_t i = 0; i < N_OFDM_SYMBOLS; i++)
            make_symbol(p, i, out + i * (N_FFT + PREFIX));
    else if (p->kind == PHY_PRIMARY_NARROWBAND)
        make_narrowband(p, out);
    else
        make_radar(p, out, n);
    if (p->kind != PHY_PRIMARY_RADAR) {
        float scale = (float)(1.0 / sqrt(phy_energy_sum(out, n) / (double)n));
        for (size_t i = 0; i < n; i++)
            out[i] *= scale;
    }
    phy_play_shift(out, n, p->offset);
}
