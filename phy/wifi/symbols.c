#include "phy/wifi/symbols.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "phy/air/simd_math.h"
#include "phy/wifi/code.h"
#include "phy/wifi/demap_kernel.h"
#include "phy/wifi/fft_kernel.h"

enum {
    N_USED = PHY_WIFI_N_USED,
    N_DATA = PHY_WIFI_N_DATA,
    N_FFT = PHY_WIFI_N_FFT,
    REFINE_EVERY = 4, /* symbols */
    LANES = 8         /* partial sums, so that a sum is the same however it is vectorised */
};
#define INLINE static inline __attribute__((always_inline))
static const double two_pi = 6.283185307179586;

INLINE float sum_used(const float x[N_USED])
{
    float part[LANES] = {x[N_USED - 4], x[N_USED - 3], x[N_USED - 2], x[N_USED - 1]};
    for (int i = 0; i < N_USED - 4; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            part[lane] += x[i + lane];
    return ((part[0] + part[4]) + (part[1] + part[5])) + ((part[2] + part[6]) + (part[3] + part[7]));
}

/* Unlike fminf and fmaxf these are no calls, so that loops become vectors; b where a is no number. */
INLINE float lesser(float a, float b)
{
    return a < b ? a : b;
}

INLINE float greater(float a, float b)
{
    return a > b ? a : b;
}

/* --- beginning --- */

static void set_mixer(struct phy_wifi_symbols *s)
{
    for (int i = 0; i < N_FFT; i++) {
        double turns = s->cfo * i;
        s->mix.re[i] = (float)cos(two_pi * turns);
        s->mix.im[i] = (float)-sin(two_pi * turns);
    }
}

/* Of the mixer at a sample, radians within a turn. */
INLINE double mixer_phase(const struct phy_wifi_symbols *s, uint64_t sample)
{
    return two_pi * fmod(s->cfo * (double)(int64_t)(sample - s->origin), 1.0);
}

/* phy_wifi_gather and its inverse in pieces: data subcarriers lie between pilots, direct current and the band's edges. */
INLINE void gather(const float bins[N_FFT], float out[N_USED])
{
    memcpy(out, bins + 38, 5 * sizeof *out);
    memcpy(out + 5, bins + 44, 13 * sizeof *out);
    memcpy(out + 18, bins + 58, 6 * sizeof *out);
    memcpy(out + 24, bins + 1, 6 * sizeof *out);
    memcpy(out + 30, bins + 8, 13 * sizeof *out);
    memcpy(out + 43, bins + 22, 5 * sizeof *out);
    for (unsigned i = 0; i < 4; i++)
        out[N_DATA + i] = bins[phy_wifi_pilot_bin[i]];
}

INLINE void scatter(const float in[N_USED], float bins[N_FFT])
{
    memcpy(bins + 38, in, 5 * sizeof *in);
    memcpy(bins + 44, in + 5, 13 * sizeof *in);
    memcpy(bins + 58, in + 18, 6 * sizeof *in);
    memcpy(bins + 1, in + 24, 6 * sizeof *in);
    memcpy(bins + 8, in + 30, 13 * sizeof *in);
    memcpy(bins + 22, in + 43, 5 * sizeof *in);
    for (unsigned i = 0; i < 4; i++)
        bins[phy_wifi_pilot_bin[i]] = in[N_DATA + i];
}

/* The spectrum of 64 samples, without the mixer's phase at the first of them. */
INLINE void transform(const struct phy_wifi_symbols *s, const float complex *window, struct phy_wifi_used *out)
{
    const float *x = (const float *)window;
    struct phy_wifi_bins bins;
    for (int i = 0; i < N_FFT; i++) {
        bins.re[i] = x[2 * i] * s->mix.re[i] - x[2 * i + 1] * s->mix.im[i];
        bins.im[i] = x[2 * i] * s->mix.im[i] + x[2 * i + 1] * s->mix.re[i];
    }
    phy_wifi_fft_here(&s->fft, &bins);
    gather(bins.re, out->re);
    gather(bins.im, out->im);
}

static void rotate(struct phy_wifi_used *x, double angle)
{
    float re = (float)cos(angle), im = (float)sin(angle);
    for (int i = 0; i < N_USED; i++) {
        float old = x->re[i];
        x->re[i] = old * re - x->im[i] * im;
        x->im[i] = old * im + x->im[i] * re;
    }
}

static void transform_training(const struct phy_wifi_symbols *s, const float complex *samples, uint64_t base,
                               struct phy_wifi_used training[2])
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t first = s->origin - PHY_WIFI_EARLY + i * N_FFT;
        transform(s, samples + (first - base), &training[i]);
        rotate(&training[i], -mixer_phase(s, first));
    }
}

