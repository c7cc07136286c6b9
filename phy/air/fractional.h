/* Samples between samples: a bank of windowed-sinc filters (Kaiser's window, Kaiser 1974), one per 1/256 sample of delay, and
 * straight lines between them. Over the band |f| <= 0.41 of the rate the error is 76 dB below the signal on average, 63 dB at its
 * edge. This is how a sample clock that is a few ppm off is modelled. Pure. */
#ifndef PHY_FRACTIONAL_H
#define PHY_FRACTIONAL_H

enum {
    PHY_FRACTIONAL_TAPS = 24,
    PHY_FRACTIONAL_BEFORE = 11, /* taps on samples before the one at or left of the position */
    PHY_FRACTIONAL_PHASES = 256,
    PHY_FRACTIONAL_GUARD = 8,   /* phases beyond 0 and 1 */
    PHY_FRACTIONAL_GRID = 64    /* samples over which filters are carried on in a straight line */
};

struct phy_fractional {
    float taps[PHY_FRACTIONAL_PHASES + 1 + 2 * PHY_FRACTIONAL_GUARD][PHY_FRACTIONAL_TAPS];
};

/* Filters for the samples of one stretch of the grid: at its sample j the weights are first[k] + j * step[k], and weight k
 * belongs to sample j - PHY_FRACTIONAL_BEFORE + k counted from `base`. */
struct phy_fractional_stretch {
    double base; /* whole number */
    float first[PHY_FRACTIONAL_TAPS], step[PHY_FRACTIONAL_TAPS];
};

void phy_fractional_init(struct phy_fractional *f);
/* Output sample m = PHY_FRACTIONAL_GRID * i_stretch + j lies at input position m + m * drift; |drift| <= 4e-4. */
void phy_fractional_stretch(const struct phy_fractional *f, double i_stretch, double drift, struct phy_fractional_stretch *out);
#endif
