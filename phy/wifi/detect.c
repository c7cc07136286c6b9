/* Two stages. First, over all samples, the correlation of samples 16 apart in windows of 64 and 128 samples: whatever repeats
 * after 16 samples leaves a mark. Second, only behind marks: does what repeats look like a short training symbol (a tone does
 * not), and are there two long training symbols where they have to be? */
#include "phy/wifi/detect.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "phy/wifi/detect_match.h"
#include "phy/wifi/detect_sums.h"
#include "phy/wifi/wifi.h"

enum {
    BLOCK = PHY_WIFI_BLOCK,
    N_FFT = PHY_WIFI_N_FFT,
    MAX_MARKS = 64,
    /* A window that ends with the short training field ends 32 samples before the long symbols; one that fits into it at most 15
     * samples earlier. */
    NEAREST = 16, /* samples from a mark to the first place where the long symbols are looked for */
    FARTHEST = 64,
    AMBIGUITY = 4, /* subcarriers: what a lag of 16 cannot tell apart */
    N_OFFSETS = 3
};

/* What noise, tones and data do at these thresholds: docs/wifi.md, "Finding a preamble". */
static const float mark_score = 9.0f;   /* a window of noise passes with probability exp(-9) */
static const float short_share = 0.2f;  /* a tone cannot pass 1/12, a channel of three equal taps leaves 1/3 */
static const float long_share = 0.35f;  /* noise: mean 1/8, beyond .28 once in 4e5 calls */
static const float long_peak = 0.12f;   /* six subcarriers alone cannot pass 6/52 */

struct mark {
    uint64_t end; /* of the window */
    float score;
    unsigned n_samples;
    double cfo;    /* turns a sample, modulo a sixteenth */
    bool is_judged;
    bool is_likely[N_OFFSETS]; /* which offsets the short training field speaks for: cfo, and AMBIGUITY below and above */
};

struct phy_wifi_detect {
    struct phy_wifi_detect_config cfg;
    struct phy_wifi_training training;
    uint64_t first_block; /* the first that was summed */
    uint64_t next_block;  /* first sample that the first stage has not seen */
    uint64_t place;       /* first place for long symbols that the second stage has not tried */
    struct phy_wifi_sums sums;
    struct mark marks[MAX_MARKS]; /* a ring, in order of time */
    size_t i_mark, n_marks;
    bool is_pending;
    double pending_cfo;
    struct phy_wifi_match pending;
    uint64_t pending_sample;
};

size_t phy_wifi_detect_bytes(void)
{
    return (sizeof(struct phy_wifi_detect) + 63) / 64 * 64;
}

void phy_wifi_detect_restart(struct phy_wifi_detect *d, uint64_t sample)
{
    d->cfg.first_sample = sample;
    d->next_block = (sample + PHY_WIFI_LAG + BLOCK - 1) / BLOCK * BLOCK;
    d->first_block = d->next_block;
    d->place = d->next_block;
    memset(&d->sums, 0, sizeof d->sums);
    d->i_mark = d->n_marks = 0;
    d->is_pending = false;
}

struct phy_wifi_detect *phy_wifi_detect_init(void *mem, const struct phy_wifi_detect_config *cfg)
{
    struct phy_wifi_detect *d = mem;
    memset(d, 0, sizeof *d);
    d->cfg = *cfg;
    d->cfg.simd = phy_simd_choose(cfg->simd);
    phy_wifi_training_make(&d->training);
    phy_wifi_detect_restart(d, cfg->first_sample);
    return d;
}

/* --- first stage --- */

static void mark_window(struct phy_wifi_detect *d, const struct phy_wifi_window *window, uint64_t end)
{
    const float two_pi = 6.2831853f;
    assert(d->n_marks < MAX_MARKS);
    d->marks[(d->i_mark + d->n_marks++) % MAX_MARKS] = (struct mark){
        .end = end,
        .score = window->score,
        .n_samples = window->n_samples,
        .cfo = (double)(atan2f(window->im, window->re) / (two_pi * PHY_WIFI_LAG)),
    };
}

