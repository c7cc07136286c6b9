#include "mac/internal.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

enum { ALIGN = 64, MAX_CW = 1 << 20, MAX_QUEUE_MESSAGES = 1 << 16, MAX_PEERS = 1 << 12, MAX_AIFSN = 15, MAX_CHANNELS = 64 };
static const size_t max_queue_bytes = (size_t)1 << 30;

/* Where each part lies in the caller's memory. */
struct layout {
    size_t ears, items, links, chunks, peers, rates, slots, buffers, total;
};

static size_t take(size_t *at, size_t len)
{
    size_t here = *at;
    *at += (len + ALIGN - 1) / ALIGN * ALIGN;
    return here;
}

static struct layout plan(const struct mac_config *cfg)
{
    struct layout l;
    size_t at = 0;
    (void)take(&at, sizeof(struct mac));
    l.ears = take(&at, mac_watch_bytes(cfg));
    l.items = take(&at, mac_queue_items_bytes(cfg));
    l.links = take(&at, mac_queue_links_bytes(cfg));
    l.chunks = take(&at, mac_queue_chunks_bytes(cfg));
    l.peers = take(&at, cfg->max_peers * sizeof(struct mac_dup_peer));
    l.rates = take(&at, cfg->profile.n_rates > 0 ? cfg->max_peers * sizeof(struct mac_rate_peer) : 0);
    l.slots = take(&at, cfg->max_peers * sizeof(struct mac_reassembly_slot));
    l.buffers = take(&at, cfg->max_peers * MAC_REASSEMBLY_BYTES);
    l.total = at;
    return l;
}

size_t mac_bytes(const struct mac_config *cfg)
{
    return plan(cfg).total;
}

static bool is_window(uint32_t cw)
{
    return cw > 0 && cw < MAX_CW && (cw & (cw + 1)) == 0;
}

static const char *find_bad_profile_field(const struct mac_profile *p)
{
    if (p->slot_ns <= 0)
        return "profile.slot_ns";
    if (p->sifs_ns <= 0)
        return "profile.sifs_ns";
    if (p->turnaround_ns < 0 || p->turnaround_ns > p->sifs_ns || p->turnaround_ns >= p->slot_ns)
        return "profile.turnaround_ns";
    if (p->rx_start_delay_ns < 0)
        return "profile.rx_start_delay_ns";
    for (size_t i = 0; i < MAC_N_CATEGORIES; i++)
        if (!is_window(p->cw_min[i]) || p->cw_min[i] > p->cw_max)
            return "profile.cw_min";
    if (!is_window(p->cw_max))
        return "profile.cw_max";
    for (size_t i = 0; i < MAC_N_CATEGORIES; i++)
        if (p->aifsn[i] == 0 || p->aifsn[i] > MAX_AIFSN)
            return "profile.aifsn";
    if (p->retry_limit == 0)
        return "profile.retry_limit";
    if (p->group_gap_ns < 0)
        return "profile.group_gap_ns";
    if ((unsigned)p->access > MAC_ACCESS_SLOTTED_ALOHA)
        return "profile.access";
    if (p->access != MAC_ACCESS_DCF && p->aloha_slot_ns <= 0)
        return "profile.aloha_slot_ns";
    if (p->access == MAC_ACCESS_SLOTTED_ALOHA && (p->aloha_one_in == 0 || p->aloha_one_in > MAX_CW))
        return "profile.aloha_one_in";
    if (p->n_rates > MAC_MAX_RATES)
        return "profile.n_rates";
    if (p->lifetime_ns <= 0)
        return "profile.lifetime_ns";
    if (p->fragment_bytes < MAC_MIN_FRAGMENT_BYTES || p->fragment_bytes > MAC_MAX_MPDU_BYTES - MAC_DATA_HEADER_BYTES)
        return "profile.fragment_bytes";
    return p->txop_ns < 0 ? "profile.txop_ns" : NULL;
}

