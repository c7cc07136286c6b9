/* What it costs when another frame begins with this one: two frames with training symbols of their own, and the same. */
#include <math.h>
#include <string.h>

#include "apps/calibrate/measure.h"

enum { SYMBOL = 80, MAX_LEN = 2000, SHORT = 40, LONG = 120, DRAW_SIGN = 110 };

struct twins {
    const struct app_measure_config *cfg;
    struct app_link *link;
    uint64_t *counter;
    struct phy_packet_tables *t;
    size_t len[2][PHY_PACKET_MAX_RATES];        /* of a short frame, and of a long one */
    unsigned n_symbols[2][PHY_PACKET_MAX_RATES];
    double n, locks; /* frames of a cell at all rates, and how many were locked on */
};

struct cell {
    unsigned rate_index;
    size_t len;
    bool other_header;
    double snr_db, sir_db;
    int64_t offset;
    double cfo; /* subcarriers */
    double locks, headers, frames; /* outcome */
};

static void choose_lengths(struct twins *w)
{
    const struct phy_waveform *waveform = w->cfg->waveform;
    static const size_t wanted[2] = {SHORT, LONG};
    for (unsigned k = 0; k < 2; k++)
        for (unsigned r = 0; r < w->t->n_rates; r++) {
            size_t len = 40;
            while (len < MAX_LEN && waveform->frame_samples(len, r) < APP_LINK_HEAD + wanted[k] * SYMBOL)
                len += 4;
            w->len[k][r] = len;
            w->n_symbols[k][r] = (unsigned)((waveform->frame_samples(len, r) - APP_LINK_HEAD) / SYMBOL);
        }
}

static int run_cell(struct twins *w, struct cell *c)
{
    c->locks = c->headers = c->frames = 0;
    for (uint32_t i = 0; i < w->cfg->n_frames; i++) {
        struct app_link_trial t = {.counter = (*w->counter)++, .rate_index = c->rate_index, .psdu_len = c->len, .snr_db = c->snr_db,
                                   .second = {.on = true, .sir_db = c->sir_db, .rate_index = c->rate_index, .psdu_len = c->len}};
        struct app_link_outcome o;
        t.second.start = app_link_draw(w->cfg->seed, DRAW_SIGN, t.counter) < 0.5 ? c->offset : -c->offset;
        t.second.cfo_apart = (app_link_draw(w->cfg->seed, DRAW_SIGN + 1, t.counter) < 0.5 ? c->cfo : -c->cfo) / PHY_N_SUBCARRIERS;
        if (c->other_header)
            t.second.rate_index = (c->rate_index + 1) % w->t->n_rates;
        int rc = app_link_run(w->link, &t, &o);
        if (rc)
            return rc;
        w->n++;
        w->locks += o.locked;
        c->locks += o.locked;
        c->headers += o.header_ok;
        c->frames += o.frame_ok;
    }
    return 0;
}

/* -log2 of a share that was measured. Where none lived, the share falls on with the SIR: as if a sixteenth of a frame had. */
static double loss_of(double part, double whole)
{
    return -log2(fmax(part, 0.0625) / fmax(whole, 1.0));
}

static float to_log2(double loss)
{
    double l = loss > 0.0 ? log2(loss) : (double)PHY_PACKET_NO_LOSS;
    return (float)fmin(fmax(l, (double)PHY_PACKET_NO_LOSS), 6.0);
}

/* Two lengths tell what a frame costs from what each of its symbols costs. */
static void divide(const struct twins *w, unsigned rate, const double loss[2], double *frame_out, double *symbol_out)
{
    double more = (double)w->n_symbols[1][rate] - w->n_symbols[0][rate];
    double symbol = more > 0.0 ? (loss[1] - loss[0]) / more : 0.0;
    symbol = fmin(fmax(symbol, 0.0), fmax(loss[0], 0.0) / w->n_symbols[0][rate]);
    *symbol_out = symbol;
    *frame_out = loss[0] - symbol * w->n_symbols[0][rate];
}

/* What two lengths lose; the long one is spared where the short one loses all or nothing. */
static int measure_lengths(struct twins *w, struct cell *c, double clean, double *header_out, double loss[2])
{
    double headers = 0, locks = 0;
    for (unsigned k = 0; k < 2; k++) {
        c->len = w->len[k][c->rate_index];
        int rc = run_cell(w, c);
        if (rc)
            return rc;
        locks += c->locks;
        headers += c->headers;
        loss[k] = loss_of(c->frames, c->headers) - clean * w->n_symbols[k][c->rate_index];
        if (k == 0 && (c->frames == c->headers || c->frames < 2)) {
            loss[1] = loss[0];
            break;
        }
    }
    *header_out = loss_of(headers, locks);
    return 0;
}

/* Nearly all frames of this rate are lost without a twin, too. */
static bool is_hopeless(const struct twins *w, unsigned rate, double snr_db)
{
    struct phy_packet_levels levels = {.signal = pow(10.0, snr_db / 10.0)};
    return rate > 1 && phy_packet_symbol_loss(w->t, rate, &levels) * w->n_symbols[0][rate] > 3.0;
}

