#include "chain/types.h"

uint32_t chain_majority(uint32_t n)
{
    return n / 2 + 1;
}

uint32_t chain_pbft_f(uint32_t n)
{
    return n == 0 ? 0 : (n - 1) / 3;
}

uint32_t chain_pbft_quorum(uint32_t n)
{
    return (n + chain_pbft_f(n)) / 2 + 1;
}

void chain_members_seat_in_order(struct chain_members *members)
{
    for (uint32_t seat = 0; seat < CHAIN_MAX_MEMBERS; seat++)
        members->seats[seat] = (uint8_t)(seat < members->n ? seat : 0);
}

uint32_t chain_members_seat(const struct chain_members *members, uint32_t key_id)
{
    for (uint32_t seat = 0; seat < members->n; seat++)
        if (members->seats[seat] == key_id)
            return seat;
    return CHAIN_MAX_MEMBERS;
}
