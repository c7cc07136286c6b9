/* airdeed air: blocks of all ports into blocks for all ports, through the virtual air. */
#include "apps/air.h"
#include "apps/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct emitter {
    void *memory;
    struct phy_emitter *machine;
    enum phy_emitter_kind kind;
    uint32_t react_samples;
    uint64_t position;             /* samples that it was stepped by */
    uint64_t ahead;                /* of the air's time: so much later is everything in its own */
    float complex *prepared;
    float complex *bursts[APP_AIR_MAX_BURSTS];
    uint64_t free_at[APP_AIR_MAX_BURSTS]; /* when its samples are on the air no more */
    size_t n_bursts, i_next;
};

struct app_air_mix {
    struct app_air_config cfg;
    void *memory;
    struct phy_air *air;
    uint64_t position, n_dropped;
    uint32_t longest_delay;
    size_t n_slots;               /* blocks of a port that may be on the air at a time */
    float complex *slots;         /* n_ports x n_slots x block */
    float complex *heard;         /* by an emitter */
    struct emitter emitters[APP_AIR_MAX_EMITTERS];
};

/* So many that the first is off the air when the last is decided */
static size_t count_bursts(const struct app_air_mix *m, const struct phy_emitter_config *cfg)
{
    enum phy_emitter_schedule schedule = phy_emitter_schedule(cfg->kind);
    uint32_t apart = schedule == PHY_EMITTER_PERIODIC ? cfg->period_samples : cfg->burst_samples;
    size_t n = (cfg->react_samples + 2 * (size_t)m->cfg.block_samples + cfg->burst_samples) / apart + 3;
    return schedule == PHY_EMITTER_ON_OFF || n > APP_AIR_MAX_BURSTS ? APP_AIR_MAX_BURSTS : n;
}

static int open_emitter(struct app_air_mix *m, uint32_t i, const char **bad_field_out)
{
    struct emitter *e = &m->emitters[i];
    struct phy_emitter_config emitter;
    size_t n_bytes = phy_emitter_bytes();
    int err = app_air_describe_emitter(&m->cfg, i, &emitter, &e->prepared);
    e->kind = emitter.kind;
    e->react_samples = emitter.react_samples;
    e->ahead = e->kind == PHY_EMITTER_REACTIVE ? 0 : e->react_samples;
    emitter.from_sample += e->ahead;
    emitter.to_sample += e->ahead;
    e->memory = aligned_alloc(64, n_bytes);
    if (!e->memory)
        return -ENOMEM;
    if (!err)
        err = phy_emitter_init(e->memory, n_bytes, &emitter, &e->machine, bad_field_out);
    e->n_bursts = err ? 0 : count_bursts(m, &emitter);
    for (size_t k = 0; k < e->n_bursts && !err; k++) {
        e->bursts[k] = calloc(emitter.burst_samples, sizeof *e->bursts[k]);
        err = e->bursts[k] ? 0 : -ENOMEM;
    }
    return err;
}

/* Ports first, then emitters: each emitter reaches every port as it was given, and hears every port as if it stood beside it. */
static void fill_links(const struct app_air_config *cfg, struct phy_air_link *links)
{
    uint32_t n = cfg->n_ports + cfg->n_emitters;
    for (uint32_t from = 0; from < n; from++)
        for (uint32_t to = 0; to < n; to++) {
            bool ports = from < cfg->n_ports && to < cfg->n_ports, emitters = from >= cfg->n_ports && to >= cfg->n_ports;
            links[from * n + to] = ports ? cfg->links[from][to] : (struct phy_air_link){emitters ? -INFINITY : 0, 0};
        }
}

static int open_air(struct app_air_mix *m, const char **bad_field_out)
{
    const struct app_air_config *cfg = &m->cfg;
    struct phy_air_link links[APP_AIR_MAX_NODES * APP_AIR_MAX_NODES];
    double noise_dbfs[APP_AIR_MAX_NODES], carrier_hz[APP_AIR_MAX_NODES] = {0};
    fill_links(cfg, links);
    for (uint32_t i = 0; i < cfg->n_ports + cfg->n_emitters; i++) {
        noise_dbfs[i] = i < cfg->n_ports ? cfg->noise_dbfs[i] : cfg->common_noise_dbfs;
        carrier_hz[i] = i < cfg->n_ports ? cfg->carrier_hz[i] : 0;
    }
    for (uint32_t from = 0; from < cfg->n_ports; from++)
        for (uint32_t to = 0; to < cfg->n_ports; to++)
            if (cfg->links[from][to].delay_samples > m->longest_delay)
                m->longest_delay = cfg->links[from][to].delay_samples;
    m->n_slots = m->longest_delay / cfg->block_samples + 3; /* longer than an emission's tail */
    struct phy_air_config air = {
        .seed = cfg->seed,
        .n_nodes = cfg->n_ports + cfg->n_emitters,
        .n_channels = 1,
        .sample_rate_hz = cfg->rate_hz,
        .noise_dbfs = noise_dbfs,
        .carrier_offset_hz = carrier_hz,
        .links = links,
        .max_emissions = cfg->n_ports * m->n_slots + cfg->n_emitters * APP_AIR_MAX_BURSTS,
    };
    size_t n_bytes = (phy_air_bytes(&air) + 63) / 64 * 64;
    m->memory = aligned_alloc(64, n_bytes);
    m->slots = calloc(cfg->n_ports * m->n_slots * cfg->block_samples, sizeof *m->slots);
    m->heard = calloc(cfg->block_samples, sizeof *m->heard);
    if (!m->memory || !m->slots || !m->heard)
        return -ENOMEM;
    return phy_air_init(m->memory, n_bytes, &air, &m->air, bad_field_out);
}

