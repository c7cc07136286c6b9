/* Policy that spans the layers: quiet periods and sensing, the lease holder and its traffic, verdicts that become evidence. */
#include "apps/station/internal.h"

#include <math.h>
#include <string.h>

enum { STAGGER_NS = 1000000, EVIDENCE_GAP_NS = 500000000 };

struct app_station_note *note(struct app_station_update *out, enum app_station_note_kind kind, int64_t at_ns, uint32_t channel)
{
    size_t i = out->n_notes < APP_STATION_MAX_NOTES ? out->n_notes++ : APP_STATION_MAX_NOTES - 1;
    out->notes[i] = (struct app_station_note){.kind = kind, .at_ns = at_ns, .channel = channel};
    return &out->notes[i];
}

static void submit(struct app_station *s, int64_t due_ns, const struct chain_op *op)
{
    if (!op_push(&s->ops, due_ns, op))
        s->n_inbox_full++;
}

static bool originates(const struct app_station *s, int64_t now_ns)
{
    uint64_t bound = s->cfg.settle_from_height;
    return now_ns < s->cfg.settle_from_ns && (bound == 0 || chain_ledger_height(chain_node_ledger(s->node)) < bound);
}

bool policy_submit(struct app_station *s, int64_t due_ns, const struct chain_op *op)
{
    return originates(s, due_ns) && op_push(&s->ops, due_ns, op);
}

/* Padded by max_skew on both sides: whatever a member's clock says, nobody sends in anybody's window. */
void app_station_quiet(const struct app_station *s, uint32_t channel, int64_t now_ns, int64_t *start_ns_out, int64_t *end_ns_out)
{
    uint64_t window;
    int64_t skew_ns = s->cfg.genesis->max_skew_ns, start_ns, end_ns;
    chain_genesis_quiet_after(s->cfg.genesis, channel, block_time(s, now_ns) - skew_ns, &window, &start_ns, &end_ns);
    *start_ns_out = station_time(s, start_ns) - skew_ns;
    *end_ns_out = station_time(s, end_ns) + skew_ns;
}

/* Holds every MAC and arms every sensor for the next quiet window. What is measured lies max_skew inside the window, so that
 * no member's frame is mistaken for a primary user. */
static void arm_window(struct app_station *s, int64_t now_ns)
{
    struct sensing *sensing = &s->sensing;
    int64_t skew_ns = s->cfg.genesis->max_skew_ns;
    memset(sensing->have, 0, sizeof sensing->have);
    sensing->open = true;
    sensing->end_ns = 0;
    for (uint32_t c = 0; c < s->n_channels; c++) {
        int64_t start_ns, end_ns;
        chain_genesis_quiet_after(s->cfg.genesis, c, block_time(s, now_ns) + skew_ns, &sensing->window, &start_ns, &end_ns);
        start_ns = station_time(s, start_ns);
        end_ns = station_time(s, end_ns);
        radio_hold(s, c, now_ns, start_ns - skew_ns, end_ns + skew_ns);
        s->listen_from_ns[c] = start_ns;
        s->listen_until_ns[c] = end_ns;
        struct phy_event event = {.kind = PHY_EV_SENSE};
        event.sense.start_sample = sample_at(s, start_ns + skew_ns);
        event.sense.n_samples = sample_at(s, end_ns - skew_ns) - event.sense.start_sample;
        event.sense.p_fa = s->cfg.genesis->local_p_fa_ppb * 1e-9;
        int rc = phy_step(s->phys[c], &event, &s->phy_update);
        (void)rc; /* a channel that cannot be sensed gives no report for this window */
        if (end_ns > sensing->end_ns)
            sensing->end_ns = end_ns;
    }
}

