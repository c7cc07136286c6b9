#include "phy/wifi/channel.h"

#include <complex.h>
#include <math.h>
#include <string.h>

#include "phy/wifi/code.h"

enum { N_USED = PHY_WIFI_N_USED, N_FFT = PHY_WIFI_N_FFT, MAX_TAPS = PHY_WIFI_LONG_TAPS, MAX_ROUNDS = 5, LANES = 4 };

unsigned phy_wifi_used_bin(unsigned i)
{
    return i < PHY_WIFI_N_DATA ? phy_wifi_data_bin[i] : phy_wifi_pilot_bin[i - PHY_WIFI_N_DATA];
}

int phy_wifi_used_number(unsigned i)
{
    int bin = (int)phy_wifi_used_bin(i);
    return bin < N_FFT / 2 ? bin : bin - N_FFT;
}

void phy_wifi_gather(const struct phy_wifi_bins *bins, struct phy_wifi_used *out)
{
    for (unsigned i = 0; i < N_USED; i++) {
        unsigned bin = phy_wifi_used_bin(i);
        out->re[i] = bins->re[bin];
        out->im[i] = bins->im[bin];
    }
}

/* Solves T x = y, T Hermitian Toeplitz with first column t (t[0] real), positive definite: Levinson's recursion. */
static void solve_toeplitz(const double complex *t, const double complex *y, unsigned n_taps, double complex *x)
{
    double complex forward[MAX_TAPS] = {1.0}; /* predictor of the leading part of T, its first element 1 */
    double error = creal(t[0]);
    x[0] = y[0] / error;
    for (unsigned n = 1; n < n_taps; n++) {
        double complex miss = 0.0, want = y[n];
        for (unsigned i = 0; i < n; i++) {
            miss += forward[i] * t[n - i];
            want -= x[i] * t[n - i];
        }
        double complex reflection = -miss / error;
        double complex last[MAX_TAPS];
        memcpy(last, forward, sizeof last);
        forward[n] = 0.0;
        for (unsigned i = 1; i <= n; i++)
            forward[i] += reflection * conj(last[n - i]);
        error -= (creal(miss) * creal(miss) + cimag(miss) * cimag(miss)) / error;
        x[n] = 0.0;
        double complex step = want / error;
        for (unsigned i = 0; i <= n; i++)
            x[i] += step * conj(forward[n - i]);
    }
}

/* Sum over used subcarriers of value exp(+j 2 pi f d / 64), for every d, d = 0 first. */
static void to_delays(const struct phy_wifi_fft *fft, const struct phy_wifi_used *value, double complex out[MAX_TAPS])
{
    struct phy_wifi_bins bins;
    memset(&bins, 0, sizeof bins);
    for (unsigned i = 0; i < N_USED; i++) {
        bins.re[phy_wifi_used_bin(i)] = value->re[i];
        bins.im[phy_wifi_used_bin(i)] = -value->im[i]; /* conjugates: a forward transform serves for the inverse */
    }
    phy_wifi_fft(fft, &bins);
    for (unsigned d = 0; d < MAX_TAPS; d++)
        out[d] = CMPLX((double)bins.re[d], -(double)bins.im[d]);
}

struct fit {
    unsigned n_taps;
    double complex taps[MAX_TAPS]; /* of delays -PHY_WIFI_EARLY and on */
    struct phy_wifi_used response;
    float misfit; /* mean |error|^2 of one symbol about the response */
    float noise[N_USED];
};