struct app_air_mix *app_air_mix_open(const struct app_air_config *cfg, char *error_out, int *code_out)
{
    struct app_air_mix *m = calloc(1, sizeof *m);
    const char *bad_field = "";
    int err = -ENOMEM;
    snprintf(error_out, APP_AIR_MAX_ERROR, "not enough memory");
    *code_out = APP_SYSTEM_FAILED;
    if (m) {
        m->cfg = *cfg;
        err = open_air(m, &bad_field);
        for (uint32_t i = 0; i < cfg->n_emitters && !err; i++)
            err = open_emitter(m, i, &bad_field);
    }
    if (!err)
        return m;
    if (err == -EINVAL) {
        snprintf(error_out, APP_AIR_MAX_ERROR, "the air cannot be made so: %s is out of range", bad_field);
        *code_out = APP_BAD_USAGE;
    }
    if (m)
        app_air_mix_close(m);
    return NULL;
}

/* A burst stays where it is until nobody can hear it any more. */
static void emit_burst(struct app_air_mix *m, uint32_t i, const struct phy_emitter_burst *burst)
{
    struct emitter *e = &m->emitters[i];
    size_t k = e->i_next;
    uint64_t start = burst->start_sample - e->ahead, end = start + burst->n_samples;
    if (e->free_at[k] > m->position) {
        m->n_dropped++;
        return;
    }
    phy_emitter_fill(e->machine, burst, e->bursts[k]);
    if (phy_air_emit(m->air, m->cfg.n_ports + i, 0, start, e->bursts[k], (size_t)burst->n_samples, 1.0f) < 0) {
        m->n_dropped++;
        return;
    }
    e->free_at[k] = end;
    e->i_next = (k + 1) % e->n_bursts;
}

static void emit_all(struct app_air_mix *m, uint32_t i, const struct phy_emitter_update *update)
{
    for (size_t k = 0; k < update->n_bursts; k++)
        emit_burst(m, i, &update->bursts[k]);
}

/* What those that do not listen send until the block's end, before it is mixed: so it need not be told blocks ahead. */
static void run_emitter(struct app_air_mix *m, uint32_t i)
{
    struct phy_emitter_update update;
    struct emitter *e = &m->emitters[i];
    for (; e->position < m->position + m->cfg.block_samples; e->position += e->react_samples)
        if (phy_emitter_step(e->machine, NULL, e->react_samples, &update) == 0)
            emit_all(m, i, &update);
}

static void listen_emitter(struct app_air_mix *m, uint32_t i)
{
    struct phy_emitter_update update;
    phy_air_render(m->air, m->cfg.n_ports + i, 0, m->position, m->cfg.block_samples, m->heard);
    if (phy_emitter_step(m->emitters[i].machine, m->heard, m->cfg.block_samples, &update) == 0)
        emit_all(m, i, &update);
}

static bool is_silent(const float complex *samples, size_t n)
{
    const float *parts = (const float *)samples;
    float sum = 0;
    for (size_t i = 0; i < 2 * n; i++)
        sum += fabsf(parts[i]);
    return sum == 0;
}

void app_air_mix_block(struct app_air_mix *m, const float complex *const *tx, float complex *const *rx)
{
    size_t n = m->cfg.block_samples;
    phy_air_forget(m->air, m->position);
    for (uint32_t k = 0; k < m->cfg.n_ports; k++) {
        if (!tx[k] || is_silent(tx[k], n))
            continue;
        float complex *slot = m->slots + (k * m->n_slots + m->position / n % m->n_slots) * n;
        memcpy(slot, tx[k], n * sizeof *slot);
        m->n_dropped += phy_air_emit(m->air, k, 0, m->position, slot, n, 1.0f) < 0;
    }
    for (uint32_t i = 0; i < m->cfg.n_emitters; i++)
        if (m->emitters[i].kind != PHY_EMITTER_REACTIVE)
            run_emitter(m, i);
    for (uint32_t k = 0; k < m->cfg.n_ports; k++)
        if (rx[k])
            phy_air_render(m->air, k, 0, m->position, n, rx[k]);
    for (uint32_t i = 0; i < m->cfg.n_emitters; i++)
        if (m->emitters[i].kind == PHY_EMITTER_REACTIVE)
            listen_emitter(m, i);
    m->position += n;
}

uint64_t app_air_mix_position(const struct app_air_mix *m)
{
    return m->position;
}

uint64_t app_air_mix_dropped(const struct app_air_mix *m)
{
    return m->n_dropped;
}

void app_air_mix_close(struct app_air_mix *m)
{
    for (size_t i = 0; i < APP_AIR_MAX_EMITTERS; i++) {
        free(m->emitters[i].memory);
        free(m->emitters[i].prepared);
        for (size_t k = 0; k < APP_AIR_MAX_BURSTS; k++)
            free(m->emitters[i].bursts[k]);
    }
    free(m->memory);
    free(m->slots);
    free(m->heard);
    free(m);
}