static bool scan(struct phy_wifi_detect *d, const float complex *samples, uint64_t base, uint64_t end)
{
    if (end < d->next_block + BLOCK)
        return false;
    size_t n_blocks = (size_t)((end - d->next_block) / BLOCK);
    n_blocks = n_blocks > PHY_WIFI_CHUNK ? PHY_WIFI_CHUNK : n_blocks;
    if (phy_wifi_sums_add(&d->sums, d->cfg.simd, samples + (d->next_block - base), n_blocks, mark_score)) {
        struct phy_wifi_window window;
        for (size_t i = 0; i < n_blocks; i++)
            if (phy_wifi_sums_window(&d->sums, i, mark_score, &window))
                mark_window(d, &window, d->next_block + (i + 1) * BLOCK);
    }
    phy_wifi_sums_shift(&d->sums, n_blocks);
    d->next_block += n_blocks * BLOCK;
    return true;
}

/* --- second stage --- */

static struct mark *get_mark(struct phy_wifi_detect *d, size_t i)
{
    return &d->marks[(d->i_mark + i) % MAX_MARKS];
}

static double offset_of(const struct mark *mark, int i_offset)
{
    static const int multiple[N_OFFSETS] = {0, -1, 1};
    return mark->cfo + (double)(multiple[i_offset] * AMBIGUITY) / N_FFT;
}

static bool is_allowed(const struct phy_wifi_detect *d, const struct mark *mark, int i_offset)
{
    if (i_offset == 0)
        return true;
    return d->cfg.max_subcarriers >= AMBIGUITY && fabs(offset_of(mark, i_offset)) <= (d->cfg.max_subcarriers + 0.5) / N_FFT;
}

static bool judge(struct phy_wifi_detect *d, struct mark *mark, const float complex *samples, uint64_t base)
{
    uint64_t start = mark->end > d->first_block + mark->n_samples ? mark->end - mark->n_samples : d->first_block;
    bool any = false;
    for (int i = 0; i < N_OFFSETS; i++) {
        if (!mark->is_judged && is_allowed(d, mark, i))
            mark->is_likely[i] = phy_wifi_match_short(&d->training, d->cfg.simd, samples + (start - base),
                                                      (size_t)(mark->end - start), offset_of(mark, i)) > short_share;
        any = any || mark->is_likely[i];
    }
    mark->is_judged = true;
    return any;
}

/* The best mark that speaks of places [place, place + 16). */
static const struct mark *choose_mark(struct phy_wifi_detect *d, const float complex *samples, uint64_t base)
{
    const struct mark *best = NULL;
    for (size_t i = 0; i < d->n_marks; i++) {
        struct mark *mark = get_mark(d, i);
        if (mark->end + NEAREST > d->place)
            break;
        if ((!best || mark->score > best->score) && judge(d, mark, samples, base))
            best = mark;
    }
    return best;
}

static void try_offset(struct phy_wifi_detect *d, const float complex *at, double cfo)
{
    struct phy_wifi_match match = phy_wifi_match_long(&d->training, d->cfg.simd, at, cfo);
    if (match.share < long_share || match.peak < long_peak || (d->is_pending && match.share <= d->pending.share))
        return;
    d->is_pending = true;
    d->pending = match;
    d->pending_cfo = cfo;
    d->pending_sample = d->place + match.place;
}

static void try_places(struct phy_wifi_detect *d, const float complex *samples, uint64_t base)
{
    const struct mark *mark = choose_mark(d, samples, base);
    const float complex *at = samples + (d->place - base);
    if (!mark) {
        if (d->is_pending)
            try_offset(d, at, d->pending_cfo);
        return;
    }
    for (int i = 0; i < N_OFFSETS; i++)
        if (mark->is_likely[i])
            try_offset(d, at, offset_of(mark, i));
}

