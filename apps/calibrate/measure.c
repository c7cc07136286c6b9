#include "apps/calibrate/measure.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SYMBOL = 80, N_DATA_SYMBOLS = 40, MAX_LEN = 2000, PULSE_EVERY = 10 };

/* Which symbols are interfered with. */
enum cover { COVER_NOTHING, COVER_ALL, COVER_FRAME, COVER_SOME, COVER_PULSES, COVER_HEADER, COVER_PREAMBLE_PULSE };

struct cell {
    enum cover cover;
    unsigned rate_index;
    double snr_db, sir_db;
    enum phy_interference kind;
    unsigned n_covered; /* COVER_SOME: data symbols in a row */
    uint64_t n_missed;
    /* outcome */
    double n, locks, headers, frames;
    double covered;       /* data symbols a frame, mean */
    double cca_delay, lock_delay, frame_delay; /* means */
};

struct measure {
    struct app_measure_config cfg;
    struct app_link *link;
    struct phy_packet_tables *t;
    uint64_t counter;
    size_t len[PHY_PACKET_MAX_RATES];
    unsigned n_symbols[PHY_PACKET_MAX_RATES];
};

static void tell(const struct measure *m, const char *what, double share)
{
    if (m->cfg.progress)
        m->cfg.progress(m->cfg.ctx, what, share);
}

/* A frame of about N_DATA_SYMBOLS at each rate. */
static void choose_lengths(struct measure *m)
{
    for (unsigned r = 0; r < m->t->n_rates; r++) {
        size_t len = 40;
        while (len < MAX_LEN && m->cfg.waveform->frame_samples(len, r) < APP_LINK_HEAD + N_DATA_SYMBOLS * SYMBOL)
            len += 4;
        m->len[r] = len;
        m->n_symbols[r] = (unsigned)((m->cfg.waveform->frame_samples(len, r) - APP_LINK_HEAD) / SYMBOL);
    }
}

static void add_span(struct app_link_trial *t, int64_t start, int64_t end)
{
    t->spans[t->n_spans++] = (struct app_link_span){start, end};
}

static unsigned place_spans(const struct measure *m, const struct cell *c, struct app_link_trial *t)
{
    unsigned n = m->n_symbols[c->rate_index], covered = 0;
    double draw = app_link_draw(m->cfg.seed, 100, t->counter);
    t->n_spans = 0;
    switch (c->cover) {
    case COVER_ALL:
        add_span(t, -APP_LINK_HEAD, APP_LINK_HEAD + (int64_t)(n + 1) * SYMBOL);
        return n;
    case COVER_FRAME:
        add_span(t, 0, APP_LINK_HEAD + (int64_t)(n + 1) * SYMBOL);
        return n;
    case COVER_SOME: {
        int64_t first = APP_LINK_HEAD + (int64_t)(draw * ((n - c->n_covered) * SYMBOL + 1));
        add_span(t, first, first + c->n_covered * SYMBOL);
        return c->n_covered;
    }
    case COVER_PULSES:
        for (unsigned at = (unsigned)(draw * PULSE_EVERY * SYMBOL); at + SYMBOL <= n * SYMBOL; at += PULSE_EVERY * SYMBOL, covered++)
            add_span(t, APP_LINK_HEAD + at, APP_LINK_HEAD + at + SYMBOL);
        return covered;
    case COVER_HEADER:
        add_span(t, APP_LINK_HEAD - SYMBOL, APP_LINK_HEAD);
        return 0;
    case COVER_PREAMBLE_PULSE: {
        int64_t at = (int64_t)(draw * (APP_LINK_HEAD - 2 * SYMBOL));
        add_span(t, at, at + SYMBOL);
        return 0;
    }
    case COVER_NOTHING:
    default:
        return 0;
    }
}

static int run_cell(struct measure *m, struct cell *c)
{
    c->n = c->locks = c->headers = c->frames = c->covered = 0;
    double n_busy = 0;
    c->cca_delay = c->lock_delay = c->frame_delay = 0;
    for (uint32_t i = 0; i < m->cfg.n_frames; i++) {
        struct app_link_trial t = {.counter = m->counter++, .rate_index = c->rate_index, .psdu_len = m->len[c->rate_index],
                                   .snr_db = c->snr_db, .sir_db = c->sir_db, .kind = c->kind, .n_missed = c->n_missed};
        struct app_link_outcome o;
        c->covered += place_spans(m, c, &t);
        int rc = app_link_run(m->link, &t, &o);
        if (rc)
            return rc;
        c->n++;
        c->locks += o.locked;
        c->headers += o.header_ok;
        c->frames += o.frame_ok;
        n_busy += o.busy;
        c->cca_delay += o.busy ? (double)o.cca_delay : 0.0;
        c->lock_delay += o.locked ? (double)o.lock_delay : 0.0;
        c->frame_delay += o.frame_ok ? (double)o.frame_delay : 0.0;
    }
    c->covered /= c->n;
    c->cca_delay /= fmax(n_busy, 1.0);
    c->lock_delay /= fmax(c->locks, 1.0);
    c->frame_delay /= fmax(c->frames, 1.0);
    return 0;
}

