#include "phy/air/front_end.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/air/fractional.h"
#include "phy/air/simd_math.h"

enum { PIECE = 256, HELD = PIECE + PHY_FRACTIONAL_TAPS + 8, MAX_GAIN_STEPS = 160 };

static const double pi = 3.14159265358979323846;

struct phy_front_end {
    struct phy_awgn noise; /* first: it is the most aligned */
    struct phy_front_end_config cfg;
    struct phy_fractional bank;
    struct phy_fractional_stretch stretch;
    uint64_t position;     /* of the next output sample */
    /* sample clock */
    double drift;          /* output sample m lies at input position m + m drift */
    double held_from;      /* input index of held[0] */
    size_t n_held;
    float complex held[HELD];
    uint64_t stretch_of;   /* whose filters are at hand */
    uint64_t n_out_clock;
    /* oscillator */
    uint64_t increment;    /* 2^64 a turn */
    bool phase_known;
    float phase, phase_decay, phase_drive; /* turns */
    float i_to_q, q_to_q;
    /* AGC */
    float gains[MAX_GAIN_STEPS + 1]; /* from agc_min_gain_db on, 1 dB apart */
    double gain_db, attack, rise_db;
    bool attacking;
    uint32_t hold_windows, n_low, n_in_window;
    double window_energy;
    /* converter */
    float dc, full_scale;
    uint64_t deaf_until, switch_samples, n_clipped;
};

/* --- presets --- */

/* Data sheet figures at three carriers, straight lines between and beyond. */
static double b210_phase_noise_deg(double carrier_hz)
{
    static const double at_hz[] = {0.0, 800e6, 2.4e9, 5.5e9}, deg[] = {0.0, 0.13, 0.37, 0.59};
    size_t i = carrier_hz < at_hz[1] ? 0 : carrier_hz < at_hz[2] ? 1 : 2;
    return deg[i] + (carrier_hz - at_hz[i]) / (at_hz[i + 1] - at_hz[i]) * (deg[i + 1] - deg[i]);
}

int phy_front_end_preset(const char *name, double carrier_hz, uint32_t sample_rate_hz, struct phy_front_end_config *out)
{
    struct phy_front_end_config ideal = {.sample_rate_hz = sample_rate_hz,
                                         .carrier_hz = carrier_hz,
                                         .phase_noise_hz = 50e3,
                                         .dc_dbfs = -INFINITY,
                                         .adc_bits = 16,
                                         .agc_min_gain_db = -26.0,
                                         .agc_max_gain_db = 50.0,
                                         .agc_high_dbfs = -10.0,
                                         .agc_target_dbfs = -16.0,
                                         .agc_low_dbfs = -40.0,
                                         .agc_attack_ns = 1000.0,
                                         .agc_hold_ns = 20000.0,
                                         .agc_rise_db_per_us = 1.0};
    *out = ideal;
    if (strcmp(name, "ideal") == 0)
        return 0;
    if (strcmp(name, "b210") != 0)
        return -ENOENT;
    out->ppm = 2.0;
    out->phase_noise_deg = b210_phase_noise_deg(carrier_hz);
    out->iq_gain_db = 0.017;
    out->iq_phase_deg = 0.2;
    out->dc_dbfs = -65.0;
    out->adc_bits = 12;
    out->agc = true;
    out->switch_ns = 1000.0;
    return 0;
}

/* --- init --- */

static bool within(double x, double low, double high)
{
    return x >= low && x <= high;
}

static const char *find_bad_agc(const struct phy_front_end_config *cfg)
{
    if (!within(cfg->agc_min_gain_db, -100.0, 100.0))
        return "agc_min_gain_db";
    if (!within(cfg->agc_max_gain_db - cfg->agc_min_gain_db, 0.0, MAX_GAIN_STEPS))
        return "agc_max_gain_db";
    if (!within(cfg->agc_high_dbfs, -60.0, 0.0))
        return "agc_high_dbfs";
    if (!within(cfg->agc_target_dbfs, -80.0, cfg->agc_high_dbfs))
        return "agc_target_dbfs";
    if (!within(cfg->agc_low_dbfs, -120.0, cfg->agc_target_dbfs))
        return "agc_low_dbfs";
    if (!within(cfg->agc_attack_ns, 0.0, 1e9))
        return "agc_attack_ns";
    if (!within(cfg->agc_hold_ns, 0.0, 1e9))
        return "agc_hold_ns";
    return within(cfg->agc_rise_db_per_us, 1e-6, 1e6) ? NULL : "agc_rise_db_per_us";
}

