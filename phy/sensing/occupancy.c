#include "phy/sensing/occupancy.h"
#include "phy/sensing/gamma.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { N_MASKED = 3 };

/* How much power estimates have in common with Hann's window, half overlapping: |sum of products of windows|^2 over that of
 * the window with itself. Next segment: (1/6)^2; next bin: (2/3)^2; both: (4 / (9 pi))^2; the bin after the next: (1/6)^2. */
static const double next_segment = 1.0 / 36.0, next_bin = 4.0 / 9.0, both_next = 16.0 / (81.0 * 9.869604401089358),
                    second_bin = 1.0 / 36.0;

/* A bin over its mean: shift + weight X, X of the gamma law of this shape and mean 1 (Pearson's type III). Mean, variance and
 * third moment are those of half overlapping segments: traces of powers of their correlation matrix. */
struct law {
    double shape, weight;
};

static struct law find_law(const struct phy_occupancy_config *cfg)
{
    double k = (double)cfg->n_segments, pairs = 2.0 * (k - 1.0) / k * next_segment;
    double second = (1.0 + pairs) / k, third = 2.0 * (1.0 + 3.0 * pairs) / (k * k); /* cumulants */
    return (struct law){4.0 * second * second * second / (third * third), 2.0 * second * second / third};
}

static double find_likeness(const struct phy_occupancy_config *cfg)
{
    double k = (double)cfg->n_segments, pairs = 2.0 * (k - 1.0) / k;
    return (next_bin + pairs * both_next) / (1.0 + pairs * next_segment);
}

/* How often two neighbours both pass the threshold that one passes with probability p. Given J, of the negative binomial law, they
 * are independent gamma variables of shape a + J (Kibble). */
static double p_both(double a, double r, double p)
{
    double x = a * phy_gamma_threshold(a, p) / (1.0 - r), mean = a * r / (1.0 - r), spread = sqrt(mean / (1.0 - r));
    double first = fmax(0.0, floor(mean - 9.0 * spread)), last = ceil(mean + 9.0 * spread) + 20.0, sum = 0.0;
    double log_weight = lgamma(a + first) - lgamma(a) - lgamma(first + 1.0) + first * log(r) + a * log1p(-r);
    for (double j = first; j <= last; j += 1.0) {
        double q = phy_gamma_upper(a + j, x);
        sum += exp(log_weight) * q * q;
        log_weight += log((a + j) / (j + 1.0) * r);
    }
    return sum;
}

/* How often any of n bins passes the threshold that one passes with probability p: each has not passed, given that the one
 * before has not. */
static double p_any(double a, double r, double n, double p)
{
    double p_next = (p - p_both(a, r, p)) / (1.0 - p);
    return -expm1(n * log1p(-p_next));
}

static double find_threshold(const struct phy_occupancy_config *cfg)
{
    const double enough = 400.0; /* what bins have in common hardly depends on the shape: larger ones cost and give nothing */
    struct law law = find_law(cfg);
    double n = (double)cfg->n_fft - N_MASKED, r = find_likeness(cfg);
    double low = log(cfg->p_fa / n / 2.0), high = log(fmin(0.9, 20.0 * cfg->p_fa / n));
    for (int i = 0; i < 40; i++) {
        double middle = (low + high) / 2.0;
        if (p_any(fmin(law.shape, enough), r, n, exp(middle)) < cfg->p_fa)
            low = middle;
        else
            high = middle;
    }
    /* the floor is a mean over the other bins, and neighbours are like this one */
    double common = 1.0 + (1.0 - 2.0 * r - 2.0 * second_bin) / n;
    return 1.0 + law.weight * (phy_gamma_threshold(law.shape, exp(high)) - 1.0) * sqrt(common);
}

/* Mean of noise that stays below a ratio; that of the gamma law of shape a below t is P(a + 1, a t) / P(a, a t). */
static double find_mean_below(const struct phy_occupancy_config *cfg, double ratio)
{
    struct law law = find_law(cfg);
    double x = law.shape * (1.0 + (ratio - 1.0) / law.weight);
    return 1.0 - law.weight + law.weight * (1.0 - phy_gamma_upper(law.shape + 1.0, x)) / (1.0 - phy_gamma_upper(law.shape, x));
}