static double share(double part, double whole)
{
    return whole > 0.0 ? part / whole : 0.0;
}

static float to_log2(double loss)
{
    double l = loss > 0.0 ? log2(loss) : (double)PHY_PACKET_NO_LOSS;
    return (float)fmin(fmax(l, (double)PHY_PACKET_NO_LOSS), 6.0);
}

/* -log2 of a share that was measured; none lived: as if half a frame of all had. */
static double loss_of(double part, double whole)
{
    return -log2(fmax(part, 0.5) / fmax(whole, 1.0));
}

static const double too_few = 0.08; /* frames that live: below, fewer symbols are interfered with */

/* Loss of a data symbol that is covered, where whole frames do not live: fewer and fewer are covered until some do. */
static int measure_covered(struct measure *m, struct cell *c, double clean_loss, double *loss_out)
{
    c->cover = COVER_SOME;
    for (c->n_covered = N_DATA_SYMBOLS / 2; c->n_covered >= 1; c->n_covered /= 2) {
        int rc = run_cell(m, c);
        if (rc)
            return rc;
        if (c->n_covered == 1 || share(c->frames, c->headers) > too_few)
            break;
    }
    *loss_out = (loss_of(c->frames, c->headers) - clean_loss * m->n_symbols[c->rate_index]) / c->n_covered;
    return 0;
}

/* --- without interference --- */

static double grid_db(const struct phy_packet_tables *t, uint32_t i)
{
    return (double)t->snr_first_db + (double)t->snr_step_db * i;
}

/* Noise over a few symbols so that their SINR is snr_db. */
static int measure_low(struct measure *m, unsigned rate, double snr_db, double *loss_out)
{
    struct cell c = {.rate_index = rate, .snr_db = snr_db + 25.0, .kind = PHY_INTERFERENCE_NOISE};
    double noise_share = pow(10.0, -c.snr_db / 10.0), all = pow(10.0, -snr_db / 10.0);
    c.sir_db = -10.0 * log10(all - noise_share);
    return measure_covered(m, &c, 0.0, loss_out);
}

static int measure_symbol(struct measure *m, unsigned rate, uint32_t i, double *loss_out)
{
    struct cell c = {.rate_index = rate, .snr_db = grid_db(m->t, i)};
    int rc = run_cell(m, &c);
    if (rc)
        return rc;
    if (share(c.frames, c.headers) < too_few || c.headers < 0.2 * c.n)
        return measure_low(m, rate, grid_db(m->t, i), loss_out);
    *loss_out = loss_of(c.frames, c.headers) / m->n_symbols[rate];
    return 0;
}

/* From the strongest signal down: in steps of 4 dB while no frame is lost, then in the table's. */
static int measure_rate(struct measure *m, unsigned rate)
{
    const uint32_t stride = (uint32_t)(4.0 / (double)m->t->snr_step_db);
    const double hopeless = 6.0;
    float *row = m->t->symbol_loss[rate];
    uint32_t i = m->t->n_snr - 1;
    for (uint32_t k = 0; k < m->t->n_snr; k++)
        row[k] = PHY_PACKET_NO_LOSS;
    for (double loss = 0.0; i >= stride; i -= stride) {
        int rc = measure_symbol(m, rate, i, &loss);
        if (rc)
            return rc;
        if (loss > 0.0)
            break;
    }
    unsigned n_hopeless = 0;
    double worst = 0.0;
    for (i = i + stride < m->t->n_snr ? i + stride : m->t->n_snr - 1;; i--) {
        double loss = worst;
        int rc = n_hopeless < 3 ? measure_symbol(m, rate, i, &loss) : 0;
        if (rc)
            return rc;
        worst = loss > worst ? loss : worst; /* less signal is never better */
        row[i] = to_log2(worst);
        n_hopeless += worst > hopeless;
        if (i == 0)
            return 0;
    }
}

static int measure_head(struct measure *m)
{
    struct phy_packet_tables *t = m->t;
    bool all = false;
    for (uint32_t i = 0; i < t->n_snr; i++) {
        struct cell c = {.snr_db = grid_db(t, i)};
        int rc = all ? 0 : run_cell(m, &c);
        if (rc)
            return rc;
        all = all || c.headers >= c.n;
        t->lock[i] = all ? 1.0f : (float)share(c.locks, c.n);
        t->header_loss[i] = all ? PHY_PACKET_NO_LOSS : to_log2(loss_of(c.headers, c.locks));
        if (i > 0 && t->lock[i] < t->lock[i - 1])
            t->lock[i] = t->lock[i - 1];
        if (i > 0 && t->header_loss[i] > t->header_loss[i - 1])
            t->header_loss[i] = t->header_loss[i - 1];
    }
    return 0;
}

