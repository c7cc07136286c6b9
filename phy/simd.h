/* Which instruction set the inner loops use. Each such loop has a plain C form beside the fast one, chosen once at init. */
#ifndef PHY_SIMD_H
#define PHY_SIMD_H

enum phy_simd {
    PHY_SIMD_AUTO,     /* the best that this processor has */
    PHY_SIMD_BASELINE, /* plain C as the compiler builds it for every machine (on x86-64: SSE2) */
    PHY_SIMD_AVX2      /* x86-64 with AVX2 and FMA; floating-point results equal the baseline's only where a header says so */
};

/* The best level that this processor has; never PHY_SIMD_AUTO. */
enum phy_simd phy_simd_best(void);
/* `wanted`, or the best for PHY_SIMD_AUTO or where this processor does not have it. */
enum phy_simd phy_simd_choose(enum phy_simd wanted);
/* "baseline", "avx2" */
const char *phy_simd_name(enum phy_simd simd);
#endif
