/* What holds in every state. */
#include "chain/ledger_state.h"

static bool units_balance(const struct chain_ledger *l)
{
    uint64_t sum = l->treasury;
    for (uint32_t i = 0; i < CHAIN_MAX_KEYS; i++) {
        if (l->balances[i] > l->genesis.supply - sum || sum > l->genesis.supply)
            return false;
        sum += l->balances[i];
    }
    return sum == l->genesis.supply;
}

static bool seats_ascend(const struct chain_ledger *l)
{
    const struct chain_members *m = &l->genesis.members;
    if (m->n < 1 || m->n > CHAIN_MAX_MEMBERS || m->n_keys < m->n || m->n_keys > CHAIN_MAX_KEYS)
        return false;
    for (uint32_t i = 0; i < m->n; i++)
        if (m->seats[i] >= m->n_keys || (i > 0 && m->seats[i] <= m->seats[i - 1]))
            return false;
    return m->n == 32 || l->convicted >> m->n == 0;
}

static bool grants_ascend(const struct chain_ledger *l)
{
    for (size_t i = 0; i < l->n_grants; i++) {
        const struct chain_grant *g = &l->grants[i];
        if (g->id >= l->next_grant_id || (i > 0 && g->id <= l->grants[i - 1].id) || g->holder >= l->genesis.members.n_keys)
            return false;
    }
    return true;
}

static bool departed_hold_nothing(const struct chain_ledger *l)
{
    for (size_t i = 0; i < l->n_grants; i++)
        if (l->grants[i].state != CHAIN_GRANT_IDLE && !l->stations[l->grants[i].holder].registered)
            return false;
    for (uint32_t i = 0; i < CHAIN_MAX_KEYS; i++)
        if ((l->stations[i].registered && l->stations[i].departed) || (l->stations[i].registered && i >= l->genesis.members.n_keys))
            return false;
    return true;
}

static bool leases_keep_together(const struct chain_ledger *l)
{
    for (size_t i = 0; i < l->n_grants; i++) {
        const struct chain_grant *g = &l->grants[i];
        bool live = g->state != CHAIN_GRANT_IDLE && !g->suspended;
        if ((live && !chain_ledger_is_together(l, g)) || g->trail_m > chain_ledger_widest_trail_m(l))
            return false;
    }
    return true;
}

static bool motions_ascend(const struct chain_ledger *l)
{
    for (size_t i = 0; i < l->n_motions; i++)
        if (l->motions[i].id >= l->next_motion_id || (i > 0 && l->motions[i].id <= l->motions[i - 1].id) || l->motions[i].voices == 0)
            return false;
    return l->n_motions <= CHAIN_MAX_MOTIONS;
}

static bool evidence_is_witnessed(const struct chain_ledger *l)
{
    for (size_t i = 0; i < l->n_evidence; i++) {
        const struct chain_evidence *e = &l->evidence[i];
        bool several = (e->witnesses & (e->witnesses - 1)) != 0;
        if (e->witnesses == 0 || (e->confirmed && !several) || e->from_ns > e->at_ns || (i > 0 && e->id <= l->evidence[i - 1].id))
            return false;
    }
    return l->n_evidence <= CHAIN_MAX_EVIDENCE;
}

const char *chain_ledger_audit(const struct chain_ledger *l)
{
    static const struct {
        bool (*holds)(const struct chain_ledger *l);
        const char *broken;
    } rules[] = {
        {units_balance, "treasury and balances are not the supply"},
        {seats_ascend, "seats do not ascend among the keys"},
        {grants_ascend, "grants are out of order"},
        {chain_ledger_held_once, "two stations hold one channel"},
        {leases_keep_together, "a lease reaches farther than its stations may stand apart"},
        {departed_hold_nothing, "a station that left holds a lease"},
        {motions_ascend, "motions are out of order"},
        {evidence_is_witnessed, "evidence lacks its witnesses"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!rules[i].holds(l))
            return rules[i].broken;
    return NULL;
}
