/* What a listener hears of an emission through taps and clocks: samples are looked up, moved in time where clocks differ, and run
 * through the delay line. Everything is a function of the sample's index, so that cuts do not show. */
#include <math.h>
#include <string.h>

#include "phy/air/air_machine.h"
#include "phy/air/line.h"

enum { FETCH = PHY_LINE_PIECE + PHY_FADING_MAX_DELAY };

/* How many of the samples [at, at + n), counted from the emission's start, lie side by side from *where_out on; NULL: it is silent. */
static size_t find_run(const struct phy_air_emission *e, int64_t at, size_t n, const float complex **where_out)
{
    uint64_t length = e->end - e->start;
    *where_out = NULL;
    if (at < 0)
        return (uint64_t)-at < n ? (size_t)-at : n;
    if ((uint64_t)at >= length)
        return n;
    size_t index = (size_t)at;
    if (e->looped) {
        index = (size_t)((uint64_t)at % e->n) + e->first;
        index -= index >= e->n ? e->n : 0;
    }
    *where_out = e->samples + index;
    n = e->n - index < n ? e->n - index : n;
    return length - (uint64_t)at < n ? (size_t)(length - (uint64_t)at) : n;
}

static void fetch(const struct phy_air_emission *e, int64_t at, size_t n, float complex *out)
{
    for (size_t n_here; n > 0; n -= n_here) {
        const float complex *where;
        n_here = find_run(e, at, n, &where);
        if (where)
            memcpy(out, where, n_here * sizeof *out);
        else
            memset(out, 0, n_here * sizeof *out);
        at += (int64_t)n_here;
        out += n_here;
    }
}

/* Samples [at, at + n), n <= FETCH: where they are, or put together in `room`. */
static const float complex *look_up(const struct phy_air_emission *e, int64_t at, size_t n, float complex *room)
{
    const float complex *where;
    if (find_run(e, at, n, &where) == n && where)
        return where;
    fetch(e, at, n, room);
    return room;
}

/* The same where output sample m lies at position m (1 + drift). */
static void fetch_drifting(const struct phy_air *air, const struct phy_air_emission *e, double drift, int64_t at, size_t n,
                           float complex *out)
{
    enum { N_IN = PHY_FRACTIONAL_GRID + PHY_FRACTIONAL_TAPS, ROOM = N_IN + PHY_LINE_LANES };
    float in_re[ROOM] = {0}, in_im[ROOM] = {0};
    float complex room[N_IN];
    if (at < 0) {
        size_t n_before = (uint64_t)-at < n ? (size_t)-at : n;
        memset(out, 0, n_before * sizeof *out);
        at += (int64_t)n_before;
        out += n_before;
        n -= n_before;
    }
    for (size_t n_here; n > 0; n -= n_here) {
        struct phy_fractional_stretch stretch;
        unsigned j = (unsigned)(at % PHY_FRACTIONAL_GRID);
        n_here = PHY_FRACTIONAL_GRID - j < n ? PHY_FRACTIONAL_GRID - j : n;
        phy_fractional_stretch(&air->bank, (double)(at / PHY_FRACTIONAL_GRID), drift, &stretch);
        size_t n_in = n_here + PHY_FRACTIONAL_TAPS - 1;
        phy_line_split(air->simd, look_up(e, (int64_t)stretch.base + j - PHY_FRACTIONAL_BEFORE, n_in, room), in_re, in_im, n_in);
        phy_line_interpolate(air->simd, &stretch, j, in_re, in_im, out, n_here);
        at += (int64_t)n_here;
        out += n_here;
    }
}

