/* Keyed draws: a value is a function of who draws, for what, and the how-manieth time, so that no draw moves another. */
#ifndef MAC_DRAW_H
#define MAC_DRAW_H

#include <stdint.h>

enum mac_draw_purpose {
    MAC_DRAW_BACKOFF = 1,
    MAC_DRAW_SEQUENCE = 2,
    MAC_DRAW_MESSAGE_ID = 3,
    MAC_DRAW_REPAIR = 4,
    MAC_DRAW_ALOHA = 5,
    MAC_DRAW_RATE = 6
};

struct mac_draw_key {
    uint64_t seed;
    uint32_t station_id, channel;
};

/* 64 bits, each as good as the other. */
uint64_t mac_draw(const struct mac_draw_key *key, enum mac_draw_purpose purpose, uint64_t counter);
#endif