static const char *find_bad_field(const struct mac_config *cfg)
{
    if (cfg->station_id == UINT32_MAX)
        return "station_id";
    if (cfg->n_channels > MAX_CHANNELS)
        return "n_channels";
    if (cfg->n_channels > 0 && cfg->channel >= cfg->n_channels)
        return "channel";
    if (!cfg->airtime_ns)
        return "airtime_ns";
    if (cfg->queue_messages == 0 || cfg->queue_messages > MAX_QUEUE_MESSAGES)
        return "queue_messages";
    if (cfg->queue_bytes == 0 || cfg->queue_bytes > max_queue_bytes)
        return "queue_bytes";
    if (cfg->max_peers == 0 || cfg->max_peers > MAX_PEERS)
        return "max_peers";
    if (cfg->reassembly_ns <= 0)
        return "reassembly_ns";
    if (cfg->jam.window_ns <= 0)
        return "jam.window_ns";
    if (cfg->jam.min_frames == 0 || cfg->jam.min_frames > MAC_JAM_FRAMES)
        return "jam.min_frames";
    if (!isfinite(cfg->jam.noise_dbfs))
        return "jam.noise_dbfs";
    if (cfg->jam.collision_ns < 0)
        return "jam.collision_ns";
    return find_bad_profile_field(&cfg->profile);
}

int mac_init(void *mem, size_t len, const struct mac_config *cfg, struct mac **out, const char **bad_field_out)
{
    *bad_field_out = find_bad_field(cfg);
    if (*bad_field_out)
        return -EINVAL;
    struct layout l = plan(cfg);
    if (!mem || len < l.total) {
        *bad_field_out = "len";
        return -EINVAL;
    }
    uint8_t *base = mem;
    struct mac *m = mem;
    memset(m, 0, sizeof *m);
    m->cfg = *cfg;
    if (m->cfg.jam.collision_ns == 0)
        m->cfg.jam.collision_ns = 2 * cfg->profile.slot_ns;
    m->self = mac_address_of(cfg->station_id);
    m->commit_ns = INT64_MAX;
    m->ack_ns = cfg->airtime_ns(cfg->airtime_ctx, MAC_ACK_BYTES, cfg->profile.basic_rate);
    m->rts_ns = cfg->airtime_ns(cfg->airtime_ctx, MAC_RTS_BYTES, cfg->profile.basic_rate);
    m->started_ns = INT64_MIN;
    m->access_deadline_ns = m->expiry_ns = INT64_MAX;
    int64_t longest_ns = cfg->airtime_ns(cfg->airtime_ctx, MAC_MAX_MPDU_BYTES, cfg->profile.basic_rate);
    mac_medium_init(&m->medium, &cfg->profile, m->ack_ns, longest_ns);
    m->longest_reserve_ns = longest_ns + 2 * cfg->profile.sifs_ns + m->ack_ns;
    mac_backoff_init(&m->backoff, cfg);
    mac_rate_init(&m->rate, cfg, cfg->profile.sifs_ns + m->ack_ns, (struct mac_rate_peer *)(void *)(base + l.rates));
    m->next_sequence = (uint16_t)(mac_draw(&m->backoff.key, MAC_DRAW_SEQUENCE, cfg->boot) & 0x0fff);
    m->next_message_id = (uint16_t)mac_draw(&m->backoff.key, MAC_DRAW_MESSAGE_ID, cfg->boot);
    mac_queue_init(&m->queue, cfg, base + l.items, base + l.links, base + l.chunks);
    mac_slots_init(&m->slots);
    mac_dup_init(&m->dup, (struct mac_dup_peer *)(void *)(base + l.peers), cfg->max_peers, cfg->profile.lifetime_ns);
    mac_reassembly_init(&m->reassembly, (struct mac_reassembly_slot *)(void *)(base + l.slots), cfg->max_peers, base + l.buffers,
                        cfg->reassembly_ns);
    mac_watch_init(m, base + l.ears);
    *out = m;
    return 0;
}

static bool is_bad_exposure(const struct mac *m, const struct mac_exposure *g)
{
    return g->copies > 0 && (g->copies > MAC_MAX_COPIES || g->rate_index >= MAC_MAX_RATES || g->fragment_bytes < MAC_MIN_FRAGMENT_BYTES ||
                             g->fragment_bytes > m->cfg.profile.fragment_bytes);
}

