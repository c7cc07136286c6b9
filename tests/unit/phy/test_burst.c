#define SUITE_NAME "phy bursts"
#include "tests/unit/check_main.h"

#include "phy/air/awgn.h"
#include "phy/sensing/burst.h"

#include <math.h>
#include <string.h>

enum { MAX_SAMPLES = 1 << 20, MAX_FOUND = 64 };

static float complex air[MAX_SAMPLES];
static struct phy_burst found[MAX_FOUND];
static size_t n_found;

static void keep(void *ctx, const struct phy_burst *burst)
{
    (void)ctx;
    if (n_found < MAX_FOUND)
        found[n_found] = *burst;
    n_found++;
}

/* Noise of power 1e-6 (-60 dBFS). */
static void make_noise(uint64_t seed, size_t n)
{
    static struct phy_awgn g;
    memset(air, 0, n * sizeof *air);
    phy_awgn_init(&g, seed, 0, PHY_SIMD_BASELINE);
    phy_awgn_add(&g, 0, 1e-6f, air, n);
}

/* Gaussian samples: what OFDM looks like. */
static void add_ofdm(uint64_t seed, size_t start, size_t n, double snr_db)
{
    static struct phy_awgn g;
    phy_awgn_init(&g, seed, 1, PHY_SIMD_BASELINE);
    phy_awgn_add(&g, 0, (float)(1e-6 * pow(10, snr_db / 10)), air + start, n);
}

static void add_pulse(size_t start, size_t n, float amplitude)
{
    for (size_t i = 0; i < n; i++)
        air[start + i] += amplitude;
}

static struct phy_burst_config make_config(double sample_rate_hz)
{
    return (struct phy_burst_config){
        .sample_rate_hz = sample_rate_hz, .noise_power = 1e-6, .p_fa = 1e-6, .min_us = 4, .on_burst = keep};
}

/* In pieces of n_step samples. */
static void find(const struct phy_burst_config *cfg, size_t n, size_t n_step)
{
    static double mem[4096];
    struct phy_burst_finder *finder;
    const char *bad_field;
    ck_assert_uint_le(phy_burst_bytes(cfg), sizeof mem);
    ck_assert_int_eq(phy_burst_init(mem, sizeof mem, cfg, &finder, &bad_field), 0);
    n_found = 0;
    for (size_t i = 0; i < n; i += n_step)
        phy_burst_push(finder, air + i, n - i < n_step ? n - i : n_step);
    phy_burst_skip(finder, 0);
}

static void expect_burst(size_t i, uint64_t start, uint64_t length, uint64_t tolerance)
{
    ck_assert_msg(i < n_found, "only %zu bursts", n_found);
    int64_t start_error = (int64_t)(found[i].start_sample - start), length_error = (int64_t)(found[i].n_samples - length);
    ck_assert_msg(llabs(start_error) <= (int64_t)tolerance && llabs(length_error) <= (int64_t)tolerance,
                  "burst %zu: start %llu, length %llu; wanted %llu, %llu", i, (unsigned long long)found[i].start_sample,
                  (unsigned long long)found[i].n_samples, (unsigned long long)start, (unsigned long long)length);
}

START_TEST(strong_frames_come_out_to_the_sample_and_with_their_power)
{
    make_noise(1, 20000);
    add_ofdm(11, 1000, 560, 30);
    add_ofdm(12, 5000, 4160, 40);
    struct phy_burst_config cfg = make_config(20e6);
    find(&cfg, 20000, 20000);
    ck_assert_uint_eq(n_found, 2);
    expect_burst(0, 1000, 560, 2);
    expect_burst(1, 5000, 4160, 2);
    ck_assert_double_eq_tol(10 * log10(found[0].mean_power), -30, .5);
    ck_assert_double_eq_tol(10 * log10(found[1].mean_power), -20, .25);
    ck_assert_double_gt(found[1].peak_power, 4 * found[1].mean_power);
}
END_TEST

START_TEST(a_weak_frame_is_found_within_a_window_of_its_edges)
{
    make_noise(2, 20000);
    add_ofdm(21, 7000, 2000, 8);
    struct phy_burst_config cfg = make_config(20e6);
    find(&cfg, 20000, 20000);
    ck_assert_uint_eq(n_found, 1);
    expect_burst(0, 7000, 2000, 16);
}
END_TEST

