/* The tone that the preamble detector takes out of its samples. */
#define SUITE_NAME "phy wifi detect tone"
#include <complex.h>
#include <math.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/wifi/detect_tone.h"
#include "tests/unit/check_main.h"

enum { N = PHY_WIFI_TONE_FIT, LEN = N + 16 * 64 };

static const double two_pi = 6.283185307179586;
static float complex samples[LEN], rest[LEN];
static uint64_t random_state = 1;

static double draw(void) /* uniform in [0, 1) */
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 11) / 9007199254740992.0;
}

static void add_tone(double amplitude, double frequency, double phase, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        samples[i] += (float complex)(amplitude * cexp(I * two_pi * (frequency * (double)i + phase)));
}

static void start_with_noise(double power, uint64_t seed)
{
    static struct phy_awgn g;
    memset(samples, 0, sizeof samples);
    phy_awgn_init(&g, seed, 5, PHY_SIMD_AUTO);
    phy_awgn_add(&g, 0, (float)power, samples, LEN);
}

static double energy_of(const float complex *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)(crealf(x[i]) * crealf(x[i]) + cimagf(x[i]) * cimagf(x[i]));
    return sum;
}

/* What the estimates of frequency, phase and amplitude, three real numbers, cost at least is 3/2 of a sample's noise. The stretch is
 * cleaned beyond what was measured, too. */
START_TEST(what_is_left_of_a_tone_is_the_noise)
{
    enum { N_TRIALS = 2000 };
    struct phy_wifi_tone_fit f;
    double excess = 0.0, square = 0.0, worst = 0.0;
    phy_wifi_tone_init(&f, phy_simd_best());
    for (uint64_t i = 0; i < N_TRIALS; i++) {
        /* at bins, halfway between them, anywhere */
        double frequency = i % 3 == 0 ? (double)(i % 64) / 64.0 : i % 3 == 1 ? ((double)(i % 64) + 0.5) / 64.0 : draw();
        start_with_noise(0.01, i);
        double noise = energy_of(samples, N);
        add_tone(1.0, frequency, draw(), 0, LEN);
        phy_wifi_tone_restart(&f);
        struct phy_wifi_tone tone = phy_wifi_tone_measure(&f, samples, 0);
        ck_assert_float_gt(tone.share, 0.97f);
        phy_wifi_tone_subtract(&f, &tone, samples, 0, N + 64, rest);
        double gone = (noise - energy_of(rest, N)) / 0.01;
        excess += gone;
        square += gone * gone;
        worst = fmax(worst, energy_of(rest + N, 64) / 64.0);
    }
    excess /= N_TRIALS;
    double error = sqrt((square / N_TRIALS - excess * excess) / N_TRIALS);
    printf("the fit takes %.3f +- %.3f samples' noise with it, theory 1.5; most behind it %.4f, noise .01\n", excess, error, worst);
    ck_assert_double_le(fabs(excess - 1.5), 3.5 * error + 0.02);
    ck_assert_double_lt(worst, 0.025);
}
END_TEST

START_TEST(a_stretch_is_measured_alike_with_and_without_the_one_before_it)
{
    struct phy_wifi_tone_fit going, fresh, plain;
    phy_wifi_tone_init(&going, phy_simd_best());
    phy_wifi_tone_init(&fresh, phy_simd_best());
    phy_wifi_tone_init(&plain, PHY_SIMD_BASELINE);
    start_with_noise(0.3, 1);
    add_tone(1.0, 0.1234, 0.3, 0, LEN);
    for (size_t at = 0; at + N <= LEN; at += 64) {
        struct phy_wifi_tone a = phy_wifi_tone_measure(&going, samples + at, at), b, c;
        phy_wifi_tone_restart(&fresh);
        phy_wifi_tone_restart(&plain);
        b = phy_wifi_tone_measure(&fresh, samples + at, at);
        c = phy_wifi_tone_measure(&plain, samples + at, at);
        ck_assert_mem_eq(&a, &b, sizeof a);
        ck_assert_mem_eq(&a, &c, sizeof a);
    }
}
END_TEST

START_TEST(noise_has_no_tone_and_one_that_ended_is_not_there)
{
    struct phy_wifi_tone_fit f;
    phy_wifi_tone_init(&f, phy_simd_best());
    for (uint64_t i = 0; i < 1000; i++) {
        start_with_noise(1.0, i);
        phy_wifi_tone_restart(&f);
        ck_assert_float_lt(phy_wifi_tone_measure(&f, samples, 0).share, 0.12f);
    }
    start_with_noise(1.0, 1);
    add_tone(10.0, 0.2, 0.0, 0, N / 2);
    phy_wifi_tone_restart(&f);
    ck_assert_float_le(phy_wifi_tone_measure(&f, samples, 0).share, 0.0f);
    memset(samples, 0, sizeof samples);
    phy_wifi_tone_restart(&f);
    ck_assert_float_le(phy_wifi_tone_measure(&f, samples, 0).share, 0.0f);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("tone");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_is_left_of_a_tone_is_the_noise);
    tcase_add_test(tcase, a_stretch_is_measured_alike_with_and_without_the_one_before_it);
    tcase_add_test(tcase, noise_has_no_tone_and_one_that_ended_is_not_there);
    suite_add_tcase(suite, tcase);
}