static bool is_malformed(const struct mac *m, const struct mac_event *in)
{
    switch (in->kind) {
    case MAC_EV_SEND:
        return !in->send.message || in->send.len_bytes == 0 || in->send.len_bytes > MAC_MAX_MESSAGE_BYTES ||
               (unsigned)in->send.category >= MAC_N_CATEGORIES || !mac_access_can_reserve(in);
    case MAC_EV_FRAME:
        return !in->frame.mpdu && in->frame.len_bytes > 0;
    case MAC_EV_HOLD:
        return in->hold.to_ns <= in->hold.from_ns;
    case MAC_EV_RETUNE:
        return in->retune.channel >= m->n_ears;
    case MAC_EV_EXPOSE:
        return is_bad_exposure(m, &in->expose);
    case MAC_EV_TICK:
    case MAC_EV_CCA_BUSY:
    case MAC_EV_CCA_IDLE:
    case MAC_EV_LOCK:
    case MAC_EV_SHAPE:
    case MAC_EV_TX_DONE:
    case MAC_EV_DEAF:
    case MAC_EV_FLUSH:
        return false;
    default:
        return true;
    }
}

static __attribute__((noinline)) void on_cca(struct mac *m, const struct mac_event *in, struct mac_update *out)
{
    bool busy = in->kind == MAC_EV_CCA_BUSY;
    mac_medium_cca(&m->medium, busy, in->now_ns);
    if (in->cca.elsewhere)
        return;
    struct mac_jam_observation seen = {
        .kind = busy ? MAC_JAM_SEEN_BUSY : MAC_JAM_SEEN_IDLE, .now_ns = in->now_ns, .power_dbfs = in->cca.power_dbfs};
    mac_watch(m, &seen, out);
}

static void on_sense(struct mac *m, const struct mac_event *in, struct mac_update *out)
{
    int64_t now_ns = in->now_ns;
    if (!mac_medium_sensed(&m->medium) && m->phase == MAC_PHASE_CONTEND && m->backoff.access == MAC_ACCESS_DCF &&
        (m->lone == 0 || mac_backoff_due_ns(&m->backoff, mac_first(m->lone)) <= now_ns))
        mac_access_interrupt(m, now_ns);
    if (in->kind != MAC_EV_LOCK) {
        on_cca(m, in, out);
        return;
    }
    /* a frame that began before the own one ended was lost with it */
    if (m->phase != MAC_PHASE_SENDING && m->phase != MAC_PHASE_RESPONDING)
        mac_medium_lock(&m->medium, now_ns);
    mac_jam_note_lock(&m->ear->jam);
}

static void on_tick(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    struct mac_jam_observation tick = {.kind = MAC_JAM_SEEN_TICK, .now_ns = now_ns};
    mac_watch(m, &tick, out); /* before the messages that could not go are dropped */
    enum mac_phase before = m->phase;
    mac_medium_expire(&m->medium, now_ns);
    mac_reassembly_expire(&m->reassembly, now_ns);
    mac_access_expire(m, now_ns, out);
    if (before == MAC_PHASE_AWAIT && m->phase != before) {
        struct mac_jam_observation seen = {.kind = MAC_JAM_SEEN_ANSWER, .now_ns = now_ns, .acked = false};
        mac_watch(m, &seen, out);
    }
}

static int on_tx_done(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    uint64_t refused = m->stats.refused;
    int rc = mac_exchange_tx_done(m, now_ns, out);
    if (rc == 0 && m->stats.refused == refused) {
        struct mac_jam_observation seen = {.kind = MAC_JAM_SEEN_SENT, .now_ns = now_ns};
        mac_watch(m, &seen, out);
    }
    return rc;
}

