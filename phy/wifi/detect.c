/* Two stages. First, over all samples, the correlation of samples 16 apart in windows of 64 and 128 samples: whatever repeats
 * after 16 samples leaves a mark. Second, only behind marks: does what repeats look like a short training symbol (a tone does
 * not), and are there two long training symbols where they have to be? Where a tone holds much of the energy, the second stage works
 * on a copy of the samples without it, and looks for the marks there again. Fields of which the long
 * training alone is left come from phy/wifi/detect_long.h; both kinds are told in the order in which they are known. */
#include "phy/wifi/detect.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "phy/wifi/detect_long.h"
#include "phy/wifi/detect_match.h"
#include "phy/wifi/detect_sums.h"
#include "phy/wifi/detect_tone.h"
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
    N_OFFSETS = 3,
    PIECE = 1024, /* samples */
    /* A tone is measured once for so many places, with the samples that the first of them needs. */
    CELL = 64,
    CELL_BACK = PHY_WIFI_TONE_FIT - 144,  /* the stretch begins so many samples before the first place */
    CELL_SPAN = CELL_BACK + CELL - BLOCK + PHY_WIFI_MATCH_SPAN,
    CELL_SUMMED = (CELL_BACK + CELL - BLOCK - NEAREST) / BLOCK - 1, /* blocks, up to the last window that speaks of a place */
    CELL_MARKS = (CELL - BLOCK + FARTHEST - NEAREST) / BLOCK + 1
};
_Static_assert((int)CELL_SUMMED - (int)CELL_MARKS + 1 >= (int)PHY_WIFI_LONG_WINDOW, "windows lie within the stretch");
_Static_assert((int)CELL_SUMMED <= (int)PHY_WIFI_CHUNK, "a stretch is summed at once");
_Static_assert((int)PHY_WIFI_TONE_FIT - (int)CELL_BACK <= (int)PHY_WIFI_MATCH_SPAN, "the first place needs what the tone is measured in");

/* What noise, tones and data do at these thresholds: docs/wifi.md, "Finding a preamble". */
static const float mark_score = 9.0f;   /* a window of noise passes with probability exp(-9) */
static const float short_share = 0.2f;  /* a tone cannot pass 1/12, a channel of three equal taps leaves 1/3 */
static const float long_share = 0.35f;  /* noise: mean 1/8, beyond .28 once in 4e5 calls */
static const float long_peak = 0.12f;   /* six subcarriers alone cannot pass 6/52 */
static const float tone_share = 0.12f;  /* a line of the short training field: 1/12 */

struct mark {
    uint64_t end; /* of the window */
    float score;
    unsigned n_samples;
    double cfo;    /* turns a sample, modulo a sixteenth */
    bool is_judged;
    bool is_likely[N_OFFSETS]; /* which offsets the short training field speaks for: cfo, and AMBIGUITY below and above */
};

/* Places [first, first + CELL): the samples about them, without the tone that is among them. */
struct cell {
    uint64_t first;
    bool has_tone;
    struct phy_wifi_tone tone;
    uint32_t n_cleaned;
    struct mark marks[CELL_MARKS];
    size_t n_marks;
    float complex samples[CELL_SPAN]; /* from first - CELL_BACK on */
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
    struct phy_wifi_tone_fit tones;
    struct cell cell; /* that of the latest place that was tried */
    bool is_pending;
    double pending_cfo;
    struct phy_wifi_match pending;
    struct phy_wifi_preamble preamble; /* of it */
    bool has_found; /* waits for what is known earlier without a short training field */
    struct phy_wifi_preamble found;
    struct phy_wifi_long bare;
};

size_t phy_wifi_detect_bytes(void)
{
    return (sizeof(struct phy_wifi_detect) + 63) / 64 * 64;
}

static double max_offset(const struct phy_wifi_detect *d) /* turns a sample */
{
    return d->cfg.max_subcarriers >= AMBIGUITY ? (d->cfg.max_subcarriers + 0.5) / N_FFT : 1.5 / N_FFT;
}

void phy_wifi_detect_restart(struct phy_wifi_detect *d, uint64_t sample)
{
    d->cfg.first_sample = sample;
    d->next_block = (sample + PHY_WIFI_LAG + BLOCK - 1) / BLOCK * BLOCK;
    d->first_block = d->next_block;
    d->place = d->next_block;
    memset(&d->sums, 0, sizeof d->sums);
    d->i_mark = d->n_marks = 0;
    d->cell.first = UINT64_MAX;
    d->cell.has_tone = false;
    phy_wifi_tone_restart(&d->tones);
    d->is_pending = false;
    d->has_found = false;
    phy_wifi_long_restart(&d->bare, sample, max_offset(d));
}

