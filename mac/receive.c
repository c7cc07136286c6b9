/* What the station does with a frame that it heard: NAV, ACK, duplicates, messages. */
#include "mac/internal.h"

#include <string.h>

/* A response starts SIFS after the frame, whatever carrier sense says (10.3.2.11); it may be that it cannot. The exchange goes on for
 * more_ns after it. */
static bool can_respond(const struct mac *m, int64_t start_ns, int64_t more_ns, int64_t now_ns)
{
    return m->phase == MAC_PHASE_CONTEND && start_ns >= now_ns && start_ns >= m->medium.deaf_ns &&
           mac_medium_held_until(&m->medium, start_ns, m->ack_ns + more_ns) == INT64_MIN;
}

/* An ACK or, to an RTS, a CTS; what remains of the frame's Duration is its own. */
static void respond(struct mac *m, const struct mac_frame *frame, enum mac_frame_kind kind, int64_t end_ns, int64_t now_ns,
                    struct mac_update *out)
{
    int64_t start_ns = end_ns + m->cfg.profile.sifs_ns;
    int64_t left_us = frame->duration_us - (m->cfg.profile.sifs_ns + m->ack_ns + 999) / 1000;
    struct mac_frame response = {
        .kind = kind, .duration_us = (uint16_t)(left_us > 0 ? left_us : 0), .receiver = frame->transmitter};
    out->is_response = true;
    mac_exchange_control(m, &response, start_ns, out);
    m->phase = MAC_PHASE_RESPONDING;
    m->commit_ns = INT64_MAX;
    m->committed = 0;
    mac_medium_own(&m->medium, m->tx_end_ns, now_ns);
}

