/* The distributed coordination function (IEEE 802.11 clause 10.3) and Aloha: when a station may begin. */
#include "mac/internal.h"

#include <assert.h>
#include <errno.h>

/* A caller that never answers TX_DONE must not silence the station for good. */
static const int64_t tx_done_grace_ns = 10000000;

/* Categories that contend: bit c. Without EDCA the highest one that has a message. */
static inline unsigned contending(const struct mac *m)
{
    unsigned mask = m->queue.filled;
    return m->backoff.edca ? mask : mask & (~mask + 1);
}

/* Without a draw go, under the DCF, unicast messages and those that reserve slots, since nothing caused others to send at the same
 * time; and all under pure Aloha. */
static bool may_go_at_once(const struct mac *m, const struct mac_queue_item *item)
{
    enum mac_access access = m->cfg.profile.access;
    return access == MAC_ACCESS_ALOHA || (access == MAC_ACCESS_DCF && (!mac_address_is_group(&item->to) || item->reserves));
}

bool mac_access_can_reserve(const struct mac_event *in)
{
    uint8_t octets[MAC_SLOT_PLAN_BYTES];
    return !in->send.slots || (in->send.category == MAC_CAT_PROPOSAL && mac_address_is_group(&in->send.to) &&
                               mac_slot_plan_write(in->send.slots, octets, sizeof octets) > 0);
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
    item->given_ns = item->head_ns = in->now_ns;
    item->expires_ns = in->now_ns + m->cfg.profile.lifetime_ns;
    item->message_id = m->next_message_id++;
    item->fragment_bytes = mac_fragment_payload(&m->cfg.profile);
    if (m->exposure.copies > 0)
        item->fragment_bytes -= m->cfg.profile.fragment_bytes - m->exposure.fragment_bytes;
    item->last_fragment = mac_fragment_last(item->fragment_bytes, item->len_bytes);
    item->reserves = in->send.slots && m->cfg.slot_stations > 0;
    if (item->reserves)
        m->slots.wanted = *in->send.slots;
    if (!was_empty)
        return 0;
    if (item->reserves && mac_backoff_would_be_over(&m->backoff, category, mac_medium_ready_ns(&m->medium), in->now_ns))
        mac_backoff_clear(&m->backoff, category);
    /* What is sent to all is mostly an answer to what all have heard at once: without a draw all answers would collide. */
    if (!may_go_at_once(m, item))
        mac_backoff_draw(&m->backoff, category);
    else if (mac_backoff_elapsed(&m->backoff, category, in->now_ns))
        mac_backoff_clear(&m->backoff, category);
    return 0;
}

static bool in_flight(const struct mac *m, enum mac_category category)
{
    return category == m->tx_category && (m->phase == MAC_PHASE_SENDING || m->phase == MAC_PHASE_AWAIT);
}

static void expire_messages(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    for (unsigned c = 0; c < MAC_N_CATEGORIES; c++) {
        const struct mac_queue_item *item;
        while (!in_flight(m, c) && (item = mac_queue_head(&m->queue, c)) != NULL && item->expires_ns <= now_ns &&
               out->n_reports < MAC_MAX_REPORTS) {
            m->stats.expired++;
            if (item->tries + item->rts_tries > 0)
                mac_backoff_reset(&m->backoff, c);
            mac_exchange_finish(m, c, MAC_EXPIRED, now_ns, out);
        }
    }
}

void mac_access_expire(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    bool out_of_sight = m->phase == MAC_PHASE_SENDING || m->phase == MAC_PHASE_RESPONDING;
    if (out_of_sight && now_ns >= m->tx_end_ns + tx_done_grace_ns) {
        int rc = mac_exchange_tx_done(m, m->tx_start_ns, out);
        assert(rc == 0);
        (void)rc;
    }
    /* a lock before the time-out may be the answer: its end decides */
    if (m->phase == MAC_PHASE_AWAIT && now_ns >= m->answer_deadline_ns && !m->medium.receiving)
        mac_exchange_not_answered(m, m->answer_deadline_ns, now_ns, out);
    expire_messages(m, now_ns, out);
}

