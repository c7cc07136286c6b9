/* Four stages, each over what the one before let through. Gates: 16 products of samples 64 apart, every 48 samples: the field holds
 * 96 such products, 64 where its guard is gone, so that one gate at least lies within, and the 16 products before it or behind it, too:
 * a data symbol's guard is 16 in all. Windows: 64 products, and no strong correlation at a lag of 16, which tones and narrow bands have
 * (a long training symbol has 1/52). Periods: does what repeats explain itself by the long symbol, wherever that begins? Carriers a few
 * subcarriers apart, which repeat all the time, do not. Symbols: the comparison that the detector makes
 * behind a short training field, with a stricter threshold, since here it stands alone. */
#include "phy/wifi/detect_long.h"

#include <math.h>
#include <string.h>

#include "phy/air/simd_math.h"
#include "phy/wifi/detect_period.h"

enum {
    N_FFT = PHY_WIFI_N_FFT,
    GATE = 16,         /* products */
    GATE_FLOATS = 2 * GATE,
    BLOCK = 16,
    SHORT_LAG = 16,
    WINDOW = 64,       /* products */
    REACH = 48,        /* a window that holds a gate begins at most so many samples before it */
    FARTHEST = 128,    /* samples from the field's first symbol to a gate that holds some of it, at most */
    NEAREST = 16
};

static const float gate_share = 0.3f;    /* noise: 1 gate in 65, with a neighbour 1 in 2300 */
static const float tone_share = 0.5f;    /* beyond it, a gate is a tone or a narrow band */
static const double window_share = 0.5;  /* squared normalised correlation; noise: (1/2)^63 */
static const double short_ratio = 0.5;   /* of that at a lag of 16 to that at a lag of 64 */
static const float period_share = 0.4f;  /* what passes the next one has .57 and more, four carriers .15 */
static const float symbols_share = 0.6f; /* one symbol that is there twice, but is not the known one: 1/8, beyond .5 once in 1e7 */

void phy_wifi_long_restart(struct phy_wifi_long *l, uint64_t sample, double max_cfo)
{
    uint64_t first = sample + N_FFT + GATE; /* a gate's neighbour is looked at, too */
    *l = (struct phy_wifi_long){
        .first_sample = sample,
        .gate = (first + PHY_WIFI_LONG_STEP - 1) / PHY_WIFI_LONG_STEP * PHY_WIFI_LONG_STEP,
        .max_cfo = max_cfo,
    };
}

void phy_wifi_long_skip(struct phy_wifi_long *l, uint64_t long_sample)
{
    uint64_t taken = long_sample + PHY_WIFI_LONG_BACK;
    l->taken = taken > l->taken ? taken : l->taken;
}

uint64_t phy_wifi_long_needs(const struct phy_wifi_long *l)
{
    return l->gate > l->first_sample + PHY_WIFI_LONG_BACK ? l->gate - PHY_WIFI_LONG_BACK : l->first_sample;
}

/* --- gates --- */

typedef float four __attribute__((vector_size(16)));

/* Lanes four apart are added already; those of `im` alternate in sign. */
PHY_ALWAYS_INLINE bool is_above(four re, four im, four power, float share)
{
    const four sign = {1.0f, -1.0f, 1.0f, -1.0f};
    im *= sign;
    four both = __builtin_shufflevector(re, im, 0, 2, 4, 6) + __builtin_shufflevector(re, im, 1, 3, 5, 7);
    float sum_re = both[0] + both[1], sum_im = both[2] + both[3], sum = (power[0] + power[1]) + (power[2] + power[3]);
    return sum_re * sum_re + sum_im * sum_im > sum * sum * share;
}

/* Squared correlation over squared power of the later samples; what the earlier ones have is left to the next stage. */
typedef bool repeats_function(const float *x, size_t lag, float share);