static int measure_rate(struct twins *w, uint32_t o, uint32_t i, uint32_t j, struct cell *c)
{
    struct phy_packet_tables *t = w->t;
    const unsigned rate = c->rate_index;
    struct phy_packet_levels levels = {.signal = pow(10.0, c->snr_db / 10.0)};
    double clean = phy_packet_symbol_loss(t, rate, &levels), clean_header = phy_packet_header_loss(t, rate, &levels);
    double header = 0, loss[2] = {0}, frame = 0, symbol = 0;
    if (is_hopeless(w, rate, c->snr_db)) {
        t->twins.header_loss[rate][o][i][j] = t->twins.header_loss[rate - 1][o][i][j];
        t->twins.frame_loss[rate][o][i][j] = t->twins.symbol_loss[rate][o][i][j] = PHY_PACKET_NO_LOSS;
        return 0;
    }
    int rc = measure_lengths(w, c, clean, &header, loss);
    divide(w, rate, loss, &frame, &symbol);
    t->twins.header_loss[rate][o][i][j] = to_log2(header - clean_header);
    t->twins.frame_loss[rate][o][i][j] = to_log2(frame);
    t->twins.symbol_loss[rate][o][i][j] = to_log2(symbol);
    return rc;
}

static int measure_cell(struct twins *w, uint32_t o, uint32_t i, uint32_t j)
{
    const unsigned of_header = 2;
    struct phy_packet_tables *t = w->t;
    struct cell c = {.snr_db = (double)t->twins.snr_db[i], .sir_db = (double)t->twins.sir_db[j],
                     .offset = (int64_t)t->twins.offset[o / t->twins.n_cfo], .cfo = (double)t->twins.cfo[o % t->twins.n_cfo]};
    struct phy_packet_levels levels = {.signal = pow(10.0, c.snr_db / 10.0)};
    double clean_lock = phy_packet_lock(t, &levels);
    int rc = 0;
    w->n = w->locks = 0;
    for (c.rate_index = 0; c.rate_index < t->n_rates && rc == 0; c.rate_index++)
        rc = measure_rate(w, o, i, j, &c);
    t->twins.lock[o][i][j] = (float)fmin(w->locks / fmax(w->n * clean_lock, 1.0), 1.0);
    c.rate_index = of_header % t->n_rates;
    c.len = w->len[0][c.rate_index];
    c.other_header = true;
    if (rc == 0)
        rc = run_cell(w, &c);
    levels.twin = levels.signal * pow(10.0, -c.sir_db / 10.0);
    levels.twin_offset = (double)c.offset;
    levels.twin_cfo = c.cfo;
    t->twins.other_header_loss[o][i][j] = to_log2(loss_of(c.headers, c.locks) - phy_packet_header_loss(t, c.rate_index, &levels));
    return rc;
}

/* What a twin costs cannot be seen where all is lost without it. There it counts as much as at the next SNR, so that it does not fade away
 * between the two. */
static void fill_hopeless(const struct twins *w)
{
    struct phy_packet_twins *twins = &w->t->twins;
    for (unsigned r = 0; r < w->t->n_rates; r++)
        for (uint32_t i = twins->n_snr - 1; i-- > 0;)
            for (uint32_t o = 0; o < twins->n_offset * twins->n_cfo && is_hopeless(w, r, (double)twins->snr_db[i]); o++) {
                memcpy(twins->frame_loss[r][o][i], twins->frame_loss[r][o][i + 1], sizeof twins->frame_loss[r][o][i]);
                memcpy(twins->symbol_loss[r][o][i], twins->symbol_loss[r][o][i + 1], sizeof twins->symbol_loss[r][o][i]);
            }
}

/* A weaker twin is never worse: what the draws of a cell say against that is noise. */
static void smooth(const struct phy_packet_tables *t, phy_packet_twin_grid grid, bool rises)
{
    for (uint32_t o = 0; o < t->twins.n_offset * t->twins.n_cfo; o++)
        for (uint32_t i = 0; i < t->twins.n_snr; i++)
            for (uint32_t j = t->twins.n_sir - 1; j > 0; j--)
                if (rises ? grid[o][i][j - 1] > grid[o][i][j] : grid[o][i][j - 1] < grid[o][i][j])
                    grid[o][i][j - 1] = grid[o][i][j];
}

int app_measure_twins(const struct app_measure_config *cfg, struct app_link *link, uint64_t *counter, struct phy_packet_tables *t)
{
    /* span: within the guard interval and the receiver's search for the first path */
    static const float offset[] = {0, 4}, cfo[] = {0, 0.005f, 0.02f, 0.05f, 0.12f}, snr_db[] = {8, 14, 24},
                       sir_db[] = {-3, 0, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24};
    struct phy_packet_twins *twins = &t->twins;
    struct twins w = {.cfg = cfg, .link = link, .counter = counter, .t = t};
    int rc = 0;
    choose_lengths(&w);
    *twins = (struct phy_packet_twins){.n_offset = sizeof offset / sizeof *offset, .n_cfo = sizeof cfo / sizeof *cfo,
                                       .n_snr = sizeof snr_db / sizeof *snr_db, .n_sir = sizeof sir_db / sizeof *sir_db, .span_samples = 20};
    memcpy(twins->offset, offset, sizeof offset);
    memcpy(twins->cfo, cfo, sizeof cfo);
    memcpy(twins->snr_db, snr_db, sizeof snr_db);
    memcpy(twins->sir_db, sir_db, sizeof sir_db);
    const uint32_t n = twins->n_offset * twins->n_cfo;
    for (uint32_t o = 0; o < n && rc == 0; o++)
        for (uint32_t i = 0; i < twins->n_snr && rc == 0; i++) {
            for (uint32_t j = 0; j < twins->n_sir && rc == 0; j++)
                rc = measure_cell(&w, o, i, j);
            if (cfg->progress)
                cfg->progress(cfg->ctx, "twins", (o + (i + 1.0) / twins->n_snr) / n);
        }
    fill_hopeless(&w);
    smooth(t, t->twins.lock, true);
    smooth(t, t->twins.other_header_loss, false);
    for (unsigned r = 0; r < t->n_rates; r++) {
        smooth(t, t->twins.header_loss[r], false);
        smooth(t, t->twins.frame_loss[r], false);
    }
    return rc;
}