struct phy_wifi_detect *phy_wifi_detect_init(void *mem, const struct phy_wifi_detect_config *cfg)
{
    struct phy_wifi_detect *d = mem;
    memset(d, 0, sizeof *d);
    d->cfg = *cfg;
    d->cfg.simd = phy_simd_choose(cfg->simd);
    phy_wifi_training_make(&d->training);
    phy_wifi_tone_init(&d->tones, d->cfg.simd);
    phy_wifi_detect_restart(d, cfg->first_sample);
    return d;
}

/* --- first stage --- */

static struct mark make_mark(const struct phy_wifi_window *window, uint64_t end)
{
    const float two_pi = 6.2831853f;
    return (struct mark){
        .end = end,
        .score = window->score,
        .n_samples = window->n_samples,
        .cfo = (double)(atan2f(window->im, window->re) / (two_pi * PHY_WIFI_LAG)),
    };
}

static void add_mark(struct phy_wifi_detect *d, struct mark mark)
{
    assert(d->n_marks < MAX_MARKS);
    d->marks[(d->i_mark + d->n_marks++) % MAX_MARKS] = mark;
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
                add_mark(d, make_mark(&window, d->next_block + (i + 1) * BLOCK));
    }
    phy_wifi_sums_shift(&d->sums, n_blocks);
    d->next_block += n_blocks * BLOCK;
    return true;
}

/* --- second stage --- */

static size_t count_marks(const struct phy_wifi_detect *d)
{
    return d->cell.has_tone ? d->cell.n_marks : d->n_marks;
}