/* What the station itself or its caller does. */
static int dispatch_own(struct mac *m, const struct mac_event *in, struct mac_update *out)
{
    switch (in->kind) {
    case MAC_EV_SEND:
        return mac_access_send(m, in);
    case MAC_EV_TX_DONE:
        return on_tx_done(m, in->now_ns, out);
    case MAC_EV_HOLD:
        mac_medium_hold(&m->medium, in->hold.from_ns, in->hold.to_ns, in->now_ns);
        return 0;
    case MAC_EV_SHAPE: {
        struct mac_jam_observation seen = {.kind = MAC_JAM_SEEN_SHAPE, .now_ns = in->now_ns, .shape = &in->shape};
        mac_watch(m, &seen, out);
        return 0;
    }
    case MAC_EV_DEAF:
        mac_medium_deaf(&m->medium, in->deaf.until_ns, in->now_ns);
        return 0;
    case MAC_EV_RETUNE:
        mac_medium_retune(&m->medium, in->retune.busy, in->now_ns);
        mac_slots_cut(m, in->now_ns);
        mac_watch_retune(m, in, out);
        return 0;
    case MAC_EV_EXPOSE:
        m->exposure = in->expose;
        return 0;
    case MAC_EV_FLUSH:
        mac_queue_expire(&m->queue, in->now_ns);
        return 0;
    case MAC_EV_TICK:
    default:
        on_tick(m, in->now_ns, out);
        return 0;
    }
}

static __attribute__((noinline)) int step_own(struct mac *m, const struct mac_event *in, struct mac_update *out)
{
    if (is_malformed(m, in)) {
        m->stats.bad_event++;
        return -EBADMSG;
    }
    if (m->started_ns == INT64_MIN)
        m->started_ns = in->now_ns;
    int rc = dispatch_own(m, in, out);
    if (rc == -EBADMSG)
        m->stats.bad_event++;
    if (in->kind == MAC_EV_TICK) {
        mac_access_arm(m, in->now_ns);
        if (m->slots.active && !out->transmit) {
            mac_slots_run(m, in->now_ns, out);
            mac_access_arm(m, in->now_ns);
        }
        if (!out->transmit)
            mac_access_try(m, in->now_ns, out);
    }
    mac_access_settle(m, in->now_ns, false);
    return rc;
}

/* What others do comes first, and in as few steps as can be: it is most of what happens on a channel. */
int mac_step(struct mac *m, const struct mac_event *in, struct mac_update *out)
{
    out->transmit = out->is_response = out->has_verdict = false;
    out->n_deliveries = out->n_reports = 0;
    bool waited = m->phase == MAC_PHASE_CONTEND, frame = in->kind == MAC_EV_FRAME && (in->frame.mpdu || in->frame.len_bytes == 0);
    if (!frame && in->kind != MAC_EV_LOCK && in->kind != MAC_EV_CCA_BUSY && in->kind != MAC_EV_CCA_IDLE)
        return step_own(m, in, out);
    if (m->started_ns == INT64_MIN)
        m->started_ns = in->now_ns;
    if (frame)
        mac_receive_frame(m, in, out);
    else
        on_sense(m, in, out);
    mac_access_settle(m, in->now_ns, waited && m->phase == MAC_PHASE_CONTEND);
    return 0;
}

static int64_t min_ns(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t mac_waiting_since(const struct mac *m, enum mac_category category)
{
    return m->queue.count[category] > 0 ? mac_queue_peek(&m->queue, category)->given_ns : INT64_MAX;
}

int64_t mac_deadline(const struct mac *m)
{
    int64_t deadline_ns = min_ns(m->access_deadline_ns, mac_reassembly_deadline(&m->reassembly));
    if (m->medium.receiving)
        deadline_ns = min_ns(deadline_ns, m->medium.receive_limit_ns);
    if (!m->slots.active && m->ear->jam.opinion == MAC_JAM_NONE)
        return deadline_ns;
    return min_ns(deadline_ns, min_ns(mac_slots_deadline(m), mac_watch_deadline(m)));
}

void mac_stats(const struct mac *m, struct mac_stats *out)
{
    *out = m->stats;
    out->reassembled = m->reassembly.n_done;
    out->reassembly_dropped = m->reassembly.n_dropped;
    out->busy_ns = m->medium.busy_ns;
    out->nav_dropped = m->medium.n_nav_dropped;
}

void mac_close(struct mac *m)
{
    (void)m;
}
