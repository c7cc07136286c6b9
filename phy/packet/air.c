#include "phy/packet/air.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/decibel.h"
#include "phy/sensing/energy.h"

struct emission {
    uint64_t id;
    struct phy_packet_emission what; /* its psdu points into `octets` */
    uint64_t period;                 /* of the runs, samples */
    uint8_t *octets;                 /* PHY_MAX_PSDU_BYTES, moves with the slot */
};

struct phy_packet_air {
    struct phy_air_config cfg;
    uint64_t next_id, n_dropped;
    uint32_t longest_delay;
    size_t n_emissions;
    double *gain;         /* n_nodes x n_nodes, linear */
    uint32_t *delay;
    double *carrier_hz;
    struct emission *emissions; /* in the order of ids */
};

static size_t round_up(size_t n)
{
    return (n + 63) / 64 * 64;
}

static size_t links(const struct phy_air_config *cfg)
{
    return (size_t)cfg->n_nodes * cfg->n_nodes;
}

size_t phy_packet_air_bytes(const struct phy_air_config *cfg)
{
    return round_up(sizeof(struct phy_packet_air)) + round_up(links(cfg) * sizeof(double)) +
           round_up(links(cfg) * sizeof(uint32_t)) + round_up(cfg->n_nodes * sizeof(double)) +
           round_up(cfg->max_emissions * sizeof(struct emission)) + cfg->max_emissions * PHY_MAX_PSDU_BYTES;
}

static void *take(uint8_t **cursor, size_t n)
{
    void *at = *cursor;
    *cursor += round_up(n);
    return at;
}

struct phy_packet_air *phy_packet_air_init(void *mem, const struct phy_air_config *cfg)
{
    uint8_t *cursor = mem;
    struct phy_packet_air *air = take(&cursor, sizeof *air);
    memset(air, 0, sizeof *air);
    air->cfg = *cfg;
    air->gain = take(&cursor, links(cfg) * sizeof *air->gain);
    air->delay = take(&cursor, links(cfg) * sizeof *air->delay);
    air->carrier_hz = take(&cursor, cfg->n_nodes * sizeof *air->carrier_hz);
    air->emissions = take(&cursor, cfg->max_emissions * sizeof *air->emissions);
    memcpy(air->carrier_hz, cfg->carrier_offset_hz, cfg->n_nodes * sizeof *air->carrier_hz);
    for (size_t i = 0; i < links(cfg); i++) {
        const struct phy_air_link *link = &cfg->links[i];
        air->gain[i] = (double)link->gain_db > -300.0 ? phy_from_db((double)link->gain_db) : 0.0;
        air->delay[i] = link->delay_samples;
        if (link->delay_samples > air->longest_delay)
            air->longest_delay = link->delay_samples;
    }
    for (size_t i = 0; i < cfg->max_emissions; i++)
        air->emissions[i].octets = cursor + i * PHY_MAX_PSDU_BYTES;
    return air;
}

int phy_packet_air_emit(struct phy_packet_air *air, const struct phy_packet_emission *e)
{
    if (e->emitter >= air->cfg.n_nodes || e->channel >= air->cfg.n_channels || e->end_sample <= e->start_sample ||
        e->psdu_len > PHY_MAX_PSDU_BYTES || (unsigned)e->kind >= PHY_N_INTERFERENCE)
        return -EINVAL;
    if (air->n_emissions == air->cfg.max_emissions)
        return -ENOBUFS;
    struct emission *slot = &air->emissions[air->n_emissions];
    slot->period = 0;
    for (size_t i = 0; i < e->n_runs; i++)
        slot->period += e->runs[i].n_samples;
    if (e->runs && slot->period == 0)
        return -EINVAL;
    slot->id = air->next_id++;
    slot->what = *e;
    if (e->psdu)
        memcpy(slot->octets, e->psdu, e->psdu_len);
    air->n_emissions++;
    return 0;
}

struct listening {
    uint64_t start, end;
    struct phy_arrival *out;
    size_t n, cap;
};

static void add_arrival(struct phy_packet_air *air, struct listening *l, const struct phy_arrival *a)
{
    if (a->start_sample >= l->end || a->end_sample <= l->start)
        return;
    if (l->n == l->cap) {
        air->n_dropped++;
        return;
    }
    l->out[l->n++] = *a;
}

