#include "phy/air/air.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/air/air_machine.h"
#include "phy/air/mix.h"


static size_t round_up(size_t n)
{
    return (n + 63) / 64 * 64;
}

static size_t links_bytes(const struct phy_air_config *cfg)
{
    return round_up((size_t)cfg->n_nodes * cfg->n_nodes * sizeof(struct phy_air_link));
}

static size_t paths_bytes(const struct phy_air_config *cfg)
{
    return round_up((size_t)cfg->n_nodes * cfg->n_nodes * sizeof(struct phy_air_path));
}

static size_t emissions_bytes(const struct phy_air_config *cfg)
{
    return round_up(cfg->max_emissions * sizeof(struct phy_air_emission));
}

static size_t noise_bytes(const struct phy_air_config *cfg)
{
    return (size_t)cfg->n_nodes * cfg->n_channels * sizeof(struct phy_awgn);
}

static size_t fading_bytes(const struct phy_air_config *cfg)
{
    return cfg->fading ? round_up((size_t)cfg->n_nodes * cfg->n_nodes * sizeof(struct phy_fading *)) : 0;
}

static size_t gains_bytes(const struct phy_air_config *cfg)
{
    return cfg->fading ? (size_t)cfg->n_nodes * cfg->n_nodes * cfg->n_channels * sizeof(struct phy_air_gains) : 0;
}

size_t phy_air_bytes(const struct phy_air_config *cfg)
{
    return round_up(sizeof(struct phy_air)) + links_bytes(cfg) + paths_bytes(cfg) + emissions_bytes(cfg) + noise_bytes(cfg) + fading_bytes(cfg) +
           gains_bytes(cfg);
}

static const char *find_bad_link(const struct phy_air_config *cfg)
{
    if (!cfg->links)
        return "links";
    for (size_t i = 0; i < (size_t)cfg->n_nodes * cfg->n_nodes; i++) {
        const struct phy_air_link *link = &cfg->links[i];
        if (isnan(link->gain_db) || link->gain_db > 200.0f || link->delay_samples > cfg->sample_rate_hz)
            return "links";
        if (cfg->fading && cfg->fading[i] && phy_fading_check(cfg->fading[i], cfg->sample_rate_hz))
            return "fading";
    }
    return NULL;
}

static const char *find_bad_field(const struct phy_air_config *cfg)
{
    if (cfg->n_nodes < 1 || cfg->n_nodes > PHY_AIR_MAX_NODES)
        return "n_nodes";
    if (cfg->n_channels < 1 || cfg->n_channels > PHY_AIR_MAX_CHANNELS)
        return "n_channels";
    if (cfg->sample_rate_hz == 0)
        return "sample_rate_hz";
    if (cfg->max_emissions < 1 || cfg->max_emissions > 65536)
        return "max_emissions";
    for (uint32_t i = 0; i < cfg->n_nodes; i++) {
        if (!cfg->noise_dbfs || isnan(cfg->noise_dbfs[i]) || cfg->noise_dbfs[i] > 100.0)
            return "noise_dbfs";
        if (!cfg->carrier_offset_hz || !isfinite(cfg->carrier_offset_hz[i]) ||
            fabs(cfg->carrier_offset_hz[i]) > cfg->sample_rate_hz)
            return "carrier_offset_hz";
        if (cfg->clock_ppm && !(fabs(cfg->clock_ppm[i]) <= 100.0))
            return "clock_ppm";
    }
    return find_bad_link(cfg);
}

/* Copies what the configuration points to; the fadings themselves stay the caller's. */
static void lay_out_fading(struct phy_air *air, unsigned char *at)
{
    const struct phy_air_config *cfg = &air->cfg;
    size_t n_links = (size_t)cfg->n_nodes * cfg->n_nodes;
    if (cfg->fading) {
        air->fading = (const struct phy_fading **)at;
        memcpy(air->fading, cfg->fading, n_links * sizeof *air->fading);
        air->gains = (struct phy_air_gains *)(at + fading_bytes(cfg));
        memset(air->gains, 0, gains_bytes(cfg));
        for (size_t i = 0; i < n_links; i++)
            for (uint32_t tap = 0; air->fading[i] && tap < air->fading[i]->n_taps; tap++)
                if (air->fading[i]->taps[tap].delay_samples > air->longest_tap)
                    air->longest_tap = air->fading[i]->taps[tap].delay_samples;
    }
    for (uint32_t i = 0; cfg->clock_ppm && i < cfg->n_nodes; i++) {
        air->clock_ppm[i] = cfg->clock_ppm[i];
        air->clocks_differ |= cfg->clock_ppm[i] != cfg->clock_ppm[0];
    }
    if (air->clocks_differ)
        phy_fractional_init(&air->bank);
}

