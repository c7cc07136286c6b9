#include "phy/air/emitter_machine.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/air/key.h"
#include "phy/sensing/energy.h"

static const struct {
    const char *name;
    enum phy_emitter_schedule schedule;
} kinds[] = {
    [PHY_EMITTER_TONE] = {"tone", PHY_EMITTER_ALWAYS},         [PHY_EMITTER_NOISE] = {"noise", PHY_EMITTER_ALWAYS},
    [PHY_EMITTER_PULSE] = {"pulse", PHY_EMITTER_PERIODIC},     [PHY_EMITTER_SWEEP] = {"sweep", PHY_EMITTER_ALWAYS},
    [PHY_EMITTER_RANDOM] = {"random", PHY_EMITTER_ON_OFF},     [PHY_EMITTER_REACTIVE] = {"reactive", PHY_EMITTER_ON_POWER},
    [PHY_EMITTER_PREAMBLE] = {"preamble", PHY_EMITTER_PERIODIC}, [PHY_EMITTER_PILOT] = {"pilot", PHY_EMITTER_ALWAYS},
    [PHY_EMITTER_DECEPTIVE] = {"deceptive", PHY_EMITTER_PERIODIC}, [PHY_EMITTER_FOLLOWER] = {"follower", PHY_EMITTER_FOLLOWS},
    [PHY_EMITTER_INSIDER] = {"insider", PHY_EMITTER_ALWAYS},
};
_Static_assert(sizeof kinds / sizeof *kinds == PHY_EMITTER_N_KINDS, "a row for each kind");

const char *phy_emitter_kind_name(enum phy_emitter_kind kind)
{
    assert((unsigned)kind < PHY_EMITTER_N_KINDS);
    return kinds[kind].name;
}

