#define SUITE_NAME "phy front end"
#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/air/adc.h"
#include "phy/air/awgn.h"
#include "phy/air/front_end.h"
#include "phy/sensing/energy.h"
#include "tests/unit/check_main.h"

enum { FS = 20000000 };

static const double pi = 3.14159265358979323846;

static struct phy_front_end_config preset(const char *name)
{
    struct phy_front_end_config cfg;
    ck_assert_int_eq(phy_front_end_preset(name, 5.2e9, FS, &cfg), 0);
    return cfg;
}

static struct phy_front_end *open_front_end(const struct phy_front_end_config *cfg)
{
    struct phy_front_end *f;
    const char *bad_field;
    void *mem = aligned_alloc(64, phy_front_end_bytes());
    ck_assert_int_eq(phy_front_end_init(mem, phy_front_end_bytes(), cfg, &f, &bad_field), 0);
    return f;
}

/* Noise of this power, with its own stream. */
static float complex *make_noise(size_t n, double dbfs)
{
    static struct phy_awgn g;
    float complex *x = calloc(n, sizeof *x);
    phy_awgn_init(&g, 11, 22, PHY_SIMD_AUTO);
    phy_awgn_add(&g, 0, (float)pow(10.0, dbfs / 10.0), x, n);
    return x;
}

static double power_db(const float complex *x, size_t n)
{
    return 10.0 * log10(phy_energy_sum(x, n) / (double)n);
}

static size_t run(const struct phy_front_end_config *cfg, const float complex *in, size_t n, float complex *out)
{
    struct phy_front_end *f = open_front_end(cfg);
    size_t n_out = phy_front_end_receive(f, in, n, out);
    free(f);
    return n_out;
}

START_TEST(the_ideal_one_is_the_converter_of_a_recording)
{
    enum { N = 5000 };
    struct phy_front_end_config cfg = preset("ideal");
    float complex *x = make_noise(N, -3.0), *y = malloc(N * sizeof *y);
    ck_assert_uint_eq(run(&cfg, x, N, y), N);
    phy_adc_quantise(x, N);
    ck_assert_mem_eq(x, y, N * sizeof *x);
    free(x);
    free(y);
}
END_TEST

/* Everything on at once, the clock too, read in one piece and in pieces. */
START_TEST(what_comes_out_does_not_depend_on_cuts)
{
    enum { N = 40000 };
    struct phy_front_end_config cfg = preset("b210");
    float complex *x = make_noise(N, -20.0), *whole = malloc((N + 100) * sizeof *whole), *cut = malloc((N + 100) * sizeof *cut);
    for (int drifting = 0; drifting < 2; drifting++) {
        cfg.ppm = drifting ? -37.0 : 0.0;
        size_t n_whole = run(&cfg, x, N, whole), n_cut = 0;
        struct phy_front_end *f = open_front_end(&cfg);
        uint64_t state = 3;
        for (size_t at = 0; at < N;) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            size_t n = (size_t)(state >> 33) % 300;
            n = n < N - at ? n : N - at;
            n_cut += phy_front_end_receive(f, x + at, n, cut + n_cut);
            at += n;
        }
        free(f);
        ck_assert_uint_eq(n_cut, n_whole);
        ck_assert_mem_eq(whole, cut, n_whole * sizeof *whole);
    }
    free(x);
    free(whole);
    free(cut);
}
END_TEST

START_TEST(time_that_is_skipped_in_pieces_is_skipped_all_the_same)
{
    enum { N = 2000 };
    struct phy_front_end_config cfg = preset("b210");
    cfg.ppm = 0.0;
    float complex *x = make_noise(2 * N, -20.0), a[2 * N], b[2 * N];
    struct phy_front_end *one = open_front_end(&cfg), *two = open_front_end(&cfg);
    phy_front_end_receive(one, x, N, a);
    phy_front_end_skip(one, 777, true);
    phy_front_end_receive(one, x + N, N, a + N);
    phy_front_end_receive(two, x, N, b);
    phy_front_end_skip(two, 700, true);
    phy_front_end_skip(two, 77, true);
    phy_front_end_receive(two, x + N, N, b + N);
    ck_assert_mem_eq(a, b, sizeof a);
    for (size_t i = 0; i < 20; i++) /* 1 us of turnaround */
        ck_assert_float_eq(cabsf(a[N + i]), 0.0f);
    ck_assert_float_gt(cabsf(a[N + 20]), 0.0f);
    free(x);
    free(one);
    free(two);
}
END_TEST

