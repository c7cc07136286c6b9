#include "phy/air/mix.h"

#include "phy/air/simd_math.h"

PHY_ALWAYS_INLINE void add_flat(const float *restrict in, float *restrict out, size_t n, float gain)
{
    for (size_t i = 0; i < 2 * n; i++)
        out[i] += gain * in[i];
}

PHY_ALWAYS_INLINE void add_rotated(const float *restrict in, float *restrict out, size_t n, float gain, uint64_t phase,
                                   uint64_t increment)
{
    enum { CHUNK = 256 };
    _Alignas(64) uint32_t turns[CHUNK];
    while (n > 0) {
        size_t n_here = n < CHUNK ? n : CHUNK;
        for (size_t i = 0; i < n_here; i++) {
            turns[i] = (uint32_t)(phase >> 32);
            phase += increment;
        }
        for (size_t i = 0; i < n_here; i++) {
            float c, s;
            phy_cos_sin_turns(turns[i], &c, &s);
            float re = gain * in[2 * i], im = gain * in[2 * i + 1];
            out[2 * i] += re * c - im * s;
            out[2 * i + 1] += re * s + im * c;
        }
        in += 2 * n_here;
        out += 2 * n_here;
        n -= n_here;
    }
}

static void add_scalar(const struct phy_mix *mix, uint64_t start, const float *in, float *out, size_t n)
{
    if (mix->increment == 0)
        add_flat(in, out, n, mix->gain);
    else
        add_rotated(in, out, n, mix->gain, mix->increment * start, mix->increment);
}

#if PHY_HAVE_AVX2
PHY_TARGET_AVX2 static void add_avx2(const struct phy_mix *mix, uint64_t start, const float *in, float *out, size_t n)
{
    if (mix->increment == 0)
        add_flat(in, out, n, mix->gain);
    else
        add_rotated(in, out, n, mix->gain, mix->increment * start, mix->increment);
}
#else
#define add_avx2 add_scalar
#endif

void phy_mix_add(const struct phy_mix *mix, uint64_t start, const float complex *in, float complex *out, size_t n)
{
    if (mix->simd == PHY_SIMD_AVX2)
        add_avx2(mix, start, (const float *)in, (float *)out, n);
    else
        add_scalar(mix, start, (const float *)in, (float *)out, n);
}
