/* Access history: when a station was granted a band, and until when it is barred from it. */
#include <string.h>

#include "chain/ledger_state.h"

bool chain_ledger_barred(const struct chain_ledger *l, uint32_t station, uint32_t channel, int64_t time_ns)
{
    return station < CHAIN_MAX_KEYS && channel < CHAIN_MAX_CHANNELS && time_ns < l->access[station][channel].barred_until_ns;
}

void chain_ledger_bar(struct chain_ledger *l, uint32_t station, uint32_t channel)
{
    if (l->genesis.bar_ns == 0)
        return;
    l->access[station][channel].barred_until_ns = l->time_ns + l->genesis.bar_ns;
    chain_ledger_touch(l, CHAIN_TABLE_ACCESS, station, channel);
    struct chain_ledger_event *event = chain_ledger_emit(l, CHAIN_LE_BARRED);
    event->station = station;
    event->channel = channel;
    event->code = CHAIN_BLACKLISTED;
}

void chain_ledger_note_access(struct chain_ledger *l, uint32_t station, uint32_t channel)
{
    struct chain_access *a = &l->access[station][channel];
    if (a->n == CHAIN_MAX_ACCESS) {
        memmove(&a->at_ns[0], &a->at_ns[1], (CHAIN_MAX_ACCESS - 1) * sizeof a->at_ns[0]);
        a->n--;
    }
    a->at_ns[a->n++] = l->time_ns;
    chain_ledger_touch(l, CHAIN_TABLE_ACCESS, station, channel);
    uint32_t n_recent = 0;
    for (uint32_t i = 0; i < a->n; i++)
        n_recent += l->time_ns - a->at_ns[i] < l->genesis.access_window_ns;
    if (l->genesis.access_threshold > 0 && n_recent >= l->genesis.access_threshold)
        chain_ledger_bar(l, station, channel);
}

const struct chain_access *chain_ledger_access(const struct chain_ledger *l, uint32_t station, uint32_t channel)
{
    bool known = station < l->genesis.members.n_keys && channel < l->genesis.n_channels;
    return known ? &l->access[station][channel] : NULL;
}
