#include "apps/validate/lease_world.h"
#include "apps/validate/signals.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum stream { CLOCK = 51, LINK, LOSS, DELAY, BLOCK_TIME, WISH }; /* purposes of draws */
enum block_times { TRUE_TIME, PUSHED, ANY_TIME, PUSHED_WHEN_IT_PAYS, N_BLOCK_TIMES };

static const int64_t start_ns = INT64_C(1577836800) * 1000000000; /* block times are not near 0 */

struct clock {
    int64_t offset_ns;
    double drift;
};

struct flight { /* a transaction on its way */
    int64_t at_ns;
    uint32_t author;
    uint64_t nonce;
    struct chain_op op;
};

struct block {
    uint8_t *octets;
    size_t len;
    int64_t at_ns[LEASE_WORLD_HOLDERS]; /* when each holder gets it */
};

struct holder {
    struct chain_holder machine;
    struct clock clock;
    struct app_drive *drive;
    uint64_t next_block;
    bool link_up, on_air;
    int64_t toggle_ns, wish_ns; /* the link's and the wishes' next change */
};

struct app_lease_world {
    struct app_lease_config cfg;
    struct app_drive *drive; /* of who orders: what counts */
    struct holder holders[LEASE_WORLD_HOLDERS];
    int64_t now_ns, next_block_ns;
    enum block_times block_times;
    size_t n_flights;
    struct flight flights[LEASE_WORLD_FLIGHTS];
    uint64_t n_blocks;
    struct block blocks[LEASE_WORLD_BLOCKS]; /* a ring */
    uint64_t n_draws;
    uint32_t last_holder;
    uint64_t last_grant;
    struct app_lease_count count;
};

static double draw(struct app_lease_world *w, enum stream purpose)
{
    return (double)(app_validate_draw(w->cfg.seed, purpose, 0, ++w->n_draws) >> 11) * 0x1p-53;
}

static int64_t draw_ns(struct app_lease_world *w, enum stream purpose, int64_t from_ns, int64_t to_ns)
{
    return from_ns + (int64_t)(draw(w, purpose) * (double)(to_ns - from_ns));
}

static int64_t own_time(const struct clock *c, int64_t true_ns)
{
    return true_ns + c->offset_ns + (int64_t)(c->drift * (double)(true_ns - start_ns));
}

/* The earliest true time at which the clock shows own_ns or more. */
static int64_t true_time(const struct clock *c, int64_t own_ns)
{
    if (own_ns == INT64_MAX)
        return INT64_MAX;
    int64_t true_ns = start_ns + (int64_t)((double)(own_ns - c->offset_ns - start_ns) / (1 + c->drift));
    while (own_time(c, true_ns) >= own_ns)
        true_ns--;
    while (own_time(c, true_ns) < own_ns)
        true_ns++;
    return true_ns;
}

/* --- setting up --- */

static struct chain_genesis make_genesis(const struct app_lease_config *cfg)
{
    const struct app_lease_times *t = &cfg->times;
    struct chain_genesis g = app_drive_genesis(cfg->n_holders, start_ns);
    g.transmit_expire_ns = t->expire_ns;
    g.heartbeat_ns = t->heartbeat_ns;
    g.stop_ns = t->stop_ns;
    g.drift_guard_ns = t->guard_ns;
    g.max_skew_ns = t->skew_ns;
    g.max_ahead_ns = t->ahead_ns;
    g.grant_ns = t->grant_ns;
    g.white_after = 0;
    return g;
}

void app_lease_close(struct app_lease_world *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < LEASE_WORLD_BLOCKS; i++)
        free(w->blocks[i].octets);
    for (uint32_t i = 0; i < LEASE_WORLD_HOLDERS; i++)
        app_drive_close(w->holders[i].drive);
    app_drive_close(w->drive);
    free(w);
}

