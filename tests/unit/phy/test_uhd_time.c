#define SUITE_NAME "uhd_time"
#include "tests/unit/check_main.h"

#include <math.h>
#include <stdint.h>

#include "phy/radio/uhd_time.h"

static const uint32_t rates[] = {1000, 1000000, 2000000, 3333333, 15360000, 19200000, 20000000, 61440000, 200000000};
enum { N_RATES = sizeof rates / sizeof rates[0] };

START_TEST(a_sample_number_comes_back_from_its_time_years_later)
{
    for (size_t i = 0; i < N_RATES; i++)
        for (int64_t secs = 0; secs < 2000000000; secs = secs * 7 + 1)
            for (int64_t k = 0; k < 1000; k++) {
                int64_t number = secs * rates[i] + (k * 7919) % rates[i];
                struct phy_uhd_time time = phy_uhd_time_of(number, rates[i]);
                ck_assert_int_eq(time.full_secs, secs);
                ck_assert(time.frac_secs >= 0 && time.frac_secs < 1);
                ck_assert_int_eq(phy_uhd_number_of(time, rates[i]), number);
            }
}
END_TEST

/* A radio rounds to ticks of its master clock and gives the time back as ticks / clock. */
START_TEST(a_time_that_went_through_the_ticks_of_a_radio_is_the_same_sample)
{
    static const double clocks_hz[] = {16e6, 30.72e6, 61.44e6, 100e6, 122.88e6, 200e6};
    for (size_t c = 0; c < sizeof clocks_hz / sizeof clocks_hz[0]; c++)
        for (size_t i = 0; i < N_RATES; i++)
            for (int64_t k = 0; rates[i] <= clocks_hz[c] / 2 && k < 1000; k++) {
                int64_t number = 1700000000LL * rates[i] + k * 104729 % rates[i];
                struct phy_uhd_time time = phy_uhd_time_of(number, rates[i]);
                time.frac_secs = (double)llround(time.frac_secs * clocks_hz[c]) / clocks_hz[c];
                ck_assert_int_eq(phy_uhd_number_of(time, rates[i]), number);
            }
}
END_TEST

START_TEST(a_fraction_of_a_second_or_more_carries_over)
{
    struct phy_uhd_time over = {5, 1.25}, under = {5, -.25};
    ck_assert_int_eq(phy_uhd_number_of(over, 1000), 6250);
    ck_assert_int_eq(phy_uhd_number_of(under, 1000), 4750);
}
END_TEST

START_TEST(a_time_that_is_none_has_no_number)
{
    const struct phy_uhd_time bad[] = {{0, (double)NAN}, {0, (double)INFINITY}, {0, -1e300}, {INT64_MAX, 0}, {INT64_MIN, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert(phy_uhd_number_of(bad[i], 20000000) == INT64_MIN);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("time");
    tcase_add_test(tc, a_sample_number_comes_back_from_its_time_years_later);
    tcase_add_test(tc, a_time_that_went_through_the_ticks_of_a_radio_is_the_same_sample);
    tcase_add_test(tc, a_fraction_of_a_second_or_more_carries_over);
    tcase_add_test(tc, a_time_that_is_none_has_no_number);
    suite_add_tcase(suite, tc);
}
