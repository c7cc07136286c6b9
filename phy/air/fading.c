#include "phy/air/fading.h"

#include <math.h>

#include "phy/air/key.h"
#include "phy/air/simd_math.h"

enum { MAX_GRID = 1024, MIN_GRID = 16 };

static const double two_pi = 6.28318530717958647692;

const char *phy_fading_check(const struct phy_fading *f, uint32_t sample_rate_hz)
{
    if ((unsigned)f->kind > PHY_FADING_RICIAN)
        return "kind";
    if (f->n_taps < 1 || f->n_taps > PHY_FADING_MAX_TAPS)
        return "n_taps";
    for (uint32_t i = 0; i < f->n_taps; i++) {
        if (f->taps[i].delay_samples > PHY_FADING_MAX_DELAY || (i > 0 && f->taps[i].delay_samples <= f->taps[i - 1].delay_samples))
            return "delay_samples";
        if (!(f->taps[i].power_db >= -100.0f && f->taps[i].power_db <= 100.0f))
            return "power_db";
    }
    if (f->kind == PHY_FADING_RICIAN && !(f->k_db >= -40.0 && f->k_db <= 60.0))
        return "k_db";
    return f->doppler_hz >= 0.0 && f->doppler_hz * 2000.0 <= sample_rate_hz ? NULL : "doppler_hz";
}

uint32_t phy_fading_exponential(double rms_spread_ns, uint32_t sample_rate_hz, struct phy_fading_tap *taps_out)
{
    const double least_db = -30.0;
    double step_db = rms_spread_ns > 0.0 ? -4.34294481903 * 1e9 / sample_rate_hz / rms_spread_ns : -1e3;
    uint32_t n = 0;
    for (; n < PHY_FADING_MAX_TAPS && n * step_db >= least_db; n++)
        taps_out[n] = (struct phy_fading_tap){n, (float)(n * step_db)};
    return n;
}

uint64_t phy_fading_key(uint64_t seed, uint32_t a, uint32_t b, uint32_t channel, uint64_t start)
{
    uint64_t low = a < b ? a : b, high = a < b ? b : a;
    return phy_key(phy_key(phy_key(phy_key(seed, PHY_KEY_FADING), low << 32 | high), channel), start);
}

uint32_t phy_fading_grid(const struct phy_fading *f, uint32_t sample_rate_hz)
{
    const double most_radians = 0.05;
    if (f->kind == PHY_FADING_FIXED || !(f->doppler_hz > 0.0))
        return 0;
    uint32_t grid = MAX_GRID;
    while (grid > MIN_GRID && two_pi * f->doppler_hz * grid / sample_rate_hz > most_radians)
        grid /= 2;
    return grid;
}

/* cos and sin of the phase p + 2 pi f_d cos(a) i / fs, both angles drawn. */
static double complex wave(uint64_t key, double first_turn, double turn_span, double shift_turns, uint64_t sample)
{
    double direction = two_pi * (first_turn + turn_span * phy_key_uniform(phy_key(key, 0)));
    double turns = shift_turns * cos(direction); /* |turns| < 1/2000 */
    uint64_t phase = phy_key(key, 1) + (uint64_t)(int64_t)llround(turns * 18446744073709551616.0) * sample;
    float c, s;
    phy_cos_sin_turns((uint32_t)(phase >> 32), &c, &s);
    return (double)c + (double)s * I;
}

static double complex scattered(const struct phy_fading *f, uint64_t key, double shift_turns, uint64_t sample)
{
    if (!(f->doppler_hz > 0.0))
        return phy_key_gaussian(key);
    double complex sum = 0.0;
    for (unsigned n = 0; n < PHY_FADING_WAVES; n++)
        sum += wave(phy_key(key, n), (double)n / PHY_FADING_WAVES, 1.0 / PHY_FADING_WAVES, shift_turns, sample);
    return sum / sqrt(PHY_FADING_WAVES);
}

static double complex tap_gain(const struct phy_fading *f, uint32_t tap, uint64_t key, double shift_turns, uint64_t sample)
{
    if (f->kind == PHY_FADING_FIXED)
        return 1.0;
    double complex rest = scattered(f, phy_key(key, tap), shift_turns, sample);
    if (f->kind == PHY_FADING_RAYLEIGH || tap > 0)
        return rest;
    double k = pow(10.0, f->k_db / 10.0);
    double complex steady = wave(phy_key(key, UINT32_MAX), 0.0, 1.0, shift_turns, sample);
    return (sqrt(k) * steady + rest) / sqrt(k + 1.0);
}

void phy_fading_gains(const struct phy_fading *f, uint64_t key, uint32_t sample_rate_hz, uint64_t sample, float complex *gains_out)
{
    double total = 0.0, shift_turns = f->doppler_hz / sample_rate_hz;
    for (uint32_t i = 0; i < f->n_taps; i++)
        total += pow(10.0, (double)f->taps[i].power_db / 10.0);
    for (uint32_t i = 0; i < f->n_taps; i++) {
        double amplitude = sqrt(pow(10.0, (double)f->taps[i].power_db / 10.0) / total);
        gains_out[i] = (float complex)(amplitude * tap_gain(f, i, key, shift_turns, sample));
    }
}
