#include "phy/decibel.h"

#include <math.h>

static const double ln2 = 0.693147180559945309417, db_per_octave = 3.01029995663981195214;

double phy_log2(double x)
{
    int exponent;
    double m = frexp(x, &exponent); /* exact, as ldexp below is */
    if (m < 0.70710678118654752440) {
        m *= 2.0;
        exponent--;
    }
    /* ln m = 2 artanh s; |s| < .172, so that the terms left out are below 1e-17 */
    double s = (m - 1.0) / (m + 1.0), square = s * s, sum = 0.0;
    for (int k = 21; k >= 1; k -= 2)
        sum = sum * square + 1.0 / k;
    return exponent + 2.0 * s * sum / ln2;
}

double phy_exp2(double x)
{
    double whole = floor(x + 0.5), y = (x - whole) * ln2, sum = 1.0;
    for (int k = 14; k >= 1; k--)
        sum = 1.0 + sum * y / k;
    return ldexp(sum, (int)whole);
}

double phy_to_db(double power)
{
    return power > 1e-30 ? db_per_octave * phy_log2(power) : -300.0;
}

double phy_from_db(double db)
{
    return phy_exp2(db / db_per_octave);
}
