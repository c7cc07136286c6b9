/* PHY signals into the MACs, the MACs' wishes into at most one emission. One transmitter serves all channels, control first. */
#include "apps/station/internal.h"
#include "apps/station/quality.h"

#include <errno.h>
#include <string.h>

/* Every step of a MAC goes through here: its next deadline is asked for once, not at each block of samples. */
static int feed_mac(struct app_station *s, uint32_t channel, const struct mac_event *event)
{
    int rc = mac_step(s->macs[channel], event, &s->mac_update);
    s->mac_deadline_ns[channel] = mac_deadline(s->macs[channel]);
    return rc;
}

static void deliver_control(struct app_station *s, const struct mac_delivery *delivery, int64_t now_ns)
{
    adapt_heard(s, delivery, now_ns);
    const uint8_t *message = delivery->message;
    size_t len_bytes = delivery->len_bytes;
    struct mac_repair_update mended;
    if (s->repair && delivery->broadcast) {
        if (!group_heard(s, delivery, now_ns, &mended))
            return;
        message = mended.message;
        len_bytes = mended.message_len;
    }
    /* the processor takes it up on the CCA grid: results do not depend on how samples were cut into blocks */
    int64_t grid_ns = s->grid_ns;
    int64_t due_ns = (delivery->rx_end_ns + grid_ns - 1) / grid_ns * grid_ns;
    struct letter *letter = letter_push(&s->inbox, due_ns, message, len_bytes);
    if (letter)
        letter->from = delivery->from; /* of the last frame that it took */
    else
        s->n_inbox_full++;
}

static void deliver_data(struct app_station *s, uint32_t channel, const struct mac_delivery *delivery,
                         struct app_station_update *out)
{
    uint64_t serial = 0;
    if (delivery->len_bytes < 8)
        return;
    for (size_t i = 0; i < 8; i++)
        serial = serial << 8 | delivery->message[i];
    struct app_station_note *n = note(out, APP_NOTE_DATA_RECEIVED, delivery->rx_end_ns, channel);
    n->id = serial;
    n->len_bytes = delivery->len_bytes;
    (void)s;
}

static void report(struct app_station *s, uint32_t channel, const struct mac_report *r, int64_t now_ns,
                   struct app_station_update *out)
{
    if (group_id(r->id) && s->repair)
        group_left(s, now_ns);
    if (channel == s->control)
        return;
    s->traffic.outstanding = false;
    adapt_data(s, channel, r->result == MAC_ACKED, now_ns);
    note(out, r->result == MAC_ACKED ? APP_NOTE_DATA_ACKED : APP_NOTE_DATA_LOST, now_ns, channel)->id = r->id;
}

static int emit(struct app_station *s, uint32_t channel, struct app_station_update *out)
{
    const struct mac_update *mu = &s->mac_update;
    struct phy_event event = {.kind = PHY_EV_TRANSMIT};
    event.transmit.start_sample = sample_at(s, mu->start_ns);
    event.transmit.mpdu = s->cfg.copies ? spoof_address(s, mu->mpdu, mu->mpdu_len) : mu->mpdu;
    event.transmit.len_bytes = mu->mpdu_len;
    event.transmit.rate_index = mu->rate_index;
    channel = phy_of(s, channel);
    if (phy_step(s->phys[channel], &event, &s->phy_update) != 0) { /* counted there; for the MAC the frame is lost */
        s->tx = (struct transmitter){.busy = true, .channel = channel, .end_ns = s->now_ns};
        return 0;
    }
    out->has_emission = true;
    out->emission = (struct app_station_emission){.channel = channel,
                                                  .start_sample = event.transmit.start_sample,
                                                  .burst = s->phy_update.burst,
                                                  .burst_len = s->phy_update.burst_len,
                                                  .mpdu = event.transmit.mpdu,
                                                  .mpdu_len = mu->mpdu_len,
                                                  .psdu = s->phy_update.psdu,
                                                  .psdu_len = s->phy_update.psdu_len,
                                                  .rate_index = mu->rate_index,
                                                  .is_response = mu->is_response};
    return 0;
}