static struct mark *get_mark(struct phy_wifi_detect *d, size_t i)
{
    return d->cell.has_tone ? &d->cell.marks[i] : &d->marks[(d->i_mark + i) % MAX_MARKS];
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
    for (size_t i = 0; i < count_marks(d); i++) {
        struct mark *mark = get_mark(d, i);
        if (mark->end + FARTHEST < d->place)
            continue;
        if (mark->end + NEAREST > d->place)
            break;
        if ((!best || mark->score > best->score) && judge(d, mark, samples, base))
            best = mark;
    }
    return best;
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

static struct phy_wifi_preamble describe(uint64_t long_sample, const float complex *first_symbol, double cfo, float quality)
{
    double power = 0.0;
    for (size_t i = 0; i < 2 * N_FFT; i++)
        power += (double)(crealf(first_symbol[i]) * crealf(first_symbol[i]) + cimagf(first_symbol[i]) * cimagf(first_symbol[i]));
    return (struct phy_wifi_preamble){
        .start_sample = long_sample - PHY_WIFI_SHORT - 2 * PHY_WIFI_GUARD,
        .long_sample = long_sample,
        .cfo = (float)cfo,
        .quality = quality,
        .power = (float)(power / (2 * N_FFT)),
    };
}

static void try_offset(struct phy_wifi_detect *d, const float complex *at, double cfo)
{
    struct phy_wifi_match match = phy_wifi_match_long(&d->training, d->cfg.simd, at, cfo);
    if (match.share < long_share || match.peak < long_peak || (d->is_pending && match.share <= d->pending.share))
        return;
    d->is_pending = true;
    d->pending = match;
    d->pending_cfo = cfo;
    const float complex *first_symbol = at + match.place;
    d->preamble = describe(d->place + match.place, first_symbol, refine_offset(first_symbol, cfo), match.share);
}

static void mark_cell(struct phy_wifi_detect *d)
{
    struct cell *c = &d->cell;
    struct phy_wifi_sums sums;
    struct phy_wifi_window window;
    memset(&sums, 0, sizeof sums);
    c->n_marks = 0;
    if (!phy_wifi_sums_add(&sums, d->cfg.simd, c->samples + PHY_WIFI_LAG, CELL_SUMMED, mark_score))
        return;
    for (size_t i = CELL_SUMMED - CELL_MARKS; i < CELL_SUMMED; i++)
        if (phy_wifi_sums_window(&sums, i, mark_score, &window))
            c->marks[c->n_marks++] = make_mark(&window, c->first - CELL_BACK + PHY_WIFI_LAG + (i + 1) * BLOCK);
}

/* Is there a tone among the samples about the present place? Then they are put into the cell without it. */
static void clean(struct phy_wifi_detect *d, const float complex *samples, uint64_t base)
{
    struct cell *c = &d->cell;
    uint64_t first = d->place / CELL * CELL;
    const float complex *stretch = samples + (first - CELL_BACK - base);
    bool is_new = c->first != first;
    if (is_new) {
        bool may_ring = (c->has_tone || d->n_marks > 0) && first >= d->cfg.first_sample + CELL_BACK;
        c->first = first;
        c->n_cleaned = 0;
        if (may_ring)
            c->tone = phy_wifi_tone_measure(&d->tones, stretch, first - CELL_BACK);
        c->has_tone = may_ring && c->tone.share > tone_share;
    }
    if (!c->has_tone)
        return;
    uint32_t end = (uint32_t)(d->place - first) + CELL_BACK + PHY_WIFI_MATCH_SPAN;
    phy_wifi_tone_subtract(&d->tones, &c->tone, stretch, c->n_cleaned, end, c->samples);
    c->n_cleaned = end;
    if (is_new)
        mark_cell(d);
}

static void try_places(struct phy_wifi_detect *d, const float complex *samples, uint64_t base)
{
    clean(d, samples, base);
    if (d->cell.has_tone) {
        samples = d->cell.samples;
        base = d->cell.first - CELL_BACK;
    }
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

/* --- the stream --- */

/* Moves past places of which no mark speaks. */
static void skip_places(struct phy_wifi_detect *d)
{
    while (d->n_marks > 0 && d->marks[d->i_mark].end + FARTHEST < d->place) {
        d->i_mark = (d->i_mark + 1) % MAX_MARKS;
        d->n_marks--;
    }
    if (d->is_pending || d->cell.has_tone)
        return;
    uint64_t next = d->n_marks > 0 ? d->marks[d->i_mark].end + NEAREST : d->next_block + BLOCK + NEAREST;
    d->place = next > d->place ? next : d->place;
}

/* The next preamble that a short training field speaks for. */
static bool find_marked(struct phy_wifi_detect *d, const float complex *samples, uint64_t base, uint64_t end,
                        struct phy_wifi_preamble *out)
{
    for (;;) {
        skip_places(d);
        /* once no better place came in the length of a symbol, this is where the long symbols are */
        if (d->is_pending && d->place > d->preamble.long_sample + N_FFT) {
            *out = d->preamble;
            out->known_sample = d->place - BLOCK + PHY_WIFI_MATCH_SPAN;
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

/* The next that its long training symbols alone speak for. */
static bool find_bare(struct phy_wifi_detect *d, const float complex *samples, uint64_t base, uint64_t end,
                      struct phy_wifi_preamble *out)
{
    struct phy_wifi_long_found bare;
    if (!phy_wifi_long_find(&d->bare, &d->training, d->cfg.simd, samples, base, end, &bare))
        return false;
    *out = describe(bare.long_sample, samples + (bare.long_sample - base), bare.cfo, bare.share);
    out->known_sample = bare.known_sample;
    return true;
}

/* The next of either kind. */
static bool find_next(struct phy_wifi_detect *d, const float complex *samples, uint64_t base, uint64_t end,
                      struct phy_wifi_preamble *out)
{
    if (!d->has_found)
        d->has_found = find_marked(d, samples, base, end, &d->found);
    if (find_bare(d, samples, base, d->has_found ? d->found.known_sample - 1 : end, out))
        return true;
    if (!d->has_found)
        return false;
    d->has_found = false;
    phy_wifi_long_skip(&d->bare, d->found.long_sample);
    *out = d->found;
    return true;
}

bool phy_wifi_detect(struct phy_wifi_detect *d, const float complex *samples, uint64_t base, uint64_t end,
                     struct phy_wifi_preamble *out)
{
    for (;;) { /* piece by piece: what was read for the short field is still near when the long one is looked for */
        uint64_t piece_end = d->next_block + PIECE < end ? d->next_block + PIECE : end;
        if (find_next(d, samples, base, piece_end, out))
            return true;
        if (piece_end == end)
            return false;
    }
}

uint64_t phy_wifi_detect_needs(const struct phy_wifi_detect *d)
{
    uint64_t back = CELL - BLOCK + CELL_BACK; /* a mark's window and a preamble that is not told yet are nearer */
    uint64_t sums = d->next_block - PHY_WIFI_LAG;
    uint64_t marks = d->place > back + d->cfg.first_sample ? d->place - back : d->cfg.first_sample;
    uint64_t needed = marks < sums ? marks : sums, bare = phy_wifi_long_needs(&d->bare);
    needed = bare < needed ? bare : needed;
    if (d->has_found && d->found.long_sample - PHY_WIFI_GUARD < needed)
        needed = d->found.long_sample - PHY_WIFI_GUARD;
    return needed;
}