static const char *find_bad_field(const struct phy_front_end_config *cfg)
{
    if (cfg->sample_rate_hz == 0)
        return "sample_rate_hz";
    if (!within(cfg->carrier_hz, 0.0, 1e12))
        return "carrier_hz";
    if (!within(cfg->ppm, -200.0, 200.0))
        return "ppm";
    if (!within(cfg->phase_noise_deg, 0.0, 45.0))
        return "phase_noise_deg";
    if (cfg->phase_noise_deg > 0.0 && !within(cfg->phase_noise_hz, 1.0, cfg->sample_rate_hz / 2.0))
        return "phase_noise_hz";
    if (!within(cfg->iq_gain_db, -6.0, 6.0))
        return "iq_gain_db";
    if (!within(cfg->iq_phase_deg, -45.0, 45.0))
        return "iq_phase_deg";
    if (!(cfg->dc_dbfs <= 0.0))
        return "dc_dbfs";
    if (cfg->adc_bits != 0 && (cfg->adc_bits < 4 || cfg->adc_bits > 16))
        return "adc_bits";
    if (!within(cfg->switch_ns, 0.0, 1e9))
        return "switch_ns";
    return cfg->agc ? find_bad_agc(cfg) : NULL;
}

size_t phy_front_end_bytes(void)
{
    return (sizeof(struct phy_front_end) + 63) / 64 * 64;
}

static void prepare_oscillator(struct phy_front_end *f)
{
    const struct phy_front_end_config *cfg = &f->cfg;
    double turns = -cfg->ppm * 1e-6 * cfg->carrier_hz / cfg->sample_rate_hz;
    double decay = exp(-2.0 * pi * cfg->phase_noise_hz / cfg->sample_rate_hz);
    double rms_turns = cfg->phase_noise_deg / 360.0;
    f->increment = (uint64_t)(int64_t)llround((turns - floor(turns)) * 9223372036854775808.0) << 1;
    f->phase_decay = (float)decay;
    f->phase_drive = (float)(sqrt(1.0 - decay * decay) * rms_turns);
    double gain = pow(10.0, cfg->iq_gain_db / 20.0), angle = cfg->iq_phase_deg / 180.0 * pi;
    f->i_to_q = (float)(gain * sin(angle));
    f->q_to_q = (float)(gain * cos(angle));
}

static void prepare_agc(struct phy_front_end *f)
{
    const struct phy_front_end_config *cfg = &f->cfg;
    double window_ns = PHY_FRONT_END_AGC_WINDOW * 1e9 / cfg->sample_rate_hz;
    f->gain_db = cfg->agc ? cfg->agc_min_gain_db : 0.0;
    for (int i = 0; i <= MAX_GAIN_STEPS; i++)
        f->gains[i] = (float)pow(10.0, (f->gain_db + i) / 20.0);
    f->attack = cfg->agc_attack_ns > 0.0 ? 1.0 - exp(-window_ns / cfg->agc_attack_ns) : 1.0;
    f->rise_db = cfg->agc_rise_db_per_us * window_ns / 1e3;
    f->hold_windows = (uint32_t)ceil(cfg->agc_hold_ns / window_ns);
}

int phy_front_end_init(void *mem, size_t len, const struct phy_front_end_config *cfg, struct phy_front_end **out,
                       const char **bad_field_out)
{
    assert(mem && (uintptr_t)mem % 64 == 0 && len >= phy_front_end_bytes());
    *bad_field_out = find_bad_field(cfg);
    if (*bad_field_out)
        return -EINVAL;
    struct phy_front_end *f = mem;
    memset(f, 0, sizeof *f);
    f->cfg = *cfg;
    f->drift = 1.0 / (1.0 + cfg->ppm * 1e-6) - 1.0;
    f->held_from = -PHY_FRACTIONAL_BEFORE - 2; /* before the first sample there was silence */
    f->n_held = PHY_FRACTIONAL_BEFORE + 2;
    f->stretch_of = UINT64_MAX;
    phy_fractional_init(&f->bank);
    phy_awgn_init(&f->noise, cfg->seed, cfg->stream, phy_simd_best());
    prepare_oscillator(f);
    prepare_agc(f);
    f->dc = (float)pow(10.0, cfg->dc_dbfs / 20.0) * 0.70710678f;
    f->full_scale = cfg->adc_bits ? (float)(1u << (cfg->adc_bits - 1)) : 0.0f;
    f->switch_samples = (uint64_t)ceil(cfg->switch_ns * 1e-9 * cfg->sample_rate_hz - 1e-6);
    *out = f;
    return 0;
}

