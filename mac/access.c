/* The distributed coordination function (IEEE 802.11 clause 10.3) as sender: contention, retries, bursts of fragments. */
#include "mac/internal.h"

#include <assert.h>
#include <errno.h>

/* A caller that never answers TX_DONE must not silence the station for good. */
static const int64_t tx_done_grace_ns = 10000000;

static int64_t airtime_ns(const struct mac *m, size_t mpdu_len, unsigned rate_index)
{
    return m->cfg.airtime_ns(m->cfg.airtime_ctx, mpdu_len, rate_index);
}

static uint16_t duration_us(int64_t ns)
{
    int64_t us = (ns + 999) / 1000;
    return (uint16_t)(us < 0 ? 0 : us > MAC_MAX_DURATION_US ? MAC_MAX_DURATION_US : us);
}

static bool is_unicast(const struct mac_queue_item *item)
{
    return !mac_address_is_group(&item->to);
}

static unsigned rate_of(const struct mac *m, const struct mac_queue_item *item)
{
    return is_unicast(item) ? m->cfg.profile.data_rate : m->cfg.profile.basic_rate;
}

static size_t fragment_len(const struct mac *m, const struct mac_queue_item *item, unsigned fragment)
{
    size_t payload = mac_fragment_payload(&m->cfg.profile);
    return fragment < item->last_fragment ? payload : item->len_bytes - (size_t)item->last_fragment * payload;
}

/* From the first sample of a fragment to the end of what it occupies: with SIFS and ACK when it is answered. */
static int64_t exchange_ns(const struct mac *m, const struct mac_queue_item *item, unsigned fragment)
{
    int64_t ns = airtime_ns(m, MAC_DATA_OVERHEAD_BYTES + fragment_len(m, item, fragment), rate_of(m, item));
    return is_unicast(item) ? ns + m->cfg.profile.sifs_ns + m->ack_ns : ns;
}

/* May this fragment begin SIFS after the one before? */
static bool burst_holds(const struct mac *m, const struct mac_queue_item *item, unsigned fragment, int64_t start_ns)
{
    int64_t ns = exchange_ns(m, item, fragment);
    return start_ns + ns - m->burst_start_ns <= m->cfg.profile.txop_ns && start_ns >= m->medium.deaf_ns &&
           mac_medium_held_until(&m->medium, start_ns, ns) == INT64_MIN;
}

int mac_access_send(struct mac *m, const struct mac_event *in)
{
    enum mac_category category = in->send.category;
    bool was_empty = mac_queue_head(&m->queue, category) == NULL;
    struct mac_queue_item *item = mac_queue_push(&m->queue, category, in->send.message, in->send.len_bytes);
    if (!item) {
        m->stats.queue_full++;
        return -ENOBUFS;
    }
    m->stats.queued++;
    item->id = in->send.id;
    item->to = in->send.to;
    item->head_ns = in->now_ns;
    item->expires_ns = in->now_ns + m->cfg.profile.lifetime_ns;
    item->message_id = m->next_message_id++;
    item->last_fragment = mac_fragment_last(&m->cfg.profile, item->len_bytes);
    if (!was_empty)
        return 0;
    /* What is sent to all is mostly an answer to what all have heard at once: without a draw all answers would collide. */
    if (!is_unicast(item))
        mac_backoff_draw(&m->backoff, category);
    else if (mac_backoff_elapsed(&m->backoff, category, in->now_ns))
        m->backoff.pending[category] = false;
    return 0;
}

static void report(struct mac_update *out, const struct mac_queue_item *item, enum mac_report_result result)
{
    assert(out->n_reports < MAC_MAX_REPORTS);
    out->reports[out->n_reports++] = (struct mac_report){.id = item->id, .result = result, .attempts = item->attempts};
}

