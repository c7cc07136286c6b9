#include "apps/station/internal.h"

#include <errno.h>
#include <string.h>

enum { ALIGN = 64 };

static size_t aligned(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static void *take(uint8_t **cursor, size_t n)
{
    void *at = *cursor;
    *cursor += aligned(n);
    return at;
}

static int64_t airtime_ns(void *ctx, size_t mpdu_len, unsigned rate_index)
{
    const struct app_station_config *cfg = ctx;
    return (int64_t)(cfg->waveform->frame_samples(mpdu_len + 4, rate_index) * 1000000000u / cfg->sample_rate_hz);
}

static struct phy_config describe_phy(const struct app_station_config *cfg, uint32_t channel)
{
    return (struct phy_config){.waveform = cfg->waveform,
                               .sample_rate_hz = cfg->sample_rate_hz,
                               .noise_dbfs = cfg->noise_dbfs,
                               .cca_energy_db = 8.0,
                               .cca_samples = (uint32_t)((uint64_t)cfg->cca_ns * cfg->sample_rate_hz / 1000000000u),
                               .first_sample = cfg->first_sample,
                               .packet = cfg->packet,
                               .seed = cfg->seed,
                               .stream = (uint64_t)cfg->id << 32 | channel};
}

struct app_slots_config station_slots(const struct app_station_config *cfg)
{
    const struct app_station_processing *p = &cfg->processing;
    return (struct app_slots_config){.self = cfg->id,
                                     .n_stations = cfg->genesis->members.n,
                                     .profile = &cfg->profile,
                                     .rate_index = cfg->profile.basic_rate,
                                     .airtime_ns = airtime_ns,
                                     .airtime_ctx = (void *)(uintptr_t)cfg,
                                     .vote_octets = app_slots_vote_octets(cfg->node.engine),
                                     .verify_ns = p->verify_ns,
                                     .sign_ns = p->sign_ns,
                                     .persist_ns = p->persist_ns,
                                     /* a frame is known within SIFS and taken up on the CCA's grid; so is what the processor made of it */
                                     .grid_ns = cfg->profile.sifs_ns + 2 * cfg->cca_ns};
}

/* On the control channel those of the genesis block follow slot plans; who hears one voter only keeps a reservation for as long as a plan. */
static void describe_slots(const struct app_station_config *cfg, struct mac_config *mac)
{
    struct app_slots_config slots = station_slots(cfg);
    struct chain_node_send longest = {.to = CHAIN_TO_ALL, .urgency = CHAIN_URGENT_PROPOSAL, .rounds = MAC_SLOT_PHASES, .signatures = 1};
    struct mac_slot_plan plan;
    if (!app_slots_plan(&slots, &longest, &plan))
        return;
    mac->slot_stations = slots.n_stations;
    mac->slot_rates = cfg->waveform->n_rates;
    mac->profile.group_gap_ns = mac_slot_plan_end_ns(&plan);
}

static struct mac_config describe_mac(const struct app_station_config *cfg, uint32_t channel)
{
    bool hops = cfg->responses.hop && chain_genesis_hop_set(cfg->genesis) != 0;
    struct mac_config mac = {.seed = cfg->seed,
                             .boot = cfg->boot,
                             .station_id = cfg->id,
                             .channel = channel,
                             .n_channels = hops && cfg->genesis->channels[channel].control ? cfg->genesis->n_channels : 0,
                             .profile = cfg->profile,
                             .airtime_ns = airtime_ns,
                             .queue_messages = 32,
                             .queue_bytes = 256 * 1024,
                             .max_peers = 16,
                             .reassembly_ns = cfg->reassembly_ns,
                             .jam = {.window_ns = cfg->jam_window_ns, .min_frames = 6, .noise_dbfs = cfg->noise_dbfs}};
    if (cfg->vote_slots && cfg->genesis->channels[channel].control)
        describe_slots(cfg, &mac);
    return mac;
}

size_t app_station_bytes(const struct app_station_config *cfg)
{
    size_t n = aligned(sizeof(struct app_station)) + aligned(sizeof(struct chain_node_update));
    struct phy_config phy = describe_phy(cfg, 0);
    for (uint32_t c = 0; c < cfg->genesis->n_channels; c++) {
        struct mac_config mac = describe_mac(cfg, c);
        n += aligned(phy_bytes(&phy)) + (cfg->genesis->channels[c].hop ? 0 : aligned(mac_bytes(&mac)));
    }
    struct mac_config control = describe_mac(cfg, 0);
    control.airtime_ctx = (void *)cfg;
    struct mac_repair_config repair = group_config(cfg, &control);
    n += cfg->repair ? aligned(mac_repair_bytes(&repair)) : 0;
    n += aligned(chain_node_bytes(&cfg->node));
    n += (INBOX_SLOTS + OUTBOX_SLOTS) * (aligned(MAX_BUNDLE_BYTES) + aligned(sizeof(struct letter)));
    return n + ALIGN;
}

static void place_ring(struct letter_ring *ring, size_t n_slots, uint8_t **cursor)
{
    ring->n_slots = n_slots;
    ring->slots = take(cursor, n_slots * sizeof *ring->slots);
    for (size_t i = 0; i < n_slots; i++)
        ring->slots[i].octets = take(cursor, MAX_BUNDLE_BYTES);
}

static int open_channel(struct app_station *s, uint32_t channel, uint8_t **cursor, const char **bad_field_out)
{
    struct phy_config phy = describe_phy(&s->cfg, channel);
    size_t n = phy_bytes(&phy);
    int rc = phy_init(take(cursor, n), n, &phy, &s->phys[channel], bad_field_out);
    s->mac_deadline_ns[channel] = INT64_MAX;
    if (rc != 0 || s->cfg.genesis->channels[channel].hop)
        return rc;
    struct mac_config mac = describe_mac(&s->cfg, channel);
    mac.airtime_ctx = &s->cfg;
    n = mac_bytes(&mac);
    rc = mac_init(take(cursor, n), n, &mac, &s->macs[channel], bad_field_out);
    if (rc == 0)
        s->mac_deadline_ns[channel] = mac_deadline(s->macs[channel]);
    return rc;
}

static int open_repair(struct app_station *s, uint8_t **cursor, const char **bad_field_out)
{
    struct mac_config mac = describe_mac(&s->cfg, s->control);
    mac.airtime_ctx = &s->cfg;
    struct mac_repair_config cfg = group_config(&s->cfg, &mac);
    size_t n = mac_repair_bytes(&cfg);
    return mac_repair_init(take(cursor, n), n, &cfg, &s->repair, bad_field_out);
}

int app_station_init(void *mem, size_t len, const struct app_station_config *cfg, struct app_station **out,
                     const char **bad_field_out)
{
    *bad_field_out = "memory";
    if (len < app_station_bytes(cfg) || (uintptr_t)mem % ALIGN != 0)
        return -EINVAL;
    uint8_t *cursor = mem;
    struct app_station *s = take(&cursor, sizeof *s);
    memset(s, 0, sizeof *s);
    s->cfg = *cfg;
    s->n_channels = cfg->genesis->n_channels;
    s->grid_ns = cfg->cca_ns;
    s->now_ns = sample_ns(s, cfg->first_sample);
    s->control = UINT32_MAX;
    for (uint32_t c = 0; c < s->n_channels; c++)
        if (cfg->genesis->channels[c].control && s->control == UINT32_MAX)
            s->control = c;
    *bad_field_out = "cca_ns";
    if (cfg->cca_ns <= 0)
        return -EINVAL;
    *bad_field_out = "traffic.payload_bytes";
    if (cfg->traffic.interval_ns != 0 && (cfg->traffic.payload_bytes < APP_STATION_MIN_PAYLOAD ||
                                          cfg->traffic.payload_bytes > APP_STATION_MAX_PAYLOAD))
        return -EINVAL;
    *bad_field_out = "genesis.channels";
    if (s->control == UINT32_MAX)
        return -EINVAL;
    s->tuned = s->control;
    *bad_field_out = "retune_ns";
    if (cfg->retune_ns < 0 || cfg->retune_ns > cfg->genesis->hop_dwell_ns / 4 || !hop_start(s))
        return -EINVAL;
    spoof_start(s);
    s->chain_update = take(&cursor, sizeof *s->chain_update);
    int rc = 0;
    for (uint32_t c = 0; c < s->n_channels && rc == 0; c++)
        rc = open_channel(s, c, &cursor, bad_field_out);
    if (rc == 0 && cfg->repair)
        rc = open_repair(s, &cursor, bad_field_out);
    if (rc == 0) {
        size_t n = chain_node_bytes(&cfg->node);
        rc = chain_node_init(take(&cursor, n), n, &cfg->node, &s->node, bad_field_out);
    }
    place_ring(&s->inbox, INBOX_SLOTS, &cursor);
    place_ring(&s->outbox, OUTBOX_SLOTS, &cursor);
    *out = s;
    if (rc != 0)
        app_station_close(s);
    return rc;
}

struct chain_node *app_station_node(struct app_station *s)
{
    return s->node;
}

static int64_t mac_first(const struct app_station *s, uint32_t *channel_out)
{
    int64_t first_ns = INT64_MAX;
    *channel_out = s->control;
    for (uint32_t i = 0; i < s->n_channels; i++) {
        uint32_t c = (s->control + i) % s->n_channels; /* control first */
        if (s->mac_deadline_ns[c] < first_ns) {
            first_ns = s->mac_deadline_ns[c];
            *channel_out = c;
        }
    }
    return first_ns;
}

int64_t app_station_deadline(const struct app_station *s)
{
    uint32_t channel;
    if (!s->started || s->i_signal < s->n_signals)
        return 0;
    int64_t first_ns = mac_first(s, &channel);
    if (s->tx.busy && s->tx.end_ns < first_ns)
        first_ns = s->tx.end_ns;
    if (hop_deadline(s) < first_ns)
        first_ns = hop_deadline(s);
    if (group_deadline(s) < first_ns)
        first_ns = group_deadline(s);
    if (ledger_deadline(s) < first_ns)
        first_ns = ledger_deadline(s);
    if (policy_deadline(s) < first_ns)
        first_ns = policy_deadline(s);
    return first_ns;
}

static int start(struct app_station *s, int64_t now_ns, struct app_station_update *out)
{
    struct chain_node_event event = {.kind = CHAIN_NODE_START, .now_ns = now_ns};
    s->started = true;
    policy_start(s);
    return ledger_step(s, &event, out);
}

static void begin_step(struct app_station *s, int64_t now_ns, struct app_station_update *out)
{
    out->has_emission = false;
    out->chain = NULL;
    out->n_notes = 0;
    s->now_ns = now_ns;
}

int app_station_submit(struct app_station *s, int64_t now_ns, const uint8_t *tx, size_t len, struct app_station_update *out,
                       int *result_out)
{
    begin_step(s, now_ns, out);
    return ledger_submit(s, now_ns, tx, len, out, result_out);
}

int app_station_step(struct app_station *s, int64_t now_ns, struct app_station_update *out)
{
    uint32_t channel;
    begin_step(s, now_ns, out);
    if (!s->started)
        return start(s, now_ns, out);
    if (s->i_signal < s->n_signals)
        return radio_signal(s, out);
    if (s->tx.busy && s->tx.end_ns <= now_ns)
        return radio_tx_done(s, out);
    if (hop_deadline(s) <= now_ns)
        return hop_run(s, now_ns, out);
    if (mac_first(s, &channel) <= now_ns)
        return radio_tick(s, channel, now_ns, out);
    if (group_deadline(s) <= now_ns)
        return group_run(s, now_ns, out);
    if (ledger_due(s, now_ns))
        return ledger_run(s, now_ns, out);
    return policy_run(s, now_ns, out);
}

void app_station_mac_stats(const struct app_station *s, uint32_t channel, struct mac_stats *out)
{
    mac_stats(s->macs[mac_of(s, channel)], out);
}

void app_station_phy_stats(const struct app_station *s, uint32_t channel, struct phy_stats *out)
{
    phy_stats(s->phys[channel], out);
}

uint64_t app_station_inbox_full(const struct app_station *s)
{
    return s->n_inbox_full + s->n_outbox_full;
}

void app_station_close(struct app_station *s)
{
    for (uint32_t c = 0; c < s->n_channels; c++) {
        if (s->phys[c])
            phy_close(s->phys[c]);
        if (s->macs[c])
            mac_close(s->macs[c]);
    }
    if (s->node)
        chain_node_close(s->node);
}
