#include "phy/air/fading.h"

#include <math.h>

#include "phy/air/key.h"
#include "phy/air/simd_math.h"

_Static_assert(PHY_FADING_WAVES == 16, "a quarter is their amplitude");

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

static double power_of(double db)
{
    return pow(10.0, db / 10.0);
}

/* A wave of shift f_d cos(direction), its direction drawn from a part of the circle, its phase from all of it. */
static void draw_wave(uint64_t key, double first_turn, double turn_span, double shift_turns, uint64_t *phase, uint64_t *increment)
{
    double direction = two_pi * (first_turn + turn_span * phy_key_uniform(phy_key(key, 0)));
    double turns = shift_turns * cos(direction); /* |turns| <= 1/2000 */
    *phase = phy_key(key, 1);
    *increment = (uint64_t)(int64_t)llround(turns * 18446744073709551616.0);
}

static void draw_tap(const struct phy_fading *f, uint32_t tap, uint64_t key, double shift_turns, struct phy_fading_draws *out)
{
    enum { N = PHY_FADING_WAVES };
    for (unsigned n = 0; n < N; n++)
        draw_wave(phy_key(key, n), (double)n / N, 1.0 / N, shift_turns, &out->phase[tap][n], &out->increment[tap][n]);
    draw_wave(phy_key(key, N), 0.0, 1.0, shift_turns, &out->phase[tap][N], &out->increment[tap][N]);
    out->still[tap] = f->kind == PHY_FADING_FIXED ? 1.0f : (float complex)phy_key_gaussian(phy_key(key, N + 1));
}

void phy_fading_draw(const struct phy_fading *f, uint64_t key, uint32_t sample_rate_hz, struct phy_fading_draws *out)
{
    double total = 0.0, k = f->kind == PHY_FADING_RICIAN ? power_of(f->k_db) : 0.0;
    for (uint32_t i = 0; i < f->n_taps; i++)
        total += power_of((double)f->taps[i].power_db);
    for (uint32_t i = 0; i < f->n_taps; i++) {
        out->amplitude[i] = (float)sqrt(power_of((double)f->taps[i].power_db) / total);
        draw_tap(f, i, phy_key(key, i), f->doppler_hz / sample_rate_hz, out);
    }
    out->steady = (float)sqrt(k / (k + 1.0));
    out->rest = (float)sqrt(1.0 / (k + 1.0));
}

static float complex wave(const struct phy_fading_draws *d, uint32_t tap, unsigned n, uint64_t sample)
{
    float c, s;
    phy_cos_sin_turns((uint32_t)((d->phase[tap][n] + d->increment[tap][n] * sample) >> 32), &c, &s);
    return c + s * (float complex)I;
}

static float complex tap_gain(const struct phy_fading *f, const struct phy_fading_draws *d, uint32_t tap, uint64_t sample)
{
    float complex gain = d->still[tap];
    if (f->kind != PHY_FADING_FIXED && f->doppler_hz > 0.0) {
        gain = 0.0f;
        for (unsigned n = 0; n < PHY_FADING_WAVES; n++)
            gain += wave(d, tap, n, sample);
        gain *= 0.25f; /* 16 waves of power 1/16 */
    }
    return tap == 0 && f->kind == PHY_FADING_RICIAN ? d->rest * gain + d->steady * wave(d, tap, PHY_FADING_WAVES, sample) : gain;
}

void phy_fading_gains(const struct phy_fading *f, const struct phy_fading_draws *draws, uint64_t sample, float complex *gains_out)
{
    for (uint32_t i = 0; i < f->n_taps; i++)
        gains_out[i] = draws->amplitude[i] * tap_gain(f, draws, i, sample);
}