/* Steps of 2^-11 in each part: noise of two parts, each a twelfth of a step squared. */
START_TEST(twelve_bits_add_the_noise_of_their_steps_and_clip_at_full_scale)
{
    enum { N = 200000 };
    struct phy_front_end_config cfg = preset("ideal");
    cfg.adc_bits = 12;
    float complex *x = make_noise(N, -15.0), *y = malloc(N * sizeof *y);
    run(&cfg, x, N, y);
    double sum = 0.0, step = 1.0 / 2048.0, expected = 2.0 * step * step / 12.0;
    size_t n_inside = 0;
    for (size_t i = 0; i < N; i++) {
        if (fabsf(crealf(x[i])) > 0.99f || fabsf(cimagf(x[i])) > 0.99f)
            continue;
        float complex error = y[i] - x[i];
        sum += (double)(crealf(error) * crealf(error) + cimagf(error) * cimagf(error));
        n_inside++;
    }
    /* the error is uniform: variance of its square is (1/80 - 1/144) step^4 for each of two parts */
    double bound = 3.5 * step * step * sqrt(2.0 * (1.0 / 80.0 - 1.0 / 144.0) / (double)n_inside);
    ck_assert_double_le(fabs(sum / (double)n_inside - expected), bound);
    float complex loud[3] = {3.0f, -3.0f * (float complex)I, 0.25f};
    struct phy_front_end *f = open_front_end(&cfg);
    phy_front_end_receive(f, loud, 3, loud);
    ck_assert_float_eq(crealf(loud[0]), 2047.0f / 2048.0f);
    ck_assert_float_eq(cimagf(loud[1]), -1.0f);
    ck_assert_uint_eq(phy_front_end_clipped(f), 2);
    free(f);
    free(x);
    free(y);
}
END_TEST

/* A receiver whose oscillator is p fast sees a carrier tone at -p fc, and a tone at f at f / (1 + p) of its own rate. */
START_TEST(an_oscillator_that_is_off_shifts_the_carrier_and_stretches_time)
{
    enum { N = 400000, FIRST = 1000 };
    struct phy_front_end_config cfg = preset("ideal");
    cfg.ppm = 20.0;
    cfg.adc_bits = 0;
    static const double tones[] = {-0.40625, -0.11, 0.25, 0.40625}; /* of the rate; 26 / 64 is the outermost subcarrier */
    float complex *x = malloc(N * sizeof *x), *y = malloc((N + 200) * sizeof *y);
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < N; i++)
            x[i] = (float complex)cexp(2.0 * I * pi * fmod(tones[k] * (double)i, 1.0));
        size_t n = run(&cfg, x, N, y);
        ck_assert_uint_ge(n, N + 8 - 20); /* 8 more samples in the same time, less those that wait */
        ck_assert_uint_le(n, N + 8);
        double p = cfg.ppm * 1e-6, per_sample = tones[k] / (1.0 + p) - p * cfg.carrier_hz / FS, error = 0.0;
        for (size_t i = FIRST; i < n; i++) {
            double complex e = (double complex)y[i] - cexp(2.0 * I * pi * fmod(per_sample * (double)i, 1.0));
            error += creal(e) * creal(e) + cimag(e) * cimag(e);
        }
        double error_db = 10.0 * log10(error / (double)(n - FIRST));
        printf("tone at %.3f of the rate: error %.1f dB\n", tones[k], error_db);
        ck_assert_double_le(error_db, -60.0);
    }
    free(x);
    free(y);
}
END_TEST

