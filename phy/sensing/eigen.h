/* Eigenvalues of a small Hermitian matrix, by Jacobi's rotations. */
#ifndef PHY_EIGEN_H
#define PHY_EIGEN_H

#include <complex.h>

enum { PHY_EIGEN_MAX = 16 };

/* a: n x n in rows of PHY_EIGEN_MAX, 1 <= n <= PHY_EIGEN_MAX; destroyed. */
void phy_eigen_extremes(double complex a[][PHY_EIGEN_MAX], unsigned n, double *least_out, double *largest_out);
#endif
