/* The loops of phy/wifi/demap.h, to be compiled into a function for whichever instruction set that one is for. */
#ifndef PHY_WIFI_DEMAP_KERNEL_H
#define PHY_WIFI_DEMAP_KERNEL_H

#include <math.h>

#include "phy/wifi/demap.h"

static inline __attribute__((always_inline)) float phy_wifi_limit(float x)
{
    x = x > 127.0f ? 127.0f : x;
    return x < -127.0f ? -127.0f : x;
}

static inline __attribute__((always_inline)) float phy_wifi_excess(float x, float over)
{
    return x > over ? x - over : 0.0f;
}

/* The bits of one axis; x and scale in units in which neighbouring points are 2 apart. */
static inline __attribute__((always_inline)) void phy_wifi_demap_1(const float *restrict x, const float *restrict scale, int8_t *restrict soft)
{
    for (int i = 0; i < PHY_WIFI_N_DATA; i++)
        soft[i] = (int8_t)phy_wifi_limit(-x[i] * scale[i]);
}

/* 17.3.5.8: 00, 01, 11, 10 at -3, -1, 1, 3 */
static inline __attribute__((always_inline)) void phy_wifi_demap_2(const float *restrict x, const float *restrict scale, int8_t *restrict soft)
{
    for (int i = 0; i < PHY_WIFI_N_DATA; i++) {
        float size = fabsf(x[i]);
        float sign = size + phy_wifi_excess(size, 2.0f);
        soft[i] = (int8_t)phy_wifi_limit((x[i] > 0.0f ? -sign : sign) * scale[i]);
        soft[PHY_WIFI_N_DATA + i] = (int8_t)phy_wifi_limit((size - 2.0f) * scale[i]);
    }
}

/* 000, 001, 011, 010, 110, 111, 101, 100 at -7, -5 .. 7 */
static inline __attribute__((always_inline)) void phy_wifi_demap_3(const float *restrict x, const float *restrict scale, int8_t *restrict soft)
{
    for (int i = 0; i < PHY_WIFI_N_DATA; i++) {
        float size = fabsf(x[i]);
        float sign = size + phy_wifi_excess(size, 2.0f) + phy_wifi_excess(size, 4.0f) + phy_wifi_excess(size, 6.0f);
        float middle = size - 4.0f + phy_wifi_excess(size, 6.0f) - phy_wifi_excess(2.0f, size);
        soft[i] = (int8_t)phy_wifi_limit((x[i] > 0.0f ? -sign : sign) * scale[i]);
        soft[PHY_WIFI_N_DATA + i] = (int8_t)phy_wifi_limit(middle * scale[i]);
        soft[2 * PHY_WIFI_N_DATA + i] = (int8_t)phy_wifi_limit((fabsf(size - 4.0f) - 2.0f) * scale[i]);
    }
}

/* Half the distance of neighbouring points at mean power 1. */
static inline __attribute__((always_inline)) float phy_wifi_half_distance(unsigned n_bpsc)
{
    return n_bpsc == 1 ? 1.0f : n_bpsc == 2 ? 0.707106781f : n_bpsc == 4 ? 0.316227766f : 0.15430335f;
}

static inline __attribute__((always_inline)) void phy_wifi_demap_here(unsigned n_bpsc, const struct phy_wifi_used *points, const float weight[PHY_WIFI_N_USED],
                    int8_t soft_out[PHY_WIFI_MAX_NCBPS])
{
    float a = phy_wifi_half_distance(n_bpsc), per_a = 1.0f / a;
    float re[PHY_WIFI_N_DATA], im[PHY_WIFI_N_DATA], scale[PHY_WIFI_N_DATA];
    for (int i = 0; i < PHY_WIFI_N_DATA; i++) {
        /* |y - s|^2 of neighbours differs by 4 a times the distance from their middle */
        scale[i] = PHY_WIFI_SOFT_STEPS * 4.0f * a * a * weight[i];
        re[i] = points->re[i] * per_a;
        im[i] = points->im[i] * per_a;
    }
    switch (n_bpsc) {
    case 1: phy_wifi_demap_1(re, scale, soft_out); break;
    case 2:
        phy_wifi_demap_1(re, scale, soft_out);
        phy_wifi_demap_1(im, scale, soft_out + PHY_WIFI_N_DATA);
        break;
    case 4:
        phy_wifi_demap_2(re, scale, soft_out);
        phy_wifi_demap_2(im, scale, soft_out + 2 * PHY_WIFI_N_DATA);
        break;
    default:
        phy_wifi_demap_3(re, scale, soft_out);
        phy_wifi_demap_3(im, scale, soft_out + 3 * PHY_WIFI_N_DATA);
    }
}

static inline __attribute__((always_inline)) float phy_wifi_nearest(float x, float highest)
{
    /* odd numbers -highest .. highest */
    float middle = x * 0.5f + 32.0f; /* positive, so that a conversion rounds down */
    float odd = 2.0f * ((float)(int)(middle < 0.0f ? 0.0f : middle > 64.0f ? 64.0f : middle) - 32.0f) + 1.0f;
    odd = odd > highest ? highest : odd;
    return odd < -highest ? -highest : odd;
}

static inline __attribute__((always_inline)) void phy_wifi_decide_here(unsigned n_bpsc, const struct phy_wifi_used *points, struct phy_wifi_used *decided_out)
{
    float a = phy_wifi_half_distance(n_bpsc), per_a = 1.0f / a;
    float highest = n_bpsc == 4 ? 3.0f : 7.0f;
    if (n_bpsc <= 2) {
        for (int i = 0; i < PHY_WIFI_N_DATA; i++)
            decided_out->re[i] = copysignf(a, points->re[i]);
        for (int i = 0; i < PHY_WIFI_N_DATA; i++)
            decided_out->im[i] = n_bpsc == 1 ? 0.0f : copysignf(a, points->im[i]);
        return;
    }
    for (int i = 0; i < PHY_WIFI_N_DATA; i++)
        decided_out->re[i] = a * phy_wifi_nearest(points->re[i] * per_a, highest);
    for (int i = 0; i < PHY_WIFI_N_DATA; i++)
        decided_out->im[i] = a * phy_wifi_nearest(points->im[i] * per_a, highest);
}
#endif
