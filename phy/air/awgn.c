/* Noise by key. A block of 1024 samples is made by 32 generators side by side (xoshiro128++, Blackman and Vigna 2018),
 * each seeded from (seed, stream, block, lane), and Box and Muller's transform. One body is compiled twice, for the plain
 * processor and for AVX2; it holds only operations that every instruction set rounds alike. */
#include "phy/air/awgn.h"

#include <assert.h>
#include <math.h>

#include "phy/air/simd_math.h"

enum { N_LANES = 32, N_ROWS = PHY_AWGN_BLOCK / N_LANES };

struct lanes {
    _Alignas(32) uint32_t s0[N_LANES];
    _Alignas(32) uint32_t s1[N_LANES];
    _Alignas(32) uint32_t s2[N_LANES];
    _Alignas(32) uint32_t s3[N_LANES];
};

/* Steele, Lea and Flood 2014, finaliser by Stafford */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void seed_lanes(struct lanes *l, const struct phy_awgn *g, uint64_t block_index)
{
    uint64_t key = mix(mix(mix(g->seed) ^ g->stream) ^ block_index);
    for (unsigned i = 0; i < N_LANES; i++) {
        uint64_t a = mix(key + 2 * i);
        uint64_t b = mix(key + 2 * i + 1) | 1; /* the state is never all zero */
        l->s0[i] = (uint32_t)a;
        l->s1[i] = (uint32_t)(a >> 32);
        l->s2[i] = (uint32_t)b;
        l->s3[i] = (uint32_t)(b >> 32);
    }
}

PHY_ALWAYS_INLINE uint32_t rotate_left(uint32_t x, int k)
{
    return (x << k) | (x >> (32 - k));
}

/* Lanes are many enough that compilers keep them as a loop over vectors. */
PHY_ALWAYS_INLINE void draw_block(const struct lanes *l, uint32_t *restrict out)
{
    struct lanes x = *l;
    for (unsigned row = 0; row < 2 * N_ROWS; row++) {
        for (unsigned i = 0; i < N_LANES; i++)
            out[row * N_LANES + i] = rotate_left(x.s0[i] + x.s3[i], 7) + x.s0[i];
        uint32_t t[N_LANES];
        for (unsigned i = 0; i < N_LANES; i++) {
            t[i] = x.s1[i] << 9;
            x.s2[i] ^= x.s0[i];
            x.s3[i] ^= x.s1[i];
            x.s1[i] ^= x.s2[i];
            x.s0[i] ^= x.s3[i];
            x.s2[i] ^= t[i];
            x.s3[i] = rotate_left(x.s3[i], 11);
        }
    }
}

/* Samples of variance 2 (1 in each part). The first half of the draws gives radii, the second angles. */
PHY_ALWAYS_INLINE void fill_block(const struct lanes *l, float *restrict out)
{
    _Alignas(64) uint32_t u[2 * PHY_AWGN_BLOCK];
    draw_block(l, u);
    for (size_t i = 0; i < PHY_AWGN_BLOCK; i++) {
        float uniform = ((float)(int32_t)(u[i] >> 1) + 0.5f) * 4.65661287e-10f; /* (0, 1], down to 2^-32: tails to 6.6 sigma */
        float radius = sqrtf(-2.0f * phy_log_positive(uniform));
        float c, s;
        phy_cos_sin_turns(u[PHY_AWGN_BLOCK + i], &c, &s);
        out[2 * i] = radius * c;
        out[2 * i + 1] = radius * s;
    }
}

PHY_ALWAYS_INLINE void add_scaled(float *restrict out, const float *restrict in, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++)
        out[i] += in[i] * scale;
}

static void fill_scalar(const struct lanes *l, float *out)
{
    fill_block(l, out);
}

static void add_scalar(float *out, const float *in, size_t n, float scale)
{
    add_scaled(out, in, n, scale);
}

#if PHY_HAVE_AVX2
PHY_TARGET_AVX2 static void fill_avx2(const struct lanes *l, float *out)
{
    fill_block(l, out);
}

PHY_TARGET_AVX2 static void add_avx2(float *out, const float *in, size_t n, float scale)
{
    add_scaled(out, in, n, scale);
}
#else
#define fill_avx2 fill_scalar
#define add_avx2 add_scalar
#endif

void phy_awgn_init(struct phy_awgn *g, uint64_t seed, uint64_t stream, enum phy_simd simd)
{
    g->seed = seed;
    g->stream = stream;
    g->simd = phy_simd_choose(simd);
    g->block_index = UINT64_MAX;
}

static void make_block(struct phy_awgn *g, uint64_t block_index)
{
    struct lanes lanes;
    seed_lanes(&lanes, g, block_index);
    if (g->simd == PHY_SIMD_AVX2)
        fill_avx2(&lanes, (float *)g->block);
    else
        fill_scalar(&lanes, (float *)g->block);
    g->block_index = block_index;
}

void phy_awgn_add(struct phy_awgn *g, uint64_t start, float power, float complex *out, size_t n)
{
    float scale = sqrtf(0.5f * power);
    while (n > 0) {
        uint64_t block_index = start / PHY_AWGN_BLOCK;
        size_t offset = (size_t)(start % PHY_AWGN_BLOCK);
        size_t n_here = PHY_AWGN_BLOCK - offset < n ? PHY_AWGN_BLOCK - offset : n;
        if (g->block_index != block_index)
            make_block(g, block_index);
        if (g->simd == PHY_SIMD_AVX2)
            add_avx2((float *)out, (const float *)(g->block + offset), 2 * n_here, scale);
        else
            add_scalar((float *)out, (const float *)(g->block + offset), 2 * n_here, scale);
        start += n_here;
        out += n_here;
        n -= n_here;
    }
}
