/* Leases: the CBRS grant life cycle (WINNF-TS-0016 section 8), run by block time. */
#include <string.h>

#include "chain/ledger_state.h"

static bool is_live(const struct chain_grant *g)
{
    return g->state != CHAIN_GRANT_IDLE;
}

/* The first block time at which nobody sends under the grant any more, whatever its holder learned: it may send until its
 * transmit expiry by a clock that is off by max_skew, then has stop_ns to fall silent; the next one's clock may be off too.
 * Relinquishing or suspending early does not make it sooner. */
static int64_t silent_from_ns(const struct chain_ledger *l, const struct chain_grant *g)
{
    if (g->transmit_expire_ns == 0)
        return 0;
    return g->transmit_expire_ns + l->genesis.stop_ns + 2 * l->genesis.max_skew_ns + l->genesis.drift_guard_ns;
}

/* A suspended grant is never authorised again. */
static bool blocks_band(const struct chain_ledger *l, const struct chain_grant *g, int64_t time_ns)
{
    return (is_live(g) && !g->suspended) || time_ns < silent_from_ns(l, g);
}

/* Does another grant stand in this one's way? */
static bool is_anothers(const struct chain_ledger *l, const struct chain_grant *g, int64_t time_ns)
{
    for (size_t i = 0; i < l->n_grants; i++) {
        const struct chain_grant *other = &l->grants[i];
        if (other != g && other->channel == g->channel && blocks_band(l, other, time_ns) && chain_ledger_is_near(l, g, other, time_ns))
            return true;
    }
    return false;
}

/* Where leases need a record, it is that which says what is white; sensing only finds who is there nevertheless. */
static bool is_white(const struct chain_ledger *l, uint32_t channel)
{
    enum chain_channel_status status = l->channels[channel].status;
    return status == CHAIN_CHANNEL_WHITE || (l->genesis.lease_in_white_space && status != CHAIN_CHANNEL_INCUMBENT);
}

bool chain_ledger_channel_free(const struct chain_ledger *l, uint32_t channel, int64_t time_ns)
{
    if (channel >= l->genesis.n_channels || chain_genesis_shares(&l->genesis, channel) || !is_white(l, channel))
        return false;
    for (size_t i = 0; i < l->n_grants; i++)
        if (l->grants[i].channel == channel && blocks_band(l, &l->grants[i], time_ns))
            return false;
    return true;
}

static struct chain_grant *find_grant(struct chain_ledger *l, uint64_t id)
{
    for (size_t i = 0; i < l->n_grants; i++)
        if (l->grants[i].id == id)
            return &l->grants[i];
    return NULL;
}

static struct chain_ledger_event *emit_grant(struct chain_ledger *l, enum chain_ledger_event_kind kind, const struct chain_grant *g)
{
    struct chain_ledger_event *event = chain_ledger_emit(l, kind);
    chain_ledger_touch(l, CHAIN_TABLE_GRANTS, g->id, 0); /* nothing of a grant changes without an event */
    event->station = g->holder;
    event->channel = g->channel;
    event->id = g->id;
    return event;
}

/* A free slot at the end; the oldest grant without a claim goes if there is none. */
static struct chain_grant *take_slot(struct chain_ledger *l)
{
    if (l->n_grants < CHAIN_MAX_GRANTS)
        return &l->grants[l->n_grants++];
    for (size_t i = 0; i < l->n_grants; i++) {
        if (is_live(&l->grants[i]) || blocks_band(l, &l->grants[i], l->time_ns))
            continue;
        chain_ledger_touch(l, CHAIN_TABLE_GRANTS, l->grants[i].id, 0);
        memmove(&l->grants[i], &l->grants[i + 1], (l->n_grants - i - 1) * sizeof l->grants[0]);
        return &l->grants[l->n_grants - 1];
    }
    return NULL;
}

static enum chain_response check_peers(const struct chain_ledger *l, uint32_t author, const struct chain_op *op)
{
    for (uint32_t i = 0; i < op->grant.n_peers; i++) {
        uint32_t peer = op->grant.peers[i];
        if (peer == author || !chain_ledger_registered(l, peer))
            return CHAIN_INVALID_VALUE;
    }
    return CHAIN_SUCCESS;
}

