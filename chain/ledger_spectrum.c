/* What the authority says of the spectrum, in the words of RFC 7545: incumbents to protect, and white space to use, each for a band, a
 * time and a place; and where a lease is valid. A lease's place is that of every station that sends under it: its holder and its peers. */
#include <string.h>

#include "chain/ledger_state.h"
#include "chain/place.h"

/* By when everybody has to be silent who may send until t: that long before. */
static int64_t tail_ns(const struct chain_ledger *l)
{
    return l->genesis.stop_ns + 2 * l->genesis.max_skew_ns + l->genesis.drift_guard_ns;
}

static struct chain_place place_of(const struct chain_ledger *l, uint32_t station)
{
    return (struct chain_place){l->stations[station].lat_e7, l->stations[station].lon_e7};
}

/* The i-th station that sends under a lease: 0 is its holder. */
static uint32_t sender(const struct chain_grant *g, uint32_t i)
{
    return i == 0 ? g->holder : g->peers[i - 1];
}

static bool is_inside(const struct chain_ledger *l, uint32_t station, const struct chain_spectrum *s)
{
    struct chain_place at = place_of(l, station), centre = {s->lat_e7, s->lon_e7};
    return chain_place_within(&at, &centre, s->radius_m);
}

static bool disturbs(const struct chain_ledger *l, const struct chain_grant *g, const struct chain_spectrum *s)
{
    if (s->kind != CHAIN_SPECTRUM_INCUMBENT || s->low_hz >= g->high_hz || g->low_hz >= s->high_hz ||
        g->max_eirp_cdbm_mhz <= s->protection_cdbm_mhz)
        return false;
    for (uint32_t i = 0; i <= g->n_peers; i++)
        if (is_inside(l, sender(g, i), s))
            return true;
    return false;
}

/* Until when white space that is there now lasts for a station; 0: there is none. */
static int64_t white_until_ns(const struct chain_ledger *l, const struct chain_grant *g, uint32_t station, int64_t time_ns)
{
    int64_t until_ns = 0;
    for (size_t i = 0; i < l->n_records; i++) {
        const struct chain_spectrum *s = &l->records[i].what;
        if (s->kind == CHAIN_SPECTRUM_WHITE_SPACE && s->low_hz <= g->low_hz && s->high_hz >= g->high_hz && s->from_ns <= time_ns &&
            s->until_ns > until_ns && g->max_eirp_cdbm_mhz <= s->protection_cdbm_mhz && is_inside(l, station, s))
            until_ns = s->until_ns;
    }
    return until_ns > time_ns ? until_ns : 0;
}

enum chain_response chain_ledger_check_place(const struct chain_ledger *l, const struct chain_grant *g, int64_t time_ns, int64_t *until_ns_out)
{
    int64_t until_ns = INT64_MAX;
    for (uint32_t i = 0; i <= g->n_peers && l->genesis.lease_in_white_space; i++) {
        int64_t white_ns = white_until_ns(l, g, sender(g, i), time_ns);
        if (white_ns == 0)
            return CHAIN_UNSUPPORTED_SPECTRUM;
        until_ns = white_ns < until_ns ? white_ns : until_ns;
    }
    for (size_t i = 0; i < l->n_records; i++) {
        const struct chain_spectrum *s = &l->records[i].what;
        if (time_ns >= s->until_ns || !disturbs(l, g, s))
            continue;
        int64_t silent_ns = s->from_ns - tail_ns(l);
        if (silent_ns <= time_ns)
            return CHAIN_INTERFERENCE;
        until_ns = silent_ns < until_ns ? silent_ns : until_ns;
    }
    *until_ns_out = until_ns;
    return CHAIN_SUCCESS;
}

bool chain_ledger_is_near(const struct chain_ledger *l, const struct chain_grant *g, const struct chain_grant *other, int64_t time_ns)
{
    if (l->genesis.reuse_m == 0)
        return true;
    struct chain_place left = {other->trail_lat_e7, other->trail_lon_e7};
    uint64_t left_m = (uint64_t)l->genesis.reuse_m + other->trail_m;
    for (uint32_t i = 0; i <= g->n_peers; i++) {
        struct chain_place at = place_of(l, sender(g, i));
        if (time_ns < other->trail_until_ns && chain_place_within(&at, &left, left_m))
            return true;
        for (uint32_t j = 0; j <= other->n_peers; j++) {
            struct chain_place there = place_of(l, sender(other, j));
            if (chain_place_within(&at, &there, l->genesis.reuse_m))
                return true;
        }
    }
    return false;
}