static void commit_report(struct app_station *s, int64_t now_ns)
{
    struct sensing *sensing = &s->sensing;
    struct chain_sense_report *report = &sensing->report;
    memset(report, 0, sizeof *report);
    report->window = sensing->window;
    report->n_channels = s->n_channels;
    for (uint32_t c = 0; c < s->n_channels; c++) {
        report->occupied[c] = sensing->result[c].occupied;
        report->power_cdb[c] = (int32_t)(sensing->result[c].power_dbfs * 100.0);
    }
    uint64_t key[3] = {s->cfg.seed, s->cfg.id, sensing->window};
    uint8_t octets[24];
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)(key[i / 8] >> (8 * (i % 8)));
    struct chain_hash salt;
    chain_hash_of(octets, sizeof octets, &salt);
    memcpy(report->salt, salt.octets, sizeof report->salt);
    struct chain_op op = {.kind = CHAIN_OP_SENSE_COMMIT};
    op.commit.window = report->window;
    if (chain_sense_commitment(s->cfg.id, report, &op.commit.commitment) != 0)
        return;
    sensing->unrevealed = true;
    sensing->reveal_ns = sensing->end_ns + s->cfg.genesis->fuse_after_ns / 2 + s->cfg.genesis->max_skew_ns;
    submit(s, now_ns + (1 + s->cfg.id) * STAGGER_NS, &op);
}

void policy_sensed(struct app_station *s, uint32_t channel, const struct phy_sense *sense, int64_t at_ns,
                   struct app_station_update *out)
{
    s->sensing.have[channel] = true;
    s->sensing.result[channel] = *sense;
    struct app_station_note *n = note(out, APP_NOTE_SENSED, at_ns, channel);
    n->id = s->sensing.window;
    n->occupied = sense->occupied;
    n->power_dbfs = sense->power_dbfs;
}

static void close_window(struct app_station *s, int64_t now_ns)
{
    bool complete = true;
    for (uint32_t c = 0; c < s->n_channels; c++)
        complete = complete && s->sensing.have[c];
    if (complete && originates(s, now_ns) && chain_ledger_registered(chain_node_ledger(s->node), s->cfg.id))
        commit_report(s, now_ns);
    arm_window(s, now_ns);
}

/* Not before everybody has committed, or half of fuse_after has passed by the clock of whoever proposes the block. */
static void reveal_if_due(struct app_station *s, int64_t now_ns)
{
    struct sensing *sensing = &s->sensing;
    const struct chain_ledger *ledger = chain_node_ledger(s->node);
    uint64_t window = sensing->report.window;
    if (!sensing->unrevealed || !chain_ledger_committed(ledger, s->cfg.id, window) ||
        !chain_ledger_may_reveal(ledger, window, block_time(s, now_ns) - s->cfg.genesis->max_skew_ns))
        return;
    struct chain_op op = {.kind = CHAIN_OP_SENSE_REVEAL, .reveal = sensing->report};
    sensing->unrevealed = false;
    submit(s, now_ns + s->cfg.id * STAGGER_NS / 2, &op);
}

/* A peer answers as long as the holder may still be sending, the stop time after a suspension included: a frame without its ACK
 * would be sent again, and disturb the primary user more. */
static int64_t peer_until(const struct chain_genesis *g, const struct chain_grant *grant)
{
    int64_t stop_ns = grant->suspended_ns + g->stop_ns;
    return grant->suspended && stop_ns < grant->transmit_expire_ns ? stop_ns : grant->transmit_expire_ns;
}

/* Which channels the ledger names us on, and until when a peer of a lease may answer. */
static void read_leases(struct app_station *s)
{
    const struct chain_ledger *ledger = chain_node_ledger(s->node);
    const struct chain_genesis *g = s->cfg.genesis;
    for (uint32_t c = 0; c < s->n_channels; c++) {
        s->named[c] = false;
        s->peer_until_ns[c] = INT64_MIN;
    }
    for (size_t i = 0; i < chain_ledger_n_grants(ledger); i++) {
        const struct chain_grant *grant = chain_ledger_grant(ledger, i);
        if (grant->state == CHAIN_GRANT_IDLE)
            continue;
        s->named[grant->channel] |= grant->holder == s->cfg.id;
        for (uint32_t p = 0; p < grant->n_peers; p++) {
            if (grant->peers[p] != s->cfg.id)
                continue;
            s->named[grant->channel] = true;
            if (grant->transmit_expire_ns != 0)
                s->peer_until_ns[grant->channel] = station_time(s, peer_until(g, grant)) - g->max_skew_ns - g->drift_guard_ns;
        }
    }
}