START_TEST(imbalance_makes_an_image_of_the_strength_it_should)
{
    enum { N = 64000 };
    struct phy_front_end_config cfg = preset("ideal");
    cfg.adc_bits = 0;
    cfg.iq_gain_db = 0.5;
    cfg.iq_phase_deg = 3.0;
    cfg.dc_dbfs = -30.0;
    float complex *x = malloc(N * sizeof *x);
    for (size_t i = 0; i < N; i++)
        x[i] = 0.5f * (float complex)cexp(2.0 * I * pi * (double)(5 * i % 64) / 64.0);
    run(&cfg, x, N, x);
    double complex wanted = 0.0, image = 0.0, dc = 0.0;
    for (size_t i = 0; i < N; i++) {
        double complex turn = cexp(-2.0 * I * pi * (double)(5 * i % 64) / 64.0);
        wanted += (double complex)x[i] * turn;
        image += (double complex)x[i] * conj(turn);
        dc += (double complex)x[i];
    }
    double g = pow(10.0, 0.5 / 20.0), c = cos(3.0 * pi / 180.0); /* image rejection (1 + 2 g c + g^2) / (1 - 2 g c + g^2) */
    double expected_db = 10.0 * log10((1.0 - 2.0 * g * c + g * g) / (1.0 + 2.0 * g * c + g * g));
    ck_assert_double_le(fabs(20.0 * log10(cabs(image) / cabs(wanted)) - expected_db), 0.02);
    ck_assert_double_le(fabs(20.0 * log10(cabs(dc) / N) + 30.0), 0.02);
    free(x);
}
END_TEST

START_TEST(phase_noise_has_its_strength_and_its_corner)
{
    enum { N = 1 << 20, LAG = 64 };
    struct phy_front_end_config cfg = preset("b210");
    cfg.ppm = 0.0;
    cfg.agc = false;
    cfg.adc_bits = 0;
    cfg.iq_gain_db = cfg.iq_phase_deg = 0.0;
    cfg.dc_dbfs = -INFINITY;
    float complex *x = malloc(N * sizeof *x);
    for (size_t i = 0; i < N; i++)
        x[i] = 1.0f;
    run(&cfg, x, N, x);
    double sum = 0.0, lagged = 0.0;
    for (size_t i = 0; i + LAG < N; i++) {
        double phase = (double)cargf(x[i]), later = (double)cargf(x[i + LAG]);
        sum += phase * phase;
        lagged += phase * later;
    }
    double rms_deg = sqrt(sum / (N - LAG)) * 180.0 / pi, decay = exp(-2.0 * pi * 50e3 / FS), r = pow(decay, LAG);
    /* a first-order process: N (1 - a^2) / (1 + a^2) independent values of its square */
    double n_free = N * (1.0 - decay * decay) / (1.0 + decay * decay);
    printf("rms %.4f degrees of %.4f, correlation at %d samples %.4f of %.4f\n", rms_deg, cfg.phase_noise_deg, LAG, lagged / sum, r);
    ck_assert_double_le(fabs(rms_deg / cfg.phase_noise_deg - 1.0), 3.5 * sqrt(0.5 / n_free));
    ck_assert_double_le(fabs(lagged / sum - r), 3.5 * sqrt(1.0 / n_free));
    free(x);
}
END_TEST

/* Noise, a burst 60 dB above it and 16 dB above full scale, noise. The gain falls within a short training field (8 us), the level of
 * what follows is that of the antenna, and afterwards the gain comes back. */
