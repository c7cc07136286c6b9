/* Keyed draws, quick sums over octets, and sets of 64-bit keys. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

/* The finaliser of SplitMix64. */
uint64_t sim_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t sim_draw(struct sim_world *w, uint64_t below)
{
    return sim_mix(sim_mix(w->cfg.seed) ^ w->n_draws++) % below;
}

int64_t sim_draw_ns(struct sim_world *w, int64_t from_ns, int64_t to_ns)
{
    return to_ns <= from_ns ? from_ns : from_ns + (int64_t)sim_draw(w, (uint64_t)(to_ns - from_ns));
}

uint64_t sim_sum(uint64_t seed, const void *data, size_t len)
{
    const uint8_t *at = data;
    uint64_t sum = seed ^ (len * UINT64_C(0x9e3779b97f4a7c15)), word;
    for (; len >= 8; len -= 8, at += 8) {
        memcpy(&word, at, 8);
        sum = (sum ^ word) * UINT64_C(0xd6e8feb86659fd93);
        sum ^= sum >> 32;
    }
    word = 0;
    if (len > 0)
        memcpy(&word, at, len);
    return sim_mix(sum ^ word);
}

struct sim_set {
    size_t n, cap; /* a power of two */
    struct {
        uint64_t key, value;
    } *items;
};

struct sim_set *sim_set_new(void)
{
    struct sim_set *s = calloc(1, sizeof *s);
    assert(s);
    s->cap = 1024;
    s->items = calloc(s->cap, sizeof s->items[0]);
    assert(s->items);
    return s;
}

void sim_set_free(struct sim_set *s)
{
    if (s)
        free(s->items);
    free(s);
}

static size_t find(const struct sim_set *s, uint64_t key)
{
    size_t i = key & (s->cap - 1);
    while (s->items[i].key != 0 && s->items[i].key != key)
        i = (i + 1) & (s->cap - 1);
    return i;
}

uint64_t sim_set_get(const struct sim_set *s, uint64_t key)
{
    return s->items[find(s, key)].value;
}

uint64_t sim_set_put(struct sim_set *s, uint64_t key, uint64_t value)
{
    assert(key != 0);
    size_t i = find(s, key);
    if (s->items[i].key == key)
        return s->items[i].value;
    s->items[i].key = key;
    s->items[i].value = value;
    if (++s->n * 2 > s->cap) {
        struct sim_set bigger = {.cap = 4 * s->cap, .n = s->n};
        bigger.items = calloc(bigger.cap, sizeof bigger.items[0]);
        assert(bigger.items);
        for (size_t k = 0; k < s->cap; k++)
            if (s->items[k].key != 0)
                bigger.items[find(&bigger, s->items[k].key)] = s->items[k];
        free(s->items);
        *s = bigger;
    }
    return 0;
}
