#include "phy/wifi/demap.h"

#include <math.h>

enum { N = PHY_WIFI_N_DATA };

static inline float limit(float x)
{
    x = x > 127.0f ? 127.0f : x;
    return x < -127.0f ? -127.0f : x;
}

static inline float excess(float x, float over)
{
    return x > over ? x - over : 0.0f;
}

/* The bits of one axis; x and scale in units in which neighbouring points are 2 apart. */
static void demap_1(const float *restrict x, const float *restrict scale, int8_t *restrict soft)
{
    for (int i = 0; i < N; i++)
        soft[i] = (int8_t)limit(-x[i] * scale[i]);
}

/* 17.3.5.8: 00, 01, 11, 10 at -3, -1, 1, 3 */
static void demap_2(const float *restrict x, const float *restrict scale, int8_t *restrict soft)
{
    for (int i = 0; i < N; i++) {
        float size = fabsf(x[i]);
        float sign = size + excess(size, 2.0f);
        soft[i] = (int8_t)limit((x[i] > 0.0f ? -sign : sign) * scale[i]);
        soft[N + i] = (int8_t)limit((size - 2.0f) * scale[i]);
    }
}

/* 000, 001, 011, 010, 110, 111, 101, 100 at -7, -5 .. 7 */
static void demap_3(const float *restrict x, const float *restrict scale, int8_t *restrict soft)
{
    for (int i = 0; i < N; i++) {
        float size = fabsf(x[i]);
        float sign = size + excess(size, 2.0f) + excess(size, 4.0f) + excess(size, 6.0f);
        float middle = size - 4.0f + excess(size, 6.0f) - excess(2.0f, size);
        soft[i] = (int8_t)limit((x[i] > 0.0f ? -sign : sign) * scale[i]);
        soft[N + i] = (int8_t)limit(middle * scale[i]);
        soft[2 * N + i] = (int8_t)limit((fabsf(size - 4.0f) - 2.0f) * scale[i]);
    }
}

/* Half the distance of neighbouring points at mean power 1. */
static float half_distance(unsigned n_bpsc)
{
    return n_bpsc == 1 ? 1.0f : n_bpsc == 2 ? 0.707106781f : n_bpsc == 4 ? 0.316227766f : 0.15430335f;
}

void phy_wifi_demap(unsigned n_bpsc, const struct phy_wifi_used *points, const float weight[PHY_WIFI_N_USED],
                    int8_t soft_out[PHY_WIFI_MAX_NCBPS])
{
    float a = half_distance(n_bpsc), per_a = 1.0f / a;
    float re[N], im[N], scale[N];
    for (int i = 0; i < N; i++) {
        /* |y - s|^2 of neighbours differs by 4 a times the distance from their middle */
        scale[i] = PHY_WIFI_SOFT_STEPS * 4.0f * a * a * weight[i];
        re[i] = points->re[i] * per_a;
        im[i] = points->im[i] * per_a;
    }
    switch (n_bpsc) {
    case 1: demap_1(re, scale, soft_out); break;
    case 2:
        demap_1(re, scale, soft_out);
        demap_1(im, scale, soft_out + N);
        break;
    case 4:
        demap_2(re, scale, soft_out);
        demap_2(im, scale, soft_out + 2 * N);
        break;
    default:
        demap_3(re, scale, soft_out);
        demap_3(im, scale, soft_out + 3 * N);
    }
}

static inline float nearest(float x, float highest)
{
    /* odd numbers -highest .. highest */
    float middle = x * 0.5f + 32.0f; /* positive, so that a conversion rounds down */
    float odd = 2.0f * ((float)(int)(middle < 0.0f ? 0.0f : middle > 64.0f ? 64.0f : middle) - 32.0f) + 1.0f;
    odd = odd > highest ? highest : odd;
    return odd < -highest ? -highest : odd;
}

void phy_wifi_decide(unsigned n_bpsc, const struct phy_wifi_used *points, struct phy_wifi_used *decided_out)
{
    float a = half_distance(n_bpsc), per_a = 1.0f / a;
    float highest = n_bpsc <= 2 ? 1.0f : n_bpsc == 4 ? 3.0f : 7.0f;
    for (int i = 0; i < N; i++)
        decided_out->re[i] = a * nearest(points->re[i] * per_a, highest);
    if (n_bpsc == 1)
        for (int i = 0; i < N; i++)
            decided_out->im[i] = 0.0f;
    else
        for (int i = 0; i < N; i++)
            decided_out->im[i] = a * nearest(points->im[i] * per_a, highest);
}
