/* Noise floor by consecutive mean excision over a histogram of window powers. */
#include "phy/sensing/floor.h"
#include "phy/sensing/energy.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* bin i holds powers from 10^((i - origin_bin) / 100) on: -300 dB .. +109 dB in steps of .1 dB */
static const double origin_bin = 3000;

void phy_floor_init(struct phy_floor *f)
{
    memset(f, 0, sizeof *f);
}

static void count_window(struct phy_floor *f, double power)
{
    if (power <= 0) {
        f->n_silent++;
        return;
    }
    double bin = floor(100 * log10(power)) + origin_bin;
    size_t i = bin < 0 ? 0 : bin >= PHY_FLOOR_BINS ? PHY_FLOOR_BINS - 1 : (size_t)bin;
    f->sum[i] += power;
    f->count[i]++;
    f->n_windows++;
}

void phy_floor_push(struct phy_floor *f, const float complex *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double re = (double)crealf(samples[i]), im = (double)cimagf(samples[i]);
        f->window_sum += re * re + im * im;
        if (++f->window_n == PHY_FLOOR_WINDOW) {
            count_window(f, f->window_sum / PHY_FLOOR_WINDOW);
            phy_floor_cut(f);
        }
    }
}

void phy_floor_cut(struct phy_floor *f)
{
    f->window_sum = 0;
    f->window_n = 0;
}

/* Mean over the weakest windows, at least n of them and whole bins. */
static double mean_of_weakest(const struct phy_floor *f, uint64_t n)
{
    double sum = 0;
    uint64_t count = 0;
    for (size_t i = 0; i < PHY_FLOOR_BINS && count < n; i++) {
        sum += f->sum[i];
        count += f->count[i];
    }
    return count ? sum / (double)count : 0;
}

/* Mean over the bins whose mean lies below the limit; how many windows that are. */
static double mean_below(const struct phy_floor *f, double limit, uint64_t *count_out)
{
    double sum = 0;
    *count_out = 0;
    for (size_t i = 0; i < PHY_FLOOR_BINS; i++) {
        if (f->count[i] && f->sum[i] >= limit * (double)f->count[i])
            break;
        sum += f->sum[i];
        *count_out += f->count[i];
    }
    return *count_out ? sum / (double)*count_out : 0;
}

void phy_floor_estimate(const struct phy_floor *f, struct phy_floor_estimate *out)
{
    enum { WEAKEST_SHARE = 100, MAX_ROUNDS = 200 };
    /* one noise window in a thousand is left out: that moves the mean by less than .01 dB */
    double factor = phy_energy_threshold(PHY_FLOOR_WINDOW, 1e-3);
    *out = (struct phy_floor_estimate){0};
    if (f->n_windows == 0)
        return;
    double power = mean_of_weakest(f, (f->n_windows + WEAKEST_SHARE - 1) / WEAKEST_SHARE);
    uint64_t count = 0;
    for (int round = 0; round < MAX_ROUNDS; round++) {
        uint64_t count_before = count;
        double next = mean_below(f, factor * power, &count);
        if (count == 0 || count == count_before)
            break;
        power = next;
    }
    out->power = power;
    out->idle_share = (double)count / (double)(f->n_windows + f->n_silent);
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

double phy_floor_in_band(float *psd, size_t n)
{
    if (n == 0)
        return 0;
    qsort(psd, n, sizeof *psd, compare_floats);
    return (double)psd[n / 5] * (double)n;
}
