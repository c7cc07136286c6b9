#include "phy/simd.h"

enum phy_simd phy_simd_best(void)
{
#if defined __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return PHY_SIMD_AVX2;
#endif
    return PHY_SIMD_BASELINE;
}

enum phy_simd phy_simd_choose(enum phy_simd wanted)
{
    enum phy_simd best = phy_simd_best();
    return wanted == PHY_SIMD_AUTO || wanted > best ? best : wanted;
}

const char *phy_simd_name(enum phy_simd simd)
{
    return phy_simd_choose(simd) == PHY_SIMD_AVX2 ? "avx2" : "baseline";
}
