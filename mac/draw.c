#include "mac/draw.h"

/* One round of absorption: add, then the 64-bit finaliser of SplitMix (Steele, Lea, Flood 2014). */
static uint64_t absorb(uint64_t state, uint64_t word)
{
    uint64_t z = state + 0x9e3779b97f4a7c15u + word;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t mac_draw(const struct mac_draw_key *key, enum mac_draw_purpose purpose, uint64_t counter)
{
    uint64_t state = absorb(0, key->seed);
    state = absorb(state, (uint64_t)key->station_id << 32 | key->channel);
    state = absorb(state, (uint64_t)purpose);
    return absorb(state, counter);
}
