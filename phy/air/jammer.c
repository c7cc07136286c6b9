#include "phy/air/jammer.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/sensing/energy.h"

enum { MIN_BURST_SAMPLES = 16 };

struct phy_jammer {
    struct phy_awgn noise; /* first: it is the most aligned */
    struct phy_jammer_config cfg;
    double trigger_power;
    uint64_t position;     /* of the next sample */
    uint64_t deaf_until;   /* a burst is decided or under way until then */
    uint64_t next_start;   /* constant, pulse */
    size_t n_in_block;
    float complex block[PHY_JAMMER_MAX_BLOCK_SAMPLES];
};

const char *phy_jammer_kind_name(enum phy_jammer_kind kind)
{
    static const char *const names[] = {"reactive", "constant", "pulse"};
    assert(kind <= PHY_JAMMER_PULSE);
    return names[kind];
}

size_t phy_jammer_bytes(void)
{
    return (sizeof(struct phy_jammer) + 63) / 64 * 64;
}

static uint32_t period_of(const struct phy_jammer_config *cfg)
{
    return cfg->kind == PHY_JAMMER_PULSE ? cfg->period_samples : cfg->burst_samples;
}

static const char *find_bad_field(const struct phy_jammer_config *cfg)
{
    if ((unsigned)cfg->kind > PHY_JAMMER_PULSE)
        return "kind";
    if (!(cfg->power_dbfs > -300.0 && cfg->power_dbfs < 100.0))
        return "power_dbfs";
    if (cfg->burst_samples < MIN_BURST_SAMPLES)
        return "burst_samples";
    if (cfg->kind == PHY_JAMMER_PULSE && cfg->period_samples < cfg->burst_samples)
        return "period_samples";
    if (cfg->react_samples == 0 || cfg->react_samples / period_of(cfg) + 2 > PHY_JAMMER_MAX_BURSTS)
        return "react_samples";
    if (cfg->to_sample < cfg->from_sample)
        return "to_sample";
    if (cfg->kind != PHY_JAMMER_REACTIVE)
        return NULL;
    if (cfg->block_samples == 0 || cfg->block_samples > PHY_JAMMER_MAX_BLOCK_SAMPLES)
        return "block_samples";
    if (!(cfg->noise_dbfs > -300.0 && cfg->noise_dbfs < 100.0))
        return "noise_dbfs";
    if (!(cfg->threshold_db >= 0.0 && cfg->threshold_db < 200.0))
        return "threshold_db";
    return NULL;
}

int phy_jammer_init(void *mem, size_t len, const struct phy_jammer_config *cfg, struct phy_jammer **out,
                    const char **bad_field_out)
{
    assert(mem && (uintptr_t)mem % 64 == 0 && len >= phy_jammer_bytes());
    *bad_field_out = find_bad_field(cfg);
    if (*bad_field_out)
        return -EINVAL;
    struct phy_jammer *j = mem;
    memset(j, 0, sizeof *j);
    j->cfg = *cfg;
    j->position = cfg->first_sample;
    j->trigger_power = pow(10.0, (cfg->noise_dbfs + cfg->threshold_db) / 10.0);
    /* the first burst that can still be told ahead, on the grid of from_sample */
    uint64_t earliest = cfg->first_sample + cfg->react_samples, period = period_of(cfg);
    j->next_start = cfg->from_sample;
    if (j->next_start < earliest)
        j->next_start += (earliest - j->next_start + period - 1) / period * period;
    phy_awgn_init(&j->noise, cfg->seed, cfg->stream, phy_simd_best());
    *out = j;
    return 0;
}

static void decide(struct phy_jammer *j, uint64_t start, struct phy_jammer_update *out)
{
    uint64_t end = start + j->cfg.burst_samples;
    if (start < j->cfg.from_sample || start >= j->cfg.to_sample)
        return;
    if (end > j->cfg.to_sample)
        end = j->cfg.to_sample;
    assert(out->n_bursts < PHY_JAMMER_MAX_BURSTS);
    out->bursts[out->n_bursts++] = (struct phy_jammer_burst){start, end - start};
    j->deaf_until = end;
}

/* One whole block that ends at `end`. */
static void hear_block(struct phy_jammer *j, uint64_t end, struct phy_jammer_update *out)
{
    uint32_t n = j->cfg.block_samples;
    if (end - n < j->deaf_until)
        return;
    if (phy_energy_sum(j->block, n) > j->trigger_power * n)
        decide(j, end + j->cfg.react_samples, out);
}

static void listen(struct phy_jammer *j, const float complex *samples, size_t n, struct phy_jammer_update *out)
{
    uint32_t block = j->cfg.block_samples;
    uint64_t at = j->position;
    while (n > 0) {
        size_t offset = (size_t)(at % block);
        size_t n_take = block - offset < n ? block - offset : n;
        if (offset == 0 || j->n_in_block == offset) { /* a block whose beginning was not given is left out */
            memcpy(j->block + offset, samples, n_take * sizeof *samples);
            j->n_in_block = offset + n_take;
        }
        at += n_take;
        samples += n_take;
        n -= n_take;
        if (at % block == 0) {
            if (j->n_in_block == block)
                hear_block(j, at, out);
            j->n_in_block = 0;
        }
    }
}

int phy_jammer_step(struct phy_jammer *j, const float complex *samples, size_t n, struct phy_jammer_update *out)
{
    out->n_bursts = 0;
    if (n > j->cfg.react_samples)
        return -EAGAIN;
    if (j->cfg.kind == PHY_JAMMER_REACTIVE) {
        listen(j, samples, n, out);
        j->position += n;
        return 0;
    }
    j->position += n;
    for (; j->next_start < j->position + j->cfg.react_samples && j->next_start < j->cfg.to_sample;
         j->next_start += period_of(&j->cfg))
        decide(j, j->next_start, out);
    return 0;
}

void phy_jammer_fill(struct phy_jammer *j, const struct phy_jammer_burst *burst, float complex *out)
{
    memset(out, 0, burst->n_samples * sizeof *out);
    phy_awgn_add(&j->noise, burst->start_sample, (float)pow(10.0, j->cfg.power_dbfs / 10.0), out, burst->n_samples);
}