void mac_access_interrupt(struct mac *m, int64_t now_ns)
{
    struct mac_backoff *b = &m->backoff;
    for (unsigned left = contending(m) & b->pending; left != 0; left &= left - 1) {
        unsigned c = mac_first(left);
        int64_t due_ns = mac_backoff_due_ns(b, c);
        if (due_ns == now_ns) {
            m->commit_ns = now_ns;
            m->committed |= 1u << c;
        } else if (due_ns < now_ns) {
            mac_backoff_draw(b, c);
        }
    }
}

/* The caller came too late for these slots. */
static __attribute__((noinline)) void redraw_committed(struct mac *m)
{
    for (unsigned c = 0; c < MAC_N_CATEGORIES; c++)
        if ((m->committed >> c & 1) != 0)
            mac_backoff_draw(&m->backoff, c);
    m->committed = 0;
    m->commit_ns = INT64_MAX;
}

/* Heads of queues that have no draw yet: some may go now, the others draw. */
static __attribute__((noinline)) void ask_for_access(struct mac *m, unsigned asking, int64_t ready_ns, int64_t now_ns)
{
    for (; asking != 0; asking &= asking - 1) {
        unsigned c = mac_first(asking);
        int64_t idle_ns = ready_ns == INT64_MAX ? INT64_MAX : ready_ns + m->backoff.of[c].wait_ns;
        if (may_go_at_once(m, mac_queue_head(&m->queue, c)) && idle_ns <= now_ns)
            mac_backoff_immediate(&m->backoff, c, now_ns);
        else
            mac_backoff_draw(&m->backoff, c);
    }
}

/* Who counts down from here on. True if that changed anything. */
static inline bool arm(struct mac *m, int64_t now_ns)
{
    struct mac_backoff *b = &m->backoff;
    if (m->commit_ns < now_ns)
        redraw_committed(m);
    int64_t ready_ns = INT64_MAX;
    if (m->phase == MAC_PHASE_CONTEND)
        ready_ns = b->access == MAC_ACCESS_DCF ? mac_medium_ready_ns(&m->medium) : mac_medium_free_ns(&m->medium);
    unsigned mask = contending(m), asking = mask & ~b->pending;
    /* a post-backoff runs down without a message, too */
    unsigned running = b->edca ? (1u << MAC_N_CATEGORIES) - 1 : mask != 0 ? mask : b->running;
    if (ready_ns == b->ready_ns && running == b->running && asking == 0 && !b->stale)
        return false; /* what most events of others come to */
    if (asking != 0) {
        mac_backoff_arm(b, ready_ns, running, now_ns);
        ask_for_access(m, asking, ready_ns, now_ns);
    }
    mac_backoff_arm(b, ready_ns, running, now_ns);
    return true;
}

void mac_access_arm(struct mac *m, int64_t now_ns)
{
    (void)arm(m, now_ns);
}

/* Categories whose counters have run out. */
static unsigned find_due(const struct mac *m, int64_t now_ns)
{
    unsigned due = m->commit_ns == now_ns ? m->committed : 0;
    for (unsigned left = contending(m) & m->backoff.pending; left != 0; left &= left - 1)
        if (mac_backoff_due_ns(&m->backoff, mac_first(left)) <= now_ns)
            due |= 1u << mac_first(left);
    return due & contending(m);
}

/* A boundary of slotted Aloha that passed while the station was at something else: another one is drawn. */
static bool missed_boundary(struct mac *m, enum mac_category category, int64_t now_ns)
{
    if (m->cfg.profile.access != MAC_ACCESS_SLOTTED_ALOHA || mac_backoff_due_ns(&m->backoff, category) == now_ns)
        return false;
    mac_backoff_draw(&m->backoff, category);
    return true;
}