static void step_holder(struct app_station *s, const struct chain_ledger_event *event, int64_t now_ns,
                        struct app_station_update *out)
{
    struct chain_holder_event in = {.kind = event ? CHAIN_HOLDER_LEDGER : CHAIN_HOLDER_TICK,
                                    .now_ns = block_time(s, now_ns),
                                    .ledger = chain_node_ledger(s->node),
                                    .event = event,
                                    .avoid = adapt_avoided(s, now_ns)};
    struct chain_holder_update update = {0};
    s->leave_ns = INT64_MAX;
    enum chain_holder_state before = s->holder.state;
    uint32_t channel = s->holder.channel;
    if (chain_holder_step(&s->holder, &in, &update) != 0)
        return;
    if (update.submit && originates(s, now_ns))
        submit(s, now_ns, &update.op);
    if (s->holder.state == before)
        return;
    note(out, APP_NOTE_HOLDER, now_ns, s->holder.channel)->id = (uint64_t)s->holder.state;
    if (before == CHAIN_HOLDER_AUTHORIZED && channel < s->n_channels)
        radio_drop_queue(s, channel); /* silent at once: what was queued under the old deed dies with it */
}

void policy_submitted(struct app_station *s, enum chain_op_kind op, uint64_t nonce, int64_t now_ns)
{
    struct chain_holder_event in = {.kind = CHAIN_HOLDER_SUBMITTED,
                                    .now_ns = block_time(s, now_ns),
                                    .ledger = chain_node_ledger(s->node),
                                    .op = op,
                                    .nonce = nonce};
    hop_submitted(s, op);
    struct chain_holder_update update = {0};
    if (s->has_holder && chain_holder_step(&s->holder, &in, &update) == 0 && update.submit && originates(s, now_ns))
        submit(s, now_ns, &update.op);
}

void policy_ledger_event(struct app_station *s, const struct chain_ledger_event *event, int64_t now_ns,
                         struct app_station_update *out)
{
    switch (event->kind) {
    case CHAIN_LE_GRANTED:
    case CHAIN_LE_AUTHORIZED:
    case CHAIN_LE_HEARTBEAT:
    case CHAIN_LE_SUSPENDED:
    case CHAIN_LE_EXPIRED:
    case CHAIN_LE_RELINQUISHED:
        read_leases(s);
        break;
    case CHAIN_LE_HOP_EPOCH:
    case CHAIN_LE_RECONFIGURED:
    case CHAIN_LE_EVIDENCE_CONFIRMED:
        hop_look(s, now_ns);
        break;
    default:
        break;
    }
    if (event->kind == CHAIN_LE_TX)
        reveal_if_due(s, now_ns);
    if (s->has_holder)
        step_holder(s, event, now_ns, out);
}

void policy_verdict(struct app_station *s, const struct mac_jam_verdict *verdict, int64_t now_ns, struct app_station_update *out)
{
    note(out, APP_NOTE_VERDICT, now_ns, verdict->channel)->verdict = *verdict;
    adapt_verdict(s, verdict, now_ns);
    if (!mac_jam_is_attack(verdict->kind) || !originates(s, now_ns) ||
        now_ns - s->last_evidence_ns[verdict->channel] < EVIDENCE_GAP_NS)
        return;
    s->last_evidence_ns[verdict->channel] = now_ns;
    struct chain_op op = {.kind = CHAIN_OP_EVIDENCE};
    op.evidence.channel = verdict->channel;
    op.evidence.kind = (uint8_t)verdict->kind;
    op.evidence.from_ns = block_time(s, verdict->from_ns);
    op.evidence.at_ns = block_time(s, verdict->at_ns);
    op.evidence.confidence_permille = verdict->confidence_permille;
    op.evidence.n_frames = verdict->n_frames;
    op.evidence.n_good = verdict->n_good;
    submit(s, now_ns, &op);
}

