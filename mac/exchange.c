/* The exchange that a station begins once it has the medium (IEEE 802.11 clause 10.3): RTS and CTS, data and ACK, fragments in a burst,
 * retries. */
#include "mac/internal.h"

#include <assert.h>
#include <errno.h>

enum { BRISK_TRIES = 3 }; /* with a rate that may turn out too fast */

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

/* Group frames go at a rate that all neighbours understand, as far as that is known. */
static void choose_rate(struct mac *m, struct mac_queue_item *item)
{
    const struct mac_profile *p = &m->cfg.profile;
    if (m->exposure.copies > 0 && (!is_unicast(item) || p->n_rates == 0))
        item->rate = is_unicast(item) && item->tries >= BRISK_TRIES ? p->basic_rate : m->exposure.rate_index;
    else if (p->n_rates == 0)
        item->rate = is_unicast(item) ? p->data_rate : p->basic_rate;
    else if (is_unicast(item))
        item->rate = mac_rate_choose(&m->rate, &item->to, item->tries);
    else
        item->rate = mac_rate_group(&m->rate, p->basic_rate);
}

static size_t fragment_len(const struct mac_queue_item *item, unsigned fragment)
{
    return fragment < item->last_fragment ? item->fragment_bytes : item->len_bytes - (size_t)item->last_fragment * item->fragment_bytes;
}

/* The plan that a fragment of this message announces, NULL if it does not: the last one does. */
static const struct mac_slot_plan *plan_of(const struct mac *m, const struct mac_queue_item *item, unsigned fragment)
{
    if (!item->reserves || fragment < item->last_fragment)
        return NULL;
    return m->slots.own && m->slots.again ? &m->slots.plan : &m->slots.wanted;
}

static size_t plan_bytes(const struct mac *m, const struct mac_queue_item *item, unsigned fragment)
{
    uint8_t octets[MAC_SLOT_PLAN_BYTES];
    const struct mac_slot_plan *plan = plan_of(m, item, fragment);
    return plan ? MAC_SLOTS_LEN_BYTES + mac_slot_plan_write(plan, octets, sizeof octets) : 0;
}

/* From the first sample of a fragment to the end of what it occupies: with SIFS and ACK when it is answered. */
static int64_t exchange_ns(const struct mac *m, const struct mac_queue_item *item, unsigned fragment)
{
    size_t len = MAC_DATA_OVERHEAD_BYTES + plan_bytes(m, item, fragment) + fragment_len(item, fragment);
    int64_t ns = airtime_ns(m, len, item->rate);
    return is_unicast(item) ? ns + m->cfg.profile.sifs_ns + m->ack_ns : ns;
}

/* May this fragment begin SIFS after the one before? */
static bool burst_holds(const struct mac *m, const struct mac_queue_item *item, unsigned fragment, int64_t start_ns)
{
    int64_t ns = exchange_ns(m, item, fragment);
    if (m->exposure.copies > 1)
        return false;
    return start_ns + ns - m->burst_start_ns <= m->cfg.profile.txop_ns && start_ns >= m->medium.deaf_ns &&
           mac_medium_held_until(&m->medium, start_ns, ns) == INT64_MIN;
}

static size_t mpdu_len(const struct mac *m, const struct mac_queue_item *item)
{
    return MAC_DATA_OVERHEAD_BYTES + plan_bytes(m, item, item->fragment) + fragment_len(item, item->fragment);
}

/* What goes before the data frame: an RTS, a CTS to oneself, or nothing (DATA). */
static enum mac_frame_kind opening_kind(const struct mac *m, const struct mac_queue_item *item)
{
    const struct mac_profile *p = &m->cfg.profile;
    if (p->access != MAC_ACCESS_DCF || mpdu_len(m, item) <= p->rts_threshold_bytes)
        return MAC_FRAME_DATA;
    if (is_unicast(item))
        return MAC_FRAME_RTS;
    return p->cts_to_self ? MAC_FRAME_CTS : MAC_FRAME_DATA;
}

static int64_t opening_ns(const struct mac *m, const struct mac_queue_item *item)
{
    int64_t sifs_ns = m->cfg.profile.sifs_ns;
    int64_t ns = exchange_ns(m, item, item->fragment);
    enum mac_frame_kind kind = opening_kind(m, item);
    if (kind == MAC_FRAME_RTS)
        return m->rts_ns + sifs_ns + m->ack_ns + sifs_ns + ns;
    return kind == MAC_FRAME_CTS ? m->ack_ns + sifs_ns + ns : ns;
}