/* The runs that overlap what is listened to, one arrival each. */
static void add_runs(struct phy_packet_air *air, struct listening *l, const struct emission *e, const struct phy_arrival *whole,
                     double gain)
{
    uint64_t first = l->start > whole->start_sample ? l->start : whole->start_sample;
    uint64_t at = whole->start_sample + (first - whole->start_sample) / e->period * e->period;
    uint64_t played = 0; /* of the period */
    for (size_t i = 0; at < l->end && at < whole->end_sample; i = (i + 1) % e->what.n_runs) {
        const struct phy_packet_run *run = &e->what.runs[i];
        struct phy_arrival a = *whole;
        a.start_sample = at;
        a.end_sample = at + run->n_samples < whole->end_sample ? at + run->n_samples : whole->end_sample;
        a.power = (double)run->power * gain;
        a.samples = whole->samples ? whole->samples + played : NULL;
        if (run->power > 0.0f)
            add_arrival(air, l, &a);
        played = i + 1 < e->what.n_runs ? played + run->n_samples : 0;
        at += run->n_samples;
    }
}

size_t phy_packet_air_arrivals(struct phy_packet_air *air, uint32_t listener, uint32_t channel, uint64_t start_sample, uint64_t n,
                               struct phy_arrival *out, size_t cap)
{
    struct listening l = {.start = start_sample, .end = start_sample + n, .out = out, .cap = cap};
    for (size_t i = 0; i < air->n_emissions; i++) {
        const struct emission *e = &air->emissions[i];
        size_t link = (size_t)e->what.emitter * air->cfg.n_nodes + listener;
        if (e->what.emitter == listener || e->what.channel != channel || !(air->gain[link] > 0.0))
            continue;
        const struct phy_arrival whole = {.id = e->id,
                                          .start_sample = e->what.start_sample + air->delay[link],
                                          .end_sample = e->what.end_sample + air->delay[link],
                                          .power = e->what.power * air->gain[link],
                                          .interference = e->what.kind,
                                          .psdu = e->what.psdu ? e->octets : NULL,
                                          .psdu_len = e->what.psdu_len,
                                          .rate_index = e->what.rate_index,
                                          .samples = e->what.samples,
                                          .scale = (float)sqrt(e->what.power * air->gain[link]),
                                          .cfo_hz = air->carrier_hz[e->what.emitter] - air->carrier_hz[listener]};
        if (whole.start_sample >= l.end || whole.end_sample <= l.start)
            continue;
        if (e->what.runs)
            add_runs(air, &l, e, &whole, e->what.power * air->gain[link]);
        else
            add_arrival(air, &l, &whole);
    }
    return l.n;
}

uint64_t phy_packet_air_quiet_until(const struct phy_packet_air *air, uint64_t sample, uint64_t linger)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < air->n_emissions; i++) {
        const struct phy_packet_emission *e = &air->emissions[i].what;
        if (e->end_sample + air->longest_delay + linger <= sample)
            continue;
        uint64_t start = e->start_sample > sample ? e->start_sample : sample;
        first = start < first ? start : first;
    }
    return first;
}

uint64_t phy_packet_air_dropped(const struct phy_packet_air *air)
{
    return air->n_dropped;
}

void phy_packet_air_forget(struct phy_packet_air *air, uint64_t before_sample)
{
    size_t kept = 0;
    for (size_t i = 0; i < air->n_emissions; i++) {
        if (air->emissions[i].what.end_sample + air->longest_delay < before_sample)
            continue;
        if (i != kept) { /* swapped, so that every slot keeps octets of its own */
            struct emission moved = air->emissions[i];
            air->emissions[i] = air->emissions[kept];
            air->emissions[kept] = moved;
        }
        kept++;
    }
    air->n_emissions = kept;
}

size_t phy_packet_runs(const float complex *samples, size_t n, struct phy_packet_run *out, size_t cap)
{
    enum { BLOCK = 80 };
    const double ratio = 1.2589254117941673, silence = 1e-12;
    size_t n_runs = 0;
    bool heard = false;
    for (size_t at = 0; at < n; at += BLOCK) {
        uint32_t len = (uint32_t)(n - at < BLOCK ? n - at : BLOCK);
        double power = phy_energy_sum(samples + at, len) / len;
        power = power > silence ? power : 0.0;
        heard |= power > 0.0;
        struct phy_packet_run *last = n_runs ? &out[n_runs - 1] : NULL;
        bool same = last && power <= (double)last->power * ratio && power * ratio >= (double)last->power;
        if (same || (last && n_runs == cap)) { /* out of room: the last one goes on, with the mean of both */
            double sum = (double)last->power * last->n_samples + power * len;
            last->n_samples += len;
            last->power = (float)(sum / last->n_samples);
        } else {
            out[n_runs++] = (struct phy_packet_run){len, (float)power};
        }
    }
    return heard ? n_runs : 0;
}
