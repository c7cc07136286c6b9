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