static uint32_t find_channel(const struct chain_ledger *l, uint64_t low_hz, uint64_t high_hz)
{
    for (uint32_t c = 0; c < l->genesis.n_channels; c++)
        if (l->genesis.channels[c].low_hz == low_hz && l->genesis.channels[c].high_hz == high_hz)
            return c;
    return CHAIN_MAX_CHANNELS;
}

/* What a request asks for, as a grant that nobody has given; its price and how long its place lasts. */
static enum chain_response judge(const struct chain_ledger *l, uint32_t author, const struct chain_op *op, int64_t time_ns,
                                 struct chain_grant *wanted)
{
    *wanted = (struct chain_grant){.holder = author,
                                   .channel = find_channel(l, op->grant.low_hz, op->grant.high_hz),
                                   .n_peers = op->grant.n_peers,
                                   .low_hz = op->grant.low_hz,
                                   .high_hz = op->grant.high_hz,
                                   .max_eirp_cdbm_mhz = op->grant.max_eirp_cdbm_mhz,
                                   .state = CHAIN_GRANT_GRANTED,
                                   .granted_ns = time_ns,
                                   .paid = chain_ledger_price(l, op->grant.n_peers)};
    memcpy(wanted->peers, op->grant.peers, sizeof wanted->peers);
    if (wanted->channel == CHAIN_MAX_CHANNELS || chain_genesis_shares(&l->genesis, wanted->channel))
        return CHAIN_UNSUPPORTED_SPECTRUM;
    if (op->grant.max_eirp_cdbm_mhz > l->genesis.max_eirp_cdbm_mhz)
        return CHAIN_INVALID_VALUE;
    enum chain_response code = check_peers(l, author, op);
    if (code == CHAIN_SUCCESS && !chain_ledger_is_together(l, wanted))
        code = CHAIN_INVALID_VALUE;
    if (code != CHAIN_SUCCESS)
        return code;
    if (!is_white(l, wanted->channel))
        return CHAIN_INTERFERENCE;
    int64_t until_ns;
    code = chain_ledger_check_place(l, wanted, time_ns, &until_ns);
    if (code != CHAIN_SUCCESS)
        return code;
    wanted->grant_expire_ns = time_ns + l->genesis.grant_ns;
    if (until_ns < wanted->grant_expire_ns)
        wanted->grant_expire_ns = until_ns;
    if (is_anothers(l, wanted, time_ns))
        return CHAIN_GRANT_CONFLICT;
    for (uint32_t i = 0; i <= wanted->n_peers; i++)
        if (chain_ledger_barred(l, i == 0 ? author : wanted->peers[i - 1], wanted->channel, time_ns))
            return CHAIN_BLACKLISTED;
    return l->balances[author] < wanted->paid ? CHAIN_FUNDS : CHAIN_SUCCESS;
}

enum chain_response chain_ledger_judge_grant(const struct chain_ledger *l, uint32_t author, const struct chain_op *op, int64_t time_ns)
{
    struct chain_grant wanted;
    if (!chain_ledger_registered(l, author))
        return CHAIN_REG_PENDING;
    return judge(l, author, op, time_ns, &wanted);
}

enum chain_response chain_ledger_request_grant(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                               struct chain_ledger_event *subject)
{
    struct chain_grant wanted;
    enum chain_response code = judge(l, author, op, l->time_ns, &wanted);
    subject->channel = wanted.channel;
    if (code != CHAIN_SUCCESS)
        return code;
    struct chain_grant *g = take_slot(l);
    if (!g)
        return CHAIN_GRANT_CONFLICT;
    *g = wanted;
    g->id = l->next_grant_id++;
    subject->id = g->id;
    chain_ledger_touch(l, CHAIN_TABLE_COUNTERS, 0, 0);
    chain_ledger_charge(l, author, g->paid);
    emit_grant(l, CHAIN_LE_GRANTED, g);
    chain_ledger_note_access(l, author, g->channel);
    return CHAIN_SUCCESS;
}

/* The author's own grant, or why not. A forgotten id was a grant that ended. */
static enum chain_response own_grant(struct chain_ledger *l, uint32_t author, uint64_t id, struct chain_ledger_event *subject,
                                     struct chain_grant **out)
{
    subject->id = id;
    struct chain_grant *g = find_grant(l, id);
    if (!g)
        return id > 0 && id < l->next_grant_id ? CHAIN_TERMINATED_GRANT : CHAIN_INVALID_VALUE;
    subject->channel = g->channel;
    if (g->holder != author)
        return CHAIN_INVALID_VALUE;
    if (!is_live(g))
        return CHAIN_TERMINATED_GRANT;
    *out = g;
    return CHAIN_SUCCESS;
}

