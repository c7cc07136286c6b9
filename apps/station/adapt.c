/* The responses to jamming at work: verdicts in, what the MAC is told out. */
#include "apps/station/internal.h"

enum { COLLAPSE = 6 }; /* messages of data in a row, each given up after the retry limit */
static const int64_t collapse_ns = 8000000000;

void adapt_start(struct app_station *s)
{
    for (uint32_t c = 0; c < s->n_channels; c++) {
        app_jammed_init(&s->jammed[c]);
        s->collapsed_ns[c] = INT64_MIN;
    }
    app_links_init(&s->links);
    s->leave_ns = INT64_MAX;
}

void adapt_verdict(struct app_station *s, const struct mac_jam_verdict *verdict, int64_t now_ns)
{
    app_jammed_verdict(&s->jammed[verdict->channel], verdict->kind, now_ns);
    if (s->cfg.responses.migrate && mac_jam_is_attack(verdict->kind))
        s->leave_ns = now_ns; /* a step of its own: this one is the MAC's, whose queue the holder may drop */
}

/* A jammer that strikes at the receiver leaves its sender nothing but silence to judge by. */
void adapt_data(struct app_station *s, uint32_t channel, bool acked, int64_t now_ns)
{
    s->n_lost = acked ? 0 : s->n_lost + 1;
    if (!s->cfg.responses.migrate || s->n_lost < COLLAPSE)
        return;
    s->n_lost = 0;
    s->collapsed_ns[channel] = now_ns + collapse_ns;
    s->leave_ns = now_ns;
}

uint32_t adapt_avoided(const struct app_station *s, int64_t now_ns)
{
    uint32_t avoided = 0;
    for (uint32_t c = 0; s->cfg.responses.migrate && c < s->n_channels; c++)
        avoided |= (uint32_t)(app_jammed_at(&s->jammed[c], now_ns) || now_ns < s->collapsed_ns[c]) << c;
    return avoided;
}

void adapt_heard(struct app_station *s, const struct mac_delivery *delivery, int64_t now_ns)
{
    app_links_heard(&s->links, mac_station_of(&delivery->from), delivery->snr_db, now_ns);
}

static int64_t waiting_since(const struct app_station *s, bool with_gossip)
{
    const struct mac *mac = s->macs[s->control];
    int64_t since_ns = mac_waiting_since(mac, MAC_CAT_VOTE);
    for (enum mac_category c = MAC_CAT_PROPOSAL; c <= (with_gossip ? MAC_CAT_GOSSIP : MAC_CAT_PROPOSAL); c++)
        if (mac_waiting_since(mac, c) < since_ns)
            since_ns = mac_waiting_since(mac, c);
    return since_ns;
}

/* After a heartbeat the next one would be due. */
static int64_t slow_at(const struct app_station *s, bool with_gossip)
{
    int64_t since_ns = waiting_since(s, with_gossip);
    return since_ns == INT64_MAX ? INT64_MAX : since_ns + s->cfg.node.engine_heartbeat_ns;
}

static int64_t change_due(bool told, int64_t slow_ns, int64_t now_ns)
{
    return !told ? slow_ns : slow_ns > now_ns ? now_ns : INT64_MAX;
}

int64_t adapt_access_due(const struct app_station *s)
{
    if (!s->cfg.responses.timers)
        return INT64_MAX;
    int64_t engine_ns = change_due(s->waits, slow_at(s, false), s->now_ns), gossip_ns = change_due(s->gossip_waits, slow_at(s, true), s->now_ns);
    return engine_ns < gossip_ns ? engine_ns : gossip_ns;
}

struct chain_node_event adapt_access(struct app_station *s, int64_t now_ns)
{
    struct chain_node_event event = {.kind = CHAIN_NODE_ACCESS, .now_ns = now_ns};
    s->waits = slow_at(s, false) <= now_ns;
    s->gossip_waits = slow_at(s, true) <= now_ns;
    event.access.since_ns = s->waits ? block_time(s, waiting_since(s, false)) : INT64_MAX;
    event.access.gossip = s->gossip_waits;
    return event;
}

static struct mac_exposure exposure_now(const struct app_station *s, bool wanted, int64_t now_ns)
{
    const struct app_jammed *jammed = &s->jammed[s->tuned];
    if (!wanted || !app_jammed_at(jammed, now_ns))
        return (struct mac_exposure){0};
    return app_respond_exposure(jammed->kind, &s->links, s->cfg.waveform, &s->cfg.profile, now_ns);
}

unsigned adapt_slot_rate(const struct app_station *s, int64_t now_ns)
{
    struct mac_exposure exposure = exposure_now(s, s->cfg.responses.slots, now_ns);
    return exposure.copies > 0 ? exposure.rate_index : s->cfg.profile.basic_rate;
}

void adapt_exposure(struct app_station *s, int64_t now_ns)
{
    struct mac_exposure exposure = exposure_now(s, s->cfg.responses.rate, now_ns);
    bool same = exposure.copies == s->exposure.copies && exposure.rate_index == s->exposure.rate_index && exposure.fragment_bytes == s->exposure.fragment_bytes;
    if (same)
        return;
    s->exposure = exposure;
    radio_expose(s, s->control, now_ns, &exposure);
}
