/* Frequency in three steps: the strongest of 64 bins; the turn of that bin and its neighbours from block to block, which is known modulo
 * a bin; last, one step of Newton's method on the blocks' sums once that frequency is mixed away. Training fields that lie within the
 * stretch have 12 and 52 lines and last for less than half of it: none of them comes near a tone as strong as they are. */
#include "phy/wifi/detect_tone.h"

#include <math.h>
#include <string.h>

#include "phy/air/simd_math.h"
#include "phy/wifi/fft_kernel.h"

enum { N_BLOCKS = PHY_WIFI_TONE_BLOCKS, N_FFT = PHY_WIFI_N_FFT, N_LANES = 8, RECENT = N_BLOCKS / 2 };

static const float two_pi = 6.2831853f;
/* A tone has at least .81 of its energy in three bins; less than this of all energy is none that matters. */
static const float least_peak = 0.05f;

void phy_wifi_tone_init(struct phy_wifi_tone_fit *f, enum phy_simd simd)
{
    f->simd = simd;
    phy_wifi_fft_init(&f->fft);
    phy_wifi_tone_restart(f);
}

void phy_wifi_tone_restart(struct phy_wifi_tone_fit *f)
{
    f->next = UINT64_MAX;
}

/* --- spectra --- */

PHY_ALWAYS_INLINE void transform(struct phy_wifi_tone_fit *f, const float *samples, unsigned i_block)
{
    struct phy_wifi_bins *x = &f->spectra[i_block];
    const float *block = samples + 2 * N_FFT * (size_t)i_block;
    for (size_t i = 0; i < N_FFT; i++) {
        x->re[i] = block[2 * i];
        x->im[i] = block[2 * i + 1];
    }
    phy_wifi_fft_here(&f->fft, x);
}

PHY_ALWAYS_INLINE void add_power(const struct phy_wifi_bins *x, float *restrict power)
{
    for (size_t k = 0; k < N_FFT; k++)
        power[k] += x->re[k] * x->re[k] + x->im[k] * x->im[k];
}