/* Everything a MAC step wants, whatever caused it. */
static int after_mac(struct app_station *s, uint32_t channel, int64_t now_ns, struct app_station_update *out)
{
    const struct mac_update *mu = &s->mac_update;
    for (size_t i = 0; i < mu->n_deliveries; i++) {
        if (channel == s->control)
            deliver_control(s, &mu->deliveries[i], now_ns);
        else
            deliver_data(s, channel, &mu->deliveries[i], out);
    }
    for (size_t i = 0; i < mu->n_reports; i++)
        report(s, channel, &mu->reports[i], now_ns, out);
    if (mu->has_verdict)
        policy_verdict(s, &mu->verdict, now_ns, out);
    if (!mu->transmit)
        return 0;
    if (s->tx.busy || out->has_emission) { /* the transmitter works on another channel: as if the frame were lost */
        struct mac_event done = {.kind = MAC_EV_TX_DONE, .now_ns = now_ns};
        return feed_mac(s, channel, &done);
    }
    return emit(s, channel, out);
}

static int step_mac(struct app_station *s, uint32_t channel, const struct mac_event *event, struct app_station_update *out)
{
    int rc = feed_mac(s, channel, event);
    if (rc == -ENOBUFS || rc == -EBADMSG)
        return 0; /* counted by the MAC; nothing else changed */
    return rc != 0 ? rc : after_mac(s, channel, event->now_ns, out);
}

/* Control first: while the control channel is busy the one transmitter does not begin on a data channel, or the station would
 * miss the votes that are on the air. */
static void yield_to_control(struct app_station *s, uint32_t channel, int64_t now_ns)
{
    for (uint32_t c = 0; c < s->n_channels; c++) {
        bool concerned = channel == s->tuned ? !s->busy[c] : c == channel && !s->busy[c] && s->busy[s->tuned];
        if (!s->macs[c] || c == s->control || !concerned)
            continue;
        struct mac_event event = {.kind = s->busy[s->tuned] ? MAC_EV_CCA_BUSY : MAC_EV_CCA_IDLE, .now_ns = now_ns};
        event.cca.elsewhere = true;
        int rc = feed_mac(s, c, &event);
        (void)rc; /* changes only what the MAC believes of its medium */
    }
}

int radio_signal(struct app_station *s, struct app_station_update *out)
{
    uint32_t channel = s->signals[s->i_signal].channel;
    const struct phy_signal *signal = &s->signals[s->i_signal].signal;
    s->i_signal++;
    struct mac_event event;
    if (!app_mac_event(signal, s->cfg.sample_rate_hz, &event)) {
        if (signal->kind == PHY_SENSED)
            policy_sensed(s, channel, &signal->sense, event.now_ns, out);
        return 0;
    }
    if (!hop_hears(s, channel)) { /* but what its CCA says is kept for when it is heard */
        if (signal->kind == PHY_CCA_BUSY || signal->kind == PHY_CCA_IDLE)
            s->busy[channel] = signal->kind == PHY_CCA_BUSY;
        return 0;
    }
    if (event.kind == MAC_EV_FRAME)
        spoof_frame(s, channel, &event, out);
    int rc = step_mac(s, mac_of(s, channel), &event, out);
    if (signal->kind == PHY_CCA_BUSY || signal->kind == PHY_CCA_IDLE) {
        s->busy[channel] = signal->kind == PHY_CCA_BUSY;
        yield_to_control(s, channel, event.now_ns);
    }
    return rc;
}

int radio_tick(struct app_station *s, uint32_t channel, int64_t now_ns, struct app_station_update *out)
{
    struct mac_event event = {.kind = MAC_EV_TICK, .now_ns = now_ns};
    return step_mac(s, channel, &event, out);
}

int radio_send(struct app_station *s, uint32_t channel, int64_t now_ns, const struct mac_event *send, struct app_station_update *out)
{
    (void)now_ns;
    return step_mac(s, channel, send, out);
}

int radio_tx_done(struct app_station *s, struct app_station_update *out)
{
    struct mac_event event = {.kind = MAC_EV_TX_DONE, .now_ns = s->tx.end_ns};
    s->tx.busy = false;
    return step_mac(s, mac_of(s, s->tx.channel), &event, out);
}

void radio_hold(struct app_station *s, uint32_t channel, int64_t now_ns, int64_t from_ns, int64_t to_ns)
{
    struct mac_event event = {.kind = MAC_EV_HOLD, .now_ns = now_ns};
    event.hold.from_ns = from_ns;
    event.hold.to_ns = to_ns;
    /* a hold never makes a MAC send; a refusal is counted there */
    int rc = feed_mac(s, mac_of(s, channel), &event);
    (void)rc;
}

int radio_retune(struct app_station *s, const struct mac_event *retune, struct app_station_update *out)
{
    int rc = step_mac(s, s->control, retune, out);
    yield_to_control(s, s->tuned, retune->now_ns);
    return rc;
}