static void work_out_paths(struct phy_air *air)
{
    uint32_t n = air->cfg.n_nodes;
    for (uint32_t e = 0; e < n; e++)
        for (uint32_t l = 0; l < n; l++) {
            struct phy_air_path *path = &air->paths[(size_t)e * n + l];
            double turns = (air->carrier_offset_hz[e] - air->carrier_offset_hz[l]) / air->cfg.sample_rate_hz;
            path->gain = pow(10.0, (double)air->links[(size_t)e * n + l].gain_db / 20.0);
            path->increment = (uint64_t)(int64_t)llround((turns - floor(turns)) * 9223372036854775808.0) << 1;
            phy_line_turns_init(&path->turns, path->increment);
            path->drift = (1.0 + air->clock_ppm[e] * 1e-6) / (1.0 + air->clock_ppm[l] * 1e-6) - 1.0;
        }
}

int phy_air_init(void *mem, size_t len, const struct phy_air_config *cfg, struct phy_air **out, const char **bad_field_out)
{
    assert(mem && (uintptr_t)mem % 64 == 0);
    *bad_field_out = find_bad_field(cfg);
    if (*bad_field_out)
        return -EINVAL;
    assert(len >= phy_air_bytes(cfg));
    unsigned char *at = mem;
    struct phy_air *air = mem;
    memset(air, 0, sizeof *air);
    air->cfg = *cfg;
    air->simd = phy_simd_choose(cfg->simd);
    at += round_up(sizeof *air);
    air->links = (struct phy_air_link *)at;
    memcpy(air->links, cfg->links, (size_t)cfg->n_nodes * cfg->n_nodes * sizeof *air->links);
    at += links_bytes(cfg);
    air->paths = (struct phy_air_path *)at;
    at += paths_bytes(cfg);
    air->emissions = (struct phy_air_emission *)at;
    at += emissions_bytes(cfg);
    air->noise = (struct phy_awgn *)at;
    at += noise_bytes(cfg);
    lay_out_fading(air, at);
    memcpy(air->noise_dbfs, cfg->noise_dbfs, cfg->n_nodes * sizeof *cfg->noise_dbfs);
    memcpy(air->carrier_offset_hz, cfg->carrier_offset_hz, cfg->n_nodes * sizeof *cfg->carrier_offset_hz);
    for (size_t i = 0; i < (size_t)cfg->n_nodes * cfg->n_nodes; i++)
        if (cfg->links[i].delay_samples > air->longest_delay)
            air->longest_delay = cfg->links[i].delay_samples;
    work_out_paths(air);
    for (uint32_t node = 0; node < cfg->n_nodes; node++)
        for (uint32_t channel = 0; channel < cfg->n_channels; channel++)
            phy_awgn_init(&air->noise[node * cfg->n_channels + channel], cfg->seed, (uint64_t)node << 32 | channel, air->simd);
    *out = air;
    return 0;
}

static long add_emission(struct phy_air *air, const struct phy_air_emission *wanted)
{
    if (wanted->emitter >= air->cfg.n_nodes || wanted->channel >= air->cfg.n_channels || !wanted->samples ||
        wanted->n == 0 || wanted->end <= wanted->start || !isfinite(wanted->amplitude) ||
        wanted->start < air->rendered_end[wanted->channel])
        return -EINVAL;
    if (air->n_emissions == air->cfg.max_emissions)
        return -ENOBUFS;
    size_t i = air->n_emissions++;
    while (i > 0 && (air->emissions[i - 1].emitter > wanted->emitter ||
                     (air->emissions[i - 1].emitter == wanted->emitter && air->emissions[i - 1].start > wanted->start))) {
        air->emissions[i] = air->emissions[i - 1];
        i--;
    }
    air->emissions[i] = *wanted;
    air->emissions[i].first = (size_t)((wanted->start % wanted->n + wanted->phase) % wanted->n);
    air->emissions[i].id = air->next_id++;
    return (long)air->emissions[i].id;
}

long phy_air_emit(struct phy_air *air, uint32_t emitter, uint32_t channel, uint64_t start_sample,
                  const float complex *samples, size_t n, float amplitude)
{
    struct phy_air_emission wanted = {
        .emitter = emitter,
        .channel = channel,
        .start = start_sample,
        .end = start_sample + n,
        .samples = samples,
        .n = n,
        .amplitude = amplitude,
    };
    return add_emission(air, &wanted);
}

