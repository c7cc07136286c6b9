/* Each block is summed in eight lanes, which are added in one fixed order: first those four apart, then neighbours, then pairs. */
#include "phy/wifi/detect_sums.h"

#include <stdint.h>
#include <string.h>

#include "phy/air/simd_math.h"
#if PHY_HAVE_AVX2
#include <immintrin.h>
#endif

enum { KEPT = PHY_WIFI_LONG_WINDOW, CHUNK = PHY_WIFI_CHUNK, N_ALL = KEPT + CHUNK, BLOCK_FLOATS = 2 * PHY_WIFI_BLOCK, GROUP = 8 };
_Static_assert(CHUNK % GROUP == 0 && PHY_WIFI_LAG == PHY_WIFI_BLOCK, "a chunk is whole groups of blocks");

/* --- plain form: vectors of four, which every compiler that we use has --- */

typedef float four __attribute__((vector_size(16)));

static inline four load_four(const float *x)
{
    four v;
    memcpy(&v, x, sizeof v);
    return v;
}

struct lanes {
    four re, im, power;
};

static inline struct lanes sum_block(const float *x)
{
    const float *late = x - BLOCK_FLOATS;
    four re[2] = {{0}}, im[2] = {{0}}, power[2] = {{0}};
    for (size_t i = 0; i < BLOCK_FLOATS; i += 8)
        for (size_t half = 0; half < 2; half++) {
            four now = load_four(x + i + 4 * half), before = load_four(late + i + 4 * half);
            re[half] += now * before;
            im[half] += __builtin_shufflevector(now, now, 1, 0, 3, 2) * before;
            power[half] += now * now;
        }
    const four sign = {1.0f, -1.0f, 1.0f, -1.0f};
    return (struct lanes){re[0] + re[1], (im[0] + im[1]) * sign, power[0] + power[1]};
}

static inline four add_pairs(four a, four b)
{
    return __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
}

static inline void store_sums(float *out, four a, four b, four c, four d)
{
    four sums = add_pairs(add_pairs(a, b), add_pairs(c, d));
    memcpy(out, &sums, sizeof sums);
}

/* Writes whole groups: blocks behind the last count as zero. */
static void sum_plain(const float *x, size_t n_blocks, float *re, float *im, float *power)
{
    for (size_t at = 0; at < n_blocks; at += 4) {
        struct lanes l[4] = {{{0}, {0}, {0}}};
        for (size_t b = 0; b < 4 && at + b < n_blocks; b++)
            l[b] = sum_block(x + (at + b) * BLOCK_FLOATS);
        store_sums(re + at, l[0].re, l[1].re, l[2].re, l[3].re);
        store_sums(im + at, l[0].im, l[1].im, l[2].im, l[3].im);
        store_sums(power + at, l[0].power, l[1].power, l[2].power, l[3].power);
    }
}

/* --- AVX2: vectors of eight --- */

#if PHY_HAVE_AVX2
#define INLINE_AVX2 __attribute__((target("avx2"), always_inline)) static inline

struct wide_lanes {
    __m256 re, im, power;
};

INLINE_AVX2 struct wide_lanes sum_block_avx2(const float *x)
{
    __m256 re = _mm256_setzero_ps(), im = re, power = re;
    for (size_t i = 0; i < BLOCK_FLOATS; i += 8) {
        __m256 now = _mm256_loadu_ps(x + i), before = _mm256_loadu_ps(x + i - BLOCK_FLOATS);
        re = _mm256_add_ps(re, _mm256_mul_ps(now, before));
        im = _mm256_add_ps(im, _mm256_mul_ps(_mm256_permute_ps(now, 0xb1), before));
        power = _mm256_add_ps(power, _mm256_mul_ps(now, now));
    }
    return (struct wide_lanes){re, im, power};
}