int phy_emitter_kind_of(const char *name)
{
    for (int i = 0; i < PHY_EMITTER_N_KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return i;
    return -1;
}

enum phy_emitter_schedule phy_emitter_schedule(enum phy_emitter_kind kind)
{
    assert((unsigned)kind < PHY_EMITTER_N_KINDS);
    return kinds[kind].schedule;
}

size_t phy_emitter_bytes(void)
{
    return (sizeof(struct phy_emitter) + 63) / 64 * 64;
}

static uint32_t period_of(const struct phy_emitter_config *cfg)
{
    return kinds[cfg->kind].schedule == PHY_EMITTER_PERIODIC ? cfg->period_samples : cfg->burst_samples;
}

/* Are its bursts told in pieces, the last of which must not be too short? */
static bool comes_in_pieces(const struct phy_emitter_config *cfg)
{
    return kinds[cfg->kind].schedule == PHY_EMITTER_ON_OFF || kinds[cfg->kind].schedule == PHY_EMITTER_FOLLOWS;
}

static uint32_t n_channels_of(const struct phy_emitter_config *cfg)
{
    return kinds[cfg->kind].schedule == PHY_EMITTER_FOLLOWS ? cfg->n_channels : 1;
}

static bool listens(const struct phy_emitter_config *cfg)
{
    return kinds[cfg->kind].schedule == PHY_EMITTER_ON_POWER || kinds[cfg->kind].schedule == PHY_EMITTER_FOLLOWS;
}

static const char *find_bad_time(const struct phy_emitter_config *cfg)
{
    enum phy_emitter_schedule schedule = kinds[cfg->kind].schedule;
    if (cfg->burst_samples < (comes_in_pieces(cfg) ? 2 : 1) * PHY_EMITTER_MIN_BURST)
        return "burst_samples";
    if (schedule == PHY_EMITTER_PERIODIC && cfg->period_samples < cfg->burst_samples)
        return "period_samples";
    if (schedule == PHY_EMITTER_ON_OFF && !(cfg->mean_on_samples >= PHY_EMITTER_MIN_BURST && cfg->mean_on_samples < 1e12))
        return "mean_on_samples";
    if (schedule == PHY_EMITTER_ON_OFF && !(cfg->mean_off_samples >= PHY_EMITTER_MIN_BURST && cfg->mean_off_samples < 1e12))
        return "mean_off_samples";
    if (schedule == PHY_EMITTER_FOLLOWS && (cfg->dwell_samples < 2 * PHY_EMITTER_MIN_BURST || cfg->dwell_samples > INT64_MAX))
        return "dwell_samples";
    if (schedule == PHY_EMITTER_FOLLOWS && cfg->retune_samples > INT64_MAX)
        return "retune_samples";
    uint32_t shortest = schedule == PHY_EMITTER_ON_OFF ? PHY_EMITTER_MIN_BURST : period_of(cfg);
    if (cfg->react_samples == 0 || cfg->react_samples / shortest + 2 > PHY_EMITTER_MAX_BURSTS)
        return "react_samples";
    return cfg->to_sample < cfg->from_sample ? "to_sample" : NULL;
}

static const char *find_bad_field(const struct phy_emitter_config *cfg)
{
    if ((unsigned)cfg->kind >= PHY_EMITTER_N_KINDS)
        return "kind";
    if (!(cfg->power_dbfs > -300.0 && cfg->power_dbfs < 100.0))
        return "power_dbfs";
    const char *bad = find_bad_time(cfg);
    bad = bad ? bad : phy_emitter_check_wave(cfg);
    if (bad || !listens(cfg))
        return bad;
    uint32_t n_channels = n_channels_of(cfg);
    if (n_channels == 0 || n_channels > PHY_EMITTER_MAX_CHANNELS)
        return "n_channels";
    if (cfg->block_samples == 0 || cfg->block_samples > PHY_EMITTER_MAX_BLOCK_SAMPLES / n_channels)
        return "block_samples";
    if (!(cfg->noise_dbfs > -300.0 && cfg->noise_dbfs < 100.0))
        return "noise_dbfs";
    if (!(cfg->threshold_db >= 0.0 && cfg->threshold_db < 200.0))
        return "threshold_db";
    return NULL;
}

/* Times on and off take turns, exponential, the first one on. */
static uint64_t draw_time(struct phy_emitter *j, double mean_samples)
{
    uint64_t key = phy_key(phy_key(phy_key(j->cfg.seed, PHY_KEY_EMITTER), j->cfg.stream), j->i_draw++);
    double samples = -mean_samples * log(phy_key_uniform(key));
    return samples > PHY_EMITTER_MIN_BURST ? (uint64_t)samples : PHY_EMITTER_MIN_BURST;
}

/* The first burst on the grid of from_sample that can still be told ahead. Draws of on and off times begin at that grid's start, so
 * that an emitter that is watched from later on does the same. */
static void find_first(struct phy_emitter *j)
{
    uint64_t earliest = j->cfg.first_sample + j->cfg.react_samples, period = period_of(&j->cfg);
    j->next_start = j->cfg.from_sample;
    if (kinds[j->cfg.kind].schedule == PHY_EMITTER_FOLLOWS) {
        j->next_start = j->on_until = 0; /* nothing to tell until it hears somebody */
        return;
    }
    if (kinds[j->cfg.kind].schedule == PHY_EMITTER_ON_OFF)
        j->on_until = j->next_start + draw_time(j, j->cfg.mean_on_samples);
    else if (j->next_start < earliest)
        j->next_start += (earliest - j->next_start + period - 1) / period * period;
}

int phy_emitter_init(void *mem, size_t len, const struct phy_emitter_config *cfg, struct phy_emitter **out,
                    const char **bad_field_out)
{
    assert(mem && (uintptr_t)mem % 64 == 0 && len >= phy_emitter_bytes());
    *bad_field_out = find_bad_field(cfg);
    if (*bad_field_out)
        return -EINVAL;
    struct phy_emitter *j = mem;
    memset(j, 0, sizeof *j);
    j->cfg = *cfg;
    j->position = cfg->first_sample;
    j->trigger_power = pow(10.0, (cfg->noise_dbfs + cfg->threshold_db) / 10.0);
    find_first(j);
    phy_awgn_init(&j->noise, cfg->seed, cfg->stream, phy_simd_best());
    phy_emitter_prepare_wave(j);
    *out = j;
    return 0;
}

static void decide(struct phy_emitter *j, uint64_t start, uint64_t n, struct phy_emitter_update *out)
{
    uint64_t end = start + n;
    if (start < j->cfg.from_sample || start >= j->cfg.to_sample)
        return;
    if (end > j->cfg.to_sample)
        end = j->cfg.to_sample;
    assert(out->n_bursts < PHY_EMITTER_MAX_BURSTS);
    out->bursts[out->n_bursts++] = (struct phy_emitter_burst){start, end - start, j->tuned};
    if (end > j->deaf_until)
        j->deaf_until = end;
}

/* Where the piece that begins at next_start ends, so that none is too short. */
static uint64_t end_of_piece(const struct phy_emitter *j)
{
    uint64_t start = j->next_start;
    uint64_t end = j->on_until - start < j->cfg.burst_samples ? j->on_until : start + j->cfg.burst_samples;
    uint64_t rest = j->on_until - end;
    return rest > 0 && rest < PHY_EMITTER_MIN_BURST ? end - PHY_EMITTER_MIN_BURST : end;
}

/* A follower's pieces that begin before `until`. */
static void tell_pieces(struct phy_emitter *j, uint64_t until, struct phy_emitter_update *out)
{
    while (j->next_start < j->on_until && j->next_start < until) {
        uint64_t end = end_of_piece(j);
        decide(j, j->next_start, end - j->next_start, out);
        j->next_start = end;
    }
}

/* The channel whose block holds the most power, above the threshold; or PHY_EMITTER_MAX_CHANNELS. */
static uint32_t find_power(const struct phy_emitter *j)
{
    uint32_t n = j->cfg.block_samples, found = PHY_EMITTER_MAX_CHANNELS;
    double most = j->trigger_power * n;
    for (uint32_t c = 0; c < n_channels_of(&j->cfg); c++) {
        double sum = phy_energy_sum(j->block + c * n, n);
        if (sum > most) {
            most = sum;
            found = c;
        }
    }
    return found;
}

/* One whole block that ends at `end`, of each channel. */
static void hear_block(struct phy_emitter *j, uint64_t end, struct phy_emitter_update *out)
{
    bool follows = kinds[j->cfg.kind].schedule == PHY_EMITTER_FOLLOWS;
    if (follows)
        tell_pieces(j, end + j->cfg.react_samples, out);
    if (end - j->cfg.block_samples < j->deaf_until)
        return;
    uint32_t channel = find_power(j);
    if (channel == PHY_EMITTER_MAX_CHANNELS)
        return;
    uint64_t start = end + j->cfg.react_samples;
    if (!follows) {
        decide(j, start, j->cfg.burst_samples, out);
        return;
    }
    if (end < j->cfg.from_sample)
        return;
    j->next_start = start + (channel != j->tuned ? j->cfg.retune_samples : 0);
    j->deaf_until = j->on_until = j->next_start + j->cfg.dwell_samples;
    j->tuned = channel;
}

static void listen(struct phy_emitter *j, const float complex *samples, size_t n, struct phy_emitter_update *out)
{
    uint32_t block = j->cfg.block_samples, n_channels = n_channels_of(&j->cfg);
    uint64_t at = j->position;
    for (size_t done = 0; done < n;) {
        size_t offset = (size_t)(at % block);
        size_t n_take = block - offset < n - done ? block - offset : n - done;
        if (offset == 0 || j->n_in_block == offset) { /* a block whose beginning was not given is left out */
            for (uint32_t c = 0; c < n_channels; c++)
                memcpy(j->block + c * block + offset, samples + c * n + done, n_take * sizeof *samples);
            j->n_in_block = offset + n_take;
        }
        at += n_take;
        done += n_take;
        if (at % block == 0) {
            if (j->n_in_block == block)
                hear_block(j, at, out);
            j->n_in_block = 0;
        }
    }
}

/* The piece at next_start, or what of it can still be told; then moves on to the next. */
static void decide_piece(struct phy_emitter *j, struct phy_emitter_update *out)
{
    uint64_t start = j->next_start, end = end_of_piece(j);
    if (start >= j->cfg.first_sample + j->cfg.react_samples)
        decide(j, start, end - start, out);
    j->next_start = end;
    if (end == j->on_until) {
        j->next_start = end + draw_time(j, j->cfg.mean_off_samples);
        j->on_until = j->next_start + draw_time(j, j->cfg.mean_on_samples);
    }
}

int phy_emitter_step(struct phy_emitter *j, const float complex *samples, size_t n, struct phy_emitter_update *out)
{
    out->n_bursts = 0;
    if (n > j->cfg.react_samples)
        return -EAGAIN;
    if (listens(&j->cfg)) {
        listen(j, samples, n, out);
        j->position += n;
        tell_pieces(j, j->position + j->cfg.react_samples, out);
        return 0;
    }
    j->position += n;
    while (j->next_start < j->position + j->cfg.react_samples && j->next_start < j->cfg.to_sample) {
        if (kinds[j->cfg.kind].schedule == PHY_EMITTER_ON_OFF) {
            decide_piece(j, out);
        } else {
            decide(j, j->next_start, j->cfg.burst_samples, out);
            j->next_start += period_of(&j->cfg);
        }
    }
    return 0;
}
