/* Invariants of the ledger's rules, held against a model that knows the events alone: one holder a channel, time and place; and
 * treasury and balances make up the supply. */
#include <assert.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

struct sim_lease {
    uint64_t id;          /* the grant that has the channel; 0: none */
    uint32_t holder;
    bool suspended, ended;
    int64_t expire_ns;    /* of the grant */
    int64_t silent_ns;    /* nobody else before: the last authorisation's end, the stop time and the guards */
};

struct sim_leases {
    struct sim_lease at[CHAIN_MAX_CHANNELS][2]; /* by site, where a band may be reused */
};

/* What the event is about: where a band is not reused, one lease is everywhere. */
static struct sim_lease *find_lease(struct sim_world *w, const struct chain_ledger_event *e)
{
    return &w->leases->at[e->channel][w->genesis.reuse_m > 0 ? sim_site(e->station) : 0];
}

void sim_ledger_init(struct sim_world *w)
{
    w->leases = calloc(1, sizeof *w->leases);
    assert(w->leases);
}

static void on_granted(struct sim_world *w, const struct chain_ledger_event *e)
{
    struct sim_lease *l = find_lease(w, e);
    bool live = l->id != 0 && !l->ended && !l->suspended &&
                e->block_time_ns < l->expire_ns;
    if (live || e->block_time_ns < l->silent_ns)
        sim_fail(w, "channel %u is granted to %u while %u may still send", e->channel, e->station, l->holder);
    if (w->genesis.channels[e->channel].control)
        sim_fail(w, "the control channel is granted to %u", e->station);
    l->id = e->id;
    l->holder = e->station;
    l->suspended = l->ended = false;
    l->expire_ns = e->block_time_ns + w->genesis.grant_ns;
}

static void on_authorized(struct sim_world *w, const struct chain_ledger_event *e)
{
    struct sim_lease *l = find_lease(w, e);
    const struct chain_genesis *g = &w->genesis;
    if (l->id != e->id || l->holder != e->station || l->suspended ||
        l->ended || e->block_time_ns >= l->expire_ns) {
        sim_fail(w, "grant %llu of %u is authorised after its end", (unsigned long long)e->id, e->station);
        return;
    }
    int64_t until_ns = e->block_time_ns + g->transmit_expire_ns;
    until_ns = until_ns < l->expire_ns ? until_ns : l->expire_ns;
    l->silent_ns = until_ns + g->stop_ns + 2 * g->max_skew_ns + g->drift_guard_ns;
}

static void on_end(struct sim_world *w, const struct chain_ledger_event *e)
{
    struct sim_lease *l = find_lease(w, e);
    if (l->id != e->id)
        return;
    l->suspended |= e->kind == CHAIN_LE_SUSPENDED;
    l->ended |= e->kind == CHAIN_LE_RELINQUISHED || (e->kind == CHAIN_LE_EXPIRED && e->code == CHAIN_TERMINATED_GRANT);
}

void sim_ledger_block(struct sim_world *w, const struct sim_pending *block)
{
    for (size_t i = 0; i < block->n_events; i++) {
        const struct chain_ledger_event *e = &block->events[i];
        if (e->channel >= w->genesis.n_channels)
            continue;
        if (e->kind == CHAIN_LE_GRANTED)
            on_granted(w, e);
        else if (e->kind == CHAIN_LE_AUTHORIZED || e->kind == CHAIN_LE_HEARTBEAT)
            on_authorized(w, e);
        else if (e->kind == CHAIN_LE_SUSPENDED || e->kind == CHAIN_LE_RELINQUISHED || e->kind == CHAIN_LE_EXPIRED)
            on_end(w, e);
    }
}

void sim_ledger_state(struct sim_world *w, const struct chain_ledger *l)
{
    uint64_t sum = chain_ledger_treasury(l);
    const char *broken = chain_ledger_audit(l);
    for (uint32_t i = 0; i < CHAIN_MAX_KEYS; i++) {
        uint64_t balance = chain_ledger_balance(l, i);
        if (balance > w->genesis.supply)
            sim_fail(w, "station %u has %llu units of %llu", i, (unsigned long long)balance, (unsigned long long)w->genesis.supply);
        sum += balance;
    }
    if (sum != w->genesis.supply)
        sim_fail(w, "treasury and balances are %llu, the supply is %llu", (unsigned long long)sum, (unsigned long long)w->genesis.supply);
    if (broken)
        sim_fail(w, "%s", broken);
}