long phy_air_emit_loop(struct phy_air *air, uint32_t emitter, uint32_t channel, uint64_t start_sample, uint64_t end_sample,
                       const float complex *samples, size_t n, size_t phase, float amplitude)
{
    struct phy_air_emission wanted = {
        .emitter = emitter,
        .channel = channel,
        .start = start_sample,
        .end = end_sample,
        .samples = samples,
        .n = n,
        .phase = n > 0 ? phase % n : 0,
        .looped = true,
        .amplitude = amplitude,
    };
    return add_emission(air, &wanted);
}

/* A slow clock stretches what is sent by 2e-4 at most; the interpolation rings on for half its length. */
uint64_t phy_air_tail(const struct phy_air *air, uint64_t n)
{
    return air->longest_delay + air->longest_tap + (air->clocks_differ ? PHY_FRACTIONAL_TAPS + n / 4096 : 0);
}

/* The part of [start, start + n) in which the emission is heard; false if there is none. It is heard from its arrival on: what
 * interpolation would ring before that is cut off, since it may have been rendered before anybody decided to send. */
static bool overlap(const struct phy_air *air, const struct phy_air_emission *e, uint32_t delay, uint64_t start, size_t n,
                    uint64_t *from, uint64_t *to)
{
    uint64_t later = delay + phy_air_tail(air, e->end - e->start) - air->longest_delay;
    uint64_t first = e->start + delay, last = e->end > UINT64_MAX - later ? UINT64_MAX : e->end + later;
    *from = first > start ? first : start;
    *to = last < start + n ? last : start + n;
    return *from < *to;
}

static const struct phy_air_link *link_of(const struct phy_air *air, uint32_t emitter, uint32_t listener)
{
    return &air->links[(size_t)emitter * air->cfg.n_nodes + listener];
}

static bool is_heard(const struct phy_air *air, const struct phy_air_emission *e, uint32_t listener, uint32_t channel)
{
    return e->channel == channel && e->emitter != listener && link_of(air, e->emitter, listener)->gain_db > -300.0f;
}

static void mix_emission(const struct phy_air *air, const struct phy_air_emission *e, uint32_t listener, uint64_t start, size_t n,
                         float complex *out)
{
    const struct phy_air_link *link = link_of(air, e->emitter, listener);
    uint64_t from, to;
    if (!overlap(air, e, link->delay_samples, start, n, &from, &to))
        return;
    size_t i_path = (size_t)e->emitter * air->cfg.n_nodes + listener;
    const struct phy_air_path *path = &air->paths[i_path];
    if (path->drift != 0.0 || (air->fading && air->fading[i_path])) {
        phy_air_add_through_line(air, e, listener, from, to, start, out);
        return;
    }
    if (e->end < to - link->delay_samples)
        to = e->end + link->delay_samples;
    struct phy_mix mix = {
        .gain = (float)(path->gain * (double)e->amplitude),
        .increment = path->increment,
        .simd = air->simd,
    };
    while (from < to) {
        uint64_t at = from - link->delay_samples;
        size_t index = (size_t)(e->looped ? (at % e->n + e->phase) % e->n : at - e->start);
        size_t n_here = e->n - index < to - from ? e->n - index : (size_t)(to - from);
        phy_mix_add(&mix, from, e->samples + index, out + (from - start), n_here);
        from += n_here;
    }
}

void phy_air_render(struct phy_air *air, uint32_t listener, uint32_t channel, uint64_t start_sample, size_t n,
                    float complex *out)
{
    assert(listener < air->cfg.n_nodes && channel < air->cfg.n_channels);
    if (air->rendered_end[channel] < start_sample + n)
        air->rendered_end[channel] = start_sample + n;
    memset(out, 0, n * sizeof *out);
    for (size_t i = 0; i < air->n_emissions; i++)
        if (is_heard(air, &air->emissions[i], listener, channel))
            mix_emission(air, &air->emissions[i], listener, start_sample, n, out);
    double noise_power = pow(10.0, air->noise_dbfs[listener] / 10.0);
    if (noise_power > 0.0)
        phy_awgn_add(&air->noise[listener * air->cfg.n_channels + channel], start_sample, (float)noise_power, out, n);
}

void phy_air_forget(struct phy_air *air, uint64_t before_sample)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < air->n_emissions; i++) {
        uint64_t end = air->emissions[i].end, tail = phy_air_tail(air, end - air->emissions[i].start);
        if (end > UINT64_MAX - tail || end + tail > before_sample)
            air->emissions[n_kept++] = air->emissions[i];
    }
    air->n_emissions = n_kept;
}
