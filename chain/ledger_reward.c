/* Ledger units: what stations earn, pay and give each other. They are only ever moved: treasury + balances = supply. */
#include "chain/ledger_state.h"

static void add_to(struct chain_ledger *l, uint32_t station, uint64_t amount)
{
    if (amount == 0)
        return;
    l->treasury -= amount;
    l->balances[station] += amount;
    chain_ledger_touch(l, CHAIN_TABLE_COUNTERS, 0, 0);
    chain_ledger_touch(l, CHAIN_TABLE_ACCOUNTS, station, 0);
}

void chain_ledger_earn(struct chain_ledger *l, uint32_t station, uint64_t amount)
{
    add_to(l, station, amount < l->treasury ? amount : l->treasury);
}

uint32_t chain_ledger_price(const struct chain_ledger *l, uint32_t n_peers)
{
    uint64_t rebate = (uint64_t)n_peers * l->genesis.share_rebate;
    return rebate < l->genesis.grant_price ? (uint32_t)(l->genesis.grant_price - rebate) : 0;
}

void chain_ledger_charge(struct chain_ledger *l, uint32_t station, uint32_t amount)
{
    if (amount == 0)
        return;
    l->treasury += amount;
    l->balances[station] -= amount;
    chain_ledger_touch(l, CHAIN_TABLE_COUNTERS, 0, 0);
    chain_ledger_touch(l, CHAIN_TABLE_ACCOUNTS, station, 0);
}

/* paid x permille / 1000 x left / whole. Durations are cut to 20 bits first, so that the product fits. */
static uint64_t refund_of(uint32_t paid, uint32_t permille, int64_t left_ns, int64_t whole_ns)
{
    uint64_t left = (uint64_t)left_ns, whole = (uint64_t)whole_ns;
    for (; whole >> 20 != 0; whole >>= 1)
        left >>= 1;
    return (uint64_t)paid * permille * left / (1000 * whole);
}

void chain_ledger_refund(struct chain_ledger *l, const struct chain_grant *g)
{
    int64_t until_ns = g->suspended ? g->suspended_ns : l->time_ns; /* who was told to stop does not pay for that time */
    if (until_ns < g->grant_expire_ns && g->grant_expire_ns > g->granted_ns)
        chain_ledger_earn(l, g->holder, refund_of(g->paid, l->genesis.refund_permille, g->grant_expire_ns - until_ns,
                                                  g->grant_expire_ns - g->granted_ns));
}

enum chain_response chain_ledger_pay(struct chain_ledger *l, uint32_t author, const struct chain_op *op)
{
    uint32_t to = op->pay.to;
    if (to >= l->genesis.members.n_keys || to == author)
        return CHAIN_INVALID_VALUE;
    if (op->pay.amount > l->balances[author])
        return CHAIN_FUNDS;
    l->balances[author] -= op->pay.amount;
    l->balances[to] += op->pay.amount;
    chain_ledger_touch(l, CHAIN_TABLE_ACCOUNTS, author, 0);
    chain_ledger_touch(l, CHAIN_TABLE_ACCOUNTS, to, 0);
    chain_ledger_emit(l, CHAIN_LE_PAID)->station = to;
    return CHAIN_SUCCESS;
}

uint64_t chain_ledger_treasury(const struct chain_ledger *l)
{
    return l->treasury;
}

uint64_t chain_ledger_balance(const struct chain_ledger *l, uint32_t key_id)
{
    return key_id < CHAIN_MAX_KEYS ? l->balances[key_id] : 0;
}
