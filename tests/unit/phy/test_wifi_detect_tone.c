/* The tone that the preamble detector takes out of its samples, and what is found beneath it. */
#define SUITE_NAME "phy wifi detect tone"
#include <complex.h>
#include <math.h>
#include <string.h>

#include "phy/wifi/detect_tone.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/wifi_preambles.h"

enum { N = PHY_WIFI_TONE_FIT, N_SAMPLES = N + 16 * 64 };

static float complex samples[N_SAMPLES], rest[N_SAMPLES];

static void start_with_noise(double power, uint64_t seed)
{
    static struct phy_awgn g;
    memset(samples, 0, sizeof samples);
    phy_awgn_init(&g, seed, 5, PHY_SIMD_AUTO);
    phy_awgn_add(&g, 0, (float)power, samples, N_SAMPLES);
}

static void add_to_samples(double amplitude, double frequency, double phase, size_t end)
{
    for (size_t i = 0; i < end; i++)
        samples[i] += (float)amplitude * turn(frequency * (double)i + phase);
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
        add_to_samples(1.0, frequency, draw(), N_SAMPLES);
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
    struct phy_wifi_tone_fit going, fresh, baseline;
    phy_wifi_tone_init(&going, phy_simd_best());
    phy_wifi_tone_init(&fresh, phy_simd_best());
    phy_wifi_tone_init(&baseline, PHY_SIMD_BASELINE);
    start_with_noise(0.3, 1);
    add_to_samples(1.0, 0.1234, 0.3, N_SAMPLES);
    for (size_t at = 0; at + N <= N_SAMPLES; at += 64) {
        struct phy_wifi_tone a = phy_wifi_tone_measure(&going, samples + at, at), b, c;
        phy_wifi_tone_restart(&fresh);
        phy_wifi_tone_restart(&baseline);
        b = phy_wifi_tone_measure(&fresh, samples + at, at);
        c = phy_wifi_tone_measure(&baseline, samples + at, at);
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
    add_to_samples(10.0, 0.2, 0.0, N / 2);
    phy_wifi_tone_restart(&f);
    ck_assert_float_le(phy_wifi_tone_measure(&f, samples, 0).share, 0.0f);
    memset(samples, 0, sizeof samples);
    phy_wifi_tone_restart(&f);
    ck_assert_float_le(phy_wifi_tone_measure(&f, samples, 0).share, 0.0f);
}
END_TEST

/* --- the detector --- */

START_TEST(preambles_beneath_a_tone_are_found_with_their_offset)
{
    enum { N_TRIALS = 300 };
    const double snr = 1.0 / noise_of_es_n0(20.0), best2 = (1.0 - 16.0 / 80.0) / (80.0 * snr) / (two_pi * two_pi);
    for (int sir_db = 6; sir_db >= -18; sir_db -= 6) {
        double error2 = 0.0;
        for (uint64_t i = 0; i < N_TRIALS; i++) {
            memset(air, 0, 2500 * sizeof *air);
            size_t at = 400 + (size_t)(draw() * 64.0);
            double cfo = 3.0 * draw() - 1.5, frequency = i % 4 ? (52.0 * draw() - 26.0) / 64.0 : (double)(i % 13) / 16.0;
            send(&(struct sending){.at = at, .len_bytes = 40, .rate_index = 3, .amplitude = 1.0, .cfo = cfo / 64.0});
            add_tone(pow(10.0, -sir_db / 20.0), frequency, 2500);
            static struct phy_awgn g;
            phy_awgn_init(&g, i, 6, PHY_SIMD_AUTO);
            phy_awgn_add(&g, 0, (float)noise_of_es_n0(20.0), air, 2500);
            ck_assert_msg(find(&plain, 2500) == 1, "SIR %d dB, tone at %.3f subcarriers", sir_db, frequency * 64.0);
            ck_assert_int_le(labs((long)(found[0].start_sample - at)), 2);
            double error = (double)found[0].cfo * 64.0 - cfo;
            error2 += error * error / N_TRIALS;
        }
        printf("SIR %d dB: mean square error of the offset %.2e, without a tone %.2e\n", sir_db, error2, best2);
        if (sir_db <= 0) /* a weaker one may stay, in part or altogether */
            ck_assert_double_le(error2 / best2, 1.1 + 3.5 * sqrt(2.0 / N_TRIALS));
    }
}
END_TEST

START_TEST(a_frame_behind_a_tone_that_ended_and_one_within_a_tone_that_turned_against_it_are_found)
{
    for (size_t gap = 0; gap < 300; gap += 10) {
        memset(air, 0, 4000 * sizeof *air);
        add_tone(3.0, 0.111, 1500);
        send(&(struct sending){.at = 1500 + gap, .len_bytes = 40, .rate_index = 3, .amplitude = 1.0});
        add_noise(noise_of_es_n0(20.0), gap);
        ck_assert_msg(find(&plain, 4000) == 1, "%zu samples behind a tone", gap);
        ck_assert_uint_eq(found[0].start_sample, 1500 + gap);
    }
    /* after 16 samples the tone is half a turn on, the field is not: their correlations cancel */
    memset(air, 0, 4000 * sizeof *air);
    send(&(struct sending){.at = 1500, .len_bytes = 40, .rate_index = 3, .amplitude = 1.0});
    add_tone(1.0, 5.0 / 32, 4000);
    add_noise(noise_of_es_n0(20.0), 1);
    ck_assert_uint_eq(find(&plain, 4000), 1);
    ck_assert_uint_eq(found[0].start_sample, 1500);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("tone");
    tcase_add_checked_fixture(tcase, prepare, clean_up);
    tcase_add_test(tcase, what_is_left_of_a_tone_is_the_noise);
    tcase_add_test(tcase, a_stretch_is_measured_alike_with_and_without_the_one_before_it);
    tcase_add_test(tcase, noise_has_no_tone_and_one_that_ended_is_not_there);
    tcase_add_test(tcase, preambles_beneath_a_tone_are_found_with_their_offset);
    tcase_add_test(tcase, a_frame_behind_a_tone_that_ended_and_one_within_a_tone_that_turned_against_it_are_found);
    suite_add_tcase(suite, tcase);
}
