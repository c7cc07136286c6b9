#include "phy/packet/receive.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "phy/decibel.h"

enum {
    UNITS = 1024,        /* of power, to the noise power */
    MAX_CANDIDATES = 16, /* frames whose preamble is under way */
    SYMBOL = 80,
    SUBCARRIERS = 64,
    HEADER_AT = 320,     /* samples after the frame's start at which the header's symbol begins */
    PREAMBLE = 320
};

enum purpose { DRAW_LOCK = 1, DRAW_FRAME, DRAW_PROFILE, DRAW_CCA, DRAW_SENSE };

struct candidate {
    uint64_t id, start, decide_at;
    uint64_t energy[PHY_N_INTERFERENCE]; /* of the others, but for twins, while its preamble lasted, units x samples */
    uint64_t fresh; /* of this: not like noise, and not there before the frame */
};

struct reception {
    bool active;
    uint64_t id, start, end;
    uint64_t report_at;
    unsigned rate_index;
    double power, cfo_hz;
    size_t psdu_len;
    bool header_done, header_ok;
    uint64_t symbol_at;              /* first sample of the symbol under way */
    uint64_t before[PHY_N_INTERFERENCE]; /* energy during the preamble */
    uint64_t energy[PHY_N_INTERFERENCE]; /* in this symbol */
    uint64_t twin, last_twin;            /* energy of its twins in this symbol, and in that before */
    struct phy_packet_levels head;       /* as the lock found them */
    uint64_t covered, last_covered;      /* samples of it in which something is on that is not like noise */
    uint64_t last_energy[PHY_N_INTERFERENCE]; /* of the symbol before, for which last_loss holds */
    double last_loss, loss;
    double quality;                  /* mean over the data symbols of SINR, linear */
    uint64_t n_symbols;
    uint8_t psdu[PHY_MAX_RX_PSDU_BYTES + 1];
};

struct window {
    bool pending, done;
    uint64_t start, end;
    uint64_t energy;
    double mean_power;
};

struct block {
    uint64_t start, energy;
    uint32_t n;
};

struct phy_packet {
    struct phy_packet_config cfg;
    struct phy_packet_sink sink;
    uint64_t position, heard_from;
    uint64_t engaged_until; /* the latest frame's report */
    size_t n_candidates;
    struct candidate candidates[MAX_CANDIDATES];
    struct reception frame;
    struct block profile, cca;
    struct window window;
};

/* --- draws --- */

