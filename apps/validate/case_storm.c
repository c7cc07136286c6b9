/* The storm of votes: one broadcast, everybody answers. Each answer draws one of W slots; those that are alone in theirs arrive. */
#include "apps/options.h"
#include "apps/ether.h"
#include "apps/validate/signals.h"
#include "apps/validate/validate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_N = 1000, PROPOSAL_BYTES = 256, VOTE_BYTES = 100 };

static int fail(const char *why, int code)
{
    fprintf(stderr, "airdeed validate storm: %s\n", why);
    return code;
}

/* --- the form --- */

/* With answers thrown into W slots, the law of how many lie alone, by adding slots one after the other: after w of them, `left`
 * answers are still to fall into the others and s lie alone. All terms are positive, so that it holds where the alternating sum of
 * the closed form has lost its digits. */
struct law {
    unsigned k;
    double *now, *next; /* [left * (k + 1) + s] */
};

static void add_slot(const struct law *l, unsigned slots_left)
{
    unsigned k = l->k;
    memset(l->next, 0, sizeof *l->next * (k + 1) * (k + 1));
    double q = 1.0 / slots_left;
    for (unsigned left = 0; left <= k; left++) {
        double p = slots_left == 1 ? (left == 0) : pow(1.0 - q, left); /* j = 0 of them fall here */
        for (unsigned j = 0; j <= left; j++) {
            if (slots_left == 1)
                p = j == left;
            for (unsigned s = 0; p > 0 && s + left <= k; s++)
                l->next[(left - j) * (k + 1) + s + (j == 1)] += p * l->now[left * (k + 1) + s];
            if (slots_left > 1)
                p *= (double)(left - j) / (j + 1) * q / (1.0 - q);
        }
    }
}

/* P(S >= quorum) and the variance of S for k answers in w slots; false without memory. */
static bool find_law(unsigned k, unsigned w, unsigned quorum, double *p_out, double *variance_out)
{
    size_t n = (size_t)(k + 1) * (k + 1);
    struct law l = {.k = k, .now = calloc(n, sizeof(double)), .next = calloc(n, sizeof(double))};
    bool ok = l.now && l.next;
    if (ok)
        l.now[(size_t)k * (k + 1)] = 1;
    for (unsigned i = w; ok && i > 0; i--) {
        add_slot(&l, i);
        double *swap = l.now;
        l.now = l.next;
        l.next = swap;
    }
    double p = 0, sum = 0, squares = 0;
    for (unsigned s = 0; ok && s <= k; s++) {
        p += s >= quorum ? l.now[s] : 0;
        sum += l.now[s] * s;
        squares += l.now[s] * s * s;
    }
    *p_out = fmin(p, 1);
    *variance_out = squares - sum * sum;
    free(l.now);
    free(l.next);
    return ok;
}

/* --- the run --- */

struct storm {
    struct app_ether *ether;
    uint64_t n_survived, n_reported;
};

/* A member answers a proposal; the leader counts. */
static void on_delivery(void *ctx, size_t station, const struct mac_delivery *delivery)
{
    static const uint8_t vote[VOTE_BYTES] = {'v'};
    struct storm *s = ctx;
    if (station == 0) {
        s->n_survived++;
    } else if (delivery->len_bytes == PROPOSAL_BYTES) {
        int rc = app_ether_send(s->ether, station, &mac_broadcast, MAC_CAT_VOTE, vote, sizeof vote, 0);
        (void)rc; /* its queue is empty */
    }
}

static void on_report(void *ctx, size_t station, const struct mac_report *report)
{
    struct storm *s = ctx;
    (void)report;
    s->n_reported += station != 0;
}

static int run_storm(struct app_validate *v)
{
    static const uint8_t proposal[PROPOSAL_BYTES] = {'p'};
    unsigned n = (unsigned)v->values[VALIDATE_N], cw = (unsigned)v->values[VALIDATE_CW], k = n - 1, quorum = n / 2;
    cw -= cw > 1 && (cw & (cw - 1)) == 0;
    if ((cw & (cw + 1)) != 0)
        return fail("--cw is no window: 15 (or 16, the number of its slots), 31, 63, ... 1023", APP_BAD_USAGE);
    double p_quorum, variance, w = cw + 1.0;
    if (!find_law(k, cw + 1, quorum, &p_quorum, &variance))
        return fail("not enough memory", APP_SYSTEM_FAILED);
    struct storm s = {0};
    struct app_ether_config cfg = {.n = n, .mac = app_ether_config_11a(), .ctx = &s, .on_delivery = on_delivery, .on_report = on_report};
    cfg.mac.seed = v->seed;
    cfg.mac.max_peers = 1;
    cfg.mac.queue_bytes = 2048;
    cfg.mac.profile.cw_min[MAC_CAT_VOTE] = cw;
    const char *why;
    s.ether = app_ether_open(&cfg, &why);
    if (!s.ether)
        return fail("not enough memory", APP_SYSTEM_FAILED);
    uint64_t n_quorum = 0, sum = 0, squares = 0, lost = 0;
    for (uint64_t i = 0; i < v->trials; i++) {
        s.n_survived = s.n_reported = 0;
        lost += app_ether_send(s.ether, 0, &mac_broadcast, MAC_CAT_PROPOSAL, proposal, sizeof proposal, 0) != 0;
        while (s.n_reported < k && app_ether_run_instant(s.ether))
            continue;
        app_ether_run(s.ether, app_ether_now(s.ether) + 100000000); /* the next proposal finds a quiet air */
        n_quorum += s.n_survived >= quorum;
        sum += s.n_survived;
        squares += s.n_survived * s.n_survived;
    }
    app_ether_close(s.ether);
    if (lost)
        return fail("a proposal was not sent", APP_SYSTEM_FAILED);
    double mean = (double)sum / (double)v->trials;
    app_validate_constant(v, "slots", w);
    app_validate_constant(v, "quorum_answers", quorum);
    app_validate_estimate(v, "mean_survivors", mean, k * pow(1 - 1 / w, k - 1.0), sqrt(fmax(variance, 1e-12) / (double)v->trials));
    app_validate_proportion(v, "p_quorum", n_quorum, v->trials, p_quorum);
    return 0;
}

const struct app_validate_case app_validate_storm = {
    "storm",
    "the MAC's backoff of broadcasts: one of n stations broadcasts, all others answer by a broadcast from a window of W = cw + 1 slots, all hear all",
    "k = n - 1 answers: E[S] = k (1 - 1/W)^(k-1); P(S >= n/2 rounded down), with the one that asked a majority",
    {{VALIDATE_N, 10, 2, 200}, {VALIDATE_CW, 15, 1, 1024}, {VALIDATE_TRIALS, 20000, 10, 1e7}},
    run_storm,
};
