/* Logarithms and powers of two made of + - * / alone, so that they give the same bits on every machine (the C library's differ in
 * the last one between processors with and without fused multiplication). Relative error below 1e-14. */
#ifndef PHY_DECIBEL_H
#define PHY_DECIBEL_H

/* x > 0 */
double phy_log2(double x);
/* |x| < 1000 */
double phy_exp2(double x);
/* 10 log10(power); -300 for 0 and below */
double phy_to_db(double power);
/* 10^(db / 10) */
double phy_from_db(double db);
#endif