/* Of a station that changes channels: a plan that would be cut short by that waits for the next channel, once. Quiet periods may fall into a plan,
 * which goes on behind them. */
static int64_t reserved_ns(struct mac *m, enum mac_category category)
{
    const struct mac_queue_item *item = mac_queue_head(&m->queue, category);
    bool asks = item->reserves && item->fragment == item->last_fragment && !item->put_off;
    return m->n_ears > 0 && asks ? mac_slot_plan_end_ns(&m->slots.wanted) : 0;
}

void mac_access_try(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    if (m->phase != MAC_PHASE_CONTEND)
        return;
    unsigned due = find_due(m, now_ns);
    if (due == 0)
        return;
    enum mac_category category = mac_first(due);
    int64_t start_ns = now_ns + m->cfg.profile.turnaround_ns;
    int64_t held_until_ns = mac_medium_held_until(&m->medium, start_ns, mac_exchange_plan_ns(m, category) + reserved_ns(m, category));
    if (held_until_ns != INT64_MIN) {
        mac_queue_head(&m->queue, category)->put_off = true;
        m->commit_ns = INT64_MAX;
        m->committed = 0;
        m->medium.hold_ns = held_until_ns;
        mac_backoff_draw(&m->backoff, category);
    } else if (!missed_boundary(m, category, now_ns)) {
        mac_exchange_begin(m, category, start_ns, now_ns, out);
        /* internal collision: the lower ones have lost theirs (10.23.2.4) */
        for (unsigned c = category + 1; c < MAC_N_CATEGORIES; c++)
            if ((due >> c & 1) != 0)
                mac_backoff_fail(&m->backoff, c);
    }
    mac_access_arm(m, now_ns);
}

static int64_t min_ns(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t find_expiry(const struct mac *m)
{
    int64_t expiry_ns = INT64_MAX;
    for (unsigned left = m->queue.filled; left != 0; left &= left - 1)
        if (!in_flight(m, mac_first(left)))
            expiry_ns = min_ns(expiry_ns, mac_queue_peek(&m->queue, mac_first(left))->expires_ns);
    return expiry_ns;
}

static int64_t find_deadline(const struct mac *m)
{
    int64_t deadline_ns = min_ns(m->commit_ns, m->expiry_ns);
    if (m->phase == MAC_PHASE_AWAIT)
        return m->medium.receiving ? deadline_ns : min_ns(deadline_ns, m->answer_deadline_ns);
    if (m->phase != MAC_PHASE_CONTEND)
        return min_ns(deadline_ns, m->tx_end_ns + tx_done_grace_ns);
    for (unsigned left = contending(m); left != 0; left &= left - 1)
        deadline_ns = min_ns(deadline_ns, mac_backoff_due_ns(&m->backoff, mac_first(left)));
    return deadline_ns;
}

static unsigned find_lone(const struct mac *m)
{
    const struct mac_backoff *b = &m->backoff;
    unsigned filled = m->queue.filled;
    bool alone = b->access == MAC_ACCESS_DCF && filled == b->pending && filled == b->running && (filled & (filled - 1)) == 0;
    return alone ? filled : 0;
}

void mac_access_settle_all(struct mac *m, int64_t now_ns, bool waited)
{
    bool moved = arm(m, now_ns);
    m->lone = find_lone(m);
    if (!waited)
        m->expiry_ns = find_expiry(m);
    if (moved || !waited)
        m->access_deadline_ns = find_deadline(m);
}

int64_t mac_access_blocked_ns(const struct mac *m, int64_t now_ns)
{
    int64_t waited_ns = 0;
    for (unsigned left = m->queue.filled; left != 0; left &= left - 1) {
        int64_t head_ns = mac_queue_peek(&m->queue, mac_first(left))->head_ns;
        waited_ns = now_ns - head_ns > waited_ns ? now_ns - head_ns : waited_ns;
    }
    return waited_ns;
}