struct app_lease_world *app_lease_open(const struct app_lease_config *cfg, const char **why_out)
{
    struct chain_genesis g = make_genesis(cfg);
    *why_out = "memory";
    struct app_lease_world *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->cfg = *cfg;
    w->drive = app_drive_open(&g, why_out);
    bool ok = w->drive != NULL;
    for (uint32_t i = 0; i < cfg->n_holders && ok; i++)
        ok = (w->holders[i].drive = app_drive_open(&g, why_out)) != NULL;
    if (ok)
        return w;
    app_lease_close(w);
    return NULL;
}

static void draw_clock(struct app_lease_world *w, struct clock *c)
{
    *c = (struct clock){0};
    if (!w->cfg.adverse)
        return;
    int64_t skew_ns = w->cfg.times.skew_ns;
    double drifted_ns = draw(w, CLOCK) * (double)skew_ns; /* over the whole run, so that the clock stays within its bounds */
    bool ahead = draw(w, CLOCK) < .5;
    c->drift = (draw(w, CLOCK) < .5 ? -1 : 1) * drifted_ns / (double)w->cfg.length_ns;
    c->offset_ns = (int64_t)((double)skew_ns - drifted_ns);
    c->offset_ns = ahead ? c->offset_ns : -c->offset_ns;
}

/* What a holder that begins, or comes back from a crash, wants. */
static void begin_holder(struct app_lease_world *w, uint32_t i)
{
    const struct app_lease_times *t = &w->cfg.times;
    struct holder *h = &w->holders[i];
    struct chain_holder_config cfg = {.self = i,
                                      .genesis = &w->drive->genesis,
                                      .n_wanted = 1,
                                      .want_from_ns = own_time(&h->clock, w->now_ns),
                                      .want_until_ns = CHAIN_MAX_TIME_NS,
                                      .retry_ns = t->retry_ns};
    h->wish_ns = INT64_MAX;
    if (w->cfg.adverse) {
        cfg.want_from_ns += draw_ns(w, WISH, 0, t->expire_ns);
        cfg.want_until_ns = cfg.want_from_ns + draw_ns(w, WISH, t->heartbeat_ns, 6 * t->expire_ns);
        /* before it has ceased to want: a crash; later: it gave the band back */
        h->wish_ns = w->now_ns + draw_ns(w, WISH, t->heartbeat_ns, 8 * t->expire_ns);
    }
    int rc = chain_holder_init(&h->machine, &cfg);
    assert(rc == 0);
    (void)rc;
    h->on_air = false;
}

static void deliver(struct app_lease_world *w, uint32_t i);

static void keep_block(struct app_lease_world *w)
{
    struct block *b = &w->blocks[w->n_blocks++ % LEASE_WORLD_BLOCKS];
    free(b->octets);
    b->len = w->drive->batch_len;
    b->octets = malloc(b->len);
    assert(b->octets);
    memcpy(b->octets, w->drive->batch, b->len);
    for (uint32_t i = 0; i < w->cfg.n_holders; i++) {
        assert(w->n_blocks - w->holders[i].next_block <= LEASE_WORLD_BLOCKS);
        int64_t delay_ns = w->cfg.adverse ? draw_ns(w, DELAY, 0, w->cfg.times.latency_ns) : 0;
        b->at_ns[i] = w->now_ns + delay_ns;
    }
}