/* Without a suspect: who sends under a member's address is nobody that the ledger knows, and least of all that member. */
void policy_copied(struct app_station *s, uint32_t channel, const struct mac_rx_quality *quality, int64_t now_ns)
{
    if (!originates(s, now_ns) || now_ns - s->last_copied_ns[channel] < EVIDENCE_GAP_NS)
        return;
    s->last_copied_ns[channel] = now_ns;
    struct chain_op op = {.kind = CHAIN_OP_UNAUTHORISED};
    op.unauthorised.channel = channel;
    op.unauthorised.suspect = CHAIN_MAX_KEYS;
    op.unauthorised.from_ns = block_time(s, quality->start_ns);
    op.unauthorised.at_ns = block_time(s, now_ns);
    op.unauthorised.level_cdb = fabs(quality->rssi_dbfs) < 1000.0 ? (int32_t)(quality->rssi_dbfs * 100.0) : 0; /* not where it is no number */
    submit(s, now_ns, &op);
}

size_t app_station_deeds(const struct app_station *s, struct app_station_deed out[APP_STATION_MAX_DEEDS])
{
    size_t n = 0;
    for (uint32_t c = 0; c < s->n_channels; c++)
        if (c == s->control || s->cfg.genesis->channels[c].hop)
            out[n++] = (struct app_station_deed){.channel = c, .until_ns = INT64_MAX};
    uint32_t channel;
    int64_t until_ns;
    if (s->has_holder && chain_holder_may_transmit(&s->holder, block_time(s, s->now_ns), &channel, &until_ns))
        out[n++] = (struct app_station_deed){.channel = channel, .until_ns = station_time(s, until_ns)};
    for (uint32_t c = 0; c < s->n_channels && n < APP_STATION_MAX_DEEDS; c++)
        if (s->peer_until_ns[c] != INT64_MIN)
            out[n++] = (struct app_station_deed){.channel = c, .until_ns = s->peer_until_ns[c], .responses_only = true};
    return n;
}

/* Octets that tell serial numbers apart and compress badly, so that a waveform's own coding is exercised. */
static void fill_payload(uint8_t *payload, size_t len, uint64_t serial)
{
    for (size_t i = 0; i < 8; i++)
        payload[i] = (uint8_t)(serial >> (8 * (7 - i)));
    uint32_t state = (uint32_t)serial * 2654435761u + 1;
    for (size_t i = 8; i < len; i++) {
        state = state * 1664525u + 1013904223u;
        payload[i] = (uint8_t)(state >> 24);
    }
}

static int run_traffic(struct app_station *s, int64_t now_ns, struct app_station_update *out)
{
    const struct app_station_traffic *t = &s->cfg.traffic;
    uint8_t payload[APP_STATION_MAX_PAYLOAD];
    uint32_t channel;
    int64_t until_ns;
    s->traffic.next_ns += t->interval_ns;
    if (s->traffic.outstanding || !originates(s, now_ns) ||
        !chain_holder_may_transmit(&s->holder, block_time(s, now_ns), &channel, &until_ns))
        return 0;
    uint64_t serial = ++s->traffic.n_sent;
    fill_payload(payload, t->payload_bytes, serial);
    struct mac_event event = {.kind = MAC_EV_SEND, .now_ns = now_ns};
    event.send.id = serial;
    event.send.to = mac_address_of(t->to);
    event.send.category = MAC_CAT_DATA;
    event.send.message = payload;
    event.send.len_bytes = t->payload_bytes;
    s->traffic.outstanding = true;
    struct app_station_note *n = note(out, APP_NOTE_DATA_SENT, now_ns, channel);
    n->id = serial;
    n->len_bytes = t->payload_bytes;
    return radio_send(s, channel, now_ns, &event, out);
}

