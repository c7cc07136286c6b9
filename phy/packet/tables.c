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

static double at_grid(const struct phy_packet_tables *t, const float grid[][PHY_PACKET_MAX_GRID], double snr_db, double sir_db)
{
    double u, v;
    uint32_t i = find_interval(t->grid_snr_db, t->n_grid_snr, snr_db, &u);
    uint32_t j = find_interval(t->grid_sir_db, t->n_grid_sir, sir_db, &v);
    uint32_t i2 = i + 1 < t->n_grid_snr ? i + 1 : i, j2 = j + 1 < t->n_grid_sir ? j + 1 : j;
    return (1.0 - u) * ((1.0 - v) * (double)grid[i][j] + v * (double)grid[i][j2]) +
           u * ((1.0 - v) * (double)grid[i2][j] + v * (double)grid[i2][j2]);
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

double phy_packet_lock(const struct phy_packet_tables *t, const struct phy_packet_levels *levels)
{
    struct point p = locate(levels);
    double clean = at_snr(t, t->lock, p.snr_db);
    return p.kind == PHY_INTERFERENCE_NOISE ? clean : clean * at_grid(t, t->grid_lock[p.fresh][p.kind], p.snr_db, p.sir_db);
}

double phy_packet_header_loss(const struct phy_packet_tables *t, const struct phy_packet_levels *levels)
{
    struct point p = locate(levels);
    double loss = from_log2(at_snr(t, t->header_loss, p.snr_db));
    if (p.kind != PHY_INTERFERENCE_NOISE)
        loss += from_log2(at_grid(t, t->grid_header_loss[p.kind], p.snr_db, p.sir_db));
    return loss;
}

double phy_packet_symbol_loss(const struct phy_packet_tables *t, unsigned rate_index, const struct phy_packet_levels *levels)
{
    struct point p = locate(levels);
    double loss = from_log2(at_snr(t, t->symbol_loss[rate_index], p.snr_db));
    if (p.kind != PHY_INTERFERENCE_NOISE)
        loss += levels->covered * from_log2(at_grid(t, t->grid_symbol_loss[p.sudden][p.kind][rate_index], p.snr_db, p.sir_db));
    return loss;
}