bool app_lease_begin(struct app_lease_world *w, const struct app_lease_config *cfg)
{
    w->cfg = *cfg;
    w->now_ns = start_ns + 1;
    w->n_flights = 0;
    w->n_blocks = w->n_draws = 0;
    w->count = (struct app_lease_count){0};
    w->last_holder = CHAIN_MAX_KEYS;
    w->last_grant = 0;
    w->block_times = cfg->adverse ? (enum block_times)(draw(w, BLOCK_TIME) * N_BLOCK_TIMES) : TRUE_TIME;
    w->next_block_ns = INT64_MAX;
    app_drive_restart(w->drive);
    for (uint32_t i = 0; i < cfg->n_holders; i++) {
        struct holder *h = &w->holders[i];
        app_drive_restart(h->drive);
        draw_clock(w, &h->clock);
        h->next_block = 0;
        h->link_up = true;
        h->toggle_ns = cfg->adverse ? w->now_ns + draw_ns(w, LINK, 0, 2 * cfg->times.expire_ns) : INT64_MAX;
    }
    if (!app_drive_register(w->drive, w->now_ns))
        return false;
    keep_block(w);
    for (uint32_t i = 0; i < cfg->n_holders; i++) {
        begin_holder(w, i);
        deliver(w, i);
    }
    if (cfg->adverse)
        w->next_block_ns = w->now_ns + cfg->times.heartbeat_ns / 2;
    return true;
}

/* --- on the way --- */

static bool is_jammed(const struct app_lease_world *w, int64_t from_ns, int64_t until_ns)
{
    return until_ns - start_ns >= w->cfg.jam_from_ns && from_ns - start_ns < w->cfg.jam_until_ns;
}

static void send(struct app_lease_world *w, uint32_t author, uint64_t nonce, const struct chain_op *op)
{
    int64_t latency_ns = w->cfg.times.latency_ns;
    if (w->cfg.adverse) {
        latency_ns = draw_ns(w, DELAY, latency_ns / 2, 2 * latency_ns);
        if (!w->holders[author].link_up || draw(w, LOSS) < w->cfg.loss)
            return;
    }
    if (is_jammed(w, w->now_ns, w->now_ns + latency_ns) || w->n_flights == LEASE_WORLD_FLIGHTS)
        return;
    w->flights[w->n_flights++] = (struct flight){w->now_ns + latency_ns, author, nonce, *op};
}

/* Steps a holder and sends what it wants sent; a step yields one operation at most. */
static void step(struct app_lease_world *w, uint32_t i, const struct chain_ledger_event *event)
{
    struct holder *h = &w->holders[i];
    struct chain_holder_event in = {.kind = event ? CHAIN_HOLDER_LEDGER : CHAIN_HOLDER_TICK,
                                    .now_ns = own_time(&h->clock, w->now_ns),
                                    .ledger = h->drive->ledger,
                                    .event = event};
    struct chain_holder_update out;
    int rc = chain_holder_step(&h->machine, &in, &out);
    assert(rc == 0);
    (void)rc;
    if (!out.submit)
        return;
    struct chain_holder_event submitted = {.kind = CHAIN_HOLDER_SUBMITTED, .now_ns = in.now_ns, .op = out.op.kind};
    submitted.nonce = w->drive->next_nonce[i]++;
    send(w, i, submitted.nonce, &out.op);
    rc = chain_holder_step(&h->machine, &submitted, &out);
    assert(rc == 0);
}

static void send_what_is_due(struct app_lease_world *w, uint32_t i)
{
    for (int n = 0; n < 8 && true_time(&w->holders[i].clock, chain_holder_deadline(&w->holders[i].machine)) <= w->now_ns; n++)
        step(w, i, NULL);
}

static int64_t delivery_ns(const struct app_lease_world *w, uint32_t i)
{
    const struct holder *h = &w->holders[i];
    if (h->next_block == w->n_blocks || !h->link_up)
        return INT64_MAX;
    return w->blocks[h->next_block % LEASE_WORLD_BLOCKS].at_ns[i];
}

static void deliver(struct app_lease_world *w, uint32_t i)
{
    struct holder *h = &w->holders[i];
    while (delivery_ns(w, i) <= w->now_ns) {
        const struct block *b = &w->blocks[h->next_block++ % LEASE_WORLD_BLOCKS];
        app_drive_apply(h->drive, b->octets, b->len);
        for (size_t k = 0; k < h->drive->n_events; k++)
            step(w, i, &h->drive->events[k]);
        step(w, i, NULL);
    }
}