/* --- delays and what the receiver can do without --- */

static int measure_delays(struct measure *m)
{
    struct phy_packet_tables *t = m->t;
    struct cell c = {.snr_db = 25.0};
    int rc = run_cell(m, &c);
    if (rc)
        return rc;
    if (c.frames < 0.9 * c.n)
        return -EDOM; /* not even at 25 dB: nothing to measure */
    t->cca_delay_samples = (uint32_t)lround(c.cca_delay);
    t->lock_delay_samples = (uint32_t)lround(c.lock_delay);
    t->frame_delay_samples = (uint32_t)lround(fmax(c.frame_delay, 0.0));
    for (t->max_cut_samples = 0; t->max_cut_samples < 160; t->max_cut_samples += 8) {
        c.n_missed = t->max_cut_samples + 8;
        rc = run_cell(m, &c);
        if (rc || c.frames < 0.5 * c.n)
            return rc;
    }
    return 0;
}

/* A frame that begins within another one, 20 dB stronger: does it come through? */
static int measure_capture(struct measure *m)
{
    enum { N = 20 };
    double captured = 0;
    for (uint32_t i = 0; i < N; i++) {
        struct app_link_trial t = {.counter = m->counter++, .psdu_len = 400, .snr_db = 20.0,
                                   .second = {.on = true, .start = 2000, .sir_db = -20.0, .psdu_len = 400}};
        struct app_link_outcome o;
        int rc = app_link_run(m->link, &t, &o);
        if (rc)
            return rc;
        captured += o.second_ok;
    }
    m->t->captures = captured > N / 2;
    return 0;
}

/* --- with interference --- */

static int measure_grid_head(struct measure *m, enum phy_interference kind, uint32_t i, uint32_t j)
{
    struct phy_packet_tables *t = m->t;
    struct cell clean = {.snr_db = (double)t->grid_snr_db[i]}, c = clean;
    c.kind = kind;
    c.sir_db = (double)t->grid_sir_db[j];
    c.cover = COVER_ALL;
    if (kind == PHY_INTERFERENCE_PULSED) { /* a quarter of the preamble: the tables speak of the mean over it */
        c.cover = COVER_PREAMBLE_PULSE;
        c.sir_db -= 10.0 * log10(4.0);
    }
    int rc = run_cell(m, &clean);
    if (rc == 0)
        rc = run_cell(m, &c);
    if (rc)
        return rc;
    t->grid_lock[0][kind][i][j] = t->grid_lock[1][kind][i][j] = (float)fmin(share(c.locks, clean.locks), 1.0);
    if (kind != PHY_INTERFERENCE_PULSED) {
        c.cover = COVER_FRAME;
        rc = run_cell(m, &c);
        if (rc)
            return rc;
        t->grid_lock[1][kind][i][j] = (float)fmin(share(c.locks, clean.locks), 1.0);
    }
    c.cover = COVER_HEADER;
    c.sir_db = (double)t->grid_sir_db[j];
    rc = run_cell(m, &c);
    t->grid_header_loss[kind][i][j] = to_log2(loss_of(c.headers, c.locks) - loss_of(clean.headers, clean.locks));
    return rc;
}

/* Interference that is there from before the frame; pulses come when they come. */
static int measure_steady(struct measure *m, struct cell *c, double clean_loss, double *loss_out)
{
    c->cover = c->kind == PHY_INTERFERENCE_PULSED ? COVER_PULSES : COVER_ALL;
    int rc = run_cell(m, c);
    if (rc == 0 && (share(c->frames, c->headers) < too_few || c->headers < 0.2 * c->n))
        return measure_covered(m, c, clean_loss, loss_out);
    *loss_out = (loss_of(c->frames, c->headers) - clean_loss * m->n_symbols[c->rate_index]) / c->covered;
    return rc;
}

static int measure_grid_symbol(struct measure *m, enum phy_interference kind, unsigned rate, uint32_t i, uint32_t j)
{
    struct phy_packet_tables *t = m->t;
    struct phy_packet_levels levels = {.signal = pow(10.0, (double)t->grid_snr_db[i] / 10.0)};
    double clean_loss = phy_packet_symbol_loss(t, rate, &levels), steady = 0.0, sudden = 0.0;
    for (unsigned k = 0; k < 2; k++)
        t->grid_symbol_loss[k][kind][rate][i][j] = PHY_PACKET_NO_LOSS;
    if (clean_loss * m->n_symbols[rate] > 3.0)
        return 0; /* lost without interference, too */
    struct cell c = {.rate_index = rate, .snr_db = (double)t->grid_snr_db[i], .sir_db = (double)t->grid_sir_db[j], .kind = kind};
    int rc = measure_steady(m, &c, clean_loss, &steady);
    if (rc == 0 && kind != PHY_INTERFERENCE_PULSED)
        rc = measure_covered(m, &c, clean_loss, &sudden);
    else
        sudden = steady;
    t->grid_symbol_loss[0][kind][rate][i][j] = to_log2(steady);
    t->grid_symbol_loss[1][kind][rate][i][j] = to_log2(sudden);
    return rc;
}

