/* Invariants of the ledger's rules, held against a model that knows the events alone: one holder a channel and time. */
#include <assert.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

struct sim_leases {
    struct {
        uint64_t id;          /* the grant that has the channel; 0: none */
        uint32_t holder;
        bool suspended, ended;
        int64_t expire_ns;    /* of the grant */
        int64_t silent_ns;    /* nobody else before: the last authorisation's end, the stop time and the guards */
    } channels[CHAIN_MAX_CHANNELS];
};

void sim_ledger_init(struct sim_world *w)
{
    w->leases = calloc(1, sizeof *w->leases);
    assert(w->leases);
}

static void on_granted(struct sim_world *w, const struct chain_ledger_event *e)
{
    struct sim_leases *l = w->leases;
    bool live = l->channels[e->channel].id != 0 && !l->channels[e->channel].ended && !l->channels[e->channel].suspended &&
                e->block_time_ns < l->channels[e->channel].expire_ns;
    if (live || e->block_time_ns < l->channels[e->channel].silent_ns)
        sim_fail(w, "channel %u is granted to %u while %u may still send", e->channel, e->station, l->channels[e->channel].holder);
    if (w->genesis.channels[e->channel].control)
        sim_fail(w, "the control channel is granted to %u", e->station);
    l->channels[e->channel].id = e->id;
    l->channels[e->channel].holder = e->station;
    l->channels[e->channel].suspended = l->channels[e->channel].ended = false;
    l->channels[e->channel].expire_ns = e->block_time_ns + w->genesis.grant_ns;
}

static void on_authorized(struct sim_world *w, const struct chain_ledger_event *e)
{
    struct sim_leases *l = w->leases;
    const struct chain_genesis *g = &w->genesis;
    if (l->channels[e->channel].id != e->id || l->channels[e->channel].holder != e->station || l->channels[e->channel].suspended ||
        l->channels[e->channel].ended || e->block_time_ns >= l->channels[e->channel].expire_ns) {
        sim_fail(w, "grant %llu of %u is authorised after its end", (unsigned long long)e->id, e->station);
        return;
    }
    int64_t until_ns = e->block_time_ns + g->transmit_expire_ns;
    until_ns = until_ns < l->channels[e->channel].expire_ns ? until_ns : l->channels[e->channel].expire_ns;
    l->channels[e->channel].silent_ns = until_ns + g->stop_ns + 2 * g->max_skew_ns + g->drift_guard_ns;
}

static void on_end(struct sim_world *w, const struct chain_ledger_event *e)
{
    struct sim_leases *l = w->leases;
    if (l->channels[e->channel].id != e->id)
        return;
    l->channels[e->channel].suspended |= e->kind == CHAIN_LE_SUSPENDED;
    l->channels[e->channel].ended |= e->kind == CHAIN_LE_RELINQUISHED || (e->kind == CHAIN_LE_EXPIRED && e->code == CHAIN_TERMINATED_GRANT);
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