static const struct phy_air_gains *find_gains(const struct phy_air *air, const struct phy_fading *f, const struct phy_air_emission *e,
                                              uint32_t listener, uint64_t stretch, uint32_t grid)
{
    size_t link = (size_t)e->emitter * air->cfg.n_nodes + listener;
    struct phy_air_gains *g = &air->gains[link * air->cfg.n_channels + e->channel];
    uint64_t key = g->key;
    if (!g->known || f->per_emission)
        key = phy_fading_key(air->cfg.seed, e->emitter, listener, e->channel, f->per_emission ? e->start : 0);
    if (!g->known || g->key != key) {
        phy_fading_draw(f, key, air->cfg.sample_rate_hz, &g->draws);
        phy_fading_gains(f, &g->draws, stretch * grid, g->from);
    } else if (g->stretch == stretch) {
        return g;
    } else if (g->stretch + 1 == stretch) {
        memcpy(g->from, g->to, sizeof g->from);
    } else {
        phy_fading_gains(f, &g->draws, stretch * grid, g->from);
    }
    if (grid > 0)
        phy_fading_gains(f, &g->draws, (stretch + 1) * grid, g->to);
    g->known = true;
    g->key = key;
    g->stretch = stretch;
    return g;
}

/* Fills the taps for samples from `from` on; returns the first sample for which they no longer hold. */
static uint64_t set_taps(const struct phy_air *air, const struct phy_air_emission *e, uint32_t listener, float gain, uint64_t from,
                         struct phy_line *line)
{
    const struct phy_fading *f = air->fading ? air->fading[(size_t)e->emitter * air->cfg.n_nodes + listener] : NULL;
    if (!f) {
        line->n_taps = 1;
        line->moving = 0;
        line->first_k = 0.0f;
        line->delay[0] = 0;
        line->re[0] = gain;
        line->im[0] = 0.0f;
        return UINT64_MAX;
    }
    uint32_t grid = phy_fading_grid(f, air->cfg.sample_rate_hz);
    uint64_t stretch = grid > 0 ? from / grid : 0;
    const struct phy_air_gains *g = find_gains(air, f, e, listener, stretch, grid);
    float per_sample = grid > 0 ? 1.0f / (float)grid : 0.0f;
    line->n_taps = f->n_taps;
    line->moving = grid > 0;
    line->first_k = grid > 0 ? (float)(from % grid) : 0.0f;
    for (uint32_t t = 0; t < f->n_taps; t++) {
        line->delay[t] = f->taps[t].delay_samples;
        line->re[t] = gain * crealf(g->from[t]);
        line->im[t] = gain * cimagf(g->from[t]);
        line->re_step[t] = grid > 0 ? gain * (crealf(g->to[t]) - crealf(g->from[t])) * per_sample : 0.0f;
        line->im_step[t] = grid > 0 ? gain * (cimagf(g->to[t]) - cimagf(g->from[t])) * per_sample : 0.0f;
    }
    return grid > 0 ? (stretch + 1) * grid : UINT64_MAX;
}

void phy_air_add_through_line(const struct phy_air *air, const struct phy_air_emission *e, uint32_t listener, uint64_t from,
                              uint64_t to, uint64_t start, float complex *out)
{
    float complex room[FETCH];
    const struct phy_air_link *link = &air->links[(size_t)e->emitter * air->cfg.n_nodes + listener];
    const struct phy_air_path *path = &air->paths[(size_t)e->emitter * air->cfg.n_nodes + listener];
    struct phy_line line;
    line.turns = &path->turns;
    line.simd = air->simd;
    float gain = (float)(path->gain * (double)e->amplitude);
    while (from < to) {
        uint64_t until = set_taps(air, e, listener, gain, from, &line);
        size_t n = until - from < PHY_LINE_PIECE ? (size_t)(until - from) : PHY_LINE_PIECE;
        n = to - from < n ? (size_t)(to - from) : n;
        size_t before = line.delay[line.n_taps - 1];
        int64_t at = (int64_t)(from - link->delay_samples - e->start) - (int64_t)before;
        const float complex *in = room;
        if (path->drift != 0.0)
            fetch_drifting(air, e, path->drift, at, n + before, room);
        else
            in = look_up(e, at, n + before, room);
        phy_line_add(&line, from, in + before, out + (from - start), n);
        from += n;
    }
}