/* Phase from the first training symbol to the second; subcarriers that are far louder than the rest do not vote. */
static float find_advance(const struct phy_wifi_used training[2])
{
    float power[N_USED], limit = INFINITY;
    for (int i = 0; i < N_USED; i++)
        power[i] = training[0].re[i] * training[0].re[i] + training[0].im[i] * training[0].im[i] +
                   training[1].re[i] * training[1].re[i] + training[1].im[i] * training[1].im[i];
    float re = 0.0f, im = 0.0f;
    for (unsigned round = 0; round < 4; round++) {
        float sum = 0.0f, n = 0.0f;
        re = im = 0.0f;
        for (int i = 0; i < N_USED; i++) {
            if (power[i] > limit)
                continue;
            sum += power[i];
            n += 1.0f;
            re += training[1].re[i] * training[0].re[i] + training[1].im[i] * training[0].im[i];
            im += training[1].im[i] * training[0].re[i] - training[1].re[i] * training[0].im[i];
        }
        limit = 5.0f * sum / n;
    }
    return atan2f(im, re);
}

/* How alike neighbouring subcarriers are if the training symbols lie `shift` subcarriers above their place; those that are far louder
 * than the rest do not vote. */
static float find_likeness(const struct phy_wifi_bins *sum, float limit, int shift)
{
    float re = 0.0f, im = 0.0f;
    for (int k = 0; k < N_FFT; k++) {
        int a = (k + shift) & (N_FFT - 1), b = (a + 1) & (N_FFT - 1);
        float sign = phy_wifi_long_training[k] * phy_wifi_long_training[(k + 1) % N_FFT];
        float power = sum->re[a] * sum->re[a] + sum->im[a] * sum->im[a], next = sum->re[b] * sum->re[b] + sum->im[b] * sum->im[b];
        if (power > limit || next > limit)
            continue;
        re += sign * (sum->re[b] * sum->re[a] + sum->im[b] * sum->im[a]);
        im += sign * (sum->im[b] * sum->re[a] - sum->re[b] * sum->im[a]);
    }
    return re * re + im * im;
}

/* A strong tone may pull the detector's offset to the wrong subcarrier: by how many, -1..1. The training symbols differ by their
 * neighbours' signs, so that all but the right place look like noise. */
static int find_shift(const struct phy_wifi_symbols *s, const struct phy_wifi_used training[2])
{
    struct phy_wifi_bins sum;
    float power[N_USED];
    memset(&sum, 0, sizeof sum);
    for (int i = 0; i < N_USED; i++) {
        float re = training[0].re[i] + training[1].re[i], im = training[0].im[i] + training[1].im[i];
        sum.re[s->bin[i]] = re;
        sum.im[s->bin[i]] = im;
        power[i] = re * re + im * im;
    }
    float limit = 5.0f * phy_wifi_trimmed_mean(power);
    float here = find_likeness(&sum, limit, 0), below = find_likeness(&sum, limit, -1), above = find_likeness(&sum, limit, 1);
    if (here * 3.0f > fmaxf(below, above))
        return 0;
    return below > above ? -1 : 1;
}

