#include "mac/backoff.h"

#include <string.h>

void mac_backoff_init(struct mac_backoff *b, const struct mac_config *cfg)
{
    memset(b, 0, sizeof *b);
    b->key = (struct mac_draw_key){.seed = cfg->seed, .station_id = cfg->station_id, .channel = cfg->channel};
    b->slot_ns = cfg->profile.slot_ns;
    b->cw_max = cfg->profile.cw_max;
    for (size_t i = 0; i < MAC_N_CATEGORIES; i++)
        b->cw[i] = b->cw_min[i] = cfg->profile.cw_min[i];
    b->active = MAC_CAT_DATA;
    b->ready_ns = b->count_from_ns = INT64_MAX;
}

void mac_backoff_draw(struct mac_backoff *b, enum mac_category category)
{
    /* a window is 2^k - 1: the mask takes k even bits */
    b->slots[category] = (uint32_t)(mac_draw(&b->key, MAC_DRAW_BACKOFF, b->n_draws++) >> 32) & b->cw[category];
    b->pending[category] = true;
    if (category == b->active)
        b->ready_ns = b->count_from_ns = INT64_MAX; /* counting begins anew with the next resume */
}

void mac_backoff_fail(struct mac_backoff *b, enum mac_category category)
{
    uint32_t wider = b->cw[category] * 2 + 1;
    b->cw[category] = wider < b->cw_max ? wider : b->cw_max;
    mac_backoff_draw(b, category);
}

void mac_backoff_reset(struct mac_backoff *b, enum mac_category category)
{
    b->cw[category] = b->cw_min[category];
    mac_backoff_draw(b, category);
}

void mac_backoff_settle(struct mac_backoff *b, int64_t now_ns)
{
    if (now_ns <= b->count_from_ns)
        return;
    int64_t passed = (now_ns - b->count_from_ns) / b->slot_ns;
    uint32_t *slots = &b->slots[b->active];
    if (passed > (int64_t)*slots)
        passed = *slots;
    *slots -= (uint32_t)passed;
    b->count_from_ns += passed * b->slot_ns;
}

void mac_backoff_resume(struct mac_backoff *b, enum mac_category active, int64_t ready_ns, int64_t now_ns)
{
    if (active == b->active && ready_ns == b->ready_ns)
        return;
    b->active = active;
    b->ready_ns = b->count_from_ns = ready_ns;
    if (ready_ns == INT64_MAX || ready_ns >= now_ns)
        return;
    int64_t slots = (now_ns - ready_ns + b->slot_ns - 1) / b->slot_ns;
    b->count_from_ns = ready_ns + slots * b->slot_ns;
}

int64_t mac_backoff_due_ns(const struct mac_backoff *b)
{
    if (b->count_from_ns == INT64_MAX || !b->pending[b->active])
        return INT64_MAX;
    return b->count_from_ns + (int64_t)b->slots[b->active] * b->slot_ns;
}

void mac_backoff_immediate(struct mac_backoff *b, enum mac_category category, int64_t ready_ns, int64_t now_ns)
{
    b->active = category;
    b->pending[category] = true;
    b->slots[category] = 0;
    b->ready_ns = ready_ns;
    b->count_from_ns = now_ns;
}

bool mac_backoff_elapsed(const struct mac_backoff *b, enum mac_category category, int64_t now_ns)
{
    return category == b->active && b->slots[category] == 0 && b->count_from_ns <= now_ns;
}