/* 10.3.2.9: only where nobody else has reserved the medium. */
static void receive_rts(struct mac *m, const struct mac_frame *frame, const struct mac_event *in, struct mac_update *out)
{
    int64_t end_ns = in->frame.quality.end_ns, sifs_ns = m->cfg.profile.sifs_ns;
    int64_t more_ns = (int64_t)frame->duration_us * 1000 - sifs_ns - m->ack_ns;
    if (out->transmit || mac_address_is_group(&frame->transmitter) || mac_medium_reserved_ns(&m->medium) > end_ns ||
        !can_respond(m, end_ns + sifs_ns, more_ns > 0 ? more_ns : 0, in->now_ns)) {
        m->stats.rts_refused++;
        return;
    }
    m->stats.sent_cts++;
    respond(m, frame, MAC_FRAME_CTS, end_ns, in->now_ns, out);
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

/* A station that has just started again does not know whether it delivered what comes as a retry before: it does not answer, and the
 * sender knows that it failed. */
static bool is_unsure(const struct mac *m, const struct mac_frame *frame, int64_t now_ns)
{
    return m->cfg.boot != 0 && frame->retry && now_ns - m->started_ns <= m->cfg.profile.lifetime_ns &&
           !mac_dup_knows(&m->dup, &frame->transmitter);
}

static void receive_data(struct mac *m, struct mac_frame *frame, const struct mac_event *in, struct mac_update *out)
{
    bool to_me = mac_address_equal(&frame->receiver, &m->self);
    int64_t end_ns = in->frame.quality.end_ns;
    if (to_me || mac_address_equal(&frame->receiver, &mac_broadcast))
        mac_frame_read_body(in->frame.mpdu, in->frame.len_bytes, frame);
    if (!frame->ours) {
        m->stats.rx_other++;
        return;
    }
    if (frame->payload_len == 0 && frame->last_fragment == 0 && !to_me)
        return; /* a reservation, which has been heeded */
    if (is_unsure(m, frame, in->now_ns)) {
        m->stats.rx_unsure++;
        return;
    }
    if (m->cfg.profile.n_rates > 0)
        mac_rate_heard(&m->rate, &frame->transmitter, in->now_ns);
    if (to_me && !out->transmit) {
        if (can_respond(m, end_ns + m->cfg.profile.sifs_ns, 0, in->now_ns))
            respond(m, frame, MAC_FRAME_ACK, end_ns, in->now_ns, out);
        else
            m->stats.late_response++;
    }
    if (!to_me && m->cfg.slot_stations > 0)
        mac_slots_heard(m, frame, in->frame.quality.start_ns, end_ns, in->now_ns);
    if (mac_dup_check(&m->dup, frame, in->now_ns)) {
        m->stats.rx_duplicate++;
        return;
    }
    deliver(m, frame, in, out);
}

/* True if this frame answered, or ended, the wait for an answer. */
static bool settle_wait(struct mac *m, const struct mac_frame *frame, const struct mac_event *in, struct mac_update *out)
{
    const struct mac_rx_quality *q = &in->frame.quality;
    if (m->phase != MAC_PHASE_AWAIT || q->start_ns < m->tx_end_ns)
        return false;
    enum mac_frame_kind wanted = m->tx_kind == MAC_FRAME_RTS ? MAC_FRAME_CTS : MAC_FRAME_ACK;
    bool answered = frame && frame->kind == wanted && mac_address_equal(&frame->receiver, &m->self);
    struct mac_jam_observation seen = {.kind = MAC_JAM_SEEN_ANSWER, .now_ns = in->now_ns, .acked = answered};
    mac_watch(m, &seen, out);
    if (answered)
        mac_exchange_answered(m, q->end_ns, in->now_ns, out);
    else
        mac_exchange_not_answered(m, q->end_ns, in->now_ns, out);
    return answered;
}

/* The virtual carrier sense (10.3.2.4). Who hears the sender of an RTS or of data hears what it sends next: a reservation after which
 * nothing comes is given up. Who hears a CTS or an ACK may hear nothing else of the exchange; there only what no exchange can take is
 * cut off (J. Bellardo, S. Savage, USENIX Security 2003). */
static void reserve(struct mac *m, const struct mac_frame *frame, const struct mac_event *in)
{
    int64_t end_ns = in->frame.quality.end_ns, reserved_ns = (int64_t)frame->duration_us * 1000, check_ns = INT64_MAX;
    if (frame->kind == MAC_FRAME_ACK || frame->kind == MAC_FRAME_CTS) {
        if (reserved_ns > m->longest_reserve_ns) {
            reserved_ns = m->longest_reserve_ns;
            m->stats.nav_cut++;
        }
    } else if (mac_address_is_group(&frame->receiver)) {
        m->stats.nav_set += mac_medium_nav_group(&m->medium, end_ns + reserved_ns, end_ns, in->now_ns);
        return;
    } else {
        check_ns = end_ns + m->medium.follow_ns;
    }
    m->stats.nav_set += mac_medium_nav(&m->medium, end_ns + reserved_ns, check_ns, in->now_ns);
}

/* Nobody sends a frame twice without saying so, but who recorded it. */
static void watch_copies(struct mac *m, const struct mac_frame *frame, const struct mac_event *in, struct mac_update *out)
{
    uint64_t name = frame->sequence;
    for (size_t i = 0; i < sizeof frame->transmitter.octets; i++)
        name = name << 8 | frame->transmitter.octets[i];
    mac_watch_name(m, name << 4 | frame->fragment_number, in->now_ns, out);
}

static void receive_good(struct mac *m, const struct mac_event *in, struct mac_update *out)
{
    struct mac_frame frame;
    if (mac_frame_read_header(in->frame.mpdu, in->frame.len_bytes, &frame) != 0) {
        m->stats.rx_malformed++;
        (void)settle_wait(m, NULL, in, out);
        return;
    }
    m->stats.rx_ok++;
    bool has_transmitter = frame.kind == MAC_FRAME_DATA || frame.kind == MAC_FRAME_RTS;
    bool to_me = mac_address_equal(&frame.receiver, &m->self);
    if (has_transmitter && mac_address_equal(&frame.transmitter, &m->self)) {
        m->stats.rx_own++;
        return;
    }
    if (frame.duration_us > 0 && !to_me)
        reserve(m, &frame, in);
    if (frame.kind == MAC_FRAME_DATA && !to_me && !frame.retry)
        watch_copies(m, &frame, in, out);
    if (settle_wait(m, &frame, in, out))
        return;
    if (frame.kind == MAC_FRAME_DATA)
        receive_data(m, &frame, in, out);
    else if (frame.kind == MAC_FRAME_RTS && to_me)
        receive_rts(m, &frame, in, out);
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
    if (good) {
        mac_watch_good(m, q, in->now_ns, out);
        receive_good(m, in, out);
        return;
    }
    struct mac_jam_observation seen = {.kind = MAC_JAM_SEEN_FRAME, .now_ns = in->now_ns, .quality = q};
    if (!cut_off_by_own(m, q))
        mac_watch(m, &seen, out);
    if (!q->header_ok)
        m->stats.rx_header_bad++;
    else
        m->stats.rx_fcs_bad++;
    (void)settle_wait(m, NULL, in, out);
}
