#include "apps/validate/binomial.h"
#include "phy/sensing/normal.h"

#include <math.h>

/* Continued fraction of the incomplete beta function (DLMF 8.17.22), Lentz's way; converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    enum { MAX_TERMS = 100000 };
    const double tiny = 1e-300;
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);
    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int i = 1; i < MAX_TERMS; i++) {
        double m = i, change = 1.0;
        const double terms[2] = {m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
                                 -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))};
        for (int k = 0; k < 2; k++) {
            d = 1.0 + terms[k] * d;
            d = 1.0 / (fabs(d) < tiny ? tiny : d);
            c = 1.0 + terms[k] / c;
            c = fabs(c) < tiny ? tiny : c;
            change = d * c;
            h *= change;
        }
        if (fabs(change - 1.0) < 1e-15)
            break;
    }
    return h;
}

static double incomplete_beta(double a, double b, double x)
{
    double log_front = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x);
    if (x < (a + 1.0) / (a + b + 2.0))
        return exp(log_front) * beta_fraction(a, b, x) / a;
    return 1.0 - exp(log_front) * beta_fraction(b, a, 1.0 - x) / b;
}

double app_binomial_upper(uint64_t k, uint64_t n, double p)
{
    if (k == 0 || p >= 1.0)
        return k <= n ? 1.0 : 0.0;
    if (k > n || p <= 0.0)
        return 0.0;
    return incomplete_beta((double)k, (double)(n - k) + 1.0, p);
}

/* Score of an upper tail, at least 0. */
static double score(double tail)
{
    const double largest = 38.0;
    if (tail >= 0.5)
        return 0.0;
    return tail > 1e-300 ? fmin(phy_normal_threshold(tail), largest) : largest;
}

double app_binomial_z(uint64_t k, uint64_t n, double p)
{
    if ((double)k > (double)n * p)
        return score(app_binomial_upper(k, n, p));
    /* X <= k is n - X >= n - k, and n - X ~ Bin(n, 1 - p) */
    return -score(app_binomial_upper(n - k, n, 1.0 - p));
}
