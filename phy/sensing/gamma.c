#include "phy/sensing/gamma.h"

#include <math.h>

/* log of x^a exp(-x) / Gamma(a + 1) without cancelling large terms: Stirling's series around x = a. */
static double log_prefactor(double a, double x)
{
    if (a < 20.0 && a != floor(a))
        return a * log(x) - x - lgamma(a + 1.0);
    if (a < 20.0) {
        double log_factorial = 0.0;
        for (double k = 2.0; k <= a; k += 1.0)
            log_factorial += log(k);
        return a * log(x) - x - log_factorial;
    }
    double mu = (x - a) / a;
    double exponent = -a * (mu - log1p(mu));
    double r = 1.0 / (a * a);
    double stirling = (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r / 1680.0))) / a;
    return exponent - 0.5 * log(2.0 * acos(-1.0) * a) - stirling;
}

/* P(a, x) / prefactor = 1 + x/(a+1) + x^2/((a+1)(a+2)) + ... for x <= a (DLMF 8.7.1) */
static double sum_lower(double a, double x)
{
    double term = 1.0, sum = 1.0;
    for (double k = a + 1.0; term > sum * 1e-17; k += 1.0) {
        term *= x / k;
        sum += term;
    }
    return sum;
}

/* Q(a, x) / (prefactor a) by the continued fraction DLMF 8.9.2, Lentz's way; converges for x > a. */
static double fraction_upper(double a, double x)
{
    enum { MAX_TERMS = 10000000 };
    const double tiny = 1e-300;
    double b = x + 1.0 - a;
    double c = 1.0 / tiny;
    double d = 1.0 / (b == 0.0 ? tiny : b);
    double h = d;
    for (int i = 1; i < MAX_TERMS; i++) {
        double an = -(double)i * ((double)i - a);
        b += 2.0;
        d = an * d + b;
        c = b + an / c;
        d = 1.0 / (d == 0.0 ? tiny : d);
        double change = d * (c == 0.0 ? tiny : c);
        h *= change;
        if (fabs(change - 1.0) < 1e-15)
            break;
    }
    return h;
}

double phy_gamma_upper(double a, double x)
{
    if (x <= 0.0)
        return 1.0;
    double prefactor = exp(log_prefactor(a, x));
    if (x <= a)
        return 1.0 - prefactor * sum_lower(a, x);
    return prefactor * a * fraction_upper(a, x);
}

/* Newton on log Q, kept inside a bracket that bisection narrows. */
double phy_gamma_threshold(double a, double p)
{
    double low = 0.0, high = 2.0;
    while (phy_gamma_upper(a, a * high) > p) {
        low = high;
        high *= 2.0;
    }
    double t = low > 0.0 ? 0.5 * (low + high) : 1.0;
    for (int i = 0; i < 200 && high - low > 1e-15 * high; i++) {
        double q = phy_gamma_upper(a, a * t);
        if (q > p)
            low = t;
        else
            high = t;
        double density = exp(log_prefactor(a, a * t)) * a / t; /* -dQ/dt */
        double next = t + (q > 0.0 ? q * log(q / p) / density : -HUGE_VAL);
        if (!(next > low && next < high))
            next = 0.5 * (low + high);
        if (fabs(next - t) <= 1e-15 * t)
            return next;
        t = next;
    }
    return t;
}
