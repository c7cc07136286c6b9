/* Tails of the normal law. */
#ifndef PHY_NORMAL_H
#define PHY_NORMAL_H

/* Q(x) = erfc(x / sqrt 2) / 2: how often a normal variable passes x. */
double phy_normal_tail(double x);
/* Its inverse, to 14 digits from 1e-300 up. 0 < p < 1. */
double phy_normal_threshold(double p);
#endif