/* Offset and training symbols: phase between these tells the offset within a subcarrier. */
static void refine_offset(struct phy_wifi_symbols *s, const float complex *samples, uint64_t base, struct phy_wifi_used training[2])
{
    for (unsigned round = 0; round < 3; round++) {
        set_mixer(s);
        transform_training(s, samples, base, training);
        float advance = find_advance(training);
        s->cfo += advance / (two_pi * N_FFT);
        /* as the new offset's mixer would have turned them: middles of the windows are 24 and 88 samples after the origin */
        rotate(&training[0], -24.0 / N_FFT * advance);
        rotate(&training[1], -88.0 / N_FFT * advance);
        if (fabsf(advance) < 0.02f)
            break;
    }
    set_mixer(s);
}

INLINE void set_equaliser(struct phy_wifi_symbols *s)
{
    /* a window a sample off turns the outermost subcarrier by less than half a turn; what a broken frame makes of it is cut there */
    const float half_turn = 2147483648.0f / 27.0f;
    float per_subcarrier = s->timing.value * (float)(-4294967296.0 / two_pi);
    per_subcarrier = fmaxf(-half_turn, fminf(half_turn, per_subcarrier));
    s->timing_applied = s->timing.value;
    for (unsigned i = 0; i < N_USED; i++) {
        float re = s->channel.gain.re[i], im = s->channel.gain.im[i], turn_re, turn_im;
        float power = re * re + im * im + 1e-30f;
        float er = re / power, ei = -im / power;
        phy_cos_sin_turns((uint32_t)(int32_t)(s->number[i] * per_subcarrier), &turn_re, &turn_im);
        s->equaliser.re[i] = er * turn_re - ei * turn_im;
        s->equaliser.im[i] = er * turn_im + ei * turn_re;
        s->power[i] = power;
        s->weight[i] = power / s->channel.noise[i];
    }
}

static void begin_tracking(struct phy_wifi_symbols *s)
{
    /* the offset is known from the phase between two symbols, 64 samples apart; SIGNAL's middle is 112 after theirs */
    const float symbol = (float)PHY_WIFI_SYMBOL / N_FFT, to_signal = 112.0f / PHY_WIFI_SYMBOL;
    float offset_var = symbol * symbol / (sum_used(s->weight) + 1.0f) + 1e-8f;
    s->phase = (struct phy_wifi_track){.var = (to_signal - 1.0f) * (to_signal - 1.0f) * offset_var,
                                       .cov = (to_signal - 1.0f) * offset_var,
                                       .drift_var = offset_var,
                                       .walk_var = 1e-4f,
                                       .drift_walk_var = 1e-8f};
    const float clock_offset = 4e-5f * (float)PHY_WIFI_SYMBOL * (float)(two_pi / N_FFT);
    s->timing = (struct phy_wifi_track){
        .var = 1e-8f, .drift_var = clock_offset * clock_offset, .walk_var = 1e-9f, .drift_walk_var = 1e-14f};
}

void phy_wifi_symbols_init(struct phy_wifi_symbols *s, enum phy_simd simd)
{
    memset(s, 0, sizeof *s);
    s->simd = phy_simd_choose(simd);
    phy_wifi_fft_init(&s->fft);
    for (unsigned i = 0; i < N_USED; i++) {
        s->bin[i] = (uint8_t)phy_wifi_used_bin(i);
        s->number[i] = (float)phy_wifi_used_number(i);
        s->number_squared[i] = s->number[i] * s->number[i];
    }
}

/* Windows from here on begin channel.early samples before their symbols; the training symbols' began PHY_WIFI_EARLY before. */
static void move_windows(struct phy_wifi_symbols *s)
{
    s->shift = PHY_WIFI_EARLY - s->channel.early;
    for (unsigned i = 0; s->shift && i < N_USED; i++) {
        double angle = two_pi / N_FFT * s->shift * phy_wifi_used_number(i);
        float c = (float)cos(angle), sn = (float)sin(angle), re = s->channel.gain.re[i], im = s->channel.gain.im[i];
        s->channel.gain.re[i] = re * c - im * sn;
        s->channel.gain.im[i] = re * sn + im * c;
    }
}