static uint32_t least_radius_m(const struct chain_place *a, const struct chain_place *b)
{
    uint32_t low = 0, high = CHAIN_PLACE_EVERYWHERE_M;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (chain_place_within(a, b, middle))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool chain_ledger_is_together(const struct chain_ledger *l, const struct chain_grant *g)
{
    struct chain_place holder = place_of(l, g->holder), left = {g->trail_lat_e7, g->trail_lon_e7};
    for (uint32_t i = 0; i <= g->n_peers && l->genesis.reuse_m > 0; i++) {
        struct chain_place at = place_of(l, sender(g, i));
        bool strays = l->time_ns < g->trail_until_ns && !chain_place_within(&at, &left, 2 * (uint64_t)l->genesis.reuse_m);
        if (strays || !chain_place_within(&at, &holder, l->genesis.reuse_m))
            return false;
    }
    return true;
}

uint64_t chain_ledger_widest_trail_m(const struct chain_ledger *l)
{
    return 2 * (uint64_t)l->genesis.reuse_m + 1;
}

/* One circle for the whole way: it covers every place that was left while the earlier ones were not silent yet. What lies beyond the widest one
 * (a metre more than what keeps a lease together: places are rounded) was come to after the lease had ended there. */
void chain_ledger_leave_trail(const struct chain_ledger *l, struct chain_grant *g, uint32_t station, int64_t until_ns)
{
    struct chain_place at = place_of(l, station), centre = {g->trail_lat_e7, g->trail_lon_e7};
    if (l->time_ns >= g->trail_until_ns) {
        centre = at;
        g->trail_m = 0;
    }
    uint32_t radius_m = least_radius_m(&centre, &at);
    if (radius_m > chain_ledger_widest_trail_m(l))
        return;
    g->trail_lat_e7 = centre.lat_e7;
    g->trail_lon_e7 = centre.lon_e7;
    g->trail_m = radius_m > g->trail_m ? radius_m : g->trail_m;
    g->trail_until_ns = until_ns;
}

/* --- records --- */

static void forget_record(struct chain_ledger *l, size_t i)
{
    chain_ledger_touch(l, CHAIN_TABLE_RECORDS, l->records[i].id, 0);
    memmove(&l->records[i], &l->records[i + 1], (l->n_records - i - 1) * sizeof l->records[0]);
    l->n_records--;
}

static bool is_authority(const struct chain_ledger *l, uint32_t author)
{
    return l->genesis.has_authority && author == l->genesis.authority;
}

enum chain_response chain_ledger_add_record(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                            struct chain_ledger_event *subject)
{
    if (!is_authority(l, author))
        return CHAIN_NOT_ENTITLED;
    if (op->spectrum.until_ns <= l->time_ns)
        return CHAIN_UNSYNC_OP_PARAM;
    if (l->n_records == CHAIN_MAX_SPECTRUM)
        return CHAIN_LIMIT;
    struct chain_spectrum_record *r = &l->records[l->n_records++];
    *r = (struct chain_spectrum_record){.id = l->next_record_id++, .what = op->spectrum, .begun = op->spectrum.from_ns <= l->time_ns};
    subject->id = r->id;
    chain_ledger_touch(l, CHAIN_TABLE_RECORDS, r->id, 0);
    chain_ledger_touch(l, CHAIN_TABLE_COUNTERS, 0, 0);
    chain_ledger_emit(l, CHAIN_LE_RECORDED)->id = r->id;
    l->recheck = true;
    return CHAIN_SUCCESS;
}

enum chain_response chain_ledger_withdraw(struct chain_ledger *l, uint32_t author, uint64_t id, struct chain_ledger_event *subject)
{
    subject->id = id;
    if (!is_authority(l, author))
        return CHAIN_NOT_ENTITLED;
    for (size_t i = 0; i < l->n_records; i++) {
        if (l->records[i].id != id)
            continue;
        forget_record(l, i);
        chain_ledger_emit(l, CHAIN_LE_WITHDRAWN)->id = id;
        l->recheck = true;
        return CHAIN_SUCCESS;
    }
    return CHAIN_INVALID_VALUE;
}

void chain_ledger_age_records(struct chain_ledger *l)
{
    for (size_t i = 0; i < l->n_records;) {
        struct chain_spectrum_record *r = &l->records[i];
        if (l->time_ns >= r->what.until_ns) {
            forget_record(l, i);
            l->recheck = true;
            continue;
        }
        if (!r->begun && l->time_ns >= r->what.from_ns) {
            r->begun = l->recheck = true;
            chain_ledger_touch(l, CHAIN_TABLE_RECORDS, r->id, 0);
        }
        i++;
    }
    chain_ledger_recheck_grants(l);
}

size_t chain_ledger_n_records(const struct chain_ledger *l)
{
    return l->n_records;
}

const struct chain_spectrum_record *chain_ledger_record(const struct chain_ledger *l, size_t i)
{
    return i < l->n_records ? &l->records[i] : NULL;
}