static int64_t draw_block_time(struct app_lease_world *w)
{
    int64_t limit_ns = w->now_ns + w->cfg.times.skew_ns + w->cfg.times.ahead_ns; /* by the fastest clock among those that vote */
    if (w->block_times == PUSHED || (w->block_times == PUSHED_WHEN_IT_PAYS && chain_ledger_channel_free(w->drive->ledger, 0, limit_ns)))
        return limit_ns;
    if (w->block_times == ANY_TIME)
        return draw_ns(w, BLOCK_TIME, chain_ledger_tip(w->drive->ledger)->time_ns, limit_ns);
    return w->now_ns;
}

/* Who orders has a friend, and asks in its name as soon as the band can be had at the time that the block will bear. */
static void favour(struct app_lease_world *w, int64_t time_ns)
{
    uint32_t friend = (uint32_t)(w->n_blocks % w->cfg.n_holders);
    const struct chain_channel *c = &w->drive->genesis.channels[0];
    struct chain_op op = {.kind = CHAIN_OP_GRANT, .grant = {.low_hz = c->low_hz, .high_hz = c->high_hz}};
    if (w->block_times == PUSHED_WHEN_IT_PAYS && friend != w->last_holder && chain_ledger_channel_free(w->drive->ledger, 0, time_ns)) {
        bool added = app_drive_add(w->drive, friend, w->drive->next_nonce[friend]++, &op, 1);
        assert(added);
        (void)added;
    }
}

/* A band is given only when no earlier holder's word from the ledger can reach until now, by anybody's clock. */
static void check_grant(struct app_lease_world *w, const struct chain_ledger_event *given)
{
    const struct app_lease_times *t = &w->cfg.times;
    for (size_t i = 0; i < chain_ledger_n_grants(w->drive->ledger); i++) {
        const struct chain_grant *g = chain_ledger_grant(w->drive->ledger, i);
        if (g->id >= given->id)
            continue;
        bool rests = g->transmit_expire_ns == 0 || given->block_time_ns >= g->transmit_expire_ns + t->stop_ns + 2 * t->skew_ns + t->guard_ns;
        w->count.two_holders += !rests || (g->state != CHAIN_GRANT_IDLE && !g->suspended);
    }
}

static void count_events(struct app_lease_world *w)
{
    for (size_t i = 0; i < w->drive->n_events; i++) {
        const struct chain_ledger_event *e = &w->drive->events[i];
        if (e->kind == CHAIN_LE_GRANTED)
            check_grant(w, e);
        if (e->kind != CHAIN_LE_AUTHORIZED || e->id <= w->last_grant) /* one that is authorised again is no new one */
            continue;
        w->last_grant = e->id;
        w->count.leases++;
        w->count.handovers += w->last_holder != e->station;
        w->last_holder = e->station;
    }
}

static void make_block(struct app_lease_world *w)
{
    for (size_t i = 0; i < w->n_flights;) {
        struct flight *f = &w->flights[i];
        if (f->at_ns > w->now_ns) {
            i++;
            continue;
        }
        bool added = app_drive_add(w->drive, f->author, f->nonce, &f->op, 1);
        assert(added);
        (void)added;
        *f = w->flights[--w->n_flights];
    }
    int64_t time_ns = draw_block_time(w);
    favour(w, time_ns);
    app_drive_block(w->drive, time_ns);
    count_events(w);
    keep_block(w);
    w->next_block_ns = w->cfg.adverse ? w->now_ns + w->cfg.times.heartbeat_ns / 2 : INT64_MAX;
}

/* --- on the air --- */

