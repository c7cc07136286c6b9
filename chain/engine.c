#include "chain/engine.h"

#include <string.h>

const struct chain_engine_ops *chain_engine_find(const char *name)
{
    static const struct chain_engine_ops *const engines[] = {&chain_raft_ops, &chain_pbft_ops};
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
        if (strcmp(engines[i]->name, name) == 0)
            return engines[i];
    return NULL;
}
