/* What the station does with a frame that it heard: NAV, ACK, duplicates, messages. */
#include "mac/internal.h"

#include <assert.h>
#include <string.h>

/* SIFS after the frame, whatever carrier sense says (10.3.2.11). */
static void respond(struct mac *m, const struct mac_frame *frame, int64_t end_ns, int64_t now_ns, struct mac_update *out)
{
    int64_t start_ns = end_ns + m->cfg.profile.sifs_ns;
    if (m->phase != MAC_PHASE_CONTEND || start_ns < now_ns || start_ns < m->medium.deaf_ns ||
        mac_medium_held_until(&m->medium, start_ns, m->ack_ns) != INT64_MIN) {
        m->stats.late_response++;
        return;
    }
    int64_t left_us = frame->duration_us - (m->cfg.profile.sifs_ns + m->ack_ns + 999) / 1000;
    struct mac_frame ack = {
        .kind = MAC_FRAME_ACK, .duration_us = (uint16_t)(left_us > 0 ? left_us : 0), .receiver = frame->transmitter};
    int rc = mac_frame_write(&ack, m->mpdu, sizeof m->mpdu, &out->mpdu_len);
    assert(rc == 0);
    (void)rc;
    out->transmit = true;
    out->is_response = true;
    out->start_ns = start_ns;
    out->mpdu = m->mpdu;
    out->rate_index = m->cfg.profile.basic_rate;
    m->phase = MAC_PHASE_RESPONDING;
    m->commit_ns = INT64_MAX;
    m->tx_start_ns = start_ns;
    m->tx_end_ns = start_ns + m->ack_ns;
    mac_medium_own(&m->medium, m->tx_end_ns, now_ns);
    m->stats.sent_frames++;
}

static void deliver(struct mac *m, const struct mac_frame *frame, const struct mac_event *in, struct mac_update *out)
{
    const uint8_t *message;
    size_t len;
    if (!mac_reassembly_add(&m->reassembly, frame, in->now_ns, &message, &len))
        return;
    if (message == frame->payload) { /* borrowed for this call only */
        memcpy(m->received, message, len);
        message = m->received;
    }
    out->deliveries[out->n_deliveries++] = (struct mac_delivery){.from = frame->transmitter,
                                                                 .broadcast = mac_address_is_group(&frame->receiver),
                                                                 .message = message,
                                                                 .len_bytes = len,
                                                                 .rx_end_ns = in->frame.quality.end_ns,
                                                                 .snr_db = in->frame.quality.snr_db};
}

static void receive_data(struct mac *m, const struct mac_frame *frame, const struct mac_event *in, struct mac_update *out)
{
    bool to_me = mac_address_equal(&frame->receiver, &m->self);
    if (!frame->ours || (!to_me && !mac_address_equal(&frame->receiver, &mac_broadcast))) {
        m->stats.rx_other++;
        return;
    }
    if (to_me && !out->transmit)
        respond(m, frame, in->frame.quality.end_ns, in->now_ns, out);
    if (mac_dup_check(&m->dup, frame)) {
        m->stats.rx_duplicate++;
        return;
    }
    deliver(m, frame, in, out);
}

/* True if this frame answered, or ended, the wait for an ACK. */
static bool settle_wait(struct mac *m, const struct mac_frame *frame, const struct mac_event *in, struct mac_update *out)
{
    const struct mac_rx_quality *q = &in->frame.quality;
    if (m->phase != MAC_PHASE_AWAIT_ACK || q->start_ns < m->tx_end_ns)
        return false;
    bool acked = frame && frame->kind == MAC_FRAME_ACK && mac_address_equal(&frame->receiver, &m->self);
    struct mac_jam_observation seen = {.kind = MAC_JAM_SEEN_ANSWER, .now_ns = in->now_ns, .acked = acked};
    mac_watch(m, &seen, out);
    if (acked)
        mac_access_acked(m, q->end_ns, in->now_ns, out);
    else
        mac_access_not_acked(m, q->end_ns, in->now_ns, out);
    return acked;
}

static void receive_good(struct mac *m, const struct mac_event *in, struct mac_update *out)
{
    struct mac_frame frame;
    if (mac_frame_read(in->frame.mpdu, in->frame.len_bytes, &frame) != 0) {
        m->stats.rx_malformed++;
        (void)settle_wait(m, NULL, in, out);
        return;
    }
    m->stats.rx_ok++;
    bool has_transmitter = frame.kind == MAC_FRAME_DATA || frame.kind == MAC_FRAME_RTS;
    if (has_transmitter && mac_address_equal(&frame.transmitter, &m->self)) {
        m->stats.rx_own++;
        return;
    }
    int64_t nav_ns = in->frame.quality.end_ns + (int64_t)frame.duration_us * 1000;
    if (frame.duration_us > 0 && !mac_address_equal(&frame.receiver, &m->self) && nav_ns > m->medium.nav_ns) {
        mac_medium_nav(&m->medium, nav_ns);
        m->stats.nav_set++;
    }
    if (settle_wait(m, &frame, in, out))
        return;
    if (frame.kind == MAC_FRAME_DATA)
        receive_data(m, &frame, in, out);
    else
        m->stats.rx_other++;
}

/* The receiver was taken away in the middle of a frame, by the station's own transmitter: nobody's fault. */
static bool cut_off_by_own(const struct mac *m, const struct mac_rx_quality *q)
{
    bool sending = m->phase == MAC_PHASE_SENDING || m->phase == MAC_PHASE_RESPONDING;
    return (sending && q->end_ns >= m->tx_start_ns) || q->end_ns <= m->medium.deaf_ns;
}

void mac_receive_frame(struct mac *m, const struct mac_event *in, struct mac_update *out)
{
    const struct mac_rx_quality *q = &in->frame.quality;
    bool good = q->header_ok && q->fcs_ok && in->frame.mpdu;
    mac_medium_frame(&m->medium, q->end_ns, good, in->now_ns);
    struct mac_jam_observation seen = {.kind = MAC_JAM_SEEN_FRAME, .now_ns = in->now_ns, .quality = q};
    if (good || !cut_off_by_own(m, q))
        mac_watch(m, &seen, out);
    if (good) {
        receive_good(m, in, out);
        return;
    }
    if (!q->header_ok)
        m->stats.rx_header_bad++;
    else
        m->stats.rx_fcs_bad++;
    (void)settle_wait(m, NULL, in, out);
}