/* Lanes four apart are added: those of a in the lower half, those of b in the upper. */
INLINE_AVX2 __m256 fold(__m256 a, __m256 b)
{
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

INLINE_AVX2 void sum_group_avx2(const float *x, float *re, float *im, float *power)
{
    const __m256 sign = _mm256_setr_ps(1.0f, -1.0f, 1.0f, -1.0f, 1.0f, -1.0f, 1.0f, -1.0f);
    __m256 r[4], m[4], p[4];
    for (size_t b = 0; b < 4; b++) {
        struct wide_lanes lower = sum_block_avx2(x + b * BLOCK_FLOATS), upper = sum_block_avx2(x + (b + 4) * BLOCK_FLOATS);
        r[b] = fold(lower.re, upper.re);
        m[b] = _mm256_mul_ps(fold(lower.im, upper.im), sign);
        p[b] = fold(lower.power, upper.power);
    }
    _mm256_storeu_ps(re, _mm256_hadd_ps(_mm256_hadd_ps(r[0], r[1]), _mm256_hadd_ps(r[2], r[3])));
    _mm256_storeu_ps(im, _mm256_hadd_ps(_mm256_hadd_ps(m[0], m[1]), _mm256_hadd_ps(m[2], m[3])));
    _mm256_storeu_ps(power, _mm256_hadd_ps(_mm256_hadd_ps(p[0], p[1]), _mm256_hadd_ps(p[2], p[3])));
}

PHY_TARGET_AVX2 static void sum_avx2(const float *x, size_t n_blocks, float *re, float *im, float *power)
{
    size_t at = 0;
    for (; at + GROUP <= n_blocks; at += GROUP)
        sum_group_avx2(x + at * BLOCK_FLOATS, re + at, im + at, power + at);
    if (at < n_blocks)
        sum_plain(x + at * BLOCK_FLOATS, n_blocks - at, re + at, im + at, power + at);
}
#else
#define sum_avx2 sum_plain
#endif

/* --- windows --- */

PHY_ALWAYS_INLINE float limit_of(unsigned n_blocks, float min_score)
{
    return min_score / (float)(n_blocks * PHY_WIFI_BLOCK);
}

/* Sums over the four blocks up to each. */
PHY_ALWAYS_INLINE void slide(const float *restrict sums, size_t first, size_t end, float *restrict out)
{
    for (size_t i = first; i < end; i++)
        out[i] = (sums[i - 3] + sums[i - 2]) + (sums[i - 1] + sums[i]);
}

PHY_ALWAYS_INLINE uint32_t is_above(float re, float im, float power, float limit)
{
    return re * re + im * im > power * power * limit ? 1u : 0u;
}

/* n_blocks is rounded up to whole groups: what lies behind only makes the answer a maybe. */
PHY_ALWAYS_INLINE bool scan_windows(const struct phy_wifi_sums *s, size_t n_blocks, float min_score)
{
    float re[N_ALL], im[N_ALL], power[N_ALL];
    size_t end = KEPT + (n_blocks + GROUP - 1) / GROUP * GROUP;
    slide(s->re, KEPT - 4, end, re);
    slide(s->im, KEPT - 4, end, im);
    slide(s->power, KEPT - 4, end, power);
    float short_limit = limit_of(PHY_WIFI_SHORT_WINDOW, min_score), long_limit = limit_of(PHY_WIFI_LONG_WINDOW, min_score);
    uint32_t any = 0;
    for (size_t i = KEPT; i < end; i++) {
        any |= is_above(re[i], im[i], power[i], short_limit);
        any |= is_above(re[i - 4] + re[i], im[i - 4] + im[i], power[i - 4] + power[i], long_limit);
    }
    return any != 0;
}

static bool scan_windows_plain(const struct phy_wifi_sums *s, size_t n_blocks, float min_score)
{
    return scan_windows(s, n_blocks, min_score);
}

#if PHY_HAVE_AVX2
PHY_TARGET_AVX2 static bool scan_windows_avx2(const struct phy_wifi_sums *s, size_t n_blocks, float min_score)
{
    return scan_windows(s, n_blocks, min_score);
}
#else
#define scan_windows_avx2 scan_windows_plain
#endif

bool phy_wifi_sums_add(struct phy_wifi_sums *s, enum phy_simd simd, const float complex *samples, size_t n_blocks, float min_score)
{
    const float *x = (const float *)samples;
    if (simd == PHY_SIMD_AVX2) {
        sum_avx2(x, n_blocks, s->re + KEPT, s->im + KEPT, s->power + KEPT);
        return scan_windows_avx2(s, n_blocks, min_score);
    }
    sum_plain(x, n_blocks, s->re + KEPT, s->im + KEPT, s->power + KEPT);
    return scan_windows_plain(s, n_blocks, min_score);
}

static float add_window(const float *last, unsigned n_blocks)
{
    float sum = (last[-3] + last[-2]) + (last[-1] + last[0]);
    return n_blocks == 4 ? sum : ((last[-7] + last[-6]) + (last[-5] + last[-4])) + sum;
}

bool phy_wifi_sums_window(const struct phy_wifi_sums *s, size_t i, float min_score, struct phy_wifi_window *out)
{
    static const unsigned lengths[] = {PHY_WIFI_LONG_WINDOW, PHY_WIFI_SHORT_WINDOW};
    out->score = 0.0f;
    for (size_t k = 0; k < 2; k++) {
        float re = add_window(s->re + KEPT + i, lengths[k]), im = add_window(s->im + KEPT + i, lengths[k]);
        float power = add_window(s->power + KEPT + i, lengths[k]);
        if (!is_above(re, im, power, limit_of(lengths[k], min_score)))
            continue;
        unsigned n_samples = lengths[k] * PHY_WIFI_BLOCK;
        float score = (float)n_samples * ((re / power) * (re / power) + (im / power) * (im / power));
        if (score > out->score)
            *out = (struct phy_wifi_window){score, re, im, n_samples};
    }
    return out->score > 0.0f;
}

void phy_wifi_sums_shift(struct phy_wifi_sums *s, size_t n_blocks)
{
    memmove(s->re, s->re + n_blocks, KEPT * sizeof *s->re);
    memmove(s->im, s->im + n_blocks, KEPT * sizeof *s->im);
    memmove(s->power, s->power + n_blocks, KEPT * sizeof *s->power);
}
