/* Burst segmentation by two sliding windows with hysteresis, and joining of pulses. */
#include "phy/sensing/burst.h"
#include "phy/sensing/energy.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { MIN_WINDOW = 4, MAX_WINDOW = 4096 };

static const double window_us = .8;
/* a pulse of Mode S is .5 us, its gaps are .5 or 1 us: either the short window sees every gap or it sees none */
static const double coarse_rate_hz = 8e6, coarse_short_us = 1.25;
static const double pulse_gap_us = 3.75, pulse_us = 8; /* the rule for pulses of one message */
static const double pulse_level_ratio = 10;
static const double strong_ratio = 100; /* over the floor */
static const double edge_ratio = 1e-3;  /* of the level: what a filter still rings with after a strong burst is not the burst */
static const double p_fa_stay = 1e-2;   /* of the lower thresholds */

/* Power of the last n samples. */
struct window {
    uint32_t n;
    double sum;
    double rise, stay; /* thresholds on the sum */
};

struct phy_burst_finder {
    struct phy_burst_config cfg;
    uint64_t next_sample;
    struct window window, shorter;
    uint32_t i_ring, n_filled; /* n_filled: samples since the last cut, at most window.n */
    bool on;
    bool above;           /* while off: a window stays above its lower threshold; run tells since when */
    struct phy_burst run; /* mean_power holds the sum */
    double level;         /* highest mean over a filled window of the run */
    bool held;
    struct phy_burst pending; /* ended, may still be joined; mean_power holds the sum */
    uint64_t last_piece;      /* length of the run that was joined to it last */
    float ring[];             /* |x|^2 of the last window.n samples */
};

static double to_samples(const struct phy_burst_config *cfg, double us)
{
    return us * 1e-6 * cfg->sample_rate_hz;
}

static uint32_t clamp_samples(double n)
{
    return n < MIN_WINDOW ? MIN_WINDOW : n > MAX_WINDOW ? MAX_WINDOW : (uint32_t)n;
}

static uint32_t short_samples(const struct phy_burst_config *cfg)
{
    bool coarse = cfg->sample_rate_hz < coarse_rate_hz;
    return clamp_samples(ceil(coarse ? to_samples(cfg, coarse_short_us) : to_samples(cfg, window_us / 3)));
}

static uint32_t window_samples(const struct phy_burst_config *cfg)
{
    uint32_t n = clamp_samples(round(to_samples(cfg, window_us))), n_short = short_samples(cfg);
    return n > n_short ? n : n_short;
}

static const char *find_bad_field(const struct phy_burst_config *cfg)
{
    if (!(cfg->sample_rate_hz >= 1 && cfg->sample_rate_hz <= 4e9))
        return "sample_rate_hz";
    if (!(cfg->noise_power > 0 && cfg->noise_power <= 1e18))
        return "noise_power";
    if (!(cfg->p_fa >= 1e-12 && cfg->p_fa <= .1))
        return "p_fa";
    if (!(cfg->join_us >= 0 && cfg->join_us <= 1e9))
        return "join_us";
    if (!(cfg->min_us >= 0 && cfg->min_us <= 1e9))
        return "min_us";
    return cfg->on_burst ? NULL : "on_burst";
}

size_t phy_burst_bytes(const struct phy_burst_config *cfg)
{
    if (find_bad_field(cfg))
        return 0;
    return sizeof(struct phy_burst_finder) + window_samples(cfg) * sizeof(float);
}

static void set_window(struct window *w, uint32_t n, const struct phy_burst_config *cfg)
{
    double scale = n * cfg->noise_power;
    *w = (struct window){.n = n};
    w->rise = scale * phy_energy_threshold(n, cfg->p_fa);
    w->stay = scale * phy_energy_threshold(n, cfg->p_fa > p_fa_stay ? cfg->p_fa : p_fa_stay);
}

int phy_burst_init(void *mem, size_t len, const struct phy_burst_config *cfg, struct phy_burst_finder **out,
                   const char **bad_field_out)
{
    *bad_field_out = find_bad_field(cfg);
    if (*bad_field_out)
        return -EINVAL;
    size_t bytes = phy_burst_bytes(cfg);
    assert(len >= bytes);
    memset(mem, 0, bytes);
    struct phy_burst_finder *b = mem;
    b->cfg = *cfg;
    b->next_sample = cfg->first_sample;
    set_window(&b->window, window_samples(cfg), cfg);
    set_window(&b->shorter, short_samples(cfg), cfg);
    *out = b;
    return 0;
}

static void emit_pending(struct phy_burst_finder *b)
{
    if (!b->held)
        return;
    b->held = false;
    struct phy_burst burst = b->pending;
    if ((double)burst.n_samples < to_samples(&b->cfg, b->cfg.min_us))
        return;
    burst.mean_power /= (double)burst.n_samples;
    b->cfg.on_burst(b->cfg.ctx, &burst);
}

static double level_of(const struct phy_burst *run)
{
    return run->mean_power / (double)run->n_samples;
}

