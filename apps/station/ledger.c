/* The ledger node inside a station: one processor and one disk, each a queue. What a step produced leaves when the processor is
 * done with it; a vote leaves when the disk has it. */
#include "apps/station/internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void queue_sends(struct app_station *s, int64_t due_ns, struct app_station_update *out)
{
    const struct chain_node_update *u = s->chain_update;
    for (size_t i = 0; i < u->n_sends; i++) {
        const struct chain_node_send *send = &u->sends[i];
        struct letter *letter = letter_push(&s->outbox, due_ns, send->data, send->len);
        if (!letter) {
            s->n_outbox_full++; /* the engines repeat what still matters */
            continue;
        }
        letter->to = send->to;
        letter->urgency = send->urgency;
        letter->rounds = send->rounds;
        letter->signatures = send->signatures;
        if (send->urgency == CHAIN_URGENT_PROPOSAL && s->proposal_waits) {
            s->proposal_waits = false;
            struct app_station_note *n = note(out, APP_NOTE_PROPOSAL, due_ns, s->tuned);
            n->id = chain_ledger_height(chain_node_ledger(s->node)) + 1;
            n->len_bytes = send->len;
        }
    }
}

static void queue_persist(struct app_station *s, int64_t from_ns)
{
    struct persist_ring *ring = &s->persists;
    int64_t start_ns = from_ns > s->disk_free_ns ? from_ns : s->disk_free_ns;
    s->disk_free_ns = start_ns + s->cfg.processing.persist_ns;
    if (ring->count == PERSIST_SLOTS) { /* the last one stands for all before it */
        size_t last = (ring->head + ring->count - 1) % PERSIST_SLOTS;
        ring->slots[last].due_ns = s->disk_free_ns;
        ring->slots[last].seq = s->chain_update->persist_seq;
        return;
    }
    size_t at = (ring->head + ring->count++) % PERSIST_SLOTS;
    ring->slots[at].due_ns = s->disk_free_ns;
    ring->slots[at].seq = s->chain_update->persist_seq;
}

static void hold_event(struct app_station *s, const struct chain_ledger_event *event, uint64_t seq)
{
    struct held_events *held = &s->held;
    assert(held->count < HELD_EVENTS); /* a block is executed only while the events of one more fit */
    size_t at = (held->head + held->count++) % HELD_EVENTS;
    held->slots[at].seq = seq;
    held->slots[at].event = *event;
}

static void deliver_held(struct app_station *s, uint64_t persisted_seq, int64_t now_ns, struct app_station_update *out)
{
    struct held_events *held = &s->held;
    while (held->count && held->slots[held->head].seq <= persisted_seq) {
        policy_ledger_event(s, &held->slots[held->head].event, now_ns, out);
        held->head = (held->head + 1) % HELD_EVENTS;
        held->count--;
    }
}

/* New work may execute a block; it waits until the events of one more have room. */
static bool has_room(const struct app_station *s)
{
    return s->held.count + CHAIN_MAX_LEDGER_EVENTS <= HELD_EVENTS;
}

int ledger_step(struct app_station *s, const struct chain_node_event *event, struct app_station_update *out)
{
    struct chain_node_event timed = *event;
    int64_t now_ns = event->now_ns;
    timed.now_ns = block_time(s, now_ns);
    struct chain_node_update *u = s->chain_update;
    int rc = chain_node_step(s->node, &timed, u);
    int64_t deadline_ns = chain_node_deadline(s->node);
    s->node_deadline_ns = deadline_ns == INT64_MAX ? INT64_MAX : station_time(s, deadline_ns);
    if (rc == -EILSEQ)
        return rc;
    if (rc != 0)
        return 0; /* counted by the node; nothing changed */
    const struct app_station_processing *p = &s->cfg.processing;
    int64_t cost_ns = u->n_verified * p->verify_ns + u->n_signed * p->sign_ns + u->n_executed * p->execute_ns;
    int64_t done_ns = cost_ns == 0 ? now_ns : later(now_ns, s->cpu_free_ns) + cost_ns;
    s->cpu_free_ns = later(s->cpu_free_ns, done_ns);
    out->chain = u;
    struct chain_node_stats stats;
    chain_node_stats(s->node, &stats);
    s->proposal_waits = s->proposal_waits || stats.proposed != s->n_proposed;
    s->n_proposed = stats.proposed;
    queue_sends(s, done_ns, out);
    if (u->persist_seq != 0)
        queue_persist(s, done_ns);
    for (size_t i = 0; i < u->n_events; i++)
        hold_event(s, &u->events[i], u->persist_seq);
    return u->fatal;
}

static int run_persisted(struct app_station *s, int64_t now_ns, struct app_station_update *out)
{
    struct chain_node_event event = {.kind = CHAIN_NODE_PERSISTED, .now_ns = now_ns};
    uint64_t seq = event.persisted_seq = s->persists.slots[s->persists.head].seq;
    s->persists.head = (s->persists.head + 1) % PERSIST_SLOTS;
    s->persists.count--;
    int rc = ledger_step(s, &event, out);
    deliver_held(s, seq, now_ns, out);
    return rc;
}