/* Reports the head of a category and makes room for the next message. */
static void finish(struct mac *m, enum mac_category category, enum mac_report_result result, int64_t now_ns, struct mac_update *out)
{
    report(out, mac_queue_head(&m->queue, category), result);
    mac_queue_pop(&m->queue, category);
    struct mac_queue_item *next = mac_queue_head(&m->queue, category);
    if (next)
        next->head_ns = now_ns;
}

static void build_frame(struct mac *m, const struct mac_queue_item *item, int64_t start_ns, struct mac_update *out)
{
    int64_t sifs_ns = m->cfg.profile.sifs_ns;
    size_t len = fragment_len(m, item, item->fragment);
    size_t offset = item->fragment * mac_fragment_payload(&m->cfg.profile);
    mac_queue_copy(&m->queue, item, offset, len, m->payload);
    int64_t own_ns = airtime_ns(m, MAC_DATA_OVERHEAD_BYTES + len, rate_of(m, item));
    int64_t occupied_ns = exchange_ns(m, item, item->fragment), reserved_ns = occupied_ns - own_ns;
    if (item->fragment < item->last_fragment && burst_holds(m, item, item->fragment + 1, start_ns + occupied_ns + sifs_ns))
        reserved_ns += sifs_ns + exchange_ns(m, item, item->fragment + 1);
    struct mac_frame frame = {.kind = MAC_FRAME_DATA,
                              .retry = item->tries > 1,
                              .duration_us = duration_us(reserved_ns),
                              .receiver = item->to,
                              .transmitter = m->self,
                              .bssid = mac_bssid,
                              .sequence = item->sequence,
                              .message_id = item->message_id,
                              .fragment = (uint8_t)item->fragment,
                              .last_fragment = (uint8_t)item->last_fragment,
                              .payload = m->payload,
                              .payload_len = len};
    int rc = mac_frame_write(&frame, m->mpdu, sizeof m->mpdu, &out->mpdu_len);
    assert(rc == 0); /* mac_init refused fragment_bytes that would not fit */
    (void)rc;
    out->transmit = true;
    out->start_ns = start_ns;
    out->mpdu = m->mpdu;
    out->rate_index = rate_of(m, item);
    m->tx_start_ns = start_ns;
    m->tx_end_ns = start_ns + own_ns;
}

static void send_fragment(struct mac *m, enum mac_category category, int64_t start_ns, int64_t now_ns, struct mac_update *out)
{
    struct mac_queue_item *item = mac_queue_head(&m->queue, category);
    if (item->attempts == 0)
        m->stats.access_delay_ns += (start_ns - item->head_ns - m->stats.access_delay_ns) / 8;
    if (item->tries++ == 0) {
        item->sequence = m->next_sequence;
        m->next_sequence = (m->next_sequence + 1) & 0x0fff;
    } else {
        m->stats.retries++;
    }
    item->attempts++;
    m->phase = MAC_PHASE_SENDING;
    m->tx_category = category;
    m->tx_unicast = is_unicast(item);
    m->commit_ns = INT64_MAX;
    m->backoff.pending[category] = false;
    build_frame(m, item, start_ns, out);
    mac_medium_own(&m->medium, m->tx_end_ns, now_ns);
    m->stats.sent_frames++;
    if (!m->tx_unicast)
        m->stats.sent_broadcast++;
}

/* The fragment that was out has arrived, or needs no answer. */
static void fragment_done(struct mac *m, enum mac_report_result result, int64_t end_ns, int64_t now_ns, struct mac_update *out)
{
    enum mac_category category = m->tx_category;
    struct mac_queue_item *item = mac_queue_head(&m->queue, category);
    m->phase = MAC_PHASE_CONTEND;
    mac_backoff_reset(&m->backoff, category);
    if (item->fragment == item->last_fragment) {
        finish(m, category, result, now_ns, out);
        return;
    }
    item->fragment++;
    item->tries = 0;
    int64_t next_ns = end_ns + m->cfg.profile.sifs_ns;
    if (next_ns >= now_ns && burst_holds(m, item, item->fragment, next_ns))
        send_fragment(m, category, next_ns, now_ns, out);
}

