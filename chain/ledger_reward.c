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

/* floor(a b / c) for b <= c < 2^62, bit by bit, since a b may not fit. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t quotient = 0, rest = 0;
    for (int bit = 63; bit >= 0; bit--) {
        quotient <<= 1;
        rest = (rest << 1) + (a >> bit & 1 ? b : 0);
        for (; rest >= c; rest -= c)
            quotient++;
    }
    return quotient;
}

void chain_ledger_refund(struct chain_ledger *l, struct chain_grant *g, int64_t until_ns)
{
    if (g->paid == 0 || until_ns < g->granted_ns || until_ns >= g->grant_expire_ns)
        return;
    uint64_t left_ns = (uint64_t)(g->grant_expire_ns - until_ns), whole_ns = (uint64_t)(g->grant_expire_ns - g->granted_ns);
    chain_ledger_earn(l, g->holder, scale((uint64_t)g->paid * l->genesis.refund_permille, left_ns, whole_ns) / 1000);
    g->paid = (uint32_t)scale(g->paid, whole_ns - left_ns, whole_ns);
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