int64_t mac_exchange_plan_ns(struct mac *m, enum mac_category category)
{
    struct mac_queue_item *item = mac_queue_head(&m->queue, category);
    choose_rate(m, item);
    return opening_ns(m, item);
}

static void report(struct mac_update *out, const struct mac_queue_item *item, enum mac_report_result result)
{
    assert(out->n_reports < MAC_MAX_REPORTS);
    out->reports[out->n_reports++] = (struct mac_report){.id = item->id, .result = result, .attempts = item->attempts};
}

void mac_exchange_finish(struct mac *m, enum mac_category category, enum mac_report_result result, int64_t now_ns,
                         struct mac_update *out)
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
    size_t len = fragment_len(item, item->fragment);
    size_t offset = item->fragment * item->fragment_bytes;
    uint8_t *payload = m->mpdu + mpdu_len(m, item) - len; /* where it is to be */
    mac_queue_copy(&m->queue, item, offset, len, payload);
    const struct mac_slot_plan *plan = plan_of(m, item, item->fragment);
    uint8_t slots[MAC_SLOT_PLAN_BYTES];
    int64_t own_ns = airtime_ns(m, mpdu_len(m, item), item->rate);
    int64_t occupied_ns = exchange_ns(m, item, item->fragment), reserved_ns = occupied_ns - own_ns;
    if (item->fragment < item->last_fragment && burst_holds(m, item, item->fragment + 1, start_ns + occupied_ns + sifs_ns))
        reserved_ns += sifs_ns + exchange_ns(m, item, item->fragment + 1);
    if (plan)
        reserved_ns = mac_slot_plan_end_ns(plan);
    if (m->slots.answering)
        reserved_ns = mac_slots_left_ns(m, start_ns + own_ns);
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
                              .slots = plan ? slots : NULL,
                              .slots_len = plan ? mac_slot_plan_write(plan, slots, sizeof slots) : 0,
                              .payload = payload,
                              .payload_len = len};
    int rc = mac_frame_write(&frame, m->mpdu, sizeof m->mpdu, &out->mpdu_len);
    assert(rc == 0); /* mac_init refused fragment_bytes that would not fit */
    (void)rc;
    out->transmit = true;
    out->start_ns = start_ns;
    out->mpdu = m->mpdu;
    out->rate_index = item->rate;
    m->tx_start_ns = start_ns;
    m->tx_end_ns = start_ns + own_ns;
}

/* How long the head of its queue waited for the medium. */
static void note_access(struct mac *m, const struct mac_queue_item *item, int64_t start_ns)
{
    if (item->attempts == 0 && item->rts_tries == 0)
        m->stats.access_delay_ns += (start_ns - item->head_ns - m->stats.access_delay_ns) / 8;
}

static void send_fragment(struct mac *m, enum mac_category category, int64_t start_ns, int64_t now_ns, struct mac_update *out)
{
    struct mac_queue_item *item = mac_queue_head(&m->queue, category);
    note_access(m, item, start_ns);
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
    m->tx_kind = MAC_FRAME_DATA;
    build_frame(m, item, start_ns, out);
    mac_medium_own(&m->medium, m->tx_end_ns, now_ns);
    m->stats.sent_frames++;
    if (!m->tx_unicast)
        m->stats.sent_broadcast++;
}

void mac_exchange_control(struct mac *m, const struct mac_frame *frame, int64_t start_ns, struct mac_update *out)
{
    int rc = mac_frame_write(frame, m->mpdu, sizeof m->mpdu, &out->mpdu_len);
    assert(rc == 0);
    (void)rc;
    out->transmit = true;
    out->start_ns = start_ns;
    out->mpdu = m->mpdu;
    out->rate_index = m->cfg.profile.basic_rate;
    m->tx_start_ns = start_ns;
    m->tx_end_ns = start_ns + (frame->kind == MAC_FRAME_RTS ? m->rts_ns : m->ack_ns);
    m->stats.sent_frames++;
}

