#define SUITE_NAME "decibel"
#include <math.h>

#include "phy/decibel.h"
#include "tests/unit/check_main.h"

START_TEST(logarithms_and_powers_agree_with_the_c_library)
{
    for (double x = 1e-30; x < 1e30; x *= 1.37) {
        ck_assert_double_eq_tol(phy_log2(x), log2(x), 1e-14 * fmax(1.0, fabs(log2(x))));
        ck_assert_double_eq_tol(phy_to_db(x), x > 1e-30 ? 10.0 * log10(x) : -300.0, 1e-12);
    }
    for (double x = -300.0; x < 300.0; x += 0.37) {
        ck_assert_double_eq_tol(phy_exp2(x) / exp2(x), 1.0, 1e-14);
        ck_assert_double_eq_tol(phy_from_db(x) / pow(10.0, x / 10.0), 1.0, 1e-13);
    }
}
END_TEST

START_TEST(whole_powers_are_exact)
{
    for (int k = -60; k <= 60; k++) {
        ck_assert(phy_exp2(k) == ldexp(1.0, k));
        ck_assert(phy_log2(ldexp(1.0, k)) == k);
    }
    ck_assert(phy_to_db(0.0) == -300.0 && phy_to_db(-1.0) == -300.0 && phy_from_db(0.0) == 1.0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("decibel");
    tcase_add_test(tc, logarithms_and_powers_agree_with_the_c_library);
    tcase_add_test(tc, whole_powers_are_exact);
    suite_add_tcase(suite, tc);
}
