/* Keyed draws of the virtual air: a draw is a function of what it is for, never the next of a stream, so that one emitter or link
 * more changes nothing else. */
#ifndef PHY_KEY_H
#define PHY_KEY_H

#include <complex.h>
#include <math.h>
#include <stdint.h>

enum phy_key_purpose { PHY_KEY_FADING = 0x66616465, PHY_KEY_SHADOWING = 0x73686164, PHY_KEY_EMITTER = 0x656d6974 };

/* A new key below a key (Steele, Lea and Flood 2014, finaliser by Stafford). */
static inline uint64_t phy_key(uint64_t key, uint64_t what)
{
    uint64_t x = key ^ ((what + 1) * 0xd1342543de82ef95u);
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* (0, 1) */
static inline double phy_key_uniform(uint64_t key)
{
    return ((double)(key >> 12) + 0.5) * 0x1p-52;
}

/* Complex, of variance 1. */
static inline double complex phy_key_gaussian(uint64_t key)
{
    double radius = sqrt(-log(phy_key_uniform(phy_key(key, 0)))), angle = 6.28318530717958647692 * phy_key_uniform(phy_key(key, 1));
    return radius * cos(angle) + radius * sin(angle) * (double complex)I;
}
#endif
