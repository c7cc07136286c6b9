/* Leases as the air sees them (an emission outside a deed is counted here, not by the station) and vacate time. */
#include "apps/run/accounts.h"

static struct app_lease_account *find_lease(struct app_accounts *a, uint64_t id)
{
    for (size_t i = 0; i < a->n_leases; i++)
        if (a->leases[i].id == id)
            return &a->leases[i];
    return NULL;
}

static struct app_lease_account *add_lease(struct app_accounts *a, const struct chain_ledger_event *e, int64_t t_ns)
{
    if (a->n_leases == ACCOUNTS_MAX_LEASES)
        return NULL;
    struct app_lease_account *lease = &a->leases[a->n_leases++];
    *lease = (struct app_lease_account){.id = e->id,
                                        .holder = e->station,
                                        .channel = e->channel,
                                        .granted_ns = t_ns,
                                        .authorized_ns = INT64_MAX,
                                        .suspended_ns = INT64_MAX,
                                        .ended_ns = INT64_MAX,
                                        .last_emission_ns = INT64_MIN};
    for (size_t p = 0; p < APP_MAX_PRIMARIES; p++)
        lease->last_beside_ns[p] = INT64_MIN;
    return lease;
}

/* What counts from the first commit at any station. */
static void first_commit(struct app_accounts *a, struct app_lease_account *lease, const struct chain_ledger_event *e, int64_t t_ns)
{
    switch (e->kind) {
    case CHAIN_LE_AUTHORIZED:
    case CHAIN_LE_HEARTBEAT:
        lease->expire_ns = e->block_time_ns + a->genesis->transmit_expire_ns - a->genesis->time_ns;
        lease->n_heartbeats++;
        break;
    case CHAIN_LE_SUSPENDED:
        lease->suspended_ns = t_ns;
        a->n_suspended++;
        break;
    case CHAIN_LE_EXPIRED: /* code 0: only transmitExpireTime passed, a heartbeat authorizes again */
        a->n_expired++;
        if (e->code == CHAIN_TERMINATED_GRANT)
            lease->ended_ns = t_ns;
        break;
    case CHAIN_LE_RELINQUISHED:
        lease->ended_ns = t_ns;
        a->n_relinquished++;
        break;
    default:
        break;
    }
}

void app_accounts_lease_event(struct app_accounts *a, uint32_t station, const struct chain_ledger_event *e, int64_t t_ns, bool first)
{
    struct app_lease_account *lease = find_lease(a, e->id);
    if (e->kind == CHAIN_LE_GRANTED && first) {
        a->n_granted++;
        lease = add_lease(a, e, t_ns);
    }
    if (!lease)
        return;
    if (first)
        first_commit(a, lease, e, t_ns);
    /* the holder may send from when its own replica has the authorization */
    if (e->kind == CHAIN_LE_AUTHORIZED && station == lease->holder && lease->authorized_ns == INT64_MAX)
        lease->authorized_ns = t_ns;
}

static bool is_peer(const struct app_accounts *a, uint32_t holder, uint32_t station)
{
    for (uint32_t i = 0; i < a->scenario->n_traffic; i++)
        if (a->scenario->traffic[i].from == holder && a->scenario->traffic[i].to == station)
            return true;
    return false;
}

static const char *judge(const struct app_lease_account *lease, int64_t stop_ns, int64_t start_ns, int64_t end_ns)
{
    if (start_ns < lease->authorized_ns)
        return "before it was authorized";
    if (end_ns > lease->expire_ns + stop_ns)
        return "after transmitExpireTime + stop";
    if (lease->suspended_ns != INT64_MAX && end_ns > lease->suspended_ns + stop_ns)
        return "later than stop after the suspension";
    if (lease->ended_ns != INT64_MAX && end_ns > lease->ended_ns + stop_ns)
        return "later than stop after the end";
    return NULL;
}

const char *app_accounts_violation(const struct app_accounts *a, uint32_t station, uint32_t channel, int64_t start_ns, int64_t end_ns)
{
    if (app_scenario_shares(a->scenario, channel))
        return NULL; /* deeded by genesis to every member */
    const char *reason = "no lease names the station";
    for (size_t i = 0; i < a->n_leases; i++) {
        const struct app_lease_account *lease = &a->leases[i];
        if (lease->channel != channel || (lease->holder != station && !is_peer(a, lease->holder, station)))
            continue;
        reason = judge(lease, a->genesis->stop_ns, start_ns, end_ns);
        if (!reason)
            return NULL;
    }
    return reason;
}

/* The newest lease of the holder there that is authorized and not ended. A suspended one is what it sends under until stop is over, unless
 * it has another by then. */
static struct app_lease_account *lease_of(struct app_accounts *a, uint32_t station, uint32_t channel, int64_t start_ns)
{
    for (size_t i = a->n_leases; i-- > 0;) {
        struct app_lease_account *lease = &a->leases[i];
        if (lease->channel == channel && lease->holder == station && lease->authorized_ns <= start_ns && start_ns < lease->ended_ns)
            return lease;
    }
    return NULL;
}

void app_accounts_lease_emission(struct app_accounts *a, uint32_t station, uint32_t channel, int64_t start_ns, int64_t end_ns)
{
    struct app_lease_account *lease = lease_of(a, station, channel, start_ns);
    if (!lease)
        return;
    lease->last_emission_ns = end_ns;
    for (uint32_t p = 0; p < a->scenario->n_primaries; p++) {
        const struct app_scenario_primary *primary = &a->scenario->primaries[p];
        if (primary->channel == channel && app_scenario_primary_on(primary, start_ns, end_ns) > 0)
            lease->last_beside_ns[p] = end_ns < primary->stop_ns ? end_ns : primary->stop_ns;
    }
}

int64_t app_accounts_vacate_ns(const struct app_accounts *a)
{
    int64_t worst_ns = -1;
    for (uint32_t p = 0; p < a->scenario->n_primaries; p++) {
        int64_t start_ns = a->scenario->primaries[p].start_ns;
        for (size_t i = 0; i < a->n_leases; i++) {
            const struct app_lease_account *lease = &a->leases[i];
            if (lease->authorized_ns > start_ns || lease->ended_ns <= start_ns || lease->last_beside_ns[p] == INT64_MIN)
                continue;
            int64_t vacate_ns = lease->last_beside_ns[p] - start_ns;
            if (vacate_ns > worst_ns)
                worst_ns = vacate_ns;
        }
    }
    return worst_ns;
}