/* The impulse response of n_taps samples that fits `measured` best, each subcarrier weighing `weight`, and its spectrum. */
static void fit_taps(const struct phy_wifi_fft *fft, const struct phy_wifi_used *measured, const float weight[N_USED], double prior,
                     struct fit *f)
{
    struct phy_wifi_used weights, weighted;
    double complex t[MAX_TAPS], y[MAX_TAPS];
    for (unsigned i = 0; i < N_USED; i++) {
        weights.re[i] = weight[i];
        weights.im[i] = 0.0f;
        weighted.re[i] = weight[i] * measured->re[i];
        weighted.im[i] = weight[i] * measured->im[i];
    }
    to_delays(fft, &weights, t);
    to_delays(fft, &weighted, y);
    t[0] += prior;
    solve_toeplitz(t, y, f->n_taps, f->taps);
    struct phy_wifi_bins bins;
    memset(&bins, 0, sizeof bins);
    for (unsigned d = 0; d < f->n_taps; d++) {
        bins.re[d] = (float)creal(f->taps[d]);
        bins.im[d] = (float)cimag(f->taps[d]);
    }
    phy_wifi_fft(fft, &bins);
    phy_wifi_gather(&bins, &f->response);
}

/* --- noise --- */

float phy_wifi_trimmed_mean(const float value[N_USED])
{
    float limit = INFINITY, mean = 0.0f;
    for (unsigned round = 0; round < 8; round++) {
        float sums[LANES] = {0}, counts[LANES] = {0};
        for (unsigned i = 0; i < N_USED; i += LANES)
            for (unsigned lane = 0; lane < LANES; lane++) {
                bool taken = value[i + lane] <= limit;
                sums[lane] += taken ? value[i + lane] : 0.0f;
                counts[lane] += taken ? 1.0f : 0.0f;
            }
        float sum = (sums[0] + sums[1]) + (sums[2] + sums[3]), n = (counts[0] + counts[1]) + (counts[2] + counts[3]);
        if (!(n > 0.0f))
            break;
        float last = mean;
        mean = sum / n;
        if (round > 0 && mean >= last)
            break;
        limit = 5.0f * mean;
    }
    return mean;
}

/* Squared errors of one sample a subcarrier, to noise: all alike, but where three neighbours or one subcarrier stand out beyond what
 * chance explains once in some hundred frames. */
static bool find_loud(const float error[N_FFT], float floor, float noise[N_USED])
{
    bool found = false;
    for (unsigned i = 0; i < N_USED; i++) {
        unsigned bin = phy_wifi_used_bin(i);
        float own = error[bin], before = error[(bin + N_FFT - 1) % N_FFT], after = error[(bin + 1) % N_FFT];
        float near = (before + own + after) * (1.0f / 3.0f);
        float loud = own > 12.0f * floor && own > near ? own : near > 4.5f * floor ? near : 0.0f;
        if (loud > noise[i]) {
            noise[i] = loud;
            found = true;
        }
    }
    return found;
}

/* |a - b|^2 times scale on the used subcarriers, in FFT order; where nothing is sent, that of the neighbour. */
static void find_errors(const struct phy_wifi_used *a, const struct phy_wifi_used *b, float scale, float by_use[N_USED],
                        float by_bin[N_FFT])
{
    memset(by_bin, 0, N_FFT * sizeof *by_bin);
    for (unsigned i = 0; i < N_USED; i++) {
        float re = a->re[i] - b->re[i], im = a->im[i] - b->im[i];
        by_use[i] = by_bin[phy_wifi_used_bin(i)] = scale * (re * re + im * im);
    }
    by_bin[0] = 0.5f * (by_bin[1] + by_bin[63]);
    by_bin[27] = by_bin[26];
    by_bin[37] = by_bin[38];
}

static float mean_power(const struct phy_wifi_used *x)
{
    float sum = 0.0f;
    for (unsigned i = 0; i < N_USED; i++)
        sum += x->re[i] * x->re[i] + x->im[i] * x->im[i];
    return sum / N_USED;
}

static void set_all(float value, float out[N_USED])
{
    for (unsigned i = 0; i < N_USED; i++)
        out[i] = value;
}