/* More interference is never better: what the draws of a cell say against that is noise. */
static void smooth(const struct phy_packet_tables *t, float grid[][PHY_PACKET_MAX_GRID], bool rises)
{
    for (uint32_t i = 0; i < t->n_grid_snr; i++)
        for (uint32_t j = t->n_grid_sir - 1; j > 0; j--)
            if (rises ? grid[i][j - 1] > grid[i][j] : grid[i][j - 1] < grid[i][j])
                grid[i][j - 1] = grid[i][j];
}

static int measure_kind(struct measure *m, enum phy_interference kind)
{
    struct phy_packet_tables *t = m->t;
    int rc = 0;
    for (uint32_t i = 0; i < t->n_grid_snr && rc == 0; i++) {
        for (uint32_t j = 0; j < t->n_grid_sir && rc == 0; j++) {
            rc = measure_grid_head(m, kind, i, j);
            for (unsigned r = 0; r < t->n_rates && rc == 0; r++)
                rc = measure_grid_symbol(m, kind, r, i, j);
        }
        tell(m, phy_interference_name(kind), (double)(i + 1) / t->n_grid_snr);
    }
    smooth(t, t->grid_lock[0][kind], true);
    smooth(t, t->grid_lock[1][kind], true);
    smooth(t, t->grid_header_loss[kind], false);
    for (unsigned r = 0; r < t->n_rates; r++) {
        smooth(t, t->grid_symbol_loss[0][kind][r], false);
        smooth(t, t->grid_symbol_loss[1][kind][r], false);
    }
    return rc;
}

static void lay_out(struct phy_packet_tables *t, const struct phy_waveform *waveform)
{
    static const float snr_db[] = {4, 8, 12, 16, 20, 25, 30}, sir_db[] = {-20, -15, -10, -6, -3, 0, 3, 6, 10, 15, 20, 30};
    memset(t, 0, sizeof *t);
    strncpy(t->waveform, waveform->name, sizeof t->waveform - 1);
    t->n_rates = waveform->n_rates;
    t->n_snr = 91;
    t->snr_first_db = -10.0f;
    t->snr_step_db = 0.5f;
    t->n_grid_snr = sizeof snr_db / sizeof *snr_db;
    t->n_grid_sir = sizeof sir_db / sizeof *sir_db;
    memcpy(t->grid_snr_db, snr_db, sizeof snr_db);
    memcpy(t->grid_sir_db, sir_db, sizeof sir_db);
}

int app_measure_tables(const struct app_measure_config *cfg, struct phy_packet_tables *out)
{
    struct measure m = {.cfg = *cfg, .t = out};
    struct app_link_config link = {.waveform = cfg->waveform, .sample_rate_hz = cfg->sample_rate_hz, .seed = cfg->seed};
    lay_out(out, cfg->waveform);
    choose_lengths(&m);
    int rc = app_link_open(&link, &m.link);
    if (rc)
        return rc;
    rc = measure_delays(&m);
    if (rc == 0)
        rc = measure_capture(&m);
    if (rc == 0)
        rc = measure_head(&m);
    for (unsigned r = 0; r < out->n_rates && rc == 0; r++) {
        rc = measure_rate(&m, r);
        tell(&m, "rates", (double)(r + 1) / out->n_rates);
    }
    for (unsigned k = PHY_INTERFERENCE_NOISE + 1; k < PHY_N_INTERFERENCE && rc == 0; k++)
        rc = measure_kind(&m, (enum phy_interference)k);
    if (rc == 0)
        rc = app_measure_twins(cfg, m.link, &m.counter, out);
    app_link_close(m.link);
    return rc;
}

int app_measure_twins_again(const struct app_measure_config *cfg, struct phy_packet_tables *tables)
{
    struct app_link_config config = {.waveform = cfg->waveform, .sample_rate_hz = cfg->sample_rate_hz, .seed = cfg->seed};
    struct app_link *link;
    uint64_t counter = 0;
    int rc = app_link_open(&config, &link);
    if (rc)
        return rc;
    rc = app_measure_twins(cfg, link, &counter, tables);
    app_link_close(link);
    return rc;
}