enum chain_response chain_ledger_heartbeat(struct chain_ledger *l, uint32_t author, uint64_t id, struct chain_ledger_event *subject)
{
    struct chain_grant *g = NULL;
    enum chain_response code = own_grant(l, author, id, subject, &g);
    if (code != CHAIN_SUCCESS)
        return code;
    if (g->suspended)
        return CHAIN_SUSPENDED_GRANT;
    int64_t expire_ns = l->time_ns + l->genesis.transmit_expire_ns;
    g->transmit_expire_ns = expire_ns < g->grant_expire_ns ? expire_ns : g->grant_expire_ns;
    bool first = g->state != CHAIN_GRANT_AUTHORIZED;
    g->state = CHAIN_GRANT_AUTHORIZED;
    emit_grant(l, first ? CHAIN_LE_AUTHORIZED : CHAIN_LE_HEARTBEAT, g);
    return CHAIN_SUCCESS;
}

/* However a lease ends, what it did not use comes back. */
static void end_grant(struct chain_ledger *l, struct chain_grant *g, enum chain_ledger_event_kind kind, enum chain_response code)
{
    chain_ledger_refund(l, g, g->suspended ? g->suspended_ns : l->time_ns); /* who was told to stop does not pay for that time */
    g->state = CHAIN_GRANT_IDLE;
    g->ended_ns = l->time_ns;
    emit_grant(l, kind, g)->code = code;
}

enum chain_response chain_ledger_relinquish(struct chain_ledger *l, uint32_t author, uint64_t id, struct chain_ledger_event *subject)
{
    struct chain_grant *g = NULL;
    enum chain_response code = own_grant(l, author, id, subject, &g);
    if (code != CHAIN_SUCCESS)
        return code;
    end_grant(l, g, CHAIN_LE_RELINQUISHED, CHAIN_SUCCESS);
    return CHAIN_SUCCESS;
}

void chain_ledger_end_grants(struct chain_ledger *l, uint32_t station)
{
    for (size_t i = 0; i < l->n_grants; i++)
        if (l->grants[i].holder == station && is_live(&l->grants[i]))
            end_grant(l, &l->grants[i], CHAIN_LE_RELINQUISHED, CHAIN_SUCCESS);
}

static bool is_abandoned(const struct chain_ledger *l, const struct chain_grant *g)
{
    int64_t since_ns = g->transmit_expire_ns > 0 ? g->transmit_expire_ns : g->granted_ns;
    return l->genesis.abandon_ns > 0 && l->time_ns - l->genesis.abandon_ns >= since_ns;
}

void chain_ledger_expire_grants(struct chain_ledger *l)
{
    for (size_t i = 0; i < l->n_grants; i++) {
        struct chain_grant *g = &l->grants[i];
        if (!is_live(g))
            continue;
        if (l->time_ns >= g->grant_expire_ns || is_abandoned(l, g)) {
            end_grant(l, g, CHAIN_LE_EXPIRED, CHAIN_TERMINATED_GRANT);
        } else if (g->state == CHAIN_GRANT_AUTHORIZED && l->time_ns >= g->transmit_expire_ns) {
            g->state = CHAIN_GRANT_GRANTED;
            emit_grant(l, CHAIN_LE_EXPIRED, g);
        }
    }
}

static void suspend(struct chain_ledger *l, struct chain_grant *g)
{
    g->state = CHAIN_GRANT_GRANTED;
    g->suspended = true;
    g->suspended_ns = l->time_ns;
    emit_grant(l, CHAIN_LE_SUSPENDED, g)->code = CHAIN_SUSPENDED_GRANT;
}

void chain_ledger_suspend_channel(struct chain_ledger *l, uint32_t channel)
{
    for (size_t i = 0; i < l->n_grants; i++)
        if (l->grants[i].channel == channel && is_live(&l->grants[i]) && !l->grants[i].suspended)
            suspend(l, &l->grants[i]);
}