PHY_ALWAYS_INLINE bool repeats_plain(const float *x, size_t lag, float share)
{
    four re[2] = {{0}}, im[2] = {{0}}, power[2] = {{0}}, now, before;
    for (size_t i = 0; i < GATE_FLOATS; i += 4) {
        size_t half = i / 4 % 2;
        memcpy(&now, x + i, sizeof now);
        memcpy(&before, x + i - 2 * lag, sizeof before);
        re[half] += now * before;
        im[half] += __builtin_shufflevector(now, now, 1, 0, 3, 2) * before;
        power[half] += now * now;
    }
    return is_above(re[0] + re[1], im[0] + im[1], power[0] + power[1], share);
}

/* The first gate that passes with one of its neighbours, or n_gates. */
PHY_ALWAYS_INLINE size_t scan_gates(const float *x, size_t n_gates, repeats_function *repeats)
{
    for (size_t i = 0; i < n_gates; i++, x += 2 * PHY_WIFI_LONG_STEP)
        if (repeats(x, N_FFT, gate_share) && !repeats(x, SHORT_LAG, tone_share) &&
            (repeats(x - GATE_FLOATS, N_FFT, gate_share) || repeats(x + GATE_FLOATS, N_FFT, gate_share)))
            return i;
    return n_gates;
}

static size_t scan_plain(const float *x, size_t n_gates)
{
    return scan_gates(x, n_gates, repeats_plain);
}

#if PHY_HAVE_AVX2
typedef float eight __attribute__((vector_size(32)));

PHY_ALWAYS_INLINE four add_halves(const eight *x)
{
    return __builtin_shufflevector(*x, *x, 0, 1, 2, 3) + __builtin_shufflevector(*x, *x, 4, 5, 6, 7);
}

PHY_ALWAYS_INLINE bool repeats_wide(const float *x, size_t lag, float share)
{
    eight re = {0}, im = {0}, power = {0}, now, before;
    for (size_t i = 0; i < GATE_FLOATS; i += 8) {
        memcpy(&now, x + i, sizeof now);
        memcpy(&before, x + i - 2 * lag, sizeof before);
        re += now * before;
        im += __builtin_shufflevector(now, now, 1, 0, 3, 2, 5, 4, 7, 6) * before;
        power += now * now;
    }
    return is_above(add_halves(&re), add_halves(&im), add_halves(&power), share);
}

PHY_TARGET_AVX2 static size_t scan_avx2(const float *x, size_t n_gates)
{
    return scan_gates(x, n_gates, repeats_wide);
}
#else
#define scan_avx2 scan_plain
#endif

/* --- windows --- */

struct correlation {
    double re, im, early, late; /* sums: products, powers */
};

static void correlate(const float complex *late, size_t lag, size_t n, struct correlation *sum)
{
    const float complex *early = late - lag;
    for (size_t i = 0; i < n; i++) {
        float a = crealf(late[i]), b = cimagf(late[i]), c = crealf(early[i]), d = cimagf(early[i]);
        sum->re += (double)(a * c + b * d);
        sum->im += (double)(b * c - a * d);
        sum->early += (double)(c * c + d * d);
        sum->late += (double)(a * a + b * b);
    }
}

static double share_of(const struct correlation *sum)
{
    double power = sum->early * sum->late;
    return power > 0.0 ? (sum->re * sum->re + sum->im * sum->im) / power : 0.0;
}

static double turns_of(const struct correlation *sum)
{
    const double two_pi = 6.283185307179586;
    return atan2(sum->im, sum->re) / (two_pi * N_FFT);
}

struct window {
    uint64_t start; /* of the later samples of its products */
    double cfo;     /* modulo a subcarrier */
};

