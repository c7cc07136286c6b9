/* One body is compiled twice, for the plain processor and for AVX2; sums run in eight lanes that are added in a fixed order. */
#include "phy/wifi/detect_sums.h"

#include "phy/air/simd_math.h"

enum { N_LANES = 8 };

PHY_ALWAYS_INLINE float add_lanes(const float *v)
{
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

PHY_ALWAYS_INLINE void sum_blocks(const float *restrict x, size_t n_blocks, float *restrict re, float *restrict im,
                                  float *restrict power)
{
    for (size_t b = 0; b < n_blocks; b++, x += 2 * PHY_WIFI_BLOCK) {
        const float *late = x - 2 * PHY_WIFI_LAG;
        float same[N_LANES] = {0}, crossed[N_LANES] = {0}, squares[N_LANES] = {0};
        for (size_t i = 0; i < 2 * PHY_WIFI_BLOCK; i += N_LANES) {
            float swapped[N_LANES];
            for (size_t k = 0; k < N_LANES; k++)
                swapped[k] = x[i + (k ^ 1)];
            for (size_t k = 0; k < N_LANES; k++) {
                same[k] += x[i + k] * late[i + k];
                crossed[k] += swapped[k] * late[i + k];
                squares[k] += x[i + k] * x[i + k];
            }
        }
        for (size_t k = 1; k < N_LANES; k += 2)
            crossed[k] = -crossed[k];
        re[b] = add_lanes(same);
        im[b] = add_lanes(crossed);
        power[b] = add_lanes(squares);
    }
}

static void sum_blocks_plain(const float *x, size_t n_blocks, float *re, float *im, float *power)
{
    sum_blocks(x, n_blocks, re, im, power);
}

#if PHY_HAVE_AVX2
PHY_TARGET_AVX2 static void sum_blocks_avx2(const float *x, size_t n_blocks, float *re, float *im, float *power)
{
    sum_blocks(x, n_blocks, re, im, power);
}
#else
#define sum_blocks_avx2 sum_blocks_plain
#endif

void phy_wifi_detect_sums(enum phy_simd simd, const float complex *samples, size_t n_blocks, float *re, float *im, float *power)
{
    if (simd == PHY_SIMD_AVX2)
        sum_blocks_avx2((const float *)samples, n_blocks, re, im, power);
    else
        sum_blocks_plain((const float *)samples, n_blocks, re, im, power);
}
