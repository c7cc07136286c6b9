#include "tests/fuzz/engine_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    return feed_engine(&chain_pbft_ops, data, len);
}