void mac_access_acked(struct mac *m, int64_t end_ns, int64_t now_ns, struct mac_update *out)
{
    m->stats.acked++;
    m->medium.own_ns = end_ns;
    fragment_done(m, MAC_ACKED, end_ns, now_ns, out);
}

void mac_access_not_acked(struct mac *m, int64_t end_ns, int64_t now_ns, struct mac_update *out)
{
    const struct mac_queue_item *item = mac_queue_head(&m->queue, m->tx_category);
    m->stats.no_ack++;
    m->medium.own_ns = end_ns;
    m->phase = MAC_PHASE_CONTEND;
    if (item->tries < m->cfg.profile.retry_limit) {
        mac_backoff_fail(&m->backoff, m->tx_category);
        return;
    }
    mac_backoff_reset(&m->backoff, m->tx_category);
    finish(m, m->tx_category, MAC_NO_ACK, now_ns, out);
}

static void data_left(struct mac *m, bool refused, int64_t now_ns, struct mac_update *out)
{
    const struct mac_profile *p = &m->cfg.profile;
    if (!m->tx_unicast && !refused) {
        fragment_done(m, MAC_SENT, m->tx_end_ns, now_ns, out);
    } else if (!m->tx_unicast) {
        m->phase = MAC_PHASE_CONTEND;
        mac_backoff_reset(&m->backoff, m->tx_category);
        finish(m, m->tx_category, MAC_EXPIRED, now_ns, out);
    } else if (!refused) {
        m->phase = MAC_PHASE_AWAIT_ACK;
        m->ack_deadline_ns = m->tx_end_ns + p->sifs_ns + p->slot_ns + p->rx_start_delay_ns;
        m->medium.own_ns = m->ack_deadline_ns;
    } else {
        mac_access_not_acked(m, now_ns, now_ns, out);
    }
}

int mac_access_tx_done(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    if (m->phase != MAC_PHASE_SENDING && m->phase != MAC_PHASE_RESPONDING)
        return -EBADMSG;
    /* a frame that left takes its airtime, give or take the samples of a block */
    bool refused = now_ns - m->tx_start_ns < (m->tx_end_ns - m->tx_start_ns) / 2;
    if (refused) {
        m->stats.refused++;
        m->medium.own_ns = now_ns;
    }
    if (m->phase == MAC_PHASE_RESPONDING)
        m->phase = MAC_PHASE_CONTEND;
    else
        data_left(m, refused, now_ns, out);
    return 0;
}

static bool in_flight(const struct mac *m, enum mac_category category)
{
    return category == m->tx_category && (m->phase == MAC_PHASE_SENDING || m->phase == MAC_PHASE_AWAIT_ACK);
}

static void expire_messages(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    for (unsigned c = 0; c < MAC_N_CATEGORIES; c++) {
        const struct mac_queue_item *item;
        while (!in_flight(m, c) && (item = mac_queue_head(&m->queue, c)) != NULL && item->expires_ns <= now_ns &&
               out->n_reports < MAC_MAX_REPORTS) {
            m->stats.expired++;
            if (item->tries > 0)
                mac_backoff_reset(&m->backoff, c);
            finish(m, c, MAC_EXPIRED, now_ns, out);
        }
    }
}

void mac_access_expire(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    bool out_of_sight = m->phase == MAC_PHASE_SENDING || m->phase == MAC_PHASE_RESPONDING;
    if (out_of_sight && now_ns >= m->tx_end_ns + tx_done_grace_ns) {
        int rc = mac_access_tx_done(m, m->tx_start_ns, out);
        assert(rc == 0);
        (void)rc;
    }
    /* a lock before the time-out may be the ACK: its end decides */
    if (m->phase == MAC_PHASE_AWAIT_ACK && now_ns >= m->ack_deadline_ns && !m->medium.receiving)
        mac_access_not_acked(m, m->ack_deadline_ns, now_ns, out);
    expire_messages(m, now_ns, out);
}

