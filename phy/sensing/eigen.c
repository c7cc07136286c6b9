#include "phy/sensing/eigen.h"

#include <assert.h>
#include <math.h>

/* Turns rows and columns p and q so that a[p][q] vanishes (Golub and Van Loan, section 8.5; the phase of a[p][q] is taken
 * into column q first, which leaves the real case). */
static void rotate(double complex a[][PHY_EIGEN_MAX], unsigned n, unsigned p, unsigned q)
{
    double size = cabs(a[p][q]);
    double complex phase = conj(a[p][q]) / size;
    double tau = (creal(a[q][q]) - creal(a[p][p])) / (2.0 * size);
    double t = (tau >= 0.0 ? 1.0 : -1.0) / (fabs(tau) + sqrt(1.0 + tau * tau));
    double c = 1.0 / sqrt(1.0 + t * t), s = t * c;
    a[p][p] = creal(a[p][p]) - t * size;
    a[q][q] = creal(a[q][q]) + t * size;
    a[p][q] = a[q][p] = 0.0;
    for (unsigned k = 0; k < n; k++) {
        if (k == p || k == q)
            continue;
        double complex at_p = a[k][p], at_q = phase * a[k][q];
        a[k][p] = c * at_p - s * at_q;
        a[k][q] = s * at_p + c * at_q;
        a[p][k] = conj(a[k][p]);
        a[q][k] = conj(a[k][q]);
    }
}

void phy_eigen_extremes(double complex a[][PHY_EIGEN_MAX], unsigned n, double *least_out, double *largest_out)
{
    enum { MAX_SWEEPS = 30 };
    assert(n >= 1 && n <= PHY_EIGEN_MAX);
    double trace = 0.0;
    for (unsigned i = 0; i < n; i++)
        trace += fabs(creal(a[i][i]));
    for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
        double off = 0.0;
        for (unsigned p = 0; p < n; p++)
            for (unsigned q = p + 1; q < n; q++) {
                double size = fabs(creal(a[p][q])) + fabs(cimag(a[p][q]));
                off = size > off ? size : off;
                if (size > 1e-15 * trace)
                    rotate(a, n, p, q);
            }
        if (off <= 1e-9 * trace) /* convergence is quadratic: this sweep has made it 1e-18 */
            break;
    }
    *least_out = *largest_out = creal(a[0][0]);
    for (unsigned i = 1; i < n; i++) {
        *least_out = fmin(*least_out, creal(a[i][i]));
        *largest_out = fmax(*largest_out, creal(a[i][i]));
    }
}