void phy_wifi_symbols_begin(struct phy_wifi_symbols *s, const struct phy_wifi_preamble *preamble, const float complex *samples,
                            uint64_t base)
{
    memset(&s->channel, 0, sizeof *s - offsetof(struct phy_wifi_symbols, channel)); /* the tables before it stay */
    s->origin = preamble->long_sample;
    s->cfo = (double)preamble->cfo;
    struct phy_wifi_used training[2];
    refine_offset(s, samples, base, training);
    int shift = find_shift(s, training);
    if (shift) {
        s->cfo += (double)shift / N_FFT;
        refine_offset(s, samples, base, training);
    }
    phy_wifi_channel_estimate(&s->fft, &training[0], &training[1], &s->channel);
    move_windows(s);
    s->floor = s->channel.noise[0];
    for (int i = 0; i < N_USED; i++)
        s->floor = fminf(s->floor, s->channel.noise[i]);
    for (int i = 0; i < N_USED; i++)
        s->prior[i] = s->channel.noise[i] / s->floor;
    s->level = 1.0f;
    for (int i = 0; i < N_USED; i++)
        s->spoilt[i] = 1.0f;
    set_equaliser(s);
    begin_tracking(s);
}

uint64_t phy_wifi_symbols_next(const struct phy_wifi_symbols *s)
{
    return s->origin + 2 * N_FFT + PHY_WIFI_GUARD - PHY_WIFI_EARLY + (uint64_t)s->n_symbols * PHY_WIFI_SYMBOL +
           (uint64_t)(int64_t)s->shift;
}

double phy_wifi_symbols_cfo(const struct phy_wifi_symbols *s)
{
    return s->cfo + (double)s->phase.drift / (two_pi * PHY_WIFI_SYMBOL);
}

/* --- one symbol --- */

INLINE void equalise(const struct phy_wifi_symbols *s, const struct phy_wifi_used *received, double angle, struct phy_wifi_used *out)
{
    float re = cosf((float)angle), im = sinf((float)angle);
    for (int i = 0; i < N_USED; i++) {
        float er = s->equaliser.re[i] * re - s->equaliser.im[i] * im;
        float ei = s->equaliser.re[i] * im + s->equaliser.im[i] * re;
        out->re[i] = received->re[i] * er - received->im[i] * ei;
        out->im[i] = received->re[i] * ei + received->im[i] * er;
    }
}

INLINE void turn_points(struct phy_wifi_used *x, float angle)
{
    float re = cosf(angle), im = -sinf(angle);
    for (int i = 0; i < N_USED; i++) {
        float old = x->re[i];
        x->re[i] = old * re - x->im[i] * im;
        x->im[i] = old * im + x->im[i] * re;
    }
}

/* BPSK on the imaginary axis (19.3.9.4.3)? If so, turns the data points back. */
INLINE bool turn_quadrature(const struct phy_wifi_symbols *s, struct phy_wifi_used *points)
{
    float on_axis = 0.0f, off_axis = 0.0f;
    for (int i = 0; i < N_DATA; i++) {
        on_axis += s->weight[i] * points->re[i] * points->re[i];
        off_axis += s->weight[i] * points->im[i] * points->im[i];
    }
    if (off_axis < 1.5f * on_axis)
        return false;
    for (int i = 0; i < N_DATA; i++) {
        float re = points->re[i];
        points->re[i] = points->im[i];
        points->im[i] = -re;
    }
    return true;
}

