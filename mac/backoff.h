/* The backoff counter of each category (10.3.3, 10.23.2.4): drawn, counted down slot by slot while the medium is idle, kept while it is
 * not. The categories may count side by side. Under Aloha a counter runs whatever the medium does. */
#ifndef MAC_BACKOFF_H
#define MAC_BACKOFF_H

#include "mac/draw.h"
#include "mac/mac.h"

struct mac_backoff {
    struct mac_draw_key key;
    enum mac_access access;
    int64_t slot_ns;  /* what is counted: a slot, under slotted Aloha a slot of that */
    uint32_t stretch; /* pure Aloha: slots of the DCF in one of aloha_slot_ns */
    unsigned one_in;  /* slotted Aloha */
    int64_t turnaround_ns;
    int64_t wait_ns[MAC_N_CATEGORIES]; /* AIFS less DIFS */
    uint32_t cw_min[MAC_N_CATEGORIES], cw_max;
    uint32_t cw[MAC_N_CATEGORIES];
    uint32_t slots[MAC_N_CATEGORIES];         /* left */
    int64_t count_from_ns[MAC_N_CATEGORIES];  /* where they begin; INT64_MAX: they do not run */
    unsigned pending;                         /* bit c: category c has a draw */
    unsigned running;                         /* bit c: it may count down */
    bool stale;                               /* one of them does not run yet though it might */
    uint64_t n_draws;
    int64_t ready_ns;                         /* start of the grid of slots; INT64_MAX: the medium is not idle */
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
void mac_backoff_arm(struct mac_backoff *b, int64_t ready_ns, unsigned running, int64_t now_ns);
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
    if ((b->pending >> category & 1) == 0 || b->count_from_ns[category] == INT64_MAX)
        return INT64_MAX;
    return b->count_from_ns[category] + (int64_t)b->slots[category] * b->slot_ns;
}
#endif
