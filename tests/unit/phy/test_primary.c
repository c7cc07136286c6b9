#define SUITE_NAME "phy primary users"
#include <math.h>
#include <string.h>

#include "phy/air/primary.h"
#include "phy/air/propagation.h"
#include "phy/sensing/energy.h"
#include "tests/unit/check_main.h"

static float complex *make(const struct phy_primary *p, size_t *n)
{
    const char *bad_field;
    *n = phy_primary_samples(p, &bad_field);
    ck_assert_uint_gt(*n, 0);
    float complex *x = malloc(*n * sizeof *x);
    phy_primary_make(p, x);
    return x;
}

/* Mean power within +-half of a frequency, by correlation with tones a grid of n_bins apart, over blocks with a Hann window. */
static double share(const float complex *x, size_t n, double middle, double half)
{
    enum { BLOCK = 256 };
    double inside = 0.0, all = 0.0;
    for (size_t at = 0; at + BLOCK <= n && at < 200 * BLOCK; at += BLOCK)
        for (int k = 0; k < BLOCK; k++) {
            double complex sum = 0.0;
            double f = (double)k / BLOCK - 0.5;
            for (int i = 0; i < BLOCK; i++)
                sum += (double complex)x[at + (size_t)i] * (1.0 - cos(2.0 * acos(-1.0) * i / BLOCK)) *
                       cexp(-2.0 * I * acos(-1.0) * f * i);
            double power = creal(sum) * creal(sum) + cimag(sum) * cimag(sum);
            all += power;
            if (fabs(f - middle) <= half)
                inside += power;
        }
    return inside / all;
}

START_TEST(ofdm_repeats_its_prefix_and_keeps_to_its_bandwidth)
{
    struct phy_primary p = {.kind = PHY_PRIMARY_OFDM, .seed = 1, .bandwidth = 0.5};
    size_t n;
    float complex *x = make(&p, &n);
    ck_assert_double_le(fabs(phy_energy_sum(x, n) / (double)n - 1.0), 1e-4);
    double complex prefix = 0.0;
    for (size_t symbol = 0; symbol < n / 80; symbol++)
        for (size_t i = 0; i < 16; i++)
            prefix += (double complex)(x[80 * symbol + i] * conjf(x[80 * symbol + i + 64]));
    ck_assert_double_ge(creal(prefix) / (double)n, 0.19); /* 16 of 80 samples */
    ck_assert_double_ge(share(x, 64000, 0.0, 0.27), 0.97);
    free(x);
}
END_TEST

START_TEST(a_narrow_carrier_stays_narrow_and_its_loop_closes)
{
    struct phy_primary p = {.kind = PHY_PRIMARY_NARROWBAND, .seed = 1, .bandwidth = 0.05, .offset = 0.25};
    size_t n;
    float complex *x = make(&p, &n);
    ck_assert_uint_eq(n, 2048 * 25);
    ck_assert_double_le(fabs(phy_energy_sum(x, n) / (double)n - 1.0), 1e-4);
    ck_assert_double_ge(share(x, n, 0.25, 0.03), 0.995);
    float complex seam[512]; /* end and beginning, one after the other */
    memcpy(seam, x + n - 256, 256 * sizeof *x);
    memcpy(seam + 256, x, 256 * sizeof *x);
    ck_assert_double_ge(share(seam + 128, 256, 0.25, 0.05), 0.995);
    free(x);
}
END_TEST

START_TEST(a_radar_pulses_only_while_its_beam_looks_this_way)
{
    struct phy_primary p = {.kind = PHY_PRIMARY_RADAR, .bandwidth = 0.2, .pulse_samples = 20, .period_samples = 1000,
                            .scan_samples = 10500, .dwell_samples = 3000};
    size_t n;
    float complex *x = make(&p, &n);
    ck_assert_uint_eq(n, 10000);
    for (size_t i = 0; i < n; i++)
        ck_assert_float_le(fabsf(cabsf(x[i]) - (i < 3000 && i % 1000 < 20 ? 1.0f : 0.0f)), 1e-5f);
    double first = (double)cargf(x[1] * conjf(x[0])), last = (double)cargf(x[19] * conjf(x[18])), step = 2.0 * acos(-1.0) * 0.2;
    ck_assert_double_le(fabs(last - first - step * 18.0 / 20.0), 1e-4); /* through 0.2 cycles a sample in 20 samples */
    free(x);
}
END_TEST

START_TEST(what_cannot_be_is_named)
{
    const char *bad_field;
    struct phy_primary p = {.kind = PHY_PRIMARY_OFDM, .bandwidth = 0.01};
    ck_assert_uint_eq(phy_primary_samples(&p, &bad_field), 0);
    ck_assert_str_eq(bad_field, "bandwidth");
    p = (struct phy_primary){.kind = PHY_PRIMARY_RADAR, .pulse_samples = 20, .period_samples = 10};
    ck_assert_uint_eq(phy_primary_samples(&p, &bad_field), 0);
    ck_assert_str_eq(bad_field, "period_samples");
    ck_assert_int_eq(phy_primary_kind_of("radar"), PHY_PRIMARY_RADAR);
    ck_assert_int_eq(phy_primary_kind_of("recording"), -1);
}
END_TEST

START_TEST(paths_lose_what_theory_says)
{
    enum { N = 40000 };
    ck_assert_double_le(fabs(phy_free_space_db(100.0, 5.2e9) - 86.77), 0.01);
    ck_assert_double_le(fabs(phy_thermal_noise_dbm(20e6, 0.0) + 100.97), 0.01);
    struct phy_path_loss p = {.exponent = 3.0, .reference_m = 1.0, .reference_db = (double)NAN, .frequency_hz = 5.2e9};
    double flat_db = phy_path_loss_db(&p, 100.0, 1, 0, 1);
    ck_assert_double_le(fabs(flat_db - phy_free_space_db(1.0, 5.2e9) - 60.0), 1e-9);
    ck_assert_double_eq(phy_path_loss_db(&p, 0.1, 1, 0, 1), phy_path_loss_db(&p, 1.0, 1, 0, 1));
    p.shadowing_db = 6.0;
    ck_assert_double_eq(phy_path_loss_db(&p, 100.0, 1, 4, 7), phy_path_loss_db(&p, 100.0, 1, 7, 4));
    double sum = 0.0, square = 0.0;
    for (uint32_t i = 0; i < N; i++) {
        double shadow_db = phy_path_loss_db(&p, 100.0, 9, i, 99999) - flat_db;
        sum += shadow_db;
        square += shadow_db * shadow_db;
    }
    ck_assert_double_le(fabs(sum / N), 3.5 * 6.0 / sqrt((double)N));
    ck_assert_double_le(fabs(square / N / 36.0 - 1.0), 3.5 * sqrt(2.0 / N));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("primary users");
    tcase_add_test(tcase, ofdm_repeats_its_prefix_and_keeps_to_its_bandwidth);
    tcase_add_test(tcase, a_narrow_carrier_stays_narrow_and_its_loop_closes);
    tcase_add_test(tcase, a_radar_pulses_only_while_its_beam_looks_this_way);
    tcase_add_test(tcase, what_cannot_be_is_named);
    tcase_add_test(tcase, paths_lose_what_theory_says);
    suite_add_tcase(suite, tcase);
}
