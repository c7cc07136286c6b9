/* Bursts in a ring, taken out as one stream. */
#include "phy/radio/outbox.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void phy_outbox_init(struct phy_outbox *o, float complex *ring, size_t cap)
{
    *o = (struct phy_outbox){.ring = ring, .cap = cap};
}

static struct phy_outbox_burst *get_burst(struct phy_outbox *o, size_t i)
{
    return &o->bursts[(o->i_first + i) % PHY_OUTBOX_MAX_BURSTS];
}

static void drop_first(struct phy_outbox *o)
{
    o->n_used -= (size_t)get_burst(o, 0)->n_samples;
    o->i_first = (o->i_first + 1) % PHY_OUTBOX_MAX_BURSTS;
    o->n_bursts--;
}

int phy_outbox_put(struct phy_outbox *o, uint64_t start_sample, const float complex *samples, size_t n)
{
    if (start_sample < o->next)
        return -ETIME;
    if (start_sample < o->last_end)
        return -EBUSY;
    if (o->n_bursts == PHY_OUTBOX_MAX_BURSTS || n > o->cap - o->n_used || start_sample > UINT64_MAX - n)
        return -ENOBUFS;
    size_t at = 0;
    if (o->n_bursts > 0) {
        const struct phy_outbox_burst *last = get_burst(o, o->n_bursts - 1);
        at = (last->at + (size_t)last->n_samples) % o->cap;
    }
    size_t n_head = n < o->cap - at ? n : o->cap - at;
    memcpy(o->ring + at, samples, n_head * sizeof *samples);
    memcpy(o->ring, samples + n_head, (n - n_head) * sizeof *samples);
    *get_burst(o, o->n_bursts) = (struct phy_outbox_burst){start_sample, n, at};
    o->n_bursts++;
    o->n_used += n;
    o->last_end = start_sample + n;
    phy_outbox_settle(o, o->last_end);
    return 0;
}

void phy_outbox_settle(struct phy_outbox *o, uint64_t sample)
{
    if (sample > o->settled)
        o->settled = sample;
}

uint64_t phy_outbox_ready(const struct phy_outbox *o)
{
    return o->settled > o->next ? o->settled - o->next : 0;
}

/* The part of a burst that lies in [next, end) goes to its place in out. */
static void copy_overlap(const struct phy_outbox *o, const struct phy_outbox_burst *b, uint64_t end, float complex *out)
{
    uint64_t b_end = b->start_sample + b->n_samples;
    uint64_t from = b->start_sample > o->next ? b->start_sample : o->next, to = b_end < end ? b_end : end;
    if (from >= to)
        return;
    size_t n = (size_t)(to - from), at = (b->at + (size_t)(from - b->start_sample)) % o->cap;
    size_t n_head = n < o->cap - at ? n : o->cap - at;
    out += from - o->next;
    memcpy(out, o->ring + at, n_head * sizeof *out);
    memcpy(out + n_head, o->ring, (n - n_head) * sizeof *out);
}

size_t phy_outbox_take(struct phy_outbox *o, float complex *out, size_t n, uint64_t *ends_out)
{
    assert(n <= phy_outbox_ready(o));
    uint64_t end = o->next + n;
    size_t n_ends = 0;
    memset(out, 0, n * sizeof *out);
    for (size_t i = 0; i < o->n_bursts && get_burst(o, i)->start_sample < end; i++)
        copy_overlap(o, get_burst(o, i), end, out);
    while (o->n_bursts > 0 && get_burst(o, 0)->start_sample + get_burst(o, 0)->n_samples <= end) {
        ends_out[n_ends++] = get_burst(o, 0)->start_sample + get_burst(o, 0)->n_samples;
        drop_first(o);
    }
    o->next = end;
    return n_ends;
}

size_t phy_outbox_move(struct phy_outbox *o, uint64_t next)
{
    uint64_t begun = next > o->next ? next : o->next;
    size_t n_dropped = 0;
    for (; o->n_bursts > 0 && get_burst(o, 0)->start_sample < begun; n_dropped++)
        drop_first(o);
    o->next = next;
    return n_dropped;
}
