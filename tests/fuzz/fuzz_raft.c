#include "tests/fuzz/engine_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    return feed_engine(&chain_raft_ops, data, len);
}
