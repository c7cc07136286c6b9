#include "phy/packet/tables.h"

#include "phy/decibel.h"

const char *phy_interference_name(enum phy_interference kind)
{
    static const char *const names[PHY_N_INTERFERENCE] = {"noise", "tone", "pulsed", "ofdm"};
    return (unsigned)kind < PHY_N_INTERFERENCE ? names[kind] : "?";
}

static double at_snr(const struct phy_packet_tables *t, const float *row, double snr_db)
{
    double place = (snr_db - (double)t->snr_first_db) / (double)t->snr_step_db, last = (double)t->n_snr - 1.0;
    place = place > 0.0 ? place < last ? place : last : 0.0;
    uint32_t i = (uint32_t)place;
    double part = place - i;
    return i + 1 < t->n_snr ? (double)row[i] * (1.0 - part) + (double)row[i + 1] * part : (double)row[i];
}

/* Index of the grid interval that holds x, and how far into it x lies; clamped to the grid. */
static uint32_t find_interval(const float *axis, uint32_t n, double x, double *part_out)
{
    uint32_t i = 0;
    while (i + 2 < n && x >= (double)axis[i + 1])
        i++;
    double part = n < 2 ? 0.0 : (x - (double)axis[i]) / ((double)axis[i + 1] - (double)axis[i]);
    *part_out = part > 0.0 ? part < 1.0 ? part : 1.0 : 0.0;
    return i;
}

struct axis {
    const float *at;
    uint32_t n;
};

static double between(const struct axis *snr, const struct axis *sir, const float grid[][PHY_PACKET_MAX_GRID], double snr_db, double sir_db)
{
    double u, v;
    uint32_t i = find_interval(snr->at, snr->n, snr_db, &u);
    uint32_t j = find_interval(sir->at, sir->n, sir_db, &v);
    uint32_t i2 = i + 1 < snr->n ? i + 1 : i, j2 = j + 1 < sir->n ? j + 1 : j;
    return (1.0 - u) * ((1.0 - v) * (double)grid[i][j] + v * (double)grid[i][j2]) +
           u * ((1.0 - v) * (double)grid[i2][j] + v * (double)grid[i2][j2]);
}

static double at_grid(const struct phy_packet_tables *t, const float grid[][PHY_PACKET_MAX_GRID], double snr_db, double sir_db)
{
    const struct axis snr = {t->grid_snr_db, t->n_grid_snr}, sir = {t->grid_sir_db, t->n_grid_sir};
    return between(&snr, &sir, grid, snr_db, sir_db);
}

struct point {
    double snr_db; /* over noise and what is like noise */
    double sir_db; /* over the rest */
    enum phy_interference kind; /* of the rest, the strongest; NOISE: there is no rest */
    bool fresh;                 /* the rest was hardly there before the frame */
    bool sudden;                /* it was not there during the preamble, or weaker by more than 3 dB */
};

static struct point locate(const struct phy_packet_levels *levels)
{
    struct point p = {.snr_db = phy_to_db(levels->signal / (1.0 + levels->interference[PHY_INTERFERENCE_NOISE]))};
    double strongest = 0.0, rest = 0.0;
    for (unsigned k = PHY_INTERFERENCE_NOISE + 1; k < PHY_N_INTERFERENCE; k++) {
        rest += levels->interference[k];
        if (levels->interference[k] > strongest) {
            strongest = levels->interference[k];
            p.kind = (enum phy_interference)k;
        }
    }
    if (rest > 0.0)
        p.sir_db = phy_to_db(levels->signal / rest);
    p.fresh = 2.0 * levels->fresh > rest;
    p.sudden = levels->before[p.kind] < 0.5 * strongest;
    return p;
}

static double from_log2(double log2_loss)
{
    return log2_loss > (double)PHY_PACKET_NO_LOSS ? phy_exp2(log2_loss) : 0.0;
}

/* --- twins --- */

bool phy_packet_are_twins(const struct phy_packet_tables *t, uint64_t a_sample, uint64_t b_sample)
{
    uint64_t apart = a_sample > b_sample ? a_sample - b_sample : b_sample - a_sample;
    return t->twins.n_offset > 0 && apart <= t->twins.span_samples;
}

static double at_twins(const struct phy_packet_tables *t, const phy_packet_twin_grid grid, const struct phy_packet_levels *levels, double snr_db)
{
    const struct phy_packet_twins *w = &t->twins;
    const struct axis snr = {w->snr_db, w->n_snr}, sir = {w->sir_db, w->n_sir};
    double part[2], sum = 0.0, sir_db = phy_to_db(levels->signal / levels->twin);
    uint32_t o = find_interval(w->offset, w->n_offset, levels->twin_offset, &part[0]);
    uint32_t c = find_interval(w->cfo, w->n_cfo, levels->twin_cfo, &part[1]);
    for (unsigned i = 0; i < 4; i++) {
        double weight = (i & 1 ? part[0] : 1.0 - part[0]) * (i & 2 ? part[1] : 1.0 - part[1]);
        uint32_t at = (o + (i & 1)) * w->n_cfo + c + (i >> 1);
        if (weight > 0.0)
            sum += weight * between(&snr, &sir, grid[at], snr_db, sir_db);
    }
    return sum;
}

static double twin_loss(const struct phy_packet_tables *t, const phy_packet_twin_grid grid, const struct phy_packet_levels *levels, double snr_db)
{
    return levels->twin > 0.0 ? from_log2(at_twins(t, grid, levels, snr_db)) : 0.0;
}

/* --- chances --- */

double phy_packet_lock(const struct phy_packet_tables *t, const struct phy_packet_levels *levels)
{
    struct point p = locate(levels);
    double clean = at_snr(t, t->lock, p.snr_db);
    if (levels->twin > 0.0)
        clean *= at_twins(t, t->twins.lock, levels, p.snr_db);
    return p.kind == PHY_INTERFERENCE_NOISE ? clean : clean * at_grid(t, t->grid_lock[p.fresh][p.kind], p.snr_db, p.sir_db);
}

double phy_packet_header_loss(const struct phy_packet_tables *t, unsigned rate_index, const struct phy_packet_levels *levels)
{
    struct point p = locate(levels);
    double loss = from_log2(at_snr(t, t->header_loss, p.snr_db)) + twin_loss(t, t->twins.header_loss[rate_index], levels, p.snr_db);
    if (levels->twin_differs)
        loss += twin_loss(t, t->twins.other_header_loss, levels, p.snr_db);
    if (p.kind != PHY_INTERFERENCE_NOISE)
        loss += from_log2(at_grid(t, t->grid_header_loss[p.kind], p.snr_db, p.sir_db));
    return loss;
}

double phy_packet_frame_loss(const struct phy_packet_tables *t, unsigned rate_index, const struct phy_packet_levels *levels)
{
    return twin_loss(t, t->twins.frame_loss[rate_index], levels, locate(levels).snr_db);
}

double phy_packet_symbol_loss(const struct phy_packet_tables *t, unsigned rate_index, const struct phy_packet_levels *levels)
{
    struct point p = locate(levels);
    double loss = from_log2(at_snr(t, t->symbol_loss[rate_index], p.snr_db)) + twin_loss(t, t->twins.symbol_loss[rate_index], levels, p.snr_db);
    if (p.kind != PHY_INTERFERENCE_NOISE)
        loss += levels->covered * from_log2(at_grid(t, t->grid_symbol_loss[p.sudden][p.kind][rate_index], p.snr_db, p.sir_db));
    return loss;
}