INLINE void decide(const struct phy_wifi_symbols *s, unsigned n_bpsc, const struct phy_wifi_used *points, struct phy_wifi_used *decided)
{
    phy_wifi_decide_here(n_bpsc, points, decided);
    float polarity = (float)phy_wifi_pilot_polarity(s->n_symbols);
    for (int i = 0; i < 4; i++) {
        decided->re[N_DATA + i] = polarity * phy_wifi_pilot_value[i];
        decided->im[N_DATA + i] = 0.0f;
    }
}

/* A third of each subcarrier's value and of its two neighbours'; direct current and what is beyond the band have none. */
INLINE void add_neighbours(float x[N_USED])
{
    float of_bin[N_FFT + 2] = {0}, sum[N_FFT], *mid = of_bin + 1;
    for (int i = 0; i < N_USED; i++)
        x[i] /= 3.0f;
    scatter(x, mid);
    for (int k = 0; k < N_FFT; k++)
        sum[k] = (mid[k - 1] + mid[k]) + mid[k + 1];
    gather(sum, x);
}

/* Errors that stand out on some subcarriers, here and now: a tone that began within the frame. An error speaks for its neighbours, too,
 * and for the next symbols. trust: what each subcarrier's weight is still worth, 1 on most. */
INLINE void find_spoilt(struct phy_wifi_symbols *s, const struct phy_wifi_used *points, const struct phy_wifi_used *decided,
                        float *restrict trust)
{
    const float standing_out = 3.0f; /* noise alone: one in 1e4 */
    const float most_kept = 6.0f;    /* so that it is forgotten in two symbols */
    float ratio[N_USED], scale = 1.0f / fmaxf(s->level, 1.0f);
    int n_high = 0, n_spoilt = 0;
    for (int i = 0; i < N_USED; i++) {
        float re = points->re[i] - decided->re[i], im = points->im[i] - decided->im[i];
        ratio[i] = scale * s->weight[i] * (re * re + im * im);
        n_high += ratio[i] > 2.0f * standing_out - 1.0f;
        trust[i] = 1.0f;
    }
    if (!s->is_spoilt && n_high == 0)
        return;
    add_neighbours(ratio);
    for (int i = 0; i < N_USED; i++) {
        float spoilt = 0.5f * (lesser(s->spoilt[i], most_kept) + ratio[i]);
        n_spoilt += spoilt > standing_out;
        s->spoilt[i] = spoilt;
        trust[i] = spoilt > standing_out ? 1.0f / spoilt : 1.0f;
    }
    s->is_spoilt = n_spoilt > 0;
    for (int i = 0; i < N_USED && !s->is_spoilt; i++)
        s->spoilt[i] = 1.0f;
}

struct observation {
    float phase, phase_var;   /* radians, beyond what was predicted */
    float timing, timing_var; /* radians a subcarrier */
    float residue;            /* mean |error|^2 that no turn explains, over the expected noise */
};

/* atan2, soon done where the angle is small, to 1e-5 */
INLINE float find_angle(float im, float re)
{
    if (!(fabsf(im) < 0.2f * re))
        return atan2f(im, re);
    float x = im / re, square = x * x;
    return x * (1.0f - square * (0.333333333f - 0.2f * square));
}

