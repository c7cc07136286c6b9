/* The backoff counter of each category (10.3.3): drawn, counted down slot by slot while the medium is idle, kept while it is not. */
#ifndef MAC_BACKOFF_H
#define MAC_BACKOFF_H

#include "mac/draw.h"
#include "mac/mac.h"

struct mac_backoff {
    struct mac_draw_key key;
    int64_t slot_ns;
    uint32_t cw_min[MAC_N_CATEGORIES], cw_max;
    uint32_t cw[MAC_N_CATEGORIES];
    uint32_t slots[MAC_N_CATEGORIES];
    bool pending[MAC_N_CATEGORIES];
    uint64_t n_draws;
    /* the one category that counts down */
    enum mac_category active;
    int64_t ready_ns;      /* start of the grid of slots; INT64_MAX: the medium is not idle */
    int64_t count_from_ns; /* where the slots that are left begin */
};

void mac_backoff_init(struct mac_backoff *b, const struct mac_config *cfg);
void mac_backoff_draw(struct mac_backoff *b, enum mac_category category);
/* A frame failed: a wider window, a new draw. */
void mac_backoff_fail(struct mac_backoff *b, enum mac_category category);
/* A frame is done with, one way or the other: the least window, a new draw (the post-backoff). */
void mac_backoff_reset(struct mac_backoff *b, enum mac_category category);
/* Takes off the slots that have passed. */
void mac_backoff_settle(struct mac_backoff *b, int64_t now_ns);
/* After a settle: who counts from now on, and on which grid. */
void mac_backoff_resume(struct mac_backoff *b, enum mac_category active, int64_t ready_ns, int64_t now_ns);
/* Access without a draw: due now, as long as the medium stays idle. */
void mac_backoff_immediate(struct mac_backoff *b, enum mac_category category, int64_t ready_ns, int64_t now_ns);
/* After a settle: this counter has run out. */
bool mac_backoff_elapsed(const struct mac_backoff *b, enum mac_category category, int64_t now_ns);
/* When the active counter reaches zero; INT64_MAX while it does not run. */
int64_t mac_backoff_due_ns(const struct mac_backoff *b);
#endif
