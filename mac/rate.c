#include "mac/rate.h"

#include "mac/frame.h"

#include <string.h>

enum { FRAME_BYTES = 800, SAMPLE_ONE_IN = 10, SURE_PERMILLE = 900, HOPELESS_PERMILLE = 100, MAX_COUNT = 60000 };
/* what is older says little of a link today */
static const int64_t interval_ns = 50000000, neighbour_ns = 10000000000;

void mac_rate_init(struct mac_rate *r, const struct mac_config *cfg, int64_t ack_ns, struct mac_rate_peer *peers)
{
    *r = (struct mac_rate){.n_rates = cfg->profile.n_rates, .peers = peers, .n_peers = cfg->max_peers};
    r->key = (struct mac_draw_key){.seed = cfg->seed, .station_id = cfg->station_id, .channel = cfg->channel};
    for (unsigned i = 0; i < r->n_rates; i++) {
        r->frame_ns[i] = cfg->airtime_ns(cfg->airtime_ctx, FRAME_BYTES, i) + ack_ns;
        if (r->frame_ns[i] > r->frame_ns[r->slowest])
            r->slowest = i;
    }
    for (size_t i = 0; r->n_rates > 0 && i < r->n_peers; i++)
        peers[i] = (struct mac_rate_peer){.used_ns = INT64_MIN};
}

static uint32_t draw(struct mac_rate *r, uint32_t bound)
{
    return (uint32_t)((mac_draw(&r->key, MAC_DRAW_RATE, r->n_draws++) >> 32) * bound >> 32);
}

/* The neighbour's row, or that of the one unheard for longest. */
static struct mac_rate_peer *find(struct mac_rate *r, const struct mac_address *address)
{
    struct mac_rate_peer *oldest = &r->peers[0];
    for (size_t i = 0; i < r->n_peers; i++) {
        struct mac_rate_peer *p = &r->peers[i];
        if (p->used_ns != INT64_MIN && mac_address_equal(&p->address, address))
            return p;
        if (p->used_ns < oldest->used_ns)
            oldest = p;
    }
    *oldest = (struct mac_rate_peer){.address = *address, .used_ns = r->now_ns, .interval_ns = r->now_ns, .best = r->slowest,
                                     .second = r->slowest, .surest = r->slowest};
    return oldest;
}

/* Carries rate a more octets a second than b? What hardly ever arrives carries none. */
static bool is_faster(const struct mac_rate *r, const struct mac_rate_peer *p, unsigned a, unsigned b)
{
    int64_t pa = p->rates[a].permille, pb = p->rates[b].permille;
    pa = pa < HOPELESS_PERMILLE ? 0 : pa;
    pb = pb < HOPELESS_PERMILLE ? 0 : pb;
    return pa * r->frame_ns[b] > pb * r->frame_ns[a];
}

/* Where two are both sure, the shorter frame. */
static bool is_surer(const struct mac_rate *r, const struct mac_rate_peer *p, unsigned a, unsigned b)
{
    unsigned pa = p->rates[a].permille, pb = p->rates[b].permille;
    return pa >= SURE_PERMILLE && pb >= SURE_PERMILLE ? is_faster(r, p, a, b) : pa > pb;
}

static void rank(const struct mac_rate *r, struct mac_rate_peer *p)
{
    unsigned best = r->slowest, second = r->slowest, surest = r->slowest;
    for (unsigned i = 0; i < r->n_rates; i++) {
        if (is_faster(r, p, i, best)) {
            second = best;
            best = i;
        } else if (i != best && is_faster(r, p, i, second)) {
            second = i;
        }
        if (is_surer(r, p, i, surest))
            surest = i;
    }
    p->best = best;
    p->second = second;
    p->surest = surest;
}

static void close_interval(const struct mac_rate *r, struct mac_rate_peer *p)
{
    for (unsigned i = 0; i < r->n_rates; i++) {
        struct mac_rate_row *row = &p->rates[i];
        if (row->tries == 0)
            continue;
        unsigned now = row->ok * 1000u / row->tries;
        row->permille = (uint16_t)(row->known ? (3u * row->permille + now) / 4 : now);
        row->known = true;
        row->ok = row->tries = 0;
    }
    rank(r, p);
}

/* A rate to learn about: one that could be faster than the best even if every frame arrived, else none is worth a frame. */
static unsigned sample(struct mac_rate *r, const struct mac_rate_peer *p)
{
    unsigned rate = draw(r, r->n_rates);
    bool worth = r->frame_ns[rate] * p->rates[p->best].permille < r->frame_ns[p->best] * 1000;
    return worth || !p->rates[p->best].known ? rate : p->best;
}

unsigned mac_rate_choose(struct mac_rate *r, const struct mac_address *to, unsigned tries)
{
    const struct mac_rate_peer *p = find(r, to);
    if (tries == 0)
        return draw(r, SAMPLE_ONE_IN) == 0 ? sample(r, p) : p->best;
    if (tries == 1)
        return p->best;
    if (tries == 2)
        return p->second;
    return tries == 3 ? p->surest : r->slowest;
}

void mac_rate_report(struct mac_rate *r, const struct mac_address *to, unsigned rate, bool acked, int64_t now_ns)
{
    r->now_ns = now_ns;
    struct mac_rate_peer *p = find(r, to);
    struct mac_rate_row *row = &p->rates[rate];
    p->used_ns = now_ns;
    if (row->tries < MAX_COUNT) {
        row->tries++;
        row->ok = (uint16_t)(row->ok + acked);
    }
    if (now_ns - p->interval_ns < interval_ns)
        return;
    p->interval_ns = now_ns;
    close_interval(r, p);
}

void mac_rate_heard(struct mac_rate *r, const struct mac_address *from, int64_t now_ns)
{
    r->now_ns = now_ns;
    find(r, from)->used_ns = now_ns;
}

unsigned mac_rate_group(const struct mac_rate *r, unsigned basic_rate)
{
    unsigned slowest = basic_rate;
    bool any = false;
    for (size_t i = 0; i < r->n_peers; i++) {
        const struct mac_rate_peer *p = &r->peers[i];
        if (p->used_ns == INT64_MIN || r->now_ns - p->used_ns > neighbour_ns)
            continue;
        if (p->rates[p->surest].permille < SURE_PERMILLE)
            return basic_rate;
        if (!any || r->frame_ns[p->surest] > r->frame_ns[slowest])
            slowest = p->surest;
        any = true;
    }
    return slowest;
}