PHY_ALWAYS_INLINE float add_bins(const float *x)
{
    float lanes[N_LANES] = {0};
    for (size_t i = 0; i < N_FFT; i += N_LANES)
        for (size_t k = 0; k < N_LANES; k++)
            lanes[k] += x[i + k];
    return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

static float find_peak(const float *power, unsigned *bin_out)
{
    unsigned best = 0;
    for (unsigned k = 1; k < N_FFT; k++)
        if (power[k] > power[best])
            best = k;
    *bin_out = best;
    return power[(best + N_FFT - 1) % N_FFT] + power[best] + power[(best + 1) % N_FFT];
}

/* Turns a block beyond the bin's own. Near half a bin the greater of the two bins may be the farther one. */
static float find_rest(const struct phy_wifi_tone_fit *f, const float *power, unsigned bin)
{
    const float near_half = 0.4f;
    float re = 0.0f, im = 0.0f;
    for (unsigned i = 0; i < 3; i++) {
        unsigned k = (bin + N_FFT - 1 + i) % N_FFT;
        for (unsigned b = 1; b < N_BLOCKS; b++) {
            const struct phy_wifi_bins *x = &f->spectra[b - 1], *y = &f->spectra[b];
            re += y->re[k] * x->re[k] + y->im[k] * x->im[k];
            im += y->im[k] * x->re[k] - y->re[k] * x->im[k];
        }
    }
    float rest = atan2f(im, re) / two_pi;
    bool above = power[(bin + 1) % N_FFT] > power[(bin + N_FFT - 1) % N_FFT];
    if (above && rest < -near_half)
        rest += 1.0f;
    if (!above && rest > near_half)
        rest -= 1.0f;
    return rest;
}

/* --- amplitude --- */

/* A tone through one block. From block to block it turns as a whole. */
struct turns {
    float re[N_FFT], im[N_FFT];
};

PHY_ALWAYS_INLINE void make_turns(uint32_t step, struct turns *t)
{
    for (uint32_t i = 0; i < N_FFT; i++)
        phy_cos_sin_turns(i * step, &t->re[i], &t->im[i]);
}

PHY_ALWAYS_INLINE void sum_block(const float *samples, uint32_t i_block, uint32_t step, const struct turns *t, float *re_out,
                                 float *im_out)
{
    float re[N_LANES] = {0}, im[N_LANES] = {0}, c, s;
    samples += 2 * N_FFT * (size_t)i_block;
    for (size_t i = 0; i < N_FFT; i += N_LANES)
        for (size_t k = 0; k < N_LANES; k++) {
            float x = samples[2 * (i + k)], y = samples[2 * (i + k) + 1];
            re[k] += x * t->re[i + k] + y * t->im[i + k];
            im[k] += y * t->re[i + k] - x * t->im[i + k];
        }
    float x = ((re[0] + re[4]) + (re[1] + re[5])) + ((re[2] + re[6]) + (re[3] + re[7]));
    float y = ((im[0] + im[4]) + (im[1] + im[5])) + ((im[2] + im[6]) + (im[3] + im[7]));
    phy_cos_sin_turns(i_block * N_FFT * step, &c, &s);
    *re_out = x * c + y * s;
    *im_out = y * c - x * s;
}

/* One step of Newton's method from the blocks' sums, and what is left to the tone with it. */
static void refine(struct phy_wifi_tone *tone, const float *re, const float *im, float recent_energy)
{
    const float middle = 0.5f * (N_BLOCKS - 1), spread = N_BLOCKS * (N_BLOCKS * N_BLOCKS - 1) / 12.0f;
    float sum_re = 0.0f, sum_im = 0.0f, slope = 0.0f;
    for (unsigned b = 0; b < N_BLOCKS; b++) {
        sum_re += re[b];
        sum_im += im[b];
    }
    for (unsigned b = 0; b < N_BLOCKS; b++)
        slope += ((float)b - middle) * (im[b] * sum_re - re[b] * sum_im);
    float turn = N_BLOCKS * slope / (spread * (sum_re * sum_re + sum_im * sum_im) + 1e-30f); /* radians a block */
    float all_re = 0.0f, all_im = 0.0f, recent_re = 0.0f, recent_im = 0.0f;
    for (unsigned b = 0; b < N_BLOCKS; b++) {
        float angle = turn * ((float)b - middle), c = cosf(angle), s = sinf(angle);
        float x = re[b] * c + im[b] * s, y = im[b] * c - re[b] * s;
        all_re += x;
        all_im += y;
        recent_re += b >= RECENT ? x : 0.0f;
        recent_im += b >= RECENT ? y : 0.0f;
    }
    all_re /= PHY_WIFI_TONE_FIT;
    all_im /= PHY_WIFI_TONE_FIT;
    float gone = 2.0f * (all_re * recent_re + all_im * recent_im) - PHY_WIFI_TONE_RECENT * (all_re * all_re + all_im * all_im);
    tone->share = gone > 0.0f ? gone / recent_energy : 0.0f;
    tone->step += (uint32_t)(int32_t)lrintf(turn / (two_pi * N_FFT) * 4294967296.0f);
    float back = turn * 0.5f * (PHY_WIFI_TONE_FIT - 1) / N_FFT, c = cosf(back), s = sinf(back);
    tone->re = all_re * c + all_im * s;
    tone->im = all_im * c - all_re * s;
}

PHY_ALWAYS_INLINE struct phy_wifi_tone measure(struct phy_wifi_tone_fit *f, const float *samples, unsigned n_known)
{
    float power[N_FFT] = {0}, re[N_BLOCKS], im[N_BLOCKS];
    struct phy_wifi_tone tone = {0};
    struct turns turns;
    unsigned bin;
    for (unsigned b = n_known; b < N_BLOCKS; b++)
        transform(f, samples, b);
    for (unsigned b = RECENT; b < N_BLOCKS; b++)
        add_power(&f->spectra[b], power);
    float recent_energy = add_bins(power) / N_FFT;
    for (unsigned b = 0; b < RECENT; b++)
        add_power(&f->spectra[b], power);
    float all = add_bins(power);
    if (!(find_peak(power, &bin) > least_peak * all) || !(recent_energy > 0.0f))
        return tone;
    tone.step = ((uint32_t)bin << 26) + (uint32_t)(int32_t)lrintf(find_rest(f, power, bin) * 67108864.0f);
    make_turns(tone.step, &turns);
    for (unsigned b = 0; b < N_BLOCKS; b++)
        sum_block(samples, b, tone.step, &turns, &re[b], &im[b]);
    refine(&tone, re, im, recent_energy);
    return tone;
}

/* begin and end are multiples of N_LANES */
PHY_ALWAYS_INLINE void subtract(const struct phy_wifi_tone *tone, const float *restrict samples, uint32_t begin, uint32_t end,
                                float *restrict out)
{
    float turn_re[N_LANES], turn_im[N_LANES];
    for (uint32_t k = 0; k < N_LANES; k++)
        phy_cos_sin_turns(k * tone->step, &turn_re[k], &turn_im[k]);
    for (uint32_t i = begin; i < end; i += N_LANES) {
        float c, s;
        phy_cos_sin_turns(i * tone->step, &c, &s);
        float re = tone->re * c - tone->im * s, im = tone->im * c + tone->re * s;
        for (uint32_t k = 0; k < N_LANES; k++) {
            out[2 * (i + k)] = samples[2 * (i + k)] - (re * turn_re[k] - im * turn_im[k]);
            out[2 * (i + k) + 1] = samples[2 * (i + k) + 1] - (re * turn_im[k] + im * turn_re[k]);
        }
    }
}

/* --- instruction sets --- */

static struct phy_wifi_tone measure_plain(struct phy_wifi_tone_fit *f, const float *samples, unsigned n_known)
{
    return measure(f, samples, n_known);
}

static void subtract_plain(const struct phy_wifi_tone *tone, const float *samples, uint32_t begin, uint32_t end, float *out)
{
    subtract(tone, samples, begin, end, out);
}

#if PHY_HAVE_AVX2
PHY_TARGET_AVX2 static struct phy_wifi_tone measure_avx2(struct phy_wifi_tone_fit *f, const float *samples, unsigned n_known)
{
    return measure(f, samples, n_known);
}

PHY_TARGET_AVX2 static void subtract_avx2(const struct phy_wifi_tone *tone, const float *samples, uint32_t begin, uint32_t end,
                                          float *out)
{
    subtract(tone, samples, begin, end, out);
}
#else
#define measure_avx2 measure_plain
#define subtract_avx2 subtract_plain
#endif

struct phy_wifi_tone phy_wifi_tone_measure(struct phy_wifi_tone_fit *f, const float complex *samples, uint64_t first)
{
    unsigned n_known = first == f->next ? N_BLOCKS - 1 : 0;
    if (n_known > 0)
        memmove(&f->spectra[0], &f->spectra[1], n_known * sizeof f->spectra[0]);
    f->next = first + N_FFT;
    return f->simd == PHY_SIMD_AVX2 ? measure_avx2(f, (const float *)samples, n_known)
                                    : measure_plain(f, (const float *)samples, n_known);
}

void phy_wifi_tone_subtract(const struct phy_wifi_tone_fit *f, const struct phy_wifi_tone *tone, const float complex *samples,
                            uint32_t begin, uint32_t end, float complex *out)
{
    if (f->simd == PHY_SIMD_AVX2)
        subtract_avx2(tone, (const float *)samples, begin, end, (float *)out);
    else
        subtract_plain(tone, (const float *)samples, begin, end, (float *)out);
}