void mac_access_interrupt(struct mac *m, int64_t now_ns)
{
    struct mac_backoff *b = &m->backoff;
    if (m->phase != MAC_PHASE_CONTEND || !mac_queue_head(&m->queue, b->active) || mac_medium_sensed(&m->medium))
        return;
    int64_t due_ns = mac_backoff_due_ns(b);
    if (due_ns == now_ns)
        m->commit_ns = now_ns;
    else if (due_ns < now_ns)
        mac_backoff_draw(b, b->active);
}

void mac_access_arm(struct mac *m, int64_t now_ns)
{
    struct mac_backoff *b = &m->backoff;
    if (m->commit_ns < now_ns) { /* the caller came too late for that slot */
        m->commit_ns = INT64_MAX;
        mac_backoff_draw(b, b->active);
    }
    enum mac_category active = b->active;
    const struct mac_queue_item *item = NULL;
    for (unsigned c = 0; c < MAC_N_CATEGORIES && !item; c++)
        if ((item = mac_queue_head(&m->queue, c)) != NULL)
            active = c;
    int64_t ready_ns = m->phase == MAC_PHASE_CONTEND ? mac_medium_ready_ns(&m->medium) : INT64_MAX;
    if (item && !b->pending[active]) {
        if (is_unicast(item) && ready_ns <= now_ns) {
            mac_backoff_immediate(b, active, ready_ns, now_ns);
            return;
        }
        mac_backoff_draw(b, active);
    }
    mac_backoff_resume(b, active, ready_ns, now_ns);
}

void mac_access_try(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    enum mac_category category = m->backoff.active;
    const struct mac_queue_item *item = mac_queue_head(&m->queue, category);
    if (m->phase != MAC_PHASE_CONTEND || !item || (m->commit_ns != now_ns && mac_backoff_due_ns(&m->backoff) > now_ns))
        return;
    int64_t start_ns = now_ns + m->cfg.profile.turnaround_ns;
    int64_t held_until_ns = mac_medium_held_until(&m->medium, start_ns, exchange_ns(m, item, item->fragment));
    if (held_until_ns != INT64_MIN) {
        m->commit_ns = INT64_MAX;
        m->medium.hold_ns = held_until_ns;
        mac_backoff_draw(&m->backoff, category);
        mac_access_arm(m, now_ns);
        return;
    }
    m->burst_start_ns = start_ns;
    send_fragment(m, category, start_ns, now_ns, out);
    mac_access_arm(m, now_ns);
}

int64_t mac_access_deadline(const struct mac *m)
{
    int64_t deadline_ns = m->commit_ns;
    struct mac_queue *queue = (struct mac_queue *)&m->queue;
    int64_t at_ns = INT64_MAX;
    if (m->phase == MAC_PHASE_AWAIT_ACK)
        at_ns = m->medium.receiving ? INT64_MAX : m->ack_deadline_ns;
    else if (m->phase != MAC_PHASE_CONTEND)
        at_ns = m->tx_end_ns + tx_done_grace_ns;
    else if (mac_queue_head(queue, m->backoff.active))
        at_ns = mac_backoff_due_ns(&m->backoff);
    if (at_ns < deadline_ns)
        deadline_ns = at_ns;
    for (unsigned c = 0; c < MAC_N_CATEGORIES; c++) {
        const struct mac_queue_item *item = mac_queue_head(queue, c);
        if (item && !in_flight(m, c) && item->expires_ns < deadline_ns)
            deadline_ns = item->expires_ns;
    }
    return deadline_ns;
}

int64_t mac_access_blocked_ns(struct mac *m, int64_t now_ns)
{
    int64_t waited_ns = 0;
    for (unsigned c = 0; c < MAC_N_CATEGORIES; c++) {
        const struct mac_queue_item *item = mac_queue_head(&m->queue, c);
        if (item && now_ns - item->head_ns > waited_ns)
            waited_ns = now_ns - item->head_ns;
    }
    return waited_ns;
}
