/* The control channel's hopping: at a slot's edge the one control MAC goes to another channel's PHY. Around an edge nobody's frames are on the air,
 * by anybody's clock: it is held from max_skew before to max_skew and a retuning after it. */
#include "apps/station/internal.h"

#include <string.h>

enum { TURNS_A_ROUND = 4 };

bool hop_start(struct app_station *s)
{
    const struct chain_genesis *g = s->cfg.genesis;
    struct hopping *h = &s->hopping;
    h->edge_ns = h->bound_ns = INT64_MAX;
    if (!s->cfg.responses.hop || chain_genesis_hop_set(g) == 0)
        return true;
    struct chain_hopper_config cfg = {.self = s->cfg.id,
                                      .genesis = g,
                                      .signer = s->cfg.node.signer,
                                      .turn_ns = g->hop_dwell_ns * g->hop_rendezvous_every / TURNS_A_ROUND};
    h->on = chain_hopper_init(&h->hopper, &cfg) == 0;
    h->edge_ns = s->now_ns;
    return h->on;
}

uint32_t mac_of(const struct app_station *s, uint32_t channel)
{
    return chain_genesis_shares(s->cfg.genesis, channel) ? s->control : channel;
}

uint32_t phy_of(const struct app_station *s, uint32_t mac)
{
    return mac == s->control ? s->tuned : mac;
}

bool hop_hears(const struct app_station *s, uint32_t channel)
{
    return mac_of(s, channel) != s->control || (channel == s->tuned && s->hopping.bound_ns == INT64_MAX);
}

uint32_t app_station_control_channel(const struct app_station *s, int64_t now_ns)
{
    return s->hopping.on ? chain_hopper_channel(&s->hopping.hopper, block_time(s, now_ns)) : s->control;
}

/* The next slot is elsewhere: what does not fit before its edge waits. */
static void hold_edge(struct app_station *s, int64_t now_ns)
{
    struct hopping *h = &s->hopping;
    int64_t skew_ns = s->cfg.genesis->max_skew_ns, after_ns = h->edge_ns + skew_ns + s->cfg.retune_ns;
    if (h->held_ns == h->edge_ns || app_station_control_channel(s, h->edge_ns) == s->tuned)
        return;
    h->held_ns = h->edge_ns;
    radio_hold(s, s->control, now_ns, h->edge_ns - skew_ns, after_ns > h->edge_ns - skew_ns ? after_ns : h->edge_ns - skew_ns + 1);
}

/* Own frames that reach over an edge do so because it was not known when they began. */
static bool still_sending(const struct app_station *s)
{
    return s->tx.busy && mac_of(s, s->tx.channel) == s->control;
}

static void pass_edge(struct app_station *s, int64_t now_ns)
{
    struct hopping *h = &s->hopping;
    uint32_t channel = app_station_control_channel(s, now_ns);
    h->edge_ns = station_time(s, chain_hop_edge_after(s->cfg.genesis, block_time(s, now_ns)));
    if (channel != s->tuned) {
        s->tuned = channel;
        s->busy[channel] = false; /* its CCA begins anew and says so if it is not */
        h->bound_ns = now_ns + s->cfg.retune_ns;
        h->n_hops++;
    }
    hold_edge(s, now_ns);
}

static int64_t edge_due_ns(const struct app_station *s)
{
    int64_t edge_ns = s->hopping.edge_ns;
    return still_sending(s) && s->tx.end_ns > edge_ns ? s->tx.end_ns : edge_ns;
}

int64_t hop_deadline(const struct app_station *s)
{
    if (!s->hopping.on)
        return INT64_MAX;
    int64_t edge_ns = edge_due_ns(s);
    return s->hopping.bound_ns < edge_ns ? s->hopping.bound_ns : edge_ns;
}

int hop_run(struct app_station *s, int64_t now_ns, struct app_station_update *out)
{
    struct hopping *h = &s->hopping;
    if (edge_due_ns(s) <= now_ns) {
        hop_look(s, now_ns);
        pass_edge(s, now_ns);
    }
    if (h->bound_ns > now_ns)
        return 0;
    h->bound_ns = INT64_MAX;
    struct mac_event event = {.kind = MAC_EV_RETUNE, .now_ns = now_ns};
    event.retune.channel = s->tuned;
    event.retune.busy = s->busy[s->tuned];
    return radio_retune(s, &event, out);
}

void hop_look(struct app_station *s, int64_t now_ns)
{
    struct hopping *h = &s->hopping;
    struct chain_hopper_update update = {0};
    if (!h->on || h->waits)
        return;
    uint32_t known = h->hopper.latest.epoch.epoch;
    chain_hopper_step(&h->hopper, chain_node_ledger(s->node), block_time(s, now_ns), &update);
    if (update.submit)
        h->waits = policy_submit(s, now_ns, &update.op);
    if (h->hopper.latest.epoch.epoch != known)
        hold_edge(s, now_ns);
}

void hop_submitted(struct app_station *s, enum chain_op_kind op)
{
    if (op == CHAIN_OP_HOP_EPOCH)
        s->hopping.waits = false;
}

void app_station_hop_stats(const struct app_station *s, struct app_station_hop_stats *out)
{
    const struct hopping *h = &s->hopping;
    *out = (struct app_station_hop_stats){
        .n_hops = h->n_hops, .n_brought = h->hopper.n_brought, .n_useless = h->hopper.n_useless, .epoch = h->hopper.latest.epoch.epoch};
}