START_TEST(frames_six_samples_apart_are_two)
{
    make_noise(3, 20000);
    add_ofdm(31, 3000, 1000, 40);
    add_ofdm(32, 4006, 1500, 40);
    struct phy_burst_config cfg = make_config(20e6);
    find(&cfg, 20000, 20000);
    ck_assert_uint_eq(n_found, 2);
    expect_burst(0, 3000, 1000, 2);
    expect_burst(1, 4006, 1500, 2);
}
END_TEST

/* Preamble pulses at 0, 1, 3.5 and 4.5 us, then from 8 us a pulse in the first or second half of each us. */
static size_t add_mode_s(size_t start, unsigned n_bits, unsigned bits, size_t per_half_us)
{
    static const size_t preamble[] = {0, 2, 7, 9};
    for (size_t i = 0; i < 4; i++)
        add_pulse(start + preamble[i] * per_half_us, per_half_us, .1f);
    for (unsigned i = 0; i < n_bits; i++) {
        unsigned bit = bits >> i % 32 & 1;
        add_pulse(start + (16 + 2 * i + !bit) * per_half_us, per_half_us, .1f);
    }
    return (16 + 2 * n_bits) * per_half_us;
}

START_TEST(mode_s_replies_come_out_as_64_and_120_us)
{
    static const struct {
        double rate_hz;
        size_t per_half_us;
    } cases[] = {{2e6, 1}, {4e6, 2}, {6e6, 3}, {10e6, 5}, {20e6, 10}};
    for (size_t k = 0; k < 5; k++) {
        size_t us = 2 * cases[k].per_half_us;
        make_noise(40 + k, 600 * us);
        add_mode_s(50 * us, 56, 0x9e3779b9, cases[k].per_half_us);
        add_mode_s(200 * us, 112, 0x0000ffff, cases[k].per_half_us);
        add_mode_s(400 * us, 112, 0x55555555, cases[k].per_half_us);
        struct phy_burst_config cfg = make_config(cases[k].rate_hz);
        find(&cfg, 600 * us, 600 * us);
        ck_assert_uint_eq(n_found, 3);
        /* the last pulse may sit in the first half of its bit */
        expect_burst(0, 50 * us, 64 * us, us);
        expect_burst(1, 200 * us, 120 * us, us);
        expect_burst(2, 400 * us, 120 * us, us);
    }
}
END_TEST

START_TEST(join_makes_one_of_what_lies_closer)
{
    make_noise(5, 20000);
    add_ofdm(51, 3000, 1000, 40);
    add_ofdm(52, 4100, 1500, 40);
    struct phy_burst_config cfg = make_config(20e6);
    find(&cfg, 20000, 20000);
    ck_assert_uint_eq(n_found, 2);
    cfg.join_us = 5.5;
    find(&cfg, 20000, 20000);
    ck_assert_uint_eq(n_found, 1);
    expect_burst(0, 3000, 2600, 2);
}
END_TEST

START_TEST(shorter_than_the_minimum_is_dropped)
{
    make_noise(6, 20000);
    add_pulse(3000, 20, .1f);
    struct phy_burst_config cfg = make_config(20e6);
    find(&cfg, 20000, 20000);
    ck_assert_uint_eq(n_found, 0);
    cfg.min_us = .5;
    find(&cfg, 20000, 20000);
    ck_assert_uint_eq(n_found, 1);
    expect_burst(0, 3000, 20, 2);
}
END_TEST

START_TEST(how_the_samples_are_cut_changes_nothing)
{
    make_noise(7, 20000);
    add_ofdm(71, 0, 300, 30);
    add_ofdm(72, 3000, 1000, 12);
    add_mode_s(9000, 56, 0x1234567, 10);
    add_ofdm(73, 19000, 1000, 25);
    struct phy_burst_config cfg = make_config(20e6);
    find(&cfg, 20000, 20000);
    struct phy_burst whole[MAX_FOUND];
    size_t n_whole = n_found;
    ck_assert_uint_eq(n_whole, 4);
    memcpy(whole, found, sizeof whole);
    static const size_t steps[] = {1, 7, 64, 1000, 4096};
    for (size_t k = 0; k < 5; k++) {
        find(&cfg, 20000, steps[k]);
        ck_assert_uint_eq(n_found, n_whole);
        ck_assert_mem_eq(found, whole, n_whole * sizeof *found);
    }
}
END_TEST

