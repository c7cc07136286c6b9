#include "mac/internal.h"

#include <assert.h>
#include <string.h>

static const int64_t longest_plan_ns = 1000000000;
static const int64_t longest_duration_ns = MAC_MAX_DURATION_US * INT64_C(1000);

void mac_slots_init(struct mac_slots *s)
{
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < MAC_SLOT_PHASES; i++)
        s->mine_ns[i] = INT64_MAX;
}

static int64_t announcement_ns(const struct mac *m)
{
    return m->cfg.airtime_ns(m->cfg.airtime_ctx, MAC_DATA_OVERHEAD_BYTES, m->cfg.profile.basic_rate);
}

/* What the Duration of a frame that ends at end_ns could not say has to be said in time before that is over. */
static void plan_announcement(struct mac *m, int64_t end_ns)
{
    struct mac_slots *s = &m->slots;
    bool more = s->own && s->end_ns - end_ns > longest_duration_ns;
    s->announce_ns = more ? end_ns + longest_duration_ns - announcement_ns(m) - 2 * m->cfg.profile.sifs_ns : INT64_MAX;
}

static int64_t slot_at_ns(const struct mac_slots *s, size_t phase, int position)
{
    return s->origin_ns + s->plan.phases[phase].offset_ns + position * s->plan.slot_ns;
}

/* Until the plan is over the station begins nothing but its own slots. */
static void begin(struct mac *m, int64_t origin_ns)
{
    struct mac_slots *s = &m->slots;
    s->active = true;
    s->origin_ns = origin_ns;
    s->end_ns = origin_ns + mac_slot_plan_end_ns(&s->plan) - m->cfg.profile.sifs_ns;
    s->heard = 0;
    for (size_t i = 0; i < MAC_SLOT_PHASES; i++) {
        int at = i < s->plan.n_phases ? mac_slot_plan_find(&s->plan.phases[i], m->cfg.station_id) : -1;
        s->mine_ns[i] = at < 0 ? INT64_MAX : slot_at_ns(s, i, at);
    }
    plan_announcement(m, origin_ns);
    int64_t until_ns = s->end_ns + (s->own ? m->cfg.profile.sifs_ns : 0);
    if (until_ns > m->medium.own_ns)
        m->medium.own_ns = until_ns;
}

void mac_slots_announced(struct mac *m, uint16_t message_id, int64_t end_ns)
{
    struct mac_slots *s = &m->slots;
    if (!s->again)
        s->plan = s->wanted;
    s->own = true;
    s->message_id = message_id;
    begin(m, end_ns);
    m->stats.plans_sent++;
}

static void note_answer(struct mac_slots *s, uint32_t station, int64_t start_ns)
{
    if (!s->active || !s->own)
        return;
    const struct mac_slot_phase *last = &s->plan.phases[s->plan.n_phases - 1];
    int at = mac_slot_plan_find(last, station);
    if (at >= 0 && start_ns >= s->origin_ns + last->offset_ns)
        s->heard |= UINT32_C(1) << at;
}

/* No plan of the group is as long as twice the longest that asks for one signature to be verified (docs/mac.md). */
static int64_t most_plan_ns(const struct mac *m)
{
    int64_t known_ns = 2 * m->cfg.profile.group_gap_ns;
    return known_ns > 0 && known_ns < longest_plan_ns ? known_ns : longest_plan_ns;
}

void mac_slots_heard(struct mac *m, const struct mac_frame *frame, int64_t start_ns, int64_t end_ns, int64_t now_ns)
{
    struct mac_slots *s = &m->slots;
    uint32_t from = mac_station_of(&frame->transmitter);
    if (m->cfg.slot_stations == 0)
        return;
    note_answer(s, from, start_ns);
    if (!frame->slots)
        return;
    struct mac_slot_plan plan;
    enum mac_slot_fault fault = mac_slot_plan_read(frame->slots, frame->slots_len, &plan);
    if (fault == MAC_SLOT_GOOD)
        fault = mac_slot_plan_check(&plan, m->cfg.slot_stations, m->cfg.slot_rates, m->cfg.profile.sifs_ns, most_plan_ns(m));
    if (fault == MAC_SLOT_GOOD && from >= m->cfg.slot_stations)
        fault = MAC_SLOT_STRANGER;
    if (fault == MAC_SLOT_GOOD && s->active && now_ns < s->end_ns)
        fault = MAC_SLOT_OVERLAP;
    if (fault != MAC_SLOT_GOOD) {
        m->stats.plans_refused[fault]++;
        return;
    }
    if (!frame->retry)
        s->answer_len = 0;
    s->plan = plan;
    s->own = false;
    s->again = frame->retry;
    begin(m, end_ns);
    for (size_t i = 0; i < plan.n_phases; i++)
        if (s->mine_ns[i] != INT64_MAX) {
            m->stats.plans_followed++;
            break;
        }
}