/* The window around a gate that repeats best after 64 samples, and not after 16. */
static bool find_window(const struct phy_wifi_long *l, const float complex *samples, uint64_t base, struct window *out)
{
    double best = window_share;
    uint64_t first = l->first_sample + N_FFT, start = l->gate > first + REACH ? l->gate - REACH : first;
    for (; start <= l->gate; start += BLOCK) {
        struct correlation at_64 = {0}, at_16 = {0};
        correlate(samples + (start - base), N_FFT, WINDOW, &at_64);
        double share = share_of(&at_64);
        if (share <= best)
            continue;
        correlate(samples + (start - base), SHORT_LAG, WINDOW, &at_16);
        if (share_of(&at_16) > short_ratio * share)
            continue;
        best = share;
        *out = (struct window){start, turns_of(&at_64)};
    }
    return best > window_share;
}

/* --- symbols --- */

static void try_places(const struct phy_wifi_long *l, const struct phy_wifi_training *t, enum phy_simd simd,
                       const float complex *samples, uint64_t base, double cfo, struct phy_wifi_long_found *best)
{
    uint64_t first = l->first_sample + PHY_WIFI_GUARD; /* receivers read a little of what is before the symbols */
    uint64_t place = l->gate > first + FARTHEST ? l->gate - FARTHEST : first;
    for (; place + NEAREST < l->gate; place += PHY_WIFI_MATCH_PLACES) {
        struct phy_wifi_match match = phy_wifi_match_long(t, simd, samples + (place - base), cfo);
        if (match.share > best->share)
            *best = (struct phy_wifi_long_found){.long_sample = place + match.place, .cfo = cfo, .share = match.share};
    }
}

/* Offsets within max_cfo that a lag of 64 cannot tell apart. */
static bool match_symbols(const struct phy_wifi_long *l, const struct phy_wifi_training *t, enum phy_simd simd,
                          const float complex *samples, uint64_t base, const struct window *window, struct phy_wifi_long_found *out)
{
    struct phy_wifi_long_found best = {.share = symbols_share};
    struct phy_wifi_period period;
    int n = (int)ceil(l->max_cfo * N_FFT);
    phy_wifi_period_take(&period, &t->fft, simd, samples + (window->start - N_FFT - base), window->cfo);
    for (int i = -n; i <= n; i++) {
        double candidate = window->cfo + (double)i / N_FFT;
        if (fabs(candidate) <= l->max_cfo && phy_wifi_period_share(&period, &t->fft, simd, i) > period_share)
            try_places(l, t, simd, samples, base, candidate, &best);
    }
    if (best.share <= symbols_share)
        return false;
    struct correlation symbols = {0};
    correlate(samples + (best.long_sample + N_FFT - base), N_FFT, N_FFT, &symbols);
    double fine = turns_of(&symbols);
    *out = best;
    out->cfo = fine + round((best.cfo - fine) * N_FFT) / N_FFT;
    out->known_sample = l->gate + PHY_WIFI_LONG_DELAY;
    return true;
}

bool phy_wifi_long_find(struct phy_wifi_long *l, const struct phy_wifi_training *t, enum phy_simd simd, const float complex *samples,
                        uint64_t base, uint64_t end, struct phy_wifi_long_found *out)
{
    while (l->gate + PHY_WIFI_LONG_DELAY <= end) {
        struct window window;
        size_t n_gates = (size_t)(end - PHY_WIFI_LONG_DELAY - l->gate) / PHY_WIFI_LONG_STEP + 1;
        const float *x = (const float *)(samples + (l->gate - base));
        size_t n_quiet = simd == PHY_SIMD_AVX2 ? scan_avx2(x, n_gates) : scan_plain(x, n_gates);
        l->gate += n_quiet * PHY_WIFI_LONG_STEP;
        if (n_quiet == n_gates)
            return false;
        bool is_found = l->gate >= l->taken && find_window(l, samples, base, &window) &&
                        match_symbols(l, t, simd, samples, base, &window, out);
        l->gate += PHY_WIFI_LONG_STEP;
        if (is_found) {
            phy_wifi_long_skip(l, out->long_sample);
            return true;
        }
    }
    return false;
}