/* --- the chain --- */

/* Phase noise: a first-order process (Ornstein and Uhlenbeck) of the given rms and corner, driven by keyed noise. */
static void make_phase(struct phy_front_end *f, float *turns, size_t n)
{
    float complex white[PIECE];
    memset(white, 0, n * sizeof *white);
    phy_awgn_add(&f->noise, f->position, 2.0f, white, n);
    if (!f->phase_known) /* from its stationary law, keyed by where it begins */
        f->phase = cimagf(white[0]) * (float)(f->cfg.phase_noise_deg / 360.0);
    f->phase_known = true;
    for (size_t i = 0; i < n; i++) {
        f->phase = f->phase * f->phase_decay + crealf(white[i]) * f->phase_drive;
        turns[i] = f->phase;
    }
}

static void mix_down(struct phy_front_end *f, float complex *samples, size_t n)
{
    float turns[PIECE], *x = (float *)samples;
    bool noisy = f->cfg.phase_noise_deg > 0.0;
    if (!noisy && f->increment == 0)
        return;
    if (noisy)
        make_phase(f, turns, n);
    else
        memset(turns, 0, n * sizeof *turns);
    uint64_t carrier = f->increment * f->position;
    for (size_t i = 0; i < n; i++) {
        float c, s;
        phy_cos_sin_turns((uint32_t)(carrier >> 32) + (uint32_t)(int32_t)(turns[i] * 4294967296.0f), &c, &s);
        float re = x[2 * i], im = x[2 * i + 1];
        x[2 * i] = re * c - im * s;
        x[2 * i + 1] = re * s + im * c;
        carrier += f->increment;
    }
}

static void unbalance(const struct phy_front_end *f, float complex *samples, size_t n)
{
    float *x = (float *)samples;
    for (size_t i = 0; i < n; i++)
        x[2 * i + 1] = f->q_to_q * x[2 * i + 1] + f->i_to_q * x[2 * i];
}

/* One part of a sample through the converter, in units of full scale; adding 1.5 * 2^23 rounds (phy/air/adc.c). */
PHY_ALWAYS_INLINE float convert(float part, float full_scale)
{
    float code = part * full_scale;
    code = code > full_scale - 1.0f ? full_scale - 1.0f : code;
    code = code < -full_scale ? -full_scale : code;
    return ((code + 12582912.0f) - 12582912.0f) / full_scale;
}

/* Samples of one AGC window, all at one gain: their power at the converter goes to the AGC, then the gain is undone. */
static void digitise(struct phy_front_end *f, float complex *samples, size_t n)
{
    float gain = f->cfg.agc ? f->gains[(int)(f->gain_db - f->cfg.agc_min_gain_db + 0.5)] : 1.0f;
    float undo = 1.0f / gain, limit = 1.0f - 1.5f / f->full_scale, *x = (float *)samples;
    for (size_t i = 0; i < n; i++) {
        float re = x[2 * i] * gain + f->dc, im = x[2 * i + 1] * gain + f->dc;
        if (f->cfg.adc_bits) {
            re = convert(re, f->full_scale);
            im = convert(im, f->full_scale);
            f->n_clipped += re > limit || re <= -1.0f || im > limit || im <= -1.0f;
        }
        f->window_energy += (double)(re * re + im * im);
        x[2 * i] = re * undo;
        x[2 * i + 1] = im * undo;
    }
}

static void control_gain(struct phy_front_end *f)
{
    const struct phy_front_end_config *cfg = &f->cfg;
    double power_db = 10.0 * log10(f->window_energy / f->n_in_window + 1e-30);
    f->window_energy = 0.0;
    f->n_in_window = 0;
    f->n_low = power_db < cfg->agc_low_dbfs ? f->n_low + (f->n_low < UINT32_MAX) : 0;
    f->attacking = power_db > (f->attacking ? cfg->agc_target_dbfs + 1.0 : cfg->agc_high_dbfs);
    if (f->attacking) {
        f->gain_db -= f->attack * (power_db - cfg->agc_target_dbfs);
    } else if (f->n_low > f->hold_windows) {
        double missing_db = cfg->agc_low_dbfs - power_db;
        f->gain_db += missing_db < f->rise_db ? missing_db : f->rise_db;
    }
    f->gain_db = f->gain_db < cfg->agc_min_gain_db ? cfg->agc_min_gain_db : f->gain_db;
    f->gain_db = f->gain_db > cfg->agc_max_gain_db ? cfg->agc_max_gain_db : f->gain_db;
}