static const char *find_bad_field(const struct phy_occupancy_config *cfg)
{
    if (cfg->n_fft < 16 || cfg->n_fft > 65536)
        return "n_fft";
    if (cfg->n_segments < 2)
        return "n_segments";
    if (!(cfg->p_fa >= 1e-9 && cfg->p_fa <= 0.5))
        return "p_fa";
    if (!(cfg->floor_power >= 0.0 && isfinite(cfg->floor_power)))
        return "floor_power";
    return cfg->floor_ratio >= 1.0 && isfinite(cfg->floor_ratio) ? NULL : "floor_ratio";
}

int phy_occupancy_init(struct phy_occupancy_detector *d, const struct phy_occupancy_config *cfg, const char **bad_field_out)
{
    *bad_field_out = find_bad_field(cfg);
    if (*bad_field_out)
        return -EINVAL;
    d->cfg = *cfg;
    d->excision_ratio = find_threshold(cfg);
    d->excision_mean = find_mean_below(cfg, d->excision_ratio);
    d->threshold_ratio = fmax(d->excision_ratio, cfg->floor_ratio);
    return 0;
}

/* --- a decision --- */

static bool is_masked(const struct phy_occupancy_detector *d, size_t i)
{
    size_t dc = d->cfg.n_fft / 2;
    return i + 1 >= dc && i <= dc + 1;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Mean of the bins that noise explains. */
static double find_floor(const struct phy_occupancy_detector *d, const float *psd, float *sorted)
{
    enum { FIRST_SHARE = 5 };
    size_t n = 0;
    for (size_t i = 0; i < d->cfg.n_fft; i++)
        if (!is_masked(d, i))
            sorted[n++] = psd[i];
    qsort(sorted, n, sizeof *sorted, compare);
    double sum = 0.0, factor = d->excision_ratio / d->excision_mean;
    size_t n_in = 0;
    while (n_in < n && (n_in < n / FIRST_SHARE + 1 || (double)sorted[n_in] <= factor * sum / (double)n_in))
        sum += (double)sorted[n_in++];
    return sum / (double)n_in / d->excision_mean;
}

/* The DC bins are occupied where both of their neighbours are: they belong to what surrounds them. */
static bool is_occupied(const struct phy_occupancy_detector *d, const float *psd, size_t i, double limit)
{
    size_t dc = d->cfg.n_fft / 2;
    if (is_masked(d, i))
        return (double)psd[dc - 2] > limit && (double)psd[dc + 2] > limit;
    return (double)psd[i] > limit;
}

static void add_bin(const struct phy_occupancy_detector *d, size_t i, bool joined, double power, struct phy_occupancy *out)
{
    double n = (double)d->cfg.n_fft;
    if (!joined && out->n_bands == PHY_OCCUPANCY_MAX_BANDS)
        return;
    if (!joined)
        out->bands[out->n_bands++] = (struct phy_band){fmax(((double)i - 0.5) / n - 0.5, -0.5), 0.0, 0.0};
    struct phy_band *band = &out->bands[out->n_bands - 1];
    band->high = ((double)i + 0.5) / n - 0.5;
    band->power += power;
}

void phy_occupancy_judge(const struct phy_occupancy_detector *d, const float *psd, float *scratch, struct phy_occupancy *out)
{
    size_t n = d->cfg.n_fft, n_occupied = 0;
    double floor = fmax(find_floor(d, psd, scratch), d->cfg.floor_power / (double)n), largest = 0.0;
    memset(out, 0, sizeof *out);
    out->noise_power = floor * (double)n;
    for (size_t i = 0; i < n; i++)
        if (!is_masked(d, i))
            largest = fmax(largest, (double)psd[i]);
    double statistic = floor > 0.0 ? largest / floor : largest > 0.0 ? HUGE_VAL : 0.0;
    out->verdict = (struct phy_verdict){statistic, d->threshold_ratio, statistic > d->threshold_ratio};
    double limit = floor * d->threshold_ratio;
    bool before = false, listed = true;
    for (size_t i = 0; i < n; i++) {
        bool now = is_occupied(d, psd, i, limit);
        listed = before ? listed : out->n_bands < PHY_OCCUPANCY_MAX_BANDS;
        if (now && listed)
            add_bin(d, i, before, is_masked(d, i) ? 0.0 : (double)psd[i] - floor, out);
        n_occupied += now;
        before = now;
    }
    out->occupied_share = (double)n_occupied / (double)n;
}