static bool belongs_to_pending(const struct phy_burst_finder *b, const struct phy_burst *run)
{
    const struct phy_burst_config *cfg = &b->cfg;
    double gap = (double)(run->start_sample - (b->pending.start_sample + b->pending.n_samples));
    if (cfg->join_us > 0 && gap <= to_samples(cfg, cfg->join_us))
        return true;
    double ratio = level_of(&b->pending) / level_of(run);
    return gap <= to_samples(cfg, pulse_gap_us) && (double)b->last_piece <= to_samples(cfg, pulse_us) && ratio < pulse_level_ratio &&
           ratio > 1 / pulse_level_ratio;
}

static void hold(struct phy_burst_finder *b, const struct phy_burst *run)
{
    if (b->held && belongs_to_pending(b, run)) {
        b->pending.n_samples = run->start_sample + run->n_samples - b->pending.start_sample;
        b->pending.mean_power += run->mean_power;
        b->last_piece = run->n_samples;
        if (run->peak_power > b->pending.peak_power)
            b->pending.peak_power = run->peak_power;
        return;
    }
    emit_pending(b);
    b->pending = *run;
    b->last_piece = run->n_samples;
    b->held = true;
}

/* Both windows begin anew with the next sample. */
static void cut_windows(struct phy_burst_finder *b)
{
    b->n_filled = 0;
    b->i_ring = 0;
    b->window.sum = b->shorter.sum = 0;
    b->above = false;
}

/* The samples from end_sample on, with tail_sum in them, are no longer the run's. */
static void end_run(struct phy_burst_finder *b, uint64_t end_sample, double tail_sum)
{
    b->on = false;
    struct phy_burst run = b->run;
    run.n_samples = end_sample > run.start_sample ? end_sample - run.start_sample : 1;
    run.mean_power = run.mean_power > tail_sum ? run.mean_power - tail_sum : 0;
    hold(b, &run);
}

/* Adds one power to the ring. The sums are made anew at each turn of the ring, so that rounding cannot pile up. */
static void slide(struct phy_burst_finder *b, float power)
{
    uint32_t n = b->window.n, n_short = b->shorter.n;
    if (b->n_filled >= n_short)
        b->shorter.sum -= (double)b->ring[(b->i_ring + n - n_short) % n];
    if (b->n_filled >= n)
        b->window.sum -= (double)b->ring[b->i_ring];
    else
        b->n_filled++;
    b->ring[b->i_ring] = power;
    b->window.sum += (double)power;
    b->shorter.sum += (double)power;
    if (++b->i_ring < n)
        return;
    b->i_ring = 0;
    b->window.sum = b->shorter.sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        b->window.sum += (double)b->ring[i];
        if (i >= n - n_short)
            b->shorter.sum += (double)b->ring[i];
    }
}

static void add_to_run(struct phy_burst_finder *b, float power)
{
    b->run.mean_power += (double)power;
    b->run.peak_power = fmax(b->run.peak_power, (double)power);
}

static void watch_off(struct phy_burst_finder *b, uint64_t sample, float power)
{
    /* a window that is not yet full sums fewer samples against the same thresholds: late it may be, never more alarmed */
    bool above = b->shorter.sum > b->shorter.stay || b->window.sum > b->window.stay;
    if (above && !b->above)
        b->run = (struct phy_burst){.start_sample = sample};
    b->above = above;
    if (above)
        add_to_run(b, power);
    if (b->shorter.sum > b->shorter.rise || b->window.sum > b->window.rise) {
        b->on = true;
        b->level = 0;
    } else if (b->held && (double)(sample - b->pending.start_sample - b->pending.n_samples) >
                              fmax(to_samples(&b->cfg, pulse_gap_us), to_samples(&b->cfg, b->cfg.join_us)) + b->window.n) {
        emit_pending(b);
    }
}

static void watch_on(struct phy_burst_finder *b, uint64_t sample, float power)
{
    add_to_run(b, power);
    bool short_valid = b->n_filled >= b->shorter.n, valid = b->n_filled >= b->window.n;
    if (short_valid)
        b->level = fmax(b->level, b->shorter.sum / b->shorter.n);
    bool strong = b->level > strong_ratio * b->cfg.noise_power;
    double edge = fmax(b->shorter.stay, edge_ratio * b->level * b->shorter.n);
    if (strong && short_valid && b->shorter.sum < edge) {
        end_run(b, sample + 1 - b->shorter.n, b->shorter.sum);
        cut_windows(b);
    } else if (!strong && valid && b->window.sum < b->window.stay) {
        end_run(b, sample + 1 - b->window.n, b->window.sum);
        cut_windows(b);
    }
}

void phy_burst_push(struct phy_burst_finder *b, const float complex *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float re = crealf(samples[i]), im = cimagf(samples[i]);
        float power = re * re + im * im;
        uint64_t sample = b->next_sample++;
        slide(b, power);
        if (b->on)
            watch_on(b, sample, power);
        else
            watch_off(b, sample, power);
    }
}

void phy_burst_skip(struct phy_burst_finder *b, uint64_t n)
{
    if (b->on)
        end_run(b, b->next_sample, 0);
    emit_pending(b);
    cut_windows(b);
    b->next_sample += n;
}