/* RTS, or CTS to oneself: its Duration runs to the end of the exchange. */
static void send_opening(struct mac *m, enum mac_category category, enum mac_frame_kind kind, int64_t start_ns, struct mac_update *out)
{
    struct mac_queue_item *item = mac_queue_head(&m->queue, category);
    int64_t own_ns = kind == MAC_FRAME_RTS ? m->rts_ns : m->ack_ns;
    struct mac_frame frame = {.kind = kind,
                              .duration_us = duration_us(opening_ns(m, item) - own_ns),
                              .receiver = kind == MAC_FRAME_RTS ? item->to : m->self,
                              .transmitter = m->self};
    note_access(m, item, start_ns);
    if (kind == MAC_FRAME_RTS) {
        item->rts_tries++;
        m->stats.sent_rts++;
    } else {
        m->stats.sent_cts++;
    }
    m->phase = MAC_PHASE_SENDING;
    m->tx_category = category;
    m->tx_unicast = is_unicast(item);
    m->tx_kind = kind;
    mac_exchange_control(m, &frame, start_ns, out);
}

void mac_exchange_begin(struct mac *m, enum mac_category category, int64_t start_ns, int64_t now_ns, struct mac_update *out)
{
    enum mac_frame_kind kind = opening_kind(m, mac_queue_head(&m->queue, category));
    m->burst_start_ns = start_ns;
    m->commit_ns = INT64_MAX;
    m->committed = 0;
    mac_backoff_clear(&m->backoff, category);
    if (kind == MAC_FRAME_DATA) {
        send_fragment(m, category, start_ns, now_ns, out);
        return;
    }
    send_opening(m, category, kind, start_ns, out);
    mac_medium_own(&m->medium, m->tx_end_ns, now_ns);
}

/* The message is done with: post-backoff. Without carrier sense only what waits behind it is drawn for. */
static void conclude(struct mac *m, enum mac_category category, enum mac_report_result result, int64_t now_ns, struct mac_update *out)
{
    mac_backoff_reset(&m->backoff, category);
    mac_exchange_finish(m, category, result, now_ns, out);
    if (m->cfg.profile.access != MAC_ACCESS_DCF && !mac_queue_head(&m->queue, category))
        mac_backoff_clear(&m->backoff, category);
}

/* The fragment that was out has arrived, or needs no answer. */
static void fragment_done(struct mac *m, enum mac_report_result result, int64_t end_ns, int64_t now_ns, struct mac_update *out)
{
    enum mac_category category = m->tx_category;
    struct mac_queue_item *item = mac_queue_head(&m->queue, category);
    m->phase = MAC_PHASE_CONTEND;
    if (!m->tx_unicast && item->tries < m->exposure.copies && !item->answers && !plan_of(m, item, item->fragment)) {
        mac_backoff_reset(&m->backoff, category);
        return;
    }
    if (plan_of(m, item, item->fragment)) { /* the message stays until it is known who answered */
        mac_slots_announced(m, item->message_id, end_ns);
        return;
    }
    if (item->fragment == item->last_fragment) {
        conclude(m, category, result, now_ns, out);
        return;
    }
    mac_backoff_reset(&m->backoff, category);
    item->fragment++;
    item->tries = item->rts_tries = 0;
    int64_t next_ns = end_ns + m->cfg.profile.sifs_ns;
    if (next_ns >= now_ns && burst_holds(m, item, item->fragment, next_ns)) {
        mac_backoff_clear(&m->backoff, category);
        send_fragment(m, category, next_ns, now_ns, out);
    }
}

bool mac_exchange_send_at(struct mac *m, enum mac_category category, unsigned rate_index, int64_t start_ns, int64_t now_ns,
                          struct mac_update *out)
{
    struct mac_queue_item *item = mac_queue_head(&m->queue, category);
    item->rate = rate_index;
    if (start_ns < m->medium.deaf_ns || mac_medium_held_until(&m->medium, start_ns, exchange_ns(m, item, item->fragment)) != INT64_MIN)
        return false;
    m->burst_start_ns = start_ns;
    m->commit_ns = INT64_MAX;
    m->committed = 0;
    mac_backoff_clear(&m->backoff, category);
    send_fragment(m, category, start_ns, now_ns, out);
    return true;
}

void mac_exchange_conclude(struct mac *m, enum mac_category category, int64_t now_ns, struct mac_update *out)
{
    conclude(m, category, MAC_SENT, now_ns, out);
}