static int run_outbox(struct app_station *s, int64_t now_ns, struct app_station_update *out)
{
    static const enum mac_category category[] = {[CHAIN_URGENT_VOTE] = MAC_CAT_VOTE,
                                                 [CHAIN_URGENT_PROPOSAL] = MAC_CAT_PROPOSAL,
                                                 [CHAIN_URGENT_GOSSIP] = MAC_CAT_GOSSIP};
    const struct letter *letter = letter_peek(&s->outbox);
    struct mac_event event = {.kind = MAC_EV_SEND, .now_ns = now_ns};
    event.send.to = letter->to == CHAIN_TO_ALL ? mac_broadcast : mac_address_of(letter->to);
    event.send.category = category[letter->urgency];
    event.send.message = letter->octets;
    event.send.len_bytes = letter->len_bytes;
    adapt_exposure(s, now_ns);
    struct mac_slot_plan plan;
    struct app_slots_config slots = station_slots(&s->cfg);
    slots.rate_index = adapt_slot_rate(s, now_ns);
    struct chain_node_send what = {
        .to = letter->to, .urgency = letter->urgency, .rounds = letter->rounds, .signatures = letter->signatures};
    if (s->cfg.vote_slots && app_slots_plan(&slots, &what, &plan))
        event.send.slots = &plan;
    bool mended = s->repair && letter->to == CHAIN_TO_ALL;
    int rc = mended ? group_send(s, now_ns, &event, out) : radio_send(s, s->control, now_ns, &event, out);
    letter_pop(&s->outbox);
    return rc;
}

static int run_op(struct app_station *s, int64_t now_ns, struct app_station_update *out)
{
    struct timed_op op = s->ops.slots[s->ops.head];
    s->ops.head = (s->ops.head + 1) % OP_SLOTS;
    s->ops.count--;
    struct chain_node_event event = {.kind = CHAIN_NODE_SUBMIT, .now_ns = now_ns, .op = &op.op};
    int rc = ledger_step(s, &event, out);
    policy_submitted(s, op.op.kind, s->chain_update->submitted_nonce, now_ns);
    note(out, APP_NOTE_SUBMITTED, now_ns, s->tuned)->id = (uint64_t)op.op.kind;
    return rc;
}

int ledger_submit(struct app_station *s, int64_t now_ns, const uint8_t *tx, size_t len, struct app_station_update *out, int *result_out)
{
    *result_out = -EAGAIN;
    if (!has_room(s))
        return 0;
    struct chain_node_event event = {.kind = CHAIN_NODE_SUBMIT_TX, .now_ns = now_ns};
    event.bytes.data = tx;
    event.bytes.len = len;
    int rc = ledger_step(s, &event, out);
    if (rc == 0)
        *result_out = s->chain_update->submit_result;
    return rc;
}

static int run_inbox(struct app_station *s, int64_t now_ns, struct app_station_update *out)
{
    const struct letter *letter = letter_peek(&s->inbox);
    struct chain_node_event event = {.kind = CHAIN_NODE_RECEIVE, .now_ns = now_ns};
    event.bytes.data = letter->octets;
    event.bytes.len = letter->len_bytes;
    struct chain_node_stats before, after;
    chain_node_stats(s->node, &before);
    int rc = ledger_step(s, &event, out);
    chain_node_stats(s->node, &after);
    if (after.refused_signature != before.refused_signature)
        spoof_forged(s, &letter->from, now_ns, out);
    letter_pop(&s->inbox);
    return rc;
}

int64_t ledger_deadline(const struct app_station *s)
{
    int64_t first_ns = s->node_deadline_ns;
    if (!has_room(s))
        first_ns = INT64_MAX;
    if (first_ns != INT64_MAX)
        first_ns = later(first_ns, s->cpu_free_ns);
    int64_t candidates[5] = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    if (s->persists.count)
        candidates[0] = s->persists.slots[s->persists.head].due_ns;
    if (s->outbox.count)
        candidates[1] = letter_peek(&s->outbox)->due_ns;
    if (s->inbox.count && has_room(s))
        candidates[2] = later(letter_peek(&s->inbox)->due_ns, s->cpu_free_ns);
    if (s->ops.count && has_room(s))
        candidates[3] = later(s->ops.slots[s->ops.head].due_ns, s->cpu_free_ns);
    if (has_room(s))
        candidates[4] = adapt_access_due(s);
    for (size_t i = 0; i < 5; i++)
        if (candidates[i] < first_ns)
            first_ns = candidates[i];
    return first_ns;
}

bool ledger_due(const struct app_station *s, int64_t now_ns)
{
    return ledger_deadline(s) <= now_ns;
}

/* One thing that is due, in a fixed order: the disk's answer, then what leaves, then new work. */
int ledger_run(struct app_station *s, int64_t now_ns, struct app_station_update *out)
{
    if (s->persists.count && s->persists.slots[s->persists.head].due_ns <= now_ns)
        return run_persisted(s, now_ns, out);
    if (s->outbox.count && letter_peek(&s->outbox)->due_ns <= now_ns)
        return run_outbox(s, now_ns, out);
    if (has_room(s) && adapt_access_due(s) <= now_ns) {
        struct chain_node_event event = adapt_access(s, now_ns);
        return ledger_step(s, &event, out);
    }
    if (s->cpu_free_ns > now_ns || !has_room(s))
        return 0;
    if (s->ops.count && s->ops.slots[s->ops.head].due_ns <= now_ns)
        return run_op(s, now_ns, out);
    if (s->inbox.count && letter_peek(&s->inbox)->due_ns <= now_ns)
        return run_inbox(s, now_ns, out);
    if (s->node_deadline_ns <= now_ns) {
        struct chain_node_event event = {.kind = CHAIN_NODE_TICK, .now_ns = now_ns};
        return ledger_step(s, &event, out);
    }
    return 0;
}
