/* How far a count lies from what a proportion promises, by the binomial law itself. */
#ifndef APPS_VALIDATE_BINOMIAL_H
#define APPS_VALIDATE_BINOMIAL_H

#include <stdint.h>

/* P(X >= k) for X ~ Bin(n, p), 0 <= p <= 1: the regularised incomplete beta function I_p(k, n - k + 1), to 1e-10 relative for
 * n up to 1e7. */
double app_binomial_upper(uint64_t k, uint64_t n, double p);
/* Normal score of the exact tail on the side where k lies: positive where k is above n p (of P(X >= k)), negative below it (of
 * P(X <= k)), 0 where that tail holds half of the law. Within +-38. */
double app_binomial_z(uint64_t k, uint64_t n, double p);
#endif