void chain_ledger_suspend_station(struct chain_ledger *l, uint32_t station, uint32_t channel)
{
    for (size_t i = 0; i < l->n_grants; i++)
        if (l->grants[i].channel == channel && l->grants[i].holder == station && is_live(&l->grants[i]) && !l->grants[i].suspended)
            suspend(l, &l->grants[i]);
}

/* Not below what its holder was promised by a heartbeat. */
static void cut_short(struct chain_ledger *l, struct chain_grant *g, int64_t until_ns)
{
    int64_t least_ns = g->transmit_expire_ns > until_ns ? g->transmit_expire_ns : until_ns;
    if (least_ns < g->grant_expire_ns) {
        chain_ledger_refund(l, g, least_ns); /* the part that is cut off ends early */
        g->grant_expire_ns = least_ns;
        emit_grant(l, CHAIN_LE_SHORTENED, g);
    }
}

void chain_ledger_recheck_grants(struct chain_ledger *l)
{
    for (size_t i = 0; i < l->n_grants && l->recheck; i++) {
        struct chain_grant *g = &l->grants[i];
        int64_t until_ns;
        if (!is_live(g) || g->suspended)
            continue;
        enum chain_response code = chain_ledger_check_place(l, g, l->time_ns, &until_ns);
        if (code == CHAIN_SUCCESS) {
            cut_short(l, g, until_ns);
        } else if (code == CHAIN_INTERFERENCE) {
            suspend(l, g);
        } else {
            end_grant(l, g, CHAIN_LE_EXPIRED, CHAIN_TERMINATED_GRANT);
        }
    }
    l->recheck = false;
}

static bool sends_under(const struct chain_grant *g, uint32_t station)
{
    bool found = g->holder == station;
    for (uint32_t i = 0; i < g->n_peers; i++)
        found = found || g->peers[i] == station;
    return found;
}

void chain_ledger_note_leaving(struct chain_ledger *l, uint32_t station)
{
    for (size_t i = 0; i < l->n_grants && l->genesis.reuse_m > 0; i++) {
        struct chain_grant *g = &l->grants[i];
        if (!sends_under(g, station))
            continue;
        g->moved_ns = l->time_ns;
        int64_t until_ns = silent_from_ns(l, g);
        if (l->time_ns < until_ns)
            chain_ledger_leave_trail(l, g, station, until_ns);
        chain_ledger_touch(l, CHAIN_TABLE_GRANTS, g->id, 0);
    }
}

void chain_ledger_recheck_station(struct chain_ledger *l, uint32_t station)
{
    for (size_t i = 0; i < l->n_grants; i++) {
        struct chain_grant *g = &l->grants[i];
        int64_t until_ns;
        if (!is_live(g) || g->suspended || !sends_under(g, station))
            continue;
        bool valid = chain_ledger_is_together(l, g) && chain_ledger_check_place(l, g, l->time_ns, &until_ns) == CHAIN_SUCCESS;
        if (!valid || is_anothers(l, g, l->time_ns))
            end_grant(l, g, CHAIN_LE_EXPIRED, CHAIN_TERMINATED_GRANT);
        else
            l->recheck = true; /* its time may be a shorter one here */
    }
}

/* Was one that holds its band now judged while the other was in its way? By what was agreed, not by what tables were meant to say:
 * live and not suspended, or still silencing, and near. What moved later was not there then. */
static bool is_held_twice(const struct chain_ledger *l, const struct chain_grant *g, const struct chain_grant *other)
{
    int64_t judged_ns = g->moved_ns > g->granted_ns ? g->moved_ns : g->granted_ns;
    if (!is_live(g) || g->suspended || other->channel != g->channel)
        return false;
    if (is_live(other) && !other->suspended && chain_ledger_is_near(l, g, other, INT64_MAX)) /* trails aside */
        return true;
    bool stood_there = l->genesis.reuse_m == 0 || other->moved_ns < judged_ns;
    return stood_there && blocks_band(l, other, judged_ns) && chain_ledger_is_near(l, g, other, judged_ns);
}

bool chain_ledger_held_once(const struct chain_ledger *l)
{
    for (size_t i = 0; i < l->n_grants; i++)
        for (size_t j = 0; j < i; j++)
            if (is_held_twice(l, &l->grants[i], &l->grants[j]))
                return false;
    return true;
}