INLINE void observe(const struct phy_wifi_symbols *s, const float *weight, const struct phy_wifi_used *points,
                    const struct phy_wifi_used *decided, struct observation *out)
{
    float re[N_USED], im[N_USED], slope[N_USED], size[N_USED], moment[N_USED], residue[N_USED];
    for (int i = 0; i < N_USED; i++) {
        float w = weight[i];
        re[i] = w * (points->re[i] * decided->re[i] + points->im[i] * decided->im[i]);
        im[i] = w * (points->im[i] * decided->re[i] - points->re[i] * decided->im[i]);
        size[i] = w * (decided->re[i] * decided->re[i] + decided->im[i] * decided->im[i]);
        residue[i] = w * (points->re[i] * points->re[i] + points->im[i] * points->im[i]);
    }
    float sum_re = sum_used(re), sum_im = sum_used(im), sum_size = sum_used(size) + 1e-20f;
    out->phase = find_angle(sum_im, sum_re);
    float left = sum_used(residue) + sum_size - 2.0f * sqrtf(sum_re * sum_re + sum_im * sum_im);
    out->residue = left > 0.0f ? left / N_USED : 0.0f;
    /* the turn that is left once the common phase is gone, over the subcarrier's number */
    for (int i = 0; i < N_USED; i++) {
        slope[i] = s->number[i] * (im[i] - out->phase * re[i]);
        moment[i] = s->number_squared[i] * size[i];
    }
    float sum_moment = sum_used(moment) + 1e-20f;
    out->timing = sum_used(slope) / sum_moment;
    float noise = 0.5f * fmaxf(out->residue, 0.5f);
    out->phase_var = noise / sum_size;
    out->timing_var = noise / sum_moment;
}

/* Noise that came with this symbol; quiet symbols set the level that others are loud against. */
INLINE bool is_loud(struct phy_wifi_symbols *s, float residue)
{
    if (s->n_symbols == 0)
        s->level = residue;
    bool loud = residue > 1.8f * s->level;
    if (residue < s->level)
        s->level = 0.5f * (s->level + residue);
    else
        s->level = fminf(1.1f * s->level, s->level + 0.25f * (residue - s->level));
    s->level = fmaxf(s->level, 1e-3f);
    return loud;
}

/* Where the errors begin: two symbols in a row that are four times as wrong as all before them. */
INLINE void find_outbreak(struct phy_wifi_symbols *s, float error)
{
    if (s->outbreak > 0)
        return;
    if (s->n_calm == 0 || error < 4.0f * s->calm_sum / (float)s->n_calm + 1e-4f) {
        s->calm_sum += error;
        s->n_calm++;
        s->n_wild = 0;
    } else if (++s->n_wild == 2) {
        s->outbreak = s->n_data - 1;
    }
}

INLINE void add_errors(struct phy_wifi_symbols *s, const float *trust, const struct phy_wifi_used *points,
                       const struct phy_wifi_used *decided, bool quiet)
{
    float error[N_USED];
    bool data = s->n_symbols > 0;
    for (int i = 0; i < N_USED; i++) {
        float re = points->re[i] - decided->re[i], im = points->im[i] - decided->im[i];
        error[i] = re * re + im * im;
        if (quiet) {
            s->correction.re[i] += trust[i] * (re * decided->re[i] + im * decided->im[i]);
            s->correction.im[i] += trust[i] * (im * decided->re[i] - re * decided->im[i]);
            s->error[i] += s->power[i] * error[i];
        }
        if (data)
            s->data_error[i] += s->power[i] * error[i];
    }
    s->n_refined += quiet;
    if (!data)
        return;
    for (int i = N_DATA; i < N_USED; i++)
        error[i] = 0.0f;
    float mean = sum_used(error) / N_DATA;
    s->evm_sum += mean;
    find_outbreak(s, mean);
    s->n_data++;
}

/* The decisions of the last symbols are training, too. The fit to the training field is worth several symbols on a quiet subcarrier,
 * since it takes few values from 2 x 52; on a noisy one it is worth more, as its neighbours made it. */
INLINE void refine(struct phy_wifi_symbols *s)
{
    float n = (float)s->n_refined, floor = phy_wifi_trimmed_mean(s->error) + 1e-30f;
    float standing_out = 1.0f + 4.0f / sqrtf(n);
    for (int i = 0; i < N_USED; i++) {
        float loud = s->channel.noise[i] / s->floor;
        float share = 1.0f / (s->channel.worth * loud + n);
        float cr = 1.0f + share * s->correction.re[i], ci = share * s->correction.im[i];
        float re = s->channel.gain.re[i], im = s->channel.gain.im[i];
        s->channel.gain.re[i] = re * cr - im * ci;
        s->channel.gain.im[i] = re * ci + im * cr;
        s->correction.re[i] = s->correction.im[i] = 0.0f;
        float ratio = s->error[i] / floor;
        ratio = ratio > standing_out ? ratio : 1.0f;
        if (s->n_refined < 4 * REFINE_EVERY)
            ratio = greater(s->prior[i], ratio);
        s->channel.noise[i] = s->floor * ratio;
    }
}

