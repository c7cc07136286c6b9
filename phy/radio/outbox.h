/* What a transmitting sample stream will carry: bursts at the samples they were given for, zeros between, and how far that is
 * settled. Nothing is given away past that point, since a burst may still come. Pure; memory is the caller's. */
#ifndef PHY_OUTBOX_H
#define PHY_OUTBOX_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

enum { PHY_OUTBOX_MAX_BURSTS = 64 };

struct phy_outbox_burst {
    uint64_t start_sample, n_samples;
    size_t at; /* of its first sample in the ring */
};

struct phy_outbox {
    float complex *ring; /* cap samples, the caller's */
    size_t cap, n_used;
    struct phy_outbox_burst bursts[PHY_OUTBOX_MAX_BURSTS]; /* in time order, the first at i_first */
    size_t i_first, n_bursts;
    uint64_t next;       /* first sample not given away */
    uint64_t settled;    /* everything before this sample is known */
    uint64_t last_end;   /* of the burst handed over last */
};

void phy_outbox_init(struct phy_outbox *o, float complex *ring, size_t cap);
/* Copies a burst in. 0; -ETIME: its start was given away; -EBUSY: it begins before the end of the burst before it; -ENOBUFS: no
 * room for so many samples or bursts now. Everything before its end is settled then. */
__attribute__((warn_unused_result)) int phy_outbox_put(struct phy_outbox *o, uint64_t start_sample, const float complex *samples, size_t n);
/* No burst that was not put yet begins before this sample. */
void phy_outbox_settle(struct phy_outbox *o, uint64_t sample);
/* Samples that could be taken now. */
uint64_t phy_outbox_ready(const struct phy_outbox *o);
/* Takes the next n samples, n <= phy_outbox_ready. Ends of bursts that are through now go to ends_out (PHY_OUTBOX_MAX_BURSTS of
 * them); returns how many. */
size_t phy_outbox_take(struct phy_outbox *o, float complex *out, size_t n, uint64_t *ends_out);
/* The stream goes on at another sample. Bursts begun before it, or before what was given away, are dropped; returns how many. */
size_t phy_outbox_move(struct phy_outbox *o, uint64_t next);
#endif