/* Response and noise in turn: what stands out of the fit is noise, and weighs less in the next. */
static void fit_response(const struct phy_wifi_fft *fft, const struct phy_wifi_used *mean, float floor,
                         const float from_difference[N_USED], struct fit *f)
{
    float error[N_USED], by_bin[N_FFT], weight[N_USED];
    /* each tap has its share of the power; the mean of two symbols has half the noise of one */
    double prior = 0.5 * (double)floor * f->n_taps / (double)(mean_power(mean) + 1e-30f);
    memcpy(f->noise, from_difference, sizeof f->noise);
    for (unsigned round = 0; round < MAX_ROUNDS; round++) {
        for (unsigned i = 0; i < N_USED; i++)
            weight[i] = floor / f->noise[i];
        fit_taps(fft, mean, weight, prior, f);
        find_errors(mean, &f->response, 2.0f, error, by_bin);
        memcpy(f->noise, from_difference, sizeof f->noise);
        if (!find_loud(by_bin, floor, f->noise))
            break;
    }
    f->misfit = phy_wifi_trimmed_mean(error);
}

/* Where symbols' windows have to begin so that least of this impulse response comes from the symbols beside: a window `early` samples
 * before its place sees one symbol along paths of -early to GUARD - 1 - early samples. */
static int find_early(const struct fit *f)
{
    const int usable = PHY_WIFI_GUARD - 1; /* 17.3.2.5: a sample of it may be a transition from the symbol before */
    int best = PHY_WIFI_EARLY;
    double least = INFINITY;
    for (int early = PHY_WIFI_EARLY; early >= -PHY_WIFI_EARLY; early--) {
        double spilt = 0.0;
        for (unsigned d = 0; d < f->n_taps; d++) {
            int into = (int)d - PHY_WIFI_EARLY + early; /* the guard interval */
            int beyond = into < 0 ? -into : into > usable ? into - usable : 0;
            spilt += beyond * (creal(f->taps[d]) * creal(f->taps[d]) + cimag(f->taps[d]) * cimag(f->taps[d]));
        }
        if (spilt < least) {
            least = spilt;
            best = early;
        }
    }
    return best;
}

void phy_wifi_channel_estimate(const struct phy_wifi_fft *fft, const struct phy_wifi_used *first, const struct phy_wifi_used *second,
                               struct phy_wifi_channel *out)
{
    /* errors about 16 fitted taps have 36 degrees of freedom, the floor 52: noise exceeds this once in some hundred frames */
    const float short_limit = 1.4f, long_limit = 4.0f;
    struct phy_wifi_used mean;
    struct fit fit = {.n_taps = PHY_WIFI_TAPS};
    float error[N_USED], by_bin[N_FFT], from_difference[N_USED];
    for (unsigned i = 0; i < N_USED; i++) {
        float half_sign = 0.5f * phy_wifi_long_training[phy_wifi_used_bin(i)];
        mean.re[i] = half_sign * (first->re[i] + second->re[i]);
        mean.im[i] = half_sign * (first->im[i] + second->im[i]);
    }
    find_errors(first, second, 0.5f, error, by_bin);
    out->noise_power = 0.0f;
    for (unsigned i = 0; i < N_USED; i++)
        out->noise_power += error[i] / (N_USED * N_FFT);
    float floor = phy_wifi_trimmed_mean(error) + 1e-9f * mean_power(&mean) + 1e-30f;
    set_all(floor, from_difference);
    find_loud(by_bin, floor, from_difference);
    out->early = PHY_WIFI_EARLY;
    fit_response(fft, &mean, floor, from_difference, &fit);
    if (fit.misfit > short_limit * floor) {
        fit.n_taps = PHY_WIFI_LONG_TAPS;
        fit_response(fft, &mean, floor, from_difference, &fit);
        out->early = find_early(&fit);
    }
    /* An impulse response longer than that: the plain mean is closer than the fit. */
    bool longer = fit.misfit > long_limit * floor;
    out->gain = longer ? mean : fit.response;
    memcpy(out->noise, longer ? from_difference : fit.noise, sizeof out->noise);
    out->worth = longer ? 2.0f : 2.0f * N_USED / (float)fit.n_taps;
}