static size_t next_phase(const struct mac_slots *s)
{
    return s->mine_ns[0] <= s->mine_ns[1] ? 0 : 1;
}

/* What to say: the first vote that waits; asked once more, what was said before. NULL: nothing that fits. */
static struct mac_queue_item *find_answer(struct mac *m)
{
    struct mac_slots *s = &m->slots;
    struct mac_queue_item *item = mac_queue_head(&m->queue, MAC_CAT_VOTE);
    if (!item && s->again && s->answer_len > 0) {
        item = mac_queue_push(&m->queue, MAC_CAT_VOTE, s->answer, s->answer_len);
        if (item) {
            item->given_ns = item->head_ns = s->origin_ns;
            item->expires_ns = s->end_ns + m->cfg.profile.lifetime_ns;
            item->message_id = m->next_message_id++;
        }
    }
    return item;
}

static bool fits(const struct mac *m, const struct mac_queue_item *item, int64_t at_ns)
{
    const struct mac_slot_plan *plan = &m->slots.plan;
    if (item->last_fragment > 0)
        return false;
    int64_t ns = m->cfg.airtime_ns(m->cfg.airtime_ctx, MAC_DATA_OVERHEAD_BYTES + item->len_bytes, plan->rate_index);
    return ns <= plan->slot_ns - m->cfg.profile.sifs_ns && at_ns >= m->medium.deaf_ns &&
           mac_medium_held_until(&m->medium, at_ns, ns) == INT64_MIN;
}

/* May be called early, by at most SIFS: the frame is then handed out with its instant, as a response is. */
static void use_slot(struct mac *m, size_t phase, int64_t now_ns, struct mac_update *out)
{
    struct mac_slots *s = &m->slots;
    int64_t at_ns = s->mine_ns[phase];
    bool possible = now_ns <= at_ns && m->phase == MAC_PHASE_CONTEND;
    struct mac_queue_item *item = possible ? find_answer(m) : NULL;
    if (possible && !item && now_ns < at_ns)
        return; /* it may still come */
    s->mine_ns[phase] = INT64_MAX;
    if (!item || !fits(m, item, at_ns)) {
        m->stats.slots_unused++;
        return;
    }
    m->stats.slots_used++;
    s->answer_len = item->len_bytes <= sizeof s->answer ? item->len_bytes : 0;
    mac_queue_copy(&m->queue, item, 0, s->answer_len, s->answer);
    item->to = mac_broadcast;
    item->answers = true;
    s->answering = true;
    bool sent = mac_exchange_send_at(m, MAC_CAT_VOTE, s->plan.rate_index, at_ns, now_ns, out);
    assert(sent); /* as fits() made sure */
    (void)sent;
    s->answering = false;
}

/* Who stays silent in the last phase is asked once more, with room for two answers each. False: nobody. */
static bool plan_again(struct mac *m)
{
    struct mac_slots *s = &m->slots;
    const struct mac_slot_phase *last = &s->plan.phases[s->plan.n_phases - 1];
    struct mac_slot_phase missing = {.offset_ns = s->plan.phases[0].offset_ns};
    for (size_t i = 0; i < last->n; i++)
        if (!(s->heard >> i & 1) && last->order[i] != m->cfg.station_id)
            missing.order[missing.n++] = last->order[i];
    if (missing.n == 0 || s->again)
        return false;
    s->plan.phases[0] = missing;
    s->plan.n_phases = 1;
    s->plan.slot_ns = 2 * s->plan.slot_ns - m->cfg.profile.sifs_ns;
    return true;
}

static void end_plan(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    struct mac_slots *s = &m->slots;
    int64_t start_ns = s->end_ns + m->cfg.profile.sifs_ns;
    struct mac_queue_item *item = s->own ? mac_queue_head(&m->queue, MAC_CAT_PROPOSAL) : NULL;
    bool mine = item && item->reserves && item->tries > 0 && item->message_id == s->message_id;
    s->active = false;
    bool free = mine && m->phase == MAC_PHASE_CONTEND && now_ns <= start_ns && !m->medium.receiving && plan_again(m);
    s->again = free;
    if (free && mac_exchange_send_at(m, MAC_CAT_PROPOSAL, item->rate, start_ns, now_ns, out)) {
        m->stats.plans_again++;
        return;
    }
    s->again = false;
    if (mine)
        mac_exchange_conclude(m, MAC_CAT_PROPOSAL, now_ns, out);
}