START_TEST(a_burst_ends_where_samples_were_lost)
{
    make_noise(8, 20000);
    add_ofdm(81, 3000, 2000, 30);
    struct phy_burst_config cfg = make_config(20e6);
    cfg.first_sample = 1000000;
    static double mem[4096];
    struct phy_burst_finder *finder;
    const char *bad_field;
    ck_assert_int_eq(phy_burst_init(mem, sizeof mem, &cfg, &finder, &bad_field), 0);
    n_found = 0;
    phy_burst_push(finder, air, 4000);
    phy_burst_skip(finder, 500);
    phy_burst_push(finder, air + 4000, 16000);
    phy_burst_skip(finder, 0);
    ck_assert_uint_eq(n_found, 2);
    expect_burst(0, 1003000, 1000, 2);
    /* the windows begin anew: the short one is full after six samples */
    expect_burst(1, 1004500, 1000, 6);
}
END_TEST

/* The bound on false alarms holds a window; windows that overlap are not independent, so that fewer bursts than windows times
 * p_fa begin. A burst of noise is at least as long as the threshold's window needs; min_us 0 shows them all. */
START_TEST(noise_alone_gives_no_more_bursts_than_its_false_alarm_probability_allows)
{
    make_noise(9, MAX_SAMPLES);
    struct phy_burst_config cfg = make_config(20e6);
    cfg.min_us = 0;
    cfg.p_fa = 1e-4;
    find(&cfg, MAX_SAMPLES, 4096);
    double bound = 2 * MAX_SAMPLES * cfg.p_fa;
    printf("false alarms: %zu in %d windows of each kind at p_fa %g, at most %.0f expected\n", n_found, MAX_SAMPLES, cfg.p_fa, bound);
    ck_assert_uint_gt(n_found, 0);
    ck_assert_double_le((double)n_found, bound + 3.5 * sqrt(bound));
    cfg.p_fa = 1e-9;
    find(&cfg, MAX_SAMPLES, 4096);
    ck_assert_uint_eq(n_found, 0);
}
END_TEST

/* A level so high that its square leaves a float's precision must not deafen the windows afterwards. */
START_TEST(a_burst_after_a_huge_one_is_still_found)
{
    make_noise(10, 20000);
    add_pulse(2000, 200, 1e8f);
    add_ofdm(101, 8000, 2000, 20);
    struct phy_burst_config cfg = make_config(20e6);
    find(&cfg, 20000, 20000);
    ck_assert_uint_eq(n_found, 2);
    expect_burst(0, 2000, 200, 2);
    expect_burst(1, 8000, 2000, 6);
}
END_TEST

START_TEST(a_bad_field_is_named)
{
    struct phy_burst_finder *finder;
    const char *bad_field;
    static double mem[64];
    struct phy_burst_config cfg = make_config(0);
    ck_assert_int_lt(phy_burst_init(mem, sizeof mem, &cfg, &finder, &bad_field), 0);
    ck_assert_str_eq(bad_field, "sample_rate_hz");
    cfg = make_config(1e6);
    cfg.noise_power = NAN;
    ck_assert_int_lt(phy_burst_init(mem, sizeof mem, &cfg, &finder, &bad_field), 0);
    ck_assert_str_eq(bad_field, "noise_power");
    cfg = make_config(1e6);
    cfg.p_fa = .5;
    ck_assert_uint_eq(phy_burst_bytes(&cfg), 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("burst");
    tcase_add_test(tc, strong_frames_come_out_to_the_sample_and_with_their_power);
    tcase_add_test(tc, a_weak_frame_is_found_within_a_window_of_its_edges);
    tcase_add_test(tc, frames_six_samples_apart_are_two);
    tcase_add_test(tc, mode_s_replies_come_out_as_64_and_120_us);
    tcase_add_test(tc, join_makes_one_of_what_lies_closer);
    tcase_add_test(tc, shorter_than_the_minimum_is_dropped);
    tcase_add_test(tc, how_the_samples_are_cut_changes_nothing);
    tcase_add_test(tc, a_burst_ends_where_samples_were_lost);
    tcase_add_test(tc, noise_alone_gives_no_more_bursts_than_its_false_alarm_probability_allows);
    tcase_add_test(tc, a_burst_after_a_huge_one_is_still_found);
    tcase_add_test(tc, a_bad_field_is_named);
    suite_add_tcase(suite, tc);
}
