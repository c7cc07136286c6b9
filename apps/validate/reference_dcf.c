/* Saturated DCF once more, by counters and instants alone: no frames, no octets, none of the production code. All hear all: the
 * whole cell goes from one busy period to the next. The hidden triple: two senders and what their receiver is busy with. */
#include "apps/validate/saturate.h"
#include "apps/validate/signals.h"

#include <errno.h>
#include <stdlib.h>

enum { SLOT = 9000, SIFS = 16000, DIFS = 34000, TIMEOUT = 45000, ACK = 44000, RTS = 52000, CTS = 44000, DRAW = 0x646366 };

struct contender {
    int64_t ready_ns; /* its slots count from here */
    int64_t slots, cw;
    uint32_t failures;
    /* the hidden triple */
    enum { WAITING, ASKING, SENDING } phase;
    int64_t end_ns;
    bool good;
    int64_t data_ns; /* begin of the data that its CTS allows */
};

struct reference {
    const struct app_saturate *cfg;
    struct app_batches batches;
    int64_t data_ns; /* airtime */
    uint64_t n_draws;
    struct contender *all;
};

static int64_t airtime(unsigned rate, int64_t octets)
{
    static const int64_t bits[] = {24, 36, 48, 72, 96, 144, 192, 216};
    return 20000 + 4000 * ((22 + 8 * octets + bits[rate] - 1) / bits[rate]);
}

static void draw(struct reference *r, struct contender *c)
{
    c->slots = (int64_t)(app_validate_draw(r->cfg->seed, DRAW, r->n_draws++, 0) % (uint64_t)(c->cw + 1));
}

static void succeed(struct reference *r, struct contender *c)
{
    c->cw = r->cfg->cw;
    c->failures = 0;
    r->batches.acked++;
    draw(r, c);
}

/* An RTS that nobody answers counts for nothing but the window. */
static void fail(struct reference *r, struct contender *c, bool counts)
{
    c->cw = c->cw * 2 + 1 < 1023 ? c->cw * 2 + 1 : c->cw > 1023 ? c->cw : 1023;
    c->failures += counts;
    if (c->failures == r->cfg->attempts) {
        c->cw = r->cfg->cw;
        c->failures = 0;
    }
    draw(r, c);
}

static int64_t start_of(const struct contender *c)
{
    return c->ready_ns + c->slots * SLOT;
}

static void freeze(struct contender *c, int64_t at_ns)
{
    if (at_ns > c->ready_ns)
        c->slots -= (at_ns - c->ready_ns) / SLOT;
}

/* --- all hear all --- */

static int64_t run_cell(struct reference *r)
{
    const uint32_t n = r->cfg->n;
    int64_t t = INT64_MAX, first_ns = r->cfg->rts ? RTS : r->data_ns, rest_ns = SIFS + ACK;
    if (r->cfg->rts)
        rest_ns += SIFS + CTS + SIFS + r->data_ns;
    uint32_t n_now = 0;
    for (uint32_t i = 0; i < n; i++)
        t = start_of(&r->all[i]) < t ? start_of(&r->all[i]) : t;
    for (uint32_t i = 0; i < n; i++)
        n_now += start_of(&r->all[i]) == t;
    int64_t end_ns = t + first_ns + (n_now == 1 ? rest_ns : 0);
    r->batches.attempts += n_now;
    for (uint32_t i = 0; i < n; i++) {
        struct contender *c = &r->all[i];
        bool sends = start_of(c) == t;
        int64_t ready_ns = end_ns + DIFS;
        if (!sends)
            freeze(c, t);
        else if (n_now == 1)
            succeed(r, c);
        else {
            fail(r, c, !r->cfg->rts);
            ready_ns += TIMEOUT;
        }
        c->ready_ns = ready_ns > c->ready_ns ? ready_ns : c->ready_ns;
    }
    return end_ns;
}

/* --- the hidden triple --- */

/* Until then the receiver sends, or waits to, or receives what has been announced. */
struct between {
    int64_t engaged_ns;
};

static void begin(struct reference *r, struct between *b, struct contender *c, struct contender *other)
{
    int64_t t = start_of(c), len_ns = r->cfg->rts ? RTS : r->data_ns;
    r->batches.attempts++;
    c->phase = r->cfg->rts ? ASKING : SENDING;
    c->data_ns = t;
    c->end_ns = t + len_ns;
    c->good = t >= b->engaged_ns && (other->phase == WAITING || (other->phase == SENDING && t >= other->end_ns));
    /* what the other one is sending, or will begin to before this ends, is destroyed */
    if (other->phase == ASKING || (other->phase == SENDING && c->end_ns > other->data_ns))
        other->good = false;
}

/* The receiver answers c; the other one hears that and waits, unless it has begun by then. */
static void answer(struct contender *other, int64_t from_ns, int64_t until_ns)
{
    if (other->phase != WAITING || start_of(other) <= from_ns)
        return;
    freeze(other, from_ns);
    other->ready_ns = until_ns + DIFS > other->ready_ns ? until_ns + DIFS : other->ready_ns;
}

static void finish(struct reference *r, struct between *b, struct contender *c, struct contender *other)
{
    int64_t end_ns = c->end_ns, from_ns = end_ns + SIFS;
    if (!c->good) {
        fail(r, c, c->phase == SENDING);
        c->phase = WAITING;
        c->ready_ns = end_ns + TIMEOUT + DIFS;
        return;
    }
    if (c->phase == ASKING) {
        c->phase = SENDING;
        c->data_ns = from_ns + CTS + SIFS;
        c->end_ns = c->data_ns + r->data_ns;
        b->engaged_ns = c->end_ns;
        answer(other, from_ns, c->end_ns + SIFS + ACK);
        return;
    }
    b->engaged_ns = from_ns + ACK;
    answer(other, from_ns, b->engaged_ns);
    succeed(r, c);
    c->phase = WAITING;
    c->ready_ns = b->engaged_ns + DIFS;
}

static int64_t run_triple(struct reference *r, struct between *b)
{
    struct contender *c = r->all;
    int64_t at[2];
    for (int i = 0; i < 2; i++)
        at[i] = c[i].phase == WAITING ? start_of(&c[i]) : c[i].end_ns;
    int first = at[1] < at[0] || (at[1] == at[0] && c[1].phase != WAITING); /* ends come before beginnings */
    if (c[first].phase == WAITING)
        begin(r, b, &c[first], &c[!first]);
    else
        finish(r, b, &c[first], &c[!first]);
    return at[first];
}

int app_saturate_reference(const struct app_saturate *cfg, struct app_saturated *out)
{
    struct reference r = {.cfg = cfg, .batches = {.trials = cfg->trials, .n = -1}};
    struct between between = {0};
    int64_t now_ns = 0;
    /* 24 octets of header, 8 of LLC/SNAP, 4 of FCS */
    r.data_ns = airtime(cfg->rate, 36 + (int64_t)cfg->payload);
    r.all = calloc(cfg->n, sizeof *r.all);
    if (!r.all)
        return -ENOMEM;
    for (uint32_t i = 0; i < cfg->n; i++) {
        r.all[i].cw = cfg->cw;
        draw(&r, &r.all[i]);
    }
    while (!app_batches_turn(&r.batches, now_ns, 8.0 * cfg->payload))
        now_ns = cfg->hidden ? run_triple(&r, &between) : run_cell(&r);
    app_batches_result(&r.batches, out);
    free(r.all);
    return 0;
}