void radio_expose(struct app_station *s, uint32_t channel, int64_t now_ns, const struct mac_exposure *exposure)
{
    struct mac_event event = {.kind = MAC_EV_EXPOSE, .now_ns = now_ns, .expose = *exposure};
    int rc = feed_mac(s, channel, &event);
    (void)rc; /* within the profile's bounds; it sends nothing */
}

void radio_drop_queue(struct app_station *s, uint32_t channel)
{
    struct mac_event event = {.kind = MAC_EV_FLUSH, .now_ns = s->now_ns};
    int rc = feed_mac(s, channel, &event);
    (void)rc; /* a flush is never malformed; what it drops is reported as lost */
}

void app_station_sent(struct app_station *s, uint32_t channel, int64_t end_ns)
{
    s->tx = (struct transmitter){.busy = true, .channel = channel, .end_ns = end_ns};
    for (uint32_t c = 0; c < s->n_channels; c++) {
        if (!s->macs[c] || c == mac_of(s, channel))
            continue;
        struct mac_event event = {.kind = MAC_EV_DEAF, .now_ns = s->now_ns};
        event.deaf.until_ns = end_ns;
        int rc = feed_mac(s, c, &event);
        (void)rc; /* changes only what the MAC believes of its medium */
    }
}

void app_station_refused(struct app_station *s, uint32_t channel, int64_t now_ns)
{
    struct phy_event event = {.kind = PHY_EV_WITHDRAW};
    int rc = phy_step(s->phys[channel], &event, &s->phy_update);
    (void)rc; /* the frame was made in this very step */
    s->tx = (struct transmitter){.busy = true, .channel = channel, .end_ns = now_ns};
}

bool app_station_listens(const struct app_station *s, uint32_t channel, int64_t now_ns)
{
    if (channel == s->tuned || s->named[channel])
        return true;
    return now_ns >= s->listen_from_ns[channel] && now_ns < s->listen_until_ns[channel];
}

static void collect(struct app_station *s, uint32_t channel)
{
    for (size_t i = 0; i < s->phy_update.n_signals && s->n_signals < MAX_SIGNALS; i++) {
        const struct phy_signal *signal = &s->phy_update.signals[i];
        size_t at = s->n_signals++;
        while (at > 0 && s->signals[at - 1].signal.sample > signal->sample) {
            s->signals[at] = s->signals[at - 1];
            at--;
        }
        s->signals[at].channel = channel;
        s->signals[at].signal = *signal;
        if (signal->kind == PHY_FRAME)
            s->heard[s->n_heard++] = (struct app_station_received){.channel = channel, .frame = signal->frame};
    }
}

static void forget_signals_taken(struct app_station *s)
{
    if (s->i_signal == s->n_signals)
        s->i_signal = s->n_signals = s->n_heard = 0;
}

void app_station_hear(struct app_station *s, uint32_t channel, const float complex *samples, size_t n)
{
    forget_signals_taken(s);
    struct phy_event event = {.kind = PHY_EV_SAMPLES};
    event.samples.samples = samples;
    event.samples.n = n;
    if (phy_step(s->phys[channel], &event, &s->phy_update) == 0)
        collect(s, channel);
}

void app_station_hear_arrivals(struct app_station *s, uint32_t channel, const struct phy_arrival *arrivals, size_t n_arrivals,
                               uint64_t n)
{
    forget_signals_taken(s);
    struct phy_event event = {.kind = PHY_EV_ARRIVALS, .arrivals = {n, arrivals, n_arrivals}};
    if (phy_step(s->phys[channel], &event, &s->phy_update) == 0)
        collect(s, channel);
}

uint64_t app_station_phy_deadline(const struct app_station *s)
{
    uint64_t first = UINT64_MAX;
    for (uint32_t c = 0; c < s->n_channels; c++)
        first = phy_deadline(s->phys[c]) < first ? phy_deadline(s->phys[c]) : first;
    return first;
}

void app_station_skip(struct app_station *s, uint32_t channel, uint64_t n)
{
    forget_signals_taken(s);
    struct phy_event event = {.kind = PHY_EV_SKIP};
    event.skip.n = n;
    if (phy_step(s->phys[channel], &event, &s->phy_update) == 0)
        collect(s, channel);
}

size_t app_station_heard(const struct app_station *s, const struct app_station_received **out)
{
    *out = s->heard;
    return s->n_heard;
}