START_TEST(the_gain_follows_the_signal_and_is_undone)
{
    enum { QUIET = 8000, BURST = 8000, N = 2 * QUIET + BURST, SETTLED = 120 };
    struct phy_front_end_config cfg = preset("b210");
    cfg.ppm = 0.0;
    float complex *x = make_noise(N, -50.0), *y = malloc(N * sizeof *y);
    for (size_t i = QUIET; i < QUIET + BURST; i++)
        x[i] *= 1000.0f;
    struct phy_front_end *f = open_front_end(&cfg);
    phy_front_end_receive(f, x, QUIET, y);
    double quiet_gain_db = phy_front_end_gain_db(f);
    phy_front_end_receive(f, x + QUIET, SETTLED, y + QUIET);
    uint64_t n_clipped = phy_front_end_clipped(f);
    ck_assert_uint_gt(n_clipped, 0);
    double burst_gain_db = phy_front_end_gain_db(f);
    phy_front_end_receive(f, x + QUIET + SETTLED, BURST - SETTLED, y + QUIET + SETTLED);
    printf("gain %.0f dB on noise, %.0f dB in a burst, %llu samples clipped\n", quiet_gain_db, burst_gain_db,
           (unsigned long long)n_clipped);
    ck_assert_double_le(fabs(quiet_gain_db - 10.0), 1.0);               /* noise to -40 dBFS */
    ck_assert_double_le(burst_gain_db + 10.0, cfg.agc_high_dbfs + 1.0); /* the burst below the attack level */
    ck_assert_uint_eq(phy_front_end_clipped(f), n_clipped);
    ck_assert_double_eq(phy_front_end_gain_db(f), burst_gain_db); /* locked */
    size_t from = QUIET + SETTLED, n = BURST - SETTLED;
    ck_assert_double_le(fabs(power_db(y + from, n) - power_db(x + from, n)), 0.02);
    phy_front_end_receive(f, x + QUIET + BURST, QUIET, y + QUIET + BURST);
    ck_assert_double_le(fabs(phy_front_end_gain_db(f) - quiet_gain_db), 1.0);
    ck_assert_double_le(fabs(power_db(y + N - 2000, 2000) - power_db(x + N - 2000, 2000)), 0.1);
    free(f);
    free(x);
    free(y);
}
END_TEST

START_TEST(unusable_configurations_name_their_field)
{
    struct phy_front_end_config good = preset("b210"), bad[8];
    static const char *const fields[] = {"sample_rate_hz", "ppm", "phase_noise_hz", "iq_phase_deg", "adc_bits", "agc_max_gain_db",
                                         "agc_low_dbfs", "switch_ns"};
    for (size_t i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].sample_rate_hz = 0;
    bad[1].ppm = (double)NAN;
    bad[2].phase_noise_hz = FS;
    bad[3].iq_phase_deg = 90.0;
    bad[4].adc_bits = 3;
    bad[5].agc_max_gain_db = good.agc_min_gain_db - 1.0;
    bad[6].agc_low_dbfs = 0.0;
    bad[7].switch_ns = -1.0;
    void *mem = aligned_alloc(64, phy_front_end_bytes());
    for (size_t i = 0; i < 8; i++) {
        struct phy_front_end *f;
        const char *bad_field = NULL;
        ck_assert_int_eq(phy_front_end_init(mem, phy_front_end_bytes(), &bad[i], &f, &bad_field), -EINVAL);
        ck_assert_str_eq(bad_field, fields[i]);
    }
    ck_assert_int_eq(phy_front_end_preset("x310", 5.2e9, FS, &good), -ENOENT);
    free(mem);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("front end");
    tcase_add_test(tcase, the_ideal_one_is_the_converter_of_a_recording);
    tcase_add_test(tcase, what_comes_out_does_not_depend_on_cuts);
    tcase_add_test(tcase, time_that_is_skipped_in_pieces_is_skipped_all_the_same);
    tcase_add_test(tcase, twelve_bits_add_the_noise_of_their_steps_and_clip_at_full_scale);
    tcase_add_test(tcase, an_oscillator_that_is_off_shifts_the_carrier_and_stretches_time);
    tcase_add_test(tcase, imbalance_makes_an_image_of_the_strength_it_should);
    tcase_add_test(tcase, phase_noise_has_its_strength_and_its_corner);
    tcase_add_test(tcase, the_gain_follows_the_signal_and_is_undone);
    tcase_add_test(tcase, unusable_configurations_name_their_field);
    suite_add_tcase(suite, tcase);
}
