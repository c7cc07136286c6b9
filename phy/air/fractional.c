#include "phy/air/fractional.h"

#include <assert.h>
#include <math.h>

/* Modified Bessel function of order zero, by its series. */
static double bessel_i0(double x)
{
    double term = 1.0, sum = 1.0;
    for (int k = 1; k < 40; k++) {
        term *= x / (2.0 * k) * (x / (2.0 * k));
        sum += term;
    }
    return sum;
}

static double weigh(double distance)
{
    const double beta = 6.75, pi = acos(-1.0), half_width = PHY_FRACTIONAL_TAPS / 2.0;
    double edge = 1.0 - distance / half_width * (distance / half_width);
    if (edge <= 0.0)
        return 0.0;
    double sinc = fabs(distance) < 1e-9 ? 1.0 : sin(pi * distance) / (pi * distance);
    return sinc * bessel_i0(beta * sqrt(edge)) / bessel_i0(beta);
}

void phy_fractional_init(struct phy_fractional *f)
{
    for (int phase = 0; phase < PHY_FRACTIONAL_PHASES + 1 + 2 * PHY_FRACTIONAL_GUARD; phase++) {
        double fraction = (double)(phase - PHY_FRACTIONAL_GUARD) / PHY_FRACTIONAL_PHASES;
        for (int k = 0; k < PHY_FRACTIONAL_TAPS; k++)
            f->taps[phase][k] = (float)weigh(k - PHY_FRACTIONAL_BEFORE - fraction);
    }
}

static void filter_at(const struct phy_fractional *f, double fraction, float taps[PHY_FRACTIONAL_TAPS])
{
    double phase = fraction * PHY_FRACTIONAL_PHASES + PHY_FRACTIONAL_GUARD;
    assert(phase >= 0.0 && phase < PHY_FRACTIONAL_PHASES + 2 * PHY_FRACTIONAL_GUARD);
    int left = (int)phase;
    float t = (float)(phase - left);
    for (int k = 0; k < PHY_FRACTIONAL_TAPS; k++)
        taps[k] = f->taps[left][k] + t * (f->taps[left + 1][k] - f->taps[left][k]);
}

void phy_fractional_stretch(const struct phy_fractional *f, double i_stretch, double drift, struct phy_fractional_stretch *out)
{
    double from = i_stretch * PHY_FRACTIONAL_GRID, to = from + PHY_FRACTIONAL_GRID;
    double whole = floor(from * drift);
    float last[PHY_FRACTIONAL_TAPS];
    out->base = from + whole;
    filter_at(f, from * drift - whole, out->first);
    filter_at(f, to * drift - whole, last);
    for (int k = 0; k < PHY_FRACTIONAL_TAPS; k++)
        out->step[k] = (last[k] - out->first[k]) * (1.0f / PHY_FRACTIONAL_GRID);
}