static void impair(struct phy_front_end *f, float complex *samples, size_t n)
{
    mix_down(f, samples, n);
    if (f->i_to_q != 0.0f || f->q_to_q != 1.0f)
        unbalance(f, samples, n);
    while (n > 0) {
        size_t in_window = (size_t)(f->position % PHY_FRONT_END_AGC_WINDOW);
        size_t n_here = PHY_FRONT_END_AGC_WINDOW - in_window < n ? PHY_FRONT_END_AGC_WINDOW - in_window : n;
        digitise(f, samples, n_here);
        for (size_t i = 0; i < n_here && f->position + i < f->deaf_until; i++)
            samples[i] = 0.0f;
        f->position += n_here;
        f->n_in_window += (uint32_t)n_here;
        if (f->cfg.agc && f->position % PHY_FRONT_END_AGC_WINDOW == 0)
            control_gain(f);
        samples += n_here;
        n -= n_here;
    }
}

/* --- the sample clock --- */

static void take_stretch(struct phy_front_end *f)
{
    uint64_t wanted = f->n_out_clock / PHY_FRACTIONAL_GRID;
    if (f->stretch_of == wanted)
        return;
    phy_fractional_stretch(&f->bank, (double)wanted, f->drift, &f->stretch);
    f->stretch_of = wanted;
}

/* Output samples for which all input is held. */
static size_t resample(struct phy_front_end *f, float complex *out)
{
    size_t n = 0;
    for (;; n++) {
        take_stretch(f);
        float j = (float)(f->n_out_clock % PHY_FRACTIONAL_GRID);
        double first = f->stretch.base + (double)j - PHY_FRACTIONAL_BEFORE - f->held_from;
        if (first + PHY_FRACTIONAL_TAPS > (double)f->n_held)
            break;
        const float *x = (const float *)(f->held + (size_t)first);
        float re = 0.0f, im = 0.0f;
        for (int k = 0; k < PHY_FRACTIONAL_TAPS; k++) {
            float weight = f->stretch.first[k] + j * f->stretch.step[k];
            re += weight * x[2 * k];
            im += weight * x[2 * k + 1];
        }
        out[n] = re + im * (float complex)I;
        f->n_out_clock++;
    }
    size_t n_done = f->n_held > PHY_FRACTIONAL_TAPS + 2 ? f->n_held - PHY_FRACTIONAL_TAPS - 2 : 0;
    memmove(f->held, f->held + n_done, (f->n_held - n_done) * sizeof *f->held);
    f->n_held -= n_done;
    f->held_from += (double)n_done;
    return n;
}

static size_t receive_drifting(struct phy_front_end *f, const float complex *in, size_t n, float complex *out)
{
    size_t n_out = 0;
    while (n > 0) {
        size_t n_here = n < PIECE / 2 ? n : PIECE / 2;
        memcpy(f->held + f->n_held, in, n_here * sizeof *in);
        f->n_held += n_here;
        size_t n_made = resample(f, out + n_out);
        impair(f, out + n_out, n_made);
        n_out += n_made;
        in += n_here;
        n -= n_here;
    }
    return n_out;
}

size_t phy_front_end_receive(struct phy_front_end *f, const float complex *in, size_t n, float complex *out)
{
    if (f->cfg.ppm != 0.0)
        return receive_drifting(f, in, n, out);
    if (out != in)
        memcpy(out, in, n * sizeof *out);
    for (size_t at = 0; at < n; at += PIECE)
        impair(f, out + at, n - at < PIECE ? n - at : PIECE);
    return n;
}

void phy_front_end_skip(struct phy_front_end *f, uint64_t n, bool sending)
{
    assert(f->cfg.ppm == 0.0);
    if (n == 0)
        return;
    f->position += n;
    f->phase_known = false;
    f->window_energy = 0.0;
    f->n_in_window = 0;
    if (sending)
        f->deaf_until = f->position + f->switch_samples;
}

double phy_front_end_gain_db(const struct phy_front_end *f)
{
    return f->cfg.agc ? f->cfg.agc_min_gain_db + (int)(f->gain_db - f->cfg.agc_min_gain_db + 0.5) : 0.0;
}

uint64_t phy_front_end_clipped(const struct phy_front_end *f)
{
    return f->n_clipped;
}
