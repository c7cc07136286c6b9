#include "phy/sensing/normal.h"

#include <assert.h>
#include <math.h>

double phy_normal_tail(double x)
{
    return 0.5 * erfc(x * sqrt(0.5));
}

/* Newton on log Q, which is concave: from any point right of the root the steps come down to it without crossing. */
double phy_normal_threshold(double p)
{
    assert(p > 0.0 && p < 1.0);
    if (p > 0.5)
        return -phy_normal_threshold(1.0 - p);
    double x = sqrt(-2.0 * log(p)); /* Q(x) < exp(-x^2 / 2) for x > 0 */
    for (int i = 0; i < 100; i++) {
        double tail = phy_normal_tail(x);
        double density = exp(-0.5 * x * x) / sqrt(2.0 * acos(-1.0));
        double step = tail > 0.0 ? tail / density * log(tail / p) : -0.5;
        x += step;
        if (fabs(step) <= 1e-15 * (1.0 + fabs(x)))
            break;
    }
    return x;
}
