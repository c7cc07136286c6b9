#define SUITE_NAME "validate binomial"
#include "apps/validate/binomial.h"

#include <math.h>

#include "tests/unit/check_main.h"

static double sum_upper(unsigned k, unsigned n, double p)
{
    double sum = 0;
    for (unsigned i = k; i <= n; i++)
        sum += exp(lgamma(n + 1.0) - lgamma(i + 1.0) - lgamma(n - i + 1.0) + i * log(p) + (n - i) * log1p(-p));
    return sum;
}

START_TEST(tails_are_the_sums_of_their_terms)
{
    const double p[] = {1e-4, .1, .5, .7448, .999};
    for (size_t i = 0; i < sizeof p / sizeof *p; i++)
        for (unsigned n = 1; n <= 400; n = n * 3 + 1)
            for (unsigned k = 1; k <= n; k += 1 + n / 13) {
                double expected = sum_upper(k, n, p[i]);
                if (expected > 1e-250)
                    ck_assert_double_eq_tol(app_binomial_upper(k, n, p[i]) / expected, 1, 1e-9);
                else
                    ck_assert_double_le(app_binomial_upper(k, n, p[i]), 1e-249);
            }
}
END_TEST

START_TEST(the_ends_are_certain)
{
    ck_assert_double_eq(app_binomial_upper(0, 10, .3), 1);
    ck_assert_double_eq(app_binomial_upper(11, 10, .3), 0);
    ck_assert_double_eq(app_binomial_upper(1, 10, 0), 0);
    ck_assert_double_eq(app_binomial_upper(10, 10, 1), 1);
    ck_assert_double_eq(app_binomial_z(0, 10, 0), 0);
    ck_assert_double_eq(app_binomial_z(10, 10, 1), 0);
    ck_assert_double_eq(app_binomial_z(1, 10, 0), 38);
    ck_assert_double_eq(app_binomial_z(9, 10, 1), -38);
}
END_TEST

START_TEST(scores_are_those_of_the_tail_where_few_trials_are_no_normal_law)
{
    /* P(X >= 3 | 10, .01) = 1.138e-4: 3.69 sigma, where (3 - .1) / sqrt(.099) would say 9.2 */
    ck_assert_double_eq_tol(app_binomial_upper(3, 10, .01), 1.1384e-4, 1e-8);
    ck_assert_double_eq_tol(app_binomial_z(3, 10, .01), 3.6861, 1e-3);
    /* P(X = 0 | 10, .5) = 2^-10 */
    ck_assert_double_eq_tol(app_binomial_z(0, 10, .5), -3.0972, 1e-4);
    ck_assert_double_eq(app_binomial_z(5, 10, .5), 0);
}
END_TEST

START_TEST(scores_of_many_trials_are_the_normal_laws)
{
    const uint64_t n = 10000000;
    double p = .3, sigma = sqrt(p * (1 - p) * (double)n);
    for (int z = -6; z <= 6; z++) {
        uint64_t k = (uint64_t)(p * (double)n + z * sigma);
        double half = z > 0 ? -.5 : z < 0 ? .5 : 0; /* the law's steps */
        ck_assert_double_eq_tol(app_binomial_z(k, n, p), ((double)k + half - p * (double)n) / sigma, 6e-3);
    }
    ck_assert_double_eq_tol(app_binomial_z(9000000, n, p), 38, 1e-9);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("binomial");
    tcase_add_test(tcase, tails_are_the_sums_of_their_terms);
    tcase_add_test(tcase, the_ends_are_certain);
    tcase_add_test(tcase, scores_are_those_of_the_tail_where_few_trials_are_no_normal_law);
    tcase_add_test(tcase, scores_of_many_trials_are_the_normal_laws);
    suite_add_tcase(suite, tcase);
}
