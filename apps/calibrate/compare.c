#include "apps/calibrate/measure.h"

#include <math.h>

static const double overlaps[] = {0.1, 0.5, 1.0}, js_db[] = {-10, -5, 0, 5, 10, 15, 20};
enum { N_OVERLAPS = 3, N_JS = 7, PULSE = 80, PULSE_PERIOD = 800 };

/* The interferer covers a share of the frame from a random place on; pulses only a tenth of that. */
static void place(const struct app_measure_config *cfg, const struct app_compare_cell *cell, int64_t n, struct app_link_trial *t)
{
    int64_t len = (int64_t)(cell->overlap * (double)n), start = (int64_t)(app_link_draw(cfg->seed, 200, t->counter) * (double)(n - len));
    t->n_spans = 0;
    if (cell->kind != PHY_INTERFERENCE_PULSED) {
        t->spans[t->n_spans++] = (struct app_link_span){start, start + len};
        return;
    }
    int64_t first = start + (int64_t)(app_link_draw(cfg->seed, 201, t->counter) * PULSE_PERIOD);
    for (int64_t at = first; at < start + len && t->n_spans < APP_LINK_MAX_SPANS; at += PULSE_PERIOD)
        t->spans[t->n_spans++] = (struct app_link_span){at, at + PULSE};
}

static int run_cell(const struct app_measure_config *cfg, struct app_link *link, const struct app_compare_cell *cell,
                    struct app_link_trial *t, int64_t n, uint64_t first, double *per_out)
{
    double lost = 0;
    for (uint32_t i = 0; i < cfg->n_frames; i++) {
        struct app_link_outcome o;
        t->counter = first + i;
        place(cfg, cell, n, t);
        int rc = app_link_run(link, t, &o);
        if (rc)
            return rc;
        lost += !o.frame_ok;
    }
    *per_out = lost / cfg->n_frames;
    return 0;
}

static int compare_cells(const struct app_measure_config *cfg, struct app_link *iq, struct app_link *packet, struct app_link_trial *t,
                         struct app_compare_cell *out, size_t *n_out)
{
    int64_t n = (int64_t)cfg->waveform->frame_samples(t->psdu_len, t->rate_index);
    for (unsigned k = 0; k < PHY_N_INTERFERENCE; k++)
        for (size_t o = 0; o < N_OVERLAPS; o++)
            for (size_t j = 0; j < N_JS; j++) {
                struct app_compare_cell *c = &out[*n_out];
                *c = (struct app_compare_cell){.kind = (enum phy_interference)k, .overlap = overlaps[o], .js_db = js_db[j]};
                t->kind = c->kind;
                t->sir_db = -c->js_db;
                uint64_t first = (uint64_t)*n_out * cfg->n_frames;
                int rc = run_cell(cfg, iq, c, t, n, first, &c->per_iq);
                if (rc == 0)
                    rc = run_cell(cfg, packet, c, t, n, first, &c->per_packet);
                if (rc)
                    return rc;
                ++*n_out;
                if (cfg->progress)
                    cfg->progress(cfg->ctx, "compare", (double)*n_out / (PHY_N_INTERFERENCE * N_OVERLAPS * N_JS));
            }
    return 0;
}

static int measure_delays(const struct app_measure_config *cfg, struct app_link *link, struct app_link_trial *t,
                          struct app_compare_delays *out)
{
    double n_busy = 0, n_locked = 0, n_ok = 0;
    *out = (struct app_compare_delays){0};
    t->n_spans = 0;
    for (uint32_t i = 0; i < cfg->n_frames; i++) {
        struct app_link_outcome o;
        t->counter = UINT32_MAX + (uint64_t)i;
        int rc = app_link_run(link, t, &o);
        if (rc)
            return rc;
        n_busy += o.busy;
        n_locked += o.locked;
        n_ok += o.frame_ok;
        out->cca += o.busy ? (double)o.cca_delay : 0;
        out->lock += o.locked ? (double)o.lock_delay : 0;
        out->frame += o.frame_ok ? (double)o.frame_delay : 0;
    }
    out->cca /= fmax(n_busy, 1);
    out->lock /= fmax(n_locked, 1);
    out->frame /= fmax(n_ok, 1);
    return 0;
}

int app_compare(const struct app_measure_config *cfg, const struct phy_packet_tables *tables, double snr_db, unsigned rate_index,
                size_t psdu_len, struct app_compare_cell out[APP_COMPARE_MAX_CELLS], size_t *n_out,
                struct app_compare_delays *iq_out, struct app_compare_delays *packet_out)
{
    struct app_link_config link = {.waveform = cfg->waveform, .sample_rate_hz = cfg->sample_rate_hz, .seed = cfg->seed};
    struct app_link *iq = NULL, *packet = NULL;
    struct app_link_trial trial = {.rate_index = rate_index, .psdu_len = psdu_len, .snr_db = snr_db};
    *n_out = 0;
    int rc = app_link_open(&link, &iq);
    link.tables = tables;
    if (rc == 0)
        rc = app_link_open(&link, &packet);
    if (rc == 0)
        rc = measure_delays(cfg, iq, &trial, iq_out);
    if (rc == 0)
        rc = measure_delays(cfg, packet, &trial, packet_out);
    if (rc == 0)
        rc = compare_cells(cfg, iq, packet, &trial, out, n_out);
    if (iq)
        app_link_close(iq);
    if (packet)
        app_link_close(packet);
    return rc;
}