static int64_t window_close_ns(const struct app_station *s)
{
    return s->sensing.end_ns + s->cfg.genesis->max_skew_ns;
}

static int64_t holder_deadline(const struct app_station *s)
{
    int64_t deadline_ns = s->has_holder ? chain_holder_deadline(&s->holder) : INT64_MAX;
    deadline_ns = deadline_ns == INT64_MAX ? INT64_MAX : station_time(s, deadline_ns);
    return s->has_holder && s->leave_ns < deadline_ns ? s->leave_ns : deadline_ns;
}

int64_t policy_deadline(const struct app_station *s)
{
    int64_t first_ns = window_close_ns(s);
    if (holder_deadline(s) < first_ns)
        first_ns = holder_deadline(s);
    if (s->has_holder && s->traffic.next_ns < first_ns)
        first_ns = s->traffic.next_ns;
    if (s->sensing.reveal_ns < first_ns)
        first_ns = s->sensing.reveal_ns;
    return first_ns;
}

int policy_run(struct app_station *s, int64_t now_ns, struct app_station_update *out)
{
    if (window_close_ns(s) <= now_ns)
        close_window(s, now_ns);
    else if (holder_deadline(s) <= now_ns)
        step_holder(s, NULL, now_ns, out);
    else if (s->has_holder && s->traffic.next_ns <= now_ns)
        return run_traffic(s, now_ns, out);
    else if (s->sensing.reveal_ns <= now_ns) {
        s->sensing.reveal_ns = INT64_MAX;
        reveal_if_due(s, now_ns);
    }
    return 0;
}

static void start_holder(struct app_station *s)
{
    const struct app_station_traffic *t = &s->cfg.traffic;
    if (t->interval_ns == 0)
        return;
    struct chain_holder_config cfg = {.self = s->cfg.id, .genesis = s->cfg.genesis, .n_peers = 1, .peers = {t->to}};
    cfg.n_wanted = t->n_wanted;
    memcpy(cfg.wanted, t->wanted, sizeof cfg.wanted);
    cfg.want_from_ns = block_time(s, t->start_ns);
    cfg.want_until_ns = block_time(s, t->stop_ns);
    cfg.retry_ns = s->cfg.node.gossip_ns * 4;
    s->has_holder = chain_holder_init(&s->holder, &cfg) == 0;
    s->traffic.next_ns = t->start_ns;
}

void policy_start(struct app_station *s)
{
    for (uint32_t c = 0; c < s->n_channels; c++) {
        s->peer_until_ns[c] = INT64_MIN;
        s->last_evidence_ns[c] = s->last_copied_ns[c] = -EVIDENCE_GAP_NS;
    }
    adapt_start(s);
    read_leases(s); /* of a ledger that was restored */
    struct chain_op op = {.kind = CHAIN_OP_REGISTER};
    memcpy(op.reg.call_sign, s->cfg.call_sign, sizeof op.reg.call_sign);
    /* a local grid around (0, 0): 1e-7 degree is 1.11 cm */
    op.reg.lat_e7 = s->cfg.y_cm * 100 / 111;
    op.reg.lon_e7 = s->cfg.x_cm * 100 / 111;
    if (!chain_ledger_registered(chain_node_ledger(s->node), s->cfg.id))
        submit(s, s->now_ns + (5 + 7 * (int64_t)s->cfg.id) * 1000000, &op);
    s->sensing.reveal_ns = INT64_MAX;
    start_holder(s);
    arm_window(s, s->now_ns);
}
