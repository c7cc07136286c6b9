#include <string.h>

#include "phy/machine.h"
#include "phy/air/simd_math.h"

enum { EXPONENT_BITS = 0x7f800000, EXPONENT_LIMIT = (127 + 30) << 23 };

static bool is_usable(float x)
{
    return (phy_bits_of(x) & (uint32_t)EXPONENT_BITS) < (uint32_t)EXPONENT_LIMIT;
}

size_t phy_copy_finite(float complex *out, const float complex *in, size_t n)
{
    const float *restrict from = (const float *)in;
    float *restrict to = (float *)out;
    uint32_t worst = 0;
    for (size_t i = 0; i < 2 * n; i++) {
        uint32_t exponent = phy_bits_of(from[i]) & (uint32_t)EXPONENT_BITS;
        worst = exponent > worst ? exponent : worst;
        to[i] = from[i];
    }
    if (worst < (uint32_t)EXPONENT_LIMIT)
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
