#include "apps/latency.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STALE_BLOCKS = 256, MAX_CONFIRMATIONS = 24 };

static const int64_t receive_timeout_ns = 100000000;
static const int64_t patience_ns = 5000000000; /* without samples, or without a report */

enum outcome { OUT_IN_TIME, OUT_LATE, OUT_OTHER };

struct probe {
    const struct app_latency_config *cfg;
    struct app_latency_result *result;
    float complex *samples, *burst;
    uint64_t next;         /* sample after the latest block */
    int64_t earliest_ns;   /* host time less sample time, the smallest seen */
    int64_t raw_ns[APP_LATENCY_MAX_JITTER];
    size_t n_raw;
    uint64_t busy_until;   /* end of the latest burst */
    char *error;
};

static int64_t sample_ns(const struct probe *p, uint64_t sample)
{
    return (int64_t)((double)sample * (1e9 / (double)p->cfg->radio->sample_rate_hz));
}

static int64_t now_ns(const struct probe *p)
{
    return p->cfg->now_ns(p->cfg->ctx);
}

static int fail(const struct probe *p, int err, const char *what)
{
    const struct phy_radio *r = p->cfg->radio;
    const char *why = r->ops->last_error ? r->ops->last_error(r) : "";
    snprintf(p->error, APP_LATENCY_MAX_ERROR, "%s%s%s", what, why && *why ? ": " : "", why ? why : "");
    return err;
}

static void keep_jitter(struct probe *p, int64_t at_ns)
{
    int64_t behind_ns = at_ns - sample_ns(p, p->next);
    if (p->n_raw == 0 || behind_ns < p->earliest_ns)
        p->earliest_ns = behind_ns;
    if (p->n_raw < APP_LATENCY_MAX_JITTER)
        p->raw_ns[p->n_raw++] = behind_ns;
}

static enum app_radio_verdict tick_gate(const struct probe *p, int64_t at_ns)
{
    if (!p->cfg->gate)
        return APP_RADIO_OPEN;
    struct app_radio_clocks clocks = {sample_ns(p, p->next), at_ns, p->cfg->wall_ns(p->cfg->ctx)};
    return app_radio_gate_tick(p->cfg->gate, &clocks);
}

/* One block. 1; 0 when none came within the timeout. */
static int receive(struct probe *p, int64_t timeout_ns)
{
    struct phy_radio *r = p->cfg->radio;
    struct phy_radio_block block;
    int rc = r->ops->receive(r, p->samples, p->cfg->cap, timeout_ns, &block);
    int64_t at_ns = now_ns(p);
    (void)tick_gate(p, at_ns);
    if (rc == -EAGAIN || (rc == 0 && block.n == 0))
        return 0;
    if (rc != 0)
        return fail(p, rc, "receiving failed");
    p->next = block.start_sample + block.n;
    p->result->n_lost += block.n_lost;
    if (block.n > p->result->block_samples)
        p->result->block_samples = block.n;
    keep_jitter(p, at_ns);
    if (r->ops->idle_until && r->ops->idle_until(r, p->next) < 0)
        return fail(p, -EIO, "the radio takes no silence");
    return 1;
}

/* Reads what has piled up, and then one block that just came. */
static int await_fresh(struct probe *p)
{
    int rc = 1;
    for (int i = 0; rc > 0 && i < MAX_STALE_BLOCKS; i++)
        rc = receive(p, 0);
    for (int64_t until_ns = now_ns(p) + patience_ns; rc >= 0;) {
        rc = receive(p, receive_timeout_ns);
        if (rc > 0)
            return 0;
        if (p->cfg->interrupted && p->cfg->interrupted(p->cfg->ctx))
            return fail(p, -ECANCELED, "interrupted");
        if (rc == 0 && now_ns(p) > until_ns)
            return fail(p, -ETIMEDOUT, "the radio gives no samples");
    }
    return rc;
}

static int pass_gate(struct probe *p, uint64_t start)
{
    if (!p->cfg->gate)
        return 0;
    struct app_radio_emission e = {.start_ns = sample_ns(p, start),
                                   .end_ns = sample_ns(p, start + p->cfg->n_burst),
                                   .center_hz = p->cfg->radio->center_hz,
                                   .occupied_hz = p->cfg->radio->sample_rate_hz};
    enum app_radio_verdict verdict = app_radio_gate_admit(p->cfg->gate, now_ns(p), &e, &p->cfg->deed, 1);
    if (verdict == APP_RADIO_OPEN)
        return 0;
    snprintf(p->error, APP_LATENCY_MAX_ERROR, "nothing may be sent: %s", app_radio_verdict_name(verdict));
    return verdict == APP_RADIO_STOPPED ? -ECANCELED : -EPERM;
}

/* The radio's word on the burst in flight. */
static int await_report(struct probe *p, enum outcome *out)
{
    struct phy_radio *r = p->cfg->radio;
    struct phy_radio_report report;
    *out = OUT_OTHER;
    for (int64_t until_ns = now_ns(p) + patience_ns; now_ns(p) < until_ns;) {
        if (r->ops->report && r->ops->report(r, &report) == 1) {
            *out = report.kind == PHY_RADIO_BURST_DONE ? OUT_IN_TIME : report.kind == PHY_RADIO_LATE ? OUT_LATE : OUT_OTHER;
            return 0;
        }
        if (!r->ops->report && p->next >= p->busy_until) {
            *out = OUT_IN_TIME;
            return 0;
        }
        int rc = receive(p, receive_timeout_ns);
        if (rc < 0)
            return rc;
        if (p->cfg->interrupted && p->cfg->interrupted(p->cfg->ctx))
            return fail(p, -ECANCELED, "interrupted");
    }
    return 0;
}

