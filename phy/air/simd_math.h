/* Elementary functions for vectorised loops: only integer operations and + - * / in a fixed order, so that each
 * instruction set gives the same bits (the build never contracts a * b + c). No branches: a loop over lanes vectorises. */
#ifndef PHY_SIMD_MATH_H
#define PHY_SIMD_MATH_H

#include <stdint.h>
#include <string.h>

#define PHY_ALWAYS_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define PHY_HAVE_AVX2 1
#define PHY_TARGET_AVX2 __attribute__((target("avx2")))
#else
#define PHY_HAVE_AVX2 0
#endif

PHY_ALWAYS_INLINE uint32_t phy_bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

PHY_ALWAYS_INLINE float phy_float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Natural logarithm of a positive normal number, relative error below 2e-7.
 * x = 2^e m with m in [sqrt(1/2), sqrt 2); log m = 2 atanh(s), s = (m - 1) / (m + 1). */
PHY_ALWAYS_INLINE float phy_log_positive(float x)
{
    uint32_t biased = phy_bits_of(x) - 0x3f3504f3u;
    int32_t exponent = (int32_t)biased >> 23;
    float m = phy_float_of((biased & 0x007fffffu) + 0x3f3504f3u);
    float s = (m - 1.0f) / (m + 1.0f);
    float q = s * s;
    float p = q * (0.66666667f + q * (0.4f + q * (0.28571429f + q * 0.22222222f)));
    return (float)exponent * 0.69314718f + (2.0f * s + s * p);
}

/* cos and sin of 2 pi turns / 2^32, absolute error below 2e-7. */
PHY_ALWAYS_INLINE void phy_cos_sin_turns(uint32_t turns, float *cos_out, float *sin_out)
{
    uint32_t shifted = turns + 0x20000000u; /* quadrant borders at odd multiples of pi / 4 */
    uint32_t quadrant = shifted >> 30;
    int32_t rest = (int32_t)(shifted & 0x3fffffffu) - 0x20000000;
    float a = (float)rest * 1.4629180793e-9f; /* 2 pi / 2^32: a in [-pi/4, pi/4) */
    float q = a * a;
    float s = a + a * q * (-1.6666655e-1f + q * (8.3321609e-3f + q * -1.9515296e-4f));
    float c = 1.0f - 0.5f * q + q * q * (4.1666646e-2f + q * (-1.3887316e-3f + q * 2.4433157e-5f));
    uint32_t swap = 0u - (quadrant & 1u);
    uint32_t s_bits = phy_bits_of(s), c_bits = phy_bits_of(c);
    uint32_t cos_bits = (s_bits & swap) | (c_bits & ~swap);
    uint32_t sin_bits = (c_bits & swap) | (s_bits & ~swap);
    cos_bits ^= ((quadrant + 1u) & 2u) << 30;
    sin_bits ^= (quadrant & 2u) << 30;
    *cos_out = phy_float_of(cos_bits);
    *sin_out = phy_float_of(sin_bits);
}
#endif
