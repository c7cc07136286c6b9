/* The sensing detectors: energy, cyclic prefix, max-min eigenvalue. Each window is keyed noise, with or without a signal. */
#include "apps/options.h"
#include "apps/validate/reference_eigen.h"
#include "apps/validate/signals.h"
#include "apps/validate/validate.h"
#include "phy/air/awgn.h"
#include "phy/sensing/cyclic.h"
#include "phy/sensing/eigenvalue.h"
#include "phy/sensing/energy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum stream { NOISE = 1, NOISE_ALONE = 2, SIGNAL = 3 }; /* purposes of draws */

static int fail(const char *why)
{
    fprintf(stderr, "airdeed validate: %s\n", why);
    return APP_SYSTEM_FAILED;
}

static double from_db(double db)
{
    return pow(10, db / 10);
}

/* What a case draws from, and one window of it. */
struct air {
    struct phy_awgn noise, alone, signal;
    float complex *window;
    size_t n;
};

static int open_air(struct air *a, const struct app_validate *v, size_t n)
{
    phy_awgn_init(&a->noise, v->seed, NOISE, PHY_SIMD_AUTO);
    phy_awgn_init(&a->alone, v->seed, NOISE_ALONE, PHY_SIMD_AUTO);
    phy_awgn_init(&a->signal, v->seed, SIGNAL, PHY_SIMD_AUTO);
    a->n = n;
    a->window = malloc(n * sizeof *a->window);
    return a->window ? 0 : fail("no memory for a window");
}

static const float complex *draw_window(struct air *a, struct phy_awgn *g, uint64_t trial, double power)
{
    memset(a->window, 0, a->n * sizeof *a->window);
    phy_awgn_add(g, trial * a->n, (float)power, a->window, a->n);
    return a->window;
}

/* --- energy --- */

static int run_energy(struct app_validate *v)
{
    uint64_t n = (uint64_t)v->values[VALIDATE_SAMPLES], n_detected = 0, n_false = 0;
    double snr = from_db(v->values[VALIDATE_SNR]), p_fa = v->values[VALIDATE_PFA];
    struct phy_energy_detector d;
    struct air a;
    if (phy_energy_init(&d, n, 1, 0, p_fa))
        return fail("the energy detector refuses these values");
    int code = open_air(&a, v, (size_t)n);
    if (code)
        return code;
    for (uint64_t i = 0; i < v->trials; i++) {
        n_false += phy_energy_judge(&d, draw_window(&a, &a.alone, i, 1)).occupied;
        draw_window(&a, &a.noise, i, 1);
        phy_awgn_add(&a.signal, i * n, (float)snr, a.window, (size_t)n);
        n_detected += phy_energy_judge(&d, a.window).occupied;
    }
    free(a.window);
    app_validate_constant(v, "threshold_over_noise", d.threshold_ratio);
    app_validate_proportion(v, "p_d", n_detected, v->trials, phy_energy_p_fa(n, d.threshold_ratio / (1 + snr)));
    app_validate_proportion(v, "p_fa", n_false, v->trials, p_fa);
    return 0;
}

const struct app_validate_case app_validate_energy = {
    "energy",
    "the energy detector (phy/sensing/energy.h) on Gaussian noise and a Gaussian signal",
    "p_fa = Q(N, N t), p_d = Q(N, N t / (1 + snr)), Q the regularised upper incomplete gamma function, t the threshold; exact",
    {{VALIDATE_SAMPLES, 100, 1, 1e6}, {VALIDATE_SNR, -5, -60, 60}, {VALIDATE_PFA, .1, 1e-6, .999}, {VALIDATE_TRIALS, 100000, 10, 1e8}},
    run_energy,
};

/* --- cyclic prefix --- */

static int run_cp(struct app_validate *v)
{
    uint64_t n = (uint64_t)v->values[VALIDATE_SAMPLES], n_detected = 0, n_false = 0;
    double snr = from_db(v->values[VALIDATE_SNR]), p_fa = v->values[VALIDATE_PFA];
    double rho = (double)VALIDATE_OFDM_PREFIX / (VALIDATE_OFDM_FFT + VALIDATE_OFDM_PREFIX) * snr / (1 + snr);
    struct phy_cyclic_detector d;
    struct air a;
    if (phy_cyclic_init(&d, VALIDATE_OFDM_FFT, n, p_fa))
        return fail("the cyclic-prefix detector refuses these values");
    int code = open_air(&a, v, (size_t)n + VALIDATE_OFDM_FFT);
    if (code)
        return code;
    for (uint64_t i = 0; i < v->trials && !code; i++) {
        n_false += phy_cyclic_judge(&d, draw_window(&a, &a.alone, i, 1)).occupied;
        draw_window(&a, &a.noise, i, 1);
        if (app_validate_add_ofdm(a.window, a.n, snr, v->seed, i))
            code = fail("no memory for a transform");
        n_detected += phy_cyclic_judge(&d, a.window).occupied;
    }
    free(a.window);
    app_validate_constant(v, "symbol_samples", VALIDATE_OFDM_FFT);
    app_validate_constant(v, "prefix_samples", VALIDATE_OFDM_PREFIX);
    app_validate_constant(v, "threshold", d.threshold);
    app_validate_proportion(v, "p_d", n_detected, v->trials, phy_cyclic_p_d(n, d.threshold, rho));
    app_validate_proportion(v, "p_fa", n_false, v->trials, phy_cyclic_p_fa(n, d.threshold));
    return code;
}