static int try_burst(struct probe *p, uint64_t lead, enum outcome *out)
{
    struct phy_radio *r = p->cfg->radio;
    if (p->cfg->prepare)
        p->cfg->prepare(p->cfg->ctx);
    int rc;
    do
        rc = await_fresh(p);
    while (rc == 0 && p->next + lead < p->busy_until);
    if (rc != 0)
        return rc;
    if (p->cfg->work)
        p->cfg->work(p->cfg->ctx);
    uint64_t start = p->next + lead;
    rc = pass_gate(p, start);
    if (rc != 0)
        return rc;
    rc = r->ops->transmit(r, start, p->burst, p->cfg->n_burst);
    p->busy_until = start + p->cfg->n_burst;
    p->result->n_sent++;
    *out = OUT_LATE;
    if (rc != 0)
        return rc == -ETIME ? 0 : fail(p, rc, "the radio does not take a burst");
    return await_report(p, out);
}

/* n bursts at a lead: how many were late, at most one where a single one settles it. */
static int try_lead(struct probe *p, uint64_t lead, unsigned n, unsigned *n_late_out)
{
    *n_late_out = 0;
    for (unsigned i = 0; i < n && *n_late_out == 0; i++) {
        enum outcome out;
        int rc = try_burst(p, lead, &out);
        if (rc != 0)
            return rc;
        *n_late_out += out == OUT_LATE;
        p->result->n_late += out == OUT_LATE;
        p->result->n_other += out == OUT_OTHER;
    }
    if (*n_late_out > 0 && lead > p->result->late_below_samples)
        p->result->late_below_samples = lead;
    return 0;
}

/* Doubles up to a lead without late bursts, then halves the interval in which the smallest one lies. */
static int search(struct probe *p, uint64_t step, uint64_t *lead_out)
{
    uint64_t bad = 0, good = step;
    unsigned n_late;
    int rc;
    while ((rc = try_lead(p, good, p->cfg->n_search, &n_late)) == 0 && n_late > 0) {
        bad = good;
        good *= 2;
        if (good > p->cfg->max_lead_samples)
            return fail(p, -ETIMEDOUT, "bursts are late even with the largest lead");
    }
    while (rc == 0 && good - bad > step && good - bad > good / 16) {
        uint64_t middle = bad + (good - bad) / 2;
        rc = try_lead(p, middle, p->cfg->n_search, &n_late);
        *(n_late > 0 ? &bad : &good) = middle;
    }
    *lead_out = good;
    return rc;
}

/* Rare late bursts show only in many trials: lengthens the lead until a whole confirmation has none. */
static int confirm(struct probe *p, uint64_t step, uint64_t lead)
{
    for (int i = 0; i < MAX_CONFIRMATIONS && lead <= p->cfg->max_lead_samples; i++) {
        unsigned n_late;
        int rc = try_lead(p, lead, p->cfg->n_trials, &n_late);
        if (rc != 0)
            return rc;
        if (n_late == 0) {
            p->result->lead_samples = lead;
            p->result->n_trials = p->cfg->n_trials;
            return 0;
        }
        lead += lead / 8 + step;
    }
    return fail(p, -ETIMEDOUT, "no lead stays without late bursts");
}

/* A tone an eighth of the rate above the center, 20 dB below full scale, with soft edges. */
static void make_burst(float complex *out, size_t n, double pi)
{
    size_t edge = n / 8;
    for (size_t i = 0; i < n; i++) {
        size_t from_end = i < n - 1 - i ? i : n - 1 - i;
        double level = from_end >= edge ? .1 : .05 * (1 - cos(pi * ((double)from_end + .5) / (double)edge));
        double angle = pi / 4 * (double)(i % 8);
        out[i] = CMPLXF((float)(level * cos(angle)), (float)(level * sin(angle)));
    }
}

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void sum_up(struct probe *p)
{
    struct app_latency_result *r = p->result;
    r->n_jitter = p->n_raw;
    for (size_t i = 0; i < p->n_raw; i++)
        r->jitter_ns[i] = p->raw_ns[i] - p->earliest_ns;
    qsort(r->jitter_ns, r->n_jitter, sizeof r->jitter_ns[0], compare_ns);
}

int64_t app_latency_quantile_ns(const struct app_latency_result *r, double share)
{
    if (r->n_jitter == 0)
        return 0;
    size_t i = (size_t)(share * (double)(r->n_jitter - 1) + .5);
    return r->jitter_ns[i < r->n_jitter ? i : r->n_jitter - 1];
}

int app_latency_measure(const struct app_latency_config *cfg, struct app_latency_result *out, char *error_out)
{
    memset(out, 0, sizeof *out);
    struct probe *p = calloc(1, sizeof *p);
    float complex *samples = calloc(cfg->cap, sizeof *samples), *burst = calloc(cfg->n_burst, sizeof *burst);
    int rc = -ENOMEM;
    snprintf(error_out, APP_LATENCY_MAX_ERROR, "not enough memory");
    if (p && samples && burst) {
        *p = (struct probe){.cfg = cfg, .result = out, .samples = samples, .burst = burst, .error = error_out};
        make_burst(burst, cfg->n_burst, acos(-1));
        uint64_t step = cfg->radio->sample_rate_hz / 10000 + 1, lead = 0; /* 100 us */
        rc = await_fresh(p);
        rc = rc ? rc : search(p, step, &lead);
        rc = rc ? rc : confirm(p, step, lead);
        sum_up(p);
    }
    free(burst);
    free(samples);
    free(p);
    return rc;
}
