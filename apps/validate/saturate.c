#include "apps/validate/saturate.h"
#include "apps/ether.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* --- means of batches --- */

bool app_batches_turn(struct app_batches *b, int64_t now_ns, double bits)
{
    if (b->n == SATURATE_BATCHES)
        return true;
    uint64_t full = b->n < 0 ? b->trials / 20 : b->trials / SATURATE_BATCHES;
    if (b->attempts < full)
        return false;
    if (b->n >= 0) {
        b->s[b->n] = (double)b->acked * bits * 1000.0 / (double)(now_ns - b->from_ns);
        b->p[b->n] = 1.0 - (double)b->acked / (double)b->attempts;
    }
    b->n++;
    b->attempts = b->acked = 0;
    b->from_ns = now_ns;
    return b->n == SATURATE_BATCHES;
}

static double mean(const double *x, double *error_out)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < SATURATE_BATCHES; i++)
        sum += x[i];
    double m = sum / SATURATE_BATCHES;
    for (int i = 0; i < SATURATE_BATCHES; i++)
        squares += (x[i] - m) * (x[i] - m);
    *error_out = sqrt(squares / (SATURATE_BATCHES - 1) / SATURATE_BATCHES);
    return m;
}

void app_batches_result(const struct app_batches *b, struct app_saturated *out)
{
    out->s_mbps = mean(b->s, &out->s_mbps_error);
    out->p = mean(b->p, &out->p_error);
    out->trials = b->trials;
}

/* --- the production MAC --- */

struct cell {
    struct app_ether *ether;
    const struct app_saturate *cfg;
    struct app_batches batches;
    uint8_t message[2400];
};

static bool sends(const struct app_saturate *cfg, size_t station)
{
    return cfg->hidden ? station != 1 : station < cfg->n;
}

static void send_one(struct cell *c, size_t i)
{
    size_t to = c->cfg->hidden || c->cfg->n == 1 ? 1 : (i + 1) % c->cfg->n;
    struct mac_address address = mac_address_of((uint32_t)to);
    int rc = app_ether_send(c->ether, i, &address, MAC_CAT_DATA, c->message, c->cfg->payload - 4, 0);
    (void)rc; /* a station always has one message waiting behind the one that is out: a place is free */
}

static void on_report(void *ctx, size_t station, const struct mac_report *report)
{
    struct cell *c = ctx;
    c->batches.acked += report->result == MAC_ACKED;
    send_one(c, station);
}

/* An attempt begins with the RTS where there is one. */
static void on_frame(void *ctx, size_t station, int64_t start_ns, const uint8_t *mpdu, size_t len_bytes, bool is_response)
{
    struct cell *c = ctx;
    const uint8_t rts = 0xb4;
    (void)station, (void)start_ns, (void)len_bytes;
    c->batches.attempts += !is_response && (!c->cfg->rts || mpdu[0] == rts);
}

static struct app_ether_config configure(const struct app_saturate *cfg, struct cell *c)
{
    static const bool triple[9] = {false, true, false, true, false, true, false, true, false};
    struct app_ether_config ether = {.n = cfg->hidden ? 3 : cfg->n == 1 ? 2 : cfg->n,
                                     .mac = app_ether_config_11a(),
                                     .hears = cfg->hidden ? triple : NULL,
                                     .ctx = c,
                                     .on_report = on_report,
                                     .on_frame = on_frame};
    struct mac_profile *p = &ether.mac.profile;
    ether.mac.seed = cfg->seed;
    for (size_t i = 0; i < MAC_N_CATEGORIES; i++)
        p->cw_min[i] = cfg->cw;
    p->cw_max = cfg->cw > 1023 ? cfg->cw : 1023;
    p->retry_limit = cfg->attempts;
    p->data_rate = cfg->rate;
    p->rts_threshold_bytes = cfg->rts ? 0 : SIZE_MAX;
    p->rts_retry_limit = 0;
    return ether;
}

int app_saturate_mac(const struct app_saturate *cfg, struct app_saturated *out)
{
    struct cell *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (struct cell){.cfg = cfg, .batches = {.trials = cfg->trials, .n = -1}};
    struct app_ether_config ether = configure(cfg, c);
    const char *why;
    c->ether = app_ether_open(&ether, &why);
    if (!c->ether) {
        free(c);
        return -ENOMEM;
    }
    for (size_t i = 0; i < ether.n; i++)
        for (int k = 0; k < 2 && sends(cfg, i); k++)
            send_one(c, i);
    while (!app_batches_turn(&c->batches, app_ether_now(c->ether), 8.0 * cfg->payload) && app_ether_run_instant(c->ether))
        continue;
    app_batches_result(&c->batches, out);
    app_ether_close(c->ether);
    free(c);
    return 0;
}
