#include <math.h>
#include <stdbool.h>

#include "phy/machine.h"
#include "phy/air/simd_math.h"

static const float too_large = 0x1p30f;

/* false also for what is not a number */
PHY_ALWAYS_INLINE bool is_usable(float x)
{
    return fabsf(x) < too_large;
}

PHY_ALWAYS_INLINE bool copy_and_check(float *restrict to, const float *restrict from, size_t n)
{
    enum { N_LANES = 16 };
    uint32_t bad[N_LANES] = {0}, any = 0;
    size_t i = 0;
    for (; i + N_LANES <= n; i += N_LANES)
        for (size_t k = 0; k < N_LANES; k++) {
            bad[k] |= is_usable(from[i + k]) ? 0u : 1u;
            to[i + k] = from[i + k];
        }
    for (; i < n; i++) {
        any |= is_usable(from[i]) ? 0u : 1u;
        to[i] = from[i];
    }
    for (size_t k = 0; k < N_LANES; k++)
        any |= bad[k];
    return any == 0;
}

size_t phy_copy_finite(float complex *out, const float complex *in, size_t n)
{
    const float *from = (const float *)in;
    float *to = (float *)out;
    if (copy_and_check(to, from, 2 * n))
        return 0;
    size_t n_bad = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_usable(from[2 * i]) && is_usable(from[2 * i + 1]))
            continue;
        to[2 * i] = to[2 * i + 1] = 0.0f;
        n_bad++;
    }
    return n_bad;
}