/* The CTS came: the data frame follows SIFS after it, unless that is past or a hold has come between. */
static void cleared(struct mac *m, int64_t end_ns, int64_t now_ns, struct mac_update *out)
{
    struct mac_queue_item *item = mac_queue_head(&m->queue, m->tx_category);
    int64_t start_ns = end_ns + m->cfg.profile.sifs_ns;
    if (start_ns < now_ns || start_ns < m->medium.deaf_ns ||
        mac_medium_held_until(&m->medium, start_ns, exchange_ns(m, item, item->fragment)) != INT64_MIN) {
        m->stats.late_response++;
        mac_exchange_not_answered(m, end_ns, now_ns, out);
        return;
    }
    item->rts_tries = 0;
    send_fragment(m, m->tx_category, start_ns, now_ns, out);
}

static void note_rate(struct mac *m, const struct mac_queue_item *item, bool acked, int64_t now_ns)
{
    if (m->cfg.profile.n_rates > 0)
        mac_rate_report(&m->rate, &item->to, item->rate, acked, now_ns);
}

void mac_exchange_answered(struct mac *m, int64_t end_ns, int64_t now_ns, struct mac_update *out)
{
    m->medium.own_ns = end_ns;
    if (m->tx_kind == MAC_FRAME_RTS) {
        cleared(m, end_ns, now_ns, out);
        return;
    }
    m->stats.acked++;
    note_rate(m, mac_queue_head(&m->queue, m->tx_category), true, now_ns);
    fragment_done(m, MAC_ACKED, end_ns, now_ns, out);
}

void mac_exchange_not_answered(struct mac *m, int64_t end_ns, int64_t now_ns, struct mac_update *out)
{
    const struct mac_profile *p = &m->cfg.profile;
    const struct mac_queue_item *item = mac_queue_head(&m->queue, m->tx_category);
    bool rts = m->tx_kind == MAC_FRAME_RTS;
    m->medium.own_ns = end_ns;
    m->phase = MAC_PHASE_CONTEND;
    if (rts) {
        m->stats.no_cts++;
    } else {
        m->stats.no_ack++;
        note_rate(m, item, false, now_ns);
    }
    if (rts ? p->rts_retry_limit == 0 || item->rts_tries < p->rts_retry_limit : item->tries < p->retry_limit)
        mac_backoff_fail(&m->backoff, m->tx_category);
    else
        conclude(m, m->tx_category, MAC_NO_ACK, now_ns, out);
}

/* The frame that was out has left: an answer is awaited, or the next frame follows. */
static void exchange_left(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    const struct mac_profile *p = &m->cfg.profile;
    if (m->tx_unicast) {
        m->phase = MAC_PHASE_AWAIT;
        m->answer_deadline_ns = m->tx_end_ns + p->sifs_ns + p->slot_ns + p->rx_start_delay_ns;
        m->medium.own_ns = m->answer_deadline_ns;
    } else if (m->tx_kind == MAC_FRAME_CTS && m->tx_end_ns + p->sifs_ns >= now_ns) {
        send_fragment(m, m->tx_category, m->tx_end_ns + p->sifs_ns, now_ns, out);
    } else if (m->tx_kind == MAC_FRAME_CTS) { /* too late to follow it */
        m->stats.late_response++;
        m->phase = MAC_PHASE_CONTEND;
        mac_backoff_draw(&m->backoff, m->tx_category);
    } else {
        fragment_done(m, MAC_SENT, m->tx_end_ns, now_ns, out);
    }
}

int mac_exchange_tx_done(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    if (m->phase != MAC_PHASE_SENDING && m->phase != MAC_PHASE_RESPONDING)
        return -EBADMSG;
    /* a frame that left takes its airtime, give or take the samples of a block */
    bool refused = now_ns - m->tx_start_ns < (m->tx_end_ns - m->tx_start_ns) / 2;
    if (refused) {
        m->stats.refused++;
        m->medium.own_ns = now_ns;
    }
    if (m->phase == MAC_PHASE_RESPONDING) {
        m->phase = MAC_PHASE_CONTEND;
    } else if (!refused) {
        exchange_left(m, now_ns, out);
    } else if (m->tx_unicast) {
        mac_exchange_not_answered(m, now_ns, now_ns, out);
    } else {
        m->phase = MAC_PHASE_CONTEND;
        conclude(m, m->tx_category, MAC_EXPIRED, now_ns, out);
    }
    return 0;
}