static int64_t min_ns(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When the ledger's word for the holder to be silent is: the end of the latest lease that it was authorised under, and stop. */
static int64_t silent_ns(const struct app_lease_world *w, uint32_t holder)
{
    int64_t expire_ns = INT64_MIN / 2;
    for (size_t i = 0; i < chain_ledger_n_grants(w->drive->ledger); i++) {
        const struct chain_grant *g = chain_ledger_grant(w->drive->ledger, i);
        if (g->holder == holder && g->transmit_expire_ns > expire_ns)
            expire_ns = g->transmit_expire_ns;
    }
    return expire_ns + w->cfg.times.stop_ns;
}

/* From now until the next event: nothing changes but time, so each gate that is open stays so until it closes for good. */
static void account(struct app_lease_world *w, int64_t next_ns)
{
    int64_t until_ns[LEASE_WORLD_HOLDERS];
    for (uint32_t i = 0; i < w->cfg.n_holders; i++) {
        struct holder *h = &w->holders[i];
        uint32_t channel;
        int64_t own_until_ns;
        bool open = chain_holder_may_transmit(&h->machine, own_time(&h->clock, w->now_ns), &channel, &own_until_ns);
        until_ns[i] = open ? min_ns(true_time(&h->clock, own_until_ns), next_ns) : w->now_ns;
        w->count.on_air_ns += until_ns[i] - w->now_ns;
        w->count.after_stop += until_ns[i] > w->now_ns && until_ns[i] > silent_ns(w, i);
        w->count.gaps += h->on_air && until_ns[i] < next_ns;
        h->on_air = until_ns[i] == next_ns && open;
    }
    for (uint32_t i = 0; i < w->cfg.n_holders; i++)
        for (uint32_t j = 0; j < i; j++)
            w->count.two_holders += until_ns[i] > w->now_ns && until_ns[j] > w->now_ns;
}

/* --- running --- */

static int64_t next_event_ns(const struct app_lease_world *w)
{
    int64_t at_ns = w->next_block_ns;
    for (size_t i = 0; i < w->n_flights; i++)
        at_ns = min_ns(at_ns, w->flights[i].at_ns);
    for (uint32_t i = 0; i < w->cfg.n_holders; i++) {
        const struct holder *h = &w->holders[i];
        at_ns = min_ns(at_ns, min_ns(h->toggle_ns, h->wish_ns));
        at_ns = min_ns(at_ns, delivery_ns(w, i));
        at_ns = min_ns(at_ns, true_time(&h->clock, chain_holder_deadline(&h->machine)));
    }
    return at_ns;
}

static void toggle_link(struct app_lease_world *w, uint32_t i)
{
    struct holder *h = &w->holders[i];
    h->link_up = !h->link_up;
    h->toggle_ns = w->now_ns + draw_ns(w, LINK, 0, (h->link_up ? 4 : 2) * w->cfg.times.expire_ns);
}

void app_lease_jam(struct app_lease_world *w, int64_t from_ns, int64_t until_ns)
{
    w->cfg.jam_from_ns = from_ns;
    w->cfg.jam_until_ns = until_ns;
}

void app_lease_run(struct app_lease_world *w, int64_t until_ns)
{
    for (;;) {
        int64_t next_ns = min_ns(next_event_ns(w), start_ns + until_ns);
        if (next_ns > w->now_ns)
            account(w, next_ns);
        w->now_ns = next_ns > w->now_ns ? next_ns : w->now_ns;
        if (w->now_ns - start_ns >= until_ns)
            return;
        bool arrived = w->now_ns >= w->next_block_ns;
        for (size_t i = 0; i < w->n_flights && !arrived; i++)
            arrived = w->flights[i].at_ns <= w->now_ns;
        if (arrived)
            make_block(w);
        for (uint32_t i = 0; i < w->cfg.n_holders; i++) {
            if (w->now_ns >= w->holders[i].toggle_ns)
                toggle_link(w, i);
            if (w->now_ns >= w->holders[i].wish_ns)
                begin_holder(w, i);
            deliver(w, i);
            send_what_is_due(w, i);
        }
    }
}

const struct app_lease_count *app_lease_counts(const struct app_lease_world *w)
{
    return &w->count;
}

bool app_lease_on_air(const struct app_lease_world *w, uint32_t holder)
{
    return w->holders[holder].on_air;
}
