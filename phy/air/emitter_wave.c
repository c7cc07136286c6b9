/* What an emitter sends: every sample a function of its index. */
#include <math.h>
#include <string.h>

#include "phy/air/emitter_machine.h"
#include "phy/air/key.h"
#include "phy/air/simd_math.h"
#include "phy/sensing/energy.h"

enum { N_BEFORE = PHY_EMITTER_FILTER_TAPS - 1, PIECE = 1024 };

static const double pi = 3.14159265358979323846;

static bool is_frequency(double cycles_per_sample)
{
    return cycles_per_sample >= -0.5 && cycles_per_sample <= 0.5;
}

static bool is_prepared(const struct phy_emitter_config *cfg)
{
    return cfg->kind == PHY_EMITTER_PREAMBLE || cfg->kind == PHY_EMITTER_DECEPTIVE;
}

const char *phy_emitter_check_wave(const struct phy_emitter_config *cfg)
{
    if (!is_frequency(cfg->offset))
        return "offset";
    if (!(cfg->bandwidth >= 0.0 && cfg->bandwidth <= 1.0))
        return "bandwidth";
    if (cfg->kind == PHY_EMITTER_SWEEP && (!is_frequency(cfg->sweep_low) || !is_frequency(cfg->sweep_high)))
        return "sweep_low";
    if (cfg->kind == PHY_EMITTER_SWEEP && cfg->sweep_samples == 0)
        return "sweep_samples";
    if (cfg->kind == PHY_EMITTER_PILOT && (cfg->n_tones < 1 || cfg->n_tones > PHY_EMITTER_MAX_TONES))
        return "n_tones";
    for (uint32_t i = 0; cfg->kind == PHY_EMITTER_PILOT && i < cfg->n_tones; i++)
        if (!is_frequency(cfg->tones[i]))
            return "tones";
    if (is_prepared(cfg) && (!cfg->prepared || !(phy_energy_sum(cfg->prepared, cfg->burst_samples) > 0.0)))
        return "prepared";
    return NULL;
}

static uint64_t turns_of(double cycles)
{
    return (uint64_t)(int64_t)llround((cycles - floor(cycles)) * 9223372036854775808.0) << 1;
}

/* A low pass of Blackman's window; unit noise through it keeps power 1. */
static void prepare_filter(struct phy_emitter *j)
{
    double taps[PHY_EMITTER_FILTER_TAPS], energy = 0.0;
    for (int k = 0; k < PHY_EMITTER_FILTER_TAPS; k++) {
        double t = k - N_BEFORE / 2.0, turn = 2.0 * pi * k / N_BEFORE;
        double window = 0.42 - 0.5 * cos(turn) + 0.08 * cos(2.0 * turn);
        taps[k] = (k == N_BEFORE / 2 ? j->cfg.bandwidth : sin(pi * j->cfg.bandwidth * t) / (pi * t)) * window;
        energy += taps[k] * taps[k];
    }
    for (int k = 0; k < PHY_EMITTER_FILTER_TAPS; k++)
        j->filter[k] = (float)(taps[k] / sqrt(energy));
}

void phy_emitter_prepare_wave(struct phy_emitter *j)
{
    const struct phy_emitter_config *cfg = &j->cfg;
    double power = pow(10.0, cfg->power_dbfs / 10.0);
    j->offset = turns_of(cfg->offset);
    if (cfg->bandwidth > 0.0 && cfg->bandwidth < 1.0)
        prepare_filter(j);
    if (cfg->kind == PHY_EMITTER_SWEEP) {
        j->sweep_from = turns_of(cfg->sweep_low);
        j->sweep_step = turns_of((cfg->sweep_high - cfg->sweep_low) / cfg->sweep_samples);
    }
    for (uint32_t i = 0; i < cfg->n_tones; i++) {
        j->tones[i] = turns_of(cfg->tones[i]);
        j->tone_phase[i] = phy_key(phy_key(phy_key(cfg->seed, PHY_KEY_EMITTER), cfg->stream), UINT64_MAX - i);
    }
    if (is_prepared(cfg))
        power /= phy_energy_sum(cfg->prepared, cfg->burst_samples) / cfg->burst_samples;
    if (cfg->kind == PHY_EMITTER_PILOT)
        power /= cfg->n_tones;
    j->amplitude = (float)sqrt(power);
}

static float complex turn(uint64_t phase)
{
    float c, s;
    phy_cos_sin_turns((uint32_t)(phase >> 32), &c, &s);
    return c + s * (float complex)I;
}

static void fill_noise(struct phy_emitter *j, uint64_t start, size_t n, float complex *out)
{
    float power = (float)pow(10.0, j->cfg.power_dbfs / 10.0);
    if (!(j->cfg.bandwidth > 0.0 && j->cfg.bandwidth < 1.0)) {
        memset(out, 0, n * sizeof *out);
        phy_awgn_add(&j->noise, start, power, out, n);
        return;
    }
    float complex white[PIECE + N_BEFORE];
    for (size_t at = 0; at < n; at += PIECE) {
        size_t n_here = n - at < PIECE ? n - at : PIECE;
        memset(white, 0, (n_here + N_BEFORE) * sizeof *white);
        phy_awgn_add(&j->noise, start + at, power, white, n_here + N_BEFORE); /* sample i is made of noise i to i + N_BEFORE */
        for (size_t i = 0; i < n_here; i++) {
            const float *x = (const float *)(white + i);
            float re = 0.0f, im = 0.0f;
            for (size_t k = 0; k < PHY_EMITTER_FILTER_TAPS; k++) {
                re += j->filter[k] * x[2 * k];
                im += j->filter[k] * x[2 * k + 1];
            }
            out[at + i] = (re + im * (float complex)I) * turn(j->offset * (start + at + i));
        }
    }
}

/* Phase of a frequency that rises by sweep_step a sample: its sum over the samples before. */
static uint64_t sweep_phase(const struct phy_emitter *j, uint64_t sample)
{
    uint64_t m = (sample - j->cfg.from_sample) % j->cfg.sweep_samples;
    uint64_t pairs = m % 2 ? m * ((m - 1) / 2) : m / 2 * (m - 1);
    return j->sweep_from * m + j->sweep_step * pairs;
}

static float complex tones_at(const struct phy_emitter *j, uint64_t sample)
{
    float complex sum = 0.0f;
    for (uint32_t i = 0; i < j->cfg.n_tones; i++)
        sum += turn(j->tone_phase[i] + j->tones[i] * sample);
    return sum;
}

void phy_emitter_fill(struct phy_emitter *j, const struct phy_emitter_burst *burst, float complex *out)
{
    uint64_t start = burst->start_sample;
    size_t n = (size_t)burst->n_samples;
    switch (j->cfg.kind) {
    case PHY_EMITTER_TONE:
        for (size_t i = 0; i < n; i++)
            out[i] = j->amplitude * turn(j->offset * (start + i));
        return;
    case PHY_EMITTER_SWEEP:
        for (size_t i = 0; i < n; i++)
            out[i] = j->amplitude * turn(sweep_phase(j, start + i));
        return;
    case PHY_EMITTER_PILOT:
        for (size_t i = 0; i < n; i++)
            out[i] = j->amplitude * tones_at(j, start + i);
        return;
    case PHY_EMITTER_PREAMBLE:
    case PHY_EMITTER_DECEPTIVE:
        for (size_t i = 0; i < n; i++)
            out[i] = j->amplitude * j->cfg.prepared[i];
        return;
    default:
        fill_noise(j, start, n, out);
    }
}
