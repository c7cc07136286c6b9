/* The backoff counter of each category (10.3.3, 10.23.2.4): drawn, counted down slot by slot while the medium is idle, kept while it is
 * not. The categories may count side by side. Under Aloha a counter runs whatever the medium does. */
#ifndef MAC_BACKOFF_H
#define MAC_BACKOFF_H

#include "mac/draw.h"
#include "mac/mac.h"

struct mac_backoff {
    int64_t ready_ns;      /* start of the grid of slots; INT64_MAX: the medium is not idle */
    int64_t slot_ns;       /* what is counted: a slot, under slotted Aloha a slot of that */
    unsigned pending;      /* bit c: category c has a draw */
    unsigned running;      /* bit c: it may count down */
    bool stale;            /* one of them does not run yet though it might */
    bool edca;             /* more than one may */
    enum mac_access access;
    struct mac_backoff_counter {
        int64_t count_from_ns; /* where its slots begin; INT64_MAX: they do not run, or there is no draw */
        int64_t wait_ns;       /* AIFS less DIFS */
        uint32_t slots;        /* left */
        uint32_t cw, cw_min;
    } of[MAC_N_CATEGORIES];
    uint32_t cw_max;
    uint32_t stretch;      /* pure Aloha: slots of the DCF in one of aloha_slot_ns */
    unsigned one_in;       /* slotted Aloha */
    int64_t turnaround_ns;
    struct mac_draw_key key;
    uint64_t n_draws;
};

void mac_backoff_init(struct mac_backoff *b, const struct mac_config *cfg);
void mac_backoff_draw(struct mac_backoff *b, enum mac_category category);
/* A frame failed: a wider window, a new draw. */
void mac_backoff_fail(struct mac_backoff *b, enum mac_category category);
/* A frame is done with, one way or the other: the least window, a new draw (the post-backoff). */
void mac_backoff_reset(struct mac_backoff *b, enum mac_category category);
/* The category has no draw: its next message asks for access anew. */
void mac_backoff_clear(struct mac_backoff *b, enum mac_category category);
/* The grid of slots begins at ready_ns, for each category its AIFS later, and the categories of the mask `running` count down on it; slots
 * that have passed on the grid before are taken off. INT64_MAX: the medium is no longer idle. */
static inline void mac_backoff_arm(struct mac_backoff *b, int64_t ready_ns, unsigned running, int64_t now_ns);
/* Access without a draw: due now, as long as the medium stays idle. */
void mac_backoff_immediate(struct mac_backoff *b, enum mac_category category, int64_t now_ns);
/* A post-backoff that has run out. */
bool mac_backoff_elapsed(const struct mac_backoff *b, enum mac_category category, int64_t now_ns);

/* The same for one that did not count while another category did: it would have run out on a medium that is free since ready_ns. */
bool mac_backoff_would_be_over(const struct mac_backoff *b, enum mac_category category, int64_t ready_ns, int64_t now_ns);

/* The highest category of a mask that has one: bit c is category c, 0 the highest. */
static inline unsigned mac_first(unsigned mask)
{
    return (unsigned)__builtin_ctz(mask);
}

/* When a category's counter reaches zero; INT64_MAX while it does not run. */
static inline int64_t mac_backoff_due_ns(const struct mac_backoff *b, unsigned category)
{
    if (b->of[category].count_from_ns == INT64_MAX)
        return INT64_MAX;
    return b->of[category].count_from_ns + (int64_t)b->of[category].slots * b->slot_ns;
}

/* --- what each frame of others comes to, at each station --- */

/* Takes off the slots that have passed. */
static inline void mac_backoff_count(struct mac_backoff *b, unsigned category, int64_t now_ns)
{
    if (now_ns <= b->of[category].count_from_ns)
        return;
    uint64_t ns = (uint64_t)(now_ns - b->of[category].count_from_ns), slot_ns = (uint64_t)b->slot_ns;
    uint64_t passed = (ns | slot_ns) >> 32 == 0 ? (uint32_t)ns / (uint32_t)slot_ns : ns / slot_ns; /* the short division is a fast one */
    if (passed > b->of[category].slots)
        passed = b->of[category].slots;
    b->of[category].slots -= (uint32_t)passed;
    b->of[category].count_from_ns += (int64_t)passed * b->slot_ns;
}

/* Where the slots of a category begin that may count on a grid from ready_ns on. */
int64_t mac_backoff_place(const struct mac_backoff *b, unsigned category, int64_t ready_ns, int64_t now_ns);

/* What arm comes to where, under the DCF, this category alone has a draw and may count. When its counter reaches zero. */
static inline int64_t mac_backoff_arm_one(struct mac_backoff *b, unsigned category, int64_t ready_ns, int64_t now_ns)
{
    mac_backoff_count(b, category, now_ns);
    b->ready_ns = ready_ns;
    if (ready_ns == INT64_MAX)
        return b->of[category].count_from_ns = INT64_MAX;
    int64_t from_ns = ready_ns + b->of[category].wait_ns;
    b->of[category].count_from_ns = from_ns >= now_ns ? from_ns : mac_backoff_place(b, category, ready_ns, now_ns);
    return b->of[category].count_from_ns + (int64_t)b->of[category].slots * b->slot_ns;
}

static inline void mac_backoff_arm(struct mac_backoff *b, int64_t ready_ns, unsigned running, int64_t now_ns)
{
    bool dcf = b->access == MAC_ACCESS_DCF, moved = ready_ns != b->ready_ns && dcf;
    if (!moved && !b->stale && running == b->running)
        return;
    for (unsigned left = b->pending; left != 0; left &= left - 1) {
        unsigned c = mac_first(left);
        bool runs = (running >> c & 1) != 0;
        if (!moved && runs && b->of[c].count_from_ns != INT64_MAX)
            continue;
        mac_backoff_count(b, c, now_ns);
        if (!runs || ready_ns == INT64_MAX)
            b->of[c].count_from_ns = INT64_MAX;
        else if (dcf && ready_ns + b->of[c].wait_ns >= now_ns)
            b->of[c].count_from_ns = ready_ns + b->of[c].wait_ns;
        else
            b->of[c].count_from_ns = mac_backoff_place(b, c, ready_ns, now_ns);
    }
    b->ready_ns = ready_ns;
    b->running = running;
    b->stale = ready_ns == INT64_MAX && !dcf; /* a moving grid places all of them anyway */
}
#endif