/* The next beginning of anybody's slot at or after now_ns; INT64_MAX: none. In a slot begun before somebody may be sending. */
static int64_t next_slot_ns(const struct mac_slots *s, int64_t now_ns)
{
    for (size_t i = 0; i < s->plan.n_phases; i++) {
        int64_t from_ns = slot_at_ns(s, i, 0), n = (int64_t)s->plan.phases[i].n;
        if (now_ns < from_ns)
            return from_ns;
        if (now_ns < from_ns + n * s->plan.slot_ns)
            return now_ns;
    }
    return INT64_MAX;
}

/* A group frame without payload: all it says is what is left. Where votes are due they say it. */
static void announce(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    struct mac_slots *s = &m->slots;
    int64_t end_ns = now_ns + announcement_ns(m), left_us = (s->end_ns - end_ns) / 1000;
    bool free = m->phase == MAC_PHASE_CONTEND && !mac_medium_sensed(&m->medium) && now_ns >= m->medium.deaf_ns &&
                mac_medium_held_until(&m->medium, now_ns, end_ns - now_ns) == INT64_MIN;
    plan_announcement(m, end_ns);
    if (!free || end_ns + m->cfg.profile.sifs_ns > next_slot_ns(s, now_ns))
        return;
    struct mac_frame frame = {.kind = MAC_FRAME_DATA, .receiver = mac_broadcast, .transmitter = m->self, .bssid = mac_bssid,
                              .sequence = m->next_sequence,
                              .duration_us = (uint16_t)(left_us > MAC_MAX_DURATION_US ? MAC_MAX_DURATION_US : left_us)};
    m->next_sequence = (m->next_sequence + 1) & 0x0fff;
    mac_exchange_control(m, &frame, now_ns, out);
    m->tx_end_ns = end_ns;
    m->phase = MAC_PHASE_RESPONDING; /* nothing is awaited */
    m->stats.plans_announced++;
}

void mac_slots_run(struct mac *m, int64_t now_ns, struct mac_update *out)
{
    struct mac_slots *s = &m->slots;
    int64_t sifs_ns = m->cfg.profile.sifs_ns;
    while (s->active && !out->transmit) {
        size_t phase = next_phase(s);
        if (s->mine_ns[phase] != INT64_MAX && now_ns >= s->mine_ns[phase] - sifs_ns) {
            int64_t before_ns = s->mine_ns[phase];
            use_slot(m, phase, now_ns, out);
            if (s->mine_ns[phase] == before_ns)
                return;
        } else if (now_ns >= s->announce_ns && now_ns < s->end_ns) {
            announce(m, now_ns, out);
        } else if (now_ns >= s->end_ns) {
            end_plan(m, now_ns, out);
        } else {
            return;
        }
    }
}

void mac_slots_cut(struct mac *m, int64_t now_ns)
{
    struct mac_slots *s = &m->slots;
    if (!s->active || s->end_ns <= now_ns)
        return;
    s->end_ns = now_ns;
    s->announce_ns = INT64_MAX;
    for (size_t i = 0; i < MAC_SLOT_PHASES; i++)
        s->mine_ns[i] = INT64_MAX;
    if (m->medium.own_ns > now_ns && m->phase == MAC_PHASE_CONTEND)
        m->medium.own_ns = now_ns;
}

int64_t mac_slots_deadline(const struct mac *m)
{
    const struct mac_slots *s = &m->slots;
    if (!s->active)
        return INT64_MAX;
    int64_t at_ns = s->mine_ns[next_phase(s)];
    int64_t other_ns = s->announce_ns < s->end_ns ? s->announce_ns : s->end_ns;
    if (at_ns == INT64_MAX || m->phase != MAC_PHASE_CONTEND)
        return m->phase == MAC_PHASE_CONTEND ? other_ns : s->end_ns;
    bool ready = m->queue.count[MAC_CAT_VOTE] > 0 || (s->again && s->answer_len > 0);
    at_ns = ready ? at_ns - m->cfg.profile.sifs_ns : at_ns;
    return at_ns < other_ns ? at_ns : other_ns;
}

int64_t mac_slots_left_ns(const struct mac *m, int64_t end_ns)
{
    const struct mac_slots *s = &m->slots;
    return s->active && s->end_ns > end_ns ? s->end_ns - end_ns : 0;
}