/* Moves the window by a sample when the timing has drifted by half of one. */
INLINE void follow_timing(struct phy_wifi_symbols *s)
{
    const float sample = (float)(two_pi / N_FFT);
    if (s->timing.value < -0.5f * sample) {
        s->timing.value += sample;
        s->shift++;
    } else if (s->timing.value > 0.5f * sample) {
        s->timing.value -= sample;
        s->shift--;
    }
}

INLINE void take(struct phy_wifi_symbols *s, const float complex window[PHY_WIFI_N_FFT], unsigned n_bpsc, bool maybe_quadrature,
                 struct phy_wifi_symbol *out)
{
    struct phy_wifi_used received, decided;
    struct observation seen;
    float trust[N_USED], weight[N_USED];
    transform(s, window, &received);
    phy_wifi_track_predict(&s->phase);
    phy_wifi_track_predict(&s->timing);
    equalise(s, &received, -(mixer_phase(s, phy_wifi_symbols_next(s)) + (double)s->phase.value), &out->points);
    out->quadrature = maybe_quadrature && turn_quadrature(s, &out->points);
    decide(s, n_bpsc, &out->points, &decided);
    find_spoilt(s, &out->points, &decided, trust);
    for (int i = 0; i < N_USED; i++)
        weight[i] = s->weight[i] * trust[i];
    observe(s, weight, &out->points, &decided, &seen);
    float turn = phy_wifi_track_correct(&s->phase, seen.phase, seen.phase_var);
    /* the timing within the equaliser is somewhat old */
    phy_wifi_track_correct(&s->timing, seen.timing + s->timing_applied - s->timing.value, seen.timing_var);
    turn_points(&out->points, turn); /* little: the decisions stand */
    bool loud = is_loud(s, seen.residue);
    float scale = 1.0f / fmaxf(loud ? seen.residue : s->level, 1.0f);
    for (int i = 0; i < N_USED; i++)
        out->weight[i] = scale * weight[i];
    add_errors(s, trust, &out->points, &decided, !loud);
    s->n_symbols++;
    phy_wifi_demap_here(n_bpsc, &out->points, out->weight, out->soft);
    bool refined = s->n_symbols % REFINE_EVERY == 1 && s->n_refined > 0;
    if (refined)
        refine(s);
    follow_timing(s);
    if (refined || fabsf(s->timing.value - s->timing_applied) > 5e-4f)
        set_equaliser(s);
}

#if defined __x86_64__
__attribute__((target("avx2"))) static void take_avx2(struct phy_wifi_symbols *s, const float complex *window, unsigned n_bpsc,
                                                      bool maybe_quadrature, struct phy_wifi_symbol *out)
{
    take(s, window, n_bpsc, maybe_quadrature, out);
}
#endif

static void take_plain(struct phy_wifi_symbols *s, const float complex *window, unsigned n_bpsc, bool maybe_quadrature,
                       struct phy_wifi_symbol *out)
{
    take(s, window, n_bpsc, maybe_quadrature, out);
}

void phy_wifi_symbols_take(struct phy_wifi_symbols *s, const float complex window[PHY_WIFI_N_FFT], unsigned n_bpsc,
                           bool maybe_quadrature, struct phy_wifi_symbol *out)
{
#if defined __x86_64__
    if (s->simd == PHY_SIMD_AVX2)
        take_avx2(s, window, n_bpsc, maybe_quadrature, out);
    else
#endif
        take_plain(s, window, n_bpsc, maybe_quadrature, out);
}