static uint64_t mix_bits(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t draw_bits(const struct phy_packet *p, enum purpose purpose, uint64_t counter, uint64_t sub)
{
    uint64_t z = mix_bits(p->cfg.seed + 0x9e3779b97f4a7c15u * (uint64_t)purpose);
    z = mix_bits(z ^ p->cfg.stream * 0xd1342543de82ef95u);
    z = mix_bits(z + counter * 0x9e3779b97f4a7c15u);
    return mix_bits(z ^ sub * 0xda942042e4dd58b5u);
}

/* Uniform in (0, 1). */
static double draw_uniform(const struct phy_packet *p, enum purpose purpose, uint64_t counter, uint64_t sub)
{
    return ((double)(draw_bits(p, purpose, counter, sub) >> 12) + 0.5) / 4503599627370496.0;
}

/* Standard normal, by the polar method. */
static double draw_normal(const struct phy_packet *p, enum purpose purpose, uint64_t counter)
{
    for (uint64_t sub = 0;; sub += 2) {
        double u = 2.0 * draw_uniform(p, purpose, counter, sub) - 1.0, v = 2.0 * draw_uniform(p, purpose, counter, sub + 1) - 1.0;
        double s = u * u + v * v;
        if (s < 1.0 && s > 0.0)
            return u * sqrt(-2.0 * 0.693147180559945309417 * phy_log2(s) / s);
    }
}

/* Mean of n unit exponentials (noise power over n samples), after Wilson and Hilferty. */
static double draw_mean_power(const struct phy_packet *p, enum purpose purpose, uint64_t counter, uint64_t n)
{
    double a = 1.0 / (9.0 * (double)n), root = 1.0 - a + draw_normal(p, purpose, counter) * sqrt(a);
    return root > 0.0 ? root * root * root : 0.0;
}

/* --- powers --- */

static uint64_t to_units(const struct phy_packet *p, double power)
{
    double units = power / p->cfg.noise_power * UNITS;
    const double most = 1e12;
    return (uint64_t)(units > 0.0 ? units < most ? units + 0.5 : most : 0.0);
}

/* A sum of units over n samples as a power over the noise power. */
static double to_ratio(uint64_t energy, uint64_t n)
{
    return (double)energy / ((double)n * UNITS);
}

static struct phy_packet_levels describe_levels(const struct phy_packet *p, double power,
                                                const uint64_t energy[PHY_N_INTERFERENCE], uint64_t n)
{
    struct phy_packet_levels levels = {.signal = (double)to_units(p, power) / UNITS};
    for (unsigned k = 0; k < PHY_N_INTERFERENCE; k++)
        levels.interference[k] = to_ratio(energy[k], n);
    return levels;
}

/* Nobody's id, for sums over all. */
static const uint64_t nobody = UINT64_MAX;

static bool is_twin(const struct phy_packet *p, const struct phy_arrival *a, uint64_t id, uint64_t start)
{
    return a->psdu && a->id != id && id != nobody && phy_packet_are_twins(p->cfg.tables, a->start_sample, start);
}

/* Energy over n samples in which no arrival begins or ends: of all but the frame `id`, which began at `start`, and its twins. Returns that
 * of these. */
static uint64_t add_others(const struct phy_packet *p, const struct phy_arrival *arrivals, size_t n_arrivals, uint64_t at, uint64_t n,
                           uint64_t id, uint64_t start, uint64_t energy[PHY_N_INTERFERENCE])
{
    uint64_t twins = 0;
    for (size_t i = 0; i < n_arrivals; i++) {
        const struct phy_arrival *a = &arrivals[i];
        if (a->id == id || a->start_sample > at || a->end_sample <= at)
            continue;
        if (is_twin(p, a, id, start))
            twins += to_units(p, a->power) * n;
        else
            energy[a->interference] += to_units(p, a->power) * n;
    }
    return twins;
}

/* --- blocks of power --- */

/* The first block that is heard whole. */
static void begin_block(struct block *b, uint64_t heard_from, uint32_t n)
{
    *b = (struct block){.start = (heard_from + n - 1) / n * n, .n = n};
}

/* Nothing but noise came up to the position: the block under way begins as any other does. */
static void pass_block(struct block *b, uint64_t position)
{
    if (position > b->start)
        b->start = position / b->n * b->n;
}

static void tell_block(struct phy_packet *p, struct block *b, enum purpose purpose)
{
    double mean = (1.0 + to_ratio(b->energy, b->n)) * draw_mean_power(p, purpose, b->start, b->n) * p->cfg.noise_power;
    if (purpose == DRAW_PROFILE)
        p->sink.on_profile(p->sink.ctx, b->start / b->n, mean);
    else
        p->sink.on_cca(p->sink.ctx, b->start + b->n, mean);
    b->start += b->n;
    b->energy = 0;
}

/* --- frames --- */

static void report_frame(struct phy_packet *p, uint64_t at, bool fcs_ok)
{
    struct reception *r = &p->frame;
    double sinr = r->n_symbols ? r->quality / (double)r->n_symbols : 0.0;
    struct phy_frame frame = {.start_sample = r->start,
                              .end_sample = at < r->end ? at : r->end,
                              .header_ok = r->header_ok,
                              .ht_mcs = -1,
                              .fcs_ok = fcs_ok,
                              .psdu = r->psdu,
                              .psdu_len = r->header_ok ? r->psdu_len : 0,
                              .noise_dbfs = NAN,
                              .evm_db = sinr > 0.0 ? -phy_to_db(sinr) : (double)NAN,
                              .cfo_hz = r->cfo_hz,
                              .corrected_bits = -1,
                              .error_samples = -1};
    r->active = false;
    p->engaged_until = at;
    p->sink.on_frame(p->sink.ctx, at, r->rate_index, &frame);
}

/* Adds what there is of twins; false: one of them is stronger, and the receiver's lock is on that. */
static bool describe_twins(const struct phy_packet *p, const struct phy_arrival *a, const struct phy_arrival *arrivals, size_t n_arrivals,
                           struct phy_packet_levels *levels)
{
    double strongest = 0.0;
    for (size_t i = 0; i < n_arrivals; i++) {
        const struct phy_arrival *b = &arrivals[i];
        if (!is_twin(p, b, a->id, a->start_sample))
            continue;
        if (b->power > a->power || (b->power == a->power && b->id < a->id))
            return false;
        uint64_t apart = b->start_sample > a->start_sample ? b->start_sample - a->start_sample : a->start_sample - b->start_sample;
        levels->twin += (double)to_units(p, b->power) / UNITS;
        if (b->power > strongest) {
            levels->twin_offset = (double)apart;
            levels->twin_cfo = fabs(b->cfo_hz - a->cfo_hz) * SUBCARRIERS / p->cfg.sample_rate_hz;
        }
        levels->twin_differs |= b->rate_index != a->rate_index || b->psdu_len != a->psdu_len;
        strongest = b->power > strongest ? b->power : strongest;
    }
    return true;
}

static void begin_reception(struct phy_packet *p, const struct candidate *c, const struct phy_arrival *a,
                            const struct phy_packet_levels *levels)
{
    uint64_t at = c->decide_at;
    struct reception *r = &p->frame;
    if (r->active)
        report_frame(p, at, false); /* captured by a stronger one */
    memset(r, 0, offsetof(struct reception, psdu));
    r->active = true;
    r->id = a->id;
    r->start = a->start_sample;
    r->end = a->end_sample;
    r->report_at = a->end_sample + p->cfg.tables->frame_delay_samples;
    r->rate_index = a->rate_index;
    r->power = a->power;
    r->cfo_hz = a->cfo_hz;
    r->psdu_len = a->psdu_len;
    r->symbol_at = r->start + HEADER_AT;
    if (r->symbol_at < at) /* the lock comes within the header: what came before the lock is judged by the rest */
        r->symbol_at = at - (at - r->symbol_at) % SYMBOL;
    r->last_loss = -1.0;
    r->head = *levels;
    r->loss = phy_packet_frame_loss(p->cfg.tables, r->rate_index, levels);
    memcpy(r->before, c->energy, sizeof r->before);
    memcpy(r->psdu, a->psdu, a->psdu_len);
    p->sink.on_lock(p->sink.ctx, at);
}

static void decide_lock(struct phy_packet *p, const struct candidate *c, const struct phy_arrival *a, const struct phy_arrival *arrivals,
                        size_t n_arrivals)
{
    if (!p->cfg.tables->captures && (p->frame.active || c->start < p->engaged_until))
        return;
    struct phy_packet_levels levels = describe_levels(p, a->power, c->energy, PREAMBLE);
    levels.fresh = to_ratio(c->fresh, PREAMBLE);
    if (describe_twins(p, a, arrivals, n_arrivals, &levels) &&
        draw_uniform(p, DRAW_LOCK, c->id, 0) < phy_packet_lock(p->cfg.tables, &levels))
        begin_reception(p, c, a, &levels);
}

static double symbol_loss(const struct phy_packet *p, struct reception *r)
{
    struct phy_packet_levels levels = describe_levels(p, r->power, r->energy, SYMBOL);
    levels.twin = to_ratio(r->twin, SYMBOL);
    levels.twin_offset = r->head.twin_offset;
    levels.twin_cfo = r->head.twin_cfo;
    for (unsigned k = 0; k < PHY_N_INTERFERENCE; k++)
        levels.before[k] = to_ratio(r->before[k], PREAMBLE);
    levels.covered = (double)r->covered / SYMBOL;
    double others = 1.0 + levels.twin;
    for (unsigned k = 0; k < PHY_N_INTERFERENCE; k++)
        others += levels.interference[k];
    r->quality += levels.signal / others;
    for (unsigned k = PHY_INTERFERENCE_NOISE + 1; k < PHY_N_INTERFERENCE && r->covered; k++)
        levels.interference[k] = to_ratio(r->energy[k], r->covered);
    if (r->last_loss < 0.0 || r->covered != r->last_covered || r->twin != r->last_twin ||
        memcmp(r->energy, r->last_energy, sizeof r->energy) != 0) {
        r->last_loss = phy_packet_symbol_loss(p->cfg.tables, r->rate_index, &levels);
        memcpy(r->last_energy, r->energy, sizeof r->energy);
        r->last_covered = r->covered;
        r->last_twin = r->twin;
    }
    return r->last_loss;
}

static void end_symbol(struct phy_packet *p)
{
    struct reception *r = &p->frame;
    uint64_t at = r->symbol_at + SYMBOL;
    if (!r->header_done) {
        struct phy_packet_levels levels = describe_levels(p, r->power, r->energy, SYMBOL);
        levels.twin = r->head.twin;
        levels.twin_offset = r->head.twin_offset;
        levels.twin_cfo = r->head.twin_cfo;
        levels.twin_differs = r->head.twin_differs;
        double chance = phy_exp2(-phy_packet_header_loss(p->cfg.tables, r->rate_index, &levels));
        r->header_done = true;
        r->header_ok = draw_uniform(p, DRAW_FRAME, r->id, 0) < chance;
    } else {
        r->loss += symbol_loss(p, r);
        r->n_symbols++;
    }
    memset(r->energy, 0, sizeof r->energy);
    r->covered = r->twin = 0;
    r->symbol_at = at;
    if (!r->header_ok)
        report_frame(p, at, false);
}

static void end_frame(struct phy_packet *p)
{
    struct reception *r = &p->frame;
    double chance = r->loss < 900.0 ? phy_exp2(-r->loss) : 0.0;
    bool ok = draw_uniform(p, DRAW_FRAME, r->id, 1) < chance;
    if (!ok && r->psdu_len > 4) { /* octets that the receiver would have got wrong */
        size_t at = (size_t)(draw_bits(p, DRAW_FRAME, r->id, 2) % (r->psdu_len - 4));
        r->psdu[at] ^= 0x5a;
    }
    report_frame(p, r->report_at, ok);
}

/* --- time --- */

static const struct phy_arrival *find_arrival(const struct phy_arrival *arrivals, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (arrivals[i].id == id)
            return &arrivals[i];
    return NULL;
}

/* Frames that begin here; and, when the receiver has just come back, those that began so lately that it still finds the rest of the
 * preamble. */
static void note_candidates(struct phy_packet *p, const struct phy_arrival *arrivals, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct phy_arrival *a = &arrivals[i];
        bool begins = a->start_sample == p->position;
        bool late = p->heard_from == p->position && a->start_sample < p->position &&
                    p->position <= a->start_sample + p->cfg.tables->max_cut_samples;
        if (a->psdu && (begins || late) && p->n_candidates < MAX_CANDIDATES)
            p->candidates[p->n_candidates++] = (struct candidate){a->id, a->start_sample, .decide_at = a->start_sample +
                                                                  p->cfg.tables->lock_delay_samples};
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Up to where nothing changes. */
static uint64_t next_edge(const struct phy_packet *p, const struct phy_arrival *arrivals, size_t n, uint64_t end)
{
    uint64_t at = p->position, next = end;
    for (size_t i = 0; i < n; i++) {
        if (arrivals[i].start_sample > at)
            next = earlier(next, arrivals[i].start_sample);
        if (arrivals[i].end_sample > at)
            next = earlier(next, arrivals[i].end_sample);
    }
    for (size_t i = 0; i < p->n_candidates; i++) {
        next = earlier(next, p->candidates[i].decide_at);
        if (p->candidates[i].start + PREAMBLE > at)
            next = earlier(next, p->candidates[i].start + PREAMBLE);
    }
    if (p->frame.active) {
        if (p->frame.symbol_at + SYMBOL > at)
            next = earlier(next, p->frame.symbol_at + SYMBOL);
        if (p->frame.report_at > at)
            next = earlier(next, p->frame.report_at);
    }
    next = earlier(next, p->profile.start > at ? p->profile.start : p->profile.start + p->profile.n);
    next = earlier(next, p->cca.start > at ? p->cca.start : p->cca.start + p->cca.n);
    if (p->window.pending)
        next = earlier(next, p->window.start > at ? p->window.start : p->window.end);
    return next;
}

static void add_to_candidate(const struct phy_packet *p, struct candidate *c, const struct phy_arrival *arrivals, size_t n_arrivals,
                             uint64_t n)
{
    uint64_t at = p->position;
    add_others(p, arrivals, n_arrivals, at, n, c->id, c->start, c->energy);
    for (size_t i = 0; i < n_arrivals; i++) {
        const struct phy_arrival *a = &arrivals[i];
        bool is_fresh = a->interference != PHY_INTERFERENCE_NOISE && a->start_sample + PHY_PACKET_KNOWN_SAMPLES > c->start;
        if (is_fresh && a->id != c->id && !is_twin(p, a, c->id, c->start) && a->start_sample <= at && a->end_sample > at)
            c->fresh += to_units(p, a->power) * n;
    }
}

static void add_interference(struct phy_packet *p, const struct phy_arrival *arrivals, size_t n_arrivals, uint64_t n)
{
    uint64_t energy[PHY_N_INTERFERENCE] = {0}, rest = 0;
    p->frame.twin += add_others(p, arrivals, n_arrivals, p->position, n, p->frame.id, p->frame.start, energy);
    for (unsigned k = 0; k < PHY_N_INTERFERENCE; k++) {
        p->frame.energy[k] += energy[k];
        rest += k == PHY_INTERFERENCE_NOISE ? 0 : energy[k];
    }
    p->frame.covered += rest > 0 ? n : 0;
}

static void add_energy(struct phy_packet *p, const struct phy_arrival *arrivals, size_t n_arrivals, uint64_t n)
{
    uint64_t at = p->position, all[PHY_N_INTERFERENCE] = {0}, sum = 0;
    add_others(p, arrivals, n_arrivals, at, n, nobody, 0, all);
    for (unsigned k = 0; k < PHY_N_INTERFERENCE; k++)
        sum += all[k];
    if (at >= p->profile.start)
        p->profile.energy += sum;
    if (at >= p->cca.start)
        p->cca.energy += sum;
    if (p->window.pending && at >= p->window.start)
        p->window.energy += sum;
    for (size_t i = 0; i < p->n_candidates; i++)
        if (at < p->candidates[i].start + PREAMBLE)
            add_to_candidate(p, &p->candidates[i], arrivals, n_arrivals, n);
    if (p->frame.active && at < p->frame.end && at >= p->frame.symbol_at)
        add_interference(p, arrivals, n_arrivals, n);
}

static void end_window(struct phy_packet *p)
{
    struct window *w = &p->window;
    uint64_t n = w->end - w->start;
    w->mean_power = (1.0 + to_ratio(w->energy, n)) * draw_mean_power(p, DRAW_SENSE, w->start, n) * p->cfg.noise_power;
    w->pending = false;
    w->done = true;
}

/* Whatever is due at the position. */
static void decide(struct phy_packet *p, const struct phy_arrival *arrivals, size_t n_arrivals)
{
    uint64_t at = p->position;
    if (at == p->profile.start + p->profile.n)
        tell_block(p, &p->profile, DRAW_PROFILE);
    if (at == p->cca.start + p->cca.n)
        tell_block(p, &p->cca, DRAW_CCA);
    if (p->window.pending && at == p->window.end)
        end_window(p);
    if (p->frame.active && at == p->frame.symbol_at + SYMBOL && at <= p->frame.end)
        end_symbol(p);
    if (p->frame.active && at == p->frame.report_at)
        end_frame(p);
    size_t kept = 0;
    for (size_t i = 0; i < p->n_candidates; i++) {
        const struct candidate c = p->candidates[i];
        const struct phy_arrival *a = find_arrival(arrivals, n_arrivals, c.id);
        if (c.decide_at > at)
            p->candidates[kept++] = c;
        else if (a)
            decide_lock(p, &c, a, arrivals, n_arrivals);
    }
    p->n_candidates = kept;
}

static bool is_quiet(const struct phy_packet *p, size_t n_arrivals, bool busy)
{
    return n_arrivals == 0 && !busy && !p->frame.active && p->n_candidates == 0 && !p->window.pending && p->cca.energy == 0;
}

/* Nothing on the air: noise alone never passes the CCA threshold. */
static void rest(struct phy_packet *p, uint64_t n)
{
    p->position += n;
    pass_block(&p->profile, p->position);
    pass_block(&p->cca, p->position);
}

void phy_packet_advance(struct phy_packet *p, const struct phy_arrival *arrivals, size_t n_arrivals, uint64_t n, bool busy)
{
    uint64_t end = p->position + n;
    if (is_quiet(p, n_arrivals, busy)) {
        rest(p, n);
        return;
    }
    while (p->position < end) {
        note_candidates(p, arrivals, n_arrivals);
        uint64_t next = next_edge(p, arrivals, n_arrivals, end);
        add_energy(p, arrivals, n_arrivals, next - p->position);
        p->position = next;
        decide(p, arrivals, n_arrivals);
    }
}

void phy_packet_skip(struct phy_packet *p, uint64_t n)
{
    p->position += n;
    p->heard_from = p->position;
    p->n_candidates = 0;
    p->frame.active = false;
    if (p->position > p->window.start)
        p->window.pending = false; /* it lost samples */
    begin_block(&p->profile, p->position, p->profile.n);
    begin_block(&p->cca, p->position, p->cca.n);
}

void phy_packet_sense(struct phy_packet *p, uint64_t start_sample, uint64_t n_samples)
{
    p->window = (struct window){.pending = true, .start = start_sample, .end = start_sample + n_samples};
}

bool phy_packet_sensed(struct phy_packet *p, double *mean_power_out)
{
    bool done = p->window.done;
    *mean_power_out = p->window.mean_power;
    p->window.done = false;
    return done;
}

/* --- life --- */

size_t phy_packet_bytes(void)
{
    return (sizeof(struct phy_packet) + 63) / 64 * 64;
}

struct phy_packet *phy_packet_init(void *mem, const struct phy_packet_config *cfg, const struct phy_packet_sink *sink)
{
    struct phy_packet *p = mem;
    assert(cfg->tables && cfg->noise_power > 0.0);
    memset(p, 0, sizeof *p);
    p->cfg = *cfg;
    p->sink = *sink;
    p->position = p->heard_from = cfg->first_sample;
    begin_block(&p->profile, cfg->first_sample, cfg->profile_samples);
    begin_block(&p->cca, cfg->first_sample, cfg->cca_samples);
    return p;
}