/* The lag of 64 measures the offset finely modulo a subcarrier; which one is known from the lag of 16. The guard's last
 * 16 samples are the symbol's, too, and later than most channels' echoes. */
static double refine_offset(const float complex *first_symbol, double coarse)
{
    const double two_pi = 6.283185307179586;
    double re = 0.0, im = 0.0;
    const float complex *early = first_symbol - PHY_WIFI_GUARD, *late = early + N_FFT;
    for (size_t i = 0; i < N_FFT + PHY_WIFI_GUARD; i++) {
        re += (double)(crealf(late[i]) * crealf(early[i]) + cimagf(late[i]) * cimagf(early[i]));
        im += (double)(cimagf(late[i]) * crealf(early[i]) - crealf(late[i]) * cimagf(early[i]));
    }
    double fine = atan2(im, re) / (two_pi * N_FFT);
    return fine + round((coarse - fine) * N_FFT) / N_FFT;
}

static void describe(const struct phy_wifi_detect *d, const float complex *samples, uint64_t base, struct phy_wifi_preamble *out)
{
    uint64_t long_sample = d->pending_sample;
    const float complex *first_symbol = samples + (long_sample - base);
    double power = 0.0;
    for (size_t i = 0; i < 2 * N_FFT; i++)
        power += (double)(crealf(first_symbol[i]) * crealf(first_symbol[i]) + cimagf(first_symbol[i]) * cimagf(first_symbol[i]));
    *out = (struct phy_wifi_preamble){
        .start_sample = long_sample - PHY_WIFI_SHORT - 2 * PHY_WIFI_GUARD,
        .long_sample = long_sample,
        .known_sample = d->place - BLOCK + PHY_WIFI_MATCH_SPAN,
        .cfo = (float)refine_offset(first_symbol, d->pending_cfo),
        .quality = d->pending.share,
        .power = (float)(power / (2 * N_FFT)),
    };
}

/* --- the stream --- */

/* Moves past places of which no mark speaks. */
static void skip_places(struct phy_wifi_detect *d)
{
    while (d->n_marks > 0 && d->marks[d->i_mark].end + FARTHEST < d->place) {
        d->i_mark = (d->i_mark + 1) % MAX_MARKS;
        d->n_marks--;
    }
    if (d->is_pending)
        return;
    uint64_t next = d->n_marks > 0 ? d->marks[d->i_mark].end + NEAREST : d->next_block + BLOCK + NEAREST;
    d->place = next > d->place ? next : d->place;
}

bool phy_wifi_detect(struct phy_wifi_detect *d, const float complex *samples, uint64_t base, uint64_t end,
                     struct phy_wifi_preamble *out)
{
    for (;;) {
        skip_places(d);
        /* once no better place came in the length of a symbol, this is where the long symbols are */
        if (d->is_pending && d->place > d->pending_sample + N_FFT) {
            describe(d, samples, base, out);
            d->is_pending = false;
            return true;
        }
        if (d->place > d->next_block + NEAREST) {
            if (!scan(d, samples, base, end))
                return false;
        } else if (d->place + PHY_WIFI_MATCH_SPAN <= end) {
            try_places(d, samples, base);
            d->place += BLOCK;
        } else {
            return false;
        }
    }
}

uint64_t phy_wifi_detect_needs(const struct phy_wifi_detect *d)
{
    uint64_t back = FARTHEST + PHY_WIFI_LONG_WINDOW * BLOCK; /* a mark's window; the guard that the fine offset uses is nearer */
    uint64_t sums = d->next_block - PHY_WIFI_LAG;
    uint64_t marks = d->place > back + d->cfg.first_sample ? d->place - back : d->cfg.first_sample;
    uint64_t needed = marks < sums ? marks : sums;
    if (d->is_pending && d->pending_sample - PHY_WIFI_GUARD < needed)
        needed = d->pending_sample - PHY_WIFI_GUARD;
    return needed;
}
