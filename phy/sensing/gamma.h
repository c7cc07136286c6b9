/* Tails of the gamma law: what the mean power of noise follows. */
#ifndef PHY_GAMMA_H
#define PHY_GAMMA_H

/* Q(a, x), the regularised upper incomplete gamma function, a >= 1: how often a sum of a exponential variables passes x. */
double phy_gamma_upper(double a, double x);
/* t with Q(a, a t) = p, 0 < p < 1: the threshold on the mean. */
double phy_gamma_threshold(double a, double p);
#endif