const struct app_validate_case app_validate_cp = {
    "cp",
    "the cyclic-prefix detector (phy/sensing/cyclic.h) on OFDM of 64 + 16 samples, all subcarriers QPSK, timing unknown",
    "p_fa = erfc(sqrt(M) t) / 2, p_d = erfc(sqrt(M) (t - r) / (1 - r^2)) / 2, r = .2 snr / (1 + snr), M = --samples; normal law: many samples, weak signals",
    {{VALIDATE_SAMPLES, 8000, 400, 1e6}, {VALIDATE_SNR, -10, -60, 20}, {VALIDATE_PFA, .05, 1e-4, .5}, {VALIDATE_TRIALS, 10000, 10, 1e7}},
    run_cp,
};

/* --- max-min eigenvalue --- */

enum { CALIBRATION_FACTOR = 20, REFERENCE_FACTOR = 10 };

static int calibrate(const struct app_validate *v, uint32_t n_calibration, struct phy_eigenvalue_detector *d)
{
    struct phy_eigenvalue_config cfg = {
        .n_antennas = 1,
        .smoothing = (unsigned)v->values[VALIDATE_SMOOTHING],
        .n_samples = (uint64_t)v->values[VALIDATE_SAMPLES],
        .p_fa = v->values[VALIDATE_PFA],
        .seed = v->seed,
        .n_calibration = n_calibration,
    };
    const char *bad_field = "memory";
    size_t len = phy_eigenvalue_bytes(&cfg);
    void *mem = malloc(len ? len : 1);
    int err = mem ? phy_eigenvalue_init(mem, len, &cfg, d, &bad_field) : -1;
    free(mem);
    if (!err)
        return 0;
    fprintf(stderr, "airdeed validate: the eigenvalue detector cannot be calibrated for these values: %s%s\n", bad_field,
            strcmp(bad_field, "p_fa") == 0 ? " is too small for so few --trials" : "");
    return strcmp(bad_field, "memory") == 0 ? APP_SYSTEM_FAILED : APP_BAD_USAGE;
}

/* White Gaussian samples summed over VALIDATE_MA_TAPS: energy in the lower quarter of the band. */
static void add_smooth(struct air *a, float complex *white, uint64_t trial, double power)
{
    size_t n_white = a->n + VALIDATE_MA_TAPS - 1;
    memset(white, 0, n_white * sizeof *white);
    phy_awgn_add(&a->signal, trial * n_white, (float)(power / VALIDATE_MA_TAPS), white, n_white);
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < VALIDATE_MA_TAPS; k++)
            a->window[i] += white[i + k];
}

static int run_mme(struct app_validate *v)
{
    double snr = from_db(v->values[VALIDATE_SNR]);
    uint64_t n_detected = 0, n_false = 0, n_reference = REFERENCE_FACTOR * v->trials;
    uint32_t n_calibration = (uint32_t)fmin(CALIBRATION_FACTOR * (double)v->trials, 1e7);
    struct phy_eigenvalue_detector d;
    int code = calibrate(v, n_calibration, &d);
    if (code)
        return code;
    struct air a;
    code = open_air(&a, v, (size_t)d.n_samples + d.smoothing - 1);
    if (code)
        return code;
    float complex *white = malloc((a.n + VALIDATE_MA_TAPS - 1) * sizeof *white);
    const float complex *stream = a.window;
    for (uint64_t i = 0; white && i < v->trials; i++) {
        draw_window(&a, &a.alone, i, 1);
        n_false += phy_eigenvalue_judge(&d, &stream).occupied;
        draw_window(&a, &a.noise, i, 1);
        add_smooth(&a, white, i, snr);
        n_detected += phy_eigenvalue_judge(&d, &stream).occupied;
    }
    free(a.window);
    struct app_reference_eigen r = {d.smoothing, d.n_samples, snr, d.threshold, v->seed};
    int64_t n_expected = white ? app_reference_eigen_count(&r, n_reference) : -1;
    free(white);
    if (n_expected < 0)
        return fail("no memory for a window");
    app_validate_constant(v, "n_calibration", n_calibration);
    app_validate_constant(v, "n_reference", (double)n_reference);
    app_validate_constant(v, "threshold", d.threshold);
    app_validate_constant(v, "threshold_asymptotic", d.asymptotic);
    app_validate_proportion(v, "p_d", n_detected, v->trials, (double)n_expected / (double)n_reference);
    app_validate_proportion(v, "p_fa", n_false, v->trials, v->values[VALIDATE_PFA]);
    return 0;
}

const struct app_validate_case app_validate_mme = {
    "mme",
    "the max-min eigenvalue detector (phy/sensing/eigenvalue.h), one antenna, on noise and on noise summed over 4 samples",
    "p_fa: the target, held by a threshold calibrated on 20 times --trials draws; p_d: no closed form; a second implementation "
    "(own generator, no eigenvalues) on 10 times --trials windows",
    {{VALIDATE_SAMPLES, 1000, 64, 1e5}, {VALIDATE_SNR, -11, -60, 60}, {VALIDATE_SMOOTHING, 8, 2, 16}, {VALIDATE_PFA, .1, 1e-3, .5},
     {VALIDATE_TRIALS, 2000, 100, 1e6}},
    run_mme,
};
