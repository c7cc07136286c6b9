#include "mac/backoff.h"

#include <string.h>

void mac_backoff_init(struct mac_backoff *b, const struct mac_config *cfg)
{
    const struct mac_profile *p = &cfg->profile;
    memset(b, 0, sizeof *b);
    b->key = (struct mac_draw_key){.seed = cfg->seed, .station_id = cfg->station_id, .channel = cfg->channel};
    b->access = p->access;
    b->edca = p->edca;
    b->slot_ns = p->access == MAC_ACCESS_SLOTTED_ALOHA ? p->aloha_slot_ns : p->slot_ns;
    b->stretch = p->access == MAC_ACCESS_ALOHA ? (uint32_t)((p->aloha_slot_ns + p->slot_ns - 1) / p->slot_ns) : 1;
    b->one_in = p->aloha_one_in;
    b->turnaround_ns = p->turnaround_ns;
    b->cw_max = p->cw_max;
    for (size_t i = 0; i < MAC_N_CATEGORIES; i++) {
        b->of[i].cw = b->of[i].cw_min = p->cw_min[i];
        b->of[i].wait_ns = ((int64_t)p->aifsn[i] - 2) * p->slot_ns;
        b->of[i].count_from_ns = INT64_MAX;
    }
    b->ready_ns = INT64_MAX;
    b->running = 1u << MAC_CAT_DATA;
}

/* Slots that a station lets pass which begins in each with probability 1 in n. */
static uint32_t draw_geometric(struct mac_backoff *b)
{
    uint32_t passed = 0;
    while (passed < 64 * b->one_in && ((mac_draw(&b->key, MAC_DRAW_ALOHA, b->n_draws++) >> 32) * b->one_in) >> 32 != 0)
        passed++;
    return passed;
}

void mac_backoff_draw(struct mac_backoff *b, enum mac_category category)
{
    if (b->access == MAC_ACCESS_SLOTTED_ALOHA) {
        b->of[category].slots = draw_geometric(b);
    } else {
        uint32_t word = (uint32_t)(mac_draw(&b->key, MAC_DRAW_BACKOFF, b->n_draws++) >> 32);
        /* a window is 2^k - 1: the mask takes k even bits */
        b->of[category].slots = b->stretch == 1 ? word & b->of[category].cw
                                             : (uint32_t)((uint64_t)word * (b->of[category].cw + 1) * b->stretch >> 32);
    }
    b->pending |= 1u << category;
    b->of[category].count_from_ns = INT64_MAX; /* counting begins anew with the next arm */
    b->stale = true;
}

void mac_backoff_fail(struct mac_backoff *b, enum mac_category category)
{
    uint32_t wider = b->of[category].cw * 2 + 1;
    b->of[category].cw = wider < b->cw_max ? wider : b->cw_max;
    mac_backoff_draw(b, category);
}

void mac_backoff_reset(struct mac_backoff *b, enum mac_category category)
{
    b->of[category].cw = b->of[category].cw_min;
    mac_backoff_draw(b, category);
}

void mac_backoff_clear(struct mac_backoff *b, enum mac_category category)
{
    b->pending &= ~(1u << category);
    b->of[category].count_from_ns = INT64_MAX;
}

/* The next instant from now on that is a whole number of slots after from_ns. */
static int64_t align(int64_t from_ns, int64_t slot_ns, int64_t now_ns)
{
    return from_ns >= now_ns ? from_ns : from_ns + (now_ns - from_ns + slot_ns - 1) / slot_ns * slot_ns;
}

int64_t mac_backoff_place(const struct mac_backoff *b, unsigned category, int64_t ready_ns, int64_t now_ns)
{
    if (b->access == MAC_ACCESS_DCF)
        return align(ready_ns + b->of[category].wait_ns, b->slot_ns, now_ns);
    int64_t from_ns = ready_ns > now_ns ? ready_ns : now_ns;
    return b->access == MAC_ACCESS_ALOHA ? from_ns : align(-b->turnaround_ns, b->slot_ns, from_ns);
}

void mac_backoff_immediate(struct mac_backoff *b, enum mac_category category, int64_t now_ns)
{
    b->pending |= 1u << category;
    b->of[category].slots = 0;
    b->of[category].count_from_ns = now_ns;
}

bool mac_backoff_elapsed(const struct mac_backoff *b, enum mac_category category, int64_t now_ns)
{
    return mac_backoff_due_ns(b, category) <= now_ns;
}

bool mac_backoff_would_be_over(const struct mac_backoff *b, enum mac_category category, int64_t ready_ns, int64_t now_ns)
{
    return ready_ns <= now_ns && (now_ns - ready_ns) / b->slot_ns >= (int64_t)b->of[category].slots;
}
